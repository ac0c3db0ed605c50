"""What is to be visualized: targets of the planted classifier, the methods they are shared among, names of files."""

import pytest
import transformers

import constants
from network.classifier import Classifier
from units import visualization
from units.visualization import VisualizationTarget, choose_method_settings, choose_targets, choose_work


def test_without_a_choice_every_class_is_a_target(planted_classifier):
    names = planted_classifier.class_names
    assert choose_targets(planted_classifier) == [
        VisualizationTarget("class", index, name) for index, name in enumerate(names)
    ]


def test_a_class_that_is_named_twice_is_one_target(planted_classifier):
    assert [target.index for target in choose_targets(planted_classifier, "2,0,2")] == [2, 0]


def test_a_layer_its_channels_and_their_neurons_are_targets(planted_classifier):
    assert choose_targets(planted_classifier, layer_name="colours") == [
        VisualizationTarget("layer", 0, "colours", "colours")
    ]
    channels = choose_targets(planted_classifier, layer_name="colours", channels=[2, 0])
    assert [(target.kind, target.index, target.layer) for target in channels] == [
        ("channel", 2, "colours"),
        ("channel", 0, "colours"),
    ]
    (neuron,) = choose_targets(planted_classifier, layer_name="colours", channels=[1], position=(2, 3))
    assert (neuron.kind, neuron.name, neuron.stem) == ("neuron", "colours, channel 1 at 2, 3", "neuron_1_2_3_colours")


def test_a_channel_that_the_layer_lacks_is_refused(planted_classifier):
    with pytest.raises(ValueError, match="layer 'colours' has 3 channels, 0 to 2; given: 7"):
        choose_targets(planted_classifier, layer_name="colours", channels=[0, 7])


def test_the_channels_and_positions_of_tokens_are_those_of_their_grid():
    classifier = Classifier(transformers.vit())
    (neuron,) = choose_targets(classifier, layer_name="block_1_norm_1", channels=[11], position=(3, 3))
    assert (neuron.index, neuron.position) == (11, (3, 3))
    with pytest.raises(ValueError, match=r"'block_1_norm_1' has 4 x 4 positions, counted from 0; \(4, 0\) is none"):
        choose_targets(classifier, layer_name="block_1_norm_1", channels=[11], position=(4, 0))


def test_a_target_goes_to_the_methods_asked_for_or_to_its_usual_one():
    of_class, channel = (
        VisualizationTarget("class", 0, "red"),
        VisualizationTarget("channel", 1, "colours, channel 1", "colours"),
    )
    assert choose_work([of_class, channel], None) == {"CLASS_IMPRESSION": [of_class], "FOURIER": [channel]}
    assert choose_work([of_class], ["FOURIER", "CLASS_MODEL"]) == {"FOURIER": [of_class], "CLASS_MODEL": [of_class]}


def test_the_number_of_steps_is_the_method_s_own_unless_given():
    usual = constants.VISUALIZATION_METHODS["FOURIER"]
    assert choose_method_settings(["FOURIER"], None) == {"FOURIER": usual}
    assert choose_method_settings(["FOURIER"], 7) == {"FOURIER": {**usual, "n_steps": 7}}


def test_a_doubt_says_whether_the_class_or_the_probability_is_not_the_wanted_one():
    row = {"target": "green", "verdict": "green", "probability": "0.506103", "target_probability": "0.506103"}
    assert "classified as it, but with 0.506 only" in visualization.describe_doubt(row)
    said = visualization.describe_doubt(row | {"verdict": "red", "target_probability": "0.200000"})
    assert "classified as 'red' with 0.506103, it has 0.200000" in said


def test_the_numbers_of_a_column_have_as_many_decimals():
    row = {"target": "a", "method": "FOURIER", "verdict": "b", "probability": "1.000000", "score_start": "-0.125331"}
    row |= {"score_end": "103.922", "steps": 256, "seconds": "9.480"}
    _, first, second = visualization.format_rows(
        [row, row | {"score_start": "0.5", "score_end": "36.2155"}]
    ).splitlines()
    assert first.split() == ["a", "FOURIER", "b", "1.000", "-0.13", "103.92", "256", "9.5"]
    assert second.split()[4:6] == ["0.50", "36.22"]
