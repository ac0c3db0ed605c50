"""What a run says on the screen: one line of how far it is and how long it will still take, and names made safe."""

import os
import shutil
import sys
import time
import unicodedata
from collections import Counter
from typing import TextIO

LONGEST = 4000  # letters of one text on the screen


def printable(text: str) -> str:
    r"""The text as one line that a screen can show: whatever is no letter, sign or space becomes its escape, as \x1b.

    For names of files and classes, which come from others: an escape sequence would drive the terminal, a newline would
    forge a line of output, U+202E would turn the text round. What would be longer than `LONGEST` is cut, and says so.
    """
    shown = "".join(
        letter if letter.isprintable() or unicodedata.category(letter) == "Zs" else ascii(letter)[1:-1]
        for letter in text[: LONGEST + 1]
    )
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}… ({len(text)} characters)"


def print_table(values: dict) -> None:
    """Writes names and values, a line each: '          gaze: as given'."""
    for name, value in values.items():
        print(f"{name.replace('_', ' '):>14}: {printable(str(value))}", flush=True)


def show_count(text: str, done: int, total: int) -> None:
    """Writes '<text>: 3 of 12' in the place of the count before it; the last count ends the line."""
    print(f"\r{text}: {done} of {total}", end="\n" * (done == total), file=sys.stderr, flush=True)


class Stopped(Exception):
    """Raised by what is told of the progress of a work: that ends it at its next report, wherever it is."""


class Progress:
    """Progress over the images of several methods, which may differ a thousandfold in time.

    counts: method -> how many images it has to explain. The time left is each method's mean time per image so
    far times its images left; a method that has not begun yet is reckoned at the mean of the others.
    On a terminal and in a notebook the line is rewritten in place; elsewhere a line is written per image.
    """

    def __init__(self, counts: dict[str, int], stream: TextIO | None = None):
        self.left, self.total = Counter(counts), sum(counts.values())
        self.seconds, self.timed = Counter(), Counter()
        self.stream = stream or sys.stderr
        self._in_notebook = type(self.stream).__module__.startswith("ipykernel")
        self._clears = not self._in_notebook and os.name != "nt"  # whether a line is cleared by an escape sequence
        self._is_live = self._in_notebook or self.stream.isatty()
        self._since = time.monotonic()

    def begin(self, method: str, image: str) -> None:
        """An image is begun."""
        self._method, self._image, self._since = method, image, time.monotonic()
        if self._is_live:
            self.within(0, 1)

    def within(self, done: int, total: int) -> None:
        """So many of the forward passes that this image needs are done."""
        if self._is_live:
            self._write(done / total, time.monotonic() - self._since)

    def end(self, method: str, image: str, seconds: float | None = None) -> None:
        """An image is explained and measured, in so many seconds; None: it failed, and tells nothing of the others."""
        self._method, self._image = method, image
        self.left[method] -= 1
        if seconds is not None:
            self.timed[method] += 1
            self.seconds[method] += seconds
        self._write(0, 0, "\n" if not self._is_live or not self.left.total() else "")

    def say(self, text: str) -> None:
        """A line of its own, above the progress."""
        text = printable(text)
        self.stream.write(f"{self._rewrite(text)}\n" if self._is_live else f"{text}\n")

    def time_left(self, fraction: float = 0, elapsed: float = 0) -> float | None:
        """Seconds left, when `fraction` of the present image took `elapsed`; None before anything is known."""
        means = {method: self.seconds[method] / n for method, n in self.timed.items()}
        if fraction > 0:
            means.setdefault(self._method, elapsed / fraction)
        if not means:
            return None
        other = sum(means.values()) / len(means)
        left = sum(means.get(method, other) * n for method, n in self.left.items())
        return left - min(elapsed, means.get(self._method, other)) if elapsed else left

    def _write(self, fraction: float, elapsed: float, end: str = "") -> None:
        left = self.time_left(fraction, elapsed)
        clock = "" if left is None else f", {int(left) // 60}:{int(left) % 60:02d} left"
        part = f" {fraction:.0%}" if fraction else ""
        line = f"[{self.total - self.left.total()}/{self.total}{clock}] {self._method} {printable(self._image)}{part}"
        room = shutil.get_terminal_size().columns - 1  # a line that is broken in two could not be rewritten
        self.stream.write(f"{self._rewrite(line[:room])}{end}" if self._is_live else f"{line}{end}")
        self.stream.flush()

    def _rewrite(self, line: str) -> str:
        """What puts the line in the place of the last one: a terminal clears that, others write over it."""
        return f"\r\x1b[K{line}" if self._clears else f"\r{line:<{shutil.get_terminal_size().columns - 1}}"
