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
import itertools
import json
import os
import platform
from dataclasses import fields
from pathlib import Path

import numpy as np

import constants
from files import lock_folder, open_text, picture_saver, save_array, write_rows, write_whole
from records import Record, read_records, summarise, to_row

OF_A_COMPARISON = (  # what compare.py adds to the folder
    "agreement*.csv", "agreement_matrix.png", "side_by_side*.png", "score_board.csv", "localisation.csv",
    "agreement/*/ranking*.png",
)  # fmt: skip


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
        kept_records = [record for record in read_records(self.folder / "records.csv") if not record.failed]
        self.records = {(record.method, record.image): record for record in kept_records}
        content = {**description, "settings": kept, "host": platform.node(), "platform": platform.platform()}
        self._write_json("run.json", content)  # first: no record without the settings it was made with
        self._rewrite_records()

    # --- reading -----------------------------------------------------------------------------------------

    def is_done(self, method: str, sample, fidelity: bool = True) -> bool:
        """Whether the method's map and record of that image are there, under the stem it has now.

        fidelity: whether that takes insertion and deletion, which `compare.py` leaves out.
        """
        record = self.records.get((method, sample.name))
        if record is None or (fidelity and record.undefined.get("insertion_auc") == constants.NOT_ASKED):
            return False
        return record.stem == sample.stem and self.map_path(method, sample.stem).is_file()

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
                self.map_path(record.method, record.stem), lambda path: save_array(path, saliency_map)
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
        rows = summarise(self.records.values())
        return write_whole(self.folder / "summary.csv", lambda path: write_rows(path, list(rows[0]), rows))

    # --- inside ------------------------------------------------------------------------------------------

    def _curves_path(self, record: Record) -> Path:
        return self.folder / "curves" / record.method / f"{record.stem}.csv"

    def _clear(self) -> None:
        """Removes the files that an earlier run wrote, run.json last so that it can be stopped half-way."""
        if not (self.folder / "run.json").is_file():
            return
        methods, patterns = self._read_settings()["methods"], ["summary.csv", *OF_A_COMPARISON]
        for method in methods:
            patterns += [f"figures/{method}_grid.png", f"figures/{method}_grid_[0-9]*.png"]
        for record in read_records(self.folder / "records.csv"):
            method, stem = record.method, glob.escape(record.stem)
            patterns += [f"maps/{method}/{stem}.npy", f"maps/{method}/{stem}.class_[0-9]*.npy"]
            patterns += [f"curves/{method}/{stem}.csv", f"figures/{method}/{stem}_*.png"]
            patterns += [f"figures/top_classes/{stem}.png"]
        folders = [f"{kind}/{method}" for kind in ("maps", "curves", "figures") for method in methods]
        folders += [f"agreement/{a}_{b}" for a, b in itertools.permutations(methods, 2)]
        folders += ["figures/top_classes", "maps", "curves", "figures", "agreement"]
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

    def _rewrite_records(self) -> None:
        names = [entry.name for entry in fields(Record)]
        rows = [to_row(record) for record in self.records.values()]
        write_whole(self.folder / "records.csv", lambda path: write_rows(path, names, rows))

    def _append_record(self, record: Record) -> None:
        with open_text(self.folder / "records.csv", "a") as file:
            csv.writer(file).writerow(to_row(record).values())
            file.flush()
            os.fsync(file.fileno())

    def _write_json(self, name: str, content: dict) -> None:
        text = json.dumps(content, indent=2, ensure_ascii=False, default=str)
        write_whole(
            self.folder / name, lambda path: path.write_text(text + "\n", encoding="utf-8", errors="surrogateescape")
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
