"""A TensorFlow SavedModel as one layer of a Keras model: its outputs and their gradients, no layers to look at."""

from pathlib import Path

import keras

ENDPOINTS = ("serving_default", "serve")


def load_saved_model(folder: str | Path, trust_model: bool = False) -> keras.Model:
    """A Keras model around the graph of a SavedModel folder: images (n, H, W, C) to its output.

    trust_model: whether the graph may be loaded at all: it may read and write files, and runs some operations as it
    is loaded. ValueError without it, and for a graph that does not take one batch of images.
    """
    if not trust_model:
        raise ValueError(
            f"{str(folder)!r} is a SavedModel, a graph of TensorFlow that may read and write files; --trust_model "
            "loads it, for the methods that need no layers"
        )
    layer = _open(folder)
    inputs = layer.call_endpoint_fn.structured_input_signature
    specs = [*inputs[0], *inputs[1].values()]
    if len(specs) != 1 or specs[0].shape.rank != 4 or not specs[0].dtype.is_floating:
        found = ", ".join(f"{spec.dtype.name} {spec.shape}" for spec in specs) or "nothing"
        raise ValueError(f"a SavedModel that takes images (n, H, W, C) is wanted; {str(folder)!r} takes {found}")
    images = keras.Input(specs[0].shape[1:], dtype=specs[0].dtype.name, name="images")
    return keras.Model(images, layer(images), name=Path(folder).resolve().name.replace("/", "_"))


class Graph(keras.layers.TFSMLayer):
    """The graph as a layer whose only output is a tensor, and not a dictionary of one."""

    def call(self, inputs, training: bool = False):
        outputs = super().call(inputs)
        return next(iter(outputs.values())) if isinstance(outputs, dict) and len(outputs) == 1 else outputs


def _open(folder: str | Path) -> Graph:
    """The graph's first known endpoint as a layer."""
    reasons = []
    for endpoint in ENDPOINTS:
        try:
            return Graph(str(folder), call_endpoint=endpoint, trainable=False, name="graph")
        except Exception as error:  # no such endpoint, or a damaged folder
            reasons.append(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__)
    raise ValueError(f"cannot load the SavedModel {str(folder)!r}: {reasons[0]}")
