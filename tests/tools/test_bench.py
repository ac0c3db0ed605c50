"""The figures of the benchmark are ratios of what they say they are; the clocks are made up, nothing is timed."""

import sys
from pathlib import Path

import numpy as np
import pytest

import constants
import evaluate
from explainers.registry import METHODS, Method
from tools.bench import __main__ as command
from tools.bench import clocks, drawn_pages, judging, many_records, methods, peers, whole_runs
from tools.bench.clocks import Taken
from tools.bench.rows import Row, Table, shorten, write_tables


class Clock:
    """A made-up clock; `take(seconds)` is what working for so long looks like, on two cores at a time."""

    def __init__(self):
        self.now = 0.0

    def take(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(clocks.time, "perf_counter", lambda: clock.now)
    monkeypatch.setattr(clocks.time, "process_time", lambda: 2 * clock.now)
    return clock


@pytest.fixture
def measured(monkeypatch):
    """The rows of titles on a Bench whose F is given, and ours and the peers' times are so many times its mean."""

    def run(factors, forward=((0.01, 0.02),), rivals=None, failing=()):
        class Fake:
            classifier = type("Classifier", (), {"model_name": "MobileNetV2"})

            def __init__(self):
                self.calls = 0

            def time_forward(self):
                self.calls += 1
                return Taken(*forward[self.calls % len(forward)])

            def time(self, timing):
                return next(times[timing.title])

            def time_peer(self, timing, name):
                if name in failing:
                    raise AttributeError("gone since Keras 2")
                return next(times[timing.title, name])

        mean = np.mean(forward, axis=0)
        given = {**factors, **(rivals or {})}
        times = {key: iter([Taken(99, 99), *(Taken(*(f * mean)) for f in of)]) for key, of in given.items()}
        monkeypatch.setattr(peers, "list_installed", lambda title: [name for of, name in rivals or {} if of == title])
        rounds = len(next(iter(factors.values())))
        return methods.measure(Fake(), rounds, list(factors))

    return run


def test_a_row_is_median_and_quartiles_of_the_ratios_without_the_warm_up(measured):
    table = measured({"Grad-CAM": [1.0, 1.04, 1.06, 3.0], "insertion": [2.0] * 4})
    [first, second] = table.rows
    assert first.title == "Grad-CAM" and first.measured == pytest.approx((1.03, 1.05, 1.545))
    assert (first.verdict, second.verdict) == ("met", "missed") and second.measured == pytest.approx((2, 2, 2))
    assert first.value == "1.05 (1.03 to 1.54) F per image" and second.unit == "F per scored image"
    assert "F = 20.0 ms of processor time an image, 10.0 ms by the clock; 4 rounds" in table.head


def test_a_method_is_compared_with_the_forward_passes_right_before_and_after_it(measured):
    # Whether the machine is fast or slow in between, the mean of the neighbours is the yardstick.
    [row] = measured({"FEM": [1.0] * 4}, forward=((0.01, 0.02), (0.03, 0.06))).rows
    assert row.measured == pytest.approx((1, 1, 1)) and row.clock == "1.00 F"


def test_peers_stand_beside_ours_and_one_that_fails_says_so_and_stops_nothing(measured):
    rivals = {("Grad-CAM", "xplique"): [3.0, 4.0, 5.0], ("Grad-CAM", "tf-explain"): [1.0] * 3}
    [row, other] = measured({"Grad-CAM": [1.0] * 3, "FEM": [1.0] * 3}, rivals=rivals, failing=["tf-explain"]).rows
    assert row.peers == {"xplique": "4.00 F", "tf-explain": "fails (AttributeError)"}
    assert row.middle == pytest.approx(1) and other.peers == {}


def test_engines_that_are_not_installed_have_no_row(measured, monkeypatch):
    monkeypatch.setattr("network.engines.find_missing", lambda engine: engine == "openvino")
    assert [row.title for row in measured({"RISE": [1.0], "RISE, openvino": [1.0]}).rows] == ["RISE"]


def test_memory_is_what_comes_on_top_of_the_forward_pass(monkeypatch):
    peaks, masks = iter([500.0, 620.0, 940.0]), []
    monkeypatch.setattr(methods, "peak_memory", lambda: next(peaks))

    class Fake:
        def time_forward(self):
            assert not masks, "F is measured first"

        def time(self, timing):
            masks.append(timing.options["n_masks"])

    rows = methods.measure_memory(Fake())
    assert [row.middle for row in rows] == [120.0, 440.0] and masks == [200, 800]
    assert [row.verdict for row in rows] == ["met", "missed"]


def test_where_the_system_does_not_tell_its_memory_nothing_is_claimed(monkeypatch):
    monkeypatch.setattr(clocks, "Path", lambda path: Path("/no such place"))
    monkeypatch.setattr(sys, "platform", "win32")
    row = Row("memory", (clocks.peak_memory(),), "MB", 400)
    assert (row.value, row.verdict) == ("not told by this system", "")


def test_time_that_is_not_the_methods_own_is_counted_apart_even_when_it_fails(clock):
    class Owner:
        def work(self, seconds):
            clock.take(seconds)
            if seconds > 5:
                raise ValueError
            return "done"

    counted = []
    with clocks.uncounted(Owner, "work", counted):
        assert Owner().work(2) == "done"
        with pytest.raises(ValueError):
            Owner().work(7)
    assert counted == [(2, 4), (7, 14)]
    Owner().work(1)
    assert len(counted) == 2


@pytest.fixture
def one(monkeypatch, clock):
    """A Bench without its network, whose explanations take 96 seconds each, 36 of them in `Helper.assist`."""

    class Helper:
        @staticmethod
        def assist():
            clock.take(36)

    class Slow:
        def __init__(self, classifier, model_name, img_array, class_index, **options):
            pass

        def compute_saliency_map(self):
            clock.take(60)
            Helper.assist()

    one = object.__new__(methods.Bench)
    one.classifier = one.images = one.tensor = None
    one.peers, one.scene = {}, np.zeros((20, 30, 3), np.float32)
    monkeypatch.setattr(Method, "load", lambda self: Slow)
    monkeypatch.setattr(methods.pkgutil, "resolve_name", lambda name: {"helper": Helper}[name])
    return one


def test_seconds_are_per_image_of_the_batch_and_per_mask_of_the_scene(one):
    timing = methods.Timing
    assert one.time(timing("", "GRADCAM", "image", 1)) == (96 / methods.BATCH, 192 / methods.BATCH)
    assert one.time(timing("", "INTEGRATED_GRADIENTS", "step", 1, units=2)).clock == 96 / (2 * methods.BATCH)
    assert one.time(timing("", "RISE", "mask", 1, units=48, batch=False)).clock == 96 / 48


def test_what_is_not_the_methods_own_is_taken_off(one):
    timing = methods.Timing("", "LIME", "sample", 1, 6, batch=False, besides=(("helper", "assist"),))
    assert one.time(timing) == (60 / 6, 120 / 6)


def test_a_peer_is_made_once_and_timed_per_unit_like_ours(one, clock, monkeypatch):
    made = []

    def make(bench):
        made.append(bench)
        return lambda: clock.take(48), ()

    monkeypatch.setitem(peers.PEERS, "T", {"other": make})
    timing = methods.Timing("T", "RISE", "mask", 1, units=48, batch=False)
    assert [one.time_peer(timing, "other").clock for _ in range(2)] == [1, 1] and made == [one]
    metric = methods.Timing("T", "insertion", "scored image", 1)
    assert one.time_peer(metric, "other").clock == 48 / 21, "of a metric as many images as ours scores"


def test_seconds_of_insertion_are_per_scored_image(one, clock):
    one.classifier = type("Classifier", (), {"predict": None})
    assert one.time_faithfulness(lambda *args: clock.take(42)).clock == 42 / 21, "one row's worth a step, and the start"


def test_f_is_per_image_of_the_batch(one, clock):
    class Output:
        def numpy(self):
            clock.take(64)

    one.plain = lambda images: Output()
    assert one.time_forward() == (64 / methods.BATCH, 128 / methods.BATCH)


def test_what_is_timed_is_there():
    titles = [timing.title for timing in methods.TIMINGS]
    assert len(set(titles)) == len(titles) and set(peers.PEERS) <= set(titles)
    for timing in methods.TIMINGS:
        known = timing.method in (*METHODS, *constants.VISUALIZATION_METHODS, *methods.OTHERS)
        assert known or callable(getattr(evaluate, timing.method))


def test_peers_make_as_many_masks_and_steps_as_ours():
    assert peers.N_SAMPLES == methods.N_SAMPLES
    for timing in methods.TIMINGS:
        if timing.title in ("integrated gradients", "SmoothGrad"):
            assert timing.units == peers.N_STEPS
        if timing.title == "occlusion":
            assert timing.options["patch"] == timing.options["stride"] == peers.PATCH


def test_every_method_of_the_family_shares_gradcams_pass():
    from gradcam import GradCAM

    shared = [name for name in METHODS if issubclass(METHODS[name].load(), GradCAM) and METHODS[name].load().uses_layer]
    assert {*methods.FAMILY} == {*shared, "FEM"}


# --- how figures are shown -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (0.001, "0.001"), (0.0426, "0.043"), (0.9, "0.90"), (12.345, "12.35"), (1618, "1,618")],
)
def test_a_number_is_shortened_to_what_is_read(number, text):
    assert shorten(number) == text


