"""Vanilla gradient: how steeply the class logit changes with each pixel.

    L(i,j) = max_c |dS/dx(i,j,c)|

Simonyan, Vedaldi, Zisserman, "Deep Inside Convolutional Networks: Visualising Image Classification Models and
Saliency Maps", ICLR workshop 2014, section 3.1. The gradient is taken with respect to the raw pixels, 0-255.

Cost per image: one forward and one backward pass.
"""

import numpy as np
import tensorflow as tf

from explainers.base import Explainer
from network.relus import RELU_OPERATIONS


class VanillaGradient(Explainer):
    """The gradient of the class logit; its largest magnitude over the colour channels."""

    needs_gradients = True
    relu_gradient: str | None = None  # the registered gradient that stands in for that of every ReLU

    def compute_gradients(self, images: np.ndarray, class_index: np.ndarray) -> np.ndarray:
        """dS/dx (n, H, W, 3) of the class logits of float32 images (n, H, W, 3), 0-255."""
        classifier, relu_gradient = self.classifier, self.relu_gradient

        def gradients(images, class_index):
            # On the graph itself every ReLU is found: inside other layers, nested models and custom ones alike.
            overridden = dict.fromkeys(RELU_OPERATIONS, relu_gradient) if relu_gradient else {}
            with images.graph.gradient_override_map(overridden):
                _, logits = classifier.forward(images)
            found = tf.gradients(tf.gather(logits, class_index, axis=1, batch_dims=1), images)[0]
            if found is None:
                raise ValueError("no gradient reaches the pixels: the model takes integers, or stops it on the way")
            return found

        return classifier.compiled(("input gradient", relu_gradient), gradients)(images, class_index).numpy()

    def reduce_channels(self, gradients: np.ndarray, images: np.ndarray) -> np.ndarray:
        """Maps (n, H, W) of gradients and images (n, H, W, 3): here the largest magnitude over the channels."""
        return np.abs(gradients).max(axis=-1)

    def explain_batch(self, images: np.ndarray, class_index: np.ndarray) -> np.ndarray:
        """Maps (n, H, W)."""
        return self.reduce_channels(self.check_gradients(self.compute_gradients(images, class_index)), images)
