"""What happens to pixels: the modes, what the probe finds of a model, and what is said where it cannot be known."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from planted import DATA, draw_weights, noise

import constants
from network.classifier import Classifier
from network.model_files import load_classifier, save_model
from network.preprocessing import (
    CAFFE_MEAN_BGR,
    OWN,
    TORCH_MEAN_RGB,
    TORCH_STD_RGB,
    doubt_probabilities,
    prepare,
    preprocess,
)

MEAN_0_255, DEVIATION_0_255 = [127.5, 117.0, 105.0], [64.0, 63.0, 60.0]


def model_behind(*front, side=32, channels=3):
    """The layers of `front`, a convolution, its mean over positions, a softmax."""
    images = keras.Input((side, side, channels))
    x = images
    for layer in front:
        x = layer(x)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu", name="conv")(x))
    model = keras.Model(images, layers.Dense(3, activation="softmax")(x))
    draw_weights(model.get_layer("conv"))
    return model


def adapted_batch_norm(mean, deviation):
    layer = layers.BatchNormalization()
    layer.build((None, 32, 32, 3))
    layer.set_weights([np.ones(3), np.zeros(3), np.array(mean), np.square(deviation)])
    return layer


class Scale(layers.Layer):
    """A layer of a user's own, which does what its name does not say."""

    def call(self, images):
        return tf.cast(images, tf.float32) / 127.5 - 1


# --- the modes -------------------------------------------------------------------------------------------
def test_the_modes_by_hand():
    pixel = tf.constant([[[[255.0, 127.5, 0.0]]]])
    by_hand = {
        "none": [255, 127.5, 0],
        "unit": [1, 0.5, 0],
        "tf": [1, 0, -1],
        "caffe": [0 - 103.939, 127.5 - 116.779, 255 - 123.68],
        "torch": [(1 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0 - 0.406) / 0.225],
    }
    assert by_hand.keys() == constants.PREPROCESSING.keys()
    for mode, values in by_hand.items():
        np.testing.assert_allclose(preprocess(pixel, mode)[0, 0, 0], values, rtol=1e-5, atol=1e-5)


def test_a_grey_pixel_of_a_model_of_one_channel_keeps_its_value():
    grey = np.array([0, 1, 100, 254, 255], dtype=np.float32)
    images = tf.constant(np.tile(grey[:, None, None, None], (1, 2, 2, 3)))
    np.testing.assert_allclose(prepare(images, "none", 1)[:, 0, 0, 0], grey, rtol=1e-6)
    np.testing.assert_allclose(prepare(images, "unit", 1)[:, 0, 0, 0], grey / 255, rtol=1e-6)


@pytest.mark.parametrize("mode", ["0-1", "imagenet", "None", ""])
def test_an_unknown_mode_lists_the_choices(mode):
    with pytest.raises(ValueError, match="unknown preprocessing .*; choose from: auto, none, unit, tf, caffe, torch"):
        Classifier(model_behind(), preprocessing=mode)
    with pytest.raises(ValueError, match="unknown preprocessing"):
        preprocess(tf.zeros((1, 2, 2, 3)), mode)


def test_an_unknown_mode_inside_a_model_file_is_refused(tmp_path):
    path = save_model(model_behind(), tmp_path / "model.keras", {"preprocessing": "imagenet"})
    with pytest.raises(ValueError, match="unknown preprocessing 'imagenet'; choose from: auto, none, unit"):
        load_classifier(model_path=path)


def test_what_is_asked_for_goes_before_what_the_file_says_and_auto_does_not(tmp_path):
    path = save_model(model_behind(), tmp_path / "model.keras", {"preprocessing": "caffe"})
    kept, given = (load_classifier(model_path=path, preprocessing=mode)[0].pixels for mode in ("auto", "unit"))
    assert (kept.mode, kept.found) == ("caffe", "kept with the model")
    assert (given.mode, given.found) == ("unit", "given")


