"""Whole dissections through `network_dissection.main`: flags, files, what is named, what is not computed again.

The planted classifier stands for the network: its units are the amounts of red, green and blue.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from planted import BLUE, COLOURS, DATA, GREEN, RED, picture, planted_model, read_table, square

import network_dissection
from network import model_files
from network.classifier import Classifier


@pytest.fixture
def run(tmp_path, monkeypatch, model_file):
    """Exit code of a dissection in a folder with images/<colour>/<number>.png and the masks of their squares."""
    monkeypatch.chdir(tmp_path)
    for number, colour in enumerate((RED, GREEN, BLUE)):
        write(f"images/{COLOURS[colour]}/{number}.png", picture(colour, seed=number))
        write(f"concepts/square_{COLOURS[colour]}/{number}.png", 255 * square(colour).astype(np.uint8))

    def run(*flags):
        flags = (f"--model_path={model_file}", "--test_images_folder_path=images", "--figures=none", *flags)
        try:
            return network_dissection.main(flags)
        except SystemExit as stop:
            return stop.code

    return run


MASKS = ("--concepts=concepts", "--activation_share=0.03")


def write(path, array):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def rows_of(name, folder="dissection"):
    return read_table(Path(folder, f"{name}.csv"))


def test_units_are_described_in_the_files_of_a_run(run, capsys):
    assert run(*MASKS, "--figures=3") == 0
    rows = {row["unit"]: (row["layer"], row["concept"], row["iou"]) for row in rows_of("descriptions")}
    assert rows == {  # 24 x 24 of 36 x 36 pixels, and of 30 x 30: see test_dissection.py
        "0": ("colours", "square_red", "0.444444"),
        "1": ("colours", "square_green", "0.444444"),
        "2": ("colours", "square_blue", "0.640000"),
    }
    assert rows_of("layers")[0] | {"units": "3", "detectors": "3", "concepts": "3"} == rows_of("layers")[0]
    assert rows_of("detectors")[0] == {"concept": "square_blue", "colours": "1"}
    pictures = sorted(path.relative_to("dissection").as_posix() for path in Path("dissection").rglob("*.png"))
    assert pictures == ["histogram.png", "units/01_colours_2.png", "units/02_colours_0.png", "units/03_colours_1.png"]
    said = capsys.readouterr().out
    assert "3 in 'concepts', masks of 3 images" in said and "a detector's IoU exceeds 0.04" in said


def test_the_best_detectors_have_a_figure_up_to_a_number(run):
    assert run(*MASKS, "--figures=2") == 0 and run(*MASKS, "--figures=1") == 0
    assert [path.name for path in Path("dissection/units").iterdir()] == ["01_colours_2.png"]


def test_a_second_run_with_other_concepts_makes_no_forward_pass(run, monkeypatch):
    assert run(*MASKS) == 0
    monkeypatch.setattr(Classifier, "features_by_layer", None)
    assert run("--activation_share=0.34", "--min_iou=0.5") == 0
    assert {(row["unit"], row["concept"]) for row in rows_of("descriptions")} == {
        ("0", "red"),
        ("1", "green"),
        ("2", "blue"),
    }


def test_of_labels_the_levels_are_those_of_chance(run, capsys):
    for number in range(3, 12):
        write(f"images/{COLOURS[number % 3]}/{number}.png", picture(number % 3, seed=number))
    assert run() == 0
    assert "0.333 of activations; a detector's IoU exceeds 0.6" in capsys.readouterr().out  # see test_concepts.py
    assert {(row["concept"], row["iou"]) for row in rows_of("descriptions")} == {
        ("red", "1.000000"),
        ("green", "1.000000"),
        ("blue", "1.000000"),
    }


def test_the_random_twin_is_dissected_beside_it_and_compared(run, capsys):
    assert run(*MASKS, "--random_twin") == 0
    assert len(rows_of("descriptions", "dissection/random_twin")) == 3
    assert json.loads(Path("dissection/random_twin/run.json").read_text())["name"] == "random twin"
    compared = rows_of("comparison")
    assert {row["concept"] for row in compared} >= {"square_red", "square_green", "square_blue"}
    assert all(row["first"] == "1" for row in compared)
    assert Path("dissection/comparison.png").is_file() and "random twin" in capsys.readouterr().out


def test_two_runs_are_compared_from_their_folders(run, capsys):
    assert run(*MASKS, "--output_folder_path=one") == 0
    assert run("--concepts=concepts", "--activation_share=0.5", "--compare_with=one", "--min_iou=0.5") == 0
    assert [row["found_in"] for row in rows_of("comparison")] == ["shared"]
    said = capsys.readouterr().out
    assert "the second run had another activation_share" in said and "another concepts" not in said
    assert "planted (2)" in said, "two models of one name are told apart"
    first, *_ = units = rows_of("units_by_model")
    assert len(units) == 3 and list(first)[2:] == [
        "planted: concept",
        "planted: iou",
        "planted (2): concept",
        "planted (2): iou",
    ]
    assert {row["planted (2): concept"] for row in units} == {"square_red", "square_green", "square_blue"}


def test_what_cannot_be_read_is_named_and_the_exit_code_tells(run, capsys):
    Path("images/green/1.png").write_bytes(b"no picture")
    Path("concepts/square_blue/2.png").write_bytes(b"no picture")
    assert run("--concepts=concepts", "--activation_share=0.04") == 1
    said = capsys.readouterr().out
    assert "cannot read 'images/green/1.png'" in said and "cannot read 'concepts/square_blue/2.png'" in said
    assert {row["unit"]: row["concept"] for row in rows_of("descriptions")}["0"] == "square_red"


def test_a_concept_that_no_unit_can_detect_is_named(run, capsys):
    write("concepts/all/0.png", np.full((96, 96), 255, np.uint8))
    assert run("--concepts=concepts", "--activation_share=0.01") == 0
    assert "too large for a detector at --activation_share=0.01: all (33.3% of the pixels" in capsys.readouterr().out


def test_a_folder_of_another_model_is_refused_until_it_is_overwritten(run, model_file, tmp_path, capsys):
    assert run(*MASKS) == 0
    settings = model_files.read_settings(model_file)
    model = planted_model()
    model.get_layer("colours").set_weights([2 * weight for weight in model.get_layer("colours").get_weights()])
    other = model_files.save_model(model, tmp_path / "other.keras", settings)
    assert run(*MASKS, f"--model_path={other}") == 2
    assert "holds a run with other settings (weights: " in capsys.readouterr().err
    assert run(*MASKS, f"--model_path={other}", "--overwrite") == 0


def test_ctrl_c_leaves_a_run_that_goes_on(run, monkeypatch, capsys):
    original, batches = Classifier.features_by_layer, []

    def interrupted(self, images):
        batches.append(len(images))
        if len(batches) == 2:
            raise KeyboardInterrupt
        return original(self, images)

    monkeypatch.setattr(Classifier, "features_by_layer", interrupted)
    assert run(*MASKS, "--batch_size=1") == 130
    assert "the same command goes on from here" in capsys.readouterr().err
    assert run(*MASKS, "--batch_size=1") == 0 and len(batches) == 4


@pytest.mark.parametrize(
    "flags, words",
    [
        (("--activation_share=0",), "--activation_share should lie between 0 and 1"),
        (("--activation_share=2",), "0 or more, up to 1 was wanted; got 2"),
        (("--concepts=nowhere",), "there is no folder 'nowhere'"),
        (("--compare_with=nowhere",), "there is no descriptions.csv in 'nowhere'"),
        (("--compare_with=a", "--random_twin"), "not allowed with argument"),
        (("--layer_name=none",), "none"),
        (("--seed=1",), "give --random_twin too"),
        (("--sigma_px=30",), "unrecognized arguments: --sigma_px=30"),
        (("--test_gdfm_folder_path=images",), "unrecognized arguments: --test_gdfm_folder_path"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(run, capsys, flags, words):
    assert run(*flags) == 2
    said = capsys.readouterr().err
    assert words in said and "Traceback" not in said


@pytest.mark.data
def test_a_trained_network_detects_classes_that_its_random_twin_does_not(tmp_path):
    flags = [
        f"--model_path={DATA / 'models/resnet8_cifar10.keras'}",
        f"--test_images_folder_path={DATA / 'cifar10_sample'}",
        "--random_twin",
        "--figures=none",
        f"--output_folder_path={tmp_path}",
    ]
    assert network_dissection.main(flags) == 0
    detectors, of_twin = (
        int(rows_of("layers", folder)[0]["detectors"]) for folder in (tmp_path, tmp_path / "random_twin")
    )
    assert detectors > 4 * of_twin


# --- words in the place of masks ---------------------------------------------------------------------------------
@pytest.fixture
def worded(run):
    """`run` beside words and a matrix that says which image shows which colour; images 0, 1, 2 are of the three."""
    Path("words.txt").write_text("red\ngreen\nblue\nsea\n")
    np.save("matrix.npy", np.concatenate([np.eye(3), np.zeros((3, 1))], axis=1))
    return lambda *flags: run("--words=words.txt", *flags)


def test_units_are_named_by_words_in_the_authors_layout(worded, run, capsys):
    assert run(*MASKS) == 0 and worded("--similarities=matrix.npy", "--figures=1") == 0
    rows = rows_of("descriptions", "dissection/clip")
    assert list(rows[0]) == ["layer", "unit", "description", "similarity"]
    # The rows are in the order of the names: blue/2.png, green/1.png, red/0.png.
    assert [(row["unit"], row["description"]) for row in rows] == [("0", "blue"), ("1", "green"), ("2", "red")]
    against = rows_of("against_masks", "dissection/clip")
    assert [(row["concept"], row["agrees"]) for row in against][0] == ("square_red", "no")
    assert len(list(Path("dissection/clip/units").iterdir())) == 1
    assert "1 images of largest mean activation of 3" in capsys.readouterr().out
    assert len(rows_of("descriptions")) == 3, "what the masks said stays"


def test_a_limit_takes_the_rows_of_the_images_it_lets_through(worded):
    write("images/red/9.png", picture(RED, seed=9))
    np.save("matrix.npy", [[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    assert worded("--similarities=matrix.npy", "--limit=3") == 0
    names = [row["description"] for row in rows_of("descriptions", "dissection/clip")]
    assert names == ["red", "green", "blue"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--words=words.txt"], "give --similarities or --clip"),
        (["--words=words.txt", "--similarities=matrix.npy", "--random_twin"], "--random_twin is of masks"),
        (["--words=words.txt", "--similarities=matrix.npy", "--clip=folder"], "not allowed with argument"),
        (["--words=words.txt", "--clip=images"], "there is no config.json"),
        (["--similarities=matrix.npy"], "--words is wanted"),
        (["--words=words.txt", "--similarities=matrix.npy", "--clip_top_k=4"], "4 images of each unit"),
    ],
)
def test_flags_of_words_that_do_not_go_together_are_refused(worded, run, capsys, flags, said):
    assert run(*flags) == 2 and said in capsys.readouterr().err
