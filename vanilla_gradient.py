"""Vanilla gradient: how steeply the class logit changes with each pixel.

    L(i,j) = max_c |dS/dx(i,j,c)|

Simonyan, Vedaldi, Zisserman, "Deep Inside Convolutional Networks: Visualising Image Classification Models and
Saliency Maps", ICLR workshop 2014, section 3.1. The gradient is taken with respect to the raw pixels, 0-255.

Cost per image: one forward and one backward pass.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from explainer import Explainer


class VanillaGradient(Explainer):
    """The gradient of the class logit; its largest magnitude over the colour channels."""

    needs_gradients = True
    rectify: Callable | None = None  # called in place of each ReLU by the methods that change its gradient

    def compute_gradients(self, images: np.ndarray, class_index: np.ndarray) -> np.ndarray:
        """dS/dx (n, H, W, 3) of the class logits of float32 images (n, H, W, 3), 0-255."""

        def gradients(images, class_index):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(images)
                _, logits = self.classifier.forward(images, rectify=type(self).rectify)
                score = tf.gather(logits, class_index, axis=1, batch_dims=1)
            return tape.gradient(score, images)

        key = f"input gradient {type(self).__name__ if self.rectify else ''}"
        return self.classifier.compiled(key, gradients)(images, class_index).numpy()

    def reduce_channels(self, gradients: np.ndarray, images: np.ndarray) -> np.ndarray:
        """Maps (n, H, W) of gradients and images (n, H, W, 3): here the largest magnitude over the channels."""
        return np.abs(gradients).max(axis=-1)

    def explain_batch(self, images: np.ndarray, class_index: np.ndarray) -> np.ndarray:
        """Maps (n, H, W)."""
        return self.reduce_channels(self.compute_gradients(images, class_index), images)
