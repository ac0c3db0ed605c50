"""Training on permuted labels: the same labels in another order, a network that is written once."""

import numpy as np
import pytest

from data.labelled_images import LabelledImages
from network.model_files import load_classifier
from training import random_labels


def test_permuted_labels_are_the_same_in_another_order():
    labels = np.repeat([0, 1, 2], 20)
    permuted = random_labels.permute_labels(labels, seed=0)
    assert sorted(permuted) == sorted(labels) and 5 < (permuted == labels).sum() < 35
    np.testing.assert_array_equal(permuted, random_labels.permute_labels(labels, seed=0))
    assert (permuted != random_labels.permute_labels(labels, seed=1)).any()


def test_a_network_is_trained_once_on_the_labels_it_is_given(tmp_path):
    colours = np.array([[200, 40, 40], [40, 40, 200]])[[0, 1, 0, 1]]
    images = np.broadcast_to(colours[:, None, None], (4, 128, 128, 3)).astype(np.uint8)
    shown = LabelledImages(list("abcd"), images, np.array([0, 1, 0, 1], np.int32), ["red", "blue"], [])
    epochs, labels = [], np.array([1, 0, 1, 0], np.int32)
    path = tmp_path / "networks" / "swapped.keras"
    for _ in range(2):
        made = random_labels.train_from_scratch(
            shown, labels, path, 0, 12, lambda stage, history: epochs.append(history["loss"][-1])
        )
        assert made == path
    assert len(epochs) == 12 and not path.with_suffix(".npz").exists()
    assert random_labels.measure_accuracy(path, images, labels) == pytest.approx(1)
    assert load_classifier(model_path=path)[0].class_names == ["red", "blue"]