# --- the probe -------------------------------------------------------------------------------------------
LEAVES_VALUES = {
    "nothing": list,
    "Resizing": lambda: [layers.Resizing(20, 20)],
    "Lambda that resizes": lambda: [layers.Lambda(lambda x: tf.image.resize(x, (20, 20)))],
    "Lambda that crops": lambda: [layers.Lambda(lambda x: x[:, 4:-4, 4:-4])],
    "Lambda that resizes by cubes": lambda: [layers.Lambda(lambda x: tf.image.resize(x, (48, 48), "bicubic"))],
    "padding": lambda: [layers.ZeroPadding2D(8)],
    "augmentation": lambda: [layers.RandomFlip(), layers.RandomRotation(0.1), layers.GaussianNoise(0.9)],
    "a batch norm that has seen nothing": lambda: [layers.BatchNormalization(epsilon=1e-6)],
    "arithmetic that comes to nothing": lambda: [layers.Rescaling(1 / 255), layers.Rescaling(255)],
}


@pytest.mark.parametrize("front", LEAVES_VALUES)
def test_what_leaves_values_as_they_are_is_no_preprocessing(front):
    model = model_behind(*LEAVES_VALUES[front]())
    classifier = Classifier(model, "MobileNetV2")
    assert classifier.preprocessing == "tf"
    assert classifier.describe()["preprocessing"] == (
        "x / 127.5 - 1 (of MobileNetV2; probed: 0-255 reaches the first weights as it is)"
    )
    expected = model(noise(2) / 127.5 - 1, training=False)
    np.testing.assert_allclose(classifier.predict(noise(2)), expected, atol=1e-5)
    assert Classifier(model).preprocessing == "none"


def test_repeated_channels_are_no_preprocessing():
    model = model_behind(layers.Lambda(lambda x: tf.image.grayscale_to_rgb(x)), channels=1)
    assert Classifier(model, "MobileNetV2").preprocessing == "tf"


SCALES = {
    "Rescaling to 0-1": (lambda: [layers.Rescaling(1 / 255)], "x / 255"),
    "Rescaling to -1 to 1": (lambda: [layers.Rescaling(1 / 127.5, -1)], "x / 127.5 - 1"),
    "Lambda": (lambda: [layers.Lambda(lambda x: x / 127.5 - 1)], "x / 127.5 - 1"),
    "a layer of one's own": (lambda: [Scale()], "x / 127.5 - 1"),
    "scaled and then resized": (lambda: [Scale(), layers.Resizing(20, 20)], "x / 127.5 - 1"),
    "caffe": (
        lambda: [layers.Lambda(lambda x: x[..., ::-1] - tf.constant(CAFFE_MEAN_BGR))],
        "BGR minus the ImageNet mean",
    ),
    "torch": (
        lambda: [
            layers.Rescaling(1 / 255),
            layers.Normalization(mean=TORCH_MEAN_RGB, variance=np.square(TORCH_STD_RGB)),
        ],
        "(x / 255 - mean) / std of ImageNet",
    ),
    "a batch norm of 0-255": (lambda: [adapted_batch_norm(MEAN_0_255, DEVIATION_0_255)], "-1.99 to 2.5"),
    "a normalisation of 0-255": (
        lambda: [layers.Normalization(mean=MEAN_0_255, variance=np.square(DEVIATION_0_255))],
        "-1.99 to 2.5",
    ),
}


@pytest.mark.parametrize("model_name", [None, "MobileNetV2", "ResNet"])
@pytest.mark.parametrize("front", SCALES)
def test_what_the_model_does_itself_is_not_done_again(front, model_name):
    make, seen = SCALES[front]
    model = model_behind(*make())
    classifier = Classifier(model, model_name)
    assert classifier.preprocessing == "none"
    assert classifier.describe()["preprocessing"] == (
        f"in the model itself (probed: 0-255 reaches the first weights as {seen})"
    )
    np.testing.assert_allclose(classifier.predict(noise(2)), model(noise(2)), atol=1e-5)


