"""Guided Grad-CAM: guided backpropagation, kept where Grad-CAM sees the class.

    L = upsampled Grad-CAM * guided backpropagation

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017,
section 3.2: the first is enlarged bilinearly to the input size, the product is taken pixel by pixel.

Cost per image: that of Grad-CAM and of guided backpropagation.
"""

import numpy as np

from explainers.base import Explainer
from explainers.guided_backprop import GuidedBackprop
from gradcam import GradCAM
from network.classifier import Classifier


class GuidedGradCAM(Explainer):
    """Grad-CAM times guided backpropagation; ValueError for a model without a feature map or without a ReLU."""

    needs_gradients = True
    uses_layer = True
    rectified = True
    begins_with = "gradients"
    begin = GradCAM.begin

    @classmethod
    def check_classifier(cls, classifier: Classifier) -> None:
        """Raises ValueError for a model without a feature map or without a ReLU."""
        for method in (GradCAM, GuidedBackprop):
            method.check_classifier(classifier)

    def explain_batch(self, images: np.ndarray, class_index: np.ndarray) -> np.ndarray:
        """Maps (n, H, W)."""
        where, what = (
            method(self.classifier, None, images, class_index).compute_saliency_map()
            for method in (GradCAM, GuidedBackprop)
        )
        return where * what

    def enlarge(self, saliency_map: np.ndarray) -> np.ndarray:
        """The map as it is: both of its factors lie on the input already."""
        return saliency_map
