"""LayerCAM by hand, against a loop, and its limit cases."""

import numpy as np
import pytest
from planted import assert_close, noise
from twins import at_feature_size, cut_by_hand, residual_model, tiny_image, tiny_model

from explainers.hirescam import HiResCAM
from explainers.layercam import LayerCAM
from network.classifier import Classifier


def test_map_by_hand():
    # g_0 = [[1, 0], [3, 0]], g_1 = [[-1, 2], [0, -4]]
    # ReLU(g_0) A_0 + ReLU(g_1) A_1 = [[1, 0], [0, 0]] + [[0, 2], [0, 0]]
    weights = [[1], [-1], [0], [2], [3], [0], [0], [-4]]
    classifier = Classifier(tiny_model(flat=True, weights=weights), score="sigmoid")
    np.testing.assert_allclose(
        LayerCAM(classifier, None, tiny_image(), 1).compute_saliency_map(), [[1, 2], [0, 0]], atol=1e-6
    )
    # the other side: ReLU(-g_1) A_1 = [[1, 0], [0, 4]] * [[0, 1], [1, 0.5]]
    np.testing.assert_allclose(
        LayerCAM(classifier, None, tiny_image(), 0).compute_saliency_map(), [[0, 0], [0, 2]], atol=1e-6
    )


@pytest.mark.parametrize("layer_name", ["block_out", "stem_relu", "block_add"])
def test_map_of_a_model_cut_by_hand_value_by_value(layer_name):
    model, image = residual_model(flat=True), noise(1)[0]
    features, gradients = cut_by_hand(model, layer_name, image, 0)
    height, width, n_channels = features.shape
    naive = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            terms = [max(gradients[row, column, k], 0) * features[row, column, k] for k in range(n_channels)]
            naive[row, column] = max(sum(terms), 0)
    explainer = LayerCAM(Classifier(model, layer_name=layer_name), None, image, 0)
    assert naive.max() > 0
    assert_close(at_feature_size(explainer)[0], naive)


def test_where_all_gradients_speak_for_the_class_it_is_hirescam_and_where_none_does_zero():
    features, gradients = noise(2), noise(2, seed=1)
    explainer, hirescam = (method(tiny_model(), None, tiny_image(), 0) for method in (LayerCAM, HiResCAM))
    assert_close(explainer.combine_maps(features, gradients), hirescam.combine_maps(features, gradients))
    np.testing.assert_array_equal(explainer.combine_maps(features, -gradients), 0)
