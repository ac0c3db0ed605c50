"""Agreement of maps: numbers worked by hand, naive twins, and the cases in which nothing can be said."""

import numpy as np
import pytest
from scipy import stats

from metrics import agreement
from metrics.common import Undefined

RAMP = np.arange(6.0).reshape(2, 3)


def maps_of(n, shape=(7, 5), seed=0, levels=None):
    """n maps of normal noise; levels: rounded to so many values, which makes ties."""
    maps = np.random.default_rng(seed).normal(size=(n, *shape))
    return list(maps if levels is None else np.round(maps * levels / 3))


def agree(one, other, fraction=0.5):
    """metric -> agreement of two maps."""
    return {metric: values[0, 1] for metric, values in agreement.compare_maps([one, other], fraction).items()}


# --- thresholds --------------------------------------------------------------------------------------------
def test_a_threshold_keeps_the_largest_values_wherever_they_are():
    saliency_map = np.array([[0.1, 0.9, 0.2], [0.8, -5.0, 0.3]])
    expected = [[False, True, False], [True, False, False]]
    np.testing.assert_array_equal(agreement.keep_largest(saliency_map, 1 / 3), expected)


@pytest.mark.parametrize("fraction", [0.2, 0.25, 1 / 3, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("levels", [None, 2, 0.1])
def test_a_threshold_keeps_exactly_its_share_even_of_equal_values(fraction, levels):
    [saliency_map] = maps_of(1, levels=levels)
    assert agreement.keep_largest(saliency_map, fraction).sum() == round(35 * fraction)


def test_equal_values_are_cut_row_by_row_from_the_top():
    expected = [[True, True, True], [True, False, False]]
    np.testing.assert_array_equal(agreement.keep_largest(np.zeros((2, 3)), 4 / 6), expected)


def test_a_threshold_keeps_what_speaks_for_the_class_not_what_is_large_in_magnitude():
    np.testing.assert_array_equal(agreement.keep_largest(np.array([[-9.0, 1.0]]), 0.5), [[False, True]])


@pytest.mark.parametrize("fraction, words", [(0, "keeps 0"), (0.01, "keeps 0"), (1.2, "keeps 7"), (-1, "keeps -6")])
def test_a_threshold_that_keeps_nothing_or_more_than_all_is_refused(fraction, words):
    with pytest.raises(ValueError, match=f"1 to all of 6 pixels; .*{words}"):
        agreement.keep_largest(RAMP, fraction)


def test_the_iou_of_two_masks_counted_by_hand():
    one, other = np.array([[1, 1, 0], [1, 0, 0]], bool), np.array([[0, 1, 0], [1, 1, 0]], bool)
    assert agreement.calculate_iou(one, other) == 2 / 4
    assert agreement.calculate_iou(one, one) == 1 and agreement.calculate_iou(one, ~one) == 0


def test_empty_masks_have_no_iou_and_masks_of_two_sizes_are_refused():
    with pytest.raises(Undefined, match="empty"):
        agreement.calculate_iou(np.zeros((2, 2), bool), np.zeros((2, 2), bool))
    with pytest.raises(ValueError, match=r"one size were wanted; got \(2, 3\) and \(3, 2\)"):
        agreement.calculate_iou(np.ones((2, 3), bool), np.ones((3, 2), bool))


# --- ranks -------------------------------------------------------------------------------------------------
def test_equal_values_share_the_mean_of_their_ranks():
    assert agreement.rank_values(np.array([3.0, -1.0, 3.0, 0.0, 3.0])).tolist() == [4, 1, 4, 2, 4]


@pytest.mark.parametrize("levels", [None, 3, 1])
def test_ranks_are_those_of_scipy(levels):
    [saliency_map] = maps_of(1, (20, 30), levels=levels)
    expected = stats.rankdata(saliency_map)
    np.testing.assert_array_equal(agreement.rank_values(saliency_map.ravel()), expected)


# --- pairs of maps -----------------------------------------------------------------------------------------
def test_a_pair_worked_by_hand():
    # Halves kept: 3, 4, 5 of one, 0, 4, 5 of the other. Ranks 1-6 and 5, 1, 2, 3, 4, 6: sum of d^2 = 16+1+1+1+1+0.
    other = np.array([[4.0, 0.0, 1.0], [2.0, 3.0, 9.0]])
    found = agree(RAMP, other)
    assert found["iou"] == 2 / 4
    assert found["spearman"] == pytest.approx(1 - 6 * 20 / (6 * 35))
    deviations = other - 19 / 6
    assert found["pcc"] == pytest.approx(
        ((RAMP - 2.5) * deviations).sum() / np.sqrt(17.5 * np.square(deviations).sum())
    )


def test_a_map_agrees_with_itself_and_not_with_its_negative():
    [saliency_map] = maps_of(1)
    assert agree(saliency_map, saliency_map) == pytest.approx({"iou": 1, "spearman": 1, "pcc": 1})
    found = agree(saliency_map, -saliency_map, 0.4)
    assert found == pytest.approx({"iou": 0, "spearman": -1, "pcc": -1})


def test_scale_and_offset_do_not_count_and_for_ranks_no_rising_function_does():
    one, other = maps_of(2)
    assert agree(one, other) == pytest.approx(agree(1000 * one - 3, 0.001 * other + 7))
    assert agree(np.exp(one), other)["spearman"] == pytest.approx(agree(one, other)["spearman"])
    assert agree(np.exp(one), other)["iou"] == agree(one, other)["iou"]


def test_exchanged_axes_are_seen():
    off_centre = np.zeros((8, 8))
    off_centre[1:3, 4:8] = np.arange(1, 9).reshape(2, 4)
    assert agree(off_centre, off_centre, 1 / 8)["iou"] == 1
    turned = agree(off_centre, off_centre.T, 1 / 8)
    assert turned["iou"] == 0 and turned["pcc"] < 0


@pytest.mark.parametrize("levels", [None, 2])
def test_all_pairs_at_once_are_the_pairs_one_by_one(levels):
    maps = maps_of(4, levels=levels)
    found = agreement.compare_maps(maps, 0.3)
    for row, one in enumerate(maps):
        for column, other in enumerate(maps):
            kept = agreement.keep_largest(one, 0.3), agreement.keep_largest(other, 0.3)
            assert found["iou"][row, column] == pytest.approx(agreement.calculate_iou(*kept))
            assert found["spearman"][row, column] == pytest.approx(stats.spearmanr(one, other, axis=None).statistic)
            assert found["pcc"][row, column] == pytest.approx(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_unrelated_maps_reach_the_iou_by_chance():
    one, other = maps_of(2, (300, 300))
    assert agree(one, other, 0.2)["iou"] == pytest.approx(0.2 / 1.8, abs=0.01)


@pytest.mark.parametrize("constant", [0.0, 0.7, -3.0])
def test_with_a_constant_map_nothing_is_defined_and_the_other_pairs_stand(constant):
    maps = maps_of(3)
    found = agreement.compare_maps([maps[0], np.full((7, 5), constant), *maps[1:]], 0.3)
    whole = agreement.compare_maps(maps, 0.3)
    for metric in agreement.AGREEMENTS:
        assert np.isnan(found[metric][1]).all() and np.isnan(found[metric][:, 1]).all()
        np.testing.assert_allclose(np.delete(np.delete(found[metric], 1, 0), 1, 1), whole[metric])


def test_a_missing_map_leaves_its_pairs_undefined():
    found = agreement.compare_maps([RAMP, None, RAMP], 0.5)
    assert found["iou"][0, 2] == 1 and np.isnan(found["iou"][0, 1])
    assert all(np.isnan(values).all() for values in agreement.compare_maps([None, None], 0.5).values())


def test_maps_of_two_sizes_or_with_nan_are_refused():
    with pytest.raises(ValueError, match=r"one size were wanted; got \[\(2, 3\), \(3, 2\)\]"):
        agreement.compare_maps([RAMP, RAMP.T], 0.5)
    with pytest.raises(ValueError, match="map 1 "):
        agreement.compare_maps([RAMP, np.where(RAMP == 2, np.nan, RAMP)], 0.5)


# --- many images -------------------------------------------------------------------------------------------
def test_images_are_ranked_from_most_to_least_agreement_the_undefined_last():
    assert agreement.rank_images(np.array([0.2, np.nan, 0.9, -0.5, 0.2])).tolist() == [2, 0, 4, 3, 1]


def test_a_mask_is_kept_as_it_is_whatever_the_fraction():
    mask = np.zeros((10, 10), np.float32)
    mask[2:4, :5] = 1
    for fraction in (0.01, 0.2, 0.9):
        np.testing.assert_array_equal(agreement.keep_largest(mask, fraction), mask == 1)
    assert agreement.keep_largest(2 * mask, 0.2).sum() == 20, "2 is no mask's value"
    assert agreement.compare_maps([mask, mask[::-1]], 0.2)["iou"][0, 1] == 0
