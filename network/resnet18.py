"""ResNet18 (He et al. 2016, "Deep Residual Learning for Image Recognition", table 1), which Keras does not have.

    224 x 224 -> conv 7 x 7 / 2 -> max pool 3 x 3 / 2 -> 2 blocks each of 64, 128, 256, 512 filters -> 7 x 7 x 512

A block is y = ReLU(x + F(x)), F two convolutions 3 x 3 with batch norms; the first block of the last three stages
halves the map, and a 1 x 1 convolution takes the place of x (option B). Its layers are torchvision's, 11,689,512
trainable weights with 1,000 classes, named as Keras names those of its other ResNets. Keras has no weights of it.
"""

import keras
from keras import layers

STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))  # filters, and stride of the first of two blocks


def build_resnet18(
    include_top: bool = True,
    input_shape: tuple[int, int, int] = (224, 224, 3),
    classes: int = 1000,
    classifier_activation: str | None = "softmax",
) -> keras.Model:
    """The network, options as of `keras.applications`: preprocessed images (n, H, W, 3) to features or probabilities.

    Weights are drawn from Keras's global seed.
    """
    images = keras.Input(input_shape)
    x = layers.ZeroPadding2D(3, name="conv1_pad")(images)
    x = _norm(_convolve(x, 64, 7, 2, "conv1_conv", padding="valid"), "conv1_bn")
    x = layers.ReLU(name="conv1_relu")(x)
    x = layers.MaxPooling2D(3, 2, name="pool1_pool")(layers.ZeroPadding2D(1, name="pool1_pad")(x))
    for stage, (n_filters, stride) in enumerate(STAGES, start=2):
        x = _block(x, n_filters, stride, f"conv{stage}_block1")
        x = _block(x, n_filters, 1, f"conv{stage}_block2")
    if include_top:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = layers.Dense(classes, classifier_activation, name="predictions")(x)
    return keras.Model(images, x, name="resnet18")


def _block(x, n_filters: int, stride: int, name: str):
    """ReLU(x + F(x)), F two convolutions 3 x 3."""
    shortcut = x
    if stride > 1 or x.shape[-1] != n_filters:
        shortcut = _norm(_convolve(x, n_filters, 1, stride, f"{name}_0_conv"), f"{name}_0_bn")
    y = layers.ZeroPadding2D(1, name=f"{name}_1_pad")(x)  # both sides, as in torchvision: 'same' pads one for stride 2
    y = _norm(_convolve(y, n_filters, 3, stride, f"{name}_1_conv", padding="valid"), f"{name}_1_bn")
    y = layers.ReLU(name=f"{name}_1_relu")(y)
    y = _norm(_convolve(y, n_filters, 3, 1, f"{name}_2_conv"), f"{name}_2_bn")
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([shortcut, y]))


def _norm(x, name: str):
    # Keras's momentum of 0.99 would lag behind where an epoch is ten steps; torchvision has 0.9 too.
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)


def _convolve(x, n_filters: int, side: int, stride: int, name: str, padding: str = "same"):
    return layers.Conv2D(
        n_filters, side, stride, padding=padding, use_bias=False, name=name, kernel_initializer="he_normal"
    )(x)
