"""Builds every network of `keras.applications` and compares what is read of it with Keras's own pipeline.

    python tools/check_zoo.py [NAME ...]

Random weights: no download. One line per network: input side, layer, and the largest difference between the
probabilities of `Classifier` and of the model on `preprocess_input`. Exit code 1 if one is above 1e-4, or a layer of
the table is not there. About five minutes on two cores, 4 GB.
"""

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import constants
import utils

TOLERANCE = 1e-4


def check(name: str) -> tuple[str, bool]:
    """A line on the network of that name, and whether all is as the table says."""
    import keras
    import numpy as np

    from network import zoo
    from network.classifier import Classifier

    where, _, side, last_layer, first_layer = constants.ZOO[name]
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    model = zoo.build(name, weights=None, classes=5)
    classifier = Classifier(model, name)
    module = importlib.import_module(f"keras.applications.{where.split('.')[0]}")
    images = np.random.default_rng(0).uniform(0, 255, (2, side, side, 3)).astype(np.float32)
    own = keras.ops.convert_to_numpy(model(module.preprocess_input(images.copy()), training=False))
    difference = float(np.abs(classifier.predict(images) - own).max())
    own_side = model.input_shape[1] in (side, None)
    is_found = last_layer in (None, classifier.layer_name) and first_layer in [layer.name for layer in model.layers]
    line = f"{name:<18} {side:>4}  {classifier.layer_name:<32} {difference:.1e}"
    return line, own_side and is_found and difference < TOLERANCE


def main(names: list[str]) -> int:
    """The exit code of a check of these networks, or of all."""
    utils.silence_tensorflow()
    n_wrong = 0
    from network import zoo

    for name in names or [name for name in constants.ZOO if name not in zoo.OURS]:
        line, is_right = check(name)
        n_wrong += not is_right
        print(line if is_right else f"{line}  not as the table says", flush=True)
    return int(n_wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
