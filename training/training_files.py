"""What a training run leaves beside its model: curves, confusion matrix, worst images, tables.

    <folder>/run.json               settings, versions of the libraries, and, once it is done, the accuracy
    <folder>/history.csv            epoch, stage, accuracy and loss on the training and the validation images
    <folder>/accuracy_loss.png      the same as curves
    <folder>/validation.csv         image, true class, predicted class and the probabilities of both, worst first
    <folder>/confusion_matrix.csv   counts, rows true and columns predicted; and .png
    <folder>/worst.png              the ten validation images whose true class was given the lowest probability

Of several classes an image: validation.csv and worst.png by binary cross-entropy, highest first, and instead of the
confusion matrix

    <folder>/average_precision.csv  class, positives among the validation images, average precision; and .png
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from data import multi_labels
from data.labelled_images import LabelledImages
from output.files import figure_saver, write_whole
from output.folder import OutputFolder
from output.tables import write_table
from training.training_figures import figure_average_precision, figure_confusion_matrix, figure_training, figure_worst

WORST_IMAGES = 10
WORST_LABELS = 3  # named above one of them, where an image has several
FILES = (
    "history.csv",
    "accuracy_loss.png",
    "validation.csv",
    "confusion_matrix.*",
    "average_precision.*",
    "worst.png",
    "attention.png",
    "part_energy.csv",
    "*.npz",  # of a stage that is not finished
)


def open_training(model_path: Path, settings: dict, overwrite: bool) -> tuple[OutputFolder, bool]:
    """The locked folder of the run, and whether all is done already; with `overwrite` nothing is.

    Raises ValueError if the folder holds a run with other settings, or the model file was not made by a run.
    """
    path = model_path.with_name(f"{model_path.stem}_training")
    if model_path.exists() and not overwrite and not (path / "run.json").is_file():
        raise ValueError(f"--output_model_path: '{model_path}' was not written by train.py; --overwrite replaces it")
    folder = OutputFolder(path, flag="output_model_path")
    if overwrite:
        folder.remove(FILES)
    folder.describe(settings, {})
    return folder, "val_accuracy" in folder.description and model_path.is_file()


def confusion_matrix(true: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Counts (C, C): how many images of the class of the row were predicted to be of that of the column."""
    matrix = np.zeros((n_classes, n_classes), int)
    np.add.at(matrix, (true, predicted), 1)
    return matrix


def rank_worst(probabilities: np.ndarray, true: np.ndarray) -> np.ndarray:
    """The indices (N,) of the images, the one whose true class has the lowest probability first."""
    return np.argsort(probabilities[np.arange(len(true)), true], kind="stable")


def write_history(folder: Path, histories: Mapping[str, Mapping[str, Sequence[float]]]) -> list[Path]:
    """The paths written for {stage: history}, the stages in their order."""
    joined = {name: [] for name in ("accuracy", "loss", "val_accuracy", "val_loss")}
    stages = []
    for stage, history in histories.items():
        stages += [stage] * len(history["loss"])
        for name, values in joined.items():
            values += history[name]
    names = ("epoch", "stage", *joined)
    rows = [dict(zip(names, (i, *row))) for i, row in enumerate(zip(stages, *joined.values()), start=1)]
    starts = [i for i, stage in enumerate(stages, start=1) if stage == "fine_tuning"]
    return [
        write_table(folder / "history.csv", rows, names),
        write_whole(folder / "accuracy_loss.png", figure_saver(figure_training(joined, starts[0] if starts else None))),
    ]


def measure(val: LabelledImages, probabilities: np.ndarray) -> dict:
    """Of the probabilities (N, C): the share of images, or of labels, that are right; of labels the precision too.

    A class whose average precision is undefined is named, and left out of the mean, which is None without any.
    """
    if val.labels.ndim == 1:
        return {"val_accuracy": float((probabilities.argmax(axis=1) == val.labels).mean())}
    values = multi_labels.average_precision(val.labels, probabilities)
    right = multi_labels.predicted_labels(probabilities) == (val.labels > 0)
    return {
        "val_accuracy": float(right.mean()),
        "mean_average_precision": multi_labels.mean_defined(values),
        "average_precision_undefined": _chosen(val.class_names, np.isnan(values)),
    }


