"""A sanity check: how alike each map is to that of the trained network, stage by stage, as tables and figures."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

import evaluate
import representations
from constants import CELL_SIDE, FONT_SIZE
from data.dataset import Sample
from explainers.registry import Method
from metrics import agreement, significance
from output.figures import FigureFiles, write_pages
from output.tables import align
from pipeline.run import Run
from plots import drawing
from plots.drawing import GAP, LINE

SCORES = {  # column -> heading; both maps brought to magnitudes in the second
    "spearman": "rank correlation",
    "spearman_magnitudes": "rank correlation of magnitudes",
    "ssim": "SSIM",
}
STRIPS = 3  # images whose maps are shown
WIDTH, HEIGHT = 2.6, 2.2  # inches of a panel of curves
LINES = ("-", "--", ":", "-.")


# --- stages --------------------------------------------------------------------------------------------------
def stage_method(method: Method, stage: int) -> Method:
    """The method under the name it has in a stage; stage 0 is the method itself."""
    return replace(method, name=f"{method.name}_stage_{stage}") if stage else method


def stage_run(run: Run, methods: dict[Method, dict], stage: int) -> Run | None:
    """What a stage has to explain: every image by the network as it is now, for the class of stage 0, with no gaze to
    be compared with. None if all of it is explained already."""
    samples = []
    for sample in run.samples:
        found = [run.results.find(method.name, sample) for method in methods]
        classes = [record.class_index for record in found if record is not None]
        if classes:
            samples.append(replace(sample, class_index=classes[0], density_map_path=None, fixations=None))
    staged = {stage_method(method, stage): options for method, options in methods.items()}
    if all(run.results.find(method.name, sample) is not None for sample in samples for method in staged):
        return None
    images = replace(run.images, samples=samples)
    return replace(run, classifier=run.classifier.rebuilt(), images=images, methods=staged, class_rule="label")


# --- tables --------------------------------------------------------------------------------------------------
def compare_stages(run: Run, methods: Sequence[Method], stages: Sequence[str]) -> dict[str, np.ndarray]:
    """A name of `SCORES` -> float64 (methods, images, stages); NaN where there is no map, or a constant one."""
    shape = len(methods), len(run.samples), len(stages)
    scores = {name: np.full(shape, np.nan) for name in SCORES}
    for row, method in enumerate(methods):
        for column, sample in enumerate(run.samples):
            maps = [_read_map(run, stage_method(method, stage).name, sample) for stage in range(len(stages))]
            if maps[0] is None:
                continue
            for stage, saliency_map in enumerate(maps):
                for name, value in compare_with_trained(maps[0], saliency_map).items():
                    scores[name][row, column, stage] = value
    return scores


def compare_with_trained(trained: np.ndarray, saliency_map: np.ndarray | None) -> dict[str, float]:
    """The scores of a map (H, W) against that of the trained network; NaN where they are undefined."""
    if saliency_map is None:
        return dict.fromkeys(SCORES, np.nan)
    try:
        ssim = evaluate.calculate_ssim(trained, saliency_map)
    except evaluate.Undefined:
        ssim = np.nan
    pairs = [trained, saliency_map], [np.abs(trained), np.abs(saliency_map)]
    plain, magnitudes = (agreement.compare_maps(pair, fraction=1)["spearman"][0, 1] for pair in pairs)
    return {"spearman": plain, "spearman_magnitudes": magnitudes, "ssim": ssim}


def write_tables(run: Run, methods: Sequence[Method], stages: Sequence[str], scores: dict[str, np.ndarray]) -> str:
    """Writes sanity.csv and sanity_summary.csv; the rank correlation of each method and stage as text."""
    rows, summary, lines = [], [], [["rank correlation with the trained network, down to", *stages]]
    for row, method in enumerate(methods):
        cells = []
        for stage, layer in enumerate(stages):
            place = {"method": method.name, "stage": stage, "randomised_down_to": layer}
            for column, sample in enumerate(run.samples):
                values = {name: float(table[row, column, stage]) for name, table in scores.items()}
                rows.append({**place, "image": sample.name, **values})
            means = {}
            for name, table in scores.items():
                mean, low, high, n = summarise_stage(table[row, :, stage])
                means |= {f"{name}_mean": mean, f"{name}_low": low, f"{name}_high": high, f"{name}_n": n}
            summary.append({**place, **means})
            mean, *_, n = summarise_stage(scores["spearman"][row, :, stage])
            cells.append(f"{mean:.2f}" + (f" (n={n})" if n < len(run.samples) else "") if n else "-")
        lines.append([method.name, *cells])
    run.results.write_table("sanity.csv", rows)
    run.results.write_table("sanity_summary.csv", summary)
    return align(lines)


def summarise_stage(values: np.ndarray) -> tuple[float, float, float, int]:
    """Mean, the ends of its 95 % bootstrap interval and count of values (n,), NaN left out."""
    known = values[~np.isnan(values)]
    interval = significance.bootstrap_interval(known) if len(known) > 1 else None
    return (float(known.mean()) if len(known) else np.nan, *(interval or (np.nan, np.nan)), len(known))


def _read_map(run: Run, name: str, sample: Sample) -> np.ndarray | None:
    record = run.results.find(name, sample)
    return None if record is None else run.results.read_map(record)


# --- figures -------------------------------------------------------------------------------------------------
def write_sanity_pages(
    run: Run,
    methods: Sequence[Method],
    stages: Sequence[str],
    scores: dict[str, np.ndarray],
    colormap: str,
    alpha: float,
) -> Iterator[Path]:
    """The paths of the curves and the strips, as they are written."""
    folder, names = run.results.folder, [method.name for method in methods]
    yield FigureFiles().write(folder / "sanity_curves", lambda: figure_curves(names, stages, scores))
    explained = [s for s in run.samples if any(run.results.find(method.name, s) for method in methods)]
    strip = partial(figure_strip, run, methods, stages, colormap=colormap, alpha=alpha)
    yield from write_pages(folder / "sanity_strip", explained[:STRIPS], 1, lambda page: strip(page[0]))


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


def figure_strip(
    run: Run, methods: Sequence[Method], stages: Sequence[str], sample: Sample, colormap: str, alpha: float
):
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
