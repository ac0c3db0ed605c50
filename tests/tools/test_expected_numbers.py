"""tools/expected_numbers.py: each number is found in the kept outputs and in docs/teaching.md, others are compared."""

import nbformat
import pytest
from planted import ROOT

from tools import expected_numbers
from tools.expected_numbers import NUMBERS, compare, read_expected, write_markdown


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_is_found_in_the_outputs_that_are_kept(name):
    assert None not in read_expected(name)


def test_the_page_for_teachers_shows_them():
    page = (ROOT / "docs/teaching.md").read_text(encoding="utf-8")
    assert "\n".join(write_markdown()) in page


def test_our_own_notebook_is_right_and_one_with_another_number_or_without_it_is_not(tmp_path, capsys):
    notebook = nbformat.read(ROOT / "lab.ipynb", as_version=4)
    assert {line[-1] for line in compare("lab.ipynb", notebook)} == {"right"}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "stream":
                output.text = output.text.replace(" superpixels", " cells").replace("difference: ", "difference: 9")
    assert [line[-1] for line in compare("lab.ipynb", notebook)[:4]] == ["outside", "right", "right", "missing"]
    nbformat.write(notebook, tmp_path / "lab.ipynb")
    assert expected_numbers.main([str(tmp_path / "lab.ipynb")]) == 1
    assert f"{len(NUMBERS['lab.ipynb']) - 2} of {len(NUMBERS['lab.ipynb'])} numbers" in capsys.readouterr().out


def test_a_notebook_that_has_not_been_run_is_told(tmp_path, monkeypatch, capsys):
    notebook = nbformat.read(ROOT / "lab.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.pop("outputs", None)
        if cell.cell_type == "code":
            cell.outputs = []
    nbformat.write(notebook, tmp_path / "lab.ipynb")
    monkeypatch.setattr(expected_numbers, "ROOT", tmp_path)
    for given in ([], [str(tmp_path / "lab.ipynb")], [str(tmp_path / "gone" / "lab.ipynb")]):
        with pytest.raises(SystemExit) as ended:
            expected_numbers.main(given)
        assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.count("does not show 'step by step against at once: largest difference'") == 2
    assert "tools.run_notebook lab.ipynb" in said and "No such file" in said
