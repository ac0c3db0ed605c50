"""The folder of a large run: records as columns, maps in groups, in the place of a row and a file per image.

<folder>/records/*.parquet               every column of records.csv, and map_file (output/columns.py)
<folder>/records.csv                     the same, once a run is through, of up to `CSV_ROWS` rows
<folder>/maps/<METHOD>/3f/<digest>.npz   maps in their own resolution, and curves (output/map_store.py)

A folder keeps the form that its first run gave it. What was found is written a group of images at a time: a run that is
killed loses the last seconds of its work.
"""

import functools
import itertools
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from explainers.registry import GAZE_ROWS
from output.columns import ColumnTable
from output.files import refuse_damaged
from output.folder import OutputFolder
from output.map_store import AGAIN, Group, SmallMap, write_group
from output.tables import write_table
from pipeline.records import KINDS, RECORD_COLUMNS, Record, from_columns, to_columns, to_row
from pipeline.results import Results, RunFolder
from pipeline.run_columns import RunColumns

CSV_ROWS = 100_000  # some 40 MB: what programs for tables open at all
GROUP = 64  # maps of a method that are written together
SECONDS_HELD = 5.0  # that a finished map waits for others of its group
TROUBLED_SHOWN = 1000  # records that a run lists as without a map, or without a use for their gaze
GROUPS_HELD = 8  # files of maps that were read lately


class ColumnRecords(Mapping):
    """(method, image) -> Record, read from the columns as it is asked for."""

    def __init__(self, folder: Path):
        self.table = ColumnTable(folder, KINDS, ("method", "image"))

    def __getitem__(self, key: tuple[str, str]) -> Record:
        row = self.table.find(*key)
        if row is None:
            raise KeyError(key)
        return from_columns(row)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((row["method"], row["image"]) for row in self.table.rows())

    def __len__(self) -> int:
        return len(self.table)

    def values(self) -> Iterator[Record]:
        """The records, one part of the columns in memory at a time."""
        return map(from_columns, self.table.rows())


class LargeFolder(RunFolder):
    """Where the files of a large run are, and what is in them."""

    keeps_small_maps = True

    @property
    def records_path(self) -> Path:
        """The path of the records."""
        return self.folder / "records"

    def read_records(self, strict: bool = False) -> ColumnRecords:
        """(method, image) -> its record; strict: nothing more, a part is whole or refused."""
        return ColumnRecords(self.records_path)

    def columns(self) -> RunColumns:
        """The records as the tables want them."""
        return RunColumns.of_table(self.read_records().table)

    def has_map(self, record: Record) -> bool:
        """Whether the file of a record's map is there."""
        return bool(record.map_file) and self.find_map(record).is_file()

    def read_map(self, record: Record) -> np.ndarray:
        """The raw map (H, W) of a record; ValueError if its file is missing or damaged, or its maps of another size."""
        path = self.find_map(record)
        group = self._open_group(path)
        with refuse_damaged(path, AGAIN):
            if self._map_size not in (None, group.size):
                raise ValueError(f"its maps are {group.size}, those of this run {self._map_size}")
        return group.read_map(record.stem)

    def read_curves(self, record: Record) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """(fractions, insertion scores, deletion scores) of a record; None where they were not measured."""
        if not self.has_map(record):
            return None
        curves = self._open_group(self.find_map(record)).read_curves(record.stem)
        return None if curves is None else tuple(curves.T)

    def choose_small(self, record: Record, small: SmallMap | None, curves: np.ndarray | None) -> SmallMap | None:
        """The map to be written with a record: the one that is there where more metrics have added curves to it."""
        if small is None and curves is not None and self.has_map(record):
            return self._open_group(self.find_map(record)).read_small(record.stem)
        return small

    def list_files(self) -> Iterator[str]:
        """The patterns of all files that the runs in the folder wrote, the records last."""
        yield from self._list_common_files()
        methods = self.read_description()["settings"]["methods"]
        stems = {record.stem for record in self.read_records().values()}
        for method in methods:
            yield f"maps/{method}/[0-9a-f][0-9a-f]/*.npz"
        for place in [f"maps/{method}" for method in methods] + [f"figures/{m}" for m in (*methods, "top_classes")]:
            for path in (self.folder / place).glob("*.*"):
                if any(path.name.startswith(stem) for stem in _beginnings(path.name) if stem in stems):
                    yield f"{place}/{path.name}"
        yield from ("figures/drawn.json", "records/[0-9]*.parquet", "records/_[0-9]*.jsonl", "records.csv")

    @functools.cached_property
    def _open_group(self):
        return functools.lru_cache(maxsize=GROUPS_HELD)(Group)

    def find_map(self, record: Record) -> Path:
        """The file that holds a record's map, among others."""
        return self.folder / "maps" / record.method / record.map_file


