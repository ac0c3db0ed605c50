"""What a Keras model is, read off its own layers: image size, classes, score, preprocessing, layer to look at.

Everything is decided from the steps of `layer_graph.trace_model`; every refusal says what was found and what
the choices are.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from network.layer_graph import Step, is_convolution, without_activation

SOFTMAX, SIGMOID = "softmax", "sigmoid"
KEEPS_CHANNELS_APART = (
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.MaxPooling2D,
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.Identity,
)
RELU_OPERATIONS = ("Relu", "Relu6")  # TensorFlow's, whatever layer runs them
ARITHMETIC = ("Add", "Subtract", "Multiply", "Divide", "TrueDivide")  # of keras.ops, as in `preprocess_input(images)`
SCALES_PIXELS = (keras.layers.Rescaling, keras.layers.Normalization, keras.layers.Lambda)


@dataclass(frozen=True)
class Score:
    """How the model's output comes about: where its logits are, and what turns them into probabilities.

    path: of the layer that gives the logits or applies the score function. layer: what to call in its place,
    None where its input is the logits already. function: 'softmax' or 'sigmoid'. one_unit: one output for two
    classes. hides_logits: only probabilities can be had, their logarithm stands for the logits.
    """

    path: str
    layer: object | None
    function: str
    one_unit: bool
    hides_logits: bool = False


def check_weights(model) -> None:
    """Raises ValueError for a model that is not built or holds weights that are not finite."""
    if not model.built:
        raise ValueError(f"model {model.name!r} is not built: give it an Input, or call it once on a batch")
    for variable in model.weights:
        if not np.isfinite(variable.numpy()).all():
            raise ValueError(f"the weights {variable.path!r} hold NaN or infinite values")


def fingerprint(model) -> str:
    """A short text that changes when a weight changes."""
    checksum = 0
    for weight in model.get_weights():
        checksum = zlib.crc32(np.ascontiguousarray(weight).view(np.uint8).reshape(-1), checksum)
    return f"{checksum:08x}"


def read_input_shape(model, height: int, width: int) -> tuple[int, int, int]:
    """(H, W, channels) the model takes; `height`, `width` where it takes any size."""
    shape = getattr(model, "input_shape", None)
    if shape is None:  # a model with a `call` of its own knows only what it was built on
        shape = tuple((model.get_build_config() or {}).get("input_shape") or (None, None, None, 3))
    if isinstance(shape, (list, dict)):
        names = ", ".join(tensor.name for tensor in model.inputs)
        raise ValueError(f"a model with one image input is wanted; this one has {len(shape)}: {names}")
    if len(shape) != 4 or shape[-1] not in (1, 3, None):
        raise ValueError(f"a model that takes (n, H, W, 3) or (n, H, W, 1) is wanted; this one takes {shape}")
    return shape[1] or height, shape[2] or width, shape[3] or 3


def read_n_outputs(model, output) -> int:
    """How many outputs (n, outputs) the model has for one image."""
    if isinstance(output, (list, tuple, dict)):
        names = ", ".join(output) if isinstance(output, dict) else ", ".join(model.output_names)
        raise ValueError(
            f"a model with one output is wanted; this one has {len(output)}: {names}. "
            "Choose one: keras.Model(model.input, model.get_layer(NAME).output)"
        )
    shape = output.shape
    if shape.rank not in (2, 4) or shape[-1] is None or (shape.rank == 4 and shape[1:3].num_elements() != 1):
        raise ValueError(f"a model that gives (n, classes) is wanted; this one gives {tuple(shape)}")
    return shape[-1]


def find_score(model, steps: Sequence[Step], output, probe: np.ndarray) -> Score:
    """The score of a model with the given output; `probe`: a batch of inputs to try a closed model on."""
    producers = {}
    for step in steps:
        producers.setdefault(id(step.output), step)  # a layer may hand on the very tensor it was given
    step = producers.get(id(output))
    while step is not None and _keeps_the_score(step.layer):
        step = producers.get(id(step.inputs[0]))
    if step is None:
        raise ValueError("a classifier is wanted; the model hands its input on as it is")
    one_unit = output.shape[-1] == 1
    # What `activation` means is known of Keras's own layers, and of one that runs once.
    known = type(step.layer).__module__.startswith("keras.") and sum(other.path == step.path for other in steps) == 1
    activation, name = (getattr(step.layer, "activation", None), _function_name(step.layer)) if known else (None, "")
    if name in (SOFTMAX, SIGMOID):
        layer = None if _only_applies_a_function(step.layer) else without_activation(step.layer)
        return Score(step.path, layer, name, one_unit)
    if activation is not None and name != "linear":
        raise ValueError(f"the model ends in {name!r} ({step.path}); softmax, sigmoid or logits are wanted")
    function = SIGMOID if one_unit else SOFTMAX
    if getattr(step.layer, "kernel", None) is not None:  # a Dense or Conv2D without activation
        return Score(step.path, step.layer, function, one_unit)
    # A `call` of its own, a mean of several networks: only the numbers tell whether these are probabilities.
    numbers = np.asarray(model(probe, training=False), dtype=np.float32)
    lie_in_range = bool(numbers.min() >= 0 and numbers.max() <= 1)
    sum_to_one = not one_unit and np.allclose(numbers.sum(axis=-1), 1, atol=1e-3)
    pooled = producers.get(id(step.inputs[0])) if "Pooling" in type(step.layer).__name__ else None
    if lie_in_range and not sum_to_one and (pooled is None or _function_name(pooled.layer) in (SOFTMAX, SIGMOID)):
        return Score(step.path, step.layer, SIGMOID, one_unit, hides_logits=True)
    return Score(step.path, step.layer, function, one_unit, hides_logits=lie_in_range and sum_to_one)


def _function(layer):
    """What the layer applies last: its activation, which may be a function or a layer, or else the layer itself."""
    activation = getattr(layer, "activation", None)
    return layer if activation is None else activation


def _function_name(layer) -> str:
    function = _function(layer)
    return getattr(function, "__name__", type(function).__name__).lower()


def _only_applies_a_function(layer) -> bool:
    return _function(layer) is layer or isinstance(layer, keras.layers.Activation)


def _keeps_the_score(layer) -> bool:
    """Whether the layer only hands scores on: in another shape, in another precision, or as they are."""
    linear = isinstance(layer, keras.layers.Activation) and layer.activation is keras.activations.linear
    return linear or type(layer).__name__ in ("Reshape", "Flatten", "Dropout", "Identity", "Cast")


def count_relus(graph) -> int:
    """How many ReLUs a traced network runs through, those inside other layers and custom ones included."""
    return sum(operation.type in RELU_OPERATIONS for operation in graph.get_operations())


def find_channel_mixing(steps: Sequence[Step], layer: Step) -> tuple[int, int]:
    """Where `layer` stands among the steps, and the last step behind it, or itself, up to which channels stay
    apart and one of zeros stays so."""
    start = found = _position(steps, layer)
    while True:
        after = [
            position
            for position in range(found + 1, len(steps))
            if any(tensor is steps[found].output for tensor in steps[position].inputs)
        ]
        if len(after) != 1 or not _keeps_channels_apart(steps[after[0]].layer):
            return start, found
        found = after[0]


def _position(steps: Sequence[Step], wanted: Step) -> int:
    """By identity, not by path: a layer that is used twice has two steps."""
    return next(position for position, step in enumerate(steps) if step is wanted)


def _keeps_channels_apart(layer) -> bool:
    is_relu = _only_applies_a_function(layer) and _function_name(layer) in ("relu", "relu6")
    return is_relu or isinstance(layer, KEEPS_CHANNELS_APART)


def read_kernel(layer) -> np.ndarray | None:
    """The kernel (h, w, inputs of a filter, filters) of a convolution; None for another layer.

    A depthwise filter has one input; of a separable convolution it is the depthwise part.
    """
    if not is_convolution(layer):
        return None
    kernel = np.asarray(next(weight for weight in layer.weights if len(weight.shape) == 4))
    if isinstance(layer, (keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)):
        return kernel.reshape(*kernel.shape[:2], 1, -1)
    return kernel.swapaxes(2, 3) if isinstance(layer, keras.layers.Conv2DTranspose) else kernel


def preprocesses_itself(steps: Sequence[Step]) -> bool:
    """Whether scaling or arithmetic on pixels stands before the model's first convolution."""
    for step in steps:
        if is_convolution(step.layer):
            return False
        if isinstance(step.layer, SCALES_PIXELS) or type(step.layer).__name__ in ARITHMETIC:
            return True
    return False
