"""Small models of every kind that people build, of random weights and a fixed seed, and what is known of each: `CASES`.

A body takes images (n, h, w, C) to the last feature map, or to that and what the head goes on from; `network` puts
pixels in front, a head behind, and makes the twin that gives the feature map and the logits.
"""

import contextlib
import functools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

SIDE, UNITS = 64, 3  # pixels, enough for quickshift to find the squares; classes
TOLERANCE = 1e-4  # of probabilities; and of maps, relative to the largest value of the reference
OF_OUTPUTS = {  # what a model gives, (n, units) -> probabilities (n, C)
    "probabilities": lambda y: y,
    "logits": lambda y: np.exp(y) / np.exp(y).sum(-1, keepdims=True),
    "logarithms": np.exp,
    "sigmoid logits": lambda y: 1 / (1 + np.exp(-y)),
    "one probability": lambda y: np.concatenate([1 - y, y], -1),
    "one logit": lambda y: np.concatenate([1 / (1 + np.exp(y)), 1 / (1 + np.exp(-y))], -1),
    "numbers": lambda y: y,
}
PIXELS = {  # what people do to pixels in front of a model
    "none": lambda x: x,
    "unit": lambda x: x / 255.0,
    "tf": lambda x: x / 127.5 - 1.0,
    "caffe": lambda x: x[..., ::-1] - np.float32([103.939, 116.779, 123.68]),
    "torch": lambda x: (x / 255.0 - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225]),
}


@dataclass(frozen=True)
class Built:
    """A model, and its twin that gives the last feature map (None: it has none) and the logits.

    skip: tokens in front of those of the map.
    """

    model: keras.Model
    cut: keras.Model | None = None
    skip: int = 0


@dataclass(frozen=True)
class ModelCase:
    """How a model is built and what is known of it: a key of OF_OUTPUTS and one of PIXELS, options of `Classifier`.

    refused: whether `Classifier` should refuse it.
    """

    build: Callable[[], Built]
    outputs: str = "probabilities"
    pixels: str = "none"
    options: dict = field(default_factory=dict)
    tolerance: float = TOLERANCE
    refused: bool = False


# --- bodies: images (n, h, w, C) -> the last feature map, or that and what the head goes on from -------------------
def conv(x, n=8, side=3, activation="relu", **options):
    return layers.Conv2D(n, side, padding="same", activation=activation, **options)(x)


def plain(x, activation="relu", **options):
    return conv(conv(x, 6, strides=2, activation=activation), strides=2, activation=activation, **options)


def act(make):
    """Two convolutions, a layer that `make` makes behind each."""
    return lambda x: make()(conv(make()(conv(x, 6, strides=2, activation=None)), strides=2, activation=None))


def normed(x, norm=layers.BatchNormalization, activation="relu"):
    for n in (6, 8):
        x = layers.Activation(activation)(norm()(conv(x, n, strides=2, activation=None, use_bias=False)))
    return x


def residual(x):
    x = plain(x)
    return layers.ReLU()(layers.Add()([x, layers.BatchNormalization()(conv(conv(x), activation=None))]))


def pre_activation(x):
    x = plain(x)
    return layers.ReLU()(layers.BatchNormalization()(layers.Add()([x, conv(layers.ReLU()(x), activation=None)])))


def dense_block(x):
    x = plain(x)
    return layers.ReLU()(layers.BatchNormalization()(layers.Concatenate()([x, conv(x, 4)])))


def inception(x):
    x = plain(x)
    return layers.Concatenate()([conv(x, 4, 1), conv(x, 4), conv(layers.MaxPooling2D(3, 1, "same")(x), 4, 1)])


def separable(x):
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu6")(plain(x))
    return layers.ReLU(6)(layers.BatchNormalization()(layers.SeparableConv2D(8, 3, padding="same")(x)))


def squeezed(x, gate="sigmoid"):
    x = plain(x, "silu")
    weights = layers.GlobalAveragePooling2D(keepdims=True)(x)
    return conv(layers.Multiply()([x, conv(conv(weights, 4, 1), 8, 1, gate)]), activation="silu")


