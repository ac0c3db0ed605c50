"""The figures of a comparison: the matrix over methods, maps side by side, the ranking of the images of each pair.

They are drawn from the files of a run. A heat map is drawn on its own scale, because those of two methods have no
common unit; measures share one scale over all figures.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import constants
import representations
from comparison.methods_tables import Comparison
from data.dataset import Sample
from explainers.registry import METHODS
from metrics import agreement
from output.figures import FigureFiles, write_pages
from output.tables import MEANS, mean_and_deviation
from pipeline import run_figures
from pipeline.settings import FigureSettings
from plots import drawing, panels
from plots.drawing import Cell, picture_height
from plots.pages import GAP, LINE, cell_overlay, cell_photograph, draw_cells, figure_side_by_side
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


class MapPair(NamedTuple):
    """Two methods' maps of one image: the explained images, where each map is kept (H, W), and how they agree."""

    rank: int
    one: ExplainedImage
    other: ExplainedImage
    kept_by_one: np.ndarray
    kept_by_other: np.ndarray
    scores: Mapping[str, float]  # metric -> value


def write_comparison_pages(compared: Comparison, colormap: str, alpha: float, wanted: FigureSettings) -> Iterator[Path]:
    """The paths of the matrix, the pages side by side and the ranking of each pair, as they are written.

    wanted: the first n_images stand side by side, and of each ranking the n_images at both of its ends; of more than
    n_images pairs, those at both ends of `rank_pairs` are ranked.
    """
    if wanted.n_images == 0:
        return
    folder, names, model = compared.run.results.folder, compared.run.names, compared.run.description["model_name"]
    means = {metric: mean_and_deviation(values)[:2] for metric, values in compared.scores.items()}
    title = f"agreement of methods, {model}: {MEANS} over {len(compared.run.samples)} images"
    title += ", undefined ones left out" if compared.reasons else ""
    files = FigureFiles(wanted.formats)
    yield files.write(folder / "agreement_matrix", lambda: figure_matrix(names, means, title, wanted.dpi))
    style = {"colormap": colormap, "alpha": alpha, "density_note": ""}
    explained = [
        sample for sample in compared.run.samples if any(not compared.run.record(name, sample).failed for name in names)
    ]
    shown = explained[: wanted.n_images]
    rows = ([_explained(compared, name, sample, style) for name in names] for sample in shown)
    title = f"explanations side by side, {model}"
    draw = partial(figure_side_by_side, names=names, supertitle=title, dpi=wanted.dpi)
    yield from write_pages(folder / "side_by_side", rows, constants.ROWS_PER_PAGE, draw, files)
    drawn = choose_pairs(compared, wanted)
    for pair in compared.pairs:
        yield from _write_ranking(
            compared, *pair, style, replace(wanted, n_images=wanted.n_images if pair in drawn else 0)
        )


def choose_pairs(compared: Comparison, wanted: FigureSettings) -> list[tuple[int, int]]:
    """The pairs of methods whose rankings are drawn: all, or of more than n_images the N_EXTREMES that agree most and
    the N_EXTREMES that agree least."""
    if wanted.n_images is None or len(compared.pairs) <= wanted.n_images:
        return compared.pairs
    ranked = compared.rank_pairs()
    return list(dict.fromkeys([*ranked[: constants.N_EXTREMES], *ranked[-constants.N_EXTREMES :]]))


def describe_wanted(compared: Comparison, wanted: FigureSettings) -> str:
    """In words, which pages of a comparison are not drawn; '' if all are."""
    n_images, n_pairs, drawn = len(compared.run.samples), len(compared.pairs), []
    if wanted.n_images == 0:
        return "no figure is drawn (--figures=none)"
    if wanted.n_images is not None and n_images > wanted.n_images:
        drawn.append(f"the first {wanted.n_images} of {n_images} images side by side")
        if n_images > 2 * wanted.n_images:
            drawn.append(f"of each ranking the {wanted.n_images} images at both ends")
    if len(choose_pairs(compared, wanted)) < n_pairs:
        n = constants.N_EXTREMES
        drawn.append(f"the rankings of the {n} pairs that agree most and the {n} that agree least, of {n_pairs}")
    return f"drawn: {'; '.join(drawn)}; --figures=all draws every one" if drawn else ""


