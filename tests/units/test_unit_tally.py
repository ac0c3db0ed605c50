"""The tally of a layer against loops over its pixels, against OpenCV, and against numbers worked by hand."""

import cv2
import numpy as np
import pytest

from network.geometry import Places
from network.tokens import find_layout, stretched
from units.unit_tally import UnitTally, count_bits, mark

SIZE = (12, 20)


def upsample(feature_map, height, width):
    return cv2.resize(feature_map, (width, height), interpolation=cv2.INTER_LINEAR)


def masks_of(*concepts, seed=0):
    rng = np.random.default_rng(seed)
    return {concept: rng.random(SIZE) < 0.3 for concept in concepts}


def features_of(n, n_units=37, seed=1):
    """Features (n, 3, 5, K): more units than are upsampled together."""
    return np.maximum(np.random.default_rng(seed).normal(size=(n, 3, 5, n_units)), 0).astype(np.float32)


@pytest.mark.parametrize("n, size", [(7, 112), (1, 9), (3, 20), (14, 14), (9, 4)])
def test_the_weights_stretch_as_opencv_does(n, size):
    values = np.random.default_rng(n).normal(size=(n, 1)).astype(np.float32)
    wanted = cv2.resize(values, (1, size), interpolation=cv2.INTER_LINEAR)
    weights, _ = stretched(n, 1, 1).weigh(size, 1)
    np.testing.assert_allclose(weights @ values, wanted, atol=1e-5)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)


def test_two_values_over_four_pixels_are_marked_where_their_mixture_exceeds_the_threshold():
    maps = np.array([[[0.0, 1.0]], [[1.0, 0.0]]], dtype=np.float32)  # upsampled: 0, 0.25, 0.75, 1 and back
    marked = mark(maps, np.array([0.5, 0.2], dtype=np.float32), 1, 4)
    np.testing.assert_array_equal(marked, [[[0, 0, 1, 1]], [[1, 1, 1, 0]]])


def test_a_map_of_the_lower_half_marks_nothing_above_it():
    lower = find_layout(
        (2, 2, 1), Places(np.array([0.625, 0.875])[:, None, None], np.array([0.25, 0.75])[None, :, None])
    )
    marked = mark(np.ones((1, 2, 2), np.float32), np.array([-1.0]), 8, 4, lower)  # a threshold that zeros exceed, too
    np.testing.assert_array_equal(marked[0], [[False] * 4] * 4 + [[True] * 4] * 4)
    tally = UnitTally(np.array([0.5]), 1, (8, 4), 1, lower)
    tally.add(0, np.ones((2, 2, 1), np.float32), {0: np.ones((8, 4), bool)})
    assert tally.iou().tolist() == [[0.5]]


def test_the_iou_is_that_of_a_loop_over_pixels():
    features, n_concepts = features_of(6), 4
    thresholds = np.quantile(features, 0.8, axis=(0, 1, 2)).astype(np.float32)
    annotations = [
        (masks_of(0, 2), []),
        (masks_of(1, seed=5), [2]),
        ({}, []),
        (masks_of(3, 0, seed=6), [1, 2]),
        ({}, [0]),
        (masks_of(2, 1, 0, seed=7), []),
    ]  # masks, and concepts whose mask cannot be read
    tally = UnitTally(thresholds, n_concepts, SIZE, n_top=2)
    for number, (image, annotation) in enumerate(zip(features, annotations)):
        tally.add(number, image, *annotation)
    wanted = np.zeros((37, n_concepts))
    for unit in range(37):
        for concept in range(n_concepts):
            both, either = 0, 0
            for image, (masks, unread) in zip(features, annotations):
                if not masks or concept in unread:
                    continue
                marked = upsample(image[..., unit], *SIZE) > thresholds[unit]
                inside = masks.get(concept, np.zeros(SIZE, bool))
                both += np.sum(marked & inside)
                either += np.sum(marked | inside)
            wanted[unit, concept] = both / either
    np.testing.assert_allclose(tally.iou(), wanted, rtol=1e-12)
    assert tally.n_pixels.tolist() == [n * 12 * 20 for n in (4, 3, 2, 4)]


def test_a_unit_is_charged_for_what_it_marks_where_the_concept_is_not():
    half = np.zeros((2, 4), bool)
    half[:, :2] = True
    everywhere = np.ones((1, 1, 1), np.float32)
    tally = UnitTally(np.array([0.5]), 2, (2, 4), n_top=1)
    tally.add(0, everywhere, {0: half})
    assert tally.iou().tolist() == [[0.5, 0]]
    tally.add(1, everywhere, {1: half})  # annotated, and concept 0 is not in it: 4 / 16
    assert tally.iou().tolist() == [[0.25, 0.25]]
    tally.add(2, everywhere, {})
    assert tally.iou().tolist() == [[0.25, 0.25]]


def test_a_unit_that_never_exceeds_its_threshold_has_an_iou_of_0():
    tally = UnitTally(np.array([6.0]), 1, (8, 8), n_top=1)
    tally.add(0, np.full((3, 3, 1), 6, np.float32), {0: np.ones((8, 8), bool)})  # saturated, as ReLU6 is
    assert tally.iou().tolist() == [[0]] and tally.marked.tolist() == [0]


def test_whole_images_meet_at_one_pixel():
    tally = UnitTally(np.array([0.5]), 2, (1, 1), n_top=3)
    for number, (mean, concept) in enumerate([(0.9, 0), (0.8, 0), (0.7, 1), (0.1, 0), (0.2, 1)]):
        tally.add(number, np.full((1, 1, 1), mean, np.float32), {concept: np.ones((1, 1), bool)})
    np.testing.assert_allclose(tally.iou(), [[2 / 4, 1 / 4]])


def test_the_top_images_are_those_of_the_largest_activations_in_order():
    features = features_of(9)
    tally = UnitTally(np.full(37, 0.5), 1, SIZE, n_top=4)
    for number, image in enumerate(features):
        tally.add(number, image, None)
    order = np.argsort(-features.max(axis=(1, 2)), axis=0, kind="stable")[:4].T
    np.testing.assert_array_equal(tally.top_images, order)


def test_fewer_images_than_places_leave_places_empty():
    tally = UnitTally(np.zeros(1), 1, SIZE, n_top=3)
    tally.add(7, features_of(1, 1)[0], None)
    assert tally.top_images.tolist() == [[7, -1, -1]]


def test_bits_are_counted_with_those_that_fill_the_last_byte_left_out():
    mask = np.random.default_rng(0).random((5, 3, 7)) < 0.5
    np.testing.assert_array_equal(count_bits(np.packbits(mask.reshape(5, -1), axis=1)), mask.sum(axis=(1, 2)))
