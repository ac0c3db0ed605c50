"""The vanilla gradient against finite differences, and by hand through every preprocessing."""

import keras
import numpy as np
import pytest
from keras import layers
from planted import assert_close, head, noise, residual_backbone
from twins import linear_model, residual_model, smooth_model

from explainers.vanilla_gradient import VanillaGradient
from network.classifier import Classifier


# --- finite differences ----------------------------------------------------------------------------------
@pytest.mark.parametrize("preprocessing", ["none", "tf", "caffe", "torch"])
def test_the_gradient_is_the_slope_of_the_logit_by_the_raw_pixels(preprocessing):
    model, images = smooth_model("softplus"), noise(2, side=4)
    classifier = Classifier(model, preprocessing=preprocessing)
    explainer = VanillaGradient(classifier, None, images, [2, 0])
    gradients = explainer.compute_gradients(explainer.images, explainer.class_indices)
    step, slopes = 0.5, np.zeros_like(images)
    for position in np.ndindex(4, 4, 3):
        change = np.zeros((4, 4, 3), dtype=np.float32)
        change[position] = step
        rise = classifier.logits(images + change) - classifier.logits(images - change)
        slopes[(slice(None), *position)] = rise[[0, 1], [2, 0]] / (2 * step)
    assert_close(gradients, slopes, relative=0.02)
    assert_close(explainer.compute_saliency_map(), np.abs(slopes).max(axis=-1), relative=0.02)


# --- by hand ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("preprocessing", ["none", "tf", "caffe", "torch"])
def test_the_gradient_of_a_linear_network_is_its_weights_led_back_to_rgb_0_to_255(preprocessing):
    model = linear_model()
    kernel = model.layers[-1].get_weights()[0].reshape(2, 2, 3, 2)  # H, W, colour, class
    expected = {
        "none": kernel,
        "tf": kernel / 127.5,
        "caffe": kernel[:, :, ::-1],  # which swaps red and blue
        "torch": kernel / 255 / np.array([0.229, 0.224, 0.225])[:, None],
    }[preprocessing]
    explainer = VanillaGradient(Classifier(model, preprocessing=preprocessing), None, noise(1, side=2)[0], 1)
    assert_close(explainer.compute_gradients(explainer.images, explainer.class_indices)[0], expected[..., 1])
    assert_close(explainer.compute_saliency_map(), np.abs(expected[..., 1]).max(axis=-1))


def test_the_map_is_the_largest_magnitude_over_the_colours():
    explainer = VanillaGradient(linear_model(), None, noise(1, side=2)[0], 0)
    gradients = np.array([[[[1, -3, 2], [0, 0, 0.5]]]])
    np.testing.assert_array_equal(explainer.reduce_channels(gradients, gradients), [[[3, 0.5]]])


def test_a_network_that_sees_grey_shares_the_gradient_out_as_grey_is_mixed():
    model = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(2)])
    explainer = VanillaGradient(model, None, noise(1, side=2)[0], 0)
    gradients = explainer.compute_gradients(explainer.images, explainer.class_indices)[0]
    weights = model.layers[-1].get_weights()[0][:, 0].reshape(2, 2, 1)
    np.testing.assert_allclose(gradients, weights * [0.2989, 0.587, 0.114], rtol=1e-3)


def test_the_logit_is_explained_also_behind_a_softmax():
    backbone = residual_backbone()
    softmax = keras.Model(backbone.input, head(activation="softmax")(backbone.output))
    explainers = [VanillaGradient(model, None, noise(2), [0, 1]) for model in (softmax, residual_model())]
    assert_close(*(explainer.compute_saliency_map() for explainer in explainers))


def test_the_classifier_keeps_no_explainer_alive():
    import gc
    import weakref

    classifier = Classifier(linear_model())
    explainer = VanillaGradient(classifier, None, noise(1, side=2), 0)
    explainer.compute_saliency_map()
    watched = weakref.ref(explainer)
    del explainer
    gc.collect()
    assert watched() is None
