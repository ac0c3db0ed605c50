"""The model doctor: what is found of a model, what each method will say of it; nothing is explained or written."""

import keras
import pytest
from planted import GREEN, RED, picture

import main
from explainers.registry import METHODS
from network.classifier import Classifier
from pipeline import model_check
from pipeline.model_check import check_options, find_misfits


def test_the_most_probable_classes_come_with_their_probabilities_and_logits(planted_classifier):
    pixels = picture(RED, seed=3).astype("float32")
    lines = model_check.describe_classes(planted_classifier, pixels, "a.png").splitlines()
    assert lines[0].split() == ["a.png", "index", "probability", "logit"]
    name, index, probability, logit = lines[1].split()
    assert (name, int(index)) == ("red", RED)
    assert abs(float(probability) - planted_classifier.predict(pixels[None])[0, RED]) < 1e-4
    assert abs(float(logit) - planted_classifier.logits(pixels[None])[0, RED]) < 1e-4


def test_every_method_says_whether_it_explains_the_model_or_why_not(planted_classifier):
    pixels = picture(RED, GREEN).astype("float32")
    said = dict(
        line.split(maxsplit=1) for line in model_check.describe_methods(planted_classifier, pixels).splitlines()[1:]
    )
    assert list(said) == list(METHODS)
    assert said["GRADCAM"] == "yes" and said["RISE"] == "yes, by many forward passes an image"
    assert said["GUIDED_BACKPROP"] == "yes (relus overridden 1)"
    assert "a model with attention over patches" in said["ATTENTION"]


def test_a_checked_model_is_described_and_nothing_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main.main(["--check_model", "--output_folder_path=out"]) == 0
    said = capsys.readouterr().out
    assert "preprocessing: x / 127.5 - 1 (kept with the model)" in said and "device: " in said and "KERNEL_SHAP" in said
    assert not (tmp_path / "out").exists()


def test_a_model_without_a_feature_map_is_refused_by_the_methods_that_look_at_one():
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    classifier = Classifier(model)
    misfits = find_misfits(classifier, [METHODS[name] for name in ("RISE", "GRADCAM", "VANILLA_GRADIENT", "FEM")])
    assert [method.name for method in misfits] == ["GRADCAM", "FEM"]
    assert all(reason.startswith("a layer with a feature map") for reason in misfits.values())


@pytest.mark.parametrize(
    "name, options",
    [
        ("RISE", {"n_masks": 0}),
        ("RISE", {"threshold": 0.0}),
        ("LIME", {"num_samples": 0}),
        ("LIME", {"positive_only": True, "negative_only": True}),
    ],
)
def test_options_that_no_image_can_be_explained_with_are_refused(planted_classifier, name, options):
    with pytest.raises(ValueError, match=f"^{name}: "):
        check_options(planted_classifier, {METHODS[name]: options})
