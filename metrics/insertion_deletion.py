"""Deletion and insertion: how the class probability follows the order of a saliency map's pixels.

Pixels turn black (return to a blurred image) in order of decreasing saliency; y_k is the probability of the class once
a fraction x_k of them has changed (Petsiuk et al. 2018, RISE, section 4.1):

    AUC = sum_k (x_k+1 - x_k) (y_k + y_k+1) / 2

Cost: ceil(HW / n_pixels) + 1 forward passes per image; memory does not grow beyond one batch. We depart in the blur:
it reflects the image at its borders; the authors' code pads with zeros, which darkens the edges.
"""

from collections.abc import Iterator

import numpy as np

import constants
from metrics.common import Predict, check_image_and_map, measure_scores, rank_pixels, split_evenly

RISE = constants.FIDELITY_PROTOCOLS["rise"]


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
    img_array, saliency_map = check_image_and_map(img_array, saliency_map)
    order = rank_pixels(saliency_map)
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
    img_array, saliency_map = check_image_and_map(img_array, saliency_map)
    order = rank_pixels(saliency_map)
    blurred = blur_image(img_array, kernel_size, sigma)
    return _run_protocol(predict, blurred, img_array, order, class_index, n_pixels, batch_size)


def calculate_auc(fractions: np.ndarray, scores: np.ndarray) -> float:
    """The area under scores (n,) against fractions (n,), by the trapezoid rule."""
    fractions, scores = np.asarray(fractions, np.float64), np.asarray(scores, np.float64)
    if fractions.shape != scores.shape or fractions.ndim != 1 or len(fractions) < 2:
        raise ValueError(f"two lists of one length (2 or more) wanted; got {fractions.shape}, {scores.shape}")
    return float(np.sum(np.diff(fractions) * (scores[1:] + scores[:-1]) / 2))


def set_n_pixels_deletion(img_array: np.ndarray, order: np.ndarray, n_pixels: int) -> tuple[np.ndarray, np.ndarray]:
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
    if n_pixels < 1 or n_pixels != int(n_pixels):
        raise ValueError(f"n_pixels must be whole, 1 or more; got {n_pixels}")
    n_changed = np.append(np.arange(0, order.size, n_pixels), order.size)
    scores = measure_scores(predict, generate_batches(start, end, order, n_changed, batch_size), class_index)
    fractions = n_changed / order.size
    return calculate_auc(fractions, scores), scores, fractions


def generate_batches(
    start: np.ndarray, end: np.ndarray, order: np.ndarray, n_changed: np.ndarray, batch_size: int
) -> Iterator[np.ndarray]:
    """Batches (b, H, W, 3) of the start image with its first n_changed[k] pixels taken from the end image."""
    rank = np.empty(order.size, np.int32)
    rank[order] = np.arange(order.size)
    rank = rank.reshape(*start.shape[:2], 1)
    for counts in split_evenly(n_changed, batch_size):
        yield np.where(rank < counts[:, None, None, None], end, start)
