"""The line of progress: time left worked by hand for methods a thousandfold apart, on a terminal and elsewhere."""

import io
import os

import pytest

from output import progress
from output.progress import LONGEST, Progress, printable


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """`clock.now` is what the module takes for the time, in seconds."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


def test_nothing_is_known_before_the_first_image_is_done():
    assert Progress({"GRADCAM": 3}, io.StringIO()).time_left() is None


def test_each_method_is_reckoned_at_its_own_mean():
    line = Progress({"GRADCAM": 4, "RISE": 3}, io.StringIO())
    line.end("GRADCAM", "a", 0.02)
    line.end("GRADCAM", "b", 0.04)
    line.end("RISE", "a", 30)
    assert line.time_left() == pytest.approx(2 * 0.03 + 2 * 30)


def test_a_method_that_has_not_begun_is_reckoned_at_the_mean_of_the_others():
    line = Progress({"GRADCAM": 2, "FEM": 2, "RISE": 5}, io.StringIO())
    line.end("GRADCAM", "a", 1)
    line.end("FEM", "a", 3)
    assert line.time_left() == pytest.approx(1 + 3 + 5 * 2)


def test_an_image_half_done_tells_how_long_its_method_takes():
    line = Progress({"RISE": 3}, io.StringIO())
    line.begin("RISE", "a")
    assert line.time_left(0.25, elapsed=10) == pytest.approx(3 * 40 - 10)


def test_an_image_that_takes_long_costs_no_more_than_its_own_share():
    line = Progress({"RISE": 3}, io.StringIO())
    line.end("RISE", "a", 10)
    line.begin("RISE", "b")
    assert line.time_left(0.5, elapsed=500) == pytest.approx(10)


def test_a_failed_image_does_not_lower_the_mean():
    line = Progress({"RISE": 4}, io.StringIO())
    line.end("RISE", "a", 30)
    line.end("RISE", "b")
    assert line.time_left() == pytest.approx(60)


def test_at_the_end_nothing_is_left():
    line = Progress({"GRADCAM": 1, "RISE": 1}, io.StringIO())
    line.end("GRADCAM", "a", 0.1)
    line.end("RISE", "a", 100)
    assert line.time_left() == 0


def test_elsewhere_than_on_a_terminal_a_line_is_written_per_image(clock):
    stream = io.StringIO()
    line = Progress({"RISE": 2}, stream)
    line.begin("RISE", "a.png")
    line.within(5, 10)
    line.end("RISE", "a.png", 83)
    line.say("RISE b.png: damaged")
    line.end("RISE", "b.png")
    assert stream.getvalue().splitlines() == [
        "[1/2, 1:23 left] RISE a.png",
        "RISE b.png: damaged",
        "[2/2, 0:00 left] RISE b.png",
    ]


def test_on_a_terminal_one_line_is_rewritten_and_ended_once(clock):
    stream = Terminal()
    line = Progress({"RISE": 2}, stream)
    line.begin("RISE", "a.png")
    clock.now += 12
    line.within(100, 400)
    line.end("RISE", "a.png", 48)
    line.end("RISE", "b.png", 52)
    shown = stream.getvalue().split("\r\x1b[K")
    assert shown[1:] == [
        "[0/2] RISE a.png",
        "[0/2, 1:24 left] RISE a.png 25%",
        "[1/2, 0:48 left] RISE a.png",
        "[2/2, 0:00 left] RISE b.png\n",
    ]


def test_in_a_notebook_the_line_is_written_over_without_a_code_for_terminals():
    class Stream(io.StringIO):
        """What stderr is in a cell."""

    Stream.__module__ = "ipykernel.iostream"
    stream = Stream()
    line = Progress({"RISE": 2}, stream)
    line.end("RISE", "long.png", 3)
    line.end("RISE", "b.png", 3)
    first, second = stream.getvalue().split("\r")[1:]
    assert first.rstrip() == "[1/2, 0:03 left] RISE long.png" and second.rstrip() == "[2/2, 0:00 left] RISE b.png"
    assert "\x1b" not in first + second and len(second.rstrip("\n")) == len(first), "nothing of the longer one is left"


@pytest.mark.parametrize("columns", [40, 80])
def test_a_line_never_reaches_the_edge_of_the_terminal(monkeypatch, columns):
    monkeypatch.setattr(progress.shutil, "get_terminal_size", lambda *size, **fallback: os.terminal_size((columns, 24)))
    stream = Terminal()
    Progress({"RISE": 2}, stream).end("RISE", "x" * 200, 1)
    assert len(stream.getvalue().removeprefix("\r\x1b[K")) == columns - 1


def test_a_message_stands_on_a_line_of_its_own_above_the_progress():
    stream = Terminal()
    Progress({"RISE": 2}, stream).say("RISE a.png: damaged")
    assert stream.getvalue() == "\r\x1b[KRISE a.png: damaged\n"


# --- names -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "name, shown",
    [
        ("été 神 a\u00a0b 👍.png", "été 神 a\u00a0b 👍.png"),
        ("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07"),
        ("a\nmain.py: error: forged\r", r"a\nmain.py: error: forged\r"),
        ("\x9b31m\x85\u2028\u2029", r"\x9b31m\x85\u2028\u2029"),
        ("gnp.\u202eexe", r"gnp.\u202eexe"),
        ("torn \udcff", r"torn \udcff"),
        ("", ""),
    ],
)
def test_a_name_is_shown_on_one_line_and_drives_no_terminal(name, shown):
    assert printable(name) == shown


def test_a_text_without_end_is_cut():
    assert printable("\0" * 10**7).endswith("… (10000000 characters)") and len(printable("\0" * 10**7)) < LONGEST + 40
    assert printable("a" * LONGEST) == "a" * LONGEST


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_the_line_of_progress_shows_names_so(stream):
    line = Progress({"RISE": 1}, stream())
    line.begin("RISE", "a\x1b[2J.png")
    line.say("cannot read 'a\nb.png'")
    line.end("RISE", "a\x1b[2J.png", 1.0)
    said = line.stream.getvalue()
    assert "\x1b[2J" not in said and r"\x1b[2J" in said and r"'a\nb.png'" in said
