"""Whole runs through `hierarchy.main`: levels of a planted classifier, tables against its maps, what is refused.

The classifier of red, green and blue squares is read on the levels leaf, warmth (red and green are warm) and, in one
test, a level of one node. A coarse twin has the classes warm and cold of its own.
"""

import csv
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from inat_loc_files import SPECIES
from PIL import Image
from planted import BLUE, COLOURS, GREEN, RED, planted_model, read_table, square
from test_compare import work, write_boxes  # noqa: F401 the same images and boxes

import constants
import hierarchy
from comparison import levels_figures, levels_tables
from data.taxonomy import Level
from gradcam import GradCAM
from metrics import agreement, localisation
from network import model_files
from network.classifier import Classifier

COLOURS_CSV = "leaf,warmth\nred,warm\ngreen,warm\nblue,cold\n"
QUICK = "--faithfulness=none"
WARMTH = Level("warmth", ["warm", "cold"], np.array([0, 0, 1], np.int32))


@pytest.fixture(scope="session")
def model_file(tmp_path_factory):
    """The planted classifier, soft enough that its probabilities are not all 1, as `train.py` would leave it."""
    settings = {"class_names": list(COLOURS), "preprocessing": "none", "input_size": [96, 96]}
    return model_files.save_model(planted_model(scale=30.0), tmp_path_factory.mktemp("model") / "fine.keras", settings)


@pytest.fixture(scope="session")
def coarse_file(tmp_path_factory):
    """A classifier of warm and cold: warm is red plus green."""
    model = planted_model(scale=30.0)
    dense = keras.layers.Dense(2, activation="softmax", name="warmth")
    coarse = keras.Model(model.input, dense(model.get_layer("mean").output))
    dense.set_weights([np.array([[30, -15], [30, -15], [-15, 30]], np.float32), np.zeros(2, np.float32)])
    settings = {"class_names": ["cold", "warm"][::-1], "preprocessing": "none", "input_size": [96, 96]}
    return model_files.save_model(coarse, tmp_path_factory.mktemp("coarse") / "warmth.keras", settings)


@pytest.fixture
def colours(work, model_file, monkeypatch):  # noqa: F811
    """The working folder of test_compare.py with colours.csv: images/<colour>/<number>.png and boxes.csv."""
    Path("colours.csv").write_text(COLOURS_CSV)
    monkeypatch.setattr(sys.modules[__name__], "MODEL", str(model_file), raising=False)
    return work


@pytest.fixture
def undrawn(monkeypatch):
    """No pictures: most tests are about numbers."""
    monkeypatch.setattr(levels_figures, "write_level_pages", lambda *args: iter(()))


def run(*flags):
    """The exit code of a run; argparse leaves by SystemExit."""
    usual = ["--test_images_folder_path=images", f"--model_path={MODEL}"]  # noqa: F821
    if not any(flag.startswith("--taxonomy") for flag in flags):
        usual.append("--taxonomy=colours.csv")
    try:
        return hierarchy.main([*usual, *flags])
    except SystemExit as stop:
        return stop.code


def rows_of(name):
    return read_table(Path("results", f"{name}.csv"))


def map_of(level, image):
    return np.load(Path("results/levels", level, "maps/GRADCAM", f"{Path(image).stem}.npy"))


# --- flags -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "flags, words",
    [
        ("--top_k=3", "unrecognized arguments: --top_k"),
        ("--baselines", "unrecognized arguments: --baselines"),
        ("--fraction=0", "more than 0"),
        ("--taxonomy=none.csv", "there is no file 'none.csv'"),
        ("--explanation_method=CAM", "CAM: a class of label level 'leaf' has no weights of its own"),
        ("--explanation_method=FEM", "FEM: it explains no class: its map is the same on every level"),
        ("--class_index=violet", "no class 'violet'"),
        ("--boxes=none.csv", "there is no file"),
        ("--masks=none", "there is no folder"),
        ("--masks=images --boxes=boxes.csv", "not allowed with"),
        ("--coarse_models=none.keras", "no model file"),
    ],
)
def test_a_bad_flag_ends_the_run_in_one_line(colours, undrawn, capsys, flags, words):
    assert run(*flags.split()) == 2
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error


@pytest.mark.parametrize(
    "text, words",
    [
        ("leaf,warmth\nrad,warm\ngreen,warm\nblue,cold\n", "for 1 of the model's 3 classes: red; 1 of its leaves"),
        ("leaf,warmth\ngreen,warm\nblue,cold\n", "no label for 1 of the model's 3 classes: red"),
        ("leaf,warmth\nred,warm\ngreen\nblue,cold\n", "line 3"),
        ("leaf,any\nred,all\ngreen,all\nblue,all\n", "two levels or more were wanted"),
    ],
)
def test_a_taxonomy_that_does_not_fit_the_model_is_told_in_one_line(colours, undrawn, capsys, text, words):
    Path("colours.csv").write_text(text)
    assert run(QUICK) == 2
    [*_, line] = capsys.readouterr().err.splitlines()
    assert words in line and line.startswith("hierarchy.py: error: ")


