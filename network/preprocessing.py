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
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

import constants
from network.operations import Operations, recompute

CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)  # ImageNet mean, 0-255
TORCH_MEAN_RGB = (0.485, 0.456, 0.406)  # ImageNet mean and deviation, 0-1
TORCH_STD_RGB = (0.229, 0.224, 0.225)

OWN = "own"  # the mode of a model whose preprocessor stands beside its layers
AUTO = "auto"
EVEN_PICTURES = np.array(  # RGB; the first three are grey
    [[0, 0, 0], [127.5, 127.5, 127.5], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]], dtype=np.float32
)
LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, as JPEG and Pillow have it; a grey pixel keeps its value exactly
USUAL_RANGE = (0.5, 20.0)  # white minus black, of pixels that were brought to a scale near 1


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
        raise ValueError(
            f"unknown preprocessing {preprocessing!r}; choose one of: {', '.join(constants.PREPROCESSING)}"
        )
    return images


def prepare(images: tf.Tensor, mode: str, channels: int) -> tf.Tensor:
    """RGB 0-255 (n, H, W, 3) as the model takes it, (n, H, W, channels), by a mode of constants.PREPROCESSING."""
    images = preprocess(images, mode)
    return images if channels == 3 else tf.reduce_sum(images * LUMINANCE, axis=-1, keepdims=True)


