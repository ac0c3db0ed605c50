"""
Pages of explained images: the panels of one method in columns, a panel alone, and the maps of several side by side.

Every function returns a new Figure and shows or writes nothing; `figure.savefig(path)` is the caller's.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import constants
from plots import drawing, panels
from plots.panels import ExplainedImage

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class PageColumn(NamedTuple):
    """One column of the page: its heading, what draws a cell, the inches it needs beside the cell."""

    heading: str
    draw: Callable
    needs: tuple[str, ...] = ()  # left out of a page on which no row has any of these
    left: float = 0.0
    right: float = 0.0


PAGE_COLUMNS = (
    PageColumn("image", panels.draw_photograph),
    PageColumn("gaze density map", panels.draw_density_map, ("density_map",)),
    PageColumn("saliency map", panels.draw_saliency_map),
    PageColumn("heat map", panels.draw_heatmap, right=0.5),
    PageColumn("heat map over the image", panels.draw_overlay),
    PageColumn("insertion and deletion", panels.draw_curves, ("insertion", "deletion"), left=0.3, right=0.1),
    PageColumn("most probable classes", panels.draw_top_classes, ("top_classes",), left=0.05),
)
CELL, GAP, LINE = constants.CELL_SIDE, drawing.GAP, drawing.LINE  # inches
TITLE_HEIGHT = 3 * LINE + 0.1  # three lines stand above every cell


def figure_grid(rows: Sequence[ExplainedImage], supertitle: str = "") -> "Figure":
    """
    The page of a run: one row per explained image, one column per panel.

    A column that no row can fill is left out; a cell that its row cannot fill says so. All cells are squares
    of `constants.CELL_SIDE` inches. The caller splits a long run into pages (`constants.ROWS_PER_PAGE`).
    """
    if not rows:
        raise ValueError("a page needs at least one explained image, none was given")
    columns = [column for column in PAGE_COLUMNS if not column.needs or any(_fills(row, column) for row in rows)]
    width = GAP + sum(column.left + CELL + column.right + GAP for column in columns)
    head = (4 if supertitle else 2) * drawing.LINE  # the headings of the columns included
    step = TITLE_HEIGHT + CELL + GAP
    figure = drawing.new_figure(width, head + len(rows) * step + 0.1, supertitle)
    left = GAP
    for column in columns:
        left += column.left
        heading = drawing.write(figure, left + CELL / 2, head - LINE / 2, column.heading, CELL, weight="bold")
        heading.set_horizontalalignment("center")
        for place, row in enumerate(rows):
            column.draw(drawing.add_axes(figure, left, head + place * step + TITLE_HEIGHT, CELL, CELL), row)
        left += CELL + column.right + GAP
    return figure


def _fills(row: ExplainedImage, column: PageColumn) -> bool:
    """Whether the row has anything to show in the column."""
    values = (getattr(row, name) for name in column.needs)
    return any(value is not None and len(value) > 0 for value in values)


def figure_panel(row: ExplainedImage, heading: str, title: str = "") -> "Figure":
    """One panel of the page alone, twice as fine; heading: that of its column, as 'heat map'."""
    columns = {column.heading: column for column in PAGE_COLUMNS}
    if heading not in columns:
        raise ValueError(f"heading must be one of {', '.join(map(repr, columns))}; got {heading!r}")
    column = columns[heading]
    margin = GAP + 0.2
    head = TITLE_HEIGHT + (2.5 * LINE if title else 0)
    width = column.left + CELL + column.right + 2 * margin
    figure = drawing.new_figure(width, head + CELL + 0.3, title, 2 * constants.FIGURE_DPI)
    column.draw(drawing.add_axes(figure, margin + column.left, head, CELL, CELL), row)
    return figure


def figure_side_by_side(
    rows: Sequence[Sequence[ExplainedImage | None]], names: Sequence[str], supertitle: str = ""
) -> "Figure":
    """One row per image: the photograph, then every method's heat map over it; None: there is no map.

    rows: for each image an ExplainedImage per name, at least one of them not None.
    """
    cells = [
        [cell_photograph(next(row for row in explained if row is not None)), *map(cell_overlay, explained)]
        for explained in rows
    ]
    caption = "each map on its own scale, from its smallest to its largest value; a signed map with 0 in the middle"
    return draw_cells(["image", *names], cells, supertitle, caption)


def draw_cells(
    headings: Sequence[str],
    cells: Sequence[Sequence[Callable[["Axes"], None]]],
    supertitle: str,
    caption: str,
    legend: bool = False,
) -> "Figure":
    """A page of square cells in rows: every function of `cells` draws into the axes of its place.

    legend: leaves a line for one below the caption, which the caller draws.
    """
    head = (6.5 if legend else 5) * LINE  # title, caption, legend, headings
    step = TITLE_HEIGHT + CELL + GAP
    width = GAP + len(headings) * (CELL + GAP)
    figure = drawing.new_figure(width, head + len(cells) * step + 0.1, supertitle)
    text = drawing.write(figure, width / 2, 2.9 * LINE, caption, width - 2 * GAP, color="#444444")
    text.set_horizontalalignment("center")
    for column, heading in enumerate(headings):
        left = GAP + column * (CELL + GAP)
        text = drawing.write(figure, left + CELL / 2, head - LINE / 2, heading, CELL + GAP / 2, weight="bold")
        text.set_horizontalalignment("center")
        for row, drawn in enumerate(cells):
            drawn[column](drawing.add_axes(figure, left, head + row * step + TITLE_HEIGHT, CELL, CELL))
    return figure


def cell_photograph(row: ExplainedImage, rank: int | None = None) -> Callable[["Axes"], None]:
    """What draws the photograph, with its rank before its name."""
    name = row.name if rank is None else f"{rank}. {row.name}"
    return lambda axes: panels.draw_photograph(axes, replace(row, name=name))


def cell_overlay(row: ExplainedImage | None) -> Callable[["Axes"], None]:
    """What draws the heat map over the image; None: says that there is no map."""

    def draw(axes: "Axes") -> None:
        if row is None:
            drawing.write_message(axes, "no map")
            return
        panels.draw_overlay(axes, row)
        drawing.write_title(axes, [f"explained: {row.target}" if row.target else "", row.note])

    return draw
