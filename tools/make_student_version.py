"""Makes of a teacher's notebook the one that is handed out: without answers, solutions and outputs.

    python -m tools.make_student_version lab.ipynb student/lab.ipynb
    python -m tools.make_student_version lab.ipynb student/lab.ipynb --blank=cell-21,cell-23

Behind every question its answer becomes an empty '*Your answer:*'. Of the code cells with the tag `solution`, or of
those that --blank names, a comment remains: which names they have to leave for the cells below. `--blank=none` blanks
none.
docs/teaching.md says what each of them asks of a student.
"""

import argparse
import ast
import re
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import nbformat

ANSWER = "*Your answer:*"
QUESTION = "**Question"
TAG = "solution"


def strip(notebook, blank: Collection[str] | None = None):
    """The notebook as a student gets it.

    blank: the ids of the code cells to blank, None: those with the tag. ValueError for an id that no code cell has, or
    a question that no answer follows.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if blank is None:
        blank = {cell.id for cell in code if TAG in cell.metadata.get("tags", ())}
    if unknown := sorted({*blank} - {cell.id for cell in code}):
        known = ", ".join(cell.id for cell in code[:3])
        raise ValueError(f"no code cell is called {unknown[0]}: --blank takes ids as {known}, ...")
    for place, cell in enumerate(notebook.cells):
        if cell.source.startswith(QUESTION):
            _strip_answer(notebook.cells, place)
    needed = set()  # names that cells further down take from above
    for cell in reversed(code):
        left, taken = list_names(cell.source)
        if cell.id in blank:
            cell.source = f"# Your code. The cells below need: {', '.join(sorted(left & needed)) or 'nothing of it'}"
        needed = needed - left | taken
        cell.outputs, cell.execution_count = [], None
        cell.metadata.pop("tags", None)
    return notebook


def _strip_answer(cells: Sequence, place: int) -> None:
    """Empties the answer to the question at this place; further cells up to the next heading or question stay."""
    following = cells[place + 1] if place + 1 < len(cells) else None
    if following is None or not following.source.startswith(ANSWER):
        number = cells[place].source.split("**")[1]
        raise ValueError(f"behind {number} a cell that begins with {ANSWER} was wanted")
    following.source = ANSWER


def list_names(source: str) -> tuple[set[str], set[str]]:
    """The names that a cell's code leaves behind, and those that it takes from above; of a comprehension neither."""
    tree = ast.parse(re.sub(r"^(\s*)[%!].*", r"\1pass", source, flags=re.MULTILINE))  # IPython's own commands
    left, taken = set(), set()
    for statement in tree.body:
        nodes = list(ast.walk(statement))
        inner = [target for node in nodes if isinstance(node, ast.comprehension) for target in ast.walk(node.target)]
        names = [node for node in nodes if isinstance(node, ast.Name) and node not in inner]
        local = {node.id for node in inner if isinstance(node, ast.Name)}
        local |= {node.arg for node in nodes if isinstance(node, ast.arg)}
        sets = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        reads = {node.id for node in names if isinstance(node.ctx, ast.Load)} - local
        # A loop sets its name before its body reads it; an assignment reads before it sets.
        taken |= reads - left - (sets if isinstance(statement, ast.For | ast.With) else set())
        left |= sets
        if isinstance(statement, ast.Import | ast.ImportFrom):
            left |= {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
    return left, taken


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of writing a student's notebook: 0; 2 for one that cannot be made."""
    parser = argparse.ArgumentParser(prog="python -m tools.make_student_version", description=__doc__.split("\n")[0])
    parser.add_argument("notebook", type=Path, help="the teacher's")
    parser.add_argument("student", type=Path, help="the file to write")
    parser.add_argument("--blank", metavar="IDS", help="code cells by commas, or none (default: those tagged solution)")
    args = parser.parse_args(argv)
    blank = None if args.blank is None else set() if args.blank == "none" else set(args.blank.split(","))
    try:
        if args.student.resolve() == args.notebook.resolve():
            raise ValueError(f"{args.student} is the teacher's own: another file was wanted for the student's")
        notebook = strip(nbformat.read(str(args.notebook), as_version=4), blank)
    except (OSError, ValueError) as error:  # no such file, or no notebook
        parser.error(str(error))
    args.student.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, args.student)
    print(args.student)
    return 0


if __name__ == "__main__":
    sys.exit(main())
