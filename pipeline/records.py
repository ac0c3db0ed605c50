"""One record per method and image: what it holds, and its row of records.csv."""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path

from data.csv_tables import read_number
from metrics.catalogue import DENSITY, METRICS, POINTS, names_against
from output.files import open_text

JSON_FIELDS = {"undefined": dict, "remarks": dict, "top_classes": list}


@dataclass
class Record:
    """What is known of one image under one method; a metric that is undefined or was not asked for is None.

    checksum: of the image file.
    status: 'ok', 'constant map', or 'failed: <reason>'. The metrics are those of `catalogue.METRICS`, by name.
    seconds, passes: of computing the map, without start-up; a pass is one image sent forward through the network.
        Images that are explained at once share them: each has the mean.
    undefined: metric -> why it has no value. remarks: what the method says of its map, as its completeness error.
    top_classes: (name, probability) pairs.
    map_file: of a large run, the group of maps that this one is in; no column of records.csv.
    """

    method: str
    image: str
    stem: str
    checksum: str = ""
    label: str = ""
    predicted: str = ""
    probability: float | None = None
    class_index: int | None = None
    class_name: str = ""
    status: str = "ok"
    pcc: float | None = None
    sim: float | None = None
    kl: float | None = None
    mae: float | None = None
    mse: float | None = None
    ssim: float | None = None
    nss: float | None = None
    auc_judd: float | None = None
    auc_borji: float | None = None
    sauc: float | None = None
    information_gain: float | None = None
    insertion_auc: float | None = None
    deletion_auc: float | None = None
    average_drop: float | None = None
    increase: float | None = None
    road: float | None = None
    mufidelity: float | None = None
    sensitivity: float | None = None
    seconds: float | None = None
    passes: float | None = None
    undefined: dict[str, str] = field(default_factory=dict)
    remarks: dict = field(default_factory=dict)
    top_classes: list = field(default_factory=list)
    map_file: str = field(default="", compare=False)

    @property
    def failed(self) -> bool:
        """Whether there is no map."""
        return self.status.startswith("failed")

    @property
    def needs_attention(self) -> bool:
        """Whether there is no map, or its gaze could not be used."""
        return self.failed or bool({"density_map", "fixations"} & self.undefined.keys())

    def forget_gaze(self) -> None:
        """Drops every metric that was measured against gaze, and the reasons of those that have no value."""
        for kind in (DENSITY, POINTS):
            self.undefined.pop(kind.replace(" ", "_"), None)
            for name in names_against(kind):
                setattr(self, name, None)
                self.undefined.pop(name, None)

    def lacks(self, wanted: Iterable[str]) -> list[str]:
        """Those of the wanted metrics that have neither a value nor a reason why there is none."""
        return [metric for metric in wanted if getattr(self, metric) is None and metric not in self.undefined]


RECORD_COLUMNS = [entry.name for entry in fields(Record) if entry.name != "map_file"]  # of records.csv
KINDS = {  # the columns of a large run
    **dict.fromkeys((entry.name for entry in fields(Record)), "text"),
    **dict.fromkeys(("probability", "seconds", "passes", *METRICS), "float"),
    "class_index": "int",
}


def to_row(record: Record) -> dict:
    """The row of records.csv."""
    row = to_columns(record)
    return {key: "" if row[key] is None else row[key] for key in RECORD_COLUMNS}


def to_columns(record: Record) -> dict:
    """The record as plain values by column."""
    row = {name: getattr(record, name) for name in KINDS}
    return {**row, **{key: json.dumps(row[key], ensure_ascii=False) for key in JSON_FIELDS}}


def from_columns(row: dict) -> Record:
    """The record that `to_columns` made this of."""
    return Record(**{**row, **{key: json.loads(row[key]) for key in JSON_FIELDS}})


def from_row(row: dict) -> Record:
    """The record of a row; ValueError for one that `to_row` has not written."""
    values = dict(row)
    for key, kind in JSON_FIELDS.items():
        values[key] = json.loads(row[key])
        if not isinstance(values[key], kind):
            raise ValueError(f"{key} should be a {kind.__name__}")
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in values["top_classes"]):
        raise ValueError("top_classes should be pairs")
    if not all(isinstance(reason, str) for reason in values["undefined"].values()):
        raise ValueError("undefined should hold reasons")
    if any(not row[key] or set(row[key]) & {"/", "\\", "\0"} or row[key] == ".." for key in ("method", "stem")):
        raise ValueError("method and stem are names of files")
    for key in ("probability", "seconds", "passes", *METRICS):
        values[key] = read_number(row[key]) if row[key] not in ("", "nan") else None
    values["class_index"] = int(row["class_index"]) if row["class_index"] else None
    return Record(**values)


def read_records(path: Path, strict: bool = False) -> list[Record]:
    """The records of a csv file, without damaged rows, as the one that was being written when a run was killed; [] if
    there is no file.

    strict: whether only the last row may be damaged. ValueError for a file that is none of ours, or with such a row.
    """
    names = RECORD_COLUMNS
    try:
        with open_text(path) as file:
            reader = csv.reader(file)
            head, rows = next(reader, names), [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        return []
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"cannot read '{path}' ({reason}): choose another --output_folder_path") from None
    if head != names:
        raise ValueError(f"'{path}' has other columns than ours: choose another --output_folder_path")
    records = []
    for line, row in rows:
        try:
            records.append(from_row(dict(zip(names, row, strict=True))))
        except (ValueError, RecursionError):
            if strict and line != rows[-1][0]:
                raise ValueError(
                    f"line {line} of '{path}' is none that a run has written: the command that made the folder, given "
                    "again, makes it anew"
                ) from None
    return records
