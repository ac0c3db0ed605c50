"""The metrics of density maps, against numbers worked by hand, the benchmark's formula and scikit-image."""

import numpy as np
import pytest

from metrics.common import Undefined
from metrics.density import calculate_kl, calculate_mae, calculate_mse, calculate_pcc, calculate_sim, calculate_ssim

METRICS = (calculate_pcc, calculate_sim, calculate_kl, calculate_mae, calculate_mse, calculate_ssim)
SYMMETRIC = [metric for metric in METRICS if metric is not calculate_kl]
EPS = np.finfo(float).eps
DENSITY = np.array([[0, 1], [2, 3]])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_metrics_of_four_pixels_by_hand():
    saliency = np.array([[0, 2], [1, 3]])  # of DENSITY, with two pixels exchanged
    assert calculate_pcc(DENSITY, saliency) == pytest.approx(4 / 5)
    assert calculate_sim(DENSITY, saliency) == pytest.approx(5 / 6)  # 0 + 1/6 + 1/6 + 3/6
    assert calculate_mae(DENSITY, saliency) == pytest.approx(1 / 6)  # (0 + 1/3 + 1/3 + 0) / 4
    assert calculate_mse(DENSITY, saliency) == pytest.approx(1 / 18)


def test_opposite_maps_by_hand():
    assert calculate_pcc(DENSITY, -DENSITY) == pytest.approx(-1)
    assert calculate_sim(DENSITY, -DENSITY) == pytest.approx(1 / 3)  # 0 + 1/6 + 1/6 + 0
    assert calculate_sim([[1, 0]], [[0, 1]]) == 0


@pytest.mark.parametrize("metric", METRICS)
def test_a_perfect_map_scores_perfectly_at_any_scale(metric, rng):
    density = rng.random((20, 30))
    perfect = 0 if metric in (calculate_kl, calculate_mae, calculate_mse) else 1
    assert metric(density, density) == pytest.approx(perfect, abs=1e-9)
    assert metric(density, 1e4 * density - 50) == pytest.approx(perfect, abs=1e-9)


@pytest.mark.parametrize("metric", SYMMETRIC)
def test_a_metric_is_symmetric_and_leaves_its_maps_alone(metric, rng):
    maps = rng.random((2, 20, 30)).astype(np.float32)
    before = maps.copy()
    assert metric(*maps) == pytest.approx(metric(*maps[::-1]))
    assert isinstance(metric(*maps), float)
    np.testing.assert_array_equal(maps, before)


def test_exchanged_axes_take_the_correlation_below_zero():
    rows, columns = np.mgrid[:40, :40]
    gaze = np.exp(-((rows - 5) ** 2 + (columns - 33) ** 2) / 50)
    assert calculate_pcc(gaze, gaze) == pytest.approx(1)
    assert calculate_pcc(gaze, gaze.T) < 0


def test_correlation_is_numpys(rng):
    maps = rng.normal(size=(2, 30, 40))
    assert calculate_pcc(*maps) == pytest.approx(np.corrcoef(maps.reshape(2, -1))[0, 1])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("value", [0, 0.5, -3])
def test_a_constant_map_has_no_metric_and_the_reason_names_it(metric, value, rng):
    constant, other = np.full((20, 30), value, np.float32), rng.random((20, 30))
    with pytest.raises(Undefined, match="ground_truth is constant"):
        metric(constant, other)
    with pytest.raises(Undefined, match="saliency_map is constant"):
        metric(other, constant)


def test_a_map_that_varies_by_rounding_alone_is_constant():
    almost = np.full((8, 8), 0.1, np.float32)
    almost[0, 0] = np.nextafter(almost[0, 0], np.float32(1))
    with pytest.raises(Undefined):
        calculate_pcc(almost, np.eye(8))


