"""
Saliency maps as pictures: heat maps, isolines and selections (lab 3). Arrays in, uint8 RGB arrays out.

A map comes in on its raw scale and is coloured by one rule, `colour_scale`:
- an unsigned map runs from its minimum to its maximum through any colormap;
- a signed map (one with negative values) runs from -m to m, m its largest magnitude, through a diverging
  colormap, so that zero is always the neutral middle and the two signs can be told apart;
- a constant map (`utils.is_constant`) says nothing and gets the colour of zero everywhere.
Where map and image differ in size, the map is resized to the image (bilinear), never the other way round.
"""

import difflib
from dataclasses import dataclass

import numpy as np

import constants
import utils

COLORMAP_SIGNED = "RdBu_r"  # red speaks for the class, blue against it
DIVERGING_COLORMAPS = (  # the colormaps in which a signed map may be drawn: the middle is neutral
    "RdBu_r",
    "RdBu",
    "coolwarm",
    "bwr",
    "seismic",
    "PiYG",
    "PRGn",
    "BrBG",
    "PuOr",
    "RdGy",
    "berlin",
    "vanimo",
)
ISOLINE_LEVELS = 8  # isolines between the smallest and the largest value of a map
SELECTION_THRESHOLD = 0.5  # of the map scaled to 0-1: pixels from here on are kept


def check_map(saliency_map: np.ndarray) -> np.ndarray:
    """The map as float64 (H, W); ValueError if it has another shape, is empty or not finite."""
    saliency_map = np.asarray(saliency_map, dtype=np.float64)
    if saliency_map.ndim != 2 or saliency_map.size == 0:
        raise ValueError(f"a map must have the shape (H, W), not {saliency_map.shape}")
    n_bad = np.count_nonzero(~np.isfinite(saliency_map))
    if n_bad:
        raise ValueError(f"a map must be finite; {n_bad} of {saliency_map.size} values are NaN or infinite")
    return saliency_map


def check_image(image: np.ndarray) -> np.ndarray:
    """The image as uint8 RGB (H, W, 3); floats on 0-255 are rounded. ValueError for any other array."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"an image must have the shape (H, W, 3), not {image.shape}")
    if image.dtype == np.uint8:
        return image
    # An image on 0-1 would come out black without a word; an all-black one on 0-255 stays legal.
    if not np.isfinite(image).all() or image.min() < 0 or image.max() > 255 or 0 < image.max() <= 1:
        raise ValueError(f"an image must hold RGB on 0-255, not {image.min():g} to {image.max():g}")
    return np.rint(image).astype(np.uint8)


def check_share(name: str, value: float) -> None:
    """ValueError unless the value lies in [0, 1]."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie between 0 and 1, not {value}")


def check_colormap(colormap: str) -> None:
    """ValueError unless matplotlib knows the colormap."""
    import matplotlib

    if colormap not in matplotlib.colormaps:
        usual = ("jet", "turbo", "viridis", "inferno", "gray", *DIVERGING_COLORMAPS[:4])
        near = difflib.get_close_matches(colormap, matplotlib.colormaps, n=3, cutoff=0.7)
        raise ValueError(f"unknown colormap {colormap!r}; {utils.suggest(colormap, near or usual)}")


@dataclass(frozen=True)
class ColourScale:
    """A colormap and the values, low < high, that its two ends stand for."""

    colormap: str
    low: float
    high: float

    def colour(self, values: np.ndarray) -> np.ndarray:
        """The values, of any shape, as uint8 RGB (..., 3); outside the scale, the colour of its end."""
        import matplotlib

        colormap = matplotlib.colormaps[self.colormap]
        colours = colormap(np.arange(colormap.N), bytes=True)[:, :3]
        steps = (np.asarray(values, dtype=np.float64) - self.low) * (colormap.N / (self.high - self.low))
        return colours[np.clip(steps, 0, colormap.N - 1).astype(np.intp)]


def colour_scale(
    saliency_map: np.ndarray,
    colormap: str = constants.COLORMAP,
    *,
    signed: bool | None = None,
    limits: tuple[float, float] | None = None,
) -> ColourScale:
    """
    The scale that a map is drawn on.

    colormap: a matplotlib name. A signed map needs a diverging one (`DIVERGING_COLORMAPS`): any
        other is replaced by `COLORMAP_SIGNED`.
    signed: None looks for negative values.
    limits: (low, high) instead of the map's own extremes, so that several maps can share a scale; for a
        signed map they are widened to be symmetric around zero.
    ValueError for an unknown colormap, limits the wrong way round, or a map that is not finite.
    """
    check_colormap(colormap)
    saliency_map = check_map(saliency_map)
    if signed is None:
        signed = bool(saliency_map.min() < 0)
    low, high = limits or (float(saliency_map.min()), float(saliency_map.max()))
    if not low <= high:
        raise ValueError(f"limits must be (low, high) with low <= high, not {limits}")
    if signed and colormap not in DIVERGING_COLORMAPS:
        colormap = COLORMAP_SIGNED
    if utils.is_constant(np.array((low, high))):
        # Room beside the only value puts it where zero is: in the middle, or at the lower end. Two colours meet in the
        # middle itself: a hair beside it, the rounding of a constant map does not show as both.
        room = max(1.0, abs(low))
        return ColourScale(colormap, low - room * (1 + 1e-5) if signed else low, low + room)
    if signed:
        high = max(abs(low), abs(high))
        low = -high
    return ColourScale(colormap, low, high)


