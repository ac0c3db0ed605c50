"""The registry: names, options that match their constructors, and texts of flags."""

import inspect
import subprocess
import sys

import pytest
from planted import ROOT

from explainers.base import Explainer
from explainers.registry import METHODS, choose_methods, read_bool, read_color

EACH = pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)


def test_the_labs_four_come_first():
    assert list(METHODS)[:4] == ["GRADCAM", "FEM", "RISE", "LIME"]


@EACH
def test_an_entry_leads_to_an_explainer(method):
    assert METHODS[method.name] is method
    assert method.name == method.name.upper()
    explainer = method.load()
    assert issubclass(explainer, Explainer)
    assert explainer.__name__ == method.class_name
    assert explainer.__doc__
    assert inspect.getmodule(explainer).__doc__


@EACH
def test_every_option_is_a_keyword_of_the_constructor_with_the_same_default(method):
    parameters = {}
    for base in reversed(method.load().__mro__):
        if "__init__" in vars(base):
            parameters |= inspect.signature(base.__init__).parameters
    for option in method.options:
        assert parameters[option.name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[option.name].default == option.default
        assert option.help
        assert option.choices is None or option.default in option.choices
    assert len({option.name for option in method.options}) == len(method.options)


@EACH
def test_the_text_of_a_default_reads_as_the_default(method):
    for option in method.options:
        if option.default is not None:
            default = option.default
            text = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
            assert option.read(text) == default


def test_methods_are_chosen_by_name_in_the_order_given():
    assert [method.name for method in choose_methods("lime, GradCAM")] == ["LIME", "GRADCAM"]
    assert [method.name for method in choose_methods("FEM,fem,RISE")] == ["FEM", "RISE"]
    assert choose_methods("all") == list(METHODS.values())


@pytest.mark.parametrize("text", ["CAMGRAD", "GRADCAM,NO", "", "GRADCAM,", "ALL,NO"])
def test_an_unknown_method_lists_the_choices(text):
    with pytest.raises(ValueError, match="unknown explanation_method .*; choose from: GRADCAM, FEM, .*, ALL"):
        choose_methods(text)


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("Yes", True), ("1", True), ("FALSE", False), ("no", False), ("0", False)]
)
def test_yes_and_no(text, value):
    assert read_bool(text) is value


@pytest.mark.parametrize("text", ["", "2", "maybe", "tru"])
def test_neither_yes_nor_no(text):
    with pytest.raises(ValueError, match="true or false is wanted, not "):
        read_bool(text)


@pytest.mark.parametrize(
    ("text", "color"),
    [("mean", None), ("None", None), ("0", 0.0), ("127.5", 127.5), ("255,0,127", (255.0, 0.0, 127.0))],
)
def test_a_colour(text, color):
    assert read_color(text) == color


@pytest.mark.parametrize("text", ["", "red", "1,2", "1,2,3,4", "256", "-1", "nan"])
def test_no_colour(text):
    with pytest.raises(ValueError):
        read_color(text)


def test_the_registry_imports_neither_tensorflow_nor_lime():
    code = "import sys, explainers.registry; print({'tensorflow', 'keras', 'lime', 'cv2'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"
