"""What the metrics share: scaling, batches, scores."""

import tracemalloc

import numpy as np
import pytest

import evaluate
import utils
from metrics import common
from metrics.baselines import centre_gaussian
from metrics.common import Undefined, measure_scores, scale_map, split_evenly


def test_a_map_is_scaled_by_its_minimum_and_maximum_and_left_alone():
    saliency_map = np.array([[-2, 0], [2, 6]], np.int8)
    before = saliency_map.copy()
    np.testing.assert_array_equal(scale_map(saliency_map), [[0, 0.25], [0.5, 1]])
    np.testing.assert_array_equal(saliency_map, before)
    np.testing.assert_array_equal(scale_map(np.array([[True, False]])), [[1, 0]])
    np.testing.assert_array_equal(scale_map(np.array([[0, 255, 51]], np.uint8)), [[0, 1, 0.2]])


@pytest.mark.parametrize(
    "saliency_map", [np.zeros((0, 9)), np.eye(3) * 1j, np.array([[1, None]]), np.array([["a", "b"]]), np.ones(4)]
)
def test_what_is_no_map_of_numbers_is_refused(saliency_map):
    with pytest.raises(ValueError, match=r"saliency_map must be a map \(H, W\) of numbers; got \("):
        scale_map(saliency_map)


def test_a_map_without_a_scale_is_undefined_and_one_that_is_none_is_refused():
    with pytest.raises(Undefined, match="density is constant"):
        scale_map(np.full((3, 3), 0.1, np.float32), "density")
    for wrong in (np.zeros(4), np.array([[1, np.inf]]), np.array([[1, np.nan]])):
        with pytest.raises(ValueError) as caught:
            scale_map(wrong)
        assert not isinstance(caught.value, Undefined)


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


# --- large maps ---------------------------------------------------------------------------------------------
POINTS = np.random.default_rng(1).uniform(0, (61, 47), (30, 2))


def judge(density_map, saliency_map):
    """Every gaze metric of a saliency map, by its name."""
    density = evaluate.DensityMetrics(density_map, saliency_map)
    gaze = evaluate.FixationMetrics(POINTS, saliency_map)
    found = {name: getattr(density, name)() for name in ("pcc", "sim", "kl", "mae", "mse", "ssim")}
    found |= {name: getattr(gaze, name)() for name in ("nss", "auc_judd", "auc_borji")}
    prior = centre_gaussian(*saliency_map.shape)
    return found | {"sauc": gaze.sauc(POINTS[::-1] * 0.7), "information_gain": gaze.information_gain(prior)}


@pytest.mark.parametrize("piece", [1, 100, 500])
def test_a_large_map_is_judged_in_pieces_with_the_same_numbers(monkeypatch, piece):
    rng = np.random.default_rng(0)
    density_map = utils.resize_map(rng.random((5, 6)), 47, 61)
    saliency_map = utils.resize_map(np.maximum(rng.normal(size=(7, 7)), 0), 47, 61)
    whole = judge(density_map, saliency_map)
    monkeypatch.setattr(common, "WHOLE", 1000)
    monkeypatch.setattr(common, "PIECE", piece)
    in_pieces = judge(density_map, saliency_map)
    assert in_pieces.pop("ssim") == pytest.approx(whole.pop("ssim"), abs=1e-6)
    assert in_pieces == pytest.approx(whole, rel=1e-12)


def test_a_large_map_is_judged_without_another_of_its_size(monkeypatch):
    monkeypatch.setattr(common, "PIECE", 2**15)  # what two threads hold at a time is a small part of this map, too
    monkeypatch.setattr(common, "THREADS", 2)
    density_map, saliency_map = (centre_gaussian(3000, 2000, sigma) for sigma in (0.2, 0.3))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    judged = evaluate.DensityMetrics(density_map, saliency_map), evaluate.FixationMetrics(POINTS, saliency_map)
    for name in ("pcc", "sim", "kl", "mae", "mse", "ssim"):
        getattr(judged[0], name)()
    judged[1].nss(), judged[1].auc_judd(), judged[1].auc_borji(), judged[1].information_gain(density_map)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert peak < saliency_map.nbytes / 2
