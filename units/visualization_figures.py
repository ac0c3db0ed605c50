"""Pages of visualizations: each image under its target and the classifier's verdict, the curve of its ascent below."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import constants
from data.images import read_image
from output.figures import write_pages
from output.files import read_curve
from plots import drawing
from units.visualization import SURE_PROBABILITY, Visualizer

TARGETS_PER_PAGE = 12


@dataclass(frozen=True)
class Visualization:
    """image: uint8 RGB (H, W, 3). curve (steps, 3): step, score, objective. lines: of the title, the name first."""

    image: np.ndarray
    curve: np.ndarray
    lines: Sequence[str]


def figure_visualizations(shown: Sequence[Visualization], n_columns: int, title: str):
    """One page: rows of n_columns images with their curves."""
    cell, gap, line = constants.CELL_SIDE * 1.25, 2.4 * drawing.GAP, drawing.LINE
    head, curve_height = 3 * line, 0.42 * cell
    title_height = (max(len(one.lines) for one in shown) + 0.6) * line
    step = title_height + cell + 0.18 + curve_height + 3.2 * line
    n_rows = -(-len(shown) // n_columns)
    figure = drawing.new_figure(max(n_columns * (cell + gap) + gap, 3.5), head + n_rows * step, title)
    for place, one in enumerate(shown):
        row, column = divmod(place, n_columns)
        left, top = gap + column * (cell + gap), head + row * step + title_height
        axes = drawing.add_axes(figure, left, top, cell, cell)
        drawing.show_image(axes, one.image)
        drawing.write_title(axes, one.lines, cell + gap / 2)
        draw_curve(drawing.add_axes(figure, left, top + cell + 0.18, cell, curve_height), one.curve)
    return figure


def draw_curve(axes, curve: np.ndarray) -> None:
    """Score against the step and, where penalties make a difference, the objective."""
    drawing.quieten(axes)
    steps, score, objective = curve.T
    axes.plot(steps, score, color=constants.COLOUR_INSERTION, linewidth=1.1, label="score")
    if not np.allclose(score, objective):
        style = {"color": constants.COLOUR_DELETION, "linewidth": 0.9, "linestyle": "--"}
        axes.plot(steps, objective, label="less penalties", **style)
        above = {"loc": "lower right", "bbox_to_anchor": (1, 0.94), "ncols": 2, "frameon": False}
        axes.legend(fontsize=drawing.SMALL, borderpad=0.1, columnspacing=1, **above)
    axes.set_xlabel("step", size=drawing.SMALL, labelpad=1)
    axes.locator_params(nbins=4)


def write_visualization_pages(
    visualizer: Visualizer, rows: Sequence[dict], n_methods: int, model_name: str
) -> Iterator[Path]:
    """The paths of the pages for rows of results.csv, as they are written; several methods stand side by side."""
    n_columns = n_methods if n_methods > 1 else min(4, len(rows))
    size = max(1, TARGETS_PER_PAGE // n_columns) * n_columns
    shown = (read_visualization(visualizer, row) for row in rows)
    path, title = visualizer.folder / "feature_visualization", f"what excites {model_name}"
    return write_pages(path, shown, size, lambda page: figure_visualizations(page, n_columns, title))


def read_visualization(visualizer: Visualizer, row: dict) -> Visualization:
    """Image and curve of a row from the files of the run."""
    method, stem = row["method"], row["stem"]
    curve = read_curve(visualizer.curve_path(method, stem), 3)
    verdict = f"classified as {row['verdict']} {float(row['probability']):.2f}"
    if row["is_sure"] == "no":
        verdict = f"NOT over {SURE_PROBABILITY}: {row['verdict']} {float(row['probability']):.3f}"
    return Visualization(read_image(visualizer.image_path(method, stem)), curve, [row["target"], method, verdict])
