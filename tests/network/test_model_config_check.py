"""What a model file may name: only what the list allows, wherever in the file it stands, in both formats."""

import copy
import json
import zipfile

import h5py
import keras
import pytest
import tensorflow as tf
from keras import layers
from keras.src.applications.convnext import LayerScale, StochasticDepth
from planted import noise, planted_model, residual_backbone

from network.model_config_check import ACTIVATIONS, CLASSES, LAYERS, OF_APPLICATIONS, check_chains, check_config
from network.model_files import load_model

LEFT_OUT = {  # of keras.layers: they hold code, load graphs or modules, read files, or are no layers of their own
    *("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"),
    *("StringLookup", "IntegerLookup", "TextVectorization", "Hashing", "HashedCrossing"),
    *("Layer", "Wrapper", "InputSpec", "MaxNumBoundingBoxes", "MelSpectrogram", "STFTSpectrogram"),
}
TFSM_AS_FUNCTION = {"module": "keras.layers", "class_name": "function", "config": "TFSMLayer", "registered_name": None}


# --- the list --------------------------------------------------------------------------------------------
def test_the_list_is_of_keras_layers_and_names_all_that_is_left_out():
    classes = {name: kind for name, kind in vars(keras.layers).items() if isinstance(kind, type)}
    known = {kind for name, kind in classes.items() if name in LAYERS}
    assert classes.keys() >= LAYERS
    assert {name for name, kind in classes.items() if kind not in known} == LEFT_OUT
    assert all(hasattr(keras.activations, name) for name in ACTIVATIONS)


def test_every_class_of_the_list_is_where_the_list_says():
    for module, names in CLASSES.items():
        for name in names - set(OF_APPLICATIONS):
            if not (module == "keras.models" and name == "Functional"):  # which Keras does not show
                assert name in vars(__import__(module, fromlist=["_"])), (module, name)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_models_of_all_kinds_of_keras_s_own_layers_load(tmp_path, suffix):
    images = keras.Input((8, 8, 3))
    x = images[..., ::-1] / 127.5 - 1.0
    x = layers.Conv2D(
        4, 3, kernel_regularizer="l2", kernel_constraint=keras.constraints.MaxNorm(3), activation=keras.activations.mish
    )(x)
    x = layers.TimeDistributed(layers.Dense(4, keras.activations.relu6))(x)
    x = keras.ops.image.resize(keras.ops.nn.relu(x), (4, 4))
    x = LayerScale(0.5, 4)(StochasticDepth(0.1)(layers.MultiHeadAttention(2, 3)(x, x)))
    x = layers.Bidirectional(layers.LSTM(3))(layers.Reshape((16, 4))(x))
    x = keras.ops.linalg.norm(keras.ops.stack([x, x]), axis=0)
    model = keras.Model(images, keras.Sequential([layers.Dense(3, "softmax", dtype="mixed_bfloat16")])(x))
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    model.save(tmp_path / f"model{suffix}")
    got = load_model(tmp_path / f"model{suffix}")(noise(2, 8))
    assert abs(keras.ops.convert_to_numpy(got - model(noise(2, 8)))).max() < 1e-6


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_quantized_models_load(tmp_path, mode):
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)])
    model.quantize(mode)
    model.save(tmp_path / "model.keras")
    assert load_model(tmp_path / "model.keras").count_params() == model.count_params()


# --- what is refused -------------------------------------------------------------------------------------
@pytest.fixture
def canary(tmp_path):
    """(folder of a SavedModel that writes a file as it is loaded, that file)."""
    mark = tmp_path / "it ran"

    class WritesAsItIsLoaded(tf.saved_model.experimental.TrackableResource):
        def _create_resource(self):
            return tf.raw_ops.AnonymousMutableHashTable(key_dtype=tf.int64, value_dtype=tf.int64)

        def _initialize(self):
            tf.io.write_file(str(mark), "x")

    graph = tf.Module()
    graph.resource = WritesAsItIsLoaded()
    graph.serve = tf.function(lambda x: x * 1.0, input_signature=[tf.TensorSpec([None, 8, 8, 3])])
    tf.saved_model.save(graph, str(tmp_path / "graph"))
    mark.unlink(missing_ok=True)
    return tmp_path / "graph", mark


