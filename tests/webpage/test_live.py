"""Frames of a camera: what is read of them, what is said of them, and at which rate."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image
from planted import GREEN, RED, picture, square

from explainers.registry import METHODS
from gradcam import GradCAM
from pipeline.run_figures import Style
from webpage import live
from webpage.guard import FRAME_MARK
from webpage.work import Rate


def frame_of(image, kind="JPEG"):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return FRAME_MARK + base64.b64encode(buffer.getvalue()).decode()


def test_a_frame_is_read_as_it_was_seen():
    np.testing.assert_allclose(live.read_frame(frame_of(picture(RED))), picture(RED), atol=90)
    assert live.read_frame(frame_of(picture(RED)))[square(RED)].mean(axis=0) == pytest.approx(
        picture(RED)[square(RED)].mean(axis=0), abs=12
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "a frame of the camera was wanted"),
        ("http://example.org/a.jpg", "a frame of the camera was wanted"),
        (FRAME_MARK + "%%%", "no JPEG"),
        (FRAME_MARK + "AAAA", "not an image file"),
        (frame_of(np.zeros((2000, 2000, 3), np.uint8)), "more than the 2000000 pixels"),
    ],
)
def test_what_is_no_frame_is_refused(text, words):
    with pytest.raises(ValueError, match=words) as error:
        live.read_frame(text)
    assert "\n" not in str(error.value)


def test_it_shows_the_most_probable_classes_the_map_of_the_first_and_the_rate(planted_classifier):
    rate = Rate()
    rate.count(0.0)
    method = live.choose_method(["RISE", "GRADCAM"], planted_classifier)
    shown = live.show_frame(picture(RED, GREEN), planted_classifier, method, Style(), rate)
    probabilities = planted_classifier.predict(picture(RED, GREEN)[None].astype(np.float32))[0]
    best = int(probabilities.argmax())
    assert f"GRADCAM of {planted_classifier.class_names[best]}" in shown
    first = re.search(r"<dt>1\. (\w+)</dt><dd>(\d\.\d\d)</dd>", shown)
    assert first[1] == planted_classifier.class_names[best] and float(first[2]) == pytest.approx(
        probabilities[best], abs=0.006
    )
    overlay = np.asarray(Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", shown)[1]))), float)
    peak = np.unravel_index(
        GradCAM(planted_classifier, None, picture(RED, GREEN), best).compute_saliency_map().argmax(), (96, 96)
    )
    redness = overlay[..., 0] - overlay[..., 2]
    assert redness[peak] > np.median(redness) + 50, "the colour of the largest value lies where the map is largest"


def test_the_rate_is_that_of_the_last_frames():
    rate = Rate()
    assert rate.count(0.0) is None
    assert [rate.count(0.5 * n) for n in (1, 2, 3)] == [2, 2, 2]
    assert rate.count(100.0) is None, "after a pause it is measured anew"
    for n in range(1, 30):
        measured = rate.count(100 + 0.25 * n)
    assert measured == pytest.approx(4)


def test_methods_that_perturb_are_passed_over(planted_classifier):
    assert live.choose_method(["LIME", "OCCLUSION", "SCORECAM", "FEM"], planted_classifier) is METHODS["FEM"]
    with pytest.raises(ValueError, match="choose a method that does not perturb"):
        live.choose_method(["RISE", "nothing", 7, None], planted_classifier)
