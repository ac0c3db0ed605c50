"""Small networks with attention or token mixing, of random weights: of Keras's own layers, and as people write them."""

import keras
from keras import layers, ops
from planted import draw_weights

SIDE = 32  # pixels; patches of 8: a grid of 4 x 4


class ClassToken(layers.Layer):
    """Learned tokens in front of the others (or behind them)."""

    def __init__(self, n=1, behind=False, **options):
        super().__init__(**options)
        self.n, self.behind = n, behind

    def build(self, shape):
        self.token = self.add_weight(shape=(1, self.n, shape[-1]), name="kernel")

    def call(self, x):
        token = ops.broadcast_to(self.token, (ops.shape(x)[0], self.n, x.shape[-1]))
        return ops.concatenate([x, token] if self.behind else [token, x], axis=1)


class PatchEmbedding(layers.Layer):
    """Patches, a class token and positions in one layer, as keras_hub's and many tutorials'."""

    def __init__(self, n_channels, **options):
        super().__init__(**options)
        self.projection = layers.Conv2D(n_channels, 8, strides=8)
        self.tokens = ClassToken()

    def call(self, images):
        x = self.projection(images)
        return self.tokens(ops.reshape(x, (ops.shape(x)[0], -1, x.shape[-1])))


class Block(layers.Layer):
    """Attention and a small network behind it, as a layer of the user's; optionally with a tuple as its answer."""

    def __init__(self, n_channels, as_tuple=False, **options):
        super().__init__(**options)
        self.norm = layers.LayerNormalization(name="first_norm")
        self.attention = layers.MultiHeadAttention(2, n_channels // 2)
        self.norm_2, self.dense = layers.LayerNormalization(), layers.Dense(n_channels, activation="gelu")
        self.out, self.as_tuple = layers.Dense(n_channels, name="out"), as_tuple

    def call(self, x):
        y = self.norm(x)
        x = x + self.attention(y, y)
        x = x + self.dense(self.norm_2(x))
        return (self.out(x), None) if self.as_tuple else x


class Encoder(layers.Layer):
    """All blocks as one layer."""

    def __init__(self, n_channels, depth, as_tuple=False, **options):
        super().__init__(**options)
        self.blocks = [Block(n_channels, as_tuple, name=f"block_{i}") for i in range(depth)]
        self.norm, self.as_tuple = layers.LayerNormalization(name="last_norm"), as_tuple

    def call(self, x):
        for block in self.blocks:
            x = block(x)
            x = x[0] if self.as_tuple else x
        return self.norm(x)


def attend(x, name):
    """A block of Keras's own layers on tokens (n, N, K)."""
    n_channels = x.shape[-1]
    y = layers.LayerNormalization(name=f"{name}_norm_1")(x)
    x = layers.Add(name=f"{name}_add_1")(
        [layers.MultiHeadAttention(2, n_channels // 2, name=f"{name}_attention")(y, y), x]
    )
    y = layers.LayerNormalization(name=f"{name}_norm_2")(x)
    y = layers.Dense(n_channels, name=f"{name}_dense_2")(layers.Dense(20, "gelu", name=f"{name}_dense_1")(y))
    return layers.Add(name=f"{name}_add_2")([y, x])


def patches(images, n_channels=12):
    x = layers.Conv2D(n_channels, 8, strides=8, name="patches")(layers.Rescaling(1 / 127.5, -1)(images))
    return layers.Reshape((-1, n_channels), name="tokens")(x)


def built(images, x, seed=0):
    """The model with a softmax of 3 classes on x (n, K), random weights and a readable logit."""
    model = keras.Model(images, layers.Dense(3, activation="softmax", name="dense")(x))
    draw_weights(model, seed)
    return model


def vit(head="token", depth=2, height=SIDE, width=SIDE, n_tokens=1, behind=False):
    images = keras.Input((height, width, 3))
    x = patches(images)
    if head == "token":
        x = ClassToken(n_tokens, behind, name="class_token")(x)
    for i in range(depth):
        x = attend(x, f"block_{i}")
    x = layers.LayerNormalization(name="norm")(x)
    if head == "token":
        return built(images, x[:, -1 if behind else 0])
    return built(images, layers.Flatten()(x) if head == "flatten" else layers.GlobalAveragePooling1D(name="mean")(x))


def vit_of_layers(as_tuple=False, whole=True):
    """Patch embedding and blocks as layers of the user's; whole: all blocks as one."""
    images = keras.Input((SIDE, SIDE, 3))
    x = PatchEmbedding(12, name="embedding")(images / 127.5 - 1)
    if whole:
        x = Encoder(12, 3, as_tuple, name="encoder")(x)
    else:
        for i in range(3):
            x = Block(12, name=f"block_{i}")(x)
    return built(images, x[:, 0])


def mixer():
    """Keras's example of an MLP-Mixer: patches cut by reshaping, tokens mixed on the transposed tensor."""
    images = keras.Input((SIDE, SIDE, 3))
    x = layers.Reshape((4, 8, 4, 8, 3))(layers.Rescaling(1 / 255)(images))
    x = layers.Reshape((16, 192), name="cut")(layers.Permute((1, 3, 2, 4, 5))(x))
    x = layers.Dense(12, name="projection")(x)
    for i in range(2):
        y = layers.Permute((2, 1))(layers.LayerNormalization()(x))
        y = layers.Dense(16)(layers.Dense(16, activation="gelu")(y))
        x = layers.Add(name=f"tokens_{i}")([x, layers.Permute((2, 1))(y)])
        y = layers.Dense(12)(layers.Dense(24, activation="gelu")(layers.LayerNormalization()(x)))
        x = layers.Add(name=f"channels_{i}")([x, y])
    return built(images, layers.GlobalAveragePooling1D()(x))


def mobile_vit(last_conv=True):
    """Keras's example of a MobileViT block: a map unfolded into patches, attention, folded back, joined with itself."""
    images = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="silu")(layers.Rescaling(1 / 255)(images))
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="silu", name="local")(x)
    y = layers.Conv2D(12, 1, activation="silu")(x)
    y = layers.Reshape((4, 16, 12), name="unfold")(y)
    for _ in range(2):
        z = layers.LayerNormalization()(y)
        y = layers.Add()([layers.MultiHeadAttention(2, 6)(z, z), y])
    y = layers.Reshape((8, 8, 12), name="fold")(y)
    y = layers.Conv2D(8, 1, activation="silu", name="back")(y)
    y = layers.Concatenate(name="both")([x, y])
    y = layers.Conv2D(10, 3, padding="same", activation="silu", name="last")(y) if last_conv else y
    return built(images, layers.GlobalAveragePooling2D()(y))


def cnn_with_attention(flat=True):
    """A small CNN whose map goes through attention as tokens; flat: tokens to the end, else a map again."""
    images = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(layers.Rescaling(1 / 255)(images))
    x = layers.Conv2D(12, 3, strides=2, padding="same", activation="relu", name="cnn")(x)
    x = attend(layers.Reshape((64, 12))(x), "head")
    x = layers.GlobalAveragePooling1D()(x) if flat else layers.GlobalAveragePooling2D()(layers.Reshape((8, 8, 12))(x))
    return built(images, x)


def partition(x, window):
    _, height, width, n_channels = x.shape
    x = ops.reshape(x, (-1, height // window, window, width // window, window, n_channels))
    return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, window * window, n_channels))


def join(x, window, height, width):
    x = ops.reshape(x, (-1, height // window, width // window, window, window, x.shape[-1]))
    return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, height, width, x.shape[-1]))


class SwinBlock(layers.Layer):
    """Attention within shifted windows, on tokens (n, h w, K)."""

    def __init__(self, side, shift, n_channels, **options):
        super().__init__(**options)
        self.side, self.shift = side, shift
        self.norm, self.attention = layers.LayerNormalization(), layers.MultiHeadAttention(2, n_channels // 2)

    def call(self, x):
        y = ops.reshape(self.norm(x), (-1, self.side, self.side, x.shape[-1]))
        y = partition(ops.roll(y, (-self.shift, -self.shift), axis=(1, 2)), 2)
        y = join(self.attention(y, y), 2, self.side, self.side)
        y = ops.roll(y, (self.shift, self.shift), axis=(1, 2))
        return x + ops.reshape(y, (-1, self.side**2, x.shape[-1]))


class PatchMerging(layers.Layer):
    """Four neighbours to one token: (n, h w, K) -> (n, h w / 4, 2 K)."""

    def __init__(self, side, n_channels, **options):
        super().__init__(**options)
        self.side, self.reduction = side, layers.Dense(2 * n_channels, use_bias=False)

    def call(self, x):
        x = ops.reshape(x, (-1, self.side, self.side, x.shape[-1]))
        parts = [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
        x = self.reduction(ops.concatenate(parts, axis=-1))
        return ops.reshape(x, (-1, (self.side // 2) ** 2, x.shape[-1]))


def swin():
    images = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(8, 4, strides=4, name="patches")(layers.Rescaling(1 / 127.5, -1)(images))
    x = layers.Reshape((64, 8))(x)
    x = SwinBlock(8, 1, 8, name="block_1")(SwinBlock(8, 0, 8, name="block_0")(x))
    x = PatchMerging(8, 8, name="merging")(x)
    x = SwinBlock(4, 0, 16, name="block_2")(x)
    return built(images, layers.GlobalAveragePooling1D()(layers.LayerNormalization(name="norm")(x)))
