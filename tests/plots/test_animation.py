"""Frames and the files that they become, read back by Pillow and OpenCV."""

import cv2
import numpy as np
import pytest
from full_disk import full_disk
from PIL import Image

from output.files import write_whole
from plots import animation
from representations import ColourScale


def frames_of(path):
    film, frames = cv2.VideoCapture(str(path)), []
    while (read := film.read())[0]:
        frames.append(read[1][..., ::-1])
    return frames, film.get(cv2.CAP_PROP_FPS)


def grey(level, size=(64, 96)):
    return np.full((*size, 3), level, np.uint8)


def test_a_frame_has_its_pictures_side_by_side_at_one_height_and_the_bar_with_the_high_end_above():
    scale = ColourScale("gray", 0, 2)
    frame = animation.compose([grey(10, (50, 100)), grey(200, (20, 10))], ["seen 日本"], scale, height=100)
    margin = animation.MARGIN
    assert frame.shape[0] % 2 == 0 and frame.shape[1] % 2 == 0
    assert (frame[margin : margin + 100, margin : margin + 200] == 10).all()
    second = 2 * margin + 200
    assert (frame[margin : margin + 100, second : second + 50] == 200).all()
    bar = frame[margin : margin + 100, second + 50 + margin]
    assert bar[0, 0] > 250 and bar[-1, 0] < 5
    assert (frame[margin + 100 + margin :, :second] < 100).any(), "the line stands below"


def test_a_gif_shows_every_frame_as_long_as_asked_and_the_last_one_longer(tmp_path):
    path = write_whole(tmp_path / "a.gif", animation.gif_saver([grey(0), grey(80), grey(160)], 10, hold=2))
    film = Image.open(path)
    assert film.n_frames == 3 and film.info["loop"] == 0
    durations = []
    for number, level in enumerate((0, 80, 160)):
        film.seek(number)
        durations.append(film.info["duration"])
        np.testing.assert_allclose(np.asarray(film.convert("RGB")), level, atol=1)
    assert durations == [100, 100, 2100]


def test_a_film_is_an_mp4_and_a_gif_of_the_same_length(tmp_path):
    n = 50
    levels = [round(5 * number) for number in range(n)]
    paths = animation.write_film(tmp_path / "film", (grey(level) for level in levels), n, 25)
    assert [path.name for path in paths] == ["film.mp4", "film.gif"]
    frames, rate = frames_of(paths[0])
    assert len(frames) == n and rate == pytest.approx(25)
    assert np.abs([frame.mean() for frame in frames] - np.array(levels)).max() < 6
    film = Image.open(paths[1])
    assert film.n_frames == n / 2 and film.info["duration"] == 80
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.gif", "film.mp4"]


def test_a_long_film_keeps_its_length_in_fewer_frames_of_the_gif(tmp_path, monkeypatch):
    monkeypatch.setattr(animation, "GIF_FRAMES", 10)
    _, path = animation.write_film(tmp_path / "film", (grey(number) for number in range(100)), 100, 10)
    film = Image.open(path)
    assert film.n_frames == 10 and film.info["duration"] == 1000


def test_a_film_that_a_full_disk_has_cut_short_is_an_error_and_is_removed(tmp_path):
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (96, 128, 3)).astype(np.uint8) for _ in range(12)]
    with full_disk(20_000), pytest.raises(OSError, match="of 12 frames were written.*the disk may be full"):
        animation.write_film(tmp_path / "film", iter(frames), 12, 10)
    assert list(tmp_path.iterdir()) == []
