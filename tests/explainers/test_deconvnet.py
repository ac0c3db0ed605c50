"""DeconvNet by hand and against a backward pass in numpy; every way to say ReLU is found, counted and overridden."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from planted import DATA, assert_close, assert_same_state, draw_weights, noise, state_of
from twins import INSIDE, RELUS, residual_model, smooth_model, two_relus, with_relu

from explainers.deconvnet import DeconvNet
from explainers.guided_backprop import GuidedBackprop
from explainers.vanilla_gradient import VanillaGradient
from network.classifier import Classifier

# x - y is negative, a shut; b = 2 and c = 2 are open; p = 4 and q = 0 + 4 - 2 = 2 are open, r = 0 - 2 is shut.
PIXEL = np.array([[[1, 2, 3]]], dtype=np.float32)
# S = p - q + 3 r sends back (1, -1, 3) to p, q, r. `twins.two_relus` has the formulas.
BY_HAND = {
    # shut ReLUs stop it: (1, -1, 0); a: -1, b: 1 + 1, c: 1 - 2, of which a is shut: (0, 2, -1);
    # x: -c = 1, y: b = 2, z: c = -1
    VanillaGradient: [1, 2, -1],
    # what is negative stops: (1, 0, 3); a: 3, b: 1, c: 1 - 3, so (3, 1, 0); x: a = 3, y: b - a = -2, z: 0
    DeconvNet: [3, -2, 0],
    # both do: (1, 0, 0); a: 0, b: 1, c: 1; x: -c = -1, y: b = 1, z: c = 1
    GuidedBackprop: [-1, 1, 1],
}


def gradient_of(method, model, image=PIXEL, class_index=0):
    explainer = method(model, None, image, class_index)
    return explainer.compute_gradients(explainer.images, explainer.class_indices)[0]


@tf.custom_gradient
def deconvnet_relu(x):
    return tf.nn.relu(x), tf.nn.relu


# --- by hand ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", BY_HAND, ids=lambda method: method.__name__)
@pytest.mark.parametrize("relu", RELUS)
def test_gradient_by_hand_however_the_model_says_relu(method, relu):
    classifier = Classifier(two_relus(relu=RELUS[relu]))
    assert classifier.relus.activations == 2
    np.testing.assert_allclose(gradient_of(method, classifier)[0, 0], BY_HAND[method], atol=1e-6)


@pytest.mark.parametrize("method", BY_HAND, ids=lambda method: method.__name__)
@pytest.mark.parametrize("inside", INSIDE)
def test_gradient_by_hand_where_the_relu_is_inside_conv_and_dense_layers(method, inside):
    function = INSIDE[inside]
    model = two_relus(inside=function if isinstance(function, type) else lambda: function)
    classifier = Classifier(model)
    assert classifier.relus.activations == 2
    np.testing.assert_allclose(gradient_of(method, classifier)[0, 0], BY_HAND[method], atol=1e-6)


def test_the_map_is_the_largest_magnitude_over_the_colours():
    np.testing.assert_allclose(DeconvNet(two_relus(layers.ReLU), None, PIXEL, 0).compute_saliency_map(), [[3]])
    # S turned round sends back (-1, 1, -3), of which (0, 1, 0) is left; a: 1, b: -1, c: 2; x: 1 - 2, y: -1, z: 2
    opposite = gradient_of(DeconvNet, two_relus(layers.ReLU), class_index=1)
    np.testing.assert_allclose(opposite[0, 0], [-1, -1, 2], atol=1e-6)


# --- twins -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", BY_HAND, ids=lambda method: method.__name__)
def test_gradient_of_a_backward_pass_in_numpy(method):
    model = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten()])
    for units in (20, 12, 8):
        model.add(layers.Dense(units, activation="relu"))
    model.add(layers.Dense(3))
    draw_weights(model)
    image = noise(1, side=4)[0]
    weights = model.get_weights()
    values, inputs = image.reshape(-1).astype(np.float64), []
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2]):
        inputs.append(values @ kernel + bias)
        values = np.maximum(inputs[-1], 0)
    back = weights[-2][:, 1]
    for kernel, before in zip(weights[:-2:2][::-1], inputs[::-1]):
        if method is not VanillaGradient:
            back = np.maximum(back, 0)
        if method is not DeconvNet:
            back = back * (before > 0)
        back = kernel @ back
    assert np.abs(back).max() > 0
    assert_close(gradient_of(method, model, image, 1).reshape(-1), back, relative=1e-4)


def test_map_of_a_network_whose_relus_have_that_gradient_of_themselves():
    model, images = residual_model(), noise(3)
    maps = DeconvNet(model, None, images, [0, 1, 2]).compute_saliency_map()
    plain, expected = (
        VanillaGradient(network, None, images, [0, 1, 2]).compute_saliency_map()
        for network in (model, with_relu(model, deconvnet_relu))
    )
    assert_close(maps, expected, relative=1e-4)
    assert np.abs(maps - plain).max() > 0.1 * maps.max()


# --- max-pooling -----------------------------------------------------------------------------------------
def pooled(weights):
    """4 x 4 pixels; ReLU of red, the largest of each 2 x 2, one dense layer on the four."""
    images = keras.Input((4, 4, 3))
    convolution = layers.Conv2D(1, 1, activation="relu", use_bias=False)
    x = layers.Flatten()(layers.MaxPooling2D()(convolution(images)))
    dense = layers.Dense(2, use_bias=False)
    model = keras.Model(images, dense(x))
    convolution.set_weights([np.array([1, 0, 0]).reshape(1, 1, 3, 1)])
    dense.set_weights([np.array(weights)])
    return model


def red(rows):
    return np.stack([np.array(rows, dtype=np.float32), np.zeros((4, 4)), np.zeros((4, 4))], axis=-1)


def test_max_pooling_sends_back_through_its_switches():
    image = red([[9, 1, 2, 3], [4, 5, 8, 6], [1, 2, 3, 4], [7, 6, 5, 9]])
    model = pooled([[1, 0], [2, -5], [-3, 3], [4, 4]])
    # to the largest of each quarter, 9, 8, 7 and 9, goes what is positive of the class's weights
    expected = np.zeros((4, 4))
    expected[0, 0], expected[1, 2], expected[3, 3] = 1, 2, 4
    np.testing.assert_array_equal(DeconvNet(model, None, image, 0).compute_saliency_map(), expected)
    other = np.zeros((4, 4))
    other[3, 0], other[3, 3] = 3, 4
    np.testing.assert_array_equal(DeconvNet(model, None, image, 1).compute_saliency_map(), other)


def test_with_max_pooling_the_image_matters_and_without_it_does_not():
    model, pixels = pooled([[1, 0], [2, 1], [3, 0], [4, 4]]), noise(2, side=4)
    first, second = (DeconvNet(model, None, image, 0).compute_saliency_map() for image in pixels)
    assert not np.array_equal(first, second)
    without = residual_model()
    first, second = (DeconvNet(without, None, image, 0).compute_saliency_map() for image in noise(2))
    assert_close(first, second)


# --- the model -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", [DeconvNet, GuidedBackprop], ids=lambda method: method.__name__)
@pytest.mark.parametrize("activation", ["tanh", "swish", "leaky_relu", "gelu"])
def test_a_model_without_a_relu_is_refused(method, activation):
    with pytest.raises(ValueError, match=f"{method.__name__} changes the gradient of ReLUs; the model has none"):
        method(smooth_model(activation), None, noise(1, side=4), 0)


@pytest.mark.parametrize("method", [DeconvNet, GuidedBackprop], ids=lambda method: method.__name__)
def test_the_model_and_the_plain_gradient_stay_as_they_were(method):
    model, images = residual_model(), noise(2)
    classifier = Classifier(model)
    before, plain = state_of(model), VanillaGradient(classifier, None, images, 1).compute_saliency_map()
    method(classifier, None, images, 1).compute_saliency_map()
    assert_same_state(before, state_of(model))
    np.testing.assert_array_equal(VanillaGradient(classifier, None, images, 1).compute_saliency_map(), plain)
    with tf.GradientTape() as tape:
        x = tf.constant([-1.0, 2.0])
        tape.watch(x)
        y = -tf.nn.relu(x)
    np.testing.assert_array_equal(tape.gradient(y, x), [0, -1])


def test_the_record_says_how_many_relus_were_overridden():
    explainer = DeconvNet(residual_model(), None, noise(2), 0)
    assert explainer.describe_maps(explainer.compute_saliency_map()) == [{"relus_overridden": 3}] * 2


@pytest.mark.data
def test_every_relu6_of_a_real_network_is_counted():
    from network.model_files import load_model

    model = load_model(DATA / "models" / "mobilenetv2_100_224_imagenet.keras")
    # one in the stem, one in the first block and two in each of 16, one behind the last convolution
    assert Classifier(model, "MobileNetV2").relus.activations == 35


# --- gates -----------------------------------------------------------------------------------------------
def gated(gate, weights):
    """One pixel; p = ReLU(red - green), q = p times the gate of blue; S is their sum with the weights."""
    images = keras.Input((1, 1, 3))
    difference, blue = layers.Conv2D(1, 1, use_bias=False), layers.Conv2D(1, 1, use_bias=False)
    p = layers.ReLU()(difference(images))
    q = p * gate(blue(images))
    dense = layers.Dense(1, use_bias=False)
    model = keras.Model(images, dense(layers.Flatten()(layers.Concatenate()([p, q]))))
    difference.set_weights([np.array([1, -1, 0]).reshape(1, 1, 3, 1)])
    blue.set_weights([np.array([0, 0, 1]).reshape(1, 1, 3, 1)])
    dense.set_weights([np.array(weights)])
    model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=True))  # a logit, not a number
    return model


@pytest.mark.parametrize("method", [DeconvNet, GuidedBackprop], ids=lambda method: method.__name__)
@pytest.mark.parametrize(
    "gate",
    [layers.Activation("hard_sigmoid"), lambda x: layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)],
    ids=["hard_sigmoid", "as in keras.applications"],
)
def test_a_gate_keeps_its_gradient(method, gate):
    """S = 2 p - 3 q, p = ReLU(5 - 1) = 4, q = p g(0), g(0) = (0 + 3) / 6 = 1/2 with the slope 1/6.

    p is sent 2 - 3 / 2 = 1/2; blue -3 * 4 / 6 = -2, which a ReLU that is overridden would not let pass.
    """
    model = gated(gate, ((2.0,), (-3.0,)))
    classifier = Classifier(model, score="none")
    assert (classifier.relus.activations, classifier.relus.others) == (1, {"hard sigmoid": 1})
    image = np.array([[[5, 1, 0]]], dtype=np.float32)
    np.testing.assert_allclose(gradient_of(method, classifier, image)[0, 0], [0.5, -0.5, -2], atol=1e-6)
    explainer = method(classifier, None, image, 0)
    expected = {"relus_overridden": 1, "not_overridden": "1 x hard sigmoid"}
    assert explainer.describe_maps(explainer.compute_saliency_map()) == [expected]


@pytest.mark.parametrize("method", [DeconvNet, GuidedBackprop], ids=lambda method: method.__name__)
def test_a_network_of_few_relus_among_others_is_refused(method):
    activations = ["relu", *["swish"] * 4]
    convolutions = [layers.Conv2D(4, 3, padding="same", activation=activation) for activation in activations]
    model = keras.Sequential([keras.Input((4, 4, 3)), *convolutions])
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(2))
    with pytest.raises(ValueError, match="networks of ReLUs; the model has 1 but 4 x swish: .* nearly that of VANILLA"):
        method(model, None, noise(1, side=4), 0)
