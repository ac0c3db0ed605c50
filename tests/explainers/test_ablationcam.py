"""Ablation-CAM by hand, and against networks built with one channel of the chosen layer multiplied by 0."""

import keras
import numpy as np
import pytest
from keras import layers
from planted import DATA, assert_close, draw_weights, noise, residual_backbone
from twins import at_feature_size, residual_model, tiny_image, tiny_model

from explainers import ablationcam
from explainers.ablationcam import AblationCAM
from network.classifier import Classifier

K = 5  # channels of the chosen layer


def pooled(x, stem):
    return layers.GlobalAveragePooling2D()(x)


def several_convolutions(x, stem):
    x = layers.Conv2D(7, 3, activation="relu")(layers.ReLU()(x))
    return layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(layers.MaxPooling2D()(x)))


def rectified_and_pooled(x, stem):
    return layers.Flatten()(layers.MaxPooling2D()(layers.Activation("relu")(x)))


def largest(x, stem):
    return layers.Dropout(0.5)(layers.GlobalMaxPooling2D()(keras.ops.relu6(x)))


def a_way_around(x, stem):
    x = layers.Conv2D(6, 3, padding="same")(layers.ReLU()(x))
    return layers.GlobalAveragePooling2D()(layers.ReLU()(layers.Add()([stem, x])))


def two_ways_on(x, stem):
    return layers.GlobalAveragePooling2D()(layers.Add()([x, layers.Conv2D(K, 3, padding="same")(layers.ReLU()(x))]))


def normalised(x, stem):  # a channel of zeros is not one of zeros behind a batch norm
    return layers.GlobalAveragePooling2D()(layers.ReLU()(layers.BatchNormalization()(x)))


def leaky(x, stem):
    return layers.GlobalAveragePooling2D()(layers.LeakyReLU(0.1)(x))


def nested(x, stem):
    inner = keras.Input(x.shape[1:])
    x = keras.Model(inner, layers.Conv2D(4, 3)(layers.ReLU()(inner)))(x)
    return layers.GlobalAveragePooling2D()(x)


TAILS = [
    pooled,
    several_convolutions,
    rectified_and_pooled,
    largest,
    a_way_around,
    two_ways_on,
    normalised,
    leaky,
    nested,
]


def network(tail, kept=None):
    """16 x 16 pixels, a stem, the layer 'chosen', its channels multiplied by `kept` (K,), the tail, 3 logits."""
    images = keras.Input((16, 16, 3))
    stem = layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="stem")(images)
    x = layers.Conv2D(K, 3, padding="same", name="chosen")(stem)
    if kept is not None:
        x = x * keras.ops.convert_to_tensor(np.asarray(kept, dtype=np.float32))
    model = keras.Model(images, layers.Dense(3)(tail(x, stem)))
    draw_weights(model, seed=5)
    return model


def naive_scores(tail, images):
    """Logits (n, C), and logits without each channel, (n, K, C)."""
    without = [network(tail, 1 - np.eye(K)[channel])(images) for channel in range(K)]
    return np.asarray(network(tail)(images)), np.stack(without, axis=1)


# --- twins -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("tail", "together"),
    [
        *((tail, K) for tail in TAILS),
        *((several_convolutions, n) for n in (1, 2)),
        *((a_way_around, n) for n in (2, 3)),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_logits_without_a_channel_are_those_of_a_network_built_without_it(tail, together, monkeypatch):
    monkeypatch.setattr(ablationcam, "ABLATION_VALUES", together * 8 * 8 * K)  # 2 and 3 channels do not divide K
    images, class_index = noise(3, side=16), np.array([2, 0, 1], dtype=np.int32)
    logits, without = naive_scores(tail, images)
    explainer = AblationCAM(Classifier(network(tail), layer_name="chosen"), None, images, class_index)
    features, scores, scores_without = explainer.ablate_channels(images, class_index)
    assert features.shape == (3, 8, 8, K)
    assert_close(scores, logits[range(3), class_index])
    expected = np.stack([without[i, :, index] for i, index in enumerate(class_index)])
    assert np.ptp(expected, axis=1).min() > 0
    assert_close(scores_without, expected)


@pytest.mark.parametrize("tail", [pooled, a_way_around], ids=lambda tail: tail.__name__)
def test_the_map_is_that_of_the_naive_loop(tail):
    images = noise(2, side=16)
    logits, without = naive_scores(tail, images)
    classifier = Classifier(network(tail), layer_name="chosen")
    features = classifier.features(images)
    signs = set()
    for class_index in range(3):
        maps = at_feature_size(AblationCAM(classifier, None, images, class_index))
        for image in range(2):
            naive, score = np.zeros((8, 8)), logits[image, class_index]
            for channel in range(K):
                fall = score - without[image, channel, class_index]
                naive += (fall / score if score > 0 else fall) * features[image, ..., channel]
            assert_close(maps[image], np.maximum(naive, 0), relative=1e-4)
            signs.add(score > 0)
    assert signs == {True, False}


def test_a_relu_that_is_used_before_and_behind_the_chosen_layer():
    def build(kept=None):
        relu, images = layers.ReLU(name="relu"), keras.Input((8, 8, 3))
        x = relu(layers.Conv2D(6, 3, name="stem")(images))
        x = layers.Conv2D(K, 3, name="chosen")(x)
        x = x if kept is None else x * keras.ops.convert_to_tensor(kept)
        model = keras.Model(images, layers.Dense(2)(layers.GlobalAveragePooling2D()(relu(x))))
        draw_weights(model, seed=2)
        return model

    image = noise(1, side=8)
    expected = [build(1 - np.eye(K, dtype=np.float32)[channel])(image)[0, 1] for channel in range(K)]
    for layer_name in ("chosen", "relu"):
        explainer = AblationCAM(Classifier(build(), layer_name=layer_name), None, image, 1)
        assert_close(explainer.ablate_channels(image, explainer.class_indices)[2][0], expected)


def test_a_network_whose_logits_are_means_of_channels():
    images = keras.Input((8, 8, 3))  # which ends in layers that keep channels apart, and in one that does nothing
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3, name="chosen")(images))
    model = keras.Model(images, layers.Dropout(0.5)(x))
    draw_weights(model)
    explainer = AblationCAM(Classifier(model, layer_name="chosen"), None, noise(1, side=8), 2)
    _, scores, without = explainer.ablate_channels(noise(1, side=8), explainer.class_indices)
    assert_close(without, [[scores[0], scores[0], 0]])


