"""Files that are written whole or not at all: pictures, figures, arrays."""

import contextlib
import io
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

REMOVE = "remove it, and the same command makes it again"
PICTURE_DPI = 100  # of a picture in a PDF or SVG file, whose pixels are kept
NO_DATE = {"pdf": "CreationDate", "svg": "Date"}  # format -> the entry of its metadata that is left out


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
        reason = error.strerror or f"{str(error).strip() or type(error).__name__}; the disk may be full"  # of libraries
        raise OSError(error.errno, f"cannot write ({reason})", str(path)) from error


def picture_saver(picture: np.ndarray) -> Callable[[Path], None]:
    """What writes a picture, uint8 RGB (H, W, 3) or grey (H, W), to a path: PNG, or PDF or SVG as its ending says."""

    def save(path: Path) -> None:
        if path.suffix[1:] in NO_DATE:
            from matplotlib.figure import Figure

            height, width = picture.shape[:2]
            figure = Figure(figsize=(width / PICTURE_DPI, height / PICTURE_DPI), dpi=PICTURE_DPI)
            figure.figimage(picture, cmap="gray", vmin=0, vmax=255, resize=False)
            save_figure(figure, path)
        else:
            from PIL import Image

            Image.fromarray(picture).save(path, format="PNG")

    return save


def figure_saver(figure) -> Callable[[Path], None]:
    """What writes a matplotlib figure to a path, as its ending says."""
    return lambda path: save_figure(figure, path)


def save_figure(figure, path: Path, figure_format: str | None = None) -> None:
    """Writes a matplotlib figure to a path or an open file as 'png', 'pdf' or 'svg'; None: as the path's ending says.

    The text of PDF and SVG is text: it can be searched and edited, and no font is of Type 3. They bear no date, so that
    the same figure is the same file.
    """
    import matplotlib

    figure_format = figure_format or path.suffix.removeprefix(".")
    if figure_format == "png":
        from PIL import Image

        figure.canvas.draw()
        pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
        # Half the time of a stronger compression, for a tenth more bytes.
        Image.fromarray(pixels).save(path, format="PNG", compress_level=1, dpi=(figure.dpi, figure.dpi))
        return
    text = {"pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": ""}
    with matplotlib.rc_context(text), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # said of every letter that no font has
        content = io.BytesIO()  # on a full disk matplotlib's writer of PDF stumbles over itself
        figure.savefig(content, format=figure_format, metadata={NO_DATE[figure_format]: None})
    if isinstance(path, Path):
        path.write_bytes(content.getvalue())
    else:
        path.write(content.getvalue())


def save_array(path: Path, array: np.ndarray) -> None:
    """Writes a .npy file of exactly that name."""
    with path.open("wb") as file:  # np.save would add an ending of its own
        np.save(file, array)


def read_array(path: Path, n_dimensions: int) -> np.ndarray:
    """The numbers of a .npy file of a run; ValueError for one that is damaged, or holds anything else."""
    with refuse_damaged(path):
        if not path.is_file():  # a pipe would never end
            raise ValueError("there is no such file")
        array = np.load(path)
        if not isinstance(array, np.ndarray) or array.ndim != n_dimensions or not array.size:
            raise ValueError("it holds something else")
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ValueError("not all that it holds are numbers")
    return array


def read_arrays(path: Path, names: Iterable[str] = ()) -> dict[str, np.ndarray]:
    """The arrays of a .npz file of a run; ValueError for one that is damaged, or lacks one of these names."""
    with refuse_damaged(path), np.load(path) as arrays:
        if missing := sorted({*names} - {*arrays.files}):
            raise ValueError(f"it has no {missing[0]}")
        return {name: arrays[name] for name in arrays.files}


def read_curve(path: Path, n_columns: int, advice: str = REMOVE) -> np.ndarray:
    """The numbers (n, n_columns) below the head of a csv file of a run; ValueError for a damaged one."""
    with refuse_damaged(path, advice), warnings.catch_warnings(action="ignore"):  # of an empty file
        curve = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
        if curve.ndim != 2 or curve.shape[1] != n_columns or not np.isfinite(curve).all():
            raise ValueError(f"{n_columns} columns of numbers were wanted")
    return curve


@contextlib.contextmanager
def refuse_damaged(path: Path, advice: str = REMOVE) -> Iterator[None]:
    """Has whatever goes wrong within it, with a file of a run, name that file; advice: what helps."""
    try:
        yield
    except Exception as error:  # numpy raises whatever it stumbles on, MemoryError for a size that is made up
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"cannot read '{path}' ({reason}); {advice}") from None


def open_text(path: Path, mode: str = "r"):
    """A csv file; names that are no UTF-8, and a letter torn in the middle, come through as they are."""
    return path.open(mode, newline="", encoding="utf-8", errors="surrogateescape")
