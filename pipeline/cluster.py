"""A run by many processes: each explains a group of images as `Runner` does, one writer keeps the records.

    driver: groups of samples -> workers -> records -> Results          worker: Runner.run_groups

Maps, curves and pictures are written where they are made, into the folder of the run, which all machines share. What is
there already is not made again: a driver that dies goes on by the same command.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import constants
from data.dataset import Sample
from explainers.registry import Method
from network.classifier import Classifier
from network.worker_pool import ClusterSettings, Lost, WorkerPool, connect, make_recipe
from output.map_store import SmallMap
from pipeline.explain import Runner
from pipeline.gaze_truth import GazeTruth
from pipeline.large_results import GROUP, LargeFolder, MapGroups
from pipeline.records import Record
from pipeline.results import RunFolder
from pipeline.score import Scorer


@dataclass(frozen=True)
class ExplainJob:
    """What every worker is told once: how the run explains and scores, and into which folder."""

    folder: Path
    is_large: bool
    methods: dict[Method, dict]
    class_rule: str
    seed: int
    gaze: GazeTruth
    faithfulness: tuple[str, ...]
    protocol: str


@dataclass(frozen=True)
class Task:
    """A few samples, and what earlier runs recorded of them."""

    samples: list[Sample]
    known: list[Record]


@dataclass
class Answer:
    """What a worker found: records, what it has to say, and (method, image, seconds) of each that it finished."""

    records: list[Record]
    said: list[str]
    finished: list[tuple[str, str, float | None]]


def run_by_workers(
    runner: Runner, samples: Sequence[Sample], methods: dict[Method, dict], cluster: ClusterSettings, options: dict
) -> None:
    """As `runner.run(samples, methods)`, by many processes; options: that the runner's classifier was loaded with."""
    runner.progress = runner.open_progress(runner.count_left(samples, methods))
    connect(cluster)
    scorer = runner.scorer
    gaze = [sample for sample in scorer.gaze.samples if scorer.gaze.kinds(sample)]
    job = ExplainJob(
        runner.results.folder.resolve(),
        runner.results.keeps_small_maps,
        methods,
        runner.class_rule,
        runner.seed,
        GazeTruth(gaze, sigma_px=scorer.gaze.sigma_px, seed=scorer.gaze.seed),
        scorer.faithfulness,
        scorer.protocol,
    )
    with WorkerPool(cluster, make_recipe(runner.classifier, options), ExplainWorker, job, runner.progress.say) as pool:
        tasks = list_tasks(runner, samples, methods)
        while tasks:
            tasks = _keep_answers(runner, pool.run(tasks), methods, pool.n_workers)
    runner.results.flush()
    if not runner.results.keeps_small_maps:
        runner.results.records = order_records(runner.results.records, samples, methods)


def order_records(
    records: dict[tuple[str, str], Record], samples: Sequence[Sample], methods: dict[Method, dict]
) -> dict[tuple[str, str], Record]:
    """The records as one process finds them: those of earlier runs, then a few images by each method at a time, what
    could not be read first."""
    size = constants.IMAGES_AT_ONCE
    places = {sample.name: place for place, sample in enumerate(samples)}
    turns = {method.name: turn for turn, method in enumerate(methods)}

    def place_of(key: tuple[str, str]) -> tuple:
        method, image = key
        if method not in turns or image not in places:
            return (-1,)
        return places[image] // size, turns[method], not records[key].failed, places[image]

    return {key: records[key] for key in sorted(records, key=place_of)}


def list_tasks(runner: Runner, samples: Sequence[Sample], methods: dict[Method, dict]) -> Iterator[Task]:
    """The groups of samples of which anything is left to do, as they are asked for."""
    is_costly = any(method.load().perturbs for method in methods)
    size = constants.IMAGES_AT_ONCE if is_costly or not runner.results.keeps_small_maps else GROUP
    for start in range(0, len(samples), size):
        together = [samples[place] for place in range(start, min(start + size, len(samples)))]
        if not all(runner.is_done(method, sample) for method in methods for sample in together):
            yield _make_task(runner, together, methods)


