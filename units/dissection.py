"""What every unit of chosen layers has learned: network dissection of a classifier over a data set.

    features of all images -> T_k of every unit (quantiles.py) -> IoU with every concept (unit_tally.py)

Bau et al. 2017, section 2.2. One forward pass for all layers together; thresholds and IoU then read the features from
disk (feature_store.py), four times, since T_k is known only when the last image has been seen.
Masks and maps meet at the network's input size, but at no more than 112 pixels a side, the size of Broden's masks.
Of concepts that hold for whole images (concepts.py) they meet at one pixel, the unit's mean over positions.
Cost: one forward pass per image and, for 2,048 units, 0.1 to 0.3 of that of ResNet50.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np

import constants
from data.dataset import Sample
from network.classifier import Classifier
from network.worker_pool import WorkerPool
from output.progress import Progress
from units.concepts import Concepts
from units.dissection_workers import DissectionPool
from units.feature_store import FeatureStore
from units.quantiles import upper_quantiles
from units.unit_tally import UnitTally, tally_images

MASK_SIDE = 112  # pixels of a mask's side at most, as in Broden: half of 224
TOP_IMAGES = 8  # in the figure of a unit


@dataclass(frozen=True)
class Dissection:
    """What was found: the images it is of, a tally per layer, and why images or masks were left out."""

    samples: list[Sample]
    tallies: dict[str, UnitTally]
    failed: dict[str, str]


class _OneProcess:
    """The three steps of a dissection, by this process: what `DissectionPool` does by many."""

    def __init__(self, classifier: Classifier, concepts: Concepts, store: FeatureStore, progress: Progress):
        self._classifier, self._concepts, self._store, self._progress = classifier, concepts, store, progress

    def compute_features(self, samples: Sequence[Sample]) -> dict[str, str]:
        return self._store.compute(self._classifier, samples, self._progress)

    def find_thresholds(self, layer: str, samples: Sequence[Sample], share: float) -> np.ndarray:
        return upper_quantiles(lambda: self._store.blocks(layer, samples, self._concepts.of_images), share)

    def tally(self, samples: Sequence[Sample], open_tallies: Callable[[], dict[str, UnitTally]]) -> tuple[dict, dict]:
        tallies, failed, size = open_tallies(), {}, self._classifier.batch_size
        for begin in range(0, len(samples), size):
            since, batch = time.monotonic(), samples[begin : begin + size]
            self._progress.begin("IoU", batch[0].name)
            failed |= tally_images(batch, begin, tallies, self._concepts, self._store)
            self._progress.end("IoU", batch[-1].name, time.monotonic() - since)
        return tallies, failed


def mask_size(classifier: Classifier, concepts: Concepts) -> tuple[int, int]:
    """(height, width) at which masks and upsampled maps are compared."""
    side = 1 if concepts.of_images else MASK_SIDE
    return min(classifier.input_height, side), min(classifier.input_width, side)


def dissect(
    classifier: Classifier,
    samples: Sequence[Sample],
    concepts: Concepts,
    store: FeatureStore,
    *,
    share: float,
    n_top: int = TOP_IMAGES,
    pool: WorkerPool | None = None,
) -> Dissection:
    """The units of the layers of a store, tallied over all images that can be read.

    An image whose mask of a concept cannot be read counts for the thresholds, not for the IoU with that concept.
    pool: of processes that do it (`DissectionWorker`); None: this one. Raises ValueError if no image can be read, or
    none that is annotated.
    """
    n_missing, batch_size = sum(not store.has(sample) for sample in samples), classifier.batch_size
    n_batches = {"features": math.ceil(n_missing / batch_size), "IoU": math.ceil(len(samples) / batch_size)}
    progress = Progress({**n_batches, "thresholds": len(store.layer_names)})
    if pool is None:
        steps = _OneProcess(classifier, concepts, store, progress)
    else:
        steps = DissectionPool(pool, store, batch_size, progress)
    failed = steps.compute_features(samples)
    kept = [sample for sample in samples if sample.name not in failed]
    if not kept:
        raise ValueError(f"none of {len(samples)} images can be read; {next(iter(failed.values()))}")
    thresholds, layouts = {}, {view.layer_name: view.layout for view in classifier.by_layer}
    for layer in store.layer_names:
        since = time.monotonic()
        progress.begin("thresholds", layer)
        thresholds[layer] = steps.find_thresholds(layer, kept, share)
        progress.end("thresholds", layer, time.monotonic() - since)

    def open_tallies() -> dict[str, UnitTally]:
        asked = len(concepts.names), mask_size(classifier, concepts), n_top
        return {
            layer: UnitTally(found, *asked, None if concepts.of_images else layouts[layer])
            for layer, found in thresholds.items()
        }

    tallies, unread = steps.tally(kept, open_tallies)
    failed |= unread
    if not any(tally.n_pixels.any() for tally in tallies.values()):
        raise ValueError(f"no image that can be read is annotated; {next(iter(failed.values()), '')}")
    return Dissection(kept, tallies, failed)


def random_twin(classifier: Classifier, seed: int = constants.SEED) -> Classifier:
    """A classifier of the same layers, their weights drawn by their own initialisers; the model stays as it is."""
    keras.utils.set_random_seed(seed)  # the one seed that initialisers listen to
    try:
        twin = keras.models.clone_model(classifier.model)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise ValueError(f"no random twin can be made of this model: {str(error).splitlines()[0]}") from error
    return classifier.rebuilt(twin)
