"""The loop of training: what an epoch shows, what a class weighs, which epoch is the best."""

import keras
import numpy as np
import pytest
from PIL import Image

from data import dataset, labelled_images
from data.image_files import ImageFiles
from training import loop
from training.stages import make_preparation
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


@pytest.mark.parametrize("augmented", [False, True])
def test_training_on_files_takes_the_steps_of_training_in_memory(tmp_path, augmented):
    rng = np.random.default_rng(0)
    for number in range(10):
        path = tmp_path / "images" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save(path)
    samples = dataset.load_dataset(tmp_path / "images")
    in_memory = labelled_images.read_labelled(samples, ["a", "b"], 16, 16)
    stage = Stage("head", epochs=2, learning_rate=1e-2, patience=5, batch_size=4)
    found = {}
    for images in (in_memory.images, ImageFiles(samples, 16, 16)):
        keras.utils.set_random_seed(0)
        layers = [keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
        model = keras.Sequential(layers)
        data = loop.Data(images, in_memory.labels, make_preparation(images, "tf", augmented))
        history = loop.run_stage(model, stage, data, data, tmp_path / f"{type(images).__name__}.npz", lambda *_: None)
        found[type(images)] = [*model.get_weights(), *map(np.array, history.values())]
    for one, other in zip(*found.values()):
        np.testing.assert_array_equal(one, other)


def test_images_that_memory_does_not_hold_stay_in_their_files(tmp_path, monkeypatch):
    for name, shade in (("a/1.png", 10), ("b/2.png", 20), ("a/3.png", 30)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), shade, np.uint8)).save(path)
    (tmp_path / "a" / "4.png").write_bytes(b"no image")
    samples = dataset.load_dataset(tmp_path)
    whole = labelled_images.read_labelled(samples, ["a", "b"], 4, 4)
    monkeypatch.setattr("output.memory.describe_lack", lambda n, what: f"{what} take {n} bytes" * ("4 images" in what))
    files = labelled_images.read_labelled(samples, ["a", "b"], 4, 4)
    assert files.note == "4 images of 4 x 4 pixels take 192 bytes" and whole.note == ""
    assert isinstance(files.images, ImageFiles) and files.images.shape == whole.images.shape
    assert (files.names, files.left_out) == (whole.names, whole.left_out)
    for rows in (slice(1, None), np.array([2, 0]), 1):
        np.testing.assert_array_equal(files.images[rows], whole.images[rows])


@pytest.mark.parametrize("damage", ["bytes", "history", "shape", "deep"])
def test_a_damaged_checkpoint_is_named(tmp_path, damage):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile("sgd", "mse")
    path, history = tmp_path / "head.npz", {"loss": [1.0], "val_loss": [0.5]}
    loop._write_checkpoint(path, model, history, model.get_weights())
    assert loop._read_checkpoint(path, model)[0] == history
    if damage == "bytes":
        path.write_bytes(path.read_bytes()[:300])
    else:
        with np.load(path) as arrays:
            kept = dict(arrays)
        kept |= {
            "history": {"history": np.array('{"loss": 3}')},
            "shape": {"state_0": np.zeros((9, 9), np.float32)},
            "deep": {"history": np.array("[" * 100_000)},
        }[damage]
        np.savez(path, **kept)
    with pytest.raises(ValueError, match="cannot read '.*head.npz'.*remove it"):
        loop._read_checkpoint(path, model)
