"""Guided backpropagation: the gradient without any path on which something speaks against the class.

    R_in = R_out [R_out > 0] [f > 0] at every ReLU;   L(i,j) = max_c |R(i,j,c)|

Springenberg et al., "Striving for Simplicity: The All Convolutional Net", ICLR workshop 2015, section 3.4. The ReLUs
that are activations are overridden, as in DeconvNet.

Cost per image: one forward and one backward pass.
"""

import tensorflow as tf

from explainers.deconvnet import DeconvNet, own_gradient
from network.relus import kind_of


@tf.RegisterGradient("GuidedBackprop")
def _pass_back(operation, upstream):
    return own_gradient(operation, tf.nn.relu(upstream) if kind_of(operation) == "ReLU" else upstream)


class GuidedBackprop(DeconvNet):
    """Guided backpropagation; ValueError for a model of other activations."""

    relu_gradient = "GuidedBackprop"
