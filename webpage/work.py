"""Work that goes on behind the page: it can be watched while it runs, and stopped.

A computation is given a `Watch` in the place of a run's `Progress`. What reports its forward passes there ends with
`Stopped` at its next report: the work itself ends, not only the waiting for it.
"""

import io
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, wait
from typing import TYPE_CHECKING

import numpy as np

from output.progress import Progress, Stopped

if TYPE_CHECKING:
    from network.classifier import Classifier


RATE_OVER = 10  # answers, over which their rate is measured
PAUSE = 5.0  # seconds without an answer, after which it is measured anew


class Watch(Progress):
    """The progress of a computation, read from another thread instead of written on a screen.

    counts: as for `Progress`, what is to be done and how often.
    """

    def __init__(self, counts: dict[str, int]):
        super().__init__(counts, io.StringIO())
        self.stopped = threading.Event()
        self.step, self.fraction, self.n_predicted = "", 0.0, 0

    def check(self) -> None:
        """Raises `Stopped` once the visitor has pressed stop, asked something else, or left."""
        if self.stopped.is_set():
            raise Stopped

    def begin(self, method: str, image: str) -> None:
        """A step is begun."""
        self.check()
        self.step, self.fraction, self.n_predicted = method, 0.0, 0
        super().begin(method, image)

    def within(self, done: int, total: int) -> None:
        """So many of the forward passes of this step are done."""
        self.check()
        self.fraction = done / total

    def seconds_left(self) -> float | None:
        """Seconds until all steps are done; None before anything is known."""
        if not self.step:
            return None
        left = self.time_left(self.fraction, time.monotonic() - self._since)
        return None if left is None else max(left, 0.0)

    def share(self) -> float:
        """How much of all steps is done, 0-1."""
        return min((self.total - self.left.total() + self.fraction) / max(self.total, 1), 1.0)


class Work:
    """`compute(watch)`, run by an executor.

    Its result, or the exception that ended it, is that of `future`.
    """

    def __init__(self, executor: Executor, compute: Callable[[Watch], object], counts: dict[str, int]):
        self.watch = Watch(counts)
        self.future = executor.submit(self._run, compute)

    def _run(self, compute: Callable[[Watch], object]) -> object:
        self.watch.check()  # it may have been stopped while it waited for its turn
        return compute(self.watch)

    def stop(self) -> None:
        """Ends the work at its next report."""
        self.watch.stopped.set()

    def wait(self, seconds: float) -> bool:
        """Whether the work has ended, after so many seconds at most."""
        return bool(wait([self.future], timeout=seconds).done)


class WatchedPredictions:
    """What a metric asks of a classifier - `predict`, `batch_size`, `mean_colour` - reported to a watch.

    total: how many images a step asks about, of which each prediction is a part.
    """

    def __init__(self, classifier: "Classifier", watch: Watch, total: int):
        self.classifier, self.watch, self.total = classifier, watch, total
        self.batch_size = classifier.batch_size

    @property
    def mean_colour(self) -> tuple[float, float, float]:
        """`Classifier.mean_colour`."""
        return self.classifier.mean_colour

    def predict(self, images: np.ndarray) -> np.ndarray:
        """`Classifier.predict`; raises `Stopped` once the work is to stop."""
        self.watch.within(min(self.watch.n_predicted, self.total), self.total)
        self.watch.n_predicted += len(images)
        return self.classifier.predict(images)


class Rate:
    """How many answers there are a second."""

    def __init__(self):
        self._times = deque(maxlen=RATE_OVER + 1)

    def count(self, now: float | None = None) -> float | None:
        """Answers a second with the one that is given now; None for the first. now: in seconds."""
        now = time.monotonic() if now is None else now
        if self._times and now - self._times[-1] > PAUSE:
            self._times.clear()
        self._times.append(now)
        span = now - self._times[0]
        return (len(self._times) - 1) / span if span > 0 else None
