"""
One explained image, and the panels that show it: each function draws one of them into a given cell.

Panels of one image share its aspect and those of one page their scales: probabilities and fractions of pixels
run from 0 to 1 everywhere. `pages.figure_grid` lines them up; the single figures use the same functions.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

import constants
import representations
import utils
from plots import drawing
from plots.drawing import Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PROBABILITY_BAR = 0.07  # inches, thick
Curve = tuple[float, np.ndarray, np.ndarray]  # (auc, scores, fractions), as `evaluate.insertion` returns it


@dataclass(frozen=True)
class ExplainedImage:
    """
    What a row of the grid display says about one image.

    name: of the file. image: RGB 0-255 (H, W, 3). saliency_map: raw scale, of any size (h, w).
    label: the true class. target: the explained one. Both '' where there is none (FEM explains no class).
    top_classes: (class name, probability), the most probable first.
    density_map: where people looked, (h, w); density_note: where it comes from, as 'simulated gaze'.
    pcc, sim: agreement of the two maps; None where it is undefined.
    insertion, deletion: (auc, scores, fractions), as `evaluate` returns them.
    note: what the reader must know of the map, as 'constant map' or why a metric is undefined.
    signed, colormap, alpha: how the map is coloured, as in `representations.represent_heatmap_overlaid`.
    """

    name: str
    image: np.ndarray
    saliency_map: np.ndarray
    label: str = ""
    target: str = ""
    top_classes: Sequence[tuple[str, float]] = ()
    density_map: np.ndarray | None = None
    density_note: str = ""
    pcc: float | None = None
    sim: float | None = None
    insertion: Curve | None = None
    deletion: Curve | None = None
    note: str = ""
    signed: bool | None = None
    colormap: str = constants.COLORMAP
    alpha: float = constants.ALPHA

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the image."""
        return self.image.shape[:2]


def _scale(row: ExplainedImage) -> representations.ColourScale:
    """The scale that all pictures of the row's map share."""
    return representations.colour_scale(row.saliency_map, row.colormap, signed=row.signed)


def _wrap(note: str) -> list[str]:
    """The note on at most two lines."""
    return textwrap.wrap(note, 28, max_lines=2, placeholder=" …")


def draw_photograph(cell: Cell, row: ExplainedImage) -> None:
    """The image under its file name, its label and its predicted class."""
    cell.show(representations.check_image(drawing.shrink(row.image, cell.dpi)), row.size)
    label = f"label: {row.label}" if row.label else ""
    predicted = ""
    if row.top_classes:
        class_name, probability = row.top_classes[0]
        room = drawing.TITLE_WIDTH - drawing.measure_text("predicted:  0.00")  # the probability stays whole
        predicted = f"predicted: {drawing.fit_text(class_name, room)} {probability:.2f}"
    cell.title([row.name, label, predicted])


def draw_density_map(cell: Cell, row: ExplainedImage) -> None:
    """Where people looked, in grey, under its agreement with the saliency map."""
    if row.density_map is None:
        cell.message("no density map")
        return
    density_map = drawing.shrink(row.density_map, cell.dpi)
    cell.show(representations.represent_heatmap(density_map, "gray", signed=False), row.size)
    metrics = (("PCC", row.pcc), ("SIM", row.sim))
    values = [f"{name} {value:z.2f}" for name, value in metrics if value is not None]
    cell.title([*_wrap(row.density_note), ", ".join(values)])


def draw_saliency_map(cell: Cell, row: ExplainedImage) -> None:
    """The map in grey, on the scale of the heat map, under the explained class and the note."""
    grey = replace(_scale(row), colormap="gray")
    cell.show(grey.colour(drawing.shrink(row.saliency_map, cell.dpi)), row.size)
    cell.title([f"explained: {row.target}" if row.target else "", *_wrap(row.note)])


def draw_heatmap(cell: Cell, row: ExplainedImage) -> None:
    """The map in colours, with a bar of its raw values."""
    cell.show(_scale(row).colour(drawing.shrink(row.saliency_map, cell.dpi)), row.size)
    if utils.is_constant(row.saliency_map):
        cell.title([f"constant: {np.min(row.saliency_map):.3g}"])
    show_scale(cell, row)


def show_scale(cell: Cell, row: ExplainedImage) -> None:
    """The colour bar of the row's map; none for a constant map."""
    if not utils.is_constant(row.saliency_map):
        show_colour_bar(cell, _scale(row), row.size)


def show_colour_bar(cell: Cell, scale: representations.ColourScale, size: tuple[int, int]) -> None:
    """A bar with the values of its ends and its middle, at the right of a picture of that (height, width)."""
    colours = scale.colour(np.linspace(scale.low, scale.high, 256))
    cell.show_bar(colours, drawing.label_ends(scale.low, scale.high), size)


