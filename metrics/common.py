"""What the metrics share: `Undefined`, the scaling of a map, the scores of a classifier.

A map has to be brought to [0, 1] before it can be compared or made a probability: (S - min S) / (max S - min S), so
that no metric depends on its scale or offset and a signed map is taken as it is ranked. A constant map has none.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np

import utils

EPSILON = float(np.finfo(np.float64).eps)  # Matlab's eps, of the benchmark's logarithms
WHOLE = 2_000_000  # pixels of a map that is worked on as a whole
PIECE = 2**17  # pixels of a larger one that a thread works on at a time; of fewer, threads would wait for one another
THREADS = min(4, os.cpu_count() or 1)  # of a large map: more wait for memory

Predict = Callable[[np.ndarray], np.ndarray]  # float32 RGB 0-255 (n, H, W, 3) -> probabilities (n, C)


class Undefined(ValueError):
    """A metric that has no value for these maps or scores; the message is the reason, for the record."""


# --- maps ------------------------------------------------------------------------------------------------
def scale_map(saliency_map: np.ndarray, name: str = "saliency_map") -> np.ndarray:
    """The map (H, W) min-max scaled to [0, 1], float64.

    Raises ValueError for another shape or a value that is not finite, `Undefined` if the map is constant.
    """
    return ScaledMap(saliency_map, name)[:]


class ScaledMap:
    """A map (H, W) min-max scaled to [0, 1], float64, of which a large one is never there as a whole.

    `scaled[rows]` are rows of it (h, W); `raw` is the map as it is, from `low` to `high`. Up to `WHOLE` pixels it is
    scaled once; of a larger one the rows are, whenever they are asked for. Raises what `scale_map` does.
    """

    def __init__(self, saliency_map: np.ndarray, name: str = "saliency_map"):
        self.raw = np.asarray(saliency_map)
        if self.raw.ndim != 2 or not self.raw.size or self.raw.dtype.kind not in "biuf":
            raise ValueError(f"{name} must be a map (H, W) of numbers; got {self.raw.shape} of {self.raw.dtype}")
        self.low, self.high = float(self.raw.min()), float(self.raw.max())
        if not np.isfinite(self.high - self.low):
            raise ValueError(f"{name} must hold finite numbers; got values from {self.low} to {self.high}")
        if utils.is_constant(np.array([self.low, self.high])):
            raise Undefined(f"{name} is constant")
        self.shape, self.size = self.raw.shape, self.raw.size

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self._whole[rows] if self.size <= WHOLE else self._scale(self.raw[rows])

    def at(self, indices: np.ndarray) -> np.ndarray:
        """The values (n,) at flat indices (n,)."""
        return self._scale(self.raw[np.unravel_index(indices, self.shape)])

    @cached_property
    def total(self) -> float:
        """The sum of all values."""
        return sum_pieces(np.sum, self)

    @cached_property
    def _whole(self) -> np.ndarray:
        return self._scale(self.raw)

    def _scale(self, values: np.ndarray) -> np.ndarray:
        scaled = values.astype(np.float64)
        scaled -= self.low
        scaled /= self.high - self.low
        return scaled


def sum_pieces(function: Callable, *maps: np.ndarray | ScaledMap, overlap: int = 0):
    """The sum of function(*rows) over pieces of whole rows (h, W) of maps (H, W) of one size, each piece beginning with
    the last `overlap` rows of the one before.

    A small map is one piece; those of a large one are shared by some threads, and added in their order.
    """
    height, width = maps[0].shape
    step = height if height * width <= WHOLE else max(1, PIECE // width, 4 * overlap)
    starts = range(0, height - overlap, step)

    def find(start: int):
        return function(*(one[start : start + step + overlap] for one in maps))

    if len(starts) == 1:
        return find(0)
    with ThreadPoolExecutor(THREADS) as threads:
        return sum(threads.map(find, starts))


def is_mask(saliency_map: np.ndarray) -> bool:
    """Whether a map is a mask: 0 and 1 alone, and both of them."""
    return set(np.unique(saliency_map)) == {0, 1}


def rank_pixels(saliency_map: np.ndarray) -> np.ndarray:
    """The flat indices (HW,) of all pixels by decreasing saliency, ties by position."""
    return np.argsort(-np.asarray(saliency_map, np.float64).ravel(), kind="stable")


# --- the classifier --------------------------------------------------------------------------------------
def check_image_and_map(img_array: np.ndarray, saliency_map: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The image (H, W, 3) as float32 and its map (H, W); ValueError if the map does not fit it or holds NaN."""
    img_array, saliency_map = check_image(img_array), np.asarray(saliency_map)
    if saliency_map.shape != img_array.shape[:2]:
        raise ValueError(f"saliency_map must fit {img_array.shape[:2]}; got {saliency_map.shape}")
    if np.isnan(saliency_map).any():
        raise ValueError("saliency_map must hold numbers; got NaN, which has no place in an order")
    return img_array, saliency_map