# --- by hand ---------------------------------------------------------------------------------------------
def test_map_by_hand():
    # mean A_0 = 1, mean A_1 = 5/8; S_0 = 4 - 5 = -1, without A_0: -5, without A_1: 4; S - S_k = 4 and -5
    maps = [AblationCAM(tiny_model(), None, tiny_image(), index).compute_saliency_map() for index in (0, 1)]
    # 4 A_0 - 5 A_1 = [[4, 8], [0, 4]] - [[0, 5], [5, 2.5]]
    np.testing.assert_allclose(maps[0], [[4, 3], [0, 1.5]], atol=1e-5)
    # S_1 = 1: w = -4 / 1 and 5 / 1
    np.testing.assert_allclose(maps[1], [[0, 0], [5, 0]], atol=1e-5)


def test_weights_by_hand(planted_classifier, image):
    explainer = AblationCAM(planted_classifier, None, image, 0)
    weights = explainer.weigh_channels(np.array([2.0, -2, 0]), np.array([[1.0, 3], [-3, 1], [-3, 1]]))
    np.testing.assert_array_equal(weights, [[0.5, -0.5], [1, -3], [3, -1]])


def test_the_record_says_where_the_logit_did_not_divide():
    explainer = AblationCAM(tiny_model(), None, np.stack([tiny_image()] * 2), [0, 1])
    first, second = explainer.describe_maps(explainer.compute_saliency_map())
    assert first == {"undivided": "logit -1 <= 0: weights S - S_k"}
    assert second == {}


def test_for_a_pooled_head_the_map_is_grad_cams_brought_to_scale():
    # S_k = S - w_k mean A_k: the weights are those of Grad-CAM, times the sum of the channel, over S
    classifier = Classifier(residual_model())
    features = classifier.features(noise(3))
    logits = classifier.logits(noise(3))
    kernel = classifier.dense_weights()
    for class_index in range(3):
        weights = kernel[:, class_index] * features.mean(axis=(1, 2))
        weights /= np.where(logits[:, [class_index]] > 0, logits[:, [class_index]], 1)
        terms = np.einsum("nhwk,nk->nhwk", features, weights)
        maps = at_feature_size(AblationCAM(classifier, None, noise(3), class_index))
        np.testing.assert_allclose(maps, np.maximum(terms.sum(axis=-1), 0), atol=1e-5 * np.abs(terms).max())


# --- cost ------------------------------------------------------------------------------------------------
def test_only_the_layers_that_mix_channels_run_again_for_each_channel():
    backbone, batches = residual_backbone(), {}

    class Watched(layers.Layer):
        def call(self, x):
            if x.shape[0] is None:  # traced, not asked where it moves things
                batches.setdefault(self.name, []).append(x.shape[0])
            return x + 0.0

    x = Watched(name="before_mean")(backbone.output)
    x = Watched(name="behind_mean")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(backbone.input, layers.Dense(3)(x))
    AblationCAM(Classifier(model, layer_name="before_mean"), None, noise(1), 0).compute_saliency_map()
    # traced to build the model, to read it, and once for the features; behind: for S and for all S_k besides
    assert len(batches["behind_mean"]) == len(batches["before_mean"]) + 2


@pytest.mark.data
def test_a_real_network_without_each_of_a_few_channels():
    from network.model_files import load_model

    classifier = Classifier(load_model(DATA / "models" / "resnet8_cifar10.keras"))
    images, class_index = noise(2), np.array([3, 8], dtype=np.int32)
    _, scores, without = AblationCAM(classifier, None, images, class_index).ablate_channels(images, class_index)
    falls = classifier.features(images).mean(axis=(1, 2)) * classifier.dense_weights()[:, class_index].T
    assert_close(scores[:, None] - without, falls, relative=1e-4)