def test_a_table_has_the_columns_that_a_row_fills_and_says_what_is_met(tmp_path):
    table = Table(
        "On this machine.", [Row("a", (1.0, 2.0, 4.0), "s", 3.0), Row("b", (5.0,), "MB", 4.0, peers={"x": "6 MB"})]
    )
    page = tmp_path / "page.md"
    page.write_text("<!-- bench: one -->\n<!-- /bench -->\n")
    assert write_tables(page, {"one": table}).read_text().splitlines() == [
        "<!-- bench: one -->",
        "On this machine.",
        "",
        "|  | measured | target | peers |",
        "| --- | --- | --- | --- |",
        "| a | 2.00 (1.00 to 4.00) s | 3.00: met |  |",
        "| b | 5.00 MB | 4.00: missed | x 6 MB |",
        "<!-- /bench -->",
    ]


def test_a_row_measured_alone_takes_the_place_of_its_own_and_leaves_the_others(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- bench: one -->\n<!-- /bench -->\n")
    first = [Row("a", (1.0,), "s", 3.0), Row("b, c", (5.0, 6.0, 7.0), "MB", clock="7 MB", peers={"x": "6 MB"})]
    write_tables(page, {"one": Table("On Monday.", first)})
    before = page.read_text().splitlines()
    write_tables(page, {"one": Table("On Tuesday.", [Row("a", (9.0,), "s", 3.0), Row("d", (1.0,))])}, keeps_rows=True)
    after = page.read_text().splitlines()
    assert after[1] == "On Tuesday." and after[5] == "| a | 9.00 s |  | 3.00: missed |  |"
    assert after[6] == before[6] and after[7].startswith("| d | 1.00 |")


def test_a_page_keeps_all_but_what_stands_between_the_markers_of_a_table(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# P\n<!-- bench: one -->\nold\n<!-- /bench -->\nprose\n<!-- bench: two -->\nkept\n<!-- /bench -->\n"
    )
    write_tables(page, {"one": Table("new", [])})
    text = page.read_text()
    assert "old" not in text and "<!-- bench: one -->\nnew\n" in text
    assert text.endswith("<!-- /bench -->\nprose\n<!-- bench: two -->\nkept\n<!-- /bench -->\n")
    with pytest.raises(ValueError, match="has no '<!-- bench: three -->'"):
        write_tables(page, {"three": Table("new", [])})


def test_the_page_of_speed_has_a_place_for_every_subject():
    text = command.PAGE.read_text(encoding="utf-8")
    assert all(f"<!-- bench: {subject} -->" in text for subject in command.SUBJECTS)


def test_one_command_measures_every_subject_and_writes_the_page(monkeypatch, capsys):
    written, asked = {}, []

    def measured(name, *found):
        asked.append(name)
        table = Table(name, [Row(f"a row of {name}", (1.0,), "s", 2.0)])
        return (table, *found) if found else table

    monkeypatch.setattr(methods, "Bench", lambda name: name)
    monkeypatch.setattr(methods, "measure", lambda bench, rounds, titles: measured(f"{bench} {rounds} {len(titles)}"))
    for module, name in ((judging, "judging"), (drawn_pages, "figures"), (many_records, "records")):
        monkeypatch.setattr(module, "measure", lambda *args, name=name: measured(name))
    monkeypatch.setattr(whole_runs, "measure", lambda *args: measured("runs", {}))
    monkeypatch.setattr(whole_runs, "draw_scaling", lambda costs, path: written.update(plot=path))
    monkeypatch.setattr(command, "write_tables", lambda page, tables, keeps_rows: written.update(tables))
    monkeypatch.setattr(sys, "argv", ["bench", "--quick"])
    assert command.main() == 0
    assert asked == [f"MobileNetV2 2 {len(methods.TIMINGS)}", "judging", "figures", "runs", "records"]
    assert [*written] == ["plot", *command.SUBJECTS] and "a row of records" in capsys.readouterr().out

    written.clear()
    monkeypatch.setattr(sys, "argv", ["bench", "--only", "RISE", "--rounds=3"])
    command.main()
    assert asked[-1] == "ResNet 3 1" and [*written] == ["methods"]


# --- the subjects, on little ---------------------------------------------------------------------------------
def test_records_are_written_and_summarised(tmp_path):
    pytest.importorskip("pyarrow")
    assert many_records.write_records(tmp_path, 60, 2) > 0
    taken, memory = many_records.summarise_records(tmp_path)
    assert taken.clock > 0 and memory > 0


def test_images_of_a_scaling_run_are_all_different_and_like_those_of_a_folder(tmp_path):
    from data.dataset import load_dataset

    whole_runs.make_images(tmp_path / "drawn", 25, None)
    first = load_dataset(tmp_path / "drawn")
    assert len(first) == 25 and len({sample.checksum for sample in first}) == 25
    assert {sample.read().shape for sample in first} == {(whole_runs.SIDE, whole_runs.SIDE, 3)}
    whole_runs.make_images(tmp_path / "noisy", 25, tmp_path / "drawn")
    again = load_dataset(tmp_path / "noisy")[0]
    original = load_dataset(tmp_path / "drawn")[0].read().astype(int)
    assert 0 < np.abs(again.read() - original).mean() < whole_runs.NOISE


def test_the_picture_of_scaling_is_drawn(tmp_path):
    costs = {150: whole_runs.Cost(5.0, 6.0, 800.0, 160, 10**6), 1500: whole_runs.Cost(9.0, 10.0, 810.0, 1510, 10**7)}
    assert whole_runs.draw_scaling(costs, tmp_path / "scaling.png").stat().st_size > 1000


def test_gaze_metrics_of_a_map_are_all_asked_for():
    rng = np.random.default_rng(0)
    truths, saliency_map = judging.draw_truths(rng, (64, 96))
    gaze = {name: asked for name, asked in judging.draw_gaze(rng).items() if name != "information_gain"}
    judging.judge(gaze, truths, saliency_map)
    assert truths[evaluate.FixationMetrics].max(axis=0) == pytest.approx((96, 64), rel=0.1)


def test_runs_over_images_name_their_network(monkeypatch):
    flags = []
    cost = whole_runs.Cost(1.0, 1.0, 1.0, 1, 1, 1.0)
    monkeypatch.setattr(whole_runs, "run_main", lambda folder, *given: flags.append(given) or cost)
    whole_runs.measure((3,), None, None)
    assert [f"--model_name={constants.MODEL_NAME_DEMO}" in given for given in flags] == [False, False, True, True]
    whole_runs.measure((3,), None, "own.keras")
    assert flags[-1][0].startswith("--model_path=") and flags[-1][0].endswith("own.keras")
