"""The tables of very many images: synthetic records, written as a large run has them, and summarised as `main.py` does.

A third of the metrics are measured, some rows are failed or undefined. The tables are made in a process of their own:
its seconds, its largest memory.
"""

import tempfile
from pathlib import Path

import numpy as np

from tools.bench.clocks import Taken, in_a_process_of_its_own, now, peak_memory
from tools.bench.rows import Row, Table, shorten

MEASURED = ("pcc", "sim", "nss", "insertion_auc", "deletion_auc", "road", "seconds", "passes")
IMAGES_PER_PART = 20_000
N_CLASSES = 1000


def write_records(folder: Path, n_images: int, n_methods: int) -> int:
    """Bytes of the columns of synthetic records, once they are written."""
    import pyarrow

    from explainers.registry import METHODS
    from output.columns import ColumnTable
    from pipeline.records import KINDS

    table, rng = ColumnTable(folder / "records", KINDS, ("method", "image")), np.random.default_rng(0)
    names = list(METHODS)[:n_methods]
    for first in range(0, n_images, IMAGES_PER_PART):
        numbers = np.arange(first, min(n_images, first + IMAGES_PER_PART))
        images = [f"n{number % N_CLASSES:08d}/{number:08d}.jpg" for number in numbers]
        difficulty = rng.normal(size=len(numbers))
        for place, name in enumerate(names):
            n = len(numbers)
            is_failed = rng.random(n) < 0.001
            columns = {column: [None] * n if kind != "text" else [""] * n for column, kind in KINDS.items()}
            columns |= {
                "method": [name] * n,
                "image": images,
                "stem": [image.replace("/", "_")[:-4] for image in images],
                "checksum": [f"{number:08x}" for number in rng.integers(2**32, size=n)],
                "label": [image.split("/")[0] for image in images],
                "status": np.where(is_failed, "failed: damaged", "ok").tolist(),
                "undefined": np.where(rng.random(n) < 0.01, '{"nss": "no fixation"}', "{}").tolist(),
                "remarks": ["{}"] * n,
                "top_classes": ['[["tench", 0.5], ["eel", 0.25]]'] * n,
                "probability": rng.random(n),
                "class_index": numbers % N_CLASSES,
            }
            for column in MEASURED:
                values = 0.5 + 0.1 * difficulty + 0.01 * place + 0.1 * rng.normal(size=n)
                columns[column] = np.where(is_failed, np.nan, values)
            table.write_columns(pyarrow.table(columns))
    return sum(path.stat().st_size for path in (folder / "records").iterdir())


def summarise_records(folder: Path) -> tuple[Taken, float]:
    """What the tables of the records in a folder take, and the most memory in GB; for a process of its own."""
    from pipeline import summary
    from pipeline.large_results import LargeFolder

    begin = now()
    columns = LargeFolder(folder).columns()
    tables = summary.list_tables(columns)
    summary.describe_records(columns, len(columns.image.names), tables["summary"], tables["differences"])
    return now() - begin, peak_memory() / 1e3


def measure(n_images: int, n_methods: int = 3) -> Table:
    """The rows of this module."""
    with tempfile.TemporaryDirectory() as folder:
        size = in_a_process_of_its_own(write_records, Path(folder), n_images, n_methods)
        taken, memory = in_a_process_of_its_own(summarise_records, Path(folder))
    rows = [
        Row("summarised, also by 1,000 classes, and tested", (taken.processor,), "s", 120, f"{shorten(taken.clock)} s"),
        Row("memory", (memory,), "GB", 2),
        Row("on disk", (size / 1e6,), "MB"),
    ]
    return Table(f"Synthetic records of {n_images:,} images x {n_methods} methods, processor time.", rows)
