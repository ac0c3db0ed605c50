"""Engines answer as TensorFlow does, or are refused with the figure; 'auto' takes the quicker one."""

import copy
from dataclasses import replace

import keras
import numpy as np
import pytest
import transformers
from planted import GREEN, head, noise, picture, planted_model, residual_backbone

import constants
from data.taxonomy import Level
from network import engines, timings
from network.classifier import Classifier

INSTALLED = [name for name in engines.LIBRARIES if not engines.find_missing(name)]
each = pytest.mark.parametrize("name", INSTALLED or [pytest.param("", marks=pytest.mark.skip("no engine installed"))])


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def nested():
    images = keras.Input((32, 32, 3))
    scaled = keras.layers.Rescaling(1 / 127.5, -1)(images)
    return keras.Model(images, head()(residual_backbone()(scaled)))


def one_sigmoid():
    images = keras.Input((32, 32, 1))
    x = keras.layers.Conv2D(4, 3, strides=2, activation="swish")(images)
    x = keras.layers.BatchNormalization()(x)
    return keras.Model(images, keras.layers.Dense(1, activation="sigmoid")(keras.layers.Flatten()(x)))


def asked(classifier, engine):
    """The same classifier, answered by another engine."""
    twin = copy.copy(classifier)
    twin._engine_choice, twin._engines = engine, {}
    return twin


@pytest.mark.skipif("openvino" not in INSTALLED, reason="OpenVINO is not installed")
def test_what_openvino_says_of_an_image_does_not_depend_on_others_beside_it():
    classifier = asked(Classifier(nested(), batch_size=4), "openvino")
    images = noise(7)
    together = classifier.predict(images)
    for place in range(len(images)):
        np.testing.assert_array_equal(classifier.predict(images[place : place + 1])[0], together[place])


@each
def test_images_may_lie_in_memory_in_any_order(name):
    classifier = Classifier(nested(), batch_size=64)
    images = noise(64)
    interleaved = np.asfortranarray(images)  # as LIME composes its images: the number of the image varies fastest
    expected = classifier.predict(images)
    for _ in range(3):
        np.testing.assert_allclose(asked(classifier, name).predict(interleaved), expected, atol=1e-5)


def vision_transformer():
    return transformers.vit(depth=1)


MODELS = [nested, one_sigmoid, vision_transformer]


@pytest.mark.parametrize("build", MODELS)
def test_an_engine_gives_tensorflows_probabilities_of_any_number_of_images(build):
    usual = Classifier(build(), batch_size=4)
    images = noise(7, side=usual.input_height)
    expected = usual.predict(images)
    for name in INSTALLED:
        quick = asked(usual, name)
        for n in (1, 4, 7):
            np.testing.assert_allclose(quick.predict(images[:n]), expected[:n], atol=1e-5)
        assert quick.engine.name == name
        assert quick.engine.error < engines.TOLERANCE


@each
def test_levels_targets_and_shifted_pixels_have_an_engine_of_their_own(name):
    def second_logit(output):
        return output[:, 1]

    usual, quick = Classifier(planted_model()), Classifier(planted_model(), engine=name)
    images = picture(GREEN)[None].astype(np.float32)
    quick.predict(images)
    warm = Level("warmth", ["warm", "cold"], np.array([0, 0, 1], np.int32))
    for twin in (
        lambda one: one.of_target(second_logit),
        lambda one: one.shifted(20.0),
        lambda one: one.at_level(warm),
        lambda one: one.at_level(warm).shifted(20.0),
    ):
        np.testing.assert_allclose(twin(quick).predict(images), twin(usual).predict(images), atol=1e-4)


@each
def test_a_model_that_is_trained_further_has_a_new_engine(name):
    model = planted_model()
    quick = Classifier(model, engine=name)
    images = picture(GREEN)[None].astype(np.float32)
    before = quick.predict(images)
    layer = model.get_layer("logits")
    layer.set_weights([-weight for weight in layer.get_weights()])
    after = quick.predict(images)
    np.testing.assert_allclose(after, Classifier(model).predict(images), atol=1e-5)
    assert np.abs(after - before).max() > 0.1


