"""Grad-CAM against numbers worked by hand, a model cut by hand, and the closed form for a pooled head."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from planted import GREEN, RED, assert_close, head, noise, planted_model, residual_backbone

from gradcam import GradCAM
from network.classifier import Classifier


@pytest.fixture
def tiny():
    """2 x 2 pixels; A_0 = R / 100, A_1 = G / 100; S_0 = 4 mean A_0 - 8 mean A_1, S_1 = -S_0."""
    images = keras.Input((2, 2, 3))
    features = layers.Conv2D(2, 1, use_bias=False, name="conv")(images)
    logits = layers.Dense(2, use_bias=False, name="dense")(layers.GlobalAveragePooling2D()(features))
    model = keras.Model(images, logits)
    model.get_layer("conv").set_weights([np.array([[1, 0], [0, 1], [0, 0]]).reshape(1, 1, 3, 2) / 100])
    model.get_layer("dense").set_weights([np.array([[4, -4], [-8, 8]])])
    return model


@pytest.fixture
def tiny_image():
    """A_0 = [[1, 2], [0, 1]], A_1 = [[0, 1], [1, 0.5]]."""
    image = np.zeros((2, 2, 3), dtype=np.float32)
    image[..., 0] = [[100, 200], [0, 100]]
    image[..., 1] = [[0, 100], [100, 50]]
    return image


@pytest.fixture
def explainer(tiny, tiny_image):
    return GradCAM(tiny, None, tiny_image, 0)


# --- by hand ---------------------------------------------------------------------------------------------
def test_paper_map_by_hand(tiny, tiny_image):
    # w = (4, -8) / 4 positions; sum = 1 A_0 - 2 A_1 = [[1, 0], [-2, 0]]
    saliency_map = GradCAM(tiny, None, tiny_image, 0).compute_saliency_map()
    np.testing.assert_allclose(saliency_map, [[1, 0], [0, 0]], atol=1e-6)
    opposite = GradCAM(tiny, None, tiny_image, 1).compute_saliency_map()
    np.testing.assert_allclose(opposite, [[0, 0], [2, 0]], atol=1e-6)


def test_lab_map_by_hand(tiny, tiny_image):
    # mean over the two channels of ReLU(1 A_0) and ReLU(-2 A_1)
    saliency_map = GradCAM(tiny, None, tiny_image, 0, variant="lab").compute_saliency_map()
    np.testing.assert_allclose(saliency_map, [[0.5, 1], [0, 0.5]], atol=1e-6)


def test_an_all_negative_sum_gives_the_zero_map(tiny):
    image = np.zeros((2, 2, 3), dtype=np.float32)
    image[..., 1] = 100
    explainer = GradCAM(tiny, None, image, 0)
    saliency_map = explainer.compute_saliency_map()
    np.testing.assert_array_equal(saliency_map, np.zeros((2, 2)))
    [remark] = explainer.describe_maps(saliency_map[None])
    assert remark == {"zero": "the layer's weighted sum is nowhere above 0: nothing in it speaks for the class"}


# --- each step alone -------------------------------------------------------------------------------------
def test_get_model_gives_features_and_logits(explainer, tiny, tiny_image):
    features, logits = explainer.get_model()(tf.constant(tiny_image[None]))
    np.testing.assert_allclose(features[0, ..., 0], [[1, 2], [0, 1]])
    np.testing.assert_allclose(logits, tiny(tiny_image[None]))


def test_compute_gradients_gives_features_and_gradients_of_each_images_own_class(explainer, tiny_image):
    images, class_index = np.stack([tiny_image, tiny_image]), np.array([0, 1], dtype=np.int32)
    features, gradients = explainer.compute_gradients(explainer.get_model(), images, class_index)
    assert features.shape == gradients.shape == (2, 2, 2, 2)
    np.testing.assert_allclose(gradients[0], np.broadcast_to([1, -2], (2, 2, 2)), atol=1e-6)
    np.testing.assert_allclose(gradients[1], np.broadcast_to([-1, 2], (2, 2, 2)), atol=1e-6)


def test_pool_gradients_is_the_mean_over_positions(explainer):
    gradients = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
    np.testing.assert_array_equal(explainer.pool_gradients(gradients), [[3, 4]])


def test_weight_activation_map_multiplies_each_channel_by_its_weight(explainer):
    features = np.ones((1, 2, 2, 2), dtype=np.float32)
    weighted = explainer.weight_activation_map(features, np.array([[3, -4]], dtype=np.float32))
    np.testing.assert_array_equal(weighted[0], np.broadcast_to([3, -4], (2, 2, 2)))


def test_apply_relu_keeps_the_positive_part(explainer):
    np.testing.assert_array_equal(explainer.apply_relu(np.array([-1.0, 0, 2])), [0, 0, 2])


def test_apply_dimension_average_pooling_is_the_mean_over_channels(explainer):
    np.testing.assert_array_equal(explainer.apply_dimension_average_pooling(np.array([[[[1.0, 3]]]])), [[[2]]])


# --- twins -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("layer_name", ["block_out", "stem_relu", "block_add"])
@pytest.mark.parametrize("variant", ["paper", "lab"])
def test_map_of_a_model_cut_by_hand_channel_by_channel(layer_name, variant):
    backbone, top = residual_backbone(), head(activation=None)
    model = keras.Model(backbone.input, top(backbone.output))
    cut = keras.Model(model.input, [model.get_layer(layer_name).output, model.output])
    image = noise(1)
    class_index = int(np.argmax(model(image)))
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        image = tf.constant(image)
        tape.watch(image)
        features, logits = cut(image)
        score = logits[0, class_index]
    gradients, features = tape.gradient(score, features)[0].numpy(), features[0].numpy()
    naive = np.zeros(features.shape[:2])
    for channel in range(features.shape[-1]):
        term = gradients[..., channel].mean() * features[..., channel]
        naive += np.maximum(term, 0) / features.shape[-1] if variant == "lab" else term
    naive = np.maximum(naive, 0)
    assert naive.max() > 0
    explainer = GradCAM(Classifier(model, layer_name=layer_name), None, image, class_index, variant=variant)
    assert_close(list(explainer.explain_batch(explainer.images, explainer.class_indices))[0], naive)


def test_the_logit_is_explained_also_behind_a_softmax():
    backbone = residual_backbone()
    softmax = keras.Model(backbone.input, head(activation="softmax")(backbone.output))
    logits = keras.Model(backbone.input, head(activation=None)(backbone.output))
    maps = [GradCAM(model, None, noise(2), [0, 1]).compute_saliency_map() for model in (softmax, logits)]
    assert_close(*maps)


def test_for_a_pooled_dense_head_the_map_is_the_weighted_sum_of_the_channels():
    backbone, top = residual_backbone(), head()
    classifier = Classifier(keras.Model(backbone.input, top(backbone.output)))
    features, weights = classifier.features(noise(3)), np.asarray(top.dense.kernel)
    for class_index in range(3):
        explainer = GradCAM(classifier, None, noise(3), class_index)
        expected = np.maximum(features @ weights[:, class_index], 0) / (8 * 8)
        assert_close(explainer.explain_batch(explainer.images, explainer.class_indices), expected)


def test_the_planted_map_is_the_square_itself(image):
    explainer = GradCAM(planted_model(), None, image, RED)
    saliency_map = explainer.explain_batch(explainer.images, explainer.class_indices)[0]
    amount = (220 - 2 * 30) / 255  # of red, in each of its four cells
    expected = np.zeros((8, 8))
    expected[1:3, 4:6] = 80 / 64 * amount
    np.testing.assert_allclose(saliency_map, expected, atol=1e-4)


def test_an_unknown_variant_is_refused_with_the_choices(planted_classifier, image):
    with pytest.raises(ValueError, match=r"\('paper', 'lab'\), not 'Lab'"):
        GradCAM(planted_classifier, None, image, GREEN, variant="Lab")