def test_each_images_own_standardisation_is_done_by_the_model():
    model = model_behind(layers.Lambda(lambda x: tf.map_fn(tf.image.per_image_standardization, x)))
    classifier = Classifier(model, "MobileNetV2")
    assert (classifier.preprocessing, classifier.pixels.in_model) == ("none", True)


FOR_UNIT = {
    "Rescaling(2, -1)": lambda: [layers.Rescaling(2, -1)],
    "a batch norm of 0-1": lambda: [adapted_batch_norm(np.array(MEAN_0_255) / 255, np.array(DEVIATION_0_255) / 255)],
    "torch's normalisation alone": lambda: [
        layers.Normalization(mean=TORCH_MEAN_RGB, variance=np.square(TORCH_STD_RGB))
    ],
    "x * 255": lambda: [lambda x: x * 255],
    "Rescaling(255) and what goes with MobileNetV2": lambda: [layers.Rescaling(255), layers.Rescaling(1 / 127.5, -1)],
    "Rescaling(255) and what goes with ResNet": lambda: [
        layers.Rescaling(255),
        lambda x: keras.applications.resnet50.preprocess_input(x),
    ],
    "a cut at 0 and 1": lambda: [lambda x: keras.ops.clip(x, 0, 1)],
    "a negative": lambda: [lambda x: 1 - x],
    "whole numbers of 0-255": lambda: [layers.Lambda(lambda x: tf.cast(tf.cast(x * 255, tf.uint8), tf.float32))],
}


@pytest.mark.parametrize("model_name", [None, "MobileNetV2", "ResNet"])
@pytest.mark.parametrize("front", FOR_UNIT)
def test_a_front_made_for_pixels_of_0_to_1_is_given_them(front, model_name):
    model = model_behind(*FOR_UNIT[front]())
    classifier = Classifier(model, model_name)
    assert classifier.preprocessing == "unit"
    assert classifier.describe()["preprocessing"].startswith("x / 255 (probed: the model makes it ")
    np.testing.assert_allclose(classifier.predict(noise(2)), model(noise(2) / 255), atol=1e-5)


@pytest.mark.parametrize(
    "front", [lambda x: (x + 1) * 127.5, lambda x: (x + 1) / 2, lambda x: keras.ops.clip(x, -1, 1)]
)
def test_a_front_made_for_pixels_of_minus_1_to_1_is_given_them(front):
    model = model_behind(front)
    classifier = Classifier(model)
    assert classifier.preprocessing == "tf"
    np.testing.assert_allclose(classifier.predict(noise(2)), model(noise(2) / 127.5 - 1), atol=1e-5)


def test_a_scale_that_is_told_by_its_range_alone_is_doubted():
    hue = layers.Lambda(lambda x: tf.image.rgb_to_hsv(x))  # its first two channels are of 0-1 whatever the third is
    for front in (lambda x: x - 0.5, hue):
        classifier = Classifier(model_behind(front))
        assert classifier.preprocessing == "unit"
        (doubt, *_) = classifier.doubts(noise(3))
        assert doubt.startswith("the model is given x / 255, as it makes ")
        assert doubt.endswith("if it was trained on other pixels, say so with --preprocessing")


OWN_SCALE = {
    "mean and deviation": lambda x: (
        (x - keras.ops.mean(x, axis=(1, 2, 3), keepdims=True)) / keras.ops.std(x, axis=(1, 2, 3), keepdims=True)
    ),
    "least and largest": lambda x: (
        (x - keras.ops.min(x, axis=(1, 2, 3), keepdims=True))
        / (keras.ops.max(x, axis=(1, 2, 3), keepdims=True) - keras.ops.min(x, axis=(1, 2, 3), keepdims=True))
    ),
    "a layer's": layers.LayerNormalization(axis=(1, 2, 3)),
}