def check_mode(mode: str | None) -> str | None:
    """The mode, None of 'auto'; ValueError for an unknown one lists the choices."""
    if mode not in (None, AUTO, OWN, *constants.PREPROCESSING):
        choices = ", ".join([AUTO, *constants.PREPROCESSING])
        raise ValueError(f"unknown preprocessing {mode!r}; choose one of: {choices} (--preprocessing)")
    return None if mode == AUTO else mode


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
    or 1), and the least and the largest value of all."""

    even: np.ndarray
    low: float
    high: float

    def is_mode(self, mode: str) -> bool:
        """Whether that mode, applied to the probes, gives these values."""
        wanted = preprocess(tf.constant(EVEN_PICTURES[: len(self.even)]), mode).numpy()
        if self.even.shape[1] == 1 and np.ptp(wanted, axis=1).max() > 0:  # the mode takes colours apart
            return False
        return bool(np.allclose(self.even, wanted, rtol=0, atol=0.01 * np.ptp(wanted)))

    @property
    def is_usual(self) -> bool:
        return USUAL_RANGE[0] <= self.high - self.low <= USUAL_RANGE[1] and self.off_centre < 1.5

    @property
    def off_centre(self) -> float:
        """0 where zero is the middle of the range, 1 where it is an end of it."""
        return abs(self.high + self.low) / max(self.high - self.low, 1e-12)

    def describe(self) -> str:
        named = [mode for mode in ("unit", "tf", "torch", "caffe") if self.is_mode(mode)]
        if self.is_mode("none"):
            return "0-255"
        return constants.PREPROCESSING[named[0]] if named else f"{self.low:.3g} to {self.high:.3g}"


def look_at_pixels(graph, mode: str, shape: tuple[int, int, int]) -> list[Seen]:
    """What each branch of a traced model sees of the probes under a mode; [] where nothing can be seen.

    graph: a `FuncGraph` of the model. shape: (H, W, channels) that it takes.
    """
    tensors = Operations(graph).in_front_of_weights()
    if not tensors:
        return []
    height, width, channels = shape
    noise = np.random.default_rng(constants.SEED).uniform(0, 255, (1, height, width, 3)).astype(np.float32)
    even = np.broadcast_to(EVEN_PICTURES[:, None, None], (len(EVEN_PICTURES), height, width, 3))
    probes = prepare(tf.constant(np.concatenate([even, noise])), mode, channels)
    values = recompute(tensors, tf.cast(probes, graph.inputs[0].dtype))
    # Behind a reshape the rows may be positions: those of an image stand together.
    values = [value if len(value) == len(even) + 1 else value.reshape(len(even) + 1, -1) for value in values]
    return [_read(value, channels) for value in values if np.isfinite(value).all()]


def _read(values: np.ndarray, channels: int) -> Seen:
    """values: of the probes, (n, ...). The middle of an image tells: its border may be padded."""
    if values.ndim == 4 and values.shape[-1] in (1, 3):
        height, width = values.shape[1:3]
        middle = values[:, height // 4 : height - height // 4, width // 4 : width - width // 4]
        even = middle[:-1].mean(axis=(1, 2))
    else:  # patches, or all pixels in one row: colours cannot be told apart
        middle = values.reshape(len(values), -1)
        even = np.median(middle[:3], axis=1)[:, None]
    even = even if channels == 3 else even[:3]  # a model of one channel sees no colours
    found = [even, middle[-1]]
    return Seen(even, min(float(part.min()) for part in found), max(float(part.max()) for part in found))


def find_preprocessing(
    model, steps, graph, shape: tuple[int, int, int], mode: str | None, zoo_mode: str | None, model_name: str | None
) -> Preprocessing:
    """The preprocessing of a model: `mode` where it is given, else what the probe finds.

    steps, graph: of `layer_graph.trace_model`. zoo_mode: what `model_name` wants; None without a name. ValueError
    where branches of the model differ, so that no one mode fits all.
    """
    mode = check_mode(mode)
    if mode == OWN and own_preprocessor(model) is None:
        raise ValueError(
            f"preprocessing {OWN!r} was asked for, but the model carries no preprocessor beside its layers"
        )
    if own_preprocessor(model) is not None and mode in (None, OWN):
        return Preprocessing(OWN, f"it carries one: {type(own_preprocessor(model)).__name__}", in_model=True)
    seen = look_at_pixels(graph, "none", shape)
    changed = [branch for branch in seen if not branch.is_mode("none")]
    what = " and ".join(dict.fromkeys(branch.describe() for branch in seen))
    if mode is not None:
        return Preprocessing(mode, "given", in_model=bool(changed))
    fallback, of_name = zoo_mode or "none", f"of {model_name}; " if zoo_mode else ""
    if not seen:
        return Preprocessing(fallback, f"{of_name}not probed: the model cannot be looked into")
    if not changed:
        return Preprocessing(fallback, f"{of_name}probed: 0-255 reaches the first weights as it is")
    if len(changed) < len(seen) and fallback != "none":
        raise ValueError(
            f"parts of the model take 0-255 as {what}: what {model_name} wants cannot be done before all of them; say "
            f"what should with --preprocessing ({', '.join(constants.PREPROCESSING)})"
        )
    return _fit_scale(steps, graph, shape, changed, what, zoo_mode, model_name)


def _fit_scale(steps, graph, shape, changed: list[Seen], what: str, zoo_mode, model_name) -> Preprocessing:
    """The mode under which the model's own arithmetic ends in a usual scale."""
    in_model = f"probed: 0-255 reaches the first weights as {what}"
    by_statistics = _has_statistics(steps)
    enlarges = any(branch.high - branch.low > 256 for branch in changed)
    if not enlarges and (not by_statistics or any(branch.is_mode(m) for m in ("tf", "torch") for branch in changed)):
        usual = all(branch.is_usual for branch in changed)
        return Preprocessing("none", in_model, in_model=True, doubt="" if usual else _doubt(what))
    fitting = {}
    for mode in dict.fromkeys(["none", "unit", *([zoo_mode] if zoo_mode else [])]):
        branches = [branch for branch in look_at_pixels(graph, mode, shape) if not branch.is_mode(mode)]
        if branches and all(branch.is_usual for branch in branches):
            fitting[mode] = max(branch.off_centre for branch in branches), branches[0].describe()
    if not fitting:
        return Preprocessing("none", in_model, in_model=True, doubt=_doubt(what))
    mode = min(fitting, key=lambda mode: fitting[mode][0])  # the first of equals
    if mode == "none":
        return Preprocessing("none", in_model, in_model=True)
    whose = f"of {model_name}; " if mode == zoo_mode else ""
    found = f"{whose}probed: the model makes it {fitting[mode][1]}, and 0-255 would become {what}"
    return Preprocessing(mode, found, in_model=True)


def _doubt(what: str) -> str:
    return (
        f"the model itself turns pixels of 0-255 into {what}, which is no usual scale: "
        "if it was trained on other pixels, say so with --preprocessing"
    )


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
