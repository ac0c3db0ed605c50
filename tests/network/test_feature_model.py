"""The Grad-CAM model: a Keras model over the user's own, flat or nested, that gives what the classifier gives."""

import keras
import numpy as np
import pytest
from planted import assert_same_state, noise, residual_backbone, residual_network, state_of

from network.classifier import Classifier
from network.feature_model import FeatureModel


def flat():
    return residual_network()


def nested():
    images, inner = keras.Input((32, 32, 3)), residual_backbone("inner", pooling="avg")
    return keras.Model(images, keras.layers.Dense(3, activation="softmax")(inner(images)))


@pytest.mark.parametrize("build", [flat, nested])
def test_it_is_a_keras_model_from_pixels_to_features_and_logits_and_changes_nothing(build):
    model = build()
    before, classifier = state_of(model), Classifier(model)
    asked = FeatureModel(classifier)
    assert isinstance(asked, keras.Model) and asked.count_params() == model.count_params()
    for features, logits in (asked(noise(2)), asked.predict(noise(2), verbose=0)):
        np.testing.assert_allclose(features, classifier.features(noise(2)), rtol=1e-5, atol=1e-5)
        exponentials = np.exp(logits - np.max(logits, axis=1, keepdims=True))
        probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(probabilities, model(noise(2)), rtol=1e-4, atol=1e-6)
    assert asked.compute_output_shape((2, 32, 32, 3)) == ((2, 8, 8, 12), (2, 3))
    assert_same_state(before, state_of(model))


def test_the_summary_lists_the_layers_and_says_which_gives_the_features():
    lines = []
    FeatureModel(Classifier(nested())).summary(print_fn=lambda line, **_: lines.append(line))
    assert "stem_conv" in "\n".join(lines)
    assert lines[-1] == "features: inner/block_out (n, 8, 8, 12), logits: (n, 3)"


def test_a_name_of_the_zoo_tells_the_layer():
    images = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, name="block5_conv3")(images)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(5, 3, name="last")(x))
    classifier = Classifier(keras.Model(images, keras.layers.Dense(2)(x)))
    assert classifier.layer_name == "last"
    assert FeatureModel(classifier, "VGG16").classifier.layer_name == "block5_conv3"
    with pytest.raises(ValueError, match="no layer 'conv5_block3_out'"):
        FeatureModel(classifier, "ResNet")
