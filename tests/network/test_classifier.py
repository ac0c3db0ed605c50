"""The classifier: the networks of the zoo and their preprocessing, names, compiled graphs, tracing, precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from planted import (
    COLOURS,
    DATA,
    ELSEWHERE,
    GREEN,
    RED,
    assert_close,
    explain,
    head,
    noise,
    planted_model,
    residual_backbone,
)

import constants
import utils
from data.images import read_image
from explainers.registry import METHODS
from network.classifier import Classifier
from network.kept_classifiers import as_classifier
from network.model_files import load_model
from network.preprocessing import preprocess


@pytest.fixture(scope="module")
def residual():
    backbone = residual_backbone()
    images = keras.Input((32, 32, 3))
    return keras.Model(images, head()(backbone(images)))


# --- preprocessing ----------------------------------------------------------------------------------------
def test_preprocessing_is_applied_to_what_the_model_is_given(residual):
    for mode in constants.PREPROCESSING:
        expected = residual(preprocess(tf.constant(noise(2)), mode))
        np.testing.assert_allclose(Classifier(residual, preprocessing=mode).predict(noise(2)), expected, atol=1e-5)


def test_an_unknown_name_lists_the_zoo(planted):
    with pytest.raises(ValueError, match="unknown model_name 'AlexNet'; choose from: ResNet, .*, ResNetDemo"):
        Classifier(planted, "AlexNet")


def test_an_unknown_precision_lists_the_choices(planted):
    with pytest.raises(ValueError, match="float32.*bfloat16.*not 'float16'"):
        Classifier(planted, precision="float16")


# --- what it answers -------------------------------------------------------------------------------------
@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_the_compiled_graph_gives_the_answers_of_the_plain_model(residual, batch_size):
    images = noise(7)
    probabilities = Classifier(residual, batch_size=batch_size).predict(images)
    np.testing.assert_allclose(probabilities, residual(images, training=False), atol=1e-5)
    assert probabilities.dtype == np.float32


@pytest.mark.parametrize(
    "name", ["stem_conv", "stem_bn", "stem_relu", "block_1_bn", "block_2_conv", "block_add", "block_out"]
)
def test_features_are_those_of_the_plain_layer_whatever_is_folded(residual, name):
    backbone = residual.get_layer("backbone")
    plain = keras.Model(backbone.input, backbone.get_layer(name).output)(noise(3), training=False)
    classifier = Classifier(residual, layer_name=name)
    assert_close(classifier.features(noise(3)), np.asarray(plain))
    assert_close(classifier.predict(noise(3)), np.asarray(residual(noise(3), training=False)))


def test_bytes_are_taken_as_well_as_floats(planted_classifier, images):
    np.testing.assert_array_equal(
        planted_classifier.predict(images), planted_classifier.predict(images.astype(np.float64))
    )


def test_the_planted_classifier_sees_what_is_planted(planted_classifier, images):
    red, both, green_and_blue = planted_classifier.predict(images)
    assert red.argmax() == RED
    assert both[RED] == pytest.approx(both[GREEN], rel=1e-3)
    assert green_and_blue[RED] < 0.01


def test_what_was_chosen_is_said(planted_classifier, residual):
    assert planted_classifier.describe() == {
        "model_name": "planted",
        "layer": "colours",
        "layer_found": "last map on every path",
        "layer_shape": "8 x 8 x 3",
        "geometry": "on the whole image",
        "score": "softmax (the model ends in it)",
        "preprocessing": "none (RGB 0-255; probed: 0-255 reaches the first weights as it is)",
        "input_size": "96 x 96",
        "n_classes": 3,
        "precision": "float32 (of the model's layers)",
    }
    assert Classifier(residual, "VGG16").describe()["preprocessing"] == (
        "BGR minus the ImageNet mean (of VGG16; probed: 0-255 reaches the first weights as it is)"
    )


# --- names -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("wanted", [1, "1", "green", "GREEN", " Green "])
def test_a_class_is_found_by_index_and_by_name(planted_classifier, wanted):
    assert planted_classifier.class_index_of(wanted) == GREEN


def test_a_class_is_found_by_its_id_and_by_a_name_with_blanks(planted):
    classifier = Classifier(planted, class_names=["Tiger shark", "crane", "crane"], class_ids=["n1", "n2", "n3"])
    assert classifier.class_index_of("tiger_shark") == 0
    assert classifier.class_index_of("n3") == 2
    with pytest.raises(ValueError, match="'crane' may mean several classes: write one of index:1"):
        classifier.class_index_of("crane")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("gren", "no class 'gren'; choose from: green"),
        ("violet", "choose from: red, green, blue"),
        (3, "class_index 3 is not among the model's 3 classes"),
        (-1, "class_index -1 is not among"),
    ],
)
def test_a_wrong_class_lists_the_choices(planted_classifier, wanted, words):
    with pytest.raises(ValueError, match=words):
        planted_classifier.class_index_of(wanted)


def test_names_that_do_not_fit_the_model_are_refused(planted):
    with pytest.raises(ValueError, match="class_names should hold the model's 3 classes; 2 were given"):
        Classifier(planted, class_names=["red", "green"])
    with pytest.raises(ValueError, match="class_ids should hold the model's 3 classes; 4 were given"):
        Classifier(planted, class_names=COLOURS, class_ids="abcd")
    assert Classifier(planted).class_names == ["class_0", "class_1", "class_2"]


# --- graphs ----------------------------------------------------------------------------------------------
class Counter(keras.layers.Layer):
    """Counts how often it is traced."""

    def __init__(self):
        super().__init__()
        self.counts = [0]

    def call(self, x):
        self.counts[0] += 1
        return x + 0.0


@pytest.mark.parametrize("method", [METHODS[name] for name in METHODS if name not in ELSEWHERE], ids=lambda m: m.name)
def test_nothing_is_traced_again_for_another_image_batch_class_or_explainer(method, images):
    counter = Counter()
    planted = planted_model()
    model = keras.Sequential([keras.Input(planted.input_shape[1:]), counter, planted])
    explain(method, model, images[0], RED)
    counts, classifier = counter.counts[0], as_classifier(model, None)
    explain(method, model, images[1], GREEN)
    explain(method, model, images, [RED, GREEN, RED], seed=2)
    explain(method, model, images[:2], GREEN, batch_size=1)
    assert counter.counts[0] == counts
    for function in classifier._compiled.values():
        assert function.experimental_get_tracing_count() == 1


def test_changed_weights_of_a_keras_model_are_noticed(images):
    model = planted_model()
    before = explain(METHODS["GRADCAM"], model, images[1], RED)
    layer = model.get_layer("logits")
    kernel, bias = layer.get_weights()
    layer.set_weights([2 * kernel, bias])
    assert_close(explain(METHODS["GRADCAM"], model, images[1], RED), 2 * before)


def test_a_model_that_was_trained_further_needs_a_new_classifier_and_no_more(images):
    model = planted_model()
    Classifier(model).predict(images)
    layer = model.get_layer("logits")
    layer.set_weights([-weight for weight in layer.get_weights()])
    assert_close(Classifier(model).predict(images), np.asarray(model(images)))


# --- precision -------------------------------------------------------------------------------------------
def test_bfloat16_is_near_float32_and_leaves_float32_alone(residual):
    images = noise(16)
    exact = Classifier(residual)
    before = exact.predict(images)
    quick = Classifier(residual, precision="bfloat16")
    np.testing.assert_allclose(quick.predict(images), before, atol=0.05)
    np.testing.assert_array_equal(exact.predict(images), before)
    np.testing.assert_array_equal(Classifier(residual).predict(images), before)
    assert quick.describe()["precision"] == "bfloat16 (given)"
    assert not tf.config.optimizer.get_experimental_options().get("auto_mixed_precision_onednn_bfloat16")


def test_the_float32_setting_comes_back_after_an_error(residual):
    quick = Classifier(residual, precision="bfloat16")
    with pytest.raises((ValueError, TypeError)):
        quick.predict(noise(1, side=16))
    assert not tf.config.optimizer.get_experimental_options().get("auto_mixed_precision_onednn_bfloat16")


# --- real networks ---------------------------------------------------------------------------------------
@pytest.mark.data
def test_a_real_network_recognises_real_photographs():
    from data.class_names import read_class_names

    names, ids = read_class_names(str(DATA / "models" / "imagenet_class_index.json"))
    model = load_model(DATA / "models" / "mobilenetv2_100_224_imagenet.keras")
    classifier = Classifier(model, "MobileNetV2", class_names=names, class_ids=ids)
    paths = sorted((DATA / "imagenet_samples").iterdir())
    photographs = [utils.resize_image(read_image(path), 224, 224) for path in paths]
    top = np.argsort(-classifier.predict(np.stack(photographs)), axis=1)[:, :5]
    hits = [classifier.class_index_of(path.name.split("_")[0]) in row for path, row in zip(paths, top)]
    assert sum(hits) >= 0.9 * len(hits)


@pytest.mark.data
def test_a_real_network_has_one_answer_in_both_file_formats():
    files = [DATA / "models" / name for name in ("resnet8_cifar10.keras", "resnet8_cifar10_legacy.h5")]
    one, other = (Classifier(load_model(path)) for path in files)
    assert one.layer_name == other.layer_name
    np.testing.assert_allclose(one.predict(noise(4)), other.predict(noise(4)), atol=1e-5)
    assert_close(*(explain(METHODS["GRADCAM"], classifier, noise(1)[0], 3) for classifier in (one, other)))


# --- what a stranger broke -----------------------------------------------------------------------------------
def images_of_32(n=4):
    return np.random.default_rng(0).uniform(0, 255, (n, 32, 32, 3)).astype(np.float32)


def shared_gate():
    """One sigmoid layer, as the gate of a squeeze-excite block and as the output."""
    images, gate = keras.Input((32, 32, 3)), keras.layers.Activation("sigmoid")
    x = keras.layers.Conv2D(4, 3)(images)
    x = x * gate(keras.layers.GlobalAveragePooling2D(keepdims=True)(x) / 255)
    return keras.Model(images, gate(keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)) / 255))


def pooled_sigmoids(pooling):
    images = keras.Input((32, 32, 3))
    return keras.Model(images, pooling()(keras.layers.Conv2D(4, 1, activation="sigmoid")(images / 255)))


class Tied(keras.layers.Layer):
    """Uses a convolution of the model once more, inside."""

    def __init__(self, convolution):
        super().__init__()
        self.convolution = convolution

    def call(self, x):
        return x + keras.ops.mean(self.convolution(x[..., :3]), axis=(1, 2), keepdims=True)


def tied_convolution():
    images, convolution = keras.Input((32, 32, 3)), keras.layers.Conv2D(4, 3)
    norm = keras.layers.BatchNormalization()
    x = Tied(convolution)(keras.layers.ReLU()(norm(convolution(images / 255))))
    norm.set_weights([np.full(4, value, np.float32) for value in (2, 1, 0.5, 3)])
    return keras.Model(images, keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling2D()(x)))


@pytest.mark.parametrize(
    "model",
    [
        shared_gate,
        tied_convolution,
        lambda: pooled_sigmoids(keras.layers.GlobalMaxPooling2D),
        lambda: pooled_sigmoids(keras.layers.GlobalAveragePooling2D),
    ],
)
def test_probabilities_are_the_models_own_however_its_score_comes_about(model):
    keras.utils.set_random_seed(0)
    model = model()
    expected = np.asarray(model(images_of_32()))
    np.testing.assert_allclose(Classifier(model).predict(images_of_32()), expected, rtol=1e-4, atol=1e-6)


def test_an_operation_that_is_no_arithmetic_does_not_count_as_preprocessing():
    images = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, 3)(keras.ops.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]]))
    model = keras.Model(images, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))
    assert Classifier(model, "MobileNetV2").preprocessing == "tf"


# --- the colour of nothing -----------------------------------------------------------------------------------
def small_model(*before, channels=3):
    images = keras.Input((32, 32, channels))
    features = images
    for layer in before:
        features = layer(features)
    features = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(features)
    return keras.Model(images, keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(features)))


@pytest.mark.parametrize(
    "preprocessing, colour",
    [
        ("none", (0, 0, 0)),
        ("tf", (127.5, 127.5, 127.5)),
        ("caffe", (123.68, 116.779, 103.939)),
        ("torch", (123.675, 116.28, 103.53)),
    ],
)
def test_the_mean_colour_is_what_preprocessing_makes_zero(preprocessing, colour):
    classifier = Classifier(small_model(), preprocessing=preprocessing)
    assert classifier.mean_colour == pytest.approx(colour, abs=2e-3)
    inputs = preprocess(tf.constant(np.float32(classifier.mean_colour)[None, None, None]), preprocessing)
    assert np.abs(inputs.numpy()).max() < 1e-3


def test_the_mean_colour_is_found_where_the_model_scales_pixels_itself():
    rescaling = keras.layers.Rescaling(1 / 127.5, offset=-1)
    normalization = keras.layers.Normalization(mean=[0.5, 0.4, 0.3], variance=[0.04, 0.05, 0.06])
    padding = keras.layers.ZeroPadding2D(3)
    nested = keras.Sequential([keras.layers.Rescaling(1 / 255), normalization])
    for layers, colour in (
        ([rescaling], (127.5,) * 3),
        ([rescaling, padding], (127.5,) * 3),
        ([nested, padding], (127.5, 102, 76.5)),
        ([keras.layers.Rescaling(1 / 255)], (0, 0, 0)),
    ):
        assert Classifier(small_model(*layers)).mean_colour == pytest.approx(colour, abs=2e-2)


def test_the_mean_colour_of_a_grey_model_is_grey():
    model = small_model(keras.layers.Rescaling(1 / 127.5, offset=-1), channels=1)
    assert Classifier(model).mean_colour == pytest.approx((127.5,) * 3, abs=0.05)


def test_without_such_a_colour_it_is_black():
    outside = keras.layers.Rescaling(1 / 255, offset=0.5)  # zero at -127.5
    crooked = keras.layers.Activation("sigmoid")
    for layers in ([outside], [keras.layers.Rescaling(1 / 255, offset=-0.5), crooked]):
        assert Classifier(small_model(*layers)).mean_colour == (0, 0, 0)
