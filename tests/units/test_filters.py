"""Filters as pictures: the colours they see, whatever order the network is fed in, and nothing of the batch norm."""

import keras
import numpy as np
import pytest
from planted import CELL

from network.classifier import Classifier
from units import filters


def test_first_filters_are_patches_of_the_colour_they_want(planted_classifier):
    tiles = filters.draw_filters(planted_classifier.at_layer("colours"))
    for index, patch in enumerate(tiles.pictures):
        assert patch.shape == (CELL, CELL, 3)
        wanted = np.zeros(3)
        wanted[index] = 255
        np.testing.assert_array_equal(patch[3, 4], wanted)


def test_a_network_fed_with_bgr_shows_its_true_colours(planted):
    classifier = Classifier(planted, preprocessing="caffe").at_layer("colours")
    assert filters.find_colours(classifier) == [2, 1, 0]
    np.testing.assert_array_equal(filters.draw_filters(classifier).pictures[0][0, 0], [0, 0, 255])


def test_inputs_that_mix_the_colours_are_no_colours(planted):
    images = keras.Input((96, 96, 3))
    mixed = keras.layers.Conv2D(3, 1, kernel_initializer="ones", name="mixing")(images)
    classifier = Classifier(keras.Model(images, planted(mixed)))
    assert filters.find_colours(classifier.at_layer("planted/colours")) is None
    assert filters.find_colours(classifier.at_layer("mixing")) == [0, 1, 2]


def test_a_deep_layer_is_summarised_over_its_inputs(residual_classifier):
    tiles = filters.draw_filters(residual_classifier.at_layer("block_1_conv"))
    kernel = residual_classifier.model.get_layer("block_1_conv").get_weights()[0]
    strength = np.sqrt((kernel[..., 5] ** 2).mean(axis=2))
    np.testing.assert_allclose(tiles.pictures[5][..., 0], 255 * strength / strength.max(), atol=0.51)
    assert len(tiles.pictures) == 12 and "root mean square" in tiles.what


def test_a_chosen_filter_is_shown_input_by_input(residual_classifier):
    tiles = filters.draw_filters(residual_classifier.at_layer("block_1_conv"), [3])
    kernel = residual_classifier.model.get_layer("block_1_conv").get_weights()[0][..., 3]
    assert len(tiles.pictures) == 8 and tiles.titles[2] == "filter 3, input 2"
    largest = np.abs(kernel).max()
    np.testing.assert_allclose(tiles.pictures[2][..., 1], 127.5 + 127.5 * kernel[:, :, 2] / largest, atol=0.51)


def test_no_batch_norm_is_folded_into_what_is_shown(residual_classifier):
    """Also where another layer is looked at: the stem's kernel would then be folded for the forward pass."""
    kernel = residual_classifier.model.get_layer("stem_conv").get_weights()[0]
    np.testing.assert_array_equal(residual_classifier.at_layer("stem_conv").kernel(), kernel)
    assert filters.draw_filters(residual_classifier.at_layer("stem_bn")) is None
    np.testing.assert_array_equal(residual_classifier.model.get_layer("stem_conv").get_weights()[0], kernel)


def test_one_by_one_depthwise_and_transposed_kernels():
    images = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 1, name="point")(images)
    x = keras.layers.DepthwiseConv2D(3, depth_multiplier=2, name="depth")(x)
    x = keras.layers.SeparableConv2D(5, 2, name="separable")(x)
    x = keras.layers.Conv2DTranspose(6, 2, name="transposed")(x)
    x = keras.layers.Conv2D(7, 1, name="point_2")(x)
    model = keras.Model(images, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
    classifier = Classifier(model)
    shapes = {"depth": (3, 3, 1, 8), "separable": (2, 2, 1, 8), "transposed": (2, 2, 5, 6), "point_2": (1, 1, 6, 7)}
    for name, shape in shapes.items():
        assert classifier.at_layer(name).kernel().shape == shape
    depth = model.get_layer("depth").get_weights()[0]
    np.testing.assert_array_equal(classifier.at_layer("depth").kernel()[:, :, 0, 5], depth[:, :, 2, 1])
    matrix = filters.draw_filters(classifier.at_layer("point_2"))
    assert [picture.shape for picture in matrix.pictures] == [(7, 6, 3)]


def test_zero_filters_and_many_filters():
    kernel = np.zeros((3, 3, 1, 100), dtype=np.float32)
    kernel[1, 1, 0] = np.arange(100)
    tiles = filters._draw_patches(kernel, None, "in grey")
    assert len(tiles.pictures) == 64 and tiles.titles[0].startswith("36:") and tiles.what == "64 of 100, in grey"
    np.testing.assert_array_equal(filters._draw_patches(kernel, [0], "").pictures[0], np.full((3, 3, 3), 128))


def test_a_channel_that_is_not_there_is_refused(planted_classifier):
    with pytest.raises(ValueError, match="3 channels, 0 to 2; given: 3"):
        filters.draw_filters(planted_classifier.at_layer("colours"), [1, 3])
