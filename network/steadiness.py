"""Whether an image has an answer of its own: the same at each call, whatever else stands in its batch.

Dropout that stays on, a batch norm by the statistics of the batch, a softmax across the images: a map of such an answer
explains the draw or the neighbours. The traced graph is searched for operations that draw numbers or may join images,
over the first axis; where there are some, a picture goes through twice and among others, and the answers are compared.
"""

import ml_dtypes
import numpy as np
import tensorflow as tf

import constants
from network.operations import CALLS, Operations, last_operation, recomputing
from network.preprocessing import prepare

REDUCTIONS = ("Mean", "Sum", "Max", "Min", "Prod", "ArgMax", "ArgMin", "Cumsum", "Cumprod", "ReverseV2", "Roll")
NORMS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
PAIRS = ("MatMul", "Conv2D", "DepthwiseConv2dNative")  # that join images where both sides come of them
UNCLEAR = (*CALLS, "If", "StatelessIf", "While", "StatelessWhile", "GatherV2", "GatherNd", "Unpack", "Einsum")


def check(graph, output, shape: tuple[int, int, int]) -> None:
    """Raises ValueError, naming the operation, for a model whose answer for an image is not the image's own.

    graph, output: of `layer_graph.trace_model`. shape: (H, W, channels) that it takes.
    """
    ends = [tensor for tensor in tf.nest.flatten(output) if tf.is_tensor(tensor)]
    operations = Operations(graph)
    suspects = [operation for operation in operations.needed_for(ends) if _may_mix(operation, operations)]
    if not suspects:
        return
    behind = [tensor for end in ends for tensor in last_operation(end).inputs if operations.depends_on_image(tensor.op)]
    seen = [tensor for tensor in (*operations.in_front_of_weights(), *behind, *ends) if _holds_images(tensor)]
    pictures = np.random.default_rng(constants.SEED).uniform(0, 255, (4, *shape[:2], 3)).astype(np.float32)
    pictures *= np.float32([1, 0.75, 0.5, 0.25])[:, None, None, None]
    run = recomputing(seen)
    for scale in (1, 1 / 255):  # in that of the pixels, whichever it is
        given = tf.cast(prepare(tf.constant(pictures * np.float32(scale)), "none", shape[2]), graph.inputs[0].dtype)
        # The third: draws of a seed that stands still begin alike, and turned round it would be the second.
        alone, again, among = run(given[2:3]), run(given[2:3]), run(given)
        for tensor, one, same, several in zip(seen, alone, again, among):
            # Of pieces of images, image by image or all images' first ones first.
            third = several[2 * len(one) : 3 * len(one)], several[2::4]
            steady = _is_same(one, same, tensor.dtype)
            if not (steady and any(_is_same(one, rows, tensor.dtype) for rows in third)):
                names = ", ".join(dict.fromkeys(_scope(operation) for operation in suspects[:5]))
                raise ValueError(
                    "what the model makes of an image differs from call to call or with the other images of a batch, "
                    f"so that an image has no answer of its own (see {names}); take what is drawn, and training=True, "
                    "out of the model, and means, deviations and largest values of each image alone: axis=(1, 2, 3)"
                )


def _may_mix(operation, operations: Operations) -> bool:
    """Whether an operation draws numbers, or may join the images of a batch."""
    kind = operation.type
    if "Random" in kind or "Normal" in kind or "Multinomial" in kind or kind == "RngReadAndSkip":
        return True
    of_image = [tensor for tensor in operation.inputs if operations.depends_on_image(tensor.op)]
    if not any(tensor.dtype.is_floating for tensor in of_image):
        return False  # what becomes of a shape
    if kind in REDUCTIONS:
        axes, rank = tf.get_static_value(operation.inputs[-1]), of_image[0].shape.rank
        return axes is None or rank is None or any(axis in (0, -rank) for axis in np.reshape(axes, -1))
    if kind == "Transpose":
        order = tf.get_static_value(operation.inputs[1])
        return order is None or order[0] != 0
    if kind == "StridedSlice":
        strides, whole = tf.get_static_value(operation.inputs[3]), 1 & operation.get_attr("ellipsis_mask")
        whole |= 1 & operation.get_attr("begin_mask") & operation.get_attr("end_mask")
        return not whole or strides is None or strides[0] != 1
    if kind in NORMS:
        return operation.get_attr("is_training")
    return kind in UNCLEAR or (kind in PAIRS and len(of_image) > 1)


def _holds_images(tensor) -> bool:
    """Whether the first axis of a tensor, and no other, is as long as the batch, or a multiple of it."""
    return tensor.dtype.is_floating and tensor.shape.rank and [*tensor.shape].count(None) == 1 and not tensor.shape[0]


def _is_same(one: np.ndarray, other: np.ndarray, dtype) -> bool:
    """Whether two answers are the same but for the rounding of that type."""
    coarse = max(1e-3, 20 * float(ml_dtypes.finfo(dtype.as_numpy_dtype).eps))
    return np.allclose(one, other, rtol=0.01, atol=coarse * np.abs(one).max() + 1e-9, equal_nan=True)


def _scope(operation) -> str:
    """The layer, or what else an operation is named after."""
    return operation.name.rsplit("/", 1)[0]
