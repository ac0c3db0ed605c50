"""How wide a map spreads: one pixel, an even map, halves counted by hand, scale and sign."""

import numpy as np
import pytest

from evaluate import Undefined
from metrics.map_spread import measure_area, measure_entropy


def test_a_single_pixel_is_narrow_and_has_no_entropy():
    saliency_map = np.zeros((4, 5))
    saliency_map[1, 2] = 3
    assert measure_area(saliency_map) == 1 / 20 and measure_entropy(saliency_map) == 0


def test_an_even_share_of_the_pixels_has_its_logarithm():
    saliency_map = np.zeros((4, 4))
    saliency_map[:2] = 7
    assert measure_area(saliency_map) == 0.5
    assert measure_entropy(saliency_map) == pytest.approx(np.log(8) / np.log(16))


def test_half_the_maximum_counts():
    assert measure_area(np.array([[0, 1.9, 2.0, 4.0]])) == 0.5


def test_scale_and_offset_do_not_matter_and_what_speaks_against_is_passed_over():
    saliency_map = np.random.default_rng(0).random((6, 7))
    for measure in (measure_area, measure_entropy):
        assert measure(10 + 5 * saliency_map) == pytest.approx(measure(saliency_map - saliency_map.min()))
    signed = np.array([[-5.0, 0, 1, 2]])
    assert measure_area(signed) == 0.5 and measure_entropy(signed) == pytest.approx(0.6365 / np.log(4), rel=1e-3)


@pytest.mark.parametrize("saliency_map", [np.zeros((3, 3)), np.full((3, 3), 2.0), -np.ones((3, 3))])
def test_a_map_without_energy_has_neither(saliency_map):
    for measure in (measure_area, measure_entropy):
        with pytest.raises(Undefined):
            measure(saliency_map)
