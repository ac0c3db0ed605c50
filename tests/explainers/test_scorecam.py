"""Score-CAM against a loop over channels, by hand for scores that are given, and its limit cases."""

import numpy as np
import pytest
from planted import BLUE, GREEN, RED, SIDE, assert_close, noise
from twins import at_feature_size, residual_model

import utils
from explainers.scorecam import ScoreCAM
from network.classifier import Classifier


@pytest.fixture(scope="module")
def residual():
    return Classifier(residual_model(), preprocessing="tf")  # on 0-255 its probabilities are 0 and 1


def naive_map(classifier, image, class_index, variant="paper"):
    features = classifier.features(image[None])[0]
    baseline = classifier.predict(np.zeros_like(image)[None])[0, class_index]
    gains, used = [], []
    for channel in range(features.shape[-1]):
        mask = utils.resize_map(features[..., channel], *image.shape[:2])
        if mask.max() == mask.min():
            continue
        mask = (mask - mask.min()) / (mask.max() - mask.min())
        score = classifier.predict((image * mask[..., None])[None])[0, class_index]
        gains.append(score if variant == "code" else score - baseline)
        used.append(channel)
    weights = np.array(gains) if variant == "code" else np.exp(gains) / np.exp(gains).sum()
    total = sum(weight * features[..., channel] for weight, channel in zip(weights, used))
    return np.maximum(total, 0)


# --- twins -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("variant", ["paper", "code"])
@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_the_map_is_that_of_the_naive_loop(residual, variant, batch_size):
    images = noise(2)
    explainer = ScoreCAM(residual, None, images, [2, 0], variant=variant, batch_size=batch_size)
    naive = [naive_map(residual, image, index, variant) for image, index in zip(images, [2, 0])]
    assert_close(at_feature_size(explainer), np.stack(naive), relative=1e-4)


@pytest.mark.parametrize("variant", ["paper", "code"])
def test_a_flat_channel_is_left_out(planted_classifier, image, variant):
    explainer = ScoreCAM(planted_classifier, None, image, GREEN, variant=variant)
    features = planted_classifier.features(explainer.images)[0]
    assert features[..., BLUE].max() == 0  # no blue square in the image
    np.testing.assert_array_equal(explainer.choose_channels(features), [RED, GREEN])
    assert explainer.weigh_channels(explainer.images[0], features, GREEN)[BLUE] == 0
    assert_close(at_feature_size(explainer)[0], naive_map(planted_classifier, explainer.images[0], GREEN, variant))


# --- by hand ---------------------------------------------------------------------------------------------
def test_weights_are_the_softmax_of_the_gains_over_black_or_the_scores_themselves(planted_classifier, image, calls):
    # the class has 0.2 on black, 0.2 + log 3 where red is left, 0.2 where green is
    def predict(images):
        red_is_left = (images[..., 0] > 150).any(axis=(1, 2))
        score = 0.2 + np.log(3) * red_is_left
        return np.stack([score, score, score], axis=1)

    sizes = calls(planted_classifier, predict)
    explainer = ScoreCAM(planted_classifier, None, image, RED)
    features = planted_classifier.features(explainer.images)[0]
    # gains log 3 and 0: 3 / (3 + 1) and 1 / (3 + 1)
    weights = explainer.weigh_channels(explainer.images[0], features, RED)
    np.testing.assert_allclose(weights, [0.75, 0.25, 0], atol=1e-6)
    assert sizes == [2, 1]  # the two channels, and black
    code = ScoreCAM(planted_classifier, None, image, RED, variant="code")
    weights = code.weigh_channels(code.images[0], features, RED)
    np.testing.assert_allclose(weights, [0.2 + np.log(3), 0.2, 0], atol=1e-6)
    np.testing.assert_allclose(at_feature_size(explainer)[0], features @ [0.75, 0.25, 0], atol=1e-6)


def test_masks_are_enlarged_channels_from_0_to_1(residual):
    explainer = ScoreCAM(residual, None, noise(1)[0], 0)
    features = np.random.default_rng(0).normal(size=(8, 8, 12)).astype(np.float32)
    masks = explainer.make_masks(features, np.array([3, 7]))
    assert masks.shape == (2, 32, 32)
    np.testing.assert_allclose(masks.min(axis=(1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(masks.max(axis=(1, 2)), 1, atol=1e-6)
    assert_close(masks[1], utils.normalise(utils.resize_map(features[..., 7], 32, 32)))


@pytest.mark.parametrize("variant", ["paper", "code"])
def test_an_image_in_which_all_channels_are_flat_has_the_zero_map(planted_classifier, variant):
    grey = np.full((SIDE, SIDE, 3), 90, dtype=np.uint8)
    saliency_map = ScoreCAM(planted_classifier, None, grey, RED, variant=variant).compute_saliency_map()
    np.testing.assert_array_equal(saliency_map, 0)


# --- max_n -----------------------------------------------------------------------------------------------
def test_max_n_keeps_the_channels_of_largest_variance_in_their_order(residual):
    features = np.zeros((1, 4, 5), dtype=np.float32)
    features[0, 0] = [1, 4, 0, 3, 2]  # one value among zeros: the variance grows with it
    explainer = ScoreCAM(residual, None, noise(1)[0], 0, max_n=2)
    np.testing.assert_array_equal(explainer.choose_channels(features), [1, 3])
    for max_n in (None, 4, 9):
        explainer.max_n = max_n
        np.testing.assert_array_equal(explainer.choose_channels(features), [0, 1, 3, 4])


def test_with_one_channel_the_map_is_its_positive_part(residual):
    explainer = ScoreCAM(residual, None, noise(1)[0], 1, max_n=1)
    features = residual.features(explainer.images)[0]
    channel = features.reshape(-1, 12).var(axis=0).argmax()
    assert_close(at_feature_size(explainer)[0], np.maximum(features[..., channel], 0))


def test_each_channel_used_is_one_pass(residual, calls):
    sizes = calls(residual, lambda images: np.ones((len(images), 3), dtype=np.float32))
    progress = []
    ScoreCAM(
        residual, None, noise(1), 0, max_n=7, batch_size=3, progress=lambda *counts: progress.append(counts)
    ).compute_saliency_map()
    assert sizes == [3, 3, 1, 1]  # and black
    assert progress == [(3, 7), (6, 7), (7, 7)]


@pytest.mark.parametrize("options", [{"variant": "mean"}, {"max_n": 0}, {"max_n": -1}], ids=str)
def test_options_out_of_range_are_refused(residual, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} should be"):
        ScoreCAM(residual, None, noise(1), 0, **options)
