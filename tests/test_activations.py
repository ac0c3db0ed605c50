"""Whole runs of `activations.main` on the planted classifier, and activations against plain Keras sub-models."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from planted import BLUE, COLOURS, GREEN, RED, noise, picture, planted_model, read_table, residual_network

import activations
from network import model_files
from network.classifier import Classifier
from units import activation_maps, top_images, unit_pages


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A working folder with the planted model and four images."""
    monkeypatch.chdir(tmp_path)
    Path("images").mkdir()
    for number, colour in enumerate((RED, GREEN, BLUE, RED)):
        Image.fromarray(picture(colour, seed=number)).save(Path("images", f"{number}.png"))
    model_files.save_model(planted_model(), Path("planted.keras"), {"class_names": list(COLOURS)})
    return tmp_path


def run(*flags):
    try:
        return activations.main(["--model_path=planted.keras", "--test_images_folder_path=images", *flags])
    except SystemExit as stop:
        return stop.code


def rows_of():
    return read_table("activations/top_images.csv")


@pytest.mark.parametrize("layer", ["stem_conv", "stem_bn", "block_1_conv", "block_2_bn", "block_add", "block_out"])
def test_activations_are_those_of_the_model_itself(layer):
    """A convolution with a batch norm behind it would be folded, were it not the layer that is looked at."""
    model = residual_network()
    plain = keras.Model(model.input, model.get_layer(layer).output)
    shown = Classifier(model, layer_name=layer).features(noise(2))
    np.testing.assert_allclose(shown, plain(noise(2)).numpy(), rtol=1e-4, atol=1e-4 * np.abs(shown).max())


def test_a_run_writes_filters_maps_and_top_images(work, capsys):
    assert run("--n_maps=2", "--layer_name=colours") == 0
    for name in ("filters/colours.png", "maps/colours/0.png", "maps/colours/1.png", "top_images/colours.png"):
        assert Image.open(Path("activations", name)).width > 100, name
    assert not Path("activations/maps/colours/2.png").exists()
    rows = rows_of()
    first = {int(row["channel"]): row["image"] for row in rows if row["rank"] == "1"}
    assert len(rows) == 3 * 4 and first[GREEN] == "1.png" and first[BLUE] == "2.png"
    assert first[RED] in ("0.png", "3.png")
    assert json.loads(Path("activations/run.json").read_text())["settings"]["layers"] == ["colours"]
    assert "filters/colours.png" in capsys.readouterr().out


def test_chosen_channels_are_drawn_alone(work, monkeypatch):
    drawn = []
    monkeypatch.setattr(activation_maps.utils, "grid_layout", lambda *given: drawn.append(given) or _figure())
    monkeypatch.setattr(activation_maps, "figure_top_images", lambda rows, title: drawn.append(rows) or _figure())
    assert run("--channel=2,0", "--n_maps=1") == 0
    filters, maps, top = drawn
    assert [title.split(":")[0] for title in filters[1]] == ["2", "0"]
    titles = [title.split("\n")[0] for title in maps[1]]
    assert titles == ["the image,", "channel 2", "channel 2", "channel 0", "channel 0"]
    assert [channel for channel, _ in top] == [2, 0] and top[0][1][0].name == "2.png"


def _figure():
    from plots import drawing

    return drawing.new_figure(1, 1)


def test_from_a_unit_come_its_strongest_patches_and_an_image_made_for_it(work, monkeypatch, capsys):
    assert run("--from=unit", "--channel=0,2", "--n_steps=2") == 0
    names = [path.relative_to("activations").as_posix() for path in sorted(Path("activations").rglob("*.png"))]
    of_units = [f"{folder}/colours_{k}.png" for folder in ("reconstructions", "units") for k in (0, 2)]
    assert names == [*of_units, "visualizations/colours_0_2_steps_0.png", "visualizations/colours_2_2_steps_0.png"]
    assert len(rows_of()) == 3 * 4
    monkeypatch.setattr(unit_pages, "Maximiser", None)  # no image is made again
    drawn = []
    monkeypatch.setattr(unit_pages, "figure_patches", lambda patches, title: drawn.append(patches) or _figure())
    assert run("--from=unit", "--channel=2", "--n_steps=2") == 0
    (patches,) = drawn
    assert patches[0].name == "2.png" and [*patches[0].pictures] == ["deconv", "guided", "image crop"]
    crop = patches[0].pictures["image crop"]
    assert crop.shape == (12, 12, 3) and (crop == [30, 30, 220]).all(axis=-1).all(), "a cell of the blue square"


def test_a_run_that_is_done_reads_no_image_again(work, monkeypatch):
    assert run("--n_maps=0") == 0
    before = rows_of()
    monkeypatch.setattr(top_images.TopImages, "add", lambda *args: pytest.fail("it was done"))
    assert run("--n_maps=0") == 0 and rows_of() == before


def test_an_unreadable_image_costs_itself_and_is_told_each_time(work, capsys):
    Path("images/1.png").write_text("no image")
    for _ in range(2):
        assert run() == 1
        assert "1.png: cannot read" in capsys.readouterr().out
    assert {row["image"] for row in rows_of()} == {"0.png", "2.png", "3.png"}


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--layer_name=colour"], "colours"),
        (["--channel=3"], "3 channels, 0 to 2; given: 3"),
        (["--channel=3-1"], "0-15,151"),
        (["--n_steps=5"], "give --from=unit too"),
        (["--from=unit", "--n_maps=2"], "--n_maps is of layers"),
        (["--test_images_folder_path=nowhere"], "--test_images_folder_path: there is no file or folder"),
        (["--test_fixations_path=scanpaths"], "unrecognized arguments: --test_fixations_path"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(work, capsys, flags, words):
    assert run(*flags) == 2
    said = capsys.readouterr().err.strip().splitlines()[0]
    assert words in said and "Traceback" not in said


def test_other_settings_want_another_folder(work, capsys):
    assert run("--n_maps=0") == 0
    assert run("--n_maps=0", "--n_top_images=2") == 2
    assert "n_top_images: 10, now 2" in capsys.readouterr().err
    Path("activations/mine.txt").write_text("stays")
    assert run("--n_maps=0", "--n_top_images=2", "--overwrite") == 0
    assert len(rows_of()) == 6 and Path("activations/mine.txt").exists()


def test_the_peaks_in_titles_have_as_many_digits():
    grey = np.zeros((4, 4, 3), np.uint8)
    patches = [
        unit_pages.Patch("a.png", peak, dict.fromkeys(["deconv", "guided", "image crop"], grey)) for peak in (7.5, 7.56)
    ]
    figure = unit_pages.figure_patches(patches, "title")
    said = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert {"7.50", "7.56"} <= set(said)
