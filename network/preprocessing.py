"""What happens to pixels in front of a network's first weights: what we do to them, and what the model does itself.

RGB 0-255 becomes what the network was trained on by one of five modes; those of `keras.applications` keep its names:

    none: as it is    unit: x / 255    tf: x / 127.5 - 1    caffe: BGR minus a mean    torch: (x / 255 - mean) / std

`auto` claims nothing from the names of layers. Even pictures (black, grey, white, red, green, blue) and noise are
sent in, and what comes out in front of the first weights (operations.py) is compared with what goes in:

    the same values        nothing is done: the mode of `model_name`, or none
    another scale          the model does it itself: none - unless it makes 0-255 larger, as `Rescaling(2, -1)`, made
                           for pixels of 0-1, does: then the mode that brings it to a usual scale
    statistics             a batch norm or an adapted normalisation was made for pixels whose mean it takes to zero:
                           the mode that does so

A model that carries a preprocessor of its own beside its layers (a task of KerasHub) has that one applied.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import keras
import numpy as np
import tensorflow as tf

import constants
from network.operations import Operations, recomputing

CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)  # ImageNet mean, 0-255
TORCH_MEAN_RGB = (0.485, 0.456, 0.406)  # ImageNet mean and deviation, 0-1
TORCH_STD_RGB = (0.229, 0.224, 0.225)

OWN = "own"  # the mode of a model whose preprocessor stands beside its layers
EVEN_PICTURES = np.array(  # RGB; the first three are grey
    [[0, 0, 0], [127.5, 127.5, 127.5], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]], dtype=np.float32
)
LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, as JPEG and Pillow have it; a grey pixel keeps its value exactly
USUAL_RANGE = (0.5, 20.0)  # white minus black, of pixels that were brought to a scale near 1
MOST_CHANNELS = 8  # of what is still looked at as an image: colours, and what stands beside them
COLOUR_CHANGES = {  # in words -> what a model may make of pixels (pictures, 3) and leave their scale
    "": lambda pixels: pixels,
    " with red and blue swapped": lambda pixels: pixels[:, ::-1],
    " in grey": lambda pixels: pixels @ np.array(LUMINANCE)[:, None],
    " as a negative": lambda pixels: pixels.max() + pixels.min() - pixels,
}
ASK = "if it was trained on other pixels, say so with --preprocessing"
SAY_WHAT = f"say what should be done with --preprocessing ({', '.join(constants.PREPROCESSING)})"


@dataclass(frozen=True)
class Preprocessing:
    """What is done to pixels: mode, a key of constants.PREPROCESSING or OWN; in words, how it was found; whether the
    model does it itself; and in words what speaks against it, '' where nothing does."""

    mode: str
    found: str
    in_model: bool = False
    doubt: str = ""

    def describe(self) -> str:
        """In words, what is done, and how that was found."""
        if self.mode == OWN:
            return f"the model's own preprocessor ({self.found})"
        what = "in the model itself" if self.in_model and self.mode == "none" else constants.PREPROCESSING[self.mode]
        return f"{what} ({self.found})" if self.mode != "none" or self.in_model else f"{what[:-1]}; {self.found})"


def preprocess(images: tf.Tensor, preprocessing: str) -> tf.Tensor:
    """RGB 0-255 (n, H, W, 3) as the network was trained on it, by a mode of constants.PREPROCESSING."""
    if preprocessing == "unit":
        return images / 255.0
    if preprocessing == "caffe":
        return images[..., ::-1] - tf.constant(CAFFE_MEAN_BGR)
    if preprocessing == "tf":
        return images / 127.5 - 1.0
    if preprocessing == "torch":
        mean, std = tf.constant(TORCH_MEAN_RGB), tf.constant(TORCH_STD_RGB)
        return (images / 255.0 - mean) / std
    if preprocessing != "none":
        raise ValueError(f"unknown preprocessing {preprocessing!r}; choose from: {', '.join(constants.PREPROCESSING)}")
    return images


def prepare(images: tf.Tensor, mode: str, channels: int) -> tf.Tensor:
    """RGB 0-255 (n, H, W, 3) as the model takes it, (n, H, W, channels), by a mode of constants.PREPROCESSING."""
    images = preprocess(images, mode)
    return images if channels == 3 else tf.reduce_sum(images * LUMINANCE, axis=-1, keepdims=True)


def check_mode(mode: str | None) -> str | None:
    """The mode, None of 'auto'; ValueError for an unknown one lists the choices."""
    if mode not in (None, constants.AUTO, OWN, *constants.PREPROCESSING):
        choices = ", ".join([constants.AUTO, *constants.PREPROCESSING])
        raise ValueError(f"unknown preprocessing {mode!r}; choose from: {choices} (--preprocessing)")
    return None if mode == constants.AUTO else mode


def own_preprocessor(model) -> Callable | None:
    """What the model applies to its images before it runs, and keeps beside its layers; None for most models."""
    return getattr(model, "preprocessor", None) if hasattr(model, "preprocess_samples") else None


def apply_own(model, images: tf.Tensor, shape: tuple[int, int, int]) -> tf.Tensor:
    """The images as the model's own preprocessor gives them to it; ValueError if they are not (n, *shape)."""
    try:
        output = own_preprocessor(model)(images)
    except Exception as error:  # whatever a user's own Python raises
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(_not_applied(model, f"it cannot be applied: {reason}")) from error
    if not tf.is_tensor(output) or output.shape.rank != 4 or not output.shape[1:].is_compatible_with(shape):
        given = tuple(output.shape) if tf.is_tensor(output) else type(output).__name__
        raise ValueError(_not_applied(model, f"it gives {given} where the model takes (n, {shape})"))
    return output


