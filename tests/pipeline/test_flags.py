"""Flags: what is read, what is refused and in which words, and how a command ends."""

import argparse
import os
import subprocess
import sys

import pytest
from planted import ROOT

import main
from explainers.registry import METHODS
from pipeline import flags


def ask(capsys, *argv, parser=None):
    """(exit code, lines of the error, lines of the output) of a parser asked with these words."""
    with pytest.raises(SystemExit) as stop:
        (parser or flags.build_run_parser("main.py", "Explain.")).parse_args(argv)
    said = capsys.readouterr()
    return stop.value.code, said.err.splitlines(), said.out.splitlines()


def test_a_mistyped_flag_takes_two_lines_and_names_the_one_that_comes_closest(capsys):
    code, lines, _ = ask(capsys, "--explanation_metod=FEM")
    assert code == 2 and len(lines) == 2
    assert "unrecognized arguments: --explanation_metod=FEM" in lines[0]
    assert lines[1] == "did you mean --explanation_method?"


def test_a_flag_like_no_other_is_sent_to_the_help(capsys):
    _, lines, _ = ask(capsys, "--qqqqqqqq")
    assert len(lines) == 2 and lines[1].endswith("--help lists the flags")


def test_a_flag_cut_short_is_not_guessed(capsys):
    assert ask(capsys, "--lim=3")[0] == 2


def test_the_general_help_fits_two_screens_and_shows_every_default(capsys):
    _, _, lines = ask(capsys, "--help")
    assert len(lines) <= 2 * 48 and max(map(len, lines)) <= flags.HELP_WIDTH
    parser = flags.build_run_parser("main.py", "Explain.")
    for action in parser._actions:
        if action.help != argparse.SUPPRESS and action.dest not in ("help", "version", "help_method"):
            assert "default: " in action.help, action.option_strings


@pytest.mark.parametrize("method", [method for method in METHODS.values() if method.options], ids=lambda m: m.name)
def test_the_options_of_a_method_are_shown_by_its_name_with_their_defaults(method, capsys):
    code, _, lines = ask(capsys, f"--help_method={method.name.lower()}")
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
def test_an_entry_of_the_assignments_dictionary_that_is_no_option_is_refused_by_name(entry, instead, capsys):
    code, lines, _ = ask(capsys, "--explanation_method=LIME", f"--lime_{entry}=None")
    assert code == 2 and len(lines) == 2
    assert f"--lime_{entry}: no option here: " in lines[0] and instead in lines[0]


def test_help_of_a_method_that_is_none_lists_the_methods(capsys):
    code, lines, _ = ask(capsys, "--help_method=mine")
    assert code == 2 and "unknown method 'mine'; choose from: GRADCAM, " in lines[0]


@pytest.mark.parametrize(
    "flag, meant",
    [
        ("--help_method=RIS", "RISE"),
        ("--protocol=labb", "lab"),
        ("--faithfulness=curvs", "curves"),
        ("--alhpa=1", "--alpha"),
    ],
)
def test_a_mistyped_flag_or_value_is_answered_with_what_may_have_been_meant(flag, meant, capsys):
    code, lines, _ = ask(capsys, flag, parser=main.build_parser())
    assert code == 2 and len(lines) <= 2 and lines[-1].endswith(f"did you mean {meant}?")


def test_the_version_comes_with_those_of_the_libraries(capsys):
    code, _, lines = ask(capsys, "--version")
    assert code == 0 and lines[0].startswith("version ")
    assert any(line.startswith("tensorflow 2.") for line in lines) and any(
        line.startswith("python 3.") for line in lines
    )


@pytest.mark.parametrize(
    "text, words",
    [
        ("0", "more than 0, up to 1 was wanted; got 0"),
        ("2", "more than 0, up to 1 was wanted; got 2"),
        ("nan", "got nan"),
    ],
)
def test_a_number_outside_its_range_is_refused(text, words):
    with pytest.raises(argparse.ArgumentTypeError, match=words):
        flags.in_range(float, 0, 1, above=True)(text)


def test_a_path_may_begin_with_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    args = flags.build_run_parser("main.py", "Explain.").parse_args(
        ["--test_images_folder_path=~/images", "--model_path=~/m.keras"]
    )
    assert (args.test_images_folder_path, args.model_path) == ("/home/ada/images", "/home/ada/m.keras")


