"""Boxes: the masks that they are, every line of boxes.csv that can be wrong, photographs that are turned."""

import numpy as np
import pytest
from PIL import Image
from planted import RED, picture

from data.boxes import Box, box_mask, check_inside, match_boxes, read_boxes, read_mask, turn_upright
from data.dataset import Sample


def mask_of(*boxes, shape=(40, 60)):
    return box_mask([Box(*box) for box in boxes], *shape)


def test_a_box_covers_columns_x_and_rows_y():
    mask = mask_of((1, 0, 4, 2), shape=(3, 5))
    np.testing.assert_array_equal(mask, [[0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]])


def test_a_box_may_be_the_whole_image_and_begin_between_pixels():
    assert mask_of((0, 0, 60, 40)).all()
    np.testing.assert_array_equal(mask_of((0.4, 0, 1.6, 1), shape=(1, 3)), [[1, 1, 0]])


def test_several_boxes_are_one_mask():
    mask = mask_of((0, 0, 2, 1), (1, 0, 3, 1), shape=(1, 4))
    np.testing.assert_array_equal(mask, [[1, 1, 1, 0]])


# --- boxes.csv ---------------------------------------------------------------------------------------------
@pytest.fixture
def write(tmp_path):
    """`write(text)` -> the path of a boxes.csv of that text."""

    def write(text):
        path = tmp_path / "boxes.csv"
        path.write_bytes(text.encode())
        return path

    return write


def test_boxes_are_read_whatever_stands_beside_them(write):
    rows = "red/0.png,386,1,2,3,4,", "", "./red/0.png,1,0,0,9.5,4,x", "b.png,1,0,0,1,1,", ""
    path = write("\r\n".join(["\ufefffile,class,x0,y0,x1,y1,note", *rows]))
    assert read_boxes(path) == {"red/0.png": [Box(1, 2, 3, 4, 2), Box(0, 0, 9.5, 4, 4)], "b.png": [Box(0, 0, 1, 1, 5)]}


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "it has no file"),
        ("file,x0,y0,x1\na,1,2,3\n", "it has no y1"),
        ("file,x0,y0,x1,y1\na,0,0,1,1\na,1,2,three,4\n", "line 3 .*got 1, 2, three, 4"),
        ("file,x0,y0,x1,y1\na,1,2\n", "line 2 .*has 3 fields, the first line 5"),
        ("file,x0,y0,x1,y1\na,1,2,,4\n", "line 2 .*got 1, 2, nothing, 4"),
        ("file,x0,y0,x1,y1\na,5,0,5,9\n", "line 2 .*empty box"),
        ("file,x0,y0,x1,y1\na,0,9,5,1\n", "line 2 .*empty box"),
        ("file,x0,y0,x1,y1\na,0,0,nan,1\n", "line 2 .*four numbers; got 0, 0, nan, 1"),
        ("file,x0,y0,x1,y1\n ,0,0,1,1\n", "line 2 .*no file"),
    ],
)
def test_a_bad_line_is_named(write, text, words):
    with pytest.raises(ValueError, match=words):
        read_boxes(write(text))


def test_a_box_may_have_a_name(write):
    path = write('file,name,x0,y0,x1,y1\na,"head, left",1,2,3,4\na,,1,2,3,4\n')
    assert [box.name for box in read_boxes(path)["a"]] == ["head, left", ""]


def test_a_file_of_boxes_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match="there is no file '.*none.csv'"):
        read_boxes(tmp_path / "none.csv")


@pytest.mark.parametrize("box", [(0, 0, 61, 40), (0, 0, 60, 41), (-1, 0, 5, 5), (0, -1, 5, 5), (0, 0, float("inf"), 5)])
def test_a_box_beyond_its_image_is_named_by_its_line(box):
    with pytest.raises(ValueError, match="line 7 .*beyond its image of 60 x 40"):
        check_inside([Box(0, 0, 60, 40, 6), Box(*box, 7)], 40, 60)


def test_a_box_between_two_pixels_is_empty():
    with pytest.raises(ValueError, match="line 3 is empty"):
        check_inside([Box(1.6, 0, 2.4, 9, 3)], 40, 60)


@pytest.fixture
def samples(tmp_path):
    """Three samples, the last of which cannot be read."""
    found = []
    for name in ("red/0.png", "red/1.png", "red/bad.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(picture(RED)).save(path)
        found.append(Sample(name, name, path))
    found[-1].path.write_bytes(b"no")
    return found


def test_boxes_are_matched_by_the_path_in_the_folder_and_the_rest_is_counted(samples):
    boxes = {name: [Box(0, 0, 96, 96)] for name in ("red/1.png", "red/bad.png", "0.png", "green/1.png")}
    matched, note = match_boxes(boxes, samples)
    assert list(matched) == ["red/1.png"]
    assert note == "of 1 image; without any, left out: 2; named, but not among the images: 2"


def test_boxes_of_other_images_alone_are_refused(samples):
    with pytest.raises(ValueError, match="none of the 1 files .* names 'blue.png', an image is called 'red/0.png'"):
        match_boxes({"blue.png": [Box(0, 0, 1, 1)]}, samples)


def test_boxes_of_images_that_cannot_be_read_alone_are_refused(samples):
    with pytest.raises(ValueError, match="none of the 1 images that have boxes can be read"):
        match_boxes({"red/bad.png": [Box(0, 0, 1, 1)]}, samples)


def test_a_box_beyond_a_matched_image_is_refused(samples):
    with pytest.raises(ValueError, match="line 9 .*96 x 96"):
        match_boxes({"red/0.png": [Box(0, 0, 97, 5, 9)]}, samples)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_turned_with_the_photograph(tmp_path, orientation):
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[2:6, 10:25] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.png"
    Image.fromarray(pixels).save(path, exif=exif)
    seen = Sample("turned.png", "turned", path).read()[..., 0] == 255
    np.testing.assert_array_equal(read_mask(path, [Box(10, 2, 25, 6)]), seen)
    assert seen.shape == ((20, 30) if orientation < 5 else (30, 20))
    x0, y0, x1, y1 = turn_upright(path, Box(10, 2, 25, 6))
    assert seen[y0:y1, x0:x1].all() and seen.sum() == (y1 - y0) * (x1 - x0)
