"""Rows of a table of any length on disk: columns in Parquet parts, the newest rows in a journal until they fill a part.

    <folder>/000000.parquet, 000001.parquet, ...    `ROWS_PER_PART` rows each; read by any reader of Parquet
    <folder>/_000002.jsonl                          the rows after them, a JSON list a line

A journal bears the number of the part it becomes: of two, the part counts. Of two rows with one key the later counts;
`compact` leaves no other. In memory are 16 bytes a row, an index by a 64-bit digest of the key (among a hundred million
keys, two share one with a probability of 3e-4), and the rows of the journal.
"""

import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from output.files import name_unwritten, refuse_damaged, write_whole

ROWS_PER_PART = 20_000
PLACES = 2**32  # a place is PLACES * part + row
RECENT = 200_000  # new keys that are kept aside before they are sorted in
PARTS_HELD = 3  # read lately, as rows
DAMAGED = "choose another --output_folder_path"
FOREIGN = "\0"  # begins a text that is no Unicode, as the name of a file may be; its bytes follow as letters


class ColumnTable:
    """The rows in a folder, each a dict of the columns.

    columns: name -> 'text', 'float' or 'int'; None stands for no value. key: the columns that tell rows apart.
    Raises ValueError where pyarrow is missing, or the folder holds other columns.
    """

    def __init__(self, folder: str | Path, columns: Mapping[str, str], key: Sequence[str]):
        self._arrow, self._parquet = _import_pyarrow()
        self.folder, self.columns, self.key = Path(folder), dict(columns), tuple(key)
        self._open()

    def _open(self) -> None:
        """Finds what is on the disk."""
        kinds = {"text": self._arrow.string(), "float": self._arrow.float64(), "int": self._arrow.int64()}
        self._schema = self._arrow.schema([(name, kinds[kind]) for name, kind in self.columns.items()])
        self._parts = sorted(self.folder.glob("[0-9]*.parquet"))
        self._lengths = [self._check(path) for path in self._parts]
        self._next = 1 + int(self._parts[-1].stem) if self._parts else 0
        self._read_part = functools.lru_cache(maxsize=PARTS_HELD)(self._load_part)
        self._index, self._old = _Index(), {}
        self._journal, self._is_ours = self._load_journal(), False
        self._index_all()

    def __len__(self) -> int:
        return sum(self._lengths) + len(self._journal) - sum(int(mask.sum()) for mask in self._old.values())

    def find(self, *key: str) -> dict | None:
        """The row of that key; None if there is none."""
        place = self._index.find(_digest(key))
        if place is None:
            return None
        part, row = divmod(place, PLACES)
        if self._is_old(part, row):
            return None
        found = (self._journal if part == len(self._parts) else self._read_part(part))[row]
        return found if tuple(found[name] for name in self.key) == key else None

    def append(self, rows: Sequence[Mapping]) -> None:
        """Keeps rows: on the disk when this returns."""
        while rows:
            room = ROWS_PER_PART - len(self._journal)
            self._write_lines(rows[:room])
            for row in rows[:room]:
                place = PLACES * len(self._parts) + len(self._journal)
                self._journal.append(dict(row))
                replaced = self._index.put(_digest([row[name] for name in self.key]), place)
                if replaced is not None:
                    self._mark_old(*divmod(replaced, PLACES))
            if len(self._journal) >= ROWS_PER_PART:
                self._close_journal()
            rows = rows[room:]

    def rows(self) -> Iterator[dict]:
        """All rows, one part in memory at a time."""
        for part in range(len(self._parts) + 1):
            rows = self._journal if part == len(self._parts) else self._load_part(part)
            for place, row in enumerate(rows):
                if not self._is_old(part, place):
                    yield row

    def read(self, names: Sequence[str]):
        """These columns of all rows as a pyarrow Table; texts are dictionaries."""
        tables = []
        for part, path in enumerate(self._parts):
            table = self._read_parquet(path, names)
            tables.append(table if part not in self._old else table.filter(~self._mask(part)))
        schema = self._arrow.schema([self._schema.field(name) for name in names])
        journal = [row for place, row in enumerate(self._journal) if not self._is_old(len(self._parts), place)]
        tables.append(self._as_table(journal).select(list(names)))
        table = self._arrow.concat_tables([table.cast(schema) for table in tables])
        texts = [place for place, name in enumerate(names) if self.columns[name] == "text"]
        for place in texts:
            table = table.set_column(place, names[place], table.column(place).dictionary_encode().unify_dictionaries())
        return table

    def drop(self, names: Sequence[str], unwanted: Callable) -> None:
        """Forgets the rows for which `unwanted(their columns `names`, a pyarrow Table)` is true, bool (n,).

        They leave the disk when the table is compacted.
        """
        for part in range(len(self._parts) + 1):
            if part == len(self._parts):
                table = self._as_table(self._journal).select(list(names))
            else:
                table = self._read_parquet(self._parts[part], names)
            for row in np.flatnonzero(unwanted(table)):
                self._mark_old(part, int(row))

    def compact(self, change: Callable[[dict], dict] | None = None) -> None:
        """Leaves the rows that count, each once, in parts alone; change: of every row, before it is written again."""
        self._close_journal()
        for part, path in enumerate(self._parts):
            if part in self._old or change is not None:
                rows = [row for place, row in enumerate(self._load_part(part)) if not self._is_old(part, place)]
                self._write_part(path, rows if change is None else list(map(change, rows)))
        self._open()

    def write_columns(self, table) -> None:
        """Adds a whole part, a pyarrow Table of all columns whose keys are new; `find` knows them when reopened."""
        self._close_journal()
        path = self.folder / f"{self._next:06d}.parquet"
        write_whole(path, lambda partial: self._parquet.write_table(table.cast(self._schema), partial))
        self._parts.append(path)
        self._lengths.append(len(table))
        self._next += 1

    # --- inside ------------------------------------------------------------------------------------------
    @property
    def _journal_path(self) -> Path:
        return self.folder / f"_{self._next:06d}.jsonl"

    def _check(self, path: Path) -> int:
        with refuse_damaged(path, DAMAGED), self._parquet.ParquetFile(path) as found:
            schema, n_rows = found.schema_arrow, found.metadata.num_rows  # an open file is not replaced on Windows
        if not schema.equals(self._schema):
            raise ValueError(f"'{path}' has other columns than ours: choose another --output_folder_path")
        return n_rows

    def _read_parquet(self, path: Path, names: Iterable[str]):
        with refuse_damaged(path, DAMAGED):
            return self._parquet.read_table(path, columns=list(names))

    def _load_part(self, part: int) -> list[dict]:
        rows = self._read_parquet(self._parts[part], self.columns).to_pylist()
        return [{name: _unescape(value) for name, value in row.items()} for row in rows]

    def _load_journal(self) -> list[dict]:
        """The rows of the journal, without one torn at its end."""
        if not self._journal_path.is_file():
            return []
        with refuse_damaged(self._journal_path, DAMAGED):
            *lines, _ = self._journal_path.read_bytes().split(b"\n")
            rows = [dict(zip(self.columns, json.loads(line), strict=True)) for line in lines]
            if not all(isinstance(row[name], str) for row in rows for name in self.key):
                raise ValueError("a row without its key")
        return rows

    def _write_lines(self, rows: Sequence[Mapping]) -> None:
        """Adds rows to the file of the journal."""
        if not self._is_ours:  # a torn row goes, and journals that had become parts
            self.folder.mkdir(parents=True, exist_ok=True)
            for path in self.folder.glob("_[0-9]*.jsonl"):
                if path != self._journal_path:
                    path.unlink()
            write_whole(
                self._journal_path, lambda path: path.write_bytes(self._as_lines(self._journal).encode("ascii"))
            )
            self._is_ours = True
        with name_unwritten(self._journal_path), self._journal_path.open("a", encoding="ascii", newline="") as file:
            file.write(self._as_lines(rows))
            file.flush()
            os.fsync(file.fileno())

    def _as_lines(self, rows: Sequence[Mapping]) -> str:
        return "".join(f"{json.dumps([row[name] for name in self.columns])}\n" for row in rows)

    def _index_all(self) -> None:
        digests, places = [], []
        for part, path in enumerate(self._parts):
            columns = self._read_parquet(path, self.key).to_pydict().values()
            columns = [list(map(_unescape, column)) for column in columns]
            digests.append(np.fromiter(map(_digest, zip(*columns)), np.uint64, self._lengths[part]))
            places.append(PLACES * part + np.arange(self._lengths[part]))
        keys = [_digest([row[name] for name in self.key]) for row in self._journal]
        digests.append(np.array(keys, np.uint64))
        places.append(PLACES * len(self._parts) + np.arange(len(keys)))
        for place in self._index.build(np.concatenate(digests), np.concatenate(places)):
            self._mark_old(*divmod(int(place), PLACES))

    def _as_table(self, rows: Sequence[Mapping]):
        columns = {name: [_escape(row[name]) for row in rows] for name in self.columns}
        return self._arrow.Table.from_pydict(columns, schema=self._schema)

    def _write_part(self, path: Path, rows: Sequence[Mapping]) -> None:
        write_whole(path, lambda partial: self._parquet.write_table(self._as_table(rows), partial))

    def _close_journal(self) -> None:
        """Turns the journal into a part."""
        if not self._journal:
            return
        path, journal = self.folder / f"{self._next:06d}.parquet", self._journal_path
        self._write_part(path, self._journal)
        self._parts.append(path)
        self._lengths.append(len(self._journal))
        self._journal, self._next, self._is_ours = [], self._next + 1, False
        journal.unlink()

    def _is_old(self, part: int, row: int) -> bool:
        mask = self._old.get(part)
        return mask is not None and bool(mask[row])

    def _mask(self, part: int) -> np.ndarray:
        return self._old[part][: self._lengths[part]]

    def _mark_old(self, part: int, row: int) -> None:
        length = self._lengths[part] if part < len(self._lengths) else ROWS_PER_PART
        self._old.setdefault(part, np.zeros(length, bool))[row] = True


