"""Small helpers for every module: scaling, resizing, names of classes, the grid of pictures."""

import contextlib
import difflib
import importlib
import logging
import math
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import constants

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def normalise(array: np.ndarray, by: str = "range") -> np.ndarray:
    """The array scaled to [0, 1] by its minimum and maximum, float32; a constant array (`is_constant`) becomes zeros.

    by: 'range', or 'maximum': divided by its maximum, as in the lab; the same where the minimum is 0. ValueError for
    another, and for a maximum below 0.
    """
    array = np.asarray(array, dtype=np.float32)
    low, high = array.min(), array.max()
    if by == "maximum" and high >= 0:
        return array / high if high > 0 else array
    if by != "range":
        raise ValueError(
            f"by should be 'range', or 'maximum' of an array that has one of 0 or more; got {by!r}, {high:g}"
        )
    if is_constant(array):
        return np.zeros_like(array)
    return (array - low) / (high - low)


def is_constant(array: np.ndarray) -> bool:
    """Whether an array varies by no more than the rounding of float32, so that no order can be read from it."""
    low, high = float(np.min(array)), float(np.max(array))
    return high - low <= constants.CONSTANT_MAP_TOLERANCE * max(abs(low), abs(high))


def check_rank(name: str, array: np.ndarray, *shapes: str) -> np.ndarray:
    """The array, if it has the rank of one of the shapes, written as '(h, w, K)'; ValueError for another rank."""
    array = np.asarray(array)
    if array.ndim not in [len(shape.strip("(), ").split(",")) for shape in shapes]:
        raise ValueError(f"{name} should be {' or '.join(shapes)}, not {array.shape}")
    return array


def check_whole(name: str, value) -> int:
    """The number as an int, if it is a whole one; ValueError for another, or for what is no number."""
    try:
        if int(value) == value:
            return int(value)
    except (TypeError, ValueError, OverflowError):  # words, a list, NaN, infinity
        pass
    raise ValueError(f"{name} should be a whole number, not {value!r}")


