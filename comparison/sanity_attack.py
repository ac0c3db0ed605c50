"""How far can a map be moved while the picture, and what the network says of it, stay? Ghorbani et al. 2019.

    x_{t+1} = clip(x_t + a sign(dD/dx)), |x_t - x| <= bound at every pixel, in whole grey levels

"Interpretation of Neural Networks is Fragile", AAAI 2019, algorithm 1, with I the map's magnitudes over their sum:

    top_k         D = - sum of I over the k pixels where the map of x is largest
    mass_centre   D = |centre of mass of I - that of the map of x|^2, in pixels

Of all x_t to which the network gives the same class as to x, the one of the largest D is taken, D measured on the map
as it is. Where the class is lost on the way, the next step leads back to it, up its logit's lead over all others (ours:
the paper goes on, and what it meets then counts no more). A random change of the same size, +-bound at every pixel,
stands beside it.

D is a function of the gradient, so that its own gradient is one of second order; behind ReLUs, which have none, it is
zero. As in the paper a softened network takes their place where dD/dx is made, and nowhere else: the ReLU itself stays,
its derivative, a step, becomes sigmoid(4 x / mean |x|), that of a softplus, at every activation. max-pooling keeps its
own. Only methods that can be written as one differentiable formula can be attacked: see ATTACKED. Integrated gradients
are attacked through 8 points on the way from black, and measured with all of them.

Cost per image, method and attack: n_iterations times about six passes forward and back (integrated gradients: 8 x).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from comparison import sanity_check
from comparison.sanity_check import Check, Condition, compare_with_trained, name_condition
from data.dataset import Sample
from data.images import read_image
from explainers.registry import Method
from network.classifier import Classifier
from network.relus import RELU_OPERATIONS
from output.files import picture_saver, write_whole
from pipeline.run import Run

STEP = 1.0  # a, grey levels
TOP_SHARE = 0.02  # of the pixels, in the top k: about Ghorbani's 1,000 of 224 x 224
STEEPNESS = 4.0  # of the softened ReLU at the mean magnitude of its input
N_POINTS = 8  # on the way from black
ATTACKED = ("VANILLA_GRADIENT", "GRADIENT_INPUT", "INTEGRATED_GRADIENTS", "GRADCAM")
ATTACKS = ("top_k", "mass_centre")
CLEAN, NOISE = name_condition("", "image"), name_condition("noise", "random change")


@tf.RegisterGradient("SoftenedReLU")
def _pass_back(operation, upstream):
    inputs = operation.inputs[0]
    steepness = STEEPNESS / (tf.stop_gradient(tf.reduce_mean(tf.abs(inputs))) + 1e-12)
    slope = tf.sigmoid(steepness * inputs)
    if operation.type == "Relu6":
        slope -= tf.sigmoid(steepness * (inputs - 6))
    return upstream * slope


# --- maps as formulas ---------------------------------------------------------------------------------------------
def trace_map(name: str, options: dict, classifier: Classifier, images: tf.Tensor, class_index: tf.Tensor) -> tf.Tensor:
    """The map (n, H, W) of a method of ATTACKED as a tensor of a graph, of images (n, H, W, 3), 0-255."""
    if name == "GRADCAM":
        features, logits = classifier.forward(images)
        gradients = tf.gradients(_score(logits, class_index), features)[0]
        weighted = tf.cast(features * tf.reduce_mean(gradients, axis=[1, 2], keepdims=True), tf.float32)
        lab = options.get("variant") == "lab"
        found = tf.reduce_mean(tf.nn.relu(weighted), axis=-1) if lab else tf.nn.relu(tf.reduce_sum(weighted, axis=-1))
        return tf.image.resize(found[..., None], images.shape[1:3])[..., 0]
    if name == "INTEGRATED_GRADIENTS":
        points, weights = np.polynomial.legendre.leggauss(N_POINTS)
        n_images = tf.shape(images)[0]
        on_the_way = tf.concat([images * np.float32((point + 1) / 2) for point in points], axis=0)
        gradients = _input_gradients(classifier, on_the_way, tf.tile(class_index, [N_POINTS]))
        gradients = tf.reshape(gradients, [N_POINTS, n_images, *images.shape[1:]])
        gradients = tf.tensordot(tf.constant(weights / 2, tf.float32), gradients, 1)
    else:
        gradients = _input_gradients(classifier, images, class_index)
    if name == "VANILLA_GRADIENT":
        return tf.reduce_max(tf.abs(gradients), axis=-1)
    return tf.reduce_sum(gradients * images, axis=-1)


def _input_gradients(classifier: Classifier, images: tf.Tensor, class_index: tf.Tensor) -> tf.Tensor:
    _, logits = classifier.forward(images)
    gradients = tf.gradients(_score(logits, class_index), images)[0]
    if gradients is None:
        raise ValueError("no gradient reaches the pixels: the model takes integers, or stops it on the way")
    return gradients


def _score(logits: tf.Tensor, class_index: tf.Tensor) -> tf.Tensor:
    return tf.gather(logits, class_index, axis=1, batch_dims=1)


def check_methods(methods: Sequence[Method]) -> None:
    """ValueError for a method that cannot be attacked."""
    for method in methods:
        if method.name not in ATTACKED:
            raise ValueError(
                f"--check=adversarial differentiates the map itself: of {', '.join(ATTACKED)}, not of {method.name}"
            )


# --- what an attack is after --------------------------------------------------------------------------------------
def importance(saliency_map):
    """A map's magnitudes divided by their sum, (..., H, W), of an array or a tensor; of a map of zeros, zeros."""
    magnitudes = tf.abs(saliency_map)
    return tf.math.divide_no_nan(magnitudes, tf.reduce_sum(magnitudes, axis=[-2, -1], keepdims=True))


