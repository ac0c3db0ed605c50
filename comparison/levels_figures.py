"""The figures of a run on several levels: the maps of all levels side by side, and each measure against granularity."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import constants
from comparison.levels import LevelRun
from comparison.levels_tables import SCORES, Measured
from explainers.registry import METHODS
from output.figures import FigureFiles, write_pages
from pipeline import run_figures
from pipeline.settings import FigureSettings
from plots import drawing
from plots.drawing import GAP, LINE
from plots.pages import figure_side_by_side
from plots.panels import ExplainedImage

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_WIDTH, PANEL_HEIGHT = 2.4, 1.6  # inches
PANELS_IN_A_ROW = 3
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe and Ito; then from the first again


def write_level_pages(
    measured: Measured, folder: str | Path, colormap: str, alpha: float, wanted: FigureSettings
) -> Iterator[Path]:
    """The paths of the pages of each method, with the first n_images that are wanted, and of the curves, as they are
    written."""
    if wanted.n_images == 0:
        return
    folder, run, files = Path(folder), measured.level_runs[0].run, FigureFiles(wanted.formats)
    style = {"colormap": colormap, "alpha": alpha, "density_note": run.images.gaze_note}
    names = [f"{level.name} ({level.n_classes} classes)" for level in measured.level_runs]
    for method in run.names:
        title = f"{method} on every level of labels, {run.description['model_name']}"
        rows = (_explain(measured, method, place, style) for place in range(len(run.samples)))
        rows = islice((row for row in rows if any(cell is not None for cell in row)), wanted.n_images)
        draw = partial(figure_side_by_side, names=names, supertitle=title, dpi=wanted.dpi)
        yield from write_pages(folder / f"side_by_side_{method}", rows, constants.ROWS_PER_PAGE, draw, files)
    yield files.write(folder / "granularity", lambda: figure_granularity(measured.levels, wanted.dpi))


def _explain(measured: Measured, method: str, place: int, style: dict) -> list[ExplainedImage | None]:
    """One image on every level; None where it failed."""
    return [_explain_level(measured, method, level, place, style) for level in measured.level_runs]


def _explain_level(measured: Measured, method: str, level: LevelRun, place: int, style: dict) -> ExplainedImage | None:
    sample = level.run.samples[place]
    record = level.run.record(method, sample)
    if record.failed:
        return None
    look = {**style, "signed": METHODS[method].load().signed}
    explained = run_figures.explained_image(level.run.results, sample, record, look)
    row = measured.row_of[method, level.name, sample.name]
    numbers = [("probability", "p"), ("area", "area"), ("entropy", "entropy")]
    note = ", ".join(f"{word} {row[name]:.2f}" for name, word in numbers if row[name] == row[name])
    return replace(explained, target=record.class_name, note=note if record.status == "ok" else record.status)


def figure_granularity(levels: Sequence[dict], dpi: float = constants.FIGURE_DPI) -> "Figure":
    """Each measure against the number of classes, a line per method; a trained model's as a ring beside the line.

    levels: the rows of levels.csv. A measure without a value is left out.
    """
    shown = [name for name in SCORES if any(row[f"{name}_n"] for row in levels)]
    methods = list(dict.fromkeys(row["method"] for row in levels))
    n_rows = -(-len(shown) // PANELS_IN_A_ROW)
    step, head = PANEL_HEIGHT + 6 * LINE, 6 * LINE
    width = GAP + PANELS_IN_A_ROW * (PANEL_WIDTH + 3 * GAP)
    title = "what a level of labels changes, by its number of classes"
    figure = drawing.new_figure(width, head + n_rows * step, title, dpi)
    for place, name in enumerate(shown):
        row, column = divmod(place, PANELS_IN_A_ROW)
        left = 3 * GAP + column * (PANEL_WIDTH + 3 * GAP)
        axes = drawing.add_axes(figure, left, head + row * step, PANEL_WIDTH, PANEL_HEIGHT)
        _draw_measure(axes, levels, methods, name)
    drawing.write_legend(figure, 3.2 * LINE, 6, "center")
    return figure


def _draw_measure(axes: "Axes", levels: Sequence[dict], methods: Sequence[str], name: str) -> None:
    drawing.quieten(axes)
    for place, method in enumerate(methods):
        colour = COLOURS[place % len(COLOURS)]
        rows = sorted((row for row in levels if row["method"] == method), key=lambda row: row["n_classes"])
        for trained, marker, face in ((False, "o-", colour), (True, "o", "none")):
            chosen = [row for row in rows if row["level"].endswith(", trained") == trained and row[f"{name}_n"]]
            label = f"{method}, trained on the level" if trained else method
            if chosen:
                axes.plot(
                    [row["n_classes"] for row in chosen],
                    [row[f"{name}_mean"] for row in chosen],
                    marker,
                    color=colour,
                    markerfacecolor=face,
                    markersize=7 if trained else 4,
                    linewidth=1.2,
                    label=label,
                )
    sizes = {row["n_classes"]: row["level"].removesuffix(", trained") for row in levels}
    axes.set_xscale("log")
    axes.set_xticks(list(sizes), [f"{level}\n{size}" for size, level in sizes.items()], parse_math=False)
    axes.set_xticks([], minor=True)
    axes.set_xlim(min(sizes) / 1.3, max(sizes) * 1.3)
    axes.set_ylim(-0.03, 1.03)
    axes.set_title(SCORES[name], size=constants.FONT_SIZE, weight="bold", loc="left")
