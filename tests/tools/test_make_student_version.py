"""tools/make_student_version.py: answers, solutions and outputs go; what a student needs stays."""

import nbformat
import pytest
from nbformat import v4
from planted import ROOT

from tools import make_student_version
from tools.make_student_version import ANSWER, strip


def teacher():
    """A question with its answer, and three cells of code, the second a solution."""
    cells = [
        v4.new_markdown_cell("**Question 1.** Why?"),
        v4.new_markdown_cell(f"{ANSWER}\n\nBecause of the ReLU."),
        v4.new_code_cell("features = 1", id="first", outputs=[v4.new_output("stream", text="1\n")], execution_count=1),
        v4.new_code_cell("%time\nimport numpy as np\nweights = np.mean(features)\nunused = 2", id="second",
                         metadata={"tags": ["solution"]}),
        v4.new_code_cell("print(weights, np.pi)", id="third"),
    ]  # fmt: skip
    return v4.new_notebook(cells=cells)


def test_answers_solutions_and_outputs_are_gone_and_the_rest_is_there():
    _, answer, first, second, third = strip(teacher()).cells
    assert answer.source == ANSWER
    assert (first.source, first.outputs, first.execution_count) == ("features = 1", [], None)
    assert second.source == "# Your code. The cells below need: np, weights" and "tags" not in second.metadata
    assert third.source == "print(weights, np.pi)"


def test_the_cells_to_blank_can_be_named_and_none_need_be():
    assert strip(teacher(), {"first"}).cells[2].source == "# Your code. The cells below need: features"
    assert [cell.source[:2] for cell in strip(teacher(), set()).cells[2:]] == ["fe", "%t", "pr"]
    with pytest.raises(ValueError, match="no code cell is called fourth"):
        strip(teacher(), {"fourth"})


def test_a_comment_names_no_variable_of_a_loop_and_nothing_that_the_cells_below_set_themselves():
    solution = "maps = [each for each in images]\nfor name in maps:\n    print(name)\nagain = x = 1"
    below = "for name, each in zip('ab', maps):\n    print(name, each)\nx = 2\nagain = again + x"
    cells = [v4.new_code_cell(solution, id="one", metadata={"tags": ["solution"]}), v4.new_code_cell(below, id="two")]
    assert strip(v4.new_notebook(cells=cells)).cells[0].source == "# Your code. The cells below need: again, maps"


def test_a_question_without_an_answer_is_told():
    notebook = teacher()
    del notebook.cells[1]
    with pytest.raises(ValueError, match="behind Question 1"):
        strip(notebook)


@pytest.mark.parametrize("name", ["lab.ipynb", "dissection.ipynb"])
def test_the_notebooks_that_are_handed_out_are_valid_and_empty(name, tmp_path, capsys):
    path = tmp_path / "student" / name
    assert make_student_version.main([str(ROOT / name), str(path)]) == 0
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] for cell in code)
    blank = [cell.id for cell in code if cell.source.startswith("# Your code.")]
    assert blank == (["cell-21", "cell-23", "cell-32", "cell-49", "cell-55"] if name == "lab.ipynb" else [])


@pytest.mark.parametrize(("names", "said"), [
    (("lab.ipynb", "./lab.ipynb"), "is the teacher's own: another file was wanted"),
    (("lob.ipynb", "student.ipynb"), "lob.ipynb"),
    (("notes.txt", "student.ipynb"), "JSON"),
])  # fmt: skip
def test_a_teachers_notebook_is_never_replaced_and_no_notebook_is_told(names, said, tmp_path, capsys):
    nbformat.write(teacher(), tmp_path / "lab.ipynb")
    (tmp_path / "notes.txt").write_text("no notebook")
    before = (tmp_path / "lab.ipynb").read_bytes()
    with pytest.raises(SystemExit) as ended:
        make_student_version.main([str(tmp_path / name) for name in names])
    assert ended.value.code == 2 and said in capsys.readouterr().err
    assert (tmp_path / "lab.ipynb").read_bytes() == before
