"""A network forgets what it has learnt, layer by layer from its output down.

A layer forgets by drawing each of its weights again from the layer's own initialiser: kernels from the distribution
they started from, a batch norm back to the identity: Adebayo et al. 2018, "Sanity checks for saliency maps", the
cascading randomisation. What a weight becomes depends on the seed and the layer's path alone, so that every stage can
be made again by itself.
"""

import zlib
from collections.abc import Sequence

import keras

from network.classifier import Classifier


def list_layers(classifier: Classifier) -> list[tuple[str, object]]:
    """(path, layer) of every layer that has learnt something, from the output down; a shared one stands once."""
    found = {id(step.layer): (step.path, step.layer) for step in classifier.steps if _initialisers(step.layer)}
    return list(found.values())[::-1]


def group_layers(layers: Sequence, n_stages: int) -> list[list]:
    """The layers in n_stages groups, or fewer where there are fewer: the topmost layer alone, then equal groups.

    ValueError for n_stages below 1.
    """
    if n_stages < 1:
        raise ValueError(f"n_stages should be 1 or more, not {n_stages}")
    if n_stages == 1 or len(layers) < 2:
        return [list(layers)]
    first, rest = [layers[0]], list(layers[1:])
    n_groups = min(n_stages - 1, len(rest))
    edges = [round(len(rest) * place / n_groups) for place in range(n_groups + 1)]
    return [first, *(rest[start:end] for start, end in zip(edges, edges[1:]))]


def randomise(path: str, layer, seed: int) -> None:
    """Draws all weights of the layer again, in place."""
    for number, (weight, initialiser) in enumerate(_initialisers(layer)):
        fresh = initialiser.__class__.from_config(
            {**initialiser.get_config(), **_seed(initialiser, zlib.crc32(f"{seed} {path} {number}".encode()))}
        )
        weight.assign(fresh(weight.shape, dtype=weight.dtype))


def _seed(initialiser, seed: int) -> dict:
    return {"seed": seed} if "seed" in initialiser.get_config() else {}


def _initialisers(layer) -> list[tuple]:
    """(weight, initialiser) of all that the layer itself has learnt: what it has an initialiser for, by name."""
    found = []
    for weight in getattr(layer, "weights", ()):
        initialiser = getattr(layer, f"{weight.name}_initializer", None)
        if initialiser is not None:
            found.append((weight, keras.initializers.get(initialiser)))
    return found
