"""A tensor of a network read as a feature map: tokens, maps that hold their channels first, maps that lie otherwise.

    (n, h, w, K)  (n, K, h, w)  (n, h w, K)  (n, 1 + h w, K)  ...   <->   (n, h, w, K), upright

Which position is where on the image is known from `geometry.py`; a position that is nowhere, as a class token, is no
part of the map, and is handed on as it is when the rest of the network runs on a changed map.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

import utils
from network.geometry import Places

OFF = 0.1  # of a cell: a map this near to lying on the whole image lies on it


@dataclass(frozen=True)
class FeatureLayout:
    """How a tensor (n, ...) holds a map (n, h, w, K), and where that lies.

    rows, columns: centres of the cells, (h,) and (w,), shares 0-1 of the image's height and width. order: flat position
    in the tensor of each cell, (h w,); None: the tensor is the map. channels_first: its first axis behind n is K.
    held: shape of the tensor without n. mixed: whether positions have seen each other. through: names of the layers
    that moved the map from where the image is. rolled: of `Places`. assumed: nothing is known, the map is stretched
    over the image.
    """

    rows: np.ndarray
    columns: np.ndarray
    held: tuple[int, ...]
    order: np.ndarray | None = None
    channels_first: bool = False
    mixed: bool = True
    through: tuple[str, ...] = ()
    rolled: tuple[tuple[float, float] | None, tuple[float, float] | None] = (None, None)
    assumed: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """(h, w, K)."""
        return len(self.rows), len(self.columns), self.held[0 if self.channels_first else -1]

    @property
    def n_positions(self) -> int:
        """Of the tensor; more than h w where some are no part of the map."""
        return math.prod(self.held) // self.shape[2]

    @property
    def has_others(self) -> bool:
        """Whether the tensor has positions that are no part of the map."""
        return self.n_positions > len(self.rows) * len(self.columns)

    def to_map(self, tensor: tf.Tensor) -> tf.Tensor:
        """The map (n, h, w, K) that a tensor holds."""
        if self.order is None:
            return tensor
        return tf.reshape(tf.gather(self._flat(tensor), self.order, axis=1), [-1, *self.shape])

    def from_map(self, features: tf.Tensor, tensor: tf.Tensor) -> tf.Tensor:
        """The tensor with the map (n, h, w, K) in the place of its own."""
        if self.order is None:
            return features
        n_cells = len(self.order)
        source = n_cells + np.arange(self.n_positions)
        source[self.order] = np.arange(n_cells)
        flat = tf.concat([tf.reshape(features, [-1, n_cells, self.shape[2]]), self._flat(tensor)], axis=1)
        flat = tf.gather(flat, source, axis=1)
        if self.channels_first:
            flat = tf.transpose(flat, [0, 2, 1])
        return tf.reshape(flat, [-1, *self.held])

    def _flat(self, tensor: tf.Tensor) -> tf.Tensor:
        """(n, positions, K)."""
        if self.channels_first:
            return tf.transpose(tf.reshape(tensor, [-1, self.shape[2], self.n_positions]), [0, 2, 1])
        return tf.reshape(tensor, [-1, self.n_positions, self.shape[2]])

    @property
    def is_whole(self) -> bool:
        """Whether the map lies on the whole image."""
        return all(
            np.abs(line - (np.arange(len(line)) + 0.5) / len(line)).max() < OFF / len(line)
            for line in (self.rows, self.columns)
        )

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Top, bottom, left, right of the map, shares 0-1 of the image; outside of 0-1 where the network has padded."""
        rows, columns = self.rolled
        return *(rows or _edges(self.rows)), *(columns or _edges(self.columns))

    def describe(self, height: int, width: int) -> str:
        """Where the map lies on an image of that size, and how that was found."""
        if self.assumed:
            return "on the whole image (assumed: how the network moves it is not understood)"
        if self.is_whole:
            return "on the whole image" + " (channels first)" * self.channels_first
        top, bottom, left, right = (
            f"{round(share * side, 1) + 0:.4g}" for share, side in zip(self.box, (height,) * 2 + (width,) * 2)
        )
        return (
            f"rows {top} to {bottom} of {height}, columns {left} to {right} of {width} "
            f"(probed: {', '.join(self.through)})"
        )

    def lay_out(self, saliency_map: np.ndarray, height: int, width: int, outside: float = 0.0) -> np.ndarray:
        """The map (h, w) on the image, float32 (height, width), bilinear; `outside` where the network does not look."""
        if self.is_whole:
            return utils.resize_map(saliency_map, height, width)
        return utils.lay_out_map(saliency_map, *self.weigh(height, width), outside)

    def weigh(self, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Weights (height, h) and (width, w) of the cells for the pixels of an image; 0 where the map does not lie."""
        if self.is_whole:
            return tuple(_weigh((np.arange(n) + 0.5) / n, size, None) for n, size in zip(self.shape, (height, width)))
        return _weigh(self.rows, height, self.rolled[0]), _weigh(self.columns, width, self.rolled[1])


def _edges(line: np.ndarray) -> tuple[float, float]:
    half = (line[1] - line[0]) / 2 if len(line) > 1 else min(line[0], 1 - line[0])
    return float(line[0] - half), float(line[-1] + half)


def _weigh(line: np.ndarray, size: int, ends: tuple[float, float] | None) -> np.ndarray:
    """Weights (size, n) of n cells for the pixels along an axis, bilinear; 0 for pixels that lie on none.

    ends: where a line goes on at its beginning: the cell across that seam lies on both.
    """
    cells = np.arange(len(line))
    if ends is not None:
        line = np.concatenate([[line[-1] - ends[1] + ends[0]], line, [line[0] + ends[1] - ends[0]]])
        cells = np.concatenate([cells[-1:], cells, cells[:1]])
        half = (line[1] - line[0]) / 2
        across = (line + half > ends[0] + 1e-6) & (line - half < ends[1] - 1e-6)
        line, cells = line[across], cells[across]
    low, high = _edges(line)
    pixels = (np.arange(size) + 0.5) / size
    place = ((pixels - low) / (high - low) * len(line) - 0.5).clip(0, len(line) - 1)
    lower = np.floor(place).astype(int)
    weights = np.zeros((size, int(cells.max()) + 1))
    np.add.at(weights, (np.arange(size), cells[lower]), 1 - (place - lower))
    np.add.at(weights, (np.arange(size), cells[np.minimum(lower + 1, len(line) - 1)]), place - lower)
    bounds = (low, high) if ends is None else ends
    return np.where(((pixels > bounds[0]) & (pixels < bounds[1]))[:, None], weights, 0)


def find_layout(shape: Sequence[int], places: Places | None) -> FeatureLayout | None:
    """How a tensor (n, *shape) with these places is a map of more than one position; None where it is none."""
    if places is None or len(shape) not in (2, 3):
        return None
    for first in (False, True):
        axis = 0 if first else -1
        y, x = (_drop(values, axis) for values in (places.y, places.x))
        positions = shape[1:] if first else shape[:-1]
        if y is None or x is None or max(y.size, x.size) == 1:
            continue
        y, x = (np.broadcast_to(values, positions).reshape(-1) for values in (y, x))
        (rows, row), (columns, column) = _levels(y), _levels(x)
        there = np.flatnonzero(~np.isnan(y) & ~np.isnan(x))
        order = np.full(len(rows) * len(columns), -1)
        order[row[there] * len(columns) + column[there]] = there
        if len(there) != len(order) or (order < 0).any():
            return None
        plain = len(shape) == 3 and not first and np.array_equal(order, np.arange(len(order))) and len(y) == len(order)
        return FeatureLayout(
            rows, columns, tuple(shape), None if plain else order, first, places.mixed, places.through, places.rolled
        )
    return None


def _drop(values: np.ndarray, axis: int) -> np.ndarray | None:
    """Coordinates without the axis of the channels; None where they change along it by more than a cell."""
    if values.shape[axis] == 1:
        return values.squeeze(axis)
    middle = np.nanmean(values, axis=axis)
    levels, _ = _levels(middle.reshape(-1))
    cell = np.diff(levels).min() if len(levels) > 1 else 0
    return middle if np.nanmax(np.abs(values - np.expand_dims(middle, axis))) <= cell else None


def _levels(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different values (NaN left out), ascending, and the number of each value's among them."""
    known = values[~np.isnan(values)]
    levels = np.unique(known.round(6))
    if len(levels) > 1:  # what rounding has torn apart
        gaps = np.diff(levels)
        levels = levels[np.concatenate([[True], gaps > 0.1 * gaps.max()])]
    return levels, np.searchsorted((levels[1:] + levels[:-1]) / 2, values)


def stretched(height: int, width: int, n_channels: int, assumed: bool = True) -> FeatureLayout:
    """A map (n, h, w, K) whose cells fill the image; assumed: of which nothing is known but that it is a map."""
    rows, columns = ((np.arange(n) + 0.5) / n for n in (height, width))
    return FeatureLayout(rows, columns, (height, width, n_channels), assumed=assumed)
