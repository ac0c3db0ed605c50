"""The small transforms between steps, against naive sampling, whole-pixel moves and the exact transposed map."""

import numpy as np
import pytest
import tensorflow as tf
from planted import noise

from units import transforms

ALL = {"rotation_deg": 20.0, "scale": 0.2, "shift": 0.1, "crop": 0.2, "rgb_jitter": 10.0}


def draws(number=0):
    return transforms.draw_transform(tf.constant([3, number]))


def mirrored(position, size):
    position %= 2 * (size - 1)
    return min(position, 2 * (size - 1) - position)


def sample_naively(image, angle, magnification, down, right):
    """One pixel at a time, by the definition."""
    height, width = image.shape[:2]
    seen = np.zeros_like(image, dtype=np.float64)
    for row in range(height):
        for column in range(width):
            r, c = (row - (height - 1) / 2) / magnification, (column - (width - 1) / 2) / magnification
            y = mirrored(np.cos(angle) * r - np.sin(angle) * c + (height - 1) / 2 + down, height)
            x = mirrored(np.sin(angle) * r + np.cos(angle) * c + (width - 1) / 2 + right, width)
            top, left = min(int(y), height - 2), min(int(x), width - 2)
            below, beside = y - top, x - left
            upper = (1 - beside) * image[top, left] + beside * image[top, left + 1]
            lower = (1 - beside) * image[top + 1, left] + beside * image[top + 1, left + 1]
            seen[row, column] = (1 - below) * upper + below * lower
    return seen


def test_without_ranges_the_image_stays_as_it_is():
    images = noise(2, 9)
    np.testing.assert_array_equal(transforms.transform(tf.constant(images), draws(), {}), images)


@pytest.mark.parametrize("map_", [(0.3, 1.2, 1.7, -2.4), (-0.1, 0.8, -5.0, 3.3), (0.0, 1.0, 0.5, 0.25)])
def test_sampling_is_that_of_a_naive_loop(map_):
    images = noise(1, 12)[:, :, :9]
    seen = transforms.warp(tf.constant(images), *map_)[0]
    np.testing.assert_allclose(seen, sample_naively(images[0], *map_), atol=0.01)


def test_whole_pixels_are_moved_exactly():
    images = noise(2, 10)
    seen = transforms.warp(tf.constant(images), 0.0, 1.0, 2.0, -1.0).numpy()
    np.testing.assert_allclose(seen[:, :-2, 1:], images[:, 2:, :-1], atol=1e-3)


def test_a_quarter_turn_is_that_of_numpy():
    images = noise(1, 11)
    np.testing.assert_allclose(
        transforms.warp(tf.constant(images), np.pi / 2, 1.0, 0.0, 0.0)[0], np.rot90(images[0], -1), atol=0.01
    )


def test_the_gradient_is_the_transposed_map():
    images, weights = tf.constant(noise(2, 8)), tf.constant(noise(2, 8, seed=1))
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(transforms.warp(images, 0.4, 1.1, 1.3, -0.6) * weights)
    back = tape.gradient(total, images)
    assert float(tf.reduce_sum(tf.convert_to_tensor(back) * images)) == pytest.approx(float(total), rel=1e-5)


def test_a_crop_stays_within_the_image():
    ramp = np.tile(np.arange(40, dtype=np.float32)[None, None, :, None], (1, 40, 1, 3))
    for number in range(20):
        seen = transforms.transform(tf.constant(ramp), draws(number), {"crop": 0.5})[0, 0, :, 0].numpy()
        assert (np.diff(seen) > 0).all(), "a mirrored border would run backwards"
        assert 0.5 - 1e-3 <= (seen[-1] - seen[0]) / 39 <= 1


def test_colours_are_shifted_within_their_range():
    images = tf.fill((1, 4, 4, 3), 252.0)
    seen = [transforms.transform(images, draws(number), {"rgb_jitter": 10.0}) for number in range(20)]
    shifts = np.stack(seen)[:, 0, 0, 0] - 252
    assert np.min(shifts) >= -10 and np.max(shifts) == 3 and np.ptp(shifts, axis=1).max() > 5


def test_all_images_of_a_batch_and_all_runs_see_the_same_transform():
    images = np.repeat(noise(1, 16), 3, axis=0)
    seen = transforms.transform(tf.constant(images), draws(1), ALL).numpy()
    np.testing.assert_array_equal(seen[0], seen[2])
    np.testing.assert_array_equal(seen, transforms.transform(tf.constant(images), draws(1), ALL))
    assert np.abs(seen - transforms.transform(tf.constant(images), draws(2), ALL)).max() > 10
