"""KernelSHAP against Shapley values by their definition, over all coalitions of superpixels on a grid."""

from itertools import combinations, product
from math import comb, factorial

import numpy as np
import pytest
from planted import RED, SIDE, picture
from twins import SIX, shown

from explainers import superpixels
from explainers.kernel_shap import KernelSHAP, kernel_weights

GRIDS = {
    n: np.kron(np.arange(n).reshape(rows, -1), np.ones((96 // rows, 96 // (n // rows)), dtype=int))
    for n, rows in ((1, 1), (2, 1), (3, 1), (6, 2), (8, 2), (12, 3))
}
WHITE = np.full((SIDE, SIDE, 3), 255, dtype=np.uint8)


@pytest.fixture
def play(planted_classifier, calls, monkeypatch):
    """`play(game, n_segments, ...)`: the explainer of a white image cut into a grid, whose score is game(shown)."""

    def start(game, n_segments, **options):
        segments = GRIDS[n_segments]

        def predict(images):
            scores = np.array([game(row) for row in shown(images, segments)])
            return np.stack([scores, 1 - scores, scores], axis=1)

        start.sizes = calls(planted_classifier, predict)
        monkeypatch.setattr(superpixels, "segment", lambda image, seed: segments)
        return KernelSHAP(planted_classifier, None, WHITE, 0, hide_color=0, **options)

    return start


def values_of(explainer, n_segments):
    segments = GRIDS[n_segments]
    saliency_map = explainer.compute_saliency_map()
    values = np.array([saliency_map[segments == index][0] for index in range(n_segments)])
    np.testing.assert_array_equal(saliency_map, values[segments])  # one value to a superpixel
    return values


def random_game(n, seed=0):
    """A score for each coalition, without any order in it."""
    scores = np.random.default_rng(seed).uniform(0, 1, 2**n)
    return lambda row: scores[int("".join(map(str, row.astype(int))), 2)]


def shapley(game, n):
    """phi_i = sum over coalitions S without i of |S|! (n - |S| - 1)! / n! (f(S with i) - f(S))."""
    values = np.zeros(n)
    for i in range(n):
        others = [j for j in range(n) if j != i]
        for size in range(n):
            for members in combinations(others, size):
                row = np.zeros(n, dtype=bool)
                row[list(members)] = True
                without = game(row)
                row[i] = True
                values[i] += factorial(size) * factorial(n - size - 1) / factorial(n) * (game(row) - without)
    return values


# --- exact -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("n_segments", [2, 3, 6, 8])
@pytest.mark.parametrize("seed", [0, 1])
def test_with_all_coalitions_the_values_are_the_shapley_values(play, n_segments, seed):
    game = random_game(n_segments, seed)
    explainer = play(game, n_segments, num_samples=2**n_segments - 2)
    np.testing.assert_allclose(values_of(explainer, n_segments), shapley(game, n_segments), atol=1e-6)
    assert sum(play.sizes) == 2**n_segments  # all of them, and all hidden and none


def test_values_by_hand(play):
    # f = 0.1, 0.3 with the first, 0.2 with the second, 0.8 with both: ((0.3 - 0.1) + (0.8 - 0.2)) / 2 = 0.4
    explainer = play(lambda row: {(0, 0): 0.1, (1, 0): 0.3, (0, 1): 0.2, (1, 1): 0.8}[tuple(row.astype(int))], 2)
    np.testing.assert_allclose(values_of(explainer, 2), [0.4, 0.3], atol=1e-6)


def test_one_superpixel_has_all_of_the_change(play):
    explainer = play(lambda row: 0.9 if row[0] else 0.2, 1)
    np.testing.assert_allclose(explainer.compute_saliency_map(), 0.7, atol=1e-6)


# --- sampled ---------------------------------------------------------------------------------------------
def test_sampled_values_come_near_the_shapley_values(play):
    game = random_game(8)
    exact = shapley(game, 8)
    errors = [
        np.mean([np.abs(values_of(play(game, 8, num_samples=n, seed=seed), 8) - exact).max() for seed in range(4)])
        for n in (20, 60, 250)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.1 < 0.4 < errors[0]


@pytest.mark.parametrize("num_samples", [2, 3, 5, 30, 61, 100])
@pytest.mark.parametrize("n_segments", [2, 6, 12])
def test_the_values_sum_to_the_change_of_the_score_however_few_the_samples(play, num_samples, n_segments):
    game = random_game(n_segments, seed=3)
    values = values_of(play(game, n_segments, num_samples=num_samples), n_segments)
    change = game(np.ones(n_segments, dtype=bool)) - game(np.zeros(n_segments, dtype=bool))
    assert values.sum() == pytest.approx(change, abs=1e-6)


@pytest.mark.parametrize("num_samples", [62, 4096])
@pytest.mark.parametrize("n_segments", [6, 12])
def test_a_linear_game_gives_its_weights(play, n_segments, num_samples):
    weights = np.random.default_rng(1).normal(size=n_segments) / 10
    values = values_of(play(lambda row: 0.3 + row @ weights, n_segments, num_samples=num_samples), n_segments)
    np.testing.assert_allclose(values, weights, atol=1e-6)


def test_superpixels_that_do_the_same_have_the_same_value_and_one_that_does_nothing_has_none(play):
    def game(row):  # 0 and 4 stand for each other, 5 does nothing
        return 0.1 + 0.3 * (row[0] or row[4]) + 0.2 * (row[0] and row[4]) * row[1] + 0.1 * row[2] * row[3]

    values = values_of(play(game, 6, num_samples=100), 6)
    assert values[0] == pytest.approx(values[4], abs=1e-6)
    assert values[2] == pytest.approx(0.05, abs=1e-6)
    assert values[5] == pytest.approx(0, abs=1e-6)


def test_too_few_samples_to_tell_superpixels_apart_favour_none_of_them(play):
    values = values_of(play(lambda row: row.mean(), 12, num_samples=2), 12)
    np.testing.assert_allclose(values, 1 / 12, atol=1e-6)


# --- coalitions ------------------------------------------------------------------------------------------
def test_kernel_weights_by_hand():
    # (M - 1) / (|z| (M - |z|)) of all coalitions of a size: 3/3, 3/4, 3/3
    np.testing.assert_allclose(kernel_weights(4), np.array([4, 3, 4]) / 11)
    np.testing.assert_allclose(kernel_weights(2), [1])


def test_each_coalition_has_the_weight_of_the_kernel(play):
    coalitions, weights = play(random_game(6), 6, num_samples=62).draw_coalitions(6)
    assert set(map(tuple, coalitions)) == set(product((False, True), repeat=6)) - {(False,) * 6, (True,) * 6}
    sizes = coalitions.sum(axis=1)
    kernel = np.array([5 / (comb(6, size) * size * (6 - size)) for size in sizes])
    np.testing.assert_allclose(weights, kernel / kernel.sum())


def test_drawn_coalitions_come_with_their_complements_and_by_size_as_the_kernel_weighs_them(play):
    coalitions, weights = play(random_game(12), 12, num_samples=4001).draw_coalitions(12)
    assert coalitions.shape == (4000, 12)
    np.testing.assert_array_equal(coalitions[2000:], ~coalitions[:2000])
    np.testing.assert_array_equal(weights, 1)
    sizes = np.bincount(coalitions.sum(axis=1), minlength=13)
    assert sizes[0] == sizes[12] == 0
    np.testing.assert_allclose(sizes[1:12] / 4000, kernel_weights(12), atol=0.02)
    np.testing.assert_allclose(coalitions.mean(axis=0), 0.5)


def test_the_seed_draws_the_coalitions_and_nothing_is_drawn_where_all_are_taken(play):
    game = random_game(6)
    for num_samples, same in ((40, False), (62, True)):
        maps = [values_of(play(game, 6, num_samples=num_samples, seed=seed), 6) for seed in (0, 1)]
        assert np.allclose(*maps, atol=1e-6) == same


# --- images ----------------------------------------------------------------------------------------------
def test_what_is_hidden_has_its_superpixels_mean_colour_or_the_colour_given(planted_classifier, calls, monkeypatch):
    image, seen = picture(RED), []
    segments = np.kron(SIX, np.ones((48, 32), dtype=int))
    calls(planted_classifier, lambda images: seen.append(images) or np.ones((len(images), 3)))
    monkeypatch.setattr(superpixels, "segment", lambda image, seed: segments)
    for hide_color in (None, (10, 20, 30)):
        seen.clear()
        KernelSHAP(planted_classifier, None, image, RED, hide_color=hide_color).compute_saliency_map()
        hidden, whole = seen[0][0], seen[1][0]
        np.testing.assert_array_equal(whole, image)
        for index in range(6):
            expected = image[segments == index].mean(axis=0) if hide_color is None else hide_color
            np.testing.assert_allclose(hidden[segments == index], np.broadcast_to(expected, (48 * 32, 3)), rtol=1e-5)


def test_one_sample_is_refused(planted_classifier, image):
    with pytest.raises(ValueError, match="num_samples should be 2 or more, not 1"):
        KernelSHAP(planted_classifier, None, image, RED, num_samples=1)


def test_an_image_of_one_superpixel_has_an_even_map_and_the_record_says_why(play):
    explainer = play(lambda row: 0.25 + 0.5 * row[0], 1)
    saliency_map = explainer.compute_saliency_map()
    np.testing.assert_allclose(saliency_map, 0.5)
    assert explainer.describe_maps(saliency_map[None]) == [{"superpixels": 1}]


def test_superpixels_are_found_once_for_map_and_record(planted_classifier, image, monkeypatch):
    found, original = [], superpixels.segment
    monkeypatch.setattr(superpixels, "segment", lambda *given: found.append(1) or original(*given))
    explainer = KernelSHAP(planted_classifier, None, np.stack([image, image]), RED, num_samples=10)
    remarks = explainer.describe_maps(explainer.compute_saliency_map())
    assert remarks == 2 * [superpixels.describe(original(image, explainer.seed))] and len(found) == 2
