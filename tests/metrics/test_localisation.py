"""Maps against boxes: tiny maps counted by hand, boxes at the border, ties, and every line that can be wrong."""

import numpy as np
import pytest
from PIL import Image
from planted import RED, picture

from data.dataset import Sample
from evaluate import Undefined
from metrics import localisation
from metrics.localisation import Box


def point(row, column, shape=(40, 60)):
    """A map with one maximum."""
    saliency_map = np.zeros(shape)
    saliency_map[row, column] = 1
    return saliency_map


def mask_of(*boxes, shape=(40, 60)):
    return localisation.box_mask([Box(*box) for box in boxes], *shape)


# --- masks -------------------------------------------------------------------------------------------------
def test_a_box_covers_columns_x_and_rows_y():
    mask = mask_of((1, 0, 4, 2), shape=(3, 5))
    np.testing.assert_array_equal(mask, [[0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]])


def test_a_box_may_be_the_whole_image_and_begin_between_pixels():
    assert mask_of((0, 0, 60, 40)).all()
    np.testing.assert_array_equal(mask_of((0.4, 0, 1.6, 1), shape=(1, 3)), [[1, 1, 0]])


def test_several_boxes_are_one_mask():
    mask = mask_of((0, 0, 2, 1), (1, 0, 3, 1), shape=(1, 4))
    np.testing.assert_array_equal(mask, [[1, 1, 1, 0]])


# --- pointing game -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("row, column, hit", [(5, 30, 1), (5, 10, 1), (0, 0, 0), (39, 59, 0), (9, 49, 1)])
def test_a_maximum_in_the_box_hits_without_tolerance(row, column, hit):
    assert localisation.pointing_game(point(row, column), mask_of((10, 5, 50, 10)), tolerance=0) == hit


@pytest.mark.parametrize("column, hit", [(10, 1), (24, 1), (25, 0)])
def test_fifteen_pixels_beside_the_box_still_hit_and_sixteen_do_not(column, hit):
    assert localisation.pointing_game(point(20, column), mask_of((0, 0, 10, 40))) == hit


def test_the_tolerance_is_a_circle_about_the_corner():
    mask = mask_of((0, 0, 1, 1))
    assert localisation.pointing_game(point(9, 12), mask) == 1  # 9, 12, 15
    assert localisation.pointing_game(point(12, 12), mask) == 0  # 17 away, though 12 along either axis


def test_a_hit_in_any_box_counts():
    mask = mask_of((0, 0, 5, 5), (55, 35, 60, 40))
    assert localisation.pointing_game(point(38, 57), mask) == localisation.pointing_game(point(1, 1), mask) == 1
    assert localisation.pointing_game(point(20, 30), mask) == 0


def test_a_shared_maximum_scores_the_share_that_hits():
    saliency_map = np.zeros((1, 8))
    saliency_map[0, 2:6] = 3
    saliency_map[0, 4] = np.nextafter(np.float32(3), np.float32(4))  # as resizing splits an even superpixel
    mask = mask_of((0, 0, 3, 1), shape=(1, 8))
    assert localisation.pointing_game(saliency_map, mask, tolerance=0) == 1 / 4
    assert localisation.pointing_game(saliency_map, mask, tolerance=1) == 2 / 4


def test_the_maximum_of_a_signed_map_is_no_minimum():
    saliency_map = point(1, 1) - 5 * point(30, 50)
    assert localisation.pointing_game(saliency_map, mask_of((0, 0, 3, 3)), tolerance=0) == 1


def test_pointing_is_that_of_a_naive_search():
    rng = np.random.default_rng(0)
    for _ in range(20):
        saliency_map, mask = rng.random((20, 30)), rng.random((20, 30)) < 0.003
        if mask.any():
            row, column = np.unravel_index(saliency_map.argmax(), saliency_map.shape)
            nearest = min(np.hypot(row - y, column - x) for y, x in np.argwhere(mask))
            assert localisation.pointing_game(saliency_map, mask, tolerance=6) == (nearest <= 6)


# --- energy ------------------------------------------------------------------------------------------------
def test_energy_in_the_box_counted_by_hand():
    saliency_map = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 0.0]])
    mask = mask_of((1, 0, 3, 1), shape=(2, 3))
    assert localisation.energy_pointing_game(saliency_map, mask) == 3 / 10


def test_the_energy_of_a_signed_map_is_what_speaks_for_the_class():
    saliency_map = np.array([[-8.0, 1.0, 3.0]])
    assert localisation.energy_pointing_game(saliency_map, mask_of((0, 0, 2, 1), shape=(1, 3))) == 1 / 4


def test_where_a_map_starts_changes_no_energy():
    saliency_map, mask = np.random.default_rng(1).random((40, 60)), mask_of((3, 4, 20, 30))
    saliency_map[0, 0] = 0
    expected = localisation.energy_pointing_game(saliency_map, mask)
    assert localisation.energy_pointing_game(saliency_map + 0.4, mask) == pytest.approx(expected)
    assert localisation.energy_pointing_game(9 * saliency_map, mask) == pytest.approx(expected)


def test_a_map_all_against_the_class_has_no_energy():
    with pytest.raises(Undefined, match="no value of the map is positive"):
        localisation.energy_pointing_game(np.array([[-1.0, -2.0]]), mask_of((0, 0, 1, 1), shape=(1, 2)))


# --- IoU with the boxes, and all together --------------------------------------------------------------------
def test_the_iou_with_the_box_counted_by_hand():
    saliency_map = np.array([[9.0, 8.0, 0.0, 0.0], [7.0, 6.0, 0.0, 0.0]])  # keeps its left half
    assert localisation.box_iou(saliency_map, mask_of((1, 0, 3, 2), shape=(2, 4)), 0.5) == 2 / 6
    assert localisation.box_iou(saliency_map, mask_of((0, 0, 2, 2), shape=(2, 4)), 0.5) == 1


