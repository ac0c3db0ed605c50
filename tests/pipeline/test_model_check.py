"""The model doctor: what is found of a model, what each method will say of it; nothing is explained or written."""

from planted import GREEN, RED, picture

import main
from explainers.registry import METHODS
from pipeline import model_check


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
