"""The files of `activations.py`: filters, maps of images, the images that excite a channel most, as figures.

<folder>/filters/<layer>.png           <folder>/maps/<layer>/<image>.png
<folder>/top_images/<layer>.png        <folder>/state/<layer>.npz: how far the pass over the data set came
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import constants
import representations
import utils
from data.dataset import Sample
from network.classifier import Classifier
from network.tokens import FeatureLayout
from output import files
from output.progress import Progress
from plots import drawing
from units import filters, top_images
from units.filters import TILES_SHOWN, check_channels, choose_largest
from units.top_images import TopImages, find_region, read_pixels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FILES = (
    *("filters/*.png", "maps/*/*.png", "top_images/*.png", "top_images.csv", "state/*.npz"),
    *("films/*.mp4", "films/*.gif"),  # of live_view.py
    *("reconstructions/*.png", "units/*.png", "visualizations/*.png"),  # of unit_pages.py
)
COLORMAP = "viridis"
DIMMED = 0.4  # brightness left outside of the exciting region
TOP_CHANNELS = 8  # whose top images are drawn where none is chosen
BATCHES_PER_CHECKPOINT = 16  # of IMAGES_AT_ONCE images each


def write_filters(folder: Path, classifier: Classifier, channels: Sequence[int] | None) -> Iterator[Path]:
    """The paths of the filters of the chosen layers, or of the first convolution if none of them is one."""
    drawn = {view.layer_name: filters.draw_filters(view, channels) for view in classifier.by_layer}
    drawn = {name: tiles for name, tiles in drawn.items() if tiles is not None}
    if not drawn:
        first = classifier.at_layer(classifier.layer_names[0])
        drawn = {first.layer_name: filters.draw_filters(first)}
    for name, tiles in drawn.items():
        figure = utils.grid_layout(tiles.pictures, tiles.titles, f"filters of {name}: {tiles.what}")
        yield files.write_whole(folder / "filters" / f"{file_name(name)}.png", files.figure_saver(figure))


def write_maps(
    folder: Path, view: Classifier, samples: Sequence[Sample], channels: Sequence[int] | None, failed: dict
) -> Iterator[Path]:
    """The paths of the maps of these samples; one that cannot be read is noted in `failed`."""
    for sample in samples:
        try:
            pixels = read_pixels(sample, view)
        except ValueError as error:
            failed[sample.name] = str(error)
            continue
        title = f"{view.layer_name}, {sample.name}"
        features = view.features(pixels[None])[0]
        figure = figure_maps(pixels.round().astype("uint8"), features, channels, title, view.lay_out)
        path = folder / "maps" / file_name(view.layer_name) / f"{sample.stem}.png"
        yield files.write_whole(path, files.figure_saver(figure))


def scan(folder: Path, view: Classifier, samples: Sequence[Sample], n: int) -> TopImages:
    """The top images of every channel of a layer; taken up where an earlier run was stopped."""
    path, name = folder / "state" / f"{file_name(view.layer_name)}.npz", view.layer_name
    top = TopImages.load(path) if path.is_file() else TopImages.empty(top_images.count_channels(view), n)
    progress = Progress({name: -(-(len(samples) - top.n_done) // constants.IMAGES_AT_ONCE)})

    def report(top: TopImages) -> None:
        progress.end(name, samples[top.n_done - 1].name)
        batch = -(-top.n_done // constants.IMAGES_AT_ONCE)
        if batch % BATCHES_PER_CHECKPOINT == 0 or top.n_done == len(samples):
            files.write_whole(path, top.save)

    return top_images.find_top_images(view, samples, top, report)


def write_top_images(
    folder: Path, view: Classifier, samples: Sequence[Sample], top: TopImages, channels: Sequence[int] | None
) -> Path:
    """The path of the figure of the top images: of the chosen channels, else of the most selective ones."""
    what = "of the largest peaks"
    if channels is None:
        channels = choose_largest(top.selectivity(), TOP_CHANNELS)
        what += f", the {len(channels)} most selective of {len(top.peaks)} channels"
    rows = []
    for channel in channels:
        excited = []
        for number in top.images[channel][top.images[channel] >= 0]:
            pixels = read_pixels(samples[number], view)
            activation = view.features(pixels[None])[0, ..., channel]
            image = pixels.round().astype("uint8")
            excited.append(Excited(samples[number].name, image, activation, view.layout))
        rows.append((channel, excited))
    figure = figure_top_images(rows, f"{view.layer_name}: images {what}")
    return files.write_whole(folder / "top_images" / f"{file_name(view.layer_name)}.png", files.figure_saver(figure))


def list_top_images(layer_name: str, samples: Sequence[Sample], top: TopImages) -> list[dict]:
    """Rows of top_images.csv, for every channel."""
    return [
        {"layer": layer_name, "channel": channel, "rank": rank, "image": samples[number].name, "peak": f"{peak:.6g}"}
        for channel, (numbers, peaks) in enumerate(zip(top.images, top.peaks))
        for rank, (number, peak) in enumerate(zip(numbers, peaks), start=1)
        if number >= 0
    ]


def file_name(layer_name: str) -> str:
    """The layer's path as the name of a file."""
    return layer_name.replace("/", "_")


