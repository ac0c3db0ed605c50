"""The figures of the benchmark are ratios of what they say they are; the clocks are made up, nothing is timed."""

import re
import sys

import numpy as np
import pytest

import constants
import evaluate
from explainers.registry import METHODS, Method
from tools import bench


class Clock:
    """A made-up clock; `take(seconds)` is what working for so long looks like."""

    def __init__(self):
        self.now = 0.0

    def take(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(bench.time, "perf_counter", lambda: clock.now)
    return clock


@pytest.fixture
def fake_bench(monkeypatch):
    """`bench.main` on a Bench whose seconds per unit are given: F is `forward`, a method `factor` times that."""

    def run(capsys, factors, forward=(0.01,), memory=None, rounds=4):
        class Fake:
            def __init__(self, model_name):
                self.calls = 0

            def time_forward(self):
                self.calls += 1
                return forward[self.calls % len(forward)]

            def time(self, timing):
                return float(next(seconds[timing.title]))

        seconds = {  # 99: the warm-up
            timing.title: iter([99.0, *np.multiply(factors.get(timing.title, [1.0] * rounds), np.mean(forward))])
            for timing in bench.TIMINGS
        }
        monkeypatch.setattr(bench, "Bench", Fake)
        monkeypatch.setattr(bench, "measure_memory", lambda _: memory or {200: 10.0, 800: 10.0})
        monkeypatch.setattr(bench.sys, "argv", ["bench.py", f"--rounds={rounds}"])
        bench.main()
        return capsys.readouterr().out

    return run


def line_of(text, name):
    [line] = [line for line in text.splitlines() if line.startswith(f"{name}  ")]
    return line


def test_printed_are_median_and_quartiles_of_the_ratios_without_the_warm_up(fake_bench, capsys):
    text = fake_bench(capsys, {"Grad-CAM": [1.0, 1.04, 1.06, 3.0], "insertion": [2.0] * 4})
    assert re.search(r"1\.05 F \(1\.03 to 1\.5\d\) per image +target 1\.10: met", line_of(text, "Grad-CAM"))
    assert re.search(r"2\.00 F \(2\.00 to 2\.00\) per scored image +target 1\.00: missed", line_of(text, "insertion"))
    assert "F = 10.0 ms per image, 4 rounds" in text


def test_a_method_is_compared_with_the_forward_passes_right_before_and_after_it(fake_bench, capsys):
    # Whether the machine is fast or slow in between, the mean of the neighbours is the yardstick.
    text = fake_bench(capsys, {"FEM": [1.0] * 4}, forward=(0.01, 0.03))
    assert "1.00 F (1.00 to 1.00)" in line_of(text, "FEM")


def test_memory_is_met_below_400_mb(fake_bench, capsys):
    text = fake_bench(capsys, {}, memory={200: 399.0, 800: 401.0})
    assert line_of(text, "RISE, peak memory with 200 masks").endswith("399 MB above F, target 400: met")
    assert line_of(text, "RISE, peak memory with 800 masks").endswith("401 MB above F, target 400: missed")


def test_where_the_system_does_not_tell_its_memory_nothing_is_claimed(fake_bench, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    assert np.isnan(bench.peak_memory())
    text = fake_bench(capsys, {}, memory={200: bench.peak_memory()})
    assert line_of(text, "RISE, peak memory with 200 masks").endswith("not measured on this system")


def test_memory_is_what_comes_on_top_of_the_forward_pass(monkeypatch):
    peaks = iter([500.0, 620.0, 640.0])
    monkeypatch.setattr(bench, "peak_memory", lambda: next(peaks))
    masks = []

    class Fake:
        def time_forward(self):
            assert not masks, "F is measured first"

        def time(self, timing):
            masks.append(timing.options["n_masks"])

    assert bench.measure_memory(Fake()) == {200: 120.0, 800: 140.0}
    assert masks == [200, 800]


def test_seconds_are_those_of_the_call(clock):
    assert bench.seconds(lambda: clock.take(2.5)) == 2.5


def test_time_that_is_not_the_methods_own_is_counted_apart_even_when_it_fails(clock):
    class Owner:
        def work(self, seconds):
            clock.take(seconds)
            if seconds > 5:
                raise ValueError
            return "done"

    counted = []
    with bench.uncounted(Owner, "work", counted):
        assert Owner().work(2) == "done"
        with pytest.raises(ValueError):
            Owner().work(7)
    assert counted == [2, 7]
    Owner().work(1)
    assert counted == [2, 7]


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

    one = object.__new__(bench.Bench)
    one.classifier = one.images = one.tensor = one.half = None
    one.scene = np.zeros((20, 30, 3), np.float32)
    monkeypatch.setattr(Method, "load", lambda self: Slow)
    monkeypatch.setattr(bench.pkgutil, "resolve_name", lambda name: {"helper": Helper}[name])
    return one


def test_seconds_are_per_image_of_the_batch_and_per_mask_of_the_scene(one):
    assert one.time(bench.Timing("", "GRADCAM", "image", 1)) == 96 / bench.BATCH
    assert one.time(bench.Timing("", "INTEGRATED_GRADIENTS", "step", 1, units=2)) == 96 / (2 * bench.BATCH)
    assert one.time(bench.Timing("", "RISE", "mask", 1, units=48, batch=False)) == 96 / 48


def test_what_is_not_the_methods_own_is_taken_off(one):
    assert one.time(bench.Timing("", "LIME", "sample", 1, 6, batch=False, besides=(("helper", "assist"),))) == 60 / 6


def test_seconds_of_insertion_are_per_scored_image(one, clock):
    one.classifier = type("Classifier", (), {"predict": None})
    assert one.time_fidelity(lambda *args: clock.take(42)) == 42 / 21, "one row's worth a step, and the start"


def test_f_is_per_image_of_the_batch(one, clock):
    class Output:
        def numpy(self):
            clock.take(64)

    one.plain = lambda images: Output()
    assert one.time_forward() == 64 / bench.BATCH


def test_what_is_timed_is_there():
    for timing in bench.TIMINGS:
        known = timing.method in (*METHODS, *constants.VISUALIZATION_METHODS, bench.DISSECTION, bench.TOGETHER)
        assert known or callable(getattr(evaluate, timing.method))


def test_every_method_of_the_family_shares_gradcams_pass():
    from gradcam import GradCAM

    shared = [name for name in METHODS if issubclass(METHODS[name].load(), GradCAM) and METHODS[name].load().uses_layer]
    assert {*bench.FAMILY} == {*shared, "FEM"}
