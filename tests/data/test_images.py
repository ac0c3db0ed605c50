"""Reading images and density maps of every kind."""

import cv2
import numpy as np
import pytest
from PIL import Image

import constants
from data.images import Reading, note_reading, read_density_map, read_image, read_size

RED, GREEN, BLUE, BLACK, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0), (255, 255, 255)


def save(image, path, **options):
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    image.save(path, **options)
    return path


@pytest.fixture
def picture():
    """2 rows, 3 columns, RGB: no two axes of it can be exchanged unseen."""
    return np.array([[RED, GREEN, BLUE], [BLACK, WHITE, (10, 20, 30)]], dtype=np.uint8)


@pytest.mark.parametrize("name", ["a.png", "with space.PNG", "Éléphant d'été.bmp", "B.TIFF", "c.WebP"])
def test_an_image_is_read_as_rgb_rows_by_columns_whatever_its_name(tmp_path, picture, name):
    options = {"lossless": True} if name.endswith("WebP") else {}
    image = read_image(save(picture, tmp_path / name, **options))
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, picture)


def test_an_image_is_a_writable_array_of_its_own(tmp_path, picture):
    assert read_image(save(picture, tmp_path / "a.png")).flags.writeable


def test_one_pixel_is_an_image(tmp_path):
    path = save(Image.new("RGB", (1, 1), RED), tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(path), [[RED]])


@pytest.mark.parametrize(
    ("mode", "colour", "ending", "expected"),
    [
        ("1", 1, "png", (255, 255, 255)),
        ("L", 100, "jpg", (100, 100, 100)),
        ("LA", (100, 255), "png", (100, 100, 100)),
        ("LA", (100, 0), "png", WHITE),
        ("RGBA", (*BLACK, 0), "png", WHITE),
        ("RGBA", (*RED, 51), "png", (255, 204, 204)),
        ("CMYK", (0, 255, 255, 0), "tif", RED),
        ("CMYK", (0, 0, 0, 255), "jpg", BLACK),
        ("I;16", 65535, "png", WHITE),
        ("I;16", 257 * 90, "tif", (90, 90, 90)),
        ("I", 257 * 90, "tif", (90, 90, 90)),
        ("F", 0.5, "tif", (128, 128, 128)),
    ],
)
def test_every_mode_becomes_rgb(tmp_path, mode, colour, ending, expected):
    image = read_image(save(Image.new(mode, (8, 8), colour), tmp_path / f"a.{ending}"))
    assert image.shape == (8, 8, 3)
    np.testing.assert_allclose(image[4, 4], expected, atol=1)


