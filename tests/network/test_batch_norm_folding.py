"""Networks in arithmetic other than float32, quantised, with low-rank updates, compiled, trained further: all are
explained as they compute."""

import keras
import numpy as np
import pytest
from keras import layers
from planted import assert_close, draw_weights, explain, noise

from explainers.registry import METHODS
from gradcam import GradCAM
from network.classifier import Classifier
from network.model_reading import used_kernel


def network():
    """Convolution, depthwise and 1 x 1 convolution, a batch norm and a ReLU behind each; mean, softmax."""
    images = keras.Input((16, 16, 3))
    x = layers.Rescaling(1 / 255)(images)
    for number, convolution in enumerate(
        (
            layers.Conv2D(8, 3, padding="same", use_bias=False),
            layers.DepthwiseConv2D(3, strides=2, padding="same"),
            layers.Conv2D(12, 1),
        )
    ):
        x = layers.ReLU(name=f"relu_{number}")(layers.BatchNormalization()(convolution(x)))
    model = keras.Model(images, layers.Dense(3, activation="softmax", name="dense")(layers.GlobalAveragePooling2D()(x)))
    draw_weights(model)
    return model


def network_in(dtype):
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    try:
        return network()
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 2e-3), ("bfloat16", 2e-2), ("float64", 1e-6)])
def test_a_network_of_one_dtype_is_folded_and_explained_as_that_of_float32(dtype, tolerance):
    model, plain = network_in(dtype), network()
    classifier = Classifier(model)
    assert len(classifier._folded.summands) == 3
    assert classifier.describe()["precision"] == f"{dtype} (of the model's layers)"
    probabilities = classifier.predict(noise(3, 16))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, plain(noise(3, 16)), atol=tolerance)
    np.testing.assert_allclose(probabilities, np.asarray(model(noise(3, 16)), np.float32), atol=tolerance)
    for name in ("GRADCAM", "CAM", "HIRESCAM", "LAYERCAM", "ABLATIONCAM", "SCORECAM"):
        maps = [explain(METHODS[name], one, noise(1, 16)[0], 1) for one in (classifier, Classifier(plain))]
        assert maps[0].dtype == np.float32
        assert_close(*maps, relative=max(20 * tolerance, 1e-5) if dtype != "float64" else 1e-4)


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
@pytest.mark.parametrize(("mode", "tolerance"), [("int8", 0.01), ("int4", 0.12), ("float8", 0.05)])
def test_a_quantised_dense_layer_weighs_features_as_it_computes(mode, tolerance):
    model = network()
    kernel, bias = model.get_layer("dense").get_weights()
    model.quantize(mode)
    classifier = Classifier(model)
    np.testing.assert_allclose(classifier.predict(noise(3, 16)), model(noise(3, 16)), atol=1e-6)
    weights = used_kernel(model.get_layer("dense"))
    assert_close(weights, kernel, relative=tolerance)
    # the mean over positions of CAM's map is the logit without its bias, but for the rounding of the features
    maps = np.einsum("nhwk,kc->nchw", classifier.features(noise(1, 16)), weights)
    assert_close(maps.mean(axis=(2, 3)) + bias, classifier.logits(noise(1, 16)), relative=3 * tolerance)
    explainer = GradCAM(classifier, None, noise(1, 16), 1)
    _, gradients = explainer.compute_gradients(classifier.forward, explainer.images, explainer.class_indices)
    assert_close(64 * explainer.pool_gradients(gradients)[0], weights[:, 1])  # of 8 x 8 positions


def test_low_rank_updates_are_part_of_the_weights():
    model = network()
    dense, convolution = model.get_layer("dense"), model.layers[8]
    for layer in (dense, convolution):
        layer.enable_lora(2)
        for weight in layer.weights:
            if "lora" in weight.name:
                weight.assign(np.random.default_rng(0).normal(0, 0.3, weight.shape))
    classifier = Classifier(model)
    images = noise(2, 16)
    np.testing.assert_allclose(classifier.predict(images), model(images), atol=1e-6)
    logits = classifier.features(images).mean(axis=(1, 2)) @ classifier.dense_weights() + np.asarray(dense.bias)
    assert_close(logits, classifier.logits(images), relative=1e-4)
    view = classifier.at_layer(convolution.name)
    before = keras.Model(model.input, convolution.input)(images)
    expected = np.einsum("nhwc,ck->nhwk", before, view.kernel()[0, 0]) + np.asarray(convolution.bias)
    assert_close(view.features(images), expected, relative=1e-4)


@pytest.mark.parametrize("options", [{}, {"jit_compile": True}])
def test_a_model_that_is_trained_further_is_followed(options):
    model = network()
    model.compile(keras.optimizers.SGD(0.1), loss="sparse_categorical_crossentropy", **options)
    classifier = Classifier(model)
    before = classifier.predict(noise(4, 16))
    saliency_map = explain(METHODS["GRADCAM"], classifier, noise(1, 16)[0], 1)
    model.fit(noise(4, 16), np.array([0, 1, 2, 0]), epochs=2, verbose=0)
    after = np.asarray(model(noise(4, 16)))
    assert np.abs(after - before).max() > 0.01
    np.testing.assert_allclose(classifier.predict(noise(4, 16)), after, atol=1e-6)
    np.testing.assert_allclose(Classifier(model).predict(noise(4, 16)), after, atol=1e-6)
    changed = explain(METHODS["GRADCAM"], classifier, noise(1, 16)[0], 1)
    assert np.abs(changed - saliency_map).max() > 0
    assert_close(changed, explain(METHODS["GRADCAM"], Classifier(model), noise(1, 16)[0], 1))


def test_what_has_not_changed_is_not_folded_again():
    classifier = Classifier(network())
    classifier.predict(noise(1, 16))
    folded = classifier._folded
    classifier.predict(noise(1, 16))
    assert classifier._folded is folded
