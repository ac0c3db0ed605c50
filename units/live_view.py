"""What the channels of a layer do while a film runs: a frame beside a grid of their maps (Yosinski et al. 2015,
"Understanding Neural Networks Through Deep Visualization", section 2).

    <folder>/films/<layer>.mp4, <layer>.gif

A channel has one colour scale for the whole film, from its smallest to its largest value; one that stays the same is
dark. Cost: two forward passes a frame, as far as the layer: one finds the scales, one draws.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import constants
import representations
import utils
from data.dataset import Sample
from data.films import rate_of, time_of
from network.classifier import Classifier
from plots.animation import compose, write_film
from plots.drawing import bring_to
from plots.letters import open_font
from units.activation_maps import COLORMAP, file_name
from units.filters import TILES_SHOWN, check_channels, choose_largest
from units.top_images import read_pixels

HEIGHT = 520  # pixels of a frame's pictures
GAP = 2  # between tiles
NUMBER = 10  # pixels: the height of a channel's number in its tile


def write_live_view(
    folder: Path, view: Classifier, samples: Sequence[Sample], channels: Sequence[int] | None
) -> list[Path]:
    """The paths of the film of a layer. channels: None: all, or those of the largest mean if they are many."""
    ends, means = measure(view, samples)
    check_channels(channels, len(means))
    shown = choose_largest(means, TILES_SHOWN) if channels is None else list(channels)
    frames = draw_frames(view, samples, shown, ends)
    return write_film(folder / "films" / file_name(view.layer_name), frames, len(samples), rate_of(samples))


def measure(view: Classifier, samples: Sequence[Sample]) -> tuple[np.ndarray, np.ndarray]:
    """The smallest and the largest value of every channel (K, 2), and its mean (K,), over all frames."""
    lows, highs, means = [], [], []
    for _, _, features in _stream(view, samples):
        lows.append(features.min(axis=(0, 1)))
        highs.append(features.max(axis=(0, 1)))
        means.append(features.mean(axis=(0, 1)))
    if not lows:
        raise ValueError("no frame of the film can be read")
    return np.stack([np.min(lows, axis=0), np.max(highs, axis=0)], axis=1), np.mean(means, axis=0)


def draw_frames(
    view: Classifier, samples: Sequence[Sample], channels: Sequence[int], ends: np.ndarray
) -> Iterator[np.ndarray]:
    """The frames of the film, uint8 RGB (H, W, 3); ends: (K, 2), of each channel's scale."""
    which = f"{len(channels)} of {len(ends)} channels" if len(channels) < len(ends) else f"{len(ends)} channels"
    for sample, image, features in _stream(view, samples):
        lines = [f"{view.layer_name}, {time_of(sample):.2f} s", f"{which}, each on its own scale over the film"]
        yield compose([image, draw_grid(features, channels, ends)], lines, height=HEIGHT)


def draw_grid(features: np.ndarray, channels: Sequence[int], ends: np.ndarray) -> np.ndarray:
    """The maps of features (h, w, K) in a square grid under their numbers, uint8 RGB (HEIGHT, HEIGHT, 3)."""
    from PIL import Image, ImageDraw

    n = math.ceil(math.sqrt(len(channels)))
    side = (HEIGHT - GAP * (n - 1)) // n
    grid, corners = np.full((HEIGHT, HEIGHT, 3), 255, np.uint8), []
    for place, channel in enumerate(channels):
        row, column = divmod(place, n)
        top, left = row * (side + GAP), column * (side + GAP)
        limits = tuple(ends[channel].tolist())
        tile = representations.represent_heatmap(features[..., channel], COLORMAP, limits=limits, signed=limits[0] < 0)
        grid[top : top + side, left : left + side] = bring_to(tile, side, side)
        corners.append(((left + 2, top + 1), str(channel)))
    picture = Image.fromarray(grid)
    draw, font = ImageDraw.Draw(picture), open_font("0", NUMBER)
    for corner, number in corners if side > 3 * NUMBER else ():
        draw.text(corner, number, "white", font, stroke_width=1, stroke_fill="black")
    return np.asarray(picture)


def _stream(view: Classifier, samples: Sequence[Sample]) -> Iterator[tuple[Sample, np.ndarray, np.ndarray]]:
    """Each frame that can be read: its sample, its image (H, W, 3) as it is, and the features (h, w, K) of it."""
    for together in utils.in_batches(samples, constants.IMAGES_AT_ONCE):
        read = []
        for sample in together:
            try:
                read.append((sample, sample.read(), read_pixels(sample, view)))
            except ValueError:  # told where the top images are found
                continue
        if read:
            features = view.features(np.stack([pixels for _, _, pixels in read]))
            for (sample, image, _), found in zip(read, features):
                yield sample, image, found
