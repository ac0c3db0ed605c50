"""The fault harness: it finds the faults that are planted, and none in the first inputs it draws."""

import json
import os
import signal
import time
import zipfile

import h5py
import numpy as np
import pytest

from tools.faults import kills, mangle, trials
from tools.faults.faulty_models import Models
from tools.faults.faulty_sources import Sources
from tools.faults.faulty_tables import Gaze, Tables
from tools.faults.trials import ESCAPED, EXPLAINED, REFUSED, SECRET, FaultyInput, Kind, try_inputs


class Planted(Kind):
    """Inputs of a known end, by their number."""

    def make(self, rng, place):
        def refuse():
            from data.csv_tables import read_table

            read_table(place.inside / "none.csv", "planted")

        def write(path):
            path.write_text("x")
            return 0

        ways = [
            ("explained", lambda: 0),
            ("explained in part", lambda: print("none.csv: left out") or 1),
            ("refused", refuse),
            ("no space", lambda: fail(OSError(28, "No space left on device", "none.csv"))),
            ("refused without the file", lambda: fail(ValueError("it is damaged"))),
            ("refused in two lines", lambda: fail(ValueError("none.csv:\ndamaged"))),
            ("left out without a name", lambda: print("one left out") or 1),
            ("another code", lambda: 3),
            ("a KeyError", lambda: {}["x"]),
            ("a library's ValueError", lambda: json.loads("x")),
            ("an escape on the screen", lambda: print("\x1b[31mred") or 0),
            ("the canary", lambda: write(place.canary)),
            ("a file elsewhere", lambda: write(place.outside.parent / "elsewhere.txt")),
            ("the secret, read", lambda: 0 if SECRET in place.secret.read_text() else 1),
            ("the secret, read by no Python", lambda: h5py.h5f.is_hdf5(os.fsencode(place.secret)) and 0),
            ("another program", lambda: os.system("true")),
            ("a signal", lambda: os.kill(os.getpid(), signal.SIGKILL)),
            ("no end", lambda: time.sleep(60)),
            ("explained after these", lambda: 0),
        ]
        return FaultyInput(*ways[number_of(rng)], ["none.csv"])


def fail(error):
    raise error


def number_of(rng):
    """The number that an input's generator was made with."""
    return rng.bit_generator.seed_seq.entropy[-1]


WANTED = [EXPLAINED] * 2 + [REFUSED] * 2 + [ESCAPED] * 14 + [EXPLAINED]


def test_every_planted_fault_is_found_and_those_after_it_are_tried():
    outcomes = list(try_inputs(Planted(), range(len(WANTED)), seed=0, limit=4))
    assert [(outcome.what, outcome.result) for outcome in outcomes] == [
        (outcome.what, wanted) for outcome, wanted in zip(outcomes, WANTED, strict=True)
    ]
    assert "died with -9" in outcomes[16].said and "no end" in outcomes[17].said
    said = [outcomes[number].said for number in (4, 5, 6)]
    assert ["names no file" in said[0], "several lines" in said[1], "has no name" in said[2]] == [True] * 3


def test_an_input_has_the_longer_the_more_programs_wait_for_each_processor(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.3, 9, 9), raising=False)
    assert trials.find_limit() == trials.LIMIT
    monkeypatch.setattr(os, "getloadavg", lambda: (14, 0, 0))
    assert trials.find_limit() == 7 * trials.LIMIT


@pytest.mark.parametrize("kind, n", [(Tables, 60), (Gaze, 25), (Models, 10), (Sources, 25)])
def test_the_first_malformed_inputs_are_refused_or_explained(kind, n):
    outcomes = list(try_inputs(kind(), range(n), seed=0))
    assert len(outcomes) == n and [outcome for outcome in outcomes if outcome.result == ESCAPED] == []
    assert {outcome.result for outcome in outcomes} == {REFUSED, EXPLAINED}


def test_the_same_seed_draws_the_same():
    for spoil, sound in (
        (mangle.spoil_bytes, bytes(range(200))),
        (mangle.spoil_text, "a,b\n1,2\n"),
        (mangle.spoil_json, {"a": [1, {"b": 2}]}),
    ):
        drawn = [[spoil(np.random.default_rng(number), sound) for number in range(40)] for _ in range(2)]
        assert repr(drawn[0]) == repr(drawn[1])
        assert len({repr(content) for _, content in drawn[0]}) > 20


def test_a_command_that_is_killed_ends_as_one_that_is_not(tmp_path):
    [killed] = kills.try_kills(kills.CommandBench(tmp_path), ["demo"], n=2, seed=0)
    assert (killed.kills, killed.faults) == (2, []) and killed.files > 50


def test_files_are_compared_by_what_they_hold(tmp_path):
    for name in ("calm", "other"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "table.csv").write_text(f"image,seconds\na.png,{len(name)}\n")
        (folder / "run.json").write_text("{}")
        np.save(folder / "map.npy", np.arange(6.0))
        with h5py.File(folder / "weights.h5", "w") as file:
            file["layers/w"] = np.arange(3.0)
        with zipfile.ZipFile(folder / "m.keras", "w") as archive:
            archive.writestr("metadata.json", name)
            archive.writestr("model.weights.h5", (folder / "weights.h5").read_bytes())
        (folder / "weights.h5").unlink()
    calm, other = tmp_path / "calm", tmp_path / "other"
    assert kills.compare(calm, other) == []
    np.save(other / "map.npy", np.arange(6.0) + 1e-9)
    (other / "run.json").write_text("{ }")
    (other / ".partial_map.npy").touch()
    (other / "table.csv").unlink()
    with h5py.File(other / "weights.h5", "w") as file:
        file["layers/w"] = np.arange(3.0) + 1
    with zipfile.ZipFile(other / "m.keras", "w") as archive:
        archive.writestr("metadata.json", "x")
        archive.writestr("model.weights.h5", (other / "weights.h5").read_bytes())
    (other / "weights.h5").unlink()
    told = [line.split(":")[0] for line in kills.compare(calm, other)]
    assert told == [".partial_map.npy", "table.csv", "m.keras", "map.npy", "run.json"]
