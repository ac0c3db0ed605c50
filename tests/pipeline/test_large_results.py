"""A large run: columns and groups of maps in the place of rows and files, with the same records, maps and tables."""

import csv
import io
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from planted import COLOURS, write_squares

pytest.importorskip("pyarrow")

from data import dataset  # noqa: E402
from explainers.registry import METHODS  # noqa: E402
from output.progress import Progress  # noqa: E402
from pipeline import large_results  # noqa: E402
from pipeline.explain import Runner  # noqa: E402
from pipeline.gaze_truth import GazeTruth  # noqa: E402
from pipeline.large_results import open_results, open_run_folder  # noqa: E402
from pipeline.records import Record  # noqa: E402
from pipeline.score import Scorer  # noqa: E402
from pipeline.summary import list_tables  # noqa: E402

CHOSEN = {METHODS["GRADCAM"]: {}, METHODS["OCCLUSION"]: {}}
TIMES = ("seconds",)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """Eleven images, one of them damaged, each with a density map."""
    folder = tmp_path_factory.mktemp("data")
    write_squares(folder, 11, damaged=10)
    return dataset.load_dataset(folder / "images", folder / "gaze", class_names=COLOURS)


@pytest.fixture
def examine(planted_classifier, tmp_path, monkeypatch):
    """`examine(samples, name)` -> the results in a folder of that name."""
    monkeypatch.setattr(large_results, "GROUP", 4)

    def run(samples, name="columns", is_large=True, faithfulness=("curves",)):
        settings = {"methods": {method.name: {} for method in CHOSEN}}
        results = open_results(tmp_path / name, settings, {}, is_large=is_large)
        scorer = Scorer(planted_classifier, GazeTruth(samples), faithfulness=faithfulness)
        counted = []
        progress = lambda counts: counted.append(counts) or Progress(counts, io.StringIO())  # noqa: E731
        Runner(planted_classifier, results, scorer, open_progress=progress).run(samples, CHOSEN)
        results.rewrite_records()
        results.counted = counted[-1]
        return results

    return run


def comparable(record):
    return {name: value for name, value in vars(record).items() if name not in (*TIMES, "map_file")}


def test_the_same_records_maps_curves_and_tables_as_in_files(examine, samples):
    files, columns = examine(samples, "files", is_large=False), examine(samples)
    assert list(map(comparable, files.read_records().values())) == list(map(comparable, columns.records.values()))
    for key, record in files.records.items():
        if not record.failed:
            ours = columns.records[key]
            assert columns.read_map(ours).tobytes() == files.read_map(record).tobytes()
            for one, other in zip(files.read_curves(record), columns.read_curves(ours)):
                np.testing.assert_allclose(one, other, atol=1e-6)
    for (name, one), other in zip(list_tables(files.columns()).items(), list_tables(columns.columns()).values()):
        for row, twin in zip(one, other, strict=True):
            same = {key: value for key, value in row.items() if not key.startswith(TIMES)}
            assert same == {key: value for key, value in twin.items() if not key.startswith(TIMES)}, name
    [one, other] = ([comparable(record) for record in run.list_troubled()] for run in (files, columns))
    assert one == other and {record["image"] for record in one} == {"green/10.png"}
    with (columns.folder / "records.csv").open(newline="") as file, (files.folder / "records.csv").open() as twin:
        assert len(list(csv.reader(file))) == len(list(csv.reader(twin))) == 23
        assert file.seek(0) == twin.seek(0) and file.readline().strip() == twin.readline().strip()


def test_a_map_of_a_layer_is_small_and_groups_hold_several(examine, samples):
    results = examine(samples)
    paths = sorted((results.folder / "maps" / "GRADCAM").rglob("*.npz"))
    assert sum(len(np.load(path)["maps"]) for path in paths) == 10 and len(paths) < 5
    assert all(np.load(path)["maps"].shape[1:] == (8, 8) for path in paths)
    assert not list(results.folder.rglob("*.npy"))


