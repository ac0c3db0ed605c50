"""SmoothGrad: a gradient method averaged over noisy copies of the image.

    L = 1/n sum_i M(x + N(0, sigma)),   sigma = 15 % of max(x) - min(x)

Smilkov et al., "SmoothGrad: removing noise by adding noise", arXiv 1706.03825 (2017), section 3. Gradients are
averaged before the channels are reduced. Variants: 'squared' averages their squares (Hooker et al., NeurIPS 2019,
SmoothGrad-Squared), 'absolute' their magnitudes. All images are given the same noise, scaled to each.

Cost per image: n_samples times that of the method it smooths.
"""

from collections.abc import Callable

import numpy as np

import constants
from explainers.registry import METHODS
from explainers.vanilla_gradient import VanillaGradient

AVERAGED: dict[str, Callable] = {"mean": np.asarray, "squared": np.square, "absolute": np.abs}


class SmoothGrad(VanillaGradient):
    """SmoothGrad over a gradient method.

    over: one of constants.SMOOTHGRAD_METHODS. n_samples: noisy copies. noise: sigma as a share of max - min.
    variant: what is averaged: the gradients ('mean'), 'squared' or 'absolute'.
    """

    def __init__(
        self,
        model,
        model_name,
        img_array,
        class_index=None,
        *,
        over: str = constants.SMOOTHGRAD_OVER,
        n_samples: int = constants.SMOOTHGRAD_N_SAMPLES,
        noise: float = constants.SMOOTHGRAD_NOISE,
        variant: str = constants.SMOOTHGRAD_VARIANT,
        **options,
    ):
        super().__init__(model, model_name, img_array, class_index, **options)
        if over not in constants.SMOOTHGRAD_METHODS:
            raise ValueError(f"over should be one of {', '.join(constants.SMOOTHGRAD_METHODS)}, not {over!r}")
        if n_samples < 1 or not 0 <= noise <= 10 or variant not in AVERAGED:
            raise ValueError(
                f"n_samples should be 1 or more, noise 0 to 10 and variant one of {', '.join(AVERAGED)}; "
                f"given: {n_samples}, {noise}, {variant!r}"
            )
        method = METHODS[over].load()
        self.method = method(self.classifier, None, img_array, class_index, batch_size=self.batch_size)
        self.signed = method.signed and variant == "mean"
        self.over, self.n_samples, self.noise, self.variant = over, n_samples, noise, variant

    def compute_gradients(self, images: np.ndarray, class_index: np.ndarray) -> np.ndarray:
        """The mean over noisy copies of the method's gradients, (n, H, W, 3)."""
        generator = np.random.default_rng(self.seed)
        sigma = self.noise * (images.max(axis=(1, 2, 3)) - images.min(axis=(1, 2, 3)))
        total = np.zeros_like(images)
        for sample in range(self.n_samples):
            noise = generator.standard_normal(images.shape[1:], dtype=np.float32)
            noisy = images + sigma[:, None, None, None] * noise
            total += AVERAGED[self.variant](self.method.compute_gradients(noisy, class_index))
            self.report(sample + 1, self.n_samples)
        return total / self.n_samples

    def reduce_channels(self, gradients: np.ndarray, images: np.ndarray) -> np.ndarray:
        """Maps (n, H, W), by the smoothed method's own rule."""
        return self.method.reduce_channels(gradients, images)
