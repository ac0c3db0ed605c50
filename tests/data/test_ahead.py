"""Reading ahead gives what reading gives, in order, and never more than one group too early."""

import threading
from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

import utils
from data import films
from data.ahead import READERS, Picture, read_ahead, read_picture
from data.dataset import Sample


@pytest.fixture
def samples(tmp_path):
    """Images of several sizes, the fourth of which is no image."""
    found, rng = [], np.random.default_rng(0)
    for number, size in enumerate([(40, 30, 3), (32, 32, 3), (10, 12, 3), (0, 0), (64, 50, 3)]):
        path = tmp_path / f"{number}.png"
        if number == 3:
            path.write_bytes(b"no image")
        else:
            Image.fromarray(rng.integers(0, 256, size, dtype=np.uint8)).save(path)
        found.append(Sample(path.name, path.stem, path))
    return found


def in_pairs(samples):
    return ((start, samples[start : start + 2]) for start in range(0, len(samples), 2))


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_every_picture_has_the_bits_of_an_image_read_and_resized_in_the_order_given(samples, dtype):
    groups = list(read_ahead(in_pairs(samples), 32, 32, dtype))
    assert [start for start, _ in groups] == [0, 2, 4]
    assert [[*pictures] for _, pictures in groups] == [["0", "1"], ["2", "3"], ["4"]]
    for start, pictures in groups:
        for sample in samples[start : start + 2]:
            if sample.stem != "3":
                image = sample.read()
                expected = utils.resize_image(image.astype(dtype), 32, 32)
                pixels, size = pictures[sample.stem]
                assert pixels.dtype == dtype and size == image.shape[:2]
                np.testing.assert_array_equal(pixels, expected)


def test_what_cannot_be_read_says_why_and_costs_no_other(samples):
    pictures = {stem: picture for _, group in read_ahead(in_pairs(samples), 32, 32) for stem, picture in group.items()}
    with pytest.raises(ValueError) as error:
        samples[3].read()
    assert pictures.pop("3") == str(error.value)
    assert all(isinstance(picture, Picture) for picture in pictures.values()) and len(pictures) == 4


@dataclass(frozen=True)
class Told(Sample):
    """A sample that tells when it is read."""

    is_read: threading.Event = field(default_factory=threading.Event, compare=False)

    def read(self, side=None):
        self.is_read.set()
        return np.zeros((4, 4, 3), np.uint8)


def test_the_next_group_is_read_while_the_caller_is_at_one_and_no_further_is_asked_for(tmp_path):
    samples, asked = [Told(str(number), str(number), tmp_path) for number in range(4)], []

    def groups():
        for sample in samples:
            asked.append(sample.stem)
            yield sample, [sample]

    reading = read_ahead(groups(), 8, 8)
    assert asked == []
    first, _ = next(reading)
    assert first is samples[0] and asked == ["0", "1"]
    assert samples[1].is_read.wait(60), "it waits for nobody"
    reading.close()
    assert asked == ["0", "1"] and not samples[2].is_read.is_set()


def test_groups_are_asked_for_by_the_callers_thread_and_read_by_others(tmp_path):
    asking, reading = [], []

    class Noted(Sample):
        def read(self, side=None):
            reading.append(threading.current_thread())
            return np.zeros((4, 4, 3), np.uint8)

    def groups():
        asking.append(threading.current_thread())
        yield 0, [Noted("a", "a", tmp_path)]

    assert len(list(read_ahead(groups(), 8, 8))) == 1
    assert asking == [threading.current_thread()] and reading[0] is not threading.current_thread()


def test_groups_of_nothing_are_passed_on_and_no_group_is_none():
    assert list(read_ahead([("a", []), ("b", [])], 8, 8)) == [("a", {}), ("b", {})]
    assert list(read_ahead([], 8, 8)) == []


def test_an_error_that_is_none_of_the_image_reaches_the_caller(tmp_path):
    class Broken(Sample):
        def read(self, side=None):
            raise MemoryError("too much")

    with pytest.raises(MemoryError, match="too much"):
        list(read_ahead([(0, [Broken("a", "a", tmp_path)])], 8, 8))


def test_the_checksum_is_that_of_the_file_as_it_was_read(samples):
    expected = Sample("0.png", "0", samples[0].path).checksum
    read_picture(samples[0], 8, 8)
    samples[0].path.unlink()
    assert samples[0].checksum == expected != ""


def test_frames_of_a_film_come_right_whatever_thread_asks_for_them(tmp_path):
    import cv2

    path = str(tmp_path / "film.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 10, (32, 32))
    for level in range(0, 240, 12):
        writer.write(np.full((32, 32, 3), level, np.uint8))
    writer.release()
    frames = films.list_frames(path)
    groups = ((start, frames[start : start + READERS]) for start in range(0, len(frames), READERS))
    means = [picture.pixels.mean() for _, pictures in read_ahead(groups, 32, 32) for picture in pictures.values()]
    np.testing.assert_allclose(means, range(0, 240, 12), atol=3)
