"""The stages of training a bag model: attention and classes alone, the last block with them, or all from the start.

    head          the backbone sees each patch once; embedding, attention and dense layer are trained on its features
    fine_tuning   the layers from the last block on too, slowly, on augmented images
    all_layers    everything, on augmented images

As in `stages.py`, whose parts are used; only the head differs: it holds layers of the model itself, so that what it
learns is there already. Ilse, Tomczak and Welling 2018 train all layers at once, on bags one by one; here a batch
holds several, and the loss of an image is the cross-entropy of its bag.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import keras

from data.labelled_images import LabelledImages
from network import transfer
from training import stages
from training.loop import Data, History, Stage, run_stage


def train_stages(
    model: keras.Model,
    backbone: transfer.Backbone,
    train: LabelledImages,
    val: LabelledImages,
    plan: Sequence[Stage],
    first_layer: str | None,
    folder: Path,
    report: Callable,
) -> dict[str, History]:
    """{stage: history} of all stages in their order; arguments as those of `stages.train_stages`."""
    histories = {}
    for stage in plan:
        rest = (train, val, backbone.preprocessing, stage, folder / f"{stage.name}.npz", report)
        if stage.name == "head":
            histories[stage.name] = train_head(model, *rest)
        else:
            transfer.set_trained_layers(model, None if stage.name == "all_layers" else first_layer)
            histories[stage.name] = stages.train_layers(model, *rest)
    transfer.set_trained_layers(model, None)  # whoever trains the saved model further starts from Keras's default
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
    """Trains what follows the patches' features (n, h, w, K), which are computed once and without augmentation."""
    head = keras.Model(model.get_layer(transfer.POOLING_LAYER).output, model.output)
    data = [
        Data(stages.pool_features(model, part.images, preprocessing, stage.batch_size), part.labels)
        for part in (train, val)
    ]
    return run_stage(head, stage, *data, checkpoint_path, report)
