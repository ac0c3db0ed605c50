"""A unit's peak projected back: by hand for one layer, against ReLUs with gradients of their own for two."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from planted import CELL, GREEN, RED, assert_close, noise, picture

from network.classifier import Classifier
from units import reconstructions


@pytest.mark.parametrize("rule", reconstructions.RULES)
def test_of_one_convolution_it_is_the_kernel_where_the_peak_is(planted_classifier, rule):
    image = picture(RED, GREEN).astype(np.float32)
    row, column = divmod(int(planted_classifier.features(image[None])[0, ..., RED].argmax()), 8)
    found = reconstructions.reconstruct(planted_classifier, image[None], RED, rule)[0]
    expected = np.zeros_like(image)
    cell = slice(CELL * row, CELL * (row + 1)), slice(CELL * column, CELL * (column + 1))
    expected[cell] = np.array([1, -1, -1]) / (CELL**2 * 255)
    assert_close(found, expected)
    box = CELL * column, CELL * row, CELL * (column + 1), CELL * (row + 1)
    assert reconstructions.find_patch(found) == box


@pytest.fixture(scope="module")
def two_layers():
    """Two convolutions with a ReLU behind each, looked at behind the second; and their weights."""
    images = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(5, 3, activation="relu", name="first")(images)
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu", name="second")(x)
    model = keras.Model(images, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
    classifier = Classifier(model, preprocessing="none", score="softmax", layer_name="second")
    return classifier, model.get_layer("first"), model.get_layer("second")


def backward(rule):
    """A ReLU with the gradient that the papers give it."""

    @tf.custom_gradient
    def relu(inputs):
        def back(upstream):
            positive = tf.nn.relu(upstream)
            return positive if rule == "deconv" else positive * tf.cast(inputs > 0, tf.float32)

        return tf.nn.relu(inputs), back

    return relu


@pytest.mark.parametrize("rule", reconstructions.RULES)
def test_of_two_layers_it_is_that_of_relus_which_pass_back_as_in_the_papers(two_layers, rule):
    classifier, first, second = two_layers
    images, relu = noise(3, side=16), backward(rule)
    pixels = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        x = relu(tf.nn.conv2d(pixels, first.kernel, 1, "VALID") + first.bias)
        x = relu(tf.nn.conv2d(x, second.kernel, 2, "VALID") + second.bias)
        peaks = tf.reduce_sum(tf.reduce_max(x[..., 2], axis=[1, 2]))
    expected = tape.gradient(peaks, pixels).numpy()
    found = reconstructions.reconstruct(classifier, images, 2, rule)
    assert expected.any(axis=(1, 2, 3)).all() and (np.max(classifier.features(images)[..., 2], axis=(1, 2)) > 0).all()
    assert_close(found, expected)


def test_a_patch_holds_what_any_reconstruction_holds():
    one, other = np.zeros((6, 8, 3)), np.zeros((6, 8, 3))
    one[2, 3, 0], other[4, 5, 2] = 1, -1
    assert reconstructions.find_patch(one, other) == (3, 2, 6, 5)
    assert reconstructions.find_patch(0 * one) == (0, 0, 8, 6)


def test_zero_is_mid_grey_and_the_largest_magnitude_an_end():
    shown = reconstructions.represent(np.array([[[0.0, 2.0, -1.0]]]))
    assert shown.tolist() == [[[128, 255, 64]]]
    assert (reconstructions.represent(np.zeros((1, 1, 3))) == 128).all()


def test_a_network_of_other_activations_is_refused():
    images = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(2, 3, activation="swish")(images)
    model = keras.Model(images, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
    with pytest.raises(ValueError, match="the model has none"):
        reconstructions.check_rules(Classifier(model, preprocessing="none"))
