"""What a report is made of: sections of text, tables and pictures; render.py sets them as HTML or LaTeX.

Text is a string, or several parts: strings, citations and mentions of a table or a picture. None is markup.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Best(str):
    """The text of a cell that is set in bold."""

    __slots__ = ()


@dataclass(frozen=True)
class Cite:
    """Entries of references.py by their keys, cited together."""

    keys: tuple[str, ...]


@dataclass(frozen=True)
class Mention:
    """The table or picture of that name, in the words 'Table 3', 'Figure 1'."""

    name: str


Text = str | Sequence[str | Cite | Mention]


@dataclass(frozen=True)
class TableBlock:
    """A table: the stem of its file, its head, its rows of text, and what stands above it.

    keys: so many columns at the left say what a row is; a page too narrow for all others repeats them before the rest.
    None: the columns stay together.
    """

    name: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    keys: int | None = None


@dataclass(frozen=True)
class PictureBlock:
    """A figure, the stem of its file, and what it shows."""

    name: str
    figure: "Figure"
    caption: str


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: Sequence[Text | TableBlock | PictureBlock]