@pytest.mark.parametrize("front", OWN_SCALE)
def test_a_scale_of_each_images_own_is_found_whatever_the_name_wants(front):
    """Of even pictures these give no number: 0 / 0."""
    model = model_behind(OWN_SCALE[front])
    for name in (None, "MobileNetV2", "ResNet"):
        classifier = Classifier(model, name)
        assert classifier.preprocessing == "none"
        assert classifier.describe()["preprocessing"].endswith(", and so do pixels of another scale)")
        np.testing.assert_allclose(classifier.predict(noise(2)), model(noise(2)), atol=1e-5)


@pytest.mark.parametrize("front", [lambda x: x / keras.ops.max(x), lambda x: x + tf.random.uniform([]) * 100])
def test_pixels_that_are_not_an_images_own_are_refused(front):
    with pytest.raises(ValueError, match=r"with the other images of a batch, .*: axis=\(1, 2, 3\)"):
        Classifier(model_behind(layers.Lambda(front)))


def test_colours_that_are_changed_alone_leave_the_scale_to_the_name():
    swapped, grey = lambda x: x[..., ::-1], layers.Lambda(lambda x: tf.image.rgb_to_grayscale(x))
    for front, words in ((swapped, "with red and blue swapped"), (grey, "in grey")):
        model = model_behind(front)
        assert Classifier(model).describe()["preprocessing"] == (
            f"in the model itself (probed: 0-255 reaches the first weights as 0-255 {words})"
        )
        classifier = Classifier(model, "MobileNetV2")
        assert classifier.preprocessing == "tf"
        np.testing.assert_allclose(classifier.predict(noise(2)), model(noise(2) / 127.5 - 1), atol=1e-5)
        with pytest.raises(ValueError, match="whether what ResNet wants, .*, goes before it cannot be known; .*--prep"):
            Classifier(model, "ResNet")


def test_what_the_name_wants_is_not_given_to_a_model_that_cuts_it():
    with pytest.raises(ValueError, match="leaves 0-255 as it is, but not what ResNet wants, .* --preprocessing"):
        Classifier(model_behind(lambda x: keras.ops.clip(x, 0, 255)), "ResNet")


def test_coordinates_beside_the_pixels_do_not_hide_their_scale():
    rows = keras.ops.broadcast_to(keras.ops.reshape(keras.ops.linspace(0.0, 1.0, 32), (1, 32, 1, 1)), (1, 32, 32, 1))
    beside = layers.Lambda(lambda x: tf.concat([x / 127.5 - 1, tf.repeat(rows, tf.shape(x)[0], axis=0)], axis=-1))
    classifier = Classifier(model_behind(beside), "MobileNetV2")
    assert classifier.describe()["preprocessing"] == (
        "in the model itself (probed: 0-255 reaches the first weights as x / 127.5 - 1)"
    )


def test_a_batch_norm_of_pixels_that_the_name_scales_is_given_what_the_name_says():
    caffe = model_behind(adapted_batch_norm([0, 0, 0], [60, 60, 60]))
    assert Classifier(caffe, "ResNet").preprocessing == "caffe"
    mobile = model_behind(adapted_batch_norm([-0.05, -0.1, -0.15], [0.5, 0.5, 0.5]))
    assert Classifier(mobile, "MobileNetV2").preprocessing == "tf"


def test_a_front_that_no_usual_preprocessing_fits_is_said():
    classifier = Classifier(model_behind(layers.Rescaling(10, 1000)))
    assert classifier.preprocessing == "none"
    (doubt,) = classifier.doubts(noise(1))
    assert doubt.startswith("the model itself turns pixels of 0-255 into 1e+03 to 3.55e+03")
    assert "--preprocessing" in doubt


