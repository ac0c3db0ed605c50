"""Guided backpropagation: the gradient without any path on which something speaks against the class.

    R_in = R_out [R_out > 0] [f > 0] at every ReLU;   L(i,j) = max_c |R(i,j,c)|

Springenberg et al., "Striving for Simplicity: The All Convolutional Net", ICLR workshop 2015, section 3.4. Every
ReLU is overridden, as in DeconvNet.

Cost per image: one forward and one backward pass.
"""

import tensorflow as tf

from explainers.deconvnet import DeconvNet


@tf.RegisterGradient("GuidedBackprop")
def _pass_back(operation, upstream):
    # The ReLU's own gradient, 0 where it is shut and above 6 for a ReLU6, of the positive part of what comes back.
    own = tf.raw_ops.Relu6Grad if operation.type == "Relu6" else tf.raw_ops.ReluGrad
    return own(gradients=tf.nn.relu(upstream), features=operation.outputs[0])


class GuidedBackprop(DeconvNet):
    """Guided backpropagation; ValueError for a model without a ReLU."""

    relu_gradient = "GuidedBackprop"
