"""Small networks, images and naive twins that the tests of several explainers share."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from planted import CELL, SIDE, draw_weights, head, planted_model, residual_backbone

from network.attention_layers import Bags
from network.transfer import Backbone

SIX = np.arange(6).reshape(2, 3)  # superpixels of a grid of 2 x 3


# --- a network of two channels ---------------------------------------------------------------------------
def tiny_model(flat=False, weights=((4, -4), (-8, 8))):
    """2 x 2 pixels; A_0 = R / 100, A_1 = G / 100; S_0 = 4 mean A_0 - 8 mean A_1, S_1 = -S_0.

    flat: the dense layer sees every position, with the weights given, (8, units).
    """
    images = keras.Input((2, 2, 3))
    features = layers.Conv2D(2, 1, use_bias=False, name="conv")(images)
    pooled = layers.Flatten()(features) if flat else layers.GlobalAveragePooling2D()(features)
    weights = np.array(weights, dtype=np.float32)
    model = keras.Model(images, layers.Dense(weights.shape[1], use_bias=False, name="dense")(pooled))
    model.get_layer("conv").set_weights([np.array([[1, 0], [0, 1], [0, 0]]).reshape(1, 1, 3, 2) / 100])
    model.get_layer("dense").set_weights([weights])
    return model


def tiny_image():
    """A_0 = [[1, 2], [0, 1]], A_1 = [[0, 1], [1, 0.5]]."""
    image = np.zeros((2, 2, 3), dtype=np.float32)
    image[..., 0] = [[100, 200], [0, 100]]
    image[..., 1] = [[0, 100], [100, 50]]
    return image


# --- networks of random weights --------------------------------------------------------------------------
def residual_model(flat=False):
    """`planted.residual_backbone` with logits of 3 classes behind a mean over positions, or behind all of them."""
    backbone = residual_backbone()
    if not flat:
        return keras.Model(backbone.input, head(activation=None)(backbone.output))
    dense = layers.Dense(3, name="dense")
    model = keras.Model(backbone.input, dense(layers.Flatten()(backbone.output)))
    draw_weights(dense, seed=7)
    return model


def smooth_model(activation="tanh"):
    """4 x 4 pixels, two convolutions with a smooth activation, 3 logits."""
    model = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            layers.Conv2D(4, 3, padding="same", activation=activation),
            layers.Conv2D(5, 3, padding="same", activation=activation),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ]
    )
    draw_weights(model, seed=3)
    return model


def linear_model(side=2, n_classes=2, seed=0):
    """`side` x `side` pixels, one dense layer on all of them: its weights and bias are random."""
    model = keras.Sequential([keras.Input((side, side, 3)), layers.Flatten(), layers.Dense(n_classes)])
    draw_weights(model, seed)
    return model


def cut_by_hand(model, layer_name, image, class_index):
    """Features and gradients (h, w, K) at a layer for one image (H, W, 3), by a model with two outputs."""
    cut = keras.Model(model.input, [model.get_layer(layer_name).output, model.output])
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        images = tf.constant(image[None])
        tape.watch(images)
        features, logits = cut(images)
        score = logits[0, class_index]
    return features[0].numpy(), tape.gradient(score, features)[0].numpy()


def at_feature_size(explainer):
    """The maps (n, h, w) of an explainer before they are enlarged."""
    return np.stack(list(explainer.explain_batch(explainer.images, explainer.class_indices)))


# --- a network that two layers of ReLUs make worth a hand calculation -----------------------------------------
class OwnReLU(layers.Layer):
    """A layer with code of its own, which Keras knows nothing of."""

    def call(self, x):
        return tf.nn.relu(x)


def _nest(x, times):
    inner = keras.Input(x.shape[1:])
    return keras.Model(inner, layers.ReLU()(inner) if times == 1 else _nest(inner, times - 1))(x)


RELUS = {  # how a model may say ReLU behind a layer
    "ReLU layer": lambda: layers.ReLU(),
    "Activation layer": lambda: layers.Activation("relu"),
    "Activation of a layer": lambda: layers.Activation(layers.ReLU()),
    "keras.ops.relu": lambda: keras.ops.relu,
    "keras.activations.relu": lambda: keras.activations.relu,
    "Lambda": lambda: layers.Lambda(lambda x: tf.nn.relu(x)),
    "a layer of the user's": OwnReLU,
    "Sequential": lambda: keras.Sequential([layers.ReLU()]),
    "nested": lambda: lambda x: _nest(x, 1),
    "nested two deep": lambda: lambda x: _nest(x, 2),
    "ReLU6 layer": lambda: layers.ReLU(max_value=6),
    "Activation relu6": lambda: layers.Activation("relu6"),
    "keras.ops.relu6": lambda: keras.ops.relu6,
}
INSIDE = {"relu": "relu", "function": tf.nn.relu, "layer": layers.ReLU, "relu6": "relu6"}  # Conv2D(activation=...)


def two_relus(relu=None, inside=None):
    """One pixel (x, y, z) -> a, b, c -> p, q, r -> the logits S and -S; two ReLUs, in layers or inside of others.

    a = ReLU(x - y)      b = ReLU(y)      c = ReLU(z - x)
    p = ReLU(b + c)      q = ReLU(a - b + 2 c)      r = ReLU(a - c)      S = p - q + 3 r
    """
    relu = relu or (lambda: lambda x: x)
    inside = inside if inside is not None else (lambda: None)
    pixel = keras.Input((1, 1, 3))
    first = layers.Conv2D(3, 1, use_bias=False, activation=inside(), name="first")
    second = layers.Dense(3, use_bias=False, activation=inside(), name="second")
    last = layers.Dense(2, use_bias=False, name="last")
    x = relu()(first(pixel))
    x = relu()(second(layers.Flatten()(x)))
    model = keras.Model(pixel, last(x))
    first.set_weights([np.array([[1, 0, -1], [-1, 1, 0], [0, 0, 1]]).reshape(1, 1, 3, 3)])
    second.set_weights([np.array([[0, 1, 1], [1, -1, 0], [1, 2, -1]])])
    last.set_weights([np.array([[1, -1], [-1, 1], [3, -3]])])
    return model


def with_relu(model, function):
    """A twin of the model with `function` in the place of every ReLU layer and activation, and the same weights."""

    def clone(layer):
        if isinstance(layer, layers.ReLU) or getattr(layer, "activation", None) is keras.activations.relu:
            return layers.Activation(function, name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    twin = keras.models.clone_model(model, clone_function=clone)
    twin.set_weights(model.get_weights())
    return twin


# --- games -----------------------------------------------------------------------------------------------
def shown(images, segments):
    """Which superpixels are not black, bool (n, M), in images (n, H, W, 3)."""
    return np.stack([images[:, segments == index].max(axis=(1, 2)) > 0 for index in range(segments.max() + 1)], axis=1)


# --- a bag model ------------------------------------------------------------------------------------------
def planted_bags(patch_size=CELL, patch_stride=CELL):
    """How much of each colour a patch holds, as `planted.planted_model` sees it; attention: to colours."""
    colours = planted_model().get_layer("colours")
    images = keras.Input((SIDE, SIDE, 3))
    backbone = Backbone(
        keras.Model(
            images, layers.Conv2D(3, CELL, strides=CELL, use_bias=False, activation="relu", name="colours")(images)
        ),
        None,
        "none",
        (SIDE, SIDE),
    )
    model = Bags(patch_size, patch_stride, embedding=3, units=3).add_head(backbone, 3, seed=0)
    eye = np.eye(3, dtype=np.float32)
    for name, weights in {
        "colours": colours.get_weights(),
        "instances": [eye, np.zeros(3, np.float32)],
        "attention_v": [eye],
        "attention_w": [np.full((3, 1), 10, np.float32)],
        "head_predictions": [20 * eye, np.zeros(3, np.float32)],
    }.items():
        model.get_layer(name).set_weights(weights)
    return model
