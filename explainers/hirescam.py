"""HiResCAM: gradients times features position by position, without pooling the gradients first.

    L = ReLU(sum_k g_k * A_k)

Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks",
arXiv 2011.08891 (2020), equation 5. For a head of global average pooling and one dense layer the gradients
are the same everywhere, and the map is that of Grad-CAM. In front of a layer normalisation alone the sum is zero
everywhere, as that takes no notice of a position's scale: it is refused.

Cost per image: that of Grad-CAM.
"""

import numpy as np

from gradcam import GradCAM


class HiResCAM(GradCAM):
    """HiResCAM."""

    def combine_maps(self, features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
        """ReLU(sum_k g_k * A_k), (n, h, w)."""
        products = gradients * features
        return self.apply_relu(self.check_sum(products.sum(axis=-1), (products**2).sum(axis=-1)))