def test_a_label_that_is_no_leaf_is_named(colours, undrawn, capsys):
    Path("images/green").rename("images/zebra")
    assert run(QUICK) == 0
    assert "not in the accuracy, their label is no leaf, or several: zebra\n" in capsys.readouterr().out
    assert {row["right"] for row in rows_of("levels_per_image") if "zebra" in row["image"]} == {""}


def test_a_sigmoid_is_refused_with_its_reason(colours, undrawn, capsys):
    model = planted_model(tail=[keras.layers.Activation("sigmoid")])
    model_files.save_model(model, Path("many.keras"), {"class_names": list(COLOURS), "preprocessing": "none"})
    assert run("--model_path=many.keras") == 2
    assert "exclude each other, those of a softmax; this model ends in a sigmoid" in capsys.readouterr().err


# --- what is explained -------------------------------------------------------------------------------------
def test_every_level_is_a_run_of_its_own_on_the_node_over_the_label(colours, undrawn, model_file, capsys):
    assert run(QUICK) == 0
    explained = {(row["level"], row["image"]): row["explained"] for row in rows_of("levels_per_image")}
    assert explained == {
        ("leaf", "red/0.png"): "red",
        ("leaf", "green/1.png"): "green",
        ("leaf", "blue/2.png"): "blue",
        ("warmth", "red/0.png"): "warm",
        ("warmth", "green/1.png"): "warm",
        ("warmth", "blue/2.png"): "cold",
    }
    classifier, _ = model_files.load_classifier(model_path=model_file)
    pixels = np.asarray(keras.utils.load_img("images/green/1.png"))
    view = classifier.at_level(WARMTH)
    np.testing.assert_allclose(
        map_of("warmth", "green/1.png"), GradCAM(view, None, pixels, 0).compute_saliency_map(), rtol=1e-4, atol=1e-7
    )
    found = [(row["level"], row["n_classes"], row["accuracy_mean"], row["accuracy_n"]) for row in rows_of("levels")]
    assert found == [("leaf", "3", "1.0", "3"), ("warmth", "2", "1.0", "3")]


def test_the_predicted_leaf_decides_on_every_level_when_it_is_asked_for(colours, undrawn):
    Path("images/green").rename("images/teal")  # a label the model does not have
    assert run(QUICK, "--class_index=predicted") == 0
    rows = {(row["level"], row["image"]): row for row in rows_of("levels_per_image")}
    assert [rows[level, "teal/1.png"]["explained"] for level in ("leaf", "warmth")] == ["green", "warm"]
    assert rows["leaf", "teal/1.png"]["right"] == "" == rows["leaf", "teal/1.png"]["label"]
    assert {row["accuracy_n"] for row in rows_of("levels")} == {"2"}


def test_auto_takes_the_label_where_there_is_one_and_a_name_goes_for_all(colours, undrawn):
    Path("images/green").rename("images/teal")
    assert run(QUICK) == 0
    rows = rows_of("levels_per_image")
    assert [row["explained"] for row in rows if row["level"] == "leaf"] == ["blue", "red", "green"]
    assert run(QUICK, "--class_index=blue", "--output_folder_path=other") == 0
    with open("other/levels_per_image.csv", newline="") as file:
        assert {row["explained"] for row in csv.DictReader(file)} == {"blue", "cold"}


def test_a_label_without_a_class_is_reported_and_the_rest_explained(colours, undrawn, capsys):
    Path("images/green").rename("images/teal")
    assert run(QUICK, "--class_index=label", "--boxes=boxes.csv") == 1
    assert "GRADCAM teal/1.png: failed: the data has no label" in capsys.readouterr().out
    assert {(row["images"], row["area_n"]) for row in rows_of("levels")} == {("3", "2")}


def test_an_image_that_cannot_be_read_is_reported(colours, undrawn):
    Path("images/red/0.png").write_bytes(b"no")
    assert run(QUICK, "--class_index=predicted") == 1
    assert [row["pcc_n"] for row in rows_of("level_changes_summary")] == ["2"]


