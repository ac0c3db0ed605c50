"""Figures of what a network's channels do: filters, maps of an image, the images that excite a channel most."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import constants
import representations
import utils
from plots import drawing
from units.filters import check_channels, choose_largest
from units.top_images import find_region

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def figure_maps(image: np.ndarray, features: np.ndarray, channels: Sequence[int] | None, title: str):
    """The maps of one image (H, W, 3), uint8, as tiles beside it; features (h, w, K) of a layer.

    channels: each is drawn alone and over the image; None: all, or those of the largest mean if they are many. Every
    map is coloured on its own scale, which its title gives; one with negative values in red and blue about zero.
    """
    n_channels = features.shape[2]
    check_channels(channels, n_channels)
    pictures, titles = [image], ["the image"]
    shown = choose_largest(features.mean(axis=(0, 1)), constants.TILES_SHOWN - 1) if channels is None else channels
    for k in shown:
        activation = features[..., k]
        pictures.append(representations.represent_heatmap(activation, constants.ACTIVATION_COLORMAP))
        titles.append(f"channel {k}\n{_tell_range(activation)}")
        if channels is not None:
            pictures.append(
                representations.represent_heatmap_overlaid(activation, image, constants.ACTIVATION_COLORMAP)
            )
            titles.append(f"channel {k}\nover the image")
    if channels is None and len(shown) < n_channels:
        title += f", {len(shown)} of {n_channels} channels, largest mean"
    return utils.grid_layout(pictures, titles, title)


def _tell_range(activation: np.ndarray) -> str:
    low, high = float(activation.min()), float(activation.max())
    if low == high:
        return f"{low:.3g} everywhere" if low else "silent"
    return f"{low:.3g} to {high:.3g}"


@dataclass(frozen=True)
class Excited:
    """One image that excites a channel: image (H, W, 3), uint8, at the model's input size; activation (h, w)."""

    name: str
    image: np.ndarray
    activation: np.ndarray


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
            _draw_excited(whole, drawing.add_axes(figure, left, top + cell + gap / 2, cell, cell), one)
    return figure


def _draw_excited(whole: "Axes", part: "Axes", one: Excited) -> None:
    """The image with its exciting region framed, and the region; a map that is the same everywhere has none."""
    from matplotlib.patches import Rectangle

    if representations.is_constant(one.activation):
        drawing.show_image(whole, (one.image * constants.DIMMED).astype(np.uint8))
        drawing.write_message(part, "no region")
        drawing.write_title(whole, [one.name, _tell_range(one.activation)])
        return
    mask, (x0, y0, x1, y1) = find_region(one.activation, *one.image.shape[:2])
    brightness = np.where(mask[..., None], 1, constants.DIMMED)
    drawing.show_image(whole, (one.image * brightness).astype(np.uint8))
    frame = {"fill": False, "edgecolor": constants.COLOUR_DELETION, "linewidth": 0.8}
    whole.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, **frame))
    drawing.write_title(whole, [one.name, f"{one.activation.max():.3g}"])
    drawing.show_image(part, one.image[y0:y1, x0:x1])
