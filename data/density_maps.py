"""Density maps of fixations, after Wooding: of all observers, of all but one, and their mean over images.

    map(x, y) = (1 / observers) sum_observers sum_fixations exp(-((x - x_k)^2 + (y - y_k)^2) / (2 sigma^2))

divided by its maximum. sigma = R D tan(2 degrees), with R the pixels per mm of the screen and D the distance
of the eyes from it, is about 116 screen pixels in MexCulture142; the images were scaled to fit the screen,
so in image pixels it is divided by min(1920 / w, 1200 / h).

Source: Wooding, "Fixation maps: quantifying eye-movement traces", ETRA 2002. A fixation keeps its sub-pixel
position: a Gaussian is the product of one over rows and one over columns, so the whole sum is one product of
two matrices, (H, K) and (K, W) for K fixations, and nothing is binned or cut off. Every fixation weighs the same,
however long it was; one outside the image is dropped, a repeated one is not.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

import constants
import utils
from data.fixations import Fixations


def compute_sigma(
    image_height: int,
    image_width: int,
    *,
    screen_width_px: int = constants.SCREEN_WIDTH_PX,
    screen_height_px: int = constants.SCREEN_HEIGHT_PX,
    screen_height_mm: float = constants.SCREEN_HEIGHT_MM,
    distance_mm: float = constants.VIEWING_DISTANCE_MM,
    angle_deg: float = constants.FIXATION_ANGLE_DEG,
) -> float:
    """The width of one fixation's Gaussian in image pixels, for an image shown as large as the screen allows.

    Raises ValueError for a size, a screen, a distance or an angle that is not positive.
    """
    geometry = (image_height, image_width, screen_width_px, screen_height_px, screen_height_mm, distance_mm)
    if not all(0 < length < math.inf for length in geometry) or not 0 < angle_deg < 90:
        raise ValueError(f"sizes and distances must be positive, the angle in (0, 90): {geometry}, {angle_deg}")
    pixels_per_mm = screen_height_px / screen_height_mm
    sigma_on_screen = pixels_per_mm * distance_mm * math.tan(math.radians(angle_deg))
    return sigma_on_screen / min(screen_width_px / image_width, screen_height_px / image_height)


def compute_density_map(
    fixations_by_observer: Sequence[np.ndarray], height: int, width: int, *, sigma: float
) -> np.ndarray:
    """The density map of all observers' fixations, float32 (height, width) in [0, 1] with maximum 1.

    fixations_by_observer: one float array (M, 2) of (x, y) in image pixels per observer; M may be 0. A fixation
    outside the image is dropped: what was looked at beside the picture is not evidence about the picture.
    Raises ValueError when no fixation is inside the image, or when sigma is not positive.
    """
    points = [np.asarray(fixations, dtype=np.float64).reshape(-1, 2) for fixations in fixations_by_observer]
    x, y = np.concatenate(points).T if points else np.empty((2, 0))
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    if not inside.any():
        raise ValueError(f"no fixation inside the image of {width} x {height} pixels ({x.size} given)")
    density_map = sum_gaussians(np.stack([x, y], axis=1)[inside], height, width, sigma)
    density_map /= len(points)  # in place: memory is what it costs
    density_map /= density_map.max()
    return density_map


def sum_gaussians(points: np.ndarray, height: int, width: int, sigma: float, dtype: type = np.float32) -> np.ndarray:
    """The sum of a Gaussian of height 1 on each of the points (M, 2): (height, width), before any division."""
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    over_columns, over_rows = (
        np.exp(-0.5 * ((np.arange(n_pixels)[:, None] - centres) / sigma) ** 2).astype(dtype)
        for n_pixels, centres in zip((width, height), np.asarray(points).T)
    )
    return over_rows @ over_columns.T


def leave_one_out(
    fixations: Fixations, height: int, width: int, sigma: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each observer: the density map of all others, float32 (height, width) with maximum 1, and its points (m, 2).

    Only fixations inside the image count; observers without one, `fixations.inside(height, width).n_blank` of them,
    are passed over; of fewer than two there is nothing. Every Gaussian is laid twice, however many observers there are.
    """
    seen = fixations.inside(height, width)
    observers = np.unique(seen.observers)
    if len(observers) < 2:
        return
    # In float64: what a difference of float32 leaves where only this observer looked is far from 0.
    total = sum_gaussians(seen.points, height, width, sigma, np.float64)
    for observer in observers:
        points = seen.points[seen.observers == observer]
        others = sum_gaussians(points, height, width, sigma, np.float64)
        np.subtract(total, others, out=others)  # in place: memory is what it costs
        np.maximum(others, 0, out=others)
        others /= others.max()
        yield others.astype(np.float32), points


class DensityMean:
    """The mean of density maps that come one by one, each of which can be left out: the sum of all, minus its own.

    All are brought to one size, `height` x `width`, and to a sum of 1, so that every image counts alike.
    """

    def __init__(self, height: int, width: int):
        self.total, self.n = np.zeros((height, width)), 0

    def add(self, density_map: np.ndarray) -> None:
        """Takes in a density map (h, w); ValueError if it is negative, not finite, or 0 everywhere."""
        self.total += self._bring(density_map)
        self.n += 1

    def without(self, density_map: np.ndarray) -> np.ndarray:
        """The mean of all others than this one, which was added: float32 (height, width), summing to 1.

        ValueError if there is no other.
        """
        if self.n < 2:
            raise ValueError("there is no other image with a density map")
        # The difference rounds: where the others are 0 it may fall below.
        return np.maximum((self.total - self._bring(density_map)) / (self.n - 1), 0).astype(np.float32)

    def _bring(self, density_map: np.ndarray) -> np.ndarray:
        density_map = utils.resize_map(density_map, *self.total.shape).astype(np.float64)
        total = density_map.sum()
        if not (density_map.min() >= 0 and 0 < total < np.inf):  # written so that NaN is refused too
            raise ValueError("a density map should be finite, 0 or more, and somewhere positive")
        return density_map / total
