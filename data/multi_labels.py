"""Images that show several classes, or none: labels of 0 and 1 from a file, and how well they are predicted.

    file,dome,arch,glass
    a.png,1,1,0             file: relative to the folder of training or of validation images

Or COCO's instances (data/coco.py): a file that ends in .json, or two by a comma, of training and of validation images.
An image has the class 1 of which it shows an instance, a crowd too.

    average precision of a class = sum over n of (R_n - R_{n-1}) P_n

with P_n and R_n precision and recall among the n images that the class is most probable in (`sklearn.metrics.
average_precision_score`, without interpolation). It asks for the order of the images alone, for no threshold; by
chance it is the share of positives. It is undefined for a class without a positive or without a negative image.
"""

import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import constants
from data.coco import is_instances, read_instances
from data.csv_tables import read_path, read_table, show
from data.dataset import Sample
from data.labelled_images import LabelledImages

FILE_COLUMN = "file"
LEAST_PROBABILITY = 1e-7  # in a logarithm; Keras's own


@dataclass(frozen=True)
class LabelTable:
    """What the file says: its C classes in the order of their columns, and the labels of each file.

    may_lack: whether it is of a larger data set, some of whose classes the images at hand may lack.
    """

    path: str  # of several, by commas
    checksum: str  # of the file: a run goes on with the labels that it began with
    class_names: list[str]
    rows: dict[str, np.ndarray]  # file -> float32 (C,) of 0 and 1
    may_lack: bool = False


def read_labels(path: str | Path) -> LabelTable:
    """The labels of a CSV file, or of instances in JSON; ValueError names the line of what is missing, twice there, or
    neither 0 nor 1."""
    parts = [os.path.expanduser(part.strip()) for part in str(path).split(",")]
    if all(map(is_instances, parts)):
        return _join_instances(parts)
    path = Path(path)
    table = read_table(path, "multi_label")
    head = table.head
    _check_head(path, head)
    place, rows = head.index(FILE_COLUMN), {}
    for line, values in table.rows():
        name = values.pop(place)
        if not name:
            raise table.refuse(line, "names no file")
        wrong = [value for value in values if value not in ("0", "1")]
        if wrong:
            raise table.refuse(line, f"should hold 0 or 1 for each class; got '{show(wrong[:1])}'")
        name = read_path(name)
        if name in rows:
            raise table.refuse(line, f"is the second row of the file '{name}'")
        rows[name] = np.array(values, np.float32)
    class_names = head[:place] + head[place + 1 :]
    return LabelTable(str(path), _sum_up([path]), class_names, rows)


def _sum_up(paths: Sequence[str | Path]) -> str:
    """A short text that tells the content of files from another."""
    checksum = 0
    for path in paths:
        checksum = zlib.crc32(Path(path).read_bytes(), checksum)
    return f"{checksum:08x}"


def _join_instances(paths: Sequence[str]) -> LabelTable:
    """The labels of COCO's instances; ValueError for files of other classes, or that contradict each other."""
    rows, class_names = {}, None
    for path in paths:
        instances = read_instances(path, "multi_label")
        class_names = class_names or instances.class_names
        if instances.class_names != class_names:
            raise ValueError(
                f"multi_label: '{path}' has other categories than '{paths[0]}': files of one data set wanted"
            )
        for name, found in instances.by_file.items():
            shown = {instance.class_name for instance in found}
            row = np.array([class_name in shown for class_name in class_names], np.float32)
            if not np.array_equal(rows.setdefault(read_path(name), row), row):
                raise ValueError(f"multi_label: '{path}' gives '{name}' other classes than the file before it")
    if not class_names:
        raise ValueError(f"multi_label: '{paths[0]}' has no category")
    return LabelTable(", ".join(paths), _sum_up(paths), class_names, rows, may_lack=True)


def leave_out_absent(table: LabelTable, train: Sequence[Sample]) -> tuple[LabelTable, list[str]]:
    """The table without the classes that no training image has, and their names; of a CSV file, as it is.

    ValueError if no class is left.
    """
    if not table.may_lack:
        return table, []
    counts = sum(table.rows[sample.name] for sample in train)
    kept = np.flatnonzero(counts)
    if not len(kept):
        raise ValueError(f"multi_label: none of the {len(train)} training images shows a class of '{table.path}'")
    absent = [name for name, count in zip(table.class_names, counts) if not count]
    rows = {name: row[kept] for name, row in table.rows.items()}
    return replace(table, class_names=[table.class_names[index] for index in kept], rows=rows), absent


def _check_head(path: Path, head: Sequence[str]) -> None:
    if FILE_COLUMN not in head:
        found = show(head[:10]) or "nothing"
        raise ValueError(f"multi_label: '{path}' should have a column '{FILE_COLUMN}'; its first line has {found}")
    if len(head) < 2:
        raise ValueError(f"multi_label: '{path}' should have a column per class beside '{FILE_COLUMN}'; it has none")
    if "" in head:
        raise ValueError(f"multi_label: column {head.index('') + 1} of '{path}' has no name")
    twice = [name for place, name in enumerate(head) if name in head[:place]]
    if twice:
        raise ValueError(f"multi_label: '{path}' has two columns '{twice[0]}'")


def match_labels(table: LabelTable, *parts: Sequence[Sample]) -> str:
    """In words how many rows there are, and how many without an image; ValueError if an image has no row."""
    names = [sample.name for part in parts for sample in part]
    missing = [name for name in names if name not in table.rows]
    if missing:
        raise ValueError(
            f"multi_label: {len(missing)} of {len(names)} images have no row in '{table.path}', as '{missing[0]}'"
        )
    return f"{len(table.rows)} rows, {len(table.rows.keys() - set(names))} without an image"


def check_learnable(train: LabelledImages, path: str) -> None:
    """Raises ValueError for a class that all training images have, or none: nothing tells it. path: of the labels."""
    for name, labels in zip(train.class_names, train.labels.T):
        if labels.min() == labels.max():
            value = f"{labels[0]:g}"
            raise ValueError(f"multi_label: class '{name}' is {value} in all {len(train)} training images of '{path}'")


# --- how well they are predicted: labels and probabilities are (N, C) ----------------------------------------
def average_precision(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The average precision (C,) of each class, in [0, 1]; NaN where it is undefined."""
    from sklearn.metrics import average_precision_score

    return np.array(
        [
            average_precision_score(true, scores) if true.min() < true.max() else np.nan
            for true, scores in zip(labels.T, probabilities.T)
        ]
    )


def mean_defined(values: np.ndarray) -> float | None:
    """The mean of the values that are defined; None if none is."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else None


def predicted_labels(probabilities: np.ndarray) -> np.ndarray:
    """Which labels are predicted, bool (N, C)."""
    return probabilities > constants.LABEL_THRESHOLD


def cross_entropy(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The binary cross-entropy (N,) of each image in nats, the mean over its classes: the loss of training."""
    right = np.where(labels > 0, probabilities, 1 - probabilities)
    return -np.log(np.clip(right, LEAST_PROBABILITY, 1)).mean(axis=1)
