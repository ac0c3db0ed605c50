"""Malformed inputs are tried, one after another, in a process of their own that is watched and may die.

What comes of an input is one of three:

    refused      a ValueError of this project (or a full disk, or too little memory) in one line that names the file,
                 as `run_command` and the page say it: exit code 2
    explained    the command went on to its end, code 0, or 1 with something left out and named
    escaped      another exception, a ValueError of a library, a line that names no file, another code, a line that
                 would drive a terminal, no end within LIMIT, death by a signal, the canary file, a file elsewhere that
                 was read, written or removed, another program, a connection

A process that died or hung is started anew for the next input. What Python opens is seen by an audit hook; what a
library reads in C, by the time of access of the secret file, where the file system keeps it.
"""

import contextlib
import io
import multiprocessing
import os
import platform
import sys
import tempfile
import traceback
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from output.progress import printable

ROOT = Path(__file__).parents[2]
LIMIT = 90.0  # seconds for one input, on a machine that does nothing else
START = 900.0  # seconds until a process is ready
MAX_MEMORY = 12 * 2**30  # bytes a process may ask for, where the system can hold it to that
REFUSED, EXPLAINED, ESCAPED = "refused", "explained", "escaped"
SECRET = "secret-4711"  # what the file outside holds
RUNS_OR_CONNECTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect")
CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.truncate", "shutil.rmtree", "os.chmod")


@dataclass(frozen=True)
class FaultyInput:
    """An input, in words, and what gives it to the program and returns an exit code.

    names: of its files; a refusal has to hold one of them.
    """

    what: str
    ask: Callable[[], int]
    names: Sequence[str]


@dataclass(frozen=True)
class Outcome:
    """What came of an input: REFUSED, EXPLAINED or ESCAPED, and what was said."""

    kind: str
    number: int
    what: str
    result: str
    said: str


@dataclass(frozen=True)
class Place:
    """The folders of a process: `inside` is for one input and emptied after it; `outside` holds what nobody may touch.

    secret: a file to be read by nobody. canary: a path that malicious inputs try to write to.
    """

    inside: Path
    outside: Path

    @property
    def secret(self) -> Path:
        """The file that nobody may read."""
        return self.outside / "secret.txt"

    @property
    def canary(self) -> Path:
        """The file that nobody may write."""
        return self.outside / "canary.txt"


class Kind:
    """A kind of inputs. `prepare` is called once in the process that tries them; `make` draws one input."""

    def prepare(self, place: Place) -> None:
        """Loads and writes what all inputs of the kind need; outside files go to `place.outside`."""

    def make(self, rng: np.random.Generator, place: Place) -> FaultyInput:
        """An input, its files below `place.inside`."""
        raise NotImplementedError


# --- the process that is watched ------------------------------------------------------------------------------------
class AuditWatch:
    """What Python does while `watching`: the lines of `seen` are what it should not have done."""

    def __init__(self, place: Place):
        self.place, self.is_on, self.seen = place, False, []
        self.allowed = [str(path.resolve()) + os.sep for path in (place.inside, Path(tempfile.gettempdir()))]
        self.outside = str(place.outside.resolve())
        sys.addaudithook(self._note)

    @contextlib.contextmanager
    def watching(self) -> Iterator[list[str]]:
        """Within it, what is done is noted in the list."""
        self.seen = []
        for path in self._files():  # so that a reading shows, where the file system keeps these times
            os.utime(path, ns=(0, path.stat().st_mtime_ns))
        times = self._times()
        self.is_on = True
        try:
            yield self.seen
        finally:
            self.is_on = False
            if self.place.canary.exists():
                self.seen.append("the canary file was written")
                self.place.canary.unlink()
            if self._times() != times:
                self.seen.append("a file outside was read or changed")

    def _files(self) -> list[Path]:
        return [path for path in sorted(self.place.outside.rglob("*")) if path.is_file() and not path.is_symlink()]

    def _times(self) -> dict:
        """Path -> when it was last written and read, and its size."""
        return {
            path: (state.st_mtime_ns, state.st_atime_ns, state.st_size)
            for path in self._files()
            for state in [path.stat()]
        }

    def _note(self, event: str, args: tuple) -> None:
        if not self.is_on:
            return
        if event in RUNS_OR_CONNECTS:
            self._see(f"{event} {args[:2]!r}")
        elif event in CHANGES:
            for path in args[: 2 if event in ("os.rename", "os.link") else 1]:
                self._check(event, path)
        elif event == "open":
            path, mode, flags = args
            if isinstance(path, (str, bytes)):
                writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
                if writes or os.fspath(os.path.realpath(os.fsdecode(path))).startswith(self.outside):
                    self._check("open", path)

    def _check(self, event: str, path) -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return
        real = os.path.realpath(os.fsdecode(path))
        if real != os.devnull and not any(f"{real}{os.sep}".startswith(folder) for folder in self.allowed):
            self._see(f"{event} {real}")

    def _see(self, text: str) -> None:
        self.is_on, text = False, printable(text)
        if not any("importlib" in str(frame.filename) for frame in traceback.extract_stack()):  # a cached .pyc
            self.seen.append(text)
        self.is_on = True


