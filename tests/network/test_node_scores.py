"""The score of a node: numbers worked by hand, a naive twin in float64, limits, every explainer on a planted level."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from planted import BLUE, COLOURS, GREEN, RED, assert_close, explain, picture, planted_model, square

import evaluate
from data.taxonomy import Level
from explainers.registry import METHODS
from network.classifier import Classifier
from network.node_scores import node_logits

WARM = Level("warmth", ["warm", "cold"], np.array([0, 0, 1], np.int32))  # red and green against blue
LEAVES = Level("leaf", list(COLOURS), np.arange(3, dtype=np.int32))
OF_A_CLASS = [name for name in METHODS if METHODS[name].load().uses_class and name not in ("CAM", "ATTENTION")]


@pytest.fixture(scope="module")
def view(planted_classifier):
    return planted_classifier.at_level(WARM)


def naive(logits, node_of, n_nodes):
    """The definition, in float64 and one node at a time."""
    logits = np.asarray(logits, np.float64)

    def logsumexp(part):
        return part.max(axis=1) + np.log(np.exp(part - part.max(axis=1, keepdims=True)).sum(axis=1))

    inside = [np.asarray(node_of) == node for node in range(n_nodes)]
    return np.stack([logsumexp(logits[:, mask]) - logsumexp(logits[:, ~mask]) for mask in inside], axis=1)


# --- numbers -----------------------------------------------------------------------------------------------
def test_a_node_has_the_sum_of_its_leaves_probabilities_and_its_log_odds():
    logits = np.log([[0.5, 0.3, 0.2]]).astype(np.float32)
    found = node_logits(tf.constant(logits), np.array([0, 0, 1]), 2).numpy()
    np.testing.assert_allclose(found, [[np.log(0.8 / 0.2), np.log(0.2 / 0.8)]], rtol=1e-6)
    np.testing.assert_allclose(tf.sigmoid(found), [[0.8, 0.2]], rtol=1e-6)


@pytest.mark.parametrize("scale", [1, 30, 300])
def test_it_is_its_naive_twin_however_far_the_logits_are_apart(scale):
    rng = np.random.default_rng(0)
    logits = (scale * rng.normal(size=(5, 40))).astype(np.float32)
    node_of = rng.permutation(np.arange(40) % 7)
    assert_close(node_logits(tf.constant(logits), node_of, 7).numpy(), naive(logits, node_of, 7), 1e-6)


def test_a_certain_node_keeps_its_digits():
    logits = tf.constant([[40.0, -3.0, 1.0]])
    np.testing.assert_allclose(node_logits(logits, [0, 1, 1], 2).numpy(), naive(logits, [0, 1, 1], 2), rtol=1e-6)


def test_two_leaves_of_two_are_the_difference_of_their_logits():
    np.testing.assert_allclose(node_logits(tf.constant([[3.0, 1.0]]), [0, 1], 2).numpy(), [[2.0, -2.0]], rtol=1e-6)


@pytest.mark.parametrize("scale", [1, 60])
def test_the_gradient_is_that_of_finite_differences(scale):
    logits = (scale * np.random.default_rng(1).normal(size=(1, 9))).astype(np.float32)
    node_of = np.array([0, 1, 2, 0, 1, 2, 3, 3, 3])
    for node in range(4):
        tensor = tf.constant(logits)
        with tf.GradientTape() as tape:
            tape.watch(tensor)
            score = node_logits(tensor, node_of, 4)[0, node]
        steps = 1e-4 * np.eye(9)
        wanted = [
            (naive(logits + step, node_of, 4)[0, node] - naive(logits - step, node_of, 4)[0, node]) / 2e-4
            for step in steps
        ]
        np.testing.assert_allclose(tape.gradient(score, tensor).numpy()[0], wanted, atol=2e-4)


# --- the view of a classifier --------------------------------------------------------------------------------
def test_a_view_sums_the_probabilities_and_leaves_the_classifier_as_it_was(planted_classifier, view, images):
    before = planted_classifier.predict(images)
    found = view.predict(images)
    np.testing.assert_allclose(found, np.stack([before[:, :2].sum(axis=1), before[:, 2]], axis=1), atol=1e-6)
    np.testing.assert_allclose(view.logits(images), naive(planted_classifier.logits(images), [0, 0, 1], 2), rtol=1e-4)
    np.testing.assert_array_equal(planted_classifier.predict(images), before)
    assert (view.n_classes, view.class_names, planted_classifier.n_classes) == (2, ["warm", "cold"], 3)
    assert view.class_index_of("cold") == 1 and "warmth, 2 nodes over 3 classes" in view.describe()["label_level"]


def test_a_leaf_is_scored_by_its_log_odds(planted_classifier, images):
    probabilities = planted_classifier.predict(images).astype(np.float64)
    leaves = planted_classifier.at_level(LEAVES)
    np.testing.assert_allclose(leaves.predict(images), probabilities, atol=1e-6)
    np.testing.assert_allclose(leaves.logits(images), naive(np.log(probabilities), range(3), 3), atol=2e-3)


def test_an_inner_node_is_where_its_leaves_are(view):
    image = picture(RED, GREEN, BLUE)
    warm, cold = (explain(METHODS["GRADCAM"], view, image, index) for index in (0, 1))
    both = square(RED) | square(GREEN)
    assert warm[both].mean() > 5 * max(warm[~both].mean(), 1e-9)
    assert cold[square(BLUE)].mean() > 5 * max(cold[~square(BLUE)].mean(), 1e-9)


@pytest.mark.parametrize("name", OF_A_CLASS)
def test_every_method_explains_a_node(name, view):
    image = picture(RED, GREEN, BLUE)
    try:
        METHODS[name].load().check_classifier(view)
    except ValueError:
        pytest.skip("not for this model")
    maps = [explain(METHODS[name], view, image, index) for index in (0, 1)]
    assert all(one.shape == image.shape[:2] and np.isfinite(one).all() for one in maps)
    if name != "DECONVNET":  # without max-pooling its map is a pattern of the weights, whatever the class
        # Of two nodes the one's log-odds are the other's with the sign turned: the size of a gradient is the same.
        assert np.allclose(*maps) == (name in ("VANILLA_GRADIENT", "SMOOTHGRAD"))


def test_occlusion_and_rise_of_a_leaf_are_what_main_gives(planted_classifier, image):
    for name in ("OCCLUSION", "RISE"):
        plain = explain(METHODS[name], planted_classifier, image, RED)
        assert_close(explain(METHODS[name], planted_classifier.at_level(LEAVES), image, RED), plain, 1e-4)


def test_insertion_and_deletion_go_by_the_sum(planted_classifier, view, image):
    saliency_map = np.random.default_rng(0).random(image.shape[:2])
    _, found, _ = evaluate.deletion(view.predict, image, saliency_map, 0, n_pixels=2000)
    leaves = [evaluate.deletion(planted_classifier.predict, image, saliency_map, k, n_pixels=2000)[1] for k in (0, 1)]
    np.testing.assert_allclose(found, sum(leaves), atol=1e-5)


def test_several_layers_are_averaged_on_a_level_too(planted, image):
    layered = Classifier(planted, class_names=COLOURS, layer_name="colours,colours").at_level(WARM)
    alone = Classifier(planted, class_names=COLOURS).at_level(WARM)
    assert len(layered.by_layer) == 2
    gradcam = METHODS["GRADCAM"]
    assert_close(explain(gradcam, layered, image, 0), explain(gradcam, alone, image, 0))


# --- refused -------------------------------------------------------------------------------------------------
def test_cam_is_refused_with_a_reason(view, image):
    with pytest.raises(ValueError, match="no weights of its own in the dense layer"):
        explain(METHODS["CAM"], view, image, 0)


def test_a_node_of_all_classes_is_refused(planted_classifier):
    with pytest.raises(ValueError, match="'colour' has one node, 'any', which holds all classes"):
        planted_classifier.at_level(Level("colour", ["any"], np.zeros(3, np.int32)))


@pytest.mark.parametrize("n_classes", [3, 1])
def test_classes_that_do_not_exclude_each_other_are_refused(n_classes):
    model = planted_model(tail=[keras.layers.Activation("sigmoid")], n_classes=n_classes)
    with pytest.raises(ValueError, match="exclude each other, those of a softmax; this model ends in a sigmoid"):
        Classifier(model).at_level(WARM)
