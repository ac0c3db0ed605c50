"""Maps that know nothing of the classifier, or nothing of the image: what a saliency map has to be better than.

    random     every pixel uniform in [0, 1)
    centre     exp(-(u^2 + v^2) / (2 sigma^2)), u and v the distances from the centre over the height and the width
    edges      |grad L| of the luminance L = 0.299 R + 0.587 G + 0.114 B, by Sobel's 3 x 3 kernels

The centre stretches with the image, as that of the MIT saliency benchmark (Judd et al. 2012); sigma is a share of
each side. "edges" is the control of Adebayo et al. 2018, "Sanity checks for saliency maps". All are float32 (H, W),
larger being more salient.
"""

import numpy as np

import constants
from metrics.common import WHOLE, check_image

CENTRE_SIGMA = 0.25  # of the height and of the width


def random_map(height: int, width: int, seed: int = constants.SEED) -> np.ndarray:
    """Uniform noise in [0, 1), float32 (height, width)."""
    return np.random.default_rng(seed).random((height, width), dtype=np.float32)


def centre_gaussian(height: int, width: int, sigma: float = CENTRE_SIGMA) -> np.ndarray:
    """A Gaussian in the middle, float32 (height, width) in (0, 1]; sigma: a share of the height and of the width."""
    if sigma <= 0:
        raise ValueError(f"sigma must be positive; got {sigma}")
    down, across = (((np.arange(side) + 0.5) / side - 0.5) / sigma for side in (height, width))
    if height * width <= WHOLE:
        return np.exp(-0.5 * (down[:, None] ** 2 + across**2)).astype(np.float32)
    # Of a large image the product of two rows of numbers: the same to the rounding of float32, and at once.
    return np.outer(*(np.exp(-0.5 * side**2).astype(np.float32) for side in (down, across)))


def edge_map(img_array: np.ndarray) -> np.ndarray:
    """The strength of the edges of an image, RGB 0-255 (H, W, 3): float32 (H, W), 0 or more."""
    import cv2

    luminance = cv2.cvtColor(check_image(img_array), cv2.COLOR_RGB2GRAY)
    across, down = (cv2.Sobel(luminance, cv2.CV_32F, dx, 1 - dx, ksize=3) for dx in (1, 0))
    return np.hypot(across, down)
