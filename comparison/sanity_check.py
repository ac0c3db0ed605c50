"""A sanity check: every image explained again under other conditions, how alike the maps are, as tables and figures.

The conditions are the stages of a network that forgets, a twin that takes shifted pixels (sanity_shift.py), attacked
images (sanity_attack.py) or networks that have learnt other labels (sanity.py).
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path

import numpy as np

import constants
import evaluate
import representations
import utils
from constants import CELL_SIDE, FONT_SIZE
from data.dataset import Sample
from explainers.registry import Method
from metrics import agreement, significance
from network.classifier import Classifier
from output.figures import FigureFiles, write_pages
from output.tables import align
from pipeline.run import Run
from pipeline.settings import FigureSettings
from plots import drawing, panels
from plots.drawing import GAP, LINE

SCORES = {  # column -> heading; both maps brought to magnitudes in the second
    "spearman": "rank correlation",
    "spearman_magnitudes": "rank correlation of magnitudes",
    "ssim": "SSIM",
}
WIDTH, HEIGHT = 2.6, 2.2  # inches of a panel of curves
LINES = ("-", "--", ":", "-.")


@dataclass(frozen=True)
class Condition:
    """Under which every image is explained again. key: behind a method's name in files, '' for what all is compared
    with. label: in words. columns: what the tables say of it."""

    key: str
    label: str
    columns: dict

    def method(self, method: Method) -> Method:
        """The method under the name it has here."""
        return replace(method, name=f"{method.name}_{self.key}") if self.key else method


# --- conditions ----------------------------------------------------------------------------------------------
def list_stages(layers: Sequence[str]) -> list[Condition]:
    """The conditions of a network that forgets: 'trained', then down to each of the layers."""
    labels = ["trained", *layers]
    return [
        Condition(f"stage_{stage}" if stage else "", label, {"stage": stage, "randomised_down_to": label})
        for stage, label in enumerate(labels)
    ]


def name_condition(key: str, label: str) -> Condition:
    """A condition that the tables know by its label."""
    return Condition(key, label, {"condition": label})


def name_all(methods: dict[Method, dict], conditions: Sequence[Condition]) -> dict[Method, dict]:
    """The methods, with their options, under all their names."""
    return {condition.method(method): options for condition in conditions for method, options in methods.items()}


@dataclass(frozen=True)
class ChangedSample(Sample):
    """A sample whose image is changed before it is explained. change: of the image, uint8 (H, W, 3)."""

    change: Callable[[np.ndarray], np.ndarray] = field(default=np.asarray, compare=False)

    def read(self) -> np.ndarray:
        """The changed image; errors as `Sample.read`."""
        return self.change(super().read())


def run_again(
    run: Run,
    methods: dict[Method, dict],
    condition: Condition,
    classifier: Classifier,
    change: Callable[[Sample], Callable[[np.ndarray], np.ndarray]] | None = None,
) -> Run | None:
    """What a condition has to explain: every image by this classifier, for the class that was explained first, with no
    gaze to be compared with. None if all of it is explained already.

    change: of a sample, what its image becomes.
    """
    samples = []
    for sample in run.samples:
        found = [run.results.find(method.name, sample) for method in methods]
        classes = [record.class_index for record in found if record is not None]
        if classes:
            samples.append(replace(sample, class_index=classes[0], density_map_path=None, fixations=None))
    here = {condition.method(method): options for method, options in methods.items()}
    if all(run.results.find(method.name, sample) is not None for sample in samples for method in here):
        return None
    if change is not None:
        samples = [ChangedSample(**vars_of(sample), change=change(sample)) for sample in samples]
    images = replace(run.images, samples=samples)
    return replace(run, classifier=classifier, images=images, methods=here, class_rule="label")


def vars_of(sample: Sample) -> dict:
    """The fields of a sample by name."""
    return {entry.name: getattr(sample, entry.name) for entry in fields(Sample)}


def resize(image: np.ndarray, classifier: Classifier) -> np.ndarray:
    """An image at the model's input size, float32, 0-255."""
    size = classifier.input_height, classifier.input_width
    return utils.fit_image(image, *size)


def read_images(samples: Sequence[Sample], classifier: Classifier) -> dict[str, np.ndarray]:
    """Name -> image (H, W, 3) at the model's input size, of those that can be read."""
    images = {}
    for sample in samples:
        with contextlib.suppress(ValueError):
            images[sample.name] = resize(sample.read(), classifier)
    return images


