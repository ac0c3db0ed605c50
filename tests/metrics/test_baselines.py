"""The baseline maps, by hand and against naive sums."""

import numpy as np
import pytest

from metrics import baselines
from metrics.baselines import centre_gaussian, edge_map, random_map


def test_noise_is_uniform_and_repeats_with_the_seed():
    noise = random_map(100, 120, seed=4)
    assert noise.shape == (100, 120)
    assert noise.dtype == np.float32
    np.testing.assert_allclose(np.quantile(noise, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.02)
    np.testing.assert_array_equal(noise, random_map(100, 120, seed=4))
    assert (noise != random_map(100, 120, seed=5)).any()


def test_the_centre_is_one_and_a_sigma_away_exp_minus_a_half_along_either_side():
    centre = centre_gaussian(101, 41, sigma=0.2)
    assert centre.shape == (101, 41)
    assert centre.argmax() == 50 * 41 + 20
    assert centre[50, 20] == 1
    # 0.2 of 101 rows is 20.2 rows; 0.2 of 41 columns 8.2 columns.
    assert centre[70, 20] == pytest.approx(np.exp(-0.5 * (20 / 20.2) ** 2), rel=1e-5)
    assert centre[50, 28] == pytest.approx(np.exp(-0.5 * (8 / 8.2) ** 2), rel=1e-5)
    np.testing.assert_array_equal(centre, centre[::-1, ::-1])
    with pytest.raises(ValueError, match="sigma"):
        centre_gaussian(10, 10, sigma=0)


def test_edges_are_the_sobel_magnitude_of_luminance():
    from scipy import ndimage

    image = np.random.default_rng(0).integers(0, 256, (15, 20, 3)).astype(np.uint8)
    luminance = image @ [0.299, 0.587, 0.114]
    expected = np.hypot(*(ndimage.sobel(luminance, axis, mode="mirror") for axis in (0, 1)))
    np.testing.assert_allclose(edge_map(image), expected, rtol=1e-3, atol=0.05)


def test_a_step_has_its_edge_where_it_is_and_a_flat_image_has_none():
    image = np.zeros((10, 12, 3), np.uint8)
    image[:, 6:] = 100
    edges = edge_map(image)
    assert edges[:, [5, 6]] == pytest.approx(400)
    assert edges[:, :5].max() == edges[:, 7:].max() == 0
    with pytest.raises(ValueError, match="RGB"):
        edge_map(image[..., 0])


def test_the_centre_of_a_large_image_is_that_of_a_small_one(monkeypatch):
    small = baselines.centre_gaussian(30, 47)
    monkeypatch.setattr(baselines, "WHOLE", 1000)
    large = baselines.centre_gaussian(30, 47)
    assert large.dtype == np.float32
    np.testing.assert_allclose(large, small, rtol=3e-7)