def test_branches_that_want_different_pixels_are_asked_about():
    images = keras.Input((32, 32, 3))
    towers = [layers.Conv2D(4, 3)(x) for x in (images, layers.Rescaling(1 / 255)(images))]
    x = layers.GlobalAveragePooling2D()(layers.Concatenate()(towers))
    model = keras.Model(images, layers.Dense(3, activation="softmax")(x))
    assert Classifier(model).describe()["preprocessing"].endswith("reaches the first weights as 0-255 and x / 255)")
    with pytest.raises(ValueError, match="parts of the model take 0-255 as 0-255 and x / 255: .* with --preprocessing"):
        Classifier(model, "MobileNetV2")
    assert Classifier(model, "MobileNetV2", preprocessing="none").preprocessing == "none"


def test_pixels_in_a_row_and_patches_are_probed_too():
    images = keras.Input((8, 8, 3))
    for cut in (
        layers.Flatten(),
        layers.Lambda(lambda x: tf.image.extract_patches(x, *[[1, 4, 4, 1]] * 2, [1] * 4, "VALID")),
    ):
        for scale, mode in ((1.0, "tf"), (1 / 127.5, "none")):
            x = layers.Flatten()(layers.Dense(4)(cut(layers.Rescaling(scale)(images))))
            assert Classifier(keras.Model(images, layers.Dense(3)(x)), "MobileNetV2").preprocessing == mode


def test_what_is_given_is_not_guessed_and_said_so():
    classifier = Classifier(model_behind(layers.Rescaling(1 / 255)), "ResNet", preprocessing="tf")
    assert classifier.describe()["preprocessing"] == "x / 127.5 - 1 (given)"
    assert Classifier(model_behind(), preprocessing="none").describe()["preprocessing"] == "none (RGB 0-255; given)"


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_does_not_blur_what_is_found(policy):
    keras.mixed_precision.set_global_policy(policy)
    try:
        plain, scaled = model_behind(layers.Resizing(20, 20)), model_behind(layers.Rescaling(1 / 127.5, -1))
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert Classifier(plain, "MobileNetV2").preprocessing == "tf"
    assert Classifier(scaled, "MobileNetV2").preprocessing == "none"


@pytest.mark.data
def test_a_real_network_behind_a_lambda_that_resizes_sees_what_it_sees_behind_a_layer():
    from data.images import read_image
    from network.model_files import load_model
    from utils import resize_image

    backbone = load_model(DATA / "models" / "mobilenetv2_100_224_imagenet.keras")
    images = keras.Input((300, 300, 3))
    paths = sorted((DATA / "imagenet_samples").iterdir())[:4]
    photographs = np.stack([resize_image(read_image(path).astype(np.float32), 300, 300) for path in paths])
    for front in (layers.Resizing(224, 224), layers.Lambda(lambda x: tf.image.resize(x, (224, 224)))):
        classifier = Classifier(keras.Model(images, backbone(front(images))), "MobileNetV2")
        assert classifier.predict(photographs).argmax(axis=1).tolist() == [1, 3, 989, 442]
    unit = keras.Sequential([keras.Input((300, 300, 3)), layers.Resizing(224, 224), layers.Rescaling(2, -1), backbone])
    for name in (None, "MobileNetV2"):
        assert Classifier(unit, name).predict(photographs).argmax(axis=1).tolist() == [1, 3, 989, 442]


# --- a preprocessor beside the layers ------------------------------------------------------------------------
class Converter(layers.Layer):
    """As KerasHub's: the size of the images it makes, and a scale."""

    image_size = (16, 16)

    def call(self, images):
        return tf.image.resize(images, self.image_size) / 127.5 - 1


class Task(keras.Model):
    """Looks like a task of KerasHub: what `predict` applies stands beside the layers."""

    def __init__(self, preprocessor, **arguments):
        super().__init__(**arguments)
        self.__dict__["preprocessor"] = preprocessor

    def preprocess_samples(self, images):
        return self.preprocessor(images)


