"""What a visitor chooses is read as the flags of main.py are, and a wrong choice is told."""

import re

import pytest
from planted import SIDE

import main
from explainers.registry import METHODS
from pipeline.run_figures import Style
from pipeline.settings import read_methods as read_methods_of_main
from webpage.choices import (
    FAST,
    MAX_CELLS,
    first_text,
    list_choices,
    read_classes,
    read_index,
    read_methods,
    read_options,
    read_seed,
    read_style,
)

GRADCAM, FEM, RISE_, LIME = (METHODS[name] for name in ("GRADCAM", "FEM", "RISE", "LIME"))


def test_empty_fields_are_the_defaults_of_main():
    for method in METHODS.values():
        defaults = {option.name: option.default for option in method.options}
        assert read_options(method, {}) == read_options(method, dict.fromkeys(defaults, " ")) == defaults


def test_first_texts_are_read_as_they_stand_and_differ_from_main_only_where_they_are_faster():
    for method in METHODS.values():
        texts = {option.name: first_text(method, option) for option in method.options}
        expected = {option.name: option.default for option in method.options} | FAST.get(method.name, {})
        assert read_options(method, texts) == expected
        for option in method.options:
            assert list_choices(option) is None or texts[option.name] in list_choices(option)


def test_options_are_read_as_the_flags_of_main():
    args = main.build_parser().parse_args(
        ["--explanation_method=LIME", "--lime_hide_color=10,20,30", "--lime_hide_rest=yes", "--lime_num_samples=7"]
    )
    texts = {"hide_color": "10,20,30", "hide_rest": "yes", "num_samples": "7"}
    assert read_options(LIME, texts) == read_methods_of_main(args)[LIME]


@pytest.mark.parametrize(
    "method, texts, message",
    [
        (RISE_, {"n_masks": "many"}, "RISE, n_masks: a number is wanted, not 'many'"),
        (RISE_, {"n_masks": "100000"}, "RISE, n_masks: the page takes 5000 at most"),
        (RISE_, {"variant": "mine"}, "RISE, variant: one of paper, lab is wanted"),
        (RISE_, {"mask_size": "many"}, "RISE, mask_size: a number is wanted"),
        (LIME, {"hide_color": "red"}, "LIME, hide_color: 'mean', a grey value"),
    ],
)
def test_a_wrong_option_is_named(method, texts, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_options(method, texts)


def test_what_the_explainer_refuses_is_told_before_it_begins(planted_classifier):
    with pytest.raises(ValueError, match=r"RISE: threshold.*\(0, 1\]"):
        read_methods(["RISE"], {("RISE", "threshold"): "2"}, planted_classifier)
    with pytest.raises(ValueError, match="choose a method"):
        read_methods([], {}, planted_classifier)
    for names in ("GRADCAM", 5, {"GRADCAM": 1}, ["NONE"], [None]):
        with pytest.raises(ValueError, match="methods: a list of"):
            read_methods(names, {}, planted_classifier)


def test_masks_are_no_finer_than_the_pixels_and_fit_into_memory(planted_classifier):
    def read(n_masks, mask_size):
        texts = {("RISE", "n_masks"): str(n_masks), ("RISE", "mask_size"): str(mask_size)}
        return read_methods(["RISE"], texts, planted_classifier)

    assert read(1, SIDE)[RISE_]["mask_size"] == SIDE
    with pytest.raises(ValueError, match=f"mask_size: {SIDE} at most"):
        read(1, SIDE + 1)
    most = MAX_CELLS // SIDE**2
    assert read(most, SIDE)
    with pytest.raises(ValueError, match=f"n_masks: the page takes {most} at most with a mask_size of {SIDE}"):
        read(most + 1, SIDE)


@pytest.mark.parametrize(
    "read, values, message",
    [
        (read_seed, (-5, 99999999999, None, "", "7", True, [1]), "seed: a number from 0 to 4294967295"),
        (read_seed, (0.5, float("inf"), float("nan")), "seed: a whole number is wanted, not"),
        (lambda value: read_style(value, "jet"), (7, -0.1, None, "1"), "Opacity: a number from 0 to 1 is wanted, not"),
        (lambda value: read_style(0.5, value), ("pink", None, [], 3), "Colour map: one of jet, .* is wanted, not"),
        (
            lambda value: read_index("example", value, 6),
            (6, -1, None, "0", 0.0, True),
            "example: one of the 6 on the page",
        ),
        (lambda value: read_classes([value, None], 3), (3, -2, "0", [0], {}), "class: one of the 3 on the page"),
        (lambda value: read_classes([value, -1], 3), (None, -1), "choose a class"),
    ],
)
def test_a_wrong_choice_is_told(read, values, message):
    for value in values:
        with pytest.raises(ValueError, match=message):
            read(value)


def test_right_choices_are_read():
    assert read_seed(7.0) == 7 and read_seed(2**32 - 1) == 2**32 - 1
    assert read_style(1, "gray") == Style("gray", 1)
    assert read_classes([2, 0], 3) == [2, 0] and read_classes([1, 1], 3) == [1] and read_classes([1, -1], 3) == [1]
