"""A model with a `call` of its own: seen as the same layers in a graph, or closed and explained right all the same."""

import re

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
def test_where_symbols_do_not_go_through_its_layers_are_seen_while_its_code_runs(tweak):
    """The dense layer's kernel times 1000 makes it sure: gradients through its softmax would be exactly 0."""
    model = built(OwnCall(CLOSED[tweak]), scale=1000)
    calls = [layer.__dict__.get("call") for layer in model._flatten_layers()]
    probabilities = np.asarray(model(noise(1, 16)))
    assert probabilities.max() == 1
    classifier, twin = Classifier(model), Classifier(functional_twin(model))
    top = int(probabilities.argmax())
    assert (classifier.layer_name, twin.layer_name) == (f"before_{model.mean.name}", "relu")
    assert classifier.describe()["geometry"] == "on the whole image"
    for name in ("VANILLA_GRADIENT", "GRADCAM", "HIRESCAM", "FEM"):
        maps = [explain(METHODS[name], one, noise(1, 16), top) for one in (classifier, twin)]
        assert maps[1].max() > 0
        assert_close(*maps, relative=1e-4)
    assert [layer.__dict__.get("call") for layer in model._flatten_layers()] == calls


class Cropped(keras.Model):
    """A crop by TensorFlow's own function in front of a convolution, and what TensorFlow makes of its map."""

    def __init__(self, crop=lambda x: x[:, 16:48, 24:56]):
        super().__init__()
        self.crop, self.conv, self.dense = crop, layers.Conv2D(6, 3, 2, "same", name="conv"), layers.Dense(3)

    def call(self, images):
        x = tf.nn.relu(self.conv(self.crop(images) / 255))
        return tf.nn.softmax(self.dense(tf.reduce_mean(x, axis=(1, 2))))


def test_what_its_code_does_between_layers_is_undone():
    model = Cropped()
    model(noise(1, 64))
    draw_weights(model)
    classifier = Classifier(model, input_size=(64, 64))
    assert classifier.layer_name == "conv"
    assert classifier.describe()["geometry"].startswith("rows 16 to 48 of 64, columns 24 to 56 of 64")
    images = noise(2, 64)
    saliency_map = explain(METHODS["GRADCAM"], classifier, images, 1)
    assert saliency_map[:, 16:48, 24:56].any()
    assert not saliency_map[:, :16].any() and not saliency_map[:, :, 56:].any()
    with tf.GradientTape() as tape:
        features = model.conv(images[:, 16:48, 24:56] / 255)
        tape.watch(features)
        logits = model.dense(tf.reduce_mean(tf.nn.relu(features), axis=(1, 2)))
        score = logits[:, 1]
    gradients = tape.gradient(score, features).numpy()
    right = np.maximum((gradients.mean(axis=(1, 2), keepdims=True) * features.numpy()).sum(axis=-1), 0)
    question = METHODS["GRADCAM"].load()(classifier, None, images, 1)
    assert_close(np.stack(list(question.explain_batch(question.images, question.class_indices))), right)


class PooledByCode(keras.Model):
    """Two convolutions with TensorFlow's own pooling between them."""

    def __init__(self, pool):
        super().__init__()
        self.pool, self.dense = pool, layers.Dense(3)
        self.one, self.two = layers.Conv2D(4, 3, 2, name="one"), layers.Conv2D(4, 3, padding="same", name="two")

    def call(self, images):
        return self.dense(tf.reduce_mean(self.two(self.pool(self.one(images / 255))), axis=(1, 2)))


@pytest.mark.parametrize(
    ("pool", "place"),
    [
        (lambda x: tf.nn.max_pool2d(x, 3, 2, "SAME"), "rows -1 to 65 of 64"),  # 16 windows of 2 rows, of 31
        (lambda x: tf.nn.avg_pool2d(x, 2, 2, "VALID"), "rows 0 to 61.9.*of two"),  # 30 of 31 rows
        (lambda x: tf.nn.max_pool2d(x[:, 8:24], 2, 2, "VALID"), "rows 16.5 to 49.5 of 64, columns 0 to .* of two"),
    ],
)
def test_pooling_in_its_code_is_followed_and_a_crop_with_it_undone(pool, place):
    model = PooledByCode(pool)
    model(noise(1, 64))
    draw_weights(model)
    classifier = Classifier(model, input_size=(64, 64))
    assert classifier.layer_name == "two"
    assert re.match(place, classifier.describe()["geometry"])