def describe(measured: dict, n_images: int) -> list[str]:
    """What `measure` found on the validation images, in words, a line each."""
    accuracy = f"{measured['val_accuracy']:.1%} of"
    if "mean_average_precision" not in measured:
        return [f"{accuracy} {n_images} validation images"]
    mean, undefined = measured["mean_average_precision"], measured["average_precision_undefined"]
    lines = [f"mean average precision: {'undefined' if mean is None else f'{mean:.3f}'}"]
    if undefined:
        lines.append(f"undefined, as all validation images are of the class or none is: {', '.join(undefined)}")
    return [f"{accuracy} the labels of {n_images} validation images", *lines]


def write_evaluation(folder: Path, val: LabelledImages, probabilities: np.ndarray) -> list[Path]:
    """The paths written for the probabilities (N, C) of the validation images."""
    if val.labels.ndim == 2:
        return _write_multi_label(folder, val, probabilities)
    names, true, predicted = val.class_names, val.labels, probabilities.argmax(axis=1)
    order = rank_worst(probabilities, true)
    rows = [
        {
            "image": val.names[i],
            "true": names[true[i]],
            "predicted": names[predicted[i]],
            "true_probability": f"{probabilities[i, true[i]]:.6f}",
            "predicted_probability": f"{probabilities[i, predicted[i]]:.6f}",
        }
        for i in order
    ]
    matrix = confusion_matrix(true, predicted, len(names))
    counts = [{"true \\ predicted": name, **dict(zip(names, row))} for name, row in zip(names, matrix.tolist())]
    worst = order[:WORST_IMAGES]
    titles = [
        f"true: {names[true[i]]} {probabilities[i, true[i]]:.2f}\n"
        f"predicted: {names[predicted[i]]} {probabilities[i, predicted[i]]:.2f}"
        for i in worst
    ]
    return [
        write_table(folder / "validation.csv", rows),
        write_table(folder / "confusion_matrix.csv", counts),
        write_whole(folder / "confusion_matrix.png", figure_saver(figure_confusion_matrix(matrix, names))),
        write_whole(folder / "worst.png", figure_saver(figure_worst(list(val.images[worst]), titles))),
    ]


def _write_multi_label(folder: Path, val: LabelledImages, probabilities: np.ndarray) -> list[Path]:
    names, true, predicted = val.class_names, val.labels > 0, multi_labels.predicted_labels(probabilities)
    losses = multi_labels.cross_entropy(val.labels, probabilities)
    order = np.argsort(-losses, kind="stable")
    rows = [
        {
            "image": val.names[i],
            "true": ", ".join(_chosen(names, true[i])),
            "predicted": ", ".join(_chosen(names, predicted[i])),
            "cross_entropy": f"{losses[i]:.6f}",
            **{f"probability of {name}": f"{value:.6f}" for name, value in zip(names, probabilities[i])},
        }
        for i in order
    ]
    values, positives = multi_labels.average_precision(val.labels, probabilities), true.sum(axis=0)
    per_class = [
        {"class": name, "positives": n, "average_precision": "" if np.isnan(value) else f"{value:.6f}"}
        for name, n, value in zip(names, positives, values)
    ]
    worst = order[:WORST_IMAGES]
    titles = [_title_labels(names, val.labels[i], probabilities[i]) for i in worst]
    bars = figure_average_precision(values, positives, len(val), names)
    return [
        write_table(folder / "validation.csv", rows),
        write_table(folder / "average_precision.csv", per_class),
        write_whole(folder / "average_precision.png", figure_saver(bars)),
        write_whole(folder / "worst.png", figure_saver(figure_worst(list(val.images[worst]), titles))),
    ]


def _title_labels(names: Sequence[str], labels: np.ndarray, probabilities: np.ndarray) -> str:
    """The true labels of an image, then the classes whose probability is furthest from what was wanted."""
    costly = np.argsort(-np.abs(labels - probabilities), kind="stable")[:WORST_LABELS]
    lines = [f"{names[k]}: {probabilities[k]:.2f}, wanted {labels[k]:g}" for k in costly]
    return "\n".join([f"true: {', '.join(_chosen(names, labels > 0)) or 'none'}", *lines])


def _chosen(texts: Sequence[str], chosen: np.ndarray) -> list[str]:
    return [text for text, is_chosen in zip(texts, chosen) if is_chosen]
