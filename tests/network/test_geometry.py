"""Where a map lies: a bright square is found where it stands, whatever crops, pads, resizes, shifts or turns inside the
network, and rows that the network never sees hold nothing."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from planted import draw_weights, noise

import utils
from explainers.registry import METHODS
from gradcam import GradCAM
from network.classifier import Classifier

HEIGHT, WIDTH = 64, 96


def brightness(move, side=4, **options):
    """`move`, then how bright cells of `side` x `side` pixels are: their mean is the one logit, class 1."""
    images = keras.Input((HEIGHT, WIDTH, 3))
    x = move(images)
    last = layers.Conv2D(1, side, strides=side, use_bias=False, activation="relu", name="last", **options)
    x = last(layers.Rescaling(1 / 255)(x))
    x = layers.GlobalAveragePooling2D(data_format=options.get("data_format"))(x)
    model = keras.Model(images, layers.Dense(1, name="logit")(x))
    last.set_weights([np.full(last.kernel.shape, 1 / (3 * side**2))])
    model.get_layer("logit").set_weights([np.ones((1, 1)), np.zeros(1)])
    model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=True))  # a logit, not a number
    return model


def square(row, column, side=12):
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[row : row + side, column : column + side] = 255
    return image


def centre_of(saliency_map):
    rows, columns = np.indices(saliency_map.shape)
    return [float((part * saliency_map).sum() / saliency_map.sum()) for part in (rows, columns)]


MOVES = {
    "nothing": lambda x: x,
    "Cropping2D": layers.Cropping2D(((16, 8), (24, 4))),
    "Cropping2D of one side": layers.Cropping2D(((24, 0), (0, 0))),
    "a slice": lambda x: x[:, 12:60, 8:],
    "a slice with steps": lambda x: x[:, 8:56:2, 16:80:2],
    "CenterCrop": layers.CenterCrop(48, 64),
    "CenterCrop that enlarges": layers.CenterCrop(80, 120),
    "RandomCrop": layers.RandomCrop(48, 64),
    "ZeroPadding2D": layers.ZeroPadding2D(((16, 8), (24, 0))),
    "ops.pad": lambda x: ops.pad(x, [[0, 0], [32, 0], [0, 16], [0, 0]]),
    "ops.pad by reflection": lambda x: ops.pad(x, [[0, 0], [8, 8], [8, 8], [0, 0]], mode="reflect")[:, 8:-8, 8:-8],
    "Resizing": layers.Resizing(128, 128),
    "Resizing to less": layers.Resizing(32, 40),
    "Resizing, nearest": layers.Resizing(96, 96, interpolation="nearest"),
    "Resizing, crop_to_aspect_ratio": layers.Resizing(64, 64, crop_to_aspect_ratio=True),
    "Resizing, pad_to_aspect_ratio": layers.Resizing(96, 96, pad_to_aspect_ratio=True),
    "UpSampling2D": layers.UpSampling2D(2),
    "MaxPooling2D": layers.MaxPooling2D(2),
    "Permute of rows and columns": layers.Permute((2, 1, 3)),
    "ops.flip": lambda x: ops.flip(x, axis=2),
    "ops.roll": lambda x: ops.roll(x, 16, axis=1),
    "ops.roll by no whole cell": lambda x: ops.roll(x, (5, -18), axis=(1, 2)),
    "flipped and rolled": lambda x: ops.roll(ops.flip(x, axis=1), 16, axis=1),
    "padded and rolled": lambda x: ops.roll(layers.ZeroPadding2D(8)(x), 24, axis=1),
    "padded by reflection": lambda x: ops.pad(x, [[0, 0], [8, 8], [12, 0], [0, 0]], mode="reflect"),
    "padded by reflection, symmetric": lambda x: ops.pad(x, [[0, 0], [8, 8], [8, 8], [0, 0]], mode="symmetric"),
    "padded by its other end": lambda x: ops.concatenate([x[:, -8:], x, x[:, :8]], axis=1),
    "ops.rot90": lambda x: ops.rot90(x, axes=(1, 2)),
    "a Lambda": layers.Lambda(lambda x: tf.image.central_crop(x, 0.75)),
    "a Lambda that scales, too": layers.Lambda(lambda x: x[:, 16:, 16:] / 2 + 1),
    "flat and back": lambda x: layers.Reshape((HEIGHT, WIDTH, 3))(layers.Flatten()(x)),
    "crop, resize, crop": lambda x: layers.Resizing(64, 64)(x[:, 16:48, 16:80])[:, :, 8:],
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("method", ["GRADCAM", "SCORECAM"])
def test_a_square_is_found_where_it_stands(move, method):
    classifier = Classifier(brightness(MOVES[move]))
    assert classifier.layer_name == "last"
    for row, column in ((28, 40), (40, 60)):
        image = square(row, column)
        saliency_map = METHODS[method].load()(classifier, None, image, 1).compute_saliency_map()
        assert saliency_map.shape == (HEIGHT, WIDTH)
        # to a third of a cell of 8 x 12 pixels at the most; the square's centre is row + 5.5
        np.testing.assert_allclose(centre_of(saliency_map), [row + 5.5, column + 5.5], atol=4)


@pytest.mark.parametrize("move", MOVES)
def test_the_box_of_the_map_is_that_of_the_pixels_that_the_features_change_with(move):
    classifier = Classifier(brightness(MOVES[move], side=1))
    images = tf.constant(noise(1, WIDTH)[:, :HEIGHT])
    with tf.GradientTape() as tape:
        tape.watch(images)
        features = tf.reduce_sum(classifier.forward(images)[0])
    seen = np.abs(tape.gradient(features, images)[0].numpy()).sum(axis=-1) > 0
    top, bottom, left, right = classifier.layout.box
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    found = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    wanted = [
        np.clip(share, 0, 1) * size for share, size in zip((top, bottom, left, right), (HEIGHT,) * 2 + (WIDTH,) * 2)
    ]
    np.testing.assert_allclose(found, wanted, atol=1.6 if "less" in move or "steps" in move else 1)


def test_a_roll_in_front_of_several_strides_is_undone():
    """Against the twin without one, whose windows wrap: each map is the other's, laid on the other's image."""

    def deep(move):
        images = keras.Input((HEIGHT, WIDTH, 3))
        x = layers.Rescaling(1 / 255)(move(images))
        for i in range(3):
            x = layers.Conv2D(6, 2, strides=2, activation="relu", name=f"conv_{i}")(x)
        return keras.Model(images, layers.Dense(2, name="logit")(layers.GlobalAveragePooling2D()(x)))

    image = noise(1, WIDTH)[0, :HEIGHT]
    rolled, plain = deep(lambda x: ops.roll(x, (21, -30), axis=(1, 2))), deep(lambda x: x)
    draw_weights(plain)
    rolled.set_weights(plain.get_weights())
    inside = GradCAM(rolled, None, image, 0).compute_saliency_map()
    outside = GradCAM(plain, None, np.roll(image, (21, -30), axis=(0, 1)), 0).compute_saliency_map()
    outside = np.roll(outside, (-21, 30), axis=(0, 1))
    seam = np.ones((HEIGHT, WIDTH), bool)  # bilinear values within a cell of an end are clamped there, or go on
    seam[[*range(4), *range(39, 47), *range(60, 64)]] = False
    seam[:, [*range(4), *range(26, 34), *range(92, 96)]] = False
    assert outside.max() > 0
    np.testing.assert_allclose(inside[seam], outside[seam], atol=1e-5 * outside.max())


class Inside(keras.Model):
    """A model of the user's inside another, which moves the image and then looks at it."""

    def __init__(self, move):
        super().__init__()
        self.move, self.last = move, layers.Conv2D(2, 3, strides=2, padding="same", activation="relu", name="inside")

    def call(self, x):
        return self.last(self.move(x))