def _write_ranking(compared: Comparison, one: int, other: int, style: dict, wanted: FigureSettings) -> Iterator[Path]:
    names = compared.run.names[one], compared.run.names[other]

    def pair(index: int, rank: int) -> MapPair:
        sample = compared.run.samples[index]
        kept = [agreement.keep_largest(compared.run.read_map(name, sample), compared.fraction) for name in names]
        scores = {metric: values[index, one, other] for metric, values in compared.scores.items()}
        return MapPair(rank, *(_explained(compared, name, sample, style) for name in names), *kept, scores)

    title = f"{names[0]} and {names[1]}, {compared.run.description['model_name']}, from most to least agreement"
    defined = ~np.isnan(compared.scores["iou"][:, one, other])
    ranked = [(index, rank) for rank, index in enumerate(compared.rank(one, other), start=1) if defined[index]]
    if wanted.n_images is not None and len(ranked) > 2 * wanted.n_images:
        ranked = ranked[: wanted.n_images] + ranked[len(ranked) - wanted.n_images :]
    pairs = (pair(*place) for place in ranked)
    path = compared.run.results.folder / "agreement" / "_".join(names) / "ranking"
    draw = partial(figure_ranking, names=names, fraction=compared.fraction, supertitle=title, dpi=wanted.dpi)
    yield from write_pages(path, pairs, constants.ROWS_PER_PAGE, draw, FigureFiles(wanted.formats))


def _explained(compared: Comparison, name: str, sample: Sample, style: dict) -> ExplainedImage | None:
    """One image under one method, as the panels draw it; None if it failed."""
    record = compared.run.record(name, sample)
    if record.failed:
        return None
    explainer = METHODS[name].load()
    explained = run_figures.explained_image(compared.run.results, sample, record, {**style, "signed": explainer.signed})
    target = record.class_name if explainer.uses_class else ""
    note = "" if record.status == "ok" else record.status  # no word of what was not asked for
    return replace(explained, target=target, note=note)


# --- figures -------------------------------------------------------------------------------------------------
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


def figure_ranking(
    pairs: Sequence[MapPair],
    names: tuple[str, str],
    fraction: float,
    supertitle: str = "",
    dpi: float = constants.FIGURE_DPI,
) -> "Figure":
    """One row per image: the photograph, both heat maps over it, and where the two thresholded maps overlap."""
    cells = [
        [cell_photograph(pair.one, pair.rank), cell_overlay(pair.one), cell_overlay(pair.other), _cell_overlap(pair)]
        for pair in pairs
    ]
    caption = f"kept of each map: the {100 * fraction:.3g} % of the pixels where it is largest; "
    caption += f"IoU by chance: {fraction / (2 - fraction):.2f}"
    heights = [picture_height(pair.one.size) for pair in pairs]
    figure = draw_cells(["image", *names, "overlap"], cells, heights, supertitle, caption, legend=True, dpi=dpi)
    _write_legend(figure, [f"{names[0]} only", f"{names[1]} only", "both"])
    return figure


def figure_matrix(
    names: Sequence[str],
    summaries: Mapping[str, tuple[np.ndarray, np.ndarray]],
    supertitle: str = "",
    dpi: float = constants.FIGURE_DPI,
) -> "Figure":
    """Of each metric, how much each pair of methods agrees: mean over the images, below it the sample deviation.

    summaries: metric of `MEASURES` -> (mean, standard deviation), each (M, M); NaN is left white.
    """
    shown = [drawing.fit_text(name, 1.5) for name in names]
    margin = max(map(drawing.measure_text, shown)) + 0.15
    side, top = MATRIX_CELL * len(names), 5.5 * LINE
    width, height = margin + max(side, 1.9) + 0.06 * side + 0.6, side + margin + 3 * LINE  # the colour bar included
    n_columns = len(summaries) if len(names) <= METHODS_IN_A_ROW else 1
    n_rows = len(summaries) // n_columns
    figure = drawing.new_figure(GAP + width * n_columns, top + height * n_rows - 2 * LINE, supertitle, dpi)
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
        text = f"{mean[row, column]:z.2f}\n± {std[row, column]:.2f}" if known[row, column] else "–"
        axes.text(
            column, row, text, color="white" if dark else "#222222", size=constants.FONT_SIZE, ha="center", va="center"
        )
    axes.set_xticks(range(len(names)), names, rotation=90, parse_math=False)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.tick_params(length=0, labelsize=constants.FONT_SIZE)
    axes.spines[:].set_visible(False)
    axes.set_title(heading, size=constants.FONT_SIZE, weight="bold", loc="left", pad=6)
    panels.draw_colour_bar(axes, scale)


def _cell_overlap(pair: MapPair) -> Callable[[Cell], None]:
    def draw(cell: Cell) -> None:
        picture = represent_overlap(drawing.shrink(pair.one.image), pair.kept_by_one, pair.kept_by_other)
        cell.show(picture, pair.one.size)
        iou, spearman, pcc = (f"{pair.scores[name]:z.2f}" for name in ("iou", "spearman", "pcc"))
        cell.title([f"IoU {iou}", f"rank correlation {spearman}, PCC {pcc}"])

    return draw


def _write_legend(figure: "Figure", labels: Sequence[str]) -> None:
    """Squares of the overlap's colours, each before its label, on the line below the caption."""
    from matplotlib.patches import Patch

    handles = [Patch(color=colour, label=label) for colour, label in zip(constants.COLOURS_OVERLAP, labels)]
    drawing.write_legend(figure, 4 * LINE, 3, "center", handles, handlelength=1, handleheight=1)
