"""What the metrics share: scaling, batches, scores."""

import numpy as np
import pytest

from metrics.common import Undefined, is_constant, measure_scores, scale_map, split_evenly


def test_a_map_is_scaled_by_its_minimum_and_maximum_and_left_alone():
    saliency_map = np.array([[-2, 0], [2, 6]], np.int8)
    before = saliency_map.copy()
    np.testing.assert_array_equal(scale_map(saliency_map), [[0, 0.25], [0.5, 1]])
    np.testing.assert_array_equal(saliency_map, before)
    np.testing.assert_array_equal(scale_map(np.array([[True, False]])), [[1, 0]])
    np.testing.assert_array_equal(scale_map(np.array([[0, 255, 51]], np.uint8)), [[0, 1, 0.2]])


def test_a_map_without_a_scale_is_undefined_and_one_that_is_none_is_refused():
    with pytest.raises(Undefined, match="density is constant"):
        scale_map(np.full((3, 3), 0.1, np.float32), "density")
    for wrong in (np.zeros(4), np.array([[1, np.inf]]), np.array([[1, np.nan]])):
        with pytest.raises(ValueError) as caught:
            scale_map(wrong)
        assert not isinstance(caught.value, Undefined)


def test_a_map_that_varies_by_rounding_alone_is_constant():
    assert is_constant(np.float32([[0.7, np.nextafter(np.float32(0.7), np.float32(1))]]))
    assert not is_constant(np.float32([[0, 1e-20]]))


def test_batches_are_nearly_of_one_length():
    assert [len(batch) for batch in split_evenly(np.arange(33), 32)] == [17, 16]
    assert [len(batch) for batch in split_evenly(np.arange(32), 32)] == [32]
    np.testing.assert_array_equal(np.concatenate(split_evenly(np.arange(7), 3)), np.arange(7))
    for batch_size in (0, -1, 1.5):
        with pytest.raises(ValueError, match="batch_size"):
            split_evenly(np.arange(3), batch_size)


def test_scores_are_those_of_one_class_and_have_to_be_finite():
    def predict(images):
        return np.stack([images.mean(axis=(1, 2, 3)), images.max(axis=(1, 2, 3))], axis=1)

    batches = np.arange(24, dtype=np.float32).reshape(2, 2, 1, 2, 3)
    np.testing.assert_array_equal(measure_scores(predict, batches, 1), [5, 11, 17, 23])
    with pytest.raises(Undefined, match="not finite"):
        measure_scores(lambda images: predict(images) + np.inf, batches, 0)
