"""Several classes an image: what a CSV file may say, what the sigmoids learn, and how they are judged."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from planted import BLUE, COLOURS, RED, picture, planted_model, read_table, square

import main
import train
from data import multi_labels
from data.labelled_images import LabelledImages
from network import model_files
from training import command, loop, training_figures, training_files

LABELS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]])


def write_labels(path, rows, names=COLOURS):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([["file", *names], *([name, *labels] for name, labels in rows.items())])


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """{file: labels} of labels.csv, beside train/ (16 images), val/ (8) and a model whose features are the colours."""
    monkeypatch.chdir(tmp_path)
    rows = {}
    for split, repeats in (("train", 2), ("val", 1)):
        (tmp_path / split).mkdir()
        for number, labels in enumerate(LABELS.tolist() * repeats):
            rows[f"{split}_{number}.png"] = labels
            pixels = picture(*np.flatnonzero(labels), seed=len(rows))
            Image.fromarray(pixels).save(tmp_path / split / f"{split}_{number}.png")
    write_labels("labels.csv", rows)
    model = planted_model()
    model.get_layer("colours").set_weights([50 * model.get_layer("colours").get_weights()[0]])
    model_files.save_model(model, tmp_path / "whole.keras", {"preprocessing": "none", "model_name": None})
    return rows


def run(*flags):
    images = "--train_images_folder_path=train", "--val_images_folder_path=val", "--multi_label=labels.csv"
    return train.main([*images, "--weights=whole.keras", "--model_path=new.keras", "--batch_size=8", *flags])


# --- trained, written, explained ---------------------------------------------------------------------------
def test_colours_are_learnt_each_for_itself_and_main_explains_any_of_them(rows, tmp_path, capsys):
    assert run("--epochs_head=15", "--learning_rate_head=0.3", "--epochs_fine_tuning=1") == 0
    printed = capsys.readouterr().out
    classifier, _ = model_files.load_classifier(model_path="new.keras")
    assert (classifier.class_names, classifier.score.function) == (list(COLOURS), "sigmoid")
    described = json.loads((folder_of_run() / "run.json").read_text())
    assert described["mean_average_precision"] > 0.9
    assert described["average_precision_undefined"] == []
    assert f"mean average precision: {described['mean_average_precision']:.3f}" in printed
    per_class = read_table(folder_of_run() / "average_precision.csv")
    assert [(row["class"], row["positives"]) for row in per_class] == [(name, "4") for name in COLOURS]
    values = [float(row["average_precision"]) for row in per_class]
    assert np.mean(values) == pytest.approx(described["mean_average_precision"], abs=1e-5)
    for name in ("accuracy_loss", "average_precision", "worst"):
        assert Image.open(folder_of_run() / f"{name}.png").size[0] > 200
    assert not (folder_of_run() / "confusion_matrix.csv").exists()
    (tmp_path / "test").mkdir()
    (tmp_path / "val" / "val_7.png").rename(tmp_path / "test" / "all.png")
    flags = "--explanation_method=GRADCAM", "--test_images_folder_path=test", "--model_path=new.keras"
    for colour in (RED, BLUE):
        assert main.main([*flags, f"--class_index={COLOURS[colour]}", f"--output_folder_path={colour}"]) == 0
        assert [row["class_name"] for row in read_table(f"{colour}/records.csv")] == [COLOURS[colour]]
        saliency_map = np.load(f"{colour}/maps/GRADCAM/all.npy")
        assert saliency_map[square(colour)].sum() > 0.7 * saliency_map.sum() > 0


def folder_of_run():
    return Path("new_training")


def test_loss_and_accuracy_of_training_are_measured_again_by_the_classifier(rows):
    assert run("--epochs_head=4", "--epochs_fine_tuning=0") == 0
    history = read_table("new_training/history.csv")
    best = history[loop.best_epoch({"val_loss": [float(row["val_loss"]) for row in history]})]
    table = read_table("new_training/validation.csv")
    losses = [float(row["cross_entropy"]) for row in table]
    assert losses == sorted(losses, reverse=True)  # the worst first
    assert np.mean(losses) == pytest.approx(float(best["val_loss"]), rel=1e-3)
    right = []
    for row in table:
        probabilities = [float(row[f"probability of {name}"]) for name in COLOURS]
        assert row["true"] == ", ".join(name for name, label in zip(COLOURS, rows[row["image"]]) if label)
        assert row["predicted"] == ", ".join(name for name, value in zip(COLOURS, probabilities) if value > 0.5)
        right += [(value > 0.5) == bool(label) for value, label in zip(probabilities, rows[row["image"]])]
    accuracy = json.loads((folder_of_run() / "run.json").read_text())["val_accuracy"]
    assert accuracy == pytest.approx(np.mean(right)) == pytest.approx(float(best["val_accuracy"]))


def test_a_run_killed_after_an_epoch_ends_like_an_unbroken_one(rows, monkeypatch):
    flags = "--epochs_head=2", "--epochs_fine_tuning=0"
    assert run(*flags) == 0
    weights = model_files.load_model("new.keras").get_weights()

    def kill(stage, history):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(command, "print_epoch", kill)
        assert run(*flags, "--overwrite") == 130
    assert run(*flags) == 0
    for one, other in zip(weights, model_files.load_model("new.keras").get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_run_does_not_go_on_with_other_labels(rows, capsys):
    flags = "--epochs_head=1", "--epochs_fine_tuning=0"
    assert run(*flags) == 0
    rows["train_0.png"] = [0, 0, 1]
    write_labels("labels.csv", rows)
    assert run(*flags) == 2
    assert "multi_label" in capsys.readouterr().err


def test_a_single_class_is_one_unit_whose_other_side_has_a_name(rows):
    write_labels("labels.csv", {name: labels[:1] for name, labels in rows.items()}, ["red"])
    assert run("--epochs_head=12", "--learning_rate_head=0.3", "--epochs_fine_tuning=0") == 0
    classifier, _ = model_files.load_classifier(model_path="new.keras")
    assert (classifier.class_names, classifier.score.one_unit) == (["not red", "red"], True)
    assert [row["class"] for row in read_table("new_training/average_precision.csv")] == ["red"]
    assert json.loads((folder_of_run() / "run.json").read_text())["mean_average_precision"] > 0.8


def test_a_class_that_all_validation_images_have_has_no_average_precision(rows, capsys):
    for name, labels in rows.items():
        labels[2] = 1 if name.startswith("val") else labels[2]
    write_labels("labels.csv", rows)
    assert run("--epochs_head=1", "--epochs_fine_tuning=0") == 0
    assert "none is: blue" in capsys.readouterr().out
    assert json.loads((folder_of_run() / "run.json").read_text())["average_precision_undefined"] == ["blue"]
    *_, blue = read_table("new_training/average_precision.csv")
    assert blue == {"class": "blue", "positives": "8", "average_precision": ""}


def test_rows_without_an_image_are_counted_and_said(rows, capsys):
    write_labels("labels.csv", rows | {"nowhere.png": [0, 1, 0], "./elsewhere.png": [1, 1, 0]})
    assert run("--epochs_head=1", "--epochs_fine_tuning=0") == 0
    assert "26 rows, 2 without an image" in capsys.readouterr().out


def test_images_of_folders_are_named_with_their_folder(rows, tmp_path):
    for split in ("train", "val"):
        (tmp_path / split / "roll").mkdir()
        for path in list((tmp_path / split).glob("*.png")):
            path.rename(path.with_name("roll") / path.name)
    write_labels("labels.csv", {f"roll/{name}": labels for name, labels in rows.items()})
    assert run("--epochs_head=1", "--epochs_fine_tuning=0") == 0


# --- the numbers -------------------------------------------------------------------------------------------
def test_average_precision_by_hand_and_undefined_without_positive_or_negative():
    labels = np.array([[1, 1, 0], [0, 1, 0], [1, 1, 0], [0, 1, 0]], np.float32)
    probabilities = np.tile(np.array([[0.9], [0.8], [0.7], [0.1]]), 3)
    values = multi_labels.average_precision(labels, probabilities)
    assert values[0] == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)  # positives are first and third
    assert np.isnan(values[1:]).all()
    assert multi_labels.mean_defined(values) == pytest.approx(5 / 6)
    assert multi_labels.mean_defined(values[1:]) is None


def test_cross_entropy_by_hand_and_finite_for_a_certain_mistake():
    labels = np.array([[1, 0], [1, 0]])
    losses = multi_labels.cross_entropy(labels, np.array([[0.8, 0.4], [0.0, 0.5]]))
    np.testing.assert_allclose(losses, [-(np.log(0.8) + np.log(0.6)) / 2, -(np.log(1e-7) + np.log(0.5)) / 2])


def test_accuracy_is_the_share_of_labels_right_and_without_any_precision_the_mean_is_none():
    labels = np.array([[1, 0], [1, 0]], np.float32)
    val = LabelledImages(["a", "b"], np.zeros((2, 8, 8, 3), np.uint8), labels, ["x", "y"], [])
    measured = training_files.measure(val, np.array([[0.9, 0.6], [0.5, 0.1]]))
    wanted = {"val_accuracy": 0.5, "mean_average_precision": None, "average_precision_undefined": ["x", "y"]}
    assert measured == wanted
    assert "undefined" in training_files.describe(measured, 2)[1]
    json.dumps(measured, allow_nan=False)


def test_a_worst_image_is_under_its_true_labels_and_the_costliest_probabilities():
    title = training_files._title_labels(list("wxyz"), np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.4, 0.0]))
    assert title.split("\n") == ["true: w, y", "x: 0.80, wanted 0", "y: 0.40, wanted 1", "w: 0.90, wanted 1"]


def test_bars_are_as_long_as_the_values_and_a_stroke_stands_at_chance():
    figure = training_figures.figure_average_precision(np.array([0.75, np.nan]), np.array([2, 8]), 8, ["x", "$y$"])
    axes = figure.axes[0]
    assert [bar.get_width() for bar in axes.patches] == [0.75, 0]
    assert [text.get_text() for text in axes.texts] == ["0.75", "undefined"]
    assert [path.vertices[0, 0] for path in axes.collections[0].get_paths()] == [0.25, 1]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", "$y$"]
    with pytest.raises(ValueError, match="3 classes"):
        training_figures.figure_average_precision(np.zeros(2), np.zeros(2), 8, list("xyz"))


# --- what is refused ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text, words",
    [
        ("", "column 'file'"),
        ("image,red\na.png,1\n", "column 'file'"),
        ("file\na.png\n", "a column per class"),
        ("file,red,red\na.png,1,0\n", "two columns 'red'"),
        ("file,red,\na.png,1,0\n", "column 3"),
        ("file,red\na.png,2\n", "line 2 .* got '2'"),
        ("file,red\na.png,\n", "line 2 .* got ''"),
        ("file,red\na.png,1\n\nb.png,0.5\n", "line 4 .* got '0.5'"),
        ("file,red\na.png,1,0\n", "3 fields"),
        ("file,red\n,1\n", "names no file"),
        ("file,red\na.png,1\n./a.png,1\n", "line 3 .* second row"),
    ],
)
def test_a_slip_in_the_file_is_told_with_its_place(text, words, tmp_path):
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        multi_labels.read_labels(tmp_path / "labels.csv")


def test_a_file_of_a_spreadsheet_is_read_whatever_the_place_of_its_file_column(tmp_path):
    (tmp_path / "labels.csv").write_text("\ufeffred, file ,blue\r\n1, sub/a.png ,0\r\n,,\r\n", encoding="utf-8")
    table = multi_labels.read_labels(tmp_path / "labels.csv")
    assert table.class_names == ["red", "blue"]
    assert {name: labels.tolist() for name, labels in table.rows.items()} == {"sub/a.png": [1, 0]}


def spoil(rows, how, tmp_path):
    if how == "images without a row":
        del rows["train_3.png"], rows["val_1.png"]
    elif how == "no positive":
        for name in rows:
            rows[name] = [*rows[name][:2], 0]
    elif how == "no negative":
        for name in rows:
            rows[name] = [*rows[name][:2], 1]
    elif how == "damaged images":
        for path in (tmp_path / "val").iterdir():
            path.write_bytes(b"no image")
    write_labels("labels.csv", rows)


@pytest.mark.parametrize(
    "how, words",
    [
        ("images without a row", "2 of 24 images have no row"),
        ("no positive", "'blue' is 0 in all 16"),
        ("no negative", "'blue' is 1 in all 16"),
        ("damaged images", "none of 8 images"),
    ],
)
def test_what_cannot_be_learnt_is_refused_in_one_line(how, words, rows, tmp_path, capsys):
    spoil(rows, how, tmp_path)
    assert run() == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and words in lines[0]
    assert not folder_of_run().exists()


def test_a_missing_file_is_told_in_one_line(rows, capsys):
    assert run("--multi_label=nowhere.csv") == 2
    assert "there is no file 'nowhere.csv'" in capsys.readouterr().err
