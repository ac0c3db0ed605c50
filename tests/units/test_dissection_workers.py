"""A dissection by many processes has every number of one: counts add up, quantiles and most exciting images merge."""

import numpy as np
import pytest
from PIL import Image
from planted import BLUE, COLOURS, GREEN, RED, picture, square

from data import dataset
from network.worker_pool import Lost
from units import dissection
from units.concepts import open_concepts
from units.dissection_workers import DissectionJob, DissectionWorker
from units.feature_store import FeatureStore
from units.quantiles import count_digits, find_quantiles, upper_quantiles


class InProcess:
    """Stands for a `WorkerPool`: workers of this process, which answer in the reverse order."""

    def __init__(self, workers, kills=lambda task: False):
        self.workers, self.n_workers, self.kills = workers, len(workers), kills

    def run(self, tasks):
        for number, task in reversed(list(enumerate(tasks))):
            for tally in task[3].values() if task[0] == "tally" else ():  # as they come from another process
                for value in vars(tally).values():
                    if isinstance(value, np.ndarray):
                        value.setflags(write=False)
            yield task, Lost("out of memory") if self.kills(task) else self.workers[number % len(self.workers)](task)


@pytest.fixture
def samples(tmp_path):
    """Fourteen images, one of them damaged, and masks of two concepts."""
    for number in range(14):
        colour = (RED, GREEN, BLUE)[number % 3]
        mask = np.where(square(colour), 255, 0).astype(np.uint8)
        for path, pixels in (
            (tmp_path / "images" / f"{number:02d}.png", picture(colour, seed=number)),
            (tmp_path / "concepts" / COLOURS[colour] / f"{number:02d}.png", mask),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    (tmp_path / "images" / "04.png").write_bytes(b"no image")
    return dataset.load_dataset(tmp_path / "images")


def dissect(classifier, samples, folder, **options):
    concepts = open_concepts(folder.parent / "concepts", samples)
    store = FeatureStore(folder, [view.layer_name for view in classifier.by_layer])
    job = DissectionJob(folder, tuple(store.layer_names), concepts)
    pool = None if options.get("workers") is None else options.pop("workers")(job)
    return dissection.dissect(classifier, samples, concepts, store, share=0.05, n_top=3, pool=pool)


def test_every_number_is_that_of_one_process(planted_classifier, samples, tmp_path):
    alone = dissect(planted_classifier, samples, tmp_path / "alone")
    shared = dissect(
        planted_classifier,
        samples,
        tmp_path / "shared",
        workers=lambda job: InProcess([DissectionWorker(planted_classifier, job) for _ in range(2)]),
    )
    assert [s.name for s in shared.samples] == [s.name for s in alone.samples] and shared.failed == alone.failed
    for layer, tally in alone.tallies.items():
        for name in ("thresholds", "marked", "unjudged", "covered", "shared", "n_pixels", "top_images"):
            np.testing.assert_array_equal(getattr(shared.tallies[layer], name), getattr(tally, name), name)
        np.testing.assert_array_equal(shared.tallies[layer].iou(), tally.iou())


def test_images_that_kill_every_process_are_left_out_and_told(planted_classifier, samples, tmp_path):
    def workers(job):
        return InProcess([DissectionWorker(planted_classifier, job)], kills=lambda task: task[0] == "features")

    with pytest.raises(ValueError, match="none of 14 images can be read; every process that read it died"):
        dissect(planted_classifier, samples, tmp_path / "out", workers=workers)


def test_quantiles_of_parts_are_those_of_the_whole():
    values = np.random.default_rng(0).normal(size=(1000, 5)).astype(np.float32)
    parts = np.array_split(values, 7)
    found = find_quantiles(lambda *digit: sum(count_digits([part], *digit) for part in parts), 0.03)
    np.testing.assert_array_equal(found, upper_quantiles(lambda: [values], 0.03))
