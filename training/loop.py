"""Training in stages, each of which can be killed at any moment and goes on where it was.

A stage is one model, its data, and one learning-rate curve (linear warm-up, then a cosine to zero). Order and
augmentation of an epoch are functions of the seed and its number, and a checkpoint holds all that training changes
- weights, optimiser, random states, history, the best weights so far - in one file that is written whole. So a run
that was stopped ends with the history and the weights of one that was not.

The loss is the cross-entropy, all classes weighing alike. Of several classes an image it is the binary one, the mean
over classes, without weights: average precision asks for the order of the images alone, and a probability stays the
frequency that it was learnt from. Accuracy is then the share of labels that are right.

Early stopping (Prechelt 1998) needs no state of its own: it is read off the history.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

import constants
from data.image_files import ImageFiles
from output.files import read_arrays, refuse_damaged, write_whole
from training.training_settings import Stage

LEAST_PROGRESS = 1e-3  # of the validation loss, for an epoch to be better than the best
WARM_UP = 0.05  # share of a stage's steps in which the learning rate rises
BATCHES_AHEAD = 4  # of images that stay in their files, read while the network computes
WEIGHT_DECAY = 1e-3  # of AdamW, per step and unit of the learning rate
History = dict[str, list[float]]  # 'accuracy', 'loss', 'val_accuracy', 'val_loss', one value per epoch


@dataclass(frozen=True)
class Data:
    """What epochs are drawn from: inputs (N, ...), images or features, and their labels.

    labels: class_index int (N,); of several classes an image, 0 and 1, float (N, C).

    prepare(batch, seed): what the network is given, with two int32 as seed, other ones for each batch and epoch.
    """

    inputs: np.ndarray | ImageFiles
    labels: np.ndarray
    prepare: Callable = lambda batch, seed: batch


class Epoch(keras.utils.PyDataset):
    """The batches of one pass over the data, in an order drawn from the seed and the epoch's number.

    seed None: the order of the inputs.
    """

    def __init__(self, data: Data, batch_size: int, seed: int | None = None, number: int = 0):
        super().__init__()
        n = len(data.inputs)
        order = np.arange(n) if seed is None else np.random.default_rng([seed, number]).permutation(n)
        # Of nearly equal size: batch norm cannot learn from a last batch of one image.
        self._batches = np.array_split(order, -(-n // batch_size))
        self._data, self._seed, self._number = data, seed or 0, number

    @property
    def inputs(self) -> np.ndarray | ImageFiles:
        """What the batches are of."""
        return self._data.inputs

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> tuple:
        rows = self._batches[index]
        seed = np.array([self._seed, self._number * len(self) + index], np.int32)
        return self._data.prepare(self._data.inputs[rows], seed), self._data.labels[rows]


def feed(epoch: Epoch):
    """The epoch as Keras takes it: itself, or of images that stay in their files a `tf.data.Dataset` of the same
    batches in the same order, which are read ahead of need."""
    if isinstance(epoch.inputs, np.ndarray):
        return epoch
    import tensorflow as tf

    kinds = [tf.TensorSpec([None, *part.shape[1:]], part.dtype) for part in map(np.asarray, epoch[0])]

    def read(index: tf.Tensor) -> list[tf.Tensor]:
        parts = tf.numpy_function(lambda i: [np.asarray(part) for part in epoch[i]], [index], [k.dtype for k in kinds])
        return tuple(tf.ensure_shape(part, kind.shape) for part, kind in zip(parts, kinds))

    batches = tf.data.Dataset.range(len(epoch)).map(read, num_parallel_calls=BATCHES_AHEAD, deterministic=True)
    return batches.prefetch(BATCHES_AHEAD)


def balance_classes(class_index: np.ndarray) -> dict[int, float]:
    """The weight of each class in the loss, N / (C N_c): all classes count alike, and a mean image counts 1."""
    counts = np.bincount(class_index)
    return {index: len(class_index) / (len(counts) * count) for index, count in enumerate(counts) if count}


def run_stage(
    model: keras.Model,
    stage: Stage,
    train: Data,
    val: Data,
    checkpoint_path: Path,
    report: Callable[[Stage, History], None],
) -> History:
    """The history of the stage; the model is left with the weights of its best epoch.

    A checkpoint at `checkpoint_path` is taken up, and one is written after every epoch, then `report` is called.
    """
    keras.utils.set_random_seed(stage.seed)
    n_steps = stage.epochs * len(Epoch(train, stage.batch_size))
    class_weights, loss, accuracy = _choose_loss(train.labels)
    model.compile(_make_optimizer(stage, n_steps), loss, metrics=[accuracy])
    model.optimizer.build(model.trainable_variables)
    history, best_weights = _read_checkpoint(checkpoint_path, model)
    validation = feed(Epoch(val, stage.batch_size))
    while not is_finished(history, stage):
        number = len(history["loss"])
        epoch = feed(Epoch(train, stage.batch_size, stage.seed, number))
        record = model.fit(
            epoch,
            initial_epoch=number,
            epochs=number + 1,
            verbose=0,
            shuffle=False,
            class_weight=class_weights,
            validation_data=validation,
        ).history
        for name, values in record.items():
            history[name].append(float(values[0]))
        if best_epoch(history) == number:
            best_weights = model.get_weights()
        _write_checkpoint(checkpoint_path, model, history, best_weights)
        report(stage, history)
    model.set_weights(best_weights)
    return history


def best_epoch(history: History) -> int:
    """The last epoch, from 0, whose validation loss was lower than all before by LEAST_PROGRESS or more."""
    best = 0
    for number, loss in enumerate(history["val_loss"]):
        if loss <= history["val_loss"][best] - LEAST_PROGRESS:
            best = number
    return best


def is_finished(history: History, stage: Stage) -> bool:
    """Whether all epochs are done, or `patience` of them went by since the best one.

    Raises ValueError if the loss is no longer a number.
    """
    n = len(history["loss"])
    if n and not np.isfinite(history["loss"][-1]):
        raise ValueError(f"stage {stage.name}: the loss of epoch {n} is not finite; try a lower learning rate")
    return n >= stage.epochs or (n > 0 and n - 1 - best_epoch(history) >= stage.patience)


def _choose_loss(labels: np.ndarray) -> tuple[dict | None, str, object]:
    """Class weights, loss and accuracy for labels (N,), or (N, C)."""
    if labels.ndim == 1:
        return balance_classes(labels), "sparse_categorical_crossentropy", "accuracy"
    accuracy = keras.metrics.BinaryAccuracy(name="accuracy", threshold=constants.LABEL_THRESHOLD)
    return None, "binary_crossentropy", accuracy


def _make_optimizer(stage: Stage, n_steps: int) -> keras.optimizers.Optimizer:
    warm_up = max(1, round(WARM_UP * n_steps))
    rate = keras.optimizers.schedules.CosineDecay(
        stage.learning_rate / 10, max(1, n_steps - warm_up), warmup_target=stage.learning_rate, warmup_steps=warm_up
    )
    return keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY)


# --- checkpoints -----------------------------------------------------------------------------------------
def _write_checkpoint(path: Path, model: keras.Model, history: History, best_weights: list[np.ndarray]) -> None:
    arrays = {f"state_{i}": np.asarray(variable) for i, variable in enumerate(_state(model))}
    arrays |= {f"best_{i}": weights for i, weights in enumerate(best_weights)}
    write_whole(path, lambda partial: np.savez(partial, history=json.dumps(history), **arrays))


def _read_checkpoint(path: Path, model: keras.Model) -> tuple[History, list[np.ndarray]]:
    """The history and the best weights so far; the model and its optimiser take the state of the checkpoint.

    ValueError for one that is damaged.
    """
    if not path.is_file():
        return {name: [] for name in ("accuracy", "loss", "val_accuracy", "val_loss")}, model.get_weights()
    state, n_weights = _state(model), len(model.get_weights())
    names = [*(f"state_{i}" for i in range(len(state))), *(f"best_{i}" for i in range(n_weights))]
    arrays = read_arrays(path, ["history", *names])
    with refuse_damaged(path):
        for i, variable in enumerate(state):
            variable.assign(arrays[f"state_{i}"])
        history = {name: list(map(float, values)) for name, values in json.loads(str(arrays["history"])).items()}
    return history, [arrays[f"best_{i}"] for i in range(n_weights)]


def _state(model: keras.Model) -> list:
    """The variables that training changes: weights, random states, and the optimiser's own."""
    return [*model.variables, *model.optimizer.variables]
