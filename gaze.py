"""Fixations -> density map, after Wooding.

    map(x, y) = (1 / observers) sum_observers sum_fixations exp(-((x - x_k)^2 + (y - y_k)^2) / (2 sigma^2))

divided by its maximum. sigma = R D tan(2 degrees), with R the pixels per mm of the screen and D the distance
of the eyes from it, is about 116 screen pixels in MexCulture142; the images were scaled to fit the screen,
so in image pixels it is divided by min(1920 / w, 1200 / h).

Source: Wooding, "Fixation maps: quantifying eye-movement traces", ETRA 2002. A fixation keeps its sub-pixel
position: a Gaussian is the product of one over rows and one over columns, so the whole sum is one product of
two matrices, (H, K) and (K, W) for K fixations, and nothing is binned or cut off.
"""

import math
from collections.abc import Sequence

import numpy as np

import constants


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
    if min(geometry) <= 0 or not 0 < angle_deg < 90:
        raise ValueError(
            f"sizes and distances must be positive, the angle in (0, 90): {geometry}, {angle_deg}"
        )
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
    if sigma <= 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    points = [np.asarray(fixations, dtype=np.float64).reshape(-1, 2) for fixations in fixations_by_observer]
    x, y = np.concatenate(points).T if points else np.empty((2, 0))
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    if not inside.any():
        raise ValueError(f"no fixation inside the image of {width} x {height} pixels ({x.size} given)")
    rows = _gaussians(height, y[inside], sigma)
    columns = _gaussians(width, x[inside], sigma)
    density_map = rows @ columns.T / len(points)
    return density_map / density_map.max()


def _gaussians(n_pixels: int, centres: np.ndarray, sigma: float) -> np.ndarray:
    """exp(-(p - c)^2 / (2 sigma^2)) for every pixel p and centre c, float32 (n_pixels, K)."""
    distances = np.arange(n_pixels)[:, None] - centres
    return np.exp(-0.5 * (distances / sigma) ** 2).astype(np.float32)
