"""The stages of transfer learning: the head alone, the last block with it, or all layers from the start.

    head          the backbone sees each image once; a dense layer is trained on its pooled features
    fine_tuning   the layers from the last block on, slowly, on augmented images; the others stay bit for bit
    all_layers    everything, batch norms too, on augmented images, with a cost for features that are not silent

The cost of the last stage, SPARSITY times the mean feature: without it one class becomes what is left where no other
is seen, and a map for it shows the background.

A bag model (network/attention_layers.py) goes through the same stages, without that cost: its attention says where to
look. Its head - embedding, attention, dense layer - is trained on the features of its patches. Ilse, Tomczak and
Welling 2018 train all layers at once, on bags one by one; here a batch holds several, and the loss of an image is the
cross-entropy of its bag.

Each function trains the model it is given and returns the history (`loop.run_stage`).
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from data.labelled_images import LabelledImages
from network import transfer
from network.preprocessing import preprocess
from training.augmentation import augment
from training.loop import Data, Epoch, History, Stage, feed, run_stage

SPARSITY = 0.5  # weight of the mean feature in the loss, where all layers are trained
NORM_MOMENTUM = 0.9  # of batch norms at most, where all layers are trained


def train_stages(
    model: keras.Model,
    backbone: transfer.Backbone,
    train: LabelledImages,
    val: LabelledImages,
    stages: Sequence[Stage],
    first_layer: str | None,
    folder: Path,
    report: Callable,
    has_bags: bool = False,
) -> dict[str, History]:
    """{stage: history} of all stages in their order, each with its checkpoint in `folder`.

    first_layer: from which 'fine_tuning' starts. report(stage, history) is called after every epoch. has_bags: whether
    the head is that of a bag model.
    """
    histories = {}
    for stage in stages:
        rest = (train, val, backbone.preprocessing, stage, folder / f"{stage.name}.npz", report)
        if stage.name == "head":
            histories[stage.name] = (train_bag_head if has_bags else train_head)(model, *rest)
        else:
            from_scratch = stage.name == "all_layers"
            transfer.set_trained_layers(model, None if from_scratch else first_layer)
            if from_scratch:
                quicken_norms(model)
            if not has_bags:
                transfer.set_sparsity(model, SPARSITY if from_scratch else 0.0)
            histories[stage.name] = train_layers(model, *rest)
    transfer.set_trained_layers(model, None)  # whoever trains the saved model further starts from Keras's default
    if not has_bags:
        transfer.set_sparsity(model, 0.0)
    return histories


def train_head(
    model: keras.Model,
    train: LabelledImages,
    val: LabelledImages,
    preprocessing: str,
    stage: Stage,
    checkpoint_path: Path,
    report: Callable,
) -> History:
    """The history of the dense layer, trained on pooled features, which are computed once and without augmentation."""
    head = transfer.build_head(model, stage.seed)
    data = [_pool(model, part, preprocessing, stage.batch_size) for part in (train, val)]
    history = run_stage(head, stage, *data, checkpoint_path, report)
    model.get_layer(transfer.HEAD_LAYER).set_weights(head.get_weights())
    return history


def train_bag_head(
    model: keras.Model,
    train: LabelledImages,
    val: LabelledImages,
    preprocessing: str,
    stage: Stage,
    checkpoint_path: Path,
    report: Callable,
) -> History:
    """The history of what follows the patches' features (n, h, w, K), which are computed once, without augmentation.

    The head shares its layers with the model: what it learns is there already.
    """
    head = keras.Model(model.get_layer(transfer.POOLING_LAYER).output, model.output)
    data = [_pool(model, part, preprocessing, stage.batch_size) for part in (train, val)]
    return run_stage(head, stage, *data, checkpoint_path, report)


def train_layers(
    model: keras.Model,
    train: LabelledImages,
    val: LabelledImages,
    preprocessing: str,
    stage: Stage,
    checkpoint_path: Path,
    report: Callable,
) -> History:
    """The history of the trainable layers, trained on augmented images; validation images are shown as they are."""
    data = [
        Data(part.images, part.labels, make_preparation(part.images, preprocessing, augmented))
        for part, augmented in ((train, True), (val, False))
    ]
    return run_stage(model, stage, *data, checkpoint_path, report)


def quicken_norms(model: keras.Model) -> None:
    """Makes the moving averages of all batch norms follow within an epoch of ten steps.

    Keras's momentum of 0.99 (0.999 in MobileNetV2) keeps, after an epoch, nine tenths of the mean 0 and variance 1 that
    a new network starts with: through fifty norms the network that is validated and saved stays at chance, however
    well the trained one does.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = min(layer.momentum, NORM_MOMENTUM)


def _pool(model: keras.Model, part: LabelledImages, preprocessing: str, batch_size: int) -> Data:
    return Data(pool_features(model, part.images, preprocessing, batch_size), part.labels)


def pool_features(model: keras.Model, images: np.ndarray, preprocessing: str, batch_size: int) -> np.ndarray:
    """The features (N, ..., K) that the head is given, means over positions, of images (N, H, W, 3), 0-255."""
    pooled = keras.Model(model.input, model.get_layer(transfer.POOLING_LAYER).output)
    data = Data(images, np.zeros(len(images), int), make_preparation(images, preprocessing, augmented=False))
    return pooled.predict(feed(Epoch(data, batch_size)), verbose=0)


def make_preparation(images: np.ndarray, preprocessing: str, augmented: bool) -> Callable:
    """What makes a batch of such images ready for the network, as one compiled graph: see `loop.Data`."""
    specs = tf.TensorSpec([None, *images.shape[1:]], tf.as_dtype(images.dtype)), tf.TensorSpec([2], tf.int32)

    @tf.function(input_signature=specs, autograph=False)
    def prepare(batch, seed):
        batch = augment(batch, seed) if augmented else tf.cast(batch, tf.float32)
        return preprocess(batch, preprocessing)

    return prepare
