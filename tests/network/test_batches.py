"""The quickest number of images a pass is found once, kept, and left alone where it gains little."""

import copy

import numpy as np
import pytest
import tensorflow as tf

import constants
from network import batches, timings
from network.classifier import Classifier
from output import memory


@pytest.fixture
def classifier(planted, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return Classifier(planted)


def choose(classifier, spent, monkeypatch):
    """The number that is chosen where passes of so many images take so many milliseconds an image."""
    monkeypatch.setattr(timings, "recall", lambda key, measure: {str(n): one for n, one in spent.items()})
    assert batches.choose_batch_size(classifier) == spent
    return classifier.batch_size


def test_the_quickest_number_is_taken_and_the_usual_one_stays_for_little(classifier, monkeypatch):
    assert choose(classifier, {1: 9.0, 8: 5.0, 16: 4.0, 32: 6.0}, monkeypatch) == 16
    assert choose(classifier, {1: 9.0, 8: 5.0, 16: 4.9}, monkeypatch) == constants.BATCH_SIZE
    assert choose(classifier, {1: 9.0, 4: 6.0}, monkeypatch) == 4, "there was no room for the usual number"


def test_all_views_of_a_network_take_it(planted, monkeypatch):
    classifier = Classifier(planted)
    classifier.by_layer = [classifier, copy.copy(classifier)]
    choose(classifier, {2: 1.0, 8: 2.0}, monkeypatch)
    assert [view.batch_size for view in classifier.by_layer] == [2, 2]


def test_every_number_is_timed_once_and_for_all_and_answers_stay_the_same(classifier, monkeypatch):
    images = np.random.default_rng(0).uniform(0, 255, (3, 96, 96, 3)).astype(np.float32)
    before = classifier.predict(images)
    first = batches.choose_batch_size(classifier)
    assert list(first) == list(batches.CANDIDATES) and all(0 < spent < np.inf for spent in first.values())
    monkeypatch.setattr(batches, "_measure", None)
    assert batches.choose_batch_size(classifier) == first
    np.testing.assert_allclose(classifier.predict(images), before, rtol=1e-5)


def test_numbers_without_room_are_not_tried(classifier, monkeypatch):
    room = classifier.estimate_bytes(4)
    assert room == 4 * 4 * (96 * 96 * 3 + 8 * 8 * 3), "pixels, and what the one convolution gives"
    monkeypatch.setattr(memory, "free_memory", lambda: room)
    assert list(batches.choose_batch_size(classifier)) == [1, 2, 4]


def test_on_a_gpu_more_are_tried_and_those_beyond_its_memory_are_left_out(classifier, monkeypatch):
    def run(images):
        if len(images) > 64:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["one"])
    assert list(batches._measure(classifier, run)) == ["1", "2", "4", "8", "16", "32", "64"]
    with pytest.raises(tf.errors.ResourceExhaustedError):
        batches._measure(classifier, lambda images: run(np.empty(65)))
