"""From samples to images ready to be explained: which class is asked about, by every rule."""

import pytest

from data.dataset import Sample
from pipeline.prepare import choose_class


@pytest.mark.parametrize(
    "rule, label, class_index, chosen",
    [
        ("auto", "green", 1, 1),
        ("auto", "dog", None, 2),
        ("auto", None, None, 2),
        ("label", "green", 1, 1),
        ("label", "red", 0, 0),
        ("predicted", "green", 1, 2),
        ("predicted", None, None, 2),
        ("1", "red", 0, 1),
        ("0", None, None, 0),
        ("Green", "red", 0, 1),
    ],
)
def test_the_class_is_chosen_by_the_rule(planted_classifier, tmp_path, rule, label, class_index, chosen):
    sample = Sample("a.png", "a", tmp_path / "a.png", label, class_index)
    assert choose_class(rule, sample, 2, planted_classifier) == chosen


@pytest.mark.parametrize("label, words", [("dog", "the model has no class 'dog'"), (None, "the data has no label")])
def test_without_a_label_the_label_cannot_be_explained(planted_classifier, tmp_path, label, words):
    sample = Sample("a.png", "a", tmp_path / "a.png", label)
    with pytest.raises(ValueError, match=f"{words} for 'a.png'.*--class_index=predicted"):
        choose_class("label", sample, 0, planted_classifier)
