"""The small renderer: a point lands where the pinhole formula says, the nearest face is seen, shadows fall."""

import numpy as np
import pytest

from scenes.canvas import GROUND, SKY, Canvas, Face, look, look_from_sun, project

RED, GREEN = (np.full((4, 4, 3), colour, np.uint8) for colour in ((200, 0, 0), (0, 200, 0)))


def upright(x, low, high, z, half=2.0):
    """A face that looks to the viewer, as corners (4, 3)."""
    return np.array([(x - half, high, z), (x + half, high, z), (x + half, low, z), (x - half, low, z)], float)


@pytest.fixture
def matrix():
    """An eye 2 m above the ground, focal length 100 pixels, the axis through the pixel (50, 40)."""
    return look(np.array([0.0, 2, 0]), yaw=0, roll=0, focal=100, centre=(50, 40))


def test_a_point_is_seen_at_focal_length_times_offset_over_depth(matrix):
    screen, nearness, _ = project(matrix, np.array([3.0, 2 + 1, 20]))
    np.testing.assert_allclose(screen, [50 + 100 * 3 / 20, 40 - 100 * 1 / 20])
    assert nearness == pytest.approx(1 / 20)


def test_the_nearest_face_is_seen_in_whatever_order_they_are_drawn(matrix):
    near, far = Face(upright(0, 0, 4, 10), RED), Face(upright(0, 0, 4, 20), GREEN)
    for faces in ([near, far], [far, near]):
        canvas = Canvas(matrix, 80, 100)
        canvas.draw(faces)
        assert tuple(canvas.colour[40, 50]) == (200, 0, 0)


def test_a_hole_shows_what_lies_behind(matrix):
    holed = np.dstack([RED, np.zeros((4, 4), np.uint8)])
    canvas = Canvas(matrix, 80, 100)
    canvas.draw([Face(upright(0, 0, 4, 10), holed), Face(upright(0, 0, 4, 20), GREEN)])
    assert tuple(canvas.colour[40, 50]) == (0, 200, 0) and canvas.surface[40, 50] == 1


def test_the_inside_of_a_face_is_not_drawn(matrix):
    canvas = Canvas(matrix, 80, 100)
    canvas.draw([Face(upright(0, 0, 4, 10)[[1, 0, 3, 2]], RED)])
    assert (canvas.surface == SKY).all()


def test_ground_begins_under_the_horizon(matrix):
    canvas = Canvas(matrix, 80, 100)
    canvas.fill_ground(GREEN, GREEN, metres=10)
    assert (canvas.surface[:40] == SKY).all() and (canvas.surface[42:] == GROUND).all()
    assert canvas.nearness[60, 50] == pytest.approx(1 / 10)  # 20 pixels under the horizon: 100 x 2 m / 20


def test_a_wall_casts_its_shadow_towards_us_when_the_sun_stands_behind_it():
    wall = Face(upright(0, 0, 4, 14), RED)
    matrix = look(np.array([0.0, 2, 0]), yaw=0, roll=0, focal=400, centre=(200, 160))
    canvas = Canvas(matrix, 320, 400)
    canvas.fill_ground(GREEN, GREEN, metres=10)
    canvas.draw([wall])
    downwards = np.array([0.0, -1.0, -1.0]) / np.sqrt(2)  # 45 degrees: the shadow is as long as the wall is high
    to_sun = look_from_sun(downwards, np.array([0.0, 0, 14]), extent=60, side=600)
    sun = Canvas(to_sun, 600, 600, nearness=-1e9)
    sun.draw([wall], cull=False, colour=False)
    lit = canvas.lit(sun, bias=np.array([0.3, 0.0, 0.1]))
    points = np.array([(0, 0, 12.0), (0, 0, 9.0), (4, 0, 12.0)])  # in the shadow; before it; beside it
    screen, _, _ = project(matrix, points)
    inside, before, beside = (lit[int(v), int(u)] for u, v in screen)
    assert inside < 0.1 and before > 0.9 and beside > 0.9
