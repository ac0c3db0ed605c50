"""The levels of a dissection, and what is said where two runs are not quite comparable."""

import pytest

import constants
from units.concepts import Concepts
from units.dissection_run import Described, choose_levels, write_comparison

MASKS = Concepts(["dome", "arch"], {}, "masks")
LABELS = Concepts(["a", "b", "c", "d"], {f"{n}.png": {n % 4: None} for n in range(40)}, "labels", of_images=True)
ROW = {"layer": "last", "unit": 0, "concept": "dome", "iou": 0.5, "threshold": 1.0}


def test_of_masks_the_levels_are_those_of_the_paper():
    assert choose_levels(MASKS) == (constants.DISSECTION_SHARE, constants.DISSECTION_MIN_IOU) == (0.005, 0.04)


def test_of_labels_the_share_is_that_of_a_class_and_the_iou_has_to_exceed_chance():
    share, min_iou = choose_levels(LABELS)
    assert share == 1 / 4 and min_iou > 0.04
    assert choose_levels(LABELS, min_iou=0.3) == (0.25, 0.3)


def test_a_level_that_was_asked_for_stays():
    assert choose_levels(MASKS, 0.1, 0.2) == (0.1, 0.2)
    assert choose_levels(LABELS, 0.1)[0] == 0.1


@pytest.mark.parametrize("kept_under", ["levels", "flags"])  # flags: in the run.json of an older run
def test_runs_of_another_share_are_said_not_to_be_comparable(tmp_path, kept_under):
    first = Described("one", [ROW], {"levels": {"activation_share": 0.1, "limit": None}})
    alike = Described("two", [ROW], {kept_under: {"activation_share": 0.1, "limit": None}})
    other = Described("two", [ROW], {kept_under: {"activation_share": 0.2, "limit": None}})
    assert "not quite comparable" not in write_comparison(tmp_path, first, alike, 0.04)
    assert "another activation_share" in write_comparison(tmp_path, first, other, 0.04)
