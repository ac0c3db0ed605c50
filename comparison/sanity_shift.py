"""Does a map change where the answer does not? A twin network gives to x + c what the trained one gives to x.

    f2(x + c) = f1(x)        c: the same number of grey levels for every pixel and colour

A bias in front of its first weights undoes the shift. Nothing that the network does with the image has changed, so that
neither should the map: Kindermans et al. 2018, "The (Un)reliability of saliency methods", arXiv 1711.00867, section 2.
The gradient is the same for both, gradient times pixel grows by c times the gradient, and a method that begins at
black, or covers with black, begins and covers with what is c darker for the twin: its reference point, not the network,
makes the change.
Beside the twin stands the trained network on x + noise of c grey levels either way: what a change of the picture of
that size does to the map.
"""

from collections.abc import Callable, Sequence

import numpy as np

from comparison.sanity_check import Check, compare_with_trained, name_condition
from data.dataset import Sample
from network.classifier import Classifier

TRAINED, TWIN = name_condition("", "trained"), name_condition("shifted", "twin, shifted")
NOISE = name_condition("noise", "trained, noise")
TOLERANCE = 1e-3  # of a probability: the twin's rounding, nothing more


def shift_image(shift: float) -> Callable[[Sample], Callable[[np.ndarray], np.ndarray]]:
    """Of a sample, what makes its image (H, W, 3) larger by `shift` at every pixel, float32."""
    return lambda sample: lambda image: image.astype(np.float32) + np.float32(shift)


def check_twin(classifier: Classifier, twin: Classifier, images: Sequence[np.ndarray]) -> float:
    """The largest difference of a probability between both networks, of images (H, W, 3), 0-255; 0 for none.

    ValueError if it is more than rounding: then the twin would not be one.
    """
    if not len(images):
        return 0.0
    images = np.stack(images)
    difference = float(np.abs(twin.predict(images + np.float32(twin.shift)) - classifier.predict(images)).max())
    if difference > TOLERANCE:
        raise ValueError(f"the twin's probabilities differ by {difference:.2g}: the model's arithmetic is too coarse")
    return difference


def measure_change(trained: np.ndarray, saliency_map: np.ndarray | None) -> dict[str, float]:
    """`compare_with_trained`, and |L' - L| / |L|, the length of the difference; NaN where it is undefined."""
    scores, length = compare_with_trained(trained, saliency_map), float(np.linalg.norm(trained))
    missing = saliency_map is None or length == 0
    return {**scores, "relative_change": np.nan if missing else float(np.linalg.norm(saliency_map - trained)) / length}


CHECK = Check(
    (TRAINED, TWIN, NOISE),
    {"spearman": "rank correlation", "ssim": "SSIM", "relative_change": "change, share of the map's length"},
    measure_change,
)