@pytest.mark.parametrize(
    "error, code, words",
    [
        (ValueError("no class"), 2, "x.py: error: no class"),
        (PermissionError(13, "Permission denied", "results"), 2, "x.py: error: Permission denied: results"),
        (MemoryError("16 GB"), 2, "x.py: error: not enough memory: 16 GB"),
        (ModuleNotFoundError("No module named 'lime'"), 2, "see 'Start' in README.md"),
        (KeyboardInterrupt(), 130, "the same command goes on from here"),
    ],
)
def test_what_stops_a_command_is_said_in_one_line(error, code, words, capsys):
    def run(settings):
        raise error

    parser = flags.CommandParser("x.py", "Do.")
    assert flags.run_command(parser, lambda args: args, run, []) == code
    said = capsys.readouterr().err.strip()
    assert words in said and "\n" not in said


def test_settings_that_do_not_go_together_are_said_in_one_line_too(capsys):
    def read(args):
        raise ValueError("--a goes with --b")

    assert flags.run_command(flags.CommandParser("x.py", "Do."), read, lambda settings: 0, []) == 2
    assert capsys.readouterr().err == "x.py: error: --a goes with --b\n"


def test_channels_are_read_as_numbers_and_ranges():
    assert flags.read_channels("0-3,151, 2") == [0, 1, 2, 3, 151]


# --- what is said in which words ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text, words", [("2.5", "a whole number was wanted; got 2.5"), ("ten", "a whole number was wanted; got ten")]
)
def test_what_is_no_number_is_said_in_words(text, words, capsys):
    _, lines, _ = ask(capsys, f"--limit={text}")
    assert lines[0].endswith(f"--limit: {words}")


@pytest.mark.parametrize(
    "message, shown",
    [
        ("boxes: line 3 of 'b.csv' is an empty box", "--boxes: line 3 of 'b.csv' is an empty box"),
        ("fixations: there is no file 'f'", "--test_fixations_path: there is no file 'f'"),
        ("images_folder: there is no folder 'x'", "--test_images_folder_path: there is no folder 'x'"),
        ("concepts: there is no folder 'x'", "concepts: there is no folder 'x'"),  # no flag of this command
        ("cannot read 'a: b'", "cannot read 'a: b'"),
    ],
)
def test_an_argument_of_python_is_shown_as_its_flag(message, shown):
    parser = flags.build_run_parser("main.py", "Explain.")
    flags.add_boxes_flag(parser, "of objects")
    assert flags.name_flag(message, parser) == shown


def test_the_help_begins_with_what_is_typed_most_and_ends_with_many_machines(capsys):
    _, _, lines = ask(capsys, "--help")
    headings = [
        line.removesuffix(":") for line in lines if line and not line.startswith((" ", "usage")) and line[-1] == ":"
    ]
    assert headings[:4] == ["about", "question", "images", "model"] and headings[-1] == flags.CLUSTER
    first = {heading: lines[lines.index(f"{heading}:") + 1].split()[0] for heading in headings}
    assert first["question"] == "--explanation_method" and first["images"] == "--test_images_folder_path"
    assert (first["model"], first["output"]) == ("--model_name", "--output_folder_path")


def test_the_default_of_a_limit_is_that_of_the_command(capsys):
    _, _, lines = ask(capsys, "--help")
    text = " ".join(" ".join(lines).split())
    assert "each class (default: all; 12 of the embedded data)" in text
    parser = flags.build_run_parser("main.py", "Explain.", limit=8)
    assert parser.parse_args([]).limit == 8 and "each class (default: 8)" in " ".join(parser.format_help().split())


def test_a_file_or_folder_that_cannot_be_written_is_told_before_anything_is_done(tmp_path):
    (tmp_path / "file").write_text("")
    for read, path in (
        (flags.output_folder, tmp_path / "file" / "results"),
        (flags.output_file, tmp_path / "file" / "a.keras"),
    ):
        with pytest.raises(argparse.ArgumentTypeError, match="cannot be written: '.*' may not be written into"):
            read(str(path))
    assert flags.output_file(str(tmp_path / "new" / "a.keras")) == str(tmp_path / "new" / "a.keras")


ODD = "ein_東京_\U0001f40d_\udcff"


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_names_of_all_scripts_are_printed_whatever_the_code_page(encoding):
    """\udcff: a byte that is no UTF-8, as names of old disks have."""
    code = (
        "import sys; from pipeline import flags; parser = flags.CommandParser('x.py', 'Do.');"
        "parser.add_argument('--name');"
        "sys.exit(flags.run_command(parser, lambda args: args.name, lambda name: print(name) or 0))"
    )
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "1"}
    for argument, shown in (
        (f"--name={ODD}", b"ein_\xe6\x9d\xb1\xe4\xba\xac_\xf0\x9f\x90\x8d_\\udcff"),
        (ODD, b"arguments: ein_"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, argument.encode(errors="surrogateescape")],
            cwd=ROOT,
            env=environment,
            capture_output=True,
        )
        assert shown in done.stdout + done.stderr and b"Traceback" not in done.stderr
