"""Builds every network of `keras.applications` and compares what is read of it with Keras's own pipeline.

    python tools/check_zoo.py [NAME ...]

Random weights: no download. The batch norms are given the statistics of the images that are compared: with those of a
new network, 0 and 1, the logits of EfficientNetV2L reach 1e10, where float32 has no digits left for probabilities. One
line per network: input side, layer, the largest difference between the probabilities of `Classifier` and of the model
on `preprocess_input`, and the range of its logits. Exit code 1 if a difference is above 1e-4, or a layer of the table
is not there. About ten minutes on two cores, 5 GB.
"""

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import constants
import utils

TOLERANCE = 1e-4


def settle(model, pixels) -> None:
    """Gives the batch norms of a network the means and variances that they meet on these pixels (n, H, W, 3)."""
    import keras

    norms = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    model(pixels, training=True)
    for layer, momentum in zip(norms, momenta):
        layer.momentum = momentum


def check(name: str, floatx: str = "float32") -> tuple[str, bool]:
    """A line on the network of that name, and whether all is as the table says; floatx: the arithmetic it computes in.

    A deep network of random weights may enlarge float32's rounding to more than is allowed, in its own `predict` too;
    float64 tells that from a fault.
    """
    import keras
    import numpy as np

    from network import zoo
    from network.classifier import Classifier

    where, _, side, last_layer, first_layer = constants.ZOO[name]
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    keras.config.set_floatx(floatx)
    model = zoo.build(name, weights=None, classes=5)
    keras.config.set_floatx("float32")
    module = importlib.import_module(f"keras.applications.{where.split('.')[0]}")
    images = np.random.default_rng(0).uniform(0, 255, (2, side, side, 3)).astype(np.float32)
    pixels = module.preprocess_input(images.copy())
    settle(model, pixels)
    classifier = Classifier(model, name)
    own = keras.ops.convert_to_numpy(model(pixels, training=False))
    difference = float(np.abs(classifier.predict(images) - own).max())
    logits = classifier.logits(images)
    own_side = model.input_shape[1] in (side, None)
    is_found = last_layer in (None, classifier.layer_name) and first_layer in [layer.name for layer in model.layers]
    if difference >= TOLERANCE and floatx == "float32":
        line, is_right = check(name, "float64")
        return f"{line}  in float64; {difference:.1e} in float32", is_right
    line = (
        f"{name:<18} {side:>4}  {classifier.layer_name:<32} {difference:.1e}  {logits.min():.3g} to {logits.max():.3g}"
    )
    return line, own_side and is_found and difference < TOLERANCE


def main(names: list[str]) -> int:
    """The exit code of a check of these networks, or of all."""
    utils.load_tensorflow()
    n_wrong = 0
    from network import zoo

    for name in names or [name for name in constants.ZOO if name not in zoo.OURS]:
        line, is_right = check(name)
        n_wrong += not is_right
        print(line if is_right else f"{line}  not as the table says", flush=True)
    return int(n_wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
