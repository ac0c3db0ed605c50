"""What the sides of a solid are clad with: plain walls, tiers, ribs, windows, belfry openings, glass.

A cladding is a function (side, its width, its height in metres) -> picture, uint8 (h, w, 3), as `demo_solids.prism`
wants it; side 4 is the lid. Every one but glass is cut from a wall texture of the common stock, by its number.
"""

import numpy as np

from scenes import textures as textures
from scenes.solids import Texture

Rng = np.random.Generator
GLASS_TINTS = ((74, 104, 120), (110, 104, 90), (96, 124, 112), (132, 142, 152))


def walled(number: int, rng: Rng, brightness: float = 1.0) -> Texture:
    """The texture of a prism whose every side is cut from the wall texture of that number."""

    def texture(side: int, width: float, height: float) -> np.ndarray:
        piece = textures.cut(number, width, height, rng)
        return piece if brightness == 1 else textures.shade(piece, brightness)

    return texture


def coursed(stone: int, rng: Rng) -> Texture:
    """A tier's walls, with a pale course along the upper edge and its shadow."""
    plain = walled(stone, rng)

    def texture(side: int, width: float, height: float) -> np.ndarray:
        piece = plain(side, width, height)
        return piece if side == 4 else textures.add_course(piece)

    return texture


def ribbed(tiles: int, rng: Rng) -> Texture:
    """The sectors of a dome, every second one with a pale rib down its edge."""
    plain = walled(tiles, rng)

    def texture(side: int, width: float, height: float) -> np.ndarray:
        piece = textures.resize(plain(side, width, height), 16, 16)
        if side % 2 == 0:
            piece[:, :4] = textures.shade(piece[:, :4], 1.4)
        return piece

    return texture


def windowed(wall: int, rng: Rng) -> Texture:
    """The sides of a drum, each with a round-headed window."""
    plain = walled(wall, rng)

    def texture(side: int, width: float, height: float) -> np.ndarray:
        panel = textures.make_arches(plain(side, width, height), 1, open_width=0.3, spring=0.6)
        return textures.fill_holes(panel, (38, 40, 46))

    return texture


def belfry(trim: int, rng: Rng) -> Texture:
    """The sides of a belfry, each with one opening and the bell in it."""
    plain = walled(trim, rng)

    def texture(side: int, width: float, height: float) -> np.ndarray:
        if side == 4:
            return plain(side, width, height)
        panel = textures.make_arches(plain(side, width, height), 1, open_width=0.46, spring=0.52)
        return textures.add_bell(textures.fill_holes(panel, (30, 30, 36)))

    return texture


def glazed(rng: Rng, storey: float) -> Texture:
    """Curtain walls of one tint: panes half a storey high."""
    tint = np.array(GLASS_TINTS[rng.integers(len(GLASS_TINTS))], np.float32)
    mullion, pane = np.array([200, 200, 196]) * rng.choice([0.3, 0.95]), rng.uniform(1.5, 2.4)

    def texture(side: int, width: float, height: float) -> np.ndarray:
        columns, rows = max(int(width / pane), 2), max(round(2 * height / storey), 2)
        return textures.make_glass(rng, columns, rows, tint, mullion)

    return texture
