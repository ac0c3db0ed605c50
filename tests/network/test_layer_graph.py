"""A model that holds other models is explained as it is: the same answers as its flat twin, and nothing changed."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from planted import all_layers, assert_close, assert_same_state, head, noise, residual_backbone, state_of

from fem import FEM
from gradcam import GradCAM
from network import layer_graph
from network.classifier import Classifier

CLASSES = [0, 1, 2]


def answers(classifier, images):
    """What every method starts from, and two methods' maps."""
    return {
        "probabilities": classifier.predict(images),
        "features": classifier.features(images),
        "gradcam": GradCAM(classifier, None, images, CLASSES).compute_saliency_map(),
        "fem": FEM(classifier, None, images).compute_saliency_map(),
    }


def flat_twin(backbone, top):
    return keras.Model(backbone.input, top(backbone.output))


@pytest.fixture(scope="module")
def parts():
    """The backbone, the head on it, and the answers of the flat model of the two."""
    backbone, top = residual_backbone(), head()
    return backbone, top, answers(Classifier(flat_twin(backbone, top)), noise(3))


@pytest.fixture(scope="module")
def parts_with_scaling():
    """The same, the flat model being given images scaled to -1..1 by the classifier."""
    backbone, top = residual_backbone(), head()
    return backbone, top, answers(Classifier(flat_twin(backbone, top), preprocessing="tf"), noise(3))


def assert_same_answers(model, expected, layer="backbone/block_out"):
    classifier = Classifier(model)
    assert classifier.layer_name == layer
    assert expected["gradcam"].max() > 0
    assert expected["fem"].max() > 0
    for name, answer in answers(classifier, noise(3)).items():
        assert_close(answer, expected[name])
    return classifier


# --- forms of nesting ------------------------------------------------------------------------------------
def functional(backbone, top):
    images = keras.Input((32, 32, 3))
    return keras.Model(images, top(backbone(images)))


def functional_in_inference_mode(backbone, top):
    images = keras.Input((32, 32, 3))
    return keras.Model(images, top(backbone(images, training=False)))


def functional_with_the_input_in_a_list(backbone, top):
    images = keras.Input((32, 32, 3))
    return keras.Model([images], [top(backbone([images]))])


def functional_with_names_for_input_and_output(backbone, top):
    images = keras.Input((32, 32, 3), name="image")
    return keras.Model({"image": images}, {"class": top(backbone(images))})


def sequential(backbone, top):
    return keras.Sequential([keras.Input((32, 32, 3)), backbone, layers.GlobalAveragePooling2D(), top.dense])


def sequential_without_input(backbone, top):
    model = keras.Sequential([backbone, layers.GlobalAveragePooling2D(), top.dense])
    model(noise(2))
    return model


def with_augmentation(backbone, top):
    augment = [layers.RandomFlip(), layers.RandomRotation(0.2), layers.RandomContrast(0.3)]
    return keras.Sequential(
        [keras.Input((32, 32, 3)), *augment, backbone, layers.GlobalAveragePooling2D(), layers.Dropout(0.5), top.dense]
    )


def with_augmentation_as_a_model(backbone, top):
    images = keras.Input((32, 32, 3))
    augment = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomZoom(0.2)], name="augment")
    return keras.Model(images, top(backbone(augment(images))))


def with_a_head_that_is_a_model(backbone, top):
    features = keras.Input((8, 8, 12))
    images = keras.Input((32, 32, 3))
    return keras.Model(images, keras.Model(features, top(features), name="head")(backbone(images)))


