"""FEM against numbers worked by hand and a naive loop."""

import numpy as np
import pytest
from planted import GREEN, RED, SIDE, assert_close, noise, residual_network, square

from fem import FEM
from network.classifier import Classifier


@pytest.fixture
def explainer(planted_classifier, image):
    return FEM(planted_classifier, None, image)


def channel(*values):
    """A channel of 2 rows as features (1, 2, w, 1)."""
    return np.array(values, dtype=np.float32).reshape(1, 2, -1, 1)


def map_of(explainer, features):
    return explainer.aggregate_binary_maps(explainer.compute_binary_maps(features), features)


def test_by_hand(explainer):
    features = channel(8, 0, 0, 0, 0, 0, 0, 0)  # mean 1, variance (49 + 7) / 8 = 7: threshold 1 + 2 sqrt(7) = 6.29
    np.testing.assert_array_equal(map_of(explainer, features)[0], [[1, 0, 0, 0], [0, 0, 0, 0]])
    both = np.concatenate([features, 2 * features[:, ::-1, ::-1]], axis=-1)  # a second channel: weight 2, last position
    np.testing.assert_array_equal(map_of(explainer, both)[0], [[1, 0, 0, 0], [0, 0, 0, 2]])


def test_the_deviation_is_that_of_the_population(planted_classifier, image):
    # mean 0.25, population deviation 0.433, sample deviation 0.5: k = 1.6 marks the 1 only with the first
    features = channel(1, 0, 0, 0)
    explainer = FEM(planted_classifier, None, image, k=1.6)
    assert explainer.compute_binary_maps(features).sum() == 1
    assert features.std() == pytest.approx(0.4330127)
    assert FEM(planted_classifier, None, image, k=1.8).compute_binary_maps(features).sum() == 0


def test_k_says_how_far_above_the_mean(planted_classifier, image):
    features = channel(1, 2, 3, 4, 5, 6, 7, 8)  # mean 4.5, deviation 2.29
    marked = {k: FEM(planted_classifier, None, image, k=k).compute_binary_maps(features).sum() for k in (0, 1, 1.5, 2)}
    assert marked == {0: 4, 1: 2, 1.5: 1, 2: 0}


@pytest.mark.parametrize("value", [0, 1, -3, 0.1, 1e-3 / 3, 12345.678])
def test_a_constant_channel_contributes_nothing(planted_classifier, image, value):
    features = np.full((1, 7, 7, 1), value, dtype=np.float32)
    for k in (0, 2):
        assert map_of(FEM(planted_classifier, None, image, k=k), features).max() == 0


def test_values_are_expanded_to_every_position(explainer):
    values = np.array([[1, 2], [3, 4]])
    expanded = explainer.expand_flat_values_to_activation_shape(values, 5, 6)
    assert expanded.shape == (2, 5, 6, 2)
    assert (expanded == values[:, None, None]).all()


def test_the_map_is_that_of_the_naive_loop():
    classifier = Classifier(residual_network())
    explainer = FEM(classifier, None, noise(2), k=1.0)
    maps = explainer.explain_batch(explainer.images, explainer.class_indices)
    for features, saliency_map in zip(classifier.features(noise(2)).astype(np.float64), maps):
        naive = np.zeros((8, 8))
        for k in range(features.shape[-1]):
            mean = features[..., k].mean()
            deviation = np.sqrt(np.mean((features[..., k] - mean) ** 2))
            for row in range(8):
                for column in range(8):
                    if features[row, column, k] > mean + deviation:
                        naive[row, column] += mean
        assert_close(saliency_map, naive)


def test_the_planted_squares_carry_the_mean_of_their_channel(explainer):
    saliency_map = explainer.explain_batch(explainer.images, explainer.class_indices)[0]
    amount = (220 - 2 * 30) / 255 * 4 / 64
    expected = np.zeros((8, 8))
    expected[1:3, 4:6] = expected[5:7, 1:3] = amount
    np.testing.assert_allclose(saliency_map, expected, atol=1e-5)
    enlarged = explainer.compute_saliency_map()
    assert enlarged.shape == (SIDE, SIDE)
    assert enlarged[square(RED)].mean() == pytest.approx(enlarged[square(GREEN)].mean(), rel=1e-4)


def test_no_class_is_needed_and_a_wrong_one_is_still_refused(planted_classifier, image):
    assert FEM(planted_classifier, None, image).compute_saliency_map().max() > 0
    with pytest.raises(ValueError, match=r"0\.\.2"):
        FEM(planted_classifier, None, image, 3)


def test_a_negative_k_is_refused(planted_classifier, image):
    with pytest.raises(ValueError, match="k should be 0 or more, not -1"):
        FEM(planted_classifier, None, image, k=-1)
