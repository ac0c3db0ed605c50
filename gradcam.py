"""Grad-CAM: how much each channel of the last feature map speaks for a class.

    w_k = mean_ij dS/dA_k(i,j)        L = ReLU(sum_k w_k A_k)

with A_k the channels of the chosen layer and S the class logit. Selvaraju et al., "Grad-CAM: Visual
Explanations from Deep Networks via Gradient-based Localization", ICCV 2017, equations 1 and 2.
The variant `lab` takes the ReLU before the channels are averaged: L = mean_k ReLU(w_k A_k).
Where the sum is zero by the network's own making - the gradients of scores in front of a softmax add up to nothing over
positions - what is left of it is rounding: it is refused.
Each step also takes what the lab gives it (docs/lab.md): what is left out is worked out anew from the explainer's own
images, so that no step needs another to have been called before.

Cost per image: one forward pass, and one backward pass through the layers behind the chosen one.
"""

import numpy as np
import tensorflow as tf

import constants
import utils
from explainers.base import Explainer
from network.classifier import Classifier
from network.feature_model import FeatureModel

LAYER, LAYERS = "(h, w, K)", "(n, h, w, K)"  # a map of features, gradients or weighted features, or several

CANCELS = 1e-3  # of what products of random signs would add up to: a smaller sum is none


