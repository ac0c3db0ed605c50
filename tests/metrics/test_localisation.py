"""Maps against boxes: tiny maps counted by hand, ties, how wide a map spreads, and MaxBoxAcc against a naive twin."""

import cv2
import numpy as np
import pytest

from data.boxes import Box, box_mask
from metrics import localisation
from metrics.common import Undefined
from metrics.localisation import BOX_THRESHOLDS, box_ious, max_box_acc, measure_area, measure_entropy, region_boxes


def point(row, column, shape=(40, 60)):
    """A map with one maximum."""
    saliency_map = np.zeros(shape)
    saliency_map[row, column] = 1
    return saliency_map


def mask_of(*boxes, shape=(40, 60)):
    return box_mask([Box(*box) for box in boxes], *shape)


# --- pointing game -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("row, column, hit", [(5, 30, 1), (5, 10, 1), (0, 0, 0), (39, 59, 0), (9, 49, 1)])
def test_a_maximum_in_the_box_hits_without_tolerance(row, column, hit):
    assert localisation.pointing_game(point(row, column), mask_of((10, 5, 50, 10)), tolerance=0) == hit


@pytest.mark.parametrize("column, hit", [(10, 1), (23, 1), (24, 0), (25, 0)])
def test_fourteen_pixels_beside_the_box_still_hit_and_fifteen_do_not(column, hit):
    assert localisation.pointing_game(point(20, column), mask_of((0, 0, 10, 40))) == hit


def test_the_tolerance_is_a_circle_about_the_corner():
    mask = mask_of((0, 0, 1, 1))
    assert localisation.pointing_game(point(9, 11), mask) == 1  # 14.2 away
    assert localisation.pointing_game(point(9, 12), mask) == 0  # 9, 12, 15, though 12 along either axis


def test_a_hit_in_any_box_counts():
    mask = mask_of((0, 0, 5, 5), (55, 35, 60, 40))
    assert localisation.pointing_game(point(38, 57), mask) == localisation.pointing_game(point(1, 1), mask) == 1
    assert localisation.pointing_game(point(20, 30), mask) == 0


def test_a_shared_maximum_scores_the_share_that_hits():
    saliency_map = np.zeros((1, 8))
    saliency_map[0, 2:6] = 3
    saliency_map[0, 4] = np.nextafter(np.float32(3), np.float32(4))  # as resizing splits an even superpixel
    mask = mask_of((0, 0, 3, 1), shape=(1, 8))
    assert localisation.pointing_game(saliency_map, mask, tolerance=0) == 1 / 4
    assert localisation.pointing_game(saliency_map, mask, tolerance=1) == 1 / 4
    assert localisation.pointing_game(saliency_map, mask, tolerance=1.5) == 2 / 4


def test_the_maximum_of_a_signed_map_is_no_minimum():
    saliency_map = point(1, 1) - 5 * point(30, 50)
    assert localisation.pointing_game(saliency_map, mask_of((0, 0, 3, 3)), tolerance=0) == 1


def test_pointing_is_that_of_a_naive_search():
    rng = np.random.default_rng(0)
    for _ in range(20):
        saliency_map, mask = rng.random((20, 30)), rng.random((20, 30)) < 0.003
        if mask.any():
            row, column = np.unravel_index(saliency_map.argmax(), saliency_map.shape)
            nearest = min(np.hypot(row - y, column - x) for y, x in np.argwhere(mask))
            assert localisation.pointing_game(saliency_map, mask, tolerance=6) == (nearest < 6)


# --- energy ------------------------------------------------------------------------------------------------
def test_energy_in_the_box_counted_by_hand():
    saliency_map = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 0.0]])
    mask = mask_of((1, 0, 3, 1), shape=(2, 3))
    assert localisation.energy_pointing_game(saliency_map, mask) == 3 / 10


def test_the_energy_of_a_signed_map_is_what_speaks_for_the_class():
    saliency_map = np.array([[-8.0, 1.0, 3.0]])
    assert localisation.energy_pointing_game(saliency_map, mask_of((0, 0, 2, 1), shape=(1, 3))) == 1 / 4


