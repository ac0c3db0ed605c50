"""The base of every explainer: what it hands to a method, what becomes of the answer."""

from pkgutil import resolve_name

import keras
import numpy as np
import pytest
from planted import COLOURS, GREEN, RED, SIDE

import utils
from explainers.base import Explainer
from network.classifier import Classifier


class Recorder(Explainer):
    """Keeps what it is given; its map is the image's mean brightness on 2 x 2 positions, and its class."""

    def explain_batch(self, images, class_index):
        self.given = [*getattr(self, "given", []), (images, class_index)]
        return [np.array([[image.mean(), index], [0, 0]]) for image, index in zip(images, class_index)]


def test_a_method_is_given_float_images_at_the_input_size_and_one_class_for_each(planted_classifier):
    image = np.random.default_rng(0).integers(0, 256, (200, 150, 3), dtype=np.uint8)
    recorder = Recorder(planted_classifier, None, image, GREEN)
    recorder.compute_saliency_map()
    ((images, class_index),) = recorder.given
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images[0], utils.resize_image(image.astype(np.float32), SIDE, SIDE))
    assert class_index.dtype == np.int32
    assert class_index.tolist() == [GREEN]


def test_batches_are_at_most_batch_size_and_keep_their_order(planted_classifier):
    images = np.stack([np.full((SIDE, SIDE, 3), 10 * i, dtype=np.uint8) for i in range(5)])
    recorder = Recorder(planted_classifier, None, images, [0, 1, 2, 1, 0], batch_size=2)
    maps = recorder.compute_saliency_map()
    assert [len(images) for images, _ in recorder.given] == [2, 2, 1]
    assert [indices.tolist() for _, indices in recorder.given] == [[0, 1], [2, 1], [0]]
    np.testing.assert_allclose(maps[:, 0, 0], [0, 10, 20, 30, 40])
    np.testing.assert_allclose(maps[:, 0, -1], [0, 1, 2, 1, 0])


def test_the_batch_size_is_the_classifiers_unless_given(planted_classifier, image):
    assert Recorder(planted_classifier, None, image, RED).batch_size == 64
    assert Recorder(planted_classifier, None, image, RED, batch_size=3).batch_size == 3


def test_a_map_is_enlarged_bilinearly_and_keeps_its_scale(planted_classifier, image):
    saliency_map = Recorder(planted_classifier, None, image, GREEN).compute_saliency_map()
    assert saliency_map.shape == (SIDE, SIDE)
    assert saliency_map[0, 0] == pytest.approx(image.mean(), rel=1e-5)
    assert saliency_map[-1, -1] == 0
    middle = SIDE // 2
    assert saliency_map[middle - 1, 0] > saliency_map[middle, 0] > 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_map_that_is_not_finite_is_an_error_that_names_the_method(planted_classifier, image, value):
    class Broken(Explainer):
        def explain_batch(self, images, class_index):
            return np.full((len(images), 2, 2), value)

    with pytest.raises(ValueError, match="Broken gave a map with NaN or infinite values"):
        Broken(planted_classifier, None, image, RED).compute_saliency_map()


def test_a_method_without_a_body_says_so(planted_classifier, image):
    with pytest.raises(NotImplementedError):
        Explainer(planted_classifier, None, image, RED).compute_saliency_map()


def test_what_is_not_wanted_is_said_when_the_question_is_asked(planted_classifier, image):
    with pytest.raises(ValueError, match="Recorder explains a class: give class_index"):
        Recorder(planted_classifier, None, image)
    with pytest.raises(TypeError):
        Recorder(planted_classifier, None, image, RED, 32)  # options are keyword-only


def test_numpy_integers_and_a_list_of_one_are_classes(planted_classifier, image):
    for class_index in (np.int64(1), np.array(1), [1], np.array([1], dtype=np.uint8), (1,)):
        assert Recorder(planted_classifier, None, image, class_index).class_indices.tolist() == [1]


def test_a_black_image_of_floats_is_an_image(planted_classifier):
    assert Recorder(planted_classifier, None, np.zeros((8, 8, 3)), RED).images.max() == 0


