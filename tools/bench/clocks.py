"""How time and memory are taken: by the clock, by the processor, in a process of one's own."""

import contextlib
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np


class Taken(NamedTuple):
    """What something took: seconds by the clock, and of the processor, those of all threads added."""

    clock: float
    processor: float

    def __sub__(self, other: "Taken") -> "Taken":
        return Taken(self.clock - other.clock, self.processor - other.processor)

    def __truediv__(self, n: float) -> "Taken":
        return Taken(self.clock / n, self.processor / n)


def now() -> Taken:
    """Both clocks as they stand."""
    return Taken(time.perf_counter(), time.process_time())


def take(call: Callable) -> Taken:
    """What the call takes."""
    begin = now()
    call()
    return now() - begin


def quartiles(values) -> tuple[float, float, float]:
    """The lower quartile, the median and the upper quartile."""
    return tuple(np.percentile(values, (25, 50, 75)).tolist())


def processor_quartiles(call: Callable, rounds: int) -> tuple[float, float, float]:
    """The quartiles of the processor seconds of a call, made so many times."""
    return quartiles([take(call).processor for _ in range(rounds)])


@contextlib.contextmanager
def uncounted(owner, name: str, spent: list[Taken]) -> Iterator[None]:
    """Within it, what `owner.name` takes is added to the list."""
    original = getattr(owner, name)

    def timed(*args, **kwargs):
        begin = now()
        try:
            return original(*args, **kwargs)
        finally:
            spent.append(now() - begin)

    with mock.patch.object(owner, name, timed):
        yield


def peak_memory(process: int | str = "self") -> float:
    """The most memory a process, this one or that of a number, has held so far, in MB; NaN where the system does not
    tell: on macOS of another process, on Windows of any."""
    with contextlib.suppress(OSError):  # what Linux counts for wait4 begins with what its parent held
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        return next((int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM")), float("nan"))
    if process != "self" or sys.platform == "win32":
        return float("nan")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def in_a_process_of_its_own(function: Callable, *args):
    """What the function gives, called where nothing has been allocated or loaded yet."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as fresh:
        return fresh.submit(function, *args).result()


def describe_machine() -> str:
    """Processor, cores, how busy it is, and the versions that matter."""
    from importlib.metadata import version

    names = [platform.processor() or platform.machine()]
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")] or names
    cores = os.cpu_count()
    with contextlib.suppress(AttributeError, OSError):
        cores = f"{cores} cores, {os.getloadavg()[0]:.1f} programs at work on them"
    versions = ", ".join(f"{name} {version(name.lower())}" for name in ("TensorFlow", "Keras", "NumPy"))
    return f"{names[0]}, {cores}; {versions}"
