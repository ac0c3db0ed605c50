"""Numbers to files: the folder of a run (run_folder.py says what is in it), written so that it can be stopped.

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
from explainers.registry import GAZE_ROWS
from output.files import lock_folder, open_text, picture_saver, save_array, write_rows, write_whole
from pipeline.records import Record, to_row
from pipeline.run_folder import RunFolder

TABLES = (  # and figures that are no method's own
    "summary*.csv",
    "differences.csv",
    "muted.csv",
    "sanity*.csv",
    "sanity_*.png",
    "report.html",
    "report.tex",
    "report_differences.csv",
    "report_figures/*.png",
)
OF_A_COMPARISON = (  # what compare.py adds to the folder
    "agreement*.csv",
    "agreement_matrix.png",
    "side_by_side*.png",
    "score_board.csv",
    "localisation.csv",
    "agreement/*/ranking*.png",
)


class Results(RunFolder):
    """The folder of one run.

    settings: everything that changes a map or a number, as plain values, {'methods': {NAME: options}} among
    it; description: what else run.json tells. Raises ValueError if the folder holds a run with other settings
    and `overwrite` is not set; with it, that run's files are removed first, and no other file.
    """

    def __init__(self, folder: str | Path, settings: dict, description: dict, overwrite: bool = False):
        super().__init__(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"output_folder_path {str(folder)!r} is a file; a folder is wanted")
        self._lock = lock_folder(self.folder)
        if overwrite:
            self._clear()
        has_run = (self.folder / "run.json").is_file()
        gaze = self.read_description().get("gaze_fingerprint") if has_run else None
        kept = self._merge_settings(json.loads(json.dumps(settings)))
        self.records = {key: record for key, record in self.read_records().items() if not record.failed}
        self._description = {
            **description,
            "settings": kept,
            "gaze_fingerprint": gaze,
            "host": platform.node(),
            "platform": platform.platform(),
        }
        self._write_json("run.json", self._description)  # first: no record without the settings it was made with
        self.rewrite_records()

    # --- reading -----------------------------------------------------------------------------------------

    def find(self, method: str, sample) -> Record | None:
        """The record of that image if it is the same file still, and its map is there under the stem it has now."""
        record = self.records.get((method, sample.name))
        if record is None or (record.stem, record.checksum) != (sample.stem, sample.checksum):
            return None
        return record if self.map_path(method, sample.stem).is_file() else None

    def accept_gaze(self, fingerprint: str) -> None:
        """Forgets what earlier records say of gaze, and the rows made of it, if that was another: OTHERS and the
        shuffled AUC depend on the gaze of all images. The maps of methods stay."""
        if self._description["gaze_fingerprint"] not in (None, fingerprint):
            self.records = {key: record for key, record in self.records.items() if record.method not in GAZE_ROWS}
            for record in self.records.values():
                record.forget_gaze()
            self.rewrite_records()
        self._description["gaze_fingerprint"] = fingerprint
        self._write_json("run.json", self._description)

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
            write_whole(self.map_path(record.method, record.stem), lambda path: save_array(path, saliency_map))
        if curves is not None:
            header = "fraction,insertion,deletion"
            write_whole(
                self.curves_path(record),
                lambda path: np.savetxt(path, curves, fmt="%.6g", delimiter=",", header=header, comments=""),
            )
        for what, picture in (pictures or {}).items():
            write_whole(self.picture_path(record, what), picture_saver(picture))
        self.records[record.method, record.image] = record
        self._append_record(record)  # of two rows of one image the later counts, until they are written anew

    def write_table(self, name: str, rows: list[dict]) -> Path | None:
        """The path of a csv file of the run, written from rows that have the same keys; without rows, no file."""
        if not rows:
            return None
        return write_whole(self.folder / name, lambda path: write_rows(path, list(rows[0]), rows))

    # --- inside ------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        """Removes the files that an earlier run wrote, run.json last so that it can be stopped half-way."""
        if not (self.folder / "run.json").is_file():
            return
        methods, patterns = self.read_description()["settings"]["methods"], [*TABLES, *OF_A_COMPARISON]
        for method in methods:
            patterns += [f"figures/{method}_grid.png", f"figures/{method}_grid_[0-9]*.png"]
        for record in self.read_records().values():
            method, stem = record.method, glob.escape(record.stem)
            patterns += [f"maps/{method}/{stem}.npy", f"maps/{method}/{stem}.class_[0-9]*.npy"]
            patterns += [f"curves/{method}/{stem}.csv", f"figures/{method}/{stem}_*.png"]
            patterns += [f"figures/top_classes/{stem}.png"]
        folders = [f"{kind}/{method}" for kind in ("maps", "curves", "figures") for method in methods]
        folders += [f"agreement/{a}_{b}" for a, b in itertools.permutations(methods, 2)]
        folders += ["figures/top_classes", "maps", "curves", "figures", "agreement", "report_figures"]
        patterns += [f"{folder}/.partial_*" for folder in folders]  # of a run that was killed
        for pattern in (*patterns, "records.csv", "run.json"):
            for path in self.folder.glob(pattern):
                path.unlink()
        for folder in folders:
            with contextlib.suppress(OSError):  # it holds what is not ours, or is not there
                (self.folder / folder).rmdir()

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
        old = self.read_description()["settings"]
        pairs = [(key, old.get(key), value) for key, value in settings.items() if key != "methods"]
        pairs += [(name, old["methods"].get(name, options), options) for name, options in settings["methods"].items()]
        differ = [f"{key}: {before!r}, now {now!r}" for key, before, now in pairs if before != now]
        if differ:
            raise ValueError(
                f"{str(self.folder)!r} holds a run with other settings ({'; '.join(differ)}): "
                "choose another --output_folder_path, or --overwrite it"
            )
        return {**settings, "methods": {**old["methods"], **settings["methods"]}}

    def rewrite_records(self) -> None:
        """Writes records.csv anew: one row per method and image, as they are now."""
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
