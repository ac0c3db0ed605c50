"""What is asked of a model of the matrix: its probabilities, and its map by each method against a reference."""

import traceback

import keras
import numpy as np
import tensorflow as tf

import utils
from network.classifier import Classifier
from tools.model_matrix.small_models import OF_OUTPUTS, PIXELS, TOLERANCE

EQUAL, SOUND, REFUSED, NOT_FOR_IT, FAULT = "=", "+", "r", ".", "X"
MARKS = {EQUAL: "equal", SOUND: "sound", REFUSED: "refused", NOT_FOR_IT: "not applicable", FAULT: "fault"}
OPTIONS = {"n_masks": 8, "mask_size": 4, "num_samples": 16, "n_samples": 2, "n_steps": 2, "max_n": 4, "hide_color": 100}
SUMS = {  # method -> what a ReLU makes its map of, of features A and gradients g (n, h, w, K)
    "GRADCAM": lambda A, g: (g.mean((1, 2), keepdims=True) * A).sum(-1),
    "HIRESCAM": lambda A, g: (g * A).sum(-1),
    "LAYERCAM": lambda A, g: (np.maximum(g, 0) * A).sum(-1),
}
RULES = {  # method -> its map, of A and g, or of pixels and their gradients (n, H, W, 3)
    **{name: lambda A, g, total=total: np.maximum(total(A, g), 0) for name, total in SUMS.items()},
    "VANILLA_GRADIENT": lambda x, g: np.abs(g).max(-1),
    "GRADIENT_INPUT": lambda x, g: (g * x).sum(-1),
}
OF_PIXELS = ("VANILLA_GRADIENT", "GRADIENT_INPUT")


