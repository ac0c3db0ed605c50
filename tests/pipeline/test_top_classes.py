"""The maps of several classes of an image: `main.py --top_k` and `--classes`."""

import csv

import numpy as np
import pytest
from figure_texts import assert_texts_are_whole_and_apart, words_of
from PIL import Image
from planted import BLUE, COLOURS, GREEN, RED, picture, planted_model, read_table, square
from scipy.stats import spearmanr

import main
from explainers.registry import METHODS
from gradcam import GradCAM
from network import model_files
from network.classifier import Classifier
from pipeline import top_classes
from pipeline.run_figures import Style


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


# --- numbers -----------------------------------------------------------------------------------------------
def rows_of():
    return read_table("results/top_classes.csv")


def test_two_classes_have_the_agreement_of_their_maps_and_their_energy_in_every_named_box(work):
    x0, x1, y0, y1 = 48, 72, 12, 36  # of the red square
    lines = ["file,x0,y0,x1,y1,name", f"two.png,{x0},{y0},{x1},{y1},red", "two.png,0,0,96,48,above"]
    (work / "boxes.csv").write_text("\n".join([*lines, "two.png,0,48,96,96,above"]))
    assert run("--classes=red,green", "--explanation_method=GRADCAM,FEM", "--boxes=boxes.csv") == 0
    rows = rows_of()
    assert {row["method"] for row in rows} == {"GRADCAM"}, "no class enters FEM"
    red, green = (np.load(work / f"results/maps/GRADCAM/two.class_{index}.npy") for index in (RED, GREEN))
    [pair] = [row for row in rows if row["other_class"]]
    assert (pair["class"], pair["other_class"]) == ("red", "green")
    assert float(pair["pcc"]) == pytest.approx(np.corrcoef(red.ravel(), green.ravel())[0, 1], abs=1e-6)
    assert float(pair["spearman"]) == pytest.approx(spearmanr(red.ravel(), green.ravel()).statistic, abs=1e-6)
    kept = [np.argsort(-saliency_map.ravel(), kind="stable")[: round(0.2 * red.size)] for saliency_map in (red, green)]
    both = len(np.intersect1d(*kept))
    assert float(pair["iou"]) == pytest.approx(both / (2 * len(kept[0]) - both))
    energy = {(row["class"], row["box"]): float(row["energy"]) for row in rows if row["box"]}
    for name, saliency_map in (("red", red), ("green", green)):
        lifted = saliency_map.astype(float) - saliency_map.min()
        share = lifted[y0:y1, x0:x1].sum() / lifted.sum()
        assert energy[name, "red"] == pytest.approx(share, rel=1e-5)
        assert energy[name, "above"] == pytest.approx(1), "two boxes of one name are one place"
    assert energy["red", "red"] > 2 * energy["green", "red"]
    assert run("--overwrite") == 0
    assert not (work / "results" / "top_classes.csv").exists()


def test_a_constant_map_has_no_number_and_says_why():
    maps = np.stack([np.zeros((4, 4)), np.eye(4)])
    rows = top_classes.measure("a.png", "GRADCAM", ["red", "green"], maps, {"left": np.eye(4) > 0})
    assert [row["undefined"] for row in rows] == ["a map is constant", "saliency_map is constant", ""]
    assert rows[2]["energy"] == 1
    notes = top_classes.list_notes(rows, ["GRADCAM"])
    assert ["red | green", "-, -, -"] in notes and ["green in 'left'", "1.00"] in notes


def test_the_numbers_stand_under_the_figure_below_their_method(work):
    image, maps = picture(RED, GREEN), np.random.default_rng(0).random((2, 8, 8))
    methods = [METHODS["GRADCAM"], METHODS["LAYERCAM"]]
    rows = [
        row
        for method in methods
        for row in top_classes.measure("a.png", method.name, ["red", "green"], maps, {"all": np.ones((96, 96), bool)})
    ]
    shown = image, ["red", "green"], [0.5, 0.4], dict.fromkeys(methods, maps), Style(), "a.png", rows
    figure = top_classes.figure_top_classes(*shown)
    assert_texts_are_whole_and_apart(figure)
    texts = words_of(figure)
    agreement = top_classes.list_notes(rows, ["GRADCAM"])[1][1]
    assert texts.count(agreement) == 2 and "red in 'all'" in texts and texts.count("1.00") == 4


def test_a_map_of_another_size_is_told_by_its_file(work, capsys):
    assert run("--top_k=2") == 0
    path = work / "results" / "maps" / "GRADCAM" / f"two.class_{GREEN}.npy"
    np.save(path, np.zeros((5, 7), np.float32))
    assert run("--top_k=2") == 2
    said = capsys.readouterr().err
    assert f"two.class_{GREEN}.npy' (it is (5, 7), and the maps of this run are" in said


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
