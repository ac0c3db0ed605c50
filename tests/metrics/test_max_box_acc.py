"""MaxBoxAcc: boxes counted by hand, a naive twin over every threshold, and the best threshold over several images."""

import cv2
import numpy as np
import pytest

import constants
from metrics.max_box_acc import box_ious, max_box_acc, region_boxes


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
    assert len(boxes) == constants.BOX_THRESHOLDS
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
