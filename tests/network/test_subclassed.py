"""A model with a `call` of its own: seen as the same layers in a graph, or closed and explained right all the same."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from planted import ELSEWHERE, assert_close, draw_weights, explain, noise

from explainers.registry import METHODS
from network.classifier import Classifier
from network.subclassed import open_model


class OwnCall(keras.Model):
    """Pixels / 255, convolution, batch norm, ReLU, mean, dropout, softmax; `tweak` is what stands in between."""

    def __init__(self, tweak=lambda x: x, activation="softmax"):
        super().__init__()
        self.tweak = tweak
        self.conv, self.norm = layers.Conv2D(6, 3, name="conv"), layers.BatchNormalization(name="norm")
        self.mean = layers.GlobalAveragePooling2D()
        self.relu, self.drop = layers.ReLU(name="relu"), layers.Dropout(0.5)
        self.dense = layers.Dense(3, activation=activation, name="dense")

    def call(self, images, training=False):
        x = self.tweak(self.relu(self.norm(self.conv(images / 255), training=training)))
        return self.dense(self.drop(self.mean(x), training=training))


def built(model, scale=1.0):
    model(noise(1, 16))
    draw_weights(model)
    kernel, bias = model.dense.get_weights()
    model.dense.set_weights([scale * kernel, bias])
    return model


def functional_twin(model):
    images = keras.Input((16, 16, 3))
    x = model.relu(model.norm(model.conv(layers.Rescaling(1 / 255)(images))))
    return keras.Model(images, model.dense(layers.GlobalAveragePooling2D()(x)))


def number_of_calls(model):
    return [(len(layer._inbound_nodes), len(layer._outbound_nodes)) for layer in model._flatten_layers()]


CLOSED = {"TensorFlow's functions": lambda x: tf.nn.relu(x), "a function of TensorFlow": tf.function(lambda x: x)}


def test_every_method_explains_it_as_its_functional_twin():
    model = built(OwnCall())
    before = number_of_calls(model)
    own = Classifier(model)
    own_maps = {name: explain(METHODS[name], own, noise(1, 16), 1) for name in METHODS if name not in ELSEWHERE}
    assert number_of_calls(model) == before
    twin = Classifier(functional_twin(model))
    assert own.layer_name == twin.layer_name == "relu"
    assert own.describe()["score"] == "softmax (the model ends in it)"
    np.testing.assert_allclose(own.predict(noise(3, 16)), model(noise(3, 16)), atol=1e-6)
    assert_close(own.logits(noise(3, 16)), twin.logits(noise(3, 16)))
    for name, saliency_map in own_maps.items():
        if name != "LIME":  # which ranks its samples by probabilities that differ in the last digit
            assert_close(saliency_map, explain(METHODS[name], twin, noise(1, 16), 1), relative=1e-3)


@pytest.mark.parametrize("tweak", CLOSED)
def test_where_it_is_no_graph_its_logits_and_gradients_are_there_all_the_same(tweak):
    """The dense layer's kernel times 1000 makes it sure: gradients through its softmax would be exactly 0."""
    model = built(OwnCall(CLOSED[tweak]), scale=1000)
    probabilities = np.asarray(model(noise(1, 16)))
    assert probabilities.max() == 1
    classifier, twin = Classifier(model), Classifier(functional_twin(model))
    top = int(probabilities.argmax())
    maps = [explain(METHODS["VANILLA_GRADIENT"], one, noise(1, 16), top) for one in (classifier, twin)]
    assert maps[1].max() > 0
    assert_close(*maps, relative=1e-4)
    with pytest.raises(ValueError, match="Its layers cannot be seen: .*Methods that look at no layer remain"):
        explain(METHODS["GRADCAM"], classifier, noise(1, 16), top)


def test_numbers_that_differ_are_noticed():
    def drawn(x):
        return x + keras.random.normal((1, 1, 1, 6))

    model = built(OwnCall(drawn))
    assert open_model(model, (16, 16, 3), lambda opened: opened) == (
        model,
        "called on a symbolic image it gives other numbers",
    )


def test_python_that_asks_for_values_is_refused_with_what_it_says():
    model = built(OwnCall(lambda x: x * 2 if float(keras.ops.max(x)) > 1e9 else x))
    with pytest.raises(ValueError, match="'own_call.*' runs as Python alone, TensorFlow makes no graph of it: .*float"):
        Classifier(model)


def test_several_outputs_of_it_have_names():
    class Two(OwnCall):
        def call(self, images):
            return {"classes": super().call(images), "mean": keras.ops.mean(images, axis=(1, 2, 3))[:, None]}

    model = built(Two())
    classifier = Classifier(model, output_name="classes")
    np.testing.assert_allclose(classifier.predict(noise(2, 16)), model(noise(2, 16))["classes"], atol=1e-6)


def test_a_sure_model_that_hides_its_logits_is_refused_by_gradients():
    """A softmax inside a compiled function: what is in front of it cannot be had."""
    hidden = tf.function(lambda x: tf.nn.softmax(1000 * x), jit_compile=True)
    images = keras.Input((16, 16, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3, name="conv")(images / 255))
    model = keras.Model(images, layers.Lambda(hidden)(x))
    draw_weights(model)
    classifier = Classifier(model)
    np.testing.assert_allclose(classifier.predict(noise(1, 16)), model(noise(1, 16)), atol=1e-6)
    for name in ("VANILLA_GRADIENT", "GRADCAM", "SMOOTHGRAD"):
        with pytest.raises(ValueError, match="one that is 0 or 1 to the last digit has no gradient"):
            explain(METHODS[name], classifier, noise(1, 16), int(np.asarray(model(noise(1, 16))).argmax()))
