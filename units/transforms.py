"""The same image seen a little differently at every step, so that what is maximised is no accident of single pixels.

    seen = bilinear(image, turned, scaled, shifted and cropped by one affine map) + one shift of the colours

Olah et al., "Feature Visualization", Distill 2017 (transformation robustness); Addepalli et al. 2020 for rotation,
scaling, RGB jitter and crop. All are one sampling of the image, so that nothing is blurred twice; what comes in from
outside is the image mirrored at its border. Written as four gathers, whose gradient is exact: TensorFlow's own
projective transform passes gradients through the inverse map instead of the transposed one.

`ranges`, each the largest change, 0 where a name is missing:
    rotation_deg    degrees to either side
    scale           a share f: the image is magnified by 1 - f to 1 + f
    shift           share of the side, down and to the right
    crop            share c: a window whose side is 1 - c to 1 of the image's, anywhere in it, fills the view
    rgb_jitter      grey levels, each colour for itself; the view is kept within 0-255
"""

import math

import tensorflow as tf

N_DRAWS = 10


def draw_transform(seed: tf.Tensor) -> tf.Tensor:
    """Ten numbers in -1 to 1 that `transform` takes, a function of `seed` (two int32) alone."""
    return tf.random.stateless_uniform([N_DRAWS], seed, minval=-1.0, maxval=1.0)


def transform(images: tf.Tensor, draws: tf.Tensor, ranges: dict[str, float]) -> tf.Tensor:
    """Images (n, H, W, 3), 0-255, all seen through the same map; differentiable in the images."""
    turn, size, down, right, window, across, along, *tint = tf.unstack(draws)
    height, width = images.shape[1:3]
    crop = ranges.get("crop", 0.0) * (1 + window) / 2  # share of the side that is cut away
    shift = ranges.get("shift", 0.0)
    if any(ranges.get(name) for name in ("rotation_deg", "scale", "shift", "crop")):
        images = warp(
            images,
            angle=turn * math.radians(ranges.get("rotation_deg", 0.0)),
            magnification=(1 + ranges.get("scale", 0.0) * size) / (1 - crop),
            down=(down * shift + along * crop / 2) * height,
            right=(right * shift + across * crop / 2) * width,
        )
    if ranges.get("rgb_jitter"):
        images = tf.clip_by_value(images + ranges["rgb_jitter"] * tf.stack(tint), 0.0, 255.0)
    return images


def warp(images: tf.Tensor, angle, magnification, down, right) -> tf.Tensor:
    """The images (n, H, W, 3) turned clockwise by `angle` (radians) and magnified about their middle.

    down, right: pixels of the image by which the middle of the view lies off its own. Bilinear.
    """
    height, width = images.shape[1:3]
    rows = tf.reshape(tf.range(height, dtype=tf.float32) - (height - 1) / 2, [-1, 1]) / magnification
    columns = tf.reshape(tf.range(width, dtype=tf.float32) - (width - 1) / 2, [1, -1]) / magnification
    y = tf.cos(angle) * rows - tf.sin(angle) * columns + (height - 1) / 2 + down
    x = tf.sin(angle) * rows + tf.cos(angle) * columns + (width - 1) / 2 + right
    (top, below), (left, beside) = _split(y, height), _split(x, width)
    # Pixels in the first axis: a gather then fetches all images and colours of a pixel as one run of memory.
    flat = tf.reshape(tf.transpose(images, [1, 2, 0, 3]), [height * width, -1])
    corners = [
        (top, left, (1 - below) * (1 - beside)),
        (top, left + 1, (1 - below) * beside),
        (top + 1, left, below * (1 - beside)),
        (top + 1, left + 1, below * beside),
    ]
    seen = tf.add_n(
        [
            tf.gather(flat, tf.reshape(row * width + column, [-1])) * tf.reshape(weight, [-1, 1])
            for row, column, weight in corners
        ]
    )
    return tf.transpose(tf.reshape(seen, [height, width, -1, 3]), [2, 0, 1, 3])


def _split(position: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Position, mirrored into 0 to size - 1, as the pixel before it (int32, with one behind it) and the rest."""
    last = float(size - 1)
    position = last - tf.abs(tf.math.floormod(position, 2 * last) - last)
    before = tf.clip_by_value(tf.floor(position), 0.0, last - 1)
    return tf.cast(before, tf.int32), position - before
