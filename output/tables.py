"""Tables: rows to a csv file, cells to the screen, and the mean and deviation of what a column holds."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from output.files import open_text, refuse_damaged, write_whole
from output.progress import printable

MEANS = "mean ± sample deviation"  # what `format_mean` writes, for the heading of a table


def write_table(path: Path, rows: Sequence[Mapping], names: Sequence[str] | None = None) -> Path:
    """The path of a csv file, once it is written whole; an empty field for None and NaN.

    names: of the columns; None: the keys of the first row. Every row has these keys and no other.
    """
    names = list(rows[0] if names is None else names)

    def write(partial: Path) -> None:
        with open_text(partial, "w") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows({key: "" if value != value else value for key, value in row.items()} for row in rows)

    return write_whole(path, write)


def read_rows(path: Path, names: Iterable[str]) -> list[dict[str, str]]:
    """The rows of a csv file of a run, by its columns; ValueError if it is damaged, or lacks one of names."""
    with refuse_damaged(path), open_text(path) as file:
        head, *rows = [*csv.reader(file, strict=True)] or [[]]
        if missing := [name for name in names if name not in head]:
            raise ValueError(f"it has no column {missing[0]}")
        return [dict(zip(head, row, strict=True)) for row in rows]


def align(lines: Sequence[Sequence[str]]) -> str:
    """The cells of a table as text, those of a column below each other."""
    lines = [[printable(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def mean_and_deviation(values) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, deviation and count over the first axis of values (N, ...), each of their shape (...).

    The deviation is that of a sample, sqrt(sum (x - mean)^2 / (n - 1)), as pandas and R give it; NaN for one value.
    NaN is left out and not counted; where nothing is left, the mean is NaN too.
    """
    values = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(values)
    n = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, values, 0).sum(axis=0) / n
        std = np.sqrt(np.where(known, np.square(values - mean), 0).sum(axis=0) / np.maximum(n - 1, 0))
    return mean, std, n


def list_means(scores: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The columns <name>_mean, <name>_std and <name>_n of each name's values (N,), as `mean_and_deviation` has them."""
    row = {}
    for name, values in scores.items():
        mean, std, n = mean_and_deviation(values)
        row |= {f"{name}_mean": float(mean), f"{name}_std": float(std), f"{name}_n": int(n)}
    return row


def format_mean(row: Mapping, name: str, n_all: int, spec: str = ".3f") -> str:
    """`MEANS` of the columns of `list_means`, and '(n=...)' where that is fewer than n_all; '-' without any.

    One value has no deviation, nor has a row without that column: there the mean stands alone.
    """
    mean, std, n = row[f"{name}_mean"], row.get(f"{name}_std", np.nan), row[f"{name}_n"]
    if not n:
        return "-"
    spread = "" if std != std else f" ± {std:{spec}}"
    return f"{mean:{spec}}{spread}{f' (n={n})' if n < n_all else ''}"
