"""The notebooks: kept with small outputs of the code they hold, asking questions, calling the modules, and running."""

import ast
import csv
import io
import re
from base64 import b64decode

import nbformat
import numpy as np
import pytest
from PIL import Image
from planted import ROOT

from tools import run_notebook

NAMES = "lab.ipynb", "dissection.ipynb"
STEPS = {  # modules that each must call
    "lab.ipynb": {
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
        "sanity_shift",
        "sanity_attack",
        "random_labels",
    },
    "dissection.ipynb": {"hierarchy", "network_dissection", "attention_mil"},
}
QUICK = {  # lines that are replaced where a test only asks whether all cells run
    "lab.ipynb": {
        "n_images = 12": "n_images = 3",
        "n_masks = 200": "n_masks = 20",
        "n_samples = 100": "n_samples = 30",
        '"--epochs_head=10"': '"--epochs_head=2"',
        '"--epochs_fine_tuning=2"': '"--epochs_fine_tuning=1"',
        "n_iterations=15": "n_iterations=3",
        '"epochs": 18': '"epochs": 2',
    },
    "dissection.ipynb": {
        "n_images = 12": "n_images = 3",
        "n_dissected = 48": "n_dissected = 9",
        "n_bags = 36": "n_bags = 9",
        "n_epochs = 10": "n_epochs = 1",
    },
}
LARGEST = 2_000_000  # bytes of a notebook with its outputs
EACH = pytest.mark.parametrize("name", NAMES)


def read(name):
    return run_notebook.read(ROOT / name)


@pytest.fixture(scope="module")
def notebook():
    """The lab as it is kept, with its outputs."""
    return read("lab.ipynb")


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The lab run with small numbers in a kernel of its own, and the folder it was run in."""
    folder = tmp_path_factory.mktemp("lab")
    return run_notebook.execute(read("lab.ipynb"), folder, QUICK["lab.ipynb"]), folder


def cells_of(notebook, kind):
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def names_of(cell):
    """The names that a cell of Python sets, and those that it reads, each once."""
    python = re.sub(r"^( *)[%!].*", r"\1pass", cell.source, flags=re.MULTILINE)  # lines of the notebook's own
    nodes = [node for node in ast.walk(ast.parse(python)) if isinstance(node, ast.Name)]
    return [{node.id for node in nodes if isinstance(node.ctx, kind)} for kind in (ast.Store, ast.Load)]


def test_another_image_can_be_chosen_after_the_whole_lab_has_run(notebook):
    cells = cells_of(notebook, "code")
    start = next(place for place, cell in enumerate(cells) if "chosen = " in cell.source)
    before = set().union(*(names_of(cell)[0] for cell in cells[:start]))
    needed, set_again = set(), set()
    for cell in cells[start:]:
        sets, reads = names_of(cell)
        needed |= (reads - set_again - sets) & before
        set_again |= sets
    assert not needed & set_again, "from `chosen` on, nothing may be overwritten that the cells read from above it"


def outputs_of(notebook):
    return [output for cell in cells_of(notebook, "code") for output in cell.outputs]


def texts(notebook):
    """All that the code cells print."""
    return "".join(output.text for output in outputs_of(notebook) if output.output_type == "stream")


def pictures(notebook):
    """All that the code cells show, grey (H, W)."""
    shown = [output.data for output in outputs_of(notebook) if "data" in output]
    coded = [b64decode(data[kind]) for data in shown for kind in ("image/png", "image/jpeg") if kind in data]
    return [np.asarray(Image.open(io.BytesIO(picture)).convert("L")) for picture in coded]


# --- as they are kept ----------------------------------------------------------------------------------------
@EACH
def test_a_notebook_is_kept_with_small_outputs_of_the_code_it_holds(name):
    notebook = read(name)
    nbformat.validate(notebook)
    assert run_notebook.is_fresh(notebook), f"python -m tools.run_notebook {name} makes the outputs again"
    assert (ROOT / name).stat().st_size < LARGEST
    counts = [cell.execution_count for cell in cells_of(notebook, "code")]
    assert counts == list(range(1, len(counts) + 1)), "run from top to bottom"
    assert not [output for output in outputs_of(notebook) if output.output_type == "error"]
    assert "/tmp/" not in texts(notebook) and str(ROOT) not in texts(notebook)
    assert all(set(cell.metadata) <= {"tags"} for cell in notebook.cells)


@EACH
def test_the_badge_leads_to_the_address_that_the_notebook_names(name):
    notebook = read(name)
    assert f"]({run_notebook.colab_address(notebook, name)})" in notebook.cells[0].source
    [cell] = [cell for cell in cells_of(notebook, "code") if "repository = " in cell.source]
    cell.source = cell.source.replace('repository = ""', 'repository = "https://github.com/owner/lab.git"')
    run_notebook.write_badge(notebook, name)
    wanted = f"](https://colab.research.google.com/github/owner/lab/blob/main/{name})"
    assert notebook.cells[0].source.count(wanted) == 1


@EACH
def test_every_question_is_numbered_and_followed_by_room_for_its_answer(name):
    notebook = read(name)
    asked = [place for place, cell in enumerate(notebook.cells) if cell.source.startswith("**Question")]
    numbers = [int(re.match(r"\*\*Question (\d+)\.\*\*", notebook.cells[place].source)[1]) for place in asked]
    assert numbers == list(range(1, len(asked) + 1))
    assert len(asked) > 5
    for place in asked:
        assert notebook.cells[place + 1].source == "*Your answer:*"


def imported(tree):
    """The last part of every name that is imported, and of the modules that names are imported from."""
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {alias.name for node in imports for alias in node.names}
    return {name.split(".")[-1] for name in names | {getattr(node, "module", "") for node in imports}}


@EACH
def test_it_calls_the_modules_and_copies_none(name):
    source = "\n".join(cell.source for cell in cells_of(read(name), "code"))
    tree = ast.parse(re.sub(r"^(\s*)[%!].*", r"\1pass", source, flags=re.MULTILINE))  # IPython's own commands
    assert imported(tree) >= STEPS[name]
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))]


def test_grad_cam_step_by_step_is_the_map_of_the_class(notebook):
    difference = re.search(r"largest difference: (\S+)", texts(notebook))
    assert float(difference[1]) < 1e-6


@EACH
def test_the_pictures_are_there_and_not_empty(name):
    shown = pictures(read(name))
    assert len(shown) >= {"lab.ipynb": 18, "dissection.ipynb": 6}[name]
    assert all(picture.std() > 10 for picture in shown)


# --- as they run ---------------------------------------------------------------------------------------------
def test_it_runs_from_top_to_bottom(executed):
    notebook, _ = executed
    counts = [cell.execution_count for cell in cells_of(notebook, "code")]
    assert counts == list(range(1, len(counts) + 1))
    seconds = run_notebook.list_seconds(notebook)
    assert len(seconds) == len(counts) and seconds == sorted(seconds, reverse=True)


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


def test_the_progress_of_a_long_cell_is_seen_and_kept_as_one_line(executed, notebook):
    assert "\r[1/" in texts(executed[0])
    kept = [line for line in texts(notebook).splitlines() if re.match(r"\[\d+/108", line)]
    assert len(kept) == 1 and kept[0].startswith("[108/108")


def test_the_second_notebook_runs_too(tmp_path):
    notebook = run_notebook.execute(read("dissection.ipynb"), tmp_path, QUICK["dissection.ipynb"])
    assert "GRADCAM" in texts(notebook) and (tmp_path / "results/units/histogram.png").is_file()
    assert (tmp_path / "models/attention_training/part_energy.csv").is_file()
