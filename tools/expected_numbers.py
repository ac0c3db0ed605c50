"""The numbers that the notebooks should show on the embedded data, and which of them a student's notebook does.

    python -m tools.expected_numbers                         the table of docs/teaching.md, from the kept outputs
    python -m tools.expected_numbers student/lab.ipynb       each number beside the expected one

The expected numbers are those that `python -m tools.run_notebook` has kept in the notebooks themselves. The tolerances
are wide enough for another machine and TensorFlow, and narrow enough for a step that was done wrong to fall outside.
Exit code: 0; 1 where a number of the student's is missing or outside.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat

from output.tables import align

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Number:
    """One number of an exercise: where it is found in the texts of the notebook (group 1), how far it may lie off."""

    exercise: str
    what: str
    pattern: str
    tolerance: float


def _agreement(name: str) -> str:
    return rf"{name} +PCC +(-?[\d.]+)"


def _table(method: str, column: int) -> str:
    return rf"^{method}" + r"  +-?[\d.]+ \[[^\]]*\]" * column + r"  +(-?[\d.]+) \["


def _twin(explainer: str) -> str:
    return rf"{explainer}: rank correlation ([^,\s]+),"


NUMBERS = {
    "lab.ipynb": (
        Number("3, Grad-CAM", "step by step against at once: largest difference", r"largest difference: (\S+)", 1e-5),
        Number("3, FEM", "share of rare activations in %", r"([\d.]+)% of all activations are rare", 1.0),
        Number("question 6", "PCC of two RISE maps", r"PCC of the two maps: (\S+)", 0.1),
        Number("3, LIME", "superpixels", r"(\d+) superpixels", 5),
        Number("section 4", "sigma in image pixels", r"sigma: ([\d.]+) of", 0.2),
        Number("question 8", "PCC with the map of the data set", r"'pcc': [a-z0-9.(]*?(0\.\d+|1\.0)", 0.001),
        Number("question 10", "PCC of Grad-CAM, one image", _agreement("Grad-CAM"), 0.02),
        Number("question 10", "PCC of FEM, one image", _agreement("FEM"), 0.02),
        Number("question 10", "PCC of RISE, one image", _agreement("RISE"), 0.1),
        Number("question 10", "PCC of the centre, one image", _agreement("centre"), 0.02),
        Number("question 14", "mean PCC of Grad-CAM", _table("GRADCAM", 0), 0.02),
        Number("question 14", "mean PCC of RISE", _table("RISE", 0), 0.1),
        Number("question 14", "mean PCC of PEOPLE", _table("PEOPLE", 0), 0.02),
        Number("question 14", "mean insertion of Grad-CAM", _table("GRADCAM", 2), 0.05),
        Number("question 14", "mean deletion of Grad-CAM", _table("GRADCAM", 3), 0.1),
        Number("question 15", "differences that stand", r"(\d+) of \d+ differences stand", 4),
        Number("question 19", "rank correlation of integrated gradients", _twin("IntegratedGradients"), 0.1),
        Number("question 19", "rank correlation of the gradient", _twin("VanillaGradient"), 0.01),
        Number("question 21", "permuted labels learnt in %", r"(\d+)% of the permuted labels", 17),
    ),
    "dissection.ipynb": (
        Number("question 1", "accuracy on styles", r"^GRADCAM +leaf +3 +12 +([\d.]+)", 0.001),
        Number("question 1", "accuracy on ages", r"^GRADCAM +age +2 +12 +([\d.]+)", 0.001),
        Number("question 2", "IoU of the maps of both levels", r"^GRADCAM +leaf - age +12 +([\d.]+)", 0.05),
        Number("question 3", "detectors of the last layer, of 96", r"^post_relu +96 +(\d+)", 5),
        Number("question 4", "IoU of the best detector", r"^post_relu +96 +\d+ +\d+ +[\d.]+ +([\d.]+)", 0.02),
        Number("question 5", "detectors of the random network, of 120", r"^random twin +120 +(\d+)", 6),
        Number("question 6", "energy of attention in the parts, times chance", r"ATTENTION ([\d.]+) times", 1.0),
        Number("question 6", "energy of Grad-CAM in the parts, times chance", r"GRADCAM ([\d.]+) times", 1.5),
    ),
}


def read_texts(notebook) -> str:
    """All that the code cells of a notebook have printed."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return "\n".join(output.text for output in outputs if output.output_type == "stream")


def read_numbers(notebook, numbers: Sequence[Number]) -> list[float | None]:
    """Each number as the notebook shows it; None where it does not."""
    texts = read_texts(notebook)
    found = (re.search(number.pattern, texts, flags=re.MULTILINE) for number in numbers)
    return [None if match is None else float(match[1]) for match in found]


def read_expected(name: str) -> list[float | None]:
    """The numbers that the notebook of the project shows; ValueError where one is missing."""
    found = read_numbers(nbformat.read(str(ROOT / name), as_version=4), NUMBERS[name])
    for number, value in zip(NUMBERS[name], found):
        if value is None:
            raise ValueError(
                f"{ROOT / name} does not show '{number.what}' ({number.exercise}): python -m tools.run_notebook {name} "
                "makes its outputs"
            )
    return found


def write_markdown() -> Iterator[str]:
    """The lines of the tables of docs/teaching.md."""
    yield "| notebook | exercise | number | expected | tolerance |"
    yield "|---|---|---|---|---|"
    for name, numbers in NUMBERS.items():
        for number, value in zip(numbers, read_expected(name)):
            yield f"| {name} | {number.exercise} | {number.what} | {value:g} | {number.tolerance:g} |"


def compare(name: str, notebook) -> list[list[str]]:
    """A line for each number of a student's notebook: exercise, what, expected, theirs, and whether it is near."""
    lines = []
    for number, wanted, given in zip(NUMBERS[name], read_expected(name), read_numbers(notebook, NUMBERS[name])):
        near = given is not None and abs(given - wanted) <= number.tolerance
        shown = "-" if given is None else f"{given:g}"
        verdict = "right" if near else "missing" if given is None else "outside"
        lines.append([number.exercise, number.what, f"{wanted:g} ± {number.tolerance:g}", shown, verdict])
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of the tables, or of comparing these notebooks."""
    parser = argparse.ArgumentParser(prog="python -m tools.expected_numbers", description=__doc__.split("\n")[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="of students, run; their names are those of ours")
    args = parser.parse_args(argv)
    if unknown := [path for path in args.notebooks if path.name not in NUMBERS]:
        parser.error(f"a notebook called {' or '.join(NUMBERS)} was wanted; got {unknown[0]}")
    verdicts = []
    try:
        if not args.notebooks:
            print("\n".join(write_markdown()))
        for path in args.notebooks:
            lines = compare(path.name, nbformat.read(str(path), as_version=4))
            verdicts += [line[-1] for line in lines]
            print(f"{path}: {sum(line[-1] == 'right' for line in lines)} of {len(lines)} numbers are right")
            print(align([["exercise", "number", "expected", "found", ""], *lines]))
    except (OSError, ValueError) as error:  # no such file, no notebook, or ours without its outputs
        parser.error(str(error))
    return 0 if all(verdict == "right" for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