def check_image(img_array: np.ndarray) -> np.ndarray:
    """The image (H, W, 3) as contiguous float32; ValueError for another shape."""
    img_array = np.ascontiguousarray(img_array, np.float32)
    if img_array.ndim != 3 or img_array.shape[2] != 3:
        raise ValueError(f"img_array must be one RGB image (H, W, 3); got {img_array.shape}")
    return img_array


def is_keras_model(model) -> bool:
    """Whether this is a Keras model, told without Keras."""
    return callable(getattr(model, "get_weights", None)) and callable(getattr(model, "predict", None))


def describe_refusal(model) -> str:
    """Why a Keras model is no `Predict`, and what to give instead."""
    return (
        f"a Keras model takes pixels prepared its own way; nothing tells that of {getattr(model, 'name', model)!r}: "
        "give a Classifier, or to evaluate.deletion, insertion and predict_scores model_name='ResNet' or another name"
    )


def check_predict(predict) -> Predict:
    """The callable from images to probabilities; of a `Classifier` its own. ValueError for a Keras model, or for what
    cannot be called."""
    owner = getattr(predict, "__self__", predict)
    if is_keras_model(owner):
        raise ValueError(describe_refusal(owner))
    if not callable(predict):
        predict = getattr(predict, "predict", None)
    if not callable(predict):
        raise ValueError(
            "predict should be a Classifier, or a function from images (n, H, W, 3) to probabilities (n, C)"
        )
    return predict


def predict_scores(predict: Predict, batches: Iterable[np.ndarray], class_index: int) -> np.ndarray:
    """The probabilities of one class, float64 (n,), for all images of the batches (float32 (b, H, W, 3))."""
    predict, scores = check_predict(predict), []
    for batch in batches:
        probabilities = np.asarray(predict(batch), dtype=np.float64)
        if probabilities.ndim != 2 or len(probabilities) != len(batch):
            raise ValueError(f"predict must return ({len(batch)}, C) numbers; got {probabilities.shape}")
        if not 0 <= class_index < probabilities.shape[1]:
            raise ValueError(f"class_index must be in 0-{probabilities.shape[1] - 1}; got {class_index}")
        scores.append(probabilities[:, class_index])
    return np.concatenate(scores)


def measure_scores(predict: Predict, batches: Iterable[np.ndarray], class_index: int) -> np.ndarray:
    """As `predict_scores`; `Undefined` if a score is not finite."""
    scores = predict_scores(predict, batches, class_index)
    if not np.isfinite(scores).all():
        raise Undefined("the classifier's scores are not finite")
    return scores


def split_evenly(items: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """The items (n, ...) in batches of nearly one length, `batch_size` at most: a lone last one would waste a pass."""
    if batch_size < 1 or batch_size != int(batch_size):
        raise ValueError(f"batch_size must be whole, 1 or more; got {batch_size}")
    return np.array_split(items, -(-len(items) // int(batch_size)))
