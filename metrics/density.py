"""Likeness of a saliency map S to a gaze fixation density map G: PCC, SIM, KL, MAE, MSE, SSIM.

With s, g the maps min-max scaled to [0, 1], and p = s / sum s, q = g / sum g as probabilities over the pixels:

    PCC = cov(G, S) / (std G std S)     SIM = sum min(q, p)     KL = sum q ln(e + q / (e + p)), e = 2^-52
    MAE = mean |g - s|     MSE = mean (g - s)^2     SSIM of g and s (Wang et al. 2004, window 7 x 7)

Bylinskii et al. 2019, "What do different evaluation metrics tell us about saliency models?", and the code of the MIT
saliency benchmark (CC.m, similarity.m, KLdiv.m). We depart in KL, whose code divides a map by its sum as it is: a
signed map has no such probability. Scaled, it has, and none of the six depends on the scale or offset of a map; the
benchmark's own, for maps without negative values, is `scaling="sum"`. A density map is the ground truth of all six:
points of fixation are refused, they go to `fixation`. No metric is defined if a map is constant: `Undefined`.
"""

import math
from functools import cached_property
from typing import NamedTuple

import numpy as np

from metrics.common import EPSILON, ScaledMap, Undefined, sum_pieces

SSIM_WINDOW = 7  # pixels
KL_SCALINGS = ("min-max", "sum")


class _Sums(NamedTuple):
    """Sums over the pixels of two maps: of the products of their deviations, of |g - s| and (g - s)^2, of min(q, p), of
    KL's terms."""

    gs: float
    gg: float
    ss: float
    absolute: float
    squared: float
    overlap: float
    divergence: float


class DensityMetrics:
    """The six metrics of a density map and a saliency map, both (H, W); what they share is computed once.

    Every metric raises ValueError if the shapes differ or a value is not finite, `Undefined` if a map is constant.
    """

    def __init__(self, ground_truth: np.ndarray, saliency_map: np.ndarray):
        self._maps = ground_truth, saliency_map

    @cached_property
    def _scaled(self) -> tuple[ScaledMap, ScaledMap]:
        """Both maps min-max scaled to [0, 1]."""
        shapes = tuple(np.shape(one) for one in self._maps)
        if shapes[0] != shapes[1] or len(shapes[0]) != 2:
            points = "; points (M, 2) go to the metrics of fixations" if shapes[0][1:] == (2,) else ""
            raise ValueError(f"two maps (H, W) of one size were wanted; got {shapes[0]} and {shapes[1]}{points}")
        return ScaledMap(self._maps[0], "ground_truth"), ScaledMap(self._maps[1], "saliency_map")

    @cached_property
    def _sums(self) -> _Sums:
        """What one pass over the pixels gives the five metrics without a window."""
        totals = [scaled.total for scaled in self._scaled]
        n = self._scaled[0].size

        def add(*pair: np.ndarray) -> np.ndarray:
            density, saliency = (rows - total / n for rows, total in zip(pair, totals))
            products = (density * saliency).sum(), np.square(density).sum(), np.square(saliency).sum()
            error = pair[0] - pair[1]
            errors = np.abs(error).sum(), np.square(error, out=error).sum()
            q, p = (rows / total for rows, total in zip(pair, totals))
            return np.array([*products, *errors, np.minimum(q, p).sum(), _diverge(q, p)])

        return _Sums(*sum_pieces(add, *self._scaled))

    def pcc(self) -> float:
        """Pearson's correlation: in [-1, 1], higher is better."""
        sums = self._sums
        return float(np.clip(sums.gs / (np.sqrt(sums.gg) * np.sqrt(sums.ss)), -1, 1))

    def sim(self) -> float:
        """The similarity (histogram intersection): in [0, 1], higher is better."""
        return float(self._sums.overlap)

    def kl(self, *, scaling: str = "min-max") -> float:
        """The Kullback-Leibler divergence of the density map from the saliency map, in nats: lower is better.

        From 0 to about 36 (a map that is 0 wherever people looked); not symmetric. scaling: 'min-max', or 'sum' as the
        MIT benchmark has it; with 'sum' also ValueError for a negative value.
        """
        if scaling not in KL_SCALINGS:
            raise ValueError(f"scaling must be one of {', '.join(KL_SCALINGS)}; got '{scaling}'")
        if scaling == "min-max":
            return float(self._sums.divergence)
        self._scaled  # noqa: B018 what is wrong with the maps is told first
        density, saliency = (np.asarray(array, np.float64) for array in self._maps)
        if min(density.min(), saliency.min()) < 0:
            raise ValueError("a map with negative values is no probability: KL takes it by 'min-max' only")
        return float(_diverge(density / density.sum(), saliency / saliency.sum()))

    def mae(self) -> float:
        """The mean absolute error: in [0, 1], lower is better."""
        return float(self._sums.absolute / self._scaled[0].size)

    def mse(self) -> float:
        """The mean squared error: in [0, 1], lower is better."""
        return float(self._sums.squared / self._scaled[0].size)

    def ssim(self) -> float:
        """The structural similarity: in [-1, 1], higher is better; `Undefined` too for maps smaller than the window.

        As `skimage.metrics.structural_similarity`: a flat window of 7 x 7 pixels that stays inside the maps, sample
        covariances, K1 = 0.01, K2 = 0.03.
        """
        shape = self._scaled[0].shape
        if min(shape) < SSIM_WINDOW:
            raise Undefined(f"SSIM has a window of {SSIM_WINDOW} x {SSIM_WINDOW} pixels; the maps are {shape}")
        total = sum_pieces(_compare_windows, *self._scaled, overlap=SSIM_WINDOW - 1)
        return float(total / math.prod(side - SSIM_WINDOW + 1 for side in shape))


