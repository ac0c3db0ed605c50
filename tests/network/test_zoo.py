"""The networks of keras.applications: every one by its name, prepared for as Keras itself does; some of them built.

All are built, and compared with Keras's own pipeline, by tools/check_zoo.py: too slow for here.
"""

import importlib
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from planted import noise

import constants
import utils
from network import zoo
from network.classifier import Classifier
from network.preprocessing import preprocess

OURS = {*zoo.OURS}  # that Keras does not have: tests/network/test_resnet18.py
SMALL = ("ResNet", *zoo.OURS, "VGG16", "MobileNetV2", "MobileNetV3Small")


def test_the_table_has_all_networks_of_keras_by_their_own_names():
    functions = {name for name, value in vars(keras.applications).items() if isinstance(value, types.FunctionType)}
    assert len(functions) == 40
    assert constants.ZOO.keys() - {"ResNet"} - OURS == functions
    for name in constants.ZOO.keys() - OURS:
        where = constants.ZOO[name][0]
        module, function = where.split(".")
        assert function == ("ResNet50" if name == "ResNet" else name)
        assert isinstance(getattr(keras.applications, module), types.ModuleType)


@pytest.mark.parametrize("name", sorted(constants.ZOO.keys() - OURS))
def test_preprocessing_is_that_of_keras_applications(name):
    module = importlib.import_module("keras.applications." + constants.ZOO[name][0].split(".")[0])
    images = noise(2)
    expected = module.preprocess_input(images.copy())
    np.testing.assert_allclose(preprocess(tf.constant(images), constants.ZOO[name][1]), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", SMALL)
def test_a_network_is_read_as_the_table_says(name):
    _, preprocessing, side, last_layer, first_layer = constants.ZOO[name]
    model = zoo.build(name, weights=None, classes=3)
    classifier = Classifier(model, name.lower())
    assert classifier.model_name == name
    if last_layer is not None:
        assert classifier.layer_name == last_layer == utils.get_last_layer_name(name)
    assert Classifier(model).layer_name == classifier.layer_name  # as without a name
    assert model.input_shape in [(None, side, side, 3), (None, None, None, 3)]
    assert (classifier.input_height, classifier.input_width) == (side, side)
    assert classifier.preprocessing == preprocessing
    assert (classifier.score.function, classifier.n_classes) == ("softmax", 3)
    assert model.get_layer(first_layer) in model.layers
    keras.backend.clear_session()
