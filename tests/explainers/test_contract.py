"""The contract that every explanation method keeps, whatever it computes; runs over all of `registry.METHODS`."""

import keras
import numpy as np
import pytest
from planted import (
    BLUE,
    ELSEWHERE,
    GREEN,
    RED,
    SIDE,
    assert_close,
    assert_same_state,
    explain,
    head,
    noise,
    picture,
    planted_model,
    residual_backbone,
    square,
    state_of,
)

import utils
from explainers.registry import METHODS
from network.classifier import Classifier

RANDOM_METHODS = {"RISE", "LIME", "KERNEL_SHAP", "SMOOTHGRAD"}  # all others give one map whatever the seed

# Without max-pooling nothing of the image comes back through a DeconvNet: its map is that of the weights.
IMAGELESS_METHODS = {"DECONVNET"}

HERE = [method for method in METHODS.values() if method.name not in ELSEWHERE]
pytestmark = pytest.mark.parametrize("method", HERE, ids=lambda method: method.name)


# --- the answer ------------------------------------------------------------------------------------------
def test_one_image_has_one_map_and_a_batch_one_for_each(method, planted_classifier, image, images):
    one = explain(method, planted_classifier, image, RED)
    several = explain(method, planted_classifier, images, [RED, GREEN, BLUE])
    assert one.shape == (SIDE, SIDE)
    assert several.shape == (3, SIDE, SIDE)
    assert explain(method, planted_classifier, image[None], RED).shape == (1, SIDE, SIDE)
    for saliency_map in (one, several):
        assert saliency_map.dtype == np.float32
        assert np.isfinite(saliency_map).all()


def test_an_image_of_any_size_has_the_map_of_what_the_model_takes_of_it(method, planted_classifier, image):
    larger = np.kron(image, np.ones((3, 2, 1), dtype=np.uint8))
    seen = utils.fit_image(larger, SIDE, SIDE)
    one, other = (explain(method, planted_classifier, given, RED) for given in (larger, seen))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("class_index", [RED, GREEN])
def test_the_heat_lies_on_the_object_of_the_class(method, planted_classifier, image, class_index):
    if method.name in IMAGELESS_METHODS:
        pytest.skip("the planted network has no max-pooling")
    saliency_map = explain(method, planted_classifier, image, class_index)
    own, other = square(class_index), square(GREEN if class_index == RED else RED)
    ground = ~(own | other)
    assert saliency_map[own].mean() > saliency_map[ground].mean() + saliency_map.std()
    if method.load().uses_class:
        assert saliency_map[own].mean() > saliency_map[other].mean() + saliency_map.std()
        assert own[np.unravel_index(saliency_map.argmax(), saliency_map.shape)]
    else:
        assert saliency_map[other].mean() > saliency_map[ground].mean() + saliency_map.std()


def test_the_class_matters_exactly_where_the_method_says_so(method, planted_classifier, image):
    if method.name in IMAGELESS_METHODS:
        pytest.skip("the planted network has no max-pooling")
    red, green = (explain(method, planted_classifier, image, class_index) for class_index in (RED, GREEN))
    assert np.array_equal(red, green) != method.load().uses_class


def test_class_0_is_a_class(method, planted_classifier, image):
    alone = explain(method, planted_classifier, image, 0)
    assert_close(explain(method, planted_classifier, np.stack([image, image]), [0, 1])[0], alone)
    if not method.load().uses_class:
        assert_close(explain(method, planted_classifier, image, None), alone)