def _not_applied(model, reason: str) -> str:
    return (
        f"model {model.name!r} carries a preprocessor of its own, but {reason}; --preprocessing says what to do "
        f"instead: {', '.join(constants.PREPROCESSING)}"
    )


# --- the probe -------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Seen:
    """What one branch of the model sees of the probes: of the even ones, all of them or the greys, (pictures, channels
    or 1); of the noise, all its values; and the least and the largest value of each channel that the image changes."""

    even: np.ndarray
    noise: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def is_mode(self, mode: str, change: str = "") -> bool:
        """Whether that mode, applied to the probes, gives these values, its colours changed so (`COLOUR_CHANGES`)."""
        pixels = preprocess(tf.constant(EVEN_PICTURES[: len(self.even)]), mode).numpy()
        wanted = COLOUR_CHANGES[change](pixels)
        if self.even.shape[1] not in (1, 3) or (self.even.shape[1] == 1 and np.ptp(wanted, axis=1).max() > 0):
            return False  # other channels than those of colours, or colours that are to be told apart
        if mode == "none" and not change:  # black stays 0 in half precision too
            return bool(np.allclose(self.even, wanted, rtol=0.01, atol=0.1))
        return bool(np.allclose(self.even, wanted, rtol=0, atol=0.01 * np.ptp(wanted)))

    @property
    def name(self) -> str:
        """The mode, and how its colours are changed, that give what is seen; '' where none does."""
        for change in COLOUR_CHANGES:
            for mode in ("none", "unit", "tf", "torch", "caffe"):
                if self.is_mode(mode, change):
                    return ("0-255" if mode == "none" else constants.PREPROCESSING[mode]) + change
        return ""

    @property
    def is_usual(self) -> bool:
        """Whether every channel has a scale near 1, or that of 0-255 about 0, and none is cut off."""
        spans = self.high - self.low
        near_one = USUAL_RANGE[0] <= spans.min() and spans.max() <= USUAL_RANGE[1] and self.off_centre < 1.5
        about_0 = np.allclose(spans, 255, atol=2) and self.off_centre < 0.5
        return bool(near_one or about_0) and not self.is_cut

    @property
    def is_cut(self) -> bool:
        """Whether grey is seen as black is, or as white, and these two are told apart."""
        black, grey, white = self.even[:3]
        return bool(min(np.abs(grey - black).max(), np.abs(white - grey).max()) < 1e-3 * np.abs(white - black).max())

    @property
    def off_centre(self) -> float:
        """0 where zero is the middle of the range, 1 where it is an end of it."""
        low, high = self.low.min(), self.high.max()
        return float(abs(high + low) / max(high - low, 1e-12))

    def describe(self) -> str:
        return self.name or f"{self.low.min():.3g} to {self.high.max():.3g}"


