"""Judging a saliency map: fidelity to the classifier (deletion, insertion) and likeness to human gaze.

Deletion, insertion (Petsiuk et al. 2018, RISE, section 4.1): pixels turn black (return to a blurred image) in
order of decreasing saliency; y_k is the probability of the class once a fraction x_k of them has changed:

    AUC = sum_k (x_k+1 - x_k) (y_k + y_k+1) / 2

Cost: ceil(HW / n_pixels) + 1 forward passes per image; memory does not grow beyond one batch. We depart in
the blur: it reflects the image at its borders; the authors' code pads with zeros, which darkens the edges.

Likeness of a saliency map S to a gaze fixation density map G, over pixels (Bylinskii et al. 2019, "What do
different evaluation metrics tell us about saliency models?"), with s, g the maps min-max scaled to [0, 1]:

    PCC = cov(G, S) / (std G std S)        SIM = sum min(g / sum g, s / sum s)
    MAE = mean |g - s|    MSE = mean (g - s)^2    SSIM of g and s (Wang et al. 2004, window 7 x 7)

None depends on the scale or offset of a map; none is defined if a map is constant: they raise `Undefined`.
This module knows arrays and one callable: `predict`, float32 RGB 0-255 (n, H, W, 3) -> probabilities (n, C).
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

import constants

Predict = Callable[[np.ndarray], np.ndarray]
RISE = constants.FIDELITY_PROTOCOLS["rise"]


class Undefined(ValueError):
    """A metric that has no value for these maps or scores; the message is the reason, for the record."""


# --- fidelity --------------------------------------------------------------------------------------------
def deletion(
    predict: Predict,
    img_array: np.ndarray,
    saliency_map: np.ndarray,
    class_index: int,
    *,
    n_pixels: int | None = RISE["n_pixels"],
    batch_size: int = constants.BATCH_SIZE,
) -> tuple[float, np.ndarray, np.ndarray]:
    """The deletion metric of a map, lower is better: (auc, scores, fractions).

    img_array: RGB 0-255 (H, W, 3). saliency_map: (H, W), signed or not. n_pixels: changed per step; None: W.
    auc is in [0, 1]; scores (n + 1,) and fractions (n + 1,), float64, go from the whole image to a black one.
    Raises ValueError for arguments that do not fit, `Undefined` if the model's scores are not finite.
    """
    img_array, order = _check_image_and_map(img_array, saliency_map)
    black = np.zeros_like(img_array)
    return _run_protocol(predict, img_array, black, order, class_index, n_pixels, batch_size)


def insertion(
    predict: Predict,
    img_array: np.ndarray,
    saliency_map: np.ndarray,
    class_index: int,
    *,
    n_pixels: int | None = RISE["n_pixels"],
    kernel_size: int = RISE["kernel_size"],
    sigma: float = RISE["sigma"],
    batch_size: int = constants.BATCH_SIZE,
) -> tuple[float, np.ndarray, np.ndarray]:
    """The insertion metric of a map, higher is better: (auc, scores, fractions).

    It starts from the blurred image and ends at the image; kernel_size and sigma: see `blur_image`. All else
    as in `deletion`.
    """
    img_array, order = _check_image_and_map(img_array, saliency_map)
    blurred = blur_image(img_array, kernel_size, sigma)
    return _run_protocol(predict, blurred, img_array, order, class_index, n_pixels, batch_size)


def calculate_auc(fractions: np.ndarray, scores: np.ndarray) -> float:
    """The area under scores (n,) against fractions (n,), by the trapezoid rule."""
    fractions, scores = np.asarray(fractions, np.float64), np.asarray(scores, np.float64)
    if fractions.shape != scores.shape or fractions.ndim != 1 or len(fractions) < 2:
        raise ValueError(f"two lists of one length (2 or more) wanted; got {fractions.shape}, {scores.shape}")
    return float(np.sum(np.diff(fractions) * (scores[1:] + scores[:-1]) / 2))


def predict_scores(predict: Predict, batches: Iterable[np.ndarray], class_index: int) -> np.ndarray:
    """The probabilities of one class, float64 (n,), for all images of the batches (float32 (b, H, W, 3))."""
    scores = []
    for batch in batches:
        probabilities = np.asarray(predict(batch), dtype=np.float64)
        if probabilities.ndim != 2 or len(probabilities) != len(batch):
            raise ValueError(f"predict must return ({len(batch)}, C) numbers; got {probabilities.shape}")
        if not 0 <= class_index < probabilities.shape[1]:
            raise ValueError(f"class_index must be in 0-{probabilities.shape[1] - 1}; got {class_index}")
        scores.append(probabilities[:, class_index])
    return np.concatenate(scores)


def rank_pixels(saliency_map: np.ndarray) -> np.ndarray:
    """The flat indices (HW,) of all pixels by decreasing saliency, ties by position."""
    return np.argsort(-np.asarray(saliency_map, np.float64).ravel(), kind="stable")


def set_n_pixels_deletion(
    img_array: np.ndarray, order: np.ndarray, n_pixels: int
) -> tuple[np.ndarray, np.ndarray]:
    """One step, as in the lab: a copy of the image with the next n_pixels black, and the order that remains.

    img_array: (H, W, 3). order: flat indices of the pixels still to change, as `rank_pixels` gives them. The
    metrics build all steps of a batch at once; this is the same thing one step at a time.
    """
    return set_n_pixels_insertion(img_array, np.zeros_like(img_array), order, n_pixels)


def set_n_pixels_insertion(
    img_array: np.ndarray, original: np.ndarray, order: np.ndarray, n_pixels: int
) -> tuple[np.ndarray, np.ndarray]:
    """As `set_n_pixels_deletion`, with the pixels taken from the `original` image (H, W, 3)."""
    image = img_array.copy()
    image.reshape(-1, 3)[order[:n_pixels]] = original.reshape(-1, 3)[order[:n_pixels]]
    return image, order[n_pixels:]


def blur_image(img_array: np.ndarray, kernel_size: int, sigma: float) -> np.ndarray:
    """The image (H, W, 3) under a Gaussian: kernel_size (odd) and sigma in pixels (0: set by kernel_size)."""
    import cv2

    if kernel_size < 1 or kernel_size % 2 == 0 or sigma < 0:
        raise ValueError(f"kernel_size must be odd and sigma 0 or more; got {kernel_size} and {sigma}")
    return cv2.GaussianBlur(img_array, (kernel_size, kernel_size), sigma)


def _check_image_and_map(img_array: np.ndarray, saliency_map: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The image as float32 and the order of its pixels; ValueError if the map does not fit it."""
    img_array, saliency_map = np.ascontiguousarray(img_array, np.float32), np.asarray(saliency_map)
    if img_array.ndim != 3 or img_array.shape[2] != 3:
        raise ValueError(f"img_array must be one RGB image (H, W, 3); got {img_array.shape}")
    if saliency_map.shape != img_array.shape[:2]:
        raise ValueError(f"saliency_map must fit {img_array.shape[:2]}; got {saliency_map.shape}")
    if np.isnan(saliency_map).any():
        raise ValueError("saliency_map must hold numbers; got NaN, which has no place in an order")
    return img_array, rank_pixels(saliency_map)


