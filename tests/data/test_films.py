"""Frames of films as images: found, read in any order, told apart; a camera by a stand-in."""

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from data import films
from data.sample_table import open_samples


def grey(number, size=(48, 64)):
    return np.full((*size, 3), 20 * number, np.uint8)


@pytest.fixture
def film(tmp_path):
    """An .mp4 of twelve frames, each a shade lighter, ten a second; one corner is red."""
    path = str(tmp_path / "film.mp4")
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"mp4v"), 10, (64, 48))
    for number in range(12):
        frame = grey(number)
        frame[:24, :32] = (0, 0, 255)  # as OpenCV has it: blue, green, red
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture
def gif(tmp_path):
    path = tmp_path / "film.gif"
    first, *others = [Image.fromarray(grey(number)) for number in range(12)]
    first.save(path, save_all=True, append_images=others, duration=100, loop=0)
    return str(path)


@pytest.mark.parametrize("kind", ["film", "gif"])
def test_every_frame_is_an_image_in_whatever_order_it_is_read(kind, request):
    samples = open_samples(request.getfixturevalue(kind))
    assert [sample.name for sample in samples] == [f"frame_{number:06d}" for number in range(12)]
    for number in (0, 1, 5, 11, 3, 2, 3):
        image = samples[number].read()
        assert image.shape == (48, 64, 3) and image[40, 60].mean() == pytest.approx(20 * number, abs=4)
    assert films.rate_of(samples) == pytest.approx(10)
    assert films.time_of(samples[5]) == pytest.approx(0.5)


def test_colours_are_red_green_and_blue(film):
    np.testing.assert_allclose(open_samples(film)[3].read()[10, 10], (255, 0, 0), atol=12)


def test_frames_are_told_apart_by_what_they_show(film):
    first, again = open_samples(film), open_samples(film)
    assert len({sample.checksum for sample in first}) == 12
    assert [sample.checksum for sample in first] == [sample.checksum for sample in again]


def test_some_frames_keep_their_numbers_and_the_time(film):
    samples = open_samples(film, limit=3, frame_step=4)
    assert [sample.name for sample in samples] == ["frame_000000", "frame_000004", "frame_000008"]
    assert samples[2].read()[40, 60].mean() == pytest.approx(160, abs=4)
    assert films.rate_of(samples) == pytest.approx(2.5)
    assert "3 frames of" in films.describe_film(samples) and "up to number 8" in films.describe_film(samples)


def test_another_process_reads_the_frames_too(film):
    sample = open_samples(film)[7]
    before = sample.read()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(sample)).read(), before)


def test_a_gif_of_one_picture_and_a_folder_stay_what_they_were(tmp_path):
    Image.fromarray(grey(5)).save(tmp_path / "still.gif")
    assert [sample.name for sample in open_samples(tmp_path / "still.gif")] == ["still.gif"]
    assert films.film_of(open_samples(tmp_path)) is None
    with pytest.raises(ValueError, match="is no film"):
        open_samples(tmp_path, frame_step=2)


@pytest.mark.parametrize("more", [b"", b",", b",\0\0", b"!\xf9"])
def test_a_gif_that_breaks_off_at_its_second_picture_is_an_image(gif, more):
    content = Path(gif).read_bytes()
    second = content.index(b"!\xf9", content.index(b"!\xf9") + 1)
    Path(gif).write_bytes(content[:second] + more)
    [sample] = open_samples(gif)
    assert sample.name == "film.gif" and sample.read().max() == 0


def test_what_is_no_film_is_refused(tmp_path, film):
    (tmp_path / "broken.mp4").write_bytes(b"no film")
    with pytest.raises(ValueError, match="does not begin as a film of .mp4"):
        open_samples(tmp_path / "broken.mp4")
    with pytest.raises(ValueError, match="there is no file"):
        open_samples(tmp_path / "none.mp4")
    with pytest.raises(ValueError, match="is a film: density maps and fixations are of single images"):
        open_samples(film, tmp_path)


# --- a camera ----------------------------------------------------------------------------------------------
class Camera:
    """What cv2.VideoCapture(0) is where there is a camera."""

    def __init__(self, where):
        self.where, self.number = where, -1

    def isOpened(self):
        return self.where == 0

    def read(self):
        self.number += 1
        return True, grey(self.number)

    def release(self):
        pass


def test_a_camera_gives_as_many_frames_as_asked_which_are_kept(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    samples = open_samples("0", limit=3, frame_step=2)
    assert [sample.name for sample in samples] == ["frame_000000", "frame_000002", "frame_000004"]
    assert [sample.read()[0, 0, 0] for sample in (samples[2], samples[0])] == [80, 0]
    with pytest.raises(ValueError, match="limit: camera 0 never ends"):
        open_samples("0")
    with pytest.raises(ValueError, match="there is no such camera"):
        open_samples("7", limit=1)


def test_a_folder_that_is_called_as_a_number_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "0").mkdir()
    Image.fromarray(grey(1)).save(tmp_path / "0" / "a.png")
    assert [sample.name for sample in open_samples("0")] == ["a.png"]


@pytest.mark.parametrize(
    "text", ["#EXTM3U\n#EXTINF:1.0,\n{film}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile '{film}'\n"]
)
@pytest.mark.parametrize("ending", [".mp4", ".avi", ".mkv"])
def test_a_list_of_other_films_is_no_film_and_they_are_not_read(tmp_path, film, text, ending):
    path = tmp_path / f"list{ending}"
    path.write_text(text.format(film=film))
    with pytest.raises(ValueError, match="list.* does not begin as a film of"):
        open_samples(path)
