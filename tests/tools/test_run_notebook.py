"""tools/run_notebook.py: what is kept of outputs, and how outputs of other code are told."""

import io
from base64 import b64decode, b64encode

import numpy as np
import pytest
from nbformat import v4
from PIL import Image

from tools import run_notebook


def png(width=1600, height=20):
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(file, format="PNG")
    return b64encode(file.getvalue()).decode()


def notebook_of(*outputs, source="1"):
    cell = v4.new_code_cell(source, outputs=list(outputs), metadata={"tags": ["solution"], "execution": {}})
    return v4.new_notebook(cells=[v4.new_markdown_cell("text"), cell])


def stream(text, name="stderr"):
    return v4.new_output("stream", name=name, text=text)


def test_of_a_line_that_was_rewritten_its_last_state_is_kept():
    notebook = notebook_of(stream("\r[1/2] a   "), stream("\r[2/2] b  \n"), stream("done\n", "stdout"), stream("\r \n"))
    run_notebook.shrink(notebook)
    outputs = notebook.cells[1].outputs
    assert [(one.name, one.text) for one in outputs] == [("stderr", "[2/2] b\n"), ("stdout", "done\n")]
    assert notebook.cells[1].metadata == {"tags": ["solution"]}


def test_a_picture_is_no_wider_than_a_page_and_smaller_than_it_was():
    given = png()
    notebook = notebook_of(v4.new_output("display_data", data={"image/png": given, "text/plain": "<Figure>"}))
    run_notebook.shrink(notebook)
    [(kind, data)] = notebook.cells[1].outputs[0].data.items()
    assert kind == "image/jpeg" and len(data) < len(given) / 2
    assert Image.open(io.BytesIO(b64decode(data))).size == (1000, 12)


def test_outputs_of_other_code_are_told(tmp_path, capsys):
    notebook, path = notebook_of(), tmp_path / "a.ipynb"
    notebook.metadata[run_notebook.CODE] = run_notebook.code_of(notebook)
    notebook.cells[0].source = "another text"
    run_notebook.nbformat.write(notebook, path)
    assert run_notebook.main(["--check", str(path)]) == 0
    notebook.cells[1].source = "2"
    run_notebook.nbformat.write(notebook, path)
    assert run_notebook.main(["--check", str(path)]) == 1
    assert "its outputs are of other code" in capsys.readouterr().out


def test_an_address_that_colab_does_not_open_is_refused():
    assert run_notebook.colab_address(notebook_of(source='repository = ""'), "a.ipynb") == run_notebook.COLAB
    with pytest.raises(ValueError, match="begins with https://github.com/"):
        run_notebook.colab_address(notebook_of(source='repository = "https://example.org/x"'), "a.ipynb")


def test_a_line_to_replace_has_to_be_there(tmp_path):
    with pytest.raises(ValueError, match="one cell with the line 'n = 3'"):
        run_notebook.execute(notebook_of(), tmp_path, {"n = 3": "n = 1"})
