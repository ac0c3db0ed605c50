"""Matplotlib figures of a training run: curves, confusion matrix, average precision, the worst classified images.

Every function returns a new Figure and shows or writes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

import constants
import utils
from plots import drawing
from plots.drawing import LINE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLASSES_WITH_NUMBERS = 15  # up to here the counts of a confusion matrix are written out


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
            is_late = fine_tuning_epoch - 0.5 > np.mean(axes.get_xlim())  # then there is more room before it
            style = {"color": constants.COLOUR_QUIET, "size": drawing.SMALL, "ha": "right" if is_late else "left"}
            axes.axvline(fine_tuning_epoch - 0.5, color=constants.COLOUR_QUIET, linewidth=0.8, linestyle=":")
            axes.annotate(
                "fine-tuning",
                (fine_tuning_epoch - 0.5, 0),
                (-3 if is_late else 3, 4),
                xycoords=axes.get_xaxis_transform(),
                textcoords="offset points",
                **style,
            )
    figure.axes[0].legend(
        loc="lower right", bbox_to_anchor=(1, 1), ncols=2, fontsize=constants.FONT_SIZE, frameon=False
    )
    return figure
