"""Several classes of an image, each with its own map of every method: `main.py --top_k=5`, `--classes=cat,dog`.

`--top_k` takes the most probable of each image, `--classes` the same for all: what a picture of several objects is for.

    <folder>/maps/<METHOD>/<stem>.class_<index>.npy    the raw map of a class
    <folder>/figures/top_classes/<stem>.png            a row per class: its probability, its maps over the image
    <folder>/top_classes.csv                           how far the maps of every two classes agree, and how much of a
                                                       map's energy lies in each named box

The maps of a method share one scale on a page, so that a class nothing speaks for looks like it. Agreement
(metrics/agreement.py) is that of the raw maps at the model's input size, energy (metrics/localisation.py) is taken at
the image's own. Boxes of one name in an image are one place.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np

import constants
import representations
import utils
from data.boxes import Box, read_mask
from data.dataset import Sample
from explainers.registry import Method
from metrics.agreement import compare_maps
from metrics.common import Undefined, is_mask
from metrics.localisation import energy_pointing_game
from network.classifier import Classifier
from output.figures import FigureFiles
from output.files import save_array, write_whole
from output.tables import write_table
from pipeline.run import Run
from pipeline.run_figures import Style
from pipeline.settings import FigureSettings
from plots import drawing, panels
from plots.drawing import Cell, picture_height
from plots.pages import draw_cells

KEPT = 0.2  # of the pixels of a map, whose IoU with those of another is measured
AGREEMENT = ("pcc", "iou", "spearman")
PAIR_COLUMNS = ("image", "method", "class", "other_class", *AGREEMENT, "box", "energy", "undefined")
NAME_HEIGHT = 0.36  # inches above a photograph, for its class and the bar
PAIRS_SHOWN = 6  # under a figure, the most probable classes first

Rule = Callable[[np.ndarray], Sequence[int]]  # the probabilities (C,) of an image -> the classes it is explained for


def read_rule(classifier: Classifier, top_k: int | None, classes: str | None) -> Rule | None:
    """The rule of `--top_k` or `--classes`, None if neither is given; ValueError for a class the model has not."""
    if classes is not None:
        indices = read_classes(classes, classifier)
        return lambda probabilities: indices
    if top_k is not None:
        return lambda probabilities: np.argsort(-probabilities, kind="stable")[:top_k].tolist()
    return None


def read_classes(text: str, classifier: Classifier) -> list[int]:
    """The indices of 'cat,7,crane, bird', each once: a name may hold commas, the longest that fits is taken."""
    parts, found = text.split(","), []
    most = 1 + max(name.count(",") for name in classifier.class_names)
    while parts:
        for length in range(min(most, len(parts)), 0, -1):
            with contextlib.suppress(ValueError if length > 1 else ()):
                found.append(classifier.class_index_of(",".join(parts[:length]).strip()))
                parts = parts[length:]
                break
    return list(dict.fromkeys(found))


def write_top_classes(
    run: Run,
    rule: Rule,
    style: Style,
    seed: int,
    wanted: FigureSettings = FigureSettings(),  # noqa: B008 it cannot be changed
    boxes: Mapping[str, Sequence[Box]] | None = None,
) -> Iterator[Path]:
    """The paths of the figures, of the first images (`wanted`), as they are written, and of the table; the maps of all
    are kept. boxes: name of a sample -> its boxes."""
    methods = [method for method in run.methods if method.load().uses_class]
    files, rows = FigureFiles(wanted.formats), []
    for place, sample in enumerate(run.samples):
        if all(run.record(method.name, sample).failed for method in run.methods):
            continue
        image = sample.read()
        size = run.classifier.input_height, run.classifier.input_width
        pixels = utils.fit_image(image, *size)
        probabilities = run.classifier.predict(pixels[None])[0]
        classes = rule(probabilities)
        maps = {method: explain_classes(run, method, sample.stem, pixels, classes, seed) for method in methods}
        names = [run.classifier.class_names[index] for index in classes]
        masks = read_masks(sample, (boxes or {}).get(sample.name, ()))
        measured = [row for method in methods for row in measure(sample.name, method.name, names, maps[method], masks)]
        rows += measured
        if wanted.n_images is None or place < wanted.n_images:
            shown = image, names, probabilities[classes], maps, style, sample.name, measured, wanted.dpi
            path = run.results.folder / "figures" / "top_classes" / sample.stem
            yield files.write(path, lambda shown=shown: figure_top_classes(*shown))
    yield write_table(run.results.folder / "top_classes.csv", rows, PAIR_COLUMNS)


def explain_classes(
    run: Run, method: Method, stem: str, pixels: np.ndarray, classes: Sequence[int], seed: int
) -> np.ndarray:
    """Maps (k, H, W) of one image (H, W, 3) at the input size for k classes; those on disk are read."""
    paths = [run.results.map_path(method.name, f"{stem}.class_{index}") for index in classes]
    missing = [(path, index) for path, index in zip(paths, classes) if not path.is_file()]
    if missing:
        copies = np.repeat(pixels[None], len(missing), axis=0)
        options = {**run.methods[method], "seed": seed}
        explainer = method.load()(run.classifier, None, copies, [index for _, index in missing], **options)
        for (path, _), saliency_map in zip(missing, explainer.compute_saliency_map()):
            write_whole(path, lambda partial, saliency_map=saliency_map: save_array(partial, saliency_map))
    return np.stack(list(map(run.results.read_map_file, paths)))


# --- numbers -----------------------------------------------------------------------------------------------
def read_masks(sample: Sample, boxes: Sequence[Box]) -> dict[str, np.ndarray]:
    """Name of a box -> where the boxes of that name are in the upright image, bool (H, W)."""
    named = {}
    for box in boxes:
        named.setdefault(box.name or f"line {box.line}", []).append(box)
    return {name: read_mask(sample.path, alike, sample.reading) for name, alike in named.items()}


def measure(
    image: str, method: str, class_names: Sequence[str], maps: np.ndarray, masks: Mapping[str, np.ndarray]
) -> list[dict]:
    """Rows of top_classes.csv of one image and method: of every two of the k classes, then of every class and box.

    maps: raw, (k, h, w); masks: name of a box -> where it is, bool (H, W). What has no number says why in `undefined`.
    """
    agreement, rows = compare_maps(list(maps), KEPT), []
    for one, other in combinations(range(len(maps)), 2):
        values = {name: float(agreement[name][one, other]) for name in AGREEMENT}
        reason = "a map is constant" if np.isnan(values["pcc"]) else ""
        rows.append({"class": class_names[one], "other_class": class_names[other], **values, "undefined": reason})
    for name, saliency_map in zip(class_names, maps):
        for box, mask in masks.items():
            row = {"class": name, "box": box}
            try:
                resized = utils.resize_map(saliency_map, *mask.shape)
                row["energy"] = energy_pointing_game(np.rint(resized) if is_mask(saliency_map) else resized, mask)
            except Undefined as reason:
                row["undefined"] = str(reason)
            rows.append(row)
    empty = dict.fromkeys(PAIR_COLUMNS, "")
    return [{**empty, "image": image, "method": method, **row} for row in rows]


def list_notes(rows: Sequence[dict], methods: Sequence[str]) -> list[list[str]]:
    """What stands under a figure, line by line: what is measured, then its values of each method in their order.

    rows: of `measure`, of one image.
    """
    by_method = {method: [row for row in rows if row["method"] == method] for method in methods}
    first = next(iter(by_method.values()), [])
    pairs = [place for place, row in enumerate(first) if row["other_class"]]
    of_boxes = [place for place, row in enumerate(first) if row["box"]]
    lines = []
    if pairs:
        lines.append([f"PCC, IoU of the largest {100 * KEPT:g} %, rank correlation of two maps"])
    for place in pairs[:PAIRS_SHOWN]:
        names = f"{first[place]['class']} | {first[place]['other_class']}"
        lines.append([names, *(_format([of[place][name] for name in AGREEMENT]) for of in by_method.values())])
    if len(pairs) > PAIRS_SHOWN:
        lines.append([f"{len(pairs) - PAIRS_SHOWN} further pairs in top_classes.csv"])
    if of_boxes:
        lines.append(["share of the map's energy in a box"])
    for place in of_boxes:
        names = f"{first[place]['class']} in '{first[place]['box']}'"
        lines.append([names, *(_format([of[place]["energy"]]) for of in by_method.values())])
    return lines


def _format(values: Sequence[float | str]) -> str:
    """Numbers with two digits, '-' for one that is not defined."""
    return ", ".join("-" if value == "" or value != value else f"{value:z.2f}" for value in values)


# --- the figure --------------------------------------------------------------------------------------------
def figure_top_classes(
    image: np.ndarray,
    class_names: Sequence[str],
    probabilities: np.ndarray,
    maps: dict[Method, np.ndarray],
    style: Style,
    title: str,
    rows: Sequence[dict] = (),
    dpi: float = constants.FIGURE_DPI,
):
    """A row per class: the photograph (H, W, 3) under its name and probability, and over it of each method the map.

    maps: (k, h, w) of each method, in the order of the classes; those of a method share a scale. rows: of `measure`,
    whose numbers stand below, each under its method.
    """
    image = drawing.shrink(image, dpi)

    def draw_photograph(cell: Cell, name: str, probability: float) -> None:
        cell.show(representations.check_image(image))
        panels.draw_probability(cell, -0.2, name, probability, explained=True)

    def draw_map(cell: Cell, method: Method, saliency_map: np.ndarray, limits: tuple[float, float]) -> None:
        options = {"signed": method.load().signed, "limits": limits}
        cell.show(
            representations.represent_heatmap_overlaid(saliency_map, image, style.colormap, style.alpha, **options)
        )
        scale = representations.colour_scale(saliency_map, style.colormap, **options)
        panels.show_colour_bar(cell, scale, image.shape[:2])

    limits = {method: (float(found.min()), float(found.max())) for method, found in maps.items()}
    cells = [
        [
            partial(draw_photograph, name=name, probability=probability),
            *(partial(draw_map, method=m, saliency_map=found[row], limits=limits[m]) for m, found in maps.items()),
        ]
        for row, (name, probability) in enumerate(zip(class_names, probabilities))
    ]
    headings = ["image", *(method.name for method in maps)]
    heights = [picture_height(image.shape[:2])] * len(cells)
    caption = "the maps of a method share one scale"
    notes = list_notes(rows, [method.name for method in maps])
    return draw_cells(headings, cells, heights, title, caption, dpi=dpi, notes=notes, title_height=NAME_HEIGHT)