class GradCAM(Explainer):
    """Grad-CAM; an image in which nothing speaks for the class has the zero map.

    variant: 'paper' or 'lab'. ValueError for another, and for a model without a feature map.
    """

    needs_gradients = True
    uses_layer = True
    rectified = True
    begins_with = "gradients"

    def __init__(
        self, model, model_name, img_array, class_index=None, *, variant: str = constants.GRADCAM_VARIANT, **options
    ):
        super().__init__(model, model_name, img_array, class_index, **options)
        if variant not in constants.GRADCAM_VARIANTS:
            raise ValueError(f"variant should be one of {constants.GRADCAM_VARIANTS}, not {variant!r}")
        self.variant = variant

    def get_model(self, model_name: str | None = None) -> FeatureModel:
        """The network as a Keras model: images RGB 0-255 (n, H, W, 3) -> features (n, h, w, K) and logits (n, C).

        model_name: of constants.ZOO, whose last convolutional layer is looked at; None: the classifier's layer.
        """
        return FeatureModel(self.classifier, model_name)

    def compute_gradients(self, model, images=None, class_index=None):
        """Features A (n, h, w, K) and the gradients dS/dA, same shape, of the class logits S.

        model: what `get_model` gives, or the classifier's `forward`. images: (n, H, W, 3); class_index: (n,).
        As the lab calls it, `compute_gradients(model, class_index)` with one int: the gradients of its own images.
        """
        if class_index is None:  # as the lab calls it: the class stands second
            images, class_index = None, images
        if images is None:
            classes = self.class_indices
            if class_index is not None:
                classes = self._check_class_index(class_index, len(self.images))
            return self.compute_gradients(model, self.images, classes)[1]
        if not isinstance(model, FeatureModel) and model != self.classifier.forward:
            raise ValueError(
                f"model should be what get_model() gives, from images to features and logits; got {model!r}"
            )

        def find(answer):  # FEM and CAM ask for the features alone: they are the first of this answer
            return [("features", [images], answer[0])] if model == self.classifier.forward else []

        def compute():
            return _differentiate(self.classifier, model, images, class_index)[:2]

        return self.classifier.share(("gradcam", model), [images, class_index], compute, find)

    @classmethod
    def begin(cls, classifier: Classifier, images: np.ndarray, class_index: np.ndarray) -> np.ndarray:
        """Probabilities (n, C) of images (n, H, W, 3), by the pass that gives their features and gradients."""

        def find(answer):
            features, gradients, classes, _ = answer
            return [
                (("gradcam", classifier.forward), [images, classes], (features, gradients)),
                ("features", [images], features),
            ]

        def compute():
            return _differentiate(classifier, classifier.forward, images, class_index)

        return classifier.share("gradcam and probabilities", [images, class_index], compute, find)[3]

    def pool_gradients(self, gradients: np.ndarray) -> np.ndarray:
        """Channel weights w (n, K), or (K,) of one: the gradients (n, h, w, K) or (h, w, K) averaged over positions."""
        return utils.check_rank("gradients", gradients, LAYER, LAYERS).mean(axis=(-3, -2))

    def weight_activation_map(self, features: np.ndarray, pooled_gradients: np.ndarray | None = None) -> np.ndarray:
        """Each channel of the features (n, h, w, K) or (h, w, K) times its weight (n, K) or (K,), same shape.

        As the lab calls it, `weight_activation_map(pooled_gradients)`: the features of its own images.
        """
        if pooled_gradients is None:
            pooled_gradients, features = features, self.classifier.features(self.images)
            if len(features) == 1 and np.ndim(pooled_gradients) != 2:
                features = features[0]
        features = utils.check_rank("features", features, LAYER, LAYERS)
        weights = ["(K,)", "(n, K)"][features.ndim - 3]
        pooled_gradients = utils.check_rank("pooled_gradients", pooled_gradients, weights)
        wanted = (*features.shape[:-3], features.shape[-1])
        if pooled_gradients.shape != wanted:
            raise ValueError(f"pooled_gradients should be {weights} = {wanted}, not {pooled_gradients.shape}")
        return features * pooled_gradients[..., None, None, :]

    def apply_relu(self, activation_map: np.ndarray | None = None) -> np.ndarray:
        """The positive part, same shape: what speaks for the class; of nothing, of its own weighted features."""
        return np.maximum(self._weighted() if activation_map is None else activation_map, 0)

    def apply_dimension_average_pooling(self, activation_map: np.ndarray | None = None) -> np.ndarray:
        """The mean over channels: (n, h, w, K) -> (n, h, w), (h, w, K) -> (h, w); of nothing, of `apply_relu()`."""
        activation_map = self.apply_relu() if activation_map is None else activation_map
        return utils.check_rank("activation_map", activation_map, LAYER, LAYERS).mean(axis=-1)

    def _weighted(self) -> np.ndarray:
        """The weighted features (n, h, w, K) of its own images, (h, w, K) of one image."""
        features, gradients = self.compute_gradients(self.classifier.forward, self.images, self.class_indices)
        weighted = self.weight_activation_map(features, self.pool_gradients(gradients))
        return weighted[0] if len(weighted) == 1 else weighted

    def check_sum(self, total: np.ndarray, squares: np.ndarray) -> np.ndarray:
        """The sums (n, h, w) of products, whose squares add up to `squares`; ValueError if those of an image cancel."""
        least = max(CANCELS, 4 * self.classifier.rounding) * np.sqrt(squares.max(axis=(1, 2)))
        largest = np.abs(total).max(axis=(1, 2))
        if (largest < least).any():
            raise ValueError(
                f"the weighted features of {self.classifier.layer_name!r} add up to nothing, what is left is rounding: "
                "behind it a normalisation takes no notice of their scale, or a softmax of a shift; choose another "
                "layer by --layer_name, or a method that weighs otherwise, as LAYERCAM"
            )
        return total

    def combine_maps(self, features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
        """Maps (n, h, w) of features and gradients (n, h, w, K): what the methods that grew from this one change."""
        weighted = self.weight_activation_map(features, self.pool_gradients(gradients))
        # A weight is a sum of n_positions gradients divided by their number: were their signs random, its square would
        # be about the sum of their squares divided by that of the number.
        n_positions = gradients.shape[1] * gradients.shape[2]
        squares = np.einsum("nhwk,nk->nhw", features**2, (gradients**2).sum(axis=(1, 2))) / n_positions**2
        total = self.check_sum(weighted.sum(axis=-1), squares)
        if self.variant == "lab":
            return self.apply_dimension_average_pooling(self.apply_relu(weighted))
        return self.apply_relu(total)

    def explain_batch(self, images: np.ndarray, class_index: np.ndarray) -> np.ndarray:
        """Maps (n, h, w) at the size of the feature map."""
        features, gradients = self.compute_gradients(self.classifier.forward, images, class_index)
        return self.combine_maps(features, self.check_gradients(gradients))


def _differentiate(classifier: Classifier, model, images: np.ndarray, class_index: np.ndarray) -> tuple:
    """Features A (n, h, w, K), the gradients dS/dA of the class logits S, the classes (n,), probabilities (n, C).

    model: what gives features and logits. class_index: (n,), -1 for the most probable class.
    """

    def run(images, class_index):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            features, logits = model(images, watch=tape.watch)  # records the tail of the network alone
            probabilities = classifier.probabilities(logits)
            likeliest = tf.argmax(probabilities, axis=1, output_type=tf.int32)
            classes = tf.where(class_index < 0, likeliest, class_index)
            score = tf.gather(logits, classes, axis=1, batch_dims=1)
        gradients = tape.gradient(score, features)
        return tf.cast(features, tf.float32), tf.cast(gradients, tf.float32), classes, probabilities

    return tuple(tensor.numpy() for tensor in classifier.compiled(("gradcam", model), run)(images, class_index))


GRADCAM = GradCAM  # as the lab's flag has it
