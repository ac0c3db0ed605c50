"""The weights that CAM sees a feature map through: those of what is linear behind the mean over positions.

Taken are Dense, a 1 x 1 convolution on the pooled vector (MobileNet) or before the mean, which is the same, several of
them in a row, whose weights multiply, a batch norm, and no such layer at all where the map holds one channel per class
(SqueezeNet). Behind a function that is not linear no class has weights: MobileNetV3's hard swish stands between its two
convolutions on the pooled vector, what a channel adds to a logit depends on all others, and there is no CAM of it.
"""

from collections.abc import Sequence

import keras
import numpy as np

from network.layer_graph import Step
from network.model_reading import used_kernel
from network.scores import OPERATION, Score
from network.tokens import FeatureLayout

PASSES_VALUES_ON = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Identity,
)
SCORES = ("softmax", "sigmoid", "logsoftmax")  # functions that logits go into
PASSING_OPERATIONS = ("Reshape", "Squeeze", "Cast")  # keras.ops


def read_cam_weights(steps: Sequence[Step], layer: Step, layout: FeatureLayout, score: Score) -> np.ndarray:
    """Weights (K, units) of the mean over positions of the layer's map in each logit.

    ValueError for another head, naming what was found.
    """
    behind = list(steps[steps.index(layer) + 1 :])
    found = ", ".join(f"{step.name} ({type(step.layer).__name__})" for step in behind[:6]) or "nothing"
    weights, is_mean, ended, at, between = None, False, False, layer, ""  # None: the identity
    channels_first = layout.channels_first
    while True:
        following = [
            step  # dropout hands on the very tensor that it is given
            for step in behind
            if any(tensor is at.output for tensor in step.inputs) and step.output is not at.output
        ]
        if len(following) != 1 or layout.has_others:
            break
        at = following[0]
        behind, kernel, function = behind[behind.index(at) + 1 :], _kernel_of_one_position(at), _end(at.layer)
        if _averages(at, layout, channels_first) and not is_mean and not ended:
            is_mean = True
        elif isinstance(at.layer, keras.layers.Permute) and not is_mean and _moved(at, channels_first) is not None:
            channels_first = _moved(at, channels_first)
        elif _fits(kernel, layout.shape[2] if weights is None else weights.shape[1]) and function and not ended:
            weights, ended = kernel if weights is None else weights @ kernel, function in SCORES
        elif kernel is None and function in SCORES and not ended:
            ended = True
        elif not _passes_on(at):
            if is_mean and (kernel is not None or getattr(at.layer, "activation", None) is not None):
                between = (
                    f". {at.name!r} behind the mean applies {_function(at.layer)}, which is not linear: what a channel "
                    "adds to a logit depends on the others, it has no weight of its own; GRADCAM takes its gradient"
                )
            is_mean = False
            break
    ends_well = not ended or score.output == OPERATION
    if not is_mean or following or layout.has_others or not ends_well or score.hides_logits:
        raise ValueError(
            f"a mean over positions and linear layers alone are wanted behind {layer.path!r}; found: {found}{between}"
        )
    return np.eye(layout.shape[2], dtype=np.float32) if weights is None else weights


def _moved(step: Step, channels_first: bool) -> bool | None:
    """Whether the channels stand first behind a permutation of axes; None if they stand between the positions."""
    dims = list(step.layer.dims)
    axis = dims.index(1 if channels_first else len(dims)) + 1
    return {1: True, len(dims): False}.get(axis)


def _averages(step: Step, layout: FeatureLayout, channels_first: bool) -> bool:
    """Whether the step is the mean over all positions of the map."""
    layer = step.layer
    if isinstance(layer, (keras.layers.GlobalAveragePooling2D, keras.layers.GlobalAveragePooling1D)):
        return (getattr(layer, "data_format", None) == "channels_first") == channels_first
    if isinstance(layer, keras.layers.AveragePooling2D):
        whole = tuple(layer.pool_size) == tuple(layout.shape[:2])
        return whole and not channels_first and step.output.shape[1:3].num_elements() == 1
    if type(layer).__name__ != "Mean" or getattr(layer, "axis", None) is None:
        return False
    rank = step.inputs[0].shape.rank
    axes = {axis % rank for axis in ([layer.axis] if isinstance(layer.axis, int) else layer.axis)}
    channels = 1 if channels_first else rank - 1
    return axes == set(range(1, rank)) - {channels}


def _kernel_of_one_position(step: Step) -> np.ndarray | None:
    """The matrix (K, units) of a Dense layer, a 1 x 1 convolution or a batch norm; None for another layer."""
    layer = step.layer
    if isinstance(layer, keras.layers.Dense):
        return used_kernel(layer)
    if isinstance(layer, keras.layers.BatchNormalization):
        of_channels = layer.axis in (-1, step.output.shape.rank - 1, [-1], [step.output.shape.rank - 1])
        scale = np.sqrt(np.asarray(layer.moving_variance, dtype=np.float32) + layer.epsilon)
        gamma = np.asarray(layer.gamma, dtype=np.float32) if layer.scale else 1.0
        return np.diag(gamma / scale) if of_channels else None
    is_convolution = type(layer) is keras.layers.Conv2D and layer.groups == 1
    if not is_convolution or set(layer.kernel_size) | set(layer.strides) != {1}:
        return None
    return np.asarray(layer.kernel, dtype=np.float32)[0, 0]


def _fits(kernel: np.ndarray | None, n_channels: int) -> bool:
    return kernel is not None and len(kernel) == n_channels


def _function(layer) -> str:
    """The name of what the layer applies last; 'linear' of a batch norm."""
    if isinstance(layer, keras.layers.BatchNormalization):
        return "linear"
    function = getattr(layer, "activation", None)
    return type(layer).__name__ if function is None else getattr(function, "__name__", type(function).__name__)


def _end(layer) -> str | None:
    """'linear' or the score that the layer applies; None if it applies anything else, or nothing of the kind."""
    name = _function(layer).lower().removesuffix("_v2").replace("_", "")
    return name if name in (*SCORES, "linear") else None


def _passes_on(step: Step) -> bool:
    linear = isinstance(step.layer, keras.layers.Activation) and _end(step.layer) == "linear"
    return linear or isinstance(step.layer, PASSES_VALUES_ON) or type(step.layer).__name__ in PASSING_OPERATIONS
