"""Numbers as the cells of a table: one format in a column, their decimal points below each other, the best in bold."""

import re
from collections.abc import Sequence

from metrics.catalogue import Metric
from reporting.blocks import Best

DIGIT_SPACE = "\u2007"  # as wide as a digit
SIGN_SPACE = "\u2008"  # where another number of the column has its sign
MINUS = "\u2212"
NOTHING = "\u2013"
NUMBER = re.compile(r"([+\u2212<-]?)(\d+)(\.\d+)?")
LEAST_P = 1e-4  # smaller ones are said to be smaller


def line_up(cells: Sequence[str]) -> list[str]:
    """The cells of a column with spaces before their numbers: the first of each has its decimal point below that of the
    others, and so has the second, and so on."""
    found = [NUMBER.findall(cell) for cell in cells]
    places = range(max(map(len, found), default=0))
    digits = [max(len(of_cell[place][1]) for of_cell in found if place < len(of_cell)) for place in places]
    signed = [any(of_cell[place][0] for of_cell in found if place < len(of_cell)) for place in places]

    def set_cell(cell: str) -> str:
        place = iter(places)

        def set_number(match: re.Match) -> str:
            at = next(place)
            sign, whole, decimals = match[1].replace("-", MINUS), match[2], match[3] or ""
            return DIGIT_SPACE * (digits[at] - len(whole)) + (sign or SIGN_SPACE * signed[at]) + whole + decimals

        return type(cell)(NUMBER.sub(set_number, cell))

    return [set_cell(cell) for cell in cells]


def format_column(summary: Sequence[dict], name: str, decimals: int = 3) -> list[str]:
    """'mean [low, high]' of one column of `summary.summarise` for each of its rows, lined up; '(n=..)' where some
    images have no value, a dash where none has."""
    return line_up([_format_value(row, name, decimals) for row in summary])


def _format_value(row: dict, name: str, decimals: int) -> str:
    if not row[f"{name}_n"]:
        return NOTHING
    text = f"{row[f'{name}_mean']:.{decimals}f}"
    if row.get(f"{name}_low") is not None:
        text += f" [{row[f'{name}_low']:.{decimals}f}, {row[f'{name}_high']:.{decimals}f}]"
    is_partial = row[f"{name}_n"] < row["images"] - row["failed"]
    return f"{text} (n={row[f'{name}_n']})" if is_partial else text


def format_p(p: float) -> str:
    """A p-value to four decimals."""
    return f"<{LEAST_P:.4f}" if p < LEAST_P else f"{p:.4f}"


def find_best(
    summary: Sequence[dict], metric: Metric, methods: Sequence[str], differences: Sequence[dict]
) -> str | None:
    """The method whose mean is the best and whose difference to every other method stands; None where there is none.

    differences: rows of `summary.list_differences`.
    """
    means = {row["method"]: row[f"{metric.name}_mean"] for row in summary if row[f"{metric.name}_n"]}
    means = {method: mean for method, mean in means.items() if method in methods}
    if len(means) < 2:
        return None
    best = (max if metric.better == "higher" else min)(means, key=means.get)
    tests = [row for row in differences if row["metric"] == metric.name and {row["a"], row["b"]} <= {*means}]
    own = [row["stands"] for row in tests if best in (row["a"], row["b"])]
    return best if len(own) == len(means) - 1 and all(own) else None


def embolden(cells: Sequence[str], names: Sequence[str], best: str | None) -> list[str]:
    """The cells of a column, that of the row called `best` in bold."""
    return [Best(cell) if name == best else cell for name, cell in zip(names, cells)]
