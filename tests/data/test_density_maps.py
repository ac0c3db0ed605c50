"""Wooding's density map: its geometry and its sum, against numbers worked by hand and naive loops."""

import numpy as np
import pytest
from planted import DATA

from data.density_maps import DensityMean, compute_density_map, compute_sigma, leave_one_out, sum_gaussians
from data.fixation_files import read_fixations
from data.fixations import Fixations
from data.images import read_density_map


def naive_density_map(fixations_by_observer, height, width, sigma):
    """The formula, pixel by pixel and fixation by fixation."""
    density_map = np.zeros((height, width))
    for fixations in fixations_by_observer:
        for x, y in fixations:
            for row in range(height):
                for column in range(width):
                    squared_distance = (column - x) ** 2 + (row - y) ** 2
                    density_map[row, column] += np.exp(-squared_distance / (2 * sigma**2))
    density_map /= len(fixations_by_observer)
    return density_map / density_map.max()


def test_sigma_is_116_pixels_on_the_screen_itself():
    # 1200 / 325 px per mm times 900 mm times tan 2 degrees
    assert compute_sigma(1200, 1920) == pytest.approx(116.04, abs=0.01)


def test_sigma_shrinks_with_the_image_by_the_side_that_fills_the_screen_first():
    on_screen = compute_sigma(1200, 1920)
    assert compute_sigma(240, 320) == pytest.approx(on_screen / 5)  # min(1920 / 320, 1200 / 240)
    assert compute_sigma(100, 960) == pytest.approx(on_screen / 2)  # min(1920 / 960, 1200 / 100)


def test_density_map_is_the_naive_sum():
    rng = np.random.default_rng(1)
    fixations = [rng.uniform(0, (31, 23), (m, 2)) for m in (3, 0, 5)]
    density_map = compute_density_map(fixations, 23, 31, sigma=2.7)
    assert density_map.dtype == np.float32
    np.testing.assert_allclose(density_map, naive_density_map(fixations, 23, 31, 2.7), atol=1e-3)


def test_a_fixation_is_x_then_y():
    density_map = compute_density_map([np.array([[30.0, 5.0]])], 20, 40, sigma=2)
    assert np.unravel_index(density_map.argmax(), density_map.shape) == (5, 30)
    assert density_map.max() == 1


def test_one_sigma_away_the_density_is_exp_minus_a_half():
    density_map = compute_density_map([np.array([[10.0, 10.0]])], 21, 21, sigma=4)
    assert density_map[10, 14] == pytest.approx(np.exp(-0.5), rel=1e-5)


def test_fixations_outside_the_image_leave_no_trace():
    inside = np.array([[4.0, 6.0]])
    beside = np.array([[-1.0, 6.0], [12.5, 3.0], [4.0, 40.0]])
    with_strays = compute_density_map([np.concatenate([inside, beside])], 10, 12, sigma=3)
    np.testing.assert_array_equal(with_strays, compute_density_map([inside], 10, 12, sigma=3))


@pytest.mark.parametrize("fixations", [[], [np.empty((0, 2))], [np.array([[50.0, 50.0]])]])
def test_without_a_fixation_inside_there_is_no_map(fixations):
    with pytest.raises(ValueError, match="no fixation"):
        compute_density_map(fixations, 10, 10, sigma=2)


def test_impossible_geometry_is_refused():
    with pytest.raises(ValueError, match="positive"):
        compute_sigma(0, 320)
    with pytest.raises(ValueError, match="sigma"):
        compute_density_map([np.array([[1.0, 1.0]])], 5, 5, sigma=0)


def test_the_screens_geometry_is_a_choice():
    # 1000 / 250 px per mm times 500 mm times tan 45 degrees, on an image of half the screen's width
    screen = {"screen_width_px": 2000, "screen_height_px": 1000, "screen_height_mm": 250}
    assert compute_sigma(100, 1000, **screen, distance_mm=500, angle_deg=45) == pytest.approx(1000)


# --- several observers ---------------------------------------------------------------------------------------
def random_fixations(*counts, seed=0, height=23, width=31):
    rng = np.random.default_rng(seed)
    points = rng.uniform((-3, -3), (width + 3, height + 3), (sum(counts), 2))
    return Fixations(points, np.repeat(np.arange(len(counts)), counts), None, len(counts))


def test_the_density_map_is_the_mean_of_the_observers_maps_before_it_is_scaled():
    fixations = random_fixations(4, 0, 9, 1).inside(23, 31)
    mean = np.mean([sum_gaussians(points, 23, 31, 2.7) for points in fixations.by_observer()], axis=0)
    density_map = compute_density_map(fixations.by_observer(), 23, 31, sigma=2.7)
    np.testing.assert_allclose(density_map, mean / mean.max(), atol=1e-6)


