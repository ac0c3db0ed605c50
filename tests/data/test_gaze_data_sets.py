"""Public data sets of fixations in small, in the form they are published in, and files that are none of them."""

import json

import numpy as np
import pytest
from scipy.io import savemat

from data.dataset import load_dataset
from data.fixation_files import read_fixations
from data.gaze_data_sets import find_fixations


def cell(items):
    """A Matlab cell array, a column."""
    array = np.empty((len(items), 1), dtype=object)
    array[:, 0] = items
    return array


def glide(*stops, jump=8):
    """Gaze samples (n, 2): at each stop (x, y, samples), with a saccade of `jump` samples to the next."""
    samples = [np.tile(stops[0][:2], (stops[0][2], 1)).astype(float)]
    for (x0, y0, _), (x1, y1, n) in zip(stops, stops[1:]):
        shares = (1 - np.cos(np.linspace(0, np.pi, jump + 2)[1:-1])) / 2
        samples += [np.array([x0, y0]) + shares[:, None] * (x1 - x0, y1 - y0), np.tile((x1, y1), (n, 1)).astype(float)]
    return np.concatenate(samples)


# --- OSIE ------------------------------------------------------------------------------------------------------
def test_osie_tells_observers_and_durations(tmp_path):
    def seen(x, y, ms):
        return {"fix_x": np.array(x, float), "fix_y": np.array(y, float), "fix_duration": np.array(ms, float)}

    images = [
        {"img": "1001.jpg", "subjects": cell([seen([400, 20], [300, 10], [250, 120]), seen([], [], [])])},
        {"img": "1002.jpg", "subjects": cell([seen([5], [6], [90]), seen([7], [8], [80])])},
    ]
    savemat(tmp_path / "fixations.mat", {"fixations": cell(images)})
    found = read_fixations(tmp_path / "fixations.mat")
    assert list(found) == ["1001.jpg", "1002.jpg"]
    first = found["1001.jpg"]
    assert (first.points.tolist(), first.durations.tolist()) == ([[400, 300], [20, 10]], [250, 120])
    assert (first.n_observers, first.n_blank, first.observers_known) == (2, 1, True)
    assert found["1002.jpg"].points.tolist() == [[5, 6], [7, 8]] and found["1002.jpg"].observers.tolist() == [0, 1]


# --- CAT2000 ---------------------------------------------------------------------------------------------------
def test_cat2000_tells_the_pixels_that_anyone_fixated_by_category(tmp_path):
    locations = np.zeros((6, 9), np.uint8)
    locations[2, 7] = locations[5, 0] = 1
    (tmp_path / "Action").mkdir()
    savemat(tmp_path / "Action" / "001.mat", {"fixLocs": locations})
    [(image, found)] = read_fixations(tmp_path).items()
    assert (image, found.points.tolist()) == ("Action/001", [[7, 2], [0, 5]])
    assert (found.observers_known, found.n_observers, found.durations) == (False, 1, None)


# --- SALICON ---------------------------------------------------------------------------------------------------
def test_salicon_counts_rows_and_columns_from_one(tmp_path):
    content = {
        "images": [{"id": 9, "file_name": "COCO_val2014_000000000009.jpg", "height": 480, "width": 640}],
        "annotations": [
            {"id": 1, "image_id": 9, "fixations": [[1, 1], [480, 640]]},  # row, column
            {"id": 2, "image_id": 9, "fixations": [[10, 20]]},
            {"id": 3, "image_id": 9, "fixations": []},
        ],
    }
    (tmp_path / "fixations_val2014.json").write_text(json.dumps(content))
    [(image, found)] = read_fixations(tmp_path / "fixations_val2014.json").items()
    assert image == "COCO_val2014_000000000009.jpg"
    assert found.points.tolist() == [[0, 0], [639, 479], [19, 9]]
    assert (found.observers.tolist(), found.n_observers) == ([0, 0, 1], 3)


def test_salicon_of_2017_is_a_mat_file_per_image(tmp_path):
    gaze = np.empty(2, dtype=[("location", object), ("timestamp", object), ("fixations", object)])
    gaze[0] = (np.ones((5, 2)), np.arange(5.0), np.array([[1.0, 1.0], [640.0, 480.0]]))  # x, y
    gaze[1] = (np.ones((5, 2)), np.arange(5.0), np.array([[20.0, 10.0]]))
    savemat(tmp_path / "COCO_train.mat", {"image": "COCO_train", "resolution": [480, 640], "gaze": gaze})
    found = read_fixations(tmp_path)["COCO_train"]
    assert found.points.tolist() == [[0, 0], [639, 479], [19, 9]] and found.observers.tolist() == [0, 0, 1]


