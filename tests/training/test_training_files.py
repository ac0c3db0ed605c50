"""The folder of a training run: whose it is, when all is done, and what `--overwrite` removes."""

import subprocess
import sys

import numpy as np
import pytest
from planted import ROOT

from training.training_files import confusion_matrix, open_training, rank_worst

SETTINGS = {"class_names": ["a", "b"], "stages": [{"epochs": 2}]}


@pytest.fixture
def model(tmp_path):
    return tmp_path / "model.keras"


def folder_of(model):
    return model.with_name("model_training")


def test_a_run_is_done_when_it_was_judged_and_its_model_is_there(model):
    folder, is_done = open_training(model, SETTINGS, overwrite=False)
    assert not is_done and folder.path == folder_of(model)
    model.write_text("weights")
    assert not open_training(model, SETTINGS, overwrite=False)[1]
    folder.update(val_accuracy=0.5)
    assert open_training(model, SETTINGS, overwrite=False)[1]
    model.unlink()
    assert not open_training(model, SETTINGS, overwrite=False)[1]


def test_other_settings_are_refused_and_named(model):
    open_training(model, SETTINGS, overwrite=False)
    with pytest.raises(ValueError, match="'epochs': 2.*now.*'epochs': 3.*choose another --output_model_path, or"):
        open_training(model, {**SETTINGS, "stages": [{"epochs": 3}]}, overwrite=False)


def test_a_model_that_no_run_made_is_left_alone(model):
    model.write_text("weights")
    with pytest.raises(ValueError, match="was not written by train.py; --overwrite replaces it"):
        open_training(model, SETTINGS, overwrite=False)
    assert not folder_of(model).exists()


def test_overwriting_removes_the_files_of_the_run_and_no_other(model):
    open_training(model, SETTINGS, overwrite=False)
    for name in ("history.csv", "head.npz", "confusion_matrix.png", "notes.txt"):
        (folder_of(model) / name).write_text("x")
    assert not open_training(model, {}, overwrite=True)[1]
    assert {path.name for path in folder_of(model).iterdir()} == {"run.json", ".lock", "notes.txt"}


def test_two_runs_of_one_model_are_kept_apart(model):
    code = (
        "import pathlib, sys; from training.training_files import open_training\n"
        f"held = open_training(pathlib.Path(sys.argv[1]), {SETTINGS}, False); print('in', flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(model)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "in\n"
        with pytest.raises(ValueError, match="another run is writing into .*--output_model_path"):
            open_training(model, SETTINGS, overwrite=True)
        other.kill()
    open_training(model, SETTINGS, overwrite=False)


def test_the_confusion_matrix_has_a_row_per_true_class():
    matrix = confusion_matrix(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0]), 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]


def test_the_worst_image_is_that_whose_true_class_is_least_probable():
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    assert rank_worst(probabilities, np.array([0, 0, 1])).tolist() == [1, 2, 0]
