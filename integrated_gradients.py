"""Integrated gradients: the change of the logit from a black image to this one, shared out among the pixels.

    L(i,j) = sum_c (x - x') integral_0^1 dS/dx(x' + a (x - x')) da,   x' = 0

Sundararajan, Taly, Yan, "Axiomatic Attribution for Deep Networks", ICML 2017, equation 1. The integral is a sum over
the midpoints of n_steps equal parts. Completeness, sum L = S(x) - S(x'), holds up to the error of that sum, which
stands in the record beside the map.

Cost per image: n_steps forward and backward passes.
"""

import numpy as np

import constants
from vanilla_gradient import VanillaGradient


class IntegratedGradients(VanillaGradient):
    """Integrated gradients from black; signed.

    n_steps: parts of the way from black to the image, 1 or more.
    """

    signed = True

    def __init__(self, *args, n_steps: int = constants.INTEGRATED_GRADIENTS_N_STEPS, **options):
        super().__init__(*args, **options)
        if n_steps < 1:
            raise ValueError(f"n_steps should be 1 or more, not {n_steps}")
        self.n_steps = n_steps

    def compute_gradients(self, images: np.ndarray, class_index: np.ndarray) -> np.ndarray:
        """The mean gradient (n, H, W, 3) on the way from black to the images."""
        total = np.zeros_like(images)
        for step in range(self.n_steps):
            total += super().compute_gradients(images * np.float32((step + 0.5) / self.n_steps), class_index)
            self.report(step + 1, self.n_steps)
        return total / self.n_steps

    def reduce_channels(self, gradients: np.ndarray, images: np.ndarray) -> np.ndarray:
        """The signed sum of mean gradient times way, (n, H, W)."""
        return (gradients * images).sum(axis=-1)

    def describe_maps(self, maps: np.ndarray) -> list[dict]:
        """For each image how far the map's sum is from S(x) - S(x'), as it is and as a share of that."""
        logits = self.classifier.logits(self.images)
        black = self.classifier.logits(np.zeros_like(self.images[:1]))
        rows = np.arange(len(self.images))
        wanted = logits[rows, self.class_indices] - black[0, self.class_indices]
        errors = maps.reshape(len(wanted), -1).sum(axis=1, dtype=np.float64) - wanted
        return [
            {"completeness_error": float(error), "completeness_error_share": float(abs(error) / max(abs(gap), 1e-12))}
            for error, gap in zip(errors, wanted)
        ]