def test_a_run_goes_on_and_makes_again_only_what_is_missing(examine, samples):
    before = {record.image: record.seconds for record in examine(samples[:6]).records.values()}
    results = examine(samples)
    after = {record.image: record.seconds for record in results.records.values()}
    assert all(after[image] == seconds for image, seconds in before.items())
    assert len(results.records) == 22 and results.counted["GRADCAM"] == 5
    lost = next(record for record in results.records.values() if record.method == "GRADCAM" and not record.failed)
    (results.folder / "maps" / "GRADCAM" / lost.map_file).unlink()
    again = examine(samples)
    assert all(again.has_map(record) for record in again.records.values() if not record.failed)


def test_another_metric_is_added_to_maps_that_stay(examine, samples):
    plain = examine(samples[:3], faithfulness=())
    maps = {key: plain.read_map(record) for key, record in plain.records.items()}
    files = {path.name for path in plain.folder.rglob("*.npz")}
    curved = examine(samples[:3])
    assert all(record.insertion_auc is not None for record in curved.records.values())
    for key, record in curved.records.items():
        assert curved.read_map(record).tobytes() == maps[key].tobytes()
        assert len(curved.read_curves(record)) == 3
        assert record.seconds == plain.records[key].seconds
    kept = {path.name for path in curved.folder.rglob("*.npz") if np.load(path)["maps"].shape[1] == 8}
    assert kept <= files, "a map of a layer stays in its own resolution"


def test_another_gaze_is_forgotten_and_maps_stay(examine, samples):
    results = examine(samples[:3])
    results.accept_gaze("one")
    results.accept_gaze("another")
    assert all(record.pcc is None and record.insertion_auc is not None for record in results.records.values())
    assert all(results.has_map(record) for record in results.records.values())


def test_overwriting_removes_what_the_run_wrote_and_nothing_else(examine, samples, tmp_path):
    results = examine(samples[:3])
    for name in ("mine.txt", "maps/GRADCAM/mine.npy", "figures/GRADCAM/mine_overlay.png"):
        (results.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (results.folder / name).write_text("mine")
    drawn = results.folder / "figures" / "GRADCAM" / f"{samples[0].stem}_isolines_superimposed.png"
    drawn.write_text("ours")
    results._opened.close()
    again = open_results(results.folder, {"methods": {"FEM": {}}}, {}, overwrite=True, is_large=False)
    left = {str(path.relative_to(again.folder)) for path in again.folder.rglob("*") if path.is_file()}
    mine = {"mine.txt", "maps/GRADCAM/mine.npy", "figures/GRADCAM/mine_overlay.png"}
    assert left == {".lock", "run.json", "records.csv", *mine}
    assert not isinstance(again, large_results.LargeResults)


def test_a_folder_keeps_the_form_of_its_first_run(examine, samples, tmp_path):
    examine(samples[:1], "small", is_large=False)
    assert not examine(samples[:2], "small", is_large=True).keeps_small_maps
    examine(samples[:1], "large")
    assert examine(samples[:2], "large", is_large=False).keeps_small_maps
    assert open_run_folder(tmp_path / "large").keeps_small_maps


def test_records_without_a_run_json_are_refused(examine, samples, tmp_path):
    examine(samples[:1])
    shutil.copytree(tmp_path / "columns" / "records", tmp_path / "stray" / "records")
    with pytest.raises(ValueError, match="no run.json"):
        open_results(tmp_path / "stray", {"methods": {}}, {}, is_large=True)


def test_many_records_are_no_csv(tmp_path, monkeypatch):
    monkeypatch.setattr(large_results, "CSV_ROWS", 2)
    results = open_results(tmp_path / "run", {"methods": {"FEM": {}}}, {}, is_large=True)
    for number in range(3):
        results.add(Record("FEM", f"{number}.png", str(number)))
        results.rewrite_records()
        assert (results.folder / "records.csv").is_file() == (number < 2)
    sample = SimpleNamespace(name="1.png", stem="1", checksum="")
    assert results.find("FEM", sample) is None, "it has no map"
