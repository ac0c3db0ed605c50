"""The tables of a dissection count what they say they count."""

from pathlib import Path

import numpy as np
import pytest

from units import dissection_tables
from units.dissection import Dissection
from units.unit_tally import UnitTally


def row(layer, unit, concept, iou):
    return {"layer": layer, "unit": unit, "concept": concept, "iou": iou, "threshold": 1.0}


ROWS = [
    row("conv1", 0, "dome", 0.05),
    row("conv1", 1, "arch", 0.04),
    row("conv1", 2, "", 0.0),
    row("conv2", 0, "dome", 0.3),
    row("conv2", 1, "dome", 0.2),
    row("conv2", 2, "tower", 0.041),
    row("conv3", 0, "arch", 0.01),
]


def test_a_unit_is_described_by_its_best_concept_or_by_none():
    tally = UnitTally(np.array([0.5, 0.25, 9]), 2, (1, 4), n_top=1)
    left, right = np.array([[1, 1, 0, 0]], bool), np.array([[0, 0, 0, 1]], bool)
    features = np.stack([[[1, 1, 0, 0]], [[0, 0, 1, 1]], [[1, 1, 1, 1]]], axis=-1).astype(np.float32)
    tally.add(0, features, {0: left, 1: right})
    rows = dissection_tables.describe_units(Dissection([], {"conv": tally}, {}), ["dome", "arch"])
    assert [list(each.values()) for each in rows] == [
        ["conv", 0, "dome", 1.0, 0.5],
        ["conv", 1, "arch", 0.5, 0.25],
        ["conv", 2, "", 0.0, 9.0],
    ]


def test_detectors_exceed_the_iou_and_the_best_come_first():
    assert [(each["concept"], each["iou"]) for each in dissection_tables.find_detectors(ROWS, 0.04)] == [
        ("dome", 0.3),
        ("dome", 0.2),
        ("dome", 0.05),
        ("tower", 0.041),
    ]


def test_layers_are_tabulated_with_those_that_detect_nothing():
    found = [list(each.values()) for each in dissection_tables.tabulate_layers(ROWS, 0.04)]
    assert found == [
        ["conv1", 3, 1, 1, "0.0300", "0.0500"],
        ["conv2", 3, 3, 2, "0.1803", "0.3000"],
        ["conv3", 1, 0, 0, "0.0100", "0.0100"],
    ]


def test_concepts_are_tabulated_by_layer_the_most_detected_first():
    assert dissection_tables.tabulate_concepts(ROWS, 0.04) == [
        {"concept": "dome", "conv1": 1, "conv2": 2, "conv3": 0},
        {"concept": "tower", "conv1": 0, "conv2": 1, "conv3": 0},
    ]


def test_two_models_are_compared_by_their_shared_and_exclusive_concepts():
    others = [row("a", 0, "arch", 0.5), row("a", 1, "dome", 0.5), row("a", 2, "arch", 0.06), row("a", 3, "stair", 0.01)]
    assert [list(each.values()) for each in dissection_tables.compare(ROWS, others, 0.04)] == [
        ["dome", 3, 1, "shared"],
        ["tower", 1, 0, "only the first"],
        ["arch", 0, 2, "only the second"],
    ]
    assert dissection_tables.compare(ROWS, others, 0.9) == []


def test_the_table_unit_by_layer_by_model_has_a_row_for_every_unit_of_either():
    other = [row("conv2", 1, "arch", 0.5), row("conv2", 3, "dome", 0.1), row("new", 0, "slab", 0.2)]
    table = dissection_tables.tabulate_models({"one": ROWS, "two": other})
    assert [(each["layer"], each["unit"]) for each in table] == [
        *((layer, unit) for layer in ("conv1",) for unit in range(3)),
        *(("conv2", unit) for unit in range(4)),
        ("conv3", 0),
        ("new", 0),
    ]
    assert list(table[4].values()) == ["conv2", 1, "dome", "0.200000", "arch", "0.500000"]
    assert list(table[6].values()) == ["conv2", 3, "", "", "dome", "0.100000"]
    assert list(table[0]) == ["layer", "unit", "one: concept", "one: iou", "two: concept", "two: iou"]


def test_models_are_tabulated_layer_by_layer():
    table = dissection_tables.tabulate_models_by_layer({"one": ROWS, "two": [row("conv2", 0, "dome", 0.5)]}, 0.04)
    assert [(each["layer"], each["model"], each["units"], each["detectors"]) for each in table] == [
        ("conv1", "one", 3, 1),
        ("conv2", "one", 3, 3),
        ("conv2", "two", 1, 1),
        ("conv3", "one", 1, 0),
    ]


def test_descriptions_are_read_as_they_were_written(tmp_path):
    dissection_tables.write_descriptions(tmp_path, ROWS)
    assert (tmp_path / "descriptions.csv").read_text().splitlines()[:2] == [
        "layer,unit,concept,iou,threshold",
        "conv1,0,dome,0.050000,1",
    ]
    assert dissection_tables.read_descriptions(tmp_path) == ROWS


def test_a_folder_without_descriptions_and_a_file_of_other_columns_are_refused(tmp_path):
    with pytest.raises(ValueError, match="there is no descriptions.csv"):
        dissection_tables.read_descriptions(tmp_path)
    Path(tmp_path, "descriptions.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="descriptions.csv' .it has no column layer.; remove it"):
        dissection_tables.read_descriptions(tmp_path)


def test_a_concept_too_large_for_a_detector_is_named():
    tally = UnitTally(np.zeros(1), 3, (1, 100), n_top=1)
    masks = {0: np.arange(100)[None] < 50, 1: np.arange(100)[None] < 10}
    tally.add(0, np.ones((1, 1, 1), np.float32), masks)
    [note] = dissection_tables.find_ceilings(tally, ["sky", "bird", "absent"], 0.005, 0.04)
    assert note == "sky (50.0% of the pixels, IoU up to about 0.010)"
