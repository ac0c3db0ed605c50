"""Labels on several levels from a csv file.

    leaf,group,kingdom              index,leaf,group,kingdom
    goldfish,fish,animal            134,crane,bird,animal
    robin,bird,animal               517,crane,other,not an animal

One row per leaf, then one column per level up; the head names the levels. Where leaves share a name, `index` - that of
the class in the model - tells them apart, and stands behind their names. A model whose class
of an index is called otherwise is refused.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

from data.taxonomy import Taxonomy
from output.files import open_text
from utils import fold_name


def read_taxonomy(path: str | Path) -> Taxonomy:
    """The taxonomy of a csv file; ValueError names the line of what is missing, repeated or contradicts."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"taxonomy: there is no file '{path}'")
    with open_text(path) as file:
        reader = csv.reader(file)
        head = [name.strip().lstrip("\ufeff") for name in next(reader, [])]
        lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    has_index = head[:1] == ["index"]
    levels = tuple(head[has_index:])
    if levels[:1] != ("leaf",) or len(levels) < 2 or not all(levels) or len(set(levels)) < len(levels):
        raise ValueError(
            f"taxonomy: '{path}' should begin with the columns leaf, or index and leaf, then one of its own per level "
            f"up; it has {', '.join(head) or 'none'}"
        )
    for line, row in lines:
        if len(row) != len(head) or not all(row):
            raise ValueError(f"taxonomy: line {line} of '{path}' should hold {', '.join(head)}; got {', '.join(row)}")
    rows = [tuple(row[has_index:]) for _, row in lines]
    if not rows:
        raise ValueError(f"taxonomy: '{path}' has no leaf")
    indices = _read_indices(path, lines) if has_index else None
    _check_leaves(path, lines, has_index)
    return Taxonomy(f"taxonomy '{path}'", levels, rows, indices)


def _read_indices(path: Path, lines: Sequence[tuple[int, list[str]]]) -> list[int]:
    seen = {}
    for line, (index, *_) in lines:
        if not index.isdecimal():
            raise ValueError(f"taxonomy: line {line} of '{path}': the index of a class was wanted; got '{index}'")
        if int(index) in seen:
            raise ValueError(f"taxonomy: index {index} is in lines {seen[int(index)]} and {line} of '{path}'")
        seen[int(index)] = line
    return list(seen)


def _check_leaves(path: Path, lines: Sequence[tuple[int, list[str]]], has_index: bool) -> None:
    """ValueError for a leaf that is there twice without an index."""
    seen = {}
    for line, row in lines if not has_index else ():
        if (key := fold_name(row[0])) in seen:
            raise ValueError(
                f"taxonomy: leaf '{row[0]}' is in lines {seen[key]} and {line} of '{path}': a first column 'index' "
                "tells leaves of one name apart"
            )
        seen[key] = line