@pytest.mark.parametrize("metric", METRICS)
def test_maps_that_are_no_pair_are_refused(metric, rng):
    with pytest.raises(ValueError, match=r"\(20, 30\) and \(30, 20\)") as caught:
        metric(rng.random((20, 30)), rng.random((30, 20)))
    assert not isinstance(caught.value, Undefined)
    with pytest.raises(ValueError, match="one size"):
        metric(rng.random(20), rng.random(20))
    with pytest.raises(ValueError, match="saliency_map must hold finite"):
        metric(rng.random((20, 30)), np.full((20, 30), np.nan))


def test_ssim_is_undefined_below_its_window(rng):
    with pytest.raises(Undefined, match="7 x 7"):
        calculate_ssim(rng.random((6, 30)), rng.random((6, 30)))


def test_ssim_falls_with_noise(rng):
    rows, columns = np.mgrid[:40, :40]
    gaze = np.exp(-((rows - 20) ** 2 + (columns - 20) ** 2) / 50)
    noisy = [calculate_ssim(gaze, gaze + level * rng.random((40, 40))) for level in (0, 0.05, 0.5)]
    assert noisy[0] > noisy[1] > noisy[2]


def naive_kl(ground_truth, saliency_map):
    """KLdiv.m of the MIT benchmark, pixel by pixel, on maps scaled by their minimum and maximum."""
    q, p = ((m - m.min()) / (m.max() - m.min()) for m in (ground_truth, saliency_map))
    q, p = q / q.sum(), p / p.sum()
    return sum(a * np.log(EPS + a / (b + EPS)) for a, b in zip(q.ravel(), p.ravel()))


def test_kl_by_hand():
    # q = (0, 1/3, 2/3), p = (0, 2/3, 1/3)
    assert calculate_kl([[0, 1, 2]], [[0, 2, 1]]) == pytest.approx(np.log(2) / 3)
    # All that was seen lies where the map is 0: ln(1 / eps).
    assert calculate_kl([[1, 0]], [[0, 1]]) == pytest.approx(52 * np.log(2))


def test_kl_is_the_benchmarks_on_maps_of_any_sign(rng):
    for _ in range(5):
        maps = rng.normal(size=(2, 9, 11))
        assert calculate_kl(*maps) == pytest.approx(naive_kl(*maps))


def test_kl_is_zero_for_the_density_itself_and_not_symmetric(rng):
    density = rng.random((20, 30))
    assert calculate_kl(density, 7 * density - 3) == pytest.approx(0, abs=1e-9)
    other = rng.random((20, 30)) ** 4
    assert calculate_kl(density, other) > 0
    assert calculate_kl(density, other) != pytest.approx(calculate_kl(other, density), rel=1e-3)


def test_kl_of_sums_leaves_the_minimum_where_it_is():
    density, saliency = np.array([[1.0, 3.0]]), np.array([[2.0, 6.0]])
    assert calculate_kl(density, saliency, scaling="sum") == pytest.approx(0, abs=1e-12)
    assert calculate_kl(density, saliency[:, ::-1], scaling="sum") == pytest.approx(np.log(3) / 2)
    with pytest.raises(ValueError, match="negative"):
        calculate_kl(density, -saliency, scaling="sum")
    with pytest.raises(ValueError, match="got 'max'"):
        calculate_kl(density, saliency, scaling="max")


def test_ssim_is_scikit_images(rng):
    from skimage.metrics import structural_similarity

    for noise in (0.01, 0.3, 3):
        density = rng.random((33, 40))
        saliency = density + noise * rng.normal(size=density.shape)
        scaled = [(m - m.min()) / np.ptp(m) for m in (density, saliency)]
        expected = structural_similarity(*scaled, win_size=7, data_range=1)
        assert calculate_ssim(density, saliency) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("metric", [calculate_pcc, calculate_kl, calculate_ssim])
def test_points_of_fixation_are_no_density_map(metric, rng):
    with pytest.raises(ValueError, match="points .* go to the metrics of fixations") as caught:
        metric(rng.random((12, 2)), rng.random((20, 30)))
    assert not isinstance(caught.value, Undefined)


def test_whole_numbers_are_scaled_without_overflow():
    assert calculate_pcc(np.array([[0, 255], [128, 3]], np.uint8), np.array([[0, 255], [128, 3]])) == pytest.approx(1)