def test_leave_one_out_is_the_map_of_each_observers_others_and_his_own_points():
    fixations = random_fixations(5, 0, 7, 1, 6)
    assert fixations.inside(23, 31).n_blank == 1
    observers = [points for points in fixations.inside(23, 31).by_observer() if len(points)]
    found = list(leave_one_out(fixations, 23, 31, 2.7))
    assert len(found) == len(observers) == 4
    for left_out, (density_map, points) in enumerate(found):
        others = [points for observer, points in enumerate(observers) if observer != left_out]
        np.testing.assert_allclose(density_map, naive_density_map(others, 23, 31, 2.7), rtol=1e-4, atol=1e-12)
        np.testing.assert_array_equal(points, observers[left_out])
        assert density_map.dtype == np.float32


def test_where_only_the_one_left_out_looked_the_others_leave_next_to_nothing():
    fixations = Fixations(np.array([[5.0, 5], [90, 5]]), np.array([0, 1]), None, 2)
    density_map, _ = next(leave_one_out(fixations, 10, 100, 2))
    assert density_map[5, 90] == 1
    assert 0 <= density_map[5, 5] < 1e-15


@pytest.mark.parametrize("counts", [(), (5,), (5, 0)])
def test_one_observer_alone_cannot_be_left_out(counts):
    assert list(leave_one_out(random_fixations(*counts), 23, 31, 2)) == []


# --- the mean over images ----------------------------------------------------------------------------------
@pytest.fixture
def densities():
    rng = np.random.default_rng(0)
    return [rng.random((20, 30)) ** 3 * scale for scale in (1, 0.2, 50)]


def mean_of_others(densities, index):
    mean = DensityMean(*densities[index].shape)
    for density_map in densities:
        mean.add(density_map)
    return mean.without(densities[index])


def test_the_other_images_density_is_the_mean_of_the_others_each_summing_to_one(densities):
    shares = [density / density.sum() for density in densities]
    for index in range(3):
        others = np.mean([share for other, share in enumerate(shares) if other != index], axis=0)
        mean = mean_of_others(densities, index)
        np.testing.assert_allclose(mean, others, rtol=1e-4, atol=1e-9)
        assert mean.sum() == pytest.approx(1, rel=1e-5) and mean.min() >= 0
        assert mean.dtype == np.float32


def test_images_of_several_sizes_are_brought_to_that_of_the_one_left_out():
    wide, high = np.zeros((20, 40)), np.zeros((80, 40))
    wide[:, :20] = 1
    high[:40] = 1
    assert mean_of_others([wide, high], 0).shape == (20, 40)
    mean = mean_of_others([wide, high], 1)
    assert mean.shape == (80, 40)
    assert mean[:, :19].sum() == pytest.approx(1, abs=0.06)


def test_an_only_image_has_no_others_and_a_map_that_is_no_density_is_refused():
    with pytest.raises(ValueError, match="no other image"):
        mean_of_others([np.ones((5, 5))], 0)
    for wrong in (np.zeros((5, 5)), -np.ones((5, 5)), np.full((5, 5), np.nan)):
        with pytest.raises(ValueError, match="positive"):
            DensityMean(5, 5).add(wrong)


# --- real data -----------------------------------------------------------------------------------------------
@pytest.mark.data
def test_the_map_of_osie_is_the_mean_of_its_observers_maps():
    found = read_fixations(DATA / "osie" / "fixations.csv")
    for name in list(found)[::12]:
        observers = found[name].by_observer()
        mean = np.mean([sum_gaussians(points, 600, 800, 24) for points in observers], axis=0)
        density_map = compute_density_map(observers, 600, 800, sigma=24)
        np.testing.assert_allclose(density_map, mean / mean.max(), atol=1e-5)


@pytest.mark.data
def test_people_predict_people_on_photographs_better_than_chance():
    found = read_fixations(DATA / "osie" / "fixations.csv")
    above = []
    for name in list(found)[::12]:
        for density_map, points in leave_one_out(found[name], 600, 800, 24):
            columns, rows = points.astype(int).T
            above.append((density_map[rows, columns].mean() - density_map.mean()) / density_map.std())
    assert len(above) == 5 * 15
    assert np.mean(above) > 1.5  # deviations above the mean of the map


@pytest.mark.data
def test_the_official_maps_of_mexculture_are_as_wide_as_its_screen_says():
    # Of a sum of Gaussians of one sigma, -(log map)'' is at most 1 / sigma^2, and that where one stands alone.
    for path in (DATA / "mexculture" / "gazefixationsdensitymaps").iterdir():
        density_map = 255 * read_density_map(path)
        sigma = compute_sigma(*density_map.shape)
        step = round(sigma / 3)  # 8 bits need some distance
        curvatures = []
        for levels in (density_map, density_map.T):
            before, here, after = levels[: -2 * step], levels[step:-step], levels[2 * step :]
            bright = (before > 25) & (after > 25)
            second = np.log(before[bright]) - 2 * np.log(here[bright]) + np.log(after[bright])
            curvatures.append(-np.percentile(second, 1) / step**2)
        assert np.mean(curvatures) ** -0.5 == pytest.approx(sigma, rel=0.12)  # unscaled, it would be 116 in all three
