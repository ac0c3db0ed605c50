"""DeconvNet: the class logit projected back through the network, every ReLU applied to what comes back.

    R_in = ReLU(R_out) at every ReLU;   L(i,j) = max_c |R(i,j,c)|

Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 2.1. Max-pooling sends
back through its switches, convolutions through their transpose, as the gradient does. Every ReLU is overridden, in
nested models, inside Conv2D, Dense and Activation layers and in custom layers too; the model is not touched.

Cost per image: one forward and one backward pass.
"""

import numpy as np
import tensorflow as tf

from explainers.vanilla_gradient import VanillaGradient
from network.classifier import Classifier


@tf.RegisterGradient("DeconvNet")
def _pass_back(operation, upstream):
    return tf.nn.relu(upstream)


class DeconvNet(VanillaGradient):
    """The deconvolutional network; ValueError for a model without a ReLU, where it would be the plain gradient."""

    relu_gradient = "DeconvNet"

    @classmethod
    def check_classifier(cls, classifier: Classifier) -> None:
        """Raises ValueError for a model without a ReLU."""
        if classifier.n_relus == 0:
            raise ValueError(f"{cls.__name__} changes the gradient of ReLUs; the model has none")

    def describe_maps(self, maps: np.ndarray) -> list[dict]:
        """For each image how many ReLUs were overridden."""
        return [{"relus_overridden": self.classifier.n_relus} for _ in self.images]
