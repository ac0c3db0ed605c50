"""Which model a run explains, and the files it comes from.

A model that `train.py` writes is one `.keras` file that carries, as one more entry of its archive, what a
classifier needs besides its layers: class names, preprocessing, input size and the network it grew from.
Files are loaded in Keras's safe mode: nothing that is code in a model file runs, unless it is trusted.
"""

import json
import os
import zipfile
from pathlib import Path

import keras

import constants
from data.class_names import read_class_names
from network.classifier import Classifier
from network.scores import read_loss

SETTINGS_ENTRY = "classifier.json"


def save_model(model, path: str | Path, settings: dict) -> Path:
    """The path of the `.keras` file written, whole or not at all, with `settings` (see `load_classifier`) in it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial_{path.name}")
    model.save(partial)
    with zipfile.ZipFile(partial, "a") as archive:
        archive.writestr(SETTINGS_ENTRY, json.dumps(settings, indent=1))
    os.replace(partial, path)
    return path


def read_settings(path: str | Path) -> dict:
    """What `save_model` kept with the model; {} for a file that holds none."""
    if not zipfile.is_zipfile(path):
        return {}
    try:
        with zipfile.ZipFile(path) as archive:
            settings = json.loads(archive.read(SETTINGS_ENTRY)) if SETTINGS_ENTRY in archive.namelist() else {}
    except (ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"cannot read {SETTINGS_ENTRY} in {str(path)!r}: {error}") from None
    if not isinstance(settings, dict):
        raise ValueError(f"cannot read {SETTINGS_ENTRY} in {str(path)!r}: it holds no settings")
    return settings


def load_model(path: str | Path, trust_model: bool = False):
    """The Keras model of a `.keras` or legacy `.h5` file; ValueError says what is wrong with the file.

    trust_model: whether code inside the file (Lambda layers) may run.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"there is no model file {str(path)!r}")
    if path.suffix not in (".keras", ".h5", ".hdf5"):
        raise ValueError(f"a model file ends in .keras or .h5; given: {str(path)!r}")
    try:
        return keras.models.load_model(path, compile=False, safe_mode=not trust_model)
    except Exception as error:  # a damaged file may raise anything
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        hint = "; --trust_model loads it, and runs the code in it" if "unsafe" in str(error).lower() else ""
        raise ValueError(f"cannot load the model {str(path)!r}: {reason}{hint}") from error


def zoo_model(model_name: str, **options):
    """The network of that name in `keras.applications`, built with its options (weights, include_top, ...)."""
    module, function = constants.ZOO[model_name][0].split(".")
    return getattr(getattr(keras.applications, module), function)(**options)


def trained_model_path(model_name: str) -> Path:
    """Where `train.py` writes the model of that name, and where `main.py` looks for it."""
    return Path(constants.TRAINED_MODELS_FOLDER) / f"{model_name}.keras"


def imagenet_class_index() -> tuple[list[str], list[str]]:
    """Names and WordNet ids of the 1,000 ImageNet classes, from the file that Keras downloads and keeps."""
    keras.applications.imagenet_utils.decode_predictions(_one_prediction(), top=1)  # fetches the file once
    path = Path(keras.config.keras_home()) / "models" / "imagenet_class_index.json"
    return read_class_names(str(path))


def _one_prediction():
    return keras.ops.convert_to_numpy(keras.ops.one_hot([0], 1000))


def load_classifier(
    model_name: str | None = None,
    *,
    model_path: str | Path | None = None,
    class_names: str | None = None,
    trust_model: bool = False,
    **options,
) -> tuple[Classifier, str]:
    """The classifier a run explains, and in words where it came from.

    `model_path` where given; else the model `train.py` wrote for `model_name`; else the ImageNet network of
    that name; without either the embedded one. class_names: as `class_names.read_class_names` takes it; None:
    those kept with the model, or ImageNet's. options: of `Classifier`; 'auto' takes what
    is kept with the model.
    Raises ValueError for what is missing or does not fit.
    """
    names, ids = read_class_names(class_names) if class_names else (None, None)
    path, source = _choose_file(model_name, model_path)
    if path is None:
        return _imagenet_classifier(model_name, names, ids, options), source
    settings = read_settings(path)
    model = load_model(path, trust_model)
    if model_name is None:
        model_name = settings.get("model_name")
    if names is None:
        names, ids = settings.get("class_names"), settings.get("class_ids")
    kept = {key: settings[key] for key in ("preprocessing", "input_size") if key in settings}
    kept = {**kept, "loss": read_loss(path)}
    options = {key: value for key, value in options.items() if value != "auto" or key not in kept}
    return Classifier(model, model_name, class_names=names, class_ids=ids, **{**kept, **options}), source


def _choose_file(model_name: str | None, model_path) -> tuple[Path | None, str]:
    if model_path is not None:
        return Path(model_path), f"the model file {model_path}"
    if model_name is not None and (trained := trained_model_path(model_name)).is_file():
        return trained, f"{trained}, which train.py wrote"
    embedded = Path(__file__).with_name(constants.DEMO_MODEL_PATH), "the embedded demonstration network"
    if model_name is None:
        return embedded
    trained = trained_model_path(model_name)
    if trained.is_file():
        return trained, f"{trained}, which train.py wrote"
    if model_name == constants.MODEL_NAME_DEMO:
        return embedded
    if model_name not in constants.ZOO:
        choices = ", ".join([*constants.ZOO, constants.MODEL_NAME_DEMO])
        raise ValueError(f"unknown model_name {model_name!r}; choose one of: {choices}")
    return None, f"the ImageNet network {model_name} of keras.applications"


def _imagenet_classifier(model_name: str, names, ids, options: dict) -> Classifier:
    try:
        model = zoo_model(model_name, weights="imagenet")
        if names is None:
            names, ids = imagenet_class_index()
    except Exception as error:  # no network, a proxy, a full disk: the download says what it says
        raise ValueError(
            f"cannot get the ImageNet weights of {model_name}: {error}. They are downloaded once; without a network "
            "give --model_path, or train one with train.py"
        ) from error
    return Classifier(model, model_name, class_names=names, class_ids=ids, **options)
