"""Deletion and insertion: how the class probability follows the order of a saliency map's pixels.

Pixels leave (return to a blurred image) in order of decreasing saliency; y_k is the probability of the class once
a fraction x_k of them has changed (Petsiuk et al. 2018, RISE, section 4.1):

    AUC = sum_k (x_k+1 - x_k) (y_k + y_k+1) / 2

Two conventions, told apart by `mean_colour`:

    given     the authors' program, protocol `rise`. It works on normalised pixels, so that its 0 is the network's mean
              colour: deleted pixels take it, and it lies beyond the border of the image that is blurred. The kernel is
              scipy's gaussian_filter of one pixel on the kernel's own grid, which folds the tails back.
    None      deleted pixels are black, and OpenCV's Gaussian reflects the image at its border: protocols `black` and
              `lab`.

Cost: ceil(HW / n_pixels) + 1 forward passes per image, 1 less where f(x) is known; memory does not grow beyond one
batch. Equal values go by their position here, in the authors' program from the last to the first.
"""

from collections.abc import Iterator, Sequence

import numpy as np

import constants
from metrics.common import Predict, check_image_and_map, measure_scores, rank_pixels, split_evenly

RISE = constants.FAITHFULNESS_PROTOCOLS["rise"]


def deletion(
    predict: Predict,
    img_array: np.ndarray,
    saliency_map: np.ndarray,
    class_index: int,
    *,
    n_pixels: int | None = RISE["n_pixels"],
    mean_colour: Sequence[float] | None = None,
    whole: float | None = None,
    batch_size: int = constants.BATCH_SIZE,
) -> tuple[float, np.ndarray, np.ndarray]:
    """The deletion metric of a map, lower is better: (auc, scores, fractions).

    img_array: RGB 0-255 (H, W, 3). saliency_map: (H, W), signed or not. n_pixels: changed per step; None: W.
    mean_colour: RGB 0-255 of deleted pixels; None: black. whole: the probability of the whole image, where it is known
    and need not be asked again. auc is in [0, 1]; scores (n + 1,) and fractions (n + 1,),
    float64, go from the whole image to one without any pixel of it.
    Raises ValueError for arguments that do not fit, `Undefined` if the model's scores are not finite.
    """
    img_array, saliency_map = check_image_and_map(img_array, saliency_map)
    order = rank_pixels(saliency_map)
    nothing = np.empty_like(img_array)
    nothing[:] = 0 if mean_colour is None else mean_colour
    return _run_protocol(predict, img_array, nothing, order, class_index, n_pixels, batch_size, (whole, None))


def insertion(
    predict: Predict,
    img_array: np.ndarray,
    saliency_map: np.ndarray,
    class_index: int,
    *,
    n_pixels: int | None = RISE["n_pixels"],
    kernel_size: int = RISE["kernel_size"],
    sigma: float = RISE["sigma"],
    mean_colour: Sequence[float] | None = None,
    whole: float | None = None,
    batch_size: int = constants.BATCH_SIZE,
) -> tuple[float, np.ndarray, np.ndarray]:
    """The insertion metric of a map, higher is better: (auc, scores, fractions).

    It starts from the blurred image and ends at the image; kernel_size, sigma, mean_colour: see `blur_image`. All else
    as in `deletion`.
    """
    img_array, saliency_map = check_image_and_map(img_array, saliency_map)
    order = rank_pixels(saliency_map)
    blurred = blur_image(img_array, kernel_size, sigma, mean_colour)
    return _run_protocol(predict, blurred, img_array, order, class_index, n_pixels, batch_size, (None, whole))


def calculate_auc(fractions: np.ndarray, scores: np.ndarray) -> float:
    """The area under scores (n,) against fractions (n,), by the trapezoid rule."""
    fractions, scores = np.asarray(fractions, np.float64), np.asarray(scores, np.float64)
    if fractions.shape != scores.shape or fractions.ndim != 1 or len(fractions) < 2:
        raise ValueError(f"two lists of one length (2 or more) wanted; got {fractions.shape}, {scores.shape}")
    return float(np.sum(np.diff(fractions) * (scores[1:] + scores[:-1]) / 2))


