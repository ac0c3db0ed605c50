"""KernelSHAP: Shapley values of an image's superpixels, by a weighted regression.

    min_phi sum_z pi(z) (f(z) - phi_0 - sum_i phi_i z_i)^2,   pi(z) = (M - 1) / (C(M, |z|) |z| (M - |z|))

with phi_0 = f(x'), all superpixels hidden, and the constraint of efficiency sum phi = f(x) - f(x'), which is kept
exactly: what is fitted is how the values differ from their mean. Lundberg and Lee, "A Unified Approach to
Interpreting Model Predictions", NeurIPS 2017, theorem 2; coalitions are drawn with their complements, by size as
the kernel weighs them (Covert and Lee, AISTATS 2021), and all of them are taken where there are no more than
num_samples.

Cost per image: num_samples forward passes, besides one segmentation and one regression.
"""

import functools
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

import constants
import utils
from explainers import superpixels
from explainers.base import Explainer


def kernel_weights(n_segments: int) -> np.ndarray:
    """How likely each coalition size 1..M-1 is under the kernel, (M - 1,), summing to 1."""
    sizes = np.arange(1, n_segments)
    weights = (n_segments - 1) / (sizes * (n_segments - sizes))  # of all coalitions of that size together
    return weights / weights.sum()


class KernelSHAP(Explainer):
    """KernelSHAP on LIME's superpixels; the map of a pixel is the Shapley value of its superpixel; signed.

    num_samples: images scored per explanation, 2 or more. hide_color: as for LIME.
    """

    signed = True
    perturbs = True

    def __init__(
        self,
        model,
        model_name,
        img_array,
        class_index=None,
        *,
        num_samples: int = constants.KERNEL_SHAP_NUM_SAMPLES,
        hide_color: float | Sequence[float] | None = constants.LIME_HIDE_COLOR,
        **options,
    ):
        super().__init__(model, model_name, img_array, class_index, **options)
        if num_samples < 2:
            raise ValueError(f"num_samples should be 2 or more, not {num_samples}")
        self.num_samples, self.hide_color = num_samples, hide_color

    def draw_coalitions(self, n_segments: int) -> tuple[np.ndarray, np.ndarray]:
        """Which superpixels are shown, bool (n, M), and the weight of each coalition in the regression, (n,)."""
        likely = kernel_weights(n_segments)
        if n_segments < 31 and 2**n_segments - 2 <= self.num_samples:
            coalitions = np.array(list(product((False, True), repeat=n_segments)))[1:-1]
            sizes = coalitions.sum(axis=1)
            per_size = np.bincount(sizes, minlength=n_segments)
            return coalitions, likely[sizes - 1] / per_size[sizes]
        generator = np.random.default_rng(self.seed)
        n_pairs = self.num_samples // 2
        sizes = generator.choice(np.arange(1, n_segments), n_pairs, p=likely)
        order = generator.random((n_pairs, n_segments)).argsort(axis=1).argsort(axis=1)
        coalitions = order < sizes[:, None]
        return np.concatenate([coalitions, ~coalitions]), np.ones(2 * n_pairs)

    def regress(self, coalitions: np.ndarray, weights: np.ndarray, gains: np.ndarray, total: float) -> np.ndarray:
        """The values (M,) that fit the gains f(z) - f(x'), (n,), best and sum to `total`.

        Where there are too few coalitions to tell, the values are as equal as they can be.
        """
        shown, root = coalitions.astype(np.float64), np.sqrt(weights)
        share = shown.mean(axis=1)  # what z would gain of `total`, were all values equal
        design = (shown - share[:, None]) * root[:, None]
        differences = np.linalg.lstsq(design, (gains - share * total) * root, rcond=None)[0]
        return differences - differences.mean() + total / shown.shape[1]

    def compute_shapley_values(self, image: np.ndarray, class_index: int, segments: np.ndarray) -> np.ndarray:
        """The Shapley value (M,) of each superpixel of an image (H, W, 3) for the class probability."""
        hidden = superpixels.hide_all(image, segments, self.hide_color)
        ends = [self.classifier.predict_once(one[None])[0, class_index] for one in (hidden, image)]
        nothing, everything = np.asarray(ends, dtype=np.float64)
        n_segments = int(segments.max()) + 1
        if n_segments == 1:
            return np.array([everything - nothing])
        coalitions, weights = self.draw_coalitions(n_segments)
        batches = utils.in_batches(coalitions, self.batch_size)
        stream = self.stream_probabilities(
            batches, lambda batch: superpixels.show_some(batch, image, hidden, segments), len(coalitions)
        )
        scores = np.concatenate([probabilities[:, class_index] for _, probabilities in stream])
        return self.regress(coalitions, weights, scores - nothing, everything - nothing)

    @functools.cached_property
    def segments(self) -> list[np.ndarray]:
        """The superpixels (H, W) of each image; found once."""
        return [superpixels.segment_once(self.classifier, image, self.seed) for image in self.images]

    def describe_maps(self, maps: np.ndarray) -> list[dict[str, int]]:
        """For each image how many superpixels were found; with one, the map is constant."""
        return [superpixels.describe(segments) for segments in self.segments]

    def compute_own_maps(self) -> Iterator[np.ndarray]:
        """One map (H, W) per image: the Shapley value of each pixel's superpixel."""
        for image, index, segments in zip(self.images, self.class_indices, self.segments):
            yield self.compute_shapley_values(image, int(index), segments)[segments]
