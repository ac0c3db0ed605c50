"""SmoothGrad against a loop with the same noise, over every gradient method, and without noise."""

import numpy as np
import pytest
from planted import assert_close, noise
from twins import linear_model, residual_model, smooth_model

import constants
from explainers.registry import METHODS
from explainers.smoothgrad import SmoothGrad
from explainers.vanilla_gradient import VanillaGradient
from network.classifier import Classifier


@pytest.fixture(scope="module")
def residual():
    return Classifier(residual_model())


def plain(over, classifier, images, class_index):
    return METHODS[over].load()(classifier, None, images, class_index)


# --- twins -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("variant", constants.SMOOTHGRAD_VARIANTS)
@pytest.mark.parametrize("over", constants.SMOOTHGRAD_METHODS)
def test_the_map_is_that_of_the_naive_loop_over_the_same_noise(residual, over, variant):
    image = noise(1)[0] / 2 + 40
    sigma = 0.1 * (image.max() - image.min())
    generator, method, total = np.random.default_rng(9), plain(over, residual, image, 1), np.zeros((32, 32, 3))
    for _ in range(4):
        noisy = image + sigma * generator.standard_normal((32, 32, 3), dtype=np.float32)
        gradients = method.compute_gradients(noisy[None].astype(np.float32), method.class_indices)[0]
        total += {"mean": gradients, "squared": gradients**2, "absolute": abs(gradients)}[variant]
    signed = over in ("GRADIENT_INPUT", "INTEGRATED_GRADIENTS")
    naive = (total / 4 * image).sum(axis=-1) if signed else np.abs(total / 4).max(axis=-1)
    explainer = SmoothGrad(residual, None, image, 1, over=over, variant=variant, n_samples=4, noise=0.1, seed=9)
    assert_close(explainer.compute_saliency_map(), naive, relative=1e-4)
    assert explainer.signed == (signed and variant == "mean")


@pytest.mark.parametrize("over", constants.SMOOTHGRAD_METHODS)
def test_without_noise_it_is_the_plain_method(residual, over):
    images, classes = noise(2), [2, 0]
    smoothed = SmoothGrad(residual, None, images, classes, over=over, noise=0, n_samples=2).compute_saliency_map()
    assert_close(smoothed, plain(over, residual, images, classes).compute_saliency_map())


def test_a_linear_network_does_not_notice_the_noise():
    model = linear_model()
    smoothed = SmoothGrad(model, None, noise(1, side=2)[0], 1, n_samples=3).compute_saliency_map()
    assert_close(smoothed, VanillaGradient(model, None, noise(1, side=2)[0], 1).compute_saliency_map())


# --- noise -----------------------------------------------------------------------------------------------
def test_the_noise_is_a_share_of_what_lies_between_the_images_darkest_and_brightest_value(monkeypatch):
    images = np.stack([np.full((4, 4, 3), 50), np.full((4, 4, 3), 50), np.full((4, 4, 3), 7)]).astype(np.float32)
    images[0, 0, 0, 0], images[1, 0, 0, 0] = 150, 250
    seen = []

    def see(self, noisy, class_index):
        seen.append(noisy - images)
        return np.zeros_like(noisy)

    monkeypatch.setattr(VanillaGradient, "compute_gradients", see)
    SmoothGrad(smooth_model(), None, images, 0, n_samples=400, noise=0.1).compute_saliency_map()
    # 0.1 * 100, 0.1 * 200 and, for an even image, nothing
    np.testing.assert_allclose(np.std(seen, axis=(0, 2, 3, 4)), [10, 20, 0], rtol=0.03)
    np.testing.assert_allclose(np.mean(seen, axis=(0, 2, 3, 4)), 0, atol=0.5)
    assert np.std([sample[0, 1, 1, 1] for sample in seen]) > 5  # other noise for each sample


def test_what_else_is_in_the_batch_does_not_change_a_map(residual):
    images = noise(3)
    options = {"n_samples": 3, "noise": 0.2}
    together = SmoothGrad(residual, None, images, [0, 1, 2], **options).compute_saliency_map()
    for index in range(3):
        assert_close(
            SmoothGrad(residual, None, images[index], index, **options).compute_saliency_map(), together[index]
        )


def test_the_more_samples_the_less_the_seed_matters(residual):
    def spread(n_samples):
        maps = [
            SmoothGrad(residual, None, noise(1)[0], 0, n_samples=n_samples, seed=seed).compute_saliency_map()
            for seed in (0, 1)
        ]
        return np.abs(maps[0] - maps[1]).mean() / np.abs(maps[0]).mean()

    assert spread(64) < 0.5 * spread(2)


def test_progress_counts_the_samples(residual):
    seen = []
    SmoothGrad(
        residual, None, noise(1), 0, n_samples=3, progress=lambda *counts: seen.append(counts)
    ).compute_saliency_map()
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    "options",
    [{"n_samples": 0}, {"noise": -0.1}, {"variant": "median"}, {"over": "GRADCAM"}, {"over": "SMOOTHGRAD"}],
    ids=str,
)
def test_options_out_of_range_are_refused(residual, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} .*(given: |not ')"):
        SmoothGrad(residual, None, noise(1), 0, **options)


def test_over_a_method_that_the_model_does_not_suit_it_is_refused():
    with pytest.raises(ValueError, match="GuidedBackprop changes the gradient of ReLUs; the model has none"):
        SmoothGrad(smooth_model(), None, noise(1, side=4), 0, over="GUIDED_BACKPROP")
