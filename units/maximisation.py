"""Activation maximisation: images that excite a unit, a channel, a layer or a class, by gradient ascent.

    argmax_p  score(T(x(p)))  -  l2 mean(i^2)  -  tv mean(|di/dx| + |di/dy|),     i = (x - 127.5) / 127.5

with x(p) the image of the parameters (parametrisations.py), T another small transform at every step
(transforms.py), and the score one of

    class      the logit S_c                     channel    the mean of A_k over positions
    neuron     A_k at one position               layer      the mean of A^2 (Mordvintsev et al., "DeepDream", 2015)

Inside a network over patches all of these are means over the patches of an image.

`constants.VISUALIZATION_METHODS` says what of this each method uses:

CLASS_MODEL: Simonyan et al. 2014, eq. 1, argmax_I S_c(I) - lambda ||I||^2 from the zero image. lambda ||I||^2 is
    l2 mean(i^2): lambda = l2 / (3 H W), so that one l2 does for every image size; the zero image is mid-grey, as the
    mean of the training images is not known for a model.
FOURIER: Olah et al. 2017.
CLASS_IMPRESSION: Addepalli et al., "Saliency-driven Class Impressions for Feature Visualization of Deep Neural
    Networks", ICIP 2020. Noise is moved towards the class, seen with another rotation, scale, crop and RGB jitter at
    every step, under a total-variation loss. Its weight grows from 0 to tv over the steps (ours): at once it would
    smooth away the noise of a network that sees nothing in it yet. Driven by saliency: the gradient at each pixel is
    multiplied by the Grad-CAM map of the class, of the very image seen in this step and scaled to 0-1, so that
    evidence grows where there is some already and one object results. How exactly the authors weight by saliency is
    not in the definition followed here; this weighting is ours.

Steps are Adam's (Kingma and Ba 2015); for pixels its mean square is one number per image, which keeps the direction
of the gradient, and so what the saliency and the penalties say about single pixels. A unit that is silent has no
gradient behind its ReLU: where a ReLU would pass nothing of an image's gradient back, it passes on what would wake
it (as `lucid` does). Images of a batch share start and transforms and nothing else: a target's image does not depend
on the other targets.

Cost per step and image: one forward and one backward pass.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

import constants
from network.classifier import Classifier
from network.relus import RELU_OPERATIONS
from units import parametrisations, transforms

ADAM_DECAYS = (0.9, 0.99)  # of the mean gradient and of its mean square
KINDS = ("class", "channel", "neuron", "layer")


@tf.RegisterGradient("WakingReLU")
def _pass_back(operation, upstream):
    own = tf.raw_ops.Relu6Grad if operation.type == "Relu6" else tf.raw_ops.ReluGrad
    gradient = own(gradients=upstream, features=operation.outputs[0])
    blocked = tf.reduce_all(gradient == 0, axis=list(range(1, gradient.shape.rank)), keepdims=True)
    return tf.where(blocked & (operation.inputs[0] <= 0), tf.nn.relu(upstream), gradient)


@dataclasses.dataclass
class State:
    """All that the next step depends on: parameters, mean, square (n, ...); history (steps, 2, n): score, objective."""

    parameters: np.ndarray
    mean: np.ndarray
    square: np.ndarray
    history: np.ndarray
    seconds: float = 0.0

    @property
    def n_steps(self) -> int:
        """How many steps have been made."""
        return len(self.history)


class Maximiser:
    """Gradient ascent for many targets of one kind in one layer.

    classifier: looks at the layer of the targets; kind: of KINDS. indices (n,): classes or channels; for a layer,
    [0]. position: (row, column) of a neuron; None: the middle. settings: of `constants.VISUALIZATION_METHODS`.
    ValueError for an index or a position that the layer does not have, or saliency without a class.
    """

    def __init__(
        self,
        classifier: Classifier,
        kind: str,
        indices: Sequence[int],
        settings: dict,
        position: tuple[int, int] | None = None,
        seed: int = constants.SEED,
    ):
        self.classifier, self.kind, self.indices = classifier, kind, np.asarray(indices, dtype=np.int32)
        self.settings, self.position, self.seed = settings, position, seed
        if settings["saliency"]:
            if kind != "class":
                raise ValueError(f"a class is wanted where saliency drives the image, not a {kind}")
            classifier.require_layer()
        size = classifier.input_height, classifier.input_width
        make = parametrisations.PARAMETRISATIONS[settings["parametrisation"]]
        self.parametrisation = make(*size, settings["noise"])
        self._step = tf.function(self._trace_step, autograph=False)

    def start(self) -> State:
        """The state before the first step."""
        parameters = self.parametrisation.start(len(self.indices), self.seed)
        zeros = np.zeros_like(parameters)
        square = zeros if self.parametrisation.per_coefficient else zeros.max(axis=(1, 2, 3), keepdims=True)
        return State(parameters, zeros, square, np.zeros((0, 2, len(self.indices)), np.float32))

    def advance(self, state: State, n_steps: int, report: Callable[[int], None] = lambda step: None) -> State:
        """The state after so many further steps; `report` is called with the number of steps made."""
        tensors = [tf.constant(array) for array in (state.parameters, state.mean, state.square)]
        history = [*state.history]
        for _ in range(n_steps):
            *tensors, scores = self._step(*tensors, tf.constant(len(history)))
            history.append(scores.numpy())
            report(len(history))
        if not np.isfinite(history[-1]).all():
            raise ValueError("the score is not finite: the model gives NaN or infinite values on these images")
        return State(*(tensor.numpy() for tensor in tensors), np.stack(history), state.seconds)

    def images(self, state: State) -> np.ndarray:
        """The images, uint8 RGB (n, H, W, 3)."""
        return np.rint(self.parametrisation.images(tf.constant(state.parameters))).astype(np.uint8)

    def _trace_step(self, parameters, mean, square, number):
        """Parameters, mean and square after a step, and score and objective (2, n) before it."""
        settings = self.settings
        image = self.parametrisation.images(parameters)
        draws = transforms.draw_transform(tf.stack([self.seed % 2**31, number]))
        seen = tf.ensure_shape(transforms.transform(image, draws, settings["transforms"]), image.shape)
        waking = dict.fromkeys(RELU_OPERATIONS, "WakingReLU")
        with seen.graph.gradient_override_map(waking):
            features, logits = self.classifier.forward(seen)
        score = self._score(features, logits)
        penalty = self._penalty(image, tf.cast(number + 1, tf.float32) / settings["n_steps"])
        upstream = self._gradient(score, seen, features)
        gradient = tf.gradients([seen, -penalty], [parameters], grad_ys=[upstream, tf.ones_like(penalty)])[0]
        moved = self._adam(parameters, gradient, mean, square, tf.cast(number + 1, tf.float32))
        return *moved, tf.stack([score, score - penalty])

    def _score(self, features, logits) -> tf.Tensor:
        if self.kind == "class":
            return tf.gather(logits, self._check(logits.shape[1], "classes"), axis=1, batch_dims=1)
        features = tf.cast(features, tf.float32)
        rows, columns = features.shape[1:-1] if features.shape.rank == 4 else (1, 1)
        # Inside a network over patches an image has as many rows as pieces: their mean counts.
        features = tf.reshape(features, [len(self.indices), -1, rows, columns, features.shape[-1]])
        if self.kind == "layer":
            return tf.reduce_mean(features**2, axis=[1, 2, 3, 4])
        channels = tf.gather(features, self._check(features.shape[-1], "channels"), axis=4, batch_dims=1)
        if self.kind == "channel":
            return tf.reduce_mean(channels, axis=[1, 2, 3])
        row, column = self.position or (rows // 2, columns // 2)
        if row >= rows or column >= columns:
            raise ValueError(f"the layer has {rows} x {columns} positions, counted from 0; ({row}, {column}) is none")
        return tf.reduce_mean(channels[:, :, row, column], axis=1)

    def _check(self, n: int, what: str) -> np.ndarray:
        if self.indices.min() < 0 or self.indices.max() >= n:
            raise ValueError(f"there are {n} {what}, 0 to {n - 1}; given: {', '.join(map(str, self.indices))}")
        return self.indices

    def _penalty(self, image, progress) -> tf.Tensor:
        image = (image - parametrisations.MIDDLE) / parametrisations.MIDDLE
        down, right = image[:, 1:] - image[:, :-1], image[:, :, 1:] - image[:, :, :-1]
        means = [tf.reduce_mean(values, axis=[1, 2, 3]) for values in (image**2, tf.abs(down), tf.abs(right))]
        return self.settings["l2"] * means[0] + self.settings["total_variation"] * progress * (means[1] + means[2])

    def _gradient(self, score, seen, features) -> tf.Tensor:
        """d score / d seen (n, H, W, 3), each pixel weighed by the saliency map where that drives the image."""
        if not self.settings["saliency"]:
            gradient = tf.gradients(score, seen)[0]
        else:
            gradient, of_features = tf.gradients(score, [seen, features])
            rows, columns = self.classifier.layout.weigh(*seen.shape[1:3])
            gradient *= tf.einsum(
                "Hh,nhwc,Ww->nHWc", rows.astype("f"), saliency(features, of_features), columns.astype("f")
            )
        if gradient is None:
            raise ValueError("no gradient reaches the pixels: the model takes integers, or stops it on the way")
        return gradient

    def _adam(self, parameters, gradient, mean, square, number) -> tuple:
        mean_decay, square_decay = ADAM_DECAYS
        squared = gradient**2
        if not self.parametrisation.per_coefficient:
            squared = tf.reduce_mean(squared, axis=[1, 2, 3], keepdims=True)
        mean = mean_decay * mean + (1 - mean_decay) * gradient
        square = square_decay * square + (1 - square_decay) * squared
        step = mean / (1 - mean_decay**number) / (tf.sqrt(square / (1 - square_decay**number)) + 1e-12)
        return self.parametrisation.project(parameters + self.settings["learning_rate"] * step), mean, square


def saliency(features: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
    """Grad-CAM maps (n, h, w, 1) divided by their maximum; 1 everywhere where no position supports the class."""
    weights = tf.reduce_mean(gradients, axis=[1, 2], keepdims=True)
    maps = tf.nn.relu(tf.reduce_sum(weights * features, axis=3, keepdims=True))
    largest = tf.reduce_max(maps, axis=[1, 2, 3], keepdims=True)
    return tf.where(largest > 0, tf.math.divide_no_nan(maps, largest), tf.ones_like(maps))
