"""An image as a bag of patches, and the network that weighs them: attention-based multiple-instance learning.

    a_k = softmax_k(w^T tanh(V h_k))                        plain (equation 8)
    a_k = softmax_k(w^T (tanh(V h_k) * sigmoid(U h_k)))     gated (equation 9)
    z = sum_k a_k h_k, then one dense layer                 (equation 7)

with h_k the embedding of patch k. Ilse, Tomczak and Welling, "Attention-based Deep Multiple Instance Learning",
ICML 2018. V, U and w have no biases, as in the equations. The patches of an image are cut out of it and go through
the backbone one by one, as images of their own: unlike the positions of a feature map they see nothing of each
other. Patch (i, j) of side p is centred on cell (i, j) of a grid of cells of side s, the stride, so that a map over
the grid lies on the image as any feature map does; with s < p patches overlap, and at the border they hold zeros.

    images (n, H, W, 3) -> patches (n, h, w, p, p, 3) -> backbone, mean over positions: 'head_pooling' (n, h, w, K)
           -> dense, ReLU: 'instances' h_k (n, h, w, M) -> 'attention' a_k (n, h w) -> 'weighted' a_k h_k (n, h, w, M)
           -> sum over positions z (n, M) -> classes

The last map, at which CAM methods look, is 'weighted': Grad-CAM there is ReLU(a_k w_c h_k), what each patch adds to
the logit of class c; `--layer_name=instances` looks at the patches before they are weighed. All layers are Keras's
own: the file of such a model loads without any code of ours. Where we depart: the mean over a patch's positions stands
before the first dense layer, so that any backbone fits any size of patch.
"""

import math
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops

import constants
from network import layer_graph
from network.layer_graph import PATCHES_LAYER
from network.transfer import HEAD_LAYER, POOLING_LAYER, Backbone

MIL_EMBEDDING = 96  # numbers that a patch is embedded in

INSTANCES_LAYER, ATTENTION_LAYER, WEIGHTED_LAYER = "instances", "attention", "weighted"