def find_centre(shares: tf.Tensor) -> tf.Tensor:
    """The centre of mass (..., 2) as (row, column) in pixels, of `importance` (..., H, W)."""
    rows, columns = (tf.range(size, dtype=shares.dtype) for size in shares.shape[-2:])
    row = tf.reduce_sum(tf.reduce_sum(shares, axis=-1) * rows, axis=-1)
    return tf.stack([row, tf.reduce_sum(tf.reduce_sum(shares, axis=-2) * columns, axis=-1)], axis=-1)


def find_top(saliency_map: np.ndarray, share: float = TOP_SHARE) -> np.ndarray:
    """Where a map's magnitudes (H, W) are largest, float32 (H, W) of 0 and 1, of equal ones the earlier pixel."""
    n = max(1, round(share * saliency_map.size))
    top = np.zeros(saliency_map.size, np.float32)
    top[np.argsort(-np.abs(saliency_map), axis=None, kind="stable")[:n]] = 1
    return top.reshape(saliency_map.shape)


def find_goal(attack: str, clean: np.ndarray) -> np.ndarray:
    """What an attack moves a map away from, float32 (H, W), of the map of the image itself: its top, or all of it."""
    return find_top(clean) if attack == "top_k" else np.asarray(clean, np.float32)


def dissimilarity(attack: str, saliency_map: tf.Tensor, goal: tf.Tensor) -> tf.Tensor:
    """D (n,) of maps (n, H, W), with the `find_goal` (H, W) of the image itself."""
    shares = importance(saliency_map)
    if attack == "top_k":
        return -tf.reduce_sum(shares * goal, axis=[1, 2])
    return tf.reduce_sum((find_centre(shares) - find_centre(importance(goal))) ** 2, axis=-1)


def measure_change(clean: np.ndarray, saliency_map: np.ndarray | None) -> dict[str, float]:
    """`compare_with_trained`, the share of the top pixels that both have, and how many pixels the mass centre moved."""
    scores = compare_with_trained(clean, saliency_map)
    if saliency_map is None or not clean.any() or not saliency_map.any():
        return {**scores, "top_k_intersection": np.nan, "centre_shift": np.nan}
    kept = float((find_top(clean) * find_top(saliency_map)).sum() / find_top(clean).sum())
    centres = [find_centre(importance(tf.constant(each, tf.float32))).numpy() for each in (clean, saliency_map)]
    return {**scores, "top_k_intersection": kept, "centre_shift": float(np.linalg.norm(centres[1] - centres[0]))}


# --- the attack ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Attacked:
    """What became of an image: pixels float32 (H, W, 3) in whole grey levels, D there, and how many of the images on
    the way kept the class."""

    pixels: np.ndarray
    dissimilarity: float
    n_kept: int


