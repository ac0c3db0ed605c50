"""
Pages of explained images: the panels of one method in columns, a panel alone, and the maps of several side by side.

Every function returns a new Figure and shows or writes nothing; `figure.savefig(path)` is the caller's.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import constants
from plots import drawing, panels
from plots.drawing import Cell, picture_height
from plots.panels import ExplainedImage

if TYPE_CHECKING:
    from matplotlib.figure import Figure


CHART = 1.3  # inches: the least height of a chart


class PageColumn(NamedTuple):
    """One column of the page: its heading, what draws a cell, the inches it needs beside the cell."""

    heading: str
    draw: Callable
    needs: tuple[str, ...] = ()  # left out of a page on which no row has any of these
    left: float = 0.0
    right: float = 0.0
    least: float = 0.0  # inches of height, below which it cannot be read


PAGE_COLUMNS = (
    PageColumn("image", panels.draw_photograph),
    PageColumn("gaze density map", panels.draw_density_map, ("density_map",)),
    PageColumn("saliency map", panels.draw_saliency_map),
    PageColumn("heat map", panels.draw_heatmap, right=drawing.BAR_ROOM),
    PageColumn("heat map over the image", panels.draw_overlay),
    PageColumn(
        "insertion and deletion", panels.draw_curves, ("insertion", "deletion"), left=0.3, right=0.1, least=CHART
    ),
    PageColumn("most probable classes", panels.draw_top_classes, ("top_classes",), 0.05, least=CHART),
)
CELL, GAP, LINE = constants.CELL_SIDE, drawing.GAP, drawing.LINE  # inches
TITLE_HEIGHT = 3 * LINE + 0.1  # three lines stand above every cell


def figure_grid(rows: Sequence[ExplainedImage], supertitle: str = "", dpi: float = constants.FIGURE_DPI) -> "Figure":
    """
    The page of a run: one row per explained image, one column per panel.

    A column that no row can fill is left out; a cell that its row cannot fill says so. Cells are
    `constants.CELL_SIDE` inches wide, and as high unless all that a row shows is lower. The caller splits a long run
    into pages (`constants.ROWS_PER_PAGE`).
    """
    if not rows:
        raise ValueError("a page needs at least one explained image, none was given")
    columns = [column for column in PAGE_COLUMNS if not column.needs or any(_fills(row, column) for row in rows)]
    width = GAP + sum(column.left + CELL + column.right + GAP for column in columns)
    head = (4 if supertitle else 2) * drawing.LINE  # the headings of the columns included
    least = max(column.least for column in columns)
    heights = [max(least, picture_height(row.size)) for row in rows]
    step = TITLE_HEIGHT + GAP
    figure = drawing.new_figure(width, head + len(rows) * step + sum(heights) + 0.1, supertitle, dpi)
    sheet = drawing.add_sheet(figure)
    left = GAP
    for column in columns:
        left += column.left
        heading = drawing.write(figure, left + CELL / 2, head - LINE / 2, column.heading, CELL, weight="bold")
        heading.set_horizontalalignment("center")
        top = head
        for row, height in zip(rows, heights):
            column.draw(Cell(sheet, left, top + TITLE_HEIGHT, CELL, height), row)
            top += step + height
        left += CELL + column.right + GAP
    return figure


def _fills(row: ExplainedImage, column: PageColumn) -> bool:
    """Whether the row has anything to show in the column."""
    values = (getattr(row, name) for name in column.needs)
    return any(value is not None and len(value) > 0 for value in values)


def figure_panel(row: ExplainedImage, heading: str, dpi: float = 2 * constants.FIGURE_DPI) -> "Figure":
    """One panel of the page alone, as large as what it shows; heading: that of its column, as 'heat map'."""
    columns = {column.heading: column for column in PAGE_COLUMNS}
    if heading not in columns:
        raise ValueError(f"heading must be one of {', '.join(map(repr, columns))}; got {heading!r}")
    column = columns[heading]
    margin = GAP + 0.2
    width = column.left + CELL + column.right + 2 * margin
    figure = drawing.new_figure(width, TITLE_HEIGHT + CELL + 0.3, dpi=dpi)
    sheet = drawing.add_sheet(figure)
    column.draw(Cell(sheet, margin + column.left, TITLE_HEIGHT), row)
    drawing.cut_to_drawn(sheet)
    return figure


def figure_side_by_side(
    rows: Sequence[Sequence[ExplainedImage | None]],
    names: Sequence[str],
    supertitle: str = "",
    dpi: float = constants.FIGURE_DPI,
) -> "Figure":
    """One row per image: the photograph, then every method's heat map over it; None: there is no map.

    rows: for each image an ExplainedImage per name, at least one of them not None.
    """
    first = [next(row for row in explained if row is not None) for explained in rows]
    cells = [[cell_photograph(one), *map(cell_overlay, explained)] for one, explained in zip(first, rows)]
    caption = "each map on its own scale, from its smallest to its largest value; a signed map with 0 in the middle"
    heights = [picture_height(one.size) for one in first]
    return draw_cells(["image", *names], cells, heights, supertitle, caption, dpi=dpi)


def draw_cells(
    headings: Sequence[str],
    cells: Sequence[Sequence[Callable[[Cell], None]]],
    heights: Sequence[float],
    supertitle: str,
    caption: str,
    legend: bool = False,
    dpi: float = constants.FIGURE_DPI,
    notes: Sequence[Sequence[str]] = (),
    title_height: float = TITLE_HEIGHT,
) -> "Figure":
    """A page of cells in rows: every function of `cells` draws into its own. heights: of the rows, in inches.

    A colour bar has room beside every cell but the first. legend: leaves a line for one below the caption, which the
    caller draws. notes: lines below the cells, of a text for each column; one that stands alone may be as wide as the
    page. title_height: inches above every cell, for its title.
    """
    head = (6.5 if legend else 5) * LINE  # title, caption, legend, headings
    step = CELL + drawing.BAR_ROOM + GAP / 2
    width = GAP + CELL + GAP + (len(headings) - 1) * step
    height = head + sum(heights) + len(cells) * (title_height + GAP) + len(notes) * LINE + 0.1
    figure = drawing.new_figure(width, height, supertitle, dpi)
    sheet = drawing.add_sheet(figure)
    text = drawing.write(figure, width / 2, 2.9 * LINE, caption, width - 2 * GAP, color="#444444")
    text.set_horizontalalignment("center")
    lefts = [GAP, *(2 * GAP + CELL + column * step for column in range(len(headings) - 1))]
    for left, heading in zip(lefts, headings):
        text = drawing.write(figure, left + CELL / 2, head - LINE / 2, heading, CELL + GAP / 2, weight="bold")
        text.set_horizontalalignment("center")
    top = head
    for row, height in zip(cells, heights):
        for left, draw in zip(lefts, row):
            draw(Cell(sheet, left, top + title_height, CELL, height))
        top += title_height + height + GAP
    for place, texts in enumerate(notes, start=1):
        room = width - 2 * GAP if len(texts) == 1 else CELL
        for left, text in zip(lefts, texts):
            drawing.write(figure, left, top + place * LINE, text, room, style="italic" if len(texts) == 1 else "normal")
    return figure


def cell_photograph(row: ExplainedImage, rank: int | None = None) -> Callable[[Cell], None]:
    """What draws the photograph, with its rank before its name."""
    name = row.name if rank is None else f"{rank}. {row.name}"
    return lambda cell: panels.draw_photograph(cell, replace(row, name=name))


def cell_overlay(row: ExplainedImage | None) -> Callable[[Cell], None]:
    """What draws the heat map over the image with its colour bar; None: says that there is no map."""

    def draw(cell: Cell) -> None:
        if row is None:
            cell.message("no map")
            return
        panels.draw_overlay(cell, row)
        panels.show_scale(cell, row)
        cell.title([f"explained: {row.target}" if row.target else "", row.note])

    return draw
