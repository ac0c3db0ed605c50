"""What the outputs mean: by what is asked for, the last operation, the numbers, the loss, or a guess that is said."""

import functools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from planted import draw_weights, explain, noise

from explainers.registry import METHODS
from network import model_files
from network.classifier import Classifier
from network.model_files import read_loss
from network.scores import NONE, SIGMOID, SOFTMAX, are_no_logits, choose_loss, loss_name

OPTIONS = {"RISE": {"n_masks": 8}, "LIME": {"num_samples": 8}, "KERNEL_SHAP": {"num_samples": 8}}


def small_model(*tail, bias=None):
    """Pixels / 255, a convolution, its mean over positions 'pool', the layers of `tail`; bias: of the last layer."""
    images = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, activation="relu")(layers.Rescaling(1 / 255)(images))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    for layer in tail:
        x = layer(x)
    model = keras.Model(images, x)
    draw_weights(model)
    if bias is not None:
        kernel, _ = model.layers[-1].get_weights()
        model.layers[-1].set_weights([kernel, np.full(kernel.shape[1], bias)])
    return model


def by_hand(model, name="logits"):
    """What a dense layer gives before its activation, worked out from its weights, for noise(3, 16)."""
    pooled = keras.Model(model.input, model.get_layer("pool").output)(noise(3, 16)).numpy()
    kernel, bias = model.get_layer(name).get_weights()
    return pooled @ kernel + bias


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


# --- the last operation, whatever layer runs it ----------------------------------------------------------
class OwnSoftmax(layers.Layer):
    def call(self, x):
        return tf.nn.softmax(x)


SOFTMAX_ENDS = {
    "tf.nn.softmax": lambda: [layers.Dense(3, activation=tf.nn.softmax, name="logits")],
    "log_softmax": lambda: [layers.Dense(3, activation="log_softmax", name="logits")],
    "tf.nn.log_softmax": lambda: [layers.Dense(3, activation=tf.nn.log_softmax, name="logits")],
    "log_softmax layer": lambda: [layers.Dense(3, name="logits"), layers.Activation("log_softmax")],
    "ops.log_softmax": lambda: [layers.Dense(3, name="logits"), keras.ops.log_softmax],
    "Lambda": lambda: [layers.Dense(3, name="logits"), layers.Lambda(lambda x: tf.nn.softmax(x))],
    "a layer of one's own": lambda: [layers.Dense(3, name="logits"), OwnSoftmax()],
}


@pytest.mark.parametrize("end", SOFTMAX_ENDS)
def test_logits_are_what_the_softmax_is_taken_of(end):
    model = small_model(*SOFTMAX_ENDS[end]())
    classifier = Classifier(model)
    assert classifier.describe()["score"] == "softmax (the model ends in it)"
    np.testing.assert_allclose(classifier.logits(noise(3, 16)), by_hand(model), atol=1e-5)
    np.testing.assert_allclose(classifier.predict(noise(3, 16)), softmax(by_hand(model)), atol=1e-6)


@pytest.mark.parametrize("axis", [1, 2])
def test_softmaxes_of_groups_of_the_outputs_are_probabilities_of_their_own(axis):
    tail = [layers.Dense(6), layers.Reshape((3, 2)), layers.Softmax(axis=axis), layers.Flatten()]
    model = small_model(*tail)
    classifier = Classifier(model)
    assert classifier.describe()["score"] == "sigmoid (probed: the outputs are probabilities)"
    np.testing.assert_allclose(classifier.predict(noise(3, 16)), model(noise(3, 16)), atol=1e-6)
    with pytest.raises(ValueError, match="'softmax' does not fit: the outputs .* do not sum to 1"):
        Classifier(model, score="softmax")


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis")
def test_a_softmax_over_an_axis_of_one_says_nothing_and_is_refused():
    model = small_model(layers.Reshape((1, 1, 4)), layers.Conv2D(3, 1), layers.Softmax(axis=1))
    with pytest.raises(ValueError, match="gives 1 to 1 whatever the picture .* nothing to explain"):
        Classifier(model)


