"""Matplotlib figures of a report: boxes, mean curves, gaze against faithfulness, the best and the worst images.

Every function returns a new Figure, or None where there is nothing to draw, and shows or writes nothing.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import constants
import representations
import utils
from constants import CELL_SIDE, COLOUR_DELETION, COLOUR_INSERTION, COLOUR_QUIET, FONT_SIZE
from explainers.registry import METHODS
from metrics import catalogue
from output.tables import mean_and_deviation
from plots import drawing, panels
from plots.drawing import GAP, LINE
from reporting.runs import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS_PER_ROW = 3
PANEL = 1.9  # inches: width of a panel, and height of one that shows curves
BAR = 0.19  # inches for one row of a box plot
EXTREMES = 3  # best and worst images shown of each row
MOST_DIFFERENT = 6  # images shown on which network and people differ most
METHODS_SHOWN = 6  # columns of maps at most
GAZE = "gaze"  # stands for where people looked in the place of a method


def figure_boxes(report: Report) -> "Figure | None":
    """Of each metric a panel: the values of every row as a box with its median, its mean as a dot."""
    rows = report.rows
    margin = max(map(drawing.measure_text, map(_short, rows))) + 0.1
    height = BAR * len(rows) + 0.1

    def draw(axes, metric: catalogue.Metric) -> None:
        values = [list(report.values(row, metric.name).values()) for row in rows]
        style = {"color": "#444444", "linewidth": 0.8}
        axes.boxplot(
            values,
            orientation="horizontal",
            widths=0.6,
            showmeans=True,
            patch_artist=True,
            boxprops={"facecolor": "#dbe9f4", "edgecolor": "#444444", "linewidth": 0.8},
            whiskerprops=style,
            capprops=style,
            medianprops={"color": COLOUR_INSERTION, "linewidth": 1.4},
            meanprops={"marker": ".", "markerfacecolor": "#222222", "markeredgecolor": "none", "markersize": 5},
            flierprops={"marker": ".", "markersize": 2.5, "markeredgecolor": COLOUR_QUIET},
        )
        axes.set_yticks(range(1, len(rows) + 1), map(_short, rows), parse_math=False, size=FONT_SIZE)
        axes.invert_yaxis()
        axes.set_title(f"{metric.heading} {metric.arrow}", size=FONT_SIZE, weight="bold", loc="left")

    return _panels(report.measured, draw, height, margin)


def figure_curves(report: Report) -> "Figure | None":
    """Of each row a panel: insertion and deletion, the mean over the images and the band of one sample deviation."""
    found = {row: curves for row in report.rows if (curves := report.curves(row)) is not None}

    def draw(axes, row: str) -> None:
        fractions, inserted, deleted = found[row]
        lines = ("insertion", inserted, COLOUR_INSERTION, "-"), ("deletion", deleted, COLOUR_DELETION, "--")
        for name, scores, colour, style in lines:
            mean, std, _ = mean_and_deviation(scores)
            band = np.clip((mean - std, mean + std), 0, 1)  # no probability lies beyond
            axes.fill_between(fractions, *band, color=colour, alpha=0.15, linewidth=0)
            axes.plot(fractions, mean, style, color=colour, linewidth=1.3, label=name)
        axes.set(xlim=(0, 1), ylim=(-0.02, 1.02))
        axes.set_title(_short(row), size=FONT_SIZE, weight="bold", loc="left", parse_math=False)
        axes.set_xlabel("fraction of pixels", size=drawing.SMALL)
        axes.legend(fontsize=drawing.SMALL, frameon=False, loc="best")

    return _panels(list(found), draw, PANEL, 0.35)


def figure_scatter(report: Report) -> "Figure | None":
    """Of each method a panel: gaze against faithfulness, a dot per image, with their rank correlation."""
    gaze = report.judged_by
    if gaze not in ("nss", "pcc"):
        return None
    pairs = {}
    for row in report.methods:
        likeness, insertion = report.values(row, gaze), report.values(row, "insertion_auc")
        images = [image for image in likeness if image in insertion]
        if len(images) > 2:
            pairs[row] = np.array([(likeness[image], insertion[image]) for image in images]).T

    def draw(axes, row: str) -> None:
        x, y = pairs[row]
        axes.plot(x, y, "o", markersize=3, color=COLOUR_INSERTION, alpha=0.7, markeredgecolor="none")
        axes.set_title(f"{_short(row)}: {_rank_correlation(x, y)}", size=FONT_SIZE, loc="left", parse_math=False)
        axes.set_xlabel(catalogue.METRICS[gaze].heading, size=drawing.SMALL)
        axes.set_ylabel("insertion", size=drawing.SMALL)

    return _panels(list(pairs), draw, PANEL, 0.45)


def figure_extremes(report: Report) -> "Figure | None":
    """A row per method: its best images on the left, its worst on the right, the heat map over each."""
    shown = {}
    for row in report.methods:
        ranked = report.rank_images(row)
        n = min(EXTREMES, len(ranked) // 2)
        if n:
            shown[row] = ranked[:n], ranked[-n:]
    if not shown:
        return None
    n_columns = 2 * max(len(best) for best, _ in shown.values())
    heading = catalogue.METRICS[report.judged_by].heading
    cells = {}
    for line, (row, (best, worst)) in enumerate(shown.items()):
        places = [*range(len(best)), *range(n_columns - len(worst), n_columns)]  # fewer leave the middle empty
        for place, (image, value) in zip(places, [*best, *worst]):
            cells[line, place] = (row, image, f"{heading} {value:z.2f}", image)
    return _picture_page(report, cells, list(shown), n_columns, f"best (left) and worst (right) images by {heading}")


def figure_most_different(report: Report) -> "Figure | None":
    """A row per image on which maps and gaze differ most: the image, the gaze, and every map over the image."""
    ranked = report.most_different()[:MOST_DIFFERENT]
    if not ranked:
        return None
    heading = catalogue.METRICS[report.judged_by].heading
    methods = report.methods[:METHODS_SHOWN]
    cells, names = {}, []
    for line, (image, mean) in enumerate(ranked):
        names.append(f"{image}: mean {heading} {mean:z.2f}")
        cells[line, 0] = (None, image, "image")
        cells[line, 1] = (GAZE, image, "where people looked")
        for place, row in enumerate(methods, start=2):
            value = report.values(row, report.judged_by).get(image)
            cells[line, place] = (row, image, _short(row) if value is None else f"{_short(row)} {value:z.2f}")
    title = f"images on which network and people differ most, by {heading}"
    return _picture_page(report, cells, names, 2 + len(methods), title)


# --- what they share -----------------------------------------------------------------------------------------
def _short(row: str) -> str:
    return drawing.fit_text(row, 1.5)


def _rank_correlation(x: np.ndarray, y: np.ndarray) -> str:
    from scipy.stats import spearmanr

    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return "constant"
    return f"rank correlation {spearmanr(x, y).statistic:z.2f}"


def _panels(things: Sequence, draw, height: float, margin: float) -> "Figure | None":
    """A figure of a panel for each thing, `PANELS_PER_ROW` in a row; draw(axes, thing). margin: inches for labels."""
    if not things:
        return None
    n_columns = min(PANELS_PER_ROW, len(things))
    n_rows = -(-len(things) // n_columns)
    step = margin + PANEL + 2 * GAP, height + 5 * LINE
    figure = drawing.new_figure(GAP + n_columns * step[0], GAP + n_rows * step[1])
    for index, thing in enumerate(things):
        row, column = divmod(index, n_columns)
        left, top = GAP + margin + column * step[0], 2 * LINE + row * step[1]
        axes = drawing.add_axes(figure, left, top, PANEL, height)
        drawing.quieten(axes)
        draw(axes, thing)
    return figure


def _picture_page(report: Report, cells: dict, names: Sequence[str], n_columns: int, title: str) -> "Figure":
    """Rows of pictures under their names.

    cells: (row, column) -> what is laid over the image (a method, GAZE, or None), the image, the lines above it.
    """
    n_lines = max(len(cell) for cell in cells.values()) - 2
    above = (1.8 + n_lines) * LINE  # a picture: the name of its row and its own lines
    width = CELL_SIDE + drawing.BAR_ROOM + GAP / 2  # of a column, its colour bar included
    images = {}  # each is read once, though it stands in several cells
    for name in {cell[1] for cell in cells.values()}:
        image = report.read_image(name)
        images[name] = None if image is None else drawing.shrink(image)
    heights = [drawing.LEAST] * len(names)
    for (line, _), (_, name, *_) in cells.items():  # a row is as high as its highest picture
        image = images[name]
        height = CELL_SIDE if image is None else drawing.picture_height(image.shape[:2])
        heights[line] = max(heights[line], height)
    tops = np.cumsum([3 * LINE, *(height + GAP + above for height in heights)])
    figure = drawing.new_figure(GAP + n_columns * width, tops[-1], title)
    for top, name in zip(tops, names):
        drawing.write(figure, GAP, top + LINE, name, figure.get_figwidth() - 2 * GAP, weight="bold")
    for (line, column), (row, name, *lines) in cells.items():
        left, top = GAP + column * width, tops[line] + above
        axes = drawing.add_axes(figure, left, top, CELL_SIDE, heights[line])
        _draw_cell(axes, images[name], report, row, name)
        drawing.write_title(axes, lines[::-1])
    return figure


def _draw_cell(axes, image: np.ndarray | None, report: Report, row: str | None, name: str) -> None:
    saliency_map = None
    if row is not None:
        saliency_map = report.read_density(name) if row == GAZE else report.read_map(row, name)
    if image is None or (row is not None and saliency_map is None):
        drawing.write_message(axes, "no image" if image is None else "no map")
        return
    if row is not None:
        signed = row != GAZE and METHODS[row.split(" in ")[0]].load().signed
        style = constants.COLORMAP, constants.ALPHA
        image = representations.represent_heatmap_overlaid(saliency_map, image, *style, signed=signed)
    drawing.show_image(axes, image)
    if row is not None and not utils.is_constant(saliency_map):
        panels.draw_colour_bar(axes, representations.colour_scale(saliency_map, style[0], signed=signed))
