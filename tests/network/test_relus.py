"""Which ReLUs are activations: by the formulas of gates and other activations, and in keras.applications."""

import keras
import pytest
import tensorflow as tf
from keras import layers

from network import layer_graph
from network.relus import find_relus


def relus_of(*layers_behind, side=8):
    images = keras.Input((side, side, 3))
    x = layers.Conv2D(4, 1)(images)
    for layer in layers_behind:
        x = layer(x)
    return relus_of_model(keras.Model(images, x), side)


def relus_of_model(model, side):
    _, output = layer_graph.trace_model(model, tf.TensorSpec((None, side, side, 3)))
    return find_relus(output)


RELUS = {
    "relu": layers.Activation("relu"),
    "relu6": layers.ReLU(6),
    "tf.nn.relu": layers.Lambda(lambda x: tf.nn.relu(x)),
    "halved": lambda x: layers.ReLU()(x) / 2.0,
    "scaled by a learnt factor": lambda x: layers.BatchNormalization()(layers.ReLU()(x)),
    "weighed by a gate of its own": lambda x: (y := layers.ReLU()(x)) * layers.Conv2D(4, 1, activation="sigmoid")(y),
    "a sixth of relu": lambda x: layers.ReLU()(x) * (1 / 6),
}


@pytest.mark.parametrize("relu", RELUS)
def test_a_relu_that_features_go_through_is_an_activation(relu):
    assert relus_of(RELUS[relu]).activations == 1


def test_both_halves_of_a_concatenated_relu_are_activations():
    assert relus_of(layers.Lambda(lambda x: tf.nn.relu(tf.concat([x, -x], -1)))).activations == 1
    halves = relus_of(lambda x: layers.Concatenate()([layers.ReLU()(x), layers.ReLU()(-x)]))
    assert (halves.activations, halves.others) == (2, {})


OTHERS = {
    "hard_silu": (layers.Activation("hard_silu"), "hard swish"),
    "hard swish of two layers": (lambda x: x * (layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)), "hard swish"),
    "hard_sigmoid": (layers.Activation("hard_sigmoid"), "hard sigmoid"),
    "a gate": (lambda x: x * (layers.ReLU(6.0)(layers.Conv2D(4, 1)(x) + 3.0) * (1.0 / 6.0)), "hard sigmoid"),
    "PReLU": (layers.PReLU(), "PReLU"),
    "leaky_relu": (layers.LeakyReLU(), "leaky ReLU"),
    "silu": (layers.Activation("silu"), "swish"),
    "sigmoid": (layers.Activation("sigmoid"), "sigmoid"),
    "glu": (layers.Activation("glu"), "sigmoid"),
    "gelu": (layers.Activation("gelu"), "GELU"),
    "elu": (layers.Activation("elu"), "ELU"),
    "tanh": (layers.Activation("tanh"), "tanh"),
    "maximum": (lambda x: keras.ops.maximum(x, 0.0), "maximum of a constant"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_relu_is_named(name):
    layer, kind = OTHERS[name]
    found = relus_of(layer)
    assert (found.activations, found.others) == (0, {kind: 1})
    assert found.n_other_activations == (kind not in ("hard sigmoid", "sigmoid"))
    assert found.describe_others() == f"1 x {kind}"


def test_a_function_that_hides_its_operations_is_named():
    hidden = tf.function(lambda x: tf.nn.relu(x), jit_compile=True)
    assert relus_of(layers.Lambda(hidden)).others == {"function that cannot be looked into": 1}
    # a grouped convolution runs in such a function too, and hides no activation
    grouped = relus_of(layers.Conv2D(4, 3, groups=2), layers.ReLU())
    assert (grouped.activations, grouped.others) == (1, {})


def test_the_score_function_is_none_of_them():
    assert relus_of(layers.GlobalAveragePooling2D(), layers.Dense(3)).others == {}


@pytest.mark.parametrize(
    ("name", "activations", "others"),
    [
        # 1 + 2 + 2 in the first blocks and one in each of 9 squeezes; 2 in each of 8 more blocks, stem and end
        ("MobileNetV3Small", 14, {"hard sigmoid": 9, "hard swish": 18}),
        ("MobileNet", 27, {}),
        ("EfficientNetB0", 0, {"sigmoid": 16, "swish": 49}),
    ],
)
def test_networks_of_keras_applications_are_counted(name, activations, others):
    model = getattr(keras.applications, name)(weights=None, input_shape=(64, 64, 3), include_top=False)
    found = relus_of_model(model, 64)
    assert (found.activations, found.others) == (activations, others)
    keras.backend.clear_session()