def _diverge(q: np.ndarray, p: np.ndarray) -> float:
    """The divergence of probabilities q from p, or what some pixels (h, W) add to it."""
    ratios = np.divide(q, p + EPSILON)
    ratios += EPSILON
    return (q * np.log(ratios, out=ratios)).sum()


def _compare_windows(density: np.ndarray, saliency: np.ndarray) -> float:
    """The sum of the structural similarities of two scaled maps (h, W) in all windows inside them."""
    import cv2

    # Single precision halves the time and moves the mean by less than 1e-7.
    density, saliency = density.astype(np.float32), saliency.astype(np.float32)
    half, n = SSIM_WINDOW // 2, SSIM_WINDOW**2
    squares = density**2
    squares += saliency**2
    x, y, covariances, variances = (
        cv2.blur(moment, (SSIM_WINDOW, SSIM_WINDOW))[half:-half, half:-half]
        for moment in (density, saliency, density * saliency, squares)
    )
    products = x * y
    squared_means = np.square(x, out=x)
    squared_means += np.square(y, out=y)
    covariances -= products  # but for n / (n - 1)
    variances -= squared_means  # the sum of both, likewise
    c1, c2, sample = 0.01**2, 0.03**2, n / (n - 1)
    # (2 xy + c1) (2 cov + c2) / ((x^2 + y^2 + c1) (var + c2)), each term divided by its factor: 4 of them are left
    for term, c in ((products, c1 / 2), (covariances, c2 / 2 / sample), (squared_means, c1), (variances, c2 / sample)):
        term += c
    products *= covariances
    squared_means *= variances
    return 4 * np.divide(products, squared_means, out=products).sum(dtype=np.float64)


def calculate_pcc(ground_truth: np.ndarray, saliency_map: np.ndarray) -> float:
    """`DensityMetrics.pcc` of two maps (H, W)."""
    return DensityMetrics(ground_truth, saliency_map).pcc()


def calculate_sim(ground_truth: np.ndarray, saliency_map: np.ndarray) -> float:
    """`DensityMetrics.sim` of two maps (H, W)."""
    return DensityMetrics(ground_truth, saliency_map).sim()


def calculate_kl(ground_truth: np.ndarray, saliency_map: np.ndarray, *, scaling: str = "min-max") -> float:
    """`DensityMetrics.kl` of two maps (H, W)."""
    return DensityMetrics(ground_truth, saliency_map).kl(scaling=scaling)


def calculate_mae(ground_truth: np.ndarray, saliency_map: np.ndarray) -> float:
    """`DensityMetrics.mae` of two maps (H, W)."""
    return DensityMetrics(ground_truth, saliency_map).mae()


def calculate_mse(ground_truth: np.ndarray, saliency_map: np.ndarray) -> float:
    """`DensityMetrics.mse` of two maps (H, W)."""
    return DensityMetrics(ground_truth, saliency_map).mse()


def calculate_ssim(ground_truth: np.ndarray, saliency_map: np.ndarray) -> float:
    """`DensityMetrics.ssim` of two maps (H, W)."""
    return DensityMetrics(ground_truth, saliency_map).ssim()
