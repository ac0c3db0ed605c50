"""The notebook of the lab: kept clean, asking questions, calling the modules, and running from top to bottom."""

import ast
import csv
import io
import re
from base64 import b64decode

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image
from planted import ROOT

NOTEBOOK = ROOT / "lab.ipynb"
STEPS = {  # modules that the lab must call
    "dataset",
    "model_files",
    "gradcam",
    "fem",
    "rise",
    "lime_explainer",
    "representations",
    "gaze",
    "evaluate",
    "baselines",
    "main",
    "summary",
    "train",
}


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook with its outputs, run in a kernel of its own, and the folder it was run in."""
    folder, home = tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("jupyter")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        # A student works in the project's folder; the test runs elsewhere, so that it leaves nothing there.
        patch.setenv("PYTHONPATH", str(ROOT))
        for name in ("IPYTHONDIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
            patch.setenv(name, str(home))
        patch.setenv("JUPYTER_PREFER_ENV_PATH", "1")  # this Python, not a kernel that the user has installed
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook, folder


def cells_of(notebook, kind):
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def texts(notebook):
    """All that the code cells print."""
    outputs = [output for cell in cells_of(notebook, "code") for output in cell.outputs]
    return "".join(output.text for output in outputs if output.output_type == "stream")


def pictures(notebook):
    """All that the code cells show, grey (H, W)."""
    outputs = [output for cell in cells_of(notebook, "code") for output in cell.outputs]
    shown = [output.data for output in outputs if "data" in output]
    coded = [b64decode(data["image/png"]) for data in shown if "image/png" in data]
    return [np.asarray(Image.open(io.BytesIO(png)).convert("L")) for png in coded]


# --- as it is kept -------------------------------------------------------------------------------------------
def test_the_notebook_is_valid_and_kept_without_outputs(notebook):
    nbformat.validate(notebook)
    for cell in cells_of(notebook, "code"):
        assert cell.outputs == []
        assert cell.execution_count is None
        assert cell.metadata == {}


def test_every_question_is_numbered_and_followed_by_room_for_its_answer(notebook):
    asked = [place for place, cell in enumerate(notebook.cells) if cell.source.startswith("**Question")]
    numbers = [int(re.match(r"\*\*Question (\d+)\.\*\*", notebook.cells[place].source)[1]) for place in asked]
    assert numbers == list(range(1, len(asked) + 1))
    assert len(asked) > 10
    for place in asked:
        assert notebook.cells[place + 1].source == "*Your answer:*"


def imported(tree):
    """The last part of every name that is imported, and of the modules that names are imported from."""
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {alias.name for node in imports for alias in node.names}
    return {name.split(".")[-1] for name in names | {getattr(node, "module", "") for node in imports}}


def test_it_calls_the_modules_and_copies_none(notebook):
    source = "\n".join(cell.source for cell in cells_of(notebook, "code"))
    tree = ast.parse(re.sub(r"^(\s*)[%!].*", r"\1pass", source, flags=re.MULTILINE))  # IPython's own commands
    assert imported(tree) >= STEPS
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))]


# --- as it runs ----------------------------------------------------------------------------------------------
def test_it_runs_from_top_to_bottom(executed):
    notebook, _ = executed
    counts = [cell.execution_count for cell in cells_of(notebook, "code")]
    assert counts == list(range(1, len(counts) + 1))


def test_grad_cam_step_by_step_is_the_map_of_the_class(executed):
    difference = re.search(r"largest difference: (\S+)", texts(executed[0]))
    assert float(difference[1]) < 1e-6


def test_the_pictures_are_there_and_not_empty(executed):
    shown = pictures(executed[0])
    assert len(shown) >= 14
    assert all(picture.std() > 10 for picture in shown)


def test_the_table_has_every_method_judged_on_every_image(executed):
    notebook, folder = executed
    with open(folder / "results/lab/summary.csv", newline="") as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"GRADCAM", "FEM", "RISE", "LIME", "RANDOM", "CENTRE", "EDGES", "OTHERS", "PEOPLE"}
    for method, row in rows.items():
        assert method in texts(notebook)
        assert int(row["failed"]) == 0
        for metric in ("pcc", "sim", "insertion_auc", "deletion_auc"):
            assert row[f"{metric}_n"] == row["images"]
    assert float(rows["GRADCAM"]["pcc_mean"]) > float(rows["RANDOM"]["pcc_mean"]) + 0.3


def test_the_optional_part_trains_a_network(executed):
    _, folder = executed
    assert (folder / "models/lab.keras").is_file()
    assert (folder / "models/lab_training/accuracy_loss.png").is_file()
