"""
Matplotlib figures of a run: the page of explained images, its panels alone, and how a training went.

Every function returns a new Figure and shows or writes nothing; `figure.savefig(path)` is the caller's.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import constants
import utils
from plots import drawing, panels
from plots.panels import ExplainedImage

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Column(NamedTuple):
    """One column of the page: its heading, what draws a cell, the inches it needs beside the cell."""

    heading: str
    draw: Callable
    needs: tuple[str, ...] = ()  # left out of a page on which no row has any of these
    left: float = 0.0
    right: float = 0.0


COLUMNS = (
    Column("image", panels.draw_photograph),
    Column("gaze density map", panels.draw_density_map, ("density_map",)),
    Column("saliency map", panels.draw_saliency_map),
    Column("heat map", panels.draw_heatmap, right=0.5),
    Column("heat map over the image", panels.draw_overlay),
    Column("insertion and deletion", panels.draw_curves, ("insertion", "deletion"), left=0.3, right=0.1),
    Column("most probable classes", panels.draw_top_classes, ("top_classes",), left=0.05),
)
CELL, GAP, LINE = constants.CELL_SIDE, drawing.GAP, drawing.LINE  # inches
TITLE_HEIGHT = 3 * LINE + 0.1  # three lines stand above every cell
CLASSES_WITH_NUMBERS = 15  # up to here the counts of a confusion matrix are written out


def figure_grid(rows: Sequence[ExplainedImage], supertitle: str = "") -> "Figure":
    """
    The page of a run: one row per explained image, one column per panel.

    A column that no row can fill is left out; a cell that its row cannot fill says so. All cells are squares
    of `constants.CELL_SIDE` inches. The caller splits a long run into pages (`constants.ROWS_PER_PAGE`).
    """
    if not rows:
        raise ValueError("a page needs at least one explained image, none was given")
    columns = [column for column in COLUMNS if not column.needs or any(_fills(row, column) for row in rows)]
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


def _fills(row: ExplainedImage, column: Column) -> bool:
    """Whether the row has anything to show in the column."""
    values = (getattr(row, name) for name in column.needs)
    return any(value is not None and len(value) > 0 for value in values)


def figure_panel(row: ExplainedImage, heading: str, title: str = "") -> "Figure":
    """One panel of the page alone, twice as fine; heading: that of its column, as 'heat map'."""
    columns = {column.heading: column for column in COLUMNS}
    if heading not in columns:
        raise ValueError(f"heading must be one of {', '.join(map(repr, columns))}; got {heading!r}")
    column = columns[heading]
    margin = GAP + 0.2
    head = TITLE_HEIGHT + (2.5 * LINE if title else 0)
    width = column.left + CELL + column.right + 2 * margin
    figure = drawing.new_figure(width, head + CELL + 0.3, title, 2 * constants.FIGURE_DPI)
    column.draw(drawing.add_axes(figure, margin + column.left, head, CELL, CELL), row)
    return figure


def figure_heatmap(row: ExplainedImage, title: str = "") -> "Figure":
    """The heat map with the bar of its raw values."""
    return figure_panel(row, "heat map", title)


def figure_curves(row: ExplainedImage, title: str = "") -> "Figure":
    """The insertion and the deletion curve with their areas."""
    return figure_panel(row, "insertion and deletion", title)


def figure_top_classes(row: ExplainedImage, title: str = "") -> "Figure":
    """The most probable classes as bars."""
    return figure_panel(row, "most probable classes", title)


def figure_worst(images: Sequence[np.ndarray], titles: Sequence[str]) -> "Figure":
    """The worst classified images, worst first, under titles of the true, then the predicted class."""
    return utils.grid_layout(images, titles, f"the {len(images)} worst classified images")


def figure_confusion_matrix(matrix: np.ndarray, class_names: Sequence[str]) -> "Figure":
    """
    How often the images of each true class (row) were predicted to be of each class (column).

    matrix: counts (C, C). Shades are shares of a row, so that rare classes show as well as frequent ones; the
    counts are written into the cells while there are few enough classes to read them.
    """
    matrix, n = np.asarray(matrix), len(class_names)
    if matrix.shape != (n, n):
        raise ValueError(f"wanted a matrix ({n}, {n}) for {n} classes, given {matrix.shape}")
    # Inches and points: a cell has room for its number, or at least for the line of small print beside it.
    cell, size = (0.5, constants.FONT_SIZE) if n <= CLASSES_WITH_NUMBERS else (0.085, 5)
    names = [drawing.fit_text(name, 1.4, size) for name in class_names]
    margin = max(drawing.measure_text(name, size) for name in names) + 0.45
    head, side = 3 * LINE, max(n * cell, 2.0)
    figure = drawing.new_figure(margin + side + 0.4, head + side + margin, "confusion matrix")
    axes = drawing.add_axes(figure, margin, head, side, side)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)  # a class without images has no shares
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(n), names, rotation=90, parse_math=False)
    axes.set_yticks(range(n), names, parse_math=False)
    axes.tick_params(length=0, labelsize=size)
    axes.set_xlabel("predicted class", size=constants.FONT_SIZE)
    axes.set_ylabel("true class", size=constants.FONT_SIZE)
    axes.spines[:].set(color=constants.COLOUR_QUIET, linewidth=0.6)
    if n <= CLASSES_WITH_NUMBERS:
        for row, column in np.ndindex(n, n):
            colour = "white" if shares[row, column] > 0.5 else "#222222"
            count = f"{matrix[row, column]:g}"
            axes.text(column, row, count, size=size, color=colour, ha="center", va="center")
    return figure


def figure_average_precision(
    average_precision: np.ndarray, positives: np.ndarray, n_images: int, class_names: Sequence[str]
) -> "Figure":
    """
    The average precision of each class as bars from 0 to 1, in the order of the classes.

    average_precision: (C,), NaN where it is undefined, which is written in the bar's place. positives: (C,), of
        n_images; a stroke stands at their share, the average precision of chance.
    """
    n = len(class_names)
    if not len(average_precision) == len(positives) == n:
        raise ValueError(f"wanted {n} values for {n} classes, given {len(average_precision)} and {len(positives)}")
    names = [drawing.fit_text(name, 1.4) for name in class_names]
    margin = max(drawing.measure_text(name) for name in names) + 0.3
    head, height = 3 * LINE, n * 0.24  # inches
    figure = drawing.new_figure(margin + 3.4, head + height + 0.5, "average precision")
    axes = drawing.add_axes(figure, margin, head, 2.6, height)
    drawing.quieten(axes)
    axes.set(xlim=(0, 1), ylim=(n - 0.5, -0.5))
    axes.set_yticks(range(n), names, parse_math=False, size=constants.FONT_SIZE)
    axes.set_xlabel("average precision; the stroke: by chance", size=constants.FONT_SIZE)
    axes.barh(range(n), np.nan_to_num(average_precision), 0.6, color=constants.COLOUR_INSERTION)
    chance = np.asarray(positives) / n_images
    axes.vlines(chance, np.arange(n) - 0.4, np.arange(n) + 0.4, color="#222222", linewidth=1)
    for place, value in enumerate(average_precision):
        axes.text(
            1.02, place, "undefined" if np.isnan(value) else f"{value:.2f}", size=constants.FONT_SIZE, va="center"
        )
    return figure


def figure_training(history: Mapping[str, Sequence[float]], fine_tuning_epoch: int | None = None) -> "Figure":
    """
    Accuracy and loss by epoch, on the training and the validation images.

    history: lists by the names of Keras: 'accuracy', 'loss' and, if there was validation, 'val_accuracy' and
        'val_loss'.
    fine_tuning_epoch: the first epoch, counted from 1, in which convolutions were trained too; it is marked.
    """
    missing = {"accuracy", "loss"} - set(history)
    if missing:
        raise ValueError(f"history must hold 'accuracy' and 'loss', given {sorted(history)}")
    figure = drawing.new_figure(7.4, 3.1, "training")
    for place, quantity in enumerate(("accuracy", "loss")):
        axes = drawing.add_axes(figure, 0.55 + 3.6 * place, 3.8 * LINE, 3.0, 2.1)
        drawing.quieten(axes)
        for label, name, colour in (
            ("training", quantity, constants.COLOUR_INSERTION),
            ("validation", f"val_{quantity}", constants.COLOUR_DELETION),
        ):
            if name in history:
                epochs = range(1, len(history[name]) + 1)
                axes.plot(epochs, history[name], ".-", color=colour, linewidth=1.2, label=label)
        axes.set_xlabel("epoch", size=constants.FONT_SIZE)
        axes.set_title(quantity, size=constants.FONT_SIZE, loc="left")
        axes.set_ylim(0, 1.02 if quantity == "accuracy" else None)
        axes.xaxis.get_major_locator().set_params(integer=True)
        if fine_tuning_epoch is not None:
            style = {"color": constants.COLOUR_QUIET, "size": drawing.SMALL}
            axes.axvline(fine_tuning_epoch - 0.5, color=constants.COLOUR_QUIET, linewidth=0.8, linestyle=":")
            axes.annotate(
                "fine-tuning",
                (fine_tuning_epoch - 0.5, 0),
                (3, 4),
                xycoords=axes.get_xaxis_transform(),
                textcoords="offset points",
                **style,
            )
    figure.axes[0].legend(
        loc="lower right", bbox_to_anchor=(1, 1), ncols=2, fontsize=constants.FONT_SIZE, frameon=False
    )
    return figure
