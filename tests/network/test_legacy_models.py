"""Models of tf.keras 2: files that it wrote (keras2/make.py) give what they gave there, or are refused by layer."""

import copy
import json
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from planted import noise, residual_backbone

from network.classifier import Classifier
from network.legacy_models import modernise
from network.model_files import load_model

FOLDER = Path(__file__).with_name("keras2")
EXPECTED = json.loads((FOLDER / "expected.json").read_text())


@pytest.mark.parametrize("name", EXPECTED)
def test_a_file_of_tf_keras_2_gives_what_it_gave_there(name):
    model = load_model(FOLDER / name)
    images = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3)).astype(np.float32)  # as in make.py
    atol = 3e-3 if "half" in name else 1e-5
    np.testing.assert_allclose(model(images, training=False), EXPECTED[name], atol=atol)
    assert Classifier(model).predict(images).shape == (2, 3)


def config_of(name):
    with h5py.File(FOLDER / name, "r") as file:
        return json.loads(file.attrs["model_config"])


def test_a_config_of_keras_3_comes_out_as_it_went_in():
    model = keras.Sequential([residual_backbone(), layers.GlobalAveragePooling2D(), layers.Dense(3, "softmax")])
    images = keras.Input((32, 32, 3))
    functional = keras.Model([images], {"a": model(images / 127.5 - 1.0)})
    for config in map(keras.saving.serialize_keras_object, (model, functional)):
        config = json.loads(json.dumps(config))
        config.pop("compile_config", None)
        again = keras.saving.deserialize_keras_object(modernise(copy.deepcopy(config)))
        assert again.get_config() == keras.saving.deserialize_keras_object(config).get_config()


def test_a_config_is_not_changed_in_its_place():
    config = config_of("mobile.h5")
    before = copy.deepcopy(config)
    modernise(config)
    assert config == before


def test_what_says_nothing_is_left_out_and_what_says_something_is_refused_by_layer():
    config = config_of("teachable.h5")
    body = config["config"]["layers"][1]["config"]["layers"][1]
    depthwise = next(layer for layer in body["config"]["layers"] if layer["class_name"] == "DepthwiseConv2D")
    assert depthwise["config"]["groups"] == 1
    depthwise["config"]["groups"] = 2
    with pytest.raises(ValueError, match=r"layer 'depthwise_conv2d.*' \(DepthwiseConv2D\) has groups=2, .*rebuild"):
        modernise(config)


def test_batch_norm_with_a_list_of_one_axis_is_that_of_the_axis():
    norm = {
        "class_name": "BatchNormalization",
        "config": {"name": "n", "axis": [3], "virtual_batch_size": None, "fused": None},
    }
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": [norm]}}
    assert modernise(config)["config"]["layers"][0]["config"] == {"name": "n", "axis": 3}
    norm["config"]["virtual_batch_size"] = 4
    with pytest.raises(ValueError, match="layer 'n' .*virtual_batch_size=4"):
        modernise(config)


def test_a_sequential_of_keras_2_0_is_a_list_of_its_layers():
    dense = {"class_name": "Dense", "config": {"name": "d", "units": 2, "batch_input_shape": [None, 3]}}
    model = modernise({"class_name": "Sequential", "config": [dense]})
    assert model["config"]["layers"][0]["config"]["units"] == 2


@pytest.mark.parametrize(
    ("function", "arguments"), [("image.adjust_contrast", {"contrast_factor": 2.0}), ("math.truediv", {})]
)
def test_an_operation_that_keras_3_does_not_have_is_refused_by_layer(function, arguments):
    config = config_of("torch.h5")
    layer = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "TFOpLambda")
    layer["config"]["function"], layer["inbound_nodes"][0][3] = function, arguments
    with pytest.raises(ValueError, match=rf"layer '{layer['name']}' .*tf.keras 2 \(tf.{function}\).*--trust_model"):
        modernise(config)


def test_constants_in_front_and_tensors_behind_an_operation():
    operation = {"name": "op", "trainable": True, "dtype": "float32", "function": "math.subtract"}
    images = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 8, 8, 3], "name": "x"}, "name": "x"}
    node = ["_CONSTANT_VALUE", -1, 2.0, {"y": ["x", 0, 0]}]
    node_layer = {"class_name": "TFOpLambda", "config": operation, "name": "op", "inbound_nodes": [node]}
    inner = {"layers": [{**images, "inbound_nodes": []}, node_layer], "name": "m"}
    inner |= {"input_layers": [["x", 0, 0]], "output_layers": [["op", 0, 0]]}
    config = modernise({"module": "keras.src.engine.functional", "class_name": "Functional", "config": inner})
    config["config"]["layers"][0] |= {"module": "keras.layers"}
    config["config"]["layers"][0]["config"] = {"batch_shape": [None, 8, 8, 3], "name": "x"}
    model = keras.saving.deserialize_keras_object(config)
    np.testing.assert_allclose(model(noise(2, 8)), 2.0 - noise(2, 8), atol=1e-5)


def test_a_lambda_of_tf_keras_2_is_refused_as_code(tmp_path):
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Lambda(lambda x: x), layers.Flatten(), layers.Dense(3)])
    model.save(tmp_path / "code.h5")
    with pytest.raises(ValueError, match=r"layer 'lambda.*' \(Lambda\) holds code; --trust_model"):
        load_model(tmp_path / "code.h5")
