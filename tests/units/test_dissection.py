"""Dissection of the planted classifier, whose three units are known, and what is kept on disk on the way."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from planted import BLUE, COLOURS, GREEN, RED, assert_close, noise, picture, residual_network, square

from data.dataset import load_dataset
from output.progress import Progress
from units import dissection, feature_store
from units.concepts import Concepts, from_folder, from_labels
from units.feature_store import FeatureStore

SHARE = 0.03  # four of a unit's 192 positions are active, and five may be: T = 0


@pytest.fixture
def work(tmp_path, monkeypatch):
    """images/<colour>/<number>.png, one of each colour, and the masks of their squares in concepts/."""
    monkeypatch.chdir(tmp_path)
    for number, colour in enumerate((RED, GREEN, BLUE)):
        write(f"images/{COLOURS[colour]}/{number}.png", picture(colour, seed=number))
        write(f"concepts/square_{COLOURS[colour]}/{number}.png", 255 * square(colour).astype(np.uint8))
    return tmp_path


def write(path, array):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def dissect(classifier, *, concepts=None, share=SHARE, folder="out"):
    samples = load_dataset("images")
    found = concepts or from_folder(Path("concepts"), samples)
    store = FeatureStore(folder, [view.layer_name for view in classifier.by_layer])
    return dissection.dissect(classifier, samples, found, store, share=share), found


def test_each_planted_unit_detects_its_square_with_the_iou_worked_by_hand(work, planted_classifier):
    dissected, found = dissect(planted_classifier)
    tally = dissected.tallies["colours"]
    assert found.names == ["square_blue", "square_green", "square_red"] and not dissected.failed
    assert tally.thresholds.tolist() == [0, 0, 0]
    # The square is 24 x 24 pixels; bilinear upsampling of its 2 x 2 cells exceeds 0 on 36 x 36, cut off at two edges
    # of the image for the blue one: 30 x 30.
    wanted = np.zeros((3, 3))
    wanted[RED, 2] = wanted[GREEN, 1] = 24**2 / 36**2
    wanted[BLUE, 0] = 24**2 / 30**2
    np.testing.assert_allclose(tally.iou(), wanted, rtol=1e-12)
    names = [dissected.samples[number].name for number in tally.top_images[:, 0]]
    assert names == ["red/0.png", "green/1.png", "blue/2.png"]


def test_classes_are_compared_with_the_means_of_whole_images(work, planted_classifier):
    samples = load_dataset("images")
    dissected, found = dissect(planted_classifier, concepts=from_labels(samples), share=1 / 3)
    wanted = np.zeros((3, 3))
    wanted[RED, found.names.index("red")] = wanted[GREEN, found.names.index("green")] = 1
    wanted[BLUE, found.names.index("blue")] = 1
    np.testing.assert_array_equal(dissected.tallies["colours"].iou(), wanted)


def test_an_image_that_cannot_be_read_is_named_and_the_others_are_dissected(work, planted_classifier):
    Path("images/green/1.png").write_bytes(b"no picture")
    dissected, _ = dissect(planted_classifier)
    assert list(dissected.failed) == ["green/1.png"] and "cannot read" in dissected.failed["green/1.png"]
    assert [sample.name for sample in dissected.samples] == ["blue/2.png", "red/0.png"]


def test_an_image_whose_mask_cannot_be_read_counts_for_the_thresholds_alone(work, planted_classifier):
    Path("concepts/square_green/1.png").write_bytes(b"no picture")
    dissected, _ = dissect(planted_classifier)
    tally = dissected.tallies["colours"]
    assert list(dissected.failed) == ["green/1.png"] and len(dissected.samples) == 3
    assert tally.n_pixels.tolist() == [2 * 96 * 96] * 3 and not tally.iou()[GREEN].any()


def test_no_image_at_all_and_none_annotated_are_refused(work, planted_classifier):
    nowhere = Concepts(["dome"], {}, "")
    with pytest.raises(ValueError, match="no image that can be read is annotated"):
        dissect(planted_classifier, concepts=nowhere)
    for path in Path("images").glob("*/*.png"):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="none of 3 images can be read; cannot read 'images/blue/2.png'"):
        dissect(planted_classifier, concepts=nowhere, folder="other")


def test_masks_are_compared_at_the_input_size_up_to_that_of_broden(planted_classifier):
    masks = Concepts(["dome"], {}, "")
    assert dissection.mask_size(planted_classifier, masks) == (96, 96)
    large = type("Large", (), {"input_height": 224, "input_width": 100})
    assert dissection.mask_size(large, masks) == (112, 100)
    assert dissection.mask_size(large, Concepts(["cat"], {}, "", of_images=True)) == (1, 1)


# --- features on disk --------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def residual():
    """A small residual network that looks at a bare convolution before a batch norm, and at the last block."""

    from network.classifier import Classifier

    return Classifier(residual_network(), layer_name="stem_conv,block_1_relu,block_out", batch_size=2)


def test_one_pass_gives_the_features_of_every_layer(residual):
    images = noise(3)
    for view, features in zip(residual.by_layer, residual.features_by_layer(images), strict=True):
        assert features.dtype == np.float32
        assert_close(features, view.features(images))


def test_features_are_computed_once_and_only_where_they_are_missing(work, planted_classifier, monkeypatch):
    batches = []
    original = type(planted_classifier).features_by_layer
    monkeypatch.setattr(
        type(planted_classifier), "features_by_layer", lambda self, x: batches.append(len(x)) or original(self, x)
    )
    first, _ = dissect(planted_classifier)
    Path("out/features/colours/1.npy").unlink()
    second, _ = dissect(planted_classifier)
    third, _ = dissect(planted_classifier, share=0.5)
    assert batches == [3, 1]
    np.testing.assert_array_equal(first.tallies["colours"].iou(), second.tallies["colours"].iou())


def test_a_run_that_is_interrupted_keeps_its_batches(work, residual, monkeypatch):
    batches = []
    original = type(residual).features_by_layer

    def interrupted(self, images):
        batches.append(len(images))
        if len(batches) == 2:
            raise KeyboardInterrupt
        return original(self, images)

    monkeypatch.setattr(type(residual), "features_by_layer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        dissect(residual)
    dissect(residual)
    assert batches == [2, 1, 1], "the first batch of two images is not computed again"


def test_blocks_hold_every_activation_once_in_bounded_size(work, residual, monkeypatch):
    samples, store = load_dataset("images"), FeatureStore("out", [view.layer_name for view in residual.by_layer])
    store.compute(residual, samples, Progress({"features": 2}))
    monkeypatch.setattr(feature_store, "BLOCK", 8 * 8 * 12 + 1)
    blocks = list(store.blocks("block_out", samples))
    assert [block.shape for block in blocks] == [(128, 12), (64, 12)]
    whole = np.stack([store.read("block_out", sample) for sample in samples])
    np.testing.assert_array_equal(np.concatenate(blocks), whole.reshape(-1, 12))
    means = np.concatenate(list(store.blocks("block_out", samples, pooled=True)))
    np.testing.assert_allclose(means, whole.mean(axis=(1, 2)), rtol=1e-6)


def test_activations_that_are_not_finite_are_named(work, planted_classifier, monkeypatch):
    bad = [np.array([0, np.inf, 1], np.float32).reshape(3, 1, 1, 1)]
    monkeypatch.setattr(type(planted_classifier), "features_by_layer", lambda self, x: bad)
    store = FeatureStore("out", ["colours"])
    failed = store.compute(planted_classifier, load_dataset("images"), Progress({"features": 1}))
    assert failed == {"green/1.png": "'green/1.png' has activations that are not finite"}
    assert not Path("out/features/colours/1.npy").exists() and Path("out/features/colours/0.npy").exists()


def test_features_of_another_shape_are_told_with_the_file_they_differ_from(work, tmp_path):
    store, samples = FeatureStore(tmp_path, ["conv"]), load_dataset("images")
    for sample, shape in zip(samples, [(4, 4, 3), (4, 4, 3), (3, 4, 5)]):
        store._add(sample, [np.zeros(shape, np.float32)])
    paths = [store._path("conv", sample) for sample in samples]
    with pytest.raises(ValueError, match=rf"'{paths[2]}' holds features \(3, 4, 5\), '{paths[0]}' \(4, 4, 3\): remove"):
        list(store.blocks("conv", samples[:3]))


def test_a_disk_that_is_too_small_is_told_before_it_is_full(work, planted_classifier, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 2000}))
    with pytest.raises(ValueError, match="the features take .* MB, 'out/features' has room for 0.0"):
        dissect(planted_classifier)


# --- the random twin ---------------------------------------------------------------------------------------
def test_a_random_twin_has_the_same_layers_other_weights_and_leaves_the_model_alone(residual):
    before = [weight.copy() for weight in residual.model.get_weights()]
    twin, again, other = (dissection.random_twin(residual, seed) for seed in (1, 1, 2))
    for one, two in zip(before, residual.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert [view.layer_name for view in twin.by_layer] == [view.layer_name for view in residual.by_layer]
    assert twin.describe() == residual.describe()
    assert len({each.fingerprint for each in (residual, twin, again, other)}) == 3, "the same seed, the same twin"
    assert twin.fingerprint == again.fingerprint


def test_a_model_that_cannot_be_cloned_is_told_in_one_line():
    import keras

    class Odd(keras.Model):
        def __init__(self, width):
            super().__init__()
            self.conv = keras.layers.Conv2D(width, 3)
            self.dense = keras.layers.Dense(2)

        def call(self, images):
            return self.dense(keras.ops.mean(self.conv(images), axis=(1, 2)))

    model = Odd(4)
    model(np.zeros((1, 8, 8, 3), np.float32))
    with pytest.raises(ValueError, match="no random twin can be made of this model"):
        dissection.random_twin(type("Classifier", (), {"model": model}))
