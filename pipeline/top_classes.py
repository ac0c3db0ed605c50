"""Several classes of an image, each with its own map of every method: `main.py --top_k=5`, `--classes=cat,dog`.

`--top_k` takes the most probable of each image, `--classes` the same for all: what a picture of several objects is for.

    <folder>/maps/<METHOD>/<stem>.class_<index>.npy    the raw map of a class
    <folder>/figures/top_classes/<stem>.png            a row per class: its probability, its maps over the image

The maps of a method share one scale on a page, so that a class nothing speaks for looks like it.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

import representations
import utils
from constants import CELL_SIDE, FONT_SIZE
from explainers.registry import Method
from network.classifier import Classifier
from output.files import figure_saver, read_array, save_array, write_whole
from pipeline.run import Run
from pipeline.run_figures import Style
from plots import drawing

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


def write_top_classes(run: Run, rule: Rule, style: Style, seed: int) -> Iterator[Path]:
    """The paths of the figures, one per image that can be read, as they are written."""
    methods = [method for method in run.methods if method.load().uses_class]
    for sample in run.samples:
        if all(run.record(method.name, sample).failed for method in run.methods):
            continue
        image = sample.read()
        size = run.classifier.input_height, run.classifier.input_width
        pixels = np.clip(utils.resize_image(image.astype(np.float32), *size), 0, 255)
        probabilities = run.classifier.predict(pixels[None])[0]
        classes = rule(probabilities)
        maps = {method: explain_classes(run, method, sample.stem, pixels, classes, seed) for method in methods}
        names = [run.classifier.class_names[index] for index in classes]
        figure = figure_top_classes(image, names, probabilities[classes], maps, style, sample.name)
        yield write_whole(run.results.folder / "figures" / "top_classes" / f"{sample.stem}.png", figure_saver(figure))


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
    return np.stack([read_array(path, 2) for path in paths])


def figure_top_classes(
    image: np.ndarray,
    class_names: Sequence[str],
    probabilities: np.ndarray,
    maps: dict[Method, np.ndarray],
    style: Style,
    title: str,
):
    """A row per class: name, probability as a bar, and of each method the map (k, h, w) over the image (H, W, 3)."""
    step, head = CELL_SIDE + drawing.GAP, 4 * drawing.LINE
    figure = drawing.new_figure((len(maps) + 1) * step + drawing.GAP, head + len(class_names) * step, title)
    for column, method in enumerate(maps, start=1):
        middle = drawing.GAP + column * step + CELL_SIDE / 2
        heading = drawing.write(figure, middle, head - drawing.LINE, method.name, CELL_SIDE, weight="bold")
        heading.set_horizontalalignment("center")
    for row, (name, probability) in enumerate(zip(class_names, probabilities)):
        top = head + row * step
        _draw_probability(drawing.add_axes(figure, drawing.GAP, top, CELL_SIDE, CELL_SIDE), name, probability)
        for column, (method, class_maps) in enumerate(maps.items(), start=1):
            axes = drawing.add_axes(figure, drawing.GAP + column * step, top, CELL_SIDE, CELL_SIDE)
            overlay = representations.represent_heatmap_overlaid(
                class_maps[row],
                image,
                style.colormap,
                style.alpha,
                signed=method.load().signed,
                limits=(float(class_maps.min()), float(class_maps.max())),
            )
            drawing.show_image(axes, overlay)
    return figure


def _draw_probability(axes, name: str, probability: float) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.axis("off")
    axes.barh(0.45, 1, 0.06, color="#eeeeee")
    axes.barh(0.45, probability, 0.06, color="#222222")
    axes.text(0, 0.53, drawing.fit_text(name, CELL_SIDE - 0.35), size=FONT_SIZE, parse_math=False)
    axes.text(1, 0.53, f"{probability:.2f}", size=FONT_SIZE, ha="right")
