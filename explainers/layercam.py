"""LayerCAM: only gradients that speak for the class, position by position; fit for early layers too.

    L = ReLU(sum_k ReLU(g_k) * A_k)

Jiang et al., "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization", IEEE Transactions on Image
Processing 30 (2021), equations 5 and 6.

Cost per image: that of Grad-CAM.
"""

import numpy as np

from gradcam import GradCAM


class LayerCAM(GradCAM):
    """LayerCAM."""

    def combine_maps(self, features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
        """ReLU(sum_k ReLU(g_k) * A_k), (n, h, w)."""
        return self.apply_relu((self.apply_relu(gradients) * features).sum(axis=-1))
