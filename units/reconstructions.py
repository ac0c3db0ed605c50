"""What of an image made a unit as active as it is: its peak, projected back to the pixels.

    R = d A_k(i, j) / dx at the peak (i, j) = argmax A_k, every ReLU on the way passing back

    deconv   ReLU(R)                     Zeiler and Fergus 2014, section 2.1 and figure 2: the switches of max-pooling
                                         and the signs of what comes back are all that is left of the image
    guided   R [R > 0] [f > 0]           Springenberg et al. 2015, section 3.4

All other activations of the layer are zero on the way back, as in the papers. The patch is where R is not zero for
either rule: what the unit can see of the image, or less, measured and not computed from the layers. Of a deep layer it
is mostly the whole image.

Cost per unit, image and rule: one forward pass as far as the layer, one back.
"""

import numpy as np
import tensorflow as tf

from explainers.deconvnet import DeconvNet
from explainers.guided_backprop import GuidedBackprop
from network.classifier import Classifier
from network.relus import RELU_OPERATIONS

RULES = {"deconv": DeconvNet, "guided": GuidedBackprop}


def check_rules(classifier: Classifier) -> None:
    """ValueError for a model without ReLUs that could pass back otherwise."""
    for explainer in RULES.values():
        explainer.check_classifier(classifier)


def reconstruct(classifier: Classifier, images: np.ndarray, channel: int, rule: str) -> np.ndarray:
    """R (n, H, W, 3) of the peaks of a channel of the chosen layer in images (n, H, W, 3), float32, 0-255.

    rule: of RULES.
    """
    gradient = RULES[rule].relu_gradient

    def project(images, channels):
        with images.graph.gradient_override_map(dict.fromkeys(RELU_OPERATIONS, gradient)):
            features, _ = classifier.forward(images)
        unit = tf.gather(features, channels, axis=3, batch_dims=1)  # (n, h, w)
        flat = tf.reshape(unit, [-1, unit.shape[1] * unit.shape[2]])
        peak = tf.one_hot(tf.argmax(flat, axis=1), flat.shape[1], dtype=flat.dtype)
        found = tf.gradients(tf.reduce_sum(flat * peak, axis=1), images)[0]
        if found is None:
            raise ValueError("no gradient reaches the pixels: the model takes integers, or stops it on the way")
        return found

    channels = np.full(len(images), channel, dtype=np.int32)
    return classifier.compiled(("reconstruction", rule), project)(images, channels).numpy()


def find_patch(*reconstructions: np.ndarray) -> tuple[int, int, int, int]:
    """The box (x0, y0, x1, y1) outside of which all reconstructions (H, W, 3) are zero, x1 and y1 behind it; the whole
    image where they are zero everywhere."""
    seen = np.any([np.any(each != 0, axis=-1) for each in reconstructions], axis=0)
    if not seen.any():
        return 0, 0, seen.shape[1], seen.shape[0]
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def represent(reconstruction: np.ndarray) -> np.ndarray:
    """R (H, W, 3) as a picture, uint8: zero is mid-grey, the largest magnitude black or white."""
    largest = np.abs(reconstruction).max()
    shown = 127.5 + 127.5 * reconstruction / (largest or 1)
    return np.rint(shown).astype(np.uint8)