def test_a_temperature_is_part_of_the_logits():
    for divide in (layers.Rescaling(1 / 4), layers.Lambda(lambda x: x / 4.0), lambda x: x / 4.0):
        model = small_model(layers.Dense(3, name="logits"), divide, layers.Softmax())
        classifier = Classifier(model)
        np.testing.assert_allclose(classifier.logits(noise(3, 16)), by_hand(model) / 4, atol=1e-5)
        np.testing.assert_allclose(classifier.predict(noise(3, 16)), model(noise(3, 16)), atol=1e-6)


@pytest.mark.parametrize("activation", [tf.nn.sigmoid, "sigmoid", lambda x: tf.sigmoid(x)])
def test_sigmoids_are_found_too(activation):
    model = small_model(layers.Dense(3, activation=activation, name="logits"))
    classifier = Classifier(model)
    assert classifier.score.function == SIGMOID
    np.testing.assert_allclose(classifier.logits(noise(3, 16)), by_hand(model), atol=1e-5)


LOG_ENDS = {
    "log_sigmoid": ([lambda x: keras.ops.log_sigmoid(x)], SIGMOID),
    "the logarithm of sigmoids": ([layers.Activation("sigmoid"), lambda x: keras.ops.log(x)], SIGMOID),
    "the logarithm of a softmax": ([layers.Softmax(), lambda x: keras.ops.log(x)], SOFTMAX),
}


@pytest.mark.parametrize("end", LOG_ENDS)
def test_the_logits_of_a_logarithm_of_probabilities_are_those_of_the_probabilities(end):
    tail, function = LOG_ENDS[end]
    model = small_model(layers.Dense(3, name="logits"), *tail)
    classifier = Classifier(model)
    assert classifier.score.function == function
    np.testing.assert_allclose(classifier.logits(noise(3, 16)), by_hand(model), atol=1e-5)
    np.testing.assert_allclose(classifier.predict(noise(3, 16)), np.exp(model(noise(3, 16))), atol=1e-5)


def test_logarithms_of_shares_are_found_by_their_numbers():
    end = lambda x: x - keras.ops.logsumexp(x, axis=-1, keepdims=True)  # noqa: E731
    model = small_model(layers.Dense(3, name="logits"), end)
    classifier = Classifier(model)
    assert classifier.describe()["score"] == "softmax (probed: the outputs are logarithms of probabilities)"
    np.testing.assert_allclose(classifier.predict(noise(3, 16)), softmax(by_hand(model)), atol=1e-5)


@pytest.mark.parametrize("first", [layers.Dense(8, name="e"), layers.Dense(8, activation="relu", name="e")])
def test_an_embedding_is_no_score_of_classes(first):
    model = small_model(first, layers.UnitNormalization())
    with pytest.raises(ValueError, match=r"vectors of length 1 .* target says .*targets.md\); --score=none explains"):
        Classifier(model)
    classifier = Classifier(model, score="none")
    np.testing.assert_allclose(classifier.predict(noise(3, 16)), model(noise(3, 16)), atol=1e-5)
    likeness = Classifier(model, target=lambda outputs: outputs[:, 0])
    np.testing.assert_allclose(likeness.predict(noise(3, 16))[:, 0], model(noise(3, 16))[:, 0], atol=1e-5)


@pytest.mark.parametrize("end", [lambda x: keras.ops.argmax(x, axis=-1, keepdims=True), keras.ops.round])
def test_steps_are_no_score(end):
    with pytest.raises(ValueError, match="come out of steps .* end the model in front of them; --score=none"):
        Classifier(small_model(layers.Dense(3, activation="softmax"), end))


