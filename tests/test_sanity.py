"""A whole check: a map that follows the network falls apart with it, one that does not stays as it was."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from planted import BLUE, GREEN, RED, picture, planted_model

import sanity
from comparison import sanity_check
from comparison.sanity_check import compare_with_trained, summarise_stage
from pipeline.explain import Runner


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
    with Path("results", f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


METHODS = "--explanation_method=GRADCAM,VANILLA_GRADIENT"


def test_maps_of_the_trained_network_are_compared_with_those_of_every_stage(work, capsys):
    assert run(METHODS, "--n_stages=2") == 0
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
    assert run(METHODS, "--n_stages=1") == 0
    first = [Path("results", name).read_bytes() for name in ("sanity.csv", "sanity_summary.csv")]
    monkeypatch.setattr(Runner, "explain_group", lambda *args: pytest.fail("a map was computed again"))
    assert run(METHODS, "--n_stages=1") == 0
    assert first == [Path("results", name).read_bytes() for name in ("sanity.csv", "sanity_summary.csv")]


@pytest.mark.parametrize("flag", ["--top_k=2", "--report", "--baselines", "--faithfulness=drop"])
def test_flags_of_main_alone_are_refused(work, capsys, flag):
    with pytest.raises(SystemExit) as stopped:
        run(flag)
    assert stopped.value.code == 2 and "unrecognized arguments" in capsys.readouterr().err


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
