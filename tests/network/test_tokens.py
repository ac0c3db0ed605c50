"""Tokens read as feature maps: Grad-CAM of transformers against references by hand, and where each token belongs."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
import transformers
from keras import layers
from planted import ELSEWHERE, assert_close, assert_same_state, draw_weights, explain, noise, state_of
from transformers import SIDE
from twins import at_feature_size

from explainers.registry import METHODS
from fem import FEM
from gradcam import GradCAM
from network.classifier import Classifier
from network.geometry import Places
from network.tokens import find_layout, stretched

CAMS = ("GRADCAM", "FEM", "GRADCAM_PLUS_PLUS", "HIRESCAM", "LAYERCAM", "SCORECAM", "ABLATIONCAM")


def by_hand(model, layer_name, image, class_index):
    """Tokens (N, K) of a layer and the gradients of the class's logit there, by a model with two outputs."""
    dense = model.get_layer("dense")
    cut = keras.Model(model.input, [model.get_layer(layer_name).output, dense.input])
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        images = tf.constant(image[None])
        tape.watch(images)
        tokens, pooled = cut(images)
        logit = tf.linalg.matvec(dense.kernel, pooled[0], transpose_a=True)[class_index]
    return tokens[0].numpy(), tape.gradient(logit, tokens)[0].numpy()


def gradcam_by_hand(tokens, gradients, height, width):
    """Patch by patch, with patches row by row."""
    saliency_map = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            for channel in range(tokens.shape[1]):
                weight = sum(gradients[token, channel] for token in range(len(tokens))) / len(tokens)
                saliency_map[row, column] += weight * tokens[row * width + column, channel]
    return np.maximum(saliency_map, 0)


# --- against references by hand --------------------------------------------------------------------------
VITS = {  # model, the layer that is chosen, which tokens are patches
    "class token": (transformers.vit, "block_1_norm_1", slice(1, None)),
    "class token, three blocks": (lambda: transformers.vit(depth=3), "block_2_norm_1", slice(1, None)),
    "class token behind": (lambda: transformers.vit(behind=True), "block_1_norm_1", slice(None, -1)),
    "class and distillation token": (lambda: transformers.vit(n_tokens=2), "block_1_norm_1", slice(2, None)),
    "mean": (lambda: transformers.vit("mean"), "norm", slice(None)),
    "flatten": (lambda: transformers.vit("flatten"), "norm", slice(None)),
}


@pytest.mark.parametrize("kind", VITS)
def test_grad_cam_of_a_vision_transformer_by_hand(kind):
    build, layer_name, patches = VITS[kind]
    model = build()
    classifier = Classifier(model)
    assert classifier.layer_name == layer_name
    for image, class_index in zip(noise(2), (0, 2)):
        tokens, gradients = by_hand(model, layer_name, image, class_index)
        expected = gradcam_by_hand(tokens[patches], gradients[patches], 4, 4)
        assert expected.max() > 0
        found = at_feature_size(GradCAM(classifier, None, image, class_index))[0]
        assert_close(found, expected, relative=1e-4)


class OfTensorFlow(keras.Model):
    """The layers of `transformers.vit()`; its class token and its sums are TensorFlow's code."""

    def __init__(self, twin):
        super().__init__()
        self.known = {layer.name: layer for layer in twin.layers if layer.weights}

    def call(self, images):
        known = self.known
        x = known["patches"](images / 127.5 - 1)
        n = tf.shape(x)[0]
        x = tf.concat([tf.tile(known["class_token"].token, [n, 1, 1]), tf.reshape(x, [n, -1, 12])], axis=1)
        for block in ("block_0", "block_1"):
            y = known[f"{block}_norm_1"](x)
            x = x + known[f"{block}_attention"](y, y)
            x = x + known[f"{block}_dense_2"](known[f"{block}_dense_1"](known[f"{block}_norm_2"](x)))
        return known["dense"](known["norm"](x)[:, 0])


