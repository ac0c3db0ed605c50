"""Grad-CAM++ by hand, and against a model cut by hand and a loop over channels and positions."""

import numpy as np
import pytest
from planted import assert_close, noise
from twins import at_feature_size, cut_by_hand, residual_model, tiny_image, tiny_model

from explainers.gradcam_plus_plus import GradCAMPlusPlus
from network.classifier import Classifier


@pytest.fixture(scope="module")
def explainer():
    return GradCAMPlusPlus(tiny_model(), None, tiny_image(), 0)


def test_map_by_hand():
    # class 0: g_0 = 1 everywhere, sum A_0 = 4: alpha = 1 / (2 + 4), w_0 = 4 positions / 6; g_1 = -2: w_1 = 0
    saliency_map = GradCAMPlusPlus(tiny_model(), None, tiny_image(), 0).compute_saliency_map()
    np.testing.assert_allclose(saliency_map, 2 / 3 * np.array([[1, 2], [0, 1]]), rtol=1e-5)
    # class 1: g_0 = -1: w_0 = 0; g_1 = 2, sum A_1 = 2.5: alpha = 4 / (8 + 2.5 * 8) = 1/7, w_1 = 4 * 2 / 7
    opposite = GradCAMPlusPlus(tiny_model(), None, tiny_image(), 1).compute_saliency_map()
    np.testing.assert_allclose(opposite, 8 / 7 * np.array([[0, 1], [1, 0.5]]), rtol=1e-5)


def test_alpha_by_hand(explainer):
    features, gradients = np.zeros((2, 1, 2, 2, 2), dtype=np.float32)
    features[0, ..., 0], features[0, ..., 1] = [[1, 2], [0, 1]], 1  # which sum to 4 in both channels
    gradients[0, ..., 0] = [[1, -1], [2, 0]]
    gradients[0, ..., 1] = [[-0.5, 0.5], [-1, 0]]
    alpha = explainer.weight_gradients(features, gradients)[0]
    # g^2 / (2 g^2 + 4 g^3) = 1 / (2 + 4 g), and 0 where g = 0
    np.testing.assert_allclose(alpha[..., 0], [[1 / 6, -1 / 2], [1 / 10, 0]], rtol=1e-6)
    # g = -1/2: the denominator 2/4 - 4/8 is 0
    np.testing.assert_allclose(alpha[..., 1], [[0, 1 / 4], [-1 / 2, 0]], rtol=1e-6)


@pytest.mark.parametrize("layer_name", ["block_out", "stem_relu", "block_add"])
@pytest.mark.parametrize("flat", [False, True])
def test_map_of_a_model_cut_by_hand_position_by_position(layer_name, flat):
    model = residual_model(flat)
    image = noise(1)[0]
    features, gradients = cut_by_hand(model, layer_name, image, 1)
    naive = np.zeros(features.shape[:2])
    for channel in range(features.shape[2]):
        total, weight = features[..., channel].sum(dtype=np.float64), 0.0
        for g in gradients[..., channel].astype(np.float64).ravel():
            denominator = 2 * g**2 + total * g**3
            weight += (g**2 / denominator if denominator else 0) * max(g, 0)
        naive += weight * features[..., channel]
    explainer = GradCAMPlusPlus(Classifier(model, layer_name=layer_name), None, image, 1)
    assert naive.max() > 0
    # where a denominator is near 0, float32 tells
    assert_close(at_feature_size(explainer)[0], np.maximum(naive, 0), relative=1e-3)


def test_where_no_gradient_speaks_for_the_class_the_map_is_zero(explainer):
    features, gradients = noise(1), -noise(1, seed=1)
    np.testing.assert_array_equal(explainer.combine_maps(features, gradients), np.zeros((1, 32, 32)))


# --- the authors' program ----------------------------------------------------------------------------------------
def test_alpha_of_the_code_by_hand():
    features, gradients = np.zeros((1, 2, 2, 2), np.float32), np.zeros((1, 2, 2, 2), np.float32)
    features[..., 0] = [[1, 2], [0, 1]]  # sum 4
    gradients[0, ..., 0] = [[1, -1], [2, 0]]
    gradients[0, ..., 1] = -1  # none speaks for the class: divided by nothing
    code = GradCAMPlusPlus(tiny_model(), None, tiny_image(), 0, variant="code")
    alpha = code.weight_gradients(features, gradients)[0]
    total = 1 / 6 + 1 / 10  # of the equation's alphas where g > 0
    np.testing.assert_allclose(alpha[..., 0], np.array([[1 / 6, -1 / 2], [1 / 10, 0]]) / total, rtol=1e-6)
    np.testing.assert_allclose(alpha[..., 1], 1 / 2)


def test_the_code_is_the_authors_steps_one_after_the_other():
    model, image = residual_model(), noise(1)[0]
    features, gradients = (values.astype(np.float64) for values in cut_by_hand(model, "block_add", image, 1))
    numerator = gradients**2
    denominator = 2 * gradients**2 + gradients**3 * features.sum(axis=(0, 1))
    alphas = numerator / np.where(denominator != 0, denominator, 1)
    weights = np.maximum(gradients, 0)
    constant = np.where(weights, alphas, 0).sum(axis=(0, 1))
    alphas /= np.where(constant != 0, constant, 1)
    expected = np.maximum((features * (weights * alphas).sum(axis=(0, 1))).sum(axis=-1), 0)
    explainer = GradCAMPlusPlus(Classifier(model, layer_name="block_add"), None, image, 1, variant="code")
    assert_close(at_feature_size(explainer)[0], expected, relative=1e-3)
    paper = GradCAMPlusPlus(Classifier(model, layer_name="block_add"), None, image, 1)
    assert np.corrcoef(at_feature_size(paper)[0].ravel(), expected.ravel())[0, 1] < 0.999


def test_another_variant_is_refused():
    with pytest.raises(ValueError, match="variant should be one of .'paper', 'code'., not 'lab'"):
        GradCAMPlusPlus(tiny_model(), None, tiny_image(), 0, variant="lab")
