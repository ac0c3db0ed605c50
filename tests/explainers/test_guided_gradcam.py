"""Guided Grad-CAM is the product of its two parts, and asks of a model what both ask."""

import keras
import numpy as np
import pytest
from keras import layers
from planted import assert_close, noise
from twins import residual_model, smooth_model, tiny_image, tiny_model

import utils
from explainers.guided_backprop import GuidedBackprop
from explainers.guided_gradcam import GuidedGradCAM
from gradcam import GradCAM
from network.classifier import Classifier


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_the_map_is_grad_cam_enlarged_times_guided_backpropagation(batch_size):
    classifier, images, classes = Classifier(residual_model()), noise(3), [0, 1, 2]
    maps = GuidedGradCAM(classifier, None, images, classes, batch_size=batch_size).compute_saliency_map()
    gradcam = GradCAM(classifier, None, images, classes)
    small = gradcam.explain_batch(gradcam.images, gradcam.class_indices)
    guided = GuidedBackprop(classifier, None, images, classes).compute_saliency_map()
    assert_close(maps, np.stack([utils.resize_map(one, 32, 32) for one in small]) * guided)
    assert maps.max() > 0


def test_where_grad_cam_is_zero_nothing_is_left():
    images = keras.Input((2, 2, 3))
    rectified = layers.ReLU()(tiny_model().get_layer("conv")(images))
    dense = layers.Dense(2, use_bias=False)
    model = keras.Model(images, dense(layers.GlobalAveragePooling2D()(rectified)))
    dense.set_weights([np.array([[4, -4], [-8, 8]])])
    # Grad-CAM is [[1, 0], [0, 0]]; back comes 4 / 4 positions * 1 / 100 at the one red pixel
    saliency_map = GuidedGradCAM(model, None, tiny_image(), 0).compute_saliency_map()
    np.testing.assert_allclose(saliency_map, [[0.01, 0], [0, 0]], atol=1e-7)


def test_a_model_without_a_relu_and_one_without_a_feature_map_are_refused():
    with pytest.raises(ValueError, match="ReLUs; the model has none"):
        GuidedGradCAM(smooth_model(), None, noise(1, side=4), 0)
    flat = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(4, "relu"), layers.Dense(2)])
    with pytest.raises(ValueError, match="a layer with a feature map"):
        GuidedGradCAM(flat, None, noise(1, side=4), 0)
