"""Deletion and insertion, against numbers worked by hand and a naive loop."""

import numpy as np
import pytest
from planted import predict_brightness

import constants
from metrics.common import Undefined, rank_pixels
from metrics.insertion_deletion import (
    blur_image,
    calculate_auc,
    deletion,
    insertion,
    make_kernel,
    set_n_pixels_deletion,
    set_n_pixels_insertion,
)


def predict_patch(images):
    """Class 1: the mean brightness of the patch of rows 2-3, columns 5-7; it sees nothing else."""
    return predict_brightness(images[:, 2:4, 5:8])


class Recorder:
    """A predict that keeps the images it was shown."""

    def __init__(self, predict=predict_brightness):
        self.predict, self.batches = predict, []

    def __call__(self, images):
        self.batches.append(images.copy())
        return self.predict(images)

    @property
    def images(self):
        return np.concatenate(self.batches)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def image(rng):
    return rng.integers(1, 256, (7, 9, 3)).astype(np.uint8)


@pytest.fixture
def saliency_map(rng):
    return rng.normal(size=(7, 9)).astype(np.float32)


def test_the_area_is_the_trapezoids():
    assert calculate_auc([0, 0.5, 1], [1, 0.5, 0.5]) == pytest.approx(0.375 + 0.25)
    assert calculate_auc([0, 0.9, 1], [1, 1, 0]) == pytest.approx(0.95)
    with pytest.raises(ValueError, match="one length"):
        calculate_auc([0, 1], [1, 1, 1])


def test_deletion_of_four_pixels_by_hand():
    image = np.zeros((2, 2, 3), np.uint8)
    image[..., :] = np.array([[255, 0], [0, 255]])[..., None]
    auc, scores, fractions = deletion(predict_brightness, image, np.array([[4, 3], [2, 1]]), 1, n_pixels=1)
    np.testing.assert_allclose(scores, [0.5, 0.25, 0.25, 0.25, 0])
    np.testing.assert_allclose(fractions, [0, 0.25, 0.5, 0.75, 1])
    assert auc == pytest.approx(0.25 * (0.375 + 0.25 + 0.25 + 0.125))


def test_a_curve_goes_from_the_image_to_black_and_from_blur_to_the_image(image, saliency_map):
    shown = Recorder()
    deletion(shown, image, saliency_map, 0, n_pixels=10)
    np.testing.assert_array_equal(shown.images[0], image)
    np.testing.assert_array_equal(shown.images[-1], np.zeros_like(image))
    shown = Recorder()
    insertion(shown, image, saliency_map, 0, n_pixels=10, kernel_size=5, sigma=2)
    np.testing.assert_array_equal(shown.images[0], blur_image(image.astype(np.float32), 5, 2))
    np.testing.assert_array_equal(shown.images[-1], image)
    assert shown.images.dtype == np.float32


