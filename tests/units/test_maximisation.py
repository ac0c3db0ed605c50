"""Gradient ascent on classes, channels, neurons and layers, against optima worked by hand and plain sub-models."""

import copy

import keras
import numpy as np
import pytest
import tensorflow as tf
from planted import (
    CELL,
    COLOURS,
    SIDE,
    assert_same_state,
    draw_weights,
    head,
    noise,
    planted_model,
    residual_backbone,
    state_of,
)

import constants
from gradcam import GradCAM
from network.attention_layers import Bags
from network.classifier import Classifier
from network.transfer import Backbone
from units import maximisation
from units.maximisation import Maximiser

METHODS = constants.VISUALIZATION_METHODS


def settings(method="CLASS_MODEL", **changes):
    return {**copy.deepcopy(METHODS[method]), **changes}


def climb(maximiser, n_steps):
    state = maximiser.advance(maximiser.start(), n_steps)
    return state, maximiser.images(state)


@pytest.mark.parametrize("method", METHODS)
def test_the_image_of_a_class_has_its_colour_and_is_classified_as_it(planted_classifier, method):
    pace = {"learning_rate": 0.2} if method == "FOURIER" else {}  # pure colours lie far from those of photographs
    _, images = climb(Maximiser(planted_classifier, "class", [0, 1, 2], settings(method, **pace)), 60)
    verdicts = planted_classifier.predict(images.astype(np.float32))
    assert images.dtype == np.uint8 and images.shape == (3, SIDE, SIDE, 3)
    for index in range(3):
        assert verdicts[index].argmax() == index and verdicts[index].max() > 0.9, COLOURS[index]
        assert images[index].mean(axis=(0, 1)).argmax() == index


def test_the_class_model_of_a_linear_network_is_its_closed_form():
    """S = sum_c w_c mean(x_c), so that S - l2 mean(i^2) is largest at i_c = 3 * 127.5 w_c / (2 l2)."""
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(3, 1, use_bias=False, name="as_it_is")(inputs)
    x = keras.layers.Dense(2, use_bias=False)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, keras.layers.Softmax()(x))
    weights = np.array([[0.02, -0.01], [-0.03, 0.0], [0.01, 0.04]], dtype=np.float32)
    model.set_weights([np.eye(3, dtype=np.float32)[None, None], weights])
    l2 = 20.0
    changes = settings(l2=l2, learning_rate=0.5)
    _, images = climb(Maximiser(Classifier(model), "class", [0, 1], changes), 500)
    wanted = 127.5 + 127.5 * np.clip(3 * 127.5 * weights.T / (2 * l2), -1, 1)
    np.testing.assert_allclose(images.mean(axis=(1, 2)), wanted, atol=1.5)
    assert np.ptp(images, axis=(1, 2)).max() <= 1, "every position weighs alike"


def test_penalties_are_worked_by_hand(planted_classifier):
    maximiser = Maximiser(planted_classifier, "class", [0], settings(l2=2.0, total_variation=3.0))
    image = np.full((1, 2, 2, 3), 127.5, dtype=np.float32)
    image[0, 0, 0] = 255  # 1 in the units of the penalties: a quarter of the squares, half of the steps down and right
    for progress in (0.1, 1.0):
        wanted = 2 * 0.25 + progress * 3 * (0.5 + 0.5)
        assert float(maximiser._penalty(tf.constant(image), progress)[0]) == pytest.approx(wanted)


def test_the_objective_is_the_score_less_the_penalties(planted_classifier):
    state, _ = climb(Maximiser(planted_classifier, "class", [1], settings("CLASS_IMPRESSION")), 4)
    score, objective = state.history[0, :, 0]
    maximiser = Maximiser(planted_classifier, "class", [1], settings("CLASS_IMPRESSION"))
    start, n_steps = tf.constant(maximiser.start().parameters), METHODS["CLASS_IMPRESSION"]["n_steps"]
    assert score - objective == pytest.approx(float(maximiser._penalty(start, 1 / n_steps)[0]), rel=1e-4)


def test_scores_are_those_of_a_plain_submodel(residual_classifier):
    """Of a convolution whose batch norm would be folded into it: the activations are the model's own."""
    grey, model = np.full((1, 32, 32, 3), 127.5, dtype=np.float32), residual_classifier.model
    for layer, kind in (("block_1_conv", "neuron"), ("block_1_bn", "channel"), ("block_out", "layer")):
        plain = keras.Model(model.input, model.get_layer(layer).output)(grey).numpy()[0]
        value = {"channel": plain.mean(axis=(0, 1))[5], "layer": (plain**2).mean(), "neuron": plain[1, 3, 5]}[kind]
        position = (1, 3) if kind == "neuron" else None
        index = 0 if kind == "layer" else 5
        maximiser = Maximiser(residual_classifier.at_layer(layer), kind, [index], settings(), position)
        state = maximiser.advance(maximiser.start(), 1)
        assert state.history[0, 0, 0] == pytest.approx(value, rel=1e-4, abs=1e-5), (layer, kind)


