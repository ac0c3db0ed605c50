"""CAM by hand, as what Grad-CAM is before its ReLU, and the heads it takes and refuses."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from planted import DATA, assert_close, draw_weights, noise, residual_backbone
from twins import at_feature_size, residual_model, tiny_image, tiny_model

from explainers.cam import CAM
from gradcam import GradCAM
from network.classifier import Classifier


def with_head(*head):
    """The small residual network, (8, 8, 12) features, with these layers behind it."""
    backbone = residual_backbone()
    x = backbone.output
    for layer in head:
        x = layer(x)
    model = keras.Model(backbone.input, x)
    draw_weights(model)
    return model


def dense(activation=None, units=3):
    return layers.Dense(units, activation=activation, name="dense")


# --- the map ---------------------------------------------------------------------------------------------
def test_map_by_hand():
    # 4 A_0 - 8 A_1 = [[4, 8], [0, 4]] - [[0, 8], [8, 4]], and no ReLU; the other class's weights are the opposite
    one, other = (CAM(tiny_model(), None, tiny_image(), index).compute_saliency_map() for index in (0, 1))
    np.testing.assert_allclose(one, [[4, 0], [-8, 0]], atol=1e-5)
    np.testing.assert_allclose(other, [[-4, 0], [8, 0]], atol=1e-5)


def test_map_channel_by_channel_for_each_images_own_class():
    model = residual_model()
    classifier = Classifier(model)
    features, weights = classifier.features(noise(3)), model.get_layer("dense").get_weights()[0]
    naive = np.zeros((3, 8, 8))
    for image, class_index in enumerate([2, 0, 1]):
        for channel in range(12):
            naive[image] += weights[channel, class_index] * features[image, :, :, channel]
    assert naive.min() < 0 < naive.max()
    assert_close(at_feature_size(CAM(classifier, None, noise(3), [2, 0, 1])), naive)


def test_its_positive_part_over_the_number_of_positions_is_grad_cam():
    classifier = Classifier(residual_model())
    cam, gradcam = (at_feature_size(method(classifier, None, noise(3), [0, 1, 2])) for method in (CAM, GradCAM))
    assert gradcam.max() > 0
    assert_close(np.maximum(cam, 0) / 64, gradcam)


def test_the_mean_of_the_map_is_the_logit_without_its_bias():
    model = residual_model()
    maps = at_feature_size(CAM(model, None, noise(2), 1))
    bias = model.get_layer("dense").get_weights()[1][1]
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), model(noise(2))[:, 1] - bias, rtol=1e-4)


# --- heads -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "head",
    [
        [layers.GlobalAveragePooling2D(), layers.Dropout(0.5), dense("softmax")],
        [layers.GlobalAveragePooling2D(keepdims=True), layers.Flatten(), dense(), layers.Softmax()],
        [layers.AveragePooling2D(8), layers.Flatten(), dense(), layers.Activation("softmax")],
        [layers.AveragePooling2D((8, 8)), layers.Reshape((12,)), dense("sigmoid")],
        [layers.SpatialDropout2D(0.2), layers.GlobalAveragePooling2D(), dense()],
        [lambda x: ops.mean(x, axis=(1, 2)), dense()],
        [lambda x: ops.mean(x, axis=(-2, -3), keepdims=True), layers.Flatten(), dense("softmax")],
        [
            layers.GlobalAveragePooling2D(keepdims=True),
            layers.Conv2D(3, 1, name="scores"),
            layers.Reshape((3,)),
            layers.Softmax(),
        ],
        [layers.GlobalAveragePooling2D(keepdims=True), layers.Conv2D(3, 1, activation="softmax"), layers.Flatten()],
        [
            layers.GlobalAveragePooling2D(),
            layers.BatchNormalization(),
            layers.Dense(5, name="hidden"),
            dense("softmax"),
        ],
        [layers.GlobalAveragePooling2D(keepdims=True), layers.Conv2D(5, 1), layers.Conv2D(3, 1), layers.Flatten()],
    ],
    ids=lambda head: ", ".join(getattr(layer, "name", "a mean") for layer in head),
)
def test_a_mean_over_positions_and_one_dense_layer_is_taken_however_it_is_written(head):
    classifier = Classifier(with_head(*head))
    cam, gradcam = (at_feature_size(method(classifier, None, noise(2), 1)) for method in (CAM, GradCAM))
    assert_close(np.maximum(cam, 0) / 64, gradcam, relative=1e-4)


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ([layers.Flatten(name="flat"), dense()], r"found: flat \(Flatten\), dense \(Dense\)"),
        (
            [layers.GlobalAveragePooling2D(), layers.Dense(5, activation="tanh", name="hidden"), dense()],
            r"hidden \(Dense\), dense \(Dense\)",
        ),
        (
            [layers.GlobalAveragePooling2D(), layers.Dense(3, activation="relu", name="d"), layers.Softmax()],
            r"d \(Dense\)",
        ),
        ([layers.GlobalMaxPooling2D(name="maxima"), dense()], r"maxima \(GlobalMaxPooling2D\)"),
        ([layers.AveragePooling2D(4, name="parts"), layers.Flatten(), dense()], r"parts \(AveragePooling2D\)"),
        (
            [
                layers.GlobalAveragePooling2D(keepdims=True),
                layers.Conv2D(5, 1, activation="hard_swish", name="hidden"),
                layers.Conv2D(3, 1, name="scores"),
                layers.Reshape((3,)),
                layers.Softmax(),
            ],
            # MobileNetV3's head
            r"hidden \(Conv2D\), scores \(Conv2D\).*'hidden' behind the mean applies hard_sil?u?.*not linear",
        ),
        ([layers.GlobalAveragePooling2D(), layers.LayerNormalization(name="norm"), dense()], r"norm \(LayerNorm"),
    ],
    ids=["positions", "two dense", "a ReLU", "maxima", "means of parts", "two convolutions", "a layer norm"],
)
def test_another_head_is_refused_by_what_was_found(head, found):
    with pytest.raises(ValueError, match="a mean over positions and linear layers alone are wanted.*" + found):
        CAM(with_head(*head), None, noise(1), 0)


def test_a_layer_before_the_last_is_refused():
    with pytest.raises(ValueError, match="behind 'stem_relu'; found: block_1_conv"):
        CAM(Classifier(residual_model(), layer_name="stem_relu"), None, noise(1), 0)


def test_a_model_without_a_feature_map_is_refused():
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(2)])
    with pytest.raises(ValueError, match="a layer with a feature map"):
        CAM(model, None, noise(1, side=8), 0)


def test_one_unit_has_two_sides_that_are_each_others_opposite():
    model = with_head(layers.GlobalAveragePooling2D(), dense("sigmoid", units=1))
    against, speaks_for = (at_feature_size(CAM(model, None, noise(2), index)) for index in (0, 1))
    expected = Classifier(model).features(noise(2)) @ model.get_layer("dense").get_weights()[0][:, 0]
    assert_close(speaks_for, expected)
    assert_close(against, -expected)


def test_a_relu_that_is_used_twice_is_no_hindrance():
    relu, images = layers.ReLU(name="relu"), keras.Input((8, 8, 3))
    x = relu(layers.Conv2D(4, 3)(images))
    x = relu(layers.Conv2D(5, 3)(x))
    model = keras.Model(images, dense()(layers.GlobalAveragePooling2D()(x)))
    cam, gradcam = (at_feature_size(method(model, None, noise(1, side=8), 0)) for method in (CAM, GradCAM))
    assert cam.shape == (1, 4, 4)
    assert_close(np.maximum(cam, 0) / 16, gradcam)


def test_a_map_of_one_channel_per_class_is_the_class_activation_map():
    # SqueezeNet: a convolution gives the classes' maps, a ReLU, their mean, a softmax
    scores = layers.Conv2D(3, 1, name="scores"), layers.ReLU(name="maps")
    model = with_head(*scores, layers.GlobalAveragePooling2D(), layers.Softmax())
    classifier = Classifier(model)
    assert classifier.layer_name == "maps"
    maps = keras.Model(model.input, model.get_layer("maps").output)(noise(2)).numpy()
    assert_close(at_feature_size(CAM(classifier, None, noise(2), [2, 0])), np.stack([maps[0, ..., 2], maps[1, ..., 0]]))
    # and of the map before it no linear layer makes the classes'
    with pytest.raises(ValueError, match=r"found: scores \(Conv2D\), maps \(ReLU\)"):
        CAM(Classifier(model, layer_name="block_out"), None, noise(1), 0)


def test_a_linear_convolution_before_the_mean_is_one_behind_it():
    model = with_head(layers.Conv2D(3, 1, use_bias=False, name="scores"), layers.GlobalAveragePooling2D())
    earlier = Classifier(model, layer_name="block_out")
    cams = [at_feature_size(CAM(classifier, None, noise(2), 1)) for classifier in (Classifier(model), earlier)]
    assert_close(*cams)


@pytest.mark.parametrize("name", ["MobileNet", "ResNet50V2"])
def test_the_mean_of_the_map_is_the_logit_of_a_zoo_network(name):
    from network import zoo

    model = zoo.build(name, weights=None, classes=3)
    classifier = Classifier(model, name, input_size=None)
    image = noise(1, side=224)
    cam = at_feature_size(CAM(classifier, name, image, 1))
    layer = model.get_layer("conv_preds" if name == "MobileNet" else "predictions")
    bias = layer.get_weights()[1][1]
    np.testing.assert_allclose(cam.mean(axis=(1, 2)), classifier.logits(image)[:, 1] - bias, rtol=1e-3, atol=1e-5)
    keras.backend.clear_session()


@pytest.mark.data
def test_a_real_network_with_an_average_pooling_of_the_whole_map_is_taken():
    from network.model_files import load_model

    classifier = Classifier(load_model(DATA / "models" / "resnet8_cifar10.keras"))
    assert classifier.dense_weights().shape == (64, 10)
    cam, gradcam = (at_feature_size(method(classifier, None, noise(2), 3)) for method in (CAM, GradCAM))
    assert_close(np.maximum(cam, 0) / 64, gradcam, relative=1e-4)
