"""Guided backpropagation: the gradient without any path on which something speaks against the class.

    R_in = R_out [R_out > 0] [f > 0] at every ReLU;   L(i,j) = max_c |R(i,j,c)|

Springenberg et al., "Striving for Simplicity: The All Convolutional Net", ICLR workshop 2015, section 3.4. Every
ReLU is overridden, as in DeconvNet.

Cost per image: one forward and one backward pass.
"""

import tensorflow as tf

from deconvnet import DeconvNet


def _rectify(relu, inputs):
    @tf.custom_gradient
    def rectified(inputs):
        with tf.GradientTape() as tape:  # the ReLU's own gradient: 0 where it is shut, and above 6 for a ReLU6
            tape.watch(inputs)
            outputs = relu(inputs)
        return outputs, lambda upstream: tape.gradient(outputs, inputs, tf.nn.relu(upstream))

    return rectified(inputs)


class GuidedBackprop(DeconvNet):
    """Guided backpropagation; ValueError for a model without a ReLU."""

    rectify = staticmethod(_rectify)