def represent_heatmap(
    saliency_map: np.ndarray,
    colormap: str = constants.COLORMAP,
    *,
    signed: bool | None = None,
    limits: tuple[float, float] | None = None,
) -> np.ndarray:
    """The map (H, W) in colours, uint8 RGB (H, W, 3); options and errors as in `colour_scale`."""
    return colour_scale(saliency_map, colormap, signed=signed, limits=limits).colour(saliency_map)


def represent_heatmap_overlaid(
    saliency_map: np.ndarray,
    image: np.ndarray,
    colormap: str = constants.COLORMAP,
    alpha: float = constants.ALPHA,
    *,
    signed: bool | None = None,
    limits: tuple[float, float] | None = None,
) -> np.ndarray:
    """
    The heat map over the image, uint8 RGB of the image's size: alpha x heat map + (1 - alpha) x image.

    image: RGB 0-255 (H, W, 3). alpha: 0 gives the image, 1 the heat map. Other options as in `colour_scale`.
    """
    check_share("alpha", alpha)
    image = check_image(image)
    # The raw map's scale: resizing flattens peaks, and the heat map beside it must show the same colours.
    scale = colour_scale(saliency_map, colormap, signed=signed, limits=limits)
    heatmap = scale.colour(utils.resize_map(saliency_map, *image.shape[:2]))
    import cv2

    return cv2.addWeighted(heatmap, alpha, image, 1 - alpha, 0)


def compute_isolines(saliency_map: np.ndarray, n_levels: int = ISOLINE_LEVELS) -> list[tuple[float, np.ndarray]]:
    """
    The lines of equal value, lowest level first: (level, points), points float (M, 2) as (x, y) in pixels.

    The levels divide the map's range evenly, both ends left out; a constant map, or one a pixel wide, has none.
    """
    from skimage.measure import find_contours

    if n_levels < 1:
        raise ValueError(f"n_levels must be at least 1, not {n_levels}")
    saliency_map = check_map(saliency_map)
    if utils.is_constant(saliency_map) or 1 in saliency_map.shape:  # a line needs pixels on both its sides
        return []
    levels = np.linspace(saliency_map.min(), saliency_map.max(), n_levels + 2)[1:-1]
    return [
        (float(level), line[:, ::-1])  # (row, column) -> (x, y)
        for level in levels
        for line in find_contours(saliency_map, level)
    ]


def _draw_isolines(canvas: np.ndarray, saliency_map: np.ndarray, colormap: str, n_levels: int) -> np.ndarray:
    """A copy of the canvas with the isolines of the map, each in the colour of its level in the heat map."""
    import cv2

    canvas = canvas.copy()
    scale = colour_scale(saliency_map, colormap)
    thickness = max(1, round(min(canvas.shape[:2]) / 200))
    for level, points in compute_isolines(utils.resize_map(saliency_map, *canvas.shape[:2]), n_levels):
        sixteenths = np.rint(points * 16).astype(np.int32)  # cv2 takes fractions of a pixel in fixed point
        colour = scale.colour([level])[0].tolist()
        cv2.polylines(canvas, [sixteenths], False, colour, thickness, cv2.LINE_AA, shift=4)
    return canvas


def represent_isolines(
    saliency_map: np.ndarray, colormap: str = constants.COLORMAP, n_levels: int = ISOLINE_LEVELS
) -> np.ndarray:
    """The isolines of the map (H, W) on black, uint8 RGB (H, W, 3); levels as in `compute_isolines`."""
    saliency_map = check_map(saliency_map)
    return _draw_isolines(np.zeros((*saliency_map.shape, 3), np.uint8), saliency_map, colormap, n_levels)


def represent_isolines_superimposed(
    saliency_map: np.ndarray, image: np.ndarray, colormap: str = constants.COLORMAP, n_levels: int = ISOLINE_LEVELS
) -> np.ndarray:
    """The isolines of the map on the image, uint8 RGB of the image's size."""
    return _draw_isolines(check_image(image), check_map(saliency_map), colormap, n_levels)


def _shares(saliency_map: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The map scaled to 0-1 by its minimum and maximum, at the image's size: (H, W, 1)."""
    # Scaled before it is resized: 0 and 1 are the extremes of the raw map, as in the heat map.
    saliency_map = check_map(saliency_map)
    return utils.resize_map(utils.normalise(saliency_map), *image.shape[:2])[..., None]


def represent_hard_selection(
    saliency_map: np.ndarray, image: np.ndarray, threshold: float = SELECTION_THRESHOLD
) -> np.ndarray:
    """
    The pixels of the image where the map, scaled to 0-1 by its minimum and maximum, is at least `threshold`.

    The others are black. Signed maps are scaled alike; a constant map is 0 everywhere and selects nothing
    (all of the image at threshold 0). Returns uint8 RGB of the image's size; threshold in [0, 1].
    """
    check_share("threshold", threshold)
    image = check_image(image)
    shares = _shares(saliency_map, image)
    return np.where(shares >= threshold, image, np.uint8(0))


def represent_soft_selection(saliency_map: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The image darkened where the map is low: image x map scaled to 0-1, uint8 RGB of the image's size."""
    image = check_image(image)
    shares = _shares(saliency_map, image)
    return np.rint(image * shares).astype(np.uint8)
