"""Integrated gradients by hand, against a loop, and how far their sum is from the change of the logit."""

import keras
import numpy as np
import pytest
from keras import layers
from planted import DATA, assert_close, noise
from twins import linear_model, residual_model, smooth_model

from data.images import read_image
from explainers.gradient_input import GradientInput
from explainers.integrated_gradients import IntegratedGradients, place_points
from explainers.vanilla_gradient import VanillaGradient
from network.classifier import Classifier


def gap(classifier, images, class_index):
    """S(x) - S(black), (n,)."""
    difference = classifier.logits(images) - classifier.logits(np.zeros_like(images))
    return difference[np.arange(len(images)), class_index]


# --- by hand ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("n_steps", [1, 2, 7])
def test_a_linear_network_is_exact_with_any_number_of_steps(n_steps):
    classifier, images = Classifier(linear_model(side=4), preprocessing="tf"), noise(3, side=4)
    explainer = IntegratedGradients(classifier, None, images, [0, 1, 0], n_steps=n_steps)
    maps = explainer.compute_saliency_map()
    assert_close(maps, GradientInput(classifier, None, images, [0, 1, 0]).compute_saliency_map())
    assert_close(maps.sum(axis=(1, 2)), gap(classifier, images, [0, 1, 0]))


def test_map_of_a_square_by_hand():
    # S = (r - 2 g)^2 / 100 of one pixel: the integral of dS/dr is (r - 2 g) / 100, of dS/dg twice that, negative
    square = layers.Conv2D(1, 1, use_bias=False, activation=lambda x: x**2 / 100)
    model = keras.Sequential([keras.Input((1, 2, 3)), square, layers.Flatten(), layers.Dense(2, use_bias=False)])
    square.set_weights([np.array([1, -2, 0]).reshape(1, 1, 3, 1)])
    model.layers[-1].set_weights([np.array([[1, -1], [2, -2]])])
    image = np.array([[[50, 10, 99], [10, 20, 99]]], dtype=np.float32)
    # (50 - 20) / 100 * (50 - 2 * 10) = 9;  2 * (10 - 40) / 100 * (10 - 2 * 20) = 18
    saliency_map = IntegratedGradients(model, None, image, 0, n_steps=2).compute_saliency_map()
    np.testing.assert_allclose(saliency_map, [[9, 18]], rtol=1e-5)


def test_points_and_weights_by_hand():
    positions, weights = place_points(2)
    np.testing.assert_allclose(positions, [0.5 - np.sqrt(1 / 12), 0.5 + np.sqrt(1 / 12)], rtol=1e-6)
    np.testing.assert_allclose(weights, [0.5, 0.5], rtol=1e-6)


# --- twins -----------------------------------------------------------------------------------------------
def test_the_map_is_that_of_the_naive_loop():
    classifier, images, class_index = Classifier(residual_model()), noise(2), [2, 0]
    explainer = IntegratedGradients(classifier, None, images, class_index, n_steps=6)
    vanilla, naive = VanillaGradient(classifier, None, images, class_index), np.zeros((2, 32, 32))
    for image in range(2):
        for position, weight in zip(*place_points(6)):
            gradients = vanilla.compute_gradients(position * images[[image]], explainer.class_indices[[image]])[0]
            naive[image] += (weight * gradients * images[image]).sum(axis=-1)
    assert_close(explainer.compute_saliency_map(), naive, relative=1e-4)


def test_for_a_smooth_network_the_integral_is_that_of_very_many_equal_steps():
    classifier, image = Classifier(smooth_model(), preprocessing="tf"), noise(1, side=4)
    vanilla, mean = VanillaGradient(classifier, None, image, 1), 0
    for step in range(500):
        mean = mean + vanilla.compute_gradients(image * np.float32((step + 0.5) / 500), vanilla.class_indices) / 500
    saliency_map = IntegratedGradients(classifier, None, image, 1, n_steps=20).compute_saliency_map()
    assert_close(saliency_map, (mean * image).sum(axis=-1), relative=1e-3)


