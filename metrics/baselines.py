"""Maps that know nothing of the classifier, or nothing of the image: what a saliency map has to be better than.

    random     every pixel uniform in [0, 1)
    centre     exp(-(u^2 + v^2) / (2 sigma^2)), u and v the distances from the centre over the height and the width
    edges      |grad L| of the luminance L = 0.299 R + 0.587 G + 0.114 B, by Sobel's 3 x 3 kernels
    others     mean of the gaze density maps of all other images, each summing to 1

The centre stretches with the image, as that of the MIT saliency benchmark (Judd et al. 2012); sigma is a share of
each side. "edges" is the control of Adebayo et al. 2018, "Sanity checks for saliency maps"; "others" is what is known
of gaze before the image is seen. All are float32 (H, W), larger being more salient.
"""

from collections.abc import Sequence

import numpy as np

import constants
import utils
from metrics.common import Undefined, check_image


def random_map(height: int, width: int, seed: int = constants.SEED) -> np.ndarray:
    """Uniform noise in [0, 1), float32 (height, width)."""
    return np.random.default_rng(seed).random((height, width), dtype=np.float32)


def centre_gaussian(height: int, width: int, sigma: float = constants.CENTRE_SIGMA) -> np.ndarray:
    """A Gaussian in the middle, float32 (height, width) in (0, 1]; sigma: a share of the height and of the width."""
    if sigma <= 0:
        raise ValueError(f"sigma must be positive; got {sigma}")
    down, across = (((np.arange(side) + 0.5) / side - 0.5) / sigma for side in (height, width))
    return np.exp(-0.5 * (down[:, None] ** 2 + across**2)).astype(np.float32)


def edge_map(img_array: np.ndarray) -> np.ndarray:
    """The strength of the edges of an image, RGB 0-255 (H, W, 3): float32 (H, W), 0 or more."""
    import cv2

    luminance = cv2.cvtColor(check_image(img_array), cv2.COLOR_RGB2GRAY)
    across, down = (cv2.Sobel(luminance, cv2.CV_32F, dx, 1 - dx, ksize=3) for dx in (1, 0))
    return np.hypot(across, down)


def other_density(densities: Sequence[np.ndarray], index: int) -> np.ndarray:
    """The mean density map of all images but `index`, at the size of that one's: float32 (H, W), summing to 1.

    densities: maps (h, w) of any sizes, 0 or more. Errors as `DensityMean`.
    """
    mean = DensityMean(*np.shape(densities[index]))
    for density_map in densities:
        mean.add(density_map)
    return mean.without(densities[index])


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

        `Undefined` if there is no other.
        """
        if self.n < 2:
            raise Undefined("there is no other image with a density map")
        # The difference rounds: where the others are 0 it may fall below.
        return np.maximum((self.total - self._bring(density_map)) / (self.n - 1), 0).astype(np.float32)

    def _bring(self, density_map: np.ndarray) -> np.ndarray:
        density_map = utils.resize_map(density_map, *self.total.shape).astype(np.float64)
        total = density_map.sum()
        if not (density_map.min() >= 0 and 0 < total < np.inf):  # written so that NaN is refused too
            raise ValueError("a density map should be finite, 0 or more, and somewhere positive")
        return density_map / total
