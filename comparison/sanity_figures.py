"""The figures of a sanity check: means against the stage or under each condition; an image's maps in a strip."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

import constants
import representations
import utils
from comparison.sanity_check import SCORES, Condition, summarise_stage
from constants import CELL_SIDE, FONT_SIZE
from data.dataset import Sample
from explainers.registry import Method
from output.figures import FigureFiles, write_pages
from pipeline.run import Run
from pipeline.settings import FigureSettings
from plots import drawing, panels
from plots.drawing import GAP, LINE

WIDTH, HEIGHT = 2.6, 2.2  # inches of a panel of curves
LINES = ("-", "--", ":", "-.")


def _show_nothing(method: Method, condition: Condition, sample: Sample) -> list[np.ndarray]:
    return []


def write_sanity_pages(
    run: Run,
    methods: Sequence[Method],
    conditions: Sequence[Condition],
    scores: dict[str, np.ndarray],
    colormap: str,
    alpha: float,
    wanted: FigureSettings,
) -> Iterator[Path]:
    """The paths of the curves and the strips, as they are written."""
    if wanted.n_images == 0:
        return
    folder, names = run.results.folder, [method.name for method in methods]
    labels = [condition.label for condition in conditions]
    files = FigureFiles(wanted.formats)
    yield files.write(folder / "sanity_curves", lambda: figure_curves(names, labels, scores, wanted.dpi))
    yield from write_strips(run, methods, conditions, colormap, alpha, wanted)


def write_condition_pages(
    run: Run,
    methods: Sequence[Method],
    conditions: Sequence[Condition],
    scores: dict[str, np.ndarray],
    headings: dict[str, str],
    title: str,
    colormap: str,
    alpha: float,
    wanted: FigureSettings,
    show: Callable | None = None,
) -> Iterator[Path]:
    """The paths of the points, of all conditions but the first, and of the strips, as they are written."""
    if wanted.n_images == 0:
        return
    names, labels = [method.name for method in methods], [condition.label for condition in conditions[1:]]
    others = {name: table[..., 1:] for name, table in scores.items()}
    path = run.results.folder / "sanity_points"
    files = FigureFiles(wanted.formats)
    yield files.write(path, lambda: figure_points(names, labels, others, headings, title, wanted.dpi))
    yield from write_strips(run, methods, conditions, colormap, alpha, wanted, show or _show_nothing)


def write_strips(
    run: Run,
    methods: Sequence[Method],
    conditions: Sequence[Condition],
    colormap: str,
    alpha: float,
    wanted: FigureSettings,
    show: Callable[[Method, Condition, Sample], list[np.ndarray]] = _show_nothing,
) -> Iterator[Path]:
    """The paths of the strips of the first n_images; show: pictures above a map, of one size for all."""
    explained = [s for s in run.samples if any(run.results.find(method.name, s) for method in methods)]
    look = {"colormap": colormap, "alpha": alpha, "show": show, "dpi": wanted.dpi}
    strip = partial(figure_strip, run, methods, conditions, **look)
    path, files = run.results.folder / "sanity_strip", FigureFiles(wanted.formats)
    yield from write_pages(path, explained[: wanted.n_images], 1, lambda page: strip(page[0]), files)


def figure_curves(
    methods: Sequence[str], stages: Sequence[str], scores: dict[str, np.ndarray], dpi: float = constants.FIGURE_DPI
):
    """A panel per score: its mean over the images against the stage, with its 95 % interval, a line per method.

    scores: name -> (methods, images, stages), NaN where undefined.
    """
    shown = [drawing.fit_text(stage.rsplit("/", 1)[-1], 1.2) for stage in stages]
    below = max(map(drawing.measure_text, shown)) + 0.25
    n_lines = -(-len(methods) // 4)
    head = (4.6 + 1.4 * n_lines) * LINE
    title = "how alike the maps stay while the network forgets from its output down"
    figure = drawing.new_figure(len(scores) * (WIDTH + 0.6) + GAP, head + HEIGHT + below, title, dpi)
    colours = matplotlib_colours()
    for place, (name, table) in enumerate(scores.items()):
        axes = drawing.add_axes(figure, 0.45 + place * (WIDTH + 0.6), head, WIDTH, HEIGHT)
        drawing.quieten(axes)
        for row, method in enumerate(methods):
            found = np.array([summarise_stage(table[row, :, stage])[:3] for stage in range(len(stages))])
            style = {"color": colours[row % 10], "linestyle": LINES[row // 10 % len(LINES)]}
            axes.plot(found[:, 0], marker=".", linewidth=1.2, label=method, **style)
            band = {"color": style["color"], "alpha": 0.12, "linewidth": 0}
            axes.fill_between(range(len(stages)), found[:, 1], found[:, 2], **band)
        axes.axhline(0, color="#222222", linewidth=0.6)
        axes.set_title(SCORES[name], size=FONT_SIZE, loc="left")
        axes.set_xticks(range(len(stages)), shown, rotation=90, parse_math=False)
        axes.set_ylim(min(-0.25, np.nanmin(table, initial=0)) - 0.05, 1.05)
    drawing.write_legend(figure, 2.4 * LINE, 4)
    return figure


def figure_strip(
    run: Run,
    methods: Sequence[Method],
    conditions: Sequence[Condition],
    sample: Sample,
    colormap: str,
    alpha: float,
    show: Callable[[Method, Condition, Sample], list[np.ndarray]] = _show_nothing,
    dpi: float = constants.FIGURE_DPI,
):
    """A row per method, a column per condition: the map over the image, each on its own scale with its colour bar;
    above it the pictures that `show` gives."""
    image = drawing.shrink(sample.read(), dpi)
    size = image.shape[:2]
    high, wide = drawing.picture_height(size), CELL_SIDE + drawing.BAR_ROOM + GAP / 2
    step, head = high + GAP, 6 * LINE
    pictures = [[show(method, condition, sample) for condition in conditions] for method in methods]
    n_rows = [1 + max(map(len, row)) for row in pictures]
    height = head + sum(n * step + 1.5 * LINE for n in n_rows)
    width = GAP + len(conditions) * wide
    figure = drawing.new_figure(width, height, sample.name, dpi)
    caption = "each map on its own scale"
    caption += "; above it the picture, and what was changed (grey: nothing)" if max(n_rows) > 1 else ""
    text = drawing.write(figure, width / 2, 2.9 * LINE, caption, width - 2 * GAP, color="#444444")
    text.set_horizontalalignment("center")
    top = head
    for row, method in enumerate(methods):
        top += 1.5 * LINE
        drawing.write(figure, GAP, top - 0.5 * LINE, method.name, 3 * CELL_SIDE, weight="bold")
        for place, condition in enumerate(conditions):
            left = GAP + place * wide
            for line, picture in enumerate(pictures[row][place]):
                axes = drawing.add_axes(figure, left, top + line * step, CELL_SIDE, high)
                drawing.show_image(axes, picture, size)
            axes = drawing.add_axes(figure, left, top + (n_rows[row] - 1) * step, CELL_SIDE, high)
            if row == 0:
                short = condition.label.rsplit("/", 1)[-1]
                heading = f"to {short}" if condition.columns.get("stage") else short
                drawing.write(figure, left, head - 0.5 * LINE, heading, CELL_SIDE)
            record = run.results.find(condition.method(method).name, sample)
            if record is None:
                drawing.write_message(axes, "no map")
                continue
            saliency_map, signed = run.results.read_map(record), method.load().signed
            overlay = representations.represent_heatmap_overlaid(saliency_map, image, colormap, alpha, signed=signed)
            drawing.show_image(axes, overlay)
            if not utils.is_constant(saliency_map):
                panels.draw_colour_bar(axes, representations.colour_scale(saliency_map, colormap, signed=signed))
        top += n_rows[row] * step
    return figure


def figure_points(
    methods: Sequence[str],
    conditions: Sequence[str],
    scores: dict[str, np.ndarray],
    headings: dict[str, str],
    title: str,
    dpi: float = constants.FIGURE_DPI,
):
    """A panel per score: for each method its mean over the images under each condition, with its 95 % interval.

    scores: name -> (methods, images, conditions), NaN where undefined; headings: of the panels, by name of the score.
    """
    margin = max(map(drawing.measure_text, methods)) + 0.2
    head, row, height = 6 * LINE, 0.2 + 0.11 * len(conditions), 3 * LINE
    width = margin + len(headings) * (WIDTH + 0.4) + GAP
    figure = drawing.new_figure(width, head + len(methods) * row + height, title, dpi)
    colours = matplotlib_colours()
    for panel, (name, heading) in enumerate(headings.items()):
        axes = drawing.add_axes(figure, margin + panel * (WIDTH + 0.4), head, WIDTH, len(methods) * row)
        drawing.quieten(axes)
        for place, condition in enumerate(conditions):
            found = np.array([summarise_stage(scores[name][number, :, place])[:3] for number in range(len(methods))])
            lines = np.arange(len(methods)) + (place - (len(conditions) - 1) / 2) * 0.7 / len(conditions)
            axes.plot(found[:, 0], lines, "o", markersize=4, color=colours[place], label=condition)
            axes.hlines(lines, found[:, 1], found[:, 2], color=colours[place], linewidth=1.2)
        axes.set_ylim(len(methods) - 0.5, -0.5)
        axes.set_yticks(range(len(methods)), methods if panel == 0 else [""] * len(methods), parse_math=False)
        axes.set_title(heading, size=FONT_SIZE, loc="left")
    drawing.write_legend(figure, 2.2 * LINE, len(conditions))
    return figure


def matplotlib_colours() -> list:
    """Ten colours that tell lines apart."""
    import matplotlib

    return matplotlib.colormaps["tab10"].colors
