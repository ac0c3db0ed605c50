"""What names of files and classes tell, the last layers of the zoo, and modules that are left out."""

import importlib
import sys

import numpy as np
import pytest

import utils
from utils import find_class, find_model_name, get_image_index, get_last_layer_name, hide_modules, parse_mexculture_name


def test_an_array_that_varies_by_rounding_alone_is_constant_and_no_colour_is_made_of_it():
    rounded = np.float32([[0.7, np.nextafter(np.float32(0.7), np.float32(1))]])
    assert utils.is_constant(rounded) and not utils.is_constant(np.float32([[0, 1e-20]]))
    np.testing.assert_array_equal(utils.normalise(rounded), [[0, 0]])
    figure = utils.grid_layout([rounded], ["constant"])
    [axes] = figure.axes  # no bar of values beside it
    np.testing.assert_array_equal(axes.images[0].get_array(), [[0, 0]])


def test_a_batch_is_a_slice_and_the_last_one_is_what_is_left():
    assert [list(batch) for batch in utils.in_batches(range(5), 2)] == [[0, 1], [2, 3], [4]]
    assert list(utils.in_batches("abc", 3)) == ["abc"] and list(utils.in_batches([], 3)) == []


def test_a_mexculture_name_is_taken_apart():
    parts = parse_mexculture_name("Modern_PlazaGuardiola_CiudaddeMexico_N_12.png")
    assert parts == ("Modern", "PlazaGuardiola", "CiudaddeMexico", 12)
    assert parse_mexculture_name("Modern_PlazaGuardiola_CiudaddeMexico_GFDM_N_12.png") == parts
    assert parse_mexculture_name("Modern_Casa_de_Barragan_Jalisco_N_1.png").monument == "Casa_de_Barragan"


@pytest.mark.parametrize("name", ["cat.png", "n01443537_fish.JPEG", "Modern_N_1.png", "a_b_c_N_x.png", ""])
def test_other_names_are_not_mexculture_names(name):
    assert parse_mexculture_name(name) is None


@pytest.mark.parametrize(
    ("class_names", "index"),
    [
        (["Colonial", "Modern"], 1),
        (["COLONIAL", "modern"], 1),
        (["Modern_A_B", "Modern_Plaza_Mexico"], 1),
        (["Modern_Plaza_Mexico", "Modern"], 1),  # the style comes first
        (["cat", "dog"], None),
        ([], None),
    ],
)
def test_the_class_of_an_image_is_in_its_name(class_names, index):
    assert get_image_index("Modern_Plaza_Mexico_N_1.png", class_names) == index


def test_a_class_is_found_whatever_the_case_the_blanks_and_the_kind_of_accents():
    names = ["African_elephant", "\u00e9l\u00e9phant"]
    assert find_class("african elephant", names) == 0
    assert find_class("E\u0301le\u0301phant", names) == 1


def test_a_name_of_two_classes_tells_neither():
    assert find_class("crane", ["crane", "goldfish", "crane"]) is None


def test_the_last_layer_is_the_zoos():
    assert get_last_layer_name("ResNet") == "conv5_block3_out"
    assert get_last_layer_name("vgg16") == "block5_conv3"
    with pytest.raises(ValueError, match="unknown model_name 'resnet51'; did you mean ResNet50"):
        get_last_layer_name("resnet51")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("ResNet", "ResNet"),
        ("resnet", "ResNet"),
        ("RESNET50", "ResNet50"),
        ("efficientnetv2b0", "EfficientNetV2B0"),
        ("mobilenet_v2", "MobileNetV2"),
        ("convnext-tiny", "ConvNeXtTiny"),
        ("resnetdemo", "ResNetDemo"),
    ],
)
def test_a_network_is_found_in_any_letter_case(written, meant):
    assert find_model_name(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"), [("MobilNetV2", "MobileNetV2"), ("VGG18", "VGG1"), ("EfficentNetB3", "EfficientNetB3")]
)
def test_a_slip_in_a_name_is_asked_about(written, meant):
    with pytest.raises(ValueError, match=f"unknown model_name '{written}'; did you mean .*{meant}.*\\?"):
        find_model_name(written)


def test_a_name_of_no_network_lists_them_all():
    with pytest.raises(ValueError, match="choose from: ResNet, .*VGG16, .*ResNetDemo"):
        find_model_name("AlexNet")


def test_a_hidden_module_cannot_be_imported_meanwhile_and_can_afterwards(monkeypatch):
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with hide_modules(["this", "json"]):
        assert importlib.util.find_spec("json"), "what is imported already stays"
        with pytest.raises(ImportError):
            importlib.import_module("this")
    assert "this" not in sys.modules and importlib.util.find_spec("this")
