"""Which images of a data set excite a channel most, and where in them.

    peak_k(image) = max_ij A_k(i,j);   region: {A_k laid on the image >= peak / 2}, the part that holds the peak

One pass over the data set keeps, for every channel, the images of the largest peaks: K x n numbers, however many
images there are. The region is thresholded on the upsampled map, as in network dissection (Bau et al. 2017), not the
receptive field: that of a deep layer is the whole image.

Cost per image: one forward pass as far as the layer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

import constants
import utils
from data.dataset import Sample
from network.classifier import Classifier
from network.tokens import FeatureLayout
from output.files import read_arrays

REGION_SHARE = 0.5  # of a map's peak, from which on a position belongs to the exciting region


@dataclass
class TopImages:
    """The largest peaks so far. peaks (K, n), largest first; images (K, n): numbers of their images, -1 for none yet.

    sums (K,): of all peaks. n_seen: images that were read; n_done: images gone through. unread (m, 2): names of those
    that could not be read, and why.
    """

    peaks: np.ndarray
    images: np.ndarray
    sums: np.ndarray
    n_seen: int = 0
    n_done: int = 0
    unread: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), dtype=str))

    @classmethod
    def empty(cls, n_channels: int, n: int) -> "TopImages":
        """Before the first image."""
        return cls(np.full((n_channels, n), -np.inf, np.float32), np.full((n_channels, n), -1), np.zeros(n_channels))

    @classmethod
    def load(cls, path: Path) -> "TopImages":
        """What `save` wrote; ValueError for a damaged file."""
        values = read_arrays(path, [entry.name for entry in fields(cls)])
        return cls(**{name: value if value.ndim else int(value) for name, value in values.items()})

    def save(self, path: Path) -> None:
        """Writes it to a .npz file of exactly that name."""
        with path.open("wb") as file:
            np.savez(file, **vars(self))

    def add(self, numbers: Sequence[int], peaks: np.ndarray) -> None:
        """Takes in the peaks (b, K) of images of these numbers; of equal peaks the earlier image stays first."""
        n = self.peaks.shape[1]
        all_peaks = np.concatenate([self.peaks, peaks.T], axis=1)
        all_images = np.concatenate([self.images, np.broadcast_to(numbers, peaks.T.shape)], axis=1)
        order = np.argsort(-all_peaks, axis=1, kind="stable")[:, :n]
        self.peaks = np.take_along_axis(all_peaks, order, axis=1)
        self.images = np.take_along_axis(all_images, order, axis=1)
        self.sums += peaks.sum(axis=0, dtype=np.float64)
        self.n_seen += len(peaks)

    def selectivity(self) -> np.ndarray:
        """Mean of a channel's kept peaks over the mean of all its peaks (K,); 0 for one that no image excites."""
        kept = np.where(self.images >= 0, np.maximum(self.peaks, 0), 0)
        mean = kept.sum(axis=1) / np.maximum((self.images >= 0).sum(axis=1), 1)
        overall = self.sums / max(self.n_seen, 1)
        return np.divide(mean, overall, out=np.zeros_like(overall), where=overall > 1e-12)


def read_pixels(sample: Sample, classifier: Classifier) -> np.ndarray:
    """The image at the model's input size, float32 (H, W, 3), 0-255; errors as `Sample.read`."""
    return utils.fit_image(sample.read(), classifier.input_height, classifier.input_width)


def count_channels(classifier: Classifier) -> int:
    """How many channels the chosen layer has."""
    grey = np.full((1, classifier.input_height, classifier.input_width, 3), 127, dtype=np.float32)
    return classifier.features(grey).shape[3]


def find_top_images(
    classifier: Classifier,
    samples: Sequence[Sample],
    top: TopImages,
    report: Callable[[TopImages], None] = lambda top: None,
) -> TopImages:
    """The images of the largest peak for every channel of the chosen layer, added to `top` and returned.

    top: empty, or how far an earlier run came. report: called after every batch. An image that cannot be read is left
    out and noted.
    """
    while top.n_done < len(samples):
        first = top.n_done
        top.n_done = min(first + constants.IMAGES_AT_ONCE, len(samples))
        pixels = {}
        for number in range(first, top.n_done):
            try:
                pixels[number] = read_pixels(samples[number], classifier)
            except ValueError as error:
                top.unread = np.concatenate([top.unread, [[samples[number].name, str(error)]]])
        if pixels:
            top.add(list(pixels), classifier.features(np.stack(list(pixels.values()))).max(axis=(1, 2)))
        report(top)
    return top


def find_region(
    activation: np.ndarray, height: int, width: int, layout: FeatureLayout
) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """Where a map (h, w) is excited: mask, bool (height, width), and its box (x0, y0, x1, y1), x1 and y1 behind it.

    layout: where the layer's map lies. A map without a positive value has no half of its peak: the region is then the
    peak's own cell.
    """
    import cv2

    laid = layout.lay_out(activation, height, width, outside=-np.inf)
    peak = laid.max()
    if peak > 0:
        _, parts = cv2.connectedComponents((laid >= REGION_SHARE * peak).astype(np.uint8))
        row, column = np.unravel_index(laid.argmax(), laid.shape)
        mask = parts == parts[row, column]
    else:
        row, column = np.unravel_index(activation.argmax(), activation.shape)
        rows, columns = (weights.argmax(axis=1) for weights in layout.weigh(height, width))
        mask = (rows == row)[:, None] & (columns == column) & np.isfinite(laid)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return mask, (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
