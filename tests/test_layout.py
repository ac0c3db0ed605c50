"""The house keeps its order: who may import whom, no circle of imports, a root that stays small."""

import ast
from pathlib import Path

import pytest
from planted import ROOT

COMMANDS = {
    "main", "train", "gaze", "compare", "sanity", "hierarchy", "report", "app", "demo", "activations",
    "feature_visualization", "network_dissection", "attention_mil",
}  # fmt: skip
LAB = {"gradcam", "fem", "rise", "lime_explainer"}  # explainers that stand in the root
MAY_IMPORT = {  # room, or module of the root -> the rooms and modules of the root it may import besides itself
    "constants": set(),
    "utils": {"constants"},
    "output": {"constants", "utils"},
    "data": {"constants", "utils", "output"},
    "metrics": {"constants", "utils"},
    "plots": {"constants", "utils", "output", "representations", "metrics"},
    "representations": {"constants", "utils", "plots", "metrics"},
    "evaluate": {"metrics", "constants", "utils", "network"},
    "network": {"constants", "utils", "data", "output"},
    "scenes": {"constants", "utils", "data", "output"},
}
EXPLAIN = {"constants", "utils", "network", "metrics", "explainers", *LAB}
MAY_IMPORT |= {room: EXPLAIN | {"representations", "plots"} for room in ("explainers", *LAB)}
BELOW = {*MAY_IMPORT, "representations", "evaluate"}
MAY_IMPORT |= dict.fromkeys(("pipeline", "units"), BELOW)
MAY_IMPORT |= {room: BELOW | {"pipeline"} for room in ("comparison", "reporting", "webpage", "training")}
ROOMS = {path.parent.name for path in ROOT.glob("*/__init__.py")}
MODULES = sorted([*ROOT.glob("*.py"), *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))])
EXCEPTIONS = {
    ("utils", "plots.drawing")  # grid_layout, one of the lab's helpers, is drawn by the house's means
}


def name_of(path: Path) -> str:
    """The dotted name of a module."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imports_of(path: Path, at_start_only: bool = False) -> set[str]:
    """The dotted names of the project's modules that a module imports, anywhere or when it is itself imported."""
    known, found = {name_of(module) for module in MODULES}, set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if at_start_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found & known


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_what_its_room_may(path):
    name = name_of(path)
    room = name.split(".")[0]
    for imported in imports_of(path):
        target = imported.split(".")[0]
        assert target not in COMMANDS, f"{name} imports the command {target}"
        if room not in {*COMMANDS, "tools", target} and (name, imported) not in EXCEPTIONS:
            assert target in MAY_IMPORT[room], f"{name} imports {imported}"


def test_imports_go_in_no_circle():
    graph = {name_of(path): imports_of(path) for path in MODULES}
    done, way = set(), []

    def visit(name):
        assert name not in way, " -> ".join([*way[way.index(name) :], name])
        if name in done or name == "utils":  # whose one exception is imported when it is needed
            return
        way.append(name)
        for imported in graph[name]:
            visit(imported)
        done.add(way.pop())

    for name in graph:
        visit(name)


def test_the_root_is_the_lab_and_its_commands():
    modules = {path.stem for path in ROOT.glob("*.py")}
    assert modules == COMMANDS | LAB | {"constants", "utils", "representations", "evaluate"}
    import subprocess

    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split("\n")
    entries = {name.split("/")[0] for name in tracked if name}
    assert len(entries) <= 55, sorted(entries)


def test_a_room_says_what_is_in_it_and_imports_nothing():
    for room in ROOMS:
        tree = ast.parse((ROOT / room / "__init__.py").read_text(encoding="utf-8"))
        assert ast.get_docstring(tree) and len(tree.body) == 1, room


def test_no_two_files_bear_one_name():
    names = [path.name for path in MODULES if path.name not in ("__init__.py", "__main__.py")]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)


