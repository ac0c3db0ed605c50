"""Augmentation: a function of images and seed, that changes what it should and nothing else."""

import numpy as np
import pytest
from planted import noise

from training import augmentation
from training.augmentation import augment

STILL = dict.fromkeys(augmentation.RANGES, 0.0)


def test_the_same_seed_gives_the_same_images_and_another_seed_others():
    images = noise(4, 24)
    one, same, other = (augment(images, seed).numpy() for seed in ([3, 7], [3, 7], [3, 8]))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).mean() > 1


def test_each_image_of_a_batch_is_changed_in_its_own_way():
    images = np.repeat(noise(1, 24), 4, axis=0)
    augmented = augment(images, [0, 0]).numpy()
    assert all(np.abs(augmented[0] - augmented[k]).mean() > 1 for k in range(1, 4))


def test_without_ranges_an_image_is_only_mirrored(monkeypatch):
    monkeypatch.setattr(augmentation, "RANGES", STILL)
    images = noise(16, 24)
    augmented = augment(images, [0, 1]).numpy()
    as_it_was = [np.allclose(one, other, atol=1e-2) for one, other in zip(images, augmented)]
    mirrored = [np.allclose(one[:, ::-1], other, atol=1e-2) for one, other in zip(images, augmented)]
    assert all(a or b for a, b in zip(as_it_was, mirrored))
    assert any(as_it_was) and any(mirrored)


@pytest.mark.parametrize("name", ["shift", "zoom", "rotation_deg", "erased", "exposure", "tint"])
def test_each_range_changes_the_images_by_itself(name, monkeypatch):
    usual = augmentation.RANGES[name]
    monkeypatch.setattr(augmentation, "RANGES", STILL)
    still = augment(noise(8, 24), [0, 1]).numpy()
    monkeypatch.setattr(augmentation, "RANGES", {**STILL, name: usual})
    assert np.abs(augment(noise(8, 24), [0, 1]).numpy() - still).mean() > 0.5


def test_augmented_images_stay_in_the_range_of_images_and_take_bytes():
    augmented = augment(noise(8, 24).astype(np.uint8), [0, 2]).numpy()
    assert augmented.dtype == np.float32 and augmented.shape == (8, 24, 24, 3)
    assert augmented.min() >= 0 and augmented.max() <= 255
