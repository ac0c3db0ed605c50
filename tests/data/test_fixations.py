"""Fixations of one image: inside and outside, by observer, repeated, blinks, and their units."""

from dataclasses import replace

import numpy as np
import pytest

from data.fixations import Fixations, gather_fixations


def make(*scan_paths, durations=None):
    """Fixations with these points of each observer."""
    points = [np.asarray(points, dtype=float).reshape(-1, 2) for points in scan_paths]
    observers = np.repeat(np.arange(len(points)), [len(path) for path in points])
    return Fixations(np.concatenate(points), observers, durations, len(points))


def test_inside_keeps_the_first_pixel_and_drops_the_one_behind_the_last():
    fixations = make([[0, 0], [9.9, 4.9], [10, 2], [3, 5]], [[-0.1, 2]], durations=np.arange(5.0))
    inside = fixations.inside(height=5, width=10)
    np.testing.assert_array_equal(inside.points, [[0, 0], [9.9, 4.9]])
    np.testing.assert_array_equal(inside.durations, [0, 1])
    assert (inside.n_outside, inside.n_observers, inside.n_blank) == (3, 2, 1)
    assert inside.inside(3, 3).n_outside == 4  # those dropped before are not forgotten
    assert (fixations.n_outside, len(fixations)) == (0, 5)


def test_by_observer_keeps_those_without_a_fixation():
    of_observers = make([[1, 2]], [], [[3, 4], [5, 6]]).by_observer()
    assert [points.tolist() for points in of_observers] == [[[1, 2]], [], [[3, 4], [5, 6]]]


def test_repeated_is_the_place_of_an_earlier_fixation_of_the_same_observer():
    assert make([[1, 2], [1, 2], [1, 2], [3, 4], [1, 2]], [[1, 2]]).n_repeated == 3
    assert make([[1, 2], [1, 3]], [[1, 3], [2, 3]]).n_repeated == 0


def test_a_duration_is_missing_if_there_is_none_or_it_is_not_above_zero():
    assert make([[1, 2]] * 4, durations=np.array([120, 0, np.nan, -1])).n_without_duration == 3
    assert make([[1, 2]]).n_without_duration is None


def test_rows_are_gathered_by_observer_and_blinks_dropped_and_counted():
    nan = np.nan
    rows = [("b", 1, 2, 100), ("a", nan, nan, 50), ("b", 3, nan, 60), ("a", 5, 6, nan)]
    fixations = gather_fixations(rows, observers=["c"], n_blinks=2)
    np.testing.assert_array_equal(fixations.points, [[1, 2], [5, 6]])
    assert fixations.observers.tolist() == [1, 2]  # c, who has none, b, a
    np.testing.assert_array_equal(fixations.durations, [100, nan])
    assert (fixations.n_observers, fixations.n_blank, fixations.n_blinks) == (3, 1, 4)
    assert gather_fixations([], timed=False).durations is None


def test_places_in_any_unit_become_pixels_of_the_image():
    points = np.array([[0.5, 0.25]])
    assert make(points).in_pixels(40, 60).points.tolist() == [[0.5, 0.25]]
    found = {unit: replace(make(points), unit=unit).in_pixels(40, 60) for unit in ("fraction", "centred")}
    assert found["fraction"].points.tolist() == [[30, 10]] and found["centred"].points.tolist() == [[30.5, 20.25]]
    assert {one.unit for one in found.values()} == {"pixels"}


def test_places_on_a_screen_are_those_in_an_image_of_its_size_alone():
    on_screen = replace(make([[3, 4]]), unit="screen", screen=(40, 60))
    assert on_screen.in_pixels(40, 60).points.tolist() == [[3, 4]]
    with pytest.raises(ValueError, match="screen of 60 x 40, the image has 50 x 40.*--fixations_unit=pixels"):
        on_screen.in_pixels(40, 50)
