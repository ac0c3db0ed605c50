"""The folder that a command writes into: kept from other processes, with a run.json of what its files were made with.

    folder = open_folder(path, settings, about, files=("results.csv", "images/*.png"), overwrite=overwrite)

Two runs share a folder only if their settings agree: a run that was stopped goes on with the same command, and results
that were made in different ways are never mixed. What is locked is the file .lock; the system lets go of it when the
process ends, however it ends.
"""

import contextlib
import errno
import json
import platform
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout

from output.files import name_unwritten, write_whole

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # of drives without locks: nothing is kept out there
UNSEEN = re.compile("[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # what JSON leaves, and a screen obeys
LIBRARIES = ("tensorflow", "keras", "numpy", "opencv-python-headless", "lime", "scikit-image", "matplotlib")


class OutputFolder:
    """A folder that is kept from other processes as long as this object lives, or until it is closed.

    path: of the folder. description: what its run.json says, of an earlier run until `describe` is called; None if
    there is none. file_name: in place of run.json. flag: the one that chose the folder, for messages.
    Raises ValueError if the folder is a file, if another process is writing into it, or if its run.json is not ours.
    """

    def __init__(self, path: str | Path, file_name: str = "run.json", flag: str = "output_folder_path"):
        self.path, self._file, self._flag = Path(path), Path(path) / file_name, flag
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"{flag}: '{path}' is a file; a folder is wanted")
        with name_unwritten(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        # One lock per folder in a process, however often it opens the folder: it never waits for itself.
        self._lock = FileLock(self.path / ".lock", timeout=0, thread_local=False, is_singleton=True)
        try:
            self._lock.acquire()
        except Timeout:
            raise ValueError(f"another run is writing into '{path}': wait, or choose another --{flag}") from None
        except NotImplementedError:  # how older versions of filelock say ENOSYS
            pass
        except OSError as error:
            if error.errno not in NO_LOCKS:
                with name_unwritten(self.path):
                    raise
        self.description = read_description(self._file, flag)

    def close(self) -> None:
        """Lets other processes in."""
        self._lock.release()

    def remove(self, patterns: Iterable[str]) -> None:
        """Removes what an earlier run wrote: the files of these patterns, what was written of one when it was killed,
        the folders that hold nothing else then, and run.json last. Without a run.json nothing is removed."""
        if self.description is None:
            return
        parents = set()
        for pattern in map(PurePosixPath, patterns):
            parents.update(pattern.parents)
            for name in (pattern, pattern.with_name(f".partial_{pattern.name}")):
                for path in self.path.glob(str(name)):
                    path.unlink()
        inner = {found for parent in parents if parent.parts for found in self.path.glob(str(parent))}
        for folder in sorted(inner, key=lambda path: -len(path.parts)):
            with contextlib.suppress(OSError):  # it holds what is not ours
                folder.rmdir()
        self._file.unlink()
        self.description = None

    def describe(self, settings: dict, about: dict, grows: str | None = None) -> None:
        """Writes run.json: the settings, what else is to be told of the run, versions and machine.

        settings: all that changes a file, as plain values by name. grows: the setting, itself by name, whose entries a
        later run may add to, as 'methods'; 'settings': a later run may add settings of its own; None: neither.
        Raises ValueError, and changes nothing, if an earlier run had other settings.
        """
        settings = json.loads(json.dumps(settings))
        if self.description is not None:
            settings = self._join(self.description["settings"], settings, grows)
        self.update(**about, settings=settings)

    def update(self, **more) -> None:
        """Writes run.json with what more is known; what was told before stays."""
        host = {"versions": versions(), "host": platform.node(), "platform": platform.platform()}
        self.description = {**(self.description or {}), **host, **more}
        text = json.dumps(self.description, indent=2, ensure_ascii=False, default=str) + "\n"
        text = UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
        write_whole(self._file, lambda path: path.write_text(text, encoding="utf-8", errors="surrogateescape"))

    def _join(self, old: dict, new: dict, grows: str | None) -> dict:
        """The settings of both runs; ValueError if they contradict each other."""
        may_add = grows == "settings"
        differ = _list_differences(old, new, may_add, but=grows)
        if may_add and not old.keys() & new.keys():
            differ = ["of another command"]
        joined = {**old, **new}
        if grows in new:
            differ += _list_differences(old.get(grows, {}), new[grows], may_add=True)
            joined[grows] = {**old.get(grows, {}), **new[grows]}
        if differ:
            raise ValueError(
                f"'{self.path}' holds a run with other settings ({'; '.join(differ)}; {self._file.name}): "
                f"choose another --{self._flag}, or --overwrite it"
            )
        return joined


def open_folder(
    path: str | Path, settings: dict, about: dict, files: Iterable[str], overwrite: bool = False
) -> OutputFolder:
    """The locked folder of a command whose later runs may add settings of their own, as those of another method.

    files: patterns of what the command writes; with `overwrite` those of an earlier run are removed first, and no other
    file. Raises ValueError as `OutputFolder` and `OutputFolder.describe` do.
    """
    folder = OutputFolder(path)
    if overwrite:
        folder.remove(files)
    folder.describe(settings, about, grows="settings")
    return folder


def read_description(path: Path, flag: str = "output_folder_path") -> dict | None:
    """What a run.json says, 'settings' among it; None if there is none. ValueError if it is damaged, or not ours."""
    try:
        description = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
        if isinstance(description["settings"], dict):
            return description
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise ValueError(f"'{path}' is damaged, or of something else: choose another --{flag}")


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that numbers depend on."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # it may come under another name, as opencv-python-headless does
            found[name] = "not installed under this name"
    return found


def _list_differences(old: dict, new: dict, may_add: bool, but: str | None = None) -> list[str]:
    """In words, the new values that are not the old ones. may_add: what is new is no difference."""
    return [
        f"{name}: {old.get(name)!r}, now {value!r}"
        for name, value in new.items()
        if name != but and old.get(name) != value and not (may_add and name not in old)
    ]
