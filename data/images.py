"""Image files -> arrays: photographs as RGB 0-255, density maps and masks as shares of their file's range."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import constants

if TYPE_CHECKING:
    from PIL import Image

EXIF_ORIENTATION = 0x0112


def open_image(path: str | Path) -> "Image.Image":
    """The decoded first frame of an image file, upright by its EXIF orientation, in the file's own mode.

    Raises ValueError, in one line naming the file, if it is missing, a folder, empty, not an image, damaged,
    or larger than `constants.MAX_IMAGE_PIXELS` (told from its header, before any pixel is decoded).
    """
    from PIL import Image, ImageOps

    path = Path(path)
    if not path.exists():
        raise ValueError(f"cannot read '{path}': there is no such file")
    if path.is_dir():
        raise ValueError(f"cannot read '{path}': an image file was wanted, this is a folder")
    if path.stat().st_size == 0:
        raise ValueError(f"cannot read '{path}': the file is empty (0 bytes)")
    limit = constants.MAX_IMAGE_PIXELS
    try:
        with warnings.catch_warnings():  # our limit is below Pillow's: its warning would only say it twice
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)
        with image:
            width, height = image.size
            if width * height > limit:
                raise Image.DecompressionBombError(f"{width} x {height} pixels")
            return ImageOps.exif_transpose(image)
    except Image.DecompressionBombError as error:
        raise ValueError(f"cannot read '{path}': more than the {limit} pixels allowed ({error})") from None
    except Image.UnidentifiedImageError:
        raise ValueError(f"cannot read '{path}': not an image file that Pillow knows") from None
    except Exception as error:  # Pillow's readers raise whatever they stumble on in a damaged file
        raise ValueError(f"cannot read '{path}': damaged or not readable ({error})") from None


def read_head(path: str | Path) -> tuple[tuple[int, int], int]:
    """(height, width) of an image file as it is stored, and its EXIF orientation, 1 to 8; no pixel is decoded.

    ValueError if it cannot be read.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.size[::-1], image.getexif().get(EXIF_ORIENTATION, 1)
    except Exception as error:  # Pillow's readers raise whatever they stumble on in a damaged file
        raise ValueError(f"cannot read '{path}': not an image file that Pillow knows ({error})") from None


def read_size(path: str | Path) -> tuple[int, int]:
    """(height, width) of an image file, upright as `read_image` gives it, from its header; ValueError if unreadable."""
    (height, width), orientation = read_head(path)
    return (width, height) if orientation >= 5 else (height, width)  # turned by a quarter


def read_image(path: str | Path) -> np.ndarray:
    """The image of a file as uint8 RGB, 0-255, (H, W, 3); errors as `open_image`.

    Any mode is taken: gray, palette, CMYK, 1 bit, 16 bits (scaled from 0-65535), alpha.
    """
    image = open_image(path)
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
    image = _flatten(image, "black")
    pixels = np.asarray(image)
    spread = int((pixels.max(axis=2) - pixels.min(axis=2)).max())
    if spread > constants.MAX_DENSITY_MAP_SPREAD:
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
    levels = np.asarray(image).astype(np.float32)
    top = 1 if image.mode == "F" else 65535
    low, high = levels.min(), levels.max()
    if not (low >= 0 and high <= top):  # written so that NaN is refused too
        raise ValueError(f"cannot read '{path}': values in 0-{top} were wanted, it has {low:g} to {high:g}")
    return levels / top


def _flatten(image: "Image.Image", background: str) -> "Image.Image":
    """The image in RGB, its transparent pixels showing the background colour."""
    from PIL import Image

    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, background), image).convert("RGB")
