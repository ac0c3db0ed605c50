"""The grid of a layer's channels: which tile is which, and one scale for each over the whole film."""

import cv2
import numpy as np
import pytest
from PIL import Image
from planted import GREEN, RED, picture

import representations
from data.films import list_frames
from units import live_view


@pytest.fixture
def samples(tmp_path):
    first, *others = [Image.fromarray(frame).quantize(200) for frame in (picture(RED), picture(GREEN), picture(RED))]
    first.save(tmp_path / "film.gif", save_all=True, append_images=others, duration=100, loop=0)
    return list_frames(str(tmp_path / "film.gif"))


def test_scales_are_the_extremes_of_a_channel_over_all_frames(planted_classifier, samples):
    ends, means = live_view.measure(planted_classifier, samples)
    features = planted_classifier.features(np.stack([sample.read() for sample in samples]).astype(np.float32))
    np.testing.assert_allclose(ends[:, 0], features.min(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(ends[:, 1], features.max(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(means, features.mean(axis=(0, 1, 2)), rtol=1e-4)


def test_a_tile_has_the_colours_of_its_channel_on_that_scale():
    features = np.zeros((2, 2, 5), np.float32)
    features[0, 0, 3] = 1
    ends = np.tile([0.0, 2.0], (5, 1))
    grid = live_view.draw_grid(features, [0, 3], ends)
    side = (live_view.HEIGHT - live_view.GAP) // 2
    scale = representations.ColourScale(live_view.COLORMAP, 0, 2)
    tile = grid[:side, side + live_view.GAP : 2 * side + live_view.GAP]
    np.testing.assert_array_equal(tile[side // 4, side // 4], scale.colour(1.0))
    np.testing.assert_array_equal(tile[-5, -5], scale.colour(0.0))
    np.testing.assert_array_equal(grid[side // 2, side // 2], scale.colour(0.0))
    assert (grid[-1] == 255).all(), "a row without channels stays white"


def test_a_channel_the_layer_has_not_is_refused(planted_classifier, samples, tmp_path):
    with pytest.raises(ValueError, match="the layer has"):
        live_view.write_live_view(tmp_path, planted_classifier, samples, [999])


def test_chosen_channels_alone_are_shown(planted_classifier, samples, tmp_path):
    paths = live_view.write_live_view(tmp_path, planted_classifier, samples, [GREEN])
    assert [path.suffix for path in paths] == [".mp4", ".gif"]
    reader = cv2.VideoCapture(str(paths[0]))
    green = [reader.read()[1][330:450, -450:-340].mean() for _ in samples]
    assert abs(green[0] - green[2]) < 3 < abs(green[1] - green[0]), "the same frame has the same colours"
