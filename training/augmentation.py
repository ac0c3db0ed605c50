"""The same images seen a little differently: what training shows the network instead of the originals.

    image -> mirrored, turned, scaled, shifted (one affine map) -> exposure, contrast, colour -> one patch erased

Every number is drawn from one stateless stream: the augmented batch is a function of the batch and the seed
alone, so that a run that was stopped continues with the very images it would have seen. Erasing (Zhong et al.
2020) keeps a network from resting on one detail. Not part of any saved model; runs on RGB 0-255, before the
preprocessing.
"""

import tensorflow as tf

RANGES = {  # the largest change; a factor f stands for 1 / (1 + f) to 1 + f
    "rotation_deg": 8.0,
    "zoom": 0.3,  # factor
    "stretch": 0.12,  # factor of the width, the height changing the other way
    "shift": 0.12,  # of the side
    "exposure": 0.4,  # factor
    "contrast": 0.3,  # factor
    "saturation": 0.6,  # factor
    "tint": 0.15,  # of each colour channel for itself
    "erased": 0.35,  # side of the erased square, of the image's side
}


def augment(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Augmented float32 images (n, H, W, 3), 0-255, of images (n, H, W, 3), 0-255.

    seed: two int32; the same images with the same seed give the same result. The ranges are
    `RANGES`.
    """
    n = tf.shape(images)[0]
    draws = tf.unstack(tf.random.stateless_uniform([n, 15], seed, minval=-1.0, maxval=1.0), axis=1)
    images = _move(tf.cast(images, tf.float32), *draws[:6])
    images = _recolour(images, *draws[6:9], tf.stack(draws[9:12], axis=1))
    return _erase(images, *draws[12:15])


def _move(images, mirror, angle, zoom, stretch, right, down):
    """The images through one affine map each; what comes in from outside is mirrored at the border."""
    height, width = tf.unstack(tf.cast(tf.shape(images)[1:3], tf.float32))
    angle = angle * RANGES["rotation_deg"] * 3.14159265 / 180
    scale = (1 + RANGES["zoom"]) ** -zoom  # of the way back, from a pixel of the result to the original
    aspect = (1 + RANGES["stretch"]) ** stretch
    across, upright = tf.sign(mirror) * scale * aspect, scale / aspect
    a0, a1 = across * tf.cos(angle), -across * tf.sin(angle)
    b0, b1 = upright * tf.sin(angle), upright * tf.cos(angle)
    x, y = (width - 1) / 2, (height - 1) / 2  # the centre stays where it is, up to the shift
    a2 = x - a0 * x - a1 * y + right * RANGES["shift"] * width
    b2 = y - b0 * x - b1 * y + down * RANGES["shift"] * height
    zeros = tf.zeros_like(angle)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([a0, a1, a2, b0, b1, b2, zeros, zeros], axis=1),
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )


def _recolour(images, exposure, contrast, saturation, tint):
    """Exposure, contrast, saturation and the tint of the light, each a factor about 1; tint: (n, 3)."""

    def factor(draw, name):
        return tf.reshape((1 + RANGES[name]) ** draw, [-1, 1, 1, 1])

    images = images * factor(exposure, "exposure") * (1 + RANGES["tint"] * tint[:, None, None, :])
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    images = mean + (images - mean) * factor(contrast, "contrast")
    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    return tf.clip_by_value(grey + (images - grey) * factor(saturation, "saturation"), 0.0, 255.0)


def _erase(images, size, across, down):
    """One square of each image in the image's mean colour, at most `erased` of its sides wide; often none."""
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    half = tf.maximum(size, 0.0) * RANGES["erased"]  # in the coordinates -1 to 1
    rows = tf.abs(tf.linspace(-1.0, 1.0, height)[None, :] - down[:, None]) < half[:, None]
    columns = tf.abs(tf.linspace(-1.0, 1.0, width)[None, :] - across[:, None]) < half[:, None]
    inside = (rows[:, :, None] & columns[:, None, :])[..., None]
    return tf.where(inside, tf.reduce_mean(images, axis=[1, 2], keepdims=True), images)
