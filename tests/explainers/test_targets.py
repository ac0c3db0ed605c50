"""Targets in the place of a class: the examples of docs/targets.md by hand, and every method that takes one."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from planted import ELSEWHERE, GREEN, RED, ROOT, SIDE, assert_close, draw_weights, explain, noise, square

from explainers.cam import CAM
from explainers.gradient_input import GradientInput
from explainers.occlusion import Occlusion
from explainers.registry import METHODS
from explainers.vanilla_gradient import VanillaGradient
from gradcam import GradCAM
from network.classifier import Classifier
from rise import RISE


def example(name):
    """A function of docs/targets.md."""
    text = (ROOT / "docs" / "targets.md").read_text()
    code = next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if f"def {name}" in block)
    names = {"tf": tf}
    exec(code.split("\n\n\n")[0], names)
    return names[name]


# --- a segmentation --------------------------------------------------------------------------------------
def segmentation(n_classes=2):
    """2 x 2 pixels; A = (R, G) / 100 at every pixel; class 0 is A_0 - A_1, class 1 is 3 A_1."""
    images = keras.Input((2, 2, 3))
    features = layers.Conv2D(2, 1, use_bias=False, name="features")(images)
    model = keras.Model(images, layers.Conv2D(n_classes, 1, use_bias=False, name="classes")(features))
    model.get_layer("features").set_weights([np.array([[1, 0], [0, 1], [0, 0]]).reshape(1, 1, 3, 2) / 100])
    model.get_layer("classes").set_weights([np.array([[1, 0], [-1, 3]]).reshape(1, 1, 2, 2)])
    return model


SCENE = np.zeros((2, 2, 3), dtype=np.float32)
SCENE[..., 0] = [[100, 200], [0, 100]]
SCENE[..., 1] = [[0, 100], [100, 50]]


def test_a_segmentations_class_over_a_mask_by_hand():
    model, mask = segmentation(), np.array([[True, True], [False, False]])
    target = example("class_over_mask")(0, mask)
    classifier = Classifier(model, target=target)
    # A_0 - A_1 is 1 and 2 - 1 in the mask: their mean is 1
    np.testing.assert_allclose(classifier.predict(SCENE[None]), [[1]], rtol=1e-6)
    # dS/dA_0 = 1/2 in the mask, 0 elsewhere: on average 1/4, for A_1 -1/4; L = ReLU((A_0 - A_1) / 4)
    expected = [[1 / 4, 1 / 4], [0, 1 / 8]]
    explainer = GradCAM(model, None, SCENE, target=target)
    np.testing.assert_allclose(
        explainer.explain_batch(explainer.images, explainer.class_indices)[0], expected, rtol=1e-6
    )
    # of the pixels: 1/2 of 1/100, in the mask alone
    gradient = VanillaGradient(model, None, SCENE, target=target).compute_saliency_map()
    np.testing.assert_allclose(gradient, [[0.005, 0.005], [0, 0]], rtol=1e-6)
    other = GradientInput(model, None, SCENE, target=example("class_over_mask")(1, mask)).compute_saliency_map()
    np.testing.assert_allclose(other, [[0, 1.5], [0, 0]], rtol=1e-6)  # 3 A_1 / 2


def test_a_mask_of_all_is_the_mean_that_a_classifier_would_take():
    """A segmentation over the whole image, and the classifier that ends in the mean of it."""
    images = keras.Input((16, 16, 3))
    x = layers.Conv2D(5, 3, activation="relu", padding="same", name="conv")(layers.Rescaling(1 / 255)(images))
    scores = layers.Conv2D(3, 1, name="scores")(x)
    whole, pooled = keras.Model(images, scores), keras.Model(images, layers.GlobalAveragePooling2D()(scores))
    draw_weights(whole)
    target = example("class_over_mask")(2, np.ones((16, 16)))
    for method in (METHODS[name] for name in METHODS if name not in {*ELSEWHERE, "CAM", "LIME"}):
        one = explain(method, Classifier(whole, layer_name=None, target=target), noise(1, 16)[0], None)
        other = explain(method, Classifier(pooled, score="none"), noise(1, 16)[0], 2)
        assert_close(one, other, relative=1e-3)


# --- a detector ------------------------------------------------------------------------------------------
def detector():
    """4 x 4 pixels in two halves, left and right: a box each, whose score is the mean red or green of the half."""
    images = keras.Input((4, 4, 3))
    halves = layers.AveragePooling2D((4, 2))(layers.Conv2D(2, 1, use_bias=False, name="colours")(images))
    scores = layers.Reshape((2, 2), name="scores")(halves)
    boxes = layers.Lambda(lambda x: 0 * x[..., :1] + tf.constant([[[0.0, 0, 2, 4], [2, 0, 4, 4]]]))(scores)
    model = keras.Model(images, {"boxes": boxes, "scores": scores})
    model.get_layer("colours").set_weights([np.array([[1, 0], [0, 1], [0, 0]]).reshape(1, 1, 3, 2) / 255])
    return model


def test_a_detectors_box_by_hand():
    model, red = detector(), np.zeros((4, 4, 3), dtype=np.float32)
    red[:, :2, 0], red[:, 2:, 1] = 255, 127.5
    target = example("score_of_box")
    # red: the left box alone has a score, 1; the box asked for is its upper half: 4 of 8 pixels shared
    assert Classifier(model, target=target((0, 0, 2, 4), 0)).predict(red[None])[0, 0] == pytest.approx(1)
    assert Classifier(model, target=target((0, 0, 2, 2), 0)).predict(red[None])[0, 0] == pytest.approx(1 / 2)
    assert Classifier(model, target=target((2, 0, 4, 4), 0)).predict(red[None])[0, 0] == pytest.approx(0)
    # green: 1/2 in the right box; a box over columns 1 to 4 shares 8 of 12 pixels with it: 1/2 * 2/3
    assert Classifier(model, target=target((1, 0, 4, 4), 1)).predict(red[None])[0, 0] == pytest.approx(1 / 3)
    # a pixel covered in black takes 1/8 of the score of its half, in the half that is asked about
    occlusion = Occlusion(model, None, red, target=target((0, 0, 2, 4), 0), patch=1, stride=1, fill=0)
    falls = np.zeros((4, 4))
    falls[:, :2] = 1 / 8
    np.testing.assert_allclose(occlusion.compute_saliency_map(), falls, atol=1e-6)
    gradient = VanillaGradient(model, None, red, target=target((1, 0, 4, 4), 1)).compute_saliency_map()
    np.testing.assert_allclose(gradient, np.tile([0, 0, 2 / 3 / 8 / 255, 2 / 3 / 8 / 255], (4, 1)), rtol=1e-5)
    saliency_map = RISE(
        model, None, red, target=target((0, 0, 2, 4), 0), n_masks=400, mask_size=4
    ).compute_saliency_map()
    assert saliency_map[:, :2].min() > saliency_map[:, 2:].max()


# --- an embedding ----------------------------------------------------------------------------------------
def test_the_similarity_of_embeddings_by_hand():
    """The embedding is the mean colour; the other image's is red."""
    model = keras.Sequential([keras.Input((2, 2, 3)), layers.GlobalAveragePooling2D()])
    target = example("similarity_to")(np.array([200.0, 0, 0]))
    image = np.zeros((2, 2, 3), dtype=np.float32)
    image[0, 0] = [160, 0, 0]  # the mean is (40, 30, 0): the cosine 4/5
    image[1, 1] = [0, 120, 0]
    classifier = Classifier(model, score="none")
    assert classifier.of_target(target).predict(image[None])[0, 0] == pytest.approx(0.8)
    occlusion = Occlusion(classifier, None, image, target=target, patch=1, stride=1, fill=0).compute_saliency_map()
    # without red nothing is alike: 0.8 - 0; without green it is red: 0.8 - 1
    np.testing.assert_allclose(occlusion, [[0.8, 0], [0, -0.2]], atol=1e-6)
    # d cos / d mean = (1 - 0.64, -0.8 * 0.6, 0) / 50 = (0.0072, -0.0096, 0), and a quarter of it for a pixel
    gradient = VanillaGradient(model, None, image, target=target).compute_gradients(image[None], np.zeros(1, np.int32))
    np.testing.assert_allclose(gradient[0], np.tile([0.0018, -0.0024, 0], (2, 2, 1)), rtol=1e-5, atol=1e-9)


