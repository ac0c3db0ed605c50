"""Which model a run explains, and the files it comes from.

A model that `train.py` writes is one `.keras` file that carries, as one more entry of its archive, what a
classifier needs besides its layers: class names, preprocessing, input size and the network it grew from.
A file is what its content says (file_kinds.py); what it names is checked before Keras makes any of it
(model_config_check.py): nothing that is code in a model file runs, unless it is trusted. Files of tf.keras 2 are
read in their own words (legacy_models.py).
"""

import importlib
import json
import re
import tempfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras

import constants
from data.class_names import read_class_names
from network import file_kinds, weight_files, zoo
from network.classifier import Classifier
from network.custom_objects import load_custom_objects
from network.file_kinds import CONFIG_ENTRY, WEIGHTS_ENTRY
from network.legacy_models import modernise
from network.model_config_check import OF_APPLICATIONS, check_chains, check_config
from network.preprocessing import Preprocessing
from network.saved_models import load_saved_model
from output import memory
from output.files import write_whole
from utils import find_model_name

DEMO_MODEL_PATH = "demo_resnet.keras"
TRAINED_MODELS_FOLDER = "models"  # train.py writes models/<model_name>.keras, main.py looks there

SETTINGS_ENTRY = "classifier.json"
MAX_SETTINGS = 2**24  # bytes: the names and ids of 100,000 classes
MAX_CONFIG = 2**28  # bytes of a model's layers in words; those of the largest network of keras.applications are 2**20


def save_model(model, path: str | Path, settings: dict) -> Path:
    """The path of the `.keras` file written, whole or not at all, with `settings` (see `load_classifier`) in it."""

    def write(partial: Path) -> None:
        model.save(partial)
        with zipfile.ZipFile(partial, "a") as archive:
            archive.writestr(SETTINGS_ENTRY, json.dumps(settings, indent=1))

    return write_whole(Path(path), write)


# --- settings --------------------------------------------------------------------------------------------
def read_settings(path: str | Path) -> dict:
    """What `save_model` kept with the model; {} for a file that holds none. ValueError for what cannot be settings."""
    if not Path(path).is_file() or not zipfile.is_zipfile(path):
        return {}
    try:
        with zipfile.ZipFile(path) as archive:
            if SETTINGS_ENTRY not in archive.namelist():
                return {}
            settings = json.loads(_read_entry(archive, SETTINGS_ENTRY, MAX_SETTINGS))
        _check_settings(settings)
    except Exception as error:  # a damaged, encrypted or deeply nested entry may raise anything
        raise ValueError(f"cannot read {SETTINGS_ENTRY} in {str(path)!r}: {_first_line(error)}") from None
    return settings


def _check_settings(settings) -> None:
    if not isinstance(settings, dict):
        raise ValueError("it holds no settings")
    for key in ("class_names", "class_ids"):
        names = settings.get(key)
        if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            raise ValueError(f"{key} should be a list of texts")
    for key in ("model_name", "preprocessing"):
        if not isinstance(settings.get(key), (str, type(None))):
            raise ValueError(f"{key} should be a text")
    size = settings.get("input_size", [1, 1])
    is_size = isinstance(size, list) and len(size) == 2 and all(type(side) is int and 0 < side < 2**16 for side in size)
    if not is_size:
        raise ValueError("input_size should be height and width in pixels")


