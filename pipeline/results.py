"""The folder of a run of `main.py`: its files, written so that it can be stopped at any moment, and read again.

<folder>/run.json                    flags, seed, versions, model, layer, score, class rule, host
<folder>/records.csv                 one row per method and image, appended as it comes
<folder>/maps/<METHOD>/<stem>.npy    the raw float32 map
<folder>/curves/<METHOD>/<stem>.csv  fraction of pixels, insertion score, deletion score
<folder>/figures/                    written by run_figures.py

A run that is stopped continues where it was: a torn last row is dropped, a failed one is tried again. A folder that
holds a run with other settings is refused, and one that another process writes into (output/folder.py).
"""

import csv
import glob
import itertools
import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np

import constants
from explainers.registry import GAZE_ROWS
from output.files import (
    name_unwritten,
    open_text,
    picture_saver,
    read_array,
    read_curve,
    refuse_damaged,
    save_array,
    write_whole,
)
from output.folder import OutputFolder, read_description
from output.map_store import SmallMap
from output.tables import write_table
from pipeline.records import RECORD_COLUMNS, Record, read_records, to_row
from pipeline.run_columns import RunColumns

TABLES = (  # and figures that are no method's own
    "summary*.csv",
    "lab_table.md",
    "lab_table.tex",
    "differences.csv",
    "muted.csv",
    "top_classes.csv",
    "sanity*.csv",
    "sanity_*.*",
    "attacked/*/*.png",
    "report.html",
    "report.tex",
    "report_differences.csv",
    "references.bib",
    "report_figures/*.*",
    "report_tables/*.tex",
)
PATHS = ("test_images_folder_path", "test_gdfm_folder_path", "test_fixations_path", "fixations_unit")  # of settings
OF_A_COMPARISON = (  # what compare.py adds to the folder
    "agreement*.csv",
    "agreement_matrix.*",
    "side_by_side*.*",
    "score_board.csv",
    "localisation.csv",
)


