"""Network dissection by many processes: features, counts of digits and tallies of some images each, put together here.

    features     each process computes those of a batch, into the folder that all share
    thresholds   the digits of `quantiles` are counted by each for some images: the counts of all are their sum
    IoU          so are the counters of `UnitTally`; the most exciting images are merged in the order of their numbers

Every number is that of one process: counts are whole numbers, and of equal peaks the earlier image stays first.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.dataset import Sample
from network.classifier import Classifier
from network.worker_pool import Lost, WorkerPool
from output.progress import Progress
from units.concepts import Concepts
from units.feature_store import FeatureStore
from units.quantiles import count_digits, find_quantiles
from units.unit_tally import UnitTally, tally_images

TASKS_PER_WORKER = 4  # of counting: as few as keep all of them busy to the end, for each answer holds K x 2048 numbers


@dataclass(frozen=True)
class DissectionJob:
    """What every process is told once; folder: of the features."""

    folder: Path
    layer_names: tuple[str, ...]
    concepts: Concepts


class DissectionWorker:
    """What a process does: a task is the name of one of the three and its arguments."""

    def __init__(self, classifier: Classifier, job: DissectionJob):
        self.classifier, self.concepts = classifier, job.concepts
        self.store = FeatureStore(job.folder, job.layer_names)

    def __call__(self, task: tuple):
        name, *arguments = task
        return getattr(self, f"_{name}")(*arguments)

    def _features(self, samples: list[Sample]) -> dict[str, str]:
        return self.store.compute(self.classifier, samples, _Quiet({}))

    def _digits(self, layer: str, samples: list[Sample], found, n_bits: int, shift: int) -> np.ndarray:
        return count_digits(self.store.blocks(layer, samples, self.concepts.of_images), found, n_bits, shift)

    def _tally(self, begin: int, samples: list[Sample], tallies: dict[str, UnitTally]) -> tuple[dict, dict[str, str]]:
        tallies = copy.deepcopy(tallies)  # arrays that came from another process cannot be written to
        return tallies, tally_images(samples, begin, tallies, self.concepts, self.store)


class DissectionPool:
    """The three steps of a dissection, by the processes of a pool."""

    def __init__(self, pool: WorkerPool, store: FeatureStore, batch_size: int, progress: Progress):
        self._pool, self._store, self._batch_size, self._progress = pool, store, batch_size, progress

    def compute_features(self, samples: Sequence[Sample]) -> dict[str, str]:
        """As `FeatureStore.compute`, of those that are missing."""
        missing, failed = [sample for sample in samples if not self._store.has(sample)], {}
        for task, answer in self._pool.run(("features", part) for _, part in _split(missing, self._batch_size)):
            if isinstance(answer, Lost):
                answer = {sample.name: f"every process that read it died ({answer.reason})" for sample in task[1]}
            failed |= answer
            self._progress.end("features", task[1][-1].name)
        return failed

    def find_thresholds(self, layer: str, samples: Sequence[Sample], share: float) -> np.ndarray:
        """As `upper_quantiles` of a layer's features of these images."""

        def count(found: np.ndarray | None, n_bits: int, shift: int) -> np.ndarray:
            tasks = (("digits", layer, part, found, n_bits, shift) for _, part in _split(samples, self._size(samples)))
            return sum(counts for _, counts in self._answers(tasks))

        return find_quantiles(count, share)

    def tally(self, samples: Sequence[Sample], open_tallies: Callable[[], dict[str, UnitTally]]) -> tuple[dict, dict]:
        """The tallies of all images, by layer, and why masks of some cannot be read."""
        parts = _split(samples, self._size(samples))
        answers = self._answers(("tally", begin, part, open_tallies()) for begin, part in parts)
        tallies, failed = open_tallies(), {}
        for task, (found, unread) in sorted(answers, key=lambda pair: pair[0][1]):
            failed |= unread
            for layer, tally in tallies.items():
                tally.merge(found[layer])
            self._progress.end("IoU", task[2][-1].name)
        return tallies, failed

    def _size(self, samples: Sequence[Sample]) -> int:
        return -(-len(samples) // (TASKS_PER_WORKER * self._pool.n_workers))

    def _answers(self, tasks: Iterator[tuple]) -> Iterator[tuple]:
        for task, answer in self._pool.run(tasks):
            if isinstance(answer, Lost):
                raise ValueError(f"every process that counted some of the features died: {answer.reason}")
            yield task, answer


class _Quiet(Progress):
    """Progress that nobody looks at."""

    def begin(self, *of_image) -> None:
        """Nothing is shown."""

    def end(self, *of_image) -> None:
        """Nothing is shown."""


def _split(samples: Sequence[Sample], size: int) -> Iterator[tuple[int, list[Sample]]]:
    """(number of the first, samples) of each part of so many."""
    for begin in range(0, len(samples), max(size, 1)):
        yield begin, list(samples[begin : begin + max(size, 1)])
