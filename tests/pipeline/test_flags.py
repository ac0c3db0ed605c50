"""The shared flags: their help, the options of methods, what is no option, channels, limits."""

import argparse

import pytest

from explainers.registry import METHODS
from pipeline import flags
from pipeline.command_line import CLUSTER, HELP_WIDTH


def test_the_general_help_fits_two_screens_and_shows_every_default(ask):
    _, _, lines = ask("--help")
    assert len(lines) <= 2 * 48 and max(map(len, lines)) <= HELP_WIDTH
    parser = flags.build_run_parser("main.py", "Explain.")
    for action in parser._actions:
        if action.help != argparse.SUPPRESS and action.dest not in ("help", "version", "help_method"):
            assert "default: " in action.help, action.option_strings


@pytest.mark.parametrize("method", [method for method in METHODS.values() if method.options], ids=lambda m: m.name)
def test_the_options_of_a_method_are_shown_by_its_name_with_their_defaults(ask, method):
    code, _, lines = ask(f"--help_method={method.name.lower()}")
    text = " ".join(" ".join(lines).split())
    assert code == 0
    for option in method.options:
        assert f"--{method.flag(option)} " in text and option.help in text
    assert text.count("(default: ") == len(method.options) and "(default: None)" not in text


@pytest.mark.parametrize(
    ("entry", "instead"),
    [
        ("labels", "--class_index"),
        ("batch_size", "--batch_size"),
        ("random_seed", "--seed"),
        ("segmentation_fn", "quickshift"),
        ("model_regressor", "ridge"),
    ],
)
def test_an_entry_of_the_assignments_dictionary_that_is_no_option_is_refused_by_name(ask, entry, instead):
    code, lines, _ = ask("--explanation_method=LIME", f"--lime_{entry}=None")
    assert code == 2 and len(lines) == 2
    assert f"--lime_{entry}: no option here: " in lines[0] and instead in lines[0]


def test_help_of_a_method_that_is_none_lists_the_methods(ask):
    code, lines, _ = ask("--help_method=mine")
    assert code == 2 and "unknown method 'mine'; choose from: GRADCAM, " in lines[0]


def test_channels_are_read_as_numbers_and_ranges():
    assert flags.read_channels("0-3,151, 2") == [0, 1, 2, 3, 151]


def test_the_help_begins_with_what_is_typed_most_and_ends_with_many_machines(ask):
    _, _, lines = ask("--help")
    headings = [
        line.removesuffix(":") for line in lines if line and not line.startswith((" ", "usage")) and line[-1] == ":"
    ]
    assert headings[:4] == ["about", "question", "images", "model"] and headings[-1] == CLUSTER
    first = {heading: lines[lines.index(f"{heading}:") + 1].split()[0] for heading in headings}
    assert first["question"] == "--explanation_method" and first["images"] == "--test_images_folder_path"
    assert (first["model"], first["output"]) == ("--model_name", "--output_folder_path")


def test_the_default_of_a_limit_is_that_of_the_command(ask):
    _, _, lines = ask("--help")
    text = " ".join(" ".join(lines).split())
    assert "each class (default: all; 12 of the embedded data)" in text
    parser = flags.build_run_parser("main.py", "Explain.", limit=8)
    assert parser.parse_args([]).limit == 8 and "each class (default: 8)" in " ".join(parser.format_help().split())