# --- every method ----------------------------------------------------------------------------------------
def logit_of(class_index):
    def logit(outputs):
        return tf.math.log(outputs[:, class_index])

    return logit


@pytest.mark.parametrize("name", [name for name in METHODS if name not in {*ELSEWHERE, "CAM"}])
def test_every_method_that_needs_a_score_takes_a_target(name, planted, images):
    def red_minus_green(outputs):
        return outputs[:, RED] - outputs[:, GREEN]

    classifier = Classifier(planted)
    both = explain(METHODS[name], classifier, images[1], None, target=red_minus_green)
    assert both.shape == (SIDE, SIDE)
    if METHODS[name].load().uses_class and name != "DECONVNET":  # what comes back there is the same wherever a ReLU is
        inside, outside = both[square(RED)].mean(), both[~(square(RED) | square(GREEN))].mean()
        assert inside > outside
    batch = explain(METHODS[name], classifier, images, None, target=red_minus_green)
    assert_close(batch[1], both, relative=1e-3)


def test_the_logit_of_a_class_as_a_target_is_the_class(planted, images):
    softmaxed = keras.Model(planted.input, planted.get_layer("logits").output)
    for method in (GradCAM, VanillaGradient):
        by_target = method(softmaxed, None, images, target=lambda outputs: outputs[:, GREEN]).compute_saliency_map()
        assert_close(by_target, method(softmaxed, None, images, GREEN).compute_saliency_map())


