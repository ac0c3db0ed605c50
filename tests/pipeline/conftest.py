"""What the tests of flags ask a parser."""

import pytest

from pipeline import flags


@pytest.fixture
def ask(capsys):
    """`ask(*words)` -> (exit code, lines of the error, lines of the output) of a parser that ends the program."""

    def run(*words, parser=None):
        with pytest.raises(SystemExit) as stop:
            (parser or flags.build_run_parser("main.py", "Explain.")).parse_args(words)
        said = capsys.readouterr()
        return stop.value.code, said.err.splitlines(), said.out.splitlines()

    return run
