"""What one layer's units share with concepts, counted image by image: the mathematics of network dissection.

    M_k = [bilinear upsampling of A_k > T_k]
    IoU_k,c = sum |M_k & L_c| / sum |M_k | L_c|     over the images annotated for c

Annotated for c is every image with a mask of any concept, since all are of one category (concepts.py, Bau et al.'s
rule): without one of c, L_c is empty there. Only an image whose mask of c cannot be read is left out of c's sums.

Bau et al. 2017, "Network dissection: quantifying interpretability of deep visual representations", section 2.2. The
map is laid where the network looked (tokens.py), the centres of its positions in the middle of equal cells, where the
paper anchors them at the centres of the receptive fields (NetDissect-Lite stretches too): up to half a stride apart.

Bilinear upsampling is two small matrix products, R A C^T. It never exceeds the map's maximum, so that only units with
an activation above T_k - at 49 positions and a share of 0.005, one in five or fewer - are upsampled at all.
Memory: K x C counters and K x n top images, whatever the number of images.
"""

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from network.tokens import FeatureLayout, stretched

UNITS_AT_ONCE = 16  # upsampled together: what stays in a processor's cache


def mark(
    maps: np.ndarray, thresholds: np.ndarray, height: int, width: int, layout: FeatureLayout | None = None
) -> np.ndarray:
    """M of activation maps (u, h, w) and their thresholds (u,): bool (u, height, width).

    layout: where the layer's map lies on the image; None: on the whole of it. Nothing is marked where it does not lie.
    """
    rows, columns = (layout or stretched(*maps.shape[1:], 1)).weigh(height, width)
    rows, columns = rows.astype(np.float32), columns.astype(np.float32)
    maps = np.ascontiguousarray(maps)  # a view across the channels would be multiplied number by number
    return (rows @ maps @ columns.T > thresholds[:, None, None]) & rows.any(axis=1)[:, None] & columns.any(axis=1)


def count_bits(packed: np.ndarray) -> np.ndarray:
    """How many bits of uint8 (..., n) are set: (...,)."""
    return np.bitwise_count(packed).sum(axis=-1, dtype=np.int64)


class UnitTally:
    """The counts of K units of one layer and C concepts, and the images that each unit is most active in.

    thresholds: T, (K,). size: (height, width) of the masks. n_top: images kept per unit. layout: of `mark`.
    top_images: (K, n_top) numbers given to `add`, the most active first, -1 where there are fewer.
    """

    def __init__(
        self,
        thresholds: np.ndarray,
        n_concepts: int,
        size: tuple[int, int],
        n_top: int,
        layout: FeatureLayout | None = None,
    ):
        n_units = len(thresholds)
        self.thresholds, self.size, self.layout = np.asarray(thresholds, dtype=np.float32), size, layout
        self.marked = np.zeros(n_units, dtype=np.int64)  # pixels of M_k over the images annotated for any concept
        self.unjudged = np.zeros((n_units, n_concepts), dtype=np.int64)  # of these, where the mask of c is unread
        self.covered = np.zeros(n_concepts, dtype=np.int64)  # pixels of L_c
        self.shared = np.zeros((n_units, n_concepts), dtype=np.int64)  # pixels of both
        self.n_pixels = np.zeros(n_concepts, dtype=np.int64)  # of the images annotated for c
        self.top_images = np.full((n_units, n_top), -1)
        self._top_peaks = np.full((n_units, n_top), -np.inf, dtype=np.float32)

    def add(
        self, image: int, features: np.ndarray, masks: Mapping[int, np.ndarray], unread: Collection[int] = ()
    ) -> None:
        """Counts one image: its number, features (h, w, K), and masks and unread concepts of `Concepts.read`."""
        maps = features.transpose(2, 0, 1)
        peaks = maps.max(axis=(1, 2))
        self._rank(image, peaks)
        if not masks:
            return
        bits = {concept: np.packbits(mask) for concept, mask in masks.items()}  # of 8 pixels a byte
        for concept, of_concept in bits.items():
            self.covered[concept] += count_bits(of_concept)
        unread = list(unread)
        self.n_pixels += math.prod(self.size)
        self.n_pixels[unread] -= math.prod(self.size)
        active = np.flatnonzero(peaks > self.thresholds)
        for begin in range(0, len(active), UNITS_AT_ONCE):
            units = active[begin : begin + UNITS_AT_ONCE]
            marked = mark(maps[units], self.thresholds[units], *self.size, self.layout)
            marked = np.packbits(marked.reshape(len(units), -1), axis=1)
            n_marked = count_bits(marked)
            self.marked[units] += n_marked
            self.unjudged[np.ix_(units, unread)] += n_marked[:, None]
            for concept, of_concept in bits.items():
                self.shared[units, concept] += count_bits(marked & of_concept)

    def merge(self, other: "UnitTally") -> None:
        """Adds the counts of a tally of further images, whose numbers are larger."""
        for name in ("marked", "unjudged", "covered", "shared", "n_pixels"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        peaks = np.concatenate([self._top_peaks, other._top_peaks], axis=1)
        images = np.concatenate([self.top_images, other.top_images], axis=1)
        order = np.argsort(-peaks, axis=1, kind="stable")[:, : self.top_images.shape[1]]
        self._top_peaks = np.take_along_axis(peaks, order, axis=1)
        self.top_images = np.take_along_axis(images, order, axis=1)

    def iou(self) -> np.ndarray:
        """IoU (K, C) of every unit with every concept; 0 where neither marks a pixel."""
        union = self.marked[:, None] - self.unjudged + self.covered - self.shared
        return self.shared / np.maximum(union, 1)

    def _rank(self, image: int, peaks: np.ndarray) -> None:
        units = np.flatnonzero(peaks > self._top_peaks[:, -1])
        all_peaks = np.concatenate([self._top_peaks[units], peaks[units, None]], axis=1)
        images = np.concatenate([self.top_images[units], np.full((len(units), 1), image)], axis=1)
        order = np.argsort(-all_peaks, axis=1, kind="stable")[:, :-1]
        self._top_peaks[units] = np.take_along_axis(all_peaks, order, axis=1)
        self.top_images[units] = np.take_along_axis(images, order, axis=1)


@threadpool_limits.wrap(limits=1, user_api="blas")  # the products are small: threads would only wait for each other
def tally_images(batch: Sequence, begin: int, tallies: dict[str, UnitTally], concepts, store) -> dict[str, str]:
    """Counts samples, the first being number `begin`, by their `Concepts` and what a `FeatureStore` holds of them, in
    tallies by layer; image -> why masks of it cannot be read."""
    failed = {}
    for number, sample in enumerate(batch, start=begin):
        masks, unread = concepts.read(sample, *next(iter(tallies.values())).size)
        if unread:
            failed[sample.name] = "; ".join(unread.values())
        for layer, tally in tallies.items():
            tally.add(number, store.read(layer, sample, concepts.of_images), masks, unread)
    return failed
