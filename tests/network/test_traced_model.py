"""A traced model runs its layers one by one, and is entered as deep as the layer that is looked for stands."""

import keras
import numpy as np
import pytest
import transformers
from planted import assert_close, noise
from twins import residual_model

from network.traced_model import open_traced


def trace(model):
    return open_traced(model, model.input_shape[1:])


def test_a_run_gives_what_the_model_gives_and_takes_what_stands_in_for_a_layers_output_or_weights():
    model = residual_model()
    traced, images = trace(model), noise(2, model.input_shape[1])
    assert_close(traced.run(images), model.predict(images, verbose=0))

    def mute(path, layer, args, kwargs):
        return 0 * layer(*args, **kwargs)

    assert not np.any(traced.run(images, mute))
    last = model.layers[-1]
    muted = [(weight, 0 * weight.value) for weight in last.weights]
    silent = last.activation(keras.ops.zeros((2, model.output_shape[-1])))
    assert_close(traced.run(images, weights=muted), silent)


def test_a_layer_of_ones_own_is_entered_as_deep_as_the_name_stands():
    model = transformers.vit_of_layers()
    traced, images = trace(model), noise(2, transformers.SIDE)
    in_sight = [step.path for step in traced.steps]
    for name in ("encoder", "encoder/block_1", "encoder/block_2/first_norm"):
        deeper, [layer] = traced.find_layers([name])
        assert layer.path == name and (deeper is traced) == (name == "encoder")
        assert_close(deeper.run(images), model.predict(images, verbose=0))
    assert [step.path for step in traced.steps] == in_sight  # it stays as it was


def test_a_name_that_stands_nowhere_is_told_with_the_layers_in_plain_sight():
    traced = trace(transformers.vit_of_layers())
    with pytest.raises(ValueError, match="no layer 'nowhere' with a feature map; choose among"):
        traced.find_layers(["nowhere"])
