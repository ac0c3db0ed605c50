"""The lab's own table of a run: method, PCC, SIM, insertion and deletion as mean ± deviation, ready to paste.

It stands beside the table with intervals on the screen, and in the run's folder as Markdown and as LaTeX. The deviation
is that of a sample, over the images that have a value; a metric that nobody has is left out.
"""

from collections.abc import Sequence
from pathlib import Path

from metrics.catalogue import METRICS
from output.files import write_whole
from output.tables import MEANS, align, format_mean

LAB_COLUMNS = ("pcc", "sim", "insertion_auc", "deletion_auc")
NAMES = ("lab_table.md", "lab_table.tex")


def tabulate(rows: Sequence[dict]) -> list[list[str]]:
    """The cells, head first, of the rows of `summary.summarise`; [] where no row has any of the four metrics."""
    columns = [column for column in LAB_COLUMNS if any(row[f"{column}_n"] for row in rows)]
    if not columns:
        return []
    head = ["method", *(METRICS[column].heading for column in columns)]
    known = [row["images"] - row["failed"] for row in rows]
    cells = [[_format(row, column, n) for column in columns] for row, n in zip(rows, known)]
    return [head, *([row["method"], *of_row] for row, of_row in zip(rows, cells))]


def _format(row: dict, column: str, n_images: int) -> str:
    """'mean ± deviation' of one metric; None in a row of `summarise` is no number."""
    given = {key: float("nan") if value is None else value for key, value in row.items()}
    return format_mean(given, column, n_images)


def describe(rows: Sequence[dict]) -> str:
    """The table as text under its heading; '' where it would be empty."""
    cells = tabulate(rows)
    return f"the lab's table, {MEANS}:\n{align(cells)}" if cells else ""


def write_markdown(cells: Sequence[Sequence[str]]) -> str:
    """The table as Markdown."""
    head, *body = cells
    lines = [head, ["---"] * len(head), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_latex(cells: Sequence[Sequence[str]]) -> str:
    """The table as a LaTeX tabular that needs no package."""
    head, *body = ([cell.replace("_", r"\_").replace("±", r"$\pm$") for cell in line] for line in cells)
    lines = [r"\hline", _join(head), r"\hline", *map(_join, body), r"\hline"]
    return "\n".join([rf"\begin{{tabular}}{{l{'c' * (len(head) - 1)}}}", *lines, r"\end{tabular}", ""])


def _join(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def write(folder: Path, rows: Sequence[dict]) -> None:
    """Writes lab_table.md and lab_table.tex; without a number, neither is there."""
    cells = tabulate(rows)
    for name, text in zip(NAMES, (write_markdown, write_latex)):
        if cells:
            write_whole(folder / name, lambda path, text=text: path.write_text(text(cells), encoding="utf-8"))
        else:
            (folder / name).unlink(missing_ok=True)
