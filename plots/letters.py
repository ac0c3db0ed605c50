"""
Text on figures: a font that has its letters, how wide it is, and how it is drawn.

A page holds some 170 short texts, and matplotlib draws letter by letter: half the time of a page. `TextCanvas` draws a
text as one picture, by Pillow and from the same font file. Files of vectors (PDF, SVG) are written by matplotlib alone.
"""

import functools

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.font_manager import FontProperties, findfont, get_font

import constants

FAMILY = "DejaVu Sans"  # matplotlib's own: it is there on every machine
FAMILIES_CJK = (  # where FAMILY lacks letters, the first that is installed and has them
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK KR", "Noto Sans JP", "Noto Sans SC", "Noto Sans KR"),
    *("Source Han Sans", "Hiragino Sans", "PingFang SC", "Apple SD Gothic Neo", "Yu Gothic", "Meiryo"),
    *("Microsoft YaHei", "SimHei", "Malgun Gothic", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "IPAGothic"),
    *("NanumGothic", "Droid Sans Fallback", "Unifont", "Arial Unicode MS"),
)


@functools.lru_cache(maxsize=4096)
def find_family(text: str) -> str:
    """The family of fonts that a text is written in: `FAMILY`, or one that is installed and has what that lacks."""
    if text.isascii() or _has_letters(FAMILY, text):
        return FAMILY
    return next((family for family in FAMILIES_CJK if _has_letters(family, text)), FAMILY)


@functools.lru_cache
def _letters_of(family: str) -> frozenset[int]:
    """The code points of a family; none if it is not installed."""
    try:
        return frozenset(get_font(findfont(family, fallback_to_default=False)).get_charmap())
    except ValueError:
        return frozenset()


def _has_letters(family: str, text: str) -> bool:
    return _letters_of(family).issuperset(map(ord, text))


@functools.lru_cache(maxsize=8192)
def measure_text(text: str, size: float = constants.FONT_SIZE, weight: str = "normal") -> float:
    """The width in inches of one line of text at `size` points."""
    # Large, so that it is the width of the outlines; letters are hinted when they are drawn, which can widen them.
    font = _open_font(findfont(FontProperties(family=find_family(text), weight=weight)), 10 * size)
    return 1.03 * font.getlength(text) / 720


def open_font(text: str, pixels: float):
    """Pillow's font that a text is written in, `pixels` high."""
    return _open_font(findfont(FontProperties(family=find_family(text))), pixels)


@functools.lru_cache
def _open_font(path: str, pixels: float):
    from PIL import ImageFont

    return ImageFont.truetype(path, pixels, layout_engine=ImageFont.Layout.BASIC)


class TextRenderer(RendererAgg):
    """Agg, but that a text is drawn at once; formulas are matplotlib's."""

    def _font(self, prop: FontProperties):
        return _open_font(findfont(prop), prop.get_size_in_points() * self.dpi / 72)

    def get_text_width_height_descent(self, s, prop, ismath):
        """Width, height and descent of a text in pixels."""
        if ismath:
            return super().get_text_width_height_descent(s, prop, ismath)
        _, top, right, bottom = self._font(prop).getbbox(s, anchor="ls")
        return right, bottom - top, bottom

    def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
        """Lays the text over the figure, its baseline beginning at (x, y) pixels from the top left."""
        if ismath or angle not in (0, 90):
            super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)
            return
        mask, (left, top) = self._font(prop).getmask2(s, mode="L", anchor="ls")
        width, height = mask.size
        if width * height == 0:
            return
        cover = np.frombuffer(bytes(mask), np.uint8).reshape(height, width)
        if angle == 90:  # against the clock: what lay to the right lies above
            left, top, cover = top, -(left + width), np.rot90(cover)
        pixels = np.empty((*cover.shape, 4), np.uint8)
        pixels[..., :3] = np.rint(255 * np.array(gc.get_rgb()[:3]))
        pixels[..., 3] = np.rint(gc.get_alpha() * cover)
        bottom = round(y) + top + cover.shape[0]
        self.draw_image(gc, round(x) + left, self.height - bottom, np.ascontiguousarray(pixels[::-1]))


class TextCanvas(FigureCanvasAgg):
    """The canvas of a figure, which draws by `TextRenderer`."""

    def get_renderer(self):
        """The renderer of the figure at its present size."""
        width, height = self.get_width_height(physical=True)
        renderer = getattr(self, "renderer", None)
        if renderer is None or (renderer.width, renderer.height, renderer.dpi) != (width, height, self.figure.dpi):
            self.renderer = TextRenderer(width, height, self.figure.dpi)
        return self.renderer
