"""The maps of the most probable classes: `main.py --top_k`."""

import csv

import numpy as np
import pytest
from conftest import BLUE, COLOURS, GREEN, RED, picture, planted_model, square
from PIL import Image

import main
import model_files
from classifier import Classifier
from gradcam import GradCAM


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A working directory with the planted model and an image of a red and a green square."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    Image.fromarray(picture(RED, GREEN)).save(tmp_path / "images" / "two.png")
    model_files.save_model(planted_model(), tmp_path / "planted.keras", {"class_names": list(COLOURS)})
    return tmp_path


def run(*flags):
    return main.main(["--model_path=planted.keras", "--test_images_folder_path=images", *flags])


def test_every_class_has_the_map_it_has_alone(work):
    assert run("--top_k=2", "--explanation_method=GRADCAM,FEM") == 0
    paths = sorted((work / "results" / "maps" / "GRADCAM").glob("two.class_*.npy"))
    assert [path.name for path in paths] == [f"two.class_{RED}.npy", f"two.class_{GREEN}.npy"]
    assert not list((work / "results" / "maps" / "FEM").glob("*.class_*")), "no class enters FEM"
    for path, index in zip(paths, (RED, GREEN)):
        alone = GradCAM(Classifier(planted_model()), None, picture(RED, GREEN), index).compute_saliency_map()
        np.testing.assert_allclose(np.load(path), alone, rtol=1e-5, atol=1e-7)
        assert square(index)[np.unravel_index(np.load(path).argmax(), alone.shape)]
    figure = Image.open(work / "results" / "figures" / "top_classes" / "two.png")
    assert figure.height > figure.width, "two rows of two square cells"


def test_more_classes_than_the_model_has_are_all_it_has(work):
    assert run("--top_k=50") == 0
    assert len(list((work / "results" / "maps" / "GRADCAM").glob("two.class_*.npy"))) == len(COLOURS)


def test_maps_on_disk_are_not_computed_again_and_go_when_the_run_is_overwritten(work, monkeypatch):
    assert run("--top_k=1") == 0
    [path] = (work / "results" / "maps" / "GRADCAM").glob("two.class_*.npy")
    before = path.stat().st_mtime_ns
    assert run("--top_k=2") == 0
    assert path.stat().st_mtime_ns == before
    assert run("--overwrite") == 0
    assert not list(path.parent.glob("*.class_*")) and not (work / "results" / "figures" / "top_classes").exists()


def test_an_image_that_cannot_be_read_has_no_figure(work):
    (work / "images" / "broken.png").write_bytes(b"no image")
    assert run("--top_k=1") == 1
    assert [path.name for path in (work / "results" / "figures" / "top_classes").iterdir()] == ["two.png"]


def test_the_records_stay_those_of_the_explained_class(work):
    assert run("--top_k=3", "--class_index=blue") == 0
    with open(work / "results" / "records.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["image"], int(row["class_index"])) for row in rows] == [("two.png", BLUE)]