@dataclass(frozen=True)
class Bags:
    """How images become bags, and bags classes; the place of `transfer.add_head` in training.

    patch_size, patch_stride: p and s in pixels of the network's input; None: see `place`. gated: the second
    attention. units: rows of V and U. embedding: M, the size of h_k.
    """

    patch_size: int | None = None
    patch_stride: int | None = None
    gated: bool = False
    units: int = constants.MIL_ATTENTION_UNITS
    embedding: int = MIL_EMBEDDING

    def place(self, height: int, width: int, step: int) -> tuple[int, int]:
        """(p, s) for images of that size and a backbone whose positions are `step` pixels apart.

        p: MIL_POSITIONS steps, for a patch of fewer shows a network too little; s: the largest divisor of both sides
        up to half of p. ValueError for patches that do not tile the image.
        """
        common, side = math.gcd(height, width), min(height, width)
        stride = self.patch_stride
        size = self.patch_size or min(side, max(constants.MIL_POSITIONS * step, 2 * (stride or 1)))
        if stride is None:
            most = max(1, size // 2)
            stride = max(divisor for divisor in range(1, most + 1) if common % divisor == 0)
        if common % stride:
            choices = ", ".join(str(divisor) for divisor in range(4, common + 1) if common % divisor == 0)
            raise ValueError(f"patch_stride should divide the input of {height} x {width}: {choices}; got {stride}")
        if not stride <= size <= side:
            raise ValueError(f"patch_size should lie between patch_stride and the side, {stride} to {side}; got {size}")
        return size, stride

    def settings(self, backbone: Backbone) -> dict:
        """What was chosen for that backbone, by name."""
        size, stride = self._place(backbone)
        grid = " x ".join(str(side // stride) for side in backbone.input_size)
        return {
            "attention": f"{'gated' if self.gated else 'plain'}, {self.units} units",
            "patches": f"{grid} of {size} x {size} pixels, {stride} apart, embedded in {self.embedding} numbers",
        }

    def _place(self, backbone: Backbone) -> tuple[int, int]:
        return self.place(*backbone.input_size, backbone.input_size[0] // backbone.model.output.shape[1])

    def add_head(self, backbone: Backbone, n_classes: int, seed: int, activation: str = "softmax") -> keras.Model:
        """The backbone on every patch, attention over them, and probabilities (n, C). Weights of the seed.

        ValueError for patches that the backbone cannot take.
        """
        images = keras.Input((*backbone.input_size, 3), name="images")
        instances = embed_patches(backbone.model, cut_patches(images, *self._place(backbone)))
        draws = [keras.initializers.GlorotUniform(seed=seed + number) for number in range(5)]
        instances = layers.Dense(self.embedding, "relu", kernel_initializer=draws[0], name=INSTANCES_LAYER)(instances)
        attention = attend(instances, self.units, self.gated, draws[1:4])
        attention = layers.Reshape((*instances.shape[1:3], 1), name="attention_grid")(attention)
        weighted = layers.Multiply(name=WEIGHTED_LAYER)([attention, instances])
        z = layers.Dropout(constants.DROPOUT, seed=seed, name="head_dropout")(ops.sum(weighted, axis=(1, 2)))
        output = layers.Dense(n_classes, activation, kernel_initializer=draws[4], name=HEAD_LAYER)(z)
        return keras.Model(images, output, name=f"{backbone.model_name or 'backbone'}_attention_mil")


def cut_patches(images, size: int, stride: int):
    """Patches (n, h, w, size, size, 3), named PATCHES_LAYER, of images (n, H, W, 3); stride divides H and W."""
    height, width, channels = images.shape[1:]
    grid = height // stride, width // stride
    before = (size - stride) // 2
    margin = before, size - stride - before
    x = layers.ZeroPadding2D((margin, margin), name="patch_margin")(images)
    for axis, n_cells in enumerate(grid, start=1):  # every patch's rows one patch after the other; then columns
        x = ops.take(x, (np.arange(n_cells)[:, None] * stride + np.arange(size)).reshape(-1), axis=axis)
    x = layers.Reshape((grid[0], size, grid[1], size, channels), name="patch_rows")(x)
    return layers.Permute((1, 3, 2, 4, 5), name=PATCHES_LAYER)(x)


def embed_patches(backbone: keras.Model, patches):
    """The backbone's features, mean over positions, of patches (n, h, w, p, p, 3): (n, h, w, K).

    The layers of the backbone become layers of the new model, as in `transfer.cut_head`.
    """
    _, *grid, height, width, channels = patches.shape
    x = ops.reshape(patches, (-1, height, width, channels))  # each patch an image of its own

    def call(path, layer, args, kwargs):
        return layer(*args, **kwargs)

    try:
        if not isinstance(backbone, keras.Sequential):
            x = keras.tree.pack_sequence_as(backbone.input, [x])
        features = layer_graph.run_model(backbone, x, call)
    except (ValueError, TypeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"the network cannot take patches of {height} x {width} pixels: {reason}") from error
    pooled = layers.GlobalAveragePooling2D(name="patch_pooling")(features)
    return layers.Identity(name=POOLING_LAYER)(ops.reshape(pooled, (-1, *grid, pooled.shape[-1])))


def attend(h, units: int, gated: bool, initializers: list):
    """Attention (n, k), named ATTENTION_LAYER, of k embeddings h (n, ..., M): positive, the sum over k is 1.

    initializers: of V, U and w.
    """
    v, u, w = ({"use_bias": False, "kernel_initializer": initializer} for initializer in initializers)
    x = layers.Dense(units, "tanh", name="attention_v", **v)(h)
    if gated:
        x = layers.Multiply(name="attention_gated")([x, layers.Dense(units, "sigmoid", name="attention_u", **u)(h)])
    scores = layers.Flatten(name="attention_scores")(layers.Dense(1, name="attention_w", **w)(x))
    return layers.Softmax(name=ATTENTION_LAYER)(scores)