def test_several_layers_are_averaged_for_a_target_too(planted, images):
    target = logit_of(RED)
    one = GradCAM(Classifier(planted, layer_name="colours"), None, images, target=target).compute_saliency_map()
    two = GradCAM(Classifier(planted, layer_name="colours,colours"), None, images, target=target)
    assert_close(two.compute_saliency_map(), one)


def test_a_target_has_a_name_and_is_traced_once(planted, image):
    target = logit_of(RED)
    classifier = Classifier(planted)
    first = GradCAM(classifier, None, image, target=target).classifier
    assert GradCAM(classifier, None, image, target=target).classifier is first
    assert (
        GradCAM(planted, None, image, target=target).classifier
        is GradCAM(planted, None, image, target=target).classifier
    )
    assert first.class_names == ["logit"]
    assert first.describe()["score"] == "the target logit (given)"
    assert first.rebuilt().target is target
    assert classifier.target is None
    assert classifier.n_classes == 3


# --- what is refused -------------------------------------------------------------------------------------
def test_what_is_not_one_number_an_image_is_refused(planted, image):
    for target, given in ((lambda y: y, r"\(None, 3\)"), (tf.reduce_sum, r"\(\)"), (lambda y: "red", "str")):
        with pytest.raises(ValueError, match=rf"target should return a tensor \(n,\), .*; it returned {given}"):
            GradCAM(planted, None, image, target=target).compute_saliency_map()


def test_a_class_and_a_target_exclude_each_other(planted, image):
    with pytest.raises(ValueError, match="class_index and target exclude each other"):
        GradCAM(planted, None, image, RED, target=logit_of(RED))
    with pytest.raises(ValueError, match="explains a class: give class_index"):
        GradCAM(planted, None, image)


def test_cam_needs_the_weights_of_a_class(planted, image):
    with pytest.raises(ValueError, match="a target has no weights of its own in the dense layer"):
        CAM(planted, None, image, target=logit_of(RED))


def test_a_model_without_classes_is_refused_without_a_target():
    with pytest.raises(ValueError, match=r"gives \(None, 2, 2, 2\): in Python a target says .*docs/targets.md"):
        GradCAM(segmentation(), None, SCENE, 0)
