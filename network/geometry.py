"""Where on the image each element of each tensor of a network lies, found by carrying coordinates through its layers.

A tensor's `Places` hold y and x of every element as shares of the image's height and width. They go through a network
layer by layer, and each layer says by its numbers where things go:

    convolution, pooling            its map stretches over what its input lies on, as maps of CAM methods do
    keeps positions                 batch norm, activation, sum, attention: as its input
    no weights, moves things        is given the coordinates in the place of values, and gives those of its output:
                                    crop, padding, resizing, slice, reshape, transpose, roll, a Lambda
    weights of the user's own       stretches its map too, unless it visibly pads, crops, shifts or scales inside
    a patch embedding, other weights   one band of its input changes after the other: where its output changes with it

The third needs no rule per layer: whatever copies or interpolates values does the same with coordinates. Zeros that
pad exactly what the convolution behind them takes away (ResNet's) count as part of that convolution. Padding by copies
(a reflection) is padding as zeros are; a roll goes on where it began, and cells across its seam lie on both ends.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np
import tensorflow as tf

from network.layer_graph import BEFORE, Between, Step
from network.operations import recomputing

WINDOWS = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.UpSampling2D,
)
WINDOW_OPERATIONS = ("Conv", "DepthwiseConv", "SeparableConv", "ConvTranspose", "MaxPool", "AveragePool")  # keras.ops
LAST_AXIS = (keras.layers.Dense, keras.layers.EinsumDense)  # each position by itself
KEEPS_POSITIONS = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
    keras.layers.Softmax,
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
    keras.layers.RMSNormalization,
    keras.layers.UnitNormalization,
    keras.layers.Normalization,
    keras.layers.Rescaling,
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.GaussianNoise,
    keras.layers.GaussianDropout,
    keras.layers.Identity,
    keras.layers.Add,
    keras.layers.Subtract,
    keras.layers.Multiply,
    keras.layers.Average,
    keras.layers.Maximum,
    keras.layers.Minimum,
    Between,
)
KEEPS_OPERATIONS = ("Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Relu", "Relu6", "Sigmoid", "Silu", "Gelu",
                    "Cast", "Softmax", "HardSigmoid", "HardSilu", "Tanh", "Power", "Sqrt", "Square")  # fmt: skip
SUMS = (
    "Add",
    "AddV2",
    "AddN",
    "Sub",
    "Mul",
    "RealDiv",
    "BiasAdd",
    "Cast",
    "Identity",
    "Relu",
    "Sigmoid",
    "Tanh",
    "Erf",
)
BANDS_PER_CELL = 3  # of a layer that is measured
MAX_BANDS = 128  # along an axis
BANDS_OF_LAYER = 12  # along an axis, of a layer of the user's that is asked what it does
FEWEST_CELLS = 6  # along an axis, of which padding can be told
LARGEST = 2**22  # numbers of a larger input that tells it of fewer cells
WHOLE = (0.0, 1.0)
FURTHEST_APART = 0.05  # deviation of what is laid on one position, shares of the image: more is no blur
BANDS_AT_ONCE = 16  # changed copies in one call


@dataclass(frozen=True)
class Places:
    """Where each element of a tensor (n, ...) lies: y and x, shares 0-1 of the image, broadcastable to (...).

    NaN: nowhere (a class token). margins: rows above and below, columns left and right, that hold padding alone.
    rolled: of y and of x, (low, high) of what goes on at one end where it stopped at the other; None of the others.
    mixed: whether positions have seen each other. through: names of the layers that moved them, and how it was found.
    """

    y: np.ndarray
    x: np.ndarray
    margins: tuple[int, int, int, int] = (0, 0, 0, 0)
    mixed: bool = False
    through: tuple[str, ...] = ()
    rolled: tuple[tuple[float, float] | None, tuple[float, float] | None] = (None, None)


def whole_image(height: int, width: int) -> Places:
    """The places of the pixels of an image (H, W, channels) themselves."""
    return Places(_centres(height)[:, None, None], _centres(width)[None, :, None])


def carry(steps: Sequence[Step], image_shape: Sequence[int]) -> dict[int, Places]:
    """id of a tensor -> its places, for the tensors of a traced network whose places are understood.

    image_shape: (H, W, channels) of the network's input.
    """
    height, width, channels = image_shape
    produced, places = set(), {}
    for step in steps:
        for tensor in step.inputs:
            if id(tensor) in produced or id(tensor) in places or not getattr(tensor, "graph", None):
                continue
            code = _code_in_front(tensor, step, produced | set(places))
            for image in code.inputs:
                if id(image) not in produced and tuple(image.shape[1:]) == (height, width, channels):
                    places.setdefault(id(image), whole_image(height, width))
            known = [given for given in code.inputs if id(given) in places]
            found, is_known = places.get(id(tensor)), True
            if found is None and known:
                found, is_known = _move(code, known, places, tuple(tensor.shape[1:]))
            if found is None and all(given is tensor.graph.inputs[0] for given in code.inputs):
                found = _agreed([places[id(given)] for given in known if _is_like(given, tensor)], False)
            found = found or _through_sums(tensor, places)
            if found is not None and is_known:
                places[id(tensor)] = found
        # A layer may hand on the very tensor that it was given.
        produced |= {id(tensor) for tensor in keras.tree.flatten(step.output)}
        known = [tensor for tensor in step.inputs if id(tensor) in places]
        for tensor in keras.tree.flatten(step.output) if known else ():
            one = tensor is step.output
            if not tf.is_tensor(tensor) or id(tensor) in places or not (one or _is_like(tensor, known[0])):
                continue
            found = _follow(replace(step, output=tensor), known, places)
            if found is not None:
                places[id(tensor)] = found
    return places


class _Code:
    """What code between the layers makes of tensors, called as a layer is; where it takes the largest of a window, its
    mean, which of coordinates is the window's middle."""

    def __init__(self, given: list, made: tf.Tensor):
        self._given, self._made, self._run = given, made, None

    def call(self, *values):
        self._run = self._run or recomputing([self._made], self._given, averaging=True)
        return tf.constant(self._run(*(tf.cast(value, of.dtype) for value, of in zip(values, self._given)))[0])


