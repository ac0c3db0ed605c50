"""Who is on the page: each visitor by the name of their session, from their first question until they leave, and the
files that browsers have sent.
"""

import contextlib
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Container, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.run_figures import Style
from webpage.work import Rate, Watch, Work

if TYPE_CHECKING:
    from webpage.case import Case

MAX_VISITORS = 100  # at the same time; one more takes the place of who did nothing for longest
MAX_WORKERS = 4  # explanations computed at the same time, for all visitors
KEEP_UNCLAIMED = 180  # seconds after which a file goes that no visitor claims, and a visitor without a page
KEEP_WORK = 10  # seconds for which work goes on though no page is open to see its result


class Uploads:
    """The uploads below a folder; sent: the paths that Gradio has noted, a set that grows while the page is there.

    Gradio puts what it receives at `<folder>/<keyed hash of the content>/<name>`: to know the path is to have sent the
    file. A request that names anything else - a file of this machine, a copy of an example, a folder, a link - is
    refused, and nothing else is ever removed.
    """

    def __init__(self, folder: str | Path):
        self.folder, self.sent = Path(folder).resolve(), set()

    def holds(self, name: object) -> bool:
        """Whether that is the path, letter by letter, of a file that was sent and is still there."""
        if not isinstance(name, str) or name not in self.sent:
            return False
        path = Path(name)
        return path.is_file() and not path.is_symlink() and self.folder in path.resolve().parents

    def take(self, name: object) -> Path:
        """The path of a file that was sent; ValueError for any other."""
        if not self.holds(name):
            raise ValueError("the file is not, or no longer, among those that were uploaded: drop it again")
        return Path(name)

    def remove(self, path: Path) -> None:
        """Removes a file that was sent, with the folder it lay in alone; leaves any other as it is."""
        if self.holds(str(path)):
            with contextlib.suppress(OSError):  # it is being read (Windows), or another lies there too
                path.unlink(missing_ok=True)
                path.parent.rmdir()
        self.sent.discard(str(path))

    def sweep(self, claimed: Container[Path], age: float) -> None:
        """Removes what was sent more than `age` seconds ago and nobody claims, and what was sent in part."""
        latest = time.time() - age
        for path in map(Path, [*self.sent]):
            if path not in claimed and _is_older(path, latest):
                self.remove(path)
        for path in self.folder.iterdir():  # whole ones lie deeper
            if path.is_file() and not path.is_symlink() and _is_older(path, latest):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)


def _is_older(path: Path, latest: float) -> bool:
    try:
        return path.stat().st_mtime < latest
    except OSError:
        return True  # it is gone


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
        self.rate = Rate()  # of the frames of their camera
        self.case: Case | None = None
        self.work: Work | None = None
        self.token = object()  # another one for every photograph

    def begin(self, compute: Callable[[Watch], object], counts: dict[str, int]) -> Work:
        """The work of `compute(watch)`; what ran before is stopped. counts: as for `Watch`."""
        self.stop()
        self.work = Work(self.executor, compute, counts)
        return self.work

    def idle(self) -> float:
        """Seconds since they did anything; none while something is computed for them."""
        return 0.0 if self.work is not None and not self.work.wait(0) else self.absent()

    def absent(self) -> float:
        """Seconds since they did anything or their last connection closed."""
        return time.monotonic() - self.seen

    def stop(self) -> None:
        """Stops what runs."""
        if self.work is not None:
            self.work.stop()

    def forget(self) -> object:
        """The token of the next photograph; stops what runs, and drops the photograph with all that is known of it."""
        self.stop()
        self.case = self.work = None
        self.token = object()
        return self.token

    def drawing_style(self) -> Style:
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
        self.connections: Counter[str] = Counter()  # session -> open connections of a page that is still shown
        self.executor = ThreadPoolExecutor(MAX_WORKERS)
        self._visitors: dict[str, Visitor] = {}

    def of(self, session: str) -> Visitor:
        """The visitor of that session, a new one if need be."""
        if session not in self._visitors:
            if len(self._visitors) >= MAX_VISITORS:
                self.leave(max([*self._visitors], key=self._wait_of))
            self._visitors[session] = Visitor(self.folder, self.executor)
        visitor = self._visitors[session]
        visitor.seen = time.monotonic()
        return visitor

    def _wait_of(self, session: str) -> tuple[bool, float]:
        """Who goes first where there are too many: whose page is closed, then who did nothing for longest."""
        return not self.connections[session], self._visitors[session].idle()

    def claim(self, session: str, name: str) -> tuple[Visitor, Path]:
        """The visitor of that session and the file they name, which is theirs now; ValueError if none was sent."""
        path, visitor = self.uploads.take(name), self.of(session)
        visitor.uploads.add(path)
        return visitor, path

    @contextlib.contextmanager
    def connected(self, session: str) -> Iterator[None]:
        """Within it, the page of that session has an open connection."""
        self.connections[session] += 1
        try:
            yield
        finally:
            self.connections[session] -= 1
            self.connections += Counter()  # those at 0 go
            if session in self._visitors:
                self._visitors[session].seen = time.monotonic()

    def sweep(self) -> None:
        """To be called every few seconds. Work without an open page stops, visitors without one leave after a while,
        and files that nobody claims go.
        """
        for session, visitor in [*self._visitors.items()]:
            if self.connections[session]:
                continue
            if visitor.absent() > KEEP_WORK:
                visitor.stop()
            if visitor.idle() > KEEP_UNCLAIMED:
                self.leave(session)
        claimed = set().union(*(visitor.uploads for visitor in [*self._visitors.values()]))
        self.uploads.sweep(claimed, KEEP_UNCLAIMED)

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
        """All leave; what runs is told to stop, and not waited for."""
        for session in [*self._visitors]:
            self.leave(session)
        self.executor.shutdown(wait=False, cancel_futures=True)
