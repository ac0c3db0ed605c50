"""Batch norms folded into the convolutions before them: the same network, a fifth faster.

    BN(conv(x)) = s (W * x + b - mean) + beta = (s W) * x + (s (b - mean) + beta),   s = gamma / sqrt(var + eps)

In inference a batch norm is one factor and one summand per channel, so the factor can go into the kernel and
the summand into the bias. Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018, section 3.2. The layers keep their own weights: the folded ones
stand in for them while a graph is traced.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf

from network.layer_graph import Step, call_layer


@dataclass
class Folded:
    """Weights that stand in for the layers' own, and for each folded batch norm what it still has to add.

    weights: (variable, tensor) pairs for `keras.StatelessScope`. summands: path of the batch norm -> (K,), or
    None where the convolution's bias holds it already.
    """

    weights: list[tuple] = field(default_factory=list)
    summands: dict[str, tf.Tensor | None] = field(default_factory=dict)
    _sample: Callable = tuple  # some values of all that was folded, as they are now
    _sampled: object = ()  # and as they were

    def is_stale(self) -> bool:
        """Whether a layer that was folded has been trained further since."""
        return not np.array_equal(self._sample(), self._sampled)

    def watch(self, variables: Sequence) -> None:
        """Remembers the variables as they are: vectors whole, of a kernel the filters at one position."""
        if not variables:
            return

        def sample():
            vectors = [tf.convert_to_tensor(variable) for variable in variables]
            vectors = [vector[0, 0, 0] if vector.shape.rank == 4 else vector for vector in vectors]
            return tf.concat([tf.cast(vector, tf.float32) for vector in vectors], axis=0)

        self._sample = tf.function(sample, autograph=False)
        self._sampled = self._sample().numpy()

    def call_layer(self, path: str, layer, args: tuple, kwargs: dict):
        """As `layer_graph.call_layer`; of a folded batch norm, what is left of it behind its folded convolution."""
        if path not in self.summands:
            return call_layer(layer, args, kwargs)
        summand, features = self.summands[path], args[0]
        return features if summand is None else tf.nn.bias_add(features, tf.cast(summand, features.dtype))


def fold_batch_norms(steps: Sequence[Step], keep: Collection[str] = ()) -> Folded:
    """Every batch norm of a traced model that is all that follows a convolution, folded into it.

    keep: paths of convolutions whose own output is wanted.
    """
    producers = {id(step.output): step for step in steps}
    uses = Counter(id(tensor) for step in steps for tensor in step.inputs)
    calls = Counter(id(step.layer) for step in steps)
    layers = {id(step.layer): step.layer for step in steps}.values()
    owners = Counter(id(weight) for layer in layers for weight in getattr(layer, "weights", ()))
    folded, watched = Folded(), []
    for step in steps:
        if not _is_batch_norm(step.layer) or len(step.inputs) != 1:
            continue
        before = producers.get(id(step.inputs[0]))
        if before is None or before.path in keep or not _is_bare_convolution(before.layer):
            continue
        alone = all(owners[id(weight)] == 1 for layer in (before.layer, step.layer) for weight in layer.weights)
        if alone and uses[id(before.output)] == 1 and calls[id(before.layer)] == 1 and calls[id(step.layer)] == 1:
            _fold(step.path, step.layer, before.layer, folded)
            watched += [_kernel(before.layer), step.layer.moving_variance]  # training changes one of them or both
    folded.watch(watched)
    return folded


def _is_batch_norm(layer) -> bool:
    return type(layer) is keras.layers.BatchNormalization and layer.axis in (-1, 3)


def _is_bare_convolution(layer) -> bool:
    plain = type(layer) in (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    return (
        plain
        and layer.activation is keras.activations.linear
        and layer.data_format == "channels_last"
        and not getattr(layer, "lora_enabled", False)
    )


def _kernel(convolution):
    return next(weight for weight in convolution.weights if len(weight.shape) == 4)


def _fold(path: str, batch_norm, convolution, folded: Folded) -> None:
    kernel = _kernel(convolution)
    exact = tf.float64 if kernel.dtype == "float64" else tf.float32  # sixteen bits are too few to multiply twice

    def read(variable):
        return tf.cast(tf.convert_to_tensor(variable), exact)

    factor = tf.math.rsqrt(read(batch_norm.moving_variance) + batch_norm.epsilon)
    if batch_norm.scale:
        factor *= read(batch_norm.gamma)
    bias = read(convolution.bias) if convolution.use_bias else 0.0
    summand = factor * (bias - read(batch_norm.moving_mean))
    if batch_norm.center:
        summand += read(batch_norm.beta)
    # A depthwise kernel is (h, w, channels, multiplier): its last two axes together are the output channels.
    depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
    per_channel = tf.reshape(factor, kernel.shape[2:]) if depthwise else factor
    folded.weights.append((kernel, tf.cast(read(kernel) * per_channel, kernel.dtype)))
    if convolution.use_bias:
        folded.weights.append((convolution.bias, tf.cast(summand, convolution.bias.dtype)))
    folded.summands[path] = None if convolution.use_bias else summand
