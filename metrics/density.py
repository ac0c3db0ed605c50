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

import numpy as np

from metrics.common import Undefined, scale_map

EPSILON = float(np.finfo(np.float64).eps)  # Matlab's eps
SSIM_WINDOW = 7  # pixels
KL_SCALINGS = ("min-max", "sum")


def calculate_pcc(ground_truth: np.ndarray, saliency_map: np.ndarray) -> float:
    """Pearson's correlation of a density map and a saliency map, both (H, W): in [-1, 1], higher is better.

    Raises ValueError if the shapes differ or a value is not finite, `Undefined` if a map is constant.
    """
    density, saliency = _scale_pair(ground_truth, saliency_map)
    density -= density.mean()
    saliency -= saliency.mean()
    correlation = np.vdot(density, saliency) / (np.linalg.norm(density) * np.linalg.norm(saliency))
    return float(np.clip(correlation, -1, 1))


def calculate_sim(ground_truth: np.ndarray, saliency_map: np.ndarray) -> float:
    """The similarity (histogram intersection) of two maps (H, W): in [0, 1], higher is better."""
    density, saliency = _scale_pair(ground_truth, saliency_map)
    density /= density.sum()
    saliency /= saliency.sum()
    return float(np.minimum(density, saliency, out=density).sum())


def calculate_kl(ground_truth: np.ndarray, saliency_map: np.ndarray, *, scaling: str = "min-max") -> float:
    """The Kullback-Leibler divergence of the density map from the saliency map, both (H, W), in nats: lower is better.

    From 0 to about 36 (a map that is 0 wherever people looked); not symmetric. scaling: 'min-max', or 'sum' as the
    MIT benchmark has it. Errors as PCC; with 'sum' also ValueError for a negative value.
    """
    if scaling not in KL_SCALINGS:
        raise ValueError(f"scaling must be one of {', '.join(KL_SCALINGS)}; got '{scaling}'")
    density, saliency = _scale_pair(ground_truth, saliency_map)
    if scaling == "sum":
        density, saliency = (np.asarray(array, np.float64) for array in (ground_truth, saliency_map))
        if min(density.min(), saliency.min()) < 0:
            raise ValueError("a map with negative values is no probability: KL takes it with scaling='min-max' only")
    q, p = density / density.sum(), saliency / saliency.sum()
    p += EPSILON
    ratios = np.divide(q, p, out=p)
    ratios += EPSILON
    return float(np.vdot(q, np.log(ratios, out=ratios)))


def calculate_mae(ground_truth: np.ndarray, saliency_map: np.ndarray) -> float:
    """The mean absolute error between two maps (H, W), each min-max scaled: in [0, 1], lower is better."""
    density, saliency = _scale_pair(ground_truth, saliency_map)
    density -= saliency
    return float(np.abs(density, out=density).mean())


def calculate_mse(ground_truth: np.ndarray, saliency_map: np.ndarray) -> float:
    """The mean squared error between two maps (H, W), each min-max scaled: in [0, 1], lower is better."""
    density, saliency = _scale_pair(ground_truth, saliency_map)
    density -= saliency
    return float(np.square(density, out=density).mean())


def calculate_ssim(ground_truth: np.ndarray, saliency_map: np.ndarray) -> float:
    """The structural similarity of two maps (H, W), each min-max scaled: in [-1, 1], higher is better.

    As `skimage.metrics.structural_similarity`: a flat window of 7 x 7 pixels that stays inside the maps, sample
    covariances, K1 = 0.01, K2 = 0.03. Errors as PCC; `Undefined` too for maps smaller than the window.
    """
    import cv2

    density, saliency = _scale_pair(ground_truth, saliency_map)
    if min(density.shape) < SSIM_WINDOW:
        raise Undefined(f"SSIM has a window of {SSIM_WINDOW} x {SSIM_WINDOW} pixels; the maps are {density.shape}")
    # Single precision halves the time and moves the mean by less than 1e-7.
    density, saliency = density.astype(np.float32), saliency.astype(np.float32)
    half, n = SSIM_WINDOW // 2, SSIM_WINDOW**2
    x, y, xy, squares = (
        cv2.blur(moment, (SSIM_WINDOW, SSIM_WINDOW))[half:-half, half:-half]
        for moment in (density, saliency, density * saliency, density**2 + saliency**2)
    )
    product, sum_of_squares = x * y, x**2 + y**2
    covariance, variances = n / (n - 1) * (xy - product), n / (n - 1) * (squares - sum_of_squares)
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * product + c1) * (2 * covariance + c2) / ((sum_of_squares + c1) * (variances + c2))
    return float(similarity.mean(dtype=np.float64))


def _scale_pair(ground_truth: np.ndarray, saliency_map: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both maps min-max scaled to [0, 1], new float64 arrays: the metrics reuse them, for memory costs more than sums.

    ValueError or Undefined as `calculate_pcc` says.
    """
    shapes = np.shape(ground_truth), np.shape(saliency_map)
    if shapes[0] != shapes[1] or len(shapes[0]) != 2:
        points = "; points (M, 2) go to the metrics of fixations" if shapes[0][1:] == (2,) else ""
        raise ValueError(f"two maps (H, W) of one size were wanted; got {shapes[0]} and {shapes[1]}{points}")
    return scale_map(ground_truth, "ground_truth"), scale_map(saliency_map, "saliency_map")
