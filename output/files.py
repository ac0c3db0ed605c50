"""Files that are written whole or not at all, and a folder that one process at a time writes into."""

import csv
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np


def write_whole(path: Path, write: Callable[[Path], None]) -> Path:
    """The path, once `write(partial path)` has succeeded: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial_{path.name}")
    try:
        write(partial)
        os.replace(partial, path)
    except BaseException:  # Ctrl-C and a full disk too
        partial.unlink(missing_ok=True)
        raise
    return path


def picture_saver(picture: np.ndarray) -> Callable[[Path], None]:
    """What writes a picture, uint8 RGB (H, W, 3), to a path."""
    from PIL import Image

    return lambda path: Image.fromarray(picture).save(path, format="PNG")


def figure_saver(figure) -> Callable[[Path], None]:
    """What writes a matplotlib figure to a path."""
    return lambda path: figure.savefig(path, format="png")


def save_array(path: Path, array: np.ndarray) -> None:
    """Writes a .npy file of exactly that name."""
    with path.open("wb") as file:  # np.save would add an ending of its own
        np.save(file, array)


def lock_folder(folder: Path):
    """An open file that keeps other processes out of the folder until it is closed or this process ends.

    Raises ValueError if another process is in it. Where the system has no such locks, nothing is kept out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / ".lock").open("w")
    try:
        import fcntl

        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise ValueError(f"another run is writing into '{folder}': wait, or choose another folder") from None
    except (ImportError, OSError):  # Windows, some network drives
        pass
    return file


def open_text(path: Path, mode: str = "r"):
    """A csv file; names that are no UTF-8, and a letter torn in the middle, come through as they are."""
    return path.open(mode, newline="", encoding="utf-8", errors="surrogateescape")


def write_rows(path: Path, names: list[str], rows: list[dict]) -> None:
    """Writes a csv file with a head of names."""
    with open_text(path, "w") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
