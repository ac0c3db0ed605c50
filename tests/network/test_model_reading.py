"""What is read off a model - score, layer, input, preprocessing - and the refusals, which name the choices."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from planted import (
    ELSEWHERE,
    RED,
    SIDE,
    assert_close,
    draw_weights,
    explain,
    head,
    noise,
    planted_model,
    residual_backbone,
)

from explainers.registry import METHODS
from gradcam import GradCAM
from network import model_reading
from network.classifier import Classifier
from network.scores import SIGMOID, SOFTMAX


def small_model(*tail, channels=3, side=32, name="small", seed=0):
    """A convolution, its pooled features, and the layers of `tail` on them."""
    images = keras.Input((side, side, channels))
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(images)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    for layer in tail or [layers.Dense(3, activation="softmax", name="dense")]:
        x = layer(x)
    model = keras.Model(images, x, name=name)
    draw_weights(model, seed)
    return model


class OwnCall(keras.Model):
    """A model with a `call` of its own, which has no graph of layers."""

    def __init__(self, activation, n_units=3):
        super().__init__()
        self.conv = layers.Conv2D(4, 3, activation="relu")
        self.flatten = layers.Flatten()
        self.dense = layers.Dense(n_units, activation=activation)

    def call(self, images):
        return self.dense(self.flatten(self.conv(images / 255)))


def own_call(activation, n_units=3, side=32):
    model = OwnCall(activation, n_units)
    model(noise(2, side))
    for variable in model.variables:
        if variable.name == "kernel":
            variable.assign(np.random.default_rng(3).normal(0, 0.3, variable.shape))
    return model


# --- the score: one logit and one probability, however the model ends -------------------------------------
SOFTMAX_ENDS = {
    "Softmax layer": lambda: [layers.Dense(3, name="logits"), layers.Softmax()],
    "Dense with softmax": lambda: [layers.Dense(3, activation="softmax", name="logits")],
    "Activation": lambda: [layers.Dense(3, name="logits"), layers.Activation("softmax")],
    "ops.softmax": lambda: [layers.Dense(3, name="logits"), keras.ops.softmax],
    "activations.softmax": lambda: [layers.Dense(3, name="logits"), keras.activations.softmax],
    "logits": lambda: [layers.Dense(3, name="logits")],
    "linear logits": lambda: [layers.Dense(3, name="logits"), layers.Activation("linear")],
    "softmax, then Dropout": lambda: [layers.Dense(3, activation="softmax", name="logits"), layers.Dropout(0.2)],
    "softmax, then Identity": lambda: [layers.Dense(3, activation="softmax", name="logits"), layers.Identity()],
    "softmax, then linear": lambda: [layers.Dense(3, activation="softmax", name="logits"), layers.Activation("linear")],
    "softmax, then cast": lambda: [
        layers.Dense(3, activation="softmax", name="logits"),
        lambda x: keras.ops.cast(x, "float64"),
    ],
    "softmax, then Reshape": lambda: [
        layers.Reshape((1, 1, 4)),
        layers.Dense(3, activation="softmax", name="logits"),
        layers.Reshape((3,)),
    ],
    "1 x 1 convolution with softmax": lambda: [
        layers.Reshape((1, 1, 4)),
        layers.Conv2D(3, 1, activation="softmax", name="logits"),
        layers.Flatten(),
    ],
}


def scores_of(tail, **options):
    """Logits and probabilities by the classifier, and those worked out from the weights of the layer 'logits'."""
    model = small_model(*tail)
    classifier = Classifier(model, **options)
    images = noise(4)
    logits = classifier.compiled("logits", lambda images: classifier.forward(images)[1])(images).numpy()
    pooled = keras.Model(model.input, model.get_layer("pool").output)(images).numpy()
    kernel, bias = model.get_layer("logits").get_weights()
    return classifier, logits, classifier.predict(images), pooled @ kernel.reshape(4, -1) + bias, model(images)


@pytest.mark.parametrize("end", SOFTMAX_ENDS)
def test_every_softmax_model_has_the_same_logits_and_is_softmaxed_once(end):
    classifier, logits, probabilities, expected, _ = scores_of(SOFTMAX_ENDS[end]())
    assert classifier.score.function == SOFTMAX
    assert not classifier.score.hides_logits
    assert_close(logits, expected)
    np.testing.assert_allclose(probabilities, keras.ops.softmax(expected), atol=1e-5)
    assert probabilities.max() > 0.58  # more than a doubled softmax of three classes can give
    assert probabilities.dtype == np.float32


@pytest.mark.parametrize(
    "tail",
    [
        [layers.Dense(3, activation="sigmoid", name="logits")],
        [layers.Dense(3, name="logits"), layers.Activation("sigmoid")],
        [layers.Dense(3, name="logits"), keras.ops.sigmoid],
    ],
    ids=["Dense", "Activation", "ops"],
)
def test_several_sigmoids_are_classes_of_their_own(tail):
    classifier, logits, probabilities, expected, output = scores_of(tail)
    assert classifier.describe()["score"] == "sigmoid (the model ends in it)"
    assert_close(logits, expected)
    np.testing.assert_allclose(probabilities, output, atol=1e-6)


@pytest.mark.parametrize("activation", ["sigmoid", None], ids=["sigmoid", "logit"])
def test_one_unit_is_two_classes_with_opposite_logits(activation):
    tail, options = [layers.Dense(1, activation=activation, name="logits")], {} if activation else {"score": "sigmoid"}
    classifier, logits, probabilities, expected, _ = scores_of(tail, **options)
    assert classifier.n_classes == 2
    found = "the model ends in it" if activation else "given"
    assert classifier.describe()["score"] == f"sigmoid of one unit ({found})"
    assert_close(logits, np.concatenate([-expected, expected], axis=1))
    np.testing.assert_allclose(probabilities[:, 1], 1 / (1 + np.exp(-expected[:, 0])), atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("end", ["softmax in float32", "softmax in half", "linear in float32", "logits"])
def test_mixed_precision_gives_the_scores_of_float32_up_to_its_rounding(policy, end):
    def tail(dtype=None):
        return {
            "softmax in float32": [layers.Dense(3, name="logits"), layers.Activation("softmax", dtype=dtype)],
            "softmax in half": [layers.Dense(3, activation="softmax", name="logits")],
            "linear in float32": [
                layers.Dense(3, activation="softmax", name="logits"),
                layers.Activation("linear", dtype=dtype),
            ],
            "logits": [layers.Dense(3, name="logits")],
        }[end]

    def scaled(tail):
        return small_model(layers.Rescaling(1 / 255), *tail)

    plain = Classifier(scaled(tail()))
    keras.mixed_precision.set_global_policy(policy)
    try:
        mixed = Classifier(scaled(tail("float32")))
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert mixed.score.function == plain.score.function
    np.testing.assert_allclose(mixed.predict(noise(4)), plain.predict(noise(4)), atol=0.02)
    assert mixed.features(noise(4)).dtype == np.float32
    for name in ("GRADCAM", "FEM"):
        maps = [explain(METHODS[name], classifier, noise(1)[0], 1) for classifier in (mixed, plain)]
        assert maps[0].dtype == np.float32
        if name == "GRADCAM":
            assert_close(*maps, relative=0.05)


def test_the_mean_of_two_networks_is_not_softmaxed_again():
    images = keras.Input((32, 32, 3))
    first, second = small_model(name="first"), small_model(name="second", seed=1)
    model = keras.Model(images, layers.Average()([first(images), second(images)]))
    classifier = Classifier(model)
    assert classifier.score.hides_logits
    np.testing.assert_allclose(classifier.predict(noise(4)), model(noise(4)), atol=1e-5)


def test_the_sum_of_two_heads_of_logits_is_softmaxed_once():
    images = keras.Input((32, 32, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(images))
    model = keras.Model(images, layers.Add()([layers.Dense(3)(x), layers.Dense(3)(x)]))
    classifier = Classifier(model)
    assert not classifier.score.hides_logits
    np.testing.assert_allclose(classifier.predict(noise(4)), keras.ops.softmax(model(noise(4))), atol=1e-5)


@pytest.mark.parametrize(
    ("activation", "n_units", "function"),
    [("softmax", 3, SOFTMAX), (None, 3, SOFTMAX), ("sigmoid", 3, SIGMOID), ("sigmoid", 1, SIGMOID), (None, 1, SIGMOID)],
)
def test_a_model_with_a_call_of_its_own_gives_its_own_probabilities(activation, n_units, function):
    model = own_call(activation, n_units)
    classifier = Classifier(model, score="sigmoid" if (activation, n_units) == (None, 1) else None)
    assert (classifier.input_height, classifier.input_width) == (32, 32)
    assert classifier.score.function == function
    assert not classifier.score.hides_logits
    output = np.asarray(model(noise(4)))
    if activation is None:
        output = np.asarray(keras.ops.softmax(output) if n_units > 1 else keras.ops.sigmoid(output))
    probabilities = classifier.predict(noise(4))
    if n_units == 1:
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
        probabilities = probabilities[:, 1:]
    np.testing.assert_allclose(probabilities, output, atol=1e-5)


@pytest.mark.parametrize("name", ["RISE", "LIME"])
def test_a_model_with_a_call_of_its_own_can_be_perturbed(name):
    saliency_map = explain(METHODS[name], own_call("softmax"), noise(1)[0], 2)
    assert saliency_map.shape == (32, 32)
    assert np.isfinite(saliency_map).all()


def test_a_model_with_a_call_of_its_own_that_is_no_graph_has_no_layer_for_gradcam():
    class Asks(OwnCall):
        call = tf.function(OwnCall.call)  # whose tensors are of a graph of its own

    model = Asks("softmax")
    model(noise(2))
    message = "a layer with a feature map .* is needed; the model has: asks. Its layers cannot be seen: .* KerasTensor"
    with pytest.raises(ValueError, match=message):
        explain(METHODS["GRADCAM"], model, noise(1)[0], 2)


def test_an_end_that_is_no_score_is_refused():
    with pytest.raises(ValueError, match=r"ends in 'tanh' \(dense\); softmax, sigmoid or logits"):
        Classifier(small_model(layers.Dense(3, activation="tanh", name="dense")))


# --- what cannot be explained ----------------------------------------------------------------------------
def test_a_model_without_a_spatial_layer_is_refused_by_gradcam_with_the_layers_it_has():
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(name="flat"), layers.Dense(3, name="dense")])
    assert Classifier(model).predict(noise(1, 8)).shape == (1, 3)
    with pytest.raises(ValueError, match="the model has: flat, dense"):
        GradCAM(model, None, noise(1, 8), 0).compute_saliency_map()
    with pytest.raises(ValueError, match="no layer 'flat' .*none, the model has no convolution"):
        Classifier(model, layer_name="flat")


def test_a_wrong_layer_name_lists_the_near_ones_first():
    images = keras.Input((32, 32, 3))
    model = keras.Model(images, head()(residual_backbone()(images)))
    with pytest.raises(ValueError, match="no layer 'blok_out' .*; choose among 11: backbone/block_out, "):
        Classifier(model, layer_name="blok_out")
    with pytest.raises(ValueError, match=r"choose among 11: (.+, ){10}\.\.\.$"):
        Classifier(model, layer_name="xyz")
    with pytest.raises(ValueError, match="no layer 'dense'"):
        Classifier(model, layer_name="dense")


def test_a_name_that_two_nested_models_share_needs_its_path():
    images = keras.Input((32, 32, 3))
    one, two = residual_backbone("one", pooling="avg"), residual_backbone("two", pooling="avg", seed=1)
    model = keras.Model(images, layers.Dense(3)(layers.Concatenate()([one(images), two(images)])))
    with pytest.raises(ValueError, match="layers are named 'block_out'; choose among 2: .*one/block_out"):
        Classifier(model, layer_name="block_out")
    assert Classifier(model, layer_name="one/block_out").layer_name == "one/block_out"


def test_several_outputs_are_refused_with_their_names():
    images = keras.Input((32, 32, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(images))
    outputs = [layers.Dense(3, name="species")(x), layers.Dense(2, name="colour")(x)]
    for model in (keras.Model(images, outputs), keras.Model(images, dict(zip(("species", "colour"), outputs)))):
        with pytest.raises(ValueError, match="one output is wanted; this one has 2: species, colour"):
            Classifier(model)


def test_several_inputs_are_refused_with_their_names():
    image, mask = keras.Input((32, 32, 3), name="image"), keras.Input((32, 32, 3), name="mask")
    x = layers.GlobalAveragePooling2D()(layers.Concatenate()([image, mask]))
    for inputs in ([image, mask], {"image": image, "mask": mask}):
        with pytest.raises(ValueError, match="one image input is wanted; this one has 2: image, mask"):
            Classifier(keras.Model(inputs, layers.Dense(3)(x)))


@pytest.mark.parametrize("shape", [(3, 32, 32), (32, 32, 4), (32, 32), (300,)], ids=str)
def test_an_input_that_is_not_height_width_channels_is_refused(shape):
    images = keras.Input(shape)
    model = keras.Model(images, layers.Dense(3)(layers.Flatten()(images)))
    with pytest.raises(ValueError, match=r"\(n, H, W, 3\) or \(n, H, W, 1\) is wanted; this one takes \(None, "):
        Classifier(model)


def test_an_output_that_is_a_map_is_refused():
    images = keras.Input((32, 32, 3))
    with pytest.raises(ValueError, match=r"\(n, classes\) is wanted; this one gives \(None, 32, 32, 5\)"):
        Classifier(keras.Model(images, layers.Conv2D(5, 3, padding="same")(images)))


def test_a_model_that_is_not_built_is_refused():
    for model in (keras.Sequential([layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(3)]), OwnCall("softmax")):
        with pytest.raises(ValueError, match="is not built: give it an Input, or call it once"):
            Classifier(model)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused_by_name(value):
    model = small_model()
    kernel, bias = model.get_layer("conv").get_weights()
    kernel[0, 1, 2, 3] = value
    model.get_layer("conv").set_weights([kernel, bias])
    with pytest.raises(ValueError, match="'conv/kernel' hold NaN or infinite"):
        GradCAM(model, None, noise(1), 0)


# --- inputs of other kinds -------------------------------------------------------------------------------
def test_a_model_of_grey_images_is_given_the_luminance():
    model = small_model(channels=1, side=28)
    classifier = Classifier(model)
    images = noise(2, 28)
    grey = images @ np.array([[0.299], [0.587], [0.114]], dtype=np.float32)
    np.testing.assert_allclose(classifier.predict(images), model(grey), atol=1e-4)
    for method in (METHODS[name] for name in METHODS if name not in ELSEWHERE):
        assert explain(method, classifier, images[0], 0).shape == (28, 28)


def test_a_model_of_any_size_is_given_224_unless_told():
    model = keras.Sequential(
        [keras.Input((None, None, 3)), layers.Conv2D(2, 3), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    )
    assert (Classifier(model).input_height, Classifier(model).input_width) == (224, 224)
    classifier = Classifier(model, input_size=(40, 64))
    assert (classifier.input_height, classifier.input_width) == (40, 64)
    assert GradCAM(classifier, None, noise(1), 0).compute_saliency_map().shape == (1, 40, 64)


def test_a_fully_convolutional_head_of_one_position_is_classes():
    images = keras.Input((32, 32, 3))
    x = layers.Conv2D(4, 3, strides=2, activation="relu", name="conv")(images)
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    model = keras.Model(images, layers.Conv2D(3, 1, activation="softmax", name="classes")(x))
    draw_weights(model)
    classifier = Classifier(model)
    assert classifier.layer_name == "conv"
    assert classifier.n_classes == 3
    np.testing.assert_allclose(classifier.predict(noise(2)), model(noise(2)).numpy().reshape(2, 3), atol=1e-5)
    assert explain(METHODS["GRADCAM"], classifier, noise(1)[0], 1).shape == (32, 32)


# --- the layer and the preprocessing ---------------------------------------------------------------------
def test_the_layer_is_the_last_that_makes_a_map_after_its_activation():
    images = keras.Input((32, 32, 3))
    x = layers.Conv2D(4, 3, name="conv")(images)
    x = layers.Activation("relu", name="relu")(layers.BatchNormalization(name="bn")(x))
    x = layers.Dropout(0.1, name="drop")(layers.MaxPooling2D(name="maxpool")(x))
    model = keras.Model(images, layers.Dense(3)(layers.Flatten()(x)))
    classifier = Classifier(model)
    assert classifier.layer_name == "relu"
    assert classifier.layer_names == ["conv", "bn", "relu", "maxpool", "drop"]
    assert Classifier(model, layer_name="maxpool").features(noise(1)).shape == (1, 15, 15, 4)


def test_scaling_behind_the_first_convolution_is_not_preprocessing():
    images = keras.Input((32, 32, 3))
    x = layers.Rescaling(0.5)(layers.Conv2D(4, 3)(layers.ZeroPadding2D()(images)))
    assert not Classifier(keras.Model(images, layers.Dense(3)(layers.Flatten()(x)))).pixels.in_model


def test_a_zoo_name_does_not_preprocess_a_model_that_does_it_itself():
    images = keras.Input((32, 32, 3))
    own = keras.Model(images, head()(residual_backbone()(layers.Rescaling(1 / 127.5, offset=-1)(images))))
    plain = keras.Model(images, head()(residual_backbone()(images)))
    assert Classifier(own, "MobileNetV2").preprocessing == "none"
    assert Classifier(plain, "MobileNetV2").preprocessing == "tf"
    assert_close(Classifier(own, "MobileNetV2").predict(noise(2)), Classifier(plain, "MobileNetV2").predict(noise(2)))


def test_the_fingerprint_changes_with_any_weight():
    model = small_model()
    before = model_reading.fingerprint(model)
    assert model_reading.fingerprint(model) == before
    kernel = model.get_layer("conv").kernel
    kernel.assign(keras.ops.where(kernel == kernel[0, 0, 0, 0], kernel + 1e-6, kernel))
    assert model_reading.fingerprint(model) != before


def test_a_single_logit_is_explained_on_the_planted_object():
    classifier = Classifier(planted_model([layers.Identity()], n_classes=1), score="sigmoid")
    assert explain(METHODS["GRADCAM"], classifier, np.zeros((SIDE, SIDE, 3), np.uint8), RED).max() == 0


# --- other inputs: what is refused says how to make a model of images of it -----------------------------------------
def two_inputs(as_dict):
    photograph, age = keras.Input((16, 16, 3), name="photograph"), keras.Input((5,), name="age")
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(photograph))
    x = layers.Dense(3, activation="softmax")(layers.Concatenate()([x, age]))
    return keras.Model({"photograph": photograph, "age": age} if as_dict else [photograph, age], x)


def behind(*shape):
    images = keras.Input(shape)
    return keras.Model(images, layers.Dense(3, activation="softmax")(layers.Flatten()(images)))


OTHER_INPUTS = {  # a model, and what it is to be given for images (n, 16, 16, 3)
    "four channels": (behind(16, 16, 4), lambda x: np.pad(x, [(0, 0)] * 3 + [(0, 1)], constant_values=255)),
    "channels first": (behind(3, 16, 16), lambda x: x.transpose(0, 3, 1, 2)),
    "a film": (behind(4, 16, 16, 3), lambda x: np.repeat(x[:, None], 4, axis=1)),
    "pixels in a row": (behind(16 * 16 * 3), lambda x: x.reshape(len(x), -1)),
    "two inputs": (two_inputs(False), lambda x: [x, np.zeros((len(x), 5))]),
    "two inputs by name": (two_inputs(True), lambda x: {"photograph": x, "age": np.zeros((len(x), 5))}),
}


@pytest.mark.parametrize("kind", OTHER_INPUTS)
def test_what_takes_no_image_is_refused_with_the_lines_that_wrap_it(kind):
    model, given = OTHER_INPUTS[kind]
    with pytest.raises(ValueError, match=r"In Python \(.*\): image = keras.Input") as refusal:
        Classifier(model)
    names = {"keras": keras, "model": model}
    exec(str(refusal.value).split("): ", 1)[1], names)
    images = noise(2, 16)
    np.testing.assert_allclose(
        Classifier(names["model"], preprocessing="none").predict(images), model(given(images)), atol=1e-5
    )


@pytest.mark.parametrize("shape", [(128, 3), (12,)])
def test_signals_and_tables_are_not_told_how_to_become_images_of_a_few_pixels(shape):
    given = keras.Input(shape)
    model = keras.Model(given, layers.Dense(3, activation="softmax")(layers.Flatten()(given)))
    with pytest.raises(ValueError, match=r"this one takes .* of an image \(H, W, 3\) what this one takes$"):
        Classifier(model)


def test_grey_pixels_in_a_row_and_without_channels_too():
    for model in (behind(28 * 28), behind(28, 28)):
        with pytest.raises(ValueError, match=r"image = keras.Input\(\(28, 28, 1\)\)"):
            Classifier(model)
    with pytest.raises(ValueError, match="this one takes .*In Python, keras.Model"):
        Classifier(behind(101))
