"""What the flags of training mean: network, weights, stages and labels, checked before TensorFlow is loaded."""

import argparse
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from planted import ROOT

from training.training_settings import Stage, add_training_flags, read_training_settings

FOLDERS = ("--train_images_folder_path=train", "--val_images_folder_path=val")


def read(*flags):
    parser = argparse.ArgumentParser()
    add_training_flags(parser, default_path="models/<model_name>.keras")
    return read_training_settings(parser.parse_args(flags))


def test_without_flags_the_embedded_network_is_trained_from_the_start_on_the_embedded_data():
    settings = read()
    assert (settings.image_folders, settings.model_name, settings.weights) == (None, "ResNetDemo", "none")
    assert settings.stages == (Stage("all_layers", 120, 2e-3, 60, batch_size=16, seed=0),)
    assert (settings.label_level, settings.taxonomy, settings.model_path) == ("style", None, None)


def test_on_folders_a_resnet_of_imagenet_is_trained_in_two_stages():
    settings = read(*FOLDERS, "--batch_size=4", "--seed=3")
    assert settings.image_folders == ("train", "val")
    assert (settings.model_name, settings.weights) == ("ResNet", "imagenet")
    assert settings.stages == (Stage("head", 100, 1e-3, 10, 4, 3), Stage("fine_tuning", 20, 1e-4, 10, 4, 3))


def test_the_flags_of_a_stage_are_its_own_and_a_stage_without_epochs_is_left_out():
    settings = read(*FOLDERS, "--epochs_head=0", "--epochs_fine_tuning=7", "--learning_rate_fine_tuning=0.5")
    assert settings.stages == (Stage("fine_tuning", 7, 0.5, 10),)
    assert read("--epochs_fine_tuning=7", "--patience=2").stages == (Stage("all_layers", 7, 2e-3, 2),)


def test_a_saved_model_as_weights_needs_no_name():
    settings = read(*FOLDERS, "--weights=whole.keras")
    assert (settings.model_name, settings.weights) == (None, "whole.keras")


@pytest.mark.parametrize("flag", ["--output_model_path", "--model_path"])
def test_the_path_of_the_model_is_read_under_its_old_name_too(flag):
    assert read(f"{flag}=mine.keras").model_path == Path("mine.keras")


def test_settings_stay_as_they_are():
    with pytest.raises(FrozenInstanceError):
        read().seed = 1


@pytest.mark.parametrize(
    "flags, words",
    [
        (FOLDERS[:1], "must be given together"),
        (["--label_level=species"], "--label_level should be one of style, monument; got 'species'"),
        (["--multi_label=labels.csv", "--taxonomy=tree.csv"], "--taxonomy is for one label an image"),
        (["--epochs_head=3"], "--epochs_head has no effect with --weights=none"),
        (["--learning_rate_head=1"], "--learning_rate_head has no effect with --weights=none"),
        (["--epochs_fine_tuning=0"], "nothing to train"),
        (["--output_model_path=model.h5"], "--output_model_path should be a file that ends in .keras; got 'model.h5'"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(flags, words):
    with pytest.raises(ValueError, match=words):
        read(*flags)


@pytest.mark.parametrize("command", ["train", "attention_mil"])
def test_a_setting_that_is_refused_waits_for_no_library(command):
    code = (
        f"import sys, {command}\n"
        f"assert {command}.main(['--epochs_fine_tuning=0']) == 2\n"
        "sys.exit(bool({'tensorflow', 'keras', 'matplotlib'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True).returncode == 0
