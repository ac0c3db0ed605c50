"""Tables that people bring: every csv file, of whatever program, is read here and in one way.

    encoding     UTF-8 or UTF-16, with a byte order mark or without; letters that are no UTF-8 come through as they are
    columns      apart by ',', ';' or a tab: what the first line has most of, or what Excel's line `sep=;` says
    numbers      with a decimal point; where no comma parts the columns, a decimal comma is read too
    lines        end with \\n, \\r\\n or \\r; those without any text are passed over
    fields       of any length; one with a separator in it stands in quotes, and a quote in it is doubled

A table is refused by the line that is wrong: one with more or fewer fields than the first line (a decimal comma between
commas, a missing separator), or with a quote that does not end its field on that line - read on, it would swallow the
lines behind it. All refusals are ValueErrors.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

SEPARATORS = (",", ";", "\t")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
SHOWN = 80  # letters of a wrong line in a message


@dataclass(frozen=True)
class CsvTable:
    """A head and, line by line, the rows under it; what: whose messages these are, as 'boxes'."""

    path: Path
    what: str
    head: list[str]
    separator: str
    lines: list[tuple[int, str]]  # number in the file, from 1, and text

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """(line, cells without the blanks around them) of every row; ValueError for one of another length."""
        for line, text in self.lines:
            cells = split_line(text, self.separator)
            if cells is None:
                raise self.refuse(line, "has a quote that does not end its field on this line")
            if not any(cells):
                continue
            if len(cells) != len(self.head):
                hint = "; decimal commas want ';' between the columns" if self.separator == "," else ""
                raise self.refuse(line, f"has {len(cells)} fields, the first line {len(self.head)}{hint}")
            yield line, cells

    def find(self, *names: str) -> int | None:
        """The place of the column of one of these names; None without one, ValueError with two.

        Letters and digits count alone, their case does not: 'X px' is x_px.
        """
        wanted = {_fold_heading(name) for name in names}
        places = [place for place, name in enumerate(self.head) if _fold_heading(name) in wanted]
        if len(places) > 1:
            raise ValueError(f"{self.what}: '{self.path}' has two columns {' or '.join(names)}")
        return places[0] if places else None

    def number(self, cell: str) -> float:
        """The number in a cell; ValueError if it holds none, or one that is not finite."""
        return read_number(cell, self.separator != ",")

    def refuse(self, line: int, reason: str) -> ValueError:
        """The error that says what is wrong with a line."""
        return ValueError(f"{self.what}: line {line} of '{self.path}' {reason}")


def read_table(path: str | Path, what: str, content: bytes | None = None) -> CsvTable:
    """The table of a file; ValueError, beginning with `what`, if it is not there, no text, or has a broken head.

    content: of the file, where it has been read already, as from an address.
    """
    lines = [(number, text) for number, text in enumerate(read_lines(path, what, content), start=1) if text.strip()]
    separator = None
    if lines and (match := re.fullmatch(r"sep=(.)\s*", lines[0][1], re.IGNORECASE)):
        separator, lines = match[1], lines[1:]
    line, text = lines[0] if lines else (1, "")
    if separator is None:
        bare = re.sub(r'"[^"]*"', "", text)
        separator = max(SEPARATORS, key=bare.count)  # the first of those that are as many
    head = split_line(text, separator)
    table = CsvTable(Path(path), what, head or [], separator, lines[1:])
    if head is None:
        raise table.refuse(line, "has a quote that does not end its field on this line")
    return table


def _fold_heading(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


def read_lines(path: str | Path, what: str, content: bytes | None = None) -> list[str]:
    """The lines of a text file of any of the encodings above; ValueError, beginning with `what`, if it is none.

    content: as `read_table`.
    """
    if content is None and not Path(path).is_file():
        raise ValueError(f"{what}: there is no file '{path}'")
    try:
        content = Path(path).read_bytes() if content is None else content
        text = content.decode(_find_encoding(content), errors="surrogateescape")
    except OSError as error:
        raise ValueError(f"{what}: cannot read '{path}' ({error.strerror})") from None
    except UnicodeError:
        raise ValueError(f"{what}: '{path}' begins as UTF-16 text and does not go on as such") from None
    if "\0" in text:
        raise ValueError(f"{what}: '{path}' is no text: it holds NUL characters")
    return re.split(r"\r\n|\n|\r", text.removeprefix("\ufeff"))


def _find_encoding(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    begin = content[:64]
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):  # plain letters have an empty byte each
        if len(begin) > 3 and not any(begin[first::2]) and all(begin[1 - first :: 2]):
            return encoding
    return "utf-8"


def split_line(text: str, separator: str) -> list[str] | None:
    """The fields of a line, without quotes and the blanks around them; None if a quote stands where none can."""
    if '"' not in text:
        return [cell.strip() for cell in text.split(separator)]
    cells, place = [], 0
    field = re.compile(rf'(?: *"((?:[^"]++|"")*+)" *|([^"{re.escape(separator)}]*+))({re.escape(separator)}|$)')
    while match := field.match(text, place):
        quoted, plain, end = match.groups()
        cells.append((plain if quoted is None else quoted.replace('""', '"')).strip())
        if not end:
            return cells
        place = match.end()
    return None


def read_number(text: str, decimal_comma: bool = False) -> float:
    """The number of a text, as 12, -0.5 or 1e3, and 0,5 where `decimal_comma`; ValueError for any other."""
    plain = text.replace(",", ".") if decimal_comma and "." not in text else text
    if not NUMBER.fullmatch(plain) or not math.isfinite(float(plain)):
        raise ValueError(f"a number was wanted; got '{text}'")
    return float(plain)


def read_path(cell: str) -> str:
    """The relative path in a cell, with '/' between its parts whatever the system that wrote it."""
    return PurePosixPath(cell.replace("\\", "/")).as_posix()


def show(cells: Sequence[str]) -> str:
    """The cells for a message: on one line, not longer than a line."""
    text = "".join(letter if letter.isprintable() else "?" for letter in ", ".join(cells))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} ..."
