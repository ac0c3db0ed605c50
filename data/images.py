"""Image files -> arrays: photographs as RGB 0-255, density maps and masks as shares of their file's range.

Only the formats of FORMATS are opened, whatever the name of a file says: its first bytes choose the decoder, and some
of Pillow's start other programs (EPS: Ghostscript). HEIC is read where the package pillow-heif is installed.

Values deeper than 8 bits are scaled by 65535. Those that use less than a sixteenth of it would be almost black: they
are taken for 8, 10 or 12 bits, the least that holds them (microscopes and scanners write them so), and `note_reading`
says it.
"""

import contextlib
import functools
import importlib.util
import io
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import constants
from data.stored import Stored
from output import memory

if TYPE_CHECKING:
    from PIL import Image

MAX_DENSITY_MAP_SPREAD = 16  # of 255, between the channels of one pixel; JPEG noise of a gray map stays below

EXIF_ORIENTATION = 0x0112
FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "PPM", "AVIF", "HEIF")  # Pillow's names
BYTES_PER_PIXEL = 16  # while an image is decoded, turned and brought to RGB
NEVER_LACKING = 2**24  # bytes: asking whether there are so many takes longer than reading a small image
HEIC_SUFFIXES = (".heic", ".heif")
_OPENING = threading.Lock()  # of one image at a time
DEEP_TOPS = (255, 1023, 4095)  # the largest values of 8, 10 and 12 bits
DEEP_COLOURS = re.compile(r"(RGB|RGBA|RGBX|LA);16([BLN])")  # how Pillow calls 16 bits of each, and their order
TURNS = (  # what makes an image of each EXIF orientation upright, by Pillow's names
    *("", "", "FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM"),
    *("TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90"),
)


class Opened(NamedTuple):
    """An opened image, of which `copy()` is as it is stored; its EXIF orientation, 1 to 8; whether it has more than 8
    bits a colour."""

    image: "Image.Image"
    orientation: int
    is_deep: bool


class Reading(NamedTuple):
    """How photographs are read. turn: upright by their EXIF orientation; else as they are stored. max_pixels: width x
    height of the largest."""

    turn: bool = True
    max_pixels: int = constants.MAX_IMAGE_PIXELS


UPRIGHT = Reading()


@functools.cache
def list_suffixes() -> tuple[str, ...]:
    """The endings of the image files that can be read here, in lower case."""
    has_heic = importlib.util.find_spec("pillow_heif") is not None
    return constants.IMAGE_SUFFIXES + (HEIC_SUFFIXES if has_heic else ())


@functools.cache
def _list_formats() -> tuple[str, ...]:
    """Those of FORMATS that this Pillow has."""
    from PIL import Image

    Image.init()
    if importlib.util.find_spec("pillow_heif") is not None:
        import pillow_heif

        pillow_heif.register_heif_opener()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@contextlib.contextmanager
def _open(path: str | Path | Stored, max_pixels: int, lower: bool = False) -> Iterator["Opened"]:
    """The image of a file; what goes wrong while it is open is a ValueError of one line.

    lower: of each two bytes of a colour the one that Pillow leaves out.
    """
    from PIL import Image

    try:
        file = io.BytesIO(path.read_bytes()) if isinstance(path, Stored) else Path(path)
        with _without_pillows_limit():
            image = Image.open(file, formats=_list_formats())
        with image:
            width, height = image.size
            if width * height > max_pixels:
                raise Image.DecompressionBombError(f"{width} x {height} pixels")
            needed = BYTES_PER_PIXEL * width * height
            if needed > NEVER_LACKING and (lack := memory.describe_lack(needed, f"its {width} x {height} pixels")):
                raise MemoryError(lack)
            is_deep = any(DEEP_COLOURS.search(str(tile.args)) for tile in image.tile)
            if lower:
                image.tile = [tile._replace(args=_swap_bytes(tile.args)) for tile in image.tile]
            yield Opened(image, _take_orientation(image), is_deep)
    except Image.DecompressionBombError as error:
        raise ValueError(
            f"cannot read '{path}': more than the {max_pixels} pixels allowed ({error}); --max_megapixels allows more"
        ) from None
    except Image.UnidentifiedImageError:
        formats = ", ".join(_list_formats())
        raise ValueError(f"cannot read '{path}': not an image file of a format that is read ({formats})") from None
    except MemoryError as error:
        raise ValueError(f"cannot read '{path}': {str(error) or 'too little memory'}; make it smaller") from None
    except Exception as error:  # Pillow's readers raise whatever they stumble on in a damaged file
        raise ValueError(f"cannot read '{path}': damaged or not readable ({error})") from None