class _Index:
    """Digest of a key -> the place of its row: a sorted array, and a dict of what came since."""

    def __init__(self):
        self._digests, self._places = np.empty(0, np.uint64), np.empty(0, np.int64)
        self._recent = {}

    def build(self, digests: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Takes keys in place of all; the places of those that a later one of the same key replaces."""
        order = np.argsort(digests, kind="stable")
        digests, places = digests[order], places[order]
        is_last = np.append(digests[1:] != digests[:-1], True) if len(digests) else np.empty(0, bool)
        self._digests, self._places, self._recent = digests[is_last], places[is_last], {}
        return places[~is_last]

    def find(self, digest: int) -> int | None:
        """The place of a key; None if it is not there."""
        if digest in self._recent:
            return self._recent[digest]
        place = int(np.searchsorted(self._digests, np.uint64(digest)))
        return int(self._places[place]) if place < len(self._digests) and self._digests[place] == digest else None

    def put(self, digest: int, place: int) -> int | None:
        """Keeps the place of a key; the one that it replaces."""
        replaced = self.find(digest)
        self._recent[digest] = place
        if len(self._recent) > RECENT:
            recent = np.fromiter(self._recent, np.uint64), np.fromiter(self._recent.values(), np.int64)
            self.build(np.append(self._digests, recent[0]), np.append(self._places, recent[1]))
        return replaced


def _import_pyarrow():
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise ValueError(
            "the records of a large run are columns in Parquet files: pip install -r requirements-large.txt, "
            "or --storage=files"
        ) from None
    return pyarrow, pyarrow.parquet


def _digest(key: Iterable[str]) -> int:
    text = "\0".join(key).encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def _escape(value):
    """A text as Parquet can hold it."""
    if not isinstance(value, str) or value.isascii():
        return value
    try:
        value.encode()
        return value
    except UnicodeEncodeError:
        return FOREIGN + value.encode("utf-8", "surrogateescape").decode("latin-1")


def _unescape(value):
    """The text that `_escape` made this of."""
    if isinstance(value, str) and value.startswith(FOREIGN):
        return value[1:].encode("latin-1").decode("utf-8", "surrogateescape")
    return value