def convnext(x):
    x = conv(x, 8, 4, None, strides=4)
    y = layers.LayerNormalization()(layers.DepthwiseConv2D(5, padding="same")(x))
    return layers.Add()([x, layers.Dense(8)(layers.Dense(16, "gelu")(y))])


def pooled(x):
    return conv(layers.AveragePooling2D(2)(conv(x, 6)))


def twice(x):
    """One convolution that is used two times."""
    shared = layers.Conv2D(8, 3, padding="same", activation="relu")
    return shared(shared(plain(x)))


def nested(body, times=1):
    def call(x):
        images = keras.Input(x.shape[1:])
        return keras.Model(images, (body if times == 1 else nested(body, times - 1))(images))(x)

    return call


class ClassToken(layers.Layer):
    """A learned token in front of the others."""

    def build(self, shape):
        self.token = self.add_weight(shape=(1, 1, shape[-1]), name="kernel")

    def call(self, x):
        return ops.concatenate([ops.broadcast_to(self.token, (ops.shape(x)[0], 1, x.shape[-1])), x], axis=1)


def attend(x, y=None):
    """A block of attention on tokens x; y: those after its first norm, where that is made outside."""
    y = layers.LayerNormalization()(x) if y is None else y
    x = layers.Add()([x, layers.MultiHeadAttention(2, 4)(y, y)])
    return layers.Add()([x, layers.Dense(8)(layers.Dense(12, "gelu")(layers.LayerNormalization()(x)))])


def patches(x):
    return layers.Reshape((-1, 8))(conv(x, 8, 8, None, strides=8))


def vit(x):
    return attend(attend(patches(x)))


class ChannelsFirst(layers.Conv2D):
    """What Conv2D(data_format="channels_first") gives, where the processor has none."""

    def call(self, x):
        x = tf.nn.conv2d(tf.transpose(x, [0, 2, 3, 1]), self.kernel, self.strides, self.padding.upper())
        return tf.transpose(tf.nn.relu(x + self.bias), [0, 3, 1, 2])


def channels_first(x):
    """Channels first until the last map, which is turned once more behind it."""
    x = layers.Permute((3, 1, 2))(x)
    for n in (6, 8):
        x = ChannelsFirst(n, 3, strides=2, padding="same", data_format="channels_first")(x)
    return layers.Permute((2, 3, 1))(x)


def mobile_vit(x):
    """A map unfolded into patches, attention, folded back, joined with itself."""
    x = plain(x, "silu")
    y = layers.Reshape((4, 64, 8))(x)
    z = layers.LayerNormalization()(y)
    y = layers.Reshape((16, 16, 8))(layers.Add()([y, layers.MultiHeadAttention(2, 4)(z, z)]))
    return conv(layers.Concatenate()([x, conv(y, 8, 1, "silu")]), activation="silu")


def token_vit(x):
    """Behind the last block's first norm the patches are read last; and what that block gives, class token first."""
    x = attend(ClassToken()(patches(x)))
    y = layers.LayerNormalization()(x)
    return y, attend(x, y)


def mixer(x):
    x = patches(x)
    y = layers.Permute((2, 1))(layers.Dense(64, "gelu")(layers.Permute((2, 1))(layers.LayerNormalization()(x))))
    x = layers.Add()([x, y])
    return layers.Add()([x, layers.Dense(8)(layers.Dense(12, "gelu")(layers.LayerNormalization()(x)))])


def attention_map(x):
    """A CNN whose map goes through attention and is a map again."""
    x = layers.Reshape((256, 8))(plain(x))
    return layers.Reshape((16, 16, 8))(layers.Add()([x, layers.MultiHeadAttention(2, 4)(x, x)]))


# --- heads, and what is made of them ------------------------------------------------------------------------------
def mean(x):
    return layers.GlobalAveragePooling2D()(x) if len(x.shape) == 4 else layers.GlobalAveragePooling1D()(x)


