"""Work that is given to processes which may die: all of it is answered, once; no Ray is needed here."""

import collections
from types import SimpleNamespace

import numpy as np
import pytest
from planted import COLOURS, planted_model

from data.taxonomy import Level
from network import worker_pool
from network.model_files import load_classifier, save_model
from network.worker_pool import ClusterSettings, Lost, Recipe, WorkerPool


class DeathError(Exception):
    """Stands for RayError."""


class TaskError(DeathError):
    """Stands for RayTaskError."""

    def __init__(self, cause):
        super().__init__(str(cause))
        self.cause = cause


class FakeRay:
    """Ray in one thread: a call is made when it is waited for. job(worker, task) answers, or raises what it may."""

    exceptions = SimpleNamespace(RayError=DeathError, RayTaskError=TaskError)

    def __init__(self, job, n_cpus=2, n_gpus=0, start=lambda worker: None):
        self.job, self.start, self.killed, self.started = job, start, [], 0
        self.resources = {"CPU": n_cpus, "GPU": n_gpus}
        self.asked, self.options, self.silences = {}, {}, 0

    def put(self, value):
        return value

    def remote(self, cls):
        fake = self

        class Handle:
            def __init__(self):
                fake.started += 1
                self.number, self.is_dead = fake.started, False
                self.ready = SimpleNamespace(remote=lambda: fake.ask(self, fake.start, self))
                self.work = SimpleNamespace(remote=lambda task: fake.ask(self, fake.job, self, task))

        def options(**kwargs):
            fake.options = kwargs
            return SimpleNamespace(remote=lambda *args: Handle())

        return SimpleNamespace(options=options)

    def ask(self, worker, function, *args):
        reference = object()
        self.asked[reference] = worker, function, args
        return reference

    def wait(self, references, num_returns, timeout):
        if self.silences:
            self.silences -= 1
            return [], references
        # Ready processes first, then the work of the one that was asked first.
        order = sorted(references, key=list(self.asked).index)
        return order[:1], order[1:]

    def get(self, reference):
        worker, function, args = self.asked[reference]
        if worker.is_dead:
            raise DeathError("it is dead")
        try:
            return function(*args)
        except DeathError as error:
            worker.is_dead = not isinstance(error, TaskError)
            raise

    def kill(self, worker):
        worker.is_dead = True
        self.killed.append(worker.number)

    def cluster_resources(self):
        return self.resources

    def nodes(self):
        return [{"Alive": True, "Resources": self.resources}, {"Alive": False, "Resources": {"CPU": 64}}]


@pytest.fixture
def pool(monkeypatch):
    """`pool(job, ...)` -> the pool over a fake Ray."""

    def make(job, settings=ClusterSettings(), **options):  # noqa: B008 it cannot be changed
        ray = FakeRay(job, **options)
        monkeypatch.setattr(worker_pool, "import_ray", lambda: ray)
        monkeypatch.setattr(worker_pool, "connect", lambda settings: None)
        said = []
        made = WorkerPool(settings, None, None, None, said.append)
        made.fake, made.said = ray, said
        return made

    return make


def test_every_task_is_answered_once_by_as_many_processes_as_there_is_room_for(pool):
    seen = collections.Counter()

    def square(worker, task):
        seen[worker.number] += 1
        return task**2

    with pool(square, n_cpus=3) as one:
        assert dict(one.run(range(10))) == {task: task**2 for task in range(10)}
        assert one.fake.started == 3 and len(seen) == 3
    assert sorted(one.fake.killed) == [1, 2, 3], "no process is left behind"


def test_tasks_are_taken_as_they_are_needed(pool):
    taken = []

    def tasks():
        for task in range(100):
            taken.append(task)
            yield task

    with pool(lambda worker, task: task, n_cpus=2) as one:
        answers = one.run(tasks())
        next(answers)
        assert len(taken) <= 2 * worker_pool.TASKS_HELD + 1
        assert len(list(answers)) == 99


