"""A network that forgets from its output down: which layers, in which groups, and what becomes of their weights."""

import keras
import numpy as np
import pytest
from keras import layers
from planted import head, noise, residual_backbone

from network import randomisation
from network.classifier import Classifier


@pytest.fixture
def classifier():
    """A nested residual network with a dense head."""
    backbone = residual_backbone()
    images = keras.Input((32, 32, 3))
    return Classifier(keras.Model(images, head()(backbone(images))))


def test_layers_are_listed_from_the_output_down_nested_ones_too(classifier):
    paths = [path for path, _ in randomisation.list_layers(classifier)]
    assert paths[0] == "dense" and paths[-2:] == ["backbone/stem_bn", "backbone/stem_conv"]
    assert len(paths) == 1 + 4 + 3 and not any("relu" in path or "add" in path for path in paths)


def test_a_layer_that_is_used_twice_forgets_once():
    images = keras.Input((8, 8, 3))
    shared = layers.Conv2D(3, 3, padding="same", name="shared")
    x = shared(shared(images))
    model = keras.Model(images, layers.Dense(2, name="dense")(layers.GlobalAveragePooling2D()(x)))
    assert [path for path, _ in randomisation.list_layers(Classifier(model))] == ["dense", "shared"]


@pytest.mark.parametrize(
    "n, n_stages, sizes",
    [(9, 1, [9]), (9, 3, [1, 4, 4]), (9, 4, [1, 3, 2, 3]), (9, 20, [1] * 9), (1, 5, [1]), (2, 2, [1, 1])],
)
def test_the_topmost_layer_stands_alone_and_the_rest_in_equal_groups(n, n_stages, sizes):
    groups = randomisation.group_layers(list(range(n)), n_stages)
    assert [layer for group in groups for layer in group] == list(range(n))
    assert sorted(map(len, groups)) == sorted(sizes) and (n_stages == 1 or len(groups[0]) == 1)


def test_no_stage_is_refused():
    with pytest.raises(ValueError, match="n_stages should be 1 or more, not 0"):
        randomisation.group_layers([1], 0)


def test_kernels_start_again_from_their_distribution_and_batch_norms_from_the_identity(classifier):
    before = [weight.copy() for weight in classifier.model.get_weights()]
    for path, layer in randomisation.list_layers(classifier):
        randomisation.randomise(path, layer, seed=0)
    assert not any(np.array_equal(*pair) for pair in zip(before, classifier.model.get_weights()) if pair[0].ndim > 1)
    found = dict(randomisation.list_layers(classifier))
    gamma, beta, mean, variance = found["backbone/block_1_bn"].get_weights()
    assert (gamma == 1).all() and (beta == 0).all() and (mean == 0).all() and (variance == 1).all()
    kernel, bias = found["backbone/block_2_conv"].get_weights()
    limit = np.sqrt(6 / (9 * 12 + 9 * 12))  # Glorot's uniform, which Keras begins with
    assert (bias == 0).all() and np.abs(kernel).max() <= limit and np.abs(kernel).max() > 0.95 * limit
    assert abs(kernel.mean()) < 0.1 * limit


def test_what_a_layer_becomes_depends_on_the_seed_and_its_path_alone(classifier):
    path, layer = randomisation.list_layers(classifier)[3]

    def draw(path, seed):
        randomisation.randomise(path, layer, seed)
        return layer.get_weights()[0].copy()

    first = draw(path, 0)
    randomisation.randomise(*randomisation.list_layers(classifier)[0], seed=0)
    np.testing.assert_array_equal(draw(path, 0), first)
    assert not np.array_equal(draw(path, 1), first) and not np.array_equal(draw("elsewhere", 0), first)


def test_a_classifier_anew_sees_the_weights_as_they_are_now(classifier):
    images = noise(2)
    before = classifier.logits(images)
    randomisation.randomise(*randomisation.list_layers(classifier)[0], seed=0)
    now = classifier.rebuilt()
    np.testing.assert_allclose(now.predict(images), classifier.model.predict(images, verbose=0), atol=1e-5)
    assert np.abs(now.logits(images) - before).max() > 0.1 * np.abs(before).max()
    assert now.describe() == classifier.describe() and now.class_names == classifier.class_names
