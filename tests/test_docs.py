"""README, docs/ and the docstrings of folders keep up with the program: links, commands, flags, methods."""

import ast
import importlib
import re

import pytest
from planted import ROOT
from test_layout import MODULES

import explainers
from explainers.registry import METHODS

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = re.findall(r"^\| `python (\w+)\.py", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
NOT_OURS = {"my_layers.py", "assets/x.py", "devices/eyetracker/eye_events.py"}  # made up, in a file, of PsychoPy
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
CALL = re.compile(r"\bpython (\w+)\.py((?:[^`\n]|\\\n)*)")
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def headings(page):
    """The anchors of a page as they stand in an address: small letters, words joined by hyphens."""
    texts = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in texts}


def test_the_readme_is_two_screens():
    assert len(PAGES[0].read_text(encoding="utf-8").splitlines()) <= 250


@EACH_PAGE
def test_every_link_leads_somewhere(page):
    for path, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = (page.parent / path) if path else page
        assert target.exists(), path
        assert not anchor or anchor in headings(target), f"{path}#{anchor}"


@EACH_PAGE
def test_every_command_that_is_shown_takes_its_flags(page):
    for command, rest in CALL.findall(page.read_text(encoding="utf-8")):
        known = importlib.import_module(command).build_parser()._option_string_actions
        unknown = set(re.findall(r"--\w+", rest.split(" #")[0])) - set(known)
        assert not unknown, f"{command}.py {unknown}"


def test_every_module_that_a_text_names_is_there():
    known = {path.relative_to(ROOT).as_posix() for path in [*MODULES, *ROOT.glob("tests/**/*.py")]}
    known |= {path.split("/")[-1] for path in known} | NOT_OURS
    for file in [*PAGES, *MODULES]:
        named = re.findall(r"(?<![\w/.*<-])[\w/]+\.py\b", file.read_text(encoding="utf-8"))
        assert set(named) <= known, (file, set(named) - known)


@pytest.mark.parametrize("file", sorted(ROOT.glob("*/__init__.py")), ids=lambda file: file.parent.name)
def test_a_folder_says_what_is_in_it_and_who_may_import_it_and_imports_nothing(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    assert len(tree.body) == 1 and "import" in ast.get_docstring(tree)


def test_every_command_stands_in_the_readme_and_with_its_folder():
    scripts = {path.stem for path in ROOT.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")}
    assert scripts == set(COMMANDS)
    folders = (ROOT / "README.md").read_text(encoding="utf-8").split("| command | folder |")[1].split("\n\n")[0]
    assert scripts == set(re.findall(r"\w+", " ".join(re.findall(r"^\| ([\w, ]+) \|", folders, re.MULTILINE))))


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_every_method_stands_with_its_file_in_the_readme_and_in_the_list_of_explainers(method):
    file = f"{method.module.replace('.', '/')}.py"
    assert (ROOT / file).is_file()
    assert f"| `{method.name}` | `{file}` |" in PAGES[0].read_text(encoding="utf-8")
    assert re.search(rf"^    {method.name} +{re.escape(file)}\b", explainers.__doc__, re.MULTILINE)


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_the_table_of_methods_says_of_each_what_its_class_says_of_itself(method):
    heads, *rows = re.findall(
        r"^\| `(?:--explanation_method|[A-Z_]+)` \|.*$", PAGES[0].read_text(encoding="utf-8"), re.M
    )
    names = [cell.strip() for cell in heads.strip("|").split("|")]
    row = next(row for row in rows if f"`{method.name}`" in row.split("|")[1])
    cells = dict(zip(names, (cell.strip() for cell in row.strip("|").split("|")), strict=True))
    assert (cells["scope"], cells["model"], cells["by"]) == method.load().taxonomy()
    assert ("signed" in cells["map"]) == method.load().signed
    assert ("no class" in cells["map"]) != method.load().uses_class
