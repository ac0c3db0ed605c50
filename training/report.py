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

import csv
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

import constants
from data import multi_labels as multi_label
from data.labelled_images import LabelledImages
from output.files import figure_saver, write_whole
from pipeline.results import versions
from plots import pages as figures


def open_run(model_path: Path, settings: dict, overwrite: bool) -> tuple[Path, bool]:
    """The folder of the run, and whether all is done already.

    Raises ValueError if the folder holds a run with other settings, or the model file was not made by a run.
    """
    folder = model_path.with_name(f"{model_path.stem}_training")
    if overwrite and (folder / "run.json").is_file():  # never a folder that is something else
        shutil.rmtree(folder)
    if not (folder / "run.json").is_file():
        if model_path.exists() and not overwrite:
            raise ValueError(f"model_path: '{model_path}' is there already; --overwrite replaces it")
        write_description(folder, settings)
        return folder, False
    earlier = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    for name, value in json.loads(json.dumps(settings)).items():
        if earlier["settings"].get(name) != value:
            raise ValueError(
                f"'{folder}' holds a run with {name} {earlier['settings'].get(name)}, this one has {value}; "
                "--overwrite begins anew, another --model_path keeps both"
            )
    return folder, "val_accuracy" in earlier and model_path.is_file()


def write_description(folder: Path, settings: dict, **more) -> None:
    """Writes run.json: the settings, the versions of the libraries, and what more is known."""
    content = json.dumps({"settings": settings, "versions": versions(), **more}, indent=1, ensure_ascii=False)
    write_whole(folder / "run.json", lambda path: path.write_text(content, encoding="utf-8"))


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
    rows = [[i, *row] for i, row in enumerate(zip(stages, *joined.values()), start=1)]
    starts = [i for i, stage in enumerate(stages, start=1) if stage == "fine_tuning"]
    return [
        _write_table(folder / "history.csv", ["epoch", "stage", *joined], rows),
        write_whole(
            folder / "accuracy_loss.png", figure_saver(figures.figure_training(joined, starts[0] if starts else None))
        ),
    ]


def measure(val: LabelledImages, probabilities: np.ndarray) -> dict:
    """Of the probabilities (N, C): the share of images, or of labels, that are right; of labels the precision too.

    A class whose average precision is undefined is named, and left out of the mean, which is None without any.
    """
    if val.labels.ndim == 1:
        return {"val_accuracy": float((probabilities.argmax(axis=1) == val.labels).mean())}
    values = multi_label.average_precision(val.labels, probabilities)
    right = multi_label.predicted_labels(probabilities) == (val.labels > 0)
    return {
        "val_accuracy": float(right.mean()),
        "mean_average_precision": multi_label.mean_defined(values),
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
        [
            val.names[i],
            names[true[i]],
            names[predicted[i]],
            *(f"{probabilities[i, index]:.6f}" for index in (true[i], predicted[i])),
        ]
        for i in order
    ]
    header = ["image", "true", "predicted", "true_probability", "predicted_probability"]
    matrix = confusion_matrix(true, predicted, len(names))
    counts = [[name, *row] for name, row in zip(names, matrix.tolist())]
    worst = order[: constants.WORST_IMAGES]
    titles = [
        f"true: {names[true[i]]} {probabilities[i, true[i]]:.2f}\n"
        f"predicted: {names[predicted[i]]} {probabilities[i, predicted[i]]:.2f}"
        for i in worst
    ]
    return [
        _write_table(folder / "validation.csv", header, rows),
        _write_table(folder / "confusion_matrix.csv", ["true \\ predicted", *names], counts),
        write_whole(folder / "confusion_matrix.png", figure_saver(figures.figure_confusion_matrix(matrix, names))),
        write_whole(folder / "worst.png", figure_saver(figures.figure_worst(list(val.images[worst]), titles))),
    ]


def _write_multi_label(folder: Path, val: LabelledImages, probabilities: np.ndarray) -> list[Path]:
    names, true, predicted = val.class_names, val.labels > 0, multi_label.predicted_labels(probabilities)
    losses = multi_label.cross_entropy(val.labels, probabilities)
    order = np.argsort(-losses, kind="stable")
    rows = [
        [
            val.names[i],
            *(", ".join(_chosen(names, chosen[i])) for chosen in (true, predicted)),
            f"{losses[i]:.6f}",
            *(f"{value:.6f}" for value in probabilities[i]),
        ]
        for i in order
    ]
    header = ["image", "true", "predicted", "cross_entropy", *(f"probability of {name}" for name in names)]
    values, positives = multi_label.average_precision(val.labels, probabilities), true.sum(axis=0)
    per_class = [
        [name, n, "" if np.isnan(value) else f"{value:.6f}"] for name, n, value in zip(names, positives, values)
    ]
    worst = order[: constants.WORST_IMAGES]
    titles = [_title_labels(names, val.labels[i], probabilities[i]) for i in worst]
    bars = figures.figure_average_precision(values, positives, len(val), names)
    return [
        _write_table(folder / "validation.csv", header, rows),
        _write_table(folder / "average_precision.csv", ["class", "positives", "average_precision"], per_class),
        write_whole(folder / "average_precision.png", figure_saver(bars)),
        write_whole(folder / "worst.png", figure_saver(figures.figure_worst(list(val.images[worst]), titles))),
    ]


def _title_labels(names: Sequence[str], labels: np.ndarray, probabilities: np.ndarray) -> str:
    """The true labels of an image, then the classes whose probability is furthest from what was wanted."""
    costly = np.argsort(-np.abs(labels - probabilities), kind="stable")[: constants.WORST_LABELS]
    lines = [f"{names[k]}: {probabilities[k]:.2f}, wanted {labels[k]:g}" for k in costly]
    return "\n".join([f"true: {', '.join(_chosen(names, labels > 0)) or 'none'}", *lines])


def _chosen(texts: Sequence[str], chosen: np.ndarray) -> list[str]:
    return [text for text, is_chosen in zip(texts, chosen) if is_chosen]


def _write_table(path: Path, header: Sequence, rows: Sequence[Sequence]) -> Path:
    def write(partial: Path) -> None:
        with open(partial, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])

    return write_whole(path, write)
