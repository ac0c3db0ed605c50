"""The images that excite a channel most, against sorting all of them, and the region in them."""

import numpy as np
import pytest
from PIL import Image
from planted import BLUE, CELL, GREEN, RED, picture, square

from data import dataset
from network.geometry import Places
from network.tokens import find_layout, stretched
from units import top_images
from units.top_images import TopImages, find_region, find_top_images


@pytest.fixture
def samples(tmp_path):
    """Twelve pictures; the red square grows paler from image to image."""
    for number in range(12):
        image = picture(RED, GREEN if number % 2 else BLUE, seed=number)
        image[square(RED)] = [220 - 10 * number, 30, 30]
        Image.fromarray(image).save(tmp_path / f"{number:02d}.png")
    return dataset.load_dataset(tmp_path)


def test_the_largest_peaks_are_those_of_sorting_everything(planted_classifier, samples):
    top = find_top_images(planted_classifier, samples, TopImages.empty(3, 4))
    pixels = np.stack([sample.read() for sample in samples]).astype(np.float32)
    peaks = planted_classifier.features(pixels).max(axis=(1, 2))
    for channel in range(3):
        order = np.argsort(-peaks[:, channel], kind="stable")[:4]
        np.testing.assert_array_equal(top.images[channel], order)
        np.testing.assert_allclose(top.peaks[channel], peaks[order, channel], rtol=1e-5)
    assert top.images[RED].tolist() == [0, 1, 2, 3] and top.n_seen == 12


def test_of_equal_peaks_the_earlier_image_comes_first():
    top = TopImages.empty(1, 3)
    top.add([0, 1], np.array([[1.0], [2.0]]))
    top.add([2, 3], np.array([[2.0], [1.0]]))
    assert top.images.tolist() == [[1, 2, 0]]


def test_fewer_images_than_wanted_leave_places_free(planted_classifier, samples):
    top = find_top_images(planted_classifier, samples[:2], TopImages.empty(3, 4))
    assert (top.images[:, 2:] == -1).all() and np.isfinite(top.selectivity()).all()


def test_a_channel_that_few_images_excite_is_selective():
    top = TopImages.empty(3, 1)
    top.add(range(4), np.array([[4.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]))
    np.testing.assert_allclose(top.selectivity(), [4, 1, 0])


def test_a_pass_that_was_stopped_goes_on(planted_classifier, samples, tmp_path):
    whole = find_top_images(planted_classifier, samples, TopImages.empty(3, 4))

    def stop(top):
        top.save(tmp_path / "state.npz")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_top_images(planted_classifier, samples, TopImages.empty(3, 4), stop)
    kept = TopImages.load(tmp_path / "state.npz")
    assert kept.n_done == 8
    for name, value in vars(find_top_images(planted_classifier, samples, kept)).items():
        np.testing.assert_array_equal(value, vars(whole)[name])


def test_an_image_that_cannot_be_read_is_left_out_and_noted(planted_classifier, samples):
    samples[1].path.write_text("no image")
    top = find_top_images(planted_classifier, samples, TopImages.empty(3, 4))
    assert top.n_seen == 11 and top.unread[0, 0] == "01.png" and top.images[RED].tolist() == [0, 2, 3, 4]


def test_the_region_is_where_the_square_is(planted_classifier):
    activation = planted_classifier.features(picture(RED, BLUE)[None].astype(np.float32))[0, ..., RED]
    mask, (x0, y0, x1, y1) = find_region(activation, 96, 96, stretched(*activation.shape, 1))
    assert (mask & square(RED)).sum() / (mask | square(RED)).sum() > 0.9
    rows, columns = np.nonzero(square(RED))
    np.testing.assert_allclose([x0, y0, x1, y1], [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], atol=2)


def test_only_the_part_that_holds_the_peak_is_the_region():
    activation = np.zeros((8, 8), np.float32)
    activation[1, 1], activation[6, 6] = 1.0, 0.9
    mask, (x0, y0, x1, y1) = find_region(activation, 80, 80, stretched(*activation.shape, 1))
    assert mask[15, 15] and not mask[65, 65] and x1 < 40 and y1 < 40


def test_a_map_without_a_positive_value_has_the_cell_of_its_peak():
    activation = np.full((4, 4), -2.0, np.float32)
    activation[2, 1] = -1
    assert find_region(activation, 40, 80, stretched(*activation.shape, 1))[1] == (20, 20, 40, 30)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_region_of_a_cropped_network_lies_where_it_looked(sign):
    right_half = Places(np.array([0.25, 0.75])[:, None, None], np.array([0.625, 0.875])[None, :, None])
    activation = np.array([[0, 0], [1, 0]], np.float32) if sign > 0 else np.array([[-2, -2], [-1, -2]], np.float32)
    _, box = find_region(activation, 40, 80, find_layout((2, 2, 1), right_half))
    assert box == (40, 20, 60, 40)


def test_a_pixel_map_of_one_position_is_the_whole_image():
    assert find_region(np.ones((2, 2), np.float32), 10, 12, stretched(2, 2, 1))[1] == (0, 0, 12, 10)


def test_images_of_any_size_are_brought_to_the_models(planted_classifier, tmp_path):
    Image.fromarray(picture(RED)).resize((200, 50)).save(tmp_path / "wide.png")
    sample = dataset.load_dataset(tmp_path)[0]
    pixels = top_images.read_pixels(sample, planted_classifier)
    assert pixels.shape == (8 * CELL, 8 * CELL, 3) and pixels.dtype == np.float32
    assert (pixels[..., RED] > pixels[..., GREEN] + 50)[square(RED)].mean() > 0.8, "the square lies where it lay"
