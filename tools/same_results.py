"""Are the results of two states of this project the same, bit for bit? Run it around every rebuilding.

    git worktree add ../before HEAD                 # the state to keep
    python -m tools.same_results ../before .        # runs the commands below in each, compares what they wrote

Every command is run on the embedded data in both checkouts, its files in a temporary folder. Maps are compared by their
bits, pictures by their pixels, tables cell by cell but for `seconds`. Files of one side alone are named. A folder that
holds the results of an earlier call (`--keep`) is not computed again. Exit code: 0 when all is the same, else 1.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

FEW = "--rise_n_masks=64 --lime_num_samples=64 --kernel_shap_num_samples=64 --smoothgrad_n_samples=4 --scorecam_max_n=8"
COMMANDS = {
    "main": f"main.py --explanation_method=ALL --limit=3 --baselines --faithfulness=ALL --report {FEW}",
    "top": "main.py --limit=2 --top_k=3 --display_type=singles --class_index=predicted",
    "compare": "compare.py --explanation_method=GRADCAM,FEM,LIME --lime_num_samples=64 --limit=4",
    "gaze": "gaze.py --limit=8",
    "sanity": "sanity.py --explanation_method=GRADCAM,GUIDED_BACKPROP --limit=2 --n_stages=2",
    "hierarchy": "hierarchy.py --limit=3 --taxonomy={taxonomy}",
    "activations": "activations.py --limit=6",
    "dissection": "network_dissection.py --limit=12",
    "visualization": "feature_visualization.py --class_index=0 --n_steps=6 --visualization_method=FOURIER",
}
TAXONOMY = "leaf,age\nColonial,old\nPrehispanic,old\nModern,new\n"
SUFFIXES = (".npy", ".npz", ".csv", ".png")


def run(checkout: Path, name: str, folder: Path) -> None:
    """Runs a command of COMMANDS in the checkout, its files going to the folder; RuntimeError if it fails."""
    if (folder / "done").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    taxonomy = folder.with_name("taxonomy.csv")
    taxonomy.write_text(TAXONOMY)
    words = COMMANDS[name].format(taxonomy=taxonomy.resolve()).split()
    command = [sys.executable, *words, f"--output_folder_path={folder.resolve()}", "--overwrite"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name} in {checkout} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    (folder / "screen.txt").write_text(done.stdout, encoding="utf-8")
    (folder / "done").touch()


def differ(old: Path, new: Path) -> str:
    """In words, how two files differ; '' if they hold the same."""
    if old.suffix == ".csv":
        before, after = (read_table(path) for path in (old, new))
        cells = sum(a != b for row, other in zip(before, after) for a, b in zip(row, other))
        return f"{cells} cells" if cells else "" if before == after else "rows or columns"
    if old.suffix == ".png":
        from PIL import Image

        before, after = (np.asarray(Image.open(path)) for path in (old, new))
    else:
        before, after = ([*np.load(path).values()] if path.suffix == ".npz" else np.load(path) for path in (old, new))
    if isinstance(before, list):
        return "" if all(map(np.array_equal, before, after)) else "arrays"
    if before.shape != after.shape:
        return f"{before.shape}, now {after.shape}"
    same = before.tobytes() == after.tobytes()
    return "" if same else f"by up to {np.abs(before.astype(float) - after.astype(float)).max():.2g}"


def read_table(path: Path) -> list[list[str]]:
    """The rows of a csv file without the columns that time."""
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = [*csv.reader(file)]
    timed = [place for place, name in enumerate(rows[0]) if name.startswith("seconds")] if rows else []
    return [[cell for place, cell in enumerate(row) if place not in timed] for row in rows]


def compare(old: Path, new: Path) -> list[str]:
    """A line for every file that one folder lacks or that differs."""
    before, after = (
        {path.relative_to(folder) for path in folder.rglob("*") if path.suffix in SUFFIXES} for folder in (old, new)
    )
    lines = [f"{path}: {'gone' if path in before else 'new'}" for path in sorted(before ^ after)]
    return lines + [f"{path}: {text}" for path in sorted(before & after) if (text := differ(old / path, new / path))]


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(
        "python -m tools.same_results", description="Compare the results of two checkouts bit for bit."
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--only", help=f"of {', '.join(COMMANDS)}, by commas")
    parser.add_argument("--keep", type=Path, help="folder in which the results of `before` are kept between calls")
    args = parser.parse_args()
    n_different = 0
    with tempfile.TemporaryDirectory() as temporary:
        for name in args.only.split(",") if args.only else COMMANDS:
            old, new = (args.keep or Path(temporary) / "before") / name, Path(temporary) / "after" / name
            run(args.before, name, old)
            run(args.after, name, new)
            lines = compare(old, new)
            n_files = sum(path.suffix in SUFFIXES for path in old.rglob("*"))
            print(f"{name}: {n_files} files, {f'{len(lines)} different' if lines else 'the same'}", flush=True)
            print(*(f"    {line}" for line in lines), sep="\n", end="\n" if lines else "")
            n_different += len(lines)
    return 1 if n_different else 0


if __name__ == "__main__":
    sys.exit(main())