def test_sixteen_bits_keep_their_order_instead_of_wrapping(tmp_path):
    ramp = np.array([[0, 255, 256, 32768, 65535]], dtype=np.uint16)
    np.testing.assert_array_equal(read_image(save(ramp, tmp_path / "a.png"))[0, :, 0], [0, 1, 1, 128, 255])


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("kind", [np.uint16, np.int32])
def test_values_of_few_bits_in_a_deep_file_are_scaled_by_their_own_range_and_said(tmp_path, bits, kind):
    top = 2**bits - 1
    path = save(np.array([[0, top // 2 + 1, top]], kind), tmp_path / "a.tif")
    np.testing.assert_array_equal(read_image(path)[0, :, 0], [0, 128, 255])
    np.testing.assert_allclose(read_density_map(path), [[0, 0.5, 1]], atol=2e-3)
    assert note_reading(path) == f"of {bits}-bit values in deeper files, scaled by {top}"
    assert note_reading(save(np.array([[0, 5000]], kind), tmp_path / "b.tif")) == ""


def test_a_black_deep_image_is_black(tmp_path):
    path = save(np.zeros((2, 2), np.uint16), tmp_path / "a.png")
    assert not read_image(path).any() and note_reading(path) == ""


def test_transparent_pixels_of_a_palette_are_white(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "opaque.png")
    image.save(tmp_path / "clear.png", transparency=1)
    np.testing.assert_array_equal(read_image(tmp_path / "opaque.png"), [[RED, BLUE]])
    np.testing.assert_array_equal(read_image(tmp_path / "clear.png"), [[RED, WHITE]])


def test_a_photograph_taken_sideways_is_turned_upright(tmp_path, picture):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to show it
    image = read_image(save(picture, tmp_path / "a.png", exif=exif))
    np.testing.assert_array_equal(image, np.rot90(picture, k=-1))
    assert read_size(tmp_path / "a.png") == (3, 2)
    assert note_reading(tmp_path / "a.png").startswith("turned by their EXIF orientation (--exif=keep")


def test_a_photograph_taken_sideways_can_be_kept_as_it_is_stored(tmp_path, picture):
    exif = Image.Exif()
    exif[0x0112] = 6
    path, as_stored = save(picture, tmp_path / "a.png", exif=exif), Reading(turn=False)
    np.testing.assert_array_equal(read_image(path, as_stored), picture)
    assert read_size(path, as_stored) == (2, 3)
    assert "kept as they are stored" in note_reading(path, as_stored)


@pytest.mark.parametrize("ending", ["png", "tif", "jpg", "webp"])
@pytest.mark.parametrize("orientation", range(10))
def test_every_orientation_is_turned_or_kept_alike_in_every_format_and_its_size_is_told(tmp_path, orientation, ending):
    colours = np.random.default_rng(0).integers(0, 256, (2, 3, 3), np.uint8)
    stored = np.kron(colours, np.ones((16, 16, 1), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(stored, tmp_path / f"a.{ending}", exif=exif, quality=95)
    upright = {  # Exif 2.32: where row 0 and column 0 of what is stored belong
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: stored[::-1].transpose(1, 0, 2),
        7: stored[::-1, ::-1].transpose(1, 0, 2),
        8: stored[:, ::-1].transpose(1, 0, 2),
    }.get(orientation, stored)
    kept = Reading(turn=False)
    for reading, wanted in ((Reading(), upright), (kept, stored)):
        image = read_image(path, reading)
        assert image.shape == wanted.shape and read_size(path, reading) == wanted.shape[:2]
        assert np.abs(image.astype(int) - wanted)[8::16, 8::16].max() < 60  # of a JPEG's and WebP's loss
    assert bool(note_reading(path)) == bool(note_reading(path, kept)) == (2 <= orientation <= 8)


@pytest.mark.parametrize(
    "value", [b"\x02\0\x02\0\0\0006\0\0\0", b"\x07\0\x01\0\0\0\x06\0\0\0", b"\x0b\0\x01\0\0\0\0\0\xd0@"]
)
def test_an_orientation_that_is_a_text_bytes_or_a_fraction_turns_nothing(tmp_path, picture, value):
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01" + value + b"\0\0\0\0"
    path = save(picture, tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(path), picture)
    assert read_size(path) == (2, 3) and note_reading(path) == ""


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("bits", [8, 10, 12])
def test_colours_of_few_bits_in_sixteen_are_scaled_by_their_own_range_and_said(tmp_path, bits, ending):
    top = 2**bits - 1
    levels = np.array([[[0, top, top // 2], [top, 0, top // 3]]], np.uint16)
    cv2.imwrite(str(tmp_path / f"a.{ending}"), levels[..., ::-1])
    image = read_image(tmp_path / f"a.{ending}")
    np.testing.assert_array_equal(image, np.rint(255.0 * levels / top))
    assert note_reading(tmp_path / f"a.{ending}").startswith(f"of {bits}-bit values")


def test_colours_of_sixteen_bits_keep_their_upper_eight(tmp_path):
    levels = np.array([[[0, 4096, 65535], [256, 30000, 511]]], np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), levels[..., ::-1])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), levels >> 8)
    assert note_reading(tmp_path / "a.png") == ""


def test_an_animation_shows_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, BLUE)]
    path = save(frames[0], tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read_image(path)[0, 0], RED)
    assert note_reading(path) == "of several frames, the first of which is read"
    assert note_reading(save(frames[0], tmp_path / "b.gif")) == note_reading(tmp_path / "none.gif") == ""


@pytest.mark.parametrize("name, kind", [("a.jfif", "JPEG"), ("a.ppm", "PPM"), ("a.pgm", "PPM"), ("a.avif", "AVIF")])
def test_further_endings_are_read(tmp_path, name, kind):
    path = save(
        Image.new("L" if name == "a.pgm" else "RGB", (8, 8), 200 if name == "a.pgm" else RED),
        tmp_path / name,
        format=kind,
    )
    np.testing.assert_allclose(read_image(path)[4, 4], (200, 200, 200) if name == "a.pgm" else RED, atol=4)


@pytest.mark.parametrize("kind", ["EPS", "PCX", "TGA", "ICO", "SGI", "PDF"])
def test_a_file_is_opened_in_no_other_format_than_those_promised_whatever_its_name(tmp_path, kind, monkeypatch):
    def never(*_, **__):
        raise AssertionError("the decoder was reached")

    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", never)
    path = save(Image.new("RGB", (16, 16), RED), tmp_path / "a.jpg", format=kind)
    for read in (read_image, read_density_map, read_size):
        with pytest.raises(ValueError, match="a.jpg.*not an image file of a format that is read .JPEG, PNG"):
            read(path)


@pytest.mark.parametrize("read", [read_image, read_density_map])
def test_what_is_no_image_is_refused_in_one_line_that_names_it(tmp_path, read):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    whole = save(noise, tmp_path / "whole.png").read_bytes()
    for name, content in {"zero.png": b"", "text.png": b"hello", "cut.png": whole[: len(whole) // 2]}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.png").mkdir()
    reasons = {
        "missing.png": "no such file",
        "zero.png": "empty",
        "text.png": "not an image",
        "cut.png": "damaged.*truncated",
        "folder.png": "folder",
    }
    for name, reason in reasons.items():
        with pytest.raises(ValueError, match=f"{name}.*{reason}") as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "bmp", "tif", "webp"])
def test_a_truncated_file_is_refused_in_every_format(tmp_path, ending):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    path = save(noise, tmp_path / f"a.{ending}")
    path.write_bytes(path.read_bytes()[:-1500])
    with pytest.raises(ValueError, match="cannot read"):
        read_image(path)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("side", [8_000, 10_000, 16_000])  # below and above Pillow's own two limits
def test_a_huge_image_is_refused_from_its_header(tmp_path, side, monkeypatch):
    path = save(Image.new("1", (side, side)), tmp_path / "huge.png")

    def decode(*_):
        raise AssertionError("a pixel was decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
    with pytest.raises(ValueError, match=f"huge.png.*{constants.MAX_IMAGE_PIXELS}"):
        read_image(path)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("side", [8_000, 16_000])  # below and above Pillow's own limits
def test_a_huge_image_can_be_allowed_and_pillows_limit_is_left_as_it_was(tmp_path, side):
    path, before = save(Image.new("1", (side, side)), tmp_path / "huge.png"), Image.MAX_IMAGE_PIXELS
    with pytest.raises(ValueError, match="--max_megapixels allows more"):
        read_size(path)
    assert read_size(path, Reading(max_pixels=side**2)) == (side, side)
    assert before == Image.MAX_IMAGE_PIXELS


# --- density maps ----------------------------------------------------------------------------------------
def test_a_density_map_is_scaled_by_the_range_of_its_file(tmp_path):
    eight = read_density_map(save(np.array([[0, 51, 102]], np.uint8), tmp_path / "8.png"))
    sixteen = read_density_map(save(np.array([[0, 13107, 26214]], np.uint16), tmp_path / "16.png"))
    assert eight.dtype == sixteen.dtype == np.float32
    np.testing.assert_allclose(eight, [[0, 0.2, 0.4]], rtol=1e-6)
    np.testing.assert_allclose(sixteen, eight, rtol=1e-6)


def test_a_constant_density_map_is_read(tmp_path):
    assert read_density_map(save(Image.new("L", (3, 2), 255), tmp_path / "a.png")).tolist() == [[1.0] * 3] * 2


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_gray_density_map_saved_as_rgb_is_the_same_map(tmp_path, ending):
    gray = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
    density_map = read_density_map(save(Image.fromarray(gray).convert("RGB"), tmp_path / f"a.{ending}"))
    np.testing.assert_allclose(density_map, gray / 255, atol=0.02 if ending == "jpg" else 1e-6)


def test_where_a_density_map_is_transparent_nobody_looked(tmp_path):
    image = Image.new("LA", (2, 1), (255, 255))
    image.putpixel((1, 0), (255, 0))
    np.testing.assert_array_equal(read_density_map(save(image, tmp_path / "a.png")), [[1, 0]])


def test_a_coloured_heat_map_is_not_a_density_map(tmp_path, picture):
    with pytest.raises(ValueError, match="a.png.*coloured"):
        read_density_map(save(picture, tmp_path / "a.png"))


@pytest.mark.parametrize("value", [-1.0, 2.0, np.nan])
def test_a_float_density_map_outside_0_to_1_is_refused(tmp_path, value):
    with pytest.raises(ValueError, match="values in 0-1 were wanted"):
        read_density_map(save(np.full((2, 2), value, np.float32), tmp_path / "a.tif"))


def test_an_image_that_does_not_fit_into_memory_is_told_before_it_is_decoded(tmp_path, monkeypatch):
    Image.new("RGB", (2000, 1000)).save(tmp_path / "a.png")
    monkeypatch.setattr("output.memory.free_memory", lambda: 16 * 2000 * 1000 - 1)
    with pytest.raises(ValueError, match="a.png': its 2000 x 1000 pixels take .* GB of memory"):
        read_image(tmp_path / "a.png")
    monkeypatch.setattr("output.memory.free_memory", lambda: 16 * 2000 * 1000)
    assert read_image(tmp_path / "a.png").shape == (1000, 2000, 3)
