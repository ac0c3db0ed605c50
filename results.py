"""The files of a run: what was set, one record per method and image, maps, curves, and the summary.

    <folder>/run.json                    settings, versions, model, layer, score, class rule, host
    <folder>/records.csv                 one row per method and image, appended as it comes
    <folder>/summary.csv                 one row per method: n, mean and standard deviation of each metric
    <folder>/maps/<METHOD>/<stem>.npy    the raw float32 map
    <folder>/curves/<METHOD>/<stem>.csv  fraction of pixels, insertion score, deletion score
    <folder>/figures/                    written by display.py

A run that is stopped at any moment continues where it was: a torn last row is dropped, a failed one is tried
again. A folder that holds a run with other settings is refused, and one that another process writes into.
"""

import contextlib
import csv
import glob
import json
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np

import constants

METRICS = ("pcc", "sim", "mae", "mse", "ssim", "insertion_auc", "deletion_auc")


@dataclass
class Record:
    """What is known of one image under one method; a metric that is undefined or was not asked for is None.

    status: 'ok', 'constant map', or 'failed: <reason>'. undefined: metric -> why it has no value.
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
    top_classes: list = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether there is no map."""
        return self.status.startswith("failed")


def write_whole(path: Path, write: Callable[[Path], None]) -> Path:
    """The path, once `write(partial path)` has succeeded: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial_{path.name}")
    try:
        write(partial)
        os.replace(partial, path)
    except BaseException:  # Ctrl-C and a full disk too
        partial.unlink(missing_ok=True)
        raise
    return path


def picture_saver(picture: np.ndarray) -> Callable[[Path], None]:
    """What writes a picture, uint8 RGB (H, W, 3), to a path."""
    from PIL import Image

    return lambda path: Image.fromarray(picture).save(path, format="PNG")


def figure_saver(figure) -> Callable[[Path], None]:
    """What writes a matplotlib figure to a path."""
    return lambda path: figure.savefig(path, format="png")


def _to_row(record: Record) -> dict:
    row = asdict(record)
    row.update({key: json.dumps(row[key], ensure_ascii=False) for key in ("undefined", "top_classes")})
    return {key: "" if value is None else value for key, value in row.items()}


def _from_row(row: dict) -> Record:
    values = dict(row)
    for key in ("undefined", "top_classes"):
        values[key] = json.loads(row[key])
    for key in ("probability", "seconds", *METRICS):
        values[key] = float(row[key]) if row[key] else None
    values["class_index"] = int(row["class_index"]) if row["class_index"] else None
    return Record(**values)


class Results:
    """The folder of one run.

    settings: everything that changes a map or a number, as plain values, {'methods': {NAME: options}} among
    it; description: what else run.json tells. Raises ValueError if the folder holds a run with other settings
    and `overwrite` is not set; with it, that run's files are removed first, and no other file.
    """

    def __init__(self, folder: str | Path, settings: dict, description: dict, overwrite: bool = False):
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"output_folder_path {str(folder)!r} is a file; a folder is wanted")
        self._lock = lock_folder(self.folder)
        if overwrite:
            self._clear()
        kept = self._merge_settings(json.loads(json.dumps(settings)))
        kept_records = [record for record in self._read_records() if not record.failed]
        self.records = {(record.method, record.image): record for record in kept_records}
        content = {**description, "settings": kept, "host": platform.node(), "platform": platform.platform()}
        self._write_json("run.json", content)  # first: no record without the settings it was made with
        self._rewrite_records()

    # --- reading -----------------------------------------------------------------------------------------

    def is_done(self, method: str, sample) -> bool:
        """Whether the method's map and record of that image are there, under the stem it has now."""
        record = self.records.get((method, sample.name))
        return record is not None and record.stem == sample.stem and self.map_path(method, sample.stem).is_file()

    def map_path(self, method: str, stem: str) -> Path:
        """Where the raw map of an image is kept."""
        return self.folder / "maps" / method / f"{stem}.npy"

    def picture_path(self, record: Record, what: str) -> Path:
        """Where one picture of an image is kept."""
        return self.folder / "figures" / record.method / f"{record.stem}_{what}.png"

    def read_map(self, record: Record) -> np.ndarray:
        """The raw map (H, W) of a record."""
        return np.load(self.map_path(record.method, record.stem))

    def read_curves(self, record: Record) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """(fractions, insertion scores, deletion scores) of a record; None where they were undefined."""
        path = self._curves_path(record)
        return tuple(np.loadtxt(path, delimiter=",", skiprows=1, unpack=True)) if path.is_file() else None

    def summarise(self) -> list[dict]:
        """One row per method: images, failures, and of each metric its mean, deviation and count."""
        rows = []
        for method in dict.fromkeys(record.method for record in self.records.values()):
            records = [record for record in self.records.values() if record.method == method]
            row = {
                "method": method,
                "images": len(records),
                "failed": sum(record.failed for record in records),
            }
            for metric in (*METRICS, "seconds"):
                values = [
                    getattr(record, metric) for record in records if getattr(record, metric) is not None
                ]
                row[f"{metric}_mean"] = float(np.mean(values)) if values else None
                row[f"{metric}_std"] = float(np.std(values)) if values else None
                row[f"{metric}_n"] = len(values)
            rows.append(row)
        return rows

    # --- writing -----------------------------------------------------------------------------------------

    def add(
        self,
        record: Record,
        saliency_map: np.ndarray | None = None,
        curves: np.ndarray | None = None,
        pictures: dict[str, np.ndarray] | None = None,
    ) -> None:
        """Keeps a record, its map (H, W), curves (n + 1, 3): fraction, insertion, deletion, and pictures."""
        if saliency_map is not None:
            write_whole(
                self.map_path(record.method, record.stem), lambda path: _save_array(path, saliency_map)
            )
        if curves is not None:
            header = "fraction,insertion,deletion"
            write_whole(
                self._curves_path(record),
                lambda path: np.savetxt(path, curves, fmt="%.6g", delimiter=",", header=header, comments=""),
            )
        for what, picture in (pictures or {}).items():
            write_whole(self.picture_path(record, what), picture_saver(picture))
        replaces = (record.method, record.image) in self.records
        self.records[record.method, record.image] = record
        if replaces:
            self._rewrite_records()
        else:
            self._append_record(record)

    def write_summary(self) -> Path:
        """The path of summary.csv, written from the records."""
        rows = self.summarise()
        return write_whole(self.folder / "summary.csv", lambda path: _write_rows(path, list(rows[0]), rows))

    # --- inside ------------------------------------------------------------------------------------------

    def _curves_path(self, record: Record) -> Path:
        return self.folder / "curves" / record.method / f"{record.stem}.csv"

    def _clear(self) -> None:
        """Removes the files that an earlier run wrote, run.json last so that it can be stopped half-way."""
        if not (self.folder / "run.json").is_file():
            return
        methods, patterns = self._read_settings()["methods"], ["summary.csv"]
        for method in methods:
            patterns += [f"figures/{method}_grid.png", f"figures/{method}_grid_[0-9]*.png"]
        for record in self._read_records():
            method, stem = record.method, glob.escape(record.stem)
            patterns += [f"maps/{method}/{stem}.npy", f"curves/{method}/{stem}.csv", f"figures/{method}/{stem}_*.png"]
        folders = [f"{kind}/{method}" for kind in ("maps", "curves", "figures") for method in methods]
        folders += ["maps", "curves", "figures"]
        patterns += [f"{folder}/.partial_*" for folder in folders]  # of a run that was killed
        for pattern in (*patterns, "records.csv", "run.json"):
            for path in self.folder.glob(pattern):
                path.unlink()
        for folder in folders:
            with contextlib.suppress(OSError):  # it holds what is not ours, or is not there
                (self.folder / folder).rmdir()

    def _read_settings(self) -> dict:
        path = self.folder / "run.json"
        try:
            settings = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))["settings"]
            dict(settings["methods"])
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"'{path}' is not of a run of main.py: choose another --output_folder_path") from None
        return settings

    def _merge_settings(self, settings: dict) -> dict:
        """The settings with those of the methods an earlier run added; ValueError if the two contradict."""
        path = self.folder / "run.json"
        if not path.is_file():
            if (self.folder / "records.csv").is_file():
                raise ValueError(
                    f"'{self.folder}' holds a records.csv but no run.json that says what it was made with: "
                    "choose another --output_folder_path"
                )
            return settings
        old = self._read_settings()
        pairs = [(key, old.get(key), value) for key, value in settings.items() if key != "methods"]
        pairs += [
            (name, old["methods"].get(name, options), options)
            for name, options in settings["methods"].items()
        ]
        differ = [f"{key}: {before!r}, now {now!r}" for key, before, now in pairs if before != now]
        if differ:
            raise ValueError(
                f"{str(self.folder)!r} holds a run with other settings ({'; '.join(differ)}): "
                "choose another --output_folder_path, or --overwrite it"
            )
        return {**settings, "methods": {**old["methods"], **settings["methods"]}}

    def _read_records(self) -> list[Record]:
        path = self.folder / "records.csv"
        if not path.is_file():
            return []
        names = [entry.name for entry in fields(Record)]
        with _open_text(path) as file:
            head, *rows = [*csv.reader(file)] or [names]
        if head != names:
            raise ValueError(f"'{path}' has other columns than ours: choose another --output_folder_path")
        records = []
        for row in rows:
            with contextlib.suppress(ValueError):  # the row that was being written when the run was killed
                records.append(_from_row(dict(zip(names, row, strict=True))))
        return records

    def _rewrite_records(self) -> None:
        names = [entry.name for entry in fields(Record)]
        rows = [_to_row(record) for record in self.records.values()]
        write_whole(self.folder / "records.csv", lambda path: _write_rows(path, names, rows))

    def _append_record(self, record: Record) -> None:
        with _open_text(self.folder / "records.csv", "a") as file:
            csv.writer(file).writerow(_to_row(record).values())
            file.flush()
            os.fsync(file.fileno())

    def _write_json(self, name: str, content: dict) -> None:
        text = json.dumps(content, indent=2, ensure_ascii=False, default=str)
        write_whole(
            self.folder / name, lambda path: path.write_text(text + "\n", encoding="utf-8", errors="surrogateescape")
        )


def lock_folder(folder: Path):
    """An open file that keeps other processes out of the folder until it is closed or this process ends.

    Raises ValueError if another process is in it. Where the system has no such locks, nothing is kept out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / ".lock").open("w")
    try:
        import fcntl

        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise ValueError(f"another run is writing into '{folder}': wait, or choose another folder") from None
    except (ImportError, OSError):  # Windows, some network drives
        pass
    return file


def _open_text(path: Path, mode: str = "r"):
    """A csv file; names that are no UTF-8, and a letter torn in the middle, come through as they are."""
    return path.open(mode, newline="", encoding="utf-8", errors="surrogateescape")


def _save_array(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:  # np.save would add an ending of its own
        np.save(file, array)


def _write_rows(path: Path, names: list[str], rows: list[dict]) -> None:
    with _open_text(path, "w") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


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
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
    )


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that numbers depend on."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in constants.LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # it may come under another name, as opencv-python-headless does
            found[name] = "not installed under this name"
    return found
