"""Drop, MuFidelity and sensitivity: numbers worked by hand, naive loops, and the planted classifier's right map."""

import numpy as np
import pytest
from planted import GREEN, RED, picture, planted_model, predict_brightness, square

from metrics.common import Undefined
from metrics.faithfulness import calculate_drop, calculate_mufidelity, calculate_sensitivity, draw_subsets, make_cells


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def image(rng):
    return rng.integers(1, 256, (12, 15, 3)).astype(np.uint8)


@pytest.fixture
def saliency_map(rng):
    return rng.normal(size=(12, 15))


@pytest.fixture
def counted():
    """A predict that counts the images it is shown, in `counted.sizes`."""

    def predict(images):
        predict.sizes.append(len(images))
        return predict_brightness(images)

    predict.sizes = []
    return predict


# --- average drop and increase ------------------------------------------------------------------------------
def test_drop_by_hand(counted):
    image = np.full((1, 4, 3), 100, np.uint8)
    drop, increase = calculate_drop(counted, image, [[-2, 0, 2, 2]], 1)  # scaled: 0, 1/2, 1, 1
    assert drop == pytest.approx(1 - 2.5 / 4)
    assert increase == 0
    assert counted.sizes == [2]


def test_a_known_score_of_the_whole_image_is_not_asked_again(counted, image, saliency_map):
    plain = calculate_drop(predict_brightness, image, saliency_map, 1)
    whole = predict_brightness(image[None].astype(np.float32))[0, 1]
    assert calculate_drop(counted, image, saliency_map, 1, whole=whole) == pytest.approx(plain, rel=1e-6)
    assert counted.sizes == [1]


def test_a_score_that_rises_is_an_increase_without_a_drop(image, saliency_map):
    assert calculate_drop(predict_brightness, image, saliency_map, 0) == (0, 1)


def test_the_planted_map_keeps_the_score_and_its_opposite_loses_it(planted_classifier):
    image, right = picture(RED, GREEN), square(RED).astype(float)
    drop, increase = calculate_drop(planted_classifier.predict, image, right, RED)
    assert (drop, increase) == (0, 1)  # without the green square red is surer
    drop, increase = calculate_drop(planted_classifier.predict, image, 1 - right, RED)
    assert drop > 0.4
    assert increase == 0


def test_a_drop_without_a_value_says_why(image, saliency_map):
    with pytest.raises(Undefined, match="probability of the class is 0"):
        calculate_drop(lambda images: np.zeros((len(images), 2)), image, saliency_map, 0)
    with pytest.raises(Undefined, match="constant"):
        calculate_drop(predict_brightness, image, np.ones((12, 15)), 0)
    with pytest.raises(Undefined, match="not finite"):
        calculate_drop(lambda images: np.full((len(images), 2), np.nan), image, saliency_map, 0)


# --- MuFidelity ----------------------------------------------------------------------------------------------
def naive_mufidelity(image, saliency_map, class_index, subsets, cells, baseline):
    """Definition 3, subset by subset."""
    sums, falls = [], []
    for subset in subsets:
        covered = image.astype(float)
        inside = np.isin(cells, np.flatnonzero(subset))
        covered[inside] = baseline
        scores = predict_brightness(np.stack([image, covered]))[:, class_index]
        sums.append(saliency_map[inside].sum())
        falls.append(scores[0] - scores[1])
    return np.array(sums), np.array(falls)


@pytest.mark.parametrize(("grid_size", "baseline"), [(4, 0), (5, 127), (12, 255)])
@pytest.mark.parametrize("correlation", ["pearson", "spearman"])
def test_mufidelity_is_the_naive_one(image, saliency_map, grid_size, baseline, correlation):
    from scipy import stats

    options = {"n_samples": 30, "grid_size": grid_size, "share": 0.3, "baseline": baseline, "seed": 5}
    cells, subsets = make_cells(12, 15, grid_size), draw_subsets(30, grid_size**2, 0.3, 5)
    naive = naive_mufidelity(image, saliency_map, 1, subsets, cells, baseline)
    expected = getattr(stats, f"{correlation}r")(*naive).statistic
    for batch_size in (7, 64):
        score = calculate_mufidelity(
            predict_brightness, image, saliency_map, 1, **options, correlation=correlation, batch_size=batch_size
        )
        assert score == pytest.approx(expected, abs=1e-5)


def test_a_map_of_the_brightness_itself_is_faithful_to_a_classifier_that_adds_it_up(image):
    brightness = image.mean(axis=2)
    assert calculate_mufidelity(predict_brightness, image, brightness, 1, grid_size=3) == pytest.approx(1, abs=1e-6)
    assert calculate_mufidelity(predict_brightness, image, brightness, 0, grid_size=3) == pytest.approx(-1, abs=1e-6)


