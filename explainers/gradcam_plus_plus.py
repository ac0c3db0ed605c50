"""Grad-CAM++: Grad-CAM whose gradients are weighted position by position, for several objects of one class.

    alpha = g^2 / (2 g^2 + (sum_ab A_k) g^3)      w_k = sum_ij alpha ReLU(g)      L = ReLU(sum_k w_k A_k)

with g = dS/dA_k(i,j). Chattopadhay et al., "Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep
Convolutional Networks", WACV 2018, equations 9 and 19 for the score exp(S), whose factor exp(S) scales the whole
map and is left out. Where the denominator is 0, alpha is 0.

The variant `code` is the authors' program, which the equations do not tell: each channel's alphas are divided by their
sum over the positions where g > 0, so that every channel's weights are a mean of its positive gradients. tf-keras-vis
divides by the sum over all positions. The maps of the two variants correlate by 0.45 to 0.997.

Cost per image: that of Grad-CAM.
"""

import numpy as np

import constants
from gradcam import GradCAM


class GradCAMPlusPlus(GradCAM):
    """Grad-CAM++.

    variant: 'paper' or 'code'. ValueError for another, and for a model without a feature map.
    """

    def __init__(
        self,
        model,
        model_name,
        img_array,
        class_index,
        *,
        variant: str = constants.GRADCAM_PLUS_PLUS_VARIANT,
        **options,
    ):
        if variant not in constants.GRADCAM_PLUS_PLUS_VARIANTS:
            raise ValueError(f"variant should be one of {constants.GRADCAM_PLUS_PLUS_VARIANTS}, not {variant!r}")
        super().__init__(model, model_name, img_array, class_index, **options)
        self.variant = variant

    def weight_gradients(self, features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
        """alpha (n, h, w, K) of features and gradients of the same shape."""
        squared = gradients**2
        denominator = 2 * squared + features.sum(axis=(1, 2), keepdims=True) * squared * gradients
        alpha = np.divide(squared, denominator, out=np.zeros_like(squared), where=denominator != 0)
        if self.variant == "paper":
            return alpha
        total = np.where(gradients > 0, alpha, 0).sum(axis=(1, 2), keepdims=True)
        return np.divide(alpha, total, out=alpha, where=total != 0)

    def combine_maps(self, features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
        """ReLU(sum_k w_k A_k), (n, h, w)."""
        weights = (self.weight_gradients(features, gradients) * self.apply_relu(gradients)).sum(axis=(1, 2))
        return self.apply_relu(self.weight_activation_map(features, weights).sum(axis=-1))