def linear_twin(layer, x):
    """The output of a layer like this one, without activation; and the twin, which takes over the weights later."""
    twin = type(layer).from_config({**layer.get_config(), "activation": None, "name": f"{layer.name}_twin"})
    return twin(x), twin


def draw_weights(model, seed):
    """Gives every weight a random value: kernels of the usual size, batch norms with statistics of their own."""
    rng = np.random.default_rng(seed)
    for variable in model.variables:
        shape, name = tuple(variable.shape), variable.name
        if "seed" in name or not shape:
            continue
        spread = {"gamma": (0.5, 2), "moving_variance": (0.5, 2), "moving_mean": (-0.2, 0.2)}.get(name, (-0.2, 0.2))
        scale = np.sqrt(2 / np.prod(shape[:-1]))
        is_kernel = name in ("kernel", "depthwise_kernel", "pointwise_kernel")
        variable.assign(rng.normal(0, scale, shape) if is_kernel else rng.uniform(*spread, shape))


@contextlib.contextmanager
def policy(dtype):
    """Within it, layers are made with this dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    yield
    keras.config.set_dtype_policy(before)


def network(
    body=plain, head=mean, activation="softmax", *, front=None, last=None, tail=None, logits=None, units=UNITS,
    dtype="float32", shape=(SIDE, SIDE, 3), skip=0, wrap=None, change=None, seed=0,
):  # fmt: skip
    """front -> body -> head -> one linear layer with an activation -> tail, as `Built`.

    front: layers in front (None: a Rescaling). last: makes the linear layer (None: Dense). logits: logits of the
    linear layer's output, where `tail` changes them. wrap: the model -> another one. change: done to it in place.
    """
    with policy(dtype):
        images = x = keras.Input(shape)
        for layer in [layers.Rescaling(1 / 127.5, -1)] if front is None else front:
            x = layer(x)
        features = body(x)
        features, x = features if isinstance(features, tuple) else (features, features)
        x = head(x)
        layer = last() if last else layers.Dense(units, activation)
        y, (z, twin) = layer(x), linear_twin(layer, x)
        flat = layers.Flatten() if len(y.shape) > 2 else (lambda x: x)
        model = keras.Model(images, (tail or (lambda x: x))(flat(y)))
        cut = keras.Model(images, [features, (logits or (lambda x: x))(flat(z))])
    draw_weights(model, seed)
    twin.set_weights(layer.get_weights())
    if change:
        change(model)
    return Built(wrap(model) if wrap else model, cut, skip)


def of_library(make, *, pooled=True):
    """A model of a library: `make()` -> softmax of a linear layer behind the mean of the last map.

    pooled: whether there is such a mean; without it there is no twin.
    """
    model = make()
    if not pooled:
        return Built(model)
    last = next(layer for layer in reversed(model.layers) if layer.weights)
    means = [layer for layer in model.layers if "pool" in type(layer).__name__.lower()]
    z, twin = linear_twin(last, last.input)
    cut = keras.Model(model.input, [means[-1].input, layers.Flatten()(z)])
    twin.set_weights(last.get_weights())
    return Built(model, cut)


def application(name, **options):
    make = getattr(keras.applications, name)
    return make(weights=None, input_shape=(SIDE, SIDE, 3), classes=UNITS, **options)


def of_hub(name, **options):
    """A classifier of keras_hub: backbone, pooling, a softmax."""
    import keras_hub

    backbone = getattr(keras_hub.models, f"{name}Backbone")(image_shape=(SIDE, SIDE, 3), **options)
    make = getattr(keras_hub.models, f"{name}ImageClassifier")
    pooling = {"pooling": "gap"} if options.get("use_class_token") is False else {}
    return make(backbone, UNITS, activation="softmax", preprocessor=None, **pooling)


class Own(keras.Model):
    """A subclassed model around another one."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self(np.zeros((1, *inner.input_shape[1:]), np.float32))

    def call(self, images):
        return self.inner(images)


