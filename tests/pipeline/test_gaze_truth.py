"""What a run takes for the truth about gaze: density maps, fixations, other images, people against people."""

import numpy as np
import pytest
from PIL import Image

from data import density_maps
from data.dataset import Sample
from data.fixations import Fixations
from metrics.catalogue import DENSITY, POINTS
from pipeline.gaze_truth import PEOPLE_SPLITS, SAUC_IMAGES, GazeTruth

SIDE = 40


def fixations(*observers):
    """Of one list of (x, y) per observer."""
    points = np.array([point for own in observers for point in own], dtype=np.float64).reshape(-1, 2)
    numbers = np.repeat(np.arange(len(observers)), [len(own) for own in observers])
    return Fixations(points, numbers, None, len(observers), observers_known=True)


@pytest.fixture
def sample(tmp_path):
    """`sample(name, ...)`: a sample whose image is there, SIDE high and twice as wide."""

    def make(name, **known):
        path = tmp_path / f"{name}.png"
        Image.new("RGB", (2 * SIDE, SIDE), (9, 9, 9)).save(path)
        return Sample(path.name, name, path, **known)

    return make


@pytest.fixture
def density_map_path(tmp_path):
    path = tmp_path / "map.png"
    Image.fromarray(np.tile(np.arange(2 * SIDE, dtype=np.uint8), (SIDE, 1))).save(path)
    return path


def test_each_kind_of_metric_gets_its_own_truth(sample, density_map_path):
    points = fixations([(10, 10)], [(20, 30)])
    both = sample("both", density_map_path=density_map_path, fixations=points)
    only_map, only_points = sample("map", density_map_path=density_map_path), sample("points", fixations=points)
    truth = GazeTruth([both, only_map, only_points, sample("none")], sigma_px=3)
    assert truth.kinds(both) == [DENSITY, POINTS] and truth.kinds(only_map) == [DENSITY]
    assert truth.kinds(only_points) == [DENSITY, POINTS] and truth.kinds(sample("none")) == []
    np.testing.assert_array_equal(truth.density_map(both, SIDE, 2 * SIDE), truth.density_map(only_map, SIDE, 2 * SIDE))
    wooding = density_maps.compute_density_map(points.by_observer(), SIDE, 2 * SIDE, sigma=3)
    np.testing.assert_array_equal(truth.density_map(only_points, SIDE, 2 * SIDE), wooding)


def test_fixations_outside_the_image_are_no_points(sample):
    points = fixations([(10, 10), (-1, 5), (5, SIDE)], [(2 * SIDE, 3)])
    truth = GazeTruth([sample("a", fixations=points)])
    np.testing.assert_array_equal(truth.points(truth.samples[0], SIDE, 2 * SIDE), [[10, 10]])


def test_the_width_of_a_fixation_is_given_or_that_of_the_screen(sample):
    assert GazeTruth([], sigma_px=24).sigma(600, 800) == 24
    assert GazeTruth([]).sigma(600, 800) == density_maps.compute_sigma(600, 800)


# --- other images ------------------------------------------------------------------------------------------------
def test_the_points_of_others_come_from_other_images_at_their_places_in_this_one(sample):
    own, other = sample("own", fixations=fixations([(1, 1)])), sample("other", fixations=fixations([(20, 30)]))
    truth = GazeTruth([own, other, sample("blind")])
    np.testing.assert_allclose(truth.other_points(own, 2 * SIDE, SIDE), [[10, 60]])
    np.testing.assert_allclose(truth.other_points(other, SIDE, 2 * SIDE), [[1, 1]])


def test_at_most_so_many_other_images_are_drawn_and_always_the_same(sample):
    samples = [sample(str(n), fixations=fixations([(n, n)])) for n in range(SAUC_IMAGES + 5)]
    drawn = GazeTruth(samples).other_points(samples[3], SIDE, 2 * SIDE)
    assert len(drawn) == len({tuple(point) for point in drawn}) == SAUC_IMAGES
    assert [3, 3] not in drawn.tolist()
    np.testing.assert_array_equal(GazeTruth(samples).other_points(samples[3], SIDE, 2 * SIDE), drawn)


def test_the_others_density_is_the_mean_of_all_maps_but_the_own(sample):
    samples = [sample(str(n), fixations=fixations([(20 * n + 10, 20)])) for n in range(3)]
    truth = GazeTruth([*samples, sample("blind")], sigma_px=4)
    maps = [truth.density_map(one, SIDE, 2 * SIDE) for one in samples]
    maps = [one / one.sum() for one in maps]
    found = truth.other_density(samples[1], SIDE, 2 * SIDE)
    np.testing.assert_allclose(found / found.sum(), (maps[0] + maps[2]) / 2, atol=2e-4)
    found = truth.other_density(truth.samples[3], SIDE, 2 * SIDE)
    np.testing.assert_allclose(found / found.sum(), np.mean(maps, axis=0), atol=2e-4)


def test_rows_of_gaze_cover_the_images_for_which_there_is_any(sample, density_map_path):
    alone = sample("alone", fixations=fixations([(1, 1)]))
    pair = sample("pair", fixations=fixations([(1, 1)], [(2, 2)]))
    plain = sample("plain", density_map_path=density_map_path)
    truth = GazeTruth([alone, pair, plain])
    assert [truth.covers("PEOPLE", one) for one in truth.samples] == [False, True, False]
    assert all(truth.covers("OTHERS", one) for one in truth.samples)
    assert not GazeTruth([alone]).covers("OTHERS", alone)


# --- people --------------------------------------------------------------------------------------------------------
def test_each_observer_is_predicted_by_all_others(sample):
    observers = [[(10, 10), (12, 12)], [(50, 20)], [(70, 30)]]
    truth = GazeTruth([sample("a", fixations=fixations(*observers))], sigma_px=5)
    found = list(truth.leave_one_out(truth.samples[0], SIDE, 2 * SIDE))
    assert len(found) == 3
    for left_out, (density_map, points) in enumerate(found):
        np.testing.assert_array_equal(points, observers[left_out])
        others = [np.array(own) for number, own in enumerate(observers) if number != left_out]
        expected = density_maps.compute_density_map(others, SIDE, 2 * SIDE, sigma=5)
        np.testing.assert_allclose(density_map, expected, atol=1e-5)


def test_halves_share_no_observer_and_leave_none_out(sample):
    observers = [[(15 * n + 5, 20)] for n in range(5)]
    truth = GazeTruth([sample("a", fixations=fixations(*observers))], sigma_px=1)
    pairs = list(truth.halves(truth.samples[0], SIDE, 2 * SIDE))
    assert len(pairs) == PEOPLE_SPLITS
    for one, other in pairs:
        seen = [[part[20, x] > 0.9 for ((x, _),) in observers] for part in (one, other)]
        assert np.logical_xor(*seen).all() and sorted(map(sum, seen)) == [2, 3]


def test_one_observer_is_no_people(sample):
    truth = GazeTruth([sample("a", fixations=fixations([(1, 1)], []))])
    with pytest.raises(ValueError, match="two observers or more; 'a.png' has 1"):
        list(truth.halves(truth.samples[0], SIDE, 2 * SIDE))
