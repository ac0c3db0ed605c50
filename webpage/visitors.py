"""Who is on the page: each visitor by the name of their session, from their first question until they leave."""

import contextlib
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import constants
from pipeline.run_figures import Style
from webpage.app_uploads import Uploads
from webpage.work import Watch, Work

if TYPE_CHECKING:
    from webpage.case import Case


class Visitor:
    """One visitor: their photograph, the one computation that may run for them at a time, and their files.

    folder: where a folder of their own is made. executor: what computes for all visitors.
    """

    def __init__(self, folder: str | Path, executor: Executor):
        self.folder = Path(tempfile.mkdtemp(prefix="visitor_", dir=folder))
        self.executor, self.style, self.one_scale = executor, Style(), True
        self.uploads: set[Path] = set()
        self.gaze: Path | None = None  # that came before its photograph
        self.refused = False  # the status tells what is wrong with a choice of colours
        self.seen = time.monotonic()
        self.case: Case | None = None
        self.work: Work | None = None
        self.turn = object()  # another one for every photograph

    def begin(self, compute: Callable[[Watch], object], counts: dict[str, int]) -> Work:
        """The work of `compute(watch)`; what ran before is stopped. counts: as for `Watch`."""
        self.stop()
        self.work = Work(self.executor, compute, counts)
        return self.work

    def idle(self) -> float:
        """Seconds since they did anything; none while something is computed for them."""
        return 0.0 if self.work is not None and not self.work.wait(0) else time.monotonic() - self.seen

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
    """The visitors of a page; folder: where their files are kept, those they sent (`uploads`) among them."""

    def __init__(self, folder: str | Path):
        self.folder, self.uploads = folder, Uploads(folder)
        self.here: Counter[str] = Counter()  # open connections by which a page says that it is still shown
        self.executor = ThreadPoolExecutor(constants.APP_AT_ONCE)
        self._visitors: dict[str, Visitor] = {}

    def of(self, session: str) -> Visitor:
        """The visitor of that session, a new one if need be."""
        if session not in self._visitors:
            if len(self._visitors) >= constants.APP_VISITORS:
                self.leave(max([*self._visitors], key=self._wait_of))
            self._visitors[session] = Visitor(self.folder, self.executor)
        visitor = self._visitors[session]
        visitor.seen = time.monotonic()
        return visitor

    def _wait_of(self, session: str) -> tuple[bool, float]:
        """Who goes first where there are too many: whose page is closed, then who did nothing for longest."""
        return not self.here[session], self._visitors[session].idle()

    def take(self, session: str, name: str) -> tuple[Visitor, Path]:
        """The visitor of that session and the file they name, which is theirs now; ValueError if none was sent."""
        path, visitor = self.uploads.take(name), self.of(session)
        visitor.uploads.add(path)
        return visitor, path

    @contextlib.contextmanager
    def present(self, session: str) -> Iterator[None]:
        """Within it, the page of that session is shown."""
        self.here[session] += 1
        try:
            yield
        finally:
            self.here[session] -= 1
            self.here += Counter()  # those at 0 go

    def sweep(self) -> None:
        """Whose page is closed without a word leaves after a while, and files that nobody claims go."""
        age = constants.APP_KEEP_UNCLAIMED
        for session, visitor in [*self._visitors.items()]:
            if not self.here[session] and visitor.idle() > age:
                self.leave(session)
        self.uploads.sweep(set().union(*(visitor.uploads for visitor in [*self._visitors.values()])), age)

    def leave(self, session: str) -> None:
        """The visitor is gone: what runs for them stops, and their files go."""
        visitor = self._visitors.pop(session, None)
        if visitor is None:
            return
        visitor.leave()
        for path in visitor.uploads:  # two who drop the same file share it
            if not any(path in other.uploads for other in [*self._visitors.values()]):
                self.uploads.remove(path)

    def close(self) -> None:
        """All leave."""
        for session in [*self._visitors]:
            self.leave(session)
        self.executor.shutdown(cancel_futures=True)
