"""The camera of a visitor, live: of each frame that comes the most probable classes and the map of the first of them.

Gradio's page sends a frame where none is under way, and its server keeps the latest alone: what comes while a frame is
explained takes the place of what waits. So the rate is what the machine allows, and it is said. No frame is kept.
"""

import base64
import binascii
import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

import constants
import representations
import utils
from data.images import Reading, read_image
from data.stored import Stored
from explainers.registry import METHODS, Method
from pipeline.run_figures import Style
from webpage.guard import FRAME_MARK
from webpage.html import show_picture, show_table
from webpage.maps import say_place, shrink
from webpage.work import Rate

if TYPE_CHECKING:
    from network.classifier import Classifier

FRAME_PIXELS = 2_000_000  # width x height of the largest frame that is looked at


@dataclass(frozen=True)
class Sent(Stored):
    """A frame that a browser has sent."""

    content: bytes = b""

    def read_bytes(self) -> bytes:
        """The file of the image."""
        return self.content


def read_frame(text: object) -> np.ndarray:
    """The frame, uint8 RGB (H, W, 3), of the address that a browser makes of it; ValueError for anything else."""
    if not isinstance(text, str) or not text.startswith(FRAME_MARK):
        raise ValueError("a frame of the camera was wanted")
    try:
        content = base64.b64decode(text[len(FRAME_MARK) :], validate=True)
    except binascii.Error:
        raise ValueError("a frame of the camera that is no JPEG") from None
    return read_image(Sent("the camera", content=content), Reading(max_pixels=FRAME_PIXELS))


def choose_method(names: Sequence[str], classifier: "Classifier") -> Method:
    """The first of the methods that answers by few passes; ValueError where none of them does."""
    for method in map(METHODS.get, names):
        if method is not None and not (method.load().perturbs or method.load().perturbs_features):
            method.load().check_classifier(classifier)
            return method
    raise ValueError("live: choose a method that does not perturb the image, as GRADCAM, among the methods")


def show_frame(image: np.ndarray, classifier: "Classifier", method: Method, style: Style, rate: Rate) -> str:
    """The frame (H, W, 3) with its map, its most probable classes and the rate, as HTML."""
    begin = time.perf_counter()
    probabilities = classifier.predict(_bring_to_input(image, classifier)[None])[0]
    top = np.argsort(-probabilities, kind="stable")[: constants.TOP_CLASSES].tolist()
    options = {option.name: option.default for option in method.options}
    explainer = method.load()
    saliency_map = explainer(classifier, None, image, top[0], **options).compute_saliency_map()
    overlay = representations.represent_heatmap_overlaid(
        saliency_map, shrink(image), style.colormap, style.alpha, signed=explainer.signed
    )
    seconds, per_second = time.perf_counter() - begin, rate.count()
    names = classifier.class_names
    said = f"{method.name} of {names[top[0]]}" if explainer.uses_class else method.name
    alt = f"the latest frame and the map of {said}, highest {say_place(saliency_map)}"
    clock = "" if per_second is None else f"{per_second:.1f} frames a second, "
    caption = f"{escape(said)}<br>{clock}{seconds:.2f} s a frame"
    classes = show_table(
        {f"{place}. {names[index]}": f"{probabilities[index]:.2f}" for place, index in enumerate(top, 1)}
    )
    return f'<figure class="live">{show_picture(overlay, alt)}<figcaption>{caption}</figcaption>{classes}</figure>'


def _bring_to_input(image: np.ndarray, classifier: "Classifier") -> np.ndarray:
    size = classifier.input_height, classifier.input_width
    return utils.fit_image(image, *size)
