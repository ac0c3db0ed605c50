"""Who is on the page: each visitor by the name of their session, from their first question until they leave."""

import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import constants
from app_work import Watch, Work
from display import Style

if TYPE_CHECKING:
    from app_case import Case


class Visitor:
    """One visitor: their photograph, the one computation that may run for them at a time, and their files.

    folder: where a folder of their own is made. executor: what computes for all visitors.
    """

    def __init__(self, folder: str | Path, executor: Executor):
        self.folder = Path(tempfile.mkdtemp(prefix="visitor_", dir=folder))
        self.executor, self.style, self.one_scale = executor, Style(), True
        self.uploads: set[Path] = set()
        self.case: Case | None = None
        self.work: Work | None = None
        self.turn = object()  # another one for every photograph

    def begin(self, compute: Callable[[Watch], object], counts: dict[str, int]) -> Work:
        """The work of `compute(watch)`; what ran before is stopped. counts: as for `Watch`."""
        self.stop()
        self.work = Work(self.executor, compute, counts)
        return self.work

    def stop(self) -> None:
        """Stops what runs."""
        if self.work is not None:
            self.work.stop()

    def forget(self) -> object:
        """Stops what runs, drops the photograph with all that was said about it; whose turn it is from now on."""
        self.stop()
        self.case = self.work = None
        self.turn = object()
        return self.turn

    def look(self) -> Style:
        """How their maps are drawn, and where their gaze comes from."""
        simulated = self.case is not None and self.case.simulated
        return replace(self.style, density_note="simulated gaze" if simulated else "")

    def leave(self) -> None:
        """Stops what runs, and removes the visitor's files."""
        self.forget()
        shutil.rmtree(self.folder, ignore_errors=True)


class Visitors:
    """The visitors of a page; folder: where their files are kept."""

    def __init__(self, folder: str | Path):
        self.folder = folder
        self.executor = ThreadPoolExecutor(constants.APP_AT_ONCE)
        self._visitors: dict[str, Visitor] = {}

    def of(self, session: str) -> Visitor:
        """The visitor of that session, a new one if need be."""
        if session not in self._visitors:
            self._visitors[session] = Visitor(self.folder, self.executor)
        return self._visitors[session]

    def leave(self, session: str) -> None:
        """The visitor is gone: what runs for them stops, and their files go."""
        visitor = self._visitors.pop(session, None)
        if visitor is None:
            return
        visitor.leave()
        for path in visitor.uploads:  # two who drop the same file share it
            if not any(path in other.uploads for other in [*self._visitors.values()]):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """All leave."""
        for session in [*self._visitors]:
            self.leave(session)
        self.executor.shutdown(cancel_futures=True)