def test_inside_a_network_over_patches_the_mean_over_an_image_s_patches_is_climbed():
    images = keras.Input((32, 32, 3))
    conv = keras.layers.Conv2D(6, 3, strides=2, padding="same", name="within")
    backbone = Backbone(keras.Model(images, conv(keras.layers.Rescaling(1 / 255)(images))), None, "none", (32, 32))
    classifier = Classifier(Bags(8, 8, embedding=6, units=4).add_head(backbone, 3, 0))
    grey = conv(np.full((1, 8, 8, 3), 0.5, dtype=np.float32)).numpy()[0]
    with pytest.raises(ValueError, match="'within' runs on pieces of images"):
        classifier.at_layer("within")
    looking = classifier.at_layer("within", of_pieces=True)
    for kind, expected in (("channel", grey.mean(axis=(0, 1))[[5, 1]]), ("neuron", grey[1, 0, [5, 1]])):
        position = (1, 0) if kind == "neuron" else None
        maximiser = Maximiser(looking, kind, [5, 1], settings(l2=0.0), position)
        state = maximiser.advance(maximiser.start(), 3)
        np.testing.assert_allclose(state.history[0, 0], expected, rtol=1e-4, atol=1e-5)
        assert (state.history[-1, 0] > state.history[0, 0]).all()


def test_a_layer_of_pieces_that_come_not_image_by_image_is_refused():
    images = keras.Input((16, 16, 3))
    halves = keras.layers.Concatenate(axis=0)([images[:, :8], images[:, 8:]])  # all images' upper ones first
    x = keras.layers.Conv2D(4, 3, name="within")(halves)
    x = keras.layers.Dense(3, "softmax")(keras.layers.GlobalAveragePooling2D()(x))
    x = keras.layers.Lambda(lambda x: keras.ops.mean(keras.ops.reshape(x, (2, -1, 3)), axis=0))(x)
    classifier = Classifier(keras.Model(images, x))
    with pytest.raises(ValueError, match="'within' runs on pieces of images"):
        classifier.at_layer("within", of_pieces=True)


def test_only_the_pixels_that_a_neuron_sees_are_changed(planted_classifier):
    _, images = climb(Maximiser(planted_classifier.at_layer("colours"), "neuron", [1], settings(), (2, 3)), 20)
    changed = (images[0] != 128).any(axis=2)
    cell = np.zeros_like(changed)
    cell[2 * CELL : 3 * CELL, 3 * CELL : 4 * CELL] = True
    np.testing.assert_array_equal(changed, cell)
    assert images[0][cell].mean(axis=0).argmax() == 1


def test_a_unit_of_a_layer_without_positions_can_be_excited(planted_classifier):
    _, images = climb(Maximiser(planted_classifier.at_layer("logits"), "channel", [2], settings()), 20)
    assert images[0].mean(axis=(0, 1)).argmax() == 2


