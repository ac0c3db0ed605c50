"""The lab's table: mean ± deviation by hand, as text, Markdown and LaTeX; what nobody has is left out."""

import shutil
import statistics
import subprocess

import pytest

from pipeline import lab_table
from pipeline.records import Record
from pipeline.summary import describe_records, list_differences, summarise

VALUES = {"pcc": (0.25, 0.75), "sim": (0.5, 0.75), "deletion_auc": (0.125, 0.375)}


@pytest.fixture
def records():
    """GRADCAM with three metrics of two images, GUIDED_GRADCAM with one of one."""
    pairs = [dict(zip(VALUES, values)) for values in zip(*VALUES.values())]
    found = [Record("GRADCAM", f"{n}.png", f"{n}", **values) for n, values in enumerate(pairs)]
    return [
        *found,
        *(Record("GUIDED_GRADCAM", f"{n}.png", f"{n}", deletion_auc=value) for n, value in ((0, 0.5), (1, None))),
    ]


def test_the_cells_are_means_and_sample_deviations_and_no_column_is_empty(records):
    cells = lab_table.tabulate(summarise(records))
    assert cells[0] == ["method", "PCC", "SIM", "deletion"]
    deviations = [statistics.stdev(values) for values in VALUES.values()]
    means = [statistics.mean(values) for values in VALUES.values()]
    assert cells[1] == ["GRADCAM", *(f"{mean:.3f} ± {std:.3f}" for mean, std in zip(means, deviations))]
    assert cells[2] == ["GUIDED_GRADCAM", "-", "-", "0.500 (n=1)"]


def test_a_run_says_it_beside_its_table_with_intervals(records):
    said = describe_records(records, 2, summarise(records), list_differences(records))
    assert "the lab's table, mean ± sample deviation:\nmethod          PCC            SIM" in said
    assert said.index("method") < said.index("the lab's table")


def test_it_is_written_as_markdown_and_latex(records, tmp_path):
    lab_table.write(tmp_path, summarise(records))
    markdown = (tmp_path / "lab_table.md").read_text(encoding="utf-8").splitlines()
    assert markdown[:2] == ["| method | PCC | SIM | deletion |", "| --- | --- | --- | --- |"]
    assert markdown[3] == "| GUIDED_GRADCAM | - | - | 0.500 (n=1) |"
    latex = (tmp_path / "lab_table.tex").read_text(encoding="utf-8").splitlines()
    assert latex[0] == r"\begin{tabular}{lccc}" and latex[-1] == r"\end{tabular}"
    assert r"GUIDED\_GRADCAM & - & - & 0.500 (n=1) \\" in latex
    assert r"0.500 $\pm$ 0.354" in latex[4]


def test_without_a_number_there_is_no_table(records, tmp_path):
    lab_table.write(tmp_path, summarise(records))
    empty = summarise([Record("FEM", "a.png", "a")])
    assert lab_table.describe(empty) == ""
    lab_table.write(tmp_path, empty)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex here")
def test_latex_takes_it_without_a_warning(records, tmp_path):
    lab_table.write(tmp_path, summarise(records))
    (tmp_path / "page.tex").write_text(r"\documentclass{article}\begin{document}\input{lab_table}\end{document}")
    command = ["pdflatex", "-interaction=nonstopmode", "page.tex"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Warning" not in run.stdout and "Overfull" not in run.stdout