def in_batches(items, size: int) -> Iterator:
    """The items, of whatever can be sliced, in their order, up to `size` at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))


def resize_image(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The image (h, w, 3) at (height, width, 3), same dtype: averaged if it shrinks, bilinear if it grows."""
    import cv2

    if image.shape[:2] == (height, width):
        return image
    shrinks = height * width < image.shape[0] * image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def fit_image(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The image (h, w, 3), RGB 0-255, as a network of that input size takes it: float32 (height, width, 3)."""
    return np.clip(resize_image(image.astype(np.float32), height, width), 0, 255)  # resizing overshoots by rounding


def resize_map(saliency_map: np.ndarray, height: int, width: int) -> np.ndarray:
    """The map (h, w) at (height, width), float32, bilinear with pixel centres aligned; values keep scale."""
    import cv2

    saliency_map = np.asarray(saliency_map, dtype=np.float32)
    if saliency_map.shape == (height, width):
        return saliency_map
    return cv2.resize(saliency_map, (width, height), interpolation=cv2.INTER_LINEAR)


def lay_out_map(saliency_map: np.ndarray, rows: np.ndarray, columns: np.ndarray, outside: float = 0.0) -> np.ndarray:
    """The map (h, w) of cells whose weights for the pixels of an image are rows (H, h) and columns (W, w): float32
    (H, W); `outside` where no cell has any."""
    laid = rows @ np.asarray(saliency_map, dtype=np.float64) @ columns.T
    return np.where(rows.any(axis=1)[:, None] & columns.any(axis=1), laid, outside).astype(np.float32)


KERAS_EXTRAS = ("sklearn", "pandas", "matplotlib.pyplot")  # which takes a second


def load_tensorflow(*, with_extras: bool = True) -> None:
    """Imports TensorFlow with its own chatter kept off the screen; to be called before anything imports it.

    On a GPU it computes in full float32, not TensorFloat-32 of 10 bits, and takes memory as it is needed.
    with_extras: False leaves out what Keras loads of other libraries whether or not it is used; others may import them.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    if "tensorflow" in sys.modules:
        return
    # The first lines come from C++ before any setting is read: only the file descriptor can be turned away.
    sys.stderr.flush()
    screen = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        with contextlib.nullcontext() if with_extras else hide_modules(KERAS_EXTRAS):
            tensorflow = importlib.import_module("tensorflow")
            tensorflow.config.experimental.enable_tensor_float_32_execution(False)
    finally:
        os.dup2(screen, 2)
        os.close(screen)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextlib.contextmanager
def hide_modules(names: Sequence[str]) -> Iterator[None]:
    """Within it these cannot be imported, as if they were not installed, but for those that are imported already."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


# --- names of classes ------------------------------------------------------------------------------------
class MexCultureName(NamedTuple):
    """What a MexCulture142 file name says: `<style>_<monument>_<state>_N_<view>.png`."""

    style: str
    monument: str
    state: str
    view: int


def parse_mexculture_name(file_name: str) -> MexCultureName | None:
    """The parts of a MexCulture142 name, of an image or a density map (`..._GFDM_N_<view>`), or else None."""
    match = re.fullmatch(r"([^_]+)_(.+?)_([^_]+)(?:_GFDM)?_N_(\d+)", Path(file_name).stem, re.IGNORECASE)
    return MexCultureName(*match.groups()[:3], int(match[4])) if match else None


def find_class(label: str, class_names: Sequence[str]) -> int | None:
    """The index of the class called `label`; if none is, letter case and '_' for ' ' aside; None if none or two are."""
    indices = [index for index, name in enumerate(class_names) if name == label]
    if not indices:
        indices = [index for index, name in enumerate(class_names) if fold_class(name) == fold_class(label)]
    # ImageNet has two cranes and two maillots: a name alone cannot say which, and a guess may be wrong.
    return indices[0] if len(indices) == 1 else None


def fold_class(name: str) -> str:
    """The name of a class as such names are compared: like `fold_name`, but 'Masse' is not 'Maße'."""
    return unicodedata.normalize("NFC", name).lower().strip().replace(" ", "_")


def fold_name(name: str) -> str:
    """The name as names are compared: letter case, blanks for '_' and the two codings of accents do not count."""
    composed = unicodedata.normalize("NFC", name)  # macOS hands out file names with their accents decomposed
    return composed.casefold().strip().replace(" ", "_")


def get_image_index(file_name: str, class_names: Sequence[str] = constants.STYLES) -> int | None:
    """The class index that a MexCulture142 file name carries: its style's, else its monument's, else None.

    class_names: as a model has them; without them those of the lab, the three styles.
    A monument's class is called `<style>_<monument>_<state>`. Letter case does not count.
    """
    if not isinstance(file_name, (str, Path)):
        raise ValueError(f"file_name should be the name of a file, not {file_name!r}")
    parts = parse_mexculture_name(file_name)
    if parts is None:
        return None
    index = find_class(parts.style, class_names)
    return find_class("_".join(parts[:3]), class_names) if index is None else index


def suggest(wanted: str, names: Iterable[str]) -> str:
    """'did you mean a or b?' of the names that come near to what was written, in any letter case; else all of them."""
    folded = {name.casefold(): name for name in names}
    near = [folded[name] for name in difflib.get_close_matches(wanted.casefold(), folded, n=3, cutoff=0.7)]
    return f"did you mean {' or '.join(near)}?" if near else f"choose from: {', '.join(folded.values())}"


def find_model_name(model_name: str) -> str:
    """The name of `constants.ZOO`, or of the embedded network, that is meant, in any letter case.

    ValueError for another name, with those that are near it, or else all.
    """
    names = {name.casefold(): name for name in (*constants.ZOO, constants.MODEL_NAME_DEMO)}
    wanted = str(model_name).casefold().replace("_", "").replace("-", "").strip()
    if wanted in names:
        return names[wanted]
    raise ValueError(f"unknown model_name {model_name!r}; {suggest(wanted, names.values())}")


def get_last_layer_name(model_name: str) -> str:
    """The name of the last convolutional layer, after its activation, of a model of `constants.ZOO`."""
    name = find_model_name(model_name)
    if name not in constants.ZOO:
        raise ValueError(f"model_name should be a network of keras.applications, not {name!r}")
    return constants.ZOO[name][3]


# --- pictures --------------------------------------------------------------------------------------------
def grid_layout(
    images: Sequence[np.ndarray],
    titles: Sequence[str],
    supertitle: str = "",
    *,
    path: str | Path | None = None,
    show: bool = False,
    dpi: float = constants.FIGURE_DPI,
) -> "Figure":
    """Pictures under their titles on a grid, as a matplotlib figure.

    images: uint8 images (H, W, 3) or maps (H, W), drawn in grey with a bar of their values, of any sizes: each is
    centred in its cell, and a row is as high as its highest.
    titles: one for each, of one or several lines; a line too long for its cell loses its middle.
    path: a file that it is also saved as, .png, .pdf or another of matplotlib's. show: whether it is opened in the
    machine's viewer of pictures; a notebook shows the figure that is returned.
    Up to four stand in one row, more on a nearly square grid. ValueError if the numbers differ or are 0.
    """
    from plots import drawing

    images = [check_rank("each of images", image, "(H, W)", "(H, W, 3)") for image in images]
    n, cell, gap = len(images), constants.CELL_SIDE, drawing.GAP
    if n == 0 or n != len(titles):
        raise ValueError(f"wanted a title for each of one or more images, given {len(titles)} for {n} images")
    side = math.ceil(math.sqrt(n))
    n_columns = n if n <= 4 else min((side, side + 1), key=lambda columns: -n % columns)  # fewest empty cells
    title_height = drawing.LINE * (max(title.count("\n") for title in titles) + 1) + 0.1
    head = 2.5 * drawing.LINE if supertitle else 0
    heights = [
        max(drawing.picture_height(image.shape[:2]) for image in images[first : first + n_columns])
        for first in range(0, n, n_columns)
    ]
    width = cell + (drawing.BAR_ROOM + gap / 2 if any(image.ndim == 2 for image in images) else gap)
    height = head + sum(heights) + len(heights) * (title_height + gap)
    figure = drawing.new_figure(n_columns * width + gap, height, supertitle, dpi)
    for index, (image, title) in enumerate(zip(images, titles)):
        row, column = divmod(index, n_columns)
        top = head + sum(heights[:row]) + row * (title_height + gap) + title_height
        axes = drawing.add_axes(figure, gap + column * width, top, cell, heights[row])
        drawing.show_image(axes, image)
        if image.ndim == 2 and not is_constant(image):
            drawing.draw_bar(axes, np.linspace((0, 0, 0), (1, 1, 1), 256), float(image.min()), float(image.max()))
        drawing.write_title(axes, title.split("\n"))
    if path is not None:
        figure.savefig(path)
    if show:
        from PIL import Image

        figure.canvas.draw()
        Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).show()
    return figure
