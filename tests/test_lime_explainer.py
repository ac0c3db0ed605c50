"""LIME against the package's own loop, and what its options and its seed fix."""

import numpy as np
import pytest
from lime.lime_image import LimeImageExplainer
from planted import BLUE, GREEN, RED, SIDE, picture, square
from skimage.segmentation import quickshift

from explainers.superpixels import LIME_QUICKSHIFT
from lime_explainer import LimeExplainer


def quick(classifier, image, class_index, **options):
    return LimeExplainer(classifier, None, image, class_index, **{"num_samples": 60, "hide_color": 100, **options})


def coefficients_of(explanation, class_index):
    return dict(explanation.local_exp[class_index])


# --- twins -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("hide_color", [None, 0, (10, 200, 30)])
@pytest.mark.parametrize("num_lime_features", [100_000, 3])
def test_coefficients_are_those_of_the_packages_own_loop(planted_classifier, image, hide_color, num_lime_features):
    explainer = quick(
        planted_classifier, image, GREEN, hide_color=hide_color, num_lime_features=num_lime_features, seed=4
    )
    ours = explainer.get_lime_explanation(explainer.images[0], GREEN)
    theirs = LimeImageExplainer(random_state=np.random.RandomState(4)).explain_instance(
        explainer.images[0],
        planted_classifier.predict,
        labels=(GREEN,),
        top_labels=None,
        hide_color=hide_color,
        num_features=num_lime_features,
        num_samples=60,
        segmentation_fn=explainer.segment,
    )
    expected = coefficients_of(theirs, GREEN)
    assert coefficients_of(ours, GREEN) == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert max(np.abs(list(expected.values()))) > 0.02 or hide_color is None
    assert ours.intercept[GREEN] == pytest.approx(theirs.intercept[GREEN], abs=1e-6)
    np.testing.assert_array_equal(ours.segments, theirs.segments)


def test_superpixels_are_quickshift_on_the_image_in_0_to_1(planted_classifier, image):
    segments = quick(planted_classifier, image, RED, seed=9).segment(image)
    expected = quickshift(image / 255, kernel_size=4, max_dist=200, ratio=0.2, rng=9)
    np.testing.assert_array_equal(segments, expected)
    assert LIME_QUICKSHIFT == {"kernel_size": 4, "max_dist": 200, "ratio": 0.2}
    assert len(np.unique(segments)) > 4


def test_the_map_of_a_pixel_is_the_coefficient_of_its_superpixel(planted_classifier, image):
    explainer = quick(planted_classifier, image, RED)
    explanation = explainer.get_lime_explanation(explainer.images[0], RED)
    saliency_map = explainer.compute_saliency_map()
    for segment, coefficient in coefficients_of(explanation, RED).items():
        np.testing.assert_allclose(saliency_map[explanation.segments == segment], coefficient, rtol=1e-5, atol=1e-8)