@pytest.mark.parametrize("move", ["a slice", "ops.flip", "ops.rot90", "nothing"])
def test_a_model_of_the_users_inside_that_moves_the_image_is_not_taken_for_one_that_does_not(move):
    images = keras.Input((HEIGHT, WIDTH, 3))
    x = layers.GlobalAveragePooling2D()(Inside(MOVES[move])(layers.Rescaling(1 / 255)(images)))
    classifier = Classifier(keras.Model(images, layers.Dense(2, activation="softmax")(x)))
    if move == "nothing":
        assert classifier.layer_name.startswith("inside") and classifier.layout.is_whole
        assert Classifier(classifier.model, layer_name="inside").layer_name.endswith("/inside")
    if classifier.layer_name is None:
        with pytest.raises(ValueError, match="lies on the image is not understood; name one by --layer_name"):
            classifier.require_layer()
        return
    image = noise(1, WIDTH)[:, :HEIGHT].astype(np.float32)
    changed = image.copy()
    changed[:, 8:20, 60:80] = 255 - image[:, 8:20, 60:80]
    difference = np.abs(classifier.features(changed) - classifier.features(image))[0].sum(axis=-1)
    np.testing.assert_allclose(centre_of(classifier.lay_out(difference)), [13.5, 69.5], atol=3)


