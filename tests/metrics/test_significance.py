"""Intervals and paired tests, against scipy, naive loops and numbers worked by hand."""

import numpy as np
import pytest
from scipy import stats

from metrics.significance import (
    bootstrap_interval,
    bootstrap_intervals,
    compare_paired,
    correct_holm,
    draw_counts,
    paired_tests,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# --- the bootstrap -------------------------------------------------------------------------------------------
def test_the_interval_is_scipys(rng):
    values = rng.gamma(1, size=60)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=rng)
    ours = bootstrap_interval(values, 20_000)
    np.testing.assert_allclose(ours, theirs.confidence_interval, atol=0.02 * np.std(values))
    assert ours[0] < values.mean() < ours[1]


def test_the_product_of_matrices_is_the_loop_over_draws(rng):
    values = rng.normal(size=(7, 3))
    values[[0, 1, 2, 3, 4], 1] = np.nan  # two are left: some draws have none of them
    values[2, 2] = np.nan
    counts = np.concatenate(list(draw_counts(7, 500, seed=3)))
    drawn = [np.repeat(np.arange(7), row.astype(int)) for row in counts]
    for column in range(3):
        means = []
        for rows in drawn:
            chosen = values[rows, column]
            chosen = chosen[~np.isnan(chosen)]
            if len(chosen):
                means.append(chosen.mean())
        expected = np.quantile(means, [0.05, 0.95])
        np.testing.assert_allclose(bootstrap_intervals(values, 500, 3, level=0.9)[column], expected)


def test_draws_hold_n_images_each_image_alike_in_blocks_that_repeat(monkeypatch):
    from metrics import significance

    whole = np.concatenate(list(draw_counts(5, 2000, seed=1)))
    assert whole.shape == (2000, 5)
    assert (whole.sum(axis=1) == 5).all()
    np.testing.assert_allclose(whole.mean(axis=0), 1, atol=0.1)
    assert whole.var() == pytest.approx(5 * 0.2 * 0.8, rel=0.1)
    monkeypatch.setattr(significance, "COUNTS_HELD", 700)
    blocks = list(draw_counts(5, 2000, seed=1))
    assert max(len(block) for block in blocks) == 140
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


def test_two_values_by_hand():
    # The mean of a draw is 0, 1/2 or 1 with probabilities 1/4, 1/2, 1/4.
    assert bootstrap_interval([0.0, 1.0]) == (0, 1)
    assert bootstrap_interval([0.0, 1.0], level=0.4) == (0.5, 0.5)
    assert bootstrap_interval([3.0, 3.0, np.nan]) == (3, 3)


@pytest.mark.parametrize("values", [[], [1.0], [np.nan, np.nan], [2.0, np.nan, np.nan]])
def test_fewer_than_two_images_have_no_interval(values):
    assert bootstrap_interval(values) is None


def test_a_column_without_an_interval_leaves_the_others_theirs(rng):
    values = rng.normal(size=(30, 3))
    values[1:, 1] = np.nan
    intervals = bootstrap_intervals(values, 1000)
    assert np.isnan(intervals[1]).all()
    for column in (0, 2):
        assert tuple(intervals[column]) == pytest.approx(bootstrap_interval(values[:, column], 1000))


def test_intervals_hold_the_true_mean_as_often_as_they_say(rng):
    intervals = bootstrap_intervals(rng.normal(size=(50, 400)), 1000)
    assert np.mean((intervals[:, 0] < 0) & (intervals[:, 1] > 0)) == pytest.approx(0.94, abs=0.03)


def test_impossible_requests_are_refused(rng):
    for arguments in ({"n_resamples": 0}, {"level": 1}, {"level": 0}):
        with pytest.raises(ValueError, match="wanted"):
            bootstrap_intervals(rng.normal(size=(5, 2)), **arguments)
    with pytest.raises(ValueError, match="wanted"):
        bootstrap_intervals(rng.normal(size=5))