def add_noise(
    classifier: Classifier, size: float, samples: Sequence[Sample], seed: int
) -> Callable[[Sample], Callable[[np.ndarray], np.ndarray]]:
    """Of a sample, what adds `size` or -`size` at random to each value of its image, at the model's input size, uint8:
    in whole grey levels, never further away than `size`."""
    names = [sample.name for sample in samples]

    def change(sample: Sample) -> Callable[[np.ndarray], np.ndarray]:
        def noisy(image: np.ndarray) -> np.ndarray:
            small = resize(image, classifier)
            low, high = np.ceil(np.maximum(small - size, 0)), np.floor(np.minimum(small + size, 255))
            signs = np.random.default_rng([seed, names.index(sample.name)]).choice((-1, 1), small.shape)
            return np.clip(np.round(small + size * signs), low, high).astype(np.uint8)

        return noisy

    return change


# --- tables --------------------------------------------------------------------------------------------------
def compare_conditions(
    run: Run, methods: Sequence[Method], conditions: Sequence[Condition], measure: Callable
) -> dict[str, np.ndarray]:
    """A name of what `measure` gives -> float64 (methods, images, conditions); NaN where there is no map, or a constant
    one. measure: of the first condition's map (H, W) and another, None where it is missing."""
    shape = len(methods), len(run.samples), len(conditions)
    scores: dict[str, np.ndarray] = {}
    for row, method in enumerate(methods):
        for column, sample in enumerate(run.samples):
            maps = [_read_map(run, condition.method(method).name, sample) for condition in conditions]
            if maps[0] is None:
                continue
            for place, saliency_map in enumerate(maps):
                for name, value in measure(maps[0], saliency_map).items():
                    scores.setdefault(name, np.full(shape, np.nan))[row, column, place] = value
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


@dataclass(frozen=True)
class Check:
    """A check with conditions of its own, all compared with the first.

    measure_change: of the first condition's map (H, W) and another, None where it is missing, scores by name; headings:
    of those that are drawn.
    """

    conditions: Sequence[Condition]
    headings: dict[str, str] = field(default_factory=lambda: SCORES)
    measure_change: Callable[[np.ndarray, np.ndarray | None], dict[str, float]] = compare_with_trained


def write_tables(
    run: Run,
    methods: Sequence[Method],
    conditions: Sequence[Condition],
    scores: dict[str, np.ndarray],
    heading: str = "rank correlation with the trained network, down to",
    further: Callable[[Method, Condition, Sample], dict] = lambda method, condition, sample: {},
) -> str:
    """Writes sanity.csv and sanity_summary.csv; the rank correlation of each method and condition as text.

    further: columns of sanity.csv beside the scores.
    """
    rows, summary, lines = [], [], [[heading, *(condition.label for condition in conditions)]]
    for row, method in enumerate(methods):
        cells = []
        for place, condition in enumerate(conditions):
            head = {"method": method.name, **condition.columns}
            for column, sample in enumerate(run.samples):
                values = {name: float(table[row, column, place]) for name, table in scores.items()}
                rows.append({**head, "image": sample.name, **values, **further(method, condition, sample)})
            means = {}
            for name, table in scores.items():
                mean, low, high, n = summarise_stage(table[row, :, place])
                means |= {f"{name}_mean": mean, f"{name}_low": low, f"{name}_high": high, f"{name}_n": n}
            summary.append({**head, **means})
            mean, *_, n = summarise_stage(scores["spearman"][row, :, place])
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


def _show_nothing(method: Method, condition: Condition, sample: Sample) -> list[np.ndarray]:
    return []


# --- figures -------------------------------------------------------------------------------------------------
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
    head = (4 + 1.4 * n_lines) * LINE
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
    step, head = high + GAP, 4.5 * LINE
    pictures = [[show(method, condition, sample) for condition in conditions] for method in methods]
    n_rows = [1 + max(map(len, row)) for row in pictures]
    height = head + sum(n * step + 1.5 * LINE for n in n_rows)
    figure = drawing.new_figure(GAP + len(conditions) * wide, height, sample.name, dpi)
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
    head, row, height = 5 * LINE, 0.2 + 0.11 * len(conditions), 3 * LINE
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
