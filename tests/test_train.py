"""Training: what is cut off, what is trained, what is written, and that a stopped run ends like an unbroken one."""

import json

import keras
import numpy as np
import pytest
from PIL import Image
from planted import head, noise, read_table, residual_backbone

import train
import utils
from data.images import read_image
from network import model_files, transfer, zoo
from network.classifier import Classifier
from training import command, stages
from training.loop import best_epoch

SETTINGS = {"preprocessing": "tf", "model_name": None}


def run(*flags, weights="whole.keras"):
    images = "--train_images_folder_path=train", "--val_images_folder_path=val"
    return train.main([*images, f"--weights={weights}", "--output_model_path=new.keras", *flags])


# --- the head is cut off ---------------------------------------------------------------------------------
def test_a_model_without_its_head_gives_the_same_features(five_class_model):
    model = model_files.load_model(five_class_model)
    backbone = transfer.load_backbone(None, str(five_class_model))
    images = noise(3)
    wanted = Classifier(model, preprocessing="tf").features(images)
    np.testing.assert_allclose(backbone.model(images / 127.5 - 1), wanted, rtol=1e-4, atol=1e-4)
    assert (backbone.preprocessing, backbone.input_size) == ("tf", (32, 32))


@pytest.mark.parametrize("wrap", ["in a Functional model", "in a Sequential model"])
def test_the_layers_of_a_nested_backbone_become_layers_of_the_new_model(wrap):
    inner = residual_backbone()
    if wrap == "in a Functional model":
        images = keras.Input((32, 32, 3))
        model = keras.Model(images, head()(inner(images)))
    else:
        model = keras.Sequential([inner, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3, "softmax")])
    backbone = transfer.cut_head(model, None, {})
    new = transfer.add_head(backbone, 2, seed=0)
    assert new.get_layer("block_2_conv") is inner.get_layer("block_2_conv")
    assert not any(isinstance(layer, keras.Model) for layer in new.layers)
    np.testing.assert_allclose(backbone.model(noise(2)), inner(noise(2)), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("names", ["a list", "a dictionary"])
def test_the_head_is_cut_off_however_the_model_names_its_input(names, recwarn):
    inner = residual_backbone()
    inputs = [inner.input] if names == "a list" else {"photograph": inner.input}
    backbone = transfer.cut_head(keras.Model(inputs, head()(inner.output)), None, {})
    np.testing.assert_allclose(backbone.model(noise(2)), inner(noise(2)), rtol=1e-4, atol=1e-3)
    assert not [warning for warning in recwarn if "structure" in str(warning.message)]


@pytest.mark.parametrize("include_top", [True, False])
def test_a_weights_file_fits_with_its_head_or_without(include_top, tmp_path):
    model = zoo.build("MobileNet", weights=None, include_top=include_top, input_shape=(224, 224, 3))
    model.save_weights(tmp_path / "mobilenet.weights.h5")
    backbone = transfer.load_backbone("MobileNet", str(tmp_path / "mobilenet.weights.h5"))
    assert backbone.model.layers[-1].name == "conv_pw_13_relu"
    for layer in backbone.model.layers:
        for one, other in zip(layer.get_weights(), model.get_layer(layer.name).get_weights() if layer.weights else []):
            np.testing.assert_array_equal(one, other)


# --- what is trained -------------------------------------------------------------------------------------
def test_fine_tuning_leaves_the_layers_before_the_block_as_they_were_bit_for_bit(class_folders, five_class_model):
    before = model_files.load_model(five_class_model)
    assert run("--fine_tune_from=block_2_conv", "--epochs_head=1", "--epochs_fine_tuning=2") == 0
    after = model_files.load_model("new.keras")
    for name in ("stem_conv", "stem_bn", "block_1_conv", "block_1_bn", "block_2_bn"):
        for one, other in zip(before.get_layer(name).get_weights(), after.get_layer(name).get_weights()):
            np.testing.assert_array_equal(one, other)
    kernels = [model.get_layer("block_2_conv").get_weights()[0] for model in (before, after)]
    assert np.abs(kernels[0] - kernels[1]).max() > 0


def test_the_head_stage_leaves_the_whole_backbone_as_it_was(class_folders, five_class_model):
    assert run("--epochs_head=2", "--epochs_fine_tuning=0") == 0
    before, after = model_files.load_model(five_class_model), model_files.load_model("new.keras")
    for one, other in zip(before.get_weights()[:-2], after.get_weights()[:-2], strict=True):
        np.testing.assert_array_equal(one, other)


def test_without_weights_every_layer_is_trained(class_folders):
    keras.utils.set_random_seed(0)
    untrained = transfer.load_backbone("ResNetDemo", "none").model
    assert run("--model_name=ResNetDemo", "--epochs_fine_tuning=1", "--batch_size=4", weights="none") == 0
    trained = model_files.load_model("new.keras")
    for layer in untrained.layers:
        for one, other in zip(layer.get_weights(), trained.get_layer(layer.name).get_weights()):
            assert np.abs(one - other).max() > 0, layer.name


def test_the_averages_of_batch_norms_follow_in_the_first_epochs_when_all_layers_are_trained():
    slow = keras.layers.BatchNormalization(momentum=0.99)
    quick = keras.layers.BatchNormalization(momentum=0.5)
    model = keras.Sequential([keras.Input((4, 4, 3)), slow, quick])
    stages.quicken_norms(model)
    assert (slow.momentum, quick.momentum) == (0.9, 0.5)
    for _ in range(20):  # batches of mean 10: of 0.99 the average would be 1.8 by now
        slow(np.full((2, 4, 4, 3), 10, np.float32), training=True)
    np.testing.assert_allclose(slow.moving_mean, 10 * (1 - 0.9**20), rtol=1e-4)


def test_the_size_of_images_can_be_chosen_where_no_file_has_fixed_it(class_folders, five_class_model, capsys):
    assert run("--model_name=ResNetDemo", "--input_size=40", "--epochs_fine_tuning=1", weights="none") == 0
    classifier, _ = model_files.load_classifier(model_path="new.keras")
    assert (classifier.input_height, classifier.input_width) == (40, 40)
    assert run("--input_size=40") == 2
    assert "--input_size has no effect with --weights=whole.keras" in capsys.readouterr().err
    assert run("--model_name=MobileNet", "--input_size=8", weights="none") == 2
    assert "cannot build MobileNet for images of 8 x 8 pixels" in capsys.readouterr().err


# --- what is written -------------------------------------------------------------------------------------
def test_the_model_file_carries_what_main_needs_and_says_what_the_run_measured(class_folders, five_class_model):
    assert run("--epochs_head=3", "--epochs_fine_tuning=1") == 0
    classifier, _ = model_files.load_classifier(model_path="new.keras")
    assert classifier.class_names == ["green", "red"]  # sorted, as Keras does
    assert (classifier.preprocessing, classifier.input_height, classifier.n_classes) == ("tf", 32, 2)
    rows = read_table("new_training/validation.csv")
    assert len(rows) == 8
    for row in rows:
        image = utils.resize_image(read_image(class_folders / "val" / row["image"]), 32, 32)
        probability = classifier.predict(image[None])[0, classifier.class_index_of(row["true"])]
        assert float(row["true_probability"]) == pytest.approx(probability, abs=1e-4)
        assert row["image"].startswith(row["true"])
    values = [float(row["true_probability"]) for row in rows]
    assert values == sorted(values)  # the worst first
    accuracy = np.mean([row["true"] == row["predicted"] for row in rows])
    assert json.loads((class_folders / "new_training/run.json").read_text())["val_accuracy"] == accuracy
    matrix = read_table("new_training/confusion_matrix.csv")
    assert sum(int(row[name]) for row in matrix for name in ("green", "red")) == 8
    for name in ("accuracy_loss", "confusion_matrix", "worst"):
        assert Image.open(class_folders / "new_training" / f"{name}.png").size[0] > 200
    assert not list((class_folders / "new_training").glob("*.npz"))


def test_the_loss_of_the_head_is_measured_again_by_the_classifier(class_folders, five_class_model):
    assert run("--epochs_head=3", "--epochs_fine_tuning=0") == 0
    history = [float(row["val_loss"]) for row in read_table("new_training/history.csv")]
    losses = [-np.log(float(row["true_probability"])) for row in read_table("new_training/validation.csv")]
    assert np.mean(losses) == pytest.approx(history[best_epoch({"val_loss": history})], rel=1e-3)


# --- stopped and resumed ---------------------------------------------------------------------------------
def test_a_run_killed_between_two_epochs_ends_like_an_unbroken_one(class_folders, five_class_model, monkeypatch):
    flags = "--epochs_head=2", "--epochs_fine_tuning=2", "--fine_tune_from=block_1_conv"
    assert run(*flags) == 0
    history, weights = read_table("new_training/history.csv"), model_files.load_model("new.keras").get_weights()
    for epochs_done in (1, 2, 3):  # within the head's stage, at its end, in fine-tuning
        reports = []

        def kill(stage, history, reports=reports, epochs_done=epochs_done):
            reports.append(stage.name)
            if len(reports) == epochs_done:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(command, "print_epoch", kill)
            assert run(*flags, "--overwrite") == 130
        assert run(*flags) == 0
        resumed = read_table("new_training/history.csv")
        assert [row["stage"] for row in resumed] == ["head"] * 2 + ["fine_tuning"] * 2
        for one, other in zip(history, resumed, strict=True):
            for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
                assert float(one[name]) == pytest.approx(float(other[name]), rel=1e-5)
        for one, other in zip(weights, model_files.load_model("new.keras").get_weights(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_finished_run_is_not_trained_again_and_other_settings_are_refused(class_folders, five_class_model, capsys):
    flags = "--epochs_head=1", "--epochs_fine_tuning=0"
    assert run(*flags) == 0
    written = (class_folders / "new.keras").read_bytes()
    assert run(*flags) == 0
    assert (class_folders / "new.keras").read_bytes() == written
    assert run(*flags, "--seed=1") == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run(*flags, "--seed=1", "--overwrite") == 0
    assert (class_folders / "new.keras").read_bytes() != written


def test_a_model_that_no_run_made_is_not_replaced_unasked(class_folders, five_class_model, capsys):
    assert run("--output_model_path=whole.keras") == 2
    assert "whole.keras" in capsys.readouterr().err


# --- what is refused -------------------------------------------------------------------------------------
def spoil(class_folders, how):
    if how == "a class of its own in val":
        (class_folders / "val" / "green").rename(class_folders / "val" / "blue")
    elif how == "one class":
        for split in ("train", "val"):
            for path in (class_folders / split / "green").iterdir():
                path.unlink()
            (class_folders / split / "green").rmdir()
    elif how == "an empty class":
        (class_folders / "train" / "blue").mkdir()
    elif how == "a class of damaged images":
        for path in (class_folders / "train" / "green").iterdir():
            path.write_bytes(b"no image")


@pytest.mark.parametrize(
    "how, words",
    [
        ("a class of its own in val", "blue"),
        ("one class", "red"),
        ("an empty class", "blue"),
        ("a class of damaged images", "green"),
    ],
)
def test_classes_that_cannot_be_learnt_are_refused_in_one_line(how, words, class_folders, five_class_model, capsys):
    spoil(class_folders, how)
    assert run() == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and words in lines[0]


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--weights=nowhere.keras"], "nowhere.keras"),
        (["--weights=train/red/0.png"], "0.png"),
        (["--model_name=ResNet51", "--weights=none"], "ResNet51"),
        (["--model_name=ResNetDemo", "--weights=imagenet"], "ResNetDemo"),
        (["--fine_tune_from=nothing"], "nothing"),
        (["--epochs_head=0", "--epochs_fine_tuning=0"], "epochs"),
        (["--output_model_path=model.h5"], "model.h5"),
        (["--label_level=monument", "--val_images_folder_path=nowhere"], "nowhere"),
        (["--multi_label=labels.csv", "--label_level=style"], "--label_level is for one label an image"),
        (["--weights=none", "--epochs_head=3"], "--epochs_head has no effect with --weights=none"),
        (["--weights=none", "--fine_tune_from=block_2"], "--fine_tune_from has no effect with --weights=none"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(flags, words, class_folders, five_class_model, capsys):
    assert run(*flags) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and words in lines[0]


@pytest.mark.parametrize("exif, words", [("turn", "turned by their EXIF"), ("keep", "kept as they are stored")])
def test_what_is_left_out_and_how_photographs_are_read_is_said(class_folders, five_class_model, capsys, exif, words):
    turned = Image.new("RGB", (40, 30), "red")
    turned.getexif()[0x0112] = 6
    turned.save(class_folders / "train" / "red" / "turned.jpg", exif=turned.getexif())
    (class_folders / "val" / "red" / "drawing.eps").write_text("%!PS")
    assert run("--epochs_head=1", "--epochs_fine_tuning=0", f"--exif={exif}") == 0
    printed = capsys.readouterr().out
    assert "val: left out: 1 .eps, which is not read: red/drawing.eps" in printed
    assert any(line.startswith("train: read: 1 ") and words in line for line in printed.splitlines())
    settings = json.loads((class_folders / "new_training" / "run.json").read_text())["settings"]
    assert settings.get("exif", "turn") == exif


def test_a_folder_that_is_not_there_is_told_by_its_flag(class_folders, five_class_model, capsys):
    assert run("--val_images_folder_path=nowhere") == 2
    assert "--val_images_folder_path: a folder was wanted; there is none called 'nowhere'" in capsys.readouterr().err


def test_images_that_cannot_be_read_are_named_and_left_out(class_folders, five_class_model, capsys):
    (class_folders / "train" / "red" / "0.png").write_bytes(b"no image")
    assert run("--epochs_head=1", "--epochs_fine_tuning=0") == 0
    assert "0.png" in capsys.readouterr().err
    assert "11 in train" in (class_folders / "new_training/run.json").read_text()


def test_the_label_of_a_mexculture_name_is_its_style_or_its_monument(tmp_path):
    from data import labelled_images

    for name in ("Colonial_A_Puebla_N_1", "Colonial_B_Puebla_N_1", "Modern_C_Puebla_N_1"):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
    for level, wanted in (
        ("style", ["Colonial", "Modern"]),
        ("monument", ["Colonial_A_Puebla", "Colonial_B_Puebla", "Modern_C_Puebla"]),
    ):
        samples = labelled_images.list_labelled(tmp_path, level)
        assert labelled_images.list_classes(samples, samples) == wanted


def test_an_empty_path_is_refused_with_its_flag(capsys):
    with pytest.raises(SystemExit):
        train.main(["--val_images_folder_path="])
    assert "--val_images_folder_path: an empty path was given" in capsys.readouterr().err
