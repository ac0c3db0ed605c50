"""Wooding's density map: its screen geometry and its sum, against numbers worked by hand and a naive loop."""

import numpy as np
import pytest

import gaze


def naive_density_map(fixations_by_observer, height, width, sigma):
    """The formula, pixel by pixel and fixation by fixation."""
    density_map = np.zeros((height, width))
    for fixations in fixations_by_observer:
        for x, y in fixations:
            for row in range(height):
                for column in range(width):
                    squared_distance = (column - x) ** 2 + (row - y) ** 2
                    density_map[row, column] += np.exp(-squared_distance / (2 * sigma**2))
    density_map /= len(fixations_by_observer)
    return density_map / density_map.max()


def test_sigma_is_116_pixels_on_the_screen_itself():
    # 1200 / 325 px per mm times 900 mm times tan 2 degrees
    assert gaze.compute_sigma(1200, 1920) == pytest.approx(116.04, abs=0.01)


def test_sigma_shrinks_with_the_image_by_the_side_that_fills_the_screen_first():
    on_screen = gaze.compute_sigma(1200, 1920)
    assert gaze.compute_sigma(240, 320) == pytest.approx(on_screen / 5)  # min(1920 / 320, 1200 / 240)
    assert gaze.compute_sigma(100, 960) == pytest.approx(on_screen / 2)  # min(1920 / 960, 1200 / 100)


def test_density_map_is_the_naive_sum():
    rng = np.random.default_rng(1)
    fixations = [rng.uniform(0, (31, 23), (m, 2)) for m in (3, 0, 5)]
    density_map = gaze.compute_density_map(fixations, 23, 31, sigma=2.7)
    assert density_map.dtype == np.float32
    np.testing.assert_allclose(density_map, naive_density_map(fixations, 23, 31, 2.7), atol=1e-3)


def test_a_fixation_is_x_then_y():
    density_map = gaze.compute_density_map([np.array([[30.0, 5.0]])], 20, 40, sigma=2)
    assert np.unravel_index(density_map.argmax(), density_map.shape) == (5, 30)
    assert density_map.max() == 1


def test_one_sigma_away_the_density_is_exp_minus_a_half():
    density_map = gaze.compute_density_map([np.array([[10.0, 10.0]])], 21, 21, sigma=4)
    assert density_map[10, 14] == pytest.approx(np.exp(-0.5), rel=1e-5)


def test_fixations_outside_the_image_leave_no_trace():
    inside = np.array([[4.0, 6.0]])
    beside = np.array([[-1.0, 6.0], [12.5, 3.0], [4.0, 40.0]])
    with_strays = gaze.compute_density_map([np.concatenate([inside, beside])], 10, 12, sigma=3)
    np.testing.assert_array_equal(with_strays, gaze.compute_density_map([inside], 10, 12, sigma=3))


@pytest.mark.parametrize("fixations", [[], [np.empty((0, 2))], [np.array([[50.0, 50.0]])]])
def test_without_a_fixation_inside_there_is_no_map(fixations):
    with pytest.raises(ValueError, match="no fixation"):
        gaze.compute_density_map(fixations, 10, 10, sigma=2)


def test_impossible_geometry_is_refused():
    with pytest.raises(ValueError, match="positive"):
        gaze.compute_sigma(0, 320)
    with pytest.raises(ValueError, match="sigma"):
        gaze.compute_density_map([np.array([[1.0, 1.0]])], 5, 5, sigma=0)
