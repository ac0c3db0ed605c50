"""The light part of the matrix of models by methods, and that it finds what is wrong."""

import dataclasses

import pytest
from planted import ROOT

from explainers.registry import METHODS
from tools.model_matrix.__main__ import main
from tools.model_matrix.questions import EQUAL, FAULT, NOT_FOR_IT, REFUSED, RULES, SOUND, examine
from tools.model_matrix.small_models import CASES

CHEAP = [METHODS[name] for name in RULES]
EQUAL_EVERYWHERE = (
    "plain", "batch norms", "residual", "squeeze and excite", "softmax layer", "temperature", "one sigmoid",
    "flattened", "nested twice", "Sequential", "softmaxes of groups",
    "padded inside a layer of the user's", "preprocessing caffe", "ViT, mean",
)  # fmt: skip


def marks(name, methods=CHEAP):
    _, cells = examine(CASES[name], methods)
    return {method: mark for method, (mark, _) in cells.items()}


def test_the_models_are_as_many_as_the_documentation_says():
    assert f"builds {len(CASES)} small models" in (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", EQUAL_EVERYWHERE)
def test_maps_and_probabilities_equal_a_reference(name):
    assert marks(name) == dict.fromkeys(RULES, EQUAL)


def test_a_class_token_is_no_part_of_the_map():
    methods = [METHODS["GRADCAM"], METHODS["LAYERCAM"]]
    assert marks("ViT, class token", methods) == {"GRADCAM": EQUAL, "LAYERCAM": EQUAL}


def test_a_constant_map_of_which_a_run_warns_is_no_fault():
    mark, remark = examine(CASES["preprocessing none"], [METHODS["OCCLUSION"]])[1]["OCCLUSION"]
    assert mark == SOUND and "constant" in remark and "--preprocessing" in remark


@pytest.mark.parametrize("name", ["softmax of one unit", "one linear output", "dropout that stays on"])
def test_a_model_without_a_readable_meaning_is_refused_for_every_method(name):
    assert marks(name) == dict.fromkeys(RULES, REFUSED)


def test_a_method_of_another_kind_of_model_is_not_applicable():
    assert marks("plain", [METHODS["ATTENTION"], METHODS["FEM"]]) == {"ATTENTION": NOT_FOR_IT, "FEM": SOUND}


def test_another_map_than_the_formulas_is_a_fault(monkeypatch):
    monkeypatch.setitem(RULES, "GRADCAM", lambda features, gradients: features.sum(-1))
    assert marks("plain", [METHODS["GRADCAM"]]) == {"GRADCAM": FAULT}


def test_a_traceback_is_a_fault_that_says_where(monkeypatch):
    def broken(self):
        raise KeyError("lost")

    monkeypatch.setattr(METHODS["FEM"].load(), "compute_saliency_map", broken)
    mark, remark = examine(CASES["plain"], [METHODS["FEM"]])[1]["FEM"]
    assert mark == FAULT and "KeyError at " in remark and "test_model_matrix.py" in remark


def test_a_model_that_ought_to_be_refused_and_is_not_is_a_fault():
    case = dataclasses.replace(CASES["plain"], refused=True)
    assert examine(case, [METHODS["FEM"]])[1]["FEM"][0] == FAULT


def test_probabilities_that_are_not_the_models_own_are_a_fault():
    case = dataclasses.replace(CASES["plain"], pixels="caffe")
    assert examine(case, [])[1]["probabilities"][0] == FAULT


def test_the_exit_code_tells_of_a_fault(capsys, monkeypatch):
    assert main(["--only=ops.mean", "--methods=GRADCAM"]) == 0
    assert "1 models, 1 methods: 1 equal, 0 sound" in capsys.readouterr().out
    monkeypatch.setitem(RULES, "GRADCAM", lambda features, gradients: features.sum(-1))
    assert main(["--only=ops.mean", "--methods=GRADCAM"]) == 1
