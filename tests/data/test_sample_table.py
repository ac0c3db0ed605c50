"""Samples that are made when they are asked for are those of the list, in a fraction of its memory."""

import pickle
import tracemalloc

import numpy as np
import pytest
from PIL import Image
from planted import BLUE, COLOURS, GREEN, RED, picture, square

import constants
from data import dataset
from data.sample_table import SampleTable, open_samples
from data.sources import Entries


@pytest.fixture
def folders(tmp_path):
    """Nine images in class folders, and a density map of each but one."""
    for number in range(9):
        colour = (RED, GREEN, BLUE)[number % 3]
        gaze = np.where(square(colour), 255, 0).astype(np.uint8)
        for kind, pixels in (("images", picture(colour, seed=number)), ("gaze", gaze)):
            path = tmp_path / kind / COLOURS[colour] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    (tmp_path / "gaze" / "red" / "0.png").unlink()
    (tmp_path / "gaze.csv").write_text("image,observer,x,y\nred/3.png,a,4,5\nred/3.png,b,6,7\n")
    return tmp_path / "images", tmp_path / "gaze", tmp_path / "gaze.csv"


def test_a_large_folder_gives_the_samples_of_a_small_one_under_longer_stems(folders, monkeypatch):
    images, gaze, fixations = folders
    small = dataset.label_samples(open_samples(images, gaze, fixations=fixations), COLOURS)
    monkeypatch.setattr(constants, "LARGE_RUN", 4)
    large = open_samples(images, gaze, fixations=fixations).labelled(COLOURS)
    assert isinstance(large, SampleTable) and len(large) == 9
    for one, other in zip(small, large):
        same = ("name", "path", "label", "class_index", "density_map_path", "reading", "checksum")
        assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]
        assert (one.fixations is None) == (other.fixations is None)
    assert large[0].stem.startswith("blue_2_png_") and len({sample.stem for sample in large}) == 9
    assert large[2:4] == [large[2], large[3]] and large[-1].name == small[-1].name


@pytest.mark.parametrize("limit", [None, 1, 4, 9, 20])
def test_a_limit_takes_the_same_in_turn(folders, monkeypatch, limit):
    small = dataset.take_in_turn(open_samples(folders[0]), limit)
    monkeypatch.setattr(constants, "LARGE_RUN", 4)
    assert [sample.name for sample in open_samples(folders[0]).take_in_turn(limit)] == [s.name for s in small]


def test_a_million_images_take_a_hundred_bytes_each_and_go_to_another_process():
    names = [f"n{number % 1000:08d}/{number:07d}.jpg" for number in range(200_000)]
    tracemalloc.start()
    try:
        table = SampleTable(Entries(names, "/data"))
        ours = (tracemalloc.Filter(True, "*/data/*.py"), tracemalloc.Filter(True, "*/numpy/*.py"))  # no other thread's
        held = tracemalloc.take_snapshot().filter_traces(ours).statistics("filename")
        assert 50 * len(names) < sum(of_file.size for of_file in held) < 100 * len(names)
    finally:
        tracemalloc.stop()
    again = pickle.loads(pickle.dumps(table[150_000]))
    assert (again.name, again.label, str(again.path)) == (names[150_000], "n00000000", f"/data/{names[150_000]}")
