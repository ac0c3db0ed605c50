"""Solids of flat faces: whatever is built here is a prism between two level polygons.

A box, a tier of a pyramid, a roof, a spire, a drum and each course of a dome are prisms between other polygons.
Corners go counter-clockwise seen from above, the front left one first, so that every side shows its outside.
Metres; x right, y up, z away from the viewer, front towards -z.
"""

from collections.abc import Callable

import numpy as np

from scenes.canvas import Face

Texture = Callable[[int, float, float], np.ndarray]  # side, its width and height in metres -> uint8 (h, w, 3)


def rectangle(x: float, z: float, width: float, depth: float, y: float) -> np.ndarray:
    """The corners (4, 3) of a level rectangle centred on (x, z). A width or depth of 0 gives a ridge."""
    dx, dz = max(width, 0.02) / 2, max(depth, 0.02) / 2
    return np.array([(x - dx, y, z - dz), (x + dx, y, z - dz), (x + dx, y, z + dz), (x - dx, y, z + dz)])


def regular_polygon(x: float, z: float, k: int, radius: float, y: float) -> np.ndarray:
    """The corners (k, 3) of a level regular polygon centred on (x, z), one side towards the front."""
    angle = -np.pi / 2 + np.pi * (2 * np.arange(k) - 1) / k
    return np.stack([x + radius * np.cos(angle), np.full(k, float(y)), z + radius * np.sin(angle)], axis=1)


def prism(bottom: np.ndarray, top: np.ndarray, texture: Texture, part: str | None = None) -> list[Face]:
    """The sides between two polygons (k, 3), front side first, and the lid last if k is 4 (as side 4)."""
    k = len(bottom)
    faces = []
    for i in range(k):
        j = (i + 1) % k
        width = max(np.linalg.norm(bottom[j] - bottom[i]), np.linalg.norm(top[j] - top[i]))
        height = np.linalg.norm(top[i] - bottom[i])
        faces.append(Face(np.array([top[i], top[j], bottom[j], bottom[i]]), texture(i, width, height), part))
    if k == 4:
        faces.append(Face(top[::-1].copy(), texture(4, np.ptp(top[:, 0]), np.ptp(top[:, 2])), part))
    return faces


def box(
    x: float, z: float, width: float, depth: float, low: float, high: float, texture: Texture, part: str | None = None
) -> list[Face]:
    """An upright box centred on (x, z), from y = low to y = high."""
    return prism(rectangle(x, z, width, depth, low), rectangle(x, z, width, depth, high), texture, part)


def cone(
    x: float, z: float, k: int, radii: tuple[float, float], low: float, high: float, texture: Texture, part: str
) -> list[Face]:
    """A k-sided prism whose radius goes from radii[0] at y = low to radii[1] at y = high."""
    bottom, top = (regular_polygon(x, z, k, radius, y) for radius, y in zip(radii, (low, high)))
    return prism(bottom, top, texture, part)


def shell(
    x: float, z: float, k: int, radius: float, low: float, rise: float, texture: Texture, part: str, *, courses: int = 6
) -> list[Face]:
    """Half an ellipsoid of k sectors that rises from y = low, open at the very top."""
    levels = np.linspace(0, 0.93 * np.pi / 2, courses + 1)
    faces = []
    for lower, upper in zip(levels, levels[1:]):
        radii = radius * np.cos([lower, upper])
        faces += cone(x, z, k, tuple(radii), low + rise * np.sin(lower), low + rise * np.sin(upper), texture, part)
    return faces


def upright(left: float, right: float, low: float, high: float, z: float) -> np.ndarray:
    """The corners (4, 3) of an upright rectangle that looks to the front."""
    return np.array([(left, high, z), (right, high, z), (right, low, z), (left, low, z)])
