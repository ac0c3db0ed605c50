"""What a Keras model is, read off its own layers: image size, outputs, precision, layer to look at.

Everything is decided from the steps of `layer_graph.trace_model`; every refusal says what was found and what
the choices are.
"""

import math
import zlib
from collections import Counter
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from network.layer_graph import Step, has_graph, is_convolution, without_activation

FEWEST_PIXELS = 8  # along a side, of what may be an image: less is a signal, or a row of a table
KEEPS_CHANNELS_APART = (
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.MaxPooling2D,
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.Identity,
)


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
        raise ValueError(
            f"a model with one image input is wanted; this one has {len(shape)}: {names}. {_wrap_inputs(model)}"
        )
    if len(shape) != 4 or shape[-1] not in (1, 3, None):
        raise ValueError(
            f"a model that takes (n, H, W, 3) or (n, H, W, 1) is wanted; this one takes {shape}. {_wrap(shape)}"
        )
    return shape[1] or height, shape[2] or width, shape[3] or 3


def _wrap(shape: tuple) -> str:
    """In words, the lines of Python that make a model of RGB images of one that takes another shape, where there are
    some."""
    square = math.isqrt(shape[1] // 3) if len(shape) == 2 and shape[1] and shape[1] % 3 == 0 else 0
    grey = math.isqrt(shape[1]) if len(shape) == 2 and shape[1] else 0
    if len(shape) == 4 and shape[1] in (1, 3):
        image, inside, why = (shape[2], shape[3], shape[1]), "keras.layers.Permute((3, 1, 2))(image)", "channels first"
    elif len(shape) == 4 and (shape[-1] or 0) > 3:
        image, why = (*shape[1:3], 3), "further channels, here of 255"
        pads = f"[[0, 0], [0, 0], [0, 0], [0, {shape[-1] - 3}]]"
        inside = f"keras.ops.pad(image, {pads}, constant_values=255)"
    elif len(shape) == 5 and shape[-1] in (1, 3):
        image, why = shape[2:], "one image as all frames of a film"
        inside = f"keras.ops.repeat(keras.ops.expand_dims(image, 1), {shape[1] or 16}, axis=1)"
    elif len(shape) == 3 and min(side or FEWEST_PIXELS for side in shape[1:]) >= FEWEST_PIXELS:
        image, inside, why = (*shape[1:], 1), "keras.ops.squeeze(image, -1)", "no axis of channels"
    elif square >= FEWEST_PIXELS and 3 * square**2 == shape[1]:
        image, inside, why = (square, square, 3), "keras.layers.Flatten()(image)", "pixels in a row"
    elif grey >= FEWEST_PIXELS and grey**2 == shape[1]:
        image, inside, why = (grey, grey, 1), "keras.layers.Flatten()(image)", "pixels in a row"
    else:
        return "In Python, keras.Model(image, model(...)) makes one of it: of an image (H, W, 3) what this one takes"
    return f"In Python ({why}): image = keras.Input({image}); model = keras.Model(image, model({inside}))"


def _wrap_inputs(model) -> str:
    """In words, the lines of Python that leave a model its image input and give constants to the others."""
    shapes = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
    image = next((name for name, shape in shapes.items() if len(shape) == 3 and shape[-1] in (1, 3)), None)
    sizes = {name: math.prod(side or 0 for side in shape) for name, shape in shapes.items()}
    if image is None or not all(0 < size <= sizes[image] for size in sizes.values()):
        return "In Python, keras.Model(image, model([image, ...])) makes one of it that gives the others fixed values"
    flat = "keras.ops.zeros_like(keras.layers.Flatten()(image))"
    values = [
        "image" if name == image else f"keras.layers.Reshape({shape})({flat}[:, :{sizes[name]}])"
        for name, shape in shapes.items()
    ]
    if isinstance(model.input, dict):
        named = {tensor.name: value for tensor, value in zip(model.inputs, values)}
        given = ", ".join(f"{key!r}: {named[tensor.name]}" for key, tensor in model.input.items())
        given = f"{{{given}}}"
    else:
        given = f"[{', '.join(values)}]"
    return (
        f"In Python (zeros, or what you have, for the others): image = keras.Input({shapes[image]}); "
        f"model = keras.Model(image, model({given}))"
    )


def choose_output(model, name: str | None, all_of_them: bool) -> tuple[object, Callable]:
    """The model up to the output of that name, and what picks it from what that model gives.

    all_of_them: without a name, a model of several outputs gives them all. ValueError for a name that no output has,
    and for several outputs without one, naming them.
    """
    outputs = getattr(model, "output", None) if has_graph(model) else None
    if outputs is None:  # a model with a `call` of its own shows its outputs when it runs
        return model, lambda given: _pick_output(given, name, all_of_them)
    named = outputs if isinstance(outputs, dict) else dict(zip(model.output_names, keras.tree.flatten(outputs)))
    if len(named) == 1 and name in (None, *named):
        return model, lambda given: keras.tree.flatten(given)[0]
    if name is None and all_of_them:
        return model, lambda given: given
    wanted = _pick_output(named, name, all_of_them)
    return keras.Model(model.input, wanted, name=model.name), lambda given: given


def _pick_output(given, name: str | None, all_of_them: bool):
    if not isinstance(given, (list, tuple, dict)):
        if name is not None:
            raise ValueError(f"output_name {name!r} was given; the model has one output without a name")
        return given
    named = given if isinstance(given, dict) else {str(position): tensor for position, tensor in enumerate(given)}
    if name in named:
        return named[name]
    if name is None and (all_of_them or len(named) == 1):
        return given if all_of_them else next(iter(named.values()))
    choices = ", ".join(named)
    problem = f"a model with one output is wanted; this one has {len(named)}" if name is None else f"no output {name!r}"
    raise ValueError(f"{problem}: {choices}. Choose one with --output_name")


def read_n_outputs(output) -> int:
    """How many numbers (n, outputs) the model gives for one image; ValueError for an output of another shape."""
    shape = output.shape
    if shape.rank not in (2, 4) or shape[-1] is None or (shape.rank == 4 and shape[1:3].num_elements() != 1):
        raise ValueError(
            f"a model that gives (n, classes) is wanted; this one gives {tuple(shape)}: in Python a target "
            "says what of it is to be explained (docs/targets.md)"
        )
    return shape[-1]


def read_target(target: Callable, output) -> tf.Tensor:
    """What a target makes of the model's outputs, (n, 1), float32; ValueError if it is not one number an image."""
    value = target(output)
    if not tf.is_tensor(value) or value.shape.rank != 1:
        given = tuple(value.shape) if tf.is_tensor(value) else type(value).__name__
        raise ValueError(f"target should return a tensor (n,), one number for each image; it returned {given}")
    return tf.cast(value, tf.float32)[:, None]


def describe_precision(steps: Sequence[Step], precision: str) -> str:
    """In words, the arithmetic of forward passes and how it was found: given, or that of the model's layers."""
    if precision != "float32":
        return f"{precision} (given)"
    policies = [getattr(step.layer, "dtype_policy", None) for step in steps if getattr(step.layer, "weights", ())]
    names = Counter(policy.name for policy in policies if policy is not None)
    return f"{', '.join(name for name, _ in names.most_common()) or precision} (of the model's layers)"


def _function(layer):
    """What the layer applies last: its activation, which may be a function or a layer, or else the layer itself."""
    activation = getattr(layer, "activation", None)
    return layer if activation is None else activation


def _function_name(layer) -> str:
    function = _function(layer)
    return getattr(function, "__name__", type(function).__name__).lower()


def _only_applies_a_function(layer) -> bool:
    return _function(layer) is layer or isinstance(layer, keras.layers.Activation)


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


def used_kernel(dense) -> np.ndarray:
    """The weights (K, units), float32, that a dense layer multiplies its inputs with: of a quantised one not the
    integers that it stores, but what they stand for."""
    if getattr(dense, "quantization_mode", None) is None:
        return np.asarray(dense.kernel, dtype=np.float32)
    linear, n_inputs = without_activation(dense), dense.input_spec.axes[-1]
    units = np.concatenate([np.eye(n_inputs, dtype=np.float32), np.zeros((1, n_inputs), np.float32)])
    answers = np.asarray(linear(units), dtype=np.float32)
    return answers[:-1] - answers[-1]


def read_kernel(layer) -> np.ndarray | None:
    """The kernel (h, w, inputs of a filter, filters) of a convolution; None for another layer.

    A depthwise filter has one input; of a separable convolution it is the depthwise part.
    """
    if not is_convolution(layer):
        return None
    stored = next(weight for weight in layer.weights if len(weight.shape) == 4)
    kernel = np.asarray(layer.kernel if getattr(layer, "lora_enabled", False) else stored)
    if isinstance(layer, (keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)):
        return kernel.reshape(*kernel.shape[:2], 1, -1)
    return kernel.swapaxes(2, 3) if isinstance(layer, keras.layers.Conv2DTranspose) else kernel
