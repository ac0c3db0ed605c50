"""The networks of `keras.applications` by name, and the classes they were trained on."""

from pathlib import Path

import keras

import constants
from data.class_names import read_class_names
from network.resnet18 import build_resnet18

OURS = ("ResNet18",)  # networks that are built here, as Keras does not have them


class NoWeights(ValueError):
    """Weights that are nowhere to be had: the message says what to do."""


def build(model_name: str, **options) -> keras.Model:
    """The network of a name of `constants.ZOO`, built with Keras's options (weights, include_top, classes, ...).

    `NoWeights` for the ImageNet weights of one of `OURS`.
    """
    if model_name in OURS:
        if options.pop("weights", "imagenet") is not None:
            raise NoWeights(
                f"there are no ImageNet weights of {model_name} in Keras: train.py --model_name={model_name} "
                "--weights=none trains it from the start, --model_path takes a trained one"
            )
        return build_resnet18(**options)
    function = constants.ZOO[model_name][0].split(".")[1]
    return getattr(keras.applications, function)(**options)


def imagenet_class_index() -> tuple[list[str], list[str]]:
    """Names and WordNet ids of the 1,000 ImageNet classes, from the file that Keras downloads and keeps."""
    one_prediction = keras.ops.convert_to_numpy(keras.ops.one_hot([0], 1000))
    keras.applications.imagenet_utils.decode_predictions(one_prediction, top=1)  # fetches the file once
    return read_class_names(str(Path(keras.config.keras_home()) / "models" / "imagenet_class_index.json"))
