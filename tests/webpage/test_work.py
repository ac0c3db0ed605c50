"""Work that is watched while it runs, and stopped."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from output.progress import Stopped
from webpage.work import Watch, WatchedPredictions, Work


def test_work_that_is_stopped_ends_at_its_next_report():
    reached, going_on = threading.Event(), threading.Event()

    def compute(watch):
        watch.begin("RISE", "a.png")
        reached.set()
        going_on.wait(10)
        watch.within(1, 4)
        raise AssertionError("it went on")

    with ThreadPoolExecutor(1) as executor:
        work = Work(executor, compute, {"RISE": 1})
        assert reached.wait(10) and not work.wait(0)
        work.stop()
        going_on.set()
        with pytest.raises(Stopped):
            work.future.result(10)
        assert work.wait(0)


def test_work_that_is_stopped_before_its_turn_is_never_begun():
    turn, begun = threading.Event(), []
    with ThreadPoolExecutor(1) as executor:
        first = Work(executor, lambda watch: turn.wait(10), {})
        second = Work(executor, lambda watch: begun.append(1), {})
        second.stop()
        turn.set()
        assert first.future.result(10) is True
        with pytest.raises(Stopped):
            second.future.result(10)
    assert begun == []


def test_a_watch_knows_its_share_and_the_seconds_left(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    watch = Watch({"RISE": 2})
    assert watch.seconds_left() is None and watch.share() == 0
    watch.begin("RISE", "a.png")
    clock[0] += 3
    watch.within(1, 4)
    assert watch.share() == pytest.approx(1 / 8)
    assert watch.seconds_left() == pytest.approx(12 * 2 - 3)  # 3 s for a quarter: 12 s each
    watch.end("RISE", "a.png", 12.0)
    watch.begin("RISE", "b.png")
    assert watch.share() == pytest.approx(1 / 2)
    assert watch.seconds_left() == pytest.approx(12)


def test_predictions_of_a_watched_classifier_are_the_same_and_can_be_stopped(planted_classifier, image):
    watch = Watch({"GRADCAM": 1})
    watch.begin("GRADCAM", "a.png")
    twin, batch = WatchedPredictions(planted_classifier, watch, 4), np.stack([image, image]).astype(np.float32)
    assert np.array_equal(twin.predict(batch), planted_classifier.predict(batch))
    twin.predict(batch)
    assert watch.share() == pytest.approx(2 / 4)  # of what was done before the last batch
    watch.stopped.set()
    with pytest.raises(Stopped):
        twin.predict(batch)
    assert planted_classifier.predict(batch).shape == (2, 3)
