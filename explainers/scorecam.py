"""Score-CAM: each channel weighted by what it does for the class when the image is seen through it alone.

    H_k = min-max(upsampled A_k)    C_k = f(x * H_k) - f(0)    w = softmax(C)    L = ReLU(sum_k w_k A_k)

Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks", CVPR workshop 2020,
equations 5 to 8, with f the class probability and a black image as the baseline. A flat channel hides nothing and
is skipped. The variant `code`, of the authors' own program, takes the class probabilities f(x * H_k) themselves as
weights. `max_n` keeps the n channels that vary most.

Cost per image: one forward pass per channel used, and one for the features.
"""

from collections.abc import Iterator

import numpy as np

import constants
import utils
from explainers.base import Explainer


class ScoreCAM(Explainer):
    """Score-CAM.

    variant: 'paper' or 'code'. max_n: how many channels at the most, those of largest variance; None: all.
    """

    uses_layer = True
    rectified = True
    perturbs = True

    def __init__(
        self,
        model,
        model_name,
        img_array,
        class_index=None,
        *,
        variant: str = constants.SCORECAM_VARIANT,
        max_n: int | None = constants.SCORECAM_MAX_N,
        **options,
    ):
        super().__init__(model, model_name, img_array, class_index, **options)
        if variant not in constants.SCORECAM_VARIANTS:
            raise ValueError(f"variant should be one of {constants.SCORECAM_VARIANTS}, not {variant!r}")
        if max_n is not None and max_n < 1:
            raise ValueError(f"max_n should be None or 1 or more, not {max_n}")
        self.variant, self.max_n = variant, max_n

    def choose_channels(self, features: np.ndarray) -> np.ndarray:
        """The channels of features (h, w, K) that are used: not flat, at most max_n of them, in their order."""
        varying = np.array([k for k in range(features.shape[2]) if not utils.is_constant(features[..., k])], dtype=int)
        if self.max_n is None or len(varying) <= self.max_n:
            return varying
        variance = features[..., varying].var(axis=(0, 1))
        return np.sort(varying[np.argsort(-variance, kind="stable")[: self.max_n]])

    def make_masks(self, features: np.ndarray, channels: np.ndarray) -> np.ndarray:
        """H_k (n, H, W) in [0, 1] of the given channels of features (h, w, K)."""
        maps = [features[..., channel] for channel in channels]
        return np.stack([utils.normalise(self.classifier.lay_out(one, outside=one.min())) for one in maps])

    def weigh_channels(self, image: np.ndarray, features: np.ndarray, class_index: int) -> np.ndarray:
        """Channel weights (K,), 0 for those not used."""
        channels = self.choose_channels(features)
        batches = utils.in_batches(channels, self.batch_size)
        stream = self.stream_probabilities(
            batches, lambda batch: image * self.make_masks(features, batch)[..., None], len(channels)
        )
        weights = np.zeros(features.shape[-1])
        for batch, probabilities in stream:
            weights[batch] = probabilities[:, class_index]
        if self.variant == "paper" and len(channels):
            gains = weights[channels] - self.classifier.predict_once(np.zeros_like(image)[None])[0, class_index]
            exponentials = np.exp(gains - gains.max())
            weights[channels] = exponentials / exponentials.sum()
        return weights

    def explain_batch(self, images: np.ndarray, class_index: np.ndarray) -> Iterator[np.ndarray]:
        """Maps (h, w) at the size of the feature map, one image after the other."""
        for image, features, index in zip(images, self.classifier.features(images), class_index):
            yield np.maximum(features @ self.weigh_channels(image, features, index), 0)