class Probe:
    """A traced model that is sent pictures, and what reaches the first weights of each of its branches.

    graph: a `FuncGraph` of the model. shape: (H, W, channels) that it takes.
    """

    def __init__(self, graph, shape: tuple[int, int, int]):
        self.shape = height, width, _ = shape
        tensors = Operations(graph).in_front_of_weights()
        self._run, self._dtype = recomputing(tensors) if tensors else None, graph.inputs[0].dtype
        noise = np.random.default_rng(constants.SEED).uniform(0, 255, (1, height, width, 3)).astype(np.float32)
        even = np.broadcast_to(EVEN_PICTURES[:, None, None], (len(EVEN_PICTURES), height, width, 3))
        self._pictures = np.concatenate([even, noise])

    def look(self, mode: str) -> list[np.ndarray]:
        """What reaches the first weights of each branch of the probes under a mode, (n, ...); [] of a model that
        cannot be looked into. Behind a reshape the rows may be positions: those of an image are put together."""
        if self._run is None:
            return []
        pictures = self._pictures
        values = self._run(tf.cast(prepare(tf.constant(pictures), mode, self.shape[2]), self._dtype))
        return [value if len(value) == len(pictures) else value.reshape(len(pictures), -1) for value in values]

    def under(self, mode: str) -> list[Seen]:
        """What each branch sees of the probes under a mode."""
        return [_read(value, self.shape[2]) for value in self.look(mode)]


