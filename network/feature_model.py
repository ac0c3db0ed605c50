"""A classifier as a Keras model from images to the features of one layer and the logits: the lab's Grad-CAM model."""

import keras

import utils
from network.classifier import Classifier


class FeatureModel(keras.Model):
    """RGB 0-255 (n, H, W, 3) -> features (n, h, w, K) of the classifier's layer, and logits (n, C).

    The user's model stands in it as it is, with its weights; `summary()` lists its layers.
    model_name: of constants.ZOO, whose last convolutional layer is looked at; None: the classifier's layer.
    ValueError for a model without that layer, or without any.
    """

    def __init__(self, classifier: Classifier, model_name: str | None = None):
        super().__init__(name="features_and_logits")
        if model_name is not None and utils.find_model_name(model_name) != classifier.model_name:
            classifier = classifier.at_layer(utils.get_last_layer_name(model_name))
        classifier.require_layer()
        self.classifier, self.network = classifier, classifier.model
        self.build((None, *classifier.image_spec.shape[1:]))

    def build(self, input_shape):
        """Marks the model as ready: its network has been built before."""
        self.built = True

    def call(self, images, watch=None):
        """Features and logits; watch: see `Classifier.forward`. ValueError for one image alone."""
        if len(images.shape) != 4:
            raise ValueError(f"images should be (n, H, W, 3), one image as img_array[None], not {tuple(images.shape)}")
        return self.classifier.forward(keras.ops.cast(images, "float32"), watch)

    def compute_output_shape(self, input_shape):
        """The shapes of features and logits of images (n, H, W, 3)."""
        n = input_shape[0]
        return (n, *self.classifier.layout.shape), (n, self.classifier.n_classes)

    def summary(self, *args, expand_nested: bool = True, **options):
        """Prints the layers, as Keras does, and which of them gives the features."""
        super().summary(*args, expand_nested=expand_nested, **options)
        (_, *shape), logits = self.compute_output_shape((None,))
        print_fn = options.get("print_fn") or print
        print_fn(f"features: {self.classifier.layer_name} (n, {', '.join(map(str, shape))}), logits: (n, {logits[1]})")