# --- MIT1003 ---------------------------------------------------------------------------------------------------
def test_fixations_are_what_lies_between_two_saccades():
    samples = glide((100, 100, 60), (400, 300, 80), (700, 200, 90))
    found = find_fixations(samples)
    assert len(found) == 3
    for (begin, end), (x, y, n) in zip(found, [(100, 100, 60), (400, 300, 80), (700, 200, 90)]):
        np.testing.assert_allclose(np.median(samples[begin:end], axis=0), (x, y), atol=1)
        assert abs(end - begin - n) <= 8  # a moving mean of 4 samples shifts the borders by a few
    assert found[0][0] == 0 and found[-1][1] == len(samples)


def test_a_still_eye_and_a_noisy_one_have_one_fixation():
    noise = np.random.default_rng(0).normal(0, 0.5, (300, 2))
    assert find_fixations(np.full((300, 2), 50.0)) == find_fixations(50 + noise) == [(0, 300)]


def test_a_stop_of_less_than_50_ms_is_no_fixation():
    assert len(find_fixations(glide((100, 100, 60), (300, 100, 6), (600, 100, 60)))) == 2


@pytest.mark.parametrize("n", [1, 2, 5, 6, 7])
def test_a_few_samples_are_one_fixation(n):
    assert find_fixations(np.full((n, 2), 3.0)) == [(0, n)]


def test_mit1003_leaves_out_the_first_fixation_and_counts_lost_eyes(tmp_path):
    samples = {
        "ajs": glide((512, 384, 60), (400, 300, 80), (700, 200, 90)),
        "zb": glide((512, 384, 60), (-100, -100, 80), (50, 60, 90)),
    }
    for observer, of_observer in samples.items():
        (tmp_path / observer).mkdir()
        content = {"imgName": "i05june05.jpeg", "DATA": {"eyeData": of_observer}}
        savemat(tmp_path / observer / "i05june05.mat", {"i05june05": content})
    [(image, found)] = read_fixations(tmp_path).items()
    assert image == "i05june05"
    np.testing.assert_allclose(found.points, [[400, 300], [700, 200], [50, 60]], atol=1)
    assert (found.observers.tolist(), found.n_observers, found.n_blinks) == ([0, 0, 1], 2, 1)
    assert found.durations[0] == pytest.approx(1000 * 80 / 240, abs=35)


# --- what is none of them ---------------------------------------------------------------------------------------
def test_other_mat_and_json_files_are_refused_by_name(tmp_path):
    savemat(tmp_path / "other.mat", {"x": 1})
    (tmp_path / "torn.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(40))
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "empty.json").write_bytes(b"")
    seen = [{"image_id": 1, "fixations": [[3, 4]]}]
    (tmp_path / "nameless.json").write_text(json.dumps({"images": [{"id": 1, "file_name": 0}], "annotations": seen}))
    savemat(tmp_path / "nameless.mat", {"fixations": {"img": 3.0, "subjects": {}}})
    for name, words in {
        "other.mat": "no .mat file of MIT1003, .*it holds x",
        "torn.mat": "cannot read .* as a .mat file",
        "list.json": "no json file of SALICON",
        "deep.json": "no json file of SALICON",
        "empty.json": "no json file of SALICON",
        "nameless.json": "no json file of SALICON",
        "nameless.mat": "no .mat file of MIT1003",
    }.items():
        with pytest.raises(ValueError, match=f"fixations: .*{words}") as caught:
            read_fixations(tmp_path / name)
        assert name in str(caught.value)


def test_they_find_their_images_by_name(tmp_path):
    from PIL import Image

    (tmp_path / "images" / "Action").mkdir(parents=True)
    Image.new("RGB", (9, 6)).save(tmp_path / "images" / "Action" / "001.jpg")
    (tmp_path / "locs" / "Action").mkdir(parents=True)
    savemat(tmp_path / "locs" / "Action" / "001.mat", {"fixLocs": np.eye(6, 9)})
    [sample] = load_dataset(tmp_path / "images", fixations=tmp_path / "locs")
    assert len(sample.fixations) == 6
