"""How a model is understood, before anything is explained: `main.py --check_model`.

What was found and how, the most probable classes of one image, what each method will say of it; nothing is written.
"""

import numpy as np

import constants
import utils
from data.dataset import Sample
from explainers.registry import METHODS
from network.classifier import Classifier
from output.tables import align
from pipeline.explain import find_misfits


def check_model(classifier: Classifier, sample: Sample) -> str:
    """The most probable classes of an image and what each method says, as text."""
    size = classifier.input_height, classifier.input_width
    pixels = np.clip(utils.resize_image(sample.read().astype(np.float32), *size), 0, 255)
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
