"""Images as pixels and as spectra of decorrelated colours."""

import numpy as np
import pytest
import tensorflow as tf

from units.parametrisations import Fourier, Pixels


def test_pixels_start_at_mid_grey_and_are_kept_in_range():
    pixels = Pixels(4, 5, noise=0.0)
    assert pixels.start(2, 0).shape == (2, 4, 5, 3) and (pixels.start(2, 0) == 127.5).all()
    far = tf.constant([[[[-3.0, 100.0, 300.0]]]])
    np.testing.assert_array_equal(pixels.project(far).numpy().ravel(), [0, 100, 255])


def test_the_start_is_noise_of_the_seed_and_the_same_for_every_target():
    start = Pixels(32, 32, noise=20.0).start(2, 7)
    np.testing.assert_array_equal(start[0], start[1])
    assert start.std() == pytest.approx(20, rel=0.05)
    assert (start != Pixels(32, 32, noise=20.0).start(2, 8)).any()


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (299, 299)])
def test_a_spectrum_gives_images_of_any_size_within_the_range(size):
    fourier = Fourier(*size, noise=5.0)  # far stronger than any start
    images = fourier.images(tf.constant(fourier.start(1, 0))).numpy()
    assert images.shape == (1, *size, 3) and images.min() >= 0 and images.max() <= 255


def test_no_spectrum_is_mid_grey():
    fourier = Fourier(8, 8, noise=0.0)
    np.testing.assert_allclose(fourier.images(tf.constant(fourier.start(1, 0))), 127.5, atol=1e-3)


def test_one_coefficient_is_one_wave_of_light():
    height, width, row, column = 16, 12, 2, 3
    fourier = Fourier(height, width, noise=0.0)
    parameters = fourier.start(1, 0)
    parameters[0, 0, row, column, 0] = 0.3
    image = fourier.images(tf.constant(parameters))[0].numpy()
    y, x = np.mgrid[:height, :width]
    frequency = np.hypot(row / height, column / width)
    amplitude = 0.3 * np.sqrt(height * width) / frequency / 4 * 2 / (height * width)
    wave = amplitude * np.cos(2 * np.pi * (row * y / height + column * x / width))
    light = np.array([0.26, 0.27, 0.27]) / np.sqrt(0.26**2 + 0.27**2 + 0.27**2)
    np.testing.assert_allclose(image, 255 / (1 + np.exp(-wave[..., None] * light)), atol=0.01)


def test_low_frequencies_weigh_more():
    scale = Fourier(32, 32, noise=0.0).scale
    assert scale[0, 1] == pytest.approx(4 * scale[0, 4], rel=1e-5)
    assert scale[0, 0] == scale[0, 1], "no frequency counts as lower than one wave a side"