def _swap_bytes(args: str | tuple) -> str | tuple:
    """The arguments of Pillow's decoder for 16 bits of the other order of bytes."""
    mode, *rest = args if isinstance(args, tuple) else (args,)
    colours, order = DEEP_COLOURS.fullmatch(mode).groups()
    if colours == "LA":  # Pillow knows them in one order alone
        raise ValueError("grey with transparency, almost black of its 16 bits: save it with 8")
    if order == "N":
        order = sys.byteorder[0].upper()
    mode = f"{colours};16{'L' if order == 'B' else 'B'}"
    return (mode, *rest) if isinstance(args, tuple) else mode


def _take_orientation(image: "Image.Image") -> int:
    """The EXIF orientation, 1 for what is none; taken out of the image, as Pillow turns a TIFF by it unasked."""
    orientation = image.getexif().pop(EXIF_ORIENTATION, 1)
    return next((known for known in range(2, 9) if known == orientation), 1)  # it may be a text, bytes or a fraction


def turn_image(image: "Image.Image", orientation: int) -> "Image.Image":
    """The image, turned if its EXIF orientation, 1 to 8, says so."""
    from PIL.Image import Transpose

    return image.transpose(Transpose[TURNS[orientation]]) if TURNS[orientation] else image


@contextlib.contextmanager
def _without_pillows_limit() -> Iterator[None]:
    """Has Pillow open the head of an image of any size, which is then held against our own limit; a thread at a time,
    as Pillow has one limit for all."""
    from PIL import Image

    with _OPENING:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def open_image(path: str | Path | Stored, reading: Reading = UPRIGHT, side: int | None = None) -> "Image.Image":
    """The decoded first frame of an image file, in the file's own mode, upright where `reading` wants it.

    side: of a JPEG with more pixels, no more is decoded than leaves so many on its shorter side.

    Raises ValueError, in one line naming the file, if it is missing, a folder, empty, not an image, damaged,
    or larger than `reading` allows (told from its header, before any pixel is decoded).
    """
    if not isinstance(path, Stored):
        path = Path(path)
        try:
            if not path.exists():
                raise ValueError(f"cannot read '{path}': there is no such file")
            if path.is_dir():
                raise ValueError(f"cannot read '{path}': an image file was wanted, this is a folder")
            if path.stat().st_size == 0:
                raise ValueError(f"cannot read '{path}': the file is empty (0 bytes)")
        except OSError as error:  # a name too long, a ring of links
            raise ValueError(f"cannot read '{path}': {error.strerror}") from None
    with _open(path, reading.max_pixels) as opened:
        if side is not None:
            opened.image.draft(None, (side, side))  # does nothing to other files
        image = _decode(opened, path, reading.max_pixels)
        return turn_image(image, opened.orientation) if reading.turn else image


def _decode(opened: "Opened", path: str | Path | Stored, max_pixels: int) -> "Image.Image":
    """The image as it is stored. Of 16 bits a colour Pillow keeps the upper eight, in which nothing is left of values
    that use less than a sixteenth: those are scaled by their own range."""
    from PIL import Image

    stored = opened.image
    stored.load()
    levels, top = _read_colours(stored, opened, path, max_pixels)
    return stored if top == 65535 else Image.fromarray(np.rint(levels * (255 / top)).astype(np.uint8), stored.mode)


def _read_colours(
    stored: "Image.Image", opened: "Opened", path: str | Path | Stored, max_pixels: int
) -> tuple[np.ndarray, int]:
    """The values (H, W, C) of an image with 16 bits a colour, and which of them is white; of others (empty, 65535)."""
    if not opened.is_deep or (upper := np.asarray(stored))[..., :3].max() > DEEP_TOPS[-1] >> 8:
        return np.empty(0), 65535
    with _open(path, max_pixels, lower=True) as (image, *_):
        levels = 256 * upper.astype(np.uint16) + np.asarray(image.copy())
    if not levels[..., :3].any():
        return np.empty(0), 65535
    top = _find_top(levels[..., :3], stored.mode)
    if stored.mode == "RGBA":  # opaque is a range of its own
        opaque = _find_top(levels[..., 3], stored.mode)
        levels[..., 3] = np.rint(levels[..., 3] * (top / opaque))
    return levels, top


def read_head(path: str | Path | Stored, reading: Reading = UPRIGHT) -> tuple[tuple[int, int], int]:
    """(height, width) of an image file as it is stored, and its EXIF orientation, 1 to 8; no pixel is decoded.

    The orientation is 1 where `reading` does not turn. ValueError if the file cannot be read.
    """
    with _open(path, reading.max_pixels) as (image, orientation, _):
        # Pillow tells the size of a TIFF as if it were turned; its tags are the width and the height.
        width, height = (image.tag_v2[256], image.tag_v2[257]) if image.format == "TIFF" else image.size
        return (height, width), orientation if reading.turn else 1


