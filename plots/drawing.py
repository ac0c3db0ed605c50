"""
What all figures share: style, sizes in inches, text that fits its place, pictures centred in square cells.

Figures are made through matplotlib's object interface and drawn by Agg: no window and no pyplot state, so
that a run without a screen works and a figure that is let go of is gone. Places are inches from the top left
corner, because a page is a stack of cells of one size, however tall it grows.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import constants
from output.progress import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

LINE = 1.35 * constants.FONT_SIZE / 72  # inches from one line of text to the next
HEADING = 1.3 * constants.FONT_SIZE  # points
SMALL = 0.85 * constants.FONT_SIZE
GAP = 0.16  # inches between neighbouring cells
TITLE_WIDTH = constants.CELL_SIDE + GAP / 2  # inches: a title may reach into the gaps, half way to the next


def new_figure(width: float, height: float, supertitle: str = "", dpi: float = constants.FIGURE_DPI) -> "Figure":
    """A white figure of width x height inches, its title in the first 2.5 lines."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=dpi, facecolor="white")
    FigureCanvasAgg(figure)
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
    return figure.text(left / whole_width, 1 - top / whole_height, text, size=size, parse_math=False, **style)


def measure_text(text: str, size: float = constants.FONT_SIZE, weight: str = "normal") -> float:
    """The width in inches of one line of text at `size` points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size, weight=weight)
    # Letters are hinted when they are drawn, which can widen them a little.
    return 1.03 * text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72


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


def write_title(axes: "Axes", lines: Sequence[str], width: float = TITLE_WIDTH) -> list["Text"]:
    """The lines that are not empty, each fitted to `width` inches, centred and stacked above the axes."""
    # One text a line: as a block, lines with and without descenders would stand at unequal distances.
    return [
        axes.annotate(
            fit_text(line, width),
            (0.5, 1),
            (0, 5 + 72 * LINE * place),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="center",
            size=constants.FONT_SIZE,
            parse_math=False,
        )
        for place, line in enumerate(reversed([line for line in lines if line]))
    ]


def shrink(image: np.ndarray) -> np.ndarray:
    """The image, of any size, with no more pixels than a cell can show when a figure is drawn twice as fine."""
    import cv2

    height, width = image.shape[:2]
    share = 2 * constants.CELL_SIDE * constants.FIGURE_DPI / max(height, width)
    size = max(1, round(width * share)), max(1, round(height * share))
    return image if share >= 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def show_image(axes: "Axes", image: np.ndarray, size: tuple[int, int] | None = None) -> None:
    """
    Draw an image (H, W, 3) or, in grey, a map (H, W) in the middle of square axes, its aspect kept.

    size: (height, width) whose aspect the picture takes, so that a square map lies like its oblong image.
    """
    height, width = size or image.shape[:2]
    side = max(height, width)
    axes.imshow(shrink(image) if image.ndim == 3 else image, cmap="gray", extent=(0, width, height, 0))
    axes.set(xlim=((width - side) / 2, (width + side) / 2), ylim=((height + side) / 2, (height - side) / 2))
    axes.axis("off")


def quieten(axes: "Axes") -> None:
    """Thin grey spines at the left and below, small grey ticks, a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color=constants.COLOUR_QUIET, linewidth=0.6)
    axes.tick_params(labelsize=SMALL, labelcolor="#444444", color=constants.COLOUR_QUIET)
    axes.tick_params(width=0.6, length=2.5)
    axes.grid(color="#e6e6e6", linewidth=0.5)
    axes.set_axisbelow(True)


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
