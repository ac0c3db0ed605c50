"""Files that are written whole or not at all, and figures of many items on pages."""

import contextlib
import glob
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np


def write_whole(path: Path, write: Callable[[Path], None]) -> Path:
    """The path, once `write(partial path)` has succeeded: a reader sees the old file or the new one.

    Raises OSError as `name_unwritten` words it.
    """
    partial = path.with_name(f".partial_{path.name}")
    try:
        with name_unwritten(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write(partial)
            os.replace(partial, path)
    except BaseException:  # Ctrl-C and a full disk too
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    return path


@contextlib.contextmanager
def name_unwritten(path: Path) -> Iterator[None]:
    """Has an OSError that comes from within name `path`: that of a full disk names no file, others a partial one."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error).strip() or type(error).__name__
        raise OSError(error.errno, f"cannot write ({reason})", str(path)) from error


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


def read_array(path: Path, n_dimensions: int) -> np.ndarray:
    """The numbers of a .npy file of a run; ValueError for one that is damaged, or holds anything else."""
    with _refuse_damaged(path):
        array = np.load(path)
        if not isinstance(array, np.ndarray) or array.ndim != n_dimensions or not array.size:
            raise ValueError("it holds something else")
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ValueError("not all that it holds are numbers")
    return array


def read_arrays(path: Path, names: Iterable[str] = ()) -> dict[str, np.ndarray]:
    """The arrays of a .npz file of a run; ValueError for one that is damaged, or lacks one of these names."""
    with _refuse_damaged(path), np.load(path) as arrays:
        if missing := sorted({*names} - {*arrays.files}):
            raise ValueError(f"it has no {missing[0]}")
        return {name: arrays[name] for name in arrays.files}


@contextlib.contextmanager
def _refuse_damaged(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # numpy raises whatever it stumbles on, MemoryError for a size that is made up
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"cannot read '{path}' ({reason}); remove it, and the same command makes it again") from None


def open_text(path: Path, mode: str = "r"):
    """A csv file; names that are no UTF-8, and a letter torn in the middle, come through as they are."""
    return path.open(mode, newline="", encoding="utf-8", errors="surrogateescape")


def write_pages(path: Path, items: Iterable, items_per_page: int, draw: Callable[[list], object]) -> Iterator[Path]:
    """The paths of the figures that `draw(items of a page)` makes, as they are written: path, then <stem>_2, _3, ...

    When all are written, further pages that an earlier run of more items left are removed.
    """
    items, number = iter(items), 0
    while page := list(itertools.islice(items, items_per_page)):
        number += 1
        yield write_whole(_page_path(path, number), figure_saver(draw(page)))
    for found in [path, *path.parent.glob(f"{glob.escape(path.stem)}_*{path.suffix}")]:
        counted = found.stem.removeprefix(path.stem).removeprefix("_") or "1"
        if counted.isdecimal() and int(counted) > number:
            found.unlink(missing_ok=True)


def _page_path(path: Path, number: int) -> Path:
    return path if number == 1 else path.with_name(f"{path.stem}_{number}{path.suffix}")