class Attack:
    """One attack on one method's maps. bound: grey levels, 1 or more. Images are attacked one by one."""

    def __init__(
        self,
        attack: str,
        method: Method,
        options: dict,
        classifier: Classifier,
        bound: float,
        n_iterations: int,
        seed: int,
    ):
        if len(classifier.by_layer) > 1:
            raise ValueError("--check=adversarial differentiates the map of one layer: give one --layer_name")
        self.attack, self.classifier, self.seed = attack, classifier, seed
        self.bound, self.n_iterations = bound, n_iterations
        shape = [1, classifier.input_height, classifier.input_width]
        one = tf.TensorSpec([1], tf.int32)
        specs = tf.TensorSpec([*shape, 3]), one, tf.TensorSpec(shape[1:])

        def look(images, class_index):
            return trace_map(method.name, options, classifier, images, class_index)

        def differentiate(images, class_index, goal):
            with images.graph.gradient_override_map(dict.fromkeys(RELU_OPERATIONS, "SoftenedReLU")):
                softened = dissimilarity(attack, look(images, class_index), goal)
                gradient = tf.gradients(softened, images, unconnected_gradients=tf.UnconnectedGradients.ZERO)[0]
            return gradient, dissimilarity(attack, look(images, class_index), goal)

        def find_way_back(images, predicted):
            _, logits = classifier.forward(images)
            others = tf.reduce_max(logits - tf.one_hot(predicted, logits.shape[1], on_value=1e9), axis=1)
            return tf.gradients(_score(logits, predicted) - others, images)[0]

        self._look = tf.function(look, input_signature=specs[:2], autograph=False)
        self._find_way_back = tf.function(find_way_back, input_signature=specs[:2], autograph=False)
        self._differentiate = tf.function(differentiate, input_signature=specs, autograph=False)

    def run(self, image: np.ndarray, class_index: int) -> Attacked:
        """What becomes of an image (H, W, 3), 0-255; ValueError where nothing on the way keeps the class."""
        low, high = np.ceil(np.maximum(image - self.bound, 0)), np.floor(np.minimum(image + self.bound, 255))
        classes = tf.constant([class_index], tf.int32)
        goal = find_goal(self.attack, self._look(image[None], classes)[0].numpy())
        predicted = int(self.classifier.predict(image[None])[0].argmax())
        start = np.random.default_rng(self.seed).choice((-STEP, STEP), image.shape)  # at x itself mass_centre is level
        pixels, best, n_kept = np.clip(np.round(image + start), low, high).astype(np.float32), None, 0
        for _ in range(self.n_iterations):
            if int(self.classifier.predict(pixels[None])[0].argmax()) == predicted:
                gradient, found = self._differentiate(pixels[None], classes, goal)
                n_kept += 1
                if best is None or float(found[0]) > best.dissimilarity:
                    best = Attacked(pixels, float(found[0]), n_kept)
            else:
                gradient = self._find_way_back(pixels[None], tf.constant([predicted], tf.int32))
            pixels = np.clip(pixels + STEP * np.sign(gradient[0].numpy()), low, high).astype(np.float32)
        if best is None:
            raise ValueError("every image on the way is taken for another class")
        return Attacked(best.pixels, best.dissimilarity, n_kept)


def attack_images(
    run: Run, attack: Attack, method: Method, report: Callable[[Sample], None]
) -> tuple[dict[str, Path], dict[str, str]]:
    """Name of an image -> the file of what became of it; and -> why it could not be attacked, of those with a map.

    A file that is there is not made again. report: told of each image.
    """
    paths, failed = {}, {}
    for sample in run.samples:
        path = run.results.folder / "attacked" / f"{method.name}_{attack.attack}" / f"{sample.stem}.png"
        record = run.results.find(method.name, sample)
        if record is not None and not path.is_file():
            try:
                attacked = attack.run(sanity_check.resize(sample.read(), attack.classifier), record.class_index)
                write_whole(path, picture_saver(attacked.pixels.astype(np.uint8)))
            except ValueError as error:
                failed[sample.name] = str(error)
        if path.is_file():
            paths[sample.name] = path
        report(sample)
    return paths, failed


def read_attacked(paths: dict[str, Path]) -> Callable[[Sample], Callable[[np.ndarray], np.ndarray]]:
    """Of a sample, what puts its attacked image in the place of its image."""
    return lambda sample: lambda image: read_image(paths[sample.name])


def show_pictures(classifier: Classifier, attacked: dict, noise: Callable, bound: float) -> Callable:
    """What `sanity_figures.write_strips` shows above a map: the picture, and its change, mid-grey where there is none.

    attacked: (name of a method, key of a condition) -> name of an image -> file. noise: as of `sanity_check.add_noise`.
    """

    def show(method: Method, condition: Condition, sample: Sample) -> list[np.ndarray]:
        clean = sanity_check.resize(sample.read(), classifier)
        picture = clean
        if condition == NOISE:
            picture = noise(sample)(sample.read())
        elif condition.key:
            path = attacked[method.name, condition.key].get(sample.name)
            picture = clean if path is None else read_image(path)
        change = 127.5 + 127.5 * (picture.astype(np.float32) - clean) / bound
        return [np.asarray(part).round().clip(0, 255).astype(np.uint8) for part in (picture, change)]

    return show


CHECK = Check(
    (CLEAN, NOISE, *(name_condition(attack, f"attack: {attack.replace('_', ' ')}") for attack in ATTACKS)),
    {
        "spearman": "rank correlation",
        "top_k_intersection": "share of the top 2 % kept",
        "centre_shift": "shift of the mass centre, pixels",
    },
    measure_change,
)