# --- seed ------------------------------------------------------------------------------------------------
def test_one_seed_fixes_segmentation_and_sampling(planted_classifier, monkeypatch):
    seen = []
    noisy = picture(RED, GREEN)
    original = LimeExplainer.perturb

    def perturb(self, shown, *parts):
        seen.append(shown)
        return original(self, shown, *parts)

    monkeypatch.setattr(LimeExplainer, "perturb", perturb)
    for seed in (0, 0, 1):
        quick(planted_classifier, noisy, RED, seed=seed, batch_size=60).compute_saliency_map()
        np.random.seed(len(seen))  # noqa: NPY002 - the global generator plays no part
    np.testing.assert_array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])
    flat = np.full((SIDE, SIDE, 3), 50, dtype=np.uint8)  # here quickshift's own chance decides
    segments = [quick(planted_classifier, flat, RED, seed=seed).segment(flat) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(segments[0], segments[1])
    assert not np.array_equal(segments[0], segments[2])


# --- samples ---------------------------------------------------------------------------------------------
def test_samples_are_scored_in_whole_batches(planted_classifier, image, calls):
    sizes = calls(planted_classifier, lambda images: np.full((len(images), 3), 1 / 3, dtype=np.float32))
    progress = []
    quick(
        planted_classifier,
        image,
        RED,
        num_samples=1000,
        batch_size=64,
        progress=lambda *counts: progress.append(counts),
    ).compute_saliency_map()
    assert sizes == [1] + [64] * 15 + [40]  # the image itself, for its top labels, and the samples
    assert progress[-1] == (1000, 1000)


def test_the_first_sample_is_the_image_itself(planted_classifier, image, calls):
    seen = []
    calls(planted_classifier, lambda images: seen.append(images) or np.full((len(images), 3), 1 / 3, np.float32))
    quick(planted_classifier, image, RED).compute_saliency_map()
    np.testing.assert_array_equal(seen[1][0], image)


def test_a_hidden_superpixel_shows_its_mean_or_the_colour(planted_classifier, image):
    explainer = quick(planted_classifier, image, RED)
    segments = np.zeros((SIDE, SIDE), dtype=int)
    segments[:, SIDE // 2 :] = 1
    hidden = np.full((SIDE, SIDE, 3), 7, dtype=np.float32)
    both, left, none = explainer.perturb(np.array([[1, 1], [1, 0], [0, 0]]), explainer.images[0], hidden, segments)
    np.testing.assert_array_equal(both, image)
    np.testing.assert_array_equal(left[:, : SIDE // 2], image[:, : SIDE // 2])
    np.testing.assert_array_equal(left[:, SIDE // 2 :], 7)
    np.testing.assert_array_equal(none, 7)


def test_an_even_square_is_hidden_by_a_colour_but_not_by_its_own_mean(planted_classifier, image):
    grey = quick(planted_classifier, image, RED, hide_color=100).compute_saliency_map()
    mean = quick(planted_classifier, image, RED, hide_color=None).compute_saliency_map()
    assert grey[square(RED)].mean() > 0.2
    assert abs(mean[square(RED)].mean()) < 0.05


# --- options ---------------------------------------------------------------------------------------------
def test_superpixels_beyond_num_lime_features_are_zero(planted_classifier, image):
    full = quick(planted_classifier, image, RED)
    assert len(np.unique(full.compute_saliency_map())) > 4
    for number in (1, 2):
        explainer = quick(planted_classifier, image, RED, num_lime_features=number)
        saliency_map = explainer.compute_saliency_map()
        explanation = explainer.get_lime_explanation(explainer.images[0], RED)
        kept = list(coefficients_of(explanation, RED))
        assert len(kept) == number
        assert (saliency_map[~np.isin(explanation.segments, kept)] == 0).all()
        assert saliency_map.any()


def test_a_class_that_is_not_among_the_top_labels_is_explained(planted_classifier, image):
    explainer = quick(planted_classifier, image, BLUE, top_labels=1)
    explanation = explainer.get_lime_explanation(explainer.images[0], BLUE)
    assert BLUE not in explanation.top_labels
    assert len(explanation.top_labels) == 1
    assert set(explanation.local_exp) == {BLUE, *explanation.top_labels}
    assert explainer.compute_saliency_map()[square(RED)].mean() < 0


@pytest.mark.parametrize("top_labels", [0, 1, 3, 50])
def test_top_labels_are_the_most_probable(planted_classifier, top_labels):
    image = picture(GREEN)
    explainer = quick(planted_classifier, image, RED, top_labels=top_labels)
    explanation = explainer.get_lime_explanation(explainer.images[0], RED)
    assert len(explanation.top_labels) == min(top_labels, 3)
    assert list(explanation.top_labels)[:1] == [GREEN][:top_labels]


def test_the_mask_holds_the_best_superpixels(planted_classifier, image):
    ((_, positive),) = quick(planted_classifier, image, RED, num_superpixels=1).explain_with_lime()
    ((_, negative),) = quick(
        planted_classifier, image, RED, num_superpixels=1, positive_only=False, negative_only=True
    ).explain_with_lime()
    ((_, both),) = quick(planted_classifier, image, RED, num_superpixels=2, positive_only=False).explain_with_lime()
    assert positive.shape == (SIDE, SIDE)
    assert set(np.unique(positive)) == {0, 1}
    assert positive[square(RED)].mean() > 0.95
    assert positive[square(GREEN)].max() == 0
    assert (np.abs(negative)[square(GREEN)] == 1).mean() > 0.95
    assert negative[square(RED)].max() == 0
    assert both[square(RED)].mean() > 0.95
    assert both[square(GREEN)].mean() < -0.95


def test_the_picture_hides_the_rest_only_if_told(planted_classifier, image):
    ((shown, mask),) = quick(planted_classifier, image, RED, num_superpixels=1).explain_with_lime()
    ((hidden, _),) = quick(planted_classifier, image, RED, num_superpixels=1, hide_rest=True).explain_with_lime()
    np.testing.assert_array_equal(shown, image)
    np.testing.assert_array_equal(hidden[mask == 1], image[mask == 1])
    assert (hidden[mask == 0] == 0).all()


def test_every_image_of_a_batch_has_its_picture(planted_classifier, images):
    pictures = quick(planted_classifier, images, [RED, GREEN, BLUE]).explain_with_lime()
    assert [(picture.shape, mask.shape) for picture, mask in pictures] == [((SIDE, SIDE, 3), (SIDE, SIDE))] * 3


# --- limits ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("num_lime_features", [100_000, 1])
def test_an_image_of_one_superpixel_has_an_even_map(planted_classifier, monkeypatch, num_lime_features):
    monkeypatch.setattr(LimeExplainer, "segment", lambda self, image: np.zeros(image.shape[:2], dtype=int))
    explainer = quick(planted_classifier, picture(RED), RED, num_lime_features=num_lime_features)
    saliency_map = explainer.compute_saliency_map()
    assert len(np.unique(saliency_map)) == 1
    assert saliency_map[0, 0] > 0
    assert explainer.describe_maps(saliency_map[None]) == [{"superpixels": 1}], "the record says why"


@pytest.mark.parametrize("value", [0, 90, 255])
def test_a_constant_image_has_a_finite_map(planted_classifier, value):
    image = np.full((SIDE, SIDE, 3), value, dtype=np.uint8)
    assert np.abs(quick(planted_classifier, image, RED, hide_color=None).compute_saliency_map()).max() < 1e-3


@pytest.mark.parametrize("num_samples", [1, 2])
def test_very_few_samples_still_give_a_map(planted_classifier, image, num_samples):
    assert np.isfinite(quick(planted_classifier, image, RED, num_samples=num_samples).compute_saliency_map()).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_samples": 0}, "should be 1 or more"),
        ({"num_lime_features": 0}, "should be 1 or more"),
        ({"num_superpixels": 0}, "should be 1 or more"),
        ({"top_labels": -1}, "top_labels 0 or more"),
        ({"positive_only": True, "negative_only": True}, "exclude each other"),
        ({"hide_color": (1, 2)}, r"a grey value or an RGB colour, not \(1, 2\)"),
    ],
)
def test_options_out_of_range_are_refused(planted_classifier, image, options, words):
    with pytest.raises(ValueError, match=words):
        quick(planted_classifier, image, RED, **options)
