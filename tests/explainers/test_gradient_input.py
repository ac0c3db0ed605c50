"""Gradient x input by hand, and completeness where it holds: for a network without bias."""

import keras
import numpy as np
import pytest
from keras import layers
from planted import assert_close, draw_weights, noise
from twins import linear_model, residual_model

from explainers.gradient_input import GradientInput
from explainers.vanilla_gradient import VanillaGradient
from network.classifier import Classifier


@pytest.mark.parametrize("preprocessing", ["none", "tf", "caffe"])
def test_for_a_linear_network_the_map_sums_to_the_change_of_the_logit_from_black(preprocessing):
    classifier = Classifier(linear_model(side=4), preprocessing=preprocessing)
    images = noise(3, side=4)
    maps = GradientInput(classifier, None, images, [0, 1, 0]).compute_saliency_map()
    gap = classifier.logits(images) - classifier.logits(np.zeros_like(images))
    assert_close(maps.sum(axis=(1, 2)), gap[range(3), [0, 1, 0]])


def test_map_of_a_linear_network_by_hand():
    model = linear_model()
    image = noise(1, side=2)[0]
    weights = model.layers[-1].get_weights()[0][:, 1].reshape(2, 2, 3)
    saliency_map = GradientInput(model, None, image, 1).compute_saliency_map()
    naive = [[sum(image[i, j, c] * weights[i, j, c] for c in range(3)) for j in range(2)] for i in range(2)]
    assert_close(saliency_map, naive)
    assert saliency_map.min() < 0


def test_a_network_of_relus_without_bias_is_complete_too():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(6, 3, activation="relu", use_bias=False),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3, use_bias=False),
        ]
    )
    draw_weights(model)
    maps = GradientInput(model, None, noise(3, side=8), [0, 1, 2]).compute_saliency_map()
    assert_close(maps.sum(axis=(1, 2)), np.asarray(model(noise(3, side=8)))[range(3), range(3)], relative=1e-4)


def test_the_gradient_is_that_of_the_vanilla_method_and_black_has_no_part():
    classifier, images = Classifier(residual_model()), noise(2)
    images[:, :16] = 0
    explainer, vanilla = (method(classifier, None, images, [0, 1]) for method in (GradientInput, VanillaGradient))
    maps = explainer.compute_saliency_map()
    assert_close(maps, (vanilla.compute_gradients(vanilla.images, vanilla.class_indices) * images).sum(axis=-1))
    np.testing.assert_array_equal(maps[:, :16], 0)