def test_where_a_map_starts_changes_no_energy():
    saliency_map, mask = np.random.default_rng(1).random((40, 60)), mask_of((3, 4, 20, 30))
    saliency_map[0, 0] = 0
    expected = localisation.energy_pointing_game(saliency_map, mask)
    assert localisation.energy_pointing_game(saliency_map + 0.4, mask) == pytest.approx(expected)
    assert localisation.energy_pointing_game(9 * saliency_map, mask) == pytest.approx(expected)


def test_a_map_all_against_the_class_has_no_energy():
    with pytest.raises(Undefined, match="no value of the map is positive"):
        localisation.energy_pointing_game(np.array([[-1.0, -2.0]]), mask_of((0, 0, 1, 1), shape=(1, 2)))


# --- IoU with the boxes, and all together --------------------------------------------------------------------
def test_the_iou_with_the_box_counted_by_hand():
    saliency_map = np.array([[9.0, 8.0, 0.0, 0.0], [7.0, 6.0, 0.0, 0.0]])  # keeps its left half
    assert localisation.box_iou(saliency_map, mask_of((1, 0, 3, 2), shape=(2, 4)), 0.5) == 2 / 6
    assert localisation.box_iou(saliency_map, mask_of((0, 0, 2, 2), shape=(2, 4)), 0.5) == 1


def test_the_box_itself_is_the_best_map_and_exchanged_axes_are_the_worst():
    mask = mask_of((2, 10, 8, 14), shape=(16, 16))
    share = mask.mean()
    assert localisation.score_map(mask.astype(float), mask, share) == {
        "iou": 1,
        "pointing_game": 1,
        "energy_pointing_game": 1,
    }
    turned = localisation.score_map(mask.T.astype(float), mask, share)
    assert turned["iou"] == turned["energy_pointing_game"] == 0
    assert localisation.pointing_game(mask.T.astype(float), mask, tolerance=2) == 0


def test_a_constant_map_has_no_scores():
    scores = localisation.score_map(np.full((40, 60), 0.5), mask_of((0, 0, 5, 5)), 0.2)
    assert set(scores) == set(localisation.BOX_SCORES) and np.isnan(list(scores.values())).all()


def test_a_map_of_another_size_or_with_nan_is_refused():
    with pytest.raises(ValueError, match=r"size \(40, 60\) was wanted; got \(60, 40\)"):
        localisation.score_map(point(1, 1).T, mask_of((0, 0, 5, 5)), 0.2)
    with pytest.raises(ValueError, match="finite"):
        localisation.score_map(point(1, 1) + np.inf, mask_of((0, 0, 5, 5)), 0.2)


# --- how wide a map spreads --------------------------------------------------------------------------------
def test_a_single_pixel_is_narrow_and_has_no_entropy():
    saliency_map = np.zeros((4, 5))
    saliency_map[1, 2] = 3
    assert measure_area(saliency_map) == 1 / 20 and measure_entropy(saliency_map) == 0


def test_an_even_share_of_the_pixels_has_its_logarithm():
    saliency_map = np.zeros((4, 4))
    saliency_map[:2] = 7
    assert measure_area(saliency_map) == 0.5
    assert measure_entropy(saliency_map) == pytest.approx(np.log(8) / np.log(16))


def test_half_the_maximum_counts():
    assert measure_area(np.array([[0, 1.9, 2.0, 4.0]])) == 0.5


def test_scale_and_offset_do_not_matter_and_what_speaks_against_is_passed_over():
    saliency_map = np.random.default_rng(0).random((6, 7))
    for measure in (measure_area, measure_entropy):
        assert measure(10 + 5 * saliency_map) == pytest.approx(measure(saliency_map - saliency_map.min()))
    signed = np.array([[-5.0, 0, 1, 2]])
    assert measure_area(signed) == 0.5 and measure_entropy(signed) == pytest.approx(0.6365 / np.log(4), rel=1e-3)


@pytest.mark.parametrize("saliency_map", [np.zeros((3, 3)), np.full((3, 3), 2.0), -np.ones((3, 3))])
def test_a_map_without_energy_has_neither(saliency_map):
    for measure in (measure_area, measure_entropy):
        with pytest.raises(Undefined):
            measure(saliency_map)


