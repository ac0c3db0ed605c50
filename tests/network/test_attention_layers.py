"""Bags of patches: what is cut, what is weighed, and that a patch is on its own."""

import keras
import numpy as np
import pytest
from keras import layers
from planted import noise, planted_model, residual_backbone

from gradcam import GradCAM
from network import model_files
from network.attention_layers import (
    ATTENTION_LAYER,
    INSTANCES_LAYER,
    PATCHES_LAYER,
    WEIGHTED_LAYER,
    Bags,
    attend,
    cut_patches,
)
from network.classifier import Classifier
from network.transfer import HEAD_LAYER, POOLING_LAYER, Backbone

SMALL = {"embedding": 10, "units": 5}


def bag_model(patch_size=12, patch_stride=8, gated=False, side=32, seed=0):
    backbone = Backbone(residual_backbone(), None, "none", (side, side))
    return Bags(patch_size, patch_stride, gated, **SMALL).add_head(backbone, 3, seed)


def scaled(n):
    """Noise at a scale that does not saturate a tanh."""
    return noise(n) / 1275 - 0.1


def outputs(model, *names):
    """A function of images to the outputs of these layers."""
    return keras.Model(model.input, [model.get_layer(name).output for name in names])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# --- patches ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("size, stride", [(8, 8), (12, 8), (16, 8), (11, 8), (24, 4), (32, 32)])
