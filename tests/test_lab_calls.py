"""docs/lab.md, row by row: each call of the lab runs and returns what its row says; wrong ranks are told in a line."""

import re

import cv2
import numpy as np
import pytest
from PIL import Image
from planted import GREEN, ROOT, SIDE, planted_model, square

import evaluate
import fem
import gradcam
import lime_explainer
import representations
import rise
import utils
from network.classifier import Classifier

SIZES = {"n": 1, "H": SIDE, "W": SIDE, "C": 3, "h": 8, "w": 8, "K": 3}
ROW = re.compile(r"^\| (?:`\w+`)? ?\| `([^`]+)` \| `([^`]+)` \| .*\|$", re.MULTILINE)
ROWS = ROW.findall((ROOT / "docs" / "lab.md").read_text(encoding="utf-8"))


def names_of_the_lab():
    """All public names of the lab's modules."""
    modules = (gradcam, fem, rise, lime_explainer, evaluate, representations, utils)
    return {name: value for module in modules for name, value in vars(module).items() if not name.startswith("_")}


def describe(value):
    """A value as the table has it: its shape, or the name of its type."""
    if isinstance(value, (bool, int, float, str, np.floating)) or value is None:
        return "float" if isinstance(value, np.floating) else "None" if value is None else type(value).__name__
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else str(tuple(int(size) for size in shape))


def written(returns):
    """What the table says of a call, with the sizes of the planted model in the place of letters."""
    return re.sub(r"\b[nHWChwK]\b", lambda letter: str(SIZES[letter[0]]), returns)


@pytest.fixture
def bench(image, monkeypatch, tmp_path):
    """What the page says is there before its first row, in an empty folder; `shown` collects what is opened."""
    monkeypatch.chdir(tmp_path)
    shown = []
    monkeypatch.setattr(Image.Image, "show", lambda picture: shown.append(picture.size))
    pixels = image.astype(np.float32)
    seen = square(GREEN) + np.linspace(0, 0.5, SIDE * SIDE).reshape(SIDE, SIDE)
    return {
        **names_of_the_lab(),
        "np": np,
        "Classifier": Classifier,
        "model": planted_model(),
        "img_array": pixels,
        "class_index": GREEN,
        "seen": seen,
        "gaze": cv2.GaussianBlur(square(GREEN).astype(np.float32), (31, 31), 0),
        "titles": ["heat map", "overlaid"],
        "blurred": cv2.GaussianBlur(pixels, (127, 127), 0),
        "shown": shown,
    }


def run(call, bench):
    """What a call of the table returns."""
    if " = " not in call:
        return eval(call, bench)
    exec(call, bench)
    given = [bench[name] for name in call.split(" = ")[0].split(", ")]
    return given[0] if len(given) == 1 else given


def test_every_row_returns_what_it_says(bench, capsys):
    assert len(ROWS) > 50
    for call, returns in ROWS:
        given = run(call, bench)
        described = ", ".join(map(describe, given)) if isinstance(given, list) else describe(given)
        assert described == written(returns), call
    assert "colours (Conv2D)" in capsys.readouterr().out, "summary() lists the layers"
    with Image.open("grid.png") as saved:
        assert bench["shown"] == [saved.size]


def test_every_name_of_the_lab_has_its_row():
    wanted = {
        "GRADCAM", "GradCAM", "get_model", "compute_gradients", "pool_gradients", "weight_activation_map", "apply_relu",
        "apply_dimension_average_pooling", "FEM", "expand_flat_values_to_activation_shape", "compute_binary_maps",
        "aggregate_binary_maps", "RISE", "generate_masks", "obtain_prediction_scores", "weight_saliency_maps",
        "get_lime_explanation", "explain_with_lime", "set_n_pixels_deletion", "set_n_pixels_insertion",
        "predict_scores", "deletion", "insertion", "calculate_auc", "calculate_pcc", "calculate_sim", "normalise",
        "get_last_layer_name", "get_image_index", "grid_layout",
    }  # fmt: skip
    text = (ROOT / "docs" / "lab.md").read_text(encoding="utf-8")
    assert wanted <= set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))


