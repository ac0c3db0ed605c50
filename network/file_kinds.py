"""What a model file is, told by its content and not by its name; and for what is none, what to do instead."""

import json
import zipfile
from pathlib import Path

KERAS, HDF5, WEIGHTS, SAVED_MODEL = "a .keras file", "a .h5 file", "weights alone", "a SavedModel folder"
CONFIG_ENTRY, WEIGHTS_ENTRY = "config.json", "model.weights.h5"  # of a .keras archive
TO_KERAS = "give the Keras model that it was made from"
FROM_ONNX = "convert it: `onnx2tf -i model.onnx -o folder` makes a SavedModel, which --trust_model loads"
OTHERS = {  # ending -> what such a file is, and what to do
    ".onnx": f"an ONNX file; {FROM_ONNX}",
    ".tflite": f"a TFLite file, which has no gradients and no layers to look at; {TO_KERAS}",
    ".pt": f"a PyTorch file; export it to ONNX (torch.onnx.export), then {FROM_ONNX}",
    ".pth": f"a PyTorch file; export it to ONNX (torch.onnx.export), then {FROM_ONNX}",
    ".safetensors": "a safetensors file: weights alone; build the network, fill it and save it as .keras",
    ".pb": f"a graph of TensorFlow alone; give the whole SavedModel folder around it, or {TO_KERAS}",
    ".index": "a part of a TensorFlow checkpoint: weights alone; load it where the model is built, save as .keras",
    ".pkl": "a pickle, which runs code as it is read; save the model by model.save('model.keras')",
    ".joblib": "a pickle, which runs code as it is read; save the model by model.save('model.keras')",
    ".json": "a model's layers without its weights; save both by model.save('model.keras')",
    ".yaml": "a model's layers without its weights; save both by model.save('model.keras')",
}


def tell_kind(path: str | Path) -> str:
    """KERAS, HDF5, WEIGHTS or SAVED_MODEL; ValueError says of anything else what it is and what to do."""
    path = Path(path)
    if path.is_dir():
        return _tell_folder(path)
    if not path.is_file():
        raise ValueError(f"there is no model file {str(path)!r}")
    with path.open("rb") as file:
        head = file.read(1024)
    if not head:
        raise _cannot_load(path, "it is empty (0 bytes)")
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return _tell_hdf5(path)
    if head.startswith(b"PK"):
        return _tell_archive(path)
    raise _cannot_load(path, _tell_other(path, head))


def _cannot_load(path: Path, reason: str) -> ValueError:
    return ValueError(f"cannot load the model {str(path)!r}: {reason}")


def _tell_folder(path: Path) -> str:
    if (path / "saved_model.pb").is_file():
        return SAVED_MODEL
    if (path / CONFIG_ENTRY).is_file() and (path / WEIGHTS_ENTRY).is_file():
        raise _cannot_load(path, "a .keras file that was unpacked; pack it again: zip -0 model.keras *.json *.h5")
    files = sorted(child.name for child in path.iterdir() if child.suffix.lower() in (".keras", ".h5", ".hdf5"))
    more = f"; give one of {', '.join(files[:5])}" if files else ""
    raise ValueError(f"there is no model file {str(path)!r}: it is a folder, without a saved_model.pb{more}")


def _tell_hdf5(path: Path) -> str:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            names = {*file, *file.attrs}
    except Exception as error:  # whatever HDF5 stumbles on
        raise _cannot_load(path, f"a damaged HDF5 file ({error})") from None
    if "model_config" in names:
        return HDF5
    if names & {"layer_names", "layer_names0", "layers", "_layer_checkpoint_dependencies", "vars"}:
        return WEIGHTS
    raise _cannot_load(path, f"HDF5 without a Keras model; it holds {', '.join(sorted(names)[:5]) or 'nothing'}")


def _tell_archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except Exception as error:  # BadZipFile, but a damaged archive may raise others
        raise _cannot_load(path, f"a damaged archive ({error})") from None
    names = {entry.filename for entry in entries}
    if any(entry.flag_bits & 1 for entry in entries):
        raise _cannot_load(path, "an archive with a password; unpack it, and pack it again without one")
    if {CONFIG_ENTRY, WEIGHTS_ENTRY} <= names:
        return KERAS
    if any(name.endswith("data.pkl") for name in names):
        raise _cannot_load(path, OTHERS[".pt"])
    inside = sorted(name for name in names if name.lower().endswith((".keras", ".h5", "saved_model.pb")))
    if CONFIG_ENTRY not in names and inside:
        raise _cannot_load(path, f"an archive which holds {', '.join(inside[:3])}: unpack it")
    missing = WEIGHTS_ENTRY if CONFIG_ENTRY in names else CONFIG_ENTRY
    raise _cannot_load(path, f"an archive without the {missing} of a .keras file")


def _tell_other(path: Path, head: bytes) -> str:
    """What a file is that is neither HDF5 nor an archive."""
    if head[4:8] == b"TFL3":
        return OTHERS[".tflite"]
    if head.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS; `git lfs pull` fetches the file itself"
    if head.lstrip()[:1] == b"<":
        return "a web page; the download went wrong"
    if head.lstrip()[:1] == b"{" and _names_layers(path):
        return OTHERS[".json"]
    suffix = path.suffix.lower()
    if ".data-" in path.name:
        suffix = ".index"
    if suffix in OTHERS:
        return OTHERS[suffix]
    if not any(head):
        return "it holds zeros; the download or the disk went wrong"
    return "neither a .keras archive nor an HDF5 file (.h5); save the model by model.save('model.keras')"


def _names_layers(path: Path) -> bool:
    try:
        return path.stat().st_size < 2**26 and "class_name" in json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return False
