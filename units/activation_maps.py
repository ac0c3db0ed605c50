"""The files of `activations.py`: filters, maps of images, and the pass over a data set for the top images."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import constants
import utils
from data.dataset import Sample
from network.classifier import Classifier
from output import files
from output.progress import Progress
from units import activation_figures, filters, top_images
from units.top_images import TopImages, read_pixels


def write_filters(folder: Path, classifier: Classifier, channels: Sequence[int] | None) -> Iterator[Path]:
    """The paths of the filters of the chosen layers, or of the first convolution if none of them is one."""
    drawn = {view.layer_name: filters.draw_filters(view, channels) for view in classifier.views}
    drawn = {name: tiles for name, tiles in drawn.items() if tiles is not None}
    if not drawn:
        first = classifier.view(classifier.layer_names[0])
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
        figure = activation_figures.figure_maps(
            pixels.round().astype("uint8"), view.features(pixels[None])[0], channels, title
        )
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
        if batch % constants.BATCHES_PER_CHECKPOINT == 0 or top.n_done == len(samples):
            files.write_whole(path, top.save)

    return top_images.find_top_images(view, samples, top, report)


def write_top_images(
    folder: Path, view: Classifier, samples: Sequence[Sample], top: TopImages, channels: Sequence[int] | None
) -> Path:
    """The path of the figure of the top images: of the chosen channels, else of the most selective ones."""
    what = "of the largest peaks"
    if channels is None:
        channels = filters.choose_largest(top.selectivity(), constants.TOP_CHANNELS)
        what += f", the {len(channels)} most selective of {len(top.peaks)} channels"
    rows = []
    for channel in channels:
        excited = []
        for number in top.images[channel][top.images[channel] >= 0]:
            pixels = read_pixels(samples[number], view)
            activation = view.features(pixels[None])[0, ..., channel]
            image = pixels.round().astype("uint8")
            excited.append(activation_figures.Excited(samples[number].name, image, activation))
        rows.append((channel, excited))
    figure = activation_figures.figure_top_images(rows, f"{view.layer_name}: images {what}")
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