def _read(values: np.ndarray, channels: int) -> Seen:
    """values: of the probes, (n, ...). The middle of an image tells: its border may be padded."""
    if values.ndim == 4 and values.shape[1] <= MOST_CHANNELS < values.shape[-1]:
        values = np.moveaxis(values, 1, -1)  # channels first
    if values.ndim == 4 and values.shape[-1] <= MOST_CHANNELS:
        height, width, depth = values.shape[1:]
        middle = values[:, height // 4 : height - height // 4, width // 4 : width - width // 4]
        even, noise = middle[:-1].mean(axis=(1, 2)), middle[-1].reshape(-1, depth)
    else:  # patches, or all pixels in one row: colours cannot be told apart
        middle = values.reshape(len(values), -1)
        even, noise = np.median(middle[:3], axis=1)[:, None], middle[-1][:, None]
    even = even if channels == 3 else even[:3]  # a model of one channel sees no colours
    known = np.concatenate([even, noise] if np.isfinite(even).all() else [noise])
    low, high = known.min(axis=0), known.max(axis=0)
    moves = np.ptp(even, axis=0) > 0  # a channel of coordinates does not
    moves = moves if moves.any() else np.full(len(low), True)
    return Seen(even[:, moves], values[-1].reshape(-1), low[moves], high[moves])


def find_preprocessing(
    model,
    steps,
    graph,
    shape: tuple[int, int, int],
    given: "str | Preprocessing | None",
    zoo_mode: str | None,
    model_name: str | None,
) -> Preprocessing:
    """The preprocessing of a model: the one that is given, else what the probe finds.

    steps, graph: of `layer_graph.trace_model`. given: a mode, or a `Preprocessing` that says how it was found.
    zoo_mode: what `model_name` wants; None without a name. ValueError, naming the flag, where branches of the model
    differ, so that no one mode fits all, and where what the name wants does not go with what the model does.
    """
    mode = check_mode(given.mode if isinstance(given, Preprocessing) else given)
    if mode == OWN and own_preprocessor(model) is None:
        raise ValueError(
            f"preprocessing {OWN!r} was asked for, but the model carries no preprocessor beside its layers"
        )
    if own_preprocessor(model) is not None and mode in (None, OWN):
        return Preprocessing(OWN, f"it carries one: {type(own_preprocessor(model)).__name__}", in_model=True)
    probe = Probe(graph, shape)
    seen = {place: branch for place, branch in enumerate(probe.under("none")) if np.isfinite(branch.noise).all()}
    changed = [place for place, branch in seen.items() if not branch.is_mode("none")]
    what = " and ".join(dict.fromkeys(branch.describe() for branch in seen.values()))
    if mode is not None:
        return Preprocessing(mode, getattr(given, "found", "given"), in_model=bool(changed))
    fallback, of_name = zoo_mode or "none", f"of {model_name}; " if zoo_mode else ""
    if not seen:
        return Preprocessing(fallback, f"{of_name}not probed: the model cannot be looked into")
    if not changed:
        if not all(probe.under(fallback)[place].is_mode(fallback) for place in seen):
            raise ValueError(
                f"the model leaves 0-255 as it is, but not what {model_name} wants, "
                f"{constants.PREPROCESSING[fallback]}: {SAY_WHAT}"
            )
        return Preprocessing(fallback, f"{of_name}probed: 0-255 reaches the first weights as it is")
    if len(changed) < len(seen) and fallback != "none":
        raise ValueError(
            f"parts of the model take 0-255 as {what}: what {model_name} wants cannot be done before all of them; "
            f"{SAY_WHAT}"
        )
    views = {}
    for mode in dict.fromkeys(["none", fallback, "tf", "unit"]):
        branches = probe.under(mode)
        views[mode] = [branches[place] for place in changed]
    return _fit_scale(views, _has_statistics(steps), what, fallback, model_name)


def _fit_scale(
    views: dict[str, list[Seen]], by_statistics: bool, what: str, zoo_mode: str, model_name: str | None
) -> Preprocessing:
    """The mode under which the model's own arithmetic ends in a usual scale.

    views: under each mode, what the branches see that change 0-255. what: of all branches, in words.
    """
    plain, in_model = views["none"], f"probed: 0-255 reaches the first weights as {what}"
    itself = Preprocessing("none", in_model, in_model=True)
    if all(_same_values(*pair) for pair in zip(plain, views["unit"])):
        return replace(itself, found=f"{in_model}, and so do pixels of another scale")
    if all(branch.name.startswith("0-255") for branch in plain) and zoo_mode != "none":  # colours are changed alone
        if zoo_mode in ("unit", "tf") and all(
            branch.name.startswith(constants.PREPROCESSING[zoo_mode]) for branch in views[zoo_mode]
        ):
            return Preprocessing(zoo_mode, f"of {model_name}; {in_model}", in_model=True)
        raise ValueError(
            f"0-255 reaches the first weights as {what}: whether what {model_name} wants, "
            f"{constants.PREPROCESSING[zoo_mode]}, goes before it cannot be known; {SAY_WHAT}"
        )
    named = [mode for mode, branches in views.items() if all(branch.name for branch in branches)]
    usual = [mode for mode, branches in views.items() if all(branch.name or branch.is_usual for branch in branches)]
    if not usual:
        doubt = f"the model itself turns pixels of 0-255 into {what}, which is no usual scale: {ASK}"
        return replace(itself, doubt=doubt)
    if "none" in (usual if not by_statistics else named):
        mode = "none"
    elif named and not by_statistics:
        mode = named[0]
    else:
        mode = min(usual, key=lambda mode: max(branch.off_centre for branch in views[mode]))  # the first of equals
    if mode == "none":
        return itself
    made = " and ".join(dict.fromkeys(branch.describe() for branch in views[mode]))
    whose = f"of {model_name}; " if mode == zoo_mode else ""
    found = f"{whose}probed: the model makes it {made}, and 0-255 would become {what}"
    is_sure = by_statistics or mode in named or any((branch.high - branch.low).max() > 256 for branch in plain)
    doubt = (
        f"the model is given {constants.PREPROCESSING[mode]}, as it makes {what} of 0-255 and {made} of these: {ASK}"
    )
    return Preprocessing(mode, found, in_model=True, doubt="" if is_sure else doubt)


def _same_values(one: Seen, other: Seen) -> bool:
    return np.allclose(one.noise, other.noise, rtol=0, atol=0.03 * np.ptp(one.noise))


def _has_statistics(steps) -> bool:
    """Whether a normalisation by means and deviations of data stands in front of the first kernel."""
    for step in steps:
        if isinstance(step.layer, (keras.layers.BatchNormalization, keras.layers.Normalization)):
            return True
        if any(len(weight.shape) > 1 for weight in getattr(step.layer, "weights", ())):
            return False
    return False


# --- what the probabilities of images say of it ----------------------------------------------------------------
def doubt_probabilities(probabilities: np.ndarray) -> str:
    """In words, what speaks against the probabilities (N, C) of different images; '' where nothing does.

    A network that was trained on other pixels is mostly sure of everything, or gives every image the same.
    """
    if len(probabilities) < 2:
        return ""
    nearest = np.minimum(probabilities, 1 - probabilities).max(axis=1)  # how far the least certain class is from sure
    if nearest.max() < 1e-4:
        return f"the probabilities of all {len(probabilities)} images are 0 or 1 to four digits"
    if np.ptp(probabilities, axis=0).max() < 1e-3:
        return f"the probabilities of all {len(probabilities)} images are alike"
    return ""