def test_the_planted_map_has_mufidelity_near_one_its_opposite_near_minus_one_and_noise_near_zero():
    from network.classifier import Classifier

    predict = Classifier(planted_model(scale=8.0), batch_size=64).predict  # so soft that the probability is not full
    image, right = picture(RED), square(RED).astype(float)
    options = {"grid_size": 8, "n_samples": 150}
    assert calculate_mufidelity(predict, image, right, RED, **options) > 0.95
    assert calculate_mufidelity(predict, image, -right, RED, **options) < -0.95
    noise = np.random.default_rng(1).normal(size=(20, *right.shape))
    scores = [calculate_mufidelity(predict, image, one, RED, **options) for one in noise]
    assert abs(np.mean(scores)) < 0.15


def test_mufidelity_costs_one_pass_per_subset_in_batches(counted, image, saliency_map):
    calculate_mufidelity(counted, image, saliency_map, 1, n_samples=65, batch_size=32)
    assert counted.sizes == [22, 22, 21]


def test_subsets_are_of_one_size_all_cells_alike_and_drawn_by_the_seed():
    subsets = draw_subsets(2000, 25, 0.2, 0)
    assert (subsets.sum(axis=1) == 5).all()
    np.testing.assert_allclose(subsets.mean(axis=0), 0.2, atol=0.04)
    np.testing.assert_array_equal(subsets, draw_subsets(2000, 25, 0.2, 0))
    assert (subsets != draw_subsets(2000, 25, 0.2, 1)).any()


def test_cells_cover_the_map_row_by_row():
    np.testing.assert_array_equal(make_cells(3, 5, 2), [[0, 0, 0, 1, 1], [0, 0, 0, 1, 1], [2, 2, 2, 3, 3]])


def test_mufidelity_without_a_value_says_why(image, saliency_map):
    with pytest.raises(Undefined, match="scores are the same"):
        calculate_mufidelity(lambda images: np.full((len(images), 2), 0.5), image, saliency_map, 0)
    with pytest.raises(Undefined, match="constant"):
        calculate_mufidelity(predict_brightness, image, np.ones((12, 15)), 0)
    for options, message in (
        ({"grid_size": 13}, "2 to 12"),
        ({"share": 0.001}, "takes 0"),
        ({"share": 1}, "takes 81"),
        ({"n_samples": 2}, "got 2"),
        ({"correlation": "kendall"}, "got 200 and 'kendall'"),
        ({"batch_size": 0}, "batch_size"),
    ):
        with pytest.raises(ValueError, match=message):
            calculate_mufidelity(predict_brightness, image, saliency_map, 0, **options)


# --- sensitivity ---------------------------------------------------------------------------------------------
def test_an_explanation_that_is_the_red_channel_moves_as_far_as_the_image(image):
    """A linear explainer: the largest relative change, draw by draw."""
    shown = []

    def explain(images):
        shown.append(images)
        return images[..., 0]

    ours = calculate_sensitivity(explain, np.clip(image, 10, 240), n_samples=7, radius=4, batch_size=3)
    own, moved = shown[0][0, ..., 0], np.concatenate(shown[1:])[..., 0]
    assert [len(images) for images in shown] == [1, 3, 2, 2]
    assert ours == pytest.approx(max(np.linalg.norm(one - own) for one in moved) / np.linalg.norm(own), rel=1e-6)
    differences = np.abs(np.concatenate(shown[1:]) - shown[0])
    assert 3.9 < differences.max() <= 4.001
    assert ours == pytest.approx(4 / np.sqrt(3) * np.sqrt(own.size) / np.linalg.norm(own), rel=0.2)


def test_an_explanation_that_ignores_the_image_has_no_sensitivity(image):
    assert calculate_sensitivity(lambda images: np.ones((len(images), 5, 5)), image) == 0


def test_moved_pixels_stay_in_range_and_repeat_with_the_seed(image):
    def explain(images):
        assert images.min() >= 0
        assert images.max() <= 255
        return images.mean(axis=3)

    first, again, other = (calculate_sensitivity(explain, image, radius=60, seed=seed) for seed in (0, 0, 1))
    assert first == again != other


def test_sensitivity_grows_with_the_radius(image):
    small, large = (
        calculate_sensitivity(lambda images: images.max(axis=3), image, radius=radius) for radius in (1, 20)
    )
    assert 0 < small < large


def test_sensitivity_without_a_value_says_why(image):
    with pytest.raises(Undefined, match="0 everywhere"):
        calculate_sensitivity(lambda images: np.zeros((len(images), 5, 5)), image)
    with pytest.raises(ValueError, match="finite"):
        calculate_sensitivity(lambda images: np.full((len(images), 5, 5), np.nan), image)
    with pytest.raises(ValueError, match=r"\(1, H, W\)"):
        calculate_sensitivity(lambda images: np.ones((5, 5)), image)
    with pytest.raises(ValueError, match="radius positive"):
        calculate_sensitivity(lambda images: np.ones((len(images), 5, 5)), image, radius=0)