# --- the stream of perturbed images ----------------------------------------------------------------------
def test_a_stream_makes_scores_and_reports_one_batch_after_the_other(planted_classifier, image, calls):
    order = []
    calls(planted_classifier, lambda images: order.append("scored") or np.ones((len(images), 3)))

    def batches():
        for size in (3, 3, 1):
            order.append("made")
            yield np.zeros(size)

    recorder = Recorder(planted_classifier, None, image, RED, progress=lambda *counts: order.append(counts))
    stream = recorder.stream_probabilities(batches(), lambda batch: np.zeros((len(batch), 2, 2, 3)), 7)
    assert [(len(batch), probabilities.shape) for batch, probabilities in stream] == [
        (3, (3, 3)),
        (3, (3, 3)),
        (1, (1, 3)),
    ]
    assert order == ["made", "scored", (3, 7), "made", "scored", (6, 7), "made", "scored", (7, 7)]


# --- the classifier it asks -------------------------------------------------------------------------------
def test_the_model_name_fixes_the_preprocessing(planted, image):
    assert Recorder(planted, "MobileNetV2", image, RED).classifier.preprocessing == "tf"
    with pytest.raises(ValueError, match="unknown model_name 'mobile'"):
        Recorder(planted, "mobile", image, RED)


def test_names_of_classes_do_not_matter_to_a_map(planted, image):
    named = Recorder(Classifier(planted, class_names=COLOURS), None, image, RED).compute_saliency_map()
    np.testing.assert_array_equal(named, Recorder(planted, None, image, RED).compute_saliency_map())


# --- several layers ----------------------------------------------------------------------------------------
def several_layers():
    keras.utils.set_random_seed(0)
    images = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", use_bias=False, name="first")(images)
    x = keras.layers.BatchNormalization(name="bn")(x)
    x = keras.layers.ReLU(name="early")(x)
    x = keras.layers.Conv2D(5, 3, strides=2, activation="relu", name="late")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, keras.layers.Dense(3)(x))


@pytest.mark.parametrize(
    "method",
    ["gradcam:GradCAM", "fem:FEM", "explainers.ablationcam:AblationCAM", "explainers.guided_gradcam:GuidedGradCAM"],
)
def test_the_map_of_several_layers_is_the_mean_of_their_maps(method):
    explainer, model = resolve_name(method), several_layers()
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3)).astype(np.float32)
    first, early, late = (
        explainer(Classifier(model, layer_name=name), None, pixels, [0, 1]).compute_saliency_map()
        for name in ("first", "early", "late")
    )
    together = explainer(Classifier(model, layer_name="first, early,late"), None, pixels, [0, 1])
    np.testing.assert_allclose(together.compute_saliency_map(), (first + early + late) / 3, rtol=1e-5, atol=1e-8)
    assert Classifier(model, layer_name="early,late").describe()["layer"] == "early, late"


def test_one_wrong_name_among_several_layers_is_refused():
    with pytest.raises(ValueError, match="no layer 'nowhere' with a feature map"):
        Classifier(several_layers(), layer_name="early,nowhere")


# --- grey images -------------------------------------------------------------------------------------------
def grey_model():
    keras.utils.set_random_seed(0)
    images = keras.Input((16, 16, 1))
    x = keras.layers.Conv2D(4, 3, activation="relu")(images)
    return keras.Model(images, keras.layers.Dense(3, name="logits")(keras.layers.GlobalAveragePooling2D()(x)))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_model_of_one_channel_takes_grey_images_of_every_shape(dtype):
    model, grey = grey_model(), np.random.default_rng(0).integers(0, 256, (3, 16, 16)).astype(dtype)
    recorder = Recorder(model, None, grey[0], 0)
    np.testing.assert_allclose(recorder.classifier.logits(recorder.images), model(grey[:1, ..., None]), rtol=1e-5)
    maps = [Recorder(model, None, image, 0).compute_saliency_map() for image in (grey[0], grey[0][..., None])]
    assert [one.shape for one in maps] == [(16, 16), (16, 16)]
    np.testing.assert_array_equal(*maps)
    batch = Recorder(model, None, grey[..., None], [0, 1, 2])
    assert batch.compute_saliency_map().shape == (3, 16, 16)
    np.testing.assert_array_equal(batch.images, grey[..., None].repeat(3, axis=-1))


def test_grey_images_are_refused_where_they_are_not_wanted(planted_classifier):
    with pytest.raises(ValueError, match=r"should be \(H, W, 3\) or \(N, H, W, 3\), not \(16, 16\)"):
        Recorder(planted_classifier, None, np.zeros((16, 16)), 0)
    with pytest.raises(ValueError, match=r"or \(H, W\), \(H, W, 1\), \(N, H, W, 1\), not \(3, 16, 16\)"):
        Recorder(grey_model(), None, np.zeros((3, 16, 16)), 0)