# --- numbers -----------------------------------------------------------------------------------------------
def test_the_tables_are_those_of_the_maps(colours, undrawn, capsys):
    assert run("--faithfulness=curves", "--fraction=0.3") == 0
    for row in rows_of("level_changes"):
        found = agreement.compare_maps([map_of(row[key], row["image"]) for key in ("level_a", "level_b")], 0.3)
        for metric in agreement.AGREEMENTS:
            assert float(row[metric]) == pytest.approx(found[metric][0, 1])
    for row in rows_of("levels_per_image"):
        saliency_map = map_of(row["level"], row["image"])
        assert float(row["area"]) == pytest.approx(localisation.measure_area(saliency_map))
        assert float(row["entropy"]) == pytest.approx(localisation.measure_entropy(saliency_map))
        assert 0 < float(row["deletion_auc"]) < float(row["insertion_auc"]) <= 1
        assert 0.5 < float(row["probability"]) <= 1
    printed = capsys.readouterr().out
    [summary] = rows_of("level_changes_summary")
    assert "leaf - warmth" in printed
    assert f"{float(summary['pcc_mean']):.3f} ± {float(summary['pcc_std']):.3f}" in printed


def test_a_map_on_its_square_finds_its_box(colours, undrawn):
    assert run(QUICK, "--boxes=boxes.csv") == 0
    for row in rows_of("levels"):
        assert (row["pointing_game_mean"], row["max_box_acc_mean"], row["max_box_acc_n"]) == ("1.0", "1.0", "3")
        assert 0 < float(row["max_box_acc_threshold"]) < 1 and float(row["energy_pointing_game_mean"]) > 0.3


def test_exchanged_axes_find_nothing(colours, undrawn):
    write_boxes([["red/0.png", 12, 48, 36, 72]])
    assert run(QUICK, "--boxes=boxes.csv") == 0
    assert {(row["max_box_acc_mean"], row["max_box_acc_n"]) for row in rows_of("levels")} == {("0.0", "1")}