def read_size(path: str | Path | Stored, reading: Reading = UPRIGHT) -> tuple[int, int]:
    """(height, width) of an image file as `read_image` gives it, from its header; ValueError if unreadable."""
    (height, width), orientation = read_head(path, reading)
    return (width, height) if orientation >= 5 else (height, width)  # turned by a quarter


def note_reading(path: str | Path | Stored, reading: Reading = UPRIGHT) -> str:
    """What a user should know of how a file is read, in words that are the same for files of a kind; '' if nothing.

    The header tells, but for an image of deep values, which is decoded. '' for a file that cannot be read, too.
    """
    try:
        with _open(path, reading.max_pixels) as opened:
            image, is_animated, top = opened.image, getattr(opened.image, "is_animated", False), 65535
            if opened.is_deep:
                top = _read_colours(image.copy(), opened, path, reading.max_pixels)[1]
            elif _is_deep(image) and (levels := np.asarray(image.copy())).any():
                top = _find_top(levels, image.mode)
    except ValueError:
        return ""
    notes = []
    if opened.orientation > 1:
        notes.append(
            "turned by their EXIF orientation (--exif=keep does not)"
            if reading.turn
            else "with an EXIF orientation, kept as they are stored"
        )
    if is_animated:
        notes.append("of several frames, the first of which is read")
    if top in DEEP_TOPS:
        notes.append(f"of {top.bit_length()}-bit values in deeper files, scaled by {top}")
    return "; ".join(notes)


def read_image(path: str | Path | Stored, reading: Reading = UPRIGHT, side: int | None = None) -> np.ndarray:
    """The image of a file as uint8 RGB, 0-255, (H, W, 3); side and errors as `open_image`.

    Any mode is taken: gray, palette, CMYK, 1 bit, 16 bits, alpha.
    """
    image = open_image(path, reading, side)
    if _is_deep(image):
        gray = np.rint(255 * _read_deep_levels(image, path)).astype(np.uint8)
        return np.repeat(gray[..., None], 3, axis=2)
    # White, as a page shows it: the colour stored under transparent pixels is arbitrary, often black.
    return np.array(_flatten(image, "white"))


def read_density_map(path: str | Path, what: str = "density map") -> np.ndarray:
    """The density map, or mask, of a file as float32 (H, W), scaled to [0, 1] by the file's range (255, or 65535).

    A gray map saved as RGB is read by its luminance, transparent pixels count as 0. Errors as `open_image`,
    and ValueError for a coloured heat map: its colours do not tell the density.
    """
    image = open_image(path)
    if _is_deep(image):
        return _read_deep_levels(image, path)
    if image.mode == "L" and not image.has_transparency_data:
        levels = np.array(image, dtype=np.float32)
        levels /= 255  # in place: of a large photograph this is what it takes in memory
        return levels
    image = _flatten(image, "black")
    pixels = np.asarray(image)
    spread = int((pixels.max(axis=2) - pixels.min(axis=2)).max())
    if spread > MAX_DENSITY_MAP_SPREAD:
        raise ValueError(
            f"cannot read '{path}': a {what} is gray, this is a coloured picture "
            f"(its channels differ by up to {spread} of 255)"
        )
    return np.asarray(image.convert("L"), dtype=np.float32) / 255


def _is_deep(image: "Image.Image") -> bool:
    """Whether the image has one channel of more than 8 bits, which Pillow's own conversion would clip."""
    return image.mode.startswith("I") or image.mode == "F"


def _read_deep_levels(image: "Image.Image", path: str | Path) -> np.ndarray:
    """A 16-bit ('I;16', or 'I' holding 0-65535) or float ('F', 0-1) image as float32 (H, W) in [0, 1]."""
    levels = np.asarray(image)
    top, low, high = _find_top(levels, image.mode), levels.min(), levels.max()
    if not (low >= 0 and high <= top):  # written so that NaN is refused too
        raise ValueError(f"cannot read '{path}': values in 0-{top} were wanted, it has {low:g} to {high:g}")
    return levels.astype(np.float32) / top


def _find_top(levels: np.ndarray, mode: str) -> int:
    """The value that is white: 1 for floats, else the largest of as many bits as the values need."""
    return 1 if mode == "F" else next((top for top in DEEP_TOPS if levels.max() <= top), 65535)


def _flatten(image: "Image.Image", background: str) -> "Image.Image":
    """The image in RGB, its transparent pixels showing the background colour."""
    from PIL import Image

    if not image.has_transparency_data:
        # A photograph is not copied, 48 MB of 12 megapixels; that of a TIFF may have a wrong size until it is.
        return image if image.mode == "RGB" and image.format != "TIFF" else image.convert("RGB")
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, background), image).convert("RGB")
