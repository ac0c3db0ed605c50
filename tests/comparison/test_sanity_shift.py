"""A twin that takes x + c: the same answers, and the maps whose change has a closed form."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from planted import assert_close, noise, residual_network

from comparison import sanity_check, sanity_shift
from data.dataset import Sample
from explainers.gradient_input import GradientInput
from explainers.integrated_gradients import IntegratedGradients
from explainers.vanilla_gradient import VanillaGradient
from gradcam import GradCAM
from network.classifier import Classifier

C = 40.0


@pytest.fixture(scope="module")
def linear():
    """Two logits that are weighted sums of the pixels, and the weights (8, 8, 3, 2)."""
    images = keras.Input((8, 8, 3))
    model = keras.Model(images, keras.layers.Dense(2, name="logits")(keras.layers.Flatten()(images)))
    weights = np.random.default_rng(0).normal(0, 0.001, (192, 2)).astype(np.float32)
    model.get_layer("logits").set_weights([weights, np.array([0.3, -0.2], np.float32)])
    return Classifier(model, preprocessing="none", score="softmax"), weights.reshape(8, 8, 3, 2)


def explain(explainer, classifier, images, class_index=0):
    return explainer(classifier, None, images, class_index).compute_saliency_map()


def test_the_gradient_of_a_linear_network_is_that_of_its_twin(linear):
    classifier, _ = linear
    images = noise(2, side=8)
    trained, twin = (
        explain(VanillaGradient, classifier, images),
        explain(VanillaGradient, classifier.shifted(C), images + C),
    )
    np.testing.assert_array_equal(trained, twin)


@pytest.mark.parametrize("explainer", [GradientInput, IntegratedGradients])
def test_gradient_times_input_of_a_linear_network_grows_by_c_times_the_weights(linear, explainer):
    """(x + c) w - x w = c w; from black integrated gradients of a linear network are the same."""
    classifier, weights = linear
    images = noise(2, side=8)
    change = explain(explainer, classifier.shifted(C), images + C, 1) - explain(explainer, classifier, images, 1)
    assert_close(change, np.broadcast_to(C * weights[..., 1].sum(axis=-1), change.shape), 1e-4)


def test_a_twin_is_what_a_bias_of_the_first_convolution_would_make_it():
    """b2 = b1 - c sum W, as Kindermans et al. build it: exact where nothing is padded."""
    images = keras.Input((12, 12, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="first")(images)
    model = keras.Model(images, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
    by_hand = keras.models.clone_model(model)
    by_hand.set_weights(model.get_weights())
    kernel, bias = by_hand.get_layer("first").get_weights()
    by_hand.get_layer("first").set_weights([kernel, bias - C * kernel.sum(axis=(0, 1, 2))])
    ours, theirs = (
        Classifier(model, preprocessing="none", score="softmax").shifted(C),
        Classifier(by_hand, preprocessing="none", score="softmax"),
    )
    pixels = np.clip(noise(2, side=12), 0, 255 - C) + C  # within 0-255 for both
    assert_close(ours.logits(pixels), theirs.logits(pixels), 1e-4)
    for explainer in (VanillaGradient, GradientInput, IntegratedGradients, GradCAM):
        assert_close(explain(explainer, ours, pixels), explain(explainer, theirs, pixels), 1e-3)


def test_a_twin_of_a_deep_network_gives_its_answers_and_its_gradients_but_not_its_integrated_gradients():
    classifier = Classifier(residual_network(), preprocessing="tf")
    images, twin = noise(2), classifier.shifted(C)
    assert sanity_shift.check_twin(classifier, twin, list(images)) < 1e-5
    for explainer, stays in ((VanillaGradient, True), (GradCAM, True), (IntegratedGradients, False)):
        trained, shifted = explain(explainer, classifier, images[0]), explain(explainer, twin, images[0] + C)
        change = sanity_shift.measure_change(trained, shifted)["relative_change"]
        assert (change < 1e-3) == stays, explainer
    assert classifier.shift == 0 and twin.shifted(-C).shift == 0


def test_pixels_of_another_range_are_refused_by_both():
    classifier = Classifier(residual_network(), preprocessing="none")
    with pytest.raises(ValueError, match="RGB 0-255"):
        explain(GradCAM, classifier, np.full((32, 32, 3), 255 + C, np.float32))
    with pytest.raises(ValueError, match="RGB 0-255"):
        explain(GradCAM, classifier.shifted(C), np.zeros((32, 32, 3), np.float32))


def test_a_network_that_answers_otherwise_is_no_twin(linear):
    classifier, _ = linear
    lying = SimpleNamespace(shift=C, predict=classifier.shifted(C + 30).predict)
    with pytest.raises(ValueError, match="too coarse"):
        sanity_shift.check_twin(classifier, lying, [noise(1, side=8)[0]])


def test_the_change_of_a_map_is_measured_by_its_length():
    trained = np.array([[3.0, 4.0], [0.0, 0.0]])
    assert sanity_shift.measure_change(trained, trained + [[0, 0], [0, 5]])["relative_change"] == pytest.approx(1)
    assert np.isnan(sanity_shift.measure_change(np.zeros((2, 2)), trained)["relative_change"])


def test_noise_is_of_its_size_in_whole_grey_levels_and_repeats(tmp_path):
    images = keras.Input((8, 8, 3))
    model = keras.Model(images, keras.layers.Dense(2)(keras.layers.Flatten()(images)))
    classifier = Classifier(model, preprocessing="none", score="softmax")
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    samples = [Sample(name, name, tmp_path / name) for name in ("a", "b")]
    first, again, other = (
        sanity_check.add_noise(classifier, 5, samples, seed)(sample)(image).astype(int)
        for seed, sample in ((0, samples[0]), (0, samples[0]), (0, samples[1]))
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    inside = (image >= 5) & (image <= 250)
    assert (np.abs(first - image)[inside] == 5).all() and np.abs(first - image).max() == 5