def _make_task(runner: Runner, samples: list[Sample], methods: dict[Method, dict]) -> Task:
    records = runner.results.records
    found = (records.get((method.name, sample.name)) for method in methods for sample in samples)
    return Task(samples, [record for record in found if record is not None])


def _keep_answers(runner: Runner, answers: Iterator, methods: dict[Method, dict], n_workers: int) -> list[Task]:
    """Keeps what comes in; of groups that no process survived, the tasks of their images alone."""
    alone = []
    for task, answer in answers:
        if isinstance(answer, Lost) and len(task.samples) > 1:
            alone += [_make_task(runner, [sample], methods) for sample in task.samples]
        elif isinstance(answer, Lost):
            for method in methods:
                if not runner.is_done(method, task.samples[0]):
                    reason = f"every process that explained it died ({answer.reason})"
                    runner.keep_failure(method, task.samples[0], reason)
        else:
            for text in answer.said:
                runner.progress.say(text)
            runner.results.add_records(answer.records)
            for method, image, seconds in answer.finished:  # of which so many pass at once
                runner.progress.end(method, image, None if seconds is None else seconds / n_workers)
    return alone


class ExplainWorker:
    """What a worker does with a task: `Runner.run_groups`, over a folder that it shares with others."""

    def __init__(self, classifier: Classifier, job: ExplainJob):
        self.methods, self._found, self._said = job.methods, _Found(job.folder, job.is_large), _Said()
        how = {"faithfulness": job.faithfulness, "protocol": job.protocol, "seed": job.seed}
        self._runner = Runner(
            classifier,
            self._found,
            Scorer(classifier, job.gaze, **how),
            class_rule=job.class_rule,
            seed=job.seed,
            open_progress=lambda counts: self._said,
        )

    def __call__(self, task: Task) -> Answer:
        self._found.take({(record.method, record.image): record for record in task.known})
        self._said.take()
        self._runner.run_groups(task.samples, self.methods)
        return Answer(self._found.finish(), *self._said.take())


class _Found:
    """What `Results` is to a runner, in a worker: files are written, records are gathered."""

    def __init__(self, folder: Path, is_large: bool):
        self._folder = LargeFolder(folder) if is_large else RunFolder(folder)
        self.keeps_small_maps = is_large
        self.take({})

    def take(self, known: dict[tuple[str, str], Record]) -> None:
        """Begins with what is known of some images."""
        self._records, self._new, self._groups = known, [], MapGroups(self._folder.folder)

    def find(self, method: str, sample: Sample) -> Record | None:
        """As `Results.find`."""
        return self._folder.check(self._records.get((method, sample.name)), sample)

    def read_map(self, record: Record) -> np.ndarray:
        """As `Results.read_map`."""
        return self._folder.read_map(record)

    def add(self, record: Record, saliency_map=None, curves=None, pictures=None, small: SmallMap | None = None) -> None:
        """Writes the files of a record, or holds them for their group."""
        self._folder.write_pictures(record, pictures)
        if self.keeps_small_maps:
            self._groups.add(record, self._folder.choose_small(record, small, curves), curves)
        else:
            self._folder.write_map(record, saliency_map, curves)
            self._new.append(record)

    def sync(self) -> None:
        """Nothing waits to reach the disk: the one writer keeps the records."""

    def finish(self) -> list[Record]:
        """The records, once all their files are written."""
        return self._new + self._groups.write()


class _Said:
    """What `Progress` is to a runner, in a worker: it remembers."""

    def __init__(self):
        self._texts, self._finished = [], []

    def begin(self, method: str, image: str) -> None:
        """Nobody looks on."""

    def within(self, done: int, total: int) -> None:
        """Nobody looks on."""

    def end(self, method: str, image: str, seconds: float | None = None) -> None:
        """An image is explained and measured."""
        self._finished.append((method, image, seconds))

    def say(self, text: str) -> None:
        """A line for the screen."""
        self._texts.append(text)

    def take(self) -> tuple[list[str], list[tuple[str, str, float | None]]]:
        """What was said and finished since the last time."""
        taken, self._texts, self._finished = (self._texts, self._finished), [], []
        return taken
