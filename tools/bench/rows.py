"""What was measured, as a line on the screen and as a row of a table of docs/speed.md.

A table of a page stands between two markers, and what is between them is written anew; all else on the page stays:

    <!-- bench: methods -->
    <!-- /bench -->
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from output.files import write_whole

COLUMNS = "", "measured", "by the clock", "target", "peers"


@dataclass(frozen=True)
class Row:
    """One figure. measured: (lower quartile, median, upper quartile), or one number.

    clock: the same by the clock, where that is told. target: what it should be at most; None: there is none. peers:
    name -> what it takes there, or why it has none.
    """

    title: str
    measured: tuple[float, ...]
    unit: str = ""
    target: float | None = None
    clock: str = ""
    peers: dict[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """'met' or 'missed'; '' without a target, and where the system does not tell."""
        if self.target is None or self.middle != self.middle:
            return ""
        return "met" if self.middle <= self.target else "missed"

    @property
    def middle(self) -> float:
        """The median, or the one number."""
        return self.measured[len(self.measured) // 2]

    @property
    def value(self) -> str:
        """The figure in words."""
        if self.middle != self.middle:
            return "not told by this system"
        low, high = self.measured[0], self.measured[-1]
        spread = f" ({shorten(low)} to {shorten(high)})" if len(self.measured) > 1 else ""
        return " ".join(filter(None, (f"{shorten(self.middle)}{spread}", self.unit)))

    def cells(self) -> dict[str, str]:
        """Its cells in a table, by `COLUMNS`."""
        aim = "" if self.target is None else f"{shorten(self.target)}: {self.verdict}".rstrip(": ")
        peers = "; ".join(f"{name} {value}" for name, value in self.peers.items())
        return dict(zip(COLUMNS, (self.title, self.value, self.clock, aim, peers)))

    def __str__(self) -> str:
        title, measured, clock, aim, peers = self.cells().values()
        return f"{title:<52} {measured:<34} {clock:<10} {aim and f'target {aim}':<20} {peers}".rstrip()


@dataclass(frozen=True)
class Table:
    """The rows of a subject. head: what they are measured with, a line above them."""

    head: str
    rows: Sequence[Row]


def shorten(number: float) -> str:
    """The number as it is read: three digits, or all before the point."""
    if number == 0 or abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.2f}" if abs(number) >= 0.1 else f"{number:.2g}"


def write_tables(page: Path, tables: dict[str, Table], keeps_rows: bool = False) -> Path:
    """The page, each table put between its markers; keeps_rows: what stands there of other titles stays.

    ValueError if a table has no markers.
    """
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        pattern = re.compile(rf"(<!-- bench: {re.escape(name)} -->\n)(.*?)(<!-- /bench -->)", re.DOTALL)
        found = pattern.search(text)
        if not found:
            raise ValueError(f"'{page}' has no '<!-- bench: {name} -->' with '<!-- /bench -->' after it")
        cells = {row.title: row.cells() for row in table.rows}
        if keeps_rows:
            cells = {**_read_cells(found[2]), **cells}
        text = f"{text[: found.end(1)]}{table.head}\n\n{_write_cells(cells.values())}\n{text[found.start(3) :]}"
    return write_whole(page, lambda path: path.write_text(text, encoding="utf-8"))


def _write_cells(rows: Iterable[dict[str, str]]) -> str:
    """The rows of a table of a page; columns that none fills are left out."""
    rows = list(rows)
    names = [name for name in COLUMNS if not name or any(row.get(name) for row in rows)]
    lines = [names, ["---"] * len(names), *([row.get(name, "") for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _read_cells(text: str) -> dict[str, dict[str, str]]:
    """Title -> the cells of its row, of a table that `_write_cells` wrote."""
    lines = [line[2:-2].split(" | ") for line in text.splitlines() if line[:1] == "|"]
    if len(lines) < 2:
        return {}
    names, _, *rows = lines
    return {row[0]: dict(zip(names, row)) for row in rows}
