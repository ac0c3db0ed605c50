"""The folder of a script that has files of its own kind: kept from other processes, with a run.json that says what of.

    folder = ScriptFolder(args.output_folder_path, settings, about, files=("results.csv", "images/*.png"), ...)

Two runs share a folder only if the settings that both name agree; a later run may bring settings of its own, as those
of another method.
"""

import contextlib
import json
import platform
from collections.abc import Sequence
from pathlib import Path

from output.files import lock_folder, write_whole


class ScriptFolder:
    """A locked folder with a run.json.

    settings: all that changes a file, as plain values by name; about: what else run.json tells; files: patterns of
    what the script writes. overwrite: those files of an earlier run are removed first, and no other file.
    Raises ValueError if the folder is a file, is being written by another process, or holds a run with other settings.
    """

    def __init__(self, folder: str | Path, settings: dict, about: dict, files: Sequence[str], overwrite: bool = False):
        self.path = Path(folder)
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"output_folder_path {str(folder)!r} is a file; a folder is wanted")
        self._lock = lock_folder(self.path)
        description = self.path / "run.json"
        if overwrite and description.is_file():
            _remove(self.path, files)
        settings = json.loads(json.dumps(settings))
        if description.is_file():
            settings = {**self._read_agreeing(description, settings), **settings}
        content = {**about, "settings": settings, "host": platform.node(), "platform": platform.platform()}
        text = json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n"
        write_whole(description, lambda path: path.write_text(text, encoding="utf-8", errors="surrogateescape"))

    def _read_agreeing(self, description: Path, settings: dict) -> dict:
        try:
            old = dict(json.loads(description.read_text(encoding="utf-8", errors="surrogateescape"))["settings"])
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"'{description}' is of something else: choose another --output_folder_path") from None
        differ = [
            f"{name}: {old[name]!r}, now {value!r}"
            for name, value in settings.items()
            if name in old and old[name] != value
        ]
        if differ or not old.keys() & settings.keys():
            raise ValueError(
                f"'{self.path}' holds a run with other settings ({'; '.join(differ) or 'of another script'}): "
                "choose another --output_folder_path, or --overwrite it"
            )
        return old


def _remove(folder: Path, patterns: Sequence[str]) -> None:
    """Removes the files of these patterns, and the folders that hold nothing else."""
    for path in [path for pattern in patterns for path in folder.glob(pattern)]:
        path.unlink()
    for inner in sorted({folder / Path(pattern).parent for pattern in patterns} - {folder}, reverse=True):
        with contextlib.suppress(OSError):  # it holds what is not ours, or is not there
            inner.rmdir()
    (folder / "run.json").unlink()
