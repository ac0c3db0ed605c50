"""What the tests share: classifiers whose right map is known, their images, small twins of real networks.

`planted_model` sees red, green and blue squares through fixed kernels: each class is the amount of its colour, so
that the right map is the square itself. `residual_backbone` is a small ResNet with batch norms that have lived.
TensorFlow is imported by the builders, not here: tests that need none start at once.
"""

import csv
from pathlib import Path

import numpy as np

SIDE = 96  # pixels of a planted image: enough for quickshift to find the squares
CELL = 12  # pixels of a position of the planted map, 8 x 8
COLOURS = ("red", "green", "blue")
RED, GREEN, BLUE = range(3)
ROOT = Path(__file__).parents[1]  # of the project
DATA = ROOT.parent / "shared" / "data"  # real photographs, gaze and networks, where they are
ANIMALS = "leaf,group,kingdom\ngoldfish,fish,animal\nrobin,bird,animal\norange,fruit,plant\ncrane,bird,animal\n"
ELSEWHERE = {"ATTENTION"}  # methods for models of their own kind: test_attention.py asks them on one
OPTIONS = {  # that make a costly method quick, by name, whatever the method
    "n_masks": 400,
    "mask_size": 4,
    "num_samples": 100,
    "n_samples": 8,
    "n_steps": 8,
    "hide_color": 100,  # grey: an even square is not hidden by its own mean colour
}


# --- the planted classifier and its images -----------------------------------------------------------------
def planted_model(tail=(), n_classes=3, scale=80.0):
    """RGB 0-255 -> how much of each colour a cell of 12 x 12 pixels holds -> mean over cells -> logits -> `tail`.

    Channel k of the 8 x 8 map is ReLU of colour k minus the two others, in 0-1. The logit of a class is `scale`
    times the mean of its channel, minus half of those of the others. tail: layers behind the logits; none: softmax.
    """
    from keras import Input, Model, layers

    images = Input((SIDE, SIDE, 3), name="images")
    x = layers.Conv2D(3, CELL, strides=CELL, use_bias=False, activation="relu", name="colours")(images)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    x = layers.Dense(n_classes, name="logits")(x)
    for layer in tail or [layers.Softmax(name="probabilities")]:
        x = layer(x)
    model = Model(images, x, name="planted")
    kernel = np.full((CELL, CELL, 3, 3), -1.0, dtype=np.float32)
    kernel[:, :, range(3), range(3)] = 1
    model.get_layer("colours").set_weights([kernel / (CELL**2 * 255)])
    weights = scale * (1.5 * np.eye(3, dtype=np.float32) - 0.5)
    model.get_layer("logits").set_weights([weights[:, :n_classes], np.zeros(n_classes, dtype=np.float32)])
    return model


def square(colour):
    """Where the square of that colour is, bool (H, W); no two of them mirror each other about any axis."""
    row, column = {RED: (1, 4), GREEN: (5, 1), BLUE: (6, 6)}[colour]
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[CELL * row : CELL * (row + 2), CELL * column : CELL * (column + 2)] = True
    return mask


def picture(*colours, seed=0):
    """uint8 (H, W, 3): the squares of these colours on a noisy grey ground."""
    image = 100 + np.random.default_rng(seed).integers(-25, 26, (SIDE, SIDE, 1)).repeat(3, axis=2)
    for colour in colours:
        image[square(colour)] = 30 + 190 * np.eye(3, dtype=int)[colour]
    return image.astype(np.uint8)


def noise(n, side=32, seed=0):
    """Images (n, side, side, 3), float32, of uniform noise 0-255."""
    return np.random.default_rng(seed).uniform(0, 255, (n, side, side, 3)).astype(np.float32)


def predict_brightness(images):
    """Probabilities (n, 2) without a network. Class 0: 1 minus the mean brightness; class 1: the mean brightness."""
    brightness = images.mean(axis=(1, 2, 3)) / 255
    return np.stack([1 - brightness, brightness], axis=1)


# --- files -------------------------------------------------------------------------------------------------
def write_squares(folder, n, damaged=7):
    """n images of one square each in images/<colour>, with density maps in gaze/; the damaged one is no image."""
    from PIL import Image

    for number in range(n):
        colour = (RED, GREEN, BLUE)[number % 3]
        gaze = np.where(square(colour), 255, 0).astype(np.uint8)
        for kind, pixels in (("images", picture(colour, seed=number)), ("gaze", gaze)):
            path = folder / kind / COLOURS[colour] / f"{number:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "images" and number == damaged:
                path.write_bytes(b"no image")
            else:
                Image.fromarray(pixels).save(path)


