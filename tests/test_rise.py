"""RISE: its masks against cv2, its sum against a naive loop, its memory, and maps that are known beforehand."""

import tracemalloc

import cv2
import numpy as np
import pytest
from planted import GREEN, RED, SIDE, assert_close, square

from rise import RISE, RunningVariance, interpolation_matrix


def masks_of(classifier, **options):
    image = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    return np.concatenate(list(RISE(classifier, None, image, RED, **options).generate_masks()))


def mean_brightness_of_a_cell(rows=slice(24, 36), columns=slice(60, 72)):
    """A `predict` whose class 1 is the mean brightness of a few pixels, 0-1."""

    def predict(images):
        score = images[:, rows, columns].mean(axis=(1, 2, 3)) / 255
        return np.stack([1 - score, score, np.zeros_like(score)], axis=1).astype(np.float32)

    return predict


# --- masks -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_a_mask_keeps_the_wanted_share(planted_classifier, threshold):
    masks = masks_of(planted_classifier, n_masks=2000, mask_size=8, threshold=threshold)
    assert masks.shape == (2000, SIDE, SIDE)
    assert masks.dtype == np.float32
    assert masks.min() >= 0
    assert masks.max() <= 1 + 1e-6
    assert masks.mean() == pytest.approx(threshold, abs=0.01)
    np.testing.assert_allclose(masks.mean(axis=0), threshold, atol=0.06)  # wherever one looks, the border included


def test_at_threshold_1_everything_is_kept(planted_classifier):
    np.testing.assert_allclose(masks_of(planted_classifier, n_masks=3, threshold=1.0), 1, atol=1e-6)


