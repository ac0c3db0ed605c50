"""CAM: the last feature map seen through the weights of what is linear behind its mean.

    L_c = sum_k w_k^c A_k

Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016, equation 2. No ReLU: a negative
value speaks against the class. Only for a mean over positions and linear layers, dense or 1 x 1 convolutions, or none
where the map has one channel per class (SqueezeNet): then the map is its own channel. Another head is refused, and what
was found is named: MobileNetV3 has a hard swish behind its mean, through which a channel has no weight in a class.

Cost per image: the forward pass up to the last feature map.
"""

import numpy as np

from explainers.base import Explainer
from network.classifier import Classifier


class CAM(Explainer):
    """Class activation mapping; signed."""

    signed = True
    uses_layer = True
    begins_with = "features"

    @classmethod
    def check_classifier(cls, classifier: Classifier) -> None:
        """Raises ValueError for a head other than a mean over positions and linear layers."""
        classifier.dense_weights()

    def explain_batch(self, images: np.ndarray, class_index: np.ndarray) -> np.ndarray:
        """Maps (n, h, w) at the size of the feature map."""
        weights = self.classifier.dense_weights()[:, class_index]
        return np.einsum("nhwk,kn->nhw", self.classifier.features(images), weights)
