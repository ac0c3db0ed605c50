"""What the numbers are that an image is made of while it is optimised: its pixels, or a spectrum in other colours.

    pixels:    x = p, kept within 0-255 after each step
    fourier:   x = 255 sigmoid(C irfft2(p / max(f, 1/side)))      f: frequency, C: the colours' correlation

Olah, Mordvintsev, Schubert, "Feature Visualization", Distill 2017, "Preconditioning and parameterization": steepest
ascent on a spectrum divided by its frequency, in colours that do not correlate, favours no high frequency and no
colour that photographs lack. The numbers of both (scale of the spectrum, C) are those of the authors' `lucid`. The
sigmoid keeps the pixels within 0-255 without a clip.
"""

import numpy as np
import tensorflow as tf

# ImageNet's colours in coordinates that do not correlate (Olah et al. 2017): columns are light, orange-blue and
# green-magenta, on the scale of RGB 0-1.
COLOUR_AXES = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
MIDDLE = 127.5  # mid-grey, half of the range 0-255


class Pixels:
    """Images (n, H, W, 3) as they are; noise: deviation of the start from mid-grey, in grey levels."""

    per_coefficient = False  # one step size for an image: a pixel that matters more moves more

    def __init__(self, height: int, width: int, noise: float):
        self.shape, self.noise = (height, width, 3), noise

    def start(self, n: int, seed: int) -> np.ndarray:
        """Parameters of n equal images."""
        start = MIDDLE + self.noise * _normal(self.shape, seed)
        return np.repeat(np.clip(start, 0, 255)[None], n, axis=0)

    def images(self, parameters: tf.Tensor) -> tf.Tensor:
        """Images (n, H, W, 3), 0-255."""
        return parameters

    def project(self, parameters: tf.Tensor) -> tf.Tensor:
        """The nearest parameters whose images lie within 0-255."""
        return tf.clip_by_value(parameters, 0.0, 255.0)


class Fourier:
    """Images as real and imaginary parts of a half spectrum (n, 3, H, W // 2 + 1, 2) of decorrelated colours.

    noise: deviation of the parameters at the start.
    """

    per_coefficient = True  # every frequency moves at its own pace

    def __init__(self, height: int, width: int, noise: float):
        self.size, self.noise = (height, width), noise
        frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
        scale = np.sqrt(height * width) / np.maximum(frequency, 1 / max(height, width)) / 4
        self.scale = scale.astype(np.float32)
        axes = np.array(COLOUR_AXES, dtype=np.float32)
        self.colours = axes.T / np.linalg.norm(axes, axis=0).max()

    def start(self, n: int, seed: int) -> np.ndarray:
        """Parameters of n equal images, nearly mid-grey."""
        start = self.noise * _normal((3, *self.scale.shape, 2), seed)
        return np.repeat(start[None], n, axis=0)

    def images(self, parameters: tf.Tensor) -> tf.Tensor:
        """Images (n, H, W, 3), within 0-255."""
        spectrum = tf.complex(parameters[..., 0] * self.scale, parameters[..., 1] * self.scale)
        channels = tf.transpose(tf.signal.irfft2d(spectrum, self.size), [0, 2, 3, 1])
        return 255.0 * tf.sigmoid(channels @ self.colours)

    def project(self, parameters: tf.Tensor) -> tf.Tensor:
        """The parameters: all of them are images within 0-255."""
        return parameters


PARAMETRISATIONS = {"pixels": Pixels, "fourier": Fourier}


def _normal(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
