"""Guided backpropagation, beyond what it shares with DeconvNet and is tested there: its twin, and ReLU6."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from planted import GREEN, RED, assert_close, draw_weights, noise
from twins import residual_model, with_relu

from explainers.deconvnet import DeconvNet
from explainers.guided_backprop import GuidedBackprop
from explainers.vanilla_gradient import VanillaGradient


@tf.custom_gradient
def guided_relu(x):
    return tf.nn.relu(x), lambda upstream: tf.nn.relu(upstream) * tf.cast(x > 0, x.dtype)


def test_map_of_a_network_whose_relus_have_that_gradient_of_themselves():
    model, images = residual_model(), noise(3)
    maps = GuidedBackprop(model, None, images, [0, 1, 2]).compute_saliency_map()
    expected = VanillaGradient(with_relu(model, guided_relu), None, images, [0, 1, 2]).compute_saliency_map()
    assert expected.max() > 0
    assert_close(maps, expected, relative=1e-4)


@pytest.mark.parametrize("relu6", [lambda: layers.ReLU(max_value=6), lambda: layers.Activation("relu6")])
def test_a_relu6_passes_nothing_back_where_it_is_full(relu6):
    model = keras.Sequential(
        [
            keras.Input((1, 3, 3)),
            layers.Conv2D(1, 1, use_bias=False),
            relu6(),
            layers.Flatten(),
            layers.Dense(2, use_bias=False),
        ]
    )
    model.layers[0].set_weights([np.array([1, 0, -1]).reshape(1, 1, 3, 1)])
    model.layers[-1].set_weights([np.array([[2, -2], [3, -3], [4, -4]])])
    image = np.array([[[0, 9, 5], [5, 9, 0], [7, 9, 0]]], dtype=np.float32)  # which it sees as -5, 5 and 7
    maps = [method(model, None, image, 0).compute_saliency_map() for method in (GuidedBackprop, DeconvNet)]
    np.testing.assert_array_equal(maps[0], [[0, 3, 0]])
    np.testing.assert_array_equal(maps[1], [[2, 3, 4]])
    # nothing comes back of a class that all of it speaks against
    np.testing.assert_array_equal(GuidedBackprop(model, None, image, 1).compute_saliency_map(), 0)


def test_where_all_weights_are_positive_it_is_the_vanilla_gradient():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(4, 2, activation="relu"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    draw_weights(model)
    model.set_weights([np.abs(weights) for weights in model.get_weights()])
    maps = [
        method(model, None, noise(2, side=8), 1).compute_saliency_map() for method in (GuidedBackprop, VanillaGradient)
    ]
    assert maps[0].max() > 0
    assert_close(*maps)


def test_the_planted_squares_are_told_apart(planted_classifier, image):
    explainers = [GuidedBackprop(planted_classifier, None, image, class_index) for class_index in (RED, GREEN)]
    red, green = (explainer.compute_saliency_map() for explainer in explainers)
    assert red.max() > 0
    assert not (red * green).any()