def test_the_mean_of_networks_is_given_as_they_give_it():
    images = keras.Input((16, 16, 3))
    parts = [small_model(layers.Dense(3, activation="softmax", name="logits")) for _ in range(3)]
    for part, seed in zip(parts, range(3)):
        draw_weights(part, seed)
    stacked = lambda outputs: keras.ops.mean(keras.ops.stack(outputs), axis=0)  # noqa: E731
    for mean in (layers.Average(), lambda outputs: sum(outputs) / 3, stacked):
        model = keras.Model(images, mean([part(images) for part in parts]))
        classifier = Classifier(model)
        assert classifier.describe()["score"] == "softmax (probed: the outputs are probabilities that sum to 1)"
        expected = np.mean([part(noise(3, 16)) for part in parts], axis=0)
        np.testing.assert_allclose(classifier.predict(noise(3, 16)), expected, atol=1e-6)


def test_what_only_bounds_its_numbers_is_no_score():
    with pytest.raises(ValueError, match=r"ends in 'tanh' \(end\); .*: --score=none explains the number itself"):
        Classifier(small_model(layers.Dense(3, activation="tanh", name="end")))
    with pytest.raises(ValueError, match="ends in 'relu'"):
        Classifier(small_model(layers.Dense(1, activation="relu", name="end")))
    classifier = Classifier(small_model(layers.Dense(1, activation="relu", name="end")), score="none")
    np.testing.assert_allclose(
        classifier.predict(noise(3, 16)), np.maximum(by_hand(classifier.model, "end"), 0), atol=1e-5
    )


@pytest.mark.parametrize("end", [lambda x: x * keras.ops.sigmoid(x), lambda x: 30 * keras.ops.tanh(x / 30)])
def test_a_function_of_its_own_behind_the_last_weights_is_asked_about(end):
    model = small_model(layers.Dense(3, name="logits"), end)
    with pytest.raises(
        ValueError, match="ends in a function of its own .*--score=softmax and sigmoid take the numbers"
    ):
        Classifier(model)
    expected = softmax(np.asarray(model(noise(3, 16))))
    np.testing.assert_allclose(Classifier(model, score="softmax").predict(noise(3, 16)), expected, atol=1e-6)
    model.compile(loss="mse")
    np.testing.assert_allclose(Classifier(model).predict(noise(3, 16)), model(noise(3, 16)), atol=1e-6)


def test_a_softmax_of_one_unit_says_nothing_and_is_refused():
    model = small_model(layers.Dense(1, activation="softmax", name="logits"))
    with pytest.raises(
        ValueError, match=r"a softmax of one unit \(logits\), which is 1 for every image; --score=sigmoid"
    ):
        Classifier(model)
    classifier = Classifier(model, score="sigmoid")
    np.testing.assert_allclose(classifier.predict(noise(3, 16))[:, 1:], 1 / (1 + np.exp(-by_hand(model))), atol=1e-6)


# --- what is asked for -----------------------------------------------------------------------------------
def test_a_linear_output_is_what_is_asked_for():
    model = small_model(layers.Dense(3, name="logits"))
    functions = {SOFTMAX: softmax, SIGMOID: lambda logits: 1 / (1 + np.exp(-logits)), NONE: lambda logits: logits}
    for score, function in functions.items():
        classifier = Classifier(model, score=score)
        np.testing.assert_allclose(classifier.predict(noise(3, 16)), function(by_hand(model)), atol=1e-5)
        assert classifier.describe()["score"].endswith("(given)")
        assert classifier.rebuilt().score.function == score
    guessed = Classifier(model)
    assert guessed.describe()["score"] == "softmax (guessed of a linear output; --score says what it is)"
    (doubt,) = guessed.doubts(noise(3, 16))
    assert "--score=softmax says so, --score=sigmoid that several may be there, --score=none that they are" in doubt


