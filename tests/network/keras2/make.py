"""Writes the files beside it, with `pip install tf_keras`: what tf.keras 2 saved, and what it gave for two images.

python tests/network/keras2/make.py
"""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras as keras
from tf_keras import layers

FOLDER = Path(__file__).parent


def images(side: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (2, side, side, 3)).astype(np.float32)


def mobile(synchronized: bool = False) -> keras.Model:
    """Augmentation, scaling, a nested backbone of all that Keras 3 words in another way, and a head."""
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, use_bias=False, name="Conv/expand")(inputs)
    x = layers.BatchNormalization(name="Conv/BatchNorm")(x)
    x = layers.ReLU(6.0)(x)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = (layers.experimental.SyncBatchNormalization if synchronized else layers.BatchNormalization)()(x)
    x = x * tf.nn.relu6(x + 3.0) * (1 / 6)  # hard swish, as MobileNetV3 had it
    x = layers.SeparableConv2D(4, 3)(x)
    y = layers.Conv2DTranspose(4, 3, padding="same")(x)
    x = layers.SpatialDropout2D(0.2)(layers.Add()([x, y]))
    backbone = keras.Model(inputs, tf.nn.relu(x), name="backbone")
    outer = keras.Input((16, 16, 3))
    x = keras.Sequential([layers.RandomFlip(), layers.RandomRotation(0.1), layers.RandomHeight(0.1)])(outer)
    x = layers.Resizing(16, 16)(x)
    x = backbone(layers.Rescaling(1 / 127.5, -1)(x), training=False)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(outer, keras.Sequential([layers.Dense(3, activation="softmax", name="head/dense")])(x))


def teachable() -> keras.Model:
    """As Teachable Machine exports it: models in a Sequential, all the way down."""
    inputs = keras.Input((16, 16, 3))
    x = layers.ReLU(6.0)(layers.DepthwiseConv2D(3)(layers.Conv2D(4, 3)(inputs)))
    body = keras.Sequential([keras.Model(inputs, x), layers.GlobalAveragePooling2D()])
    head = keras.Sequential([layers.Dense(5, activation="relu"), layers.Dense(3, activation="softmax", use_bias=False)])
    model = keras.Sequential([body, head])
    model.build((None, 16, 16, 3))
    return model


def preprocessed(module) -> keras.Model:
    """`preprocess_input` called inside the model."""
    inputs = keras.Input((16, 16, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(module.preprocess_input(inputs)))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def half() -> keras.Model:
    """Mixed precision, a loss, and the list axes of `Normalization`."""
    keras.mixed_precision.set_global_policy("mixed_float16")
    inputs = keras.Input((16, 16, 3))
    x = layers.Normalization(mean=[100.0, 110.0, 120.0], variance=[60.0**2] * 3)(inputs)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(x))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax", dtype="float32")(x))
    model.compile("adam", loss=keras.losses.CategoricalCrossentropy())
    keras.mixed_precision.set_global_policy("float32")
    return model


def main() -> None:
    applications = keras.applications
    models = {
        "mobile.h5": mobile(synchronized=True),
        "mobile.keras": mobile(),
        "teachable.h5": teachable(),
        "teachable.keras": teachable(),
        "caffe.h5": preprocessed(applications.resnet),
        "tf.keras": preprocessed(applications.mobilenet),
        "torch.h5": preprocessed(applications.densenet),
        "half.h5": half(),
        "half.keras": half(),
    }
    expected = {}
    for number, (name, model) in enumerate(models.items()):
        generator = np.random.default_rng(number)
        for weight in model.weights:
            if weight.dtype.is_floating and not weight.name.startswith(("mean", "variance")):
                values = generator.normal(0, 0.3, weight.shape)
                weight.assign(np.abs(values) + 0.5 if "variance" in weight.name else values)
        model.save(FOLDER / name)
        expected[name] = model(images(16), training=False).numpy().astype(float).round(6).tolist()
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1))


if __name__ == "__main__":
    main()
