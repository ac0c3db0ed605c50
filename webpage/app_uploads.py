"""The files that browsers have sent to the page: which of them a question may name, and their removal.

Gradio notes what it has received and puts it at `<folder>/<keyed hash of the content>/<name>`: to know the path is to
have sent the file. A question that names anything else - a file of this machine, a copy of an example, a folder, a
link - is refused, and nothing else is ever removed.
"""

import contextlib
import time
from collections.abc import Container
from pathlib import Path


class Uploads:
    """The uploads below a folder; sent: the paths that Gradio has noted, a set that grows while the page is there."""

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
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # a file of the same content may lie there under another name
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
                path.unlink(missing_ok=True)


def _is_older(path: Path, latest: float) -> bool:
    try:
        return path.stat().st_mtime < latest
    except OSError:
        return True  # it is gone