def set_n_pixels_deletion(
    img_array: np.ndarray, saliency_map: np.ndarray, n_pixels: int
) -> tuple[np.ndarray, np.ndarray]:
    """One step, as in the lab: a copy of the image with the next n_pixels black, and what tells those that remain.

    img_array: (H, W, 3), or (1, H, W, 3). saliency_map: the map (H, W), returned with -inf where pixels are done, so
    that each is taken once, whatever its sign; or flat indices of the pixels still to change, as `rank_pixels` gives
    them, returned without the first n_pixels. The metrics build all steps of a batch at once; this is one step.
    """
    return set_n_pixels_insertion(np.zeros_like(img_array), img_array, saliency_map, n_pixels)


def set_n_pixels_insertion(
    img_array: np.ndarray, blurred: np.ndarray, saliency_map: np.ndarray, n_pixels: int
) -> tuple[np.ndarray, np.ndarray]:
    """As `set_n_pixels_deletion`: a copy of the blurred image with the next n_pixels taken from img_array."""
    image, saliency_map = blurred.copy(), np.asarray(saliency_map)
    if saliency_map.ndim not in (1, 2) or (saliency_map.ndim == 2 and saliency_map.shape != image.shape[-3:-1]):
        raise ValueError(
            f"saliency_map should be a map {image.shape[-3:-1]}, or an order (n,) of pixels, not {saliency_map.shape}"
        )
    order = saliency_map if saliency_map.ndim == 1 else rank_pixels(saliency_map)
    image.reshape(-1, 3)[order[:n_pixels]] = img_array.reshape(-1, 3)[order[:n_pixels]]
    if saliency_map.ndim == 1:
        return image, order[n_pixels:]
    left = saliency_map.astype(np.float64)
    left.flat[order[:n_pixels]] = -np.inf
    return image, left


def blur_image(
    img_array: np.ndarray, kernel_size: int, sigma: float, mean_colour: Sequence[float] | None = None
) -> np.ndarray:
    """The image (H, W, 3), float32, under a Gaussian: kernel_size (odd) and sigma in pixels.

    mean_colour: RGB 0-255 beyond the border, under the RISE authors' kernel; None: the image is reflected there, under
    OpenCV's, for which sigma = 0 is its own choice for the kernel.
    """
    import cv2

    if kernel_size < 1 or kernel_size % 2 == 0 or sigma < 0:
        raise ValueError(f"kernel_size must be odd and sigma 0 or more; got {kernel_size} and {sigma}")
    if mean_colour is None:
        return cv2.GaussianBlur(img_array, (kernel_size, kernel_size), sigma)
    colour = np.asarray(mean_colour, dtype=np.float32)
    kernel = make_kernel(kernel_size, sigma)
    return cv2.filter2D(img_array - colour, -1, kernel, borderType=cv2.BORDER_CONSTANT) + colour


def make_kernel(kernel_size: int, sigma: float) -> np.ndarray:
    """The RISE authors' kernel (kernel_size, kernel_size), summing to 1: one pixel, blurred on this grid."""
    from scipy.ndimage import gaussian_filter

    pixel = np.zeros((kernel_size, kernel_size))
    pixel[kernel_size // 2, kernel_size // 2] = 1
    return gaussian_filter(pixel, sigma)


def _run_protocol(
    predict: Predict,
    start: np.ndarray,
    end: np.ndarray,
    order: np.ndarray,
    class_index: int,
    n_pixels: int | None,
    batch_size: int,
    ends: tuple[float | None, float | None],
) -> tuple[float, np.ndarray, np.ndarray]:
    """(auc, scores, fractions) of the walk from the start image to the end image; ends: their scores, if known."""
    n_pixels = start.shape[1] if n_pixels is None else n_pixels
    if n_pixels < 1 or n_pixels != int(n_pixels):
        raise ValueError(f"n_pixels must be whole, 1 or more; got {n_pixels}")
    n_changed = np.append(np.arange(0, order.size, n_pixels), order.size)
    first, last = ([] if known is None else [known] for known in ends)
    left = n_changed[len(first) : n_changed.size - len(last)]
    scores = measure_scores(predict, generate_batches(start, end, order, left, batch_size), class_index)
    scores = np.concatenate([first, scores, last])
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