def test_a_silent_unit_is_woken():
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
    draw_weights(model)
    kernel, _, *others = model.get_weights()
    at_start = 127.5 * kernel.sum(axis=(0, 1, 2)) / 100
    model.set_weights([kernel / 100, -0.5 - at_start, *others])
    free = settings(l2=0.0, learning_rate=8.0)
    state, _ = climb(Maximiser(Classifier(model).at_layer("conv"), "channel", [0, 3], free), 60)
    assert (state.history[0, 0] == 0).all() and (state.history[-1, 0] > 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_target_has_the_image_it_has_alone_and_in_another_run(planted_classifier, method):
    _, together = climb(Maximiser(planted_classifier, "class", [0, 1, 2], settings(method), seed=4), 12)
    again = climb(Maximiser(planted_classifier, "class", [0, 1, 2], settings(method), seed=4), 12)[1]
    np.testing.assert_array_equal(together, again)
    alone = climb(Maximiser(planted_classifier, "class", [2], settings(method), seed=4), 12)[1]
    assert np.abs(together[2].astype(int) - alone[0]).max() <= 1
    if METHODS[method]["noise"]:
        assert (climb(Maximiser(planted_classifier, "class", [2], settings(method), seed=5), 12)[1] != alone).any()


def test_a_state_goes_on_where_it_was(residual_classifier):
    whole = climb(Maximiser(residual_classifier, "class", [1], settings("FOURIER")), 9)[0]
    maximiser = Maximiser(residual_classifier, "class", [1], settings("FOURIER"))
    halves = maximiser.advance(maximiser.advance(maximiser.start(), 4), 5)
    np.testing.assert_array_equal(whole.parameters, halves.parameters)
    np.testing.assert_array_equal(whole.history, halves.history)


def test_the_saliency_is_grad_cam(residual_classifier):
    images = noise(2)

    @tf.function
    def features_and_gradients(images):
        with tf.GradientTape() as tape:
            features, logits = residual_classifier.forward(images, tape.watch)
            score = logits[:, 1]
        return features, tape.gradient(score, features)

    maps = maximisation.saliency(*features_and_gradients(tf.constant(images)))
    wanted = GradCAM(residual_classifier.model, None, images, 1).compute_saliency_map()
    resized = np.stack([np.asarray(tf.image.resize(one, (32, 32)))[..., 0] for one in maps])
    for one, other in zip(resized, wanted):
        np.testing.assert_allclose(one / one.max(), other / other.max() if other.max() else 1, atol=1e-4)


def test_where_nothing_speaks_for_the_class_every_pixel_may_move():
    maps = maximisation.saliency(tf.ones((1, 2, 2, 3)), -tf.ones((1, 2, 2, 3)))
    np.testing.assert_array_equal(maps, np.ones((1, 2, 2, 1)))


def test_saliency_moves_a_pixel_as_much_as_its_evidence_weighs(planted_classifier):
    """All is red, a corner more so: 220 to 80 of 255 by the planted map. Without saliency all pixels move alike."""
    changes = settings("CLASS_IMPRESSION", noise=0.0, total_variation=0.0, transforms={})
    moved = {}
    for driven in (True, False):
        maximiser = Maximiser(planted_classifier, "class", [0], {**changes, "saliency": driven})
        state = maximiser.start()
        state.parameters[:] = 200, 60, 60
        state.parameters[:, : 2 * CELL, : 2 * CELL] = 240, 10, 10
        change = np.abs(maximiser.advance(state, 1).parameters - state.parameters)[0]
        moved[driven] = change[4 * CELL, 4 * CELL, 0] / change[CELL // 2, CELL // 2, 0]
    assert moved[False] == pytest.approx(1) and moved[True] == pytest.approx(80 / 220, rel=1e-3)


def test_the_model_is_not_changed(residual_classifier):
    residual = residual_classifier.model
    before = state_of(residual)
    climb(Maximiser(Classifier(residual), "class", [0], settings("CLASS_IMPRESSION")), 2)
    assert_same_state(before, state_of(residual))


def test_pixels_stay_in_range_at_any_pace(residual_classifier):
    state, images = climb(Maximiser(residual_classifier, "class", [0], settings(learning_rate=500.0)), 5)
    assert state.parameters.min() == 0 and state.parameters.max() == 255


@pytest.mark.parametrize(
    "kind, index, position, words",
    [("class", 3, None, "3 classes"), ("channel", 12, None, "12 channels"), ("neuron", 0, (8, 0), "8 x 8 positions")],
)
def test_a_target_that_is_not_there_is_refused(residual_classifier, kind, index, position, words):
    maximiser = Maximiser(residual_classifier, kind, [index], settings(), position)
    with pytest.raises(ValueError, match=words):
        maximiser.advance(maximiser.start(), 1)


def test_saliency_wants_a_class(residual_classifier):
    with pytest.raises(ValueError, match="a class is wanted"):
        Maximiser(residual_classifier, "channel", [0], settings("CLASS_IMPRESSION"))


def test_a_nested_model_is_climbed_as_it_is():
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, head()(residual_backbone()(inputs)))
    classifier = Classifier(model)
    state, _ = climb(Maximiser(classifier.at_layer("backbone/block_1_relu"), "channel", [1], settings("FOURIER")), 10)
    assert state.history[-1, 0, 0] > state.history[0, 0, 0]


def test_one_sigmoid_unit_has_two_sides(planted):
    model = planted_model(tail=[keras.layers.Activation("sigmoid")], n_classes=1)
    classifier = Classifier(model)
    _, images = climb(Maximiser(classifier, "class", [0, 1], settings()), 40)
    assert (classifier.predict(images.astype(np.float32)).argmax(axis=1) == [0, 1]).all()
