"""Attention as an explainer: at the right place, by the contract, and for bag models alone."""

import keras
import numpy as np
import pytest
from keras import layers
from planted import CELL, COLOURS, RED, SIDE, explain, picture, planted_model, square
from test_contract import (  # noqa: F401  run here again, on a bag model
    test_a_batch_of_one_class_is_the_batch_of_that_class_repeated,
    test_a_batch_size_below_one_is_refused,
    test_a_class_index_that_does_not_fit_is_refused,
    test_a_keras_model_and_its_classifier_give_the_same_map,
    test_a_map_depends_neither_on_the_other_images_nor_on_the_batch_size,
    test_an_image_of_any_size_has_the_map_of_what_the_model_takes_of_it,
    test_an_image_that_does_not_fit_is_refused,
    test_bytes_and_floats_of_0_to_255_give_the_same_map,
    test_class_0_is_a_class,
    test_one_image_has_one_map_and_a_batch_one_for_each,
    test_the_class_matters_exactly_where_the_method_says_so,
    test_the_heat_lies_on_the_object_of_the_class,
    test_the_image_is_not_changed,
    test_the_same_seed_gives_the_same_map,
    test_what_the_registry_offers_the_constructor_takes,
)
from twins import planted_bags

from explainers.attention import Attention, find_patches, spread_attention
from explainers.registry import METHODS
from network.attention_layers import Bags
from network.classifier import Classifier
from network.transfer import Backbone
from pipeline.model_check import find_misfits

METHOD = METHODS["ATTENTION"]


@pytest.fixture(params=[METHOD], ids=["ATTENTION"])
def method(request):
    return request.param


@pytest.fixture(scope="module")
def planted():
    return planted_bags()


@pytest.fixture(scope="module")
def planted_classifier(planted):
    return Classifier(planted, class_names=COLOURS, batch_size=64)


# --- the place -------------------------------------------------------------------------------------------
def naive_spread(attention, size, stride):
    rows, columns = attention.shape
    total, count = np.zeros((2, rows * stride, columns * stride))
    for i, j in np.ndindex(rows, columns):
        top, left = (k * stride - (size - stride) // 2 for k in (i, j))
        for y in range(max(top, 0), min(top + size, rows * stride)):
            for x in range(max(left, 0), min(left + size, columns * stride)):
                total[y, x] += attention[i, j]
                count[y, x] += 1
    return total / count


@pytest.mark.parametrize("size, stride", [(4, 4), (8, 4), (6, 4), (7, 4), (20, 4), (3, 3)])
def test_a_pixel_has_the_mean_attention_of_the_patches_that_cover_it(size, stride):
    attention = np.random.default_rng(2).uniform(size=(2, 3, 5))
    maps = spread_attention(attention, size, stride)
    for one, saliency_map in zip(attention, maps, strict=True):
        np.testing.assert_allclose(saliency_map, naive_spread(one, size, stride))


def test_patches_that_do_not_overlap_keep_their_own_attention():
    attention = np.arange(6.0).reshape(1, 2, 3)
    np.testing.assert_array_equal(spread_attention(attention, 4, 4)[0], np.kron(attention[0], np.ones((4, 4))))


@pytest.mark.parametrize("size", [CELL, 2 * CELL])
def test_the_attention_lies_on_the_coloured_square_and_not_on_its_mirror_image(size):
    saliency_map = Attention(planted_bags(size), None, picture(RED)).compute_saliency_map()
    inside = saliency_map[square(RED)].mean()
    for elsewhere in (saliency_map.T, saliency_map[::-1], saliency_map[:, ::-1]):
        assert inside > 2 * elsewhere[square(RED)].mean()


def test_the_map_of_an_oblong_image_has_rows_before_columns():
    images = keras.Input((24, 48, 3))
    backbone = keras.Model(images, layers.Conv2D(4, 3, padding="same", activation="relu")(images))
    model = Bags(12, 6).add_head(Backbone(backbone, None, "none", (24, 48)), 2, seed=0)
    explainer = Attention(model, None, np.zeros((24, 48, 3), np.uint8))
    assert find_patches(explainer.classifier)[:4] == (4, 8, 12, 6)
    assert explainer.compute_saliency_map().shape == (24, 48)


def test_the_attention_of_each_image_sums_to_1(planted_classifier, images):
    explainer = Attention(planted_classifier, None, images)
    attention = explainer.compute_attention(explainer.images)
    assert attention.shape == (3, 8, 8)
    np.testing.assert_allclose(attention.sum(axis=(1, 2)), 1, rtol=1e-5)


def test_the_maps_come_from_the_images_that_the_network_was_trained_on():
    """With the preprocessing kept beside the model, not raw pixels."""
    model, image = planted_bags(), np.full((SIDE, SIDE, 3), 60, np.uint8)
    image[square(RED), 0] = 200
    raw, scaled = (
        explain(METHOD, Classifier(model, preprocessing=preprocessing), image, 0) for preprocessing in ("none", "tf")
    )
    assert np.abs(raw - scaled).max() > 1e-4


# --- other models ----------------------------------------------------------------------------------------
def test_a_model_without_attention_is_refused_with_the_reason_and_left_out_of_all():
    classifier = Classifier(planted_model())
    with pytest.raises(ValueError, match="attention over patches, as attention_mil.py trains it.* no layer 'patches'"):
        Attention(classifier, None, np.zeros((SIDE, SIDE, 3), np.uint8))
    assert METHOD in find_misfits(classifier, {METHOD: {}, METHODS["GRADCAM"]: {}})
    assert not find_misfits(Classifier(planted_bags()), {METHOD: {}, METHODS["GRADCAM"]: {}})


def test_a_layer_that_is_called_attention_and_is_none_is_refused():
    images = keras.Input((32, 32, 3), name="pixels")
    x = layers.Conv2D(4, 3, name="patches")(images)
    x = layers.GlobalAveragePooling2D(name="attention")(layers.Conv2D(4, 3, name="instances")(x))
    classifier = Classifier(keras.Model(images, layers.Dense(2, "softmax")(x)))
    with pytest.raises(ValueError, match="attention \\(h \\* w\\) are wanted; found: patches \\(30, 30, 4\\)"):
        Attention(classifier, None, np.zeros((32, 32, 3), np.uint8))


@pytest.mark.parametrize("name", [name for name in METHODS if name != "CAM"])
def test_every_method_explains_a_bag_model(name, planted_classifier, image):
    """CAM alone is refused: a weighted mean stands where it wants the plain one."""
    saliency_map = explain(METHODS[name], planted_classifier, image, 0)
    assert saliency_map.shape == (SIDE, SIDE)
    assert np.isfinite(saliency_map).all()


def test_cam_is_refused_for_bags(planted_classifier, image):
    with pytest.raises(ValueError, match="a mean over positions and linear layers alone are wanted"):
        explain(METHODS["CAM"], planted_classifier, image, 0)