def test_masks_tell_the_same_as_boxes_and_parts_are_one_object(colours, undrawn):

    for colour, name in ((RED, "red/0"), (GREEN, "green/1"), (BLUE, "blue/2")):
        halves = square(colour), square(colour)
        middle = np.nonzero(square(colour))[1].mean()
        left = np.arange(96) < middle
        for part, half, side in zip(("left", "right"), halves, (left, ~left)):
            path = Path("masks", part, f"{name}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.where(half & side, 255, 0).astype(np.uint8)).save(path)
    assert run(QUICK, "--masks=masks") == 0
    by_masks = rows_of("levels")
    assert run(QUICK, "--boxes=boxes.csv") == 0
    for masked, boxed in zip(by_masks, rows_of("levels")):
        assert masked["max_box_acc_n"] == boxed["max_box_acc_n"] == "3"
        assert masked["max_box_acc_mean"] == boxed["max_box_acc_mean"] == "1.0"
        for key in ("energy_pointing_game_mean", "pointing_game_mean"):
            assert float(masked[key]) == pytest.approx(float(boxed[key]), abs=0.01)


def test_a_level_of_one_node_is_left_out_and_said(colours, undrawn, capsys):
    Path("colours.csv").write_text("leaf,warmth,any\nred,warm,all\ngreen,warm,all\nblue,cold,all\n")
    assert run(QUICK) == 0
    assert "left out: label level 'any' has one node, 'all', which holds all classes" in capsys.readouterr().err
    assert [row["level"] for row in rows_of("levels")] == ["leaf", "warmth"]


def test_a_model_trained_on_the_level_stands_beside_the_reading(colours, undrawn, coarse_file, capsys):
    assert run(QUICK, f"--coarse_models={coarse_file}") == 0
    rows = rows_of("levels")
    assert [row["level"] for row in rows] == ["leaf", "warmth", "warmth, trained"]
    assert [row["accuracy_mean"] for row in rows] == ["1.0"] * 3 and "warmth.keras" in rows[2]["model"]
    assert len(rows_of("level_changes")) == 3 * 3
    classifier, _ = model_files.load_classifier(model_path=coarse_file)
    own = Level("warmth", ["warm", "cold"], np.array([0, 1], np.int32))
    pixels = np.asarray(keras.utils.load_img("images/red/0.png"))
    wanted = GradCAM(classifier.at_level(own), None, pixels, 0).compute_saliency_map()
    np.testing.assert_allclose(map_of("warmth, trained", "red/0.png"), wanted, rtol=1e-4, atol=1e-7)


def test_two_coarse_models_of_one_level_and_one_of_none_are_refused(colours, undrawn, coarse_file, capsys):
    assert run(QUICK, f"--coarse_models={coarse_file},{coarse_file}") == 2
    assert "one model per level was wanted" in capsys.readouterr().err
    settings = {"class_names": ["a", "b", "c"], "preprocessing": "none"}
    model_files.save_model(planted_model(), Path("other.keras"), settings)
    assert run(QUICK, "--coarse_models=other.keras") == 2
    assert "has no label for 3 of the model's 3 classes: a, b, c" in capsys.readouterr().err


def test_inat_loc_is_read_as_it_is_published(colours, undrawn, inat_loc, capsys):
    settings = {"class_names": list(SPECIES), "preprocessing": "none"}
    model_files.save_model(planted_model(scale=30.0), Path("species.keras"), settings)
    flags = "--model_path=species.keras", f"--taxonomy={inat_loc / 'metadata'}"
    assert run(QUICK, *flags, f"--test_images_folder_path={inat_loc / 'test'}") == 0
    found = [(row["level"], row["n_classes"], row["images"]) for row in rows_of("levels")]
    ranks = "species", "genus", "family", "order", "class"
    assert found == [(rank, size, "6") for rank, size in zip(ranks, "33222")]
    captured = capsys.readouterr()
    assert "boxes of 6 images" in captured.out and "left out: label level 'kingdom' has one node" in captured.err
    [last] = [row for row in rows_of("levels_per_image") if row["level"] == "class" and "acuta/2" in row["image"]]
    assert (last["label"], last["explained"]) == ("Aves", "Aves")
    assert run(QUICK, *flags[1:]) == 2 and "called one of train, val, test" in capsys.readouterr().err


# --- stopped and continued ---------------------------------------------------------------------------------
def test_the_same_run_again_explains_nothing_and_another_taxonomy_is_refused(colours, undrawn, monkeypatch, capsys):
    explained = []
    original = GradCAM.compute_saliency_map

    def compute(self):
        explained.append(len(self.images))
        return original(self)

    monkeypatch.setattr(GradCAM, "compute_saliency_map", compute)
    assert run(QUICK) == 0
    names = "levels_per_image", "level_changes", "level_changes_summary", "levels"
    first = [Path("results", f"{name}.csv").read_bytes() for name in names]
    assert sum(explained) == 6 + 2, "three images on two levels, and one of each that is thrown away"
    explained.clear()
    assert run(QUICK) == 0
    assert explained == [] and first == [Path("results", f"{name}.csv").read_bytes() for name in names]
    Path("colours.csv").write_text("leaf,warmth\nred,warm\ngreen,cold\nblue,cold\n")
    assert run(QUICK) == 2
    assert "holds a run with other settings" in capsys.readouterr().err


# --- figures -----------------------------------------------------------------------------------------------
def test_all_figures_are_written_and_pages_of_a_larger_run_removed(colours, monkeypatch, coarse_file, capsys):
    monkeypatch.setattr(constants, "ROWS_PER_PAGE", 2)
    assert run(QUICK, "--boxes=boxes.csv", f"--coarse_models={coarse_file}") == 0
    names = {path.name for path in Path("results").glob("*.png")}
    assert names == {"side_by_side_GRADCAM.png", "side_by_side_GRADCAM_2.png", "granularity.png"}
    assert "granularity.png" in capsys.readouterr().out
    assert run(QUICK, "--figures=1", "--figure_format=png,svg", "--dpi=60") == 0
    assert not Path("results/side_by_side_GRADCAM_2.png").exists()
    assert round(Image.open("results/granularity.png").info["dpi"][0]) == 60
    assert {path.name for path in Path("results").glob("*.svg")} == {"side_by_side_GRADCAM.svg", "granularity.svg"}


def test_the_curve_has_a_point_per_level_at_its_number_of_classes():
    def level(name, size, value):
        row = {"method": "GRADCAM", "level": name, "n_classes": size}
        for score in levels_tables.SCORES:
            row |= {f"{score}_mean": value, f"{score}_n": int(score != "max_box_acc")}
        return row

    levels = [level("leaf", 1000, 0.8), level("group", 8, 0.9), level("kingdom", 2, 1.0)]
    levels.append(level("group, trained", 8, 0.7))
    figure = levels_figures.figure_granularity(levels)
    assert len(figure.axes) == len(levels_tables.SCORES) - 1, "what has no value has no panel"
    line, ring = figure.axes[0].lines
    np.testing.assert_array_equal(line.get_xydata(), [[2, 1.0], [8, 0.9], [1000, 0.8]])
    np.testing.assert_array_equal(ring.get_xydata(), [[8, 0.7]])
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["leaf\n1000", "group\n8", "kingdom\n2"]


def test_a_classifier_without_names_of_the_taxonomy_says_which(colours, undrawn, capsys):
    model_files.save_model(planted_model(), Path("nameless.keras"), {"preprocessing": "none"})
    assert run(QUICK, "--model_path=nameless.keras") == 2
    assert "class_0, class_1, class_2" in capsys.readouterr().err
    assert Classifier(planted_model()).level is None
