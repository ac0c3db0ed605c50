"""Training of bag models: what is trained, what is written, and that main.py explains the result."""

import json

import numpy as np
import pytest
from PIL import Image
from planted import read_table

import attention_mil
import main
from network import model_files
from network.attention_layers import Bags
from training import command
from training.training_settings import read_training_settings

SETTINGS = {"preprocessing": "tf", "model_name": None}


def run(*flags, weights="whole.keras"):
    images = "--train_images_folder_path=train", "--val_images_folder_path=val"
    few = "--patch_size=16", "--patch_stride=16"
    return attention_mil.main([*images, *few, f"--weights={weights}", "--output_model_path=bags.keras", *flags])


def test_main_explains_what_was_trained_by_attention_beside_gradcam(class_folders, five_class_model, capsys):
    flags = "--gated", "--patch_stride=8", "--fine_tune_from=block_2_conv", "--epochs_head=2", "--epochs_fine_tuning=1"
    assert run(*flags) == 0
    classifier, _ = model_files.load_classifier(model_path="bags.keras")
    assert classifier.class_names == ["green", "red"]
    assert (classifier.preprocessing, classifier.input_height, classifier.layer_name) == ("tf", 32, "weighted")
    run_json = json.loads((class_folders / "bags_training/run.json").read_text())
    assert run_json["settings"]["attention"] == "gated, 64 units"
    assert run_json["settings"]["patches"] == "4 x 4 of 16 x 16 pixels, 8 apart, embedded in 96 numbers"
    rows = read_table("bags_training/validation.csv")
    assert run_json["val_accuracy"] == np.mean([row["true"] == row["predicted"] for row in rows])
    assert [row["stage"] for row in read_table("bags_training/history.csv")] == ["head"] * 2 + ["fine_tuning"]
    for name in ("accuracy_loss", "confusion_matrix", "worst", "attention"):
        assert Image.open(class_folders / "bags_training" / f"{name}.png").size[0] > 200
    before = model_files.load_model(five_class_model)
    for name, is_trained in {"stem_conv": False, "stem_bn": False, "block_1_conv": False, "block_2_conv": True}.items():
        one, other = (model.get_layer(name).get_weights()[0] for model in (before, classifier.model))
        assert np.array_equal(one, other) != is_trained, name
    flags_of_main = "--model_path=bags.keras", "--test_images_folder_path=val", "--limit=2", "--output_folder_path=out"
    assert main.main(["--explanation_method=ATTENTION,GRADCAM", *flags_of_main]) == 0
    records = read_table("out/records.csv")
    assert [row["method"] for row in records].count("ATTENTION") == 2
    assert all(row["status"] == "ok" for row in records if row["method"] == "ATTENTION")
    assert run(*flags, "--patch_size=20") == 2  # other bags are another run
    assert "patches: '4 x 4 of 16 x 16 pixels" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--patch_stride=5"], "patch_stride should divide the input of 32 x 32"),
        (["--patch_size=64"], "patch_size should lie between"),
        (["--epochs_head=0", "--epochs_fine_tuning=0"], "epochs"),
        (["--weights=nowhere.keras"], "nowhere.keras"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(flags, words, class_folders, five_class_model, capsys):
    assert run(*flags) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and words in lines[0]


@pytest.mark.parametrize(
    "flags, path, path_of_train",
    [
        ([], "models/ResNetDemo_attention_mil.keras", "models/ResNetDemo.keras"),
        (["--model_name=VGG16"], "models/VGG16_attention_mil.keras", "models/VGG16.keras"),
        (["--weights=whole.keras"], "models/whole_attention_mil.keras", "models/whole.keras"),
        (["--output_model_path=mine.keras"], "mine.keras", "mine.keras"),
        (["--model_path=mine.keras"], "mine.keras", "mine.keras"),
    ],
)
def test_a_bag_model_does_not_take_the_place_of_that_of_train(flags, path, path_of_train):
    settings = read_training_settings(attention_mil.build_parser().parse_args(flags))
    assert command.find_model_path(settings, Bags()).as_posix() == path
    assert command.find_model_path(settings).as_posix() == path_of_train
