"""A command on the command line: its parser, the numbers and paths it takes, and the one way in which it ends."""

import argparse
import difflib
import os
import re
import sys
from collections.abc import Callable, Sequence

import constants
from output.memory import keep_pages
from output.progress import printable

HELP_WIDTH = 120  # letters of a line of help
CLUSTER = "many processes or machines, see docs/cluster.md"
OWN_GROUP = 2  # of groups that a command has alone: behind its question
GROUPS = {  # title -> place in the help
    "about": 0,
    "question": 1,
    "images": 3,
    "model": 4,
    "training": 5,
    "gaze": 6,
    "metrics": 7,
    "figures and report": 8,
    "output": 9,
    CLUSTER: 10,
}
OF_ARGUMENTS = {  # what a function of Python calls it -> the flag that it comes from, where that is another name
    "images_folder": "test_images_folder_path",
    "gdfm_folder": "test_gdfm_folder_path",
    "fixations": "test_fixations_path",
}


# --- the parser, and what it reads --------------------------------------------------------------------------------
class CommandParser(argparse.ArgumentParser):
    """A parser of whole flag names; a mistake takes two lines: what is wrong, and what may have been meant."""

    def __init__(self, prog: str, description: str):
        def formatter(prog: str) -> argparse.HelpFormatter:
            return argparse.HelpFormatter(prog, max_help_position=32, width=HELP_WIDTH)

        shown = {"usage": "%(prog)s [flags]", "formatter_class": formatter}
        super().__init__(prog=prog, description=description, allow_abbrev=False, add_help=False, **shown)
        about = self.add_argument_group("about")
        about.add_argument("--help", "-h", action="help", help="show this help")
        about.add_argument(
            "--version", action=_Version, nargs=0, help="show the versions of this project and its libraries"
        )

    def format_help(self) -> str:
        """The flags by groups, what is typed most first, whatever was added first."""
        self._action_groups.sort(key=lambda group: GROUPS.get(group.title, OWN_GROUP))
        return super().format_help()

    def parse_args(self, args=None, namespace=None) -> argparse.Namespace:
        """The flags; `given` holds the names of those that were typed, whatever their values."""
        words = sys.argv[1:] if args is None else [*args]
        found = super().parse_args(words, namespace)
        typed = (self._option_string_actions.get(word.split("=")[0]) for word in words)
        found.given = frozenset(action.dest for action in typed if action is not None)
        return found

    def error(self, message: str):
        """Says what is wrong, the flag or value that comes closest to it, and ends the program with code 2."""
        unknown, known = "", list(self._option_string_actions)
        if message.startswith("unrecognized arguments: "):
            unknown = message.removeprefix("unrecognized arguments: ").split()[0].split("=")[0]
        elif choice := re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message):
            unknown, known = choice[1], re.findall(r"[\w.-]+", choice[2])
        close = difflib.get_close_matches(unknown, known, n=1, cutoff=0.7)
        advice = f"did you mean {close[0]}?" if close else f"python {self.prog} --help lists the flags"
        lines = [f"{self.prog}: error: {printable(message)}", *([] if "did you mean" in message else [advice])]
        self.exit(2, "\n".join(lines) + "\n")


class _Version(argparse.Action):
    """Shows the versions that a report of a fault should name."""

    def __call__(self, parser, namespace, values, option_string=None):
        from output.folder import versions

        print(f"version {constants.VERSION}", *(f"{name} {number}" for name, number in versions().items()), sep="\n")
        parser.exit()


def in_range(kind: Callable, low: float, high: float = float("inf"), above: bool = False) -> Callable:
    """What reads a flag as a number of that kind from low to high; above: low itself is too small."""

    def number(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            wanted = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"{wanted} was wanted; got {text}") from None
        if not low <= value <= high or (above and value == low):
            least = f"more than {low}" if above else f"{low} or more"
            upper = f", up to {high}" if high < float("inf") else ""
            raise argparse.ArgumentTypeError(f"{least}{upper} was wanted; got {text}")
        return value

    return number


def reader(read: Callable) -> Callable:
    """What reads a flag by `read`, whose ValueError is what the user is told; argparse words those of numbers."""

    def checked(text: str):
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read if read in (int, float, str) else checked


def path(text: str) -> str:
    """The path with '~' as the home folder: a shell leaves it alone behind an equals sign."""
    if not text:
        raise argparse.ArgumentTypeError("an empty path was given")
    return os.path.expanduser(text)


def output_folder(text: str) -> str:
    """The path of a folder that can be written into, as far as that shows before anything is done."""
    folder = path(text)
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise argparse.ArgumentTypeError(f"'{folder}' is a file; a folder is wanted")
    _check_writable(folder)
    return folder


def output_file(text: str) -> str:
    """The path of a file that can be written, as far as that shows before anything is done."""
    file = path(text)
    _check_writable(os.path.dirname(os.path.abspath(file)))
    return file


def _check_writable(folder: str) -> None:
    parent = os.path.abspath(folder)
    while not os.path.exists(parent):
        parent = os.path.dirname(parent)
    if not os.path.isdir(parent) or not os.access(parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"'{folder}' cannot be written: '{parent}' may not be written into")


# --- how a command ends -------------------------------------------------------------------------------------------
def name_flag(message: str, parser: argparse.ArgumentParser) -> str:
    """The message with the flag in the place of the argument of Python that it begins with: 'boxes: ...'."""
    name, colon, rest = message.partition(": ")
    flag = f"--{OF_ARGUMENTS.get(name, name)}"
    return f"{flag}: {rest}" if colon and flag in parser._option_string_actions else message


def run_command(
    parser: argparse.ArgumentParser, read: Callable, run: Callable[..., int], argv: Sequence[str] | None = None
) -> int:
    """The exit code of `run(read(flags))`; what stops it is said in one line, with code 2, or 130 when interrupted."""
    for stream in (sys.stdout, sys.stderr):  # whatever the code page: names of files and classes are of all scripts
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    args = parser.parse_args(argv)
    keep_pages()
    try:
        return run(read(args))
    except ValueError as error:
        message = name_flag(str(error), parser)
    except OSError as error:  # a folder that may not be written to, a full disk
        message = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
    except MemoryError as error:
        message = f"not enough memory: {error}"
    except ModuleNotFoundError as error:
        message = f"a library is missing ({error}); see 'Start' in README.md"
    except Exception as error:
        if type(error).__name__ != "ResourceExhaustedError":  # of TensorFlow, which may not be loaded
            raise
        lack = re.search(r"OOM when allocating tensor with shape\S*", str(error))
        message = f"not enough memory: {lack[0] if lack else error}; a smaller --batch_size or model needs less"
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return 130
    print(f"{parser.prog}: error: {printable(message)}", file=sys.stderr)
    return 2