def task(preprocessor):
    images = keras.Input((None, None, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, name="conv")(images))
    return Task(preprocessor, inputs=images, outputs=layers.Dense(3, activation="softmax")(x))


def test_a_models_own_preprocessor_is_applied():
    model = task(Converter())
    classifier = Classifier(model)
    assert (classifier.input_height, classifier.input_width) == (16, 16)
    assert classifier.describe()["preprocessing"] == "the model's own preprocessor (it carries one: Converter)"
    np.testing.assert_allclose(classifier.predict(noise(2, 16)), model(noise(2, 16) / 127.5 - 1), atol=1e-6)
    assert classifier.rebuilt().preprocessing == OWN


def test_a_models_own_preprocessor_gives_way_to_what_is_given():
    model = task(Converter())
    np.testing.assert_allclose(
        Classifier(model, preprocessing="unit").predict(noise(2, 16)), model(noise(2, 16) / 255), atol=1e-6
    )
    with pytest.raises(ValueError, match="the model carries no preprocessor"):
        Classifier(model_behind(), preprocessing=OWN)


@pytest.mark.parametrize(
    ("preprocessor", "words"),
    [
        (lambda images: {"pixels": images}, "it gives dict"),
        (lambda images: images.no_such_thing(), "cannot be applied"),
    ],
)
def test_a_preprocessor_that_cannot_be_applied_is_refused_with_the_flag(preprocessor, words):
    with pytest.raises(ValueError, match=f"carries a preprocessor of its own, but .*{words}.*; --preprocessing says"):
        Classifier(task(preprocessor)).predict(noise(1, 224))


def test_a_classifier_of_keras_hub_gives_what_it_predicts():
    hub = pytest.importorskip("keras_hub")
    converter = hub.layers.ResNetImageConverter(image_size=(64, 64), scale=1 / 127.5, offset=-1)
    backbone = hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
    )
    model = hub.models.ResNetImageClassifier(
        backbone, num_classes=3, activation="softmax", preprocessor=hub.models.ImageClassifierPreprocessor(converter)
    )
    np.testing.assert_allclose(
        Classifier(model).predict(noise(2, 64)), model.predict(noise(2, 64), verbose=0), atol=1e-5
    )


# --- what probabilities say of it ----------------------------------------------------------------------------
def test_doubts_by_hand():
    assert doubt_probabilities(np.array([[0.9, 0.1]])) == ""
    assert doubt_probabilities(np.array([[0.9, 0.1], [0.8, 0.2]])) == ""
    assert "are alike" in doubt_probabilities(np.array([[0.6, 0.4], [0.6002, 0.3998]]))
    assert "are 0 or 1 to four digits" in doubt_probabilities(np.array([[1, 0], [0, 1], [1e-5, 1 - 1e-5]]))
    assert doubt_probabilities(np.array([[1, 0], [0, 1], [0.01, 0.99]])) == ""


def test_a_model_of_0_to_1_that_is_given_0_to_255_is_doubted_with_the_flags():
    """The colours are told apart by a logit of 1 for pixels / 255, of 255 for raw ones."""
    images = keras.Input((8, 8, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 1, use_bias=False, name="conv")(images))
    model = keras.Model(images, layers.Softmax()(x))
    model.get_layer("conv").set_weights([np.eye(3).reshape(1, 1, 3, 3)])
    coloured = np.stack([np.full((8, 8, 3), 255 * np.eye(3)[colour], dtype=np.float32) for colour in range(3)])
    (doubt,) = Classifier(model).doubts(coloured)
    assert "all 3 images are 0 or 1 to four digits" in doubt
    assert "--preprocessing=unit|tf|caffe|torch and --score" in doubt
    assert Classifier(model, preprocessing="unit").doubts(coloured) == []
    np.testing.assert_allclose(
        Classifier(model, preprocessing="unit").predict(coloured).max(axis=1), np.e / (np.e + 2), rtol=1e-5
    )