@pytest.mark.parametrize("n_pixels", [1, 9, 10, 62, 63, 64, None])
def test_the_steps_cover_all_pixels_and_the_last_fraction_is_one(image, saliency_map, n_pixels):
    _, scores, fractions = deletion(predict_brightness, image, saliency_map, 0, n_pixels=n_pixels)
    n_steps = -(-63 // (n_pixels or 9))  # None: one row of 9 pixels
    assert len(scores) == len(fractions) == n_steps + 1
    assert (fractions[0], fractions[-1]) == (0, 1)


def test_every_pixel_leaves_exactly_once_in_order_even_where_the_map_is_negative(image, saliency_map):
    shown = Recorder()
    deletion(shown, image, saliency_map, 0, n_pixels=1)
    gone = (shown.images == 0).all(axis=3).reshape(64, 63)
    np.testing.assert_array_equal(gone.sum(axis=1), np.arange(64))
    left_at_step = gone.argmax(axis=0)
    np.testing.assert_array_equal(np.argsort(left_at_step), np.argsort(-saliency_map.ravel()))


def test_ties_are_broken_by_position():
    np.testing.assert_array_equal(rank_pixels(np.array([[0, 5, 0], [5, -1, 0]])), [1, 3, 0, 2, 5, 4])
    np.testing.assert_array_equal(rank_pixels(np.tile([0, 1], (50, 50)))[:2500], np.arange(1, 5000, 2))


def test_whole_numbers_rank_without_overflow():
    np.testing.assert_array_equal(rank_pixels(np.array([[0, 200, 100]], np.uint8)), [1, 2, 0])


@pytest.mark.parametrize("batch_size", [1, 3, 1000])
def test_the_batched_images_are_those_of_the_step_by_step_loop(image, saliency_map, batch_size):
    start, order = image.astype(np.float32), rank_pixels(saliency_map)
    naive = [start]
    while order.size:
        step, order = set_n_pixels_deletion(naive[-1], order, 10)
        naive.append(step)
    shown = Recorder()
    _, scores, _ = deletion(shown, image, saliency_map, 1, n_pixels=10, batch_size=batch_size)
    np.testing.assert_array_equal(shown.images, naive)
    np.testing.assert_allclose(scores, predict_brightness(np.array(naive))[:, 1])

    order = rank_pixels(saliency_map)
    naive = [blur_image(start, 5, 2.0)]
    while order.size:
        step, order = set_n_pixels_insertion(start, naive[-1], order, 10)
        naive.append(step)
    shown = Recorder()
    insertion(shown, image, saliency_map, 1, n_pixels=10, batch_size=batch_size, kernel_size=5, sigma=2.0)
    np.testing.assert_array_equal(shown.images, naive)


def test_one_step_leaves_its_image_as_it_was(image, saliency_map):
    before, order = image.copy(), rank_pixels(saliency_map)
    stepped, rest = set_n_pixels_deletion(image, order, 4)
    np.testing.assert_array_equal(image, before)
    assert (stepped == 0).all(axis=2).sum() == 4
    np.testing.assert_array_equal(rest, order[4:])


def test_batches_are_full_and_no_image_comes_alone(image, saliency_map):
    shown = Recorder()
    deletion(shown, image, saliency_map, 0, n_pixels=2, batch_size=32)  # 33 images
    assert [len(batch) for batch in shown.batches] == [17, 16]


def test_deleting_the_right_pixels_drops_the_score_at_once():
    image = np.full((8, 10, 3), 255, np.uint8)
    right = np.zeros((8, 10))
    right[2:4, 5:8] = 1
    best, scores, _ = deletion(predict_patch, image, right, 1, n_pixels=6)
    np.testing.assert_array_equal(scores, [1] + [0] * (len(scores) - 1))
    uniform, _, _ = deletion(predict_patch, image, np.zeros((8, 10)), 1, n_pixels=6)
    worst, _, _ = deletion(predict_patch, image, -right, 1, n_pixels=6)
    assert best == pytest.approx(0.5 * 6 / 80)
    assert best < uniform < worst


def test_inserting_the_right_pixels_raises_the_score_at_once(rng):
    image = np.zeros((8, 10, 3), np.uint8)
    image[2:4, 5:8] = 255
    right = image[..., 0].astype(np.float32)
    best, scores, _ = insertion(predict_patch, image, right, 1, n_pixels=6)
    assert scores[0] < 0.9
    np.testing.assert_allclose(scores[1:], 1)
    assert best > insertion(predict_patch, image, -right, 1, n_pixels=6)[0]


@pytest.mark.parametrize("metric, where", [(deletion, 0), (insertion, -1)])
def test_a_known_score_of_the_whole_image_is_not_asked_again(image, saliency_map, metric, where):
    plain, recorder = metric(predict_brightness, image, saliency_map, 1), Recorder()
    whole = plain[1][where]
    known = metric(recorder, image, saliency_map, 1, whole=whole)
    assert known[0] == plain[0] and all(np.array_equal(a, b) for a, b in zip(known[1:], plain[1:]))
    assert len(recorder.images) == len(plain[1]) - 1
    assert not any(np.array_equal(shown, image) for shown in recorder.images)
    assert metric(recorder, image, saliency_map, 1, whole=0.25)[1][where] == 0.25


def test_the_class_asked_for_is_the_class_judged(image, saliency_map):
    dark, light = (deletion(predict_brightness, image, saliency_map, index)[0] for index in (0, 1))
    assert dark + light == pytest.approx(1)


def test_the_image_and_the_map_are_left_alone(image, saliency_map):
    copies = image.copy(), saliency_map.copy()
    insertion(predict_brightness, image, saliency_map, 0)
    np.testing.assert_array_equal(image, copies[0])
    np.testing.assert_array_equal(saliency_map, copies[1])


@pytest.mark.parametrize("protocol", constants.FAITHFULNESS_PROTOCOLS.values(), ids=constants.FAITHFULNESS_PROTOCOLS)
def test_every_protocol_runs_even_on_an_image_smaller_than_its_kernel(image, saliency_map, protocol):
    auc, _, fractions = insertion(predict_brightness, image, saliency_map, 1, **protocol)
    assert 0 <= auc <= 1
    assert fractions[-1] == 1


def test_a_flat_image_stays_flat_to_its_borders_under_blur():
    np.testing.assert_allclose(blur_image(np.full((20, 30, 3), 200, np.float32), 11, 5.0), 200, rtol=1e-5)
    with pytest.raises(ValueError, match="odd.*got 10"):
        blur_image(np.zeros((4, 4, 3), np.float32), 10, 5.0)


# --- the RISE authors' program -----------------------------------------------------------------------------------
def test_the_authors_kernel_by_their_steps():
    # scipy's gaussian_filter along one axis: weights to 4 sigma, the grid reflected at its ends (d c b a | a b c d)
    reach = np.arange(-20, 21)
    weights = np.exp(-0.5 * (reach / 5.0) ** 2)
    weights /= weights.sum()
    places = (5 + reach) % 22
    row = np.zeros(11)
    np.add.at(row, np.where(places < 11, places, 21 - places), weights)
    kernel = make_kernel(11, 5.0)
    np.testing.assert_allclose(kernel, np.outer(row, row), rtol=1e-6)
    assert kernel.sum() == pytest.approx(1) and kernel[5, 5] / kernel[0, 0] == pytest.approx(1.14, abs=0.005)


def test_with_a_mean_colour_insertion_and_deletion_are_the_authors_on_normalised_pixels(rng):
    """Their loop: zeros for deleted pixels, a blur with zeros beyond the border, on (x - mean) / std."""
    image = rng.integers(0, 256, (14, 14, 3)).astype(np.float32)
    saliency_map = rng.normal(size=(14, 14))
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    matrix = rng.normal(size=(14 * 14 * 3, 4)) / 20

    def model(normalised):
        logits = normalised.reshape(len(normalised), -1) @ matrix
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def predict(images):
        return model((images - mean) / std)

    normalised, kernel, padded = (image - mean) / std, make_kernel(11, 5.0), np.zeros((24, 24, 3))
    padded[5:-5, 5:-5] = normalised
    blurred = np.zeros_like(normalised)
    for row in range(14):
        for column in range(14):
            blurred[row, column] = np.einsum("ij,ijc->c", kernel, padded[row : row + 11, column : column + 11])
    order = np.argsort(-saliency_map.ravel())
    for metric, start, finish in ((deletion, normalised, np.zeros_like(normalised)), (insertion, blurred, normalised)):
        shown, scores = start.reshape(-1, 3).copy(), []
        for step in range(15):
            scores.append(model(shown.reshape(1, 14, 14, 3))[0, 2])
            shown[order[14 * step : 14 * (step + 1)]] = finish.reshape(-1, 3)[order[14 * step : 14 * (step + 1)]]
        scores = np.array(scores)
        area = (scores.sum() - scores[0] / 2 - scores[-1] / 2) / (len(scores) - 1)
        auc, found, _ = metric(predict, image, saliency_map, 2, mean_colour=mean)
        np.testing.assert_allclose(found, scores, atol=1e-5)
        assert auc == pytest.approx(area, abs=1e-5)
        assert auc != pytest.approx(metric(predict, image, saliency_map, 2)[0], abs=1e-3)


def test_an_image_of_the_mean_colour_is_not_changed_by_the_authors_blur():
    image = np.empty((20, 30, 3), np.float32)
    image[:] = 10, 200, 90
    np.testing.assert_allclose(blur_image(image, 11, 5.0, (10, 200, 90)), image, rtol=1e-5)
    assert blur_image(image, 11, 5.0, (0, 0, 0))[0, 0, 1] < 120  # darker at the border


def test_arguments_that_do_not_fit_are_named(image, saliency_map):
    with pytest.raises(ValueError, match=r"\(7, 9\).*\(9, 7\)"):
        deletion(predict_brightness, image, saliency_map.T, 0)
    with pytest.raises(ValueError, match=r"\(H, W, 3\); got \(1, 7, 9, 3\)"):
        deletion(predict_brightness, image[None], saliency_map, 0)
    with pytest.raises(ValueError, match="NaN"):
        deletion(predict_brightness, image, np.where(saliency_map > 0, np.nan, 0), 0)
    for class_index in (2, -1):
        with pytest.raises(ValueError, match=f"0-1; got {class_index}"):
            deletion(predict_brightness, image, saliency_map, class_index)
    for n_pixels in (0, -5, 2.5):
        with pytest.raises(ValueError, match=f"got {n_pixels}"):
            deletion(predict_brightness, image, saliency_map, 0, n_pixels=n_pixels)
    with pytest.raises(ValueError, match=r"predict must return \(8, C\)"):
        deletion(lambda images: np.zeros(len(images)), image, saliency_map, 0)


def test_scores_that_are_not_finite_leave_the_metric_undefined(image, saliency_map):
    with pytest.raises(Undefined, match="not finite"):
        deletion(lambda images: np.full((len(images), 2), np.nan), image, saliency_map, 0)
