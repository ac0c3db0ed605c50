"""Where people looked, as the maps of a run are measured by it.

Density metrics are given a density map: the file of the image, or else Wooding's map of its fixations. Point metrics
are given the fixations. An image that has a density map alone is asked for no point metric: none is fed the other.

Two rows of a table come from the gaze itself:

    OTHERS  the mean density map of the other images: what one knows who has never seen the image
    PEOPLE  the ceiling: for points, each observer is predicted by the density map of all others (leave one out,
            Wilming et al. 2011); for densities, one half of the observers by the other, over several random halves
"""

import functools
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

import constants
import utils
from data import dataset, density_maps
from data.dataset import Sample
from data.density_maps import DensityMean
from metrics import baselines
from metrics.catalogue import DENSITY, POINTS

SAUC_IMAGES = 10  # other images whose fixations are the negatives of the shuffled AUC
OTHERS_SIDE = 96  # pixels of the square grid on which density maps of several images are averaged
PEOPLE_SPLITS = 10  # random halves of the observers that are compared with each other


class GazeTruth:
    """The gaze of the samples of a data set, of which a run may explain but a few.

    sigma_px: width of a fixation's Gaussian in image pixels; None: that of MexCulture142's screen (gaze.py).
    """

    def __init__(self, samples: Sequence[Sample], *, sigma_px: float | None = None, seed: int = constants.SEED):
        self.samples, self.sigma_px, self.seed = samples, sigma_px, seed

    @functools.cached_property
    def fingerprint(self) -> str:
        """A short text that tells this gaze, of all images, from any other."""
        crc = 0
        for sample in self.samples:
            if self.kinds(sample):
                crc = zlib.crc32(sample.name.encode(errors="surrogateescape"), crc)
                if sample.density_map_path is not None and sample.density_map_path.is_file():
                    crc = zlib.crc32(sample.density_map_path.read_bytes(), crc)
                if sample.fixations is not None:
                    crc = zlib.crc32(sample.fixations.points.tobytes() + sample.fixations.observers.tobytes(), crc)
        return f"{crc:08x}"

    def kinds(self, sample: Sample) -> list[str]:
        """Which ground truths the sample has: of `catalogue.DENSITY` and `catalogue.POINTS`."""
        has_points = sample.fixations is not None
        return [DENSITY] * (has_points or sample.density_map_path is not None) + [POINTS] * has_points

    def sigma(self, height: int, width: int) -> float:
        """The width of a fixation's Gaussian, in pixels of an image of that size."""
        return self.sigma_px or density_maps.compute_sigma(height, width)

    def density_map(self, sample: Sample, height: int, width: int) -> np.ndarray:
        """The density map (height, width) of the image; ValueError for one that cannot be used."""
        if sample.density_map_path is not None:
            return dataset.load_density_map(sample, height, width)
        observers = sample.fixations.by_observer()
        return density_maps.compute_density_map(observers, height, width, sigma=self.sigma(height, width))

    def points(self, sample: Sample, height: int, width: int) -> np.ndarray:
        """The fixations (M, 2) as (x, y) inside the image."""
        return sample.fixations.inside(height, width).points

    def centre_prior(self, height: int, width: int) -> np.ndarray:
        """The map (height, width) over which information is gained: a Gaussian in the middle."""
        return baselines.centre_gaussian(height, width)

    def other_points(self, sample: Sample, height: int, width: int) -> np.ndarray:
        """The fixations (M, 2) of up to `SAUC_IMAGES` other images, drawn by the seed, at their places in
        this image: relative to its size."""
        others = [other for other in self.samples if other.fixations is not None and other.name != sample.name]
        rng = np.random.default_rng([self.seed, zlib.crc32(sample.name.encode(errors="surrogateescape"))])
        drawn = rng.permutation(len(others))[:SAUC_IMAGES]
        found = [self._relative_points(others[index]) for index in drawn]
        return np.concatenate([np.empty((0, 2)), *found]) * (width, height)

    def other_density(self, sample: Sample, height: int, width: int) -> np.ndarray:
        """The mean density map (height, width) of the other images, each stretched to this one's size."""
        mean, known = self._mean_density
        if sample.name in known:
            others = mean.without(self._own_density(sample))
        elif known:
            others = mean.total / mean.n
        else:
            raise ValueError("no image has a density map or fixations")
        return utils.resize_map(others, height, width)

    def covers(self, row: str, sample: Sample) -> bool:
        """Whether the row 'OTHERS' or 'PEOPLE' has anything to say of that sample."""
        if row == "PEOPLE":
            found = sample.fixations
            return found is not None and found.observers_known and found.n_observers > 1
        return any(self.kinds(other) for other in self.samples if other.name != sample.name)

    def wants(self, row: str) -> str:
        """What `covers` asks for, in words."""
        return "no image has fixations of two observers or more" if row == "PEOPLE" else "no other image has gaze"

    def halves(self, sample: Sample, height: int, width: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Density maps of two halves of the observers, `PEOPLE_SPLITS` times; ValueError for fewer."""
        observers = self._observers(sample, height, width)
        rng = np.random.default_rng([self.seed, len(observers)])
        sigma = self.sigma(height, width)
        for _ in range(PEOPLE_SPLITS):
            order = rng.permutation(len(observers))
            parts = order[: len(order) // 2], order[len(order) // 2 :]
            yield tuple(
                density_maps.compute_density_map([observers[i] for i in part], height, width, sigma=sigma)
                for part in parts
            )

    def leave_one_out(self, sample: Sample, height: int, width: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For each observer, the density map (height, width) of all others and its own fixations (m, 2)."""
        self._observers(sample, height, width)
        return density_maps.leave_one_out(sample.fixations, height, width, sigma=self.sigma(height, width))

    def _observers(self, sample: Sample, height: int, width: int) -> list[np.ndarray]:
        """The fixations of each observer who looked into the image; ValueError for fewer than two."""
        known = [] if sample.fixations is None else sample.fixations.inside(height, width).by_observer()
        observers = [points for points in known if len(points)]
        if len(observers) < 2:
            raise ValueError(f"people against people needs two observers or more; '{sample.name}' has {len(observers)}")
        return observers

    def _relative_points(self, sample: Sample) -> np.ndarray:
        """The fixations (M, 2) inside the image, from 0 to 1 along each side."""
        height, width = sample.read_size()
        return self.points(sample, height, width) / (width, height)

    def _own_density(self, sample: Sample) -> np.ndarray:
        """The density map at the size of its image."""
        return self.density_map(sample, *sample.read_size())

    @functools.cached_property
    def _mean_density(self) -> tuple[DensityMean, set[str]]:
        """The mean density map of all images on one grid, and the names of the images that are in it."""
        mean, known = DensityMean(OTHERS_SIDE, OTHERS_SIDE), set()
        for sample in self.samples:
            if self.kinds(sample):
                try:
                    mean.add(self._own_density(sample))
                except ValueError:  # it is told where that image is measured
                    continue
                known.add(sample.name)
        return mean, known
