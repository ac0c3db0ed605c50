"""A model with a `call` of its own, called once more on a symbolic input, so that its layers can be seen.

`keras.Model` subclasses have no graph of layers: what runs is Python. Called on a `keras.Input`, most of them leave one
behind, and the functional model made of it shares every layer and weight. It stands in for the model only if it gives
the same numbers: Python that asks for values, or draws them, does not survive it.
"""

import inspect
from collections.abc import Callable

import keras
import numpy as np

import constants
from network.layer_graph import has_graph


def open_model(model, shape: tuple[int, int, int], choose: Callable) -> tuple[object, str]:
    """What `choose` makes of a functional model of the same layers and numbers, and ''; or of the model, and why.

    shape: (H, W, channels) that it takes. choose: takes a model, while its graph of layers can still be cut. The layers
    of the model do not learn of the second call.
    """
    if has_graph(model) or not isinstance(model, keras.Model):
        return choose(model), ""
    layers = list(model._flatten_layers(include_self=False))
    n_calls = [(len(layer._inbound_nodes), len(layer._outbound_nodes)) for layer in layers]
    try:
        opened, reason = _call_again(model, shape)
        return choose(opened), reason
    finally:
        for layer, (n_inbound, n_outbound) in zip(layers, n_calls):
            del layer._inbound_nodes[n_inbound:], layer._outbound_nodes[n_outbound:]


def _call_again(model, shape: tuple[int, int, int]) -> tuple[object, str]:
    noise = np.random.default_rng(constants.SEED).uniform(0, 1, (2, *shape)).astype(np.float32)
    probe = np.concatenate([noise, 255 * noise])  # in the scale of the pixels, whichever it is
    try:
        images = keras.Input(shape)
        known = inspect.signature(model.call).parameters
        outputs = model.call(images, **({"training": False} if "training" in known else {}))
        opened = keras.Model(images, outputs, name=model.name)
        wanted, found = (
            [np.asarray(part, dtype=np.float64) for part in keras.tree.flatten(one(probe, training=False))]
            for one in (model, opened)
        )
    except Exception as error:  # whatever the user's own Python raises of a symbolic tensor
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].split(". ")[0]
        return model, f"calling it on a symbolic image fails: {reason}"
    same = len(wanted) == len(found) and all(
        one.shape == other.shape and np.allclose(one, other, rtol=1e-4, atol=1e-5 * max(1e-6, np.abs(one).max()))
        for one, other in zip(wanted, found)
    )
    return (opened, "") if same else (model, "called on a symbolic image it gives other numbers")
