"""Short timings of a model on this machine, kept in the user's cache so that the same command chooses alike.

A file per question, `<cache>/saliency_lab/timings/<checksum>.json`. A cache that cannot be read or written is none:
what is asked is measured anew.
"""

import contextlib
import hashlib
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from output.files import write_whole


def recall(key: dict, measure: Callable[[], dict[str, float]]) -> dict[str, float]:
    """What was measured for this key, plain values, on this machine; measured, and kept, if nothing was."""
    key = {**key, "machine": [platform.machine(), processor_name(), os.cpu_count()]}
    checksum = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    path = cache_folder() / f"{checksum}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {name: float(value) for name, value in kept["measured"].items()}
    measured = measure()
    text = json.dumps({"key": key, "measured": measured}, indent=1)
    with contextlib.suppress(OSError):
        write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))
    return measured


def compare(slow: Callable, quick: Callable, images: np.ndarray, rounds: int) -> float:
    """How many times as fast `quick` is, both given the images in turn; the shortest of `rounds` counts."""
    shortest = [np.inf, np.inf]
    for _ in range(rounds + 1):  # the first warms up
        for position, call in enumerate((slow, quick)):
            begin = time.perf_counter()
            call(images)
            shortest[position] = min(shortest[position], time.perf_counter() - begin)
    return shortest[0] / shortest[1]


def cache_folder() -> Path:
    """Where timings are kept: of XDG_CACHE_HOME, of Windows's local data, or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "saliency_lab" / "timings"


def processor_name() -> str:
    """The processor as Linux names it, '' elsewhere."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
