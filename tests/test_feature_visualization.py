"""Whole runs of `feature_visualization.main` on the planted classifier: files, verdicts, going on, slips."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from planted import COLOURS, planted_model, read_table

import feature_visualization
from network import model_files
from units import maximisation, visualization


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A working folder with the planted model; few steps, a checkpoint every third."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(visualization, "STEPS_PER_CHECKPOINT", 3)
    model_files.save_model(planted_model(), Path("planted.keras"), {"class_names": list(COLOURS)})
    return tmp_path


def run(*given, folder="out"):
    try:
        return feature_visualization.main(["--model_path=planted.keras", f"--output_folder_path={folder}", *given])
    except SystemExit as stop:
        return stop.code


def rows_of(folder="out"):
    return read_table(Path(folder, "results.csv"))


def pixels_of(folder="out"):
    paths = Path(folder).glob("images/*/*.png")
    return {path.relative_to(folder).as_posix(): np.asarray(Image.open(path)) for path in paths}


def test_a_run_makes_impressions_of_every_class(work, capsys):
    assert run("--n_steps=40") == 0
    rows = rows_of()
    assert [row["target"] for row in rows] == list(COLOURS)
    for number, row in enumerate(rows):
        assert row["verdict"] == row["target"] and float(row["probability"]) > 0.9 and row["is_sure"] == "yes"
        assert row["steps"] == "40" and float(row["score_end"]) > float(row["score_start"])
        image = np.asarray(Image.open(Path("out/images/CLASS_IMPRESSION", f"{row['stem']}.png")))
        assert image.shape == (96, 96, 3) and image.mean(axis=(0, 1)).argmax() == number
        curve = np.loadtxt(Path("out/curves/CLASS_IMPRESSION", f"{row['stem']}.csv"), delimiter=",", skiprows=1)
        assert curve.shape == (40, 3) and curve[-1, 1] == pytest.approx(float(row["score_end"]), rel=1e-4)
    assert Image.open("out/feature_visualization.png").width > 300
    assert json.loads(Path("out/run.json").read_text())["settings"]["CLASS_IMPRESSION"]["n_steps"] == 40
    assert not list(Path("out").rglob("*.npz"))
    assert "not an impression" not in capsys.readouterr().out


def test_an_impression_that_is_none_is_said_plainly(work, capsys):
    assert run("--n_steps=1", "--class_index=green") == 1
    assert "not an impression of 'green': classified as" in capsys.readouterr().out
    assert rows_of()[0]["is_sure"] == "no"


def test_channels_neurons_and_layers_of_several_methods(work):
    methods = "--visualization_method=fourier,CLASS_MODEL"
    assert run("--layer_name=colours", "--channel=0,2", "--n_steps=4", methods) == 0
    run("--layer_name=colours", "--n_steps=4", "--class_index=1")  # the default is each target's own
    assert run("--layer_name=colours", "--channel=1", "--position=2,3", "--n_steps=4") == 0
    found = {(row["method"], row["kind"], row["index"], row["layer"]) for row in rows_of()}
    assert found == {
        *((method, "channel", str(k), "colours") for method in ("FOURIER", "CLASS_MODEL") for k in (0, 2)),
        ("FOURIER", "layer", "0", "colours"),
        ("CLASS_IMPRESSION", "class", "1", ""),
        ("FOURIER", "neuron", "1", "colours"),
    }
    assert Path("out/images/FOURIER/neuron_1_2_3_colours.png").is_file()


def test_a_killed_run_goes_on_and_ends_with_the_same_images(work, monkeypatch):
    flags = ("--n_steps=8", "--class_index=0,2", "--visualization_method=FOURIER")
    assert run(*flags, folder="whole") == 0
    advance, calls = maximisation.Maximiser.advance, []

    def killed(self, state, n_steps, report):
        calls.append(state.n_steps)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return advance(self, state, n_steps, report)

    monkeypatch.setattr(maximisation.Maximiser, "advance", killed)
    assert run(*flags) == 130
    assert run(*flags) == 0
    assert calls == [0, 3, 6, 6], "the third part alone is made again"
    whole = pixels_of("whole")
    assert whole.keys() == pixels_of().keys() and len(whole) == 2
    for name, pixels in pixels_of().items():
        np.testing.assert_array_equal(pixels, whole[name])


def test_what_is_done_is_not_done_again_and_more_can_be_added(work, monkeypatch):
    assert run("--n_steps=2", "--class_index=0", "--visualization_method=FOURIER") == 0
    made = []
    start = maximisation.Maximiser.start
    monkeypatch.setattr(maximisation.Maximiser, "start", lambda self: made.append(list(self.indices)) or start(self))
    assert run("--n_steps=2", "--class_index=0,1", "--visualization_method=FOURIER") == 0
    assert made == [[1]] and len(rows_of()) == 2


def test_the_seed_decides_and_repeats_exactly(work):
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        run("--n_steps=3", "--class_index=0", f"--seed={seed}", folder=folder)
    (a,), (b,), (c,) = (pixels_of(folder).values() for folder in "abc")
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--channel=1"], "give --layer_name too"),
        (["--layer_name=colours", "--position=1,1"], "give --channel too"),
        (["--layer_name=colours", "--visualization_method=CLASS_IMPRESSION"], "is for classes"),
        (["--layer_name=colour"], "colours"),
        (["--layer_name=colours", "--channel=0,7", "--n_steps=1"], "layer 'colours' has 3 channels, 0 to 2; given: 7"),
        (["--layer_name=colours", "--channel=0", "--position=8,0", "--n_steps=1"], "'colours' has 8 x 8 positions"),
        (["--layer_name=colours,mean", "--channel=0", "--position=1,0"], "'mean' has 1 x 1 positions"),
        (["--class_index=purple"], "purple"),
        (["--visualization_method=DREAM"], "CLASS_MODEL, FOURIER, CLASS_IMPRESSION"),
        (["--channel=a"], "as 0-15,151"),
        (["--position=1"], "row,column"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(work, capsys, flags, words):
    assert run(*flags) == 2
    said = capsys.readouterr().err.strip().splitlines()[0]
    assert words in said and "Traceback" not in said
    assert not Path("out").exists(), "told before the first step of the first target"


def test_other_settings_want_another_folder(work, capsys):
    flags = ("--n_steps=2", "--class_index=0", "--visualization_method=FOURIER")
    assert run(*flags) == 0
    assert run(*flags, "--seed=5") == 2
    assert "seed: 0, now 5" in capsys.readouterr().err
    assert run(*flags, "--seed=5", "--overwrite") == 0


def test_many_classes_want_a_choice(work, monkeypatch, capsys):
    monkeypatch.setattr(visualization, "MOST_CLASSES", 2)
    assert run() == 2 and "choose with --class_index or --layer_name" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name, content",
    [
        ("curves/FOURIER/class_0_red.csv", b"step,score,objective\n0\t1\t2\n"),
        ("curves/FOURIER/class_0_red.csv", b"\x00\xff"),
        ("results.csv", b"method,target\nFOURIER,red\n"),
        ("results.csv", b'"' * 999),
        ("images/FOURIER/class_0_red.png", b"no image"),
    ],
)
def test_a_damaged_file_of_a_run_is_named_in_one_line(work, capsys, name, content):
    flags = ("--n_steps=3", "--class_index=0", "--visualization_method=FOURIER")
    assert run(*flags) == 0
    path = Path("out") / name
    assert path.is_file()
    path.write_bytes(content)
    capsys.readouterr()
    assert run(*flags) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert path.as_posix() in lines[-1] and ": error: " in lines[-1]
    path.unlink()
    assert run(*flags) == 0, "removed, it is made again"