def test_the_box_itself_is_the_best_map_and_exchanged_axes_are_the_worst():
    mask = mask_of((2, 10, 8, 14), shape=(16, 16))
    share = mask.mean()
    assert localisation.score_map(mask.astype(float), mask, share) == {
        "iou": 1,
        "pointing_game": 1,
        "energy_pointing_game": 1,
    }
    turned = localisation.score_map(mask.T.astype(float), mask, share)
    assert turned["iou"] == turned["energy_pointing_game"] == 0
    assert localisation.pointing_game(mask.T.astype(float), mask, tolerance=2) == 0


def test_a_constant_map_has_no_scores():
    scores = localisation.score_map(np.full((40, 60), 0.5), mask_of((0, 0, 5, 5)), 0.2)
    assert set(scores) == set(localisation.METRICS) and np.isnan(list(scores.values())).all()


def test_a_map_of_another_size_or_with_nan_is_refused():
    with pytest.raises(ValueError, match=r"size \(40, 60\) was wanted; got \(60, 40\)"):
        localisation.score_map(point(1, 1).T, mask_of((0, 0, 5, 5)), 0.2)
    with pytest.raises(ValueError, match="finite"):
        localisation.score_map(point(1, 1) + np.inf, mask_of((0, 0, 5, 5)), 0.2)


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
    rows = "red/0.png,386,1,2,3,4,", "", "./red/0.png,1,0,0,9.5,4,x", "b.png,1,0,0,1,1", ""
    path = write("\r\n".join(["\ufefffile,class,x0,y0,x1,y1,note", *rows]))
    assert localisation.read_boxes(path) == {
        "red/0.png": [Box(1, 2, 3, 4, 2), Box(0, 0, 9.5, 4, 4)],
        "b.png": [Box(0, 0, 1, 1, 5)],
    }


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "it has no file"),
        ("file,x0,y0,x1\na,1,2,3\n", "it has no y1"),
        ("file,x0,y0,x1,y1\na,0,0,1,1\na,1,2,three,4\n", "line 3 .*got 1, 2, three, 4"),
        ("file,x0,y0,x1,y1\na,1,2\n", "line 2 .*got 1, 2, nothing, nothing"),
        ("file,x0,y0,x1,y1\na,1,2,,4\n", "line 2 .*got 1, 2, nothing, 4"),
        ("file,x0,y0,x1,y1\na,5,0,5,9\n", "line 2 .*empty box"),
        ("file,x0,y0,x1,y1\na,0,9,5,1\n", "line 2 .*empty box"),
        ("file,x0,y0,x1,y1\na,0,0,nan,1\n", "line 2 .*empty box"),
        ("file,x0,y0,x1,y1\n ,0,0,1,1\n", "line 2 .*no file"),
    ],
)
def test_a_bad_line_is_named(write, text, words):
    with pytest.raises(ValueError, match=words):
        localisation.read_boxes(write(text))


def test_a_box_may_have_a_name(write):
    path = write('file,name,x0,y0,x1,y1\na,"head, left",1,2,3,4\na,,1,2,3,4\n')
    assert [box.name for box in localisation.read_boxes(path)["a"]] == ["head, left", ""]


def test_a_file_of_boxes_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match="there is no file '.*none.csv'"):
        localisation.read_boxes(tmp_path / "none.csv")


@pytest.mark.parametrize("box", [(0, 0, 61, 40), (0, 0, 60, 41), (-1, 0, 5, 5), (0, -1, 5, 5), (0, 0, float("inf"), 5)])
def test_a_box_beyond_its_image_is_named_by_its_line(box):
    with pytest.raises(ValueError, match="line 7 .*beyond its image of 60 x 40"):
        localisation.check_inside([Box(0, 0, 60, 40, 6), Box(*box, 7)], 40, 60)


def test_a_box_between_two_pixels_is_empty():
    with pytest.raises(ValueError, match="line 3 is empty"):
        localisation.check_inside([Box(1.6, 0, 2.4, 9, 3)], 40, 60)


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
    matched, note = localisation.match_boxes(boxes, samples)
    assert list(matched) == ["red/1.png"]
    assert note.startswith("of 1 images; 2 have none") and "2 files with boxes are not among the images" in note


def test_boxes_of_other_images_alone_are_refused(samples):
    with pytest.raises(ValueError, match="none of the 1 files .* names 'blue.png', an image is called 'red/0.png'"):
        localisation.match_boxes({"blue.png": [Box(0, 0, 1, 1)]}, samples)


def test_boxes_of_images_that_cannot_be_read_alone_are_refused(samples):
    with pytest.raises(ValueError, match="none of the 1 images that have boxes can be read"):
        localisation.match_boxes({"red/bad.png": [Box(0, 0, 1, 1)]}, samples)


def test_a_box_beyond_a_matched_image_is_refused(samples):
    with pytest.raises(ValueError, match="line 9 .*96 x 96"):
        localisation.match_boxes({"red/0.png": [Box(0, 0, 97, 5, 9)]}, samples)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_turned_with_the_photograph(tmp_path, orientation):
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[2:6, 10:25] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.png"
    Image.fromarray(pixels).save(path, exif=exif)
    seen = Sample("turned.png", "turned", path).read()[..., 0] == 255
    np.testing.assert_array_equal(localisation.read_mask(path, [Box(10, 2, 25, 6)]), seen)
    assert seen.shape == ((20, 30) if orientation < 5 else (30, 20))
    x0, y0, x1, y1 = localisation.turn_upright(path, Box(10, 2, 25, 6))
    assert seen[y0:y1, x0:x1].all() and seen.sum() == (y1 - y0) * (x1 - x0)
