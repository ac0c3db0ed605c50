"""The light part of the matrix of models by methods, and that it finds what is wrong."""

import pytest

from explainers.registry import METHODS
from tools.model_matrix import CASES, EQUAL, NOT_FOR_IT, REFUSED, RULES, SOUND, examine

CHEAP = [METHODS[name] for name in RULES]
EQUAL_EVERYWHERE = (
    "plain", "batch norms", "residual", "squeeze and excite", "softmax layer", "temperature", "one sigmoid",
    "flattened", "nested twice", "Sequential", "preprocessing caffe", "ViT, class token",
)  # fmt: skip


def marks(name, methods=CHEAP):
    _, cells = examine(CASES[name], methods)
    return {method: mark for method, (mark, _) in cells.items()}


def test_the_matrix_has_sixty_models_or_more():
    assert len(CASES) >= 60


@pytest.mark.parametrize("name", EQUAL_EVERYWHERE)
def test_maps_and_probabilities_equal_a_reference(name):
    assert marks(name) == dict.fromkeys(RULES, EQUAL)


def test_a_model_without_a_readable_meaning_is_refused_for_every_method():
    assert marks("softmax of one unit") == dict.fromkeys(RULES, REFUSED)


def test_a_method_of_another_kind_of_model_is_not_applicable():
    assert marks("plain", [METHODS["ATTENTION"], METHODS["FEM"]]) == {"ATTENTION": NOT_FOR_IT, "FEM": SOUND}