def test_a_class_token_joined_in_the_code_of_a_subclass_by_hand():
    """The sum in front of the last block is no layer's: its patches reach the output through the block's norm alone."""
    twin = transformers.vit()
    model = OfTensorFlow(twin)
    model(noise(1))
    classifier = Classifier(model, input_size=(SIDE, SIDE))
    np.testing.assert_allclose(classifier.predict(noise(2)), twin(noise(2)), atol=1e-5)
    assert classifier.layer_name == "block_1_norm_1"
    tokens, gradients = by_hand(twin, "block_1_norm_1", noise(1)[0], 2)
    found = at_feature_size(GradCAM(classifier, None, noise(1)[0], 2))[0]
    assert_close(found, gradcam_by_hand(tokens[1:], gradients[1:], 4, 4), relative=1e-4)


def test_hirescam_in_front_of_a_layer_norm_is_refused_and_behind_it_is_right():
    """There sum_k g_k A_k is the change of the logit with a token's scale, which the norm takes no notice of."""
    model, image = transformers.vit(), noise(1)[0]
    tokens, gradients = by_hand(model, "block_0_add_2", image, 1)
    products = gradients[1:] * tokens[1:]
    assert np.abs(products.sum(axis=-1)).max() < 1e-3 * np.abs(products).max()
    with pytest.raises(ValueError, match="'block_0_add_2' add up to nothing, what is left is rounding"):
        explain(METHODS["HIRESCAM"], Classifier(model, layer_name="block_0_add_2"), image, 1)
    tokens, gradients = by_hand(model, "block_1_norm_1", image, 1)
    expected = np.maximum((gradients * tokens)[1:].sum(axis=-1).reshape(4, 4), 0)
    assert_close(at_feature_size(METHODS["HIRESCAM"].load()(model, None, image, 1))[0], expected, relative=1e-4)


def test_grad_cam_of_scores_that_a_softmax_over_positions_follows_is_refused():
    """Gradients behind a softmax add up to nothing over its positions: their mean is rounding."""
    images = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="map")(layers.Rescaling(1 / 255)(images))
    scores = layers.Conv2D(1, 1, name="scores")(x)
    weights = layers.Reshape((SIDE, SIDE, 1))(layers.Softmax()(layers.Flatten()(scores)))
    model = transformers.built(images, keras.ops.sum(weights * x, axis=(1, 2)))
    assert Classifier(model).layer_name.startswith("multiply")
    with pytest.raises(ValueError, match="'scores' add up to nothing, what is left is rounding"):
        explain(METHODS["GRADCAM"], Classifier(model, layer_name="scores"), noise(1), 0)


def test_a_grid_that_is_no_square_by_hand():
    model = transformers.vit(height=24, width=40)
    image = noise(1, 40)[0, :24]
    tokens, gradients = by_hand(model, "block_1_norm_1", image, 1)
    expected = gradcam_by_hand(tokens[1:], gradients[1:], 3, 5)
    found = at_feature_size(GradCAM(model, None, image, 1))[0]
    assert found.shape == (3, 5)
    assert_close(found, expected, relative=1e-4)


def test_fem_sees_the_patches_without_the_class_token():
    model = transformers.vit()
    classifier = Classifier(model)
    tokens, _ = by_hand(model, "block_1_norm_1", noise(1)[0], 0)
    assert_close(classifier.features(noise(1))[0].reshape(16, 12), tokens[1:])
    naive = np.zeros((4, 4))
    for channel in tokens[1:].T:
        naive += channel.mean() * (channel > channel.mean() + 2 * channel.std()).reshape(4, 4)
    assert_close(at_feature_size(FEM(classifier, None, noise(1)[0]))[0], naive)


def test_ablation_cam_takes_a_channel_from_the_patches_and_leaves_the_class_token():
    model = transformers.vit()
    classifier, image = Classifier(model, layer_name="block_0_add_2"), noise(1)[0]
    cut = keras.Model(model.get_layer("block_1_norm_1").input, model.get_layer("dense").input)
    tokens, _ = by_hand(model, "block_0_add_2", image, 1)
    kernel, bias = model.get_layer("dense").get_weights()

    def logit(tokens):
        return float((cut(tokens[None])[0].numpy() @ kernel + bias)[1])

    explainer = METHODS["ABLATIONCAM"].load()(classifier, None, image, 1)
    features, scores, without = explainer.ablate_channels(image[None], np.array([1], np.int32))
    assert features.shape == (1, 4, 4, 12)
    assert scores[0] == pytest.approx(logit(tokens), rel=1e-4)
    for channel in (0, 5, 11):
        ablated = tokens.copy()
        ablated[1:, channel] = 0
        assert without[0, channel] == pytest.approx(logit(ablated), rel=1e-3, abs=1e-4)