def _read_entry(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """An entry of an archive; ValueError for one of more bytes than `limit`, before it is read."""
    size = archive.getinfo(name).file_size
    if size > limit:
        raise ValueError(f"{name} has {size:,} bytes; at most {limit:,} are read")
    return archive.read(name)


# --- models ----------------------------------------------------------------------------------------------
def load_model(path: str | Path, trust_model: bool = False, custom_objects: dict | None = None):
    """The Keras model of a `.keras` or `.h5` file, told by its content, or of a SavedModel folder.

    trust_model: whether code inside the file (Lambda layers, the graph of a SavedModel) may run. custom_objects:
    name -> class or function that the model needs besides Keras's. ValueError says what is wrong with the file, or
    which layer is not let through and what to do.
    """
    path, known = Path(path), custom_objects or {}
    kind = file_kinds.tell_kind(path)
    if kind == file_kinds.SAVED_MODEL:
        return load_saved_model(path, trust_model)
    memory.check_room(2 * path.stat().st_size, f"the model {str(path)!r} and its file", "a smaller model needs less")
    if kind == file_kinds.WEIGHTS:
        raise ValueError(
            f"{str(path)!r} holds weights alone, no layers; --model_name tells the network of keras.applications that "
            "is built and filled with them; of another, save the whole model by model.save('model.keras')"
        )
    try:
        read, load = (_read_archive, _load_archive) if kind == file_kinds.KERAS else (_read_hdf5, _load_hdf5)
        config = modernise(_without_training(read(path)))
        if not trust_model:
            check_config(config, known)
        check_chains(config)
        with keras.saving.custom_object_scope(known):
            return load(path, config, trust_model)
    except Exception as error:  # a damaged file may raise anything
        raise ValueError(f"cannot load the model {str(path)!r}: {_tell_cause(error)}") from error


def read_loss(path: str | Path):
    """The loss a model file was trained with, as it words it: 'mse', {"class_name": ..., "config": ...}, several by
    output; None for a file that does not say, or cannot be read."""
    try:
        if file_kinds.tell_kind(path) == file_kinds.KERAS:
            training = _read_archive(path).get("compile_config")
        else:
            import h5py

            with h5py.File(path, "r") as file:
                training = json.loads(file.attrs["training_config"])
        return training["loss"]
    except Exception:  # of a damaged file `load_model` tells
        return None


def _read_archive(path: Path) -> dict:
    with zipfile.ZipFile(path) as archive:
        return _read_config(_read_entry(archive, CONFIG_ENTRY, MAX_CONFIG))


def _read_hdf5(path: Path) -> dict:
    import h5py

    with h5py.File(path, "r") as file:
        return _read_config(file.attrs["model_config"])


def _read_config(text: str | bytes) -> dict:
    config = json.loads(text)
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str) or not config.get("config"):
        raise ValueError("it says nothing of the model's layers")
    return config


def _without_training(config):
    """The config without what compiles its models, at any depth: nothing is trained here."""
    if isinstance(config, list):
        return [_without_training(item) for item in config]
    if not isinstance(config, dict):
        return config
    return {key: _without_training(item) for key, item in config.items() if key != "compile_config"}


def _load_archive(path: Path, config: dict, trust_model: bool):
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        entry = archive.getinfo(WEIGHTS_ENTRY)
        if entry.file_size > weight_files.MAX_EXPANSION * max(entry.compress_size, 2**20):
            raise ValueError(f"{WEIGHTS_ENTRY} grows from {entry.compress_size:,} to {entry.file_size:,} bytes")
        weights = archive.extract(entry, folder)  # checks the entry's checksum on its way
        with weight_files.bounded_by(weights):
            model = _build(config, partial(keras.saving.deserialize_keras_object, safe_mode=not trust_model))
        weight_files.fill(model, weights)
    return model


def _load_hdf5(path: Path, config: dict, trust_model: bool):
    from keras.src.legacy.saving import saving_options, saving_utils
    from keras.src.saving.serialization_lib import SafeModeScope

    # Keras has no public function that takes the config of a `.h5` file from us, and not from the file.
    with saving_options.keras_option_scope(use_legacy_config=True), SafeModeScope(not trust_model):
        own = {name: getattr(importlib.import_module(module), name) for name, module in OF_APPLICATIONS.items()}
        with weight_files.bounded_by(path):
            model = _build(config, partial(saving_utils.model_from_config, custom_objects=own))
    weight_files.fill(model, path)
    return model


def _build(config: dict, make: Callable):
    """`make(config)`, which is Keras's; of a Sequential model, by its layers: Keras would build it anew with each."""
    inner = config["config"]
    if config["class_name"] != "Sequential" or keras.saving.get_registered_object("Sequential") or "name" not in inner:
        return make(config)
    model = keras.Sequential([make(layer) for layer in inner["layers"]], name=inner["name"])
    if not model.built and inner.get("build_input_shape"):
        model.build(inner["build_input_shape"])
    if not model.built and config.get("build_config"):
        model.build_from_config(config["build_config"])
    return model


def _tell_cause(error: Exception) -> str:
    """The last cause of an error of Keras, in one line, and the flag that helps where there is one.

    Keras wraps an error once for every model around the layer that it comes from, with its whole config.
    """
    text = re.sub(r"\x1b\[\d*m", "", str(error).rsplit("Exception encountered:", 1)[-1])  # of bold print
    text = re.sub(r"^\s*Exception encountered when calling .*\n", "", text)
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    text = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
    if isinstance(error, RecursionError):
        text = "its layers are nested too deeply"
    elif isinstance(error, (AttributeError, IndexError, KeyError)):  # of Keras's own reading
        text = f"its layers are not described as Keras does ({type(error).__name__}: {text})"
    if len(text) > 300:
        text = f"{text[:300]}..."
    if "activation function identifier: {'value'" in text:
        return (
            "an activation of it is a lambda, in a form that Keras itself does not read again: save it anew with a "
            "named function in its place (--custom_objects=my_layers.py names a file that defines it)"
        )
    if text.startswith(("Could not locate", "Unknown layer", "Cannot deserialize object of type")):
        return f"{text.split('. ')[0]}; --custom_objects=my_layers.py names a file that defines it, and runs that file"
    return text


