"""tools/expected_numbers.py: each number is found in the kept outputs and in docs/teaching.md, and judges others."""

import nbformat
import pytest
from planted import ROOT

from tools import expected_numbers
from tools.expected_numbers import NUMBERS, judge, read_expected, write_markdown


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_is_found_in_the_outputs_that_are_kept(name):
    assert None not in read_expected(name)


def test_the_page_for_teachers_shows_them():
    page = (ROOT / "docs/teaching.md").read_text(encoding="utf-8")
    assert "\n".join(write_markdown()) in page


def test_our_own_notebook_is_right_and_one_with_another_number_or_without_it_is_not(tmp_path, capsys):
    notebook = nbformat.read(ROOT / "lab.ipynb", as_version=4)
    assert {line[-1] for line in judge("lab.ipynb", notebook)} == {"right"}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "stream":
                output.text = output.text.replace(" superpixels", " cells").replace("difference: ", "difference: 9")
    assert [line[-1] for line in judge("lab.ipynb", notebook)[:4]] == ["outside", "right", "right", "missing"]
    nbformat.write(notebook, tmp_path / "lab.ipynb")
    assert expected_numbers.main([str(tmp_path / "lab.ipynb")]) == 1
    assert f"{len(NUMBERS['lab.ipynb']) - 2} of {len(NUMBERS['lab.ipynb'])} numbers" in capsys.readouterr().out
