"""Grad-CAM++: Grad-CAM whose gradients are weighted position by position, for several objects of one class.

    alpha = g^2 / (2 g^2 + (sum_ab A_k) g^3)      w_k = sum_ij alpha ReLU(g)      L = ReLU(sum_k w_k A_k)

with g = dS/dA_k(i,j). Chattopadhay et al., "Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep
Convolutional Networks", WACV 2018, equations 9 and 19 for the score exp(S), whose factor exp(S) scales the whole
map and is left out. Where the denominator is 0, alpha is 0.

Cost per image: that of Grad-CAM.
"""

import numpy as np

from gradcam import GradCAM


class GradCAMPlusPlus(GradCAM):
    """Grad-CAM++."""

    def weight_gradients(self, features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
        """alpha (n, h, w, K) of features and gradients of the same shape."""
        squared = gradients**2
        denominator = 2 * squared + features.sum(axis=(1, 2), keepdims=True) * squared * gradients
        return np.divide(squared, denominator, out=np.zeros_like(squared), where=denominator != 0)

    def combine_maps(self, features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
        """ReLU(sum_k w_k A_k), (n, h, w)."""
        weights = (self.weight_gradients(features, gradients) * self.apply_relu(gradients)).sum(axis=(1, 2))
        return self.apply_relu(self.weight_activation_map(features, weights).sum(axis=-1))
