"""The figures of a sanity check: the curves of all methods, and one image's maps from stage to stage."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import representations
from comparison.sanity_check import SCORES, summarise_stage
from constants import CELL_SIDE, FONT_SIZE
from explainers.registry import Method
from output.files import figure_saver, write_whole
from pipeline.run import Run
from plots import drawing
from plots.drawing import GAP, LINE
from sanity import stage_method

STRIPS = 3  # images whose maps are shown
WIDTH, HEIGHT = 2.6, 2.2  # inches of a panel of curves
LINES = ("-", "--", ":", "-.")


def write_figures(
    run: Run,
    methods: Sequence[Method],
    stages: Sequence[str],
    scores: dict[str, np.ndarray],
    colormap: str,
    alpha: float,
) -> Iterator[Path]:
    """The paths of the curves and the strips, as they are written."""
    names = [method.name for method in methods]
    yield write_whole(run.results.folder / "sanity_curves.png", figure_saver(figure_curves(names, stages, scores)))
    explained = [s for s in run.samples if any(run.results.find(method.name, s) for method in methods)]
    for page, sample in enumerate(explained[:STRIPS], start=1):
        name = "sanity_strip.png" if page == 1 else f"sanity_strip_{page}.png"
        figure = figure_strip(run, methods, stages, sample, colormap, alpha)
        yield write_whole(run.results.folder / name, figure_saver(figure))


def figure_curves(methods: Sequence[str], stages: Sequence[str], scores: dict[str, np.ndarray]):
    """A panel per score: its mean over the images against the stage, with its 95 % interval, a line per method.

    scores: name -> (methods, images, stages), NaN where undefined.
    """
    import matplotlib

    shown = [drawing.fit_text(stage.rsplit("/", 1)[-1], 1.2) for stage in stages]
    below = max(map(drawing.measure_text, shown)) + 0.25
    n_lines = -(-len(methods) // 4)
    head = (4 + 1.4 * n_lines) * LINE
    title = "how alike the maps stay while the network forgets from its output down"
    figure = drawing.new_figure(len(scores) * (WIDTH + 0.6) + GAP, head + HEIGHT + below, title)
    colours = matplotlib.colormaps["tab10"].colors
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
    handles, labels = figure.axes[0].get_legend_handles_labels()
    height = figure.get_size_inches()[1]
    figure.legend(
        handles,
        labels,
        loc="upper center",
        bbox_to_anchor=(0.5, 1 - 2.4 * LINE / height),
        ncols=4,
        frameon=False,
        fontsize=FONT_SIZE,
    )
    return figure


def figure_strip(run: Run, methods: Sequence[Method], stages: Sequence[str], sample, colormap: str, alpha: float):
    """A row per method, a column per stage: the map over the image, each on its own scale."""
    step = CELL_SIDE + GAP
    head = 4.5 * LINE
    figure = drawing.new_figure(GAP + len(stages) * step, head + len(methods) * (step + 1.5 * LINE), sample.name)
    image = drawing.shrink(sample.read())
    for row, method in enumerate(methods):
        top = head + row * (step + 1.5 * LINE) + 1.5 * LINE
        drawing.write(figure, GAP, top - 0.5 * LINE, method.name, 3 * CELL_SIDE, weight="bold")
        for stage, layer in enumerate(stages):
            axes = drawing.add_axes(figure, GAP + stage * step, top, CELL_SIDE, CELL_SIDE)
            if row == 0:
                heading = layer.rsplit("/", 1)[-1] if stage == 0 else f"to {layer.rsplit('/', 1)[-1]}"
                drawing.write(figure, GAP + stage * step, head - 0.5 * LINE, heading, CELL_SIDE)
            record = run.results.find(stage_method(method, stage).name, sample)
            if record is None:
                drawing.write_message(axes, "no map")
                continue
            overlay = representations.represent_heatmap_overlaid(
                run.results.read_map(record), image, colormap, alpha, signed=method.load().signed
            )
            drawing.show_image(axes, overlay)
    return figure
