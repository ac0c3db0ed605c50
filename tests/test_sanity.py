"""A whole check: a map that follows the network falls apart with it, one that does not stays as it was."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from planted import BLUE, GREEN, RED, picture, planted_model, read_table

import sanity
from comparison import sanity_attack, sanity_check
from comparison.sanity_check import compare_with_trained, summarise_stage
from data.dataset import load_dataset
from data.labelled_images import LabelledImages
from network import model_files
from pipeline import run as runs
from pipeline.explain import Runner
from pipeline.samples import ImageSet
from training import random_labels


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A folder of three pictures beside the planted network, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    planted_model().save("planted.keras")
    for number, colours in enumerate(((RED, GREEN), (GREEN, BLUE), (BLUE, RED))):
        path = Path("images", f"{number}.png")
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(picture(*colours, seed=number)).save(path)
    return tmp_path


def run(*flags):
    return sanity.main(["--test_images_folder_path=images", "--model_path=planted.keras", *flags])


def rows_of(name):
    return read_table(Path("results", f"{name}.csv"))


METHODS = "--explanation_method=GRADCAM,VANILLA_GRADIENT"


def test_maps_of_the_trained_network_are_compared_with_those_of_every_stage(work, capsys):
    assert run(METHODS, "--n_stages=2", "--dpi=30") == 0
    printed = capsys.readouterr().out
    assert "stage 1: logits down to logits" in printed and "stage 2: colours down to colours" in printed
    rows = rows_of("sanity")
    assert [(row["method"], row["stage"]) for row in rows[::3]] == [
        (method, stage) for method in ("GRADCAM", "VANILLA_GRADIENT") for stage in "012"
    ]
    trained = [row for row in rows if row["stage"] == "0"]
    assert [float(row[score]) for row in trained for score in sanity_check.SCORES] == pytest.approx([1] * 18)
    last = {row["method"]: row for row in rows_of("sanity_summary") if row["stage"] == "2"}
    assert float(last["GRADCAM"]["spearman_mean"]) < 0.6
    classes = {(row["image"], row["class_index"]) for row in rows_of("records")}
    assert len(classes) == 3, "every stage explains the class of the trained network"
    pictures = "sanity_curves.png", "sanity_strip.png", "sanity_strip_3.png"
    assert all(Path("results", name).is_file() for name in pictures)


def test_a_check_that_is_run_again_explains_nothing_and_says_the_same(work, monkeypatch, capsys):
    assert run(METHODS, "--n_stages=1", "--figures=none") == 0
    first = [Path("results", name).read_bytes() for name in ("sanity.csv", "sanity_summary.csv")]
    monkeypatch.setattr(Runner, "explain_group", lambda *args: pytest.fail("a map was computed again"))
    assert run(METHODS, "--n_stages=1", "--figures=none") == 0
    assert first == [Path("results", name).read_bytes() for name in ("sanity.csv", "sanity_summary.csv")]


@pytest.mark.parametrize("flag", ["--top_k=2", "--report", "--baselines", "--faithfulness=drop"])
def test_flags_of_main_alone_are_refused(work, capsys, flag):
    with pytest.raises(SystemExit) as stopped:
        run(flag)
    assert stopped.value.code == 2 and "unrecognized arguments" in capsys.readouterr().err


# --- the other checks ------------------------------------------------------------------------------------------------
def scores_of(condition):
    """Method -> its row of sanity_summary.csv under a condition."""
    return {row["method"]: row for row in rows_of("sanity_summary") if row["condition"] == condition}


def test_a_twin_of_shifted_pixels_changes_what_begins_at_black(work, capsys):
    methods = "--explanation_method=GRADCAM,VANILLA_GRADIENT,GRADIENT_INPUT"
    assert run("--check=input_shift", "--shift=20", methods, "--figures=1", "--figure_format=svg", "--dpi=60") == 0
    twin, by_noise = scores_of("twin, shifted"), scores_of("trained, noise")
    for method in ("GRADCAM", "VANILLA_GRADIENT"):
        assert float(twin[method]["relative_change_mean"]) < 1e-3
    assert float(twin["GRADIENT_INPUT"]["relative_change_mean"]) > 0.1
    assert float(by_noise["GRADIENT_INPUT"]["relative_change_mean"]) > 0.1
    assert "twin: a probability differs by" in capsys.readouterr().out
    assert {path.name for path in Path("results").glob("sanity_*.*g")} == {"sanity_points.svg", "sanity_strip.svg"}
    strip = Path("results/sanity_strip.svg").read_text()
    assert strip.count("<image ") == 2 * 9, "each of nine maps has its colour bar"


def test_attacked_pictures_are_kept_within_the_bound_and_not_made_again(work, monkeypatch):
    for number, colour in enumerate((RED, GREEN, BLUE)):  # of one colour: nothing near turns the class
        Image.fromarray(picture(colour, seed=number)).save(f"images/{number}.png")
    flags = (
        "--check=adversarial",
        "--explanation_method=GRADIENT_INPUT",
        "--n_iterations=3",
        "--bound=4",
        "--figures=none",
    )
    assert run(*flags) == 0
    before = np.asarray(Image.open("images/0.png")).astype(int)
    for attack in sanity_attack.ATTACKS:
        after = np.asarray(Image.open(f"results/attacked/GRADIENT_INPUT_{attack}/0.png")).astype(int)
        assert 0 < np.abs(after - before).max() <= 4
    rows = [row for row in rows_of("sanity") if row["image"] == "0.png"]
    assert len(rows) == 4 and len({row["predicted"] for row in rows}) == 1
    monkeypatch.setattr(sanity_attack.Attack, "run", lambda *args: pytest.fail("it was attacked again"))
    assert run(*flags) == 0


def test_an_image_whose_class_turns_at_once_is_left_out_and_told(work, capsys):
    flags = (
        "--check=adversarial",
        "--explanation_method=GRADIENT_INPUT",
        "--n_iterations=1",
        "--limit=2",
        "--figures=none",
    )
    assert run(*flags) == 0  # 1.png: as much green as blue
    assert "1.png: every image on the way is taken for another class" in capsys.readouterr().out
    assert {row["spearman_n"] for row in rows_of("sanity_summary")} == {"2", "1"}


def test_networks_of_other_labels_are_compared_with_that_of_the_true_ones(work, monkeypatch, capsys):
    shown = np.zeros((3, 96, 96, 3), np.uint8)
    images = LabelledImages(list("abc"), shown, np.arange(3), ["red", "green", "blue"], [])
    monkeypatch.setattr(random_labels, "read_training_images", lambda limit: images)
    asked = []

    def train(images, labels, path, seed, epochs, report):
        asked.append((seed, epochs, sorted(labels.tolist())))
        path.parent.mkdir(parents=True, exist_ok=True)
        return model_files.save_model(planted_model(scale=80.0 + len(asked)), path, {})

    monkeypatch.setattr(random_labels, "train_from_scratch", train)
    monkeypatch.setattr(runs, "load_dataset", lambda data: ImageSet(load_dataset("images"), []))
    assert sanity.main(["--check=labels", "--epochs=2", METHODS]) == 0
    assert asked == [(0, 2, [0, 1, 2]), (1, 2, [0, 1, 2]), (0, 2, [0, 1, 2])]
    assert (
        set(scores_of("permuted labels"))
        == set(scores_of("true labels, other seed"))
        == {"GRADCAM", "VANILLA_GRADIENT"}
    )
    assert "permuted labels: 33.3% of 3 training images have the label it learnt" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--check=input_shift", "--n_stages=2"], "--n_stages belongs to --check=randomisation"),
        (["--bound=4"], "--bound belongs to --check=adversarial"),
        (["--check=input_shift", "--shift=0"], "--shift should not be 0"),
        (["--check=labels"], "leave out --test_images_folder_path"),
        (["--check=adversarial", "--explanation_method=RISE"], "not of RISE"),
    ],
)
def test_flags_that_a_check_has_no_use_for_are_refused(work, capsys, flags, said):
    assert run(*flags) == 2 and said in capsys.readouterr().err


# --- how alike two maps are --------------------------------------------------------------------------------------
def test_the_magnitudes_of_a_map_and_its_negative_are_the_same():
    saliency_map = np.random.default_rng(0).normal(size=(9, 9)).astype(np.float32)
    scores = compare_with_trained(saliency_map, -saliency_map)
    assert scores["spearman"] == pytest.approx(-1) and scores["spearman_magnitudes"] == pytest.approx(1)


def test_a_constant_or_missing_map_is_like_nothing():
    saliency_map = np.arange(81, dtype=np.float32).reshape(9, 9)
    for other in (np.ones_like(saliency_map), None):
        assert np.isnan(list(compare_with_trained(saliency_map, other).values())).all()


def test_what_is_undefined_is_left_out_and_counted():
    mean, low, high, n = summarise_stage(np.array([0.2, np.nan, 0.6]))
    assert (mean, n) == (pytest.approx(0.4), 2) and 0.2 <= low < high <= 0.6
    assert np.isnan(summarise_stage(np.array([np.nan]))[0]) and set(sanity_check.SCORES) == set(
        compare_with_trained(np.eye(9), np.eye(9))
    )