@pytest.mark.parametrize(
    ("loss", "is_balanced"),
    [
        (keras.losses.CategoricalCrossentropy(from_logits=True), True),
        (keras.losses.BinaryCrossentropy(from_logits=True), False),
        (keras.losses.MeanSquaredError(), False),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_biases_that_a_softmax_has_trained_tell_it(loss, is_balanced):
    """By SGD with momentum from zero: of a softmax the gradients of all logits add up to 0, of other losses not."""
    model = small_model(layers.Dense(3, name="logits"), bias=0.0)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss)
    labels = np.eye(3)[[0, 1, 1, 1, 2, 1, 0, 1]]
    model.fit(noise(8, 16), labels, epochs=3, batch_size=4, verbose=0)
    model.loss = None  # as of a model that was saved without it
    classifier = Classifier(model)
    found = "probed: the biases add up to 0, as a softmax leaves them in training"
    assert (classifier.score.function, classifier.score.found == found) == (SOFTMAX, is_balanced)
    assert any("it is guessed" in doubt for doubt in classifier.doubts(noise(3, 16))) != is_balanced
    assert Classifier(model, score="sigmoid").score.function == SIGMOID


def test_thresholds_of_one_number_are_asked_about():
    """An ordinal head (CORAL): a softmax of it would be the same for every picture."""
    model = small_model(layers.Dense(1), layers.Lambda(lambda x: x + tf.constant([[1.0, 0.0, -1.0]])))
    with pytest.raises(ValueError, match="the same number with thresholds of their own.*: --score=sigmoid takes each"):
        Classifier(model)
    assert Classifier(model, score="sigmoid").n_classes == 3


def test_pooled_features_without_a_head_are_asked_about():
    with pytest.raises(
        ValueError, match=r"ends in pooled features \(pool\) .* include_top=False .*--score=softmax says"
    ):
        Classifier(small_model())
    assert Classifier(small_model(), score="softmax").n_classes == 4


def test_a_score_that_does_not_fit_and_one_that_does_not_exist_are_refused():
    model = small_model(layers.Dense(3, activation="softmax", name="logits"))
    with pytest.raises(ValueError, match=r"'sigmoid' does not fit: the model applies a softmax itself \(logits\)"):
        Classifier(model, score="sigmoid")
    with pytest.raises(ValueError, match="a softmax is of two outputs or more"):
        Classifier(small_model(layers.Dense(1)), score="softmax")
    with pytest.raises(ValueError, match="unknown score 'logits'; choose from: auto, softmax, sigmoid, none"):
        Classifier(model, score="logits")


def test_the_number_itself_of_a_softmax_is_its_probability():
    model = small_model(layers.Dense(3, activation="softmax", name="logits"))
    classifier = Classifier(model, score="none")
    assert classifier.class_names == ["output_0", "output_1", "output_2"]
    np.testing.assert_allclose(classifier.logits(noise(3, 16)), softmax(by_hand(model)), atol=1e-6)
    np.testing.assert_allclose(classifier.predict(noise(3, 16)), softmax(by_hand(model)), atol=1e-6)


# --- regressions -----------------------------------------------------------------------------------------
def test_numbers_that_no_logits_are():
    assert are_no_logits(np.array([[35.0], [37.2], [20.1]]))
    assert are_no_logits(np.array([[-35.0], [-37.2]]))
    assert not are_no_logits(np.array([[35.0], [-37.2]]))
    assert not are_no_logits(np.array([[35.0], [2.0]]))
    assert are_no_logits(np.array([[66.0, 39.0], [63.0, 36.0]]))
    assert not are_no_logits(np.array([[66.0, 39.0], [36.0, 63.0]]))
    assert not are_no_logits(np.array([[6.0, 3.0], [6.3, 3.6]]))


def test_an_age_is_no_yes_or_no():
    model = small_model(layers.Dense(1, name="logits"), bias=35)
    classifier = Classifier(model)
    assert (classifier.score.function, classifier.n_classes, classifier.class_names) == (NONE, 1, ["output_0"])
    assert "whatever the picture, which are no logits" in classifier.describe()["score"]
    np.testing.assert_allclose(classifier.predict(noise(3, 16)), by_hand(model), rtol=1e-6)
    assert classifier.doubts(noise(3, 16)) == []
    assert Classifier(model, score="sigmoid").n_classes == 2
    # the map is that of the number: of a linear head the sum of the features with the weights
    saliency_map = explain(METHODS["CAM"], classifier, noise(1, 16)[0], 0)
    assert saliency_map.std() > 0
    maps = {name: explain(METHODS[name], classifier, noise(1, 16)[0], 0, **OPTIONS.get(name, {})) for name in METHODS
            if name != "ATTENTION"}  # fmt: skip
    assert all(np.isfinite(one).all() for one in maps.values())


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize(
    ("loss", "function"),
    [
        ("mse", NONE),
        (keras.losses.MeanAbsoluteError(), NONE),
        (keras.losses.BinaryCrossentropy(from_logits=True), SIGMOID),
        ("binary_crossentropy", SIGMOID),
        (keras.losses.CategoricalCrossentropy(from_logits=True), SOFTMAX),
        ("sparse_categorical_crossentropy", SOFTMAX),
    ],
)
def test_the_loss_kept_in_the_file_tells_what_a_linear_output_is(tmp_path, loss, function, suffix):
    model = small_model(layers.Dense(3, name="logits"))
    model.compile(loss=loss)
    path = tmp_path / f"model{suffix}"
    model.save(path)
    classifier, _ = model_files.load_classifier(model_path=path)
    assert classifier.score.function == function
    assert "of the loss it was trained with" in classifier.describe()["score"]
    assert Classifier(model).score.function == function  # as the model itself knows before it is saved
    assert Classifier(model_files.load_model(path)).describe()["score"].startswith("softmax (guessed")


def test_one_number_without_a_loss_is_asked_about():
    model = small_model(layers.Dense(1, name="logits"))
    with pytest.raises(ValueError, match="cannot be known; --score=sigmoid says .*, --score=none that it is a number"):
        Classifier(model)
    assert Classifier(model, score="sigmoid").n_classes == 2
    assert Classifier(model, score="none").n_classes == 1


class OwnEntropy(keras.losses.BinaryCrossentropy):
    pass


class OwnSquares(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.mean((y_true - y_pred) ** 2)


LOSSES_OF_ONES_OWN = {
    "partial": (functools.partial(keras.losses.binary_crossentropy, from_logits=True), SIGMOID, ""),
    "partial of a partial": (
        functools.partial(functools.partial(keras.losses.categorical_crossentropy, axis=-1), from_logits=True),
        SOFTMAX,
        "",
    ),
    "derived": (OwnEntropy(from_logits=True), SIGMOID, ""),
    "not told of logits": ("binary_crossentropy", SIGMOID, "binarycrossentropy was not told from_logits=True"),
    "margins": ("categorical_hinge", NONE, ""),
    "unknown": (OwnSquares(), SOFTMAX, "no loss that tells: ownsquares"),
}


@pytest.mark.parametrize("name", LOSSES_OF_ONES_OWN)
def test_losses_that_wrap_others_are_those_and_unknown_ones_are_named(name):
    loss, function, words = LOSSES_OF_ONES_OWN[name]
    model = small_model(layers.Dense(3, name="logits"))
    model.compile(loss=loss)
    classifier = Classifier(model)
    assert classifier.score.function == function
    assert words in classifier.score.doubt and bool(words) == bool(classifier.score.doubt)


def test_a_sigmoid_that_was_trained_as_a_number_is_doubted():
    model = small_model(layers.Dense(1, activation="sigmoid", name="logits"))
    model.compile(loss="mse")
    assert (
        "trained with mse, as numbers are: if they are no probabilities, --score=none" in Classifier(model).score.doubt
    )
    assert Classifier(model, score="sigmoid").score.doubt == ""


def test_the_end_of_the_model_goes_before_its_loss():
    model = small_model(layers.Dense(3, activation="softmax"))
    model.compile(loss="binary_crossentropy")
    assert Classifier(model).score.function == SOFTMAX


def test_losses_by_all_their_names():
    as_keras_2 = {"class_name": "BinaryCrossentropy", "config": {"from_logits": True}}
    as_a_function = {"module": "builtins", "class_name": "function", "config": "mean_squared_error"}
    named = {"mse": "mse", "categorical_crossentropy": "categoricalcrossentropy"}
    assert {name: loss_name(name) for name in named} == named
    assert loss_name(as_keras_2) == loss_name(keras.losses.BinaryCrossentropy()) == "binarycrossentropy"
    assert loss_name(as_a_function) == loss_name(keras.losses.mean_squared_error) == "meansquarederror"
    assert loss_name(None) is None
    assert choose_loss({"age": "mse", "sex": as_keras_2}, ["sex", "age"], "sex") == as_keras_2
    assert choose_loss(["mse", "mae"], ["sex", "age"], "age") == "mae"
    assert choose_loss(as_keras_2, ["sex"], None) == as_keras_2


def test_files_without_a_loss_have_none(tmp_path):
    model = small_model(layers.Dense(3))
    for suffix in (".keras", ".h5"):
        model.save(tmp_path / f"model{suffix}")
        assert read_loss(tmp_path / f"model{suffix}") is None
    (tmp_path / "broken.keras").write_bytes(b"no model")
    assert read_loss(tmp_path / "broken.keras") is None


# --- several outputs -------------------------------------------------------------------------------------
def two_heads(as_dict):
    images = keras.Input((16, 16, 3))
    x = layers.GlobalAveragePooling2D(name="pool")(layers.Conv2D(4, 3)(images / 255))
    heads = {"species": layers.Dense(3, activation="softmax", name="species")(x), "age": layers.Dense(1, name="age")(x)}
    model = keras.Model(images, heads if as_dict else list(heads.values()))
    draw_weights(model)
    return model


@pytest.mark.parametrize("as_dict", [False, True])
def test_one_of_several_outputs_is_explained_by_its_name(as_dict):
    model = two_heads(as_dict)
    species, age = keras.tree.flatten(model(noise(3, 16)))[:: -1 if as_dict else 1]  # a dict is sorted by its names
    classifier = Classifier(model, output_name="species")
    np.testing.assert_allclose(classifier.predict(noise(3, 16)), species, atol=1e-6)
    assert classifier.score.function == SOFTMAX
    number = Classifier(model, output_name="age", score="none")
    np.testing.assert_allclose(number.predict(noise(3, 16)), age, rtol=1e-5)
    assert number.rebuilt().output_name == "age"
    for message in ("this one has 2: .*species", "--output_name"):
        with pytest.raises(ValueError, match=message):
            Classifier(model)
    with pytest.raises(ValueError, match="no output 'sex': .*age"):
        Classifier(model, output_name="sex")


def test_each_output_has_its_own_loss():
    model = two_heads(as_dict=False)
    model.compile(loss={"species": "categorical_crossentropy", "age": "mse"})
    assert Classifier(model, output_name="age").score.function == NONE
    assert Classifier(model, output_name="species").score.function == SOFTMAX


def test_the_one_output_of_a_model_may_be_named():
    model = small_model(layers.Dense(3, activation="softmax", name="end"))
    assert Classifier(model, output_name="end").n_classes == 3
    with pytest.raises(ValueError, match="no output 'start': end"):
        Classifier(model, output_name="start")


# --- in a run --------------------------------------------------------------------------------------------
def test_the_flags_reach_the_classifier(tmp_path, monkeypatch, capsys):
    import main

    monkeypatch.chdir(tmp_path)
    model = two_heads(as_dict=True)
    model.save("two.keras")
    keras.utils.save_img("image.png", noise(1, 16)[0])
    flags = ["--test_images_folder_path=.", "--model_path=two.keras", "--faithfulness=none"]
    assert main.main([*flags, "--output_name=age", "--score=none", "--preprocessing=unit"]) == 0
    described = json.loads((tmp_path / "results" / "run.json").read_text())["model"]
    assert described["score"] == "none: the number itself (given)"
    assert described["preprocessing"] == "x / 255 (given)"
    assert main.main([*flags]) == 2
    assert "Choose one with --output_name" in capsys.readouterr().err
