"""Processes that each hold one classifier, on this machine or on many: Ray actors that are given work, and may die.

    with WorkerPool(settings, recipe, make, payload) as pool:       make(classifier, payload) -> job, in every process
        for task, answer in pool.run(tasks): ...                    answer = job(task), in the order they are finished

A process that dies, or its whole node, costs the work it was at: that is given to another. A process that takes its
place joins when there is room for it. Work that has outlived `MAX_DEATHS` processes is given back as `Lost`.
"""

import collections
import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from output.memory import keep_pages

LOCAL, AUTO = "local", "auto"
MAX_DEATHS = 3  # of processes at one task
TASKS_HELD = 2  # by a process, so that it need not wait for the next
PATIENCE = 60.0  # seconds without a sign of any process, before that is said
FAILED_STARTS = 3  # one after the other, before it is given up


@dataclass(frozen=True)
class ClusterSettings:
    """Where the processes run, and what each may use.

    address: LOCAL: on this machine; AUTO: in the cluster that this machine belongs to; else that of a cluster, as
    ray://host:10001. cores: of each process, and its threads. gpus: of each; None: one where the cluster has any.
    workers: how many; None: as many as there is room for.
    """

    address: str = LOCAL
    cores: int = 1
    gpus: float | None = None
    workers: int | None = None


@dataclass(frozen=True)
class Recipe:
    """How a process comes by the classifier. options: of `model_files.load_classifier`; fingerprint: of its weights.

    level: of labels, whose nodes are its classes, or None. weights: gives those that are not in its file.
    """

    options: dict
    fingerprint: str
    level: Any = None
    weights: Callable[[], list] | None = None

    def build(self):
        """The classifier; ValueError if it is not the same one here."""
        from network.model_files import load_classifier

        classifier, _ = load_classifier(**self.options)
        if classifier.fingerprint != self.fingerprint and self.weights is not None:
            classifier.model.set_weights(self.weights())
            classifier = classifier.rebuilt()
        if classifier.fingerprint != self.fingerprint:
            raise ValueError("the model has other weights here than where the run was started")
        return classifier if self.level is None else classifier.at_level(self.level)


class Lost(NamedTuple):
    """In the place of an answer: the task killed every process that was at it. reason: of the last one's death."""

    reason: str


