"""An image has an answer of its own, or the model is refused; what `model(images)` alone leaves active is said."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from planted import noise

from network.classifier import Classifier
from tools.model_matrix.small_models import Always

SIDE = 16


def small_model(middle=lambda x: x, head=lambda x: layers.Dense(3, "softmax")(x)):
    """Images -> convolution -> `middle` -> mean -> `head`."""
    keras.utils.set_random_seed(0)
    images = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(4, 3, activation="relu")(layers.Rescaling(1 / 255)(images))
    return keras.Model(images, head(layers.GlobalAveragePooling2D()(middle(x))))


MIXED = {
    "dropout that stays on": lambda: small_model(lambda x: Always(layers.Dropout(0.5))(x)),
    "a batch norm of the batch": lambda: small_model(lambda x: Always(layers.BatchNormalization())(x)),
    "dropout of the mean": lambda: small_model(head=lambda x: layers.Dense(3)(Always(layers.Dropout(0.5))(x))),
    "noise": lambda: small_model(layers.Lambda(lambda x: x + tf.random.normal(tf.shape(x)))),
    "a softmax over the batch": lambda: small_model(head=lambda x: ops.softmax(layers.Dense(3)(x), axis=0)),
    "the mean of the batch": lambda: small_model(lambda x: x - ops.mean(x, axis=0, keepdims=True)),
    "the largest of the batch": lambda: small_model(lambda x: x / ops.max(x)),
    "the first of the batch": lambda: small_model(layers.Lambda(lambda x: x - x[:1])),
    "the other way round": lambda: small_model(layers.Lambda(lambda x: x[::-1])),
    "likeness to the others": lambda: small_model(head=lambda x: ops.sum(ops.softmax(ops.matmul(x, ops.transpose(x)))
                                                                 [:, :1] * layers.Dense(3)(x), axis=-1, keepdims=True)),
}  # fmt: skip


@pytest.mark.parametrize("name", MIXED)
def test_an_answer_that_is_drawn_or_of_the_batch_is_refused(name):
    with pytest.raises(ValueError, match=r"differs from call to call or with the other images .*training=True"):
        Classifier(MIXED[name](), score="none")


STEADY = {
    "each image's own mean": lambda x: x - ops.mean(x, axis=(1, 2, 3), keepdims=True),
    "rows in the place of the batch, and back": lambda x: ops.swapaxes(ops.swapaxes(x, 0, 1) * 2, 0, 1),
    "a recurrent layer over rows": lambda x: layers.Reshape((1, 1, 5))(layers.GRU(5)(layers.Reshape((14, 56))(x))),
    "attention": lambda x: layers.Reshape((14, 14, 4))(
        layers.MultiHeadAttention(2, 2)(layers.Reshape((196, 4))(x), layers.Reshape((196, 4))(x))),
    "images cut into windows": lambda x: ops.reshape(
        layers.Dense(4)(ops.reshape(x, (-1, 7, 14, 4))), (-1, 14, 14, 4)),
    "all images, then all of them mirrored": lambda x: ops.mean(ops.reshape(
        layers.Dense(4)(ops.concatenate([x, x[:, ::-1]], axis=0)), (2, -1, 14, 14, 4)), axis=0),
}  # fmt: skip


@pytest.mark.parametrize("name", STEADY)
def test_what_only_looks_like_it_is_explained_as_it_is(name):
    model = small_model(STEADY[name])
    images = noise(3, SIDE)
    np.testing.assert_allclose(Classifier(model).predict(images), model.predict(images, verbose=0), atol=1e-6)


def test_layers_that_the_model_calls_in_training_are_named_and_run_as_predict_runs_them():
    inner = keras.Model(
        x := keras.Input((14, 14, 4)), layers.Dropout(0.5, name="noisy")(x, training=True), name="inner"
    )
    model = small_model(lambda x: inner(layers.Dropout(0.5, name="mc")(x, training=True)))
    classifier, images = Classifier(model), noise(3, SIDE)
    np.testing.assert_allclose(classifier.predict(images), model.predict(images, verbose=0), atol=1e-6)
    (doubt,) = classifier.doubts(images)
    assert doubt.startswith("the model calls mc, inner/noisy with training=True")