# --- repeatable and alone --------------------------------------------------------------------------------
def test_the_same_seed_gives_the_same_map(method, planted_classifier, image):
    first, second = (explain(method, planted_classifier, image, RED, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_another_seed_gives_another_map_where_chance_plays_a_part(
    method, planted_classifier, residual_classifier, image
):
    differs = False
    for classifier, pixels in ((planted_classifier, image), (residual_classifier, noise(1)[0])):
        first, second = (explain(method, classifier, pixels, RED, seed=seed) for seed in (0, 1))
        differs |= not np.array_equal(first, second)
    assert differs == (method.name in RANDOM_METHODS)


@pytest.mark.parametrize("batch_size", [1, 2, 7, 64])
def test_a_map_depends_neither_on_the_other_images_nor_on_the_batch_size(
    method, planted_classifier, images, batch_size
):
    together = explain(method, planted_classifier, images, [RED, GREEN, BLUE], batch_size=batch_size)
    alone = [explain(method, planted_classifier, images[i], i) for i in range(3)]
    assert_close(together, np.stack(alone))


def test_a_batch_of_one_class_is_the_batch_of_that_class_repeated(method, planted_classifier, images):
    once = explain(method, planted_classifier, images, GREEN)
    np.testing.assert_array_equal(explain(method, planted_classifier, images, [GREEN] * 3), once)


def test_bytes_and_floats_of_0_to_255_give_the_same_map(method, planted_classifier, image):
    expected = explain(method, planted_classifier, image, RED)
    for dtype in (np.float32, np.float64):
        np.testing.assert_array_equal(explain(method, planted_classifier, image.astype(dtype), RED), expected)


def test_the_image_is_not_changed(method, planted_classifier):
    image = picture(RED, GREEN).astype(np.float32)
    before = image.copy()
    explain(method, planted_classifier, image, RED)
    np.testing.assert_array_equal(image, before)


# --- the model -------------------------------------------------------------------------------------------
def test_a_keras_model_and_its_classifier_give_the_same_map(method, planted, planted_classifier, image):
    assert_close(explain(method, planted, image, GREEN), explain(method, planted_classifier, image, GREEN))


def test_the_model_is_not_changed(method, image):
    images = keras.Input((32, 32, 3))
    model = keras.Model(images, head()(residual_backbone()(images)))
    image = image[::3, ::3]
    model.compile("sgd", "categorical_crossentropy")
    before, probabilities = state_of(model), model(image[None])
    explain(method, model, image, RED)
    assert_same_state(before, state_of(model))
    np.testing.assert_array_equal(model(image[None]), probabilities)
    four = np.stack([image] * 4).astype(np.float32)
    model.fit(four, np.eye(3, dtype=np.float32)[[0, 1, 2, 0]], verbose=0)  # and it can still be trained


def test_one_unit_has_two_sides_to_explain(method, image):
    if method.name in IMAGELESS_METHODS:
        pytest.skip("the planted network has no max-pooling")
    classifier = Classifier(planted_model([keras.layers.Activation("sigmoid")], n_classes=1))
    against, speaks_for = (explain(method, classifier, image, index) for index in (0, 1))
    if method.load().uses_class:  # the one unit is red's, and green speaks against it
        assert speaks_for[square(RED)].mean() > speaks_for[square(GREEN)].mean()
        sides_count = not np.array_equal(against, speaks_for)  # the size of a gradient is that of its negative
        assert against[square(GREEN)].mean() > against[square(RED)].mean() or not sides_count
    else:
        np.testing.assert_array_equal(against, speaks_for)


# --- what is refused -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("class_index", "words"),
    [
        ([0, 1], "3, one per image; 2 were given"),
        ([0, 1, 2, 0], "3, one per image; 4 were given"),
        ([[0], [1], [2]], "one int or 3"),
        (3, r"0\.\.2; given: 3"),
        (-1, r"0\.\.2; given: -1"),
        ([0, 1, 3], r"0\.\.2"),
        (1.0, "one int per image, not 1.0"),
        (True, "not True"),
        ("red", "not 'red'"),
    ],
)
def test_a_class_index_that_does_not_fit_is_refused(method, planted_classifier, images, class_index, words):
    with pytest.raises(ValueError, match=f"class_index should .*{words}"):
        explain(method, planted_classifier, images, class_index)


def test_no_class_is_refused_where_one_is_needed(method, planted_classifier, image):
    if not method.load().uses_class:
        pytest.skip("no class enters")
    with pytest.raises(ValueError, match="give class_index"):
        explain(method, planted_classifier, image, None)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (np.zeros((SIDE, SIDE), dtype=np.uint8), r"\(H, W, 3\) or \(N, H, W, 3\), not \(96, 96\)"),
        (np.zeros((SIDE, SIDE, 4), dtype=np.uint8), "not .96, 96, 4"),
        (np.zeros((3, SIDE, SIDE), dtype=np.uint8), "not .3, 96, 96"),
        (np.zeros((0, SIDE, SIDE, 3), dtype=np.uint8), "not .0, 96, 96, 3"),
        (np.zeros((SIDE, SIDE, 3), dtype=np.int64), "uint8 or float, not int64"),
        (np.zeros((SIDE, SIDE, 3), dtype=bool), "uint8 or float, not bool"),
        (np.full((SIDE, SIDE, 3), 300.0), "ranges from 300.0 to 300.0"),
        (np.full((SIDE, SIDE, 3), -1.0), "ranges from -1.0 to -1.0"),
        (np.full((SIDE, SIDE, 3), np.nan), "ranges from nan to nan"),
        (np.full((SIDE, SIDE, 3), 0.9), "multiply it by 255"),
        (np.ones((SIDE, SIDE, 3)), "multiply it by 255"),
    ],
)
def test_an_image_that_does_not_fit_is_refused(method, planted_classifier, wrong, words):
    with pytest.raises(ValueError, match=f"img_array should .*{words}"):
        explain(method, planted_classifier, wrong, RED)


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_size_below_one_is_refused(method, planted_classifier, image, batch_size):
    with pytest.raises(ValueError, match="batch_size"):
        explain(method, planted_classifier, image, RED, batch_size=batch_size)


def test_what_the_registry_offers_the_constructor_takes(method, planted_classifier, image):
    defaults = {option.name: option.default for option in method.options}
    explainer = method.load()(planted_classifier, None, image, RED, **defaults)
    for name, default in defaults.items():
        assert getattr(explainer, name) == default
    with pytest.raises(TypeError):
        method.load()(planted_classifier, None, image, RED, no_such_option=1)
    for option in method.options:
        if option.choices:
            with pytest.raises(ValueError, match="variant|should be one of"):
                method.load()(planted_classifier, None, image, RED, **{option.name: "no such choice"})


def test_a_progress_callback_sees_every_pass_to_the_end(method, planted_classifier, image):
    seen = []
    explain(method, planted_classifier, image, RED, progress=lambda *counts: seen.append(counts), batch_size=32)
    if method.load().perturbs:
        assert seen[-1][0] == seen[-1][1]
        assert [done for done, _ in seen] == sorted({done for done, _ in seen})
