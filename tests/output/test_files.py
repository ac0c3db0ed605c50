"""Files that are written whole or not at all: figures as pixels and as vectors, pictures at their own size."""

import base64
import errno
import io
import re
from pathlib import Path

import numpy as np
import pytest
from full_disk import full_disk
from matplotlib.figure import Figure
from PIL import Image

from output.files import figure_saver, picture_saver, save_array, write_whole
from plots import drawing


def names_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one(tmp_path):
    path = tmp_path / "new" / "file.txt"
    assert write_whole(path, lambda partial: partial.write_text("old")) == path

    def fail(partial):
        partial.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_whole(path, fail)
    assert names_in(tmp_path) == ["new/file.txt"] and path.read_text() == "old"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_full_disk_is_told_with_the_file_that_was_to_be_written(tmp_path):
    def fill(partial):
        with open("/dev/full", "wb") as file:
            file.write(b"some")

    with pytest.raises(OSError) as caught:
        write_whole(tmp_path / "a.csv", fill)
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(tmp_path / "a.csv")
    assert "cannot write (No space left on device)" in str(caught.value)


@pytest.mark.parametrize("error", [OSError("encoder error -2"), OSError(), PermissionError(13, "Permission denied")])
def test_every_reason_not_to_write_names_the_file(tmp_path, error):
    def fail(partial):
        raise error

    with pytest.raises(OSError) as caught:
        write_whole(tmp_path / "a.png", fail)
    assert caught.value.filename == str(tmp_path / "a.png") and caught.value.strerror.startswith("cannot write (")


def test_a_folder_that_cannot_be_made_is_told_with_the_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError) as caught:
        write_whole(tmp_path / "file" / "a.png", lambda partial: partial.write_text(""))
    assert caught.value.filename == str(tmp_path / "file" / "a.png")


# --- figures and pictures ------------------------------------------------------------------------------------
@pytest.fixture
def figure():
    figure = drawing.new_figure(2, 1)
    drawing.write(figure, 0.2, 0.5, "Edzná, a name", 1.5)
    return figure


def test_a_figure_is_written_as_its_ending_says(figure, tmp_path):
    for ending, start in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")):
        path = write_whole(tmp_path / f"figure.{ending}", figure_saver(figure))
        assert path.read_bytes().startswith(start)
    with Image.open(tmp_path / "figure.png") as picture:
        assert picture.size == (240, 120) and picture.mode == "RGB" and round(picture.info["dpi"][0]) == 120


def test_the_text_of_a_vector_figure_is_text_and_no_font_is_of_type_3(figure, tmp_path):
    svg = write_whole(tmp_path / "figure.svg", figure_saver(figure)).read_text(encoding="utf-8")
    assert "Edzná, a name</text>" in svg
    pdf = write_whole(tmp_path / "figure.pdf", figure_saver(figure)).read_bytes()
    assert b"/CIDFontType2" in pdf and b"/Type3" not in pdf


def test_the_same_figure_is_the_same_file(figure, tmp_path):
    for ending in ("png", "pdf", "svg"):
        first, second = (tmp_path / f"{number}.{ending}" for number in (1, 2))
        for path in (first, second):
            figure_saver(figure)(path)
        assert first.read_bytes() == second.read_bytes(), ending


def test_a_picture_keeps_its_size_in_every_format(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    for ending in ("png", "pdf", "svg"):
        write_whole(tmp_path / f"picture.{ending}", picture_saver(picture))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "picture.png")), picture)
    assert b"/MediaBox [ 0 0 36 21.6 ]" in (tmp_path / "picture.pdf").read_bytes(), "50 x 30 pixels of 1 / 100 inch"
    svg = (tmp_path / "picture.svg").read_text(encoding="utf-8")
    assert 'width="36pt" height="21.6pt"' in svg
    inside = re.search(r'base64,\s*([^"]+)"', svg)[1]
    embedded = np.asarray(Image.open(io.BytesIO(base64.b64decode(inside))).convert("RGB"))
    assert np.array_equal(embedded, picture) or np.array_equal(embedded[::-1], picture)


# --- a full disk --------------------------------------------------------------------------------------------------
def draw_noise():
    figure = Figure()
    figure.add_subplot().imshow(np.random.default_rng(0).random((200, 200)))
    return figure


@pytest.mark.parametrize("name", ["a.png", "a.pdf", "a.svg", "a.npy", "a.csv"])
def test_on_a_full_disk_the_file_is_named_and_nothing_of_it_is_left(tmp_path, name):
    path = tmp_path / name
    picture = np.random.default_rng(0).integers(0, 256, (99, 99, 3)).astype(np.uint8)
    save = {
        "a.png": picture_saver(picture),
        "a.npy": lambda partial: save_array(partial, picture),
        "a.csv": lambda partial: partial.write_text("x" * 9000),
    }.get(name, figure_saver(draw_noise()))
    with full_disk(5000), pytest.raises(OSError) as error:
        write_whole(path, save)
    assert error.value.filename == str(path) and error.value.strerror.startswith("cannot write (")
    assert list(tmp_path.iterdir()) == []
    write_whole(path, save)
    assert path.stat().st_size > 5000
