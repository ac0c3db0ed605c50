"""ResNet18: as many weights and maps as in the paper's table; read by name, to be trained from the start."""

import keras
import numpy as np
import pytest
from planted import noise

from network import transfer, zoo
from network.classifier import Classifier


def test_it_has_the_weights_of_torchvision_and_the_maps_of_the_papers_table():
    model = zoo.build("ResNet18", weights=None)
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == 11_689_512
    sizes = {
        name: model.get_layer(name).output.shape[1:]
        for name in ("conv1_relu", *(f"conv{n}_block2_out" for n in range(2, 6)))
    }
    assert list(sizes.values()) == [(112, 112, 64), (56, 56, 64), (28, 28, 128), (14, 14, 256), (7, 7, 512)]


def test_a_block_is_the_relu_of_the_sum_of_its_ways():
    model = zoo.build("ResNet18", weights=None, input_shape=(64, 64, 3), classes=3)
    names = ("conv2_block2_out", "conv3_block1_0_bn", "conv3_block1_2_bn", "conv3_block1_out")
    outputs = keras.Model(model.input, [model.get_layer(name).output for name in names])(noise(1, 64) / 255)
    before, shortcut, inner, after = map(np.asarray, outputs)
    assert before.shape == (1, 16, 16, 64) and after.shape == (1, 8, 8, 128)
    np.testing.assert_allclose(after, np.maximum(shortcut + inner, 0), atol=1e-5)
    kernel = model.get_layer("conv3_block1_0_conv").get_weights()[0][0, 0]
    np.testing.assert_allclose(shortcut * np.sqrt(1 + 1e-5), before[:, ::2, ::2] @ kernel, rtol=1e-3, atol=1e-4)


def test_it_is_a_backbone_to_train_from_the_start_and_has_no_other_weights():
    backbone = transfer.load_backbone("resnet18", "none")
    assert (backbone.model_name, backbone.preprocessing, backbone.input_size) == ("ResNet18", "torch", (224, 224))
    assert backbone.model.output.shape[1:] == (7, 7, 512)
    assert transfer.choose_first_layer(backbone, None) == "conv5_block1_1_conv"
    assert Classifier(transfer.add_head(backbone, 3, 0), "ResNet18").layer_name == "conv5_block2_out"
    with pytest.raises(ValueError, match="no ImageNet weights of ResNet18 in Keras: train.py .* --weights=none"):
        transfer.load_backbone("ResNet18", "imagenet")