# --- paired tests ----------------------------------------------------------------------------------------------
def test_a_pair_by_hand():
    # The 0 is left out. W+ = 1 + 2 + 4, W- = 3; of the 16 ways to give the ranks 1 to 4 signs, the sum of one side is
    # 3 or less in five: {}, {1}, {2}, {3}, {1, 2}.
    n, difference, p, effect = compare_paired(np.array([1.0, 2, -3, 4, 0, np.nan]))
    assert (n, difference, effect) == (5, 4 / 5, pytest.approx(4 / 10))
    assert p == pytest.approx(2 * 5 / 16)


def test_all_larger_is_the_largest_effect_and_its_p_that_of_one_sign():
    _, _, p, effect = compare_paired(np.arange(1.0, 9))
    assert effect == 1
    assert p == pytest.approx(2 / 2**8)
    assert compare_paired(-np.arange(1.0, 9))[3] == -1


def test_no_difference_has_p_one_and_no_image_has_none():
    assert compare_paired(np.zeros(6)) == (6, 0, 1, 0)
    n, *rest = compare_paired(np.array([np.nan]))
    assert n == 0
    assert np.isnan(rest).all()


@pytest.mark.parametrize("n", [8, 50, 51, 300])
def test_p_is_scipys_without_ties(rng, n):
    differences = rng.normal(0.2, size=n)
    assert compare_paired(differences)[2] == pytest.approx(stats.wilcoxon(differences).pvalue)


def test_five_equal_differences_do_not_stand():
    # Of the 32 ways to give five equal ranks signs, two are as far out.
    assert compare_paired(np.ones(5))[2] == 2 / 32
    assert not paired_tests({"A": np.ones(5), "B": np.zeros(5)})[0].stands


@pytest.mark.parametrize("n", range(1, 13))
def test_p_with_ties_is_that_of_all_choices_of_signs(rng, n):
    for _ in range(4):
        differences = rng.integers(1, 5, n) * rng.choice([-1, 1], n) / 8
        ranks = stats.rankdata(abs(differences))
        sums = np.array([0.0])
        for rank in ranks:
            sums = np.concatenate([sums, sums + rank])
        observed = ranks[differences > 0].sum()
        tail = min(np.mean(sums <= observed), np.mean(sums >= observed))
        assert compare_paired(differences)[2] == pytest.approx(min(1, 2 * tail), abs=1e-12)


def test_p_with_ties_is_scipys_permutation_test(rng):
    differences = np.round(rng.normal(0.4, size=11), 1)
    changed = differences[differences != 0]

    def rank_sum(values):
        return stats.rankdata(abs(values))[values > 0].sum()

    theirs = stats.permutation_test((changed,), rank_sum, permutation_type="samples", n_resamples=np.inf)
    assert compare_paired(differences)[2] == pytest.approx(theirs.pvalue)


def test_beyond_fifty_images_that_differ_p_is_the_normal_approximation(rng):
    differences = np.round(rng.normal(0.2, size=60), 1)
    differences[:51] += np.where(differences[:51] == 0, 0.1, 0)
    assert np.count_nonzero(differences) > 50
    expected = stats.wilcoxon(differences, zero_method="wilcox", method="asymptotic").pvalue
    assert compare_paired(differences)[2] == pytest.approx(expected)


def test_the_exact_p_of_fifty_ties_is_near_the_approximation(rng):
    differences = rng.integers(1, 20, 50) * rng.choice([-1, 1], 50, p=[0.35, 0.65])
    expected = stats.wilcoxon(differences, method="asymptotic").pvalue
    assert compare_paired(differences)[2] == pytest.approx(expected, rel=0.1)


