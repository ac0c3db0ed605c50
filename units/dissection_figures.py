"""Matplotlib figures of a dissection: detectors per concept and layer, one unit and its images, two models compared.

Every function returns a new Figure, or a picture, and shows or writes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

import constants
import representations
import utils
from plots import drawing
from plots.drawing import GAP, HEADING, LINE
from units.dissection_tables import ONLY_ONE, ONLY_OTHER, SHARED, rank_concepts

if TYPE_CHECKING:
    from collections import Counter

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = 1.9  # inches: the width of a layer's bars
ROW = 1.6 * LINE  # inches from one bar to the next
COLOURS = dict(zip((ONLY_ONE, ONLY_OTHER, SHARED), constants.COLOURS_OVERLAP))
CONCEPTS_SHOWN = 30  # bars of a histogram
NONE_FOUND = "no unit detects a concept"


def represent_unit(image: np.ndarray, marked: np.ndarray, concept: np.ndarray | None) -> np.ndarray:
    """The image, dark where the unit is not active, with the concept's mask outlined: uint8 RGB (H, W, 3).

    marked, concept: bool of the image's size; a mask that is None, empty or the whole image has no outline.
    """
    import cv2
    from matplotlib.colors import to_rgb

    image = representations.check_image(image)
    picture = np.where(marked[..., None], image, image // 3)
    if concept is not None and not concept.all():
        outline, _ = cv2.findContours(concept.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        colour = [round(255 * part) for part in to_rgb(constants.COLOURS_OVERLAP[2])]
        picture = cv2.drawContours(picture.copy(), outline, -1, colour, max(1, round(max(image.shape) / 250)))
    return picture


def figure_unit(row: Mapping, pictures: Sequence[np.ndarray], titles: Sequence[str], outlined: bool) -> "Figure":
    """The images a unit is most active in, the most active first, under what it detects.

    row: of descriptions.csv. outlined: whether the pictures show the concept's mask.
    """
    heading = f"{row['layer']}, unit {row['unit']}: {row['concept']}, IoU {row['iou']:.3f}"
    note = f"bright: active, outlined: {row['concept']}" if outlined else "bright: over the threshold"
    return utils.grid_layout(pictures, titles, f"{heading} ({note})")


def figure_histogram(counts: Mapping[str, "Counter"], supertitle: str = "") -> "Figure":
    """How many units detect each concept, the concepts below each other, a panel per layer with one scale.

    counts: layer -> concept -> units. The concepts of most detectors are drawn, up to `CONCEPTS_SHOWN`.
    """
    ranked = rank_concepts(counts)
    names = ranked[:CONCEPTS_SHOWN]
    margin, most = _margin(names), max((max(of.values(), default=0) for of in counts.values()), default=0)
    head = 4.5 * LINE
    wide = max(GAP + margin + len(counts) * (PANEL + GAP), drawing.measure_text(supertitle, HEADING, "bold") + 2 * GAP)
    figure = drawing.new_figure(wide, head + ROW * max(len(names), 2) + 3.5 * LINE, supertitle)
    for place, (layer, concepts) in enumerate(counts.items()):
        left = GAP + margin + place * (PANEL + GAP)
        axes = drawing.add_axes(figure, left, head, PANEL, ROW * max(len(names), 2))
        drawing.write_title(axes, [layer, f"{concepts.total()} detectors, {len(concepts)} concepts"], PANEL + GAP / 2)
        if not names:
            drawing.write_message(axes, NONE_FOUND)
            continue
        _draw_bars(axes, names, [concepts[name] for name in names], constants.COLOUR_INSERTION)
        _set_units(axes, (0, 1.18 * most), "units")
        if place:
            axes.set_yticklabels([])
    if len(ranked) > len(names):
        width, height = figure.get_size_inches()
        note = f"{len(names)} of {len(ranked)} concepts"
        drawing.write(figure, GAP, height - LINE / 2, note, width - 2 * GAP, color="#444444")
    return figure


def figure_comparison(rows: Sequence[Mapping], names: tuple[str, str], supertitle: str = "") -> "Figure":
    """Concepts that both models detect, or one alone: one bar cut in three as two overlapping circles would be, and
    below it the detectors of each concept, the first model's to the left and the second's to the right.

    rows: as `dissection_tables.compare` gives them.
    """
    shown = rows[:CONCEPTS_SHOWN]
    margin, width = _margin([row["concept"] for row in shown]), 2 * PANEL + 1.2
    head, bars = 5.5 * LINE, ROW * max(len(shown), 2)
    figure = drawing.new_figure(2 * GAP + margin + width, head + 1.5 * ROW + 6 * LINE + bars, supertitle)
    axes = drawing.add_axes(figure, GAP + margin, head, width, 1.5 * ROW)
    if not rows:
        drawing.write_message(axes, NONE_FOUND)
        return figure
    _draw_venn_bar(axes, rows, names)
    axes = drawing.add_axes(figure, GAP + margin, head + 1.5 * ROW + 2.5 * LINE, width, bars)
    concepts, most = [row["concept"] for row in shown], max(max(row["first"], row["second"]) for row in shown)
    _draw_bars(axes, concepts, [-row["first"] for row in shown], [COLOURS[row["found_in"]] for row in shown])
    _draw_bars(axes, concepts, [row["second"] for row in shown], [COLOURS[row["found_in"]] for row in shown])
    axes.axvline(0, color=constants.COLOUR_QUIET, linewidth=0.8)
    _set_units(axes, (-1.18 * most, 1.18 * most), f"units of {names[0]} (left) and of {names[1]} (right)")
    axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    return figure


def _draw_venn_bar(axes: "Axes", rows: Sequence[Mapping], names: tuple[str, str]) -> None:
    """One bar of all concepts found, cut where those of the first model alone, of both and of the second alone meet."""
    left, labels = 0, {ONLY_ONE: f"only {names[0]}", SHARED: "both", ONLY_OTHER: f"only {names[1]}"}
    for found_in, label in labels.items():
        n = sum(row["found_in"] == found_in for row in rows)
        axes.barh(0, n, 0.9, left, color=COLOURS[found_in], edgecolor="white", label=f"{label}: {n}")
        if n:
            axes.text(left + n / 2, 0, str(n), ha="center", va="center", size=constants.FONT_SIZE, weight="bold")
        left += n
    axes.set(xlim=(0, left), ylim=(-0.5, 0.5))
    axes.axis("off")
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=3,
        frameon=False,
        fontsize=constants.FONT_SIZE,
        handlelength=1,
        handleheight=1,
        borderpad=0,
    )


def _draw_bars(axes: "Axes", names: Sequence[str], values: Sequence[int], colour) -> None:
    """A bar per name, downwards, its number at its end; a negative one to the left, without its sign."""
    drawing.quieten(axes)
    axes.barh(range(len(names)), values, 0.7, color=colour)
    for place, value in enumerate(values):
        if value:
            axes.annotate(
                str(abs(value)),
                (value, place),
                (3 if value > 0 else -3, 0),
                textcoords="offset points",
                ha="left" if value > 0 else "right",
                va="center",
                size=drawing.SMALL,
            )
    axes.set_yticks(range(len(names)), [drawing.fit_text(name, 1.7) for name in names], parse_math=False)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, labelsize=constants.FONT_SIZE)


def _set_units(axes: "Axes", limits: tuple[float, float], label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(limits)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.set_xlabel(label, size=constants.FONT_SIZE, parse_math=False)


def _margin(names: Sequence[str]) -> float:
    """Inches that the longest of the names takes beside its bar."""
    return max((drawing.measure_text(drawing.fit_text(name, 1.7)) for name in names), default=0) + 0.12