def pictures(shape):
    """Two images (2, H, W, 3), float32, 0-255: a red and a green square, a blue one, on noisy grey."""
    height, width = shape
    images = 100 + np.random.default_rng(1).integers(-25, 26, (2, height, width, 1)).repeat(3, axis=3)
    for image, row, column, colour in ((0, 1, 4, 0), (0, 5, 1, 1), (1, 6, 6, 2)):
        rows, columns = (slice(side * at // 8, side * (at + 2) // 8) for side, at in ((height, row), (width, column)))
        images[image, rows, columns] = 30 + 190 * np.eye(3, dtype=int)[colour]
    return images.astype(np.float32)


def as_given(images, case, n_channels):
    """The images as people give them to the model itself; tensors stay tensors."""
    images = PIXELS[case.pixels](images)
    return images @ np.float32([[0.299], [0.587], [0.114]]) if n_channels == 1 else images


def read_probabilities(case, model, images, n_channels):
    """Probabilities (n, C) by the model's own `predict`; of a target its number."""
    given = model.predict(np.asarray(as_given(images, case, n_channels)), verbose=0)
    given = given.get(case.options.get("output_name")) if isinstance(given, dict) else given
    if "target" in case.options:
        return np.asarray(case.options["target"](given))[:, None]
    return OF_OUTPUTS[case.outputs](np.asarray(given, np.float32))


def reference(case, built, name, images, class_index):
    """The map of a method of RULES by a tape on the twin; None where the twin has no such map."""
    if name not in RULES or built.cut is None:
        return None
    if name not in OF_PIXELS and built.skip is None:
        return None
    pixels = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        features, logits = built.cut(as_given(pixels, case, built.cut.input_shape[-1]), training=False)
        one = case.outputs.startswith("one ")
        score = logits[:, 0] * (2 * class_index - 1) if one else logits[:, class_index]
    values = pixels if name in OF_PIXELS else features
    gradients = tape.gradient(score, values)
    values, gradients = (np.asarray(tf.cast(tensor, tf.float32)) for tensor in (values, gradients))
    if values.ndim == 3:  # tokens
        side = int(np.sqrt(values.shape[1] - built.skip))
        values, gradients = (x[:, built.skip :].reshape(len(x), side, side, -1) for x in (values, gradients))
    return RULES[name](values, gradients)


def distance(case, name, raw, right):
    """The largest difference of two maps, relative to the largest value; of coarse arithmetic's pixels 1 - correlation.

    There a unit whose sign rounding flips changes a few pixels altogether: in 32 bits as much as in 16.
    """
    if case.tolerance > TOLERANCE and name in OF_PIXELS:
        return 1 - np.corrcoef(raw.ravel(), right.ravel())[0, 1]
    return np.abs(raw - right).max() / max(np.abs(right).max(), 1e-12)


def is_below_zero(question, name):
    """Whether a map of zeros is right: what its ReLU was given is above 0 nowhere, and not 0 everywhere.

    The weights of methods other than those of SUMS are mostly positive: their features are 0 or less somewhere.
    """
    if name not in SUMS:
        return bool((question.classifier.features(question.images).min(axis=-1) <= 0).all())
    features, gradients = question.compute_gradients(
        question.classifier.forward, question.images, question.class_indices
    )
    total = SUMS[name](features, gradients)
    return total.max() <= 1e-6 * -total.min()


def is_refusal(error):
    """Whether this project says so itself: a ValueError out of a library is a traceback."""
    last = traceback.extract_tb(error.__traceback__)[-1].filename
    return isinstance(error, ValueError) and "site-packages" not in last


def trace(error):
    """An exception in words, with where it came from: the last line of this project."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    return f"{type(error).__name__} at {frames[-1].filename}:{frames[-1].lineno}: {str(error)[:200]}"


def ask(case, built, classifier, method, images):
    """The mark of one cell, and what is to be said of it."""
    explainer = method.load()
    if method.name == "ATTENTION" and "instances" not in str([layer.name for layer in built.model.layers]):
        return NOT_FOR_IT, ""
    options = {option.name: OPTIONS[option.name] for option in method.options if option.name in OPTIONS}
    maps, mark = [], SOUND
    try:
        for index in range(min(classifier.n_classes, 2)):
            class_index = None if classifier.target else index
            question = explainer(classifier, None, images, class_index, **options)
            maps.append(question.compute_saliency_map())
            right = reference(case, built, method.name, images, index)
            if right is not None:
                mark = EQUAL
                raw = np.stack(list(question.explain_batch(question.images, question.class_indices)))
                if raw.shape != right.shape:
                    return FAULT, f"a map {raw.shape} of {classifier.layer_name}, not {right.shape}"
                off = distance(case, method.name, raw, right)
                if off > case.tolerance:
                    return FAULT, f"{off:.1e} from the reference, class {index}, layer {classifier.layer_name}"
    except Exception as error:
        return (REFUSED, str(error)) if is_refusal(error) else (FAULT, trace(error))
    maps = np.stack(maps)
    if maps.shape[1:] != images.shape[:3] or maps.dtype != np.float32 or not np.isfinite(maps).all():
        return FAULT, f"maps {maps.shape}, {maps.dtype}, not all finite or not of {images.shape[:3]}"
    if mark == SOUND and all(utils.is_constant(one) for one in maps.reshape(-1, *maps.shape[2:])):
        remark = f"constant, {maps.flat[0]:g}, for every image and class"
        records = question.describe_maps(maps[-1])
        if any("zero" in record for record in records) and not is_below_zero(question, method.name):
            return FAULT, f"{remark}, though what the ReLU was given is above 0 somewhere"
        told_by_run = [
            *classifier.doubts(images),
            *(record[name] for record in records for name in ("undivided", "zero") if name in record),
        ]
        return (SOUND, f"{remark}; a run says: {told_by_run[0]}") if told_by_run else (FAULT, remark)
    two_sides = classifier.score.one_unit and not explainer.signed  # the magnitudes of both sides are the same
    if len(maps) > 1 and not two_sides and mark == SOUND and explainer.uses_class == np.array_equal(maps[0], maps[1]):
        if explainer.uses_class and (doubts := classifier.doubts(images)):
            return SOUND, f"the same for both classes; a run says: {doubts[0]}"
        return FAULT, "the class should matter" if explainer.uses_class else "the class should not matter"
    return mark, ""


def examine(case, methods):
    """p of the probabilities as text, and the (mark, remark) of each method, by name."""
    keras.utils.set_random_seed(0)
    try:
        built = case.build()
        classifier = Classifier(built.model, **case.options)
    except Exception as error:
        cell = (REFUSED, str(error)) if case.refused and is_refusal(error) else (FAULT, trace(error))
        return "-", dict.fromkeys([method.name for method in methods], cell)
    if case.refused:
        return "-", {method.name: (FAULT, "the model should be refused") for method in methods}
    images = pictures((classifier.input_height, classifier.input_width))
    own = read_probabilities(case, built.model, images, classifier.n_channels)
    off = np.abs(classifier.predict(images) - own).max()
    cells = {method.name: ask(case, built, classifier, method, images) for method in methods}
    if off > case.tolerance:
        cells["probabilities"] = FAULT, f"{off:.1e} from those of the model's own predict"
    return f"{off:.0e}", cells
