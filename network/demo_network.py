"""ResNetDemo: the small residual network of the repository, for the embedded data and for quick trials.

    128 x 128 -> conv 5x5/2 -> 64 x 64 -> residual blocks at 64 x 64, 32 x 32 and 16 x 16 -> features

A residual block (He et al. 2016, Identity Mappings in Deep Residual Networks, figure 4e: batch norm, ReLU,
convolution) is y = x + F(x); where the shape changes, a 1 x 1 convolution takes the place of x. The last map stays
at 16 x 16, and a feature sees 49 pixels of the image's 128 and no more, as in BagNets (Brendel & Bethge 2019): so
what a CAM method shows at a position is what stands there. About 0.2 million weights, under 1 MB.

`train.py` puts the head on it: `python train.py --model_name=ResNetDemo`.
"""

import keras
from keras import layers

import constants

DEMO_STAGES = ((24, 1), (48, 2), (96, 2))  # filters and stride of its residual blocks


def build_demo_network(input_size: int = constants.DEMO_INPUT_SIZE) -> keras.Model:
    """The network without a head: images (n, S, S, 3), preprocessed to [-1, 1], to features (n, S/8, S/8, 96).

    input_size: S in pixels, a multiple of 8. Weights are drawn from Keras's global seed.
    """
    if input_size % 8:
        raise ValueError(f"input_size must be a multiple of 8; got {input_size}")
    images = keras.Input((input_size, input_size, 3), name="images")
    x = _convolve(images, DEMO_STAGES[0][0], 5, 2, "stem_conv")
    for stage, (n_filters, stride) in enumerate(DEMO_STAGES, start=1):
        x = _residual_block(x, n_filters, stride, f"stage{stage}")
    return keras.Model(images, _activate(x, "post"), name="resnet_demo")


def _residual_block(x, n_filters: int, stride: int, name: str):
    """x + F(x), F twice batch norm, ReLU and convolution 3 x 3."""
    active = _activate(x, f"{name}_preact")
    shortcut = x
    if stride > 1 or x.shape[-1] != n_filters:
        shortcut = _convolve(active, n_filters, 1, stride, f"{name}_shortcut_conv")
    y = _convolve(active, n_filters, 3, stride, f"{name}_1_conv")
    y = _convolve(_activate(y, f"{name}_1"), n_filters, 3, 1, f"{name}_2_conv")
    return layers.Add(name=f"{name}_add")([shortcut, y])


def _activate(x, name: str):
    # An epoch is ten steps: with Keras's momentum of 0.99 the moving averages would lag behind by ten epochs.
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _convolve(x, n_filters: int, side: int, stride: int, name: str):
    return layers.Conv2D(
        n_filters, side, stride, padding="same", use_bias=False, name=name, kernel_initializer="he_normal"
    )(x)
