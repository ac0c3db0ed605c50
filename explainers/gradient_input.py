"""Gradient x input: what each pixel adds to the class logit, were the network linear.

    L(i,j) = sum_c x(i,j,c) dS/dx(i,j,c)

Shrikumar et al., "Not Just a Black Box: Learning Important Features Through Propagating Activation Differences",
arXiv 1605.01713 (2016), section 3. The signed sum over the channels keeps the sum over the map, which for a
linear network is the logit without its bias.

Cost per image: one forward and one backward pass.
"""

import numpy as np

from explainers.vanilla_gradient import VanillaGradient


class GradientInput(VanillaGradient):
    """Gradient times input, summed over the colour channels; signed."""

    signed = True

    def reduce_channels(self, gradients: np.ndarray, images: np.ndarray) -> np.ndarray:
        """The signed sum of gradient times pixel, (n, H, W)."""
        return (gradients * images).sum(axis=-1)
