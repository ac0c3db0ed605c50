"""The tables of a run on several levels: how its maps change with the level, and how well each level does.

Of every method, level and image: whether the node over the label was predicted, how wide the map spreads
insertion and deletion of that level's class, and where objects are known, whether the map lies on them
and the box around its largest region fits (localisation.py). Of every two levels: how far the two maps
of an image agree (agreement.py). Means leave out what is undefined and count the rest.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np

import utils
from comparison.levels import LevelRun
from data.dataset import Sample
from data.objects import Objects, Truth
from metrics import agreement, localisation
from metrics.common import Undefined
from output.tables import MEANS, align, format_mean, list_means, mean_and_deviation, write_table

MEASURES = {  # of one map -> its heading; those a run has no value for are left out
    "probability": "probability",
    "area": "area over half",
    "entropy": "entropy",
    "insertion_auc": "insertion",
    "deletion_auc": "deletion",
    "pointing_game": "pointing game",
    "energy_pointing_game": "energy pointing game",
}
SCORES = {"accuracy": "accuracy", **MEASURES, "max_box_acc": "MaxBoxAcc"}


@dataclass(frozen=True)
class Measured:
    """What the maps of the runs on all levels tell, as rows of tables.

    rows: per method, level and image; changes: per method, image and pair of levels; levels: per method and level.
    fraction: of the pixels, that the threshold of the IoU keeps.
    """

    level_runs: Sequence[LevelRun]
    fraction: float
    rows: list[dict]
    changes: list[dict]
    levels: list[dict]

    @cached_property
    def row_of(self) -> dict[tuple[str, str, str], dict]:
        """(method, level, image) -> the row of that map."""
        return {(row["method"], row["level"], row["image"]): row for row in self.rows}


def measure(level_runs: Sequence[LevelRun], truth: Truth, fraction: float) -> Measured:
    """All that the maps of the examined runs tell, one image at a time."""
    methods, samples = level_runs[0].run.names, level_runs[0].run.samples
    rows, changes, ious = [], [], {}
    for place, sample in enumerate(samples):
        objects = _read_objects(truth, sample)
        for method in methods:
            maps = [level.run.read_map(method, level.run.samples[place]) for level in level_runs]
            changes += _compare(method, sample, level_runs, maps, fraction)
            for level, saliency_map in zip(level_runs, maps):
                row = _measure_map(method, level, level.run.samples[place], saliency_map, objects)
                rows.append(row)
                fits = _fit_boxes(saliency_map, objects)
                if fits is not None:
                    ious.setdefault((method, level.name), []).append(fits)
    levels = [
        _summarise_level(method, level, rows, ious.get((method, level.name)))
        for method in methods
        for level in level_runs
    ]
    return Measured(level_runs, fraction, rows, changes, levels)


def write_tables(measured: Measured, folder: str | Path) -> str:
    """The tables as text, once the four csv files are written."""
    folder = Path(folder)
    summary = list(_summarise_changes(measured))
    tables = {
        "levels_per_image": measured.rows,
        "level_changes": measured.changes,
        "level_changes_summary": summary,
        "levels": measured.levels,
    }
    for name, rows in tables.items():
        write_table(folder / f"{name}.csv", rows)
    share, chance = 100 * measured.fraction, measured.fraction / (2 - measured.fraction)
    caption = f"from level to level, {MEANS}, IoU of the {share:.3g} % of pixels where each map is largest "
    caption += f"(by chance {chance:.2f}):"
    return "\n".join([f"{MEANS}:", _format_levels(measured), "", caption, _format_changes(summary)])


# --- one map -------------------------------------------------------------------------------------------------
def _measure_map(method: str, level: LevelRun, sample: Sample, saliency_map, objects: Objects | None) -> dict:
    """The row of one map; NaN for what has no value, '' for what is not known."""
    record = level.run.record(method, sample)
    curves = None if record.failed else level.run.results.read_curves(record)
    row = {
        "method": method,
        "level": level.name,
        "n_classes": level.n_classes,
        "image": sample.name,
        "label": sample.label or "",
        "predicted": record.predicted,
        "explained": record.class_name,
        "right": "" if sample.label is None or record.failed else int(record.predicted == sample.label),
        "probability": np.nan if curves is None else float(curves[2][0]),  # of the whole image, where deletion starts
        "area": _value(localisation.measure_area, saliency_map),
        "entropy": _value(localisation.measure_entropy, saliency_map),
        "insertion_auc": _number(record.insertion_auc),
        "deletion_auc": _number(record.deletion_auc),
    }
    for name in ("pointing_game", "energy_pointing_game"):
        own_size = None
        if objects is not None and saliency_map is not None:
            own_size = utils.resize_map(saliency_map, *objects.mask.shape)
        row[name] = _value(lambda own, name=name: getattr(localisation, name)(own, objects.mask), own_size)
    return {**row, "status": record.status}


def _fit_boxes(saliency_map: np.ndarray | None, objects: Objects | None) -> np.ndarray | None:
    """The IoU of the map's box with the object's at every threshold; a constant map has none that fits."""
    if saliency_map is None or objects is None:
        return None
    boxes = localisation.region_boxes(saliency_map)
    scale = np.array(saliency_map.shape)[::-1] / np.array(objects.mask.shape)[::-1]
    return localisation.box_ious(boxes, np.array(objects.boxes) * np.tile(scale, 2))


def _read_objects(truth: Truth, sample: Sample) -> Objects | None:
    try:
        return truth.read(sample)
    except ValueError:  # an image that cannot be read, which the runs report
        return None


def _value(calculate: Callable, saliency_map: np.ndarray | None) -> float:
    try:
        return np.nan if saliency_map is None else calculate(saliency_map)
    except Undefined:
        return np.nan


def _number(value: float | None) -> float:
    return np.nan if value is None else value


# --- two maps ------------------------------------------------------------------------------------------------
def _compare(
    method: str, sample: Sample, level_runs: Sequence[LevelRun], maps: Sequence[np.ndarray | None], fraction: float
) -> Iterator[dict]:
    """A row per pair of levels."""
    size = next((saliency_map.shape for saliency_map in maps if saliency_map is not None), None)
    maps = [saliency_map if saliency_map is None else utils.resize_map(saliency_map, *size) for saliency_map in maps]
    found = agreement.compare_maps(maps, fraction)
    for one, other in combinations(range(len(level_runs)), 2):
        names = {"level_a": level_runs[one].name, "level_b": level_runs[other].name}
        scores = {metric: float(values[one, other]) for metric, values in found.items()}
        yield {"method": method, "image": sample.name, **names, **scores}


def _summarise_changes(measured: Measured) -> Iterator[dict]:
    """A row per method and pair of levels: mean, sample deviation and count of each measure of agreement."""
    groups = {}
    for row in measured.changes:
        groups.setdefault((row["method"], row["level_a"], row["level_b"]), []).append(row)
    for (method, one, other), rows in groups.items():
        scores = {metric: [row[metric] for row in rows] for metric in agreement.AGREEMENTS}
        yield {"method": method, "level_a": one, "level_b": other, "images": len(rows), **list_means(scores)}


# --- one level -----------------------------------------------------------------------------------------------
def _summarise_level(method: str, level: LevelRun, rows: Sequence[dict], ious: Sequence[np.ndarray] | None) -> dict:
    """The row of one method and level: accuracy, means, MaxBoxAcc and the threshold that reaches it."""
    rows = [row for row in rows if (row["method"], row["level"]) == (method, level.name)]
    right = [np.nan if row["right"] == "" else row["right"] for row in rows]
    accuracy, _, n = mean_and_deviation(right)  # a share of right images has no deviation
    box_acc, threshold = localisation.max_box_acc(np.stack(ious)) if ious else (np.nan, np.nan)
    return {
        "method": method,
        "level": level.name,
        "n_classes": level.n_classes,
        "model": level.model.source,
        "images": len(rows),
        "accuracy_mean": float(accuracy),
        "accuracy_n": int(n),
        **list_means({name: [row[name] for row in rows] for name in MEASURES}),
        "max_box_acc_mean": box_acc,
        "max_box_acc_n": len(ious or ()),
        "max_box_acc_threshold": threshold,
    }


# --- text and files ------------------------------------------------------------------------------------------
def _format_levels(measured: Measured) -> str:
    """A row per method and level; a column that nothing is known for is left out."""
    shown = [name for name in SCORES if any(row[f"{name}_n"] for row in measured.levels)]
    lines = [["method", "level", "classes", "images", *(SCORES[name] for name in shown)]]
    for row in measured.levels:
        cells = [row["method"], row["level"], str(row["n_classes"]), str(row["images"])]
        lines.append(cells + [format_mean(row, name, row["images"]) for name in shown])
    return align(lines)


def _format_changes(summary: Sequence[dict]) -> str:
    lines = [["method", "levels", "images", "IoU", "rank correlation", "PCC"]]
    for row in summary:
        cells = [row["method"], f"{row['level_a']} - {row['level_b']}", str(row["images"])]
        lines.append(cells + [format_mean(row, metric, row["images"]) for metric in agreement.AGREEMENTS])
    return align(lines)
