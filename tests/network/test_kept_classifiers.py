"""Which classifier a Keras model is asked by: one, as long as its weights are the same."""

import keras
from planted import planted_model

from network.kept_classifiers import as_classifier


def test_a_classifier_is_taken_as_it_is(planted_classifier):
    assert as_classifier(planted_classifier, "VGG16") is planted_classifier


def test_one_classifier_is_kept_for_a_keras_model_until_its_weights_change():
    model = planted_model()
    first = as_classifier(model, None)
    assert as_classifier(model, None) is first
    assert as_classifier(model, "VGG16") is not first
    layer = model.get_layer("logits")
    layer.bias.assign(layer.bias + 1)
    assert as_classifier(model, None) is not first


def test_two_models_of_the_same_weights_are_two_models():
    one, other = planted_model(), planted_model([keras.layers.Activation("sigmoid")])
    assert as_classifier(one, None) is not as_classifier(other, None)
    assert as_classifier(other, None).score.function == "sigmoid"
