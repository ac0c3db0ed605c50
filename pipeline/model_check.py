"""What can be said of a model and the methods before anything is explained.

find_misfits, check_options  -> whether methods, and options, can explain this model at all: every run asks
check_model                  -> `main.py --check_model`: the most probable classes of one image, what each method says
"""

from collections.abc import Iterable

import numpy as np

import constants
import utils
from data.dataset import Sample
from explainers.registry import METHODS, Method
from network.classifier import Classifier
from output.tables import align


def find_misfits(classifier: Classifier, methods: Iterable[Method]) -> dict[Method, str]:
    """The methods that cannot explain this model, whatever the image; and why."""
    misfits = {}
    for method in methods:
        try:
            for view in classifier.by_layer:
                method.load().check_classifier(view)
        except ValueError as error:
            misfits[method] = str(error)
    return misfits


def check_options(classifier: Classifier, methods: dict[Method, dict]) -> None:
    """Raises ValueError for options that no image can be explained with."""
    grey = np.full((classifier.input_height, classifier.input_width, 3), 127, dtype=np.uint8)
    for method, options in methods.items():
        try:
            method.load()(classifier, None, grey, 0, **options)
        except ValueError as error:
            raise ValueError(f"{method.name}: {error}") from error


def check_model(classifier: Classifier, sample: Sample) -> str:
    """The most probable classes of an image and what each method says, as text."""
    size = classifier.input_height, classifier.input_width
    pixels = utils.fit_image(sample.read(), *size)
    return f"{describe_classes(classifier, pixels, sample.name)}\n\n{describe_methods(classifier, pixels)}"


def describe_classes(classifier: Classifier, pixels: np.ndarray, name: str) -> str:
    """The most probable classes of an image (H, W, 3) at the input size, with logits, as a table."""
    [logits] = classifier.logits(pixels[None])
    [probabilities] = classifier.predict(pixels[None])
    top = np.argsort(-probabilities, kind="stable")[: constants.TOP_CLASSES]
    rows = [[classifier.class_names[i], str(i), f"{probabilities[i]:.4f}", f"{logits[i]:.4f}"] for i in top]
    return align([[name, "index", "probability", "logit"], *rows])


def describe_methods(classifier: Classifier, pixels: np.ndarray) -> str:
    """Each method, and whether it explains this model: 'yes', or why not, as a table."""
    misfits, rows = find_misfits(classifier, METHODS.values()), []
    for method in METHODS.values():
        rows.append([method.name, misfits.get(method) or _remark(classifier, method, pixels)])
    return align([["method", "explains it"], *rows])


def _remark(classifier: Classifier, method, pixels: np.ndarray) -> str:
    """'yes', with what the method will say of its map of this image."""
    if method.load().perturbs:
        return "yes, by many forward passes an image"
    try:
        explainer = method.load()(classifier, None, pixels, 0)
        saliency_map = explainer.compute_saliency_map()
        [remark] = explainer.describe_maps(saliency_map[None])
    except ValueError as error:
        return f"not this image: {error}"
    words = {name: f"{value:.2g}" if isinstance(value, float) else value for name, value in remark.items()}
    said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in words.items())
    if utils.is_constant(saliency_map):
        said = "the map of this image is constant" + (f", {said}" if said else "")
    return f"yes ({said})" if said else "yes"
