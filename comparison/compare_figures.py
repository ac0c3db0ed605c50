"""Matplotlib figures of a comparison: the matrix over methods, maps side by side, pairs from most to least agreeing.

Every function returns a new Figure and shows or writes nothing, as those of `figures.py`. A heat map is drawn on its
own scale, because those of two methods have no common unit; measures share one scale over all figures.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import constants
import representations
from plots import drawing, panels
from plots.pages import CELL, GAP, LINE, TITLE_HEIGHT
from plots.panels import ExplainedImage

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEASURES = {  # metric -> heading, colormap, values of its ends
    "iou": ("IoU of the thresholded maps", "viridis", 0, 1),
    "spearman": ("rank correlation", "RdBu_r", -1, 1),
    "pcc": ("PCC", "RdBu_r", -1, 1),
}
MATRIX_CELL = 0.56  # inches: room for a mean and, below it, its deviation
METHODS_IN_A_ROW = 8  # up to here the matrices stand beside each other, above it below each other


class Pair(NamedTuple):
    """Two methods' maps of one image: the explained images, where each map is kept (H, W), and how they agree."""

    rank: int
    one: ExplainedImage
    other: ExplainedImage
    kept_by_one: np.ndarray
    kept_by_other: np.ndarray
    scores: Mapping[str, float]  # metric -> value


