"""The command line: what is read, what is refused and in which words, and how a command ends."""

import argparse
import os
import subprocess
import sys

import pytest
from planted import ROOT

import main
from pipeline import command_line, flags


def test_a_mistyped_flag_takes_two_lines_and_names_the_one_that_comes_closest(ask):
    code, lines, _ = ask("--explanation_metod=FEM")
    assert code == 2 and len(lines) == 2
    assert "unrecognized arguments: --explanation_metod=FEM" in lines[0]
    assert lines[1] == "did you mean --explanation_method?"


def test_a_flag_like_no_other_is_sent_to_the_help(ask):
    _, lines, _ = ask("--qqqqqqqq")
    assert len(lines) == 2 and lines[1].endswith("--help lists the flags")


def test_a_flag_cut_short_is_not_guessed(ask):
    assert ask("--lim=3")[0] == 2


@pytest.mark.parametrize(
    "flag, meant",
    [
        ("--help_method=RIS", "RISE"),
        ("--protocol=labb", "lab"),
        ("--faithfulness=curvs", "curves"),
        ("--alhpa=1", "--alpha"),
    ],
)
def test_a_mistyped_flag_or_value_is_answered_with_what_may_have_been_meant(ask, flag, meant):
    code, lines, _ = ask(flag, parser=main.build_parser())
    assert code == 2 and len(lines) <= 2 and lines[-1].endswith(f"did you mean {meant}?")


def test_the_version_comes_with_those_of_the_libraries(ask):
    code, _, lines = ask("--version")
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
        command_line.in_range(float, 0, 1, above=True)(text)


def test_a_path_may_begin_with_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    args = flags.build_run_parser("main.py", "Explain.").parse_args(
        ["--test_images_folder_path=~/images", "--model_path=~/m.keras"]
    )
    assert (args.test_images_folder_path, args.model_path) == ("/home/ada/images", "/home/ada/m.keras")


class ResourceExhaustedError(Exception):
    """As TensorFlow has one."""


@pytest.mark.parametrize(
    "error, code, words",
    [
        (
            ResourceExhaustedError(
                "Exception\n\n\x1b[1m{{node Pad}} OOM when allocating tensor with shape[9,9] and type"
            ),
            2,
            "x.py: error: not enough memory: OOM when allocating tensor with shape[9,9]; a smaller --batch_size",
        ),
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

    parser = command_line.CommandParser("x.py", "Do.")
    assert command_line.run_command(parser, lambda args: args, run, []) == code
    said = capsys.readouterr().err.strip()
    assert words in said and "\n" not in said


def test_settings_that_do_not_go_together_are_said_in_one_line_too(capsys):
    def read(args):
        raise ValueError("--a goes with --b")

    assert command_line.run_command(command_line.CommandParser("x.py", "Do."), read, lambda settings: 0, []) == 2
    assert capsys.readouterr().err == "x.py: error: --a goes with --b\n"


@pytest.mark.parametrize(
    "text, words", [("2.5", "a whole number was wanted; got 2.5"), ("ten", "a whole number was wanted; got ten")]
)
def test_what_is_no_number_is_said_in_words(ask, text, words):
    _, lines, _ = ask(f"--limit={text}")
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
    assert command_line.name_flag(message, parser) == shown


def test_a_file_or_folder_that_cannot_be_written_is_told_before_anything_is_done(tmp_path):
    (tmp_path / "file").write_text("")
    for read, path in (
        (command_line.output_folder, tmp_path / "file" / "results"),
        (command_line.output_file, tmp_path / "file" / "a.keras"),
    ):
        with pytest.raises(argparse.ArgumentTypeError, match="cannot be written: '.*' may not be written into"):
            read(str(path))
    assert command_line.output_file(str(tmp_path / "new" / "a.keras")) == str(tmp_path / "new" / "a.keras")


ODD = "ein_東京_\U0001f40d_\udcff"


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_names_of_all_scripts_are_printed_whatever_the_code_page(encoding):
    """\udcff: a byte that is no UTF-8, as names of old disks have."""
    code = (
        "import sys; from pipeline import command_line; parser = command_line.CommandParser('x.py', 'Do.');"
        "parser.add_argument('--name');"
        "sys.exit(command_line.run_command(parser, lambda args: args.name, lambda name: print(name) or 0))"
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