@each
def test_what_differs_from_tensorflow_is_refused_with_the_figure(name, monkeypatch):
    def open_wrong(frozen, question):
        return lambda images: question.predict(images) + np.float32(0.003)

    monkeypatch.setattr(engines, f"_open_{name}", open_wrong)
    with pytest.raises(ValueError, match=r"^engine: .* by up to 0\.003 on 10 images, more than 0\.0001"):
        Classifier(planted_model(), engine=name).predict(noise(1, side=96))


@each
def test_what_cannot_be_converted_is_refused_with_the_reason(name, monkeypatch):
    def fail(frozen, question):
        raise RuntimeError("no such operation: Wonder")

    monkeypatch.setattr(engines, f"_open_{name}", fail)
    with pytest.raises(ValueError, match="^engine: .* cannot run this model .*Wonder.*leave --engine out"):
        Classifier(planted_model(), engine=name).predict(noise(1, side=96))


@each
def test_the_reason_is_not_a_place_in_the_engines_own_code(name, monkeypatch):
    lines = (
        "Exception from core.cpp:84:",
        "Check 'false' failed at report.cpp:151:",
        "Summary:",
        "-- No rule for: Wonder",
    )

    def fail(frozen, question):
        raise RuntimeError("\n".join(lines))

    monkeypatch.setattr(engines, f"_open_{name}", fail)
    with pytest.raises(ValueError, match=r"cannot run this model \(No rule for: Wonder\)"):
        Classifier(planted_model(), engine=name).predict(noise(1, side=96))


@pytest.mark.skipif(not INSTALLED, reason="no engine installed")
@pytest.mark.parametrize(("ratio", "taken"), [(1.19, "tensorflow"), (1.21, INSTALLED[0] if INSTALLED else "")])
def test_auto_takes_an_engine_that_is_at_least_1_2_times_as_fast_and_keeps_what_it_timed(ratio, taken, monkeypatch):
    timed = []

    def compare(slow, quick, images, rounds):
        timed.append(images.shape)
        return ratio - 0.01 * (len(timed) > 1)

    monkeypatch.setattr(timings, "compare", compare)
    model = planted_model()
    assert Classifier(model, engine="auto", batch_size=3).engine.name == taken
    assert timed == [(3, 96, 96, 3)] * len(INSTALLED)
    again = Classifier(model, engine="auto", batch_size=3)
    assert again.engine.name == taken
    assert f"{ratio:.2f} times as fast" in again.engine.describe()
    assert len(timed) == len(INSTALLED)
    assert again.describe().get("engine", "tensorflow") == taken


def test_auto_without_any_engine_is_tensorflow(monkeypatch):
    monkeypatch.setattr(engines, "find_missing", lambda name: list(engines.LIBRARIES.get(name, ())))
    classifier = Classifier(planted_model(), engine="auto")
    assert classifier.engine.name == "tensorflow"
    assert "no other engine is installed" in classifier.engine.describe()


def test_an_engine_that_is_not_installed_says_what_to_install(monkeypatch):
    monkeypatch.setattr(engines, "find_missing", lambda name: ["openvino"])
    with pytest.raises(ValueError, match=r"^engine: openvino needs openvino: .*requirements-fast\.txt"):
        Classifier(planted_model(), engine="openvino")


def test_an_unknown_engine_lists_the_choices():
    with pytest.raises(ValueError, match="engine: one of tensorflow, .*auto.* got 'torch'"):
        Classifier(planted_model(), engine="torch")


def test_without_an_engine_nothing_is_described_and_tensorflow_answers():
    classifier = Classifier(planted_model())
    assert "engine" not in classifier.describe()
    assert replace(classifier.engine, run=None) == engines.Engine(constants.ENGINES[0], None)