def _first_line(error: Exception | str) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


# --- classifiers -----------------------------------------------------------------------------------------
def trained_model_path(model_name: str) -> Path:
    """Where `train.py` writes the model of that name, and where `main.py` looks for it."""
    return Path(TRAINED_MODELS_FOLDER) / f"{model_name}.keras"


def load_classifier(
    model_name: str | None = None,
    *,
    model_path: str | Path | None = None,
    class_names: str | None = None,
    trust_model: bool = False,
    custom_objects: str | Path | None = None,
    **options,
) -> tuple[Classifier, str]:
    """The classifier a run explains, and in words where it came from.

    `model_path` where given; else the model `train.py` wrote for `model_name`; else the ImageNet network of
    that name; without either the embedded one. A file of weights alone fills the network of `model_name`.
    class_names: as `class_names.read_class_names` takes it; None: those kept with the model, or ImageNet's.
    custom_objects: a Python file that defines what the model needs besides Keras's own; it is run. options: those of
    `Classifier`. Raises ValueError for what is missing or does not fit.
    """
    names, ids = read_class_names(class_names) if class_names else (None, None)
    model_name = model_name and find_model_name(model_name)
    path, source = _choose_file(model_name, model_path)
    if path is None:
        return _imagenet_classifier(model_name, names, ids, options), source
    settings = read_settings(path)
    if model_name is None:
        model_name = settings.get("model_name")
    if names is None:
        names, ids = settings.get("class_names"), settings.get("class_ids")
    known = load_custom_objects(custom_objects) if custom_objects else {}
    if known:
        source += f"; {custom_objects} was run for {', '.join(sorted(known))}"
    if model_name is not None and path.exists() and file_kinds.tell_kind(path) == file_kinds.WEIGHTS:
        model = _fill_network(model_name, path)
        source += f": weights alone, of {model_name}"
        if model_name == constants.MODEL_NAME_DEMO:
            settings = {"preprocessing": constants.DEMO_PREPROCESSING}
    else:
        model = load_model(path, trust_model, known)
    kept = {key: settings[key] for key in ("preprocessing", "input_size") if key in settings}
    if "preprocessing" in kept:
        kept["preprocessing"] = Preprocessing(kept["preprocessing"], "kept with the model")
    kept = {**kept, "loss": read_loss(path)}
    given = {key: value for key, value in options.items() if value not in (None, "auto") or key == "engine"}
    try:
        return Classifier(model, model_name, class_names=names, class_ids=ids, **{**kept, **given}), source
    except ValueError as error:
        if str(path) not in str(error):
            error.args = (f"{error} ({source})",)
        raise


def _choose_file(model_name: str | None, model_path) -> tuple[Path | None, str]:
    if model_path is not None:
        return Path(model_path), f"the model file {model_path}"
    embedded = Path(__file__).with_name(DEMO_MODEL_PATH), "the embedded demonstration network"
    if model_name is None:
        return embedded
    trained = trained_model_path(model_name)
    if trained.is_file():
        return trained, f"{trained}, which train.py wrote"
    if model_name == constants.MODEL_NAME_DEMO:
        return embedded
    return None, f"the ImageNet network {model_name} of keras.applications"


def _fill_network(model_name: str, path: Path):
    try:
        return weight_files.build_filled(model_name, path)
    except (OSError, ValueError) as error:
        if str(path) in str(error):
            raise
        raise ValueError(f"cannot load the model {str(path)!r}: {error}") from None


def _imagenet_classifier(model_name: str, names, ids, options: dict) -> Classifier:
    try:
        model = zoo.build(model_name, weights="imagenet")
        if names is None:
            names, ids = zoo.imagenet_class_index()
    except zoo.NoWeights:
        raise
    except Exception as error:  # no network, a proxy, a full disk: the download says what it says
        raise ValueError(
            f"cannot get the ImageNet weights of {model_name}: {error}. They are downloaded once; without a network "
            "give --model_path, or train one with train.py"
        ) from error
    return Classifier(model, model_name, class_names=names, class_ids=ids, **options)