class WorkerPool:
    """The processes of one classifier; see the module. say: is told, in words, of each that dies.

    ValueError where Ray is missing, or none can be started.
    """

    def __init__(
        self,
        settings: ClusterSettings,
        recipe: Recipe,
        make: Callable,
        payload: Any,
        say: Callable[[str], None] = lambda text: None,
    ):
        self._ray, self.settings, self._say = import_ray(), settings, say
        connect(settings)
        self._gpus = self._count_gpus()
        held = self._ray.put((recipe, make, payload))
        cores = settings.cores
        worker = self._ray.remote(_Worker).options(
            num_cpus=cores, num_gpus=self._gpus, scheduling_strategy="SPREAD", max_restarts=0
        )
        self._start = lambda: worker.remote([held], os.getcwd(), cores)
        self._starting, self._working, self._failures = {}, {}, 0
        self.n_workers = settings.workers or self._count_room()
        if self.n_workers < 1:
            share = f"{cores} cores and {self._gpus:g} GPUs" if self._gpus else f"{cores} cores"
            raise ValueError(f"cluster: no machine of it has room for a process of {share}: ask for fewer")
        for _ in range(self.n_workers):
            self._start_one()

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *error) -> None:
        for worker in [*self._starting.values(), *self._working]:
            with contextlib.suppress(Exception):  # it is dead already
                self._ray.kill(worker)

    def run(self, tasks: Iterable) -> Iterator[tuple[Any, Any]]:
        """Each task with its answer, as they are finished; at most a few tasks are taken ahead of need.

        What a job raises is raised here.
        """
        tasks, again, is_empty = iter(tasks), collections.deque(), False  # again: (task, processes that died of it)
        running = {}  # reference -> (worker, task, processes that died of it)
        while True:
            for worker, held in self._working.items():
                while len(held) < TASKS_HELD and not (is_empty and not again):
                    task, n_dead = again.popleft() if again else (next(tasks, self), 0)
                    if task is self:
                        is_empty = True
                        break
                    reference = worker.work.remote(task)
                    held.append(reference)
                    running[reference] = worker, task, n_dead
            if is_empty and not again and not running:
                return
            waited = [*running, *self._starting]
            finished, _ = self._ray.wait(waited, num_returns=1, timeout=PATIENCE)
            if not finished:
                if not self._working:
                    self._say("no worker is ready: the cluster has no room yet, or loading the network takes long")
                continue
            [done] = finished
            if done in self._starting:
                self._welcome(done)
                continue
            if done not in running:
                continue
            worker, task, _ = running[done]
            try:
                answer = self._ray.get(done)
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause if isinstance(error.cause, Exception) else error from None
            except self._ray.exceptions.RayError as error:
                # The first task that it held is the one it was at; the others had not begun.
                held = self._working.pop(worker)
                for place, reference in enumerate(held):
                    _, lost, n_dead = running.pop(reference)
                    n_dead += place == 0
                    if n_dead >= MAX_DEATHS:
                        yield lost, Lost(_first_line(error))
                    else:
                        again.append((lost, n_dead))
                with contextlib.suppress(Exception):
                    self._ray.kill(worker)
                self._say(f"a worker died ({_first_line(error)}); its work is given to another")
                self._start_one()
                continue
            del running[done]
            self._working[worker].remove(done)
            yield task, answer

    def _start_one(self) -> None:
        worker = self._start()
        self._starting[worker.ready.remote()] = worker

    def _welcome(self, reference) -> None:
        """Takes a process that is ready among those that work, or tries again."""
        worker = self._starting.pop(reference)
        try:
            self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self._failures += 1
            if self._failures >= FAILED_STARTS and not self._working:
                raise ValueError(f"cluster: no worker could be started: {_tell_cause(error)}") from None
            if self._failures < FAILED_STARTS:
                self._start_one()
            return
        self._failures = 0
        self._working[worker] = []

    def _count_gpus(self) -> float:
        if self.settings.gpus is not None:
            return self.settings.gpus
        return 1 if self._ray.cluster_resources().get("GPU", 0) >= 1 else 0

    def _count_room(self) -> int:
        """How many processes the machines of the cluster have room for."""
        room = 0
        for node in self._ray.nodes():
            if node["Alive"]:
                has = node["Resources"]
                by_gpus = int(has.get("GPU", 0) / self._gpus + 1e-9) if self._gpus else float("inf")
                room += int(min(has.get("CPU", 0) // self.settings.cores, by_gpus))
        return room


class _Worker:
    """The actor: a job that holds its classifier."""

    def __init__(self, held: list, folder: str, n_threads: int):
        with contextlib.suppress(OSError):  # paths as the user gave them
            os.chdir(folder)
        limit_threads(n_threads)
        recipe, make, payload = import_ray().get(held[0])
        self._job = make(recipe.build(), payload)

    def ready(self) -> None:
        """Answers once the classifier is there."""

    def work(self, task):
        """What the job makes of a task."""
        return self._job(task)


def limit_threads(n_threads: int) -> None:
    """Has TensorFlow, OpenCV and NumPy compute with so many threads; to be called before TensorFlow computes."""
    import cv2
    import threadpoolctl

    import utils

    keep_pages()
    utils.load_tensorflow(with_extras=False)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(n_threads)
    tf.config.threading.set_inter_op_parallelism_threads(n_threads)
    cv2.setNumThreads(n_threads)
    threadpoolctl.threadpool_limits(n_threads)


def import_ray():
    """The module; ValueError where it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ModuleNotFoundError:
        raise ValueError("--cluster is Ray's: pip install -r requirements-cluster.txt") from None
    return ray


def connect(settings: ClusterSettings) -> None:
    """Starts Ray on this machine, or joins the cluster; what is connected stays so. ValueError if there is none."""
    ray = import_ray()
    if ray.is_initialized():
        return
    variables = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": os.pathsep.join(dict.fromkeys(filter(None, sys.path)))}
    options = {"log_to_driver": False, "logging_level": "ERROR", "runtime_env": {"env_vars": variables}}
    try:
        if settings.address == LOCAL:
            ray.init(address=LOCAL, num_cpus=_count_cores(), include_dashboard=False, **options)
        else:
            ray.init(address=settings.address, **options)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        raise ValueError(f"--cluster={settings.address}: {_first_line(error)}") from None


def _count_cores() -> int:
    """The processors this process may use; where the system does not say, all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def make_recipe(classifier, options: dict) -> Recipe:
    """The recipe of a classifier that `load_classifier(**options)` gave, whatever became of its weights since."""
    ray = import_ray()
    get_weights = getattr(classifier.model, "get_weights", None)
    held = [ray.put(get_weights())] if get_weights is not None else None
    fetch = None if held is None else (lambda: import_ray().get(held[0]))
    return Recipe(options, classifier.fingerprint, classifier.level, fetch)


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _tell_cause(error: Exception) -> str:
    """The last line of what a process said when it could not be started: of a traceback, the error itself."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "Error" in line), lines[-1] if lines else type(error).__name__)
