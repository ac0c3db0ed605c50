"""
What all figures share: style, sizes in inches, text that fits its place, pictures centred in their cells.

Figures are made through matplotlib's object interface and drawn by Agg: no window and no pyplot state, so
that a run without a screen works and a figure that is let go of is gone. Places are inches from the top left
corner, because a page is a stack of cells, however tall it grows.

The cells of a page are places on one sheet: axes of their own, with ticks that nobody sees, would take most of the
time that it takes.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import constants
import utils
from output.progress import printable
from plots.letters import TextCanvas, find_family, measure_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from matplotlib.text import Text

LINE = 1.35 * constants.FONT_SIZE / 72  # inches from one line of text to the next
HEADING = 1.3 * constants.FONT_SIZE  # points
SMALL = 0.85 * constants.FONT_SIZE
GAP = 0.16  # inches between neighbouring cells
LEAST = 0.3  # of a row of pictures: its colour bar has three values
FRAME = {"color": "#c8c8c8", "linewidth": 0.5}  # round a picture, whose white parts would have no end on a white page
BAR_WIDTH = 0.07  # of a colour bar
BAR_ROOM = 0.5  # beside a cell, for its colour bar with the values
TITLE_WIDTH = constants.CELL_SIDE + GAP / 2  # inches: a title may reach into the gaps, half way to the next


def new_figure(width: float, height: float, supertitle: str = "", dpi: float = constants.FIGURE_DPI) -> "Figure":
    """A white figure of width x height inches, its title in the first 2.5 lines."""
    from matplotlib.figure import Figure

    width, height = math.ceil(width * dpi) / dpi, math.ceil(height * dpi) / dpi  # whole pixels, as of every picture
    figure = Figure(figsize=(width, height), dpi=dpi, facecolor="white")
    figure.suppressComposite = True  # in files of vectors, every picture stays one
    TextCanvas(figure)
    if supertitle:
        text = write(figure, width / 2, 1.25 * LINE, supertitle, width - 2 * GAP, HEADING, weight="bold")
        text.set(horizontalalignment="center", verticalalignment="center")
    return figure


def add_axes(figure: "Figure", left: float, top: float, width: float, height: float) -> "Axes":
    """Axes of width x height inches whose corner lies `left` and `top` inches from that of the figure."""
    whole_width, whole_height = figure.get_size_inches()
    bottom = whole_height - top - height
    return figure.add_axes((left / whole_width, bottom / whole_height, width / whole_width, height / whole_height))


def write(
    figure: "Figure", left: float, top: float, text: str, width: float, size: float = constants.FONT_SIZE, **style: str
) -> "Text":
    """One line of text, fitted to `width` inches, its baseline `top` inches below the figure's edge."""
    whole_width, whole_height = figure.get_size_inches()
    text = fit_text(text, width, size, style.get("weight", "normal"))
    # Names of files and classes are no formulas: a '$' in them stays a '$'.
    style = {"size": size, "family": find_family(text), "parse_math": False, **style}
    return figure.text(left / whole_width, 1 - top / whole_height, text, **style)


