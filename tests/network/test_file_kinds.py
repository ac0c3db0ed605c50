"""What a model file is: told by its content, whatever its name; for what is none, what it is and what to do."""

import zipfile

import h5py
import pytest
from planted import noise, planted_model

from network import file_kinds
from network.file_kinds import tell_kind
from network.model_files import load_model


@pytest.mark.parametrize("written", [".keras", ".h5"])
@pytest.mark.parametrize("named", ["m.keras", "m.h5", "M.KERAS", "M.H5", "m.hdf5", "m", "m.model", "m.weights.h5"])
def test_a_model_is_what_its_content_says_and_loads_under_any_name(tmp_path, written, named):
    model = planted_model()
    model.save(tmp_path / f"model{written}")
    path = (tmp_path / f"model{written}").rename(tmp_path / named)
    assert tell_kind(path) == (file_kinds.KERAS if written == ".keras" else file_kinds.HDF5)
    assert abs(load_model(path)(noise(2, 96)) - model(noise(2, 96))).numpy().max() < 1e-6


OTHERS = [
    ("m.keras", b"", "it is empty"),
    ("m.h5", b"", "it is empty"),
    ("m.keras", bytes(2000), "it holds zeros"),
    ("m.keras", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS"),
    ("m.h5", b"<!DOCTYPE html><html>", "a web page"),
    ("m.keras", b"\x1c\x00\x00\x00TFL3" + bytes(99), "a TFLite file"),
    ("m.tflite", b"\x1c\x00\x00\x00TFL3" + bytes(99), "a TFLite file.*give the Keras model"),
    (
        "m.onnx",
        b"\x08\x07\x12\x07pytorch",
        "an ONNX file; convert it: `onnx2tf .*SavedModel, which --trust_model loads",
    ),
    ("m.ONNX", b"\x08\x07\x12\x07pytorch", "an ONNX file"),
    ("m.pth", b"\x80\x02\x8a\nl\xfc", "a PyTorch file; export it to ONNX"),
    ("m.pkl", b"\x80\x04\x95", "a pickle, which runs code"),
    ("saved_model.pb", b"\x08\x01\x12", "a graph of TensorFlow alone; give the whole SavedModel folder"),
    ("m.json", b'{"class_name": "Sequential", "config": {}}', "layers without its weights"),
    ("m.keras", b'{"class_name": "Sequential", "config": {}}', "layers without its weights"),
    ("ckpt.index", b"\x00\x00\x01", "TensorFlow checkpoint"),
    ("ckpt.data-00000-of-00001", b"\x00\x00\x01", "TensorFlow checkpoint"),
    ("m.safetensors", b"\x10\x00", "a safetensors file"),
    ("m.keras", b"this is no model", "neither a .keras archive nor an HDF5 file"),
    ("m", b"x", "neither a .keras archive nor an HDF5 file"),
    ("m.h5", b"\x89HDF\r\n\x1a\n" + bytes(50), "a damaged HDF5 file"),
    ("m.keras", b"PK\x03\x04" + bytes(50), "a damaged archive"),
]


@pytest.mark.parametrize(("name", "content", "reason"), OTHERS)
def test_a_file_that_is_no_model_is_told_as_what_it_is(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"cannot load the model .*{name}.*{reason}") as error:
        load_model(tmp_path / name, trust_model=True)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        (["keras_model.h5", "labels.txt"], "holds keras_model.h5: unpack it"),  # as Teachable Machine hands it out
        (["archive/data.pkl", "archive/data/0"], "a PyTorch file"),
        (["readme.txt"], "an archive without the config.json of a .keras file"),
        (["config.json", "metadata.json"], "an archive without the model.weights.h5 of a"),
    ],
)
def test_an_archive_of_something_else_is_told_by_what_it_holds(tmp_path, entries, reason):
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        for name in entries:
            archive.writestr(name, "x")
    with pytest.raises(ValueError, match=reason):
        tell_kind(tmp_path / "m.zip")


def test_hdf5_without_a_model_is_told_by_what_it_holds(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["images"] = [1, 2]
    with pytest.raises(ValueError, match="HDF5 without a Keras model; it holds images"):
        tell_kind(tmp_path / "data.h5")


def test_weights_alone_are_told_from_a_model(tmp_path):
    planted_model().save_weights(tmp_path / "a.weights.h5")
    assert tell_kind(tmp_path / "a.weights.h5") == file_kinds.WEIGHTS


def test_folders_are_told_by_what_they_hold(tmp_path):
    with pytest.raises(ValueError, match="there is no model file .* it is a folder, without a saved_model.pb"):
        tell_kind(tmp_path)
    planted_model().save(tmp_path / "a.keras")
    with pytest.raises(ValueError, match="it is a folder.*; give one of a.keras"):
        tell_kind(tmp_path)
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        archive.extractall(tmp_path / "unpacked")
    with pytest.raises(ValueError, match="a .keras file that was unpacked; pack it again"):
        tell_kind(tmp_path / "unpacked")
    (tmp_path / "saved_model.pb").write_bytes(b"")
    assert tell_kind(tmp_path) == file_kinds.SAVED_MODEL
    with pytest.raises(ValueError, match="there is no model file .*no.keras"):
        tell_kind(tmp_path / "no.keras")