def write_model(path, config):
    """A model file with that config in the place of its own."""
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(3)])
    model.save(path)
    if path.suffix == ".h5":
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = json.dumps(config)
        return
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, json.dumps(config) if name == "config.json" else content)


def a_lambda_that_makes_a_layer(folder, suffix):
    """A model whose Lambda calls the class TFSMLayer on the path of a SavedModel."""
    images = {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [None, 8, 8, 3]}}
    trap = {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {"name": "trap", "function": TFSM_AS_FUNCTION, "arguments": {"call_endpoint": "serve"}},
    }
    node = {"args": [], "kwargs": {"inputs": str(folder)}}
    model_layers = [
        {**images, "name": "images", "inbound_nodes": []},
        {**trap, "name": "trap", "inbound_nodes": [node]},
    ]
    model_layers[0]["config"]["name"] = "images"
    inner = {"name": "m", "layers": model_layers, "input_layers": ["images", 0, 0], "output_layers": ["trap", 0, 0]}
    module = {} if suffix == ".h5" else {"module": "keras.src.models.functional"}
    return {**module, "class_name": "Functional", "config": inner}


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_lambda_that_makes_a_layer_which_loads_a_graph_does_not_run(canary, tmp_path, suffix):
    folder, mark = canary
    path = tmp_path / f"trap{suffix}"
    write_model(path, a_lambda_that_makes_a_layer(folder, suffix))
    with pytest.raises(ValueError, match=r"layer 'trap' \(Lambda\) holds code; --trust_model loads it, and runs the"):
        load_model(path)
    assert not mark.exists()
    with pytest.raises(Exception, match=".*"):  # Keras in its safe mode: the canary does sing
        keras.models.load_model(path, compile=False)
    assert mark.exists()


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("depth", [0, 1, 5])
def test_a_graph_is_not_loaded_at_any_depth(canary, tmp_path, suffix, depth):
    folder, mark = canary
    module = {} if suffix == ".h5" else {"module": "keras.layers", "registered_name": None}
    config = {"name": "graph", "filepath": str(folder), "call_endpoint": "serve"}
    config = {**module, "class_name": "TFSMLayer", "config": config}
    for number in range(depth + 1):
        images = {
            **module,
            "class_name": "InputLayer",
            "config": {"batch_shape": [None, 8, 8, 3], "name": f"i{number}"},
        }
        config = {**module, "class_name": "Sequential", "config": {"name": f"s{number}", "layers": [images, config]}}
    write_model(tmp_path / f"trap{suffix}", config)
    with pytest.raises(ValueError, match=r"layer 'graph' \(TFSMLayer\) loads a SavedModel, .*--trust_model"):
        load_model(tmp_path / f"trap{suffix}")
    assert not mark.exists()


