"""ROAD: the imputation against a dense solution of its equations, the curves against a naive loop and limit cases."""

import numpy as np
import pytest
from planted import GREEN, RED, picture, predict_brightness, square

from metrics.common import Undefined
from metrics.road import LinearImputer, calculate_road, order_by_dissection


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def image(rng):
    return rng.integers(40, 200, (9, 11, 3)).astype(np.float32)


@pytest.fixture
def saliency_map(rng):
    return rng.normal(size=(9, 11))


def naive_imputation(image, missing):
    """Every missing pixel's equation, neighbour by neighbour, solved as one dense system."""
    height, width, _ = image.shape
    system, right = np.eye(len(missing)), np.zeros((len(missing), 3))
    place = {index: row for row, index in enumerate(missing)}
    for index, row in place.items():
        y, x = divmod(index, width)
        around = [
            (y + dy, x + dx, (1 / 6 if 0 in (dy, dx) else 1 / 12))
            for dy in (-1, 0, 1)
            for dx in (-1, 0, 1)
            if (dy, dx) != (0, 0) and 0 <= y + dy < height and 0 <= x + dx < width
        ]
        total = sum(weight for *_, weight in around)
        for ny, nx, weight in around:
            if ny * width + nx in place:
                system[row, place[ny * width + nx]] -= weight / total
            else:
                right[row] += weight / total * image[ny, nx]
    filled = image.reshape(-1, 3).astype(np.float64)
    filled[list(missing)] = np.linalg.solve(system, right)
    return filled.reshape(image.shape)


@pytest.mark.parametrize("n_missing", [1, 20, 60, 98])
def test_missing_pixels_are_the_means_of_their_neighbours(image, rng, n_missing):
    missing = rng.permutation(99)[:n_missing]
    filled = LinearImputer(9, 11).impute(image, missing)
    np.testing.assert_allclose(filled, naive_imputation(image, missing), atol=2e-3)
    kept = np.setdiff1d(np.arange(99), missing)
    np.testing.assert_array_equal(filled.reshape(-1, 3)[kept], image.reshape(-1, 3)[kept])


def test_one_pixel_by_hand():
    image = np.zeros((3, 3, 3), np.float32)
    image[0, 1], image[0, 0], image[1, 1] = 60, 120, 255
    filled = LinearImputer(3, 3).impute(image, [4])
    np.testing.assert_allclose(filled[1, 1], 60 / 6 + 120 / 12, rtol=1e-5)
    corner = LinearImputer(3, 3).impute(image, [0])  # it has three neighbours: 1/6, 1/6 and 1/12 of 5/12
    np.testing.assert_allclose(corner[0, 0], (2 * 60 + 0 + 1 * 255) / 5, rtol=1e-5)


def test_a_ramp_goes_on_through_a_hole():
    ramp = np.repeat(np.linspace(50, 200, 30)[None, :, None], 20, axis=0).repeat(3, axis=2).astype(np.float32)
    hole = np.zeros((20, 30), bool)
    hole[5:15, 8:22] = True
    filled = LinearImputer(20, 30).impute(ramp, np.flatnonzero(hole))
    np.testing.assert_allclose(filled, ramp, atol=0.05)


@pytest.mark.parametrize("shape", [(1, 1), (5, 40), (40, 5), (37, 23)])
def test_dissection_takes_every_pixel_once_and_the_middle_last(shape):
    order = order_by_dissection(np.arange(np.prod(shape)).reshape(shape))
    np.testing.assert_array_equal(np.sort(order), np.arange(np.prod(shape)))
    if shape == (37, 23):
        np.testing.assert_array_equal(order[-23:], np.arange(18 * 23, 19 * 23))


def test_the_curves_are_the_naive_ones(image, saliency_map):
    percentages = (10, 45, 80)
    score, morf, lerf, fractions = calculate_road(
        predict_brightness, image, saliency_map, 1, percentages=percentages, noise=0
    )
    by_saliency = np.argsort(saliency_map.ravel())
    for index, n_missing in enumerate((10, 45, 79)):
        assert fractions[index] == n_missing / 99
        most = naive_imputation(image, by_saliency[-n_missing:])
        least = naive_imputation(image, by_saliency[:n_missing])
        expected = predict_brightness(np.stack([most, least]))[:, 1]
        np.testing.assert_allclose([morf[index], lerf[index]], expected, atol=1e-5)
    assert score == pytest.approx(np.mean(lerf - morf))


def test_noise_is_added_to_what_is_imputed_alone_and_repeats_with_the_seed(image, saliency_map):
    shown = []

    def predict(images):
        shown.append(images.copy())
        return predict_brightness(images)

    for noise, seed in ((0, 0), (2.5, 0), (2.5, 0), (2.5, 1)):
        calculate_road(predict, image, saliency_map, 0, percentages=[60], noise=noise, seed=seed)
    clean, noisy, again, other = shown
    np.testing.assert_array_equal(noisy, again)
    assert (noisy != other).any()
    added = noisy - clean
    assert (added[0][saliency_map < np.quantile(saliency_map, 0.35)] == 0).all()
    assert np.std(added[added != 0]) == pytest.approx(2.5, rel=0.1)


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_images_come_in_batches_in_range_and_give_the_same_score(image, saliency_map, batch_size):
    sizes = []

    def predict(images):
        assert images.min() >= 0
        assert images.max() <= 255
        assert images.dtype == np.float32
        sizes.append(len(images))
        return predict_brightness(images)

    extreme = np.where(image > 120, 255, 0)
    score, *_ = calculate_road(predict, extreme, saliency_map, 1, batch_size=batch_size, noise=30)
    assert sum(sizes) == 18
    assert max(sizes) <= batch_size
    assert score == calculate_road(predict_brightness, extreme, saliency_map, 1, noise=30)[0]


def test_the_planted_map_scores_above_noise_and_noise_above_its_opposite(planted_classifier, rng):
    image, right = picture(RED, GREEN), square(RED).astype(float)
    scores = [
        calculate_road(planted_classifier.predict, image, one, RED, percentages=(10, 30, 50))[0]
        for one in (right, rng.normal(size=right.shape), -right)
    ]
    assert scores[0] > 0.4
    assert scores[0] > scores[1] > scores[2]
    assert scores[2] == pytest.approx(-scores[0], abs=0.1)


def test_what_does_not_fit_is_named(image, saliency_map):
    with pytest.raises(Undefined, match="constant"):
        calculate_road(predict_brightness, image, np.ones((9, 11)), 0)
    with pytest.raises(Undefined, match="not finite"):
        calculate_road(lambda images: np.full((len(images), 2), np.nan), image, saliency_map, 0)
    for percentages in ((), (0,), (100,), (10, 120)):
        with pytest.raises(ValueError, match="percentages"):
            calculate_road(predict_brightness, image, saliency_map, 0, percentages=percentages)
    with pytest.raises(ValueError, match="and -1"):
        calculate_road(predict_brightness, image, saliency_map, 0, noise=-1)
    with pytest.raises(ValueError, match="must fit"):
        calculate_road(predict_brightness, image, saliency_map.T, 0)


def test_the_score_is_twice_road_combined(image, saliency_map):
    score, morf, lerf, _ = calculate_road(predict_brightness, image, saliency_map, 1, percentages=(20, 50))
    # pytorch-grad-cam: of each share half the change of the score, least relevant minus most relevant first; the mean
    whole = predict_brightness(image[None])[0, 1]
    combined = np.mean([((least - whole) - (most - whole)) / 2 for least, most in zip(lerf, morf)])
    assert score == pytest.approx(2 * combined) and score != 0
