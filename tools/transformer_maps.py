"""Trains a small vision transformer and looks at its maps: do they lie on what it was trained to tell apart?

    python -m tools.transformer_maps [--picture=transformer_maps.png] [--epochs=30]

A class is the pattern of a small square, stripes lying, stripes standing or a chequerboard, all of one mean grey,
anywhere on noise of the same grey: neither colour nor place tells it. Two blocks of attention, a class token, 64
patches of 8 x 8 pixels; weights are drawn from a fixed seed and trained on 1,500 images. Printed per method: the share
of a map's positive part that lies on the square, of 60 new images; a map without knowledge has the square's share of
the area. The picture shows images beside their maps. A minute on two cores.
"""

import argparse
import sys

import keras
import numpy as np
from keras import layers

import representations
import utils
from explainers.registry import METHODS
from network.classifier import Classifier
from output.tables import align
from tools.model_matrix.small_models import ClassToken

SIDE, PATCH, SQUARE, WIDTH = 64, 8, 20, 32  # pixels; numbers of a token
PATTERNS = ("lying", "standing", "chequered")
LOOKED_AT = ("GRADCAM", "HIRESCAM", "LAYERCAM", "ABLATIONCAM", "FEM", "INTEGRATED_GRADIENTS", "OCCLUSION")


def draw(n, seed):
    """Images (n, SIDE, SIDE, 3), their patterns (n,), and where the squares are, bool (n, SIDE, SIDE)."""
    rng = np.random.default_rng(seed)
    classes, where = rng.integers(len(PATTERNS), size=n), np.zeros((n, SIDE, SIDE), bool)
    images = 127 + rng.normal(0, 25, (n, SIDE, SIDE))
    rows, columns = np.indices((SQUARE, SQUARE)) // 2 % 2
    patterns = [2 * stripes - 1 for stripes in (rows, columns, rows ^ columns)]
    for image, index, at in zip(images, classes, where):
        top, left = rng.integers(0, SIDE - SQUARE, 2)
        at[top : top + SQUARE, left : left + SQUARE] = True
        image[at] += 60 * patterns[index].ravel()
    return np.repeat(images.clip(0, 255)[..., None], 3, axis=3).astype(np.float32), classes, where


class Positions(layers.Layer):
    """Adds a learned vector for each token."""

    def build(self, shape):
        self.vectors = self.add_weight(shape=shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.02))

    def call(self, x):
        return x + self.vectors


def build():
    images = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(WIDTH, PATCH, strides=PATCH, name="patches")(layers.Rescaling(1 / 127.5, -1)(images))
    x = Positions()(ClassToken()(layers.Reshape((-1, WIDTH))(x)))
    for block in range(2):
        y = layers.LayerNormalization(epsilon=1e-6, name=f"block_{block}_norm")(x)
        x = layers.Add()([x, layers.MultiHeadAttention(4, WIDTH // 4)(y, y)])
        y = layers.Dense(2 * WIDTH, "gelu")(layers.LayerNormalization(epsilon=1e-6)(x))
        x = layers.Add()([x, layers.Dense(WIDTH)(y)])
    return keras.Model(images, layers.Dense(len(PATTERNS), "softmax")(layers.LayerNormalization(epsilon=1e-6)(x)[:, 0]))


def main(words=None) -> int:
    """The exit code: 1 if the transformer has not learned the patterns."""
    parser = argparse.ArgumentParser(
        "python -m tools.transformer_maps", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--picture", default="transformer_maps.png", help="written: images and their maps")
    parser.add_argument("--epochs", type=int, default=30, help="passes over the training images")
    args = parser.parse_args(words)
    keras.utils.set_random_seed(0)
    model = build()
    images, classes, _ = draw(1500, seed=1)
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    model.fit(images, classes, batch_size=50, epochs=args.epochs, verbose=0)
    images, classes, where = draw(60, seed=2)
    classifier = Classifier(model)
    accuracy = (classifier.predict(images).argmax(axis=1) == classes).mean()
    print(f"accuracy {accuracy:.2f} on {len(images)} new images; layer {classifier.layer_name}")
    lines, maps = [["method", "share on the square", f"of area {SQUARE**2 / SIDE**2:.3f}"]], {}
    for name in LOOKED_AT:
        maps[name] = np.maximum(METHODS[name].load()(classifier, None, images, classes).compute_saliency_map(), 0)
        totals = maps[name].sum(axis=(1, 2))
        shares = (maps[name] * where).sum(axis=(1, 2))[totals > 0] / totals[totals > 0]
        lines.append([name, f"{shares.mean():.3f}", f"{len(shares)} maps"])
    print(align(lines))
    pictures, titles = [], []
    for number in range(4):
        image = images[number].astype(np.uint8)
        pictures += [image, *(representations.represent_heatmap_overlaid(maps[name][number], image) for name in maps)]
        titles += [PATTERNS[classes[number]], *maps]
    utils.grid_layout(pictures, titles, "a small vision transformer").savefig(args.picture)
    return int(accuracy < 0.9)


if __name__ == "__main__":
    sys.exit(main())
