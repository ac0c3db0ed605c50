"""A SavedModel as a model: the methods that look at no layer explain it as the Keras model that it was made of."""

import numpy as np
import pytest
from planted import assert_close, draw_weights, explain, noise, residual_network

from explainers.registry import METHODS
from network.classifier import Classifier
from network.saved_models import load_saved_model

PERTURBING = ("RISE", "LIME", "OCCLUSION", "KERNEL_SHAP")
OF_PIXELS = ("VANILLA_GRADIENT", "GRADIENT_INPUT", "SMOOTHGRAD", "INTEGRATED_GRADIENTS")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The same network as Keras's and as a SavedModel, both answering in logits of 3 classes."""
    model = residual_network(activation=None)
    draw_weights(model)
    folder = tmp_path_factory.mktemp("saved") / "network"
    model.export(folder, verbose=False)
    return [
        Classifier(one, score="softmax", preprocessing="unit")
        for one in (model, load_saved_model(folder, trust_model=True))
    ]


@pytest.mark.parametrize("name", (*PERTURBING, *OF_PIXELS))
def test_its_maps_are_those_of_the_keras_model(pair, name):
    images = noise(2, 2).repeat(16, axis=1).repeat(16, axis=2)  # squares, which LIME takes for segments
    np.testing.assert_allclose(pair[1].predict(images), pair[0].predict(images), atol=1e-6)
    maps = [explain(METHODS[name], one, images, [0, 2]) for one in pair]
    assert maps[0].any(axis=(1, 2)).all()
    assert_close(*maps, relative=1e-3)


def test_methods_that_look_at_a_layer_say_that_none_can_be_seen(pair):
    with pytest.raises(ValueError, match="a layer with a feature map .* is needed; the model has: "):
        explain(METHODS["GRADCAM"], pair[1], noise(1), 0)