TESTED_ELSEWHERE = {  # module -> the tests that reach it: of the command it belongs to, or of what it is a part of
    "app": "webpage/test_server.py",
    "comparison/levels": "test_hierarchy.py",
    "comparison/levels_figures": "test_hierarchy.py",
    "comparison/levels_tables": "test_hierarchy.py",
    "comparison/methods_figures": "test_compare.py",
    "comparison/methods_tables": "test_compare.py",
    "comparison/sanity_check": "test_sanity.py",
    "comparison/sanity_figures": "test_sanity.py",
    "data/labelled_images": "test_train.py",
    "data/objects": "test_hierarchy.py",
    "data/addresses": "data/test_sources.py",
    "data/image_files": "training/test_loop.py",
    "data/stored": "data/test_sources.py",
    "network/cam_head": "explainers/test_cam.py",
    "network/custom_objects": "network/test_model_files.py",
    "network/operations": "network/test_preprocessing.py",
    "network/transfer": "test_train.py",
    "network/weight_files": "network/test_model_files.py",
    "pipeline/records": "pipeline/test_results.py",
    "pipeline/run": "test_main.py",
    "pipeline/run_columns": "pipeline/test_summary.py",
    "pipeline/samples": "test_main.py",
    "plots/drawing": "plots/test_pages.py",
    "plots/panels": "plots/test_pages.py",
    "reporting/blocks": "reporting/test_cells.py",
    "reporting/content": "test_report.py",
    "reporting/references": "reporting/test_methods_text.py",
    "reporting/render": "test_report.py",
    "reporting/report_figures": "test_report.py",
    "reporting/runs": "test_report.py",
    "scenes/buildings": "scenes/test_demo_data.py",
    "scenes/light": "scenes/test_demo_data.py",
    "scenes/scene": "scenes/test_demo_data.py",
    "scenes/solids": "scenes/test_demo_data.py",
    "scenes/sprites": "scenes/test_demo_data.py",
    "scenes/textures": "scenes/test_demo_data.py",
    **{
        f"tools/bench/{path.stem}": "tools/test_bench.py"
        for path in ROOT.glob("tools/bench/*.py")
        if path.stem != "__init__"
    },
    **{f"tools/faults/{path.stem}": "tools/test_faults.py" for path in ROOT.glob("tools/faults/[!_]*.py")},
    "tools/faults/__main__": "tools/test_faults.py",
    "tools/model_matrix/__main__": "tools/test_model_matrix.py",
    "tools/model_matrix/questions": "tools/test_model_matrix.py",
    "tools/model_matrix/small_models": "tools/test_model_matrix.py",
    "tools/page_server": "webpage/test_past_faults.py",
    "training/command": "test_train.py",
    "units/clip_run": "test_network_dissection.py",
    "units/feature_store": "test_network_dissection.py",
    "units/unit_pages": "test_activations.py",
    "units/visualization_figures": "test_feature_visualization.py",
    "webpage/answers": "webpage/test_case.py",
    "webpage/follow": "webpage/test_browser.py",
    "webpage/layout": "webpage/test_browser.py",
    "webpage/page": "webpage/test_browser.py",
}
NOT_TESTED = {  # module -> why
    "constants": "it holds values alone",
    "tools/check_zoo": "it builds all forty networks: minutes, by hand",
    "tools/same_results": "it runs commands in two checkouts: minutes, by hand",
}


def test_every_module_has_its_tests_or_a_reason():
    known = {**TESTED_ELSEWHERE, **NOT_TESTED}
    for path in MODULES:
        module = path.relative_to(ROOT).with_suffix("")
        if path.name != "__init__.py" and not (ROOT / "tests" / module.parent / f"test_{module.name}.py").is_file():
            assert known.pop(module.as_posix(), ""), (
                f"{module} has no tests: tests/{module.parent}/test_{module.name}.py"
            )
    assert not known, f"these have tests of their own by now, or are gone: {', '.join(known)}"
    for module, tests in TESTED_ELSEWHERE.items():
        assert (ROOT / "tests" / tests).is_file(), f"{module}: there is no tests/{tests}"


def test_a_class_name_means_one_thing():
    where = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                where.setdefault(node.name, []).append(name_of(path))
    twice = {name: modules for name, modules in where.items() if len(modules) > 1}
    assert not twice, twice