def test_a_patch_is_cut_out_around_the_centre_of_its_cell(size, stride):
    height, width = 32, 64
    images = np.random.default_rng(0).uniform(1, 255, (2, height, width, 3)).astype(np.float32)
    symbolic = keras.Input((height, width, 3))
    patches = keras.Model(symbolic, cut_patches(symbolic, size, stride))(images).numpy()
    assert patches.shape == (2, height // stride, width // stride, size, size, 3)
    first = (size - stride) // 2
    for row, column in np.ndindex(patches.shape[1:3]):
        wanted = np.zeros((2, size, size, 3))
        for y in range(size):
            for x in range(size):
                place = row * stride - first + y, column * stride - first + x
                if 0 <= place[0] < height and 0 <= place[1] < width:
                    wanted[:, y, x] = images[:, place[0], place[1]]
        np.testing.assert_array_equal(patches[:, row, column], wanted)


@pytest.mark.parametrize(
    "sides, step, given, wanted",
    [
        ((128, 128), 8, (None, None), (32, 16)),
        ((224, 224), 32, (None, None), (128, 56)),
        ((224, 224), 16, (None, None), (64, 32)),
        ((299, 299), 37, (None, None), (148, 23)),
        ((128, 192), 8, (None, None), (32, 16)),
        ((32, 32), 16, (None, None), (32, 16)),
        ((128, 128), 8, (8, None), (8, 4)),
        ((128, 128), 8, (24, None), (24, 8)),
        ((128, 128), 8, (None, 32), (64, 32)),
        ((224, 224), 32, (None, 28), (128, 28)),
        ((30, 30), 2, (10, 5), (10, 5)),
    ],
)
def test_the_patches_tile_the_image(sides, step, given, wanted):
    assert Bags(*given).place(*sides, step) == wanted


@pytest.mark.parametrize(
    "given, words",
    [
        ((32, 15), r"patch_stride should divide the input of 128 x 128: 4, 8, .*; got 15"),
        ((8, 16), "patch_size should lie between patch_stride and the side, 16 to 128; got 8"),
        ((200, 16), "16 to 128; got 200"),
    ],
)
def test_patches_that_do_not_tile_the_image_are_refused(given, words):
    with pytest.raises(ValueError, match=words):
        Bags(*given).place(128, 128, 8)


def test_a_backbone_that_cannot_take_the_patches_says_so():
    images = keras.Input((32, 32, 3))
    backbone = Backbone(keras.Model(images, layers.Conv2D(4, 9)(images)), None, "none", (32, 32))
    with pytest.raises(ValueError, match="the network cannot take patches of 8 x 8 pixels"):
        Bags(8, 8).add_head(backbone, 2, seed=0)


def test_a_patch_sees_nothing_of_the_others():
    model = bag_model(patch_size=8)
    embed = outputs(model, INSTANCES_LAYER)
    images = noise(1)
    changed = images.copy()
    changed[:, 8:16, 16:24] = 0  # cell (1, 2)
    difference = np.abs(embed(images).numpy() - embed(changed).numpy()).max(axis=(0, 3))
    assert difference[1, 2] > 0
    difference[1, 2] = 0
    assert difference.max() == 0


def test_the_embedding_of_a_patch_is_that_of_the_backbone_on_the_patch_alone():
    backbone = residual_backbone()
    model = Bags(32, 16, **SMALL).add_head(Backbone(backbone, None, "none", (64, 64)), 3, seed=0)
    patches, pooled = outputs(model, PATCHES_LAYER, POOLING_LAYER)(noise(2, 64))
    for row, column in np.ndindex(4, 4):
        wanted = backbone(patches[:, row, column]).numpy().mean(axis=(1, 2))
        np.testing.assert_allclose(pooled[:, row, column], wanted, rtol=1e-4, atol=1e-4)


# --- attention -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("gated", [False, True])
def test_attention_is_that_of_a_loop_over_the_patches(gated):
    model = bag_model(gated=gated)
    images = scaled(3)
    instances, attention = (output.numpy() for output in outputs(model, INSTANCES_LAYER, ATTENTION_LAYER)(images))
    v, w = (model.get_layer(f"attention_{name}").get_weights()[0] for name in "vw")
    weights, bias = model.get_layer(HEAD_LAYER).get_weights()
    for n in range(3):
        h = instances[n].reshape(16, 10)
        scores = []
        for k in range(16):
            hidden = np.tanh(v.T @ h[k])
            if gated:
                hidden = hidden * sigmoid(model.get_layer("attention_u").get_weights()[0].T @ h[k])
            scores.append(float(w[:, 0] @ hidden))
        a = np.exp(scores) / np.exp(scores).sum()
        np.testing.assert_allclose(attention[n], a, rtol=1e-4, atol=1e-6)
        z = sum(a[k] * h[k] for k in range(16))
        logits = z @ weights + bias
        wanted = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        np.testing.assert_allclose(model(images)[n], wanted, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("gated, scores", [(False, [0.0, 0.4621172]), (True, [0.0, 0.3378350])])
def test_attention_worked_by_hand(gated, scores):
    """h = 0 and 1; V = 0.5, U = 1, w = 1: tanh(0.5) = 0.4621, sigmoid(1) = 0.7311, their product 0.3378."""
    h = keras.Input((2, 1))
    constant = [keras.initializers.Constant(value) for value in (0.5, 1.0, 1.0)]
    attention = keras.Model(h, attend(h, 1, gated, constant))(np.array([[[0.0], [1.0]]])).numpy()[0]
    np.testing.assert_allclose(attention, np.exp(scores) / np.exp(scores).sum(), rtol=1e-5)


@pytest.mark.parametrize("gated", [False, True])
def test_shuffled_patches_take_their_attention_with_them_and_the_bag_stays_the_same(gated):
    model = bag_model(patch_size=8, gated=gated)
    image = scaled(1)
    order = np.random.default_rng(1).permutation(16)
    cells = image.reshape(4, 8, 4, 8, 3).transpose(0, 2, 1, 3, 4).reshape(16, 8, 8, 3)
    shuffled = cells[order].reshape(4, 4, 8, 8, 3).transpose(0, 2, 1, 3, 4).reshape(1, 32, 32, 3)
    one, other = (outputs(model, ATTENTION_LAYER, HEAD_LAYER)(part) for part in (image, shuffled))
    assert np.ptp(one[0]) > 1e-3
    np.testing.assert_allclose(other[0][0], one[0].numpy()[0, order], rtol=1e-4)
    np.testing.assert_allclose(other[1], one[1], rtol=1e-4)


@pytest.mark.parametrize("gated", [False, True])
def test_the_attention_of_a_bag_is_positive_and_sums_to_1(gated):
    attention = outputs(bag_model(gated=gated), ATTENTION_LAYER)(noise(4)).numpy()
    assert attention.shape == (4, 16)
    assert (attention > 0).all()
    np.testing.assert_allclose(attention.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1")
def test_a_bag_of_one_patch_is_that_patch():
    model = bag_model(patch_size=32, patch_stride=32)
    instances, attention, z = outputs(model, INSTANCES_LAYER, ATTENTION_LAYER, "head_dropout")(noise(2))
    np.testing.assert_array_equal(attention, np.ones((2, 1)))
    np.testing.assert_allclose(z, instances.numpy().reshape(2, 10), rtol=1e-6)


# --- the model -------------------------------------------------------------------------------------------
def test_the_file_loads_without_code_of_ours_and_gives_the_same(tmp_path):
    model = bag_model(gated=True)
    settings = {"class_names": ["a", "b", "c"], "preprocessing": "none", "input_size": (32, 32)}
    path = model_files.save_model(model, tmp_path / "bags.keras", settings)
    loaded = keras.models.load_model(path, compile=False, safe_mode=True)
    np.testing.assert_allclose(loaded(noise(3)), model(noise(3)), rtol=1e-5)
    assert all(type(operation).__module__.startswith("keras.") for operation in loaded.operations)
    classifier, _ = model_files.load_classifier(model_path=path)
    np.testing.assert_allclose(classifier.predict(noise(3)), model(noise(3)), rtol=1e-4, atol=1e-6)
    assert classifier.class_names == ["a", "b", "c"]


def test_the_same_seed_draws_the_same_head_and_another_one_another():
    one, same, other = (bag_model(seed=seed).get_layer("attention_v").get_weights()[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0


def test_gradcam_looks_at_the_grid_of_patches_and_never_at_maps_of_single_patches():
    classifier = Classifier(bag_model())
    assert classifier.layer_name == WEIGHTED_LAYER
    features = classifier.features(noise(2))
    assert features.shape == (2, 4, 4, 10)
    for name in classifier.layer_names:
        views = Classifier(classifier.model, layer_name=name)
        assert len(views.features(noise(2))) == 2, name
    with pytest.raises(ValueError, match="no layer 'block_out' with a feature map"):
        Classifier(classifier.model, layer_name="block_out")


def test_gradcam_is_what_each_patch_adds_to_the_logit():
    model, image = bag_model(), noise(1) / 100
    classifier = Classifier(model)
    instances, attention = outputs(model, INSTANCES_LAYER, ATTENTION_LAYER)(image)
    weights, bias = model.get_layer(HEAD_LAYER).get_weights()
    parts = attention.numpy().reshape(4, 4) * (instances.numpy()[0] @ weights[:, 1])
    logits = classifier.logits(image)[0]
    assert parts.sum() + bias[1] == pytest.approx(logits[1], abs=1e-4)
    maps = GradCAM(classifier, None, image, 1).explain_batch(image, np.array([1]))
    np.testing.assert_allclose(maps[0], np.maximum(parts, 0), atol=1e-4 * np.abs(parts).max())


def test_gradcam_before_the_attention_is_that_of_finite_differences():
    model, image = bag_model(), noise(1) / 100
    classifier = Classifier(model, layer_name=INSTANCES_LAYER)
    tail = keras.Model(model.get_layer(INSTANCES_LAYER).output, model.get_layer("head_dropout").output)
    weights, bias = model.get_layer(HEAD_LAYER).get_weights()
    h = classifier.features(image)[0].astype(np.float64)
    step = 0.02 * np.abs(h).max()
    changes = step * np.eye(h.size).reshape(h.size, *h.shape)
    up, down = ((tail((h + sign * changes).astype(np.float32)).numpy() @ weights + bias)[:, 1] for sign in (1, -1))
    gradient = ((up - down) / (2 * step)).reshape(h.shape)
    wanted = np.maximum((h * gradient.mean(axis=(0, 1))).sum(axis=-1), 0)
    maps = GradCAM(classifier, None, image, 1).explain_batch(image, np.array([1]))
    assert wanted.max() > 0
    np.testing.assert_allclose(maps[0], wanted, atol=0.02 * wanted.max())


def test_a_model_without_patches_has_the_layers_it_had():
    assert Classifier(planted_model()).layer_names == ["colours"]


def test_a_map_inside_a_patch_is_no_map_of_the_image_though_its_sides_are_those_of_the_grid():
    """Patches of 16 x 16 give a convolution of stride 2 maps of 8 x 8, as there are 8 x 8 patches."""
    images = keras.Input((64, 64, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", name="within")(images)
    classifier = Classifier(
        Bags(16, 8, **SMALL).add_head(Backbone(keras.Model(images, x), None, "none", (64, 64)), 3, 0)
    )
    assert "within" not in classifier.layer_names
    with pytest.raises(ValueError, match="'within' runs on pieces of images"):
        classifier.at_layer("within")