OFFENDERS = {
    "a class as a function": TFSM_AS_FUNCTION,
    "a function of Python": {"module": "builtins", "class_name": "function", "config": "eval"},
    "a function of a library": {"module": "os", "class_name": "function", "config": "system"},
    "code": {"class_name": "__lambda__", "config": {"value": "4wEAAAA="}},
    "a type": {"class_name": "__typespec__", "spec_name": "x", "module": "tensorflow", "config": []},
    "a class of a library": {"module": "subprocess", "class_name": "Popen", "config": {}},
    "a class of another package of Keras": {"module": "keras_hub.layers", "class_name": "Dense", "config": {}},
    "a class inside of Keras": {"module": "keras.src.utils.file_utils", "class_name": "File", "config": {}},
    "a function that takes functions": {"module": "keras.src.ops.core", "class_name": "Map", "config": {}},
    "a gradient of a function": {"module": "keras.src.ops.linalg", "class_name": "JVP", "config": {}},
    "a lookup file": {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
    "a name that is none": {"module": "keras.layers", "class_name": ["Dense"], "config": {}},
    "a loader": {"module": "keras.models", "class_name": "load_model", "config": {}},
    "a loader of old": {"class_name": "deserialize", "config": {}},
    "a false name": {"module": "keras.layers", "class_name": "Lambda", "registered_name": "Dense", "config": {}},
}


def places(config):
    """The config once for every place in it, with an offender to be put in there: [(root, container, key)]."""
    found = []

    def walk(value, path):
        found.append(path)
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, item in items:
            walk(item, [*path, key])

    walk(config, [])
    return found[1:]


@pytest.mark.parametrize("offender", OFFENDERS)
def test_an_offender_is_found_wherever_it_stands(offender):
    model = keras.Sequential([residual_backbone(), layers.GlobalAveragePooling2D(), layers.Dense(3, "softmax")])
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    check_config(config)
    everywhere = places(config)
    assert len(everywhere) > 500
    for path in everywhere[:: len(everywhere) // 100]:
        changed = copy.deepcopy(config)
        parent = changed
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = copy.deepcopy(OFFENDERS[offender])
        with pytest.raises(ValueError):
            check_config(changed)


def test_an_activation_that_keras_does_not_have_is_named_with_its_layer():
    config = {"class_name": "Dense", "config": {"name": "last", "units": 3, "activation": "load_model"}}
    with pytest.raises(
        ValueError, match="layer 'last' has the activation 'load_model', .*--custom_objects=my_layers.py"
    ):
        check_config(config)


# --- rows of layers ---------------------------------------------------------------------------------------
def branches(n, length):
    """The config of a model of n rows of so many layers, side by side; the last layer is shared by all of them."""
    made, ends = [{"name": "in", "inbound_nodes": []}], []
    for row in range(n):
        before = "in"
        for place in range(length):
            name = f"r{row}_{place}"
            made.append({"name": name, "inbound_nodes": [[[before, 0, 0, {}]]]})
            before = name
        ends.append([[before, 0, 0, {}]])
    return {"class_name": "Functional", "config": {"layers": [*made, {"name": "shared", "inbound_nodes": ends}]}}


def test_many_layers_side_by_side_are_no_long_row():
    check_chains(branches(100, 100))
    with pytest.raises(ValueError, match="3,001 of its layers stand in a row"):
        check_chains({"layers": [branches(2, 3000)]})


# --- what the running program knows ------------------------------------------------------------------------
def test_registered_classes_and_given_ones_may_be_named_and_no_others():
    config = {"module": None, "class_name": "Scale", "config": {"name": "s"}, "registered_name": "mylab>Scale"}
    with pytest.raises(ValueError, match="layer 's' is a 'Scale', which is none of .*--custom_objects=my_layers.py"):
        check_config(config)
    check_config(config, {"mylab>Scale": object})
    with pytest.raises(ValueError, match="'Scale'"):
        check_config({**config, "registered_name": "other>Scale"}, {"mylab>Scale": object})
    hidden = {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"x": {**config, "class_name": "Lambda"}}}
    with pytest.raises(ValueError, match="TFSMLayer"):
        check_config(hidden, {"mylab>Scale": object})


def test_layers_of_this_project_need_no_trust(tmp_path):
    for number, model in enumerate([planted_model(), residual_backbone()]):
        model.save(tmp_path / f"{number}.keras")
        load_model(tmp_path / f"{number}.keras")


def test_a_setting_of_the_users_that_is_called_layers_is_no_row_of_layers():
    for own in ([64, 32], ["conv", {"units": 3}], [{"units": 3}, {"inbound_nodes": None}]):
        check_chains({"class_name": "Perceptron", "config": {"name": "own", "layers": own}})