def read_table(path):
    """The rows of a csv file, dictionaries of texts."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# --- a small residual network ------------------------------------------------------------------------------
def residual_backbone(name="backbone", pooling=None, seed=0):
    """Images (n, 32, 32, 3) to features (n, 8, 8, 12): strided convolution, batch norms, one addition, ReLU."""
    from keras import Input, Model, layers

    images = Input((32, 32, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem_conv")(images)
    x = layers.ReLU(name="stem_relu")(layers.BatchNormalization(name="stem_bn")(x))
    y = layers.Conv2D(12, 3, strides=2, padding="same", name="block_1_conv")(x)
    y = layers.Activation("relu", name="block_1_relu")(layers.BatchNormalization(name="block_1_bn")(y))
    y = layers.BatchNormalization(name="block_2_bn")(layers.Conv2D(12, 3, padding="same", name="block_2_conv")(y))
    # 3 x 3, not 1 x 1: the kernel gradient of a strided 1 x 1 convolution overruns its memory in TensorFlow 2.21.
    shortcut = layers.Conv2D(12, 3, strides=2, padding="same", name="shortcut_conv")(x)
    x = layers.Activation("relu", name="block_out")(layers.Add(name="block_add")([y, shortcut]))
    if pooling == "avg":
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    model = Model(images, x, name=name)
    draw_weights(model, seed)
    return model


def draw_weights(model, seed=0):
    """Gives every weight a random value: kernels of the usual size, batch norms with statistics of their own."""
    rng = np.random.default_rng(seed)
    for variable in model.variables:
        shape, name = tuple(variable.shape), variable.name
        if name == "kernel":
            value = rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape)
        elif name in ("gamma", "moving_variance"):
            value = rng.uniform(0.5, 2, shape)
        elif name in ("beta", "bias", "moving_mean"):
            value = rng.normal(0, 0.5, shape)
        else:  # the counter of a random generator
            continue
        variable.assign(value)


def head(n_classes=3, activation="softmax", seed=7):
    """A pooling and a Dense layer with weights of their own, as a function of features."""
    from keras import layers

    dense = layers.Dense(n_classes, activation=activation, name="dense")
    dense.build((None, 12))
    draw_weights(dense, seed)

    def call(features):
        return dense(layers.GlobalAveragePooling2D(name="pool")(features))

    call.dense = dense
    return call


def residual_network(activation="softmax"):
    """`residual_backbone` under `head`: three classes, softmax or another activation."""
    from keras import Model

    backbone = residual_backbone()
    return Model(backbone.input, head(activation=activation)(backbone.output))


# --- questions every method is asked -----------------------------------------------------------------------
def explain(method, model, images, class_index, model_name=None, **options):
    """The saliency map(s) of a `registry.METHODS` entry, with those of `OPTIONS` that it has."""
    known = {option.name: OPTIONS[option.name] for option in method.options if option.name in OPTIONS}
    explainer = method.load()(model, model_name, images, class_index, **{**known, **options})
    return explainer.compute_saliency_map()


def all_layers(model):
    """The model's layers, those of nested models included."""
    return list(model._flatten_layers(include_self=False))


def state_of(model):
    """All that could be changed about a model: weights, config, activations, and the calls its layers know of."""
    layers = all_layers(model)
    return {
        "weights": [weight.copy() for weight in model.get_weights()],
        "config": model.get_config(),
        "trainable": [layer.trainable for layer in layers],
        "activations": [getattr(layer, "activation", None) for layer in layers],
        "calls": [(len(layer._inbound_nodes), len(layer._outbound_nodes)) for layer in layers],
    }


def assert_same_state(before, after):
    for one, other in zip(before.pop("weights"), after.pop("weights"), strict=True):
        np.testing.assert_array_equal(one, other)
    assert before == after


def assert_close(actual, desired, relative=1e-5):
    """Equal to `relative` times the largest magnitude."""
    np.testing.assert_allclose(actual, desired, rtol=0, atol=relative * max(np.abs(desired).max(), 1e-12))