def test_a_process_that_dies_costs_its_work_alone(pool):
    died = []

    def job(worker, task):
        if task == 4 and not died:
            died.append(worker.number)
            raise DeathError("the node died")
        return -task

    with pool(job) as one:
        answers = list(one.run(range(9)))
    assert sorted(answers) == [(task, -task) for task in range(9)]
    assert one.fake.started == 3, "another takes its place"
    assert one.said == ["a worker died (the node died); its work is given to another"]


def test_work_that_kills_every_process_is_given_back(pool):
    def job(worker, task):
        if task == 2:
            raise DeathError("out of memory")
        return task

    with pool(job) as one:
        answers = dict(one.run(range(6)))
    assert answers.pop(2) == Lost("out of memory") and answers == {task: task for task in (0, 1, 3, 4, 5)}
    assert one.fake.started == 2 + worker_pool.MAX_DEATHS


def test_a_cluster_without_room_is_waited_for_and_said(pool):
    with pool(lambda worker, task: task) as one:
        one.fake.silences = 1
        assert len(list(one.run(range(3)))) == 3
    assert len(one.said) == 1 and "has no room yet" in one.said[0]


def test_a_fault_of_the_job_is_raised_here(pool):
    def job(worker, task):
        raise TaskError(ValueError("no such class"))

    with pool(job) as one, pytest.raises(ValueError, match="no such class"):
        list(one.run(range(3)))


def test_processes_that_cannot_be_started_are_told(pool):
    def start(worker):
        raise DeathError("Traceback\n  in model_files\nValueError: there is no file 'model.keras'\n")

    with pool(None, start=start) as one, pytest.raises(ValueError, match="could be started: .*no file 'model.keras'"):
        list(one.run(range(3)))


@pytest.mark.parametrize(
    "settings, resources, workers, share",
    [
        (ClusterSettings(), {"n_cpus": 8}, 8, (1, 0)),
        (ClusterSettings(cores=3), {"n_cpus": 8}, 2, (3, 0)),
        (ClusterSettings(workers=1), {"n_cpus": 8}, 1, (1, 0)),
        (ClusterSettings(), {"n_cpus": 8, "n_gpus": 4}, 4, (1, 1)),
        (ClusterSettings(gpus=0.5), {"n_cpus": 8, "n_gpus": 2}, 4, (1, 0.5)),
        (ClusterSettings(gpus=0), {"n_cpus": 8, "n_gpus": 2}, 8, (1, 0)),
    ],
)
def test_each_process_has_its_share(pool, settings, resources, workers, share):
    one = pool(None, settings, **resources)
    assert one.n_workers == one.fake.started == workers
    assert (one.fake.options["num_cpus"], one.fake.options["num_gpus"]) == share


def test_a_share_that_no_machine_has_is_refused(pool):
    with pytest.raises(ValueError, match="no machine of it has room for a process of 4 cores: ask for fewer"):
        pool(None, ClusterSettings(cores=4), n_cpus=2)


def test_without_ray_the_flag_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ValueError, match="pip install -r requirements-cluster.txt"):
        worker_pool.import_ray()


# --- the classifier in another process ------------------------------------------------------------------------------
@pytest.fixture
def saved(tmp_path):
    """What a classifier is loaded by, and the one that it gives."""
    path = tmp_path / "planted.keras"
    save_model(planted_model(), path, {"class_names": list(COLOURS), "preprocessing": "none"})
    options = {"model_path": str(path)}
    return options, load_classifier(**options)[0]


def test_a_process_has_the_classifier_of_the_file_with_the_weights_and_the_level_of_now(saved, image):
    options, classifier = saved
    weights = [2 * weight for weight in classifier.model.get_weights()]
    classifier.model.set_weights(weights)
    level = Level("warmth", ["warm", "cold"], np.array([0, 0, 1], np.int32))
    changed = classifier.rebuilt().at_level(level)
    built = Recipe(options, changed.fingerprint, level, lambda: weights).build()
    assert built.class_names == ["warm", "cold"] and built.fingerprint == changed.fingerprint
    np.testing.assert_array_equal(built.predict(image[None]), changed.predict(image[None]))


def test_a_process_that_has_other_weights_explains_nothing(saved):
    options, _ = saved
    with pytest.raises(ValueError, match="other weights here than where the run was started"):
        Recipe(options, "00000000").build()
