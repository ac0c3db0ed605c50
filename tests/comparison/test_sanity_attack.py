"""Attacks on maps: formulas that are the explainers' own, a softened derivative, bounds that hold."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from planted import assert_close, head, noise, residual_backbone, residual_network

from comparison import sanity_attack
from comparison.sanity_attack import Attack, find_centre, find_top, importance, trace_map
from explainers.registry import METHODS
from network.classifier import Classifier


@pytest.fixture(scope="module")
def classifier():
    return Classifier(residual_network(), preprocessing="tf")


def explain(name, classifier, images, **options):
    return METHODS[name].load()(classifier, None, images, [0, 2], **options).compute_saliency_map()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("VANILLA_GRADIENT", {}),
        ("GRADIENT_INPUT", {}),
        ("INTEGRATED_GRADIENTS", {"n_steps": sanity_attack.N_POINTS}),
        ("GRADCAM", {"variant": "paper"}),
        ("GRADCAM", {"variant": "lab"}),
    ],
)
def test_the_formula_that_is_attacked_is_the_explainers_map(classifier, name, options):
    def look(images, class_index):
        return trace_map(name, options, classifier, images, class_index)

    specs = tf.TensorSpec([2, 32, 32, 3]), tf.TensorSpec([2], tf.int32)
    found = tf.function(look, input_signature=specs, autograph=False)(noise(2), np.array([0, 2], np.int32)).numpy()
    assert_close(found, explain(name, classifier, noise(2), **options), 1e-3)


def test_a_softened_relu_keeps_its_values_and_has_a_slope_everywhere():
    def run(inputs):
        with inputs.graph.gradient_override_map({"Relu": "SoftenedReLU"}):
            outputs = tf.nn.relu(inputs)
        slope = tf.gradients(outputs, inputs)[0]
        return outputs, slope, tf.gradients(slope, inputs)[0]

    inputs = np.array([-2.0, -1.0, 1.0, 4.0], np.float32)  # mean magnitude 2: a steepness of 2
    outputs, slope, curvature = (each.numpy() for each in tf.function(run)(tf.constant(inputs)))
    np.testing.assert_array_equal(outputs, [0, 0, 1, 4])
    expected = 1 / (1 + np.exp(-2 * inputs))
    np.testing.assert_allclose(slope, expected, rtol=1e-5)
    np.testing.assert_allclose(curvature, 2 * expected * (1 - expected), rtol=1e-4)


def test_the_centre_of_mass_and_the_top_are_those_of_magnitudes():
    saliency_map = np.zeros((5, 10), np.float32)
    saliency_map[1, 2], saliency_map[3, 8] = 1, -3
    assert find_centre(importance(tf.constant(saliency_map))).numpy() == pytest.approx([2.5, 6.5])
    assert np.argwhere(find_top(saliency_map, 0.02)).tolist() == [[3, 8]]
    assert np.argwhere(find_top(saliency_map, 0.04)).tolist() == [[1, 2], [3, 8]]


def test_a_change_is_measured_by_what_is_kept_and_how_far_it_moved():
    clean, moved = np.zeros((10, 10)), np.zeros((10, 10))
    clean[2, 2:4], moved[2, 3], moved[6, 3] = 1, 1, 1
    scores = sanity_attack.measure_change(clean, moved)  # 2 % of 100 pixels are 2: one of them is kept
    assert scores["top_k_intersection"] == 0.5
    assert scores["centre_shift"] == pytest.approx(np.hypot(2, 0.5))
    assert np.isnan(sanity_attack.measure_change(clean, None)["centre_shift"])


@pytest.mark.parametrize("attack", sanity_attack.ATTACKS)
@pytest.mark.parametrize("name", ["VANILLA_GRADIENT", "GRADCAM"])
def test_an_attack_moves_the_map_further_than_noise_and_keeps_bound_and_class(classifier, attack, name):
    image, bound = noise(1)[0] / 2 + 60.25, 6
    index = int(classifier.predict(image[None]).argmax())
    found = Attack(attack, METHODS[name], {}, classifier, bound, 12, seed=0).run(image, index)
    assert np.abs(found.pixels - image).max() <= bound and (found.pixels == found.pixels.round()).all()
    assert int(classifier.predict(found.pixels[None]).argmax()) == index
    signs = np.random.default_rng(1).choice((-1, 1), image.shape)
    maps = [
        METHODS[name].load()(classifier, None, pixels.astype(np.float32), index).compute_saliency_map()
        for pixels in (image, image + bound * signs, found.pixels)
    ]
    by_noise, by_attack = (sanity_attack.measure_change(maps[0], other) for other in maps[1:])
    if attack == "top_k":
        assert by_attack["top_k_intersection"] < by_noise["top_k_intersection"]
    else:
        assert by_attack["centre_shift"] > 2 * by_noise["centre_shift"]


def test_an_attack_that_loses_the_class_comes_back_to_it():
    """Class 0 leads by a hair: what moves the map turns the class, and only a way back goes on from there."""
    backbone, top, image = residual_backbone(), head(activation=None), noise(1)[0] / 2 + 60.25
    model = keras.Model(backbone.input, top(backbone.output))
    close = Classifier(model, preprocessing="tf", score="softmax")
    top.dense.bias.assign_sub(close.logits(image[None])[0] - np.array([0.01, 0, -9]))
    kept = {}
    for way_back in (True, False):
        attack = Attack("mass_centre", METHODS["GRADCAM"], {}, close, 20, 12, seed=0)
        if not way_back:
            attack._find_way_back = lambda images, predicted: tf.zeros_like(images)
        kept[way_back] = attack.run(image, 0)
    assert kept[True].n_kept > kept[False].n_kept
    assert kept[True].dissimilarity > kept[False].dissimilarity


def test_the_gradient_of_a_linear_network_cannot_be_moved():
    images = keras.Input((8, 8, 3))
    model = keras.Model(images, keras.layers.Dense(2)(keras.layers.Flatten()(images)))
    linear = Classifier(model, preprocessing="none", score="softmax")
    image = noise(1, side=8)[0]
    found = Attack("mass_centre", METHODS["VANILLA_GRADIENT"], {}, linear, 8, 5, seed=0).run(image, 0)
    assert found.dissimilarity == pytest.approx(0, abs=1e-9)


def test_methods_without_a_formula_are_refused():
    with pytest.raises(ValueError, match="of VANILLA_GRADIENT, .*, not of LIME"):
        sanity_attack.check_methods([METHODS["GRADCAM"], METHODS["LIME"]])
