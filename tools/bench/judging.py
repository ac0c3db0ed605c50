"""What judging costs beside the forward passes: the metrics of a map, and the tables of a large run.

Processor seconds of one thread: matrices this small gain nothing by threads, whose waiting would be counted. Maps are
smooth noise, records random numbers: that does not change what is computed.
"""

import tempfile
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import constants
import evaluate
import utils
from explainers.registry import METHODS
from metrics import catalogue
from metrics.baselines import centre_gaussian
from output.memory import keep_pages
from pipeline.records import Record
from pipeline.summary import list_differences, summarise
from tools.bench.clocks import in_a_process_of_its_own, peak_memory, processor_quartiles, quartiles, take
from tools.bench.rows import Row, Table

LARGE = (3000, 4000)  # height, width of a photograph of 12 megapixels
SIDE = 224  # pixels of a map
N_FIXATIONS = 140  # of 15 observers, as in OSIE
N_IMAGES, N_METHODS = 1000, 10


def draw_gaze(rng: np.random.Generator) -> dict[str, tuple[type, list]]:
    """Of each gaze metric of one map, by its name: the kind of its judge, and what else it is given."""
    elsewhere = rng.uniform(0, SIDE, (10 * N_FIXATIONS, 2))
    further = {"sauc": [elsewhere], "information_gain": [centre_gaussian(SIDE, SIDE)]}
    kinds = {catalogue.DENSITY: evaluate.DensityMetrics, catalogue.POINTS: evaluate.FixationMetrics}
    return {
        name: (judge, further.get(name, [])) for kind, judge in kinds.items() for name in catalogue.names_against(kind)
    }


def judge(asked: dict, truths: dict, saliency_map: np.ndarray) -> None:
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


def measure(rounds: int) -> Table:
    """The rows of this module."""
    with threadpool_limits(1):
        np.ones((1900, 1900))  # 29 MB, freed at once: a run has read photographs, and its allocator has memory at hand
        rng = np.random.default_rng(constants.SEED)
        truths, saliency_map = draw_truths(rng, (SIDE, SIDE))
        gaze, records = draw_gaze(rng), draw_records(rng)
        judge(gaze, truths, saliency_map)
        small = processor_quartiles(lambda: judge(gaze, truths, saliency_map), 10 * rounds)
        single = [
            Row(f"{catalogue.METRICS[name].heading}, alone", _in_ms(asked, truths, saliency_map, name, rounds), "ms")
            for name, asked in gaze.items()
        ]
        tables = processor_quartiles(lambda: [summarise(records), list_differences(records)], rounds)
    with tempfile.TemporaryDirectory() as folder:
        in_a_process_of_its_own(write_large, Path(folder))
        by_clock, large, above = in_a_process_of_its_own(measure_large, Path(folder), rounds)
    rows = [
        Row("all map metrics at 224 x 224", tuple(1000 * one for one in small), "ms", 4),
        *single,
        Row("gaze metrics of one 12-megapixel photograph: by the clock, as many threads as a run", by_clock, "s", 0.3),
        Row("the same, of the processor", large, "s"),
        Row("memory they take besides the maps", (above,), "MB", 100),
        Row("intervals and all tests of 1,000 images, 10 methods", tables, "s", 20),
    ]
    return Table(f"Processor time of one thread where nothing else is said, {rounds} rounds.", rows)


def _in_ms(asked: tuple, truths: dict, saliency_map: np.ndarray, name: str, rounds: int) -> tuple[float, ...]:
    taken = processor_quartiles(lambda: judge({name: asked}, truths, saliency_map), rounds)
    return tuple(1000 * one for one in taken)


def draw_truths(rng: np.random.Generator, size: tuple[int, int]) -> tuple[dict[type, np.ndarray], np.ndarray]:
    """What people looked at by the kind of its judge, a density map and points, and a saliency map of that size."""
    saliency_map, density_map = (utils.resize_map(rng.random((14, 14)), *size) for _ in range(2))
    points = rng.uniform(0, 1, (N_FIXATIONS, 2)) * size[::-1]
    return {evaluate.DensityMetrics: density_map, evaluate.FixationMetrics: points}, saliency_map


def write_large(folder: Path) -> None:
    """Writes the maps of a large photograph, whose making takes more memory than they."""
    truths, saliency_map = draw_truths(np.random.default_rng(constants.SEED), LARGE)
    np.save(folder / "density_map.npy", truths[evaluate.DensityMetrics])
    np.save(folder / "points.npy", truths[evaluate.FixationMetrics])
    np.save(folder / "saliency_map.npy", saliency_map)
    np.save(folder / "centre.npy", centre_gaussian(*LARGE))


def measure_large(folder: Path, rounds: int) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """The quartiles of the seconds of all gaze metrics of a large photograph, by the clock and of the processor, and
    the MB that they take besides its maps; for a process of its own."""
    keep_pages()  # as commands do
    with threadpool_limits(1):  # of the libraries; the metrics have their own
        rng = np.random.default_rng(constants.SEED)
        gaze = draw_gaze(rng)
        read = {path.stem: np.load(path) for path in folder.glob("*.npy")}
        truths = {evaluate.DensityMetrics: read["density_map"], evaluate.FixationMetrics: read["points"]}
        saliency_map = read["saliency_map"]
        gaze["information_gain"] = gaze["information_gain"][0], [read["centre"]]
        small, small_map = draw_truths(rng, (SIDE, SIDE))
        judge({name: gaze[name] for name in gaze if name != "information_gain"}, small, small_map)  # libraries
        before = peak_memory()
        taken = [take(lambda: judge(gaze, truths, saliency_map)) for _ in range(rounds)]
        by_clock, of_processor = (quartiles(seconds) for seconds in zip(*taken))
        return by_clock, of_processor, peak_memory() - before
