"""The records of a run as columns: what its tables are made of, whether it has six images or a million.

Texts are kept once, with a number for each row; numbers are float64, NaN where a record has none.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from data.dataset import group_of
from output.columns import ColumnTable
from pipeline.records import Record

TEXTS = ("method", "image", "label")


@dataclass(frozen=True)
class Texts:
    """A column of texts: each text once, in the order in which they come, and of each row the place of its own."""

    names: Sequence[str]
    codes: np.ndarray  # (n,)

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Texts":
        """The column of these texts."""
        places = {}
        codes = [places.setdefault(text, len(places)) for text in texts]
        return cls(list(places), np.array(codes, np.int64))

    def renamed(self, rename: Callable[[str], str]) -> "Texts":
        """The column of what each text becomes, which may be the same for several."""
        new = Texts.of(map(rename, self.names))
        if not len(self.codes):
            return new
        return Texts(new.names, new.codes[self.codes])


class RunColumns:
    """Method, image and label of n records, whether they failed, and their numbers.

    read: name of a number of a record -> float64 (n,). undefined: (method, what `Record.undefined` says) -> of how many
    records.
    """

    def __init__(
        self,
        texts: dict[str, Texts],
        failed: np.ndarray,
        read: Callable[[str], np.ndarray],
        undefined: Sequence[tuple[str, dict, int]],
    ):
        self.method, self.image, self.label = (texts[name] for name in TEXTS)
        self.failed, self.undefined = failed, undefined
        self._read, self._values = read, {}

    def __len__(self) -> int:
        return len(self.failed)

    @classmethod
    def of_records(cls, records: Iterable[Record]) -> "RunColumns":
        """The columns of records in memory."""
        records = list(records)
        return cls(
            {name: Texts.of(getattr(record, name) for record in records) for name in TEXTS},
            np.array([record.failed for record in records], bool),
            lambda name: np.array([getattr(record, name) for record in records], np.float64),  # None becomes NaN
            [(record.method, record.undefined, 1) for record in records if record.undefined],
        )

    @classmethod
    def of_table(cls, table: ColumnTable) -> "RunColumns":
        """The columns of records on the disk, read as they are asked for."""
        read = table.read([*TEXTS, "status"])
        texts = {name: _decode(read.column(name)) for name in TEXTS}
        status = _decode(read.column("status"))
        is_failed = np.array([name.startswith("failed") for name in status.names], bool)
        reasons = table.read(["method", "undefined"])
        methods, undefined = _decode(reasons.column("method")), _decode(reasons.column("undefined"))
        found = []
        if len(undefined.codes):
            both, counts = np.unique(methods.codes * len(undefined.names) + undefined.codes, return_counts=True)
            for pair, n in zip(both.tolist(), counts.tolist()):
                method, text = divmod(pair, len(undefined.names))
                found.append((methods.names[method], json.loads(undefined.names[text]), n))
        return cls(
            texts,
            is_failed[status.codes] if len(status.codes) else np.zeros(0, bool),
            lambda name: table.read([name]).column(0).to_numpy().astype(np.float64, copy=False),
            found,
        )

    @cached_property
    def group(self) -> Texts:
        """The class folder or style of each record's image."""
        return self.image.renamed(group_of)

    def count(self) -> dict[str, int]:
        """How many records each method has."""
        return dict(zip(self.method.names, np.bincount(self.method.codes, minlength=len(self.method.names)).tolist()))

    def values(self, name: str) -> np.ndarray:
        """A number of every record, float64 (n,); NaN where it has none."""
        if name not in self._values:
            found = self._read(name)
            # What nobody measured takes no memory: a million records have some twenty columns.
            self._values[name] = np.broadcast_to(np.nan, len(found)) if np.isnan(found).all() else found
        return self._values[name]

    def parts(self, division: str | None = None) -> list[tuple[str, str, np.ndarray]]:
        """(method, group, places of its records (m,)) in the order in which they come, method by method.

        division: 'class' or 'group'; None: one group, '', per method.
        """
        texts = {None: None, "class": self.label, "group": self.group if division == "group" else None}[division]
        codes = np.zeros(len(self), np.int64) if texts is None else texts.codes
        names = [""] if texts is None else texts.names
        both = self.method.codes * len(names) + codes
        order = np.argsort(both, kind="stable")
        starts = np.flatnonzero(np.diff(both[order], prepend=-1))
        found = np.split(order, starts[1:]) if len(order) else []
        found.sort(key=lambda places: (self.method.codes[places[0]], places[0]))
        return [(self.method.names[self.method.codes[p[0]]], names[codes[p[0]]], p) for p in found]


def as_columns(records: "Iterable[Record] | RunColumns") -> RunColumns:
    """The columns of records, or those that are columns already."""
    return records if isinstance(records, RunColumns) else RunColumns.of_records(records)


def _decode(column) -> Texts:
    """A column of dictionaries of pyarrow."""
    whole = column.combine_chunks()
    if hasattr(whole, "chunks"):  # of no row
        return Texts([], np.zeros(0, np.int64))
    return Texts(whole.dictionary.to_pylist(), whole.indices.to_numpy(zero_copy_only=False).astype(np.int64))