# --- completeness ----------------------------------------------------------------------------------------
def test_the_error_of_completeness_stands_beside_the_map():
    classifier, images = Classifier(residual_model()), noise(3)
    explainer = IntegratedGradients(classifier, None, images, [0, 1, 2], n_steps=3)
    maps = explainer.compute_saliency_map()
    wanted = gap(classifier, images, [0, 1, 2])
    for index, remark in enumerate(explainer.describe_maps(maps)):
        error = maps[index].sum() - wanted[index]
        assert remark["completeness_error"] == pytest.approx(error, rel=1e-3, abs=1e-3)
        assert remark["completeness_error_share"] == pytest.approx(abs(error / wanted[index]), rel=1e-3, abs=1e-5)
    alone = IntegratedGradients(classifier, None, images[0], 0, n_steps=3)
    remark = alone.describe_maps(alone.compute_saliency_map())[0]
    assert remark == pytest.approx(explainer.describe_maps(maps)[0], rel=1e-3, abs=1e-3)


def test_the_error_falls_with_the_number_of_steps():
    classifier, images = Classifier(residual_model()), noise(4)

    def error(n_steps):
        explainer = IntegratedGradients(classifier, None, images, 1, n_steps=n_steps)
        remarks = explainer.describe_maps(explainer.compute_saliency_map())
        return np.mean([remark["completeness_error_share"] for remark in remarks])

    assert error(100) < 0.2 * error(3)
    assert error(100) < 0.01


def test_black_has_nothing_to_share_out():
    explainer = IntegratedGradients(residual_model(), None, np.zeros((32, 32, 3), dtype=np.uint8), 0, n_steps=2)
    saliency_map = explainer.compute_saliency_map()
    np.testing.assert_array_equal(saliency_map, 0)
    assert explainer.describe_maps(saliency_map) == [{"completeness_error": 0, "completeness_error_share": 0}]


def test_progress_counts_the_steps():
    seen = []
    IntegratedGradients(
        linear_model(), None, noise(1, side=2), 0, n_steps=3, progress=lambda *counts: seen.append(counts)
    ).compute_saliency_map()
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("n_steps", [0, -5])
def test_no_step_is_refused(n_steps):
    with pytest.raises(ValueError, match=f"n_steps should be 1 or more, not {n_steps}"):
        IntegratedGradients(linear_model(), None, noise(1, side=2), 0, n_steps=n_steps)


@pytest.mark.data
def test_on_real_photographs_the_default_leaves_a_few_per_cent():
    from network.model_files import load_model

    classifier = Classifier(load_model(DATA / "models" / "resnet8_cifar10.keras"))
    paths = sorted((DATA / "cifar10_sample").glob("*/0000.jpg"))
    images = np.stack([read_image(path) for path in paths])
    explainer = IntegratedGradients(classifier, None, images, classifier.predict(images).argmax(axis=1))
    remarks = explainer.describe_maps(explainer.compute_saliency_map())
    assert np.median([remark["completeness_error_share"] for remark in remarks]) < 0.1


def test_under_a_tolerance_steps_double_for_those_images_alone_whose_map_misses_the_gap():
    model = smooth_model()
    images = np.stack([noise(1, side=4)[0] / 64, np.full((4, 4, 3), 0.002, np.float32)])
    plain = IntegratedGradients(model, None, images, [0, 1], n_steps=1)
    [rough, easy] = [one["completeness_error_share"] for one in plain.describe_maps(plain.compute_saliency_map())]
    assert rough > 0.01 > easy
    within = IntegratedGradients(model, None, images, [0, 1], n_steps=1, tolerance=0.01)
    maps = within.compute_saliency_map()
    [finer, same] = within.describe_maps(maps)
    assert finer["steps"] in (2, 4, 8, 16, 32)
    assert finer["completeness_error_share"] <= 0.01
    assert same["steps"] == 1
    np.testing.assert_array_equal(maps[1], plain.compute_saliency_map()[1])
    direct = IntegratedGradients(model, None, images[0], 0, n_steps=finer["steps"]).compute_saliency_map()
    np.testing.assert_allclose(maps[0], direct, rtol=1e-4, atol=1e-6)


def test_a_tolerance_that_cannot_be_met_ends_with_32_times_the_steps():
    explainer = IntegratedGradients(smooth_model(), None, noise(1, side=8)[0], 0, n_steps=1, tolerance=1e-12)
    [remark] = explainer.describe_maps(explainer.compute_saliency_map()[None])
    assert remark["steps"] == 32


def test_a_tolerance_is_above_0():
    with pytest.raises(ValueError, match="tolerance should be above 0, not 0"):
        IntegratedGradients(smooth_model(), None, noise(1, side=8)[0], 0, tolerance=0)
