"""Superpixels of an image, and the image with some of them hidden: what LIME and KernelSHAP share."""

from collections.abc import Sequence

import numpy as np

from network.classifier import Classifier

LIME_QUICKSHIFT = {"kernel_size": 4, "max_dist": 200, "ratio": 0.2}


def segment(image: np.ndarray, seed: int) -> np.ndarray:
    """Superpixels (H, W), numbered from 0 without gaps, of an image (H, W, 3) of 0-255: quickshift on it in [0, 1]."""
    from lime.wrappers.scikit_image import SegmentationAlgorithm

    # The seed is `random_seed` in older releases of scikit-image, `rng` in newer; the wrapper drops the other.
    seeds = {"random_seed": seed, "rng": seed}
    quickshift = SegmentationAlgorithm("quickshift", **seeds, **LIME_QUICKSHIFT)
    labels = quickshift(image.astype(np.float64) / 255)
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape)


def segment_once(classifier: Classifier, image: np.ndarray, seed: int) -> np.ndarray:
    """As `segment`; methods of a run that ask for the superpixels of one image share them."""
    return classifier.share(("superpixels", seed), [image], lambda: segment(image, seed))


def describe(segments: np.ndarray) -> dict[str, int]:
    """What a record says of the superpixels (H, W): how many. With one, all there is of a tiny image, a map is even."""
    return {"superpixels": int(segments.max()) + 1}


def hide_all(image: np.ndarray, segments: np.ndarray, hide_color: float | Sequence[float] | None) -> np.ndarray:
    """The image (H, W, 3) with every superpixel hidden: in its mean colour (None), a grey value or a colour."""
    if hide_color is not None:
        return np.broadcast_to(np.asarray(hide_color, image.dtype), image.shape)
    sizes = np.bincount(segments.ravel())
    means = [np.bincount(segments.ravel(), channel.ravel()) / sizes for channel in np.moveaxis(image, -1, 0)]
    return np.stack(means, axis=-1)[segments].astype(image.dtype)


def show_some(shown: np.ndarray, image: np.ndarray, hidden: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Images (n, H, W, 3): the image where a superpixel is shown, (n, n_segments), its hidden version elsewhere."""
    return np.where(shown.astype(bool)[:, segments, None], image, hidden)
