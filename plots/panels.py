"""
One explained image, and the panels that show it: each function draws one of them into given square axes.

Panels of one image share its aspect and those of one page their axes: probabilities and fractions of pixels
run from 0 to 1 everywhere. `figures.figure_grid` lines them up; the single figures use the same functions.
"""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

import constants
import representations
from plots import drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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


def draw_photograph(axes: "Axes", row: ExplainedImage) -> None:
    """The image under its file name, its label and its predicted class."""
    drawing.show_image(axes, representations.check_image(row.image), row.size)
    label = f"label: {row.label}" if row.label else ""
    predicted = ""
    if row.top_classes:
        class_name, probability = row.top_classes[0]
        room = drawing.TITLE_WIDTH - drawing.measure_text("predicted:  0.00")  # the probability stays whole
        predicted = f"predicted: {drawing.fit_text(class_name, room)} {probability:.2f}"
    drawing.write_title(axes, [row.name, label, predicted])


def draw_density_map(axes: "Axes", row: ExplainedImage) -> None:
    """Where people looked, in grey, under its agreement with the saliency map."""
    if row.density_map is None:
        drawing.write_message(axes, "no density map")
        return
    drawing.show_image(axes, representations.check_map(row.density_map), row.size)
    metrics = (("PCC", row.pcc), ("SIM", row.sim))
    values = [f"{name} {value:.2f}" for name, value in metrics if value is not None]
    drawing.write_title(axes, [*_wrap(row.density_note), ", ".join(values)])


def draw_saliency_map(axes: "Axes", row: ExplainedImage) -> None:
    """The map in grey, on the scale of the heat map, under the explained class and the note."""
    grey = replace(_scale(row), colormap="gray")
    drawing.show_image(axes, grey.colour(row.saliency_map), row.size)
    drawing.write_title(axes, [f"explained: {row.target}" if row.target else "", *_wrap(row.note)])


def draw_heatmap(axes: "Axes", row: ExplainedImage) -> None:
    """The map in colours, with a bar of its raw values."""
    scale = _scale(row)
    drawing.show_image(axes, scale.colour(row.saliency_map), row.size)
    if representations.is_constant(row.saliency_map):
        drawing.write_title(axes, [f"constant: {np.min(row.saliency_map):.3g}"])
    else:
        draw_colour_bar(axes, scale)


def draw_colour_bar(axes: "Axes", scale: representations.ColourScale) -> None:
    """A bar at the right of the axes with the values of its ends and its middle."""
    bar = axes.inset_axes((1.02, 0, 0.04, 1))
    values = np.linspace(scale.low, scale.high, 256)
    bar.imshow(scale.colour(values)[:, None], aspect="auto", origin="lower", extent=(0, 1, 0, 1))
    bar.set(xticks=[], yticks=[0, 0.5, 1])
    middle = (scale.low + scale.high) / 2
    # Two digits of the range: a lower end of a millionth of it reads as 0.
    digits = 2 - math.ceil(math.log10(scale.high - scale.low))
    bar.set_yticklabels([f"{round(value, digits):.4g}" for value in (scale.low, middle, scale.high)])
    bar.yaxis.tick_right()
    bar.tick_params(labelsize=drawing.SMALL, labelcolor="#444444", color=constants.COLOUR_QUIET, width=0.6)
    bar.tick_params(length=2, pad=2)
    for spine in bar.spines.values():
        spine.set_visible(False)


def draw_overlay(axes: "Axes", row: ExplainedImage) -> None:
    """The heat map over the image."""
    overlay = representations.represent_heatmap_overlaid(
        row.saliency_map, drawing.shrink(row.image), row.colormap, row.alpha, signed=row.signed
    )
    drawing.show_image(axes, overlay, row.size)


def draw_curves(axes: "Axes", row: ExplainedImage) -> None:
    """Probability against the fraction of pixels inserted or deleted, the areas in the legend above."""
    curves = (
        ("insertion", row.insertion, constants.COLOUR_INSERTION, "-"),
        ("deletion", row.deletion, constants.COLOUR_DELETION, (0, (4, 1.2))),  # told apart without colour too
    )
    if row.insertion is None and row.deletion is None:
        drawing.write_message(axes, "not measured")
        return
    drawing.quieten(axes)
    for name, curve, colour, style in curves:
        if curve is not None:
            auc, scores, fractions = curve
            label = f"{name}, area {auc:.2f}"
            axes.plot(fractions, scores, color=colour, linestyle=style, linewidth=1.3, label=label)
    ticks, labels = [0, 0.25, 0.5, 0.75, 1], ["0", "", "", "", "1"]
    axes.set(xlim=(0, 1), ylim=(-0.02, 1.02))
    axes.set_xticks(ticks, labels)
    axes.set_yticks(ticks, labels)
    # Close to the axes: they stand between the labels of 0 and 1.
    axes.set_xlabel("fraction of pixels", size=drawing.SMALL, labelpad=-drawing.SMALL)
    axes.set_ylabel("probability", size=drawing.SMALL, labelpad=-drawing.SMALL / 2)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        fontsize=constants.FONT_SIZE,
        frameon=False,
        borderpad=0.1,
        borderaxespad=0.15,
        labelspacing=0.2,
        handlelength=2.2,
        handletextpad=0.6,
    )


def draw_top_classes(axes: "Axes", row: ExplainedImage) -> None:
    """The most probable classes as bars from 0 to 1 under their names; the explained one is dark."""
    if not row.top_classes:
        drawing.write_message(axes, "no probabilities")
        return
    axes.set(xlim=(0, 1), ylim=(constants.TOP_CLASSES, 0))
    axes.axis("off")
    style = {"size": constants.FONT_SIZE, "va": "baseline", "parse_math": False}
    for place, (class_name, probability) in enumerate(row.top_classes[: constants.TOP_CLASSES]):
        explained = class_name == row.target
        axes.barh(place + 0.72, 1, 0.2, color="#eeeeee")
        axes.barh(place + 0.72, probability, 0.2, color="#222222" if explained else "#9a9a9a")
        weight = "bold" if explained else "normal"
        name = drawing.fit_text(class_name, constants.CELL_SIDE - 0.35, weight=weight)
        axes.text(0, place + 0.52, name, weight=weight, **style)
        axes.text(1, place + 0.52, f"{probability:.2f}", ha="right", **style)