class RunFolder:
    """Where the files of a run are, and what is in them."""

    keeps_small_maps = False  # True: maps are kept in their own resolution (large_results.py)

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    @property
    def records_path(self) -> Path:
        """The path of the records."""
        return self.folder / "records.csv"

    def read_description(self) -> dict:
        """What run.json tells, 'settings' with their 'methods' among it; ValueError for a file of somebody else."""
        description = read_description(self.folder / "run.json")
        if description is None:
            raise ValueError(f"'{self.folder}' holds no run.json: a folder of main.py is wanted")
        return self._check(description)

    def _check(self, description: dict) -> dict:
        """The description; ValueError if it is none of explanations."""
        settings = description["settings"]
        tables = [settings.get("methods"), *(description.get(name, {}) for name in ("model", "versions"))]
        are_tables = all(isinstance(table, dict) for table in tables)
        if (
            not are_tables
            or not all(isinstance(options, dict) for options in tables[0].values())
            or not all(isinstance(settings.get(name), str | None) for name in PATHS)
            or not isinstance(settings.get("sigma_px"), float | int | None)
        ):
            path = self.folder / "run.json"
            raise ValueError(f"'{path}' is not of a run of main.py: choose another --output_folder_path")
        return description

    def read_records(self, strict: bool = False) -> dict[tuple[str, str], Record]:
        """(method, image) -> its record; of two rows of one image the later counts.

        strict: whether a damaged row that is not the last is refused; a run leaves it out, and explains its image anew.
        """
        return {(record.method, record.image): record for record in read_records(self.records_path, strict)}

    def columns(self) -> RunColumns:
        """The records as the tables want them."""
        return RunColumns.of_records(self.read_records().values())

    def find_map(self, record: Record) -> Path:
        """The file that holds a record's map."""
        return self.map_path(record.method, record.stem)

    def has_map(self, record: Record) -> bool:
        """Whether the file of a record's map is there."""
        return self.find_map(record).is_file()

    def map_path(self, method: str, stem: str) -> Path:
        """The path of the raw map of an image."""
        return self.folder / "maps" / method / f"{stem}.npy"

    def curves_path(self, record: Record) -> Path:
        """The path of the curves of a record."""
        return self.folder / "curves" / record.method / f"{record.stem}.csv"

    def picture_path(self, record: Record, what: str) -> Path:
        """The path of one picture of an image."""
        return self.folder / "figures" / record.method / f"{record.stem}_{what}.png"

    @property
    def figures_path(self) -> Path:
        """The path of what the figures were drawn from."""
        return self.folder / "figures" / "drawn.json"

    def read_map(self, record: Record) -> np.ndarray:
        """The raw map (H, W) of a record; ValueError if its file is missing or damaged, or of another size."""
        return self.read_map_file(self.map_path(record.method, record.stem))

    def read_map_file(self, path: Path) -> np.ndarray:
        """As `read_map`, of a file of this run."""
        saliency_map = read_array(path, 2)
        with refuse_damaged(path):
            if self._map_size not in (None, saliency_map.shape):
                raise ValueError(f"it is {saliency_map.shape}, and the maps of this run are {self._map_size}")
        return saliency_map

    @cached_property
    def _map_size(self) -> tuple[int, int] | None:
        """(H, W) of the maps, the model's input size; None if run.json does not tell."""
        match = re.fullmatch(r"(\d+) x (\d+)", str(self.read_description().get("model", {}).get("input_size")))
        return match and (int(match[1]), int(match[2]))

    def read_curves(self, record: Record) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """(fractions, insertion scores, deletion scores) of a record; None where they were not measured."""
        path = self.curves_path(record)
        if not path.is_file():
            return None
        fractions, insertion, deletion = read_curve(path, 3, "--overwrite makes the run anew").T
        return fractions, insertion, deletion

    def check(self, record: Record | None, sample) -> Record | None:
        """The record if it is of that image, the same file still, and its map is there; None otherwise."""
        if record is None or (record.stem, record.checksum) != (sample.stem, sample.checksum):
            return None
        return record if self.has_map(record) else None

    def write_map(self, record: Record, saliency_map: np.ndarray | None, curves: np.ndarray | None) -> None:
        """Writes a map (H, W) and curves (n + 1, 3) of a record; None: there is none, or it is there."""
        if saliency_map is not None:
            write_whole(self.map_path(record.method, record.stem), lambda path: save_array(path, saliency_map))
        if curves is not None:
            header = "fraction,insertion,deletion"
            write_whole(
                self.curves_path(record),
                lambda path: np.savetxt(path, curves, fmt="%.6g", delimiter=",", header=header, comments=""),
            )

    def write_pictures(self, record: Record, pictures: dict[str, np.ndarray] | None) -> None:
        """Writes further pictures of an image, by what they show."""
        for what, picture in (pictures or {}).items():
            write_whole(self.picture_path(record, what), picture_saver(picture))

    def list_files(self) -> Iterator[str]:
        """The patterns of all files that the runs in the folder wrote, the records last."""
        yield from self._list_common_files()
        for record in self.read_records().values():
            method, stem = record.method, glob.escape(record.stem)
            yield from (f"maps/{method}/{stem}.npy", f"maps/{method}/{stem}.class_[0-9]*.npy")
            yield from (f"curves/{method}/{stem}.csv", f"figures/{method}/{stem}_*.*")
            yield from (f"figures/top_classes/{stem}.{one}" for one in constants.FIGURE_FORMATS)
        yield from ("figures/drawn.json", "records.csv")

    def _list_common_files(self) -> Iterator[str]:
        """The patterns of those that are no image's own, whatever the form of the run."""
        methods = self.read_description()["settings"]["methods"]
        yield from TABLES
        yield from OF_A_COMPARISON
        for one, other in itertools.permutations(methods, 2):
            yield f"agreement/{one}_{other}/ranking*.*"
        for method in methods:
            yield from (f"figures/{method}_{page}.*" for page in ("grid", "grid_[0-9]*", "extremes"))
            yield from (f"{kind}/{method}/.partial_*" for kind in ("maps", "curves", "figures"))
            yield from (f"figures/animations/{method}/*.gif", f"films/{method}.mp4", f"films/{method}.gif")


