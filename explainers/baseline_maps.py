"""The maps that every method must beat, as explainers, so that the same code measures them: chance, priors, people.

    RANDOM  uniform noise                 CENTRE  a Gaussian in the middle of the image      EDGES  Sobel's magnitude
    OTHERS, PEOPLE  density maps that the run is given (gaze_truth.py)

They know neither model nor class; formulas and sources stand in baselines.py. No pass through the network.
"""

import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from explainers.base import Explainer
from metrics import baselines


class Baseline(Explainer):
    """A map that no class and no model enters."""

    uses_class = False

    def draw_map(self, image: np.ndarray) -> np.ndarray:
        """The map (H, W) of a float32 image (H, W, 3) at the input size."""
        raise NotImplementedError

    def explain_batch(self, images: np.ndarray, class_index: np.ndarray) -> Iterator[np.ndarray]:
        """Maps (H, W), one image after the other."""
        return map(self.draw_map, images)


class RandomMap(Baseline):
    """Uniform noise, another one for each image: drawn by the seed and the image's pixels."""

    def draw_map(self, image: np.ndarray) -> np.ndarray:
        return baselines.random_map(*image.shape[:2], seed=[self.seed, zlib.crc32(image.tobytes())])


class CentreMap(Baseline):
    """A Gaussian in the middle."""

    def draw_map(self, image: np.ndarray) -> np.ndarray:
        return baselines.centre_gaussian(*image.shape[:2])


class EdgeMap(Baseline):
    """Where the image has edges."""

    def draw_map(self, image: np.ndarray) -> np.ndarray:
        return baselines.edge_map(image)


class GivenMap(Baseline):
    """The density maps (h, w) that come with the images, one for each."""

    def __init__(self, *question, density_maps: Sequence[np.ndarray] = (), **options):
        super().__init__(*question, **options)
        self.density_maps = density_maps

    def compute_own_maps(self) -> Sequence[np.ndarray]:
        """The density maps as they were given."""
        return self.density_maps
