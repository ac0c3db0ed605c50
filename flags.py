"""What the scripts share about their flags: checked numbers, and one way to end."""

import argparse
import sys
from collections.abc import Callable


def in_range(kind: Callable, low: float, high: float = float("inf")) -> Callable:
    """What reads a flag as a number of that kind from low to high."""

    def number(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:
            wanted = f"{low} or more" if high == float("inf") else f"a number from {low} to {high}"
            raise argparse.ArgumentTypeError(f"{wanted} was wanted; got {text}")
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


def run_script(name: str, run: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """The exit code of `run(args)`; what stops it is told in one line: 2, or 130 when interrupted."""
    try:
        return run(args)
    except ValueError as error:
        message = str(error)
    except OSError as error:  # a folder that may not be written to, a full disk
        message = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
    except MemoryError as error:
        message = f"not enough memory: {error}"
    except ImportError as error:
        message = f"a library is missing ({error}); see 'Start' in README.md"
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return 130
    print(f"{name}: error: {message}", file=sys.stderr)
    return 2


def forgive_names() -> None:
    """Lets the screen show what it can of a file name that it cannot show."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
