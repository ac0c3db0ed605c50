"""The filters of a convolution as pictures.

Of a first layer, whose inputs are the three colours: each filter as one colour patch, mid-grey + weight / largest
weight, so that the patch is the small image that excites it most. The inputs are matched to red, green and blue by
trying: a network that is fed BGR shows its true colours, and one that mixes the colours before is drawn in grey.
Of a deeper layer: summarised, the root mean square of a filter's weights over its inputs, per place of the window;
of one chosen filter every input's weights in grey, zero being mid-grey. A depthwise filter has one input. Filters of
1 x 1 have no window: the layer is one matrix, filters down, inputs across, red above and blue below zero.

The weights are those of the layer itself: no batch norm is folded in.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import representations
from network.classifier import Classifier

TILES_SHOWN = 64  # pictures of a tiled figure at most


@dataclass(frozen=True)
class Tiles:
    """Pictures under their titles, and what they are, in words."""

    pictures: Sequence[np.ndarray]
    titles: Sequence[str]
    what: str


def draw_filters(classifier: Classifier, channels: Sequence[int] | None = None) -> Tiles | None:
    """The filters of the convolution a classifier looks at; None if that is another layer.

    channels: of the filters to draw; None: all, or those of the largest weights if they are many. ValueError for a
    channel that the layer does not have.
    """
    kernel = classifier.kernel()
    if kernel is None:
        return None
    n_filters = kernel.shape[3]
    check_channels(channels, n_filters)
    colours = find_colours(classifier) if kernel.shape[2] == 3 else None
    if colours is not None:
        return _draw_patches(kernel[:, :, colours], channels, "in colour")
    if kernel.shape[2] == 1:
        return _draw_patches(kernel, channels, "in grey, zero is mid-grey")
    if channels is not None:
        return _draw_inputs(kernel, channels)
    if kernel.shape[:2] == (1, 1):
        matrix = representations.represent_heatmap(kernel[0, 0].T, signed=True)
        return Tiles([matrix], [f"{n_filters} filters x {kernel.shape[2]} inputs"], "1 x 1, red above zero, blue below")
    strength = np.sqrt(np.mean(kernel**2, axis=2))
    chosen = choose_largest(strength.max(axis=(0, 1)), TILES_SHOWN)
    pictures = [_to_grey(strength[..., k], strength[..., k].max(), zero=0) for k in chosen]
    titles = [f"{k}: up to {strength[..., k].max():.2g}" for k in chosen]
    return Tiles(
        pictures, titles, _describe_chosen(len(chosen), n_filters, "root mean square over inputs, zero is black")
    )


def check_channels(channels: Sequence[int] | None, n: int) -> None:
    """ValueError for a channel that is not one of n."""
    wrong = [k for k in channels or () if not 0 <= k < n]
    if wrong:
        raise ValueError(f"the layer has {n} channels, 0 to {n - 1}; given: {', '.join(map(str, wrong))}")


def choose_largest(values: np.ndarray, n: int) -> list[int]:
    """The indices of the n largest values, in their own order."""
    return sorted(np.argsort(-values, kind="stable")[:n].tolist())


def find_colours(classifier: Classifier) -> list[int] | None:
    """Which of the chosen layer's three inputs carries red, green and blue; None if they are not the colours."""
    probes = np.zeros((4, classifier.input_height, classifier.input_width, 3), dtype=np.float32)
    for colour in range(3):
        probes[colour + 1, ..., colour] = 255
    inputs = np.asarray(classifier.layer_inputs(probes), dtype=np.float64)
    changes = np.abs(inputs[1:] - inputs[:1]).mean(axis=(1, 2))  # (colour, input)
    carriers = changes.argmax(axis=1)
    alone = np.sort(changes, axis=1)[:, -2] <= 0.01 * changes.max(axis=1)
    return carriers.tolist() if alone.all() and len(set(carriers)) == 3 else None


def _draw_patches(kernel: np.ndarray, channels: Sequence[int] | None, how: str) -> Tiles:
    largest = np.abs(kernel).max(axis=(0, 1, 2))
    chosen = choose_largest(largest, TILES_SHOWN) if channels is None else channels
    pictures = [_to_grey(kernel[..., k], largest[k]) for k in chosen]
    titles = [f"{k}: up to {largest[k]:.2g}" for k in chosen]
    return Tiles(pictures, titles, _describe_chosen(len(chosen), kernel.shape[3], how))


def _draw_inputs(kernel: np.ndarray, channels: Sequence[int]) -> Tiles:
    """Every input of the chosen filters, those of the largest weights if they are many."""
    n_inputs = kernel.shape[2]
    shown = max(1, TILES_SHOWN // len(channels))
    pictures, titles = [], []
    for k in channels:
        largest = np.abs(kernel[..., k]).max(axis=(0, 1))
        for c in choose_largest(largest, shown):
            pictures.append(_to_grey(kernel[:, :, c, k], largest.max()))
            titles.append(f"filter {k}, input {c}")
    return Tiles(
        pictures, titles, _describe_chosen(min(shown, n_inputs), n_inputs, "inputs of a filter, zero is mid-grey")
    )


def _to_grey(weights: np.ndarray, largest: float, zero: float = 127.5) -> np.ndarray:
    """uint8 picture (h, w, 3) of weights (h, w), (h, w, 1) or (h, w, 3): 0 has the level `zero`, `largest` is white."""
    weights = np.atleast_3d(weights)
    levels = zero + (255 - zero) * weights / (largest or 1)
    return np.rint(np.broadcast_to(levels, (*weights.shape[:2], 3))).astype(np.uint8)


def _describe_chosen(n: int, total: int, how: str) -> str:
    return how if n == total else f"{n} of {total}, {how}"
