"""The table of muted boxes: `main.py --boxes`, its numbers against images that are filled by hand."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from planted import COLOURS, GREEN, RED, picture, planted_model, read_table, square

import main
from network import model_files
from network.classifier import Classifier

BOXES = {RED: (48, 12, 72, 36), GREEN: (12, 60, 36, 84)}  # of the squares


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A working folder with the planted model and two images of a red and a green square, one of them larger."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    Image.fromarray(picture(RED, GREEN)).save("images/a.png")
    Image.fromarray(picture(RED, GREEN)).resize((192, 96)).save("images/wide.png")
    model_files.save_model(planted_model(scale=24), "planted.keras", {"class_names": list(COLOURS)})
    return tmp_path


def write_boxes(*rows, head="file,x0,y0,x1,y1,name"):
    Path("boxes.csv").write_text("\n".join([head, *(",".join(map(str, row)) for row in rows)]))


def run(*flags):
    return main.main(
        [
            "--model_path=planted.keras",
            "--test_images_folder_path=images",
            "--explanation_method=OCCLUSION",
            "--occlusion_patch=48",
            "--class_index=red",
            *flags,
        ]
    )


def rows_of():
    return read_table("results/muted.csv")


def probability(image):
    return Classifier(planted_model(scale=24)).predict(image[None].astype(np.float32))[0, RED]


def filled(image, *colours, grey=127):
    image = image.copy()
    for colour in colours:
        image[square(colour)] = grey
    return image


# --- numbers -----------------------------------------------------------------------------------------------
def test_each_box_has_the_probability_of_the_image_in_which_it_is_filled(work, capsys):
    write_boxes(("a.png", *BOXES[RED], "the red one"), ("a.png", *BOXES[GREEN], ""))
    assert run("--boxes=boxes.csv", "--occlusion_fill=100") == 0
    image = picture(RED, GREEN)
    [red, green] = rows_of()
    assert (red["image"], red["class"], red["box"], red["x0"], green["box"]) == (
        "a.png",
        "red",
        "the red one",
        "48.0",
        "line 3",
    )
    for row, colour in ((red, RED), (green, GREEN)):
        muted = probability(filled(image, colour, grey=100))
        assert float(row["probability"]) == pytest.approx(probability(image), abs=1e-6)
        assert float(row["probability_muted"]) == pytest.approx(muted, abs=1e-6)
        assert float(row["fall"]) == pytest.approx(probability(image) - muted, abs=1e-6)
    assert float(red["fall"]) > 0.1 and float(green["fall"]) < -0.1, "the class falls without its square alone"
    assert f"{float(red['fall']):.3f}" in capsys.readouterr().out


def test_boxes_are_in_pixels_of_the_image_and_two_may_share_a_name(work, capsys):
    x0, y0, x1, y1 = BOXES[RED]
    write_boxes(("wide.png", 2 * x0, y0, 2 * x1, y1, "half"), ("wide.png", 0, 0, 192, 96, "half"))
    assert run("--boxes=boxes.csv") == 0
    [square_alone, everything] = rows_of()
    assert float(square_alone["fall"]) == pytest.approx(
        probability(picture(RED, GREEN)) - probability(filled(picture(RED, GREEN), RED)), abs=0.02
    )
    assert float(everything["probability_muted"]) == pytest.approx(1 / 3, abs=0.01), "even grey is of no colour"
    assert "of 1 image; without any, left out: 1" in capsys.readouterr().out


def test_boxes_are_turned_with_the_photograph(work):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: stored turned the other way
    Image.fromarray(np.rot90(picture(RED, GREEN))).save("images/a.png", exif=exif)
    x0, y0, x1, y1 = BOXES[RED]
    write_boxes(("a.png", y0, 96 - x1, y1, 96 - x0, "red"))
    assert run("--boxes=boxes.csv") == 0
    [row] = rows_of()
    muted = probability(filled(picture(RED, GREEN), RED))
    assert float(row["probability_muted"]) == pytest.approx(muted, abs=1e-6)


# --- what has no number --------------------------------------------------------------------------------------
def test_a_box_too_small_for_the_input_says_so_and_the_others_have_numbers(work):
    Image.fromarray(picture(RED, GREEN)).resize((960, 960)).save("images/a.png")
    write_boxes(("a.png", 101, 101, 102, 102, "dot"), ("a.png", 480, 120, 720, 360, "red"))
    assert run("--boxes=boxes.csv") == 0
    [dot, red] = rows_of()
    assert "'dot'" in dot["undefined"] and "covers no pixel" in dot["undefined"] and dot["fall"] == ""
    assert float(red["fall"]) > 0.1 and red["undefined"] == ""


def test_an_image_that_could_not_be_explained_has_its_reason(work):
    Image.fromarray(picture(RED)).save("images/a.jpg")
    Path("images/a.jpg").write_bytes(Path("images/a.jpg").read_bytes()[:-400])  # a head without all its pixels
    write_boxes(("a.jpg", 0, 0, 9, 9, "corner"), ("wide.png", 0, 0, 9, 9, "corner"))
    assert run("--boxes=boxes.csv") == 1
    [broken, whole] = rows_of()
    assert broken["undefined"].startswith("failed: ") and broken["fall"] == "" and whole["fall"] != ""


# --- flags -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("rows", "flags", "words"),
    [
        ([("a.png", 0, 0, 9, 9, "x")], ["--explanation_method=FEM", "--occlusion_patch=9"], "belongs to OCCLUSION"),
        ([("a.png", 0, 0, 97, 9, "x")], [], "reaches beyond its image of 96 x 96"),
        ([("b.png", 0, 0, 9, 9, "x")], [], "none of the 1 files"),
        ([("a.png", 0, "x", 9, 9, "x")], [], "line 2 of 'boxes.csv' should hold four numbers"),
        ([], [], "'boxes.csv' has no row under its head"),
    ],
)
def test_bad_boxes_end_the_run_before_anything_is_explained(work, capsys, rows, flags, words):
    write_boxes(*rows)
    assert run("--boxes=boxes.csv", *flags) == 2
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error
    assert not list(work.glob("results/maps/*"))


def test_boxes_without_occlusion_are_refused_by_their_own_name(work, capsys):
    arguments = ["--explanation_method=GRADCAM,FEM", "--boxes=boxes.csv"]
    assert main.main(arguments) == 2
    error = capsys.readouterr().err
    assert "--boxes belongs to OCCLUSION, which is not among the chosen: GRADCAM, FEM; or to --top_k" in error


def test_the_table_goes_when_the_run_is_overwritten(work):
    write_boxes(("a.png", *BOXES[RED], "red"))
    assert run("--boxes=boxes.csv") == 0
    assert run("--overwrite") == 0
    assert not Path("results/muted.csv").exists() and Path("results/records.csv").is_file()