# --- the lab's form and ours are one -----------------------------------------------------------------------------
def test_the_labs_steps_end_in_the_labs_map(planted_classifier, image):
    explainer = gradcam.GRADCAM(planted_classifier, None, image, GREEN, variant="lab")
    model = explainer.get_model()
    pooled = explainer.pool_gradients(explainer.compute_gradients(model, GREEN))
    positive = explainer.apply_relu(explainer.weight_activation_map(pooled))
    steps = explainer.apply_dimension_average_pooling(positive)
    whole = explainer.explain_batch(explainer.images, explainer.class_indices)
    np.testing.assert_array_equal(steps, whole)
    np.testing.assert_array_equal(explainer.apply_dimension_average_pooling(), whole[0])
    np.testing.assert_array_equal(
        explainer.weight_activation_map(pooled[0]), explainer.weight_activation_map(pooled)[0]
    )


def test_the_steps_of_a_batch_are_those_of_its_images(planted_classifier, images):
    explainer = fem.FEM(planted_classifier, None, images, k=1.0)
    features = planted_classifier.features(images.astype(np.float32))
    binary = explainer.compute_binary_maps(features)
    maps = explainer.aggregate_binary_maps(binary, features)
    for one, marked, saliency_map in zip(features, binary, maps):
        np.testing.assert_array_equal(explainer.compute_binary_maps(one), marked)
        np.testing.assert_allclose(explainer.aggregate_binary_maps(marked, one), saliency_map, rtol=1e-6)
    assert binary.any() and not explainer.compute_binary_maps(features, sigma=99).any()


def test_rise_takes_the_labs_order(planted, image):
    options = {"n_masks": 6, "mask_size": 4, "threshold": 0.3}
    ours = rise.RISE(planted, None, image, GREEN, **options).compute_saliency_map()
    for explainer in (
        rise.RISE(planted, image, GREEN, 6, 4, 0.3),
        rise.RISE(planted, image, GREEN, 6, mask_size=4, threshold=0.3),
        rise.RISE(planted, image, GREEN, **options),
        rise.RISE(planted, image, class_index=GREEN, **options),
        rise.RISE(planted, img_array=image, class_index=GREEN, **options),
    ):
        np.testing.assert_array_equal(explainer.compute_saliency_map(), ours)
    masks = np.asarray(explainer.generate_masks())
    np.testing.assert_array_equal(masks, np.concatenate(list(explainer.generate_masks())))
    with pytest.raises(ValueError, match="by name beside a model_name"):
        rise.RISE(planted, None, image, GREEN, 6)


def test_lime_as_functions_is_lime_as_a_class(planted_classifier, image):
    options = {"num_samples": 60, "hide_color": 100}
    mask, saliency_map = lime_explainer.explain_with_lime(planted_classifier, image[None], class_index=GREEN, **options)
    explainer = lime_explainer.LimeExplainer(planted_classifier, None, image, GREEN, **options)
    np.testing.assert_array_equal(saliency_map, explainer.compute_saliency_map())
    masked = lime_explainer.LimeExplainer(planted_classifier, None, image, GREEN, variant="mask", **options)
    np.testing.assert_array_equal(masked.compute_saliency_map(), mask)
    assert set(np.unique(mask)) == {0, 1} and mask[square(GREEN)].mean() > 0.9
    predicted = int(planted_classifier.predict(image[None].astype(np.float32)).argmax())
    _, of_prediction = lime_explainer.explain_with_lime(planted_classifier, image, **options)
    _, of_class = lime_explainer.explain_with_lime(planted_classifier, image, class_index=predicted, **options)
    np.testing.assert_array_equal(of_prediction, of_class)
    hidden = ({"rand_index": 1}, {"hide_color": (255, 0, 0)})
    options = {"class_index": GREEN, "num_samples": 60}
    red, grey = (lime_explainer.explain_with_lime(planted_classifier, image, **options, **how)[1] for how in hidden)
    np.testing.assert_array_equal(red, grey)


def test_deletion_step_by_step_takes_every_pixel_once_whatever_its_sign(image):
    seen = np.random.default_rng(0).normal(size=image.shape[:2])
    by_map, left, by_order, order = image, seen, image, evaluate.rank_pixels(seen)
    for done in (3000, 6000, 9000):
        by_map, left = evaluate.set_n_pixels_deletion(by_map, left, 3000)
        by_order, order = evaluate.set_n_pixels_deletion(by_order, order, 3000)
        np.testing.assert_array_equal(by_map, by_order)
        assert np.isneginf(left).sum() == (by_map == 0).all(axis=-1).sum() == done