def draw_colour_bar(axes: "Axes", scale: representations.ColourScale) -> None:
    """A bar at the right of axes with the values of its ends and its middle."""
    drawing.draw_bar(axes, scale.colour(np.linspace(scale.low, scale.high, 256)), scale.low, scale.high)


def draw_overlay(cell: Cell, row: ExplainedImage) -> None:
    """The heat map over the image."""
    overlay = representations.represent_heatmap_overlaid(
        row.saliency_map, drawing.shrink(row.image, cell.dpi), row.colormap, row.alpha, signed=row.signed
    )
    cell.show(overlay, row.size)


def draw_curves(cell: Cell, row: ExplainedImage) -> None:
    """Probability against the fraction of pixels inserted or deleted, the areas in the legend above."""
    curves = (
        ("insertion", row.insertion, constants.COLOUR_INSERTION, "-"),
        ("deletion", row.deletion, constants.COLOUR_DELETION, (0, (4, 1.2))),  # told apart without colour too
    )
    curves = [curve for curve in curves if curve[1] is not None]
    if not curves:
        cell.message("not measured")
        return
    left, right, upper, lower = cell.left, cell.left + cell.width, cell.top, cell.top + cell.height
    across = [left + share * cell.width for share in (0, 0.25, 0.5, 0.75, 1)]
    down = [lower - share * cell.height for share in (0, 0.25, 0.5, 0.75, 1)]
    cell.lines([[(x, upper), (x, lower)] for x in across[1:]], color="#e6e6e6", linewidth=0.5)
    cell.lines([[(left, y), (right, y)] for y in down[1:]], color="#e6e6e6", linewidth=0.5)
    tick = 2.5 / 72
    ticks = [[(x, lower), (x, lower + tick)] for x in across] + [[(left, y), (left - tick, y)] for y in down]
    cell.lines([[(left, upper), (left, lower)], [(left, lower), (right, lower)], *ticks])
    for place, (name, (auc, scores, fractions), colour, style) in enumerate(reversed(curves)):
        style = {"color": colour, "linestyle": style, "linewidth": 1.3}
        points = left + np.asarray(fractions) * cell.width, lower - np.clip(scores, 0, 1) * cell.height
        cell.lines([np.transpose(points)], **style, label=name)
        above = upper - 0.11 - place * drawing.LINE
        cell.lines([[(left, above), (left + 0.23, above)]], **style)
        cell.text(left + 0.3, above, f"{name}, area {auc:.2f}", va="center_baseline")
    quiet = {"size": drawing.SMALL, "color": "#444444"}
    for x, y, text, style in (
        (left, lower + 0.14, "0", {"ha": "center"}),
        (right, lower + 0.14, "1", {"ha": "center"}),
        ((left + right) / 2, lower + 0.14, "fraction of pixels", {"ha": "center"}),
        (left - 0.06, lower, "0", {"ha": "right", "va": "center_baseline"}),
        (left - 0.06, upper, "1", {"ha": "right", "va": "center_baseline"}),
        (left - 0.06, (upper + lower) / 2, "probability", {"ha": "right", "va": "center", "rotation": 90}),
    ):
        cell.text(x, y, text, **quiet, **style)


def draw_top_classes(cell: Cell, row: ExplainedImage) -> None:
    """The most probable classes as bars from 0 to 1 under their names; the explained one is dark."""
    if not row.top_classes:
        cell.message("no probabilities")
        return
    shown = row.top_classes[: constants.TOP_CLASSES]
    step = cell.height / constants.TOP_CLASSES
    for place, (class_name, probability) in enumerate(shown):
        draw_probability(cell, (place + 0.52) * step, class_name, probability, class_name == row.target)


def draw_probability(cell: Cell, down: float, class_name: str, probability: float, explained: bool = False) -> None:
    """A class's name with its probability, baseline `down` inches below the cell's edge, and a bar below; explained:
    in bold, the bar dark."""
    weight, colour = ("bold", "#222222") if explained else ("normal", "#9a9a9a")
    right, baseline = cell.left + cell.width, cell.top + down
    cell.text(cell.left, baseline, drawing.fit_text(class_name, cell.width - 0.35, weight=weight), weight=weight)
    cell.text(right, baseline, f"{probability:.2f}", ha="right")
    y = baseline + PROBABILITY_BAR
    ends = right, cell.left + min(max(probability, 0), 1) * cell.width
    cell.lines([[(cell.left, y), (x, y)] for x in ends], color=["#eeeeee", colour], linewidth=72 * PROBABILITY_BAR)