def judge(given: FaultyInput, watch: AuditWatch) -> tuple[str, str]:
    """(result, what was said) of an input; everything but the death of this process is caught."""
    screen = io.StringIO()
    result, said = ESCAPED, ""
    with (
        watch.watching() as seen,
        contextlib.redirect_stdout(screen),
        contextlib.redirect_stderr(screen),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        try:
            code = given.ask()
            result, said = (EXPLAINED if code in (0, 1) else ESCAPED), f"exit code {code}"
        except ValueError as error:
            result, said = (REFUSED, str(error)) if _is_ours(error) else (ESCAPED, _tell(error))
        except OSError as error:  # `run_command` says these in one line
            named = error.filename is not None or error.errno is not None
            result, said = (REFUSED, f"{error.strerror}: {error.filename}") if named else (ESCAPED, _tell(error))
        except MemoryError as error:
            result, said = REFUSED, f"not enough memory: {error}"
        except SystemExit as end:  # argparse
            result, said = (REFUSED, screen.getvalue()[-300:]) if end.code == 2 else (ESCAPED, f"exit {end.code}")
        except BaseException as error:
            result, said = ESCAPED, _tell(error)
    if any(letter == "\x1b" or letter == "\0" for letter in screen.getvalue()):
        result, said = ESCAPED, f"a raw control character on the screen: {screen.getvalue()!r}"
    if result == REFUSED and (fault := _find_fault(said, given.names)):
        result, said = ESCAPED, f"{fault}: {said}"
    if result == EXPLAINED and code == 1 and not _names_one(screen.getvalue(), given.names):
        result, said = ESCAPED, f"what was left out has no name: {screen.getvalue()[-300:]}"
    if seen:
        result, said = ESCAPED, "; ".join(seen)
    return result, printable(said)


def _find_fault(said: str, names: Sequence[str]) -> str:
    """What is wrong with the line of a refusal; '' if it is one line that names the file."""
    if not _names_one(said, names):
        return "a refusal that names no file"
    for name in sorted(names, key=len, reverse=True):
        said = said.replace(name, "")
    return "a refusal of several lines" if "\n" in said.strip() else ""


def _names_one(text: str, names: Sequence[str]) -> bool:
    return any(name in text or printable(name) in text for name in names)


def _is_ours(error: BaseException) -> bool:
    """Whether this project says so itself: a ValueError out of a library is a traceback."""
    last = traceback.extract_tb(error.__traceback__)[-1].filename
    return last.startswith(str(ROOT)) and "site-packages" not in last


def _tell(error: BaseException) -> str:
    frames = [f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)[-8:]]
    return f"{type(error).__name__}: {str(error)[:300]} ({' < '.join(reversed(frames))})"


def _work(connection, kind: Kind, seed: int, folder: Path) -> None:
    """The process: takes numbers, gives (what, result, said)."""
    place = Place(folder / "inside", folder / "outside")
    for path in (place.inside, place.outside, folder / "temporary"):
        path.mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder / "temporary")
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.chdir(place.inside)
    place.secret.write_text(SECRET * 100)
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has none
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)  # what libraries print in C
    os.dup2(null, 2)
    platform.platform()  # which asks another program, once
    kind.prepare(place)
    watch = AuditWatch(place)
    connection.send("ready")
    while (number := connection.recv()) is not None:
        rng = np.random.default_rng([seed, zlib.crc32(type(kind).__name__.encode()), number])
        given = kind.make(rng, place)
        connection.send(("begun", given.what))
        connection.send(("done", *judge(given, watch)))
        empty(place.inside)


def empty(folder: Path) -> None:
    """Removes what is in a folder, whatever it is called."""
    import shutil

    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


# --- the process that tries -----------------------------------------------------------------------------------------
def find_limit() -> float:
    """Seconds for one input: LIMIT, and the longer the more programs wait for each processor."""
    waiting = os.getloadavg()[0] if hasattr(os, "getloadavg") else 1.0
    return LIMIT * max(1.0, waiting / (os.cpu_count() or 1))


def try_inputs(kind: Kind, numbers: Iterable[int], seed: int, limit: float | None = None) -> Iterator[Outcome]:
    """What comes of the inputs of these numbers, as they are tried; RuntimeError if the process cannot even start.

    limit: seconds for one of them; None: `find_limit`.
    """
    context, name = multiprocessing.get_context("spawn"), type(kind).__name__.lower()
    with tempfile.TemporaryDirectory(prefix="faults_", ignore_cleanup_errors=True) as folder:
        process = connection = None
        for number in numbers:
            if process is None:
                connection, other = context.Pipe()
                process = context.Process(target=_work, args=(other, kind, seed, Path(folder)), daemon=True)
                process.start()
                other.close()
                if _receive(connection, START) != "ready":
                    raise RuntimeError(f"the process that tries {name} did not start")
            connection.send(number)
            patience = find_limit() if limit is None else limit
            what = "an input that was not made"
            answer = _receive(connection, patience)
            if answer and answer[0] == "begun":
                what, answer = answer[1], _receive(connection, patience)
            if answer:
                yield Outcome(name, number, what, *answer[1:])
                continue
            process.join(1)
            ended = process.exitcode
            said = f"no end within {patience:.0f} s" if ended is None else f"the process died with {ended}"
            process.kill()
            process.join()
            empty(Path(folder) / "inside")
            process = None
            yield Outcome(name, number, what, ESCAPED, said)
        if process is not None:
            connection.send(None)
            process.join(10)
            process.kill()


def _receive(connection, limit: float):
    """The next message; None if the process hangs or has died."""
    try:
        return connection.recv() if connection.poll(limit) else None
    except (EOFError, OSError):
        return None