def test_an_image_laid_side_by_side_has_no_one_place():
    model = brightness(lambda x: ops.tile(x, (1, 2, 1, 1)))
    with pytest.raises(ValueError, match="where the map of 'last' lies on the image is not understood"):
        GradCAM(model, None, square(28, 40), 1)


LAID_ON_ONE_ANOTHER = {
    "mirrored": lambda x: (x + x[:, :, ::-1]) / 510,
    "a quarter apart": lambda x: (x + ops.pad(x[:, :, :-24], [[0, 0], [0, 0], [24, 0], [0, 0]])) / 510,
}


@pytest.mark.parametrize("how", LAID_ON_ONE_ANOTHER)
def test_an_image_laid_on_itself_has_no_one_place(how):
    with pytest.raises(ValueError, match="where the map of 'conv2d.*' lies on the image is not understood"):
        layer_of(layers.Lambda(LAID_ON_ONE_ANOTHER[how]))


class Transformer(layers.Layer):
    """A spatial transformer: it looks at an image, or at a layer's answer about it, and shifts it so far."""

    def __init__(self, looks_itself):
        super().__init__(name="transformer")
        self.looks_itself, self.look = looks_itself, layers.Dense(8)

    def call(self, x, answer=None):
        answer = self.look(ops.mean(x, axis=(1, 2))) if self.looks_itself else answer
        still = ops.convert_to_tensor([1.0, 0, 0, 0, 1, 0, 0, 0])
        return ops.image.affine_transform(x, still + [0.0, 0, 20, 0, 0, 20, 0, 0] * ops.tanh(answer))


@pytest.mark.parametrize("looks_itself", [True, False])
def test_where_the_image_says_itself_how_it_is_moved_no_place_is_claimed(looks_itself):
    def move(x):
        answer = layers.Dense(8)(layers.GlobalAveragePooling2D()(x))
        return Transformer(looks_itself)(x) if looks_itself else Transformer(False)(x, answer)

    with pytest.raises(ValueError, match="where the map of 'conv2d.*' lies on the image is not understood"):
        layer_of(move)


def layer_of(move):
    """The layer of a classifier that moves its image and then looks at it; ValueError if none is chosen."""
    images = keras.Input((HEIGHT, WIDTH, 3))
    x = layers.Conv2D(4, 3, strides=4, activation="relu")(move(layers.Rescaling(1 / 255)(images)))
    model = keras.Model(images, layers.Dense(2, "softmax")(layers.GlobalAveragePooling2D()(x)))
    draw_weights(model)
    classifier = Classifier(model)
    classifier.require_layer()
    return classifier.layer_name


