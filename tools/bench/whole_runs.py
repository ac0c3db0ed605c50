"""What whole runs cost: `main.py` as it is typed, in a process of its own, from 150 to 6,000 small images.

Images are 32 x 32, some of a folder with a little noise added to each, or patches of colour; the network is the
embedded one, or that of a file. Time is that of the processor, start-up included.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

import constants
import utils
from data.dataset import load_dataset
from output.files import figure_saver, write_whole
from tools.bench.clocks import peak_memory
from tools.bench.rows import Row, Table, shorten

ROOT = Path(__file__).parents[2]
SIDE = 32  # pixels of an image
SIZES = (150, 1500, 6000)
NOISE = 12  # grey levels of it
GLANCE = 0.02  # seconds between two looks for a figure


class Cost(NamedTuple):
    """Of a command: seconds of the processor and by the clock, MB of memory at most, files and bytes it left.

    first_figure: seconds by the clock until a figure was there; None without one.
    """

    processor: float
    clock: float
    memory: float
    files: int
    size: int
    first_figure: float | None = None


def make_images(folder: Path, n: int, source: str | None) -> None:
    """Writes n images in ten class folders, those of `source` in turn with noise of their own."""
    rng = np.random.default_rng(constants.SEED)
    if source is None:
        originals = [utils.resize_image(rng.integers(0, 256, (6, 6, 3), np.uint8), SIDE, SIDE) for _ in range(150)]
    else:
        originals = [utils.resize_image(sample.read(), SIDE, SIDE) for sample in load_dataset(source)]
    for number in range(n):
        image = originals[number % len(originals)].astype(int) + rng.integers(-NOISE, NOISE + 1, (SIDE, SIDE, 3))
        place = folder / f"class_{number % 10}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(place / f"{number:06d}.jpg", quality=90)


def run_main(folder: Path, *flags: str) -> Cost:
    """What `main.py` costs with these flags, its results in `folder`; RuntimeError if it fails."""
    command = [sys.executable, "main.py", f"--output_folder_path={folder}", *flags]
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said)
        first_figure, ended, memory = None, 0, 0.0
        while not ended:
            time.sleep(GLANCE)
            memory = np.fmax(memory, peak_memory(process.pid))  # NaN once it has ended
            if first_figure is None and any((folder / "figures").rglob("*.png")):  # they appear whole
                first_figure = time.perf_counter() - begin
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{' '.join(command)}: exit code {process.returncode}\n{said.read().decode()[-2000:]}")
    clock = time.perf_counter() - begin
    files = [path for path in folder.rglob("*") if path.is_file()]
    memory = float(memory) or usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    size = sum(path.stat().st_size for path in files)
    return Cost(usage.ru_utime + usage.ru_stime, clock, memory, len(files), size, first_figure)


def measure(sizes: Sequence[int], source: str | None, model_path: str | None) -> tuple[Table, dict[int, Cost]]:
    """The rows of this module, and number of images -> what a run over them costs.

    The goals are those of CIFAR's images and a network of their size: drawn ones, seen by the embedded network of four
    times the side, have none.
    """
    network = (
        f"--model_path={Path(model_path).resolve()}" if model_path else f"--model_name={constants.MODEL_NAME_DEMO}"
    )
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        run_main(place / "first")  # draws the data
        start = run_main(place / "again")
        costs = {}
        for n in sizes:
            make_images(place / f"images_{n}", n, source)
            flags = [network, f"--test_images_folder_path={place / f'images_{n}'}"]
            if n == sizes[0]:
                defaults = run_main(place / "defaults", *flags)
            costs[n] = run_main(place / f"results_{n}", *flags, "--faithfulness=none")
    goals = {SIZES[-1]: 30} if source else {}
    rows = [
        Row("no flags, data drawn before: by the clock, from start to first figure", (start.first_figure,), "s", 8),
        _row("the same, to its end", start, None),
        _row(f"{sizes[0]} images, Grad-CAM, defaults", defaults, 20 if source else None),
        *(
            _row(f"{n:,} images, Grad-CAM, --faithfulness=none, default figures", cost, goals.get(n))
            for n, cost in costs.items()
        ),
        *(
            row
            for n, cost in costs.items()
            for row in (
                Row(f"memory of {n:,} images", (cost.memory,), "MB"),
                Row(f"files of {n:,} images", (cost.files,), f"files, {shorten(cost.size / 1e6)} MB"),
            )
        ),
    ]
    shown = f"images like those of '{Path(source).name}'" if source else "drawn images"
    of_network = f"the network '{Path(model_path).name}'" if model_path else "the embedded network"
    return Table(f"Processor time with start-up; {shown} of {SIDE} x {SIDE}, {of_network}.", rows), costs


def _row(title: str, cost: Cost, target: float | None) -> Row:
    return Row(title, (cost.processor,), "s", target, f"{shorten(cost.clock)} s")


def draw_scaling(costs: dict[int, Cost], path: Path) -> Path:
    """The picture of what runs over more and more images cost: time, memory, files."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.8), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    numbers = list(costs)
    what = {
        "processor time, s": [cost.processor for cost in costs.values()],
        "memory, MB": [cost.memory for cost in costs.values()],
        "files": [cost.files for cost in costs.values()],
    }
    for axes, (name, values) in zip(figure.subplots(1, len(what)), what.items()):
        axes.plot(numbers, values, "o-", color="black")
        axes.set(xlabel="images", title=name, ylim=(0, 1.15 * max(values)), xlim=(-0.2 * max(numbers), None))
        for number, value in zip(numbers, values):  # above and to the left, where no rising line is
            axes.annotate(shorten(value), (number, value), (-2, 5), textcoords="offset points", ha="right")
        axes.spines[["top", "right"]].set_visible(False)
    return write_whole(path, figure_saver(figure))
