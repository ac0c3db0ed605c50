"""The loop of training: what an epoch shows, what a class weighs, which epoch is the best."""

import numpy as np

from training import loop
from training.training_settings import Stage


def test_rare_classes_weigh_as_much_as_frequent_ones():
    assert loop.balance_classes(np.array([0, 0, 0, 1])) == {0: 4 / 6, 1: 2.0}


def test_the_validation_images_decide_which_weights_are_kept_and_when_to_stop():
    stage = Stage("head", epochs=9, learning_rate=1e-3, patience=2)
    history = {"loss": [1, 1, 1, 1], "val_loss": [0.9, 0.5, 0.6, 0.4999]}  # the last is no progress
    assert loop.best_epoch(history) == 1
    assert loop.is_finished(history, stage)
    assert not loop.is_finished({name: values[:3] for name, values in history.items()}, stage)


def test_every_epoch_shows_every_image_once_in_another_order():
    data = loop.Data(np.arange(10), np.arange(10) * 2)
    batches = {number: list(loop.Epoch(data, 4, 0, number)) for number in (0, 1)}
    orders = [np.concatenate([inputs for inputs, _ in batches[number]]) for number in (0, 1)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(10))
    assert list(orders[0]) != list(orders[1])
    assert all((labels == 2 * inputs).all() for inputs, labels in batches[1])