class Residual(keras.Model):
    """A sum that is code's, and what takes its mean."""

    def __init__(self, mean):
        super().__init__()
        self.stem, self.conv = (layers.Conv2D(6, 3, padding="same", name=name) for name in ("stem", "conv"))
        self.mean, self.dense = mean, layers.Dense(3)

    def call(self, images):
        x = tf.nn.relu(self.stem(images / 255))
        return self.dense(self.mean(tf.nn.relu(x + self.conv(x))))


def test_a_sum_that_its_code_makes_is_looked_at_in_front_of_the_layer_that_takes_it():
    model = built(Residual(layers.GlobalAveragePooling2D(name="mean")))
    images = keras.Input((16, 16, 3))
    x = layers.ReLU()(model.stem(layers.Rescaling(1 / 255)(images)))
    x = layers.ReLU(name="sum")(layers.Add()([x, model.conv(x)]))
    classifier = Classifier(model, input_size=(16, 16))
    twin = Classifier(keras.Model(images, model.dense(model.mean(x))))
    assert (classifier.layer_name, twin.layer_name) == ("before_mean", "sum")
    for name in ("GRADCAM", "FEM", "CAM", "ABLATIONCAM", "SCORECAM"):
        maps = [explain(METHODS[name], one, noise(1, 16), 1) for one in (classifier, twin)]
        assert_close(*maps, relative=1e-4)


def test_a_sum_that_no_layer_is_given_is_not_replaced_by_the_stem():
    model = built(Residual(lambda x: tf.reduce_mean(x, axis=(1, 2))))
    with pytest.raises(ValueError, match="code joins what layers make of 'stem' to a map that no layer is given; name"):
        explain(METHODS["GRADCAM"], Classifier(model, input_size=(16, 16)), noise(1, 16), 1)
    assert Classifier(model, input_size=(16, 16), layer_name="conv").layer_name == "conv"


def test_patches_that_its_code_makes_images_of_are_no_map():
    def fold(x):
        x = tf.reshape(x, [-1, 2, 32, 2, 32, 3])
        return tf.reshape(tf.transpose(x, [0, 1, 3, 2, 4, 5]), [-1, 32, 32, 3])

    class Folded(Cropped):
        def call(self, images):
            return tf.reduce_mean(tf.reshape(super().call(images), [-1, 4, 3]), axis=1)

    model = Folded(fold)
    model(noise(1, 64))
    classifier = Classifier(model, input_size=(64, 64))
    np.testing.assert_allclose(classifier.predict(noise(2, 64)), model(noise(2, 64)), atol=1e-6)
    with pytest.raises(ValueError, match="where the map of 'conv' lies on the image is not understood; name one by"):
        explain(METHODS["GRADCAM"], classifier, noise(1, 64), 1)
    with pytest.raises(ValueError, match="'conv' runs on pieces of images"):
        Classifier(model, input_size=(64, 64), layer_name="conv")


def test_where_all_of_it_runs_out_of_sight_the_logarithms_of_its_probabilities_are_there():
    class Hidden(OwnCall):
        call = tf.function(OwnCall.call)

    model = built(Hidden())
    classifier, twin = Classifier(model), Classifier(functional_twin(model))
    logits = twin.logits(noise(2, 16))
    assert_close(classifier.logits(noise(2, 16)), logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))
    assert explain(METHODS["INTEGRATED_GRADIENTS"], classifier, noise(1, 16), 1).any()
    message = "a layer with a feature map .* is needed; the model has: hidden.* Its layers cannot be seen: .*remain"
    with pytest.raises(ValueError, match=message):
        explain(METHODS["GRADCAM"], classifier, noise(1, 16), 1)


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