def fit_text(text: str, width: float, size: float = constants.FONT_SIZE, weight: str = "normal") -> str:
    """The text on one line, '…' for its middle if it would be wider than `width` inches at `size` points.

    What is no letter, sign or space is shown as its escape: matplotlib warns of it on the screen, raw.
    """
    text = printable(" ".join(text.split()))
    shortened, n_kept = text, len(text)
    while n_kept > 2 and (measured := measure_text(shortened, size, weight)) > width:
        n_kept = min(n_kept - 1, int(n_kept * width / measured) + 2)  # near the goal, then letter by letter
        shortened = text[: n_kept - n_kept // 2] + "…" + text[len(text) - n_kept // 2 :]
    return shortened


def tell_apart(names: Sequence[str], width: float) -> list[str]:
    """The names; if one is wider than `width` inches, '…' in place of what all begin with, and of what all end with.

    `fit_text` alone would keep the ends, which names of one folder often share, and shorten what tells them apart.
    """
    if len(set(names)) < 2 or all(measure_text(name) <= width for name in names):
        return list(names)
    # Numbers stay whole.
    first = os.path.commonprefix(names).rstrip("0123456789")
    rest = [name.removeprefix(first) for name in names]
    last = os.path.commonprefix([name[::-1] for name in rest])[::-1].lstrip("0123456789")
    return [f"{'…' if first else ''}{name.removesuffix(last)}{'…' if last else ''}" for name in rest]


def write_title(axes: "Axes", lines: Sequence[str], width: float = TITLE_WIDTH) -> list["Text"]:
    """The lines that are not empty, each fitted to `width` inches, centred and stacked above the axes."""
    # One text a line: as a block, lines with and without descenders would stand at unequal distances.
    return [
        axes.annotate(
            line,
            (0.5, 1),
            (0, 5 + 72 * LINE * place),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="center",
            size=constants.FONT_SIZE,
            family=find_family(line),
            parse_math=False,
        )
        for place, line in enumerate(reversed([fit_text(line, width) for line in lines if line]))
    ]


def shrink(image: np.ndarray, dpi: float = constants.FIGURE_DPI) -> np.ndarray:
    """The image (H, W, 3), or map (H, W), with no more pixels than a cell can show on a figure drawn twice as fine."""
    import cv2

    height, width = image.shape[:2]
    share = 2 * constants.CELL_SIDE * dpi / max(height, width)
    size = max(1, round(width * share)), max(1, round(height * share))
    return image if share >= 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def show_image(axes: "Axes", image: np.ndarray, size: tuple[int, int] | None = None) -> None:
    """
    Draws an image (H, W, 3) or, in grey, a map (H, W), framed, in the middle of axes, as large as fits.

    size: (height, width) whose aspect the picture takes, so that a square map lies like its oblong image.
    """
    height, width = size or image.shape[:2]
    if image.ndim == 2 and utils.is_constant(image):
        image = np.zeros_like(image)  # what it varies by is rounding
    axes.imshow(shrink(image) if image.ndim == 3 else image, cmap="gray", extent=(0, width, height, 0))
    axes.plot((0, width, width, 0, 0), (0, 0, height, height, 0), clip_on=False, scalex=False, scaley=False, **FRAME)
    scale = max(width / axes.bbox.width, height / axes.bbox.height) / 2
    right, down = scale * axes.bbox.width, scale * axes.bbox.height
    axes.set(xlim=(width / 2 - right, width / 2 + right), ylim=(height / 2 + down, height / 2 - down))
    axes.axis("off")


def picture_height(size: tuple[int, int], width: float = constants.CELL_SIDE) -> float:
    """The inches that a picture of that (height, width) is high in a cell `width` inches wide, and no higher."""
    return max(LEAST, width * min(1, size[0] / size[1]))


def quieten(axes: "Axes") -> None:
    """Thin grey spines at the left and below, small grey ticks, a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color=constants.COLOUR_QUIET, linewidth=0.6)
    axes.tick_params(labelsize=SMALL, labelcolor="#444444", color=constants.COLOUR_QUIET)
    axes.tick_params(width=0.6, length=2.5)
    axes.grid(color="#e6e6e6", linewidth=0.5)
    axes.set_axisbelow(True)


def write_legend(
    figure: "Figure", top: float, n_columns: int, loc: str = "upper center", handles: Sequence | None = None, **shape
) -> None:
    """Writes what the handles mean, None: the lines of the first axes, in the middle, `top` inches below the edge.

    loc: which point of the legend lies there. shape: further options of matplotlib's legend.
    """
    if handles is None:
        handles, _ = figure.axes[0].get_legend_handles_labels()
    place = {"loc": loc, "bbox_to_anchor": (0.5, 1 - top / figure.get_figheight())}
    figure.legend(handles=handles, ncols=n_columns, frameon=False, fontsize=constants.FONT_SIZE, **place, **shape)


def label_ends(low: float, high: float) -> list[str]:
    """The values of the lower end of a scale, its middle and its upper end; ValueError where they are the same."""
    # Two digits of the range: a lower end of a millionth of it reads as 0.
    digits = 2 - math.ceil(math.log10(high - low))
    return [_shorten(round(value, digits) + 0.0, digits > 4) for value in (low, (low + high) / 2, high)]


def _shorten(value: float, is_small: bool) -> str:
    """A number in four digits at most, as 0.0034 and 250; of a small scale as 5.1e-4: all fit beside a bar."""
    text = f"{value:.1e}" if is_small and value else f"{value:.4g}"
    if "e" not in text:
        return text
    digits, exponent = text.split("e")
    return f"{digits.removesuffix('.0')}e{int(exponent)}"


def draw_bar(axes: "Axes", colours: np.ndarray, low: float, high: float) -> None:
    """A bar of colours (n, 3), the lowest first, with the values of its ends and its middle, at the right of axes, or
    of the picture that they show."""
    right, height = 1.0, 1.0
    if axes.images:  # a tall one leaves room at its sides, a wide one above and below
        _, right, bottom, top = axes.images[-1].get_extent()
        (left_end, right_end), (lower_end, upper_end) = axes.get_xlim(), axes.get_ylim()
        right = min(1.0, (right - left_end) / (right_end - left_end))
        height = min(1.0, (bottom - top) / (lower_end - upper_end))
    bar = axes.inset_axes((right + 0.02, (1 - height) / 2, 0.04, height))
    bar.imshow(colours[:, None], aspect="auto", origin="lower", extent=(0, 1, 0, 1))
    bar.set(xticks=[], yticks=[0, 0.5, 1])
    bar.set_yticklabels(label_ends(low, high))
    bar.yaxis.tick_right()
    bar.tick_params(labelsize=SMALL, labelcolor="#444444", color=constants.COLOUR_QUIET, width=0.6)
    bar.tick_params(length=2, pad=2)
    for spine in bar.spines.values():
        spine.set(**FRAME)


def write_message(axes: "Axes", message: str) -> None:
    """An empty cell that says why it is empty."""
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color="#dddddd", linewidth=0.6)
    axes.text(
        0.5,
        0.5,
        message,
        size=constants.FONT_SIZE,
        color=constants.COLOUR_QUIET,
        ha="center",
        va="center",
        transform=axes.transAxes,
        parse_math=False,
    )


@dataclass(frozen=True)
class Cell:
    """A place on a sheet, in inches: its left and upper edge from those of the figure, its width and height.

    sheet: axes over the whole figure in inches, y growing downwards, as `add_sheet` makes them.
    """

    sheet: "Axes"
    left: float
    top: float
    width: float = constants.CELL_SIDE
    height: float = constants.CELL_SIDE

    @property
    def dpi(self) -> float:
        """Pixels per inch of the figure."""
        return self.sheet.get_figure().dpi

    def show(self, picture: np.ndarray, size: tuple[int, int] | None = None) -> "AxesImage":
        """Draws a picture, uint8 RGB (h, w, 3), framed, in the middle, as large as fits, and returns what draws it.

        size: (height, width) whose aspect it takes, so that a square map lies like its oblong image.
        """
        # In whole pixels of the figure, which Agg then only copies.
        dpi = self.dpi
        height, width = size or picture.shape[:2]
        share = min(self.width / width, self.height / height) * dpi
        n_columns, n_rows = max(1, round(width * share)), max(1, round(height * share))
        left = round(dpi * (self.left + self.width / 2) - n_columns / 2) / dpi
        top = round(dpi * (self.top + self.height / 2) - n_rows / 2) / dpi
        box = left, left + n_columns / dpi, top + n_rows / dpi, top
        return self._place(bring_to(picture, n_rows, n_columns), box)

    def show_bar(self, colours: np.ndarray, labels: Sequence[str], size: tuple[int, int]) -> None:
        """A bar of colours (n, 3), the lowest first, at the right of a picture of that (height, width), and as high.

        labels: of its ends and its middle.
        """
        share = min(self.width / size[1], self.height / size[0])
        left = self.left + self.width / 2 + share * size[1] / 2 + 0.02 * self.width
        right, height = left + BAR_WIDTH, max(LEAST, share * size[0])
        bottom = self.top + self.height / 2 + height / 2
        self._place(np.ascontiguousarray(colours[::-1, None]), (left, right, bottom, bottom - height))
        for place, label in enumerate(labels):
            y = bottom - place * height / (len(labels) - 1)
            self.lines([[(right, y), (right + 0.03, y)]])
            self.text(right + 0.06, y, label, SMALL, va="center_baseline", color="#444444")

    def _place(self, picture: np.ndarray, box: tuple[float, float, float, float]) -> "AxesImage":
        from matplotlib.image import AxesImage

        image = AxesImage(self.sheet, interpolation="nearest", origin="upper", extent=box)
        image.set_data(picture)
        (left, right, bottom, top), half = box, FRAME["linewidth"] / 72 / 2  # outside: no pixel is covered
        self.lines([_outline(left - half, top - half, right + half, bottom + half)], snap=False, **FRAME)
        return self.sheet.add_image(image)

    def title(self, lines: Sequence[str], width: float | None = None) -> list["Text"]:
        """The lines that are not empty, each fitted to `width` inches, centred and stacked above the cell."""
        middle, width = self.left + self.width / 2, width or self.width + GAP / 2
        return [
            self.text(middle, self.top - 5 / 72 - LINE * place, fit_text(line, width), ha="center")
            for place, line in enumerate(reversed([line for line in lines if line]))
        ]

    def message(self, message: str) -> None:
        """An empty cell that says why it is empty."""
        right, bottom = self.left + self.width, self.top + self.height
        self.lines([_outline(self.left, self.top, right, bottom)], color="#dddddd")
        middle = self.left + self.width / 2, self.top + self.height / 2
        self.text(*middle, message, ha="center", va="center", color=constants.COLOUR_QUIET)

    def text(self, x: float, y: float, text: str, size: float = constants.FONT_SIZE, **style) -> "Text":
        """One line of text at inches of the sheet, its baseline at y unless the style says else."""
        style = {"va": "baseline", "family": find_family(text), **style}
        return self.sheet.text(x, y, text, size=size, parse_math=False, **style)

    def lines(self, lines: Sequence[Sequence[tuple[float, float]]], **style) -> "LineCollection":
        """Lines through points (x, y) in inches of the sheet, thin and quiet unless the style says else."""
        from matplotlib.collections import LineCollection

        style = {"color": constants.COLOUR_QUIET, "linewidth": 0.6, "capstyle": "butt", **style}
        return self.sheet.add_collection(LineCollection(lines, **style), autolim=False)


def _outline(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    """The corners of a box in their order, the first again at the end."""
    return [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]


def add_sheet(figure: "Figure") -> "Axes":
    """Axes over the whole figure, whose units are inches from its top left corner; no ticks."""
    width, height = figure.get_size_inches()
    sheet = figure.add_axes((0, 0, 1, 1))
    sheet.set(xlim=(0, width), ylim=(height, 0))
    sheet.axis("off")
    return sheet


def cut_to_drawn(sheet: "Axes", margin: float = GAP / 2) -> None:
    """Makes the figure of a sheet as large as what cells have drawn there, with `margin` inches round it."""
    figure = sheet.get_figure()
    corners = [np.concatenate(lines.get_segments()) for lines in sheet.collections]  # frames of pictures among them
    corners += [sheet.transData.inverted().transform(text.get_window_extent()) for text in sheet.texts]
    corners = np.concatenate(corners)
    # In whole pixels: a picture that lies on them stays on them.
    left, top = np.floor((corners.min(axis=0) - margin) * figure.dpi) / figure.dpi
    right, bottom = np.ceil((corners.max(axis=0) + margin) * figure.dpi) / figure.dpi
    sheet.set(xlim=(left, right), ylim=(bottom, top))
    figure.set_size_inches(right - left, bottom - top)


def bring_to(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """A picture (h, w, 3) at (height, width, 3): averaged if it shrinks; small pixels are seen as squares."""
    import cv2

    if picture.shape[0] * picture.shape[1] >= height * width:
        way = cv2.INTER_AREA
    else:
        way = cv2.INTER_NEAREST if max(height, width) >= 3 * max(picture.shape[:2]) else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(picture), (width, height), interpolation=way)
