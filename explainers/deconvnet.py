"""DeconvNet: the class logit projected back through the network, every ReLU applied to what comes back.

    R_in = ReLU(R_out) at every ReLU;   L(i,j) = max_c |R(i,j,c)|

Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 2.1. Max-pooling sends
back through its switches, convolutions through their transpose, as the gradient does. Every ReLU that is an activation
is overridden, in nested models, inside Conv2D, Dense and Activation layers and in custom layers too; ReLUs inside
gates and other activations (relus.py) are not, and the record names them. The model is not touched.

Cost per image: one forward and one backward pass.
"""

import numpy as np
import tensorflow as tf

from explainers.vanilla_gradient import VanillaGradient
from network.classifier import Classifier
from network.relus import kind_of

LEAST_SHARE = 0.25  # of the activations, that are ReLUs: with fewer the map would be the plain gradient's


def own_gradient(operation, upstream):
    """The ReLU's own gradient: nothing where it is shut, nor above 6 for a ReLU6."""
    own = tf.raw_ops.Relu6Grad if operation.type == "Relu6" else tf.raw_ops.ReluGrad
    return own(gradients=upstream, features=operation.outputs[0])


@tf.RegisterGradient("DeconvNet")
def _pass_back(operation, upstream):
    return tf.nn.relu(upstream) if kind_of(operation) == "ReLU" else own_gradient(operation, upstream)


class DeconvNet(VanillaGradient):
    """The deconvolutional network; ValueError for a model of other activations."""

    relu_gradient = "DeconvNet"

    @classmethod
    def check_classifier(cls, classifier: Classifier) -> None:
        """Raises ValueError for a model without ReLUs, or with a few among many other activations."""
        relus = classifier.relus
        others = f" but {relus.describe_others()}" if relus.others else ""
        if relus.activations == 0:
            raise ValueError(f"{cls.__name__} changes the gradient of ReLUs; the model has none{others}")
        if relus.activations < LEAST_SHARE * (relus.activations + relus.n_other_activations):
            raise ValueError(
                f"{cls.__name__} is a method for networks of ReLUs; the model has {relus.activations}{others}: the map "
                "would be nearly that of VANILLA_GRADIENT"
            )

    def describe_maps(self, maps: np.ndarray) -> list[dict]:
        """For each image how many ReLUs were overridden, and which other non-linearities were not."""
        relus = self.classifier.relus
        others = {"not_overridden": relus.describe_others()} if relus.others else {}
        return [{"relus_overridden": relus.activations, **others} for _ in self.images]