# --- a Keras model in the place of predict -----------------------------------------------------------------------
def caffe_model():
    """A model that needs the preprocessing of its name: bright pixels are class 1 after the mean is taken away."""
    import keras

    images = keras.Input((8, 8, 3))
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(1, 1, use_bias=False, name="conv")(images))
    outputs = keras.layers.Dense(2, activation="softmax", name="dense")(mean)
    model = keras.Model(images, outputs, name="caffe_model")
    model.get_layer("conv").set_weights([np.full((1, 1, 3, 1), 1 / 300)])
    model.get_layer("dense").set_weights([np.array([[-4.0, 4.0]]), np.zeros(2)])
    return model


def test_a_keras_model_with_its_name_is_scored_on_pixels_as_it_takes_them():
    model, image = caffe_model(), np.random.default_rng(1).uniform(0, 255, (8, 8, 3))
    seen = image.mean(axis=-1)

    def predict(images):
        return model(images[..., ::-1] - np.array([103.939, 116.779, 123.68])).numpy()

    for metric in (evaluate.deletion, evaluate.insertion):
        expected = metric(predict, image, seen, 1, n_pixels=5)[0]
        wrong = metric(lambda images: model(images).numpy(), image, seen, 1, n_pixels=5)[0]
        for given in (
            metric(model, image, seen, 1, n_pixels=5, model_name="ResNet"),
            metric(model.predict, image, seen, 1, n_pixels=5, model_name="ResNet"),
            metric(Classifier(model, "ResNet"), image, seen, 1, n_pixels=5),
        ):
            assert given[0] == pytest.approx(expected, rel=1e-5)
        assert abs(wrong - expected) > 0.05
    blur = {"kernel_size": 127, "sigma": 0.0}
    lab = evaluate.insertion(model, image, seen, 5, 1, model_name="ResNet")
    assert lab[0] == pytest.approx(evaluate.insertion(predict, image, seen, 1, n_pixels=5, **blur)[0], rel=1e-5)
    np.testing.assert_allclose(
        evaluate.predict_scores(image, model, model_name="ResNet"), predict(image[None])[0], rtol=1e-5
    )


@pytest.mark.parametrize("ask", [evaluate.deletion, evaluate.insertion, evaluate.calculate_drop])
def test_a_keras_model_of_unknown_preprocessing_is_refused(ask):
    model, image = caffe_model(), np.random.default_rng(1).uniform(0, 255, (8, 8, 3))
    for given in (model, model.predict):
        with pytest.raises(ValueError, match="nothing tells that of 'caffe_model': give a Classifier"):
            ask(given, image, image.mean(axis=-1), 1)


