"""What a page of figures costs: six small photographs, six of 12 megapixels, and the page drawn again unchanged.

Everything a page does is in it: maps, curves and photographs are read from files, the page is drawn and written as PNG.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

import constants
import utils
from data.dataset import Sample
from explainers.registry import METHODS
from pipeline import run_figures
from pipeline.records import Record
from pipeline.results import Results
from pipeline.settings import FigureSettings
from tools.bench.clocks import in_a_process_of_its_own, peak_memory, processor_quartiles
from tools.bench.rows import Row, Table

N_IMAGES = constants.ROWS_PER_PAGE
SMALL, LARGE = (600, 800), (3000, 4000)  # height, width of the photographs
MEGABYTES = 200  # of the large page
MODEL = {"model_name": "MobileNetV2", "layer": "out_relu"}


def open_run(folder: Path, n: int) -> tuple[Results, list[Sample]]:
    """The results of a run on n photographs with their density maps, and its samples."""
    samples = []
    for number in range(n):
        path = folder / f"photograph_{number}.jpg"
        samples.append(Sample(path.name, path.stem, path, "Colonial", 0, folder / f"density_{number}.png"))
    return Results(folder / "run", {"methods": {}}, {}), samples


def make_run(folder: Path, size: tuple[int, int], n: int) -> None:
    """Writes the photographs, their density maps and the results of a run on them."""
    folder.mkdir()
    rng, (results, samples) = np.random.default_rng(constants.SEED), open_run(folder, n)
    for sample in samples:
        path, density_path = sample.path, sample.density_map_path
        scene = utils.resize_image(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8), *size)
        Image.fromarray(scene).save(path, quality=90)
        density_map = utils.resize_map(rng.random((7, 7)), *size)
        Image.fromarray(np.rint(255 * density_map).astype(np.uint8)).save(density_path)
        names = [(name, 0.5 / (place + 1)) for place, name in enumerate(("Colonial", "Modern", "Prehispanic"))]
        known = {"label": "Colonial", "class_name": "Colonial", "probability": 0.5, "top_classes": names}
        areas = {"pcc": 0.3, "sim": 0.4, "insertion_auc": 0.7, "deletion_auc": 0.2}
        fractions = np.linspace(0, 1, 225)
        curves = np.stack([fractions, fractions**0.5, (1 - fractions) ** 3], axis=1)
        record = Record("GRADCAM", sample.name, sample.stem, sample.checksum, **known, **areas)
        results.add(record, utils.resize_map(rng.random((7, 7)), 224, 224), curves)


def draw(results: Results, samples: Sequence[Sample], again: bool = False) -> None:
    """Writes the page of these samples; again: only if it would differ from the one that is there."""
    if not again:
        results.figures_path.unlink(missing_ok=True)
    methods, wanted = [METHODS["GRADCAM"]], FigureSettings(None)
    drawing = run_figures.Drawing(results, samples, methods, "grid", run_figures.Style(), MODEL, wanted)
    run_figures.write_run_figures(drawing)


def measure_memory(small: Path, large: Path, n: int) -> float:
    """MB that the page of `large` takes above what this process held with that of `small`; for a process of its own."""
    draw(*open_run(small, n))
    before = peak_memory()
    draw(*open_run(large, n))
    return peak_memory() - before


def measure(rounds: int) -> Table:
    """The rows of this module."""
    with tempfile.TemporaryDirectory() as folder:
        folders = Path(folder) / "small", Path(folder) / "large"
        for place, size in zip(folders, (SMALL, LARGE)):
            in_a_process_of_its_own(make_run, place, size, N_IMAGES)
        above = in_a_process_of_its_own(measure_memory, *folders, N_IMAGES)
        small, large = (open_run(place, N_IMAGES) for place in folders)
        draw(*small)  # fonts are found, libraries loaded
        calls = (lambda: draw(*small), lambda: draw(*large), lambda: draw(*small, again=True))
        first, second, again = (processor_quartiles(call, rounds) for call in calls)
    rows = [
        Row("page of six photographs", first, "s", 0.5),
        Row("page of six of 12 megapixels", second, "s", 1),
        Row("memory of that page", (above,), "MB", MEGABYTES),
        Row("a page that is there already", again, "s", 0.02),
    ]
    return Table(f"Processor time, {rounds} rounds.", rows)