class Results(RunFolder):
    """The folder of one run.

    settings: everything that changes a map or a number, as plain values, {'methods': {NAME: options}} among
    it; description: what else run.json tells. Raises ValueError if the folder holds a run with other settings
    and `overwrite` is not set; with it, that run's files are removed first, and no other file.
    """

    def __init__(self, folder: str | Path, settings: dict, description: dict, overwrite: bool = False):
        super().__init__(folder)
        self.tables: dict[str, list[dict]] = {}  # file -> its rows, of those that were written by this object
        self._is_synced = True
        self._opened = OutputFolder(self.folder)
        if self._opened.description is not None:
            self._check(self._opened.description)
            if overwrite:
                self._opened.remove(self.list_files())
        elif self.records_path.exists():
            raise ValueError(
                f"'{self.folder}' holds a {self.records_path.name} but no run.json that says what it was made with: "
                "choose another --output_folder_path"
            )
        self.records = self._open_records()
        # First run.json: no record without the settings it was made with.
        self._opened.describe(settings, description, grows="methods")
        self.rewrite_records()

    # --- reading -----------------------------------------------------------------------------------------

    def find(self, method: str, sample) -> Record | None:
        """The record of that image if it is the same file still, and its map is there under the stem it has now."""
        return self.check(self.records.get((method, sample.name)), sample)

    def accept_gaze(self, fingerprint: str) -> None:
        """Forgets what earlier records say of gaze, and the rows made of it, if that was another: OTHERS and the
        shuffled AUC depend on the gaze of all images. The maps of methods stay."""
        if self._opened.description.get("gaze_fingerprint") not in (None, fingerprint):
            self._forget_gaze()
        self._opened.update(gaze_fingerprint=fingerprint)

    # --- writing -----------------------------------------------------------------------------------------

    def add(
        self,
        record: Record,
        saliency_map: np.ndarray | None = None,
        curves: np.ndarray | None = None,
        pictures: dict[str, np.ndarray] | None = None,
        small: SmallMap | None = None,
    ) -> None:
        """Keeps a record, its map (H, W), curves (n + 1, 3): fraction, insertion, deletion, and pictures.

        small: the map as a large run keeps it.
        """
        self.write_map(record, saliency_map, curves)
        self.write_pictures(record, pictures)
        self.records[record.method, record.image] = record
        self._append_record(record)  # of two rows of one image the later counts, until they are written anew

    def add_records(self, records: list[Record]) -> None:
        """Keeps records whose files are written already."""
        for record in records:
            self.records[record.method, record.image] = record
            self._append_record(record)
        self.sync()

    def sync(self) -> None:
        """Has the records that were added reach the disk: a process that is killed loses none, a machine no others."""
        if not self._is_synced:
            with open_text(self.records_path, "a") as file:
                os.fsync(file.fileno())
            self._is_synced = True

    def write_table(self, name: str, rows: list[dict]) -> Path | None:
        """The path of a csv file of the run, written from rows that have the same keys; without rows, no file."""
        self.tables[name] = rows
        if not rows:
            return None
        return write_table(self.folder / name, rows)

    # --- inside ------------------------------------------------------------------------------------------

    def columns(self) -> RunColumns:
        """The records as the tables want them."""
        return RunColumns.of_records(self.records.values())

    def list_troubled(self) -> list[Record]:
        """The records without a map, or without a use for their gaze."""
        return [record for record in self.records.values() if record.needs_attention]

    def flush(self) -> None:
        """Writes what waits to be written: nothing does."""

    def rewrite_records(self) -> None:
        """Writes records.csv anew: one row per method and image, as they are now."""
        write_table(self.records_path, [to_row(record) for record in self.records.values()], RECORD_COLUMNS)

    def _open_records(self) -> dict[tuple[str, str], Record]:
        """The records of earlier runs, without those that failed."""
        return {key: record for key, record in self.read_records().items() if not record.failed}

    def _forget_gaze(self) -> None:
        """Drops the rows made of gaze, and what the others say of it."""
        self.records = {key: record for key, record in self.records.items() if record.method not in GAZE_ROWS}
        for record in self.records.values():
            record.forget_gaze()
        self.rewrite_records()

    def _append_record(self, record: Record) -> None:
        with name_unwritten(self.records_path), open_text(self.records_path, "a") as file:
            csv.writer(file).writerow(to_row(record).values())
        self._is_synced = False
