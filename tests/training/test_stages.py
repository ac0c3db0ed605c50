"""The stages of training: what each of them changes, and that one goes on where it was stopped."""

import numpy as np
import pytest
from planted import noise, residual_backbone

from data.labelled_images import LabelledImages
from network import transfer
from network.attention_layers import Bags
from training import stages
from training.training_settings import Stage


def test_the_head_alone_gives_what_the_whole_model_gives():
    model = transfer.add_head(transfer.Backbone(residual_backbone(), None, "none", (32, 32)), 3, seed=1)
    images = noise(5)
    pooled = stages.pool_features(model, images, "none", batch_size=2)
    np.testing.assert_allclose(transfer.build_head(model, 1)(pooled), model(images), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("stage, weights", [("head", "fixed"), ("all_layers", "trained")])
def test_a_stage_of_a_bag_model_trains_what_it_should_and_goes_on_where_it_was_stopped(stage, weights, tmp_path):
    backbone = transfer.Backbone(residual_backbone(), None, "none", (32, 32))
    images = LabelledImages(list("abcd"), noise(4).astype(np.uint8), np.array([0, 1, 0, 1]), ["x", "y"], [])
    plan = [Stage(stage, 2, 1e-2, 5, batch_size=2)]
    before = {}

    def train_model(folder, stopped):
        backbone.model.set_weights(weights_before)
        model = Bags(16, 16, gated=True, embedding=10, units=5).add_head(backbone, 2, seed=0)
        before.update({layer.name: layer.get_weights() for layer in model.layers})

        def report(stage, history):
            if stopped and len(history["loss"]) == 1:
                raise KeyboardInterrupt

        arguments = model, backbone, images, images, plan, None, folder
        if stopped:
            with pytest.raises(KeyboardInterrupt):
                stages.train_stages(*arguments, report, has_bags=True)
            stopped = False
        histories = stages.train_stages(*arguments, report, has_bags=True)
        assert len(histories[stage]["loss"]) == 2
        return model

    weights_before = backbone.model.get_weights()
    unbroken = train_model(tmp_path / "unbroken", stopped=False)
    trained = {layer.name: [weight.copy() for weight in layer.get_weights()] for layer in unbroken.layers}
    resumed = train_model(tmp_path / "resumed", stopped=True)
    own = {"instances", "attention_v", "attention_u", "attention_w", "head_predictions"}
    for layer in resumed.layers:
        if not layer.weights or layer.name == "head_dropout":
            continue
        for one, other in zip(trained[layer.name], layer.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
        changed = any(np.abs(one - other).max() > 0 for one, other in zip(before[layer.name], layer.get_weights()))
        assert changed == (layer.name in own or weights == "trained"), layer.name
        assert layer.trainable