def _code_in_front(tensor: tf.Tensor, step: Step, known: set[int]) -> Step:
    """The code that makes a tensor, of a step's inputs, of tensors whose ids are given and of the image, as a step."""
    waiting, seen, given = [tensor], set(), []
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if id(one) in known or one is one.graph.inputs[0]:
            given.append(one)
        else:
            waiting += one.op.inputs
    name = f"code in front of {step.name.removeprefix(BEFORE)}"
    return Step(name, _Code(given, tensor), given, tensor, tuple(given))


def _through_sums(tensor: tf.Tensor, places: dict[int, Places]) -> Places | None:
    """The places of a tensor that code between the layers made, by sums and products of tensors with places."""
    waiting, seen = [tensor], set()
    while waiting:
        one = waiting.pop()
        if id(one) in places and _is_like(one, tensor):
            return replace(places[id(one)], mixed=True)
        if one.op.type in SUMS and one.op.name not in seen:
            seen.add(one.op.name)
            waiting += list(one.op.inputs)
    return None


def _is_like(tensor: tf.Tensor, other: tf.Tensor) -> bool:
    return tensor.shape.rank == other.shape.rank and tensor.shape[1:] == other.shape[1:]


def _follow(step: Step, known: list, places: dict[int, Places]) -> Places | None:
    """The places of a step's output; known: those of its inputs that have places."""
    before, after = tuple(known[0].shape[1:]), tuple(step.output.shape[1:])
    if len(after) < 2 or None in after or any(None in tensor.shape[1:] for tensor in known):
        return None
    first, name = places[id(known[0])], type(step.layer).__name__
    mixed = any(places[id(tensor)].mixed for tensor in known)
    alike = [places[id(tensor)] for tensor in known if _keeps(places[id(tensor)], tuple(tensor.shape[1:]), after)]
    has_weights = bool(getattr(step.layer, "weights", ()))
    if isinstance(step.layer, WINDOWS) or (name in WINDOW_OPERATIONS and not has_weights):
        return _stretch(step.layer, first, before, after)
    if isinstance(step.layer, LAST_AXIS):
        return _by_position(first, before, after)
    if isinstance(step.layer, KEEPS_POSITIONS) or name in KEEPS_OPERATIONS:
        return _agreed(alike, mixed)
    if name == "Concatenate" and len(alike) == len(step.inputs):
        return _agreed(alike, mixed)
    if not has_weights:
        found, is_known = _move(step, known, places, after)
        found = found or _agreed(alike, mixed)
        if found is not None or not is_known:
            return found if is_known else None
    elif len(before) == len(after) == 3 and _is_of_users(step.layer):
        return _by_users_layer(step, known[0], first, after)
    elif alike:  # attention, a transformer block
        return _agreed(alike[:1], True)
    elif len(before) == len(after) == 3:
        return _stretch(step.layer, first, before, after)
    # As traced: Python that runs a layer of its own for each row (TimeDistributed) takes seconds a call.
    traced = replace(step, layer=_Code(step.inputs, step.output), args=tuple(step.inputs), kwargs={})
    return measure(lambda values: call_with(traced, {id(known[0]): values}), first, before, after, step.name)