class MapGroups:
    """What was found and is not on the disk yet: records with their maps and curves."""

    def __init__(self, folder: Path):
        self.folder, self._held, self._since = folder, [], time.monotonic()

    def add(self, record: Record, small: SmallMap | None, curves: np.ndarray | None) -> None:
        """Holds a record; small: None where its map is there, or there is none."""
        if not self._held:
            self._since = time.monotonic()
        self._held.append((record, small, curves))

    @property
    def is_due(self) -> bool:
        """Whether it is time to write."""
        longest = max(Counter(record.method for record, *_ in self._held).values(), default=0)
        return longest >= GROUP or (longest > 0 and time.monotonic() - self._since > SECONDS_HELD)

    def write(self) -> list[Record]:
        """The records, told where their maps are, once these are written."""
        for method in dict.fromkeys(record.method for record, *_ in self._held):
            found = [held for held in self._held if held[0].method == method]
            maps = {record.stem: small for record, small, _ in found if small is not None}
            curves = {record.stem: of_one for record, _, of_one in found if of_one is not None}
            files = write_group(self.folder / "maps" / method, maps, curves)
            for record, *_ in found:
                record.map_file = files.get(record.stem, record.map_file)
        records, self._held = [record for record, *_ in self._held], []
        return records


class LargeResults(LargeFolder, Results):
    """The folder of one large run; see `Results`."""

    def _open_records(self) -> ColumnRecords:
        """The records of earlier runs, without those that failed; and what waits to be written."""
        self._waiting = MapGroups(self.folder)
        records = self.read_records()
        records.table.drop(["status"], lambda table: [text.startswith("failed") for text in table[0].to_pylist()])
        return records

    def add(self, record, saliency_map=None, curves=None, pictures=None, small: SmallMap | None = None) -> None:
        """Keeps a record, its curves and pictures; small: its map (H, W) as it is kept, None: it is there."""
        self.write_pictures(record, pictures)
        self._waiting.add(record, self.choose_small(record, small, curves), curves)
        if self._waiting.is_due:
            self.flush()

    def add_records(self, records: list[Record]) -> None:
        """Keeps records whose maps are written."""
        self.records.table.append([to_columns(record) for record in records])

    def flush(self) -> None:
        """Writes what waits."""
        self.add_records(self._waiting.write())
        self._open_group.cache_clear()  # a file of the same images may be another now

    def columns(self) -> RunColumns:
        """The records as the tables want them."""
        self.flush()
        return RunColumns.of_table(self.records.table)

    def list_troubled(self) -> list[Record]:
        """The first `TROUBLED_SHOWN` records without a map, or without a use for their gaze."""
        found = self.records.table.read(["method", "image", "status", "undefined"]).to_pydict()
        rows = zip(*found.values())
        keys = ((method, image) for method, image, status, undefined in rows if _is_troubled(status, undefined))
        return [self.records[key] for key in itertools.islice(keys, TROUBLED_SHOWN)]

    def rewrite_records(self) -> None:
        """Leaves every record once, in columns alone; and records.csv, of few enough."""
        self.flush()
        self.records.table.compact()
        path = self.folder / "records.csv"
        if len(self.records) <= CSV_ROWS:
            write_table(path, map(to_row, self.records.values()), RECORD_COLUMNS)
        else:
            path.unlink(missing_ok=True)

    def _forget_gaze(self) -> None:
        """Drops the rows made of gaze, and what the others say of it."""
        table = self.records.table
        table.drop(["method"], lambda found: [method in GAZE_ROWS for method in found[0].to_pylist()])

        def forget(row: dict) -> dict:
            record = from_columns(row)
            record.forget_gaze()
            return to_columns(record)

        table.compact(forget)


def open_results(
    folder: str | Path, settings: dict, description: dict, overwrite: bool = False, is_large: bool = False
) -> Results:
    """The folder of a run, in the form of the run that is in it; is_large: of a new one. Errors as `Results`."""
    form = LargeResults if is_large else Results
    if (held := _find_form(Path(folder))) is not None:
        if overwrite and held is not form and (Path(folder) / "run.json").is_file():
            opened = OutputFolder(folder)
            opened.remove(open_run_folder(folder).list_files())
        else:
            form = held
    return form(folder, settings, description, overwrite)


def open_run_folder(folder: str | Path) -> RunFolder:
    """The folder of a run, to be read."""
    return LargeFolder(folder) if _find_form(Path(folder)) is LargeResults else RunFolder(folder)


def _find_form(folder: Path) -> type[Results] | None:
    """The form of the run in a folder; None if there is none."""
    if (folder / "records").is_dir():
        return LargeResults
    return Results if (folder / "records.csv").is_file() else None


def _is_troubled(status: str, undefined: str) -> bool:
    """`Record.needs_attention` of two columns; most rows are settled at a glance."""
    if status in ("ok", "constant map") and undefined == "{}":
        return False
    return Record("", "", "", status=status, undefined=json.loads(undefined)).needs_attention


def _beginnings(name: str) -> Iterator[str]:
    """'a_b_c' and 'a_b', 'a' of 'a_b_c.png': the stems that a file may be of."""
    for mark in (".", "_"):
        stem = name
        while mark in stem:
            stem = stem.rpartition(mark)[0]
            yield stem
