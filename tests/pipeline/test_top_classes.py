"""The maps of several classes of an image: `main.py --top_k` and `--classes`."""

import csv

import numpy as np
import pytest
from PIL import Image
from planted import BLUE, COLOURS, GREEN, RED, picture, planted_model, square

import main
from gradcam import GradCAM
from network import model_files
from network.classifier import Classifier
from pipeline import top_classes


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A working directory with the planted model and an image of a red and a green square."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    Image.fromarray(picture(RED, GREEN)).save(tmp_path / "images" / "two.png")
    model_files.save_model(planted_model(), tmp_path / "planted.keras", {"class_names": list(COLOURS)})
    return tmp_path


def run(*flags):
    """The exit code; argparse leaves by SystemExit."""
    try:
        return main.main(["--model_path=planted.keras", "--test_images_folder_path=images", *flags])
    except SystemExit as stop:
        return stop.code


def maps_in(work):
    return sorted(path.name for path in (work / "results" / "maps" / "GRADCAM").glob("two.class_*.npy"))


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
    assert len(maps_in(work)) == len(COLOURS)


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


# --- classes by name ---------------------------------------------------------------------------------------
def test_named_classes_have_the_maps_they_have_among_the_most_probable(work):
    assert run("--classes=green,Red,1") == 0
    assert maps_in(work) == [f"two.class_{RED}.npy", f"two.class_{GREEN}.npy"]
    maps = [np.load(work / "results" / "maps" / "GRADCAM" / f"two.class_{index}.npy") for index in (RED, GREEN)]
    for index, saliency_map in zip((RED, GREEN), maps):
        assert square(index)[np.unravel_index(saliency_map.argmax(), saliency_map.shape)]
    figure = Image.open(work / "results" / "figures" / "top_classes" / "two.png")
    assert figure.height > figure.width, "two rows of two square cells: green once, as a name and an index"
    assert run("--top_k=2", "--overwrite") == 0
    for index, saliency_map in zip((RED, GREEN), maps):
        again = np.load(work / "results" / "maps" / "GRADCAM" / f"two.class_{index}.npy")
        np.testing.assert_allclose(again, saliency_map, rtol=1e-5, atol=1e-7)


def test_the_rows_come_in_the_order_of_the_names_or_of_the_probabilities(planted_classifier):
    probabilities = np.array([0.2, 0.5, 0.3])
    assert top_classes.read_rule(planted_classifier, None, "blue,red")(probabilities) == [BLUE, RED]
    assert top_classes.read_rule(planted_classifier, 2, None)(probabilities) == [GREEN, BLUE]
    assert top_classes.read_rule(planted_classifier, None, None) is None


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        ("crane, bird", [0]),
        ("crane, machine,crane, bird", [1, 0]),
        ("tub", [2]),
        ("crane, bird,tub,1", [0, 2, 1]),
        ("0, 2", [0, 2]),
        ("Crane, Bird , tub", [0, 2]),
    ],
)
def test_a_name_may_hold_commas(planted, text, indices):
    classifier = Classifier(planted, class_names=("crane, bird", "crane, machine", "tub"))
    assert top_classes.read_classes(text, classifier) == indices


def test_the_longest_name_that_fits_is_taken(planted):
    classifier = Classifier(planted, class_names=("red", "green", "red,green"))
    assert top_classes.read_classes("red,green", classifier) == [2]
    assert top_classes.read_classes("green,red", classifier) == [1, 0]


@pytest.mark.parametrize("text", ["purple", "red,purple", "red,,blue", "red,3", "-1", ""])
def test_a_class_the_model_does_not_have_is_refused_before_anything_is_computed(work, capsys, text):
    assert run(f"--classes={text}") == 2
    error = capsys.readouterr().err
    assert error.startswith("main.py: error: ") and "class" in error and "Traceback" not in error
    assert not (work / "results" / "maps").exists()


def test_named_and_most_probable_classes_exclude_each_other(work, capsys):
    assert run("--classes=red", "--top_k=2") == 2
    assert "not allowed with argument" in capsys.readouterr().err
