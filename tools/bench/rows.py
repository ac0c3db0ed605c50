"""What was measured, as a line on the screen and as a row of a table of docs/speed.md.

A table of a page stands between two markers, and what is between them is written anew; all else on the page stays:

    <!-- bench: methods -->
    <!-- /bench -->
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from output.files import write_whole


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

    def __str__(self) -> str:
        aim = "" if self.target is None else f"target {shorten(self.target)}: {self.verdict}"
        peers = "; ".join(f"{name} {value}" for name, value in self.peers.items())
        return f"{self.title:<52} {self.value:<34} {aim:<20} {self.clock:<24} {peers}".rstrip()


@dataclass(frozen=True)
class Table:
    """The rows of a subject. head: what they are measured with, a line above them."""

    head: str
    rows: Sequence[Row]

    def as_markdown(self) -> str:
        """The table of a page; columns that no row fills are left out."""
        columns = {
            "": [row.title for row in self.rows],
            "measured": [row.value for row in self.rows],
            "by the clock": [row.clock for row in self.rows],
            "target": ["" if row.target is None else shorten(row.target) for row in self.rows],
            " ": [row.verdict for row in self.rows],
            "peers": ["; ".join(f"{name} {value}" for name, value in row.peers.items()) for row in self.rows],
        }
        kept = {name: cells for name, cells in columns.items() if not name or any(cells)}
        lines = [[name.strip() for name in kept], ["---"] * len(kept), *zip(*kept.values())]
        return "\n".join([self.head, "", *(f"| {' | '.join(line)} |" for line in lines)])


def shorten(number: float) -> str:
    """The number as it is read: three digits, or all before the point."""
    if number == 0 or abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.2f}" if abs(number) >= 0.1 else f"{number:.2g}"


def write_tables(page: Path, tables: dict[str, Table]) -> Path:
    """The page, each table put between its markers; ValueError if one has none."""
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        pattern = re.compile(rf"(<!-- bench: {re.escape(name)} -->\n).*?(<!-- /bench -->)", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"'{page}' has no '<!-- bench: {name} -->' with '<!-- /bench -->' after it")
        text = pattern.sub(lambda found, table=table: f"{found[1]}{table.as_markdown()}\n{found[2]}", text)
    return write_whole(page, lambda path: path.write_text(text, encoding="utf-8"))