def test_rows_that_the_network_never_sees_hold_nothing():
    classifier = Classifier(brightness(layers.Cropping2D(((32, 0), (0, 0)))))
    image = noise(1, WIDTH)[0, :HEIGHT]
    for name in ("GRADCAM", "FEM", "CAM", "LAYERCAM", "HIRESCAM", "GRADCAM_PLUS_PLUS", "SCORECAM", "ABLATIONCAM"):
        saliency_map = METHODS[name].load()(classifier, None, image, 1).compute_saliency_map()
        assert not saliency_map[:32].any(), name
        assert saliency_map[32:].any(), name


def test_the_crops_map_is_that_of_the_cropped_image():
    whole = square(40, 50)
    inside = GradCAM(brightness(lambda x: x[:, 16:, 24:]), None, whole, 1).compute_saliency_map()
    features = Classifier(brightness(lambda x: x[:, 16:, 24:])).features(whole[None].astype(np.float32))[0, ..., 0]
    np.testing.assert_allclose(inside[16:, 24:], utils.resize_map(features / features.size, 48, 72), atol=1e-6)


class OwnConvolution(layers.Layer):
    """A layer that moves its input by code of its own, then convolves it: cells of four pixels."""

    def __init__(self, move, strides=4):
        super().__init__(name="own")
        self.move = move
        self.convolution = layers.Conv2D(6, 5, strides=strides, padding="same", activation="relu")

    def call(self, x):
        return self.convolution(self.move(x))


def test_padding_inside_is_found_of_a_few_cells_too():
    """Four rows of cells of 16 pixels and 16 pixels of padding above: a larger image tells what five rows do not."""
    own = OwnConvolution(lambda x: ops.pad(x, [[0, 0], [16, 0], [0, 0], [0, 0]]), strides=16)
    images = keras.Input((64, 64, 3))
    model = keras.Model(images, layers.Dense(2, "softmax")(layers.GlobalAveragePooling2D()(own(images))))
    draw_weights(model)
    classifier = Classifier(model, preprocessing="none")
    assert classifier.layout.shape[:2] == (5, 4)
    np.testing.assert_allclose(np.multiply(classifier.layout.box, 64), (-16, 64, 0, 64), atol=4)  # of cells of 16


INSIDE = {  # what is done inside -> top, bottom, left, right of what the map lies on, in pixels of 64 x 96
    "nothing": (lambda x: x, (0, 64, 0, 96)),
    "padding": (lambda x: ops.pad(x, [[0, 0], [16, 16], [16, 16], [0, 0]]), (-16, 80, -16, 112)),
    "padding of one side": (lambda x: ops.pad(x, [[0, 0], [16, 0], [0, 0], [0, 0]]), (-16, 64, 0, 96)),
    "a crop": (lambda x: x[:, 16:48, 20:84], (16, 48, 20, 84)),
    "a crop, enlarged": (lambda x: ops.image.resize(x[:, 16:48, 20:84], (64, 96)), (16, 48, 20, 84)),
    "a shift": (lambda x: ops.pad(x[:, :-16], [[0, 0], [16, 0], [0, 0], [0, 0]]), (-16, 48, 0, 96)),
}


@pytest.mark.parametrize("what", INSIDE)
def test_what_a_layer_of_the_users_moves_inside_is_found(what):
    move, expected = INSIDE[what]
    images = keras.Input((HEIGHT, WIDTH, 3))
    x = layers.GlobalAveragePooling2D()(OwnConvolution(move)(layers.Rescaling(1 / 255)(images)))
    model = keras.Model(images, layers.Dense(2, "softmax")(x))
    draw_weights(model)
    classifier = Classifier(model)
    assert classifier.layer_name == "own"
    top, bottom, left, right = classifier.layout.box
    found = np.array([top * HEIGHT, bottom * HEIGHT, left * WIDTH, right * WIDTH])
    np.testing.assert_allclose(found, expected, atol=2.5)  # of cells of four pixels, whose weights lie to one side
    assert ("probed: own" in classifier.describe()["geometry"]) == (what != "nothing")