# --- every kind of transformer is understood ---------------------------------------------------------------
KINDS = {  # model -> layer, grid
    "ViT of the user's layers, one for all blocks": (transformers.vit_of_layers, "encoder/block_2/first_norm", (4, 4)),
    "blocks that return tuples": (
        lambda: transformers.vit_of_layers(as_tuple=True),
        "encoder/block_2/first_norm",
        (4, 4),
    ),
    "a layer of the user's for each block": (
        lambda: transformers.vit_of_layers(whole=False),
        "block_2/first_norm",
        (4, 4),
    ),
    "MLP-Mixer": (transformers.mixer, "channels_1", (4, 4)),
    "MobileViT": (transformers.mobile_vit, "last", (8, 8)),
    "MobileViT that ends joined": (lambda: transformers.mobile_vit(last_conv=False), "both", (8, 8)),
    "Swin": (transformers.swin, "norm", (4, 4)),
    "CNN with attention": (transformers.cnn_with_attention, "head_add_2", (8, 8)),
    "CNN with attention, a map again": (lambda: transformers.cnn_with_attention(flat=False), "head_add_2", (8, 8)),
}


@functools.cache
def opened(kind):
    """The classifier of a kind, opened once for the tests that leave it as it is."""
    return Classifier(KINDS[kind][0]())


