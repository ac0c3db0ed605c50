"""How long the tables of a large run take, and in how much memory: synthetic records of any number of images.

    python -m tools.bench_records --images=1000000 --methods=3 --folder=/tmp/records

writes the columns of a run (a third of the metrics measured, some rows failed or undefined), then, in a process of its
own, makes its tables as `main.py` does, and says seconds, the largest memory and the size on the disk.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

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


def summarise_records(folder: Path) -> None:
    """Writes the tables of the records in a folder, and says what that cost."""
    from pipeline import summary
    from pipeline.large_results import LargeFolder

    begin = time.perf_counter()
    columns = LargeFolder(folder).columns()
    print(f"{len(columns):,} records read after {time.perf_counter() - begin:.1f} s")
    tables = summary.list_tables(columns)
    print(f"{', '.join(tables)} made after {time.perf_counter() - begin:.1f} s")
    print(summary.describe_records(columns, len(columns.image.names), tables["summary"], tables["differences"]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\n{time.perf_counter() - begin:.1f} s in all, {time.process_time():.1f} s of a processor, {peak:.2f} GB")


def main() -> int:
    """Exit code 0."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench_records", description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--methods", type=int, default=3)
    parser.add_argument("--folder", type=Path, required=True, help="is made, and must not be there")
    parser.add_argument("--only_summary", action="store_true", help="of a folder that is there")
    args = parser.parse_args()
    if args.only_summary:
        summarise_records(args.folder)
        return 0
    args.folder.mkdir(parents=True)
    begin = time.perf_counter()
    size = write_records(args.folder, args.images, args.methods)
    seconds = time.perf_counter() - begin
    print(
        f"{args.images:,} images x {args.methods} methods written in {seconds:.1f} s: {size / 1e6:.0f} MB", flush=True
    )
    command = [sys.executable, "-m", "tools.bench_records", f"--folder={args.folder}", "--only_summary"]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