class OwnOfTensorFlow(Own):
    """The same with a function of TensorFlow in its code, which takes no symbolic image."""

    def call(self, images):
        return self.inner(tf.identity(images))


def in_code(layer):
    """What TensorFlow's code does in the place of a sum, a ReLU or a class token; other layers as they are."""
    if isinstance(layer, layers.Add):
        return tf.add_n
    if isinstance(layer, layers.ReLU):
        return tf.nn.relu
    if isinstance(layer, ClassToken):
        return lambda x: tf.concat([tf.tile(layer.token, [tf.shape(x)[0], 1, 1]), x], axis=1)
    return layer


class InCode(keras.Model):
    """A model whose sums, ReLUs and class token stand in the code of a subclass."""

    def __init__(self, model):
        super().__init__()
        self.parts = [layer for layer in model.layers[1:] if in_code(layer) is layer or layer.weights]
        self.run = lambda images: model._run_through_graph(images, operation_fn=in_code)
        self(np.zeros((1, *model.input_shape[1:]), np.float32))

    def call(self, images):
        return self.run(images)


class OwnBody(keras.Model):
    """A subclassed backbone, to stand in another model."""

    def __init__(self):
        super().__init__()
        self.first = layers.Conv2D(6, 3, 2, "same", activation="relu")
        self.last = layers.Conv2D(8, 3, 2, "same", activation="relu")

    def call(self, x):
        return self.last(self.first(x))


class OwnReLU(layers.Layer):
    """A layer with code of its own."""

    def call(self, x):
        return tf.nn.relu(x)


class Shifted(layers.Layer):
    """A spatial transformer: the image says itself how far it is shifted."""

    def __init__(self):
        super().__init__()
        self.look = layers.Dense(8)

    def call(self, x):
        still = ops.convert_to_tensor([1.0, 0, 0, 0, 1, 0, 0, 0])
        shift = [0.0, 0, 20, 0, 0, 20, 0, 0] * ops.tanh(self.look(ops.mean(x, axis=(1, 2))))
        return ops.image.affine_transform(x, still + shift)


class Padded(layers.Conv2D):
    """A convolution that pads what it is given by code of its own."""

    def call(self, x):
        return super().call(ops.pad(x, [[0, 0], [16, 16], [16, 16], [0, 0]]))

    def compute_output_shape(self, shape):
        return super().compute_output_shape((shape[0], shape[1] + 32, shape[2] + 32, shape[3]))


class Always(layers.Layer):
    """A layer whose code runs another one in training, whatever the model is told."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, x):
        return self.inner(x, training=True)


def two_outputs(model):
    return keras.Model(model.input, {"other": layers.Dense(2, name="other")(mean(model.layers[2].output)),
                                     "classes": model.output})  # fmt: skip


def average():
    """The mean of two networks' probabilities: no layer is in every path."""
    one, other = network(), network(residual)
    images = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(images, layers.Average()([one.model(images), other.model(images)]))
    return Built(model, keras.Model(images, [one.cut(images)[0], ops.log(model.output)]), None)


def compile_loss(loss):
    return lambda model: model.compile("sgd", loss)


def bags():
    """A multiple-instance model, as attention_mil.py makes it."""
    from network.attention_layers import Bags
    from network.transfer import Backbone

    images = keras.Input((SIDE, SIDE, 3))
    backbone = Backbone(keras.Model(images, plain(images)), None, "none", (SIDE, SIDE))
    return Built(Bags(16, 8, embedding=6, units=4).add_head(backbone, UNITS, seed=0))


def segmentation():
    images = keras.Input((SIDE, SIDE, 3))
    return Built(keras.Model(images, layers.Conv2DTranspose(UNITS, 4, 4)(plain(layers.Rescaling(1 / 255)(images)))))


def saved_model():
    """A SavedModel folder as a model: nothing but its outputs is seen."""
    model = network().model
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, verbose=False)
        layer = layers.TFSMLayer(folder, call_endpoint="serve")
    images = keras.Input((SIDE, SIDE, 3))
    return Built(keras.Model(images, layer(images)))


