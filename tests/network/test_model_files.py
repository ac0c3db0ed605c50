"""Model files: settings travel with the model, nothing in a file runs unasked, and the order of what is loaded."""

import json
import zipfile

import keras
import numpy as np
import pytest
from keras import layers
from planted import COLOURS, noise, picture, planted_model

import constants
from network import model_files, zoo
from network.model_files import load_classifier, load_model, read_settings, save_model

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


@pytest.mark.parametrize("name", ["model.txt", "model", "model.pb", "model.pkl"])
def test_a_file_that_is_no_model_by_its_ending_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ValueError, match="a model file ends in .keras or .h5; given: "):
        load_classifier(model_path=tmp_path / name)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "no.keras", tmp_path):
        with pytest.raises(ValueError, match="there is no model file"):
            load_classifier(model_path=path)


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
    save_model(planted_model(), in_folder / constants.DEMO_MODEL_PATH, {"class_names": list("emb")})
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
    with pytest.raises(ValueError, match="unknown model_name 'AlexNet'; choose one of: ResNet, .*, ResNetDemo"):
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
