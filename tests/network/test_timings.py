"""Timings are kept in the user's cache, and measured anew where they cannot be."""

import time

import numpy as np
import pytest

from network import timings


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "saliency_lab" / "timings"


def test_what_was_measured_is_kept_by_its_key(cache):
    answers = iter([{"a": 1.5}, {"a": 9.0}])
    measured = [timings.recall({"model": name}, lambda: next(answers)) for name in ("x", "x", "y", "x")]
    assert measured == [{"a": 1.5}, {"a": 1.5}, {"a": 9.0}, {"a": 1.5}]
    assert len(list(cache.glob("*.json"))) == 2


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"measured": {"a": "fast"}}', "\x00"])
def test_a_damaged_file_is_measured_anew(cache, text):
    timings.recall({}, lambda: {"a": 1.0})
    [path] = cache.glob("*.json")
    path.write_text(text)
    assert timings.recall({}, lambda: {"a": 2.0}) == {"a": 2.0}
    assert timings.recall({}, lambda: {"a": 3.0}) == {"a": 2.0}


def test_a_cache_that_cannot_be_written_costs_the_timing_alone(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert timings.recall({}, lambda: {"a": 1.0}) == {"a": 1.0}


def test_the_quicker_of_two_is_told_by_how_much_whatever_else_slows_one_round():
    calls = []

    def slow(images):
        time.sleep(0.04)

    def quick(images):
        calls.append(images)
        time.sleep(0.01 if len(calls) > 1 else 0.2)

    assert 2 < timings.compare(slow, quick, np.zeros(1), rounds=3) < 6