def _is_of_users(layer) -> bool:
    return not type(layer).__module__.startswith("keras.")


def _by_users_layer(step: Step, tensor: tf.Tensor, places: Places, after: tuple) -> Places | None:
    """Places behind a layer of the user's with weights, of a map: stretched over its input, unless it visibly pads,
    crops, shifts or scales it inside. None where what it does is not understood, or is not the same for every map."""
    before = tuple(tensor.shape[1:])
    ends = _find_ends(lambda values: call_with(step, {id(tensor): values}), before, after)
    if ends is None:
        return None
    found = _stretch(step.layer, places, before, after, ends)
    is_whole = all(end == WHOLE for end in ends)
    if found is None or (is_whole and len(step.inputs) == 1):
        return found
    again = _find_ends(lambda values: call_with(step, {id(tensor): 1 - values / 255}, _draw), before, after)
    if again is None or np.abs(np.subtract(ends, again)).max() > 0.5 / min(after[:2]):
        return None
    return found if is_whole else replace(found, through=(*places.through, step.name))


def _find_ends(run: Callable, before: tuple, after: tuple) -> list[tuple[float, float]] | None:
    """Where the output of a layer, which `run` makes (n, *after) of (n, *before), begins and ends along y and x, shares
    of its input; None for one that turns it, or leaves an end out in a way that is not understood.

    One band of the input after the other changes; the line of where the output changes with them tells. Where neither
    an end as wide as a cell of the output is left out, nor cells are too many for the input by most of one, the output
    is the whole: a convolution without padding, too, is stretched over its input.
    """
    rng = np.random.default_rng(0)
    one, other = rng.uniform(0, 255, (2, *before)).astype(np.float32)
    positions = [np.arange(size).reshape(shape) for size, shape in zip(before, ((-1, 1, 1), (1, -1, 1)))]
    cells = [-(-size // n) for size, n in zip(before, after)]
    ends = [(place < cell, place >= size - cell) for place, size, cell in zip(positions, before, cells)]
    masks = [mask for pair in ends for mask in pair]
    n_bands = [min(BANDS_OF_LAYER, size) for size in before[:2]]
    masks += [place * n // size == band for place, size, n in zip(positions, before, n_bands) for band in range(n)]
    base, changes = run(one[None]), []
    if base is None or base.ndim != 4:
        return [WHOLE, WHOLE]
    for start in range(0, len(masks), BANDS_AT_ONCE):
        changed = np.stack([np.where(mask, other, one) for mask in masks[start : start + BANDS_AT_ONCE]])
        changes.append(np.square(run(changed) - base).sum(axis=-1, dtype=np.float64))
    changes = np.concatenate(changes)
    totals = changes.sum(axis=(1, 2))
    if not totals.max():
        return [WHOLE, WHOLE]
    left_out = totals[:4] < 1e-12 * totals.max()
    if not left_out.any():
        rows, columns = ((changes[:4].sum(axis=2 - axis) @ _centres(after[axis])) / totals[:4] for axis in (0, 1))
        turned = abs(columns[0] - columns[1]) > 0.25 > abs(rows[0] - rows[1])
        if turned or rows[0] - rows[1] > 0.25 or columns[2] - columns[3] > 0.25:
            return None
    found, larger = [], None
    for axis, bands in enumerate(np.split(changes[4:], [n_bands[0]])):
        ends = _fit_bands(bands.sum(axis=2 - axis))
        missing = left_out[2 * axis : 2 * axis + 2].any()
        if ends is None and missing:
            return None
        if not missing and after[axis] < FEWEST_CELLS:  # the ends of these few are a cell off
            larger = larger or _find_ends_of_larger(run, before, after)
            ends = larger[axis]
        too_long = ends is not None and (ends[1] - ends[0] - 1) * after[axis] > 0.75
        found.append(ends if missing or too_long else WHOLE)
    return found


def _find_ends_of_larger(run: Callable, before: tuple, after: tuple) -> list[tuple[float, float]]:
    """As `_find_ends`, told by a larger input, where the layer takes one and gives more cells of the same size."""
    factor = 2 * FEWEST_CELLS // min(after[:2])
    large = (before[0] * factor, before[1] * factor, before[2])
    base = run(np.zeros((1, *large), np.float32)) if math.prod(large) <= LARGEST else None
    if base is None or base.ndim != 4 or min(base.shape[1:3]) < FEWEST_CELLS:
        return [WHOLE, WHOLE]
    found = []
    for (low, high), n, n_large in zip(_find_ends(run, large, base.shape[1:]) or [WHOLE, WHOLE], after, base.shape[1:]):
        cell, start = (high - low) * factor / n_large, low * factor
        end = start + n * cell
        found.append((start, end) if abs(end - 1 - (high - 1) * factor) < cell else WHOLE)
    return found


def _fit_bands(changes: np.ndarray) -> tuple[float, float] | None:
    """Where n cells begin and end that change (bands, n) with equal bands of 0-1; None where they lie on no line."""
    bands, cells = (_centres(size) for size in changes.shape)
    shares = changes**2  # of what changes everywhere a little, and of one place much, that place
    by_cell = len(cells) < len(bands)  # of two grids the coarser one's steps are even on the other
    if by_cell:
        shares, bands, cells = shares.T, cells, bands
    totals = shares.sum(axis=1)
    seen = np.flatnonzero(totals > 1e-18 * totals.max())[1:-1]  # an end is cut off by that of the image, or of the map
    if len(seen) < 2:
        return None
    places = (shares[seen] @ cells) / totals[seen]
    slope, start = np.polyfit(bands[seen], places, 1)
    off = np.abs(start + slope * bands[seen] - places).max()
    if slope < 0.25 or off > 0.6 * max(1 / shares.shape[1], slope / shares.shape[0]):
        return None
    return (start, start + slope) if by_cell else (-start / slope, (1 - start) / slope)


def _keeps(places: Places, before: tuple, after: tuple) -> bool:
    """Whether a tensor of shape `after` may hold the positions of one of shape `before`: the last axis alone differs,
    and only where nothing moves along it."""
    if len(before) != len(after) or before[:-1] != after[:-1]:
        return False
    return before[-1] == after[-1] or places.y.shape[-1] == places.x.shape[-1] == 1


def _agreed(found: list[Places], mixed: bool) -> Places | None:
    """The places that all inputs of a sum share; None where they lie elsewhere than each other."""
    if not all(_is_same(found[0].y, other.y) and _is_same(found[0].x, other.x) for other in found[1:]):
        return None
    return replace(found[0], mixed=mixed) if found else None


def _is_same(one: np.ndarray, other: np.ndarray) -> bool:
    fit = one.ndim == other.ndim and all(1 in pair or pair[0] == pair[1] for pair in zip(one.shape, other.shape))
    return fit and np.allclose(*np.broadcast_arrays(one, other), atol=0.02, equal_nan=True)


def _by_position(places: Places, before: tuple, after: tuple) -> Places | None:
    """Places behind a layer that mixes the last axis alone; None if that is where the positions are."""
    y, x = _mean(places.y, -1), _mean(places.x, -1)
    if before[:-1] != after[:-1] or max(y.size, x.size) == 1:
        return None
    return replace(places, y=y, x=x)


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """The mean along an axis, which stays; of what is not NaN, and NaN where all is."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis, keepdims=True)
    total = np.where(known, values, 0).sum(axis=axis, keepdims=True)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


# --- windows ---------------------------------------------------------------------------------------------
def _stretch(layer, places: Places, before: tuple, after: tuple, ends: Sequence = (WHOLE, WHOLE)) -> Places | None:
    """Places behind a convolution or pooling: what its input lies on, cut into equal cells.

    ends: where these begin and end along the input's y and x, shares of it.
    """
    if len(before) != 3 or len(after) != 3:
        return None
    first = getattr(layer, "data_format", None) == "channels_first"
    channels, one, two = (0, 1, 2) if first else (2, 0, 1)
    y, x = _mean(places.y, channels), _mean(places.x, channels)
    along_y, along_x = (one, two) if y.shape[two] == x.shape[one] == 1 else (two, one)
    if not y.shape[along_x] == x.shape[along_y] == 1:
        return None
    window = dict(zip((one, two), _window(layer)))
    margins = {along_y: places.margins[:2], along_x: places.margins[2:]}
    own = all(max(margins[axis]) <= window[axis][0] // 2 for axis in margins)  # padding as of padding="same"
    found, rolled = [], []
    for values, axis, was_rolled, (low, high) in zip((y, x), (along_y, along_x), places.rolled, ends):
        line = values.reshape(-1)
        line = line[margins[axis][0] : len(line) - margins[axis][1]] if own else line
        edges = _edges(line)
        seam = was_rolled if edges is None and was_rolled else _find_roll(line) if edges is None else None
        if seam is not None:
            line = _unroll(line, seam)
            edges = _edges(line)
        if edges is None:
            return None
        line = edges[0] + (edges[1] - edges[0]) * (low + (high - low) * _centres(after[axis]))
        if seam is not None:
            line = seam[0] + (line - seam[0]) % (seam[1] - seam[0])
        rolled.append(seam)
        found.append(line.reshape([-1 if other == axis else 1 for other in range(3)]))
    mixed = places.mixed or any(size > stride for size, stride in window.values())
    return replace(places, y=found[0], x=found[1], margins=(0, 0, 0, 0), mixed=mixed, rolled=tuple(rolled))


def _window(layer) -> list[tuple[int, int]]:
    """(size, stride) along the two axes of a convolution or pooling; 1 and 1 where it does not say."""
    sizes = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None) or 1
    strides, rates = getattr(layer, "strides", None) or 1, getattr(layer, "dilation_rate", 1)
    pairs = [(value, value) if isinstance(value, int) else tuple(value) for value in (sizes, strides, rates)]
    return [((size - 1) * rate + 1, stride) for size, stride, rate in zip(*pairs)]


def _find_roll(line: np.ndarray) -> tuple[float, float] | None:
    """(low, high) of evenly spaced values that were rolled: they end where they begin; None for others."""
    if len(line) < 3 or np.isnan(line).any():
        return None
    step = abs(float(np.median(np.diff(line))))
    ends = float(line.min() - step / 2), float(line.max() + step / 2)
    return ends if _fit(_unroll(line, ends)) is not None and np.ptp(line) > 1.5 * step else None


def _unroll(line: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """Values that were rolled, going on past the end."""
    period = ends[1] - ends[0]
    jumps = np.diff(line)
    return line - period * np.concatenate([[0], np.cumsum(np.rint(jumps / period))])


def _centres(n: int) -> np.ndarray:
    return (np.arange(n) + 0.5) / n


def _edges(line: np.ndarray) -> tuple[float, float] | None:
    """Where what evenly spaced values are the centres of begins and ends; None if they are not evenly spaced."""
    if len(line) == 1:
        half = min(line[0], 1 - line[0])
        return line[0] - half, line[0] + half
    fit = _fit(line)
    return None if fit is None else (fit[0] - fit[1] / 2, fit[0] + fit[1] * (len(line) - 0.5))


def _fit(line: np.ndarray) -> tuple[float, float] | None:
    """(start, step) of evenly spaced values, those that are NaN left out; None if they are not evenly spaced."""
    known = np.flatnonzero(~np.isnan(line))
    if len(known) < 2 or known[-1] - known[0] + 1 != len(known):
        return None
    values, apart = line[known], len(known) // 2
    step = float(np.median(values[apart:] - values[:-apart])) / apart
    start = float(np.median(values - step * known))
    jumps = np.abs(np.diff(values))
    jump = float(np.median(jumps[jumps > 1e-6])) if (jumps > 1e-6).any() else 0.0  # of the nearest neighbour's stairs
    off = np.abs(start + step * known - values).max()
    return None if abs(step) < 1e-6 or off > 0.55 * max(abs(step), jump) + 1e-6 else (start, step)


# --- layers without weights ------------------------------------------------------------------------------
def _move(step: Step, known: list, places: dict[int, Places], after: tuple) -> tuple[Places | None, bool]:
    """Places behind a layer that copies or interpolates, None for one of another kind; and whether they may be known:
    not where places are laid on one another, nor where other inputs say what goes where, as in a spatial transformer.
    """
    found, is_one = _transport(step, known, places, after, np.zeros)
    if not is_one or all(id(tensor) in places for tensor in step.inputs if getattr(tensor, "graph", None)):
        return found, is_one
    again, is_one = _transport(step, known, places, after, _draw)
    if found is not None and again is not None:
        return found, _agreed([found, again], False) is not None
    moved = found or again
    return found, is_one and (moved is None or _agreed([moved, places[id(known[0])]], False) is not None)


def _draw(shape: tuple) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.5, 1.5, shape)


def _transport(
    step: Step, known: list, places: dict[int, Places], after: tuple, others: Callable
) -> tuple[Places | None, bool]:
    """Places behind a layer that copies or interpolates, which is given coordinates, and its further inputs what
    `others` makes, None for a layer of another kind; and whether each position is of one place: not of several apart.
    """
    if not known or len(after) < 2 or any(None in shape for shape in (after, *(tensor.shape[1:] for tensor in known))):
        return None, True
    values = {}
    for tensor in known:
        y, x = (np.broadcast_to(axis, tensor.shape[1:]) for axis in (places[id(tensor)].y, places[id(tensor)].x))
        there = ~np.isnan(y)
        y, x = np.where(there, y, 0), np.where(there, x, 0)
        probes = np.zeros(y.shape), there, y, x, there - (y + x) / 2, y**2, x**2
        values[id(tensor)] = np.stack(probes).astype(np.float32)
    output = call_with(step, values, others)
    if output is None:
        return None, True
    nothing, ones, *parts = output.astype(np.float64)
    weight = ones - nothing  # 1 where values are copied, less where zeros come in, another factor behind a scaling
    largest = np.abs(weight).max()
    there = np.abs(weight) > 0.5 * largest
    if not np.isfinite(output).all() or largest < 1e-6:
        return None, True
    divisor = np.where(there, weight, 1)
    y, x, against, *squares = (np.where(there, (part - nothing) / divisor, np.nan) for part in parts)
    low, high = (choose([choose(part[2:4]) for part in values.values()]) for choose in (np.min, np.max))
    is_copy = np.nanmax(np.abs(1 - (y + x) / 2 - against)) < 1e-3 and min(np.nanmin(y), np.nanmin(x)) > low - 1e-3
    if not is_copy or max(np.nanmax(y), np.nanmax(x)) > high + 1e-3:
        return None, True
    for centre, square in zip((y, x), squares):
        levels = np.unique(centre[there].round(4))
        gap = np.diff(levels).max() if len(levels) > 1 else float(after != tuple(known[0].shape[1:]))
        if np.sqrt(max(np.nanmax(square - centre**2), 0)) > max(FURTHEST_APART, gap):
            return None, False
    first = places[id(known[0])]
    mixed = any(places[id(tensor)].mixed for tensor in known)
    found = replace(first, y=_compress(y), x=_compress(x), margins=(0, 0, 0, 0), mixed=mixed)
    found = _straighten(found, y, x) or found
    through = dict.fromkeys(name for tensor in known for name in places[id(tensor)].through)
    same = found.y.shape == first.y.shape and np.array_equal(found.y, first.y) and np.array_equal(found.x, first.x)
    return replace(found, through=tuple(through) if same else (*through, step.name)), True


def call_with(step: Step, values: dict[int, np.ndarray], others: Callable = np.zeros) -> np.ndarray | None:
    """The output of a step's layer in inference, given `values` (n, ...) by id of an input.

    others: makes what the further inputs are given, of a shape (...). None if the layer cannot be called so, or does
    not keep the n apart.
    """
    n = len(next(iter(values.values())))

    def swap(value):
        if id(value) in values:
            return tf.constant(values[id(value)])
        if not (tf.is_tensor(value) and hasattr(value, "graph")):
            return value
        return tf.cast(tf.broadcast_to(others(value.shape[1:]), [n, *value.shape[1:]]), value.dtype)

    args, kwargs = keras.tree.map_structure(swap, (step.args, step.kwargs))
    layer = (
        step.layer if getattr(step.layer, "weights", ()) else step.layer.call
    )  # which does not cast to half precision
    if "training" in inspect.signature(step.layer.call).parameters:
        kwargs = {**kwargs, "training": False}
    try:
        with tf.init_scope():
            output = layer(*args, **kwargs)
    except Exception:  # of a layer of the user's, on values that it was not made for: any
        return None
    return np.asarray(output, dtype=np.float32) if tf.is_tensor(output) and output.shape[0] == n else None


def _compress(values: np.ndarray) -> np.ndarray:
    """The values with one place left of each axis along which nothing changes."""
    for axis in range(values.ndim):
        first = values.take([0], axis=axis)
        if np.allclose(values, first, rtol=0, atol=1e-4, equal_nan=True):
            values = first
    return values


def _straighten(found: Places, y: np.ndarray, x: np.ndarray) -> Places | None:
    """Places of three axes as even steps along two of them, if they are, padding included; None if they are not."""
    if y.ndim != 3:
        return None
    for along_y, along_x, channels in ((0, 1, 2), (1, 2, 0), (1, 0, 2), (2, 1, 0)):
        lines, ends = [], []
        for values, across in ((y, along_x), (x, along_y)):
            line = _mean(_mean(values, across), channels)
            fit = _fit(line.reshape(-1)) if line.size > 1 else (float(line.reshape(-1)[0]), 0.0)
            if fit is None:
                line = _without_copies(line.reshape(-1)).reshape(line.shape)
                fit = _fit(line.reshape(-1))
            if fit is None or np.nanmax(np.abs(values - line)) > abs(fit[1]) + 1e-3:
                break
            known = np.flatnonzero(~np.isnan(line.reshape(-1)))
            lines.append((fit[0] + fit[1] * np.arange(line.size)).reshape(line.shape))
            ends += [int(known[0]), int(line.size - 1 - known[-1])]
        if len(lines) == 2:
            return replace(found, y=lines[0], x=lines[1], margins=tuple(ends))
    return None


def _without_copies(line: np.ndarray) -> np.ndarray:
    """The values, NaN where one end or the other only repeats some of the longest evenly spaced run: padding by copies.

    As they are where that run is not longer than what stands before and behind it: an image laid side by side.
    """
    steps = np.diff(line)
    changes = np.flatnonzero(~np.isclose(steps[1:], steps[:-1], rtol=0.01, atol=1e-6)) + 1
    bounds = np.concatenate([[0], changes, [len(steps)]])
    longest = int(np.argmax(np.diff(bounds)))
    first, last = int(bounds[longest]), int(bounds[longest + 1])  # of the run's values
    run, step = line[first : last + 1], abs(steps[first])
    others = np.concatenate([line[:first], line[last + 1 :]])
    repeat = (others > run.min() - step / 2).all() and (others < run.max() + step / 2).all()
    if not (repeat and step > 1e-6 and max(first, len(line) - 1 - last) < len(run)):
        return line
    return np.where((np.arange(len(line)) < first) | (np.arange(len(line)) > last), np.nan, line)


# --- layers whose weights move things ----------------------------------------------------------------------
def measure(
    run: Callable[[np.ndarray], np.ndarray | None], places: Places, before: tuple, after: tuple, name: str
) -> Places | None:
    """Places of what `run` makes (n, *after) of (n, *before): where its output changes with which band of its input.

    places: of the input. Positions that nothing changes (class tokens) lie nowhere; the others have to fill a grid of
    equal cells, one each, or else None. The last axis of the output holds the channels, or its first.
    """
    rng = np.random.default_rng(0)
    one, other = rng.uniform(0, 255, (2, *before)).astype(np.float32)
    base = run(one[None])
    if base is None or len(after) not in (2, 3):
        return None
    side = sorted(after)[1] if len(after) == 3 else math.isqrt(after[0]) + 1
    most = min(BANDS_PER_CELL * side, MAX_BANDS)
    changes, middles, edges = [], [], []
    for values in (places.y, places.x):
        levels = np.unique(values[~np.isnan(values)].round(5))
        if len(levels) < 2:
            return None
        half = np.median(np.diff(levels)) / 2
        edges.append((levels[0] - half, levels[-1] + half))
        bands = np.linspace(*edges[-1], min(len(levels), most) + 1)
        middles.append((bands[1:] + bands[:-1]) / 2)
        inside = [np.broadcast_to((values >= a) & (values < b), before) for a, b in zip(bands, bands[1:])]
        found = []
        for start in range(0, len(inside), BANDS_AT_ONCE):
            output = run(np.stack([np.where(band, other, one) for band in inside[start : start + BANDS_AT_ONCE]]))
            found.append((output - base) ** 2)
        changes.append(np.concatenate(found))
    for channels in (len(after) - 1, 0)[: len(after) - 1]:
        put = _put_on_grid([change.sum(axis=channels + 1) for change in changes], middles, edges)
        if put is not None:
            y, x, overlaps = put
            shape = tuple(1 if axis == channels else size for axis, size in enumerate(after))
            y, x = _compress(y.reshape(shape)), _compress(x.reshape(shape))
            return Places(y, x, mixed=places.mixed or overlaps, through=(*places.through, name))
    return None


def _put_on_grid(changes: list, middles: list, edges: list) -> tuple[np.ndarray, np.ndarray, bool] | None:
    """y and x (N,) of positions by how they change (bands, ...) with the bands along y and along x, whose middles are
    given; and whether one changes with another's cell. None if they fill no grid."""
    centres, spreads = [], []
    for change, middle in zip(changes, middles):
        change, middle = change.reshape(len(change), -1), middle[:, None]
        total = change.sum(axis=0)
        there = total > 1e-11 * total.max()
        share = change / np.where(there, total, 1)
        centres.append(np.where(there, (share * middle).sum(axis=0), np.nan))
        spreads.append(np.where(share > 1e-6, np.abs(middle - centres[-1]), 0).max(axis=0))
    grid = _find_grid(*centres, edges)
    if grid is None:
        return None
    (y, n_rows), (x, n_columns) = grid
    wide = [
        np.nanmax(spread) > 0.75 * (high - low) / n
        for spread, n, (low, high) in zip(spreads, (n_rows, n_columns), edges)
    ]
    return y, x, any(wide)


def _find_grid(y: np.ndarray, x: np.ndarray, edges: list) -> tuple | None:
    """((y, rows), (x, columns)): measured centres (N,) put on the grid of equal cells that they fill one each.

    A measured centre may lie up to a cell off, as windows overlap: then the order is row by row or column by column.
    """
    there, best = np.flatnonzero(~np.isnan(y) & ~np.isnan(x)), None
    n, (lows, highs) = len(there), np.transpose(edges)
    measured = (np.stack([y[there], x[there]], axis=1) - lows) / (highs - lows)
    for shape in [(rows, n // rows) for rows in range(1, n + 1) if n % rows == 0]:
        nearest = np.floor(measured * shape).clip(0, np.subtract(shape, 1))
        by_rows = np.stack(np.divmod(np.arange(n), shape[1]), axis=1)
        by_columns = np.stack(np.divmod(np.arange(n), shape[0])[::-1], axis=1)
        for cells, most in ((nearest, 0.5), (by_rows, 1.0), (by_columns, 1.0)):
            off = np.abs(measured * shape - cells - 0.5)
            means = np.abs([off.mean(axis=0).max(), *(_line_means(measured * shape - 0.5 - cells, cells))]).max()
            fills = len(np.unique(cells, axis=0)) == n
            if fills and off.max() <= most and means <= 0.5 and (best is None or off.max() < best[0]):
                best = off.max(), cells, shape
    if best is None:
        return None
    put = np.full((2, len(y)), np.nan)
    put[:, there] = (lows + (best[1] + 0.5) / best[2] * (highs - lows)).T
    return (put[0], best[2][0]), (put[1], best[2][1])


def _line_means(off: np.ndarray, cells: np.ndarray) -> list[float]:
    """How far off each row's rows and each column's columns are on average, in cells."""
    return [float(off[cells[:, axis] == line, axis].mean()) for axis in (0, 1) for line in np.unique(cells[:, axis])]
