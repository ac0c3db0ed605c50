"""What judging costs beside the forward passes: the metrics of a map, and the tables of a large run.

    python -m tools.bench_metrics [--rounds 20]

Printed are the median and the quartiles of the processor seconds of one thread, beside the target: other programs do
not count, though they slow it by emptying its cache. Maps are smooth noise, records random numbers: that does not
change what is computed.
"""

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

import constants
import evaluate
import utils
from explainers.registry import METHODS
from metrics import catalogue
from metrics.baselines import centre_gaussian
from pipeline.records import Record
from pipeline.summary import list_differences, summarise

SIDE = 224  # pixels of a map
N_FIXATIONS = 140  # of 15 observers, as in OSIE
N_IMAGES, N_METHODS = 1000, 10
TARGETS = {"all metrics of one map": 0.004, "tables of 1,000 images and 10 methods": 20.0}


def draw_gaze(rng: np.random.Generator) -> dict[str, tuple[type, list]]:
    """Of each gaze metric of one map, by its name: the kind of its judge, and what else it is given."""
    elsewhere = rng.uniform(0, SIDE, (10 * N_FIXATIONS, 2))
    further = {"sauc": [elsewhere], "information_gain": [centre_gaussian(SIDE, SIDE)]}
    kinds = {catalogue.DENSITY: evaluate.DensityMetrics, catalogue.POINTS: evaluate.FixationMetrics}
    return {
        name: (judge, further.get(name, [])) for kind, judge in kinds.items() for name in catalogue.names_against(kind)
    }


def measure(asked: dict, truths: dict, saliency_map: np.ndarray) -> None:
    """Has one map judged by these metrics, as a run does it: what they share is computed once."""
    judges = {judge: judge(truth, saliency_map) for judge, truth in truths.items()}
    for name, (judge, further) in asked.items():
        getattr(judges[judge], name)(*further)


def draw_records(rng: np.random.Generator) -> list[Record]:
    """The records of a large run, each with a value of every metric."""
    return [
        Record(method, f"{image}.png", str(image), **dict(zip(catalogue.METRICS, rng.random(len(catalogue.METRICS)))))
        for method in list(METHODS)[:N_METHODS]
        for image in range(N_IMAGES)
    ]


def time_rounds(call: Callable, rounds: int) -> np.ndarray:
    """The quartiles (3,) of the processor seconds of a call."""
    call()
    taken = []
    for _ in range(rounds):
        begin = time.process_time()
        call()
        taken.append(time.process_time() - begin)
    return np.percentile(taken, (25, 50, 75))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    threadpool_limits(1)  # matrices this small gain nothing by threads, whose waiting would be counted
    np.ones((1900, 1900))  # 29 MB, freed at once: a run has read photographs, and its allocator has memory at hand
    rng = np.random.default_rng(constants.SEED)
    saliency_map, density_map = (utils.resize_map(rng.random((14, 14)), SIDE, SIDE) for _ in range(2))
    points = rng.uniform(0, SIDE, (N_FIXATIONS, 2))
    truths = {evaluate.DensityMetrics: density_map, evaluate.FixationMetrics: points}
    gaze, records = draw_gaze(rng), draw_records(rng)
    for name, asked in gaze.items():
        taken = time_rounds(lambda name=name, asked=asked: measure({name: asked}, truths, saliency_map), rounds)
        print(f"{catalogue.METRICS[name].heading:>40}: {1000 * taken[1]:.2f} ms alone")
    calls = [lambda: measure(gaze, truths, saliency_map), lambda: [summarise(records), list_differences(records)]]
    missed = 0
    for (title, target), call, times in zip(TARGETS.items(), calls, (rounds, 3)):
        low, median, high = time_rounds(call, times)
        missed += median > target
        print(f"{title:>40}: {median:.4f} s ({low:.4f} to {high:.4f}), target {target:g} s")
    sys.exit(int(missed > 0))


if __name__ == "__main__":
    main()
