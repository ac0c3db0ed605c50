"""One record per method and image: what it holds, its row of records.csv, and the summary of many."""

import contextlib
import csv
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np

from files import open_text

METRICS = ("pcc", "sim", "mae", "mse", "ssim", "insertion_auc", "deletion_auc")


JSON_FIELDS = ("undefined", "remarks", "top_classes")


@dataclass
class Record:
    """What is known of one image under one method; a metric that is undefined or was not asked for is None.

    status: 'ok', 'constant map', or 'failed: <reason>'. undefined: metric -> why it has no value.
    remarks: what the method says of its map, as its completeness error.
    top_classes: (name, probability) pairs. seconds: of computing the map.
    """

    method: str
    image: str
    stem: str
    label: str = ""
    predicted: str = ""
    probability: float | None = None
    class_index: int | None = None
    class_name: str = ""
    status: str = "ok"
    pcc: float | None = None
    sim: float | None = None
    mae: float | None = None
    mse: float | None = None
    ssim: float | None = None
    insertion_auc: float | None = None
    deletion_auc: float | None = None
    seconds: float | None = None
    undefined: dict[str, str] = field(default_factory=dict)
    remarks: dict = field(default_factory=dict)
    top_classes: list = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether there is no map."""
        return self.status.startswith("failed")


def to_row(record: Record) -> dict:
    row = asdict(record)
    row.update({key: json.dumps(row[key], ensure_ascii=False) for key in JSON_FIELDS})
    return {key: "" if value is None else value for key, value in row.items()}


def from_row(row: dict) -> Record:
    values = dict(row)
    for key in JSON_FIELDS:
        values[key] = json.loads(row[key])
    for key in ("probability", "seconds", *METRICS):
        values[key] = float(row[key]) if row[key] else None
    values["class_index"] = int(row["class_index"]) if row["class_index"] else None
    return Record(**values)


def read_records(path: Path) -> list[Record]:
    """The records of a csv file, without a row torn at its end; [] if there is none. ValueError for other columns."""
    if not path.is_file():
        return []
    names = [entry.name for entry in fields(Record)]
    with open_text(path) as file:
        head, *rows = [*csv.reader(file)] or [names]
    if head != names:
        raise ValueError(f"'{path}' has other columns than ours: choose another --output_folder_path")
    records = []
    for row in rows:
        with contextlib.suppress(ValueError):  # the row that was being written when the run was killed
            records.append(from_row(dict(zip(names, row, strict=True))))
    return records


def summarise(records: Iterable[Record]) -> list[dict]:
    """One row per method: images, failures, and of each metric its mean, deviation and count."""
    of_method = {}
    for record in records:
        of_method.setdefault(record.method, []).append(record)
    rows = []
    for method, group in of_method.items():
        row = {"method": method, "images": len(group), "failed": sum(record.failed for record in group)}
        for metric in (*METRICS, "seconds"):
            values = [value for record in group if (value := getattr(record, metric)) is not None]
            row[f"{metric}_mean"] = float(np.mean(values)) if values else None
            row[f"{metric}_std"] = float(np.std(values)) if values else None
            row[f"{metric}_n"] = len(values)
        rows.append(row)
    return rows


def format_table(rows: list[dict]) -> str:
    """The summary as text, method by metric, mean ± deviation (n); a metric nobody has is left out."""
    shown = [metric for metric in METRICS if any(row[f"{metric}_n"] for row in rows)]
    head = ["method", "images", "failed", *shown, "seconds"]
    lines = [head]
    for row in rows:
        cells = [row["method"], str(row["images"]), str(row["failed"])]
        for metric in (*shown, "seconds"):
            n = row[f"{metric}_n"]
            few = f" (n={n})" if n < row["images"] - row["failed"] else ""
            cells.append(f"{row[f'{metric}_mean']:.3f} ± {row[f'{metric}_std']:.3f}{few}" if n else "-")
        lines.append(cells)
    return align(lines)


def align(lines: list[list[str]]) -> str:
    """The cells of a table as text, those of a column below each other."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
    )
