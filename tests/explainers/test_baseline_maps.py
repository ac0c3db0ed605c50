"""The rows that no method makes: they keep the contract of an explainer, and know neither model nor class."""

import numpy as np
import pytest
from planted import SIDE, noise

from explainers.registry import BASELINES, GAZE_ROWS, METHODS
from metrics import baselines

ALONE = [name for name in BASELINES if name not in GAZE_ROWS]


def draw(name, classifier, images, class_index=0, **options):
    return BASELINES[name].load()(classifier, None, images, class_index, **options).compute_saliency_map()


def test_no_baseline_is_a_method():
    assert not set(BASELINES) & set(METHODS) and set(GAZE_ROWS) < set(BASELINES)


@pytest.mark.parametrize("name", ALONE)
def test_a_baseline_needs_no_pass_and_no_class(planted_classifier, images, name):
    passes = planted_classifier.counts["passes"]
    maps = draw(name, planted_classifier, images)
    assert planted_classifier.counts["passes"] == passes
    assert maps.shape == images.shape[:3] and maps.dtype == np.float32 and np.ptp(maps) > 0
    np.testing.assert_array_equal(maps, draw(name, planted_classifier, images, [2, 1, 0]))
    np.testing.assert_array_equal(maps[1], draw(name, planted_classifier, images[1]))
    assert not BASELINES[name].load().uses_class


def test_noise_differs_from_image_to_image_and_from_seed_to_seed(planted_classifier):
    images = noise(2, SIDE)
    maps = draw("RANDOM", planted_classifier, images)
    assert abs(np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1]) < 0.1
    other = draw("RANDOM", planted_classifier, images, seed=1)
    assert abs(np.corrcoef(maps[0].ravel(), other[0].ravel())[0, 1]) < 0.1


def test_the_centre_and_the_edges_are_those_of_baselines(planted_classifier, image):
    centre = draw("CENTRE", planted_classifier, image)
    np.testing.assert_array_equal(centre, baselines.centre_gaussian(SIDE, SIDE))
    np.testing.assert_allclose(draw("EDGES", planted_classifier, image), baselines.edge_map(image.astype(np.float32)))


@pytest.mark.parametrize("name", GAZE_ROWS)
def test_a_row_of_gaze_gives_back_the_maps_it_is_given_at_the_input_size(planted_classifier, images, name):
    given = [np.full((4, 8), value, np.float32) for value in (1, 2, 3)]
    maps = draw(name, planted_classifier, images, density_maps=given)
    np.testing.assert_array_equal(maps, np.full((3, SIDE, SIDE), 1, np.float32) * [[[1]], [[2]], [[3]]])