# --- figures ---------------------------------------------------------------------------------------------
def figure_maps(image: np.ndarray, features: np.ndarray, channels: Sequence[int] | None, title: str, lay_out: Callable):
    """The maps of one image (H, W, 3), uint8, as tiles beside it; features (h, w, K) of a layer.

    lay_out(map, outside): of `Classifier`.

    channels: each is drawn alone and over the image; None: all, or those of the largest mean if they are many. Every
    map is coloured on its own scale, which its title gives; one with negative values in red and blue about zero.
    """
    n_channels = features.shape[2]
    check_channels(channels, n_channels)
    pictures, titles = [image], ["the image,\nas the network sees it"]
    shown = choose_largest(features.mean(axis=(0, 1)), TILES_SHOWN - 1) if channels is None else channels
    for k in shown:
        activation = features[..., k]
        pictures.append(representations.represent_heatmap(activation, COLORMAP))
        titles.append(f"channel {k}\n{_describe_range(activation)}")
        if channels is not None:
            laid = lay_out(activation, outside=activation.min())
            pictures.append(representations.represent_heatmap_overlaid(laid, image, COLORMAP))
            titles.append(f"channel {k}\nover the image")
    if channels is None and len(shown) < n_channels:
        title += f", {len(shown)} of {n_channels} channels, largest mean"
    return utils.grid_layout(pictures, titles, title)


def _describe_range(activation: np.ndarray) -> str:
    low, high = float(activation.min()), float(activation.max())
    if utils.is_constant(activation):
        return f"{low:.3g} everywhere" if low else "silent"
    return f"{low:.3g} to {high:.3g}"


@dataclass(frozen=True)
class Excited:
    """One image that excites a channel: image (H, W, 3), uint8, at the model's input size; activation (h, w).

    layout: where that lies on the image.
    """

    name: str
    image: np.ndarray
    activation: np.ndarray
    layout: FeatureLayout


def figure_top_images(rows: Sequence[tuple[int, Sequence[Excited]]], title: str):
    """A row per (channel, its images): each dark outside the exciting region, which is framed, and cut out below."""
    cell, gap = constants.CELL_SIDE, drawing.GAP
    head, label = 3 * drawing.LINE, 0.45
    step = 2 * drawing.LINE + 2 * cell + 2 * gap
    n_columns = max(len(excited) for _, excited in rows)
    figure = drawing.new_figure(label + n_columns * (cell + gap) + gap, head + len(rows) * step, title)
    for row, (channel, excited) in enumerate(rows):
        top = head + row * step + 2 * drawing.LINE
        middle = figure.text(
            label / 2 / figure.get_figwidth(),
            1 - (top + cell) / figure.get_figheight(),
            f"channel {channel}",
            rotation=90,
            ha="center",
            va="center",
            size=constants.FONT_SIZE,
            weight="bold",
        )
        middle.set_parse_math(False)
        for column, one in enumerate(excited):
            left = label + column * (cell + gap)
            whole = drawing.add_axes(figure, left, top, cell, cell)
            draw_excited(whole, drawing.add_axes(figure, left, top + cell + gap / 2, cell, cell), one)
    return figure


def draw_excited(whole: "Axes", part: "Axes", one: Excited, width: float = drawing.TITLE_WIDTH) -> None:
    """The image with its exciting region framed, and the region; a map that is the same everywhere has none.

    width: of its title, inches.
    """
    from matplotlib.patches import Rectangle

    if utils.is_constant(one.activation):
        drawing.show_image(whole, (one.image * DIMMED).astype(np.uint8))
        drawing.write_message(part, "no region")
        drawing.write_title(whole, [one.name, _describe_range(one.activation)], width)
        return
    mask, (x0, y0, x1, y1) = find_region(one.activation, *one.image.shape[:2], one.layout)
    brightness = np.where(mask[..., None], 1, DIMMED)
    drawing.show_image(whole, (one.image * brightness).astype(np.uint8))
    frame = {"fill": False, "edgecolor": constants.COLOUR_DELETION, "linewidth": 0.8}
    whole.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, **frame))
    drawing.write_title(whole, [one.name, f"{one.activation.max():#.3g}"], width)
    drawing.show_image(part, one.image[y0:y1, x0:x1])