@pytest.mark.parametrize("kind", KINDS)
def test_layer_and_grid(kind):
    build, layer_name, grid = KINDS[kind]
    model = build()
    before = state_of(model)
    classifier = Classifier(model)
    assert classifier.layer_name == layer_name
    assert classifier.features(noise(2)).shape[:3] == (2, *grid)
    np.testing.assert_allclose(classifier.predict(noise(2)), model(noise(2)), atol=1e-5)
    assert_same_state(before, state_of(model))


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_lie_where_their_patches_are(kind):
    """What changes most when one corner of the image changes is that corner of the map."""
    # In a mixer of random weights a token is changed by the others as much as by its patch, but for the first layer.
    mixer = kind == "MLP-Mixer"
    classifier = Classifier(KINDS[kind][0](), layer_name="projection") if mixer else opened(kind)
    image = noise(1)
    for row, column in ((0, 0), (0, 24), (24, 8), (16, 24)):
        changed = image.copy()
        changed[:, row : row + 8, column : column + 8] = 255 - image[:, row : row + 8, column : column + 8]
        difference = np.abs(classifier.features(changed) - classifier.features(image))[0].sum(axis=-1)
        side = len(difference) // 4
        blocks = difference.reshape(4, side, 4, side).sum(axis=(1, 3))
        assert np.unravel_index(blocks.argmax(), (4, 4)) == (row // 8, column // 8)


@pytest.mark.parametrize("name", CAMS)
@pytest.mark.parametrize("kind", ["MLP-Mixer", "a layer of the user's for each block"])
def test_the_methods_that_look_at_a_layer_explain_them(kind, name):
    classifier = opened(kind)
    maps = explain(METHODS[name], classifier, noise(2), [0, 2])
    assert maps.shape == (2, 32, 32)
    assert np.isfinite(maps).all()
    assert maps.any()
    assert_close(maps[1], explain(METHODS[name], classifier, noise(2)[1], 2), relative=0.01)


# --- reading ---------------------------------------------------------------------------------------------
def tokens_of(order, n_others=0):
    """Places of tokens whose i-th lies at cell order[i] of a 2 x 3 grid, behind tokens that lie nowhere."""
    rows, columns = np.divmod(np.asarray(order), 3)
    nowhere = np.full(n_others, np.nan)
    y, x = np.concatenate([nowhere, (rows + 0.5) / 2]), np.concatenate([nowhere, (columns + 0.5) / 3])
    return Places(y[:, None], x[:, None])


@pytest.mark.parametrize("n_others", [0, 1, 5])
def test_tokens_in_any_order_become_an_upright_map_and_go_back(n_others):
    order = [4, 0, 3, 1, 5, 2]
    layout = find_layout((6 + n_others, 7), tokens_of(order, n_others))
    assert layout.shape == (2, 3, 7)
    assert layout.has_others == (n_others > 0)
    tensor = np.random.default_rng(0).normal(size=(2, 6 + n_others, 7)).astype(np.float32)
    features = layout.to_map(tf.constant(tensor)).numpy()
    for token, cell in enumerate(order):
        np.testing.assert_array_equal(features[:, cell // 3, cell % 3], tensor[:, n_others + token])
    back = layout.from_map(tf.constant(2 * features), tf.constant(tensor)).numpy()
    np.testing.assert_array_equal(back[:, :n_others], tensor[:, :n_others])
    np.testing.assert_array_equal(back[:, n_others:], 2 * tensor[:, n_others:])


def test_tokens_that_do_not_fill_a_grid_are_no_map():
    assert find_layout((5, 7), tokens_of([0, 1, 2, 3, 4])) is None
    assert find_layout((6, 7), tokens_of([0, 1, 2, 3, 4, 4])) is None
    assert find_layout((6, 7), None) is None


def test_a_map_that_is_one_is_handed_on_as_it_is():
    tensor = tf.zeros([2, 3, 4, 5])
    layout = stretched(3, 4, 5)
    assert layout.to_map(tensor) is tensor
    assert layout.from_map(tensor, None) is tensor


# --- channels first --------------------------------------------------------------------------------------
class ChannelsFirst(layers.Conv2D):
    """What Conv2D(data_format="channels_first") gives where the processor has it."""

    def call(self, x):
        x = tf.nn.conv2d(tf.transpose(x, [0, 2, 3, 1]), self.kernel, self.strides, self.padding.upper())
        return tf.transpose(tf.nn.relu(x + self.bias), [0, 3, 1, 2])


def twins():
    """The same network with its channels first inside, and last."""
    models = []
    for convolution, first in ((ChannelsFirst, True), (layers.Conv2D, False)):
        kind = {"data_format": "channels_first" if first else "channels_last"}
        images = keras.Input((24, 32, 3))
        x = layers.Rescaling(1 / 255)(images)
        x = layers.Permute((3, 1, 2))(x) if first else x
        x = convolution(6, 3, padding="same", activation="relu", **kind)(x)
        x = (
            layers.MaxPooling2D(2, **kind)(x)
            if not first
            else layers.Lambda(
                lambda x: tf.transpose(tf.nn.max_pool2d(tf.transpose(x, [0, 2, 3, 1]), 2, 2, "VALID"), [0, 3, 1, 2])
            )(x)
        )
        x = convolution(5, 3, padding="same", activation="relu", name="last", **kind)(x)
        x = layers.BatchNormalization(axis=1 if first else -1, name="norm")(x)
        models.append(transformers.built(images, layers.GlobalAveragePooling2D(**kind)(x)))
    draw_weights(models[0])
    models[1].set_weights(models[0].get_weights())
    return [Classifier(model) for model in models]


def test_channels_first_inside_gives_the_maps_of_the_twin_with_channels_last():
    one, other = twins()
    images = noise(3)[:, :24]
    assert_close(one.predict(images), other.predict(images))
    assert one.layer_name == other.layer_name == "norm"
    assert_close(one.features(images), other.features(images))
    for name in (*CAMS, "CAM"):
        maps = [explain(METHODS[name], classifier, images, [0, 1, 2]) for classifier in (one, other)]
        assert maps[0].any() or name == "ABLATIONCAM"  # whose sum is negative everywhere here
        assert_close(*maps, relative=1e-4)
    assert set(METHODS) >= ELSEWHERE