def test_values_that_only_rounding_sets_apart_are_no_difference(rng):
    one = rng.uniform(0.2, 0.9, 20)
    [pair] = paired_tests({"GRADCAM": one, "HIRESCAM": one + 3e-8})
    assert (pair.n, pair.p, pair.effect, pair.stands) == (20, 1, 0, False)
    assert pair.mean_difference == pytest.approx(-3e-8, rel=0.01)
    [pair] = paired_tests({"GRADCAM": one, "FEM": one + 3e-4})
    assert pair.stands and pair.effect == -1


def test_differences_that_are_equal_but_for_rounding_are_ties():
    one = np.array([0.3, 0.2, 0.4, 0.5, 0.7, 0.6])
    signs = np.array([1, -1, 1, -1, 1, 1])
    [pair] = paired_tests({"A": one, "B": one - 0.1 * signs})
    assert len({*(one - (one - 0.1 * signs))}) > 2  # in float64 they are not equal
    assert pair.p == compare_paired(signs.astype(float))[2] == 0.6875


def test_values_of_one_sign_or_none_are_compared_whatever_their_size():
    [pair] = paired_tests({"A": np.zeros(3), "B": np.zeros(3)})
    assert (pair.p, pair.mean_difference) == (1, 0)
    [pair] = paired_tests({"A": np.array([np.nan, 1]), "B": np.array([1, np.nan])})
    assert pair.n == 0 and np.isnan(pair.p)
    [tiny] = paired_tests({"A": 1e-9 * np.arange(1.0, 9), "B": np.zeros(8)})
    assert tiny.p == 2 / 2**8


def test_effect_is_the_difference_of_the_ranks_sums(rng):
    differences = np.round(rng.normal(0.3, size=40), 1)
    changed = differences[differences != 0]
    ranks = [1 + np.sum(abs(changed) < abs(d)) + (np.sum(abs(changed) == abs(d)) - 1) / 2 for d in changed]
    effect = sum(np.sign(d) * rank for d, rank in zip(changed, ranks)) / sum(ranks)
    assert compare_paired(differences)[3] == pytest.approx(effect)


def test_holm_by_hand():
    np.testing.assert_allclose(correct_holm(np.array([0.01, 0.04, 0.03])), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(correct_holm(np.array([0.9, 0.6])), [1, 1])
    np.testing.assert_allclose(correct_holm(np.array([0.02, np.nan, 0.01])), [0.02, np.nan, 0.02])
    assert correct_holm(np.array([])).size == 0


def test_pairs_of_methods_are_tested_on_the_images_that_both_have(rng):
    a = rng.normal(size=30)
    b = a + 0.1 * rng.random(30)
    values = {"A": a, "B": b, "C": a, "D": np.full(30, np.nan)}
    values["B"][[3, 4]] = np.nan
    pairs = {(pair.a, pair.b): pair for pair in paired_tests(values)}
    assert list(pairs) == [("A", "B"), ("A", "C"), ("A", "D"), ("B", "C"), ("B", "D"), ("C", "D")]
    better = pairs["A", "B"]
    assert better.n == 28
    assert better.mean_difference == pytest.approx(np.nanmean(a - b))
    assert (better.effect, better.stands) == (-1, True)
    assert better.p_holm == pytest.approx(3 * better.p)  # three pairs have images
    assert pairs["B", "C"].effect == 1
    assert (pairs["A", "C"].p, pairs["A", "C"].stands) == (1, False)
    nothing = pairs["A", "D"]
    assert nothing.n == 0
    assert np.isnan(nothing.p_holm)
    assert not nothing.stands


def test_methods_of_chance_seldom_stand(rng):
    standing = [
        any(pair.stands for pair in paired_tests({name: rng.normal(size=25) for name in "ABCD"})) for _ in range(100)
    ]
    assert np.mean(standing) < 0.12


def test_one_method_has_no_pair_and_unlike_lengths_are_refused():
    assert paired_tests({"A": np.arange(4.0)}) == []
    with pytest.raises(ValueError, match="one value per image"):
        paired_tests({"A": np.arange(4.0), "B": np.arange(5.0)})
