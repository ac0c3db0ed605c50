"""Asks every method of the registry about small models of every kind of docs/models.md.

    python -m tools.model_matrix [--only=SUBSTRING] [--methods=GRADCAM,FEM|ALL]

Weights are random, of a fixed seed. One row per model; p: the largest difference between the probabilities of
`Classifier` and those of the model's own `predict`; then one mark per method:

    =  equal to a reference: the formula on a sub-model cut from the original, by a tape (RULES below)
    +  finite, of the right shape, not constant, and another one for another class where a class enters
    r  refused: a ValueError, whose reason stands below the table        .  not for models of this kind
    X  a fault: another exception, a wrong map, one that is constant for every image and class without a warning or
       remark of a run, a model that should be refused and is not, or the other way round

Exit code 1 if there is a fault. A quarter of an hour on two cores. The models of keras_hub want `pip install -r
requirements-clip.txt`; without it they are left out, which is said.
"""

import argparse
import collections
import importlib.util
import sys

import keras

from explainers.registry import choose_methods
from output.tables import align
from tools.model_matrix.questions import FAULT, MARKS, examine
from tools.model_matrix.small_models import CASES


def main(words=None) -> int:
    """The exit code: 1 if there is a fault."""
    parser = argparse.ArgumentParser(
        "python -m tools.model_matrix", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="models whose name has this in it")
    parser.add_argument("--methods", default="ALL", help="names by commas, or ALL")
    args = parser.parse_args(words)
    methods, lines, remarks = choose_methods(args.methods), [], collections.defaultdict(list)
    counts = collections.Counter()
    for name, case in CASES.items():
        if args.only.lower() not in name.lower():
            continue
        if name.startswith("keras_hub") and importlib.util.find_spec("keras_hub") is None:
            print(f"{name} is left out: pip install -r requirements-clip.txt", file=sys.stderr, flush=True)
            continue
        print(name, file=sys.stderr, flush=True)
        keras.backend.clear_session()
        p, cells = examine(case, methods)
        lines.append([name, p, *(cells[method.name][0] for method in methods)])
        for method, (mark, remark) in cells.items():
            counts[mark] += 1
            if remark:
                remarks[mark, remark].append(f"{name}: {method}")
    print(align([["model", "p", *(method.name for method in methods)], *lines]))
    for (mark, remark), cells in sorted(remarks.items()):
        print(f"\n{MARKS[mark]}: {remark}\n    " + "; ".join(cells))
    print(f"\n{len(lines)} models, {len(methods)} methods: " + ", ".join(f"{counts[m]} {w}" for m, w in MARKS.items()))
    return int(counts[FAULT] > 0)


if __name__ == "__main__":
    sys.exit(main())