def test_a_keras_model_that_prepares_its_pixels_itself_needs_no_name():
    import keras

    images = keras.Input((8, 8, 3))
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 127.5, -1)(images))
    model = keras.Model(images, keras.layers.Dense(2, activation="softmax")(mean))
    image = np.random.default_rng(1).uniform(0, 255, (8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(evaluate.predict_scores(image, model), model(image[None])[0], rtol=1e-5)
    with pytest.raises(ValueError, match="model_name 'ResNet' belongs to a Keras model"):
        evaluate.predict_scores(image, lambda images: images, model_name="ResNet")


# --- wrong ranks -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("gradcam.pool_gradients(np.zeros(3))", r"gradients should be \(h, w, K\) or \(n, h, w, K\), not \(3,\)"),
        ("gradcam.weight_activation_map(np.zeros((1, 2, 3)))", r"pooled_gradients should be \(K,\), not"),
        ("gradcam.weight_activation_map(np.zeros(4))", r"\(K,\) = \(3,\), not \(4,\)"),
        ("gradcam.apply_dimension_average_pooling(np.zeros((8, 8)))", r"activation_map should be"),
        ("gradcam.compute_gradients(model, class_index)", r"what get_model\(\) gives"),
        ("gradcam.compute_gradients(gradcam.get_model(), 7)", r"0\.\.2"),
        ("fem.expand_flat_values_to_activation_shape(np.zeros((1, 1, 3)), 8, 8)", r"should be \(K,\) or \(n, K\)"),
        ("fem.compute_binary_maps(np.zeros((8, 8)))", r"features should be \(h, w, K\) or \(n, h, w, K\)"),
        ("fem.aggregate_binary_maps(np.zeros((8, 8, 2)), np.zeros((8, 8, 3)))", r"of the features' shape \(8, 8, 3\)"),
        ("rise.obtain_prediction_scores(np.zeros((8, 8)), 0)", r"image should be \(H, W, 3\) or \(N, H, W, 3\)"),
        ("rise.weight_saliency_maps(np.zeros((8, 8)), np.zeros(8))", r"masks should be \(n, H, W\), not \(8, 8\)"),
        ("explain_with_lime(model, np.zeros((2, 96, 96, 3)))", r"one image, \(H, W, 3\) or \(1, H, W, 3\)"),
        ("explain_with_lime(model, img_array, rand_index=4)", r"1, 2, 3 for red, green, blue; got 4"),
        ("get_lime_explanation(model, img_array[0], 1)", r"img_array should be \(H, W, 3\) or \(1, H, W, 3\)"),
        ("set_n_pixels_deletion(img_array, seen[:5], 3)", r"a map \(96, 96\), or an order \(n,\) of pixels"),
        ("predict_scores(seen, Classifier(model))", r"image should be \(H, W, 3\) or \(n, H, W, 3\)"),
        ("predict_scores(Classifier(model), [img_array[None]])", r"predict_scores\(image, model\) was wanted"),
        ("deletion(Classifier(model), img_array, seen, 500, class_index, 3)", r"n_pixels and class_index, were wanted"),
        ("fem.expand_flat_values_to_activation_shape(np.zeros(3), '8', 8)", r"height should be a whole number"),
        ("fem.compute_binary_maps(np.zeros((8, 8, 3)), sigma='2')", r"sigma should be a number, .* not '2'"),
        ("RISE(model, img_array, class_index, n_masks='20')", r"n_masks should be a whole number, not '20'"),
        ("rise.obtain_prediction_scores(np.zeros((2, 96, 96)), 0)", r"img_array \* masks\[\.\.\., None\]"),
        ("rise.weight_saliency_maps(np.zeros((3, 8, 8)), np.zeros(2))", r"given 2 for 3 masks"),
        ("get_lime_explanation(model, img_array, 1, num_samples=0.5)", r"num_samples should be a whole number"),
        ("deletion(Classifier(model), img_array, seen, '500', class_index)", r"n_pixels should be a whole number, not"),
        ("deletion(Classifier(model), img_array, seen, 'Modern')", r"class_index should be a whole number"),
        ("get_image_index(3)", r"file_name should be the name of a file, not 3"),
        ("grid_layout([np.zeros(3)], ['a'])", r"each of images should be \(H, W\) or \(H, W, 3\), not \(3,\)"),
        ("normalise(-1 - seen, by='maximum')", r"'maximum' of an array that has one of 0 or more"),
        ("normalise(seen, by='sum')", r"by should be 'range', or 'maximum'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_in_one_line(bench, call, words):
    bench["gradcam"] = bench["GradCAM"](bench["model"], None, bench["img_array"], GREEN)
    bench["fem"] = bench["FEM"](bench["model"], None, bench["img_array"])
    bench["rise"] = bench["RISE"](bench["model"], bench["img_array"], GREEN, n_masks=2)
    with pytest.raises(ValueError, match=words) as error:
        eval(call, bench)
    assert "\n" not in str(error.value)


def test_the_feature_model_takes_images_as_they_are_read_and_says_that_it_wants_several(planted_classifier, image):
    model = gradcam.GRADCAM(planted_classifier, None, image, GREEN).get_model()
    for whole, real in zip(model(image[None].astype(np.uint8)), model(image[None].astype(np.float32))):
        np.testing.assert_array_equal(whole, real)
    with pytest.raises(ValueError, match=r"one image as img_array\[None\], not \(96, 96, 3\)"):
        model(image)


def test_normalise_by_the_maximum():
    np.testing.assert_array_equal(utils.normalise(np.array([0, 1, 4.0])), [0, 0.25, 1])
    np.testing.assert_array_equal(utils.normalise(np.array([2, 4.0]), by="maximum"), [0.5, 1])
    np.testing.assert_array_equal(utils.normalise(np.array([2, 4.0])), [0, 1])
    np.testing.assert_array_equal(utils.normalise(np.zeros(2), by="maximum"), [0, 0])
    np.testing.assert_array_equal(utils.normalise(np.full(2, 3.0), by="maximum"), [1, 1])
