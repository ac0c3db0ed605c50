"""The maps on the page: scales, and words for what they show."""

import numpy as np
import pytest
from page_tags import Tags
from planted import BLUE, GREEN, RED

from explainers.registry import METHODS
from pipeline.run_figures import Style
from webpage import maps
from webpage.choices import read_options
from webpage.work import Watch

GRADCAM, FEM, RISE_, LIME = (METHODS[name] for name in ("GRADCAM", "FEM", "RISE", "LIME"))


def ask(case, classes, chosen, seed=0):
    question = case.ask(classes, chosen, seed)
    case.answer(question, Watch(question.counts))
    return question


def test_every_picture_of_a_map_says_what_it_shows(case):
    ask(case, [RED, GREEN], {GRADCAM: {"variant": "paper"}, LIME: read_options(LIME, {"num_samples": "20"})})
    question = case.ask_again(("curves",))
    case.answer(question, Watch(question.counts))
    tags = Tags(maps.show_maps(case, Style()))
    pictures = tags.all("img")
    assert all(picture["alt"] and picture["src"].startswith("data:image/") for picture in pictures)
    alts = [picture["alt"] for picture in pictures]
    assert "GRADCAM for red over the photograph, strongest at the upper edge" in alts
    assert "LIME for green: superpixels" in alts
    assert sum(alt.startswith("insertion, area") for alt in alts) == 4


def test_two_classes_share_a_scale_unless_told_otherwise(case):
    ask(case, [RED, BLUE], {GRADCAM: {"variant": "paper"}})
    bars = [image["alt"] for image in Tags(maps.show_maps(case, Style())).all("img") if "bar" in image["alt"]]
    assert bars[0] == bars[1] and bars[0].startswith("colour bar from 0 to ")
    assert float(bars[0].split()[-1]) == pytest.approx(case.answers[RED].maps["GRADCAM"].max(), rel=0.01)
    own = [image["alt"] for image in Tags(maps.show_maps(case, Style(), False)).all("img") if "bar" in image["alt"]]
    assert own[0] == bars[0] != own[1]


@pytest.mark.parametrize(
    "place, words",
    [
        ((0, 0), "at the upper left"),
        ((50, 50), "in the middle"),
        ((50, 95), "at the right edge"),
        ((95, 50), "at the lower edge"),
        ((95, 95), "at the lower right"),
    ],
)
def test_the_place_of_the_maximum_is_said_in_words(place, words):
    saliency_map = np.zeros((96, 96))
    saliency_map[place] = 1
    assert maps.say_place(saliency_map) == words
    assert maps.say_place(np.ones((4, 4))) == "nowhere"
