"""How many images a forward pass takes quickest on this machine, by a short timing that is kept.

What is timed is `Classifier.predict`'s own pass. Another number of images may change the last digits of what a network
gives, so that only who asks for it (`--batch_size=auto`) gets a number that other machines would not choose.
"""

import time

import numpy as np
import tensorflow as tf

import constants
from network import timings
from network.classifier import Classifier
from output import memory

CANDIDATES = (1, 2, 4, 8, 16, 32)
OF_A_GPU = (64, 128, 256)  # besides
ROUNDS = 3  # of the timing, behind one that warms up; the shortest counts, as other programs only lengthen it
WORTH = 1.05  # times as fast as the usual number: less is not worth other last digits


def choose_batch_size(classifier: Classifier) -> dict[int, float]:
    """Number of images -> milliseconds an image; the classifier and its views take the best of them from now on.

    The usual number stays unless another is `WORTH` leaving it. Numbers for which there is no room are not tried.
    """
    engine = classifier.engine
    key = {"what": "batch", "weights": classifier.fingerprint, "precision": classifier.precision}
    key |= {"size": list(classifier.image_spec.shape[1:]), "engine": engine.name, "tensorflow": tf.__version__}
    found = {int(n): spent for n, spent in timings.recall(key, lambda: _measure(classifier, engine.run)).items()}
    best = min(found, key=found.get)
    usual = found.get(constants.BATCH_SIZE, np.inf)
    chosen = best if usual > WORTH * found[best] else constants.BATCH_SIZE
    for view in {id(view): view for view in (classifier, *classifier.by_layer)}.values():
        view.batch_size = chosen
    return found


def _measure(classifier: Classifier, run) -> dict[str, float]:
    """Number of images, as text -> milliseconds an image, all of them in turn; without those that a GPU has no memory
    for."""
    candidates = CANDIDATES + OF_A_GPU * bool(tf.config.list_physical_devices("GPU"))
    fits = [n for n in candidates if not memory.describe_lack(classifier.estimate_bytes(n), "images")]
    shortest = dict.fromkeys(fits or candidates[:1], np.inf)
    rng = np.random.default_rng(constants.SEED)
    images = rng.uniform(0, 255, (max(shortest), *classifier.image_spec.shape[1:])).astype(np.float32)
    images += np.float32(classifier.shift)
    for turn in range(ROUNDS + 1):
        for n in list(shortest):
            begin = time.perf_counter()
            try:
                run(images[:n])
            except tf.errors.ResourceExhaustedError:
                if n == min(shortest):
                    raise
                del shortest[n]
                continue
            spent = 1000 * (time.perf_counter() - begin) / n
            shortest[n] = min(shortest[n], spent if turn else np.inf)
    return {str(n): round(spent, 3) for n, spent in shortest.items()}
