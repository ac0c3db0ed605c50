"""Which layer is looked at by default: the last map on every path, and never one that a guess would make of it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import transformers
from keras import layers, ops
from planted import assert_close, draw_weights, head, noise, residual_backbone

import constants
from explainers.registry import METHODS
from gradcam import GradCAM
from network import layer_graph, zoo
from network.classifier import Classifier
from network.layer_choice import Layers


def chosen(x, images, n_classes=3):
    """The layer chosen for a model whose last features are x (n, h, w, K) or (n, K)."""
    x = layers.GlobalAveragePooling2D()(x) if len(x.shape) == 4 else x
    model = keras.Model(images, layers.Dense(n_classes, activation="softmax", name="dense")(x))
    draw_weights(model)
    return Classifier(model)


@pytest.fixture
def images():
    return keras.Input((32, 32, 3))


@pytest.fixture
def trunk(images):
    x = layers.Rescaling(1 / 255)(images)
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="stem")(x)
    return layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="trunk")(x)


# --- branches --------------------------------------------------------------------------------------------
def test_a_squeeze_branch_is_not_chosen(images, trunk):
    gate = layers.GlobalAveragePooling2D(keepdims=True)(trunk)
    gate = layers.Conv2D(8, 1, activation="sigmoid", name="excite")(layers.Conv2D(2, 1, name="squeeze")(gate))
    assert chosen(layers.Multiply(name="gated")([trunk, gate]), images).layer_name == "gated"


def test_a_branch_of_spatial_squeeze_is_not_chosen(images, trunk):
    rows = layers.Conv2D(8, 3, padding="same", name="rows")(ops.mean(trunk, axis=2, keepdims=True))  # (n, h, 1, K)
    assert (
        chosen(layers.Concatenate()([ops.mean(trunk, axis=(1, 2)), ops.max(rows, axis=(1, 2))]), images).layer_name
        == "trunk"
    )


def test_a_convolution_of_attention_scores_is_not_chosen(images, trunk):
    scores = layers.Conv2D(1, 1, name="scores")(trunk)
    attention = layers.Softmax(axis=1)(layers.Reshape((64, 1))(scores))
    weighed = layers.Multiply(name="weighed")([layers.Reshape((64, 8))(trunk), attention])
    classifier = chosen(ops.sum(weighed, axis=1), images)
    assert classifier.layer_name == "weighed"
    maps = GradCAM(classifier, None, noise(1).repeat(3, axis=0), [0, 1, 2]).compute_saliency_map()
    assert maps.max() > 1e-4


def test_spatial_attention_ends_in_the_map_that_it_weighs(images, trunk):
    both = layers.Concatenate()([ops.mean(trunk, axis=-1, keepdims=True), ops.max(trunk, axis=-1, keepdims=True)])
    scores = layers.Conv2D(1, 7, padding="same", activation="sigmoid", name="scores")(both)
    assert chosen(layers.Multiply(name="weighed")([trunk, scores]), images).layer_name == "weighed"


def test_features_of_two_depths_are_the_deeper_one_before_they_part(images, trunk):
    deeper = layers.Conv2D(8, 3, activation="relu", name="deeper")(trunk)
    pooled = layers.Concatenate()([layers.GlobalAveragePooling2D()(x) for x in (trunk, deeper)])
    assert chosen(pooled, images).layer_name == "trunk"


def test_one_of_two_networks_is_not_chosen_and_the_flag_that_takes_both_is_named(images):
    one, two = residual_backbone("one", pooling="avg"), residual_backbone("two", pooling="avg", seed=1)
    classifier = chosen(layers.Concatenate()([one(images), two(images)]), images)
    assert classifier.layer_name is None
    assert "none" in classifier.describe()["layer"]
    with pytest.raises(ValueError, match="no feature map lies on every path .* --layer_name .*one/block_out, .*two/"):
        GradCAM(classifier, None, noise(1), 0)
    assert METHODS["VANILLA_GRADIENT"].load()(classifier, None, noise(1)[0], 0).compute_saliency_map().any()
    both = Classifier(classifier.model, layer_name="one/block_out,two/block_out")
    assert GradCAM(both, None, noise(1)[0], 0).compute_saliency_map().any()


def test_how_large_a_tensor_is_does_not_count_as_a_path(images, trunk):
    class Flat(layers.Layer):
        def call(self, x):
            last = tf.nn.relu(x - 0.1)
            return tf.reshape(last, [tf.shape(x)[0], tf.shape(x)[1] * tf.shape(x)[2], 8])

    last = layers.Conv2D(8, 3, padding="same", name="last")(trunk)
    assert chosen(layers.GlobalAveragePooling1D()(Flat(name="flat")(last)), images).layer_name == "flat"


# --- transformers ----------------------------------------------------------------------------------------
def test_a_patch_embedding_in_front_of_all_attention_is_not_chosen():
    classifier = Classifier(transformers.vit(depth=1))  # the class token's block is the only one
    assert classifier.layer_name is None
    with pytest.raises(ValueError, match="no layer is chosen: 'class_token' holds patches .*--layer_name"):
        GradCAM(classifier, None, noise(1), 0)
    by_name = Classifier(classifier.model, layer_name="class_token")
    assert GradCAM(by_name, None, noise(1)[0], 0).compute_saliency_map().shape == (32, 32)


def test_patches_alone_are_a_map_like_any_other(images):
    assert chosen(layers.Conv2D(6, 8, strides=8, activation="relu", name="cells")(images), images).layer_name == "cells"


def test_the_map_whose_class_token_alone_is_used_is_not_chosen():
    classifier = Classifier(transformers.vit(depth=3))
    assert classifier.layer_name == "block_2_norm_1"
    for unused in ("block_2_add_2", "norm"):
        assert (
            not GradCAM(Classifier(classifier.model, layer_name=unused), None, noise(1), 0).compute_saliency_map().any()
        )


def test_a_map_whose_place_is_not_understood_is_refused_and_stretched_where_it_is_named(images):
    class Scatter(layers.Layer):
        """Every position of a map is a mixture of all."""

        def build(self, shape):
            self.mixing = self.add_weight(shape=(64, 36), name="kernel")

        def call(self, x):
            x = ops.einsum("npk,pq->nqk", ops.reshape(x, (-1, 64, 8)), self.mixing)
            return ops.reshape(x, (-1, 36, 8))

    x = layers.Conv2D(8, 3, strides=4, padding="same", name="conv")(images)
    x = layers.Reshape((6, 6, 8), name="map")(Scatter(name="scatter")(x))
    classifier = chosen(x, images)
    with pytest.raises(ValueError, match="where the map of 'map' lies on .* is not understood; name one by --lay"):
        GradCAM(classifier, None, noise(1), 0)
    named = Classifier(classifier.model, layer_name="map")
    assert GradCAM(named, None, noise(1)[0], 0).compute_saliency_map().shape == (32, 32)
    assert "assumed" in named.describe()["geometry"]


# --- names of networks ------------------------------------------------------------------------------------
def test_a_convolution_of_the_users_behind_a_zoo_network_is_looked_at():
    backbone = zoo.build("MobileNetV2", weights=None, classes=3)
    backbone = keras.Model(backbone.input, backbone.get_layer("out_relu").output)
    x = layers.Conv2D(5, 3, activation="relu", name="own")(backbone.output)
    model = keras.Model(backbone.input, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    assert Classifier(model, "MobileNetV2").layer_name == "own"
    assert constants.ZOO["MobileNetV2"][3] == "out_relu"
    keras.backend.clear_session()


# --- what can be named -------------------------------------------------------------------------------------
def test_layers_that_can_be_named_are_those_from_the_first_kernel_on_that_have_positions():
    backbone, top = residual_backbone(), head()
    augmented = keras.Input((32, 32, 3))
    model = keras.Model(augmented, top(backbone(layers.RandomFlip(name="flip")(augmented))))
    steps, output = layer_graph.trace_model(model, tf.TensorSpec([None, 32, 32, 3]))
    names = [step.name for step in Layers(steps, output, (32, 32, 3)).steps]
    assert names[0] == "stem_conv"
    assert names[-1] == "block_out"


def test_tokens_can_be_named():
    classifier = Classifier(transformers.vit("mean"), layer_name="block_0_attention")
    assert classifier.features(noise(1)).shape == (1, 4, 4, 12)
    assert {"tokens", "block_1_add_1", "norm"} <= set(classifier.layer_names)
    twice = Classifier(classifier.model, layer_name="block_0_add_2,norm")
    maps = [GradCAM(Classifier(classifier.model, layer_name=name), None, noise(1), 0).compute_saliency_map()
            for name in ("block_0_add_2", "norm")]  # fmt: skip
    assert_close(GradCAM(twice, None, noise(1), 0).compute_saliency_map(), np.mean(maps, axis=0))
    both = twice.features_by_layer(noise(1))
    assert [features.shape for features in both] == [(1, 4, 4, 12)] * 2
    assert_close(both[1], Classifier(classifier.model, layer_name="norm").features(noise(1)))


def test_what_was_chosen_is_said():
    assert Classifier(transformers.vit("mean")).describe()["geometry"] == "on the whole image"
    x = keras.Input((32, 32, 3))
    cropped = chosen(
        layers.Conv2D(4, 3, padding="same", name="last")(layers.Cropping2D(((8, 0), (0, 16)), name="crop")(x)), x
    )
    assert cropped.describe()["geometry"] == "rows 8 to 32 of 32, columns 0 to 16 of 32 (probed: crop)"
    assert cropped.describe()["layer"] == "last"
    assert cropped.describe()["layer_found"] == "last map on every path"
    assert Classifier(cropped.model, layer_name="last").describe()["layer_found"] == "given"


def test_a_layer_that_runs_twice_side_by_side_is_refused_and_one_after_the_other_is_the_last():
    images = keras.Input((32, 32, 3))
    shared = layers.Conv2D(3, 3, padding="same", name="shared")
    mean = layers.GlobalAveragePooling2D()
    beside = layers.Add()([mean(shared(images)), mean(shared(layers.Resizing(32, 32)(images[:, :16, :16])))])
    side_by_side = keras.Model(images, layers.Dense(2, activation="softmax")(beside))
    with pytest.raises(ValueError, match="'shared' runs 2 times .* that of one call alone"):
        Classifier(side_by_side, layer_name="shared")
    in_turn = keras.Model(images, layers.Dense(2, activation="softmax")(mean(shared(shared(images)))))
    classifier = Classifier(in_turn)
    assert classifier.layer_name == Classifier(in_turn, layer_name="shared").layer_name == "shared"
    x = noise(1)
    assert_close(classifier.features(x), np.asarray(shared(shared(x))))