@pytest.mark.parametrize("mask_size", [1, 4, 7, 8])  # 7 does not divide the side
def test_masks_are_the_enlarged_shifted_and_cropped_grids(planted_classifier, mask_size):
    cell = -(-SIDE // mask_size)
    generator = np.random.default_rng(5)
    grids = (generator.random((20, mask_size, mask_size)) < 0.5).astype(np.float32)
    tops, lefts = generator.integers(0, cell, 20), generator.integers(0, cell, 20)
    masks = masks_of(planted_classifier, n_masks=20, mask_size=mask_size, seed=5)
    side = (mask_size + 1) * cell
    for mask, grid, top, left in zip(masks, grids, tops, lefts):
        enlarged = cv2.resize(grid, (side, side), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_allclose(mask, enlarged[top : top + SIDE, left : left + SIDE], atol=2e-4)


@pytest.mark.parametrize("mask_size", [1, 2, 4, 7, 8])
def test_with_the_border_reflect_masks_are_those_of_the_authors_program(planted_classifier, mask_size):
    from skimage.transform import resize

    cell = -(-SIDE // mask_size)
    generator = np.random.default_rng(5)
    grids = (generator.random((20, mask_size, mask_size)) < 0.5).astype(np.float64)
    tops, lefts = generator.integers(0, cell, 20), generator.integers(0, cell, 20)
    masks = masks_of(planted_classifier, n_masks=20, mask_size=mask_size, seed=5, border="reflect")
    side = (mask_size + 1) * cell
    for mask, grid, top, left in zip(masks, grids, tops, lefts):
        enlarged = resize(grid, (side, side), order=1, mode="reflect", anti_aliasing=False)
        np.testing.assert_allclose(mask, enlarged[top : top + SIDE, left : left + SIDE], atol=1e-5)


def test_the_two_borders_differ_along_the_border_of_the_image_alone(planted_classifier):
    pairs = [masks_of(planted_classifier, n_masks=300, border=border) for border in ("clamp", "reflect")]
    difference = np.abs(pairs[0] - pairs[1]).max(axis=0)
    assert 0.3 < difference[:, 12:-12].max() < 0.5  # a cell is 12 pixels; corners differ along both sides
    assert difference[12:-12, 12:-12].max() < 1e-6


def test_every_shift_below_a_cell_occurs_and_no_other(planted_classifier):
    generator = np.random.default_rng(0)
    generator.random((4000, 8, 8))
    tops = generator.integers(0, 12, 4000)
    assert set(tops) == set(range(12))


def test_interpolation_weights_of_a_pixel_sum_to_1():
    weights = interpolation_matrix(8, 12)
    assert weights.shape == (108, 8)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert (weights[0] == np.eye(8)[0]).all()


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_masks_do_not_depend_on_the_batch_size(planted_classifier, batch_size):
    expected = masks_of(planted_classifier, n_masks=50, batch_size=50)
    np.testing.assert_allclose(masks_of(planted_classifier, n_masks=50, batch_size=batch_size), expected, atol=1e-6)


# --- the sum ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("variant", ["paper", "lab"])
def test_the_map_is_that_of_the_naive_loop(planted_classifier, image, variant):
    options = {"n_masks": 60, "threshold": 0.4, "variant": variant, "batch_size": 16}
    explainer = RISE(planted_classifier, None, image, GREEN, **options)
    naive, scores = np.zeros((SIDE, SIDE)), 0
    for mask in np.concatenate(list(explainer.generate_masks())):
        score = planted_classifier.predict((image * mask[..., None])[None])[0, GREEN]
        naive += score * mask
        scores += score
    naive /= scores if variant == "lab" else 60 * 0.4
    assert_close(explainer.compute_saliency_map(), naive)


def test_each_step_alone(planted_classifier, image):
    explainer = RISE(planted_classifier, None, image, RED, n_masks=40, threshold=0.5, batch_size=16)
    steps = list(explainer.obtain_prediction_scores(explainer.images[0], RED))
    assert [(masks.shape, scores.shape) for masks, scores in steps][-1] == ((8, SIDE, SIDE), (8,))
    assert len(steps) == 3
    masks, scores = np.array([[[1, 0.5]], [[0, 1]]], dtype=np.float32), np.array([2, 3], dtype=np.float32)
    np.testing.assert_array_equal(explainer.weight_saliency_maps(masks, scores), [[2, 4]])
    np.testing.assert_allclose(explainer.calculate_saliency_map(np.array([[2.0, 4]]), 5.0), [[0.1, 0.2]])
    lab = RISE(planted_classifier, None, image, RED, n_masks=40, variant="lab")
    np.testing.assert_allclose(lab.calculate_saliency_map(np.array([[2.0, 4]]), 5.0), [[0.4, 0.8]])


def test_scores_of_zero_give_the_zero_map(planted_classifier, calls, image):
    calls(planted_classifier, lambda images: np.zeros((len(images), 3), dtype=np.float32))
    for variant in ("paper", "lab"):
        saliency_map = RISE(planted_classifier, None, image, RED, n_masks=8, variant=variant).compute_saliency_map()
        np.testing.assert_array_equal(saliency_map, 0)


# --- maps known beforehand -------------------------------------------------------------------------------
def test_for_a_classifier_of_one_cell_the_map_peaks_there(planted_classifier, calls):
    calls(planted_classifier, mean_brightness_of_a_cell())
    white = np.full((SIDE, SIDE, 3), 255, dtype=np.uint8)
    saliency_map = RISE(planted_classifier, None, white, 1, n_masks=3000).compute_saliency_map()
    row, column = np.unravel_index(saliency_map.argmax(), saliency_map.shape)
    assert 22 <= row < 38
    assert 58 <= column < 74


def test_far_from_what_the_classifier_sees_the_map_is_its_mean_score(planted_classifier, calls):
    # E[f(M)] E[M] / p = E[f(M)] where f and M(l) are independent; E[f(M)] = p for the brightness of a white cell
    calls(planted_classifier, mean_brightness_of_a_cell())
    white = np.full((SIDE, SIDE, 3), 255, dtype=np.uint8)
    options = {"n_masks": 3000, "threshold": 0.4}
    saliency_map = RISE(planted_classifier, None, white, 1, **options).compute_saliency_map()
    assert saliency_map[60:, :40].mean() == pytest.approx(0.4, abs=0.02)
    # at the cell itself E[M^2] / p: between p, if all masks were smooth there, and 1, if they were 0 or 1
    assert 0.5 < saliency_map[24:36, 60:72].mean() < 1


def test_a_constant_score_gives_the_mean_mask(planted_classifier, calls, image):
    calls(planted_classifier, lambda images: np.full((len(images), 3), 0.25, dtype=np.float32))
    explainer = RISE(planted_classifier, None, image, RED, n_masks=100)
    mean_mask = np.concatenate(list(explainer.generate_masks())).mean(axis=0)
    assert_close(explainer.compute_saliency_map(), 0.25 * mean_mask / 0.5)


def test_a_masked_image_is_black_where_nothing_is_kept(planted_classifier, image, calls):
    seen = []

    def predict(images):
        seen.append(images)
        return np.ones((len(images), 3), dtype=np.float32)

    calls(planted_classifier, predict)
    explainer = RISE(planted_classifier, None, image, RED, n_masks=10)
    explainer.compute_saliency_map()
    masks = np.concatenate(list(explainer.generate_masks()))
    np.testing.assert_allclose(np.concatenate(seen), image * masks[..., None], atol=1e-3)


# --- cost ------------------------------------------------------------------------------------------------
def test_memory_does_not_grow_with_the_number_of_masks(planted_classifier, image, calls):
    calls(planted_classifier, lambda images: np.ones((len(images), 3), dtype=np.float32))
    peaks = []
    for n_masks in (64, 1024):
        explainer = RISE(planted_classifier, None, image, RED, n_masks=n_masks, mask_size=4, batch_size=32)
        tracemalloc.start()
        explainer.compute_saliency_map()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    grids = 1024 * 4 * 4 * 9  # as they are drawn: float64 and bool
    assert peaks[1] < 1.05 * peaks[0] + grids


def test_every_mask_is_scored_once_for_each_image(planted_classifier, images, calls):
    sizes = calls(planted_classifier, lambda images: np.ones((len(images), 3), dtype=np.float32))
    progress = []
    RISE(
        planted_classifier,
        None,
        images,
        RED,
        n_masks=70,
        batch_size=32,
        progress=lambda *counts: progress.append(counts),
    ).compute_saliency_map()
    assert sizes == [32, 32, 6] * 3
    assert progress == [(32, 70), (64, 70), (70, 70)] * 3


@pytest.mark.parametrize(
    "options",
    [
        {"n_masks": 0},
        {"mask_size": 0},
        {"variant": "x"},
        {"threshold": 0},
        {"threshold": 1.1},
        {"threshold": float("nan")},
    ],
    ids=str,
)
def test_options_out_of_range_are_refused(planted_classifier, image, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}.* should .*, not|lie in"):
        RISE(planted_classifier, None, image, RED, **options)


def test_the_red_square_stands_out_of_the_map(planted_classifier, image):
    saliency_map = RISE(planted_classifier, None, image, RED, n_masks=400, mask_size=4).compute_saliency_map()
    assert saliency_map[square(RED)].mean() > 1.2 * saliency_map[~square(RED)].mean()


# --- fewer masks ------------------------------------------------------------------------------------------
def test_antithetic_masks_come_in_pairs_of_which_one_keeps_what_the_other_hides(planted_classifier, image):
    explainer = RISE(planted_classifier, None, image, RED, n_masks=6, mask_size=4, draw="antithetic")
    masks = np.asarray(explainer.generate_masks())
    np.testing.assert_allclose(masks[::2] + masks[1::2], 1, atol=1e-6)
    assert np.ptp(masks[::2], axis=0).max() == 1
    odd = RISE(planted_classifier, None, image, RED, n_masks=5, mask_size=4, draw="antithetic", batch_size=2)
    np.testing.assert_array_equal(np.asarray(odd.generate_masks())[:4], masks[:4])
    assert len(np.asarray(odd.generate_masks())) == 5


def test_antithetic_masks_keep_the_share_that_the_threshold_says(planted_classifier, image):
    options = {"n_masks": 2000, "mask_size": 4, "threshold": 0.2, "draw": "antithetic"}
    masks = np.asarray(RISE(planted_classifier, None, image, RED, **options).generate_masks())
    assert masks.mean() == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("size", [1, 2])
def test_the_standard_error_is_that_of_the_sum_of_units_worked_out_at_once(size):
    generator = np.random.default_rng(0)
    masks, scores = generator.random((40, 3, 5)), generator.random(40)
    variance = RunningVariance(size)
    for part in np.split(np.arange(40), [1, 8, 9, 30]):
        variance.add(masks[part], scores[part])
    units = (masks * scores[:, None, None]).reshape(-1, size, 3, 5).sum(axis=1)
    expected = np.sqrt((len(units) * units.var(axis=0, ddof=1)).mean())
    assert variance.standard_error() == pytest.approx(expected)


def test_masks_stop_once_the_standard_error_has_come_down_whatever_the_batch_size(planted_classifier, image):
    def explain(**options):
        explainer = RISE(planted_classifier, None, image, RED, n_masks=2000, mask_size=4, **options)
        return explainer.compute_saliency_map(), explainer

    found, explainer = explain(tolerance=0.03)
    [remark] = explainer.describe_maps(found[None])
    assert remark["standard_error"] <= 0.03
    assert 64 < remark["masks"] < 1000
    assert remark["masks"] % 64 == 0
    for batch_size in (1, 7, 96, 1000):
        same, other = explain(tolerance=0.03, batch_size=batch_size)
        np.testing.assert_allclose(same, found, atol=1e-5)
        assert other.describe_maps(same[None])[0]["masks"] == remark["masks"]
    same, whole = explain(tolerance=1e-9)
    np.testing.assert_allclose(same, explain()[0], atol=1e-6)
    assert whole.describe_maps(same[None])[0]["masks"] == 2000
    assert explain()[1].describe_maps(same[None]) == [{}]


def test_the_standard_error_is_what_maps_of_other_seeds_differ_by(planted_classifier, image):
    explainers = [
        RISE(planted_classifier, None, image, RED, n_masks=64, mask_size=4, tolerance=1e-9, seed=seed)
        for seed in range(12)
    ]
    maps = [explainer.compute_saliency_map() for explainer in explainers]
    found = np.sqrt(np.var(maps, axis=0, ddof=1).mean())
    said = np.mean([explainer.describe_maps(maps[0][None])[0]["standard_error"] for explainer in explainers])
    assert 0.6 < said / found < 1.6


@pytest.mark.parametrize("options", [{"draw": "x"}, {"tolerance": 0}, {"tolerance": float("nan")}], ids=str)
def test_draws_and_tolerances_that_are_none_are_refused(planted_classifier, image, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} should be"):
        RISE(planted_classifier, None, image, RED, **options)
