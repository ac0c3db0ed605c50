"""Labels on several levels: a tree, read from a file (taxonomy_files.py) or from MexCulture142's names.

Every leaf has a label on each level, and every node lies under one node of the next level up. In MexCulture142 the
leaf is the monument, `<style>_<monument>_<state>`, and the level up its style.

A model may have the classes of any level: `Taxonomy.match` finds which, by the names of its classes, and gives the
levels from there up.
"""

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

import constants
from data import dataset
from utils import fold_name


@dataclass(frozen=True)
class Level:
    """One level of labels over a model's C classes: its M nodes, and the node of each class, int32 (C,)."""

    name: str
    class_names: list[str]
    node_of: np.ndarray

    def describe(self) -> str:
        """In words, different for other nodes or other members: 'group, 8 nodes over 1000 classes (1f2e3d4c)'."""
        checksum = zlib.crc32(repr((self.class_names, self.node_of.tolist())).encode())
        return f"{self.name}, {len(self.class_names)} nodes over {len(self.node_of)} classes ({checksum:08x})"


@dataclass(frozen=True)
class Match:
    """A model's place in a taxonomy.

    own: the level its classes are of, 0 the leaves. rows: for each class a leaf under it. levels: from its own up.
    note: what of the taxonomy the model has no class for, in words, or ''.
    """

    own: int
    rows: list[int]
    levels: list[Level]
    note: str


@dataclass(frozen=True)
class Taxonomy:
    """source: in words. levels: their names, the finest first. rows: per leaf, its label on every level.

    indices: of the leaves in the model, where the file gives them. metadata: iNatLoc500's folder, which also labels
    the images. ValueError for a node under two others.
    """

    source: str
    levels: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    indices: Sequence[int] | None = None
    metadata: Path | None = None
    class_ids = None  # beside `class_names`, as a classifier has them

    def __post_init__(self):
        for position in range(1, len(self.levels) - 1):
            above = {}
            for row in self.rows:
                if above.setdefault(row[position], row[position + 1]) != row[position + 1]:
                    raise ValueError(
                        f"{self.source}: {self.levels[position]} '{row[position]}' is under two of the level "
                        f"'{self.levels[position + 1]}': '{above[row[position]]}' and '{row[position + 1]}'"
                    )

    @cached_property
    def class_names(self) -> list[str]:
        """The leaves' names, as the data may call its classes; two may be the same."""
        return [row[0] for row in self.rows]

    @cached_property
    def _unique_leaves(self) -> list[str]:
        counts = Counter(map(fold_name, self.class_names))
        numbers = self.indices or range(len(self.rows))
        return [
            name if counts[fold_name(name)] == 1 else f"{name} ({number})"
            for name, number in zip(self.class_names, numbers)
        ]

    def position(self, level: str) -> int:
        """Where a level stands, 0 the leaves; ValueError lists the choices."""
        if level not in self.levels:
            raise ValueError(f"label_level must be one of {', '.join(self.levels)}, of {self.source}; got '{level}'")
        return self.levels.index(level)

    def label(self, row: int, position: int) -> str:
        """The node that a leaf is under on a level, by places; of leaves that share a name with the index behind it."""
        return self._unique_leaves[row] if position == 0 else self.rows[row][position]

    def match(self, class_names: Sequence[str]) -> Match:
        """The place of a model with these classes; ValueError names those that no level has, and leaves it may mean."""
        missing = []
        for own in range(len(self.levels)):
            rows, lacking = self._find_rows(class_names, own)
            if not lacking:
                levels = [self._level(rows, position) for position in range(own, len(self.levels))]
                return Match(own, rows, levels, self._tell_unused(rows, own))
            missing.append(lacking)
        lacking = min(missing, key=len)
        extra = {fold_name(name) for name in self.class_names} - {fold_name(name) for name in class_names}
        extra = [name for name in self.class_names if fold_name(name) in extra]
        also = f"; {len(extra)} of its leaves are no classes of the model: {list_some(extra)}" if extra else ""
        raise ValueError(
            f"{self.source} has no label for {len(lacking)} of the model's {len(class_names)} classes: "
            f"{list_some(lacking)}{also}"
        )

    def _find_rows(self, class_names: Sequence[str], position: int) -> tuple[list[int], list[str]]:
        """For each class a row whose label on that level it is, and the classes without one."""
        found = {}
        for row, labels in enumerate(self.rows):
            found.setdefault(fold_name(labels[position]), []).append(row)
        folded = [fold_name(name) for name in class_names]
        lacking = [name for name, key in zip(class_names, folded) if key not in found]
        if not lacking and position == 0 and self.indices is not None:
            return self._find_rows_by_index(class_names)
        if not lacking:
            clash = [name for name, key in zip(class_names, folded) if position == 0 and len(found[key]) > 1]
            if clash:
                raise ValueError(
                    f"{self.source} has several leaves called '{clash[0]}': a column 'index', that of the class in the "
                    "model, tells them apart"
                )
            if len(set(folded)) < len(folded):
                name = Counter(folded).most_common(1)[0][0]
                raise ValueError(f"{self.source}: several classes of the model are called '{name}'")
        return [found[key][0] for key in folded if key in found], lacking

    def _find_rows_by_index(self, class_names: Sequence[str]) -> tuple[list[int], list[str]]:
        """As `_find_rows`, of leaves with an index; ValueError names the first that is not that class of the model."""
        for index, leaf in zip(self.indices, self.class_names):
            found = class_names[index] if index < len(class_names) else None
            if found is None or fold_name(found) != fold_name(leaf):
                there = "there is no such" if found is None else f"it is '{found}'"
                raise ValueError(
                    f"{self.source}: index {index} is the leaf '{leaf}', but of the model's {len(class_names)} "
                    f"classes, 0 the first, {there}; without the column 'index' the names alone decide"
                )
        row_of = {index: row for row, index in enumerate(self.indices)}
        lacking = [name for index, name in enumerate(class_names) if index not in row_of]
        return [row_of[index] for index in range(len(class_names)) if index in row_of], lacking

    def _level(self, rows: Sequence[int], position: int) -> Level:
        labels = [self.label(row, position) for row in rows]
        nodes = list(dict.fromkeys(labels))
        place = {node: index for index, node in enumerate(nodes)}
        return Level(self.levels[position], nodes, np.array([place[label] for label in labels], np.int32))

    def _tell_unused(self, rows: Sequence[int], own: int) -> str:
        unused = list(dict.fromkeys(self.label(row, own) for row in range(len(self.rows))))
        used = {self.label(row, own) for row in rows}
        unused = [label for label in unused if label not in used]
        return f"{len(unused)} of {self.levels[own]} are no classes of the model: {list_some(unused)}" if unused else ""


def list_some(names: Sequence[str]) -> str:
    """The first five names, and dots for the others."""
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def taxonomy_of_names(names: Iterable[str]) -> Taxonomy:
    """Monuments and styles in MexCulture142 names, of files or of classes; ValueError if none is such a name."""
    levels = constants.LABEL_LEVELS[::-1]
    rows = {
        tuple(dataset.label_of(name, level) for level in levels)
        for name in names
        if dataset.label_of(name, levels[0]) is not None
    }
    if not rows:
        raise ValueError(
            "labels on several levels were wanted: --taxonomy, or files named <style>_<monument>_<state>_N_<view>.png"
        )
    return Taxonomy("the names of MexCulture142", levels, sorted(rows))
