"""Model files: settings travel with the model, nothing in a file runs unasked, and the order of what is loaded."""

import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from planted import COLOURS, head, noise, picture, planted_model, residual_backbone

import constants
from network import model_files, weight_files, zoo
from network.classifier import Classifier
from network.custom_objects import load_custom_objects
from network.model_files import DEMO_MODEL_PATH, load_classifier, load_model, read_loss, read_settings, save_model
from network.weight_files import build_filled

SETTINGS = {
    "model_name": "MobileNetV2",
    "class_names": ["Été", "b", "c"],
    "class_ids": ["n1", "n2", "n3"],
    "preprocessing": "none",
    "input_size": [96, 96],
}


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    """A folder of its own to run in, so that no trained model of the repository is found."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def imagenet(monkeypatch):
    """ImageNet networks without a network: small, with 3 classes; returns what was asked for."""
    asked = []

    def zoo_model(model_name, **options):
        asked.append((model_name, options))
        return planted_model()

    monkeypatch.setattr(zoo, "build", zoo_model)
    index = ["tench", "goldfish", "shark"], ["n1", "n2", "n3"]
    monkeypatch.setattr(zoo, "imagenet_class_index", lambda: index)
    return asked


# --- settings --------------------------------------------------------------------------------------------
def test_settings_travel_in_the_file_with_the_model(tmp_path):
    model = planted_model()
    path = save_model(model, tmp_path / "new folder" / "a model.keras", SETTINGS)
    assert read_settings(path) == SETTINGS
    assert [child.name for child in path.parent.iterdir()] == ["a model.keras"]
    image = picture(0)[None]
    np.testing.assert_allclose(load_model(path)(image), model(image), atol=1e-6)
    np.testing.assert_allclose(keras.models.load_model(path)(image), model(image), atol=1e-6)


def test_a_classifier_is_what_its_settings_say(tmp_path):
    path = save_model(planted_model(), tmp_path / "model.keras", SETTINGS)
    classifier, source = load_classifier(model_path=path)
    assert classifier.model_name == "MobileNetV2"
    assert classifier.class_names == ["Été", "b", "c"]
    assert classifier.class_ids == ["n1", "n2", "n3"]
    assert classifier.preprocessing == "none"  # and not what MobileNetV2 would have
    assert str(path) in source


def test_flags_go_before_settings(tmp_path):
    path = save_model(planted_model(), tmp_path / "model.keras", SETTINGS)
    classifier, _ = load_classifier("VGG16", model_path=path, class_names="x,y,z", batch_size=5, layer_name="colours")
    assert (classifier.model_name, classifier.class_names, classifier.class_ids) == ("VGG16", ["x", "y", "z"], None)
    assert (classifier.batch_size, classifier.layer_name) == (5, "colours")


def test_a_file_of_another_program_has_no_settings(tmp_path):
    for name in ("model.keras", "model.h5"):
        planted_model().save(tmp_path / name)
        assert read_settings(tmp_path / name) == {}
        classifier, _ = load_classifier(model_path=tmp_path / name)
        assert classifier.class_names == ["class_0", "class_1", "class_2"]
        assert classifier.preprocessing == "none"


def test_a_save_that_fails_leaves_the_old_file(tmp_path):
    path = save_model(planted_model(), tmp_path / "model.keras", SETTINGS)
    with pytest.raises(TypeError):
        save_model(planted_model(), path, {"not json": object()})
    assert read_settings(path) == SETTINGS


@pytest.mark.parametrize("content", ["not json", "[1, 2]", "\xff"])
def test_settings_that_cannot_be_read_are_a_clear_error(tmp_path, content):
    path = tmp_path / "model.keras"
    planted_model().save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(model_files.SETTINGS_ENTRY, content.encode("latin-1"))
    with pytest.raises(ValueError, match="model.keras"):
        load_classifier(model_path=path)


# --- safety and damage -----------------------------------------------------------------------------------
@pytest.fixture
def trap(tmp_path):
    """A model file with code in it that leaves a mark where it runs; returns a maker of such files and the mark."""
    mark = tmp_path / "it ran"

    def make(suffix, front=False):
        code = f"lambda x: (open({str(mark)!r}, 'a').write('x'), x * 1.0)[1]"
        spring = layers.Lambda(eval(code), output_shape=(8, 8, 3))  # written into the file as bytecode
        body = [layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(3, activation="softmax")]
        path = tmp_path / f"trap{suffix}"
        keras.Sequential([keras.Input((8, 8, 3)), spring, *body]).save(path)
        mark.unlink(missing_ok=True)
        return path

    return make, mark


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_code_in_a_model_file_does_not_run_unless_it_is_trusted(trap, suffix):
    make, mark = trap
    path = make(suffix)
    with pytest.raises(ValueError, match="cannot load the model .*--trust_model loads it, and runs the code in it"):
        load_model(path)
    with pytest.raises(ValueError, match="--trust_model"):
        load_classifier(model_path=path)
    assert not mark.exists()
    classifier, _ = load_classifier(model_path=path, trust_model=True)
    assert classifier.predict(noise(2, 8)).shape == (2, 3)
    assert mark.exists()


def test_trusting_one_file_does_not_trust_the_next(trap):
    make, mark = trap
    path = make(".keras")
    load_model(path, trust_model=True)
    mark.unlink(missing_ok=True)
    with pytest.raises(ValueError, match="--trust_model"):
        load_model(path)
    assert not mark.exists()


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("damage", ["empty", "text", "first half", "zeros in the middle"])
def test_a_damaged_file_is_refused_in_one_line_that_names_it(tmp_path, suffix, damage):
    path = tmp_path / f"damaged{suffix}"
    planted_model().save(path)
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(
        {
            "empty": b"",
            "text": b"this is no model",
            "first half": content[:half],
            "zeros in the middle": b"PK" + bytes(len(content) - 2),
        }[damage]
    )
    with pytest.raises(ValueError, match=f"cannot load the model .*damaged{suffix}") as error:
        load_classifier(model_path=path)
    assert "\n" not in str(error.value)


def test_a_bit_that_flipped_is_noticed(tmp_path):
    path = save_model(planted_model(), tmp_path / "flipped.keras", SETTINGS)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("config.json").header_offset
    content[start + 100] ^= 255
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="flipped.keras"):
        load_classifier(model_path=path)


def test_a_flipped_bit_in_the_weights_is_noticed(tmp_path):
    path = save_model(planted_model(), tmp_path / "flipped.keras", SETTINGS)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("model.weights.h5")
    content[entry.header_offset + entry.file_size // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="cannot load the model .*flipped.keras.*CRC"):
        load_model(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "no.keras", tmp_path):
        with pytest.raises(ValueError, match="there is no model file"):
            load_classifier(model_path=path)


def test_the_last_cause_is_told_and_not_the_first_line(tmp_path):
    path = tmp_path / "misfit.keras"
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(name="flat"), layers.Dense(3, name="last")])
    keras.Sequential([keras.Input((8, 8, 3)), inner]).save(path)
    change_config(path, lambda text: text.replace('"units": 3', '"units": -3'))
    with pytest.raises(ValueError, match="units.*-3") as error:
        load_model(path)
    assert "deserializ" not in str(error.value)
    assert len(str(error.value)) < 400


def change_config(path, change):
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, change(content.decode()) if name == "config.json" else content)


def test_an_entry_that_would_fill_the_disk_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "bomb.keras"
    planted_model().save(path)
    monkeypatch.setattr(weight_files, "MAX_EXPANSION", 0)
    with pytest.raises(ValueError, match="cannot load the model .*model.weights.h5 grows from"):
        load_model(path)


LARGE = {  # a layer, a count in its config, and the same damaged -> the weights it wants then
    "units of many features": (layers.Dense(7, name="wide"), '"units": 7', '"units": 9000', "192 x 9,000"),
    "units alone": (layers.Dense(7, name="wide"), '"units": 7', '"units": 70000000', "192 x 70,000,000"),
    "a wide kernel of many filters": (
        layers.Conv2D(7, 1, name="wide"),
        '"filters": 7',
        '"filters": 9999',
        "1 x 1 x 192",
    ),
    "units of gates": (layers.LSTM(7, name="wide"), '"units": 7', '"units": 900', "192 x 3,600"),
}


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", LARGE)
def test_a_layer_of_more_numbers_than_the_file_has_is_refused_before_it_is_made(tmp_path, suffix, name):
    layer, count, damaged, size = LARGE[name]
    whole, path = tmp_path / f"whole{suffix}", tmp_path / f"large{suffix}"
    shape = (192,) if isinstance(layer, layers.Dense) else (1, 1, 192) if isinstance(layer, layers.Conv2D) else (1, 192)
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Flatten(), layers.Reshape(shape), type(layer).from_config(layer.get_config())]
    )
    model.save(whole)
    if suffix == ".h5":
        path.write_bytes(whole.read_bytes())
        with h5py.File(path, "r+") as file:
            assert count in file.attrs["model_config"]
            file.attrs["model_config"] = file.attrs["model_config"].replace(count, damaged)
    else:
        path.write_bytes(whole.read_bytes())
        change_config(path, lambda text: text.replace(count, damaged))
    assert load_model(whole).count_params() == model.count_params()
    with pytest.raises(
        ValueError, match=f"cannot load the model .*layer '(wide|lstm_cell)' wants weights of {size}.*it is damaged"
    ):
        load_model(path)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_weights_that_are_packed_are_not_taken_for_damaged(tmp_path, suffix):
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(2000)])
    weights = np.where(np.arange(192 * 2000) % 50, 0, np.arange(192 * 2000)).reshape(192, 2000)  # pruned
    model.layers[-1].set_weights([weights, np.zeros(2000)])
    plain, packed, path = tmp_path / "plain.h5", tmp_path / "packed.h5", tmp_path / f"model{suffix}"
    model.save(path)
    if suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            plain.write_bytes(archive.read("model.weights.h5"))
    else:
        path.replace(plain)
    pack(plain, packed)
    assert packed.stat().st_size < 192 * 2000 / 4  # fewer bytes than numbers
    if suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in entries.items():
                archive.writestr(name, packed.read_bytes() if name == "model.weights.h5" else content)
    else:
        packed.replace(path)
    np.testing.assert_array_equal(load_model(path).layers[-1].get_weights()[0], weights)


def pack(plain, packed):
    """As `h5repack -f GZIP=9` does."""
    with h5py.File(plain) as one, h5py.File(packed, "w") as other:
        other.attrs.update(one.attrs)

        def copy(name, item):
            if isinstance(item, h5py.Dataset):
                how = {"compression": "gzip", "compression_opts": 9} if item.ndim else {}
                new = other.create_dataset(name, data=item[()], **how)
            else:
                new = other.require_group(name)
            new.attrs.update(item.attrs)

        one.visititems(copy)


def test_a_model_whose_features_find_no_room_is_refused_before_an_image_goes_through_it(tmp_path, monkeypatch):
    images = keras.Input((32, 32, 3))
    features = layers.UpSampling2D(5)(layers.Conv2D(7, 1)(images))
    path = tmp_path / "large.keras"
    keras.Model(images, layers.Dense(3, "softmax")(layers.GlobalAveragePooling2D()(features))).save(path)
    monkeypatch.setattr("network.steadiness.check", lambda *_: pytest.fail("images went through it"))
    monkeypatch.setattr("output.memory.free_memory", lambda: 2 * 4 * (160 * 160 * 7 + 32 * 32 * 3))
    with pytest.raises(ValueError, match="3 images inside the network .* take .*--batch_size.*large.keras"):
        load_classifier(model_path=path, batch_size=3)
    with pytest.raises(pytest.fail.Exception):
        load_classifier(model_path=path, batch_size=2)


def stacked(n, kind):
    """The config of n layers in a row: in the words of Keras 3 or of tf.keras, or of a Sequential model."""
    names = [f"r{number}" for number in range(n)]
    made = [{"module": "keras.layers", "class_name": "ReLU", "name": name, "config": {"name": name}} for name in names]
    for layer, before in zip(made[1:], names):
        tensor = {"class_name": "__keras_tensor__", "config": {"shape": [None, 3], "keras_history": [before, 0, 0]}}
        sources = [{"args": [tensor], "kwargs": {}}] if kind == "Keras 3" else [[[before, 0, 0, {}]]]
        layer["inbound_nodes"] = sources
    if kind == "Sequential":
        made = [{key: value for key, value in layer.items() if key != "inbound_nodes"} for layer in made]
    else:
        made[0]["inbound_nodes"] = []
    ends = {"input_layers": [["r0", 0, 0]], "output_layers": [[names[-1], 0, 0]]} if kind != "Sequential" else {}
    class_name = "Sequential" if kind == "Sequential" else "Functional"
    return {"module": "keras", "class_name": class_name, "config": {"name": "deep", "layers": made, **ends}}


@pytest.mark.parametrize("kind", ["Keras 3", "tf.keras", "Sequential"])
def test_more_layers_in_a_row_than_keras_follows_are_refused_before_they_are_made(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(model_files, "_build", lambda *_: pytest.fail("they were made"))
    path = tmp_path / "deep.keras"
    planted_model().save(path)
    change_config(path, lambda _: json.dumps(stacked(20_000, kind)))
    with pytest.raises(ValueError, match=r"cannot load the model .*(20,000|19,999) of its layers stand in a row"):
        load_model(path)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_sequential_model_is_built_once_and_not_with_every_layer(tmp_path, monkeypatch, suffix):
    inner = keras.Sequential([keras.Input((6, 6, 4)), layers.Conv2D(2, 3, name="inner")], name="nested")
    stack = [layers.Conv2D(4, 3), layers.ReLU(), inner, layers.Flatten(), layers.Dense(3, "softmax")]
    model, built = keras.Sequential([keras.Input((8, 8, 3)), *stack], name="row"), []
    model.save(tmp_path / f"model{suffix}")
    build = keras.Sequential.build
    monkeypatch.setattr(keras.Sequential, "build", lambda self, *shape: (built.append(self.name), build(self, *shape)))
    got = load_model(tmp_path / f"model{suffix}")
    assert (
        built.count("row") == 1
        and got.name == "row"
        and [layer.name for layer in got.layers] == [layer.name for layer in model.layers]
    )
    np.testing.assert_array_equal(got(noise(2, 8)), model(noise(2, 8)))


# --- settings that are none ------------------------------------------------------------------------------
BAD_SETTINGS = {
    "deep": "[" * 100_000,
    "a number": "3",
    "names that are none": json.dumps({"class_names": [1, 2, 3]}),
    "names in a text": json.dumps({"class_names": "abc"}),
    "a size of words": json.dumps({"input_size": ["a", "b"]}),
    "a size of three": json.dumps({"input_size": [1, 2, 3]}),
    "an endless size": '{"input_size": [Infinity, 1]}',
    "a size below one": json.dumps({"input_size": [0, 64]}),
    "a network that is a list": json.dumps({"model_name": ["VGG16"]}),
    "a preprocessing that is a number": json.dumps({"preprocessing": 3}),
}


def with_settings(path, content):
    planted_model().save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(model_files.SETTINGS_ENTRY, content)
    return path


@pytest.mark.parametrize("content", BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_settings_of_another_form_are_refused_in_one_line_that_names_the_file(tmp_path, content):
    path = with_settings(tmp_path / "model.keras", content)
    with pytest.raises(ValueError, match="cannot read classifier.json in .*model.keras") as error:
        load_classifier(model_path=path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


def test_huge_settings_are_refused_before_they_are_read(tmp_path, monkeypatch):
    path = with_settings(tmp_path / "model.keras", json.dumps({"class_names": ["x" * 1000]}))
    monkeypatch.setattr(model_files, "MAX_SETTINGS", 999)
    monkeypatch.setattr(zipfile.ZipFile, "read", None)
    with pytest.raises(ValueError, match="classifier.json has 1,0.. bytes; at most 999 are read"):
        read_settings(path)


def test_encrypted_settings_are_refused(tmp_path):
    path = with_settings(tmp_path / "model.keras", "{}")
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):  # the flag of the last entry, in both places
        content[content.rfind(signature) + offset] |= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="cannot read classifier.json in .*model.keras.*encrypted"):
        read_settings(path)
    with pytest.raises(ValueError, match="password"):
        load_model(path)


# --- weights alone ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("file_name", ["w.weights.h5", "w.h5", "w.WEIGHTS.H5"])
@pytest.mark.parametrize("n_classes", [1000, 4])
def test_weights_alone_fill_the_named_network(tmp_path, file_name, n_classes, monkeypatch):
    monkeypatch.setattr(zoo, "build", small_network)
    model = small_network("MobileNetV2", classes=n_classes, seed=7)
    path = tmp_path / file_name
    model.save_weights(tmp_path / "copy.weights.h5")
    (tmp_path / "copy.weights.h5").rename(path)
    classifier, source = load_classifier("mobilenetv2", model_path=path)
    np.testing.assert_allclose(
        classifier.predict(noise(2, 32)), model(noise(2, 32) / 127.5 - 1), atol=1e-5
    )  # prepared for as MobileNetV2 is
    assert (classifier.n_classes, classifier.model_name) == (n_classes, "MobileNetV2")
    assert "weights alone, of MobileNetV2" in source


def small_network(model_name, weights=None, classes=1000, include_top=True, input_shape=None, seed=0):
    keras.utils.set_random_seed(seed)
    images = keras.Input((32, 32, 3))
    x = layers.Conv2D(1000, 3, strides=2, name="stem")(images)  # as many channels as ImageNet has classes
    x = layers.BatchNormalization()(layers.Conv2D(4, 3)(x))
    if not include_top:
        return keras.Model(images, x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, layers.Dense(classes, "softmax", name="predictions")(x))


def test_weights_of_tf_keras_2_fill_it_too(tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "build", small_network)
    model = small_network("MobileNetV2", classes=4, seed=7)
    model.save(tmp_path / "whole.h5")
    with h5py.File(tmp_path / "whole.h5") as whole, h5py.File(tmp_path / "weights.h5", "w") as weights:
        for name, group in whole["model_weights"].items():
            whole.copy(group, weights, name)
        for name, value in whole["model_weights"].attrs.items():
            weights.attrs[name] = value
    classifier, _ = load_classifier("MobileNetV2", model_path=tmp_path / "weights.h5")
    np.testing.assert_allclose(classifier.predict(noise(2, 32)), model(noise(2, 32) / 127.5 - 1), atol=1e-5)


def test_the_embedded_network_is_filled_with_its_weights(tmp_path):
    whole, _ = load_classifier("ResNetDemo")
    whole.model.save_weights(tmp_path / "demo.weights.h5")
    filled, _ = load_classifier("ResNetDemo", model_path=tmp_path / "demo.weights.h5")
    images = noise(2, whole.input_height)
    np.testing.assert_allclose(filled.predict(images), whole.predict(images), atol=1e-5)


def without_names(path):
    """The file as Keras wrote it before it kept the names of layers."""
    with h5py.File(path, "r+") as file:
        file.visititems(lambda _, item: item.attrs.pop("name", None) and None)


def network_with_two_readings(model_name, weights=None, classes=1000, include_top=True, input_shape=None, seed=0):
    """Like ConvNeXt: the same shapes, but the norm stands behind the mean with its own classes, else in front."""
    keras.utils.set_random_seed(seed)
    images = keras.Input((32, 32, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="stem")(images)
    if not include_top:
        return keras.Model(images, layers.LayerNormalization()(x))
    x = layers.LayerNormalization(name="head_norm")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(images, layers.Dense(classes, "softmax", name="head_dense")(x))


@pytest.mark.parametrize("is_whole", [True, False])
def test_of_two_networks_of_the_same_shapes_the_names_of_layers_tell_the_right_one(tmp_path, monkeypatch, is_whole):
    monkeypatch.setattr(zoo, "build", network_with_two_readings)
    model = network_with_two_readings("VGG16", classes=4, include_top=is_whole, seed=3)
    if not is_whole:
        x = layers.GlobalAveragePooling2D()(model.output)
        model = keras.Model(model.input, layers.Dense(4, "softmax", name="mine")(x))
    for weight in model.weights:
        weight.assign(np.random.default_rng(0).normal(size=weight.shape))
    path = tmp_path / "w.weights.h5"
    model.save_weights(path)
    filled = build_filled("VGG16", path)
    np.testing.assert_allclose(filled(noise(2)), model(noise(2)), atol=1e-5)
    without_names(path)
    with pytest.raises(ValueError, match="does not tell its layers' names, and fits two networks"):
        build_filled("VGG16", path)


def test_weights_without_names_fill_the_only_network_of_their_shapes(tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "build", small_network)
    model = small_network("MobileNetV2", classes=4, seed=7)
    model.save_weights(tmp_path / "w.weights.h5")
    without_names(tmp_path / "w.weights.h5")
    filled = build_filled("MobileNetV2", tmp_path / "w.weights.h5")
    np.testing.assert_allclose(filled(noise(2)), model(noise(2)), atol=1e-5)


def test_weights_of_layers_of_other_names_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "build", small_network)
    model = small_network("MobileNetV2", classes=4)
    other = keras.models.clone_model(
        model, clone_function=lambda layer: type(layer).from_config({**layer.get_config(), "name": f"my_{layer.name}"})
    )
    other.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(ValueError, match="weights of another network .*: none of its layers is called 'predictions'"):
        build_filled("MobileNetV2", tmp_path / "w.weights.h5")


def test_weights_of_another_network_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "build", small_network)
    planted_model().save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(ValueError, match="weights of another network than VGG16: it has 3 weights, 10 were wanted"):
        load_classifier("VGG16", model_path=tmp_path / "other.weights.h5")
    with pytest.raises(ValueError, match="weights alone, no layers; --model_name"):
        load_classifier(model_path=tmp_path / "other.weights.h5")


def test_more_classes_than_the_file_has_numbers_for_are_refused_before_their_weights_are_made(tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "build", small_network)
    path, n_classes = tmp_path / "named.weights.h5", 2_000_000_000
    small_network("VGG16", classes=4).save_weights(path)
    with h5py.File(path, "r+") as file:
        layer = file["layers/dense/vars"]
        for place, shape in (("0", (4, n_classes)), ("1", (n_classes,))):
            del layer[place]
            layer.create_dataset(place, shape, "float32", chunks=True)  # named, and nowhere in the file
    with pytest.raises(
        ValueError, match="cannot load the model .*named.weights.h5.* wants weights of 4 x 2,000,000,000"
    ):
        load_classifier("VGG16", model_path=path)


# --- SavedModel folders and own layers -------------------------------------------------------------------
@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    keras.utils.set_random_seed(0)
    backbone, images = residual_backbone(), keras.Input((32, 32, 3))
    model = keras.Model(images, head()(backbone(images / 255.0)))
    folder = tmp_path_factory.mktemp("exported") / "graph"
    model.export(folder, verbose=False)
    return model, folder


def test_a_saved_model_is_loaded_if_it_is_trusted_and_has_the_same_probabilities_and_gradients(exported):
    model, folder = exported
    with pytest.raises(ValueError, match="is a SavedModel, .*--trust_model loads it, for the methods that need no"):
        load_classifier(model_path=folder)
    classifier, _ = load_classifier(model_path=folder, trust_model=True)
    np.testing.assert_allclose(classifier.predict(noise(2)), Classifier(model).predict(noise(2)), atol=1e-6)
    images = tf.constant(noise(2))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(images)
        found, wanted = classifier.forward(images)[1][:, 1], tf.math.log(model(images))[:, 1]
    gradients = [tape.gradient(logits, images).numpy() for logits in (found, wanted)]
    assert np.abs(gradients[1]).max() > 1e-6
    np.testing.assert_allclose(*gradients, rtol=1e-3, atol=1e-8)
    with pytest.raises(ValueError, match="a layer with a feature map"):
        classifier.require_layer()


def test_a_saved_model_that_takes_no_images_is_refused(tmp_path):
    graph = tf.Module()
    graph.serve = tf.function(lambda x: x * 1.0, input_signature=[tf.TensorSpec([None, 7])])
    tf.saved_model.save(graph, str(tmp_path / "graph"), signatures=graph.serve)
    with pytest.raises(ValueError, match="takes images .* is wanted; .* takes float32"):
        load_model(tmp_path / "graph", trust_model=True)


def test_a_model_with_its_author_s_layer_loads_with_the_file_that_defines_it(tmp_path):
    source = "import keras\nfrom keras.layers import Lambda\n@keras.saving.register_keras_serializable('lab')\n"
    source += "class Scale(keras.layers.Layer):\n    def call(self, x):\n        return x / 255.0\n"
    (tmp_path / "my_layers.py").write_text(source)
    namespace = {}
    exec(source, namespace)
    model = keras.Sequential([keras.Input((8, 8, 3)), namespace["Scale"](), layers.Flatten(), layers.Dense(3)])
    model.save(tmp_path / "own.keras")
    keras.saving.get_custom_objects().pop("lab>Scale")
    with pytest.raises(ValueError, match=r"'scale\w*' is a 'Scale'.*--custom_objects=my_layers.py .*runs that file"):
        load_classifier(model_path=tmp_path / "own.keras")
    classifier, source = load_classifier(
        model_path=tmp_path / "own.keras", custom_objects=str(tmp_path / "my_layers.py")
    )
    keras.saving.get_custom_objects().pop("lab>Scale")
    np.testing.assert_allclose(classifier.logits(noise(2, 8)), model(noise(2, 8)), rtol=1e-4, atol=1e-5)
    assert "my_layers.py was run for Scale, lab>Scale" in source
    assert "Lambda" not in load_custom_objects(tmp_path / "my_layers.py")  # which it only imports
    keras.saving.get_custom_objects().pop("lab>Scale")


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_a_lambda_as_an_activation_is_told_in_words(tmp_path):
    dense = layers.Dense(3, activation=lambda x: keras.ops.softmax(x))
    keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), dense]).save(tmp_path / "model.keras")
    for trust in (False, True):
        with pytest.raises(ValueError, match="an activation of it is a lambda, .* save it anew with a named function"):
            load_model(tmp_path / "model.keras", trust_model=trust)


@pytest.mark.parametrize("nested", [False, True])
def test_a_compiled_model_of_its_author_s_class_loads_too(tmp_path, nested):
    source = "import keras\n@keras.saving.register_keras_serializable('lab')\nclass Own(keras.Model):\n"
    source += "    def __init__(self, **options):\n        super().__init__(**options)\n"
    source += "        self.flat, self.dense = keras.layers.Flatten(), keras.layers.Dense(3)\n"
    source += "    def build(self, shape):\n        self.dense.build((None, 192))\n"
    source += "    def call(self, x):\n        return self.dense(self.flat(x))\n"
    (tmp_path / "my_layers.py").write_text(source)
    namespace = {}
    exec(source, namespace)
    model = own = namespace["Own"]()
    own(noise(1, 8))
    own.compile("adam", "categorical_hinge")
    if nested:
        model = keras.Sequential([keras.Input((8, 8, 3)), own])
        model.compile("adam", "categorical_hinge")
    model.save(tmp_path / "own.keras")
    classifier, _ = load_classifier(model_path=tmp_path / "own.keras", custom_objects=str(tmp_path / "my_layers.py"))
    keras.saving.get_custom_objects().pop("lab>Own")
    np.testing.assert_allclose(classifier.logits(noise(2, 8)), model(noise(2, 8)), rtol=1e-4, atol=1e-4)
    assert classifier.score.function == "none"  # of the loss, which the file still tells


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("no.py", None, "there is no such file"),
        ("a.txt", "x = 1", "it is none"),
        ("a.py", "x = 1", "defines no class and no function"),
        ("a.py", "x = 1\nraise KeyError('y')", "line 2 of .*a.py' fails with KeyError"),
        ("a.py", "def (", "fails with SyntaxError"),
    ],
)
def test_a_file_that_defines_nothing_is_refused(tmp_path, name, content, reason):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=f"custom_objects: .*{reason}"):
        load_custom_objects(tmp_path / name)


# --- the loss --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("loss", [None, "mse", keras.losses.BinaryCrossentropy(from_logits=True)])
def test_the_loss_of_a_file_is_read(tmp_path, suffix, loss):
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(1)])
    if loss is not None:
        model.compile("sgd", loss)
    model.save(tmp_path / f"model{suffix}")
    found = read_loss(tmp_path / f"model{suffix}")
    if loss in (None, "mse"):
        assert found == loss
    else:
        assert (found["class_name"], found["config"]["from_logits"]) == ("BinaryCrossentropy", True)


# --- which model -----------------------------------------------------------------------------------------
def test_the_given_file_goes_first_then_the_trained_one_then_imagenet(in_folder, imagenet):
    trained = save_model(planted_model(), model_files.trained_model_path("VGG16"), {"class_names": list("tuv")})
    given = save_model(planted_model(), in_folder / "given.keras", {"class_names": list("ghi")})
    assert trained == model_files.Path("models/VGG16.keras")
    classifier, source = load_classifier("VGG16", model_path=given)
    assert (classifier.class_names, source) == (list("ghi"), f"the model file {given}")
    classifier, source = load_classifier("VGG16")
    assert (classifier.class_names, source) == (list("tuv"), f"{trained}, which train.py wrote")
    assert imagenet == []
    trained.unlink()
    classifier, source = load_classifier("VGG16")
    assert (classifier.class_names[0], source) == ("tench", "the ImageNet network VGG16 of keras.applications")
    assert (classifier.model_name, classifier.preprocessing, classifier.class_ids[1]) == ("VGG16", "caffe", "n2")
    assert imagenet == [("VGG16", {"weights": "imagenet"})]


def test_class_names_may_be_given_for_an_imagenet_network(in_folder, imagenet):
    classifier, _ = load_classifier("VGG16", class_names=",".join(COLOURS))
    assert classifier.class_names == list(COLOURS)


def test_without_a_name_it_is_the_embedded_network(in_folder, imagenet, monkeypatch):
    save_model(planted_model(), in_folder / DEMO_MODEL_PATH, {"class_names": list("emb")})
    monkeypatch.setattr(model_files, "__file__", str(in_folder / "model_files.py"))
    for name in (None, constants.MODEL_NAME_DEMO):
        classifier, source = load_classifier(name)
        assert (classifier.class_names, source) == (list("emb"), "the embedded demonstration network")
    assert imagenet == []


def test_a_network_that_was_trained_under_the_name_of_the_embedded_one_is_found(in_folder):
    path = model_files.trained_model_path(constants.MODEL_NAME_DEMO)
    save_model(planted_model(), path, {"class_names": list("own"), "model_name": constants.MODEL_NAME_DEMO})
    classifier, source = load_classifier(constants.MODEL_NAME_DEMO)
    assert (classifier.class_names, source) == (list("own"), f"{path}, which train.py wrote")


def test_an_unknown_name_lists_the_choices(in_folder):
    with pytest.raises(ValueError, match="unknown model_name 'AlexNet'; choose from: ResNet, .*, ResNetDemo"):
        load_classifier("AlexNet")


def test_without_a_network_the_way_out_is_said(in_folder, monkeypatch):
    def fail(*_, **__):
        raise OSError("URL fetch failure")

    monkeypatch.setattr(zoo, "build", fail)
    with pytest.raises(ValueError, match="ImageNet weights of ResNet: URL fetch failure. .*--model_path"):
        load_classifier("ResNet")


def test_a_wrong_layer_or_class_name_of_a_file_is_a_clear_error(tmp_path):
    path = save_model(planted_model(), tmp_path / "model.keras", json.loads(json.dumps(SETTINGS)))
    with pytest.raises(ValueError, match="no layer 'colour' with a feature map; choose among 1: colours"):
        load_classifier(model_path=path, layer_name="colour")
    with pytest.raises(ValueError, match="class_names should hold the model's 3 classes; 2 were given"):
        load_classifier(model_path=path, class_names="a,b")
