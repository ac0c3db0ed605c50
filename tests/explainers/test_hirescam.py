"""HiResCAM by hand, against a loop, and where it is and is not Grad-CAM."""

import numpy as np
import pytest
from planted import assert_close, noise
from twins import at_feature_size, cut_by_hand, residual_model, tiny_image, tiny_model

from explainers.hirescam import HiResCAM
from gradcam import GradCAM
from network.classifier import Classifier

WEIGHTS = [[1], [0], [0], [2], [3], [0], [0], [-4]]  # of A_0 and A_1 at each of the four positions


def test_map_by_hand():
    # g_0 = [[1, 0], [3, 0]], g_1 = [[0, 2], [0, -4]]; A_0 = [[1, 2], [0, 1]], A_1 = [[0, 1], [1, 0.5]]
    # g_0 A_0 + g_1 A_1 = [[1, 2], [0, -2]]
    classifier = Classifier(tiny_model(flat=True, weights=WEIGHTS), score="sigmoid")
    speaks_for = HiResCAM(classifier, None, tiny_image(), 1).compute_saliency_map()
    np.testing.assert_allclose(speaks_for, [[1, 2], [0, 0]], atol=1e-6)
    against = HiResCAM(classifier, None, tiny_image(), 0).compute_saliency_map()
    np.testing.assert_allclose(against, [[0, 0], [0, 2]], atol=1e-6)


@pytest.mark.parametrize("layer_name", ["block_out", "stem_relu"])
@pytest.mark.parametrize("flat", [False, True])
def test_map_of_a_model_cut_by_hand_channel_by_channel(layer_name, flat):
    model, image = residual_model(flat), noise(1)[0]
    features, gradients = cut_by_hand(model, layer_name, image, 1)
    naive = np.zeros(features.shape[:2])
    for channel in range(features.shape[2]):
        naive += gradients[..., channel] * features[..., channel]
    naive = np.maximum(naive, 0)
    explainer = HiResCAM(Classifier(model, layer_name=layer_name), None, image, 1)
    assert naive.max() > 0
    assert_close(at_feature_size(explainer)[0], naive)


def test_it_is_grad_cam_for_a_pooled_head_and_not_for_one_that_sees_every_position():
    for flat in (False, True):
        classifier = Classifier(residual_model(flat))
        explainers = [method(classifier, None, noise(3), [0, 1, 2]) for method in (HiResCAM, GradCAM)]
        ours, theirs = map(at_feature_size, explainers)
        if flat:
            assert np.abs(ours - theirs).max() > 0.1 * theirs.max()
        else:
            assert_close(ours, theirs)


def test_without_relus_before_the_head_its_sum_is_the_logit():
    # S is linear in A: sum over positions and channels of g A, before the ReLU, is S without its bias
    model = tiny_model(flat=True, weights=np.abs(WEIGHTS))
    saliency_map = HiResCAM(Classifier(model, score="sigmoid"), None, tiny_image(), 1).compute_saliency_map()
    np.testing.assert_allclose(saliency_map.sum(), model(tiny_image()[None])[0, 0], rtol=1e-6)
