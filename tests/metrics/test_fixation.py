"""The metrics of fixations, against numbers worked by hand and naive twins of the benchmark's loops."""

import numpy as np
import pytest

from metrics import fixation
from metrics.common import Undefined
from metrics.fixation import (
    calculate_auc_borji,
    calculate_auc_judd,
    calculate_information_gain,
    calculate_nss,
    calculate_sauc,
    find_fixated,
)

HEIGHT, WIDTH = 12, 17
METRICS = {
    "nss": calculate_nss,
    "auc_judd": calculate_auc_judd,
    "auc_borji": calculate_auc_borji,
    "sauc": lambda fixations, saliency: calculate_sauc(fixations, saliency, [[1, 1], [16, 11], [5, 5], [3, 9]]),
    "information_gain": lambda fixations, saliency: calculate_information_gain(fixations, saliency, centre(saliency)),
}
AREAS = ("auc_judd", "auc_borji", "sauc")


def centre(saliency_map):
    rows, columns = np.indices(np.shape(saliency_map))
    return np.exp(-((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2) / 30)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def saliency_map(rng):
    return rng.normal(size=(HEIGHT, WIDTH))


@pytest.fixture
def fixations(rng):
    return rng.uniform(0, (WIDTH, HEIGHT), (20, 2))


# --- naive twins: the benchmark's Matlab, loop by loop ------------------------------------------------------
def split(fixations, saliency_map):
    scaled = (saliency_map - saliency_map.min()) / np.ptp(saliency_map)
    fixated = np.zeros(saliency_map.shape, bool)
    for x, y in fixations:
        fixated[int(y), int(x)] = True
    return scaled, fixated


def naive_judd(fixations, saliency_map, rng):
    """AUC_Judd.m with its jitter."""
    scaled, fixated = split(fixations, saliency_map + rng.random(saliency_map.shape) / 1e7)
    values = sorted(scaled[fixated], reverse=True)
    tp, fp = [0.0], [0.0]
    for i, threshold in enumerate(values, start=1):
        above = np.sum(scaled >= threshold)
        tp.append(i / len(values))
        fp.append((above - i) / (scaled.size - len(values)))
    return np.trapezoid([*tp, 1], [*fp, 1])


def naive_splits(scaled, fixated, draw, n_splits, step=0.1):
    """AUC_Borji.m and AUC_shuffled.m, which differ in how they draw."""
    values, areas = scaled[fixated], []
    for _ in range(n_splits):
        others = draw()
        tp, fp = [0.0], [0.0]
        for threshold in np.arange(0, max(values.max(), others.max()) + 1e-12, step)[::-1]:
            tp.append(np.mean(values >= threshold))
            fp.append(np.mean(others >= threshold))
        areas.append(np.trapezoid([*tp, 1], [*fp, 1]))
    return np.array(areas)


def test_judd_is_the_benchmarks_where_no_values_are_tied(fixations, saliency_map, rng):
    for _ in range(5):
        fixations, saliency_map = rng.uniform(0, (WIDTH, HEIGHT), (20, 2)), rng.normal(size=(HEIGHT, WIDTH))
        expected = naive_judd(fixations, saliency_map, rng)
        assert calculate_auc_judd(fixations, saliency_map) == pytest.approx(expected, abs=1e-12)


def test_judd_is_the_benchmarks_mean_over_its_jitter_where_values_are_tied(rng):
    saliency_map = rng.integers(0, 4, (HEIGHT, WIDTH)).astype(float)
    fixations = rng.uniform(0, (WIDTH, HEIGHT), (9, 2))
    scores = [naive_judd(fixations, saliency_map, rng) for _ in range(3000)]
    tolerance = 4 * np.std(scores) / np.sqrt(len(scores))
    assert calculate_auc_judd(fixations, saliency_map) == pytest.approx(np.mean(scores), abs=tolerance)


def test_judd_by_ranks_is_the_share_of_pairs_in_order(rng):
    saliency_map = rng.integers(0, 4, (HEIGHT, WIDTH)).astype(float)
    fixations = rng.uniform(0, (WIDTH, HEIGHT), (9, 2))
    scaled, fixated = split(fixations, saliency_map)
    pairs = [(a > b) + (a == b) / 2 for a in scaled[fixated] for b in scaled[~fixated]]
    assert calculate_auc_judd(fixations, saliency_map, variant="ranks") == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize("scale", [5e-324, 1e-300, 1e300])
def test_judd_goes_by_order_however_small_or_large_values_are(fixations, saliency_map, scale):
    levels = np.rint(100 * saliency_map / np.abs(saliency_map).max())
    assert calculate_auc_judd(fixations, levels * scale) == calculate_auc_judd(fixations, levels)


def test_judd_by_hand():
    # Fixated: 5 and 2; the others: 4, 3, 1, 0. Curve (0, 0), (0, 1/2), (2/4, 1), (1, 1).
    saliency_map = np.array([[5, 4, 3], [2, 1, 0]])
    fixations = [[0.5, 0.5], [0.2, 1.9]]
    assert calculate_auc_judd(fixations, saliency_map) == pytest.approx(0.5 * 0.75 + 0.5)
    assert calculate_auc_judd(fixations, saliency_map, variant="ranks") == pytest.approx(6 / 8)


def test_borji_is_the_benchmarks(fixations, saliency_map, rng):
    scaled, fixated = split(fixations, saliency_map)
    areas = naive_splits(scaled, fixated, lambda: rng.choice(scaled.ravel(), fixated.sum()), 2000)
    ours = calculate_auc_borji(fixations, saliency_map, n_splits=20_000)
    assert ours == pytest.approx(areas.mean(), abs=5 * areas.std() / np.sqrt(2000))


def test_shuffled_is_the_benchmarks(fixations, saliency_map, rng):
    elsewhere = rng.uniform(0, (WIDTH, HEIGHT), (60, 2)) ** 2 / (WIDTH, HEIGHT)
    scaled, fixated = split(fixations, saliency_map)
    pool = scaled[split(elsewhere, saliency_map)[1]]
    areas = naive_splits(scaled, fixated, lambda: rng.permutation(pool)[: fixated.sum()], 2000)
    ours = calculate_sauc(fixations, saliency_map, elsewhere, n_splits=20_000)
    assert ours == pytest.approx(areas.mean(), abs=5 * areas.std() / np.sqrt(2000))


def test_shuffled_takes_all_of_few_other_fixations_so_that_nothing_is_left_to_chance(fixations, saliency_map):
    elsewhere = [[2.0, 3.0], [15.0, 8.0], [9.0, 1.0]]
    scaled, fixated = split(fixations, saliency_map)
    pool = scaled[split(elsewhere, saliency_map)[1]]
    expected = naive_splits(scaled, fixated, lambda: pool, 1)[0]
    assert calculate_sauc(fixations, saliency_map, elsewhere, seed=3) == pytest.approx(expected)


def test_shuffled_by_hand():
    # Levels of tenths: fixated 1.0, others 0.5 and 0.0: the curve goes straight up, and stays.
    assert calculate_sauc([[2, 0]], [[0, 0.5, 1]], [[0, 0], [1, 0]]) == pytest.approx(1)
    # Fixated 0.52 and elsewhere 0.55 fall between the same two thresholds: half.
    assert calculate_sauc([[1, 0]], [[0, 0.52, 0.55, 1]], [[2, 0]]) == pytest.approx(0.5)


def test_a_value_counts_from_its_threshold_on_and_one_is_the_last():
    values = np.array([0, 0.05, 0.1, 0.19, 0.55, 0.999, 1])
    np.testing.assert_array_equal(fixation._count_levels(values, 0.1), [2, 2, 0, 0, 0, 1, 0, 0, 0, 1, 1])
    np.testing.assert_array_equal(fixation._count_levels(values, 0.3), [4, 1, 0, 2])
    np.testing.assert_array_equal(fixation._count_levels(values, 1), [6, 1])


def test_nss_by_hand_has_the_deviation_of_matlab():
    saliency_map = np.array([[1.0, 2], [3, 6]])  # mean 3, sum of squares 14, deviation sqrt(14 / 3)
    assert calculate_nss([[1, 1], [0, 1]], saliency_map) == pytest.approx(1.5 / np.sqrt(14 / 3))


def test_information_gain_by_hand():
    saliency_map, baseline = np.array([[0.0, 1, 3]]), np.array([[0.0, 2, 2]])
    # p = (0, 1/4, 3/4), b = (0, 1/2, 1/2)
    assert calculate_information_gain([[2, 0]], saliency_map, baseline) == pytest.approx(np.log2(3 / 2))
    both = calculate_information_gain([[1, 0], [2, 0]], saliency_map, baseline)
    assert both == pytest.approx((np.log2(3 / 2) - 1) / 2)
    assert calculate_information_gain([[0, 0], [2, 0]], baseline, baseline) == 0
    missed = calculate_information_gain([[0, 0]], saliency_map, np.array([[1.0, 1, 0]]))
    assert missed == pytest.approx(-51)  # log2(2^-52) - log2(1/2)


# --- what all have in common -------------------------------------------------------------------------------
@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_is_larger_where_people_looked_and_does_not_depend_on_scale_or_offset(metric, fixations):
    scaled, fixated = split(fixations, np.arange(HEIGHT * WIDTH, dtype=float).reshape(HEIGHT, WIDTH))
    right, wrong = (METRICS[metric](fixations, sign * fixated + 0.01 * scaled) for sign in (1, -1))
    assert right > wrong
    assert METRICS[metric](fixations, 1e4 * (fixated + 0.01 * scaled) - 5e3) == pytest.approx(right)
    assert isinstance(right, float)
    if metric in AREAS:  # only Judd's other points are never fixated themselves
        assert 0 <= wrong < 0.5 < right <= 1
    if metric == "auc_judd":
        assert wrong < 0.1 < 0.9 < right


def test_noise_scores_by_chance(rng):
    fixations, elsewhere = rng.uniform(0, 200, (2, 2000, 2))
    noise = rng.normal(size=(200, 200))
    assert calculate_nss(fixations, noise) == pytest.approx(0, abs=0.1)
    for area in (calculate_auc_judd, calculate_auc_borji):
        assert area(fixations, noise) == pytest.approx(0.5, abs=0.03)
    assert calculate_sauc(fixations, noise, elsewhere) == pytest.approx(0.5, abs=0.03)


def test_shuffled_gives_nothing_for_knowing_the_centre(rng):
    fixations, elsewhere = rng.normal((100, 60), (30, 18), (2, 800, 2))
    prior = centre(np.zeros((120, 200))) ** (30 / 900)
    assert calculate_auc_judd(fixations, prior) > 0.7
    assert calculate_sauc(fixations, prior, elsewhere) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("metric", METRICS)
def test_a_fixation_is_x_then_y_a_pixel_counts_once_and_one_outside_not_at_all(metric, saliency_map, fixations):
    score = METRICS[metric](fixations, saliency_map)
    strays = [[-0.1, 3], [3, -0.1], [WIDTH, 3], [3, HEIGHT], [13, 16]]
    again = np.concatenate([strays, fixations, np.floor(fixations), fixations[:7]])
    assert METRICS[metric](again, saliency_map) == score
    if metric in ("nss", "auc_judd"):
        transposed = METRICS[metric](np.asarray(fixations)[:, ::-1], saliency_map.T)
        assert transposed == pytest.approx(score)


def test_the_pixel_of_a_fixation_is_the_one_that_holds_it():
    np.testing.assert_array_equal(find_fixated([[2.999, 0.0], [0.5, 1.9]], (2, 4)), [2, 4])


@pytest.mark.parametrize("metric", METRICS)
def test_a_density_map_is_refused(metric, saliency_map):
    with pytest.raises(ValueError, match=r"points \(M, 2\).*density map goes") as caught:
        METRICS[metric](np.abs(saliency_map), saliency_map)
    assert not isinstance(caught.value, Undefined)


@pytest.mark.parametrize("metric", METRICS)
def test_what_has_no_value_is_undefined_with_its_reason(metric, saliency_map, fixations):
    with pytest.raises(Undefined, match="saliency_map is constant"):
        METRICS[metric](fixations, np.full((HEIGHT, WIDTH), 0.3, np.float32))
    for nothing in (np.empty((0, 2)), [[99, 99]]):
        with pytest.raises(Undefined, match="lies inside"):
            METRICS[metric](nothing, saliency_map)


def test_further_reasons_for_no_value(saliency_map, fixations):
    with pytest.raises(Undefined, match="every pixel is fixated"):
        calculate_auc_judd([[0, 0], [1, 0]], [[1, 2]])
    with pytest.raises(Undefined, match="other_fixations: none of 1"):
        calculate_sauc(fixations, saliency_map, [[99, 99]])
    with pytest.raises(Undefined, match="baseline_map is constant"):
        calculate_information_gain(fixations, saliency_map, np.ones((HEIGHT, WIDTH)))


def test_arguments_that_do_not_fit_are_named(saliency_map, fixations):
    with pytest.raises(ValueError, match=r"baseline_map must fit \(12, 17\); got \(17, 12\)"):
        calculate_information_gain(fixations, saliency_map, saliency_map.T)
    with pytest.raises(ValueError, match="step in"):
        calculate_auc_borji(fixations, saliency_map, step=0)
    with pytest.raises(ValueError, match="n_splits should be 1"):
        calculate_sauc(fixations, saliency_map, fixations, n_splits=0)
    with pytest.raises(ValueError, match="got 'other'"):
        calculate_auc_judd(fixations, saliency_map, variant="other")
    with pytest.raises(ValueError, match="finite coordinates"):
        calculate_nss([[np.nan, 1]], saliency_map)
    with pytest.raises(ValueError, match="must hold finite"):
        calculate_nss(fixations, np.full((HEIGHT, WIDTH), np.nan))


def test_the_same_seed_draws_the_same(saliency_map, fixations):
    first, again, other = (calculate_auc_borji(fixations, saliency_map, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
