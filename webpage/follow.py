"""What a visitor sees while an answer is being computed, and what it came to."""

import sys
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING

import gradio as gr

from output.progress import Stopped
from webpage.html import say_time, show_status
from webpage.layout import Layout
from webpage.maps import show_maps
from webpage.visitors import Visitor
from webpage.work import Work

if TYPE_CHECKING:
    from webpage.case import Case

TICK = 0.25  # seconds between two looks at what runs


def follow(visitor: Visitor, case: "Case", work: Work, at: Layout) -> Iterator[dict]:
    """Component -> what it shows, until the work has ended; nothing more once other work has taken its place."""
    n_seen, ended = None, False
    while not ended:
        ended = work.wait(0 if n_seen is None else TICK)
        if visitor.work is not work:
            return
        n = len(case.records())
        status = _say_outcome(work) if ended else _say_progress(work)
        shown = {at.status: status, at.stop: gr.update(interactive=not ended)}
        if ended or n > (n_seen or 0):  # until the first is there, what was shown before stays
            shown[at.maps] = show_maps(case, visitor.style, visitor.one_scale)
            shown[at.files] = gr.update(value=None, visible=False)
        n_seen = n
        yield shown


def _say_progress(work: Work) -> str:
    watch = work.watch
    if not watch.step:
        return show_status("Waiting for the explanations of others …" if not work.future.running() else "Working …")
    left = watch.seconds_left()
    clock = "" if left is None else f", {say_time(left)} left"
    return show_status(f"{watch.step} {watch.share():.0%}{clock}", watch.share())


def _say_outcome(work: Work) -> str:
    error = None if work.future.cancelled() else work.future.exception()
    if error is None:
        return show_status("Done.")
    if isinstance(error, Stopped):
        return show_status(f"Stopped at {work.watch.share():.0%}; what was finished before is shown.")
    if not isinstance(error, ValueError | MemoryError):
        traceback.print_exception(error, file=sys.stderr)
    reason = f"{error}" if isinstance(error, ValueError) else f"not enough memory: {error}"
    if not isinstance(error, ValueError | MemoryError):
        reason = f"the computation failed: {type(error).__name__}"
    return show_status(reason, wrong=True)
