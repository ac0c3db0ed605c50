"""A run by many processes has the files of one: the same function explains, in whatever process; a node may die."""

import io

import pytest
from planted import COLOURS, planted_model, write_squares

from data import dataset
from explainers.registry import METHODS
from network.model_files import load_classifier, save_model
from network.worker_pool import ClusterSettings, Lost
from output.progress import Progress
from pipeline import cluster
from pipeline.explain import Runner
from pipeline.gaze_truth import GazeTruth
from pipeline.large_results import open_results
from pipeline.records import Record
from pipeline.score import Scorer

CHOSEN = {METHODS["GRADCAM"]: {}, METHODS["RISE"]: {"n_masks": 20, "mask_size": 4}}


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """Thirty images, one of them damaged, each with a density map."""
    folder = tmp_path_factory.mktemp("data")
    write_squares(folder, 30)
    return dataset.load_dataset(folder / "images", folder / "gaze", class_names=COLOURS)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """What a classifier is loaded by in any process."""
    path = tmp_path_factory.mktemp("model") / "planted.keras"
    save_model(planted_model(), path, {"class_names": list(COLOURS), "preprocessing": "none"})
    return {"model_path": str(path)}


@pytest.fixture
def open_runner(model, tmp_path):
    """`open_runner(name)` -> a runner whose results lie in a folder of that name."""

    def open_one(name, samples, is_large=False, open_progress=lambda counts: Progress(counts, io.StringIO())):
        classifier, _ = load_classifier(**model)
        methods = {method.name: options for method, options in CHOSEN.items()}
        results = open_results(tmp_path / name, {"methods": methods}, {}, is_large=is_large)
        scorer = Scorer(classifier, GazeTruth(samples), faithfulness=("curves",))
        return Runner(classifier, results, scorer, open_progress=open_progress)

    return open_one


def files_of(runner):
    """Every file of a run by its name, but for times."""
    runner.results.rewrite_records()
    found = {}
    for record in runner.results.records.values():
        assert record.failed or record.seconds is not None
        record.seconds = None
    if not runner.results.keeps_small_maps:
        runner.results.rewrite_records()
    kinds = (".npy", ".csv", ".npz")
    for path in runner.results.folder.rglob("*"):
        if path.suffix in kinds and not (path.name == "records.csv" and runner.results.keeps_small_maps):
            found[str(path.relative_to(runner.results.folder))] = path.read_bytes()
    return found


class InProcess:
    """Stands for a `WorkerPool` of one worker, in this process; kills(task): whether the worker dies of it."""

    def __init__(self, kills=lambda task: False):
        self.kills = kills

    n_workers = 1

    def __call__(self, settings, recipe, make, payload, say):
        self.job = make(load_classifier(**recipe)[0], payload)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def run(self, tasks):
        for task in tasks:
            yield task, Lost("out of memory") if self.kills(task) else self.job(task)


@pytest.fixture
def in_process(monkeypatch):
    """Has workers of this process, of which one dies of the tasks that `kills` names."""

    def use(**options):
        monkeypatch.setattr(cluster, "connect", lambda settings: None)
        monkeypatch.setattr(cluster, "make_recipe", lambda classifier, options: options)
        monkeypatch.setattr(cluster, "WorkerPool", InProcess(**options))

    return use


@pytest.mark.parametrize("is_large", [False, True], ids=["files", "columns"])
def test_a_worker_does_what_the_runner_does(open_runner, in_process, samples, model, is_large):
    if is_large:
        pytest.importorskip("pyarrow")
    in_process()
    alone, shared = open_runner("alone", samples[:12], is_large), open_runner("shared", samples[:12], is_large)
    alone.run(samples[:12], CHOSEN)
    cluster.run_by_workers(shared, samples[:12], CHOSEN, ClusterSettings(), model)
    if is_large:  # groups are other ones
        for record in alone.results.records.values():
            if not record.failed:
                twin = shared.results.records[record.method, record.image]
                assert shared.results.read_map(twin).tobytes() == alone.results.read_map(record).tobytes()
    else:
        assert files_of(shared) == files_of(alone)
    assert not shared.progress.left.total(), "every image was counted"


def test_what_is_there_is_given_to_no_worker(open_runner, in_process, samples, model):
    in_process()
    runner = open_runner("run", samples)
    cluster.run_by_workers(runner, samples[:8], CHOSEN, ClusterSettings(), model)
    tasks = list(cluster.list_tasks(runner, samples[:24], CHOSEN))
    assert [len(task.samples) for task in tasks] == [8, 8] and tasks[0].samples == samples[8:16]
    assert all(not task.known for task in tasks)


def test_an_image_that_kills_every_worker_is_told_and_costs_no_other(open_runner, in_process, samples, model):
    deadly = samples[2].name
    in_process(kills=lambda task: deadly in [sample.name for sample in task.samples])
    runner = open_runner("run", samples)
    cluster.run_by_workers(runner, samples[:8], CHOSEN, ClusterSettings(), model)
    failed = {record.image: record.status for record in runner.results.records.values() if record.failed}
    assert failed == {deadly: "failed: every process that explained it died (out of memory)"}
    assert len(runner.results.records) == 16


def test_records_stand_in_the_order_of_one_process_whoever_was_first(open_runner, samples):
    runner = open_runner("alone", samples)
    runner.run(samples, CHOSEN)
    expected = list(runner.results.records)
    other = Record("RISE", "of another run.png", "s")
    mixed = dict(sorted(runner.results.records.items(), key=lambda item: item[1].checksum))
    mixed = {**mixed, ("RISE", other.image): other}
    assert list(mixed)[:-1] != expected
    assert list(cluster.order_records(mixed, samples, CHOSEN)) == [("RISE", other.image), *expected]


@pytest.mark.cluster
def test_a_node_that_is_killed_half_way_changes_no_bit(open_runner, samples, model):
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    mortal = nodes.add_node(num_cpus=1)
    killed = []

    class Killing(Progress):
        def end(self, *finished):
            super().end(*finished)
            if not killed and self.left.total() < self.total * 0.8:
                killed.append(mortal)
                nodes.remove_node(mortal, allow_graceful=False)

    try:
        alone = open_runner("alone", samples)
        shared = open_runner("shared", samples, open_progress=lambda counts: Killing(counts, io.StringIO()))
        alone.run(samples, CHOSEN)
        cluster.run_by_workers(shared, samples, CHOSEN, ClusterSettings(nodes.address), model)
        assert killed and files_of(shared) == files_of(alone)
    finally:
        ray.shutdown()
        nodes.shutdown()