FORMS = [
    functional,
    functional_in_inference_mode,
    functional_with_the_input_in_a_list,
    functional_with_names_for_input_and_output,
    sequential,
    sequential_without_input,
    with_augmentation,
    with_augmentation_as_a_model,
    with_a_head_that_is_a_model,
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_a_backbone_used_as_a_layer_is_explained_as_its_flat_twin(parts, form):
    backbone, top, expected = parts
    assert_same_answers(form(backbone, top), expected)


def test_two_levels_deep(parts):
    backbone, top, expected = parts
    inner, outer = keras.Input((32, 32, 3)), keras.Input((32, 32, 3))
    encoder = keras.Model(inner, layers.Dropout(0.1)(backbone(inner)), name="encoder")
    model = keras.Model(outer, top(encoder(outer)), name="outer")
    assert_same_answers(model, expected, "encoder/backbone/block_out")
    whole = keras.Sequential([keras.Input((32, 32, 3)), layers.Identity(), model])
    assert_same_answers(whole, expected, "outer/encoder/backbone/block_out")


def test_a_backbone_that_pools_itself():
    backbone, top = residual_backbone(pooling="avg"), head()
    images = keras.Input((32, 32, 3))
    expected = answers(Classifier(keras.Model(backbone.input, top.dense(backbone.output))), noise(3))
    assert_same_answers(keras.Model(images, top.dense(backbone(images))), expected)


def with_operations(images):
    return images / 127.5 - 1.0


def with_keras_ops(images):
    return keras.ops.subtract(keras.ops.multiply(images, 1 / 127.5), 1.0)


def with_preprocess_input(images):
    return keras.applications.mobilenet_v2.preprocess_input(images)


def with_a_layer(images):
    return layers.Rescaling(1 / 127.5, offset=-1)(images)


def with_a_model(images):
    return keras.Sequential([layers.RandomFlip(), layers.Rescaling(1 / 127.5, offset=-1)])(images)


SCALINGS = [with_operations, with_keras_ops, with_preprocess_input, with_a_layer, with_a_model]


@pytest.mark.parametrize("scale", SCALINGS, ids=lambda scale: scale.__name__)
def test_preprocessing_in_front_is_part_of_the_model(parts_with_scaling, scale):
    backbone, top, expected = parts_with_scaling
    images = keras.Input((32, 32, 3))
    classifier = assert_same_answers(keras.Model(images, top(backbone(scale(images)))), expected)
    assert classifier.pixels.in_model
    found = "in the model itself (probed: 0-255 reaches the first weights as x / 127.5 - 1)"
    assert classifier.describe()["preprocessing"] == found


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("form", [functional, sequential, with_augmentation], ids=lambda form: form.__name__)
def test_a_saved_and_loaded_model_is_explained_as_before(parts, tmp_path, form, suffix):
    backbone, top, expected = parts
    path = tmp_path / f"model{suffix}"
    form(backbone, top).save(path)
    assert_same_answers(keras.models.load_model(path, compile=False), expected)


def test_a_batch_norm_with_statistics_of_its_own_is_used_as_in_inference(parts):
    backbone, top, _ = parts
    images = noise(3)
    model = functional(backbone, top)
    batch_statistics = keras.ops.convert_to_numpy(model(images, training=True))
    probabilities = Classifier(model).predict(images)
    np.testing.assert_allclose(probabilities, model(images, training=False), atol=1e-6)
    assert np.abs(probabilities - batch_statistics).max() > 0.01


# --- reading ---------------------------------------------------------------------------------------------
def test_the_steps_are_the_layers_in_the_order_they_run(parts):
    backbone, top, _ = parts
    steps, output = layer_graph.trace_model(functional(backbone, top), tf.TensorSpec([None, 32, 32, 3]))
    names = [step.name for step in steps]
    assert [step.path for step in steps][:2] == ["backbone/stem_conv", "backbone/stem_bn"]
    assert names[-3:] == ["block_out", "pool", "dense"]
    assert names.index("block_add") > max(names.index("block_2_bn"), names.index("shortcut_conv"))
    assert len(steps[names.index("block_add")].inputs) == 2
    assert steps[-1].output is output
    assert tuple(output.shape) == (None, 3)


def test_reading_and_explaining_leave_the_model_as_it_was(parts):
    backbone, top, _ = parts
    for form in (functional, sequential, with_augmentation):
        model = form(backbone, top)
        before = state_of(model)
        answers(Classifier(model), noise(3))
        assert_same_state(before, state_of(model))


def test_a_layer_without_its_activation_is_a_twin_with_the_same_weights():
    dense = layers.Dense(3, activation="softmax")
    dense.build((None, 4))
    twin = layer_graph.without_activation(dense)
    x = noise(1)[0, :5, :4, 0] / 255
    assert twin.kernel is dense.kernel
    np.testing.assert_allclose(twin(x), x @ np.asarray(dense.kernel) + np.asarray(dense.bias), rtol=1e-5)
    np.testing.assert_allclose(np.sum(dense(x), axis=1), 1, rtol=1e-5)
    assert dense.activation is keras.activations.softmax


def test_a_layer_used_twice_runs_twice():
    images = keras.Input((32, 32, 3))
    conv = layers.Conv2D(3, 3, padding="same", name="shared")
    model = keras.Model(images, layers.Dense(2)(layers.GlobalAveragePooling2D()(conv(conv(images)))))
    steps, _ = layer_graph.trace_model(model, tf.TensorSpec([None, 32, 32, 3]))
    assert [step.name for step in steps].count("shared") == 2
    np.testing.assert_allclose(
        Classifier(model).predict(noise(2)), keras.ops.softmax(model(noise(2))), rtol=1e-5, atol=1e-6
    )


def test_every_layer_of_the_planted_twin_is_seen_once(parts):
    backbone, top, _ = parts
    model = functional(backbone, top)
    steps, _ = layer_graph.trace_model(model, tf.TensorSpec([None, 32, 32, 3]))
    seen = sorted(step.layer.name for step in steps)
    owned = [layer.name for layer in all_layers(model)]
    not_called = {layer.name for layer in all_layers(model) if isinstance(layer, (layers.InputLayer, keras.Model))}
    assert seen == sorted(set(owned) - not_called)
