"""What one unit sees, for `activations.py --from=unit`: data-set examples, their parts, and an image made for it.

<folder>/reconstructions/<layer>_<channel>.png    its strongest activations: rows deconv, guided, image crop
<folder>/units/<layer>_<channel>.png              an image that excites it (Olah et al. 2017), top images, their regions
<folder>/visualizations/<layer>_<channel>_<n>_steps_<seed>.png    that image alone

Examples say what excites a unit among what there is, optimisation what excites it most: where the two differ, the
examples may share something that the unit does not look for (Olah et al. 2017, "Feature Visualization").
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import constants
import utils
from data.dataset import Sample
from data.images import read_image
from network.classifier import Classifier
from output import files
from plots import drawing
from units import reconstructions
from units.activation_maps import Excited, draw_excited, file_name
from units.maximisation import Maximiser
from units.top_images import TopImages, read_pixels

METHOD = "FOURIER"  # of the image that is made
AT_ONCE = 8  # images that are made together


@dataclass(frozen=True)
class Patch:
    """One of a unit's strongest activations. pictures: of the patch alone, name of the row -> uint8 (h, w, 3)."""

    name: str
    peak: float
    pictures: dict[str, np.ndarray]


def write_unit_pages(
    folder: Path,
    view: Classifier,
    samples: Sequence[Sample],
    top: TopImages,
    channels: Sequence[int],
    n_steps: int,
    seed: int,
) -> Iterator[Path]:
    """The paths of both figures of each channel, as they are written."""
    made = visualize(folder / "visualizations", view, channels, n_steps, seed)
    layer = file_name(view.layer_name)
    for channel in channels:
        numbers = [number for number in top.images[channel] if number >= 0]
        pixels = np.stack([read_pixels(samples[number], view) for number in numbers])
        names = drawing.tell_apart([samples[number].name for number in numbers], constants.CELL_SIDE * 0.7)
        activations = np.concatenate([view.features(image[None])[..., channel] for image in pixels])
        title = f"{view.layer_name}, channel {channel}"
        patches = find_peak_patches(view, names, pixels, activations, channel)
        figure = figure_patches(patches, f"{title}: its {len(patches)} strongest activations")
        path = folder / "reconstructions" / f"{layer}_{channel}.png"
        yield files.write_whole(path, files.figure_saver(figure))
        excited = [
            Excited(name, image.round().astype(np.uint8), activation, view.layout)
            for name, image, activation in zip(names, pixels, activations)
        ]
        figure = figure_made_and_found(made[channel], excited, f"{title}: what excites it, made and found")
        yield files.write_whole(folder / "units" / f"{layer}_{channel}.png", files.figure_saver(figure))


def visualize(
    folder: Path, view: Classifier, channels: Sequence[int], n_steps: int, seed: int
) -> dict[int, np.ndarray]:
    """Channel -> an image that excites it, uint8 (H, W, 3); one that is in the folder is not made again."""
    layer = file_name(view.layer_name)
    paths = {channel: folder / f"{layer}_{channel}_{n_steps}_steps_{seed}.png" for channel in channels}
    missing = [channel for channel, path in paths.items() if not path.is_file()]
    settings = {**constants.VISUALIZATION_METHODS[METHOD], "n_steps": n_steps}
    for some in utils.in_batches(missing, AT_ONCE):
        maximiser = Maximiser(view, "channel", some, settings, seed=seed)
        for channel, image in zip(some, maximiser.images(maximiser.advance(maximiser.start(), n_steps))):
            files.write_whole(paths[channel], files.picture_saver(image))
    return {channel: read_image(path) for channel, path in paths.items()}


def find_peak_patches(
    view: Classifier, names: Sequence[str], pixels: np.ndarray, activations: np.ndarray, channel: int
) -> list[Patch]:
    """The patches of images (n, H, W, 3) in which a channel, of activations (n, h, w), peaks; a silent one has none."""
    projected = {
        rule: np.concatenate([reconstructions.reconstruct(view, image[None], channel, rule) for image in pixels])
        for rule in reconstructions.RULES
    }
    patches = []
    for number, (name, image) in enumerate(zip(names, pixels)):
        if activations[number].max() <= 0:
            continue
        x0, y0, x1, y1 = reconstructions.find_patch(*(of_rule[number] for of_rule in projected.values()))
        pictures = {
            rule: reconstructions.represent(of_rule[number, y0:y1, x0:x1]) for rule, of_rule in projected.items()
        }
        crop = image[y0:y1, x0:x1].round().astype(np.uint8)
        patches.append(Patch(name, float(activations[number].max()), {**pictures, "image crop": crop}))
    return patches


# --- figures ---------------------------------------------------------------------------------------------
def figure_patches(patches: Sequence[Patch], title: str):
    """A column per patch, the strongest first; rows: deconv, guided, image crop."""
    cell, gap, label = constants.CELL_SIDE * 0.7, drawing.GAP / 2, 0.45
    rows = [*reconstructions.RULES, "image crop"]
    head, step = 5.5 * drawing.LINE, cell + gap
    width = max(label + len(patches) * step + gap, 4)
    figure = drawing.new_figure(width, head + len(rows) * step + 0.1, title)
    for row, name in enumerate(rows):
        _write_row(figure, label / 2, head + row * step + cell / 2, name)
        for column, patch in enumerate(patches):
            axes = drawing.add_axes(figure, label + column * step, head + row * step, cell, cell)
            drawing.show_image(axes, patch.pictures[name])
            if row == 0:
                drawing.write_title(axes, [patch.name, f"{patch.peak:#.3g}"], cell)
    if not patches:
        drawing.write_message(drawing.add_axes(figure, label, head, cell * 2, cell), "no image excites it")
    return figure


def figure_made_and_found(made: np.ndarray, excited: Sequence[Excited], title: str):
    """The image made for a unit, twice as large, beside its top images, dark outside the exciting region, and these."""
    cell, gap = constants.CELL_SIDE * 0.8, drawing.GAP / 2
    head, whole = 5.5 * drawing.LINE, 2 * cell + gap
    figure = drawing.new_figure(2 * gap + whole + len(excited) * (cell + gap) + gap, head + whole + 0.15, title)
    axes = drawing.add_axes(figure, gap, head, whole, whole)
    drawing.show_image(axes, made)
    drawing.write_title(axes, ["made by feature visualization"], whole)
    for column, one in enumerate(excited):
        left = 2 * gap + whole + column * (cell + gap)
        top = drawing.add_axes(figure, left, head, cell, cell)
        draw_excited(top, drawing.add_axes(figure, left, head + cell + gap, cell, cell), one, cell)
    return figure


def _write_row(figure, left: float, top: float, text: str) -> None:
    width, height = figure.get_size_inches()
    style = {"rotation": 90, "ha": "center", "va": "center", "size": constants.FONT_SIZE, "weight": "bold"}
    figure.text(left / width, 1 - top / height, text, parse_math=False, **style)
