"""The weights that CAM sees a feature map through: those of the one linear layer behind the mean over positions.

Taken are Dense, a 1 x 1 convolution on the pooled vector (MobileNet) or before the mean, which is the same, and no such
layer at all where the map holds one channel per class (SqueezeNet).
"""

from collections.abc import Sequence

import keras
import numpy as np

from network.layer_graph import Step
from network.model_reading import used_kernel
from network.scores import OPERATION, Score
from network.tokens import Reading

PASSES_VALUES_ON = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Identity,
)
SCORE_OPERATIONS = ("Softmax", "LogSoftmax", "Sigmoid")  # keras.ops
PASSING_OPERATIONS = ("Reshape", "Squeeze", "Cast")  # keras.ops


def read_head(steps: Sequence[Step], layer: Step, reading: Reading, score: Score) -> np.ndarray:
    """Weights (K, units) of the mean over positions of the layer's map in each logit.

    ValueError for another head, naming what was found.
    """
    behind = list(steps[steps.index(layer) + 1 :])
    found = ", ".join(f"{step.name} ({type(step.layer).__name__})" for step in behind[:6]) or "nothing"
    weights, is_mean, n_linear, at = np.eye(reading.shape[2], dtype=np.float32), False, 0, layer
    while not reading.has_others:
        following = [
            step  # dropout hands on the very tensor that it is given
            for step in behind
            if any(tensor is at.output for tensor in step.inputs) and step.output is not at.output
        ]
        if len(following) != 1:
            break
        step = following[0]
        is_last = all(map(_passes_on, behind[behind.index(step) + 1 :]))
        kernel = _kernel_of_one_position(step.layer)
        if _averages(step, reading) and not is_mean:
            is_mean = True
        elif _fits(kernel, weights) and n_linear == 0 and (is_last or _is_linear(step.layer)):
            weights, n_linear = weights @ kernel, 1
        elif not _passes_on(step) and not (is_last and score.output == OPERATION and _is_score_alone(step.layer)):
            break
        at, behind = step, behind[behind.index(step) + 1 :]
    if not is_mean or reading.has_others or behind or score.hides_logits:
        raise ValueError(f"a mean over positions and one dense layer are wanted behind {layer.path!r}; found: {found}")
    return weights


def _averages(step: Step, reading: Reading) -> bool:
    """Whether the step is the mean over all positions of the map."""
    layer = step.layer
    if isinstance(layer, (keras.layers.GlobalAveragePooling2D, keras.layers.GlobalAveragePooling1D)):
        return (getattr(layer, "data_format", None) == "channels_first") == reading.channels_first
    if isinstance(layer, keras.layers.AveragePooling2D):
        whole = tuple(layer.pool_size) == tuple(reading.shape[:2])
        return whole and not reading.channels_first and step.output.shape[1:3].num_elements() == 1
    if type(layer).__name__ != "Mean" or getattr(layer, "axis", None) is None:
        return False
    rank = step.inputs[0].shape.rank
    axes = {axis % rank for axis in ([layer.axis] if isinstance(layer.axis, int) else layer.axis)}
    channels = 1 if reading.channels_first else rank - 1
    return axes == set(range(1, rank)) - {channels}


def _kernel_of_one_position(layer) -> np.ndarray | None:
    """The matrix (K, units) of a Dense layer or a 1 x 1 convolution; None for another layer."""
    if isinstance(layer, keras.layers.Dense):
        return used_kernel(layer)
    is_convolution = type(layer) is keras.layers.Conv2D and layer.groups == 1
    if not is_convolution or set(layer.kernel_size) | set(layer.strides) != {1}:
        return None
    return np.asarray(layer.kernel, dtype=np.float32)[0, 0]


def _fits(kernel: np.ndarray | None, weights: np.ndarray) -> bool:
    return kernel is not None and len(kernel) == weights.shape[1]


def _is_linear(layer) -> bool:
    return layer.activation is keras.activations.linear


def _is_score_alone(layer) -> bool:
    """Whether the layer applies a softmax or a sigmoid and nothing else."""
    return (
        isinstance(layer, (keras.layers.Activation, keras.layers.Softmax)) or type(layer).__name__ in SCORE_OPERATIONS
    )


def _passes_on(step: Step) -> bool:
    linear = isinstance(step.layer, keras.layers.Activation) and _is_linear(step.layer)
    return linear or isinstance(step.layer, PASSES_VALUES_ON) or type(step.layer).__name__ in PASSING_OPERATIONS