def represent_overlap(image: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The image in pale grey, coloured where only the first mask is, only the second, or both: uint8 RGB (H, W, 3).

    image: RGB 0-255 (H, W, 3). one, other: bool (h, w), of one size, stretched over the image.
    """
    import cv2
    from matplotlib.colors import to_rgb

    image = representations.check_image(image)
    parts = (np.asarray(one, bool) + 2 * np.asarray(other, bool)).astype(np.uint8)
    parts = cv2.resize(parts, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None].repeat(3, axis=2)
    pale = 100 + 155 / 255 * grey
    for part, colour in enumerate(constants.COLOURS_OVERLAP, start=1):
        tinted = (0.3 * grey / 255 + 0.7) * 255 * np.array(to_rgb(colour))  # multiplied: the picture shows through
        pale = np.where((parts == part)[..., None], tinted, pale)
    return np.rint(pale).astype(np.uint8)


def figure_side_by_side(
    rows: Sequence[Sequence[ExplainedImage | None]], names: Sequence[str], supertitle: str = ""
) -> "Figure":
    """One row per image: the photograph, then every method's heat map over it; None: there is no map.

    rows: for each image an ExplainedImage per name, at least one of them not None.
    """
    cells = [
        [_photograph(next(row for row in explained if row is not None)), *map(_overlay, explained)]
        for explained in rows
    ]
    caption = "each map on its own scale, from its smallest to its largest value; a signed map with 0 in the middle"
    return _draw_page(["image", *names], cells, supertitle, caption)


def figure_ranking(pairs: Sequence[Pair], names: tuple[str, str], fraction: float, supertitle: str = "") -> "Figure":
    """One row per image: the photograph, both heat maps over it, and where the two thresholded maps overlap."""
    cells = [
        [_photograph(pair.one, pair.rank), _overlay(pair.one), _overlay(pair.other), _overlap(pair)] for pair in pairs
    ]
    caption = f"kept of each map: the {100 * fraction:.3g} % of the pixels where it is largest; "
    caption += f"IoU by chance: {fraction / (2 - fraction):.2f}"
    figure = _draw_page(["image", *names, "overlap"], cells, supertitle, caption, legend=True)
    _write_legend(figure, [f"{names[0]} only", f"{names[1]} only", "both"])
    return figure


def figure_matrix(
    names: Sequence[str], summaries: Mapping[str, tuple[np.ndarray, np.ndarray]], supertitle: str = ""
) -> "Figure":
    """Of each metric, how much each pair of methods agrees: mean over the images, below it the deviation.

    summaries: metric of `MEASURES` -> (mean, standard deviation), each (M, M); NaN is left white.
    """
    shown = [drawing.fit_text(name, 1.5) for name in names]
    margin = max(map(drawing.measure_text, shown)) + 0.15
    side, top = MATRIX_CELL * len(names), 5.5 * LINE
    width, height = margin + max(side, 1.9) + 0.06 * side + 0.6, side + margin + 3 * LINE  # the colour bar included
    n_columns = len(summaries) if len(names) <= METHODS_IN_A_ROW else 1
    n_rows = len(summaries) // n_columns
    figure = drawing.new_figure(GAP + width * n_columns, top + height * n_rows - 2 * LINE, supertitle)
    for place, (metric, (mean, std)) in enumerate(summaries.items()):
        row, column = divmod(place, n_columns)
        axes = drawing.add_axes(figure, GAP + column * width + margin, top + row * height, side, side)
        _draw_matrix(axes, shown, mean, std, *MEASURES[metric])
    return figure


def _draw_matrix(axes: "Axes", names, mean, std, heading: str, colormap: str, low: float, high: float) -> None:
    scale = representations.ColourScale(colormap, low, high)
    off_diagonal = ~np.eye(len(names), dtype=bool)  # a map agrees with itself: a colour there would only distract
    known = off_diagonal & ~np.isnan(mean)
    colours = np.where(known[..., None], scale.colour(np.nan_to_num(mean)), np.uint8(245))
    axes.imshow(colours)
    for row, column in np.argwhere(off_diagonal):
        dark = colours[row, column] @ (0.299, 0.587, 0.114) < 128
        text = f"{round(mean[row, column], 2) + 0.0:.2f}\n± {std[row, column]:.2f}" if known[row, column] else "–"
        axes.text(
            column, row, text, color="white" if dark else "#222222", size=constants.FONT_SIZE, ha="center", va="center"
        )
    axes.set_xticks(range(len(names)), names, rotation=90, parse_math=False)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.tick_params(length=0, labelsize=constants.FONT_SIZE)
    axes.spines[:].set_visible(False)
    axes.set_title(heading, size=constants.FONT_SIZE, weight="bold", loc="left", pad=6)
    panels.draw_colour_bar(axes, scale)


# --- pages of cells ------------------------------------------------------------------------------------------
def _draw_page(headings: Sequence[str], cells: Sequence[Sequence[Callable]], supertitle, caption, legend=False):
    """A page of square cells in rows: every function of `cells` draws into the axes of its place."""
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


def _photograph(row: ExplainedImage, rank: int | None = None) -> Callable[["Axes"], None]:
    name = row.name if rank is None else f"{rank}. {row.name}"
    return lambda axes: panels.draw_photograph(axes, replace(row, name=name))


def _overlay(row: ExplainedImage | None) -> Callable[["Axes"], None]:
    def draw(axes: "Axes") -> None:
        if row is None:
            drawing.write_message(axes, "no map")
            return
        panels.draw_overlay(axes, row)
        drawing.write_title(axes, [f"explained: {row.target}" if row.target else "", row.note])

    return draw


def _overlap(pair: Pair) -> Callable[["Axes"], None]:
    def draw(axes: "Axes") -> None:
        picture = represent_overlap(drawing.shrink(pair.one.image), pair.kept_by_one, pair.kept_by_other)
        drawing.show_image(axes, picture, pair.one.size)
        drawing.write_title(
            axes,
            [
                f"IoU {pair.scores['iou']:.2f}",
                f"rank correlation {pair.scores['spearman']:.2f}, PCC {pair.scores['pcc']:.2f}",
            ],
        )

    return draw


def _write_legend(figure: "Figure", labels: Sequence[str]) -> None:
    """Squares of the overlap's colours, each before its label, on the line below the caption."""
    from matplotlib.patches import Patch

    handles = [Patch(color=colour, label=label) for colour, label in zip(constants.COLOURS_OVERLAP, labels)]
    height = figure.get_size_inches()[1]
    figure.legend(
        handles=handles,
        loc="center",
        bbox_to_anchor=(0.5, 1 - 4 * LINE / height),
        ncols=3,
        frameon=False,
        fontsize=constants.FONT_SIZE,
        handlelength=1,
        handleheight=1,
    )