def _run_protocol(
    predict: Predict,
    start: np.ndarray,
    end: np.ndarray,
    order: np.ndarray,
    class_index: int,
    n_pixels: int | None,
    batch_size: int,
) -> tuple[float, np.ndarray, np.ndarray]:
    """(auc, scores, fractions) of the walk from the start image to the end image."""
    n_pixels = start.shape[1] if n_pixels is None else n_pixels
    if n_pixels < 1 or n_pixels != int(n_pixels) or batch_size < 1:
        raise ValueError(f"n_pixels and batch_size must be whole, 1 or more; got {n_pixels} and {batch_size}")
    n_changed = np.append(np.arange(0, order.size, n_pixels), order.size)
    scores = predict_scores(predict, generate_batches(start, end, order, n_changed, batch_size), class_index)
    if not np.isfinite(scores).all():
        raise Undefined("the classifier's scores are not finite")
    fractions = n_changed / order.size
    return calculate_auc(fractions, scores), scores, fractions


def generate_batches(
    start: np.ndarray, end: np.ndarray, order: np.ndarray, n_changed: np.ndarray, batch_size: int
) -> Iterator[np.ndarray]:
    """Batches (b, H, W, 3) of the start image with its first n_changed[k] pixels taken from the end image.

    b is the same for all, give or take one, and batch_size at most: a lone last image would waste a pass.
    """
    rank = np.empty(order.size, np.int32)
    rank[order] = np.arange(order.size)
    rank = rank.reshape(*start.shape[:2], 1)
    for counts in np.array_split(n_changed, -(-len(n_changed) // batch_size)):
        yield np.where(rank < counts[:, None, None, None], end, start)


# --- likeness to human gaze ------------------------------------------------------------------------------
def calculate_pcc(ground_truth: np.ndarray, saliency_map: np.ndarray) -> float:
    """Pearson's correlation of a density map and a saliency map, both (H, W): in [-1, 1], higher is better.

    Raises ValueError if the shapes differ or a value is not finite, `Undefined` if a map is constant.
    """
    density, saliency = (scaled - scaled.mean() for scaled in _scale_pair(ground_truth, saliency_map))
    correlation = np.vdot(density, saliency) / (np.linalg.norm(density) * np.linalg.norm(saliency))
    return float(np.clip(correlation, -1, 1))


def calculate_sim(ground_truth: np.ndarray, saliency_map: np.ndarray) -> float:
    """The similarity (histogram intersection) of two maps (H, W): in [0, 1], higher is better."""
    density, saliency = _scale_pair(ground_truth, saliency_map)
    return float(np.minimum(density / density.sum(), saliency / saliency.sum()).sum())


def calculate_mae(ground_truth: np.ndarray, saliency_map: np.ndarray) -> float:
    """The mean absolute error between two maps (H, W), each min-max scaled: in [0, 1], lower is better."""
    density, saliency = _scale_pair(ground_truth, saliency_map)
    return float(np.abs(density - saliency).mean())


def calculate_mse(ground_truth: np.ndarray, saliency_map: np.ndarray) -> float:
    """The mean squared error between two maps (H, W), each min-max scaled: in [0, 1], lower is better."""
    density, saliency = _scale_pair(ground_truth, saliency_map)
    return float(np.square(density - saliency).mean())


def calculate_ssim(ground_truth: np.ndarray, saliency_map: np.ndarray) -> float:
    """The structural similarity of two maps (H, W), each min-max scaled: in [-1, 1], higher is better.

    Errors as PCC; `Undefined` too for maps smaller than its window.
    """
    from skimage.metrics import structural_similarity

    density, saliency = _scale_pair(ground_truth, saliency_map)
    if min(density.shape) < 7:
        raise Undefined(f"SSIM has a window of 7 x 7 pixels; the maps are {density.shape}")
    return float(structural_similarity(density, saliency, win_size=7, data_range=1))


def _scale_pair(ground_truth: np.ndarray, saliency_map: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both maps min-max scaled to [0, 1], float64; ValueError or Undefined as `calculate_pcc` says."""
    maps = {"ground_truth": np.asarray(ground_truth), "saliency_map": np.asarray(saliency_map)}
    shapes = [array.shape for array in maps.values()]
    if shapes[0] != shapes[1] or len(shapes[0]) != 2:
        raise ValueError(f"two maps (H, W) of one size were wanted; got {shapes[0]} and {shapes[1]}")
    return tuple(_scale(array.astype(np.float64), name) for name, array in maps.items())


def _scale(array: np.ndarray, name: str) -> np.ndarray:
    low, high = array.min(), array.max()
    if not np.isfinite(high - low):
        raise ValueError(f"{name} must hold finite numbers; got values from {low} to {high}")
    if high - low <= constants.CONSTANT_MAP_TOLERANCE * max(abs(low), abs(high)):
        raise Undefined(f"{name} is constant")
    return (array - low) / (high - low)
