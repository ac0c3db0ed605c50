"""Superpixels: their numbers, their seed, and what hiding makes of an image, by hand."""

import numpy as np
import pytest
from planted import GREEN, RED, picture, square

from explainers import superpixels

IMAGE = np.array([[[10, 20, 30], [30, 40, 50]], [[0, 0, 90], [100, 0, 0]]], dtype=np.float32)
SEGMENTS = np.array([[0, 0], [1, 0]])


@pytest.fixture(scope="module")
def segments():
    return superpixels.segment(picture(RED, GREEN), seed=0)


# --- segmentation ----------------------------------------------------------------------------------------
def test_numbers_start_at_0_and_leave_no_gap(segments):
    assert segments.shape == (96, 96)
    np.testing.assert_array_equal(np.unique(segments), np.arange(segments.max() + 1))
    assert segments.max() > 2


def test_gaps_that_quickshift_leaves_are_closed(monkeypatch):
    import lime.wrappers.scikit_image as wrappers

    monkeypatch.setattr(wrappers.SegmentationAlgorithm, "__call__", lambda self, image: np.array([[7, 2], [2, 40]]))
    np.testing.assert_array_equal(superpixels.segment(IMAGE, seed=0), [[1, 0], [0, 2]])


def test_the_red_square_is_cut_out():
    segments = superpixels.segment(picture(RED), seed=0)
    inside, outside = (set(np.unique(segments[mask])) for mask in (square(RED), ~square(RED)))
    assert not inside & outside


def test_the_seed_repeats_them_and_another_gives_others(segments):
    image = picture(RED, GREEN)
    np.testing.assert_array_equal(superpixels.segment(image, seed=0), segments)
    # on an even image chance alone decides
    even = np.full((48, 48, 3), 90, dtype=np.uint8)
    first, again, second = (superpixels.segment(even, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second) or first.max() == 0


def test_bytes_and_floats_are_cut_alike(segments):
    np.testing.assert_array_equal(superpixels.segment(picture(RED, GREEN).astype(np.float32), seed=0), segments)


def test_a_record_says_how_many_there_are():
    assert superpixels.describe(SEGMENTS) == {"superpixels": 2}
    assert superpixels.describe(np.zeros((4, 4), dtype=int)) == {"superpixels": 1}


# --- hiding ----------------------------------------------------------------------------------------------
def test_hidden_in_their_mean_colour_by_hand():
    # the first has (10, 20, 30), (30, 40, 50) and (100, 0, 0), the second one pixel
    mean = [140 / 3, 20, 80 / 3]
    hidden = superpixels.hide_all(IMAGE, SEGMENTS, None)
    np.testing.assert_allclose(hidden, [[mean, mean], [[0, 0, 90], mean]], rtol=1e-6)


@pytest.mark.parametrize(("hide_color", "expected"), [(0, [0, 0, 0]), (127, [127] * 3), ((1, 2, 3), [1, 2, 3])])
def test_hidden_in_a_colour(hide_color, expected):
    hidden = superpixels.hide_all(IMAGE, SEGMENTS, hide_color)
    assert hidden.dtype == np.float32
    np.testing.assert_array_equal(hidden, np.broadcast_to(expected, (2, 2, 3)))


def test_some_are_shown_and_the_others_hidden():
    hidden = superpixels.hide_all(IMAGE, SEGMENTS, 5)
    images = superpixels.show_some(np.array([[1, 0], [0, 1], [1, 1], [0, 0]]), IMAGE, hidden, SEGMENTS)
    first_alone = IMAGE.copy()
    first_alone[1, 0] = 5
    second_alone = hidden.copy()
    second_alone[1, 0] = [0, 0, 90]
    np.testing.assert_array_equal(images, [first_alone, second_alone, IMAGE, hidden])