# --- MaxBoxAcc ---------------------------------------------------------------------------------------------
def blocks(*parts, shape=(40, 60)):
    """A map of zeros with rectangles (x0, y0, x1, y1, value)."""
    saliency_map = np.zeros(shape, np.float32)
    for x0, y0, x1, y1, value in parts:
        saliency_map[y0:y1, x0:x1] = value
    return saliency_map


def test_a_box_lies_around_the_largest_part_above_the_threshold():
    boxes = region_boxes(blocks((10, 5, 30, 15, 0.5), (40, 20, 45, 25, 1.0)), 10)
    np.testing.assert_array_equal(boxes[:5], [[10, 5, 30, 15]] * 5)  # 0 ... 0.4: the wide one, though it is weaker
    np.testing.assert_array_equal(boxes[5:], [[40, 20, 45, 25]] * 5)


def test_a_constant_map_has_an_empty_box():
    np.testing.assert_array_equal(region_boxes(np.ones((4, 5)), 3), np.zeros((3, 4)))


def test_parts_that_meet_at_a_corner_are_one():
    np.testing.assert_array_equal(region_boxes(blocks((0, 0, 5, 5, 1), (5, 5, 8, 8, 1)), 2)[1], [0, 0, 8, 8])


def test_the_scale_and_offset_of_a_map_do_not_matter():
    saliency_map = np.random.default_rng(0).random((20, 30)).astype(np.float32)
    np.testing.assert_array_equal(region_boxes(saliency_map, 50), region_boxes(4 * saliency_map - 7, 50))


def test_it_is_its_naive_twin_at_all_thresholds():
    saliency_map = cv2.GaussianBlur(np.random.default_rng(1).random((30, 40)).astype(np.float32), (9, 9), 0)
    scaled = (saliency_map - saliency_map.min()) / (saliency_map.max() - saliency_map.min())
    boxes = region_boxes(saliency_map)
    assert len(boxes) == BOX_THRESHOLDS
    for place in range(0, len(boxes), 7):
        kept = np.floor(255 * scaled) > np.floor(255 * place / len(boxes))
        n_parts, labels = cv2.connectedComponents(kept.astype(np.uint8), connectivity=8)
        sizes = [np.count_nonzero(labels == part) for part in range(1, n_parts)]
        ys, xs = np.nonzero(labels == 1 + int(np.argmax(sizes)))
        np.testing.assert_array_equal(boxes[place], [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])


def test_the_iou_of_boxes_is_that_of_their_pixels():
    rng = np.random.default_rng(2)
    corners = np.sort(rng.integers(0, 20, (6, 2, 2)), axis=1).reshape(6, 4) + [0, 0, 1, 1]
    for box in corners:
        for other in corners:
            masks = np.zeros((2, 25, 25), bool)
            for mask, (x0, y0, x1, y1) in zip(masks, (box, other)):
                mask[y0:y1, x0:x1] = True
            wanted = (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()
            assert box_ious([box], [other])[0] == pytest.approx(wanted)


def test_of_several_boxes_the_one_that_fits_best_counts():
    assert box_ious([[0, 0, 10, 10]], [[50, 50, 60, 60], [0, 0, 10, 20]])[0] == 0.5


def test_boxes_apart_share_nothing_though_both_distances_are_negative():
    assert box_ious([[0, 0, 2, 2]], [[5, 5, 9, 9]])[0] == 0


def test_one_threshold_serves_all_images():
    ious = np.array([[0.9, 0.5, 0.1, 0.0], [0.0, 0.5, 0.9, 0.0], [0.0, 0.2, 0.9, 0.6]])
    assert max_box_acc(ious) == (pytest.approx(2 / 3), 0.25)  # both of 0.25 and 0.5 reach it: the lower is told
    assert max_box_acc(ious, least=0.6) == (pytest.approx(2 / 3), 0.5)


def test_a_map_that_fills_its_box_is_right_and_one_with_exchanged_axes_is_not():
    saliency_map = blocks((35, 5, 55, 15, 1.0))
    for truth, value in (([35, 5, 55, 15], 1), ([5, 35, 15, 55], 0)):
        assert max_box_acc(box_ious(region_boxes(saliency_map), [truth])[None])[0] == value