def flat(x):
    return layers.Flatten()(x)


def grouped(x):
    return layers.Reshape((-1, 2))(x)


def lifted(x):
    return layers.GlobalAveragePooling2D(keepdims=True)(x)


# --- the models, and what is known of each ------------------------------------------------------------------------
def case(*args, outputs="probabilities", pixels="none", options=None, tolerance=TOLERANCE, refused=False, **how):
    """A case of `network`, or of what is given in its place as `build`."""
    build = how.pop("build", None) or functools.partial(network, *args, **how)
    return ModelCase(build, outputs, pixels, options or {}, tolerance, refused)


def library(make, *args, pooled=True, pixels="none", tolerance=TOLERANCE, **options):
    build = functools.partial(of_library, functools.partial(make, *args, **options), pooled=pooled)
    return case(build=build, pixels=pixels, options={"preprocessing": pixels}, tolerance=tolerance)


def bare(pixels, **options):
    return case(front=[], pixels=pixels, options={"preprocessing": pixels, **options})


VIT = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8}

CASES = {
    # backbones
    "plain": case(),
    "no activation before the mean": case(functools.partial(plain, activation=None)),
    **{f"{name} activations": case(functools.partial(plain, activation=name))
       for name in ("elu", "gelu", "silu", "tanh", "hard_silu")},
    "ReLU layers": case(act(layers.ReLU)),
    "ReLU layers with a bound": case(act(lambda: layers.ReLU(6, negative_slope=0.1))),
    "PReLU": case(act(lambda: layers.PReLU(shared_axes=[1, 2]))),
    "leaky ReLU": case(act(layers.LeakyReLU)),
    "a ReLU of the user's": case(act(OwnReLU)),
    "batch norms": case(normed),
    "layer norms": case(functools.partial(normed, norm=layers.LayerNormalization, activation="gelu")),
    "group norms": case(functools.partial(normed, norm=lambda: layers.GroupNormalization(2))),
    "residual": case(residual),
    "pre-activation residual": case(pre_activation),
    "dense block": case(dense_block),
    "inception": case(inception),
    "separable, ReLU6": case(separable),
    "squeeze and excite": case(squeezed),
    "squeeze and excite, hard sigmoid": case(functools.partial(squeezed, gate="hard_sigmoid")),
    "ConvNeXt": case(convnext),
    "pooling between": case(pooled, lambda x: mean(layers.MaxPooling2D(2)(x))),
    "grouped convolution": case(functools.partial(plain, groups=2)),
    "dilated convolution": case(lambda x: conv(plain(x), dilation_rate=2)),
    "transposed convolution": case(lambda x: layers.Conv2DTranspose(8, 4, 2, "same", activation="relu")(plain(x))),
    "a layer used twice": case(twice),
    "oblong": case(shape=(64, 96, 3)),
    # heads and scores
    "softmax layer": case(activation=None, tail=lambda y: layers.Softmax()(y)),
    "tf.nn.softmax": case(activation=tf.nn.softmax),
    "log_softmax": case(activation="log_softmax", outputs="logarithms"),
    "temperature": case(activation=None, tail=lambda y: ops.softmax(y / 3), logits=lambda y: y / 3),
    "logits": case(activation=None, outputs="logits"),
    "logits, loss kept": case(
        activation=None, outputs="logits", change=compile_loss(keras.losses.CategoricalCrossentropy(from_logits=True))),
    "multi-label logits, loss kept": case(activation=None, outputs="sigmoid logits",
                                          change=compile_loss(keras.losses.BinaryCrossentropy(from_logits=True))),
    "sigmoids": case(activation="sigmoid"),
    "one sigmoid": case(activation="sigmoid", units=1, outputs="one probability"),
    "one logit": case(activation=None, units=1, outputs="one logit", options={"score": "sigmoid"}),
    "regression, loss kept": case(activation=None, units=1, outputs="numbers", change=compile_loss("mse"), seed=1),
    "numbers": case(activation="tanh", outputs="numbers", options={"score": "none"}, logits=ops.tanh),
    "flattened": case(head=flat),
    "maximum": case(head=lambda x: layers.GlobalMaxPooling2D()(x)),
    "ops.mean": case(head=lambda x: ops.mean(x, axis=(1, 2))),
    "two dense layers": case(head=lambda x: layers.Dense(10, "relu")(flat(x))),
    "dropout": case(head=lambda x: layers.Dropout(0.5)(mean(x))),
    "1 x 1 convolution behind the mean": case(head=lifted, last=lambda: layers.Conv2D(UNITS, 1, activation="softmax")),
    "mean of a score map": case(lambda x: conv(plain(x), UNITS, 1),
                                last=lambda: layers.Activation("softmax")),
    "softmaxes of groups": case(activation=None, units=6, tail=lambda y: flat(layers.Softmax()(grouped(y))),
                                logits=lambda z: flat(grouped(z) - grouped(z)[:, :, ::-1])),
    "dropout that model(images) leaves on": case(head=lambda x: layers.Dropout(0.5)(mean(x), training=True)),
    "average of networks": case(build=average),
    "two outputs": case(wrap=two_outputs, options={"output_name": "classes"}),
    # wrappers
    "Sequential": case(wrap=lambda model: keras.Sequential(model.layers)),
    "Sequential of a model": case(wrap=lambda model: keras.Sequential([keras.Input((SIDE, SIDE, 3)), model])),
    "nested": case(nested(residual)),
    "nested twice": case(nested(residual, 2)),
    "a subclassed model nested": case(lambda x: OwnBody()(x)),
    "a model in a model": case(wrap=lambda model: keras.Model(image := keras.Input((SIDE, SIDE, 3)), model(image))),
    "subclassed": case(wrap=Own),
    "subclassed, functions of TensorFlow": case(wrap=OwnOfTensorFlow),
    "SavedModel": case(build=saved_model),
    "multiple instances": case(build=bags),
    "sums in the code of a subclass": case(residual, wrap=InCode),
    "class token in the code of a subclass": case(token_vit, lambda x: x[:, 0], skip=1, wrap=InCode),
    # pixels
    **{f"preprocessing {name}": bare(name) for name in PIXELS},
    "Normalization": case(front=[layers.Normalization(mean=[120.0] * 3, variance=[3600.0] * 3)]),
    "batch norm in front": case(front=[layers.BatchNormalization()], options={"preprocessing": "unit"}, pixels="unit"),
    "Lambda in front": case(front=[layers.Lambda(lambda x: x / 255)]),
    "resized inside": case(front=[layers.Rescaling(1 / 255), layers.Resizing(48, 48)]),
    "cropped inside": case(front=[layers.Rescaling(1 / 255), layers.CenterCrop(48, 48)]),
    "padded inside": case(front=[layers.Rescaling(1 / 255), layers.ZeroPadding2D(4)]),
    "rolled inside": case(lambda x: ops.roll(plain(ops.roll(x, (16, -32), axis=(1, 2))), (-4, 8), axis=(1, 2))),
    "padded inside a layer of the user's": case(lambda x: Padded(8, 3, strides=4, activation="relu")(x)),
    "shifted by what the image says": case(front=[layers.Rescaling(1 / 255), Shifted()]),
    "padded by reflection inside": case(
        lambda x: plain(ops.pad(x, [[0, 0], [8, 8], [8, 8], [0, 0]], mode="reflect"))),
    "channels first inside": case(channels_first),
    "augmented inside": case(front=[layers.RandomFlip(), layers.RandomRotation(0.1), layers.Rescaling(1 / 255)]),
    "one channel": case(shape=(SIDE, SIDE, 1)),
    # arithmetic
    **{dtype: case(normed, dtype=dtype, tolerance=0.02) for dtype in ("mixed_float16", "float16")},
    **{dtype: case(normed, dtype=dtype, tolerance=0.1) for dtype in ("mixed_bfloat16", "bfloat16")},
    "float64": case(normed, dtype="float64"),
    **{f"quantized to {mode}": case(normed, tolerance=off, change=lambda model, mode=mode: model.quantize(mode))
       for mode, off in (("int8", 0.02), ("int4", 0.2), ("float8", 0.1))},  # from the map of the weights in full
    "LoRA": case(change=lambda model: model.layers[-1].enable_lora(2)),
    "jit_compile": case(change=lambda model: model.compile("sgd", "categorical_crossentropy", jit_compile=True)),
    # transformers
    "ViT, class token": case(token_vit, lambda x: x[:, 0], skip=1),
    "ViT, mean": case(vit),
    "ViT, flattened": case(vit, flat),
    "MLP-Mixer": case(mixer),
    "MobileViT": case(mobile_vit),
    "CNN with attention to the end": case(lambda x: layers.Reshape((256, 8))(attention_map(x))),
    "CNN with attention, a map again": case(attention_map),
    # of libraries
    "MobileNet": library(application, "MobileNet", alpha=0.25, pixels="tf"),
    "MobileNetV2": library(application, "MobileNetV2", alpha=0.35, pixels="tf"),
    "MobileNetV3Small": library(application, "MobileNetV3Small"),
    "EfficientNetB0": library(application, "EfficientNetB0"),
    "DenseNet121": library(application, "DenseNet121", pixels="torch", tolerance=1e-3),  # 120 folded batch norms
    "keras_hub ViT": library(of_hub, "ViT", **VIT, mlp_dim=12, patch_size=16, pooled=False),
    "keras_hub ViT, mean": library(of_hub, "ViT", **VIT, mlp_dim=12, patch_size=16, use_class_token=False,
                               pooled=False),
    "keras_hub DeiT": library(of_hub, "DeiT", **VIT, intermediate_dim=12, patch_size=16, pooled=False),
    "keras_hub Swin": library(
        of_hub, "SwinTransformer", embed_dim=8, depths=(2, 2), num_heads=(2, 2), window_size=4, patch_size=4,
        pooled=False),
    "keras_hub MiT": library(
        of_hub, "MiT", hidden_dims=[8, 12], layerwise_depths=[1, 1], num_layers=2, layerwise_num_heads=[1, 2],
        layerwise_sr_ratios=[2, 1], max_drop_path_rate=0.0, layerwise_patch_sizes=[7, 3], layerwise_strides=[4, 2]),
    # targets, and what is refused
    "segmentation, a target": case(build=segmentation, outputs="numbers",
                                   options={"target": lambda y: tf.reduce_mean(y[:, 16:48, 16:48, 1], axis=(1, 2))}),
    "embedding, a target": case(
        activation=None, units=8, outputs="numbers", options={"target": lambda y: tf.reduce_sum(y[:, :4], axis=1)},
        logits=lambda z: ops.sum(z[:, :4], axis=1, keepdims=True)),
    "segmentation": case(build=segmentation, refused=True),
    "softmax of one unit": case(units=1, refused=True),
    "softmax over the batch": case(activation=None, tail=lambda y: ops.softmax(y, axis=0), refused=True),
    "one linear output": case(activation=None, units=1, refused=True),
    "pooled features, no head": case(last=lambda: layers.Activation("linear"), refused=True),
    "thresholds of one number": case(
        activation=None, units=1, tail=lambda y: y + ops.convert_to_tensor([[-1.0, 0.0, 1.0]]), refused=True),
    "dropout that stays on": case(head=lambda x: Always(layers.Dropout(0.5))(mean(x)), refused=True),
    "statistics of the batch": case(lambda x: Always(layers.BatchNormalization())(plain(x)), refused=True),
    "tanh at the end": case(activation="tanh", refused=True),
    "integers as pixels": case(build=lambda: Built(keras.Model(
        image := keras.Input((SIDE, SIDE, 3), dtype="int32"),
        layers.Dense(UNITS, "softmax")(mean(plain(layers.Rescaling(1 / 255)(image))))))),
}  # fmt: skip
