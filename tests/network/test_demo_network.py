"""ResNetDemo, and the trained one of the repository: small, right, and looking where it should."""

import keras
import numpy as np
import pytest
from planted import ROOT, noise

import constants
import utils
from gradcam import GradCAM
from network import model_files
from network.demo_network import build_demo_network
from network.model_files import DEMO_MODEL_PATH
from scenes import demo_data

DEMO_MODEL = ROOT / "network" / DEMO_MODEL_PATH


def test_the_network_sees_128_pixels_or_more_and_its_last_map_is_8_x_8_or_finer():
    for side in (128, 160):
        network = build_demo_network(side)
        assert network.output.shape[1:3] == (side // 8, side // 8)
    assert network.count_params() < 700_000


def test_a_side_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="multiple of 8; got 130"):
        build_demo_network(130)


def test_a_feature_sees_49_pixels_and_no_more():
    network = build_demo_network(128)
    image = noise(1, 128)
    changed = image.copy()
    changed[:, 64:, :] = 0  # everything below the middle
    features, others = network(image / 127.5 - 1).numpy(), network(changed / 127.5 - 1).numpy()
    same = np.abs(features - others).max(axis=(0, 2, 3)) == 0  # by row of the map
    assert same[:4].all() and not same[7]


def test_the_same_seed_draws_the_same_weights():
    networks = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        networks.append(build_demo_network())
    for one, other in zip(*(network.get_weights() for network in networks)):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def views():
    """Images (n, 128, 128, 3), the shares of their pixels that are parts of the style, and class indices."""
    names = demo_data.demo_names("val")[::4]  # the styles in turn
    images, shares = [], []
    for name in names:
        image, part_masks = demo_data.draw_scene(name)
        images.append(utils.resize_image(image, 128, 128))
        parts = np.any(list(part_masks.values()), axis=0).astype(np.float32)
        shares.append(utils.resize_image(parts[..., None].repeat(3, axis=2), 128, 128)[..., 0])
    labels = np.array([constants.STYLES.index(name.split("_")[0]) for name in names])
    return np.stack(images), np.stack(shares), labels


def test_the_trained_network_is_small_and_knows_its_classes():
    assert DEMO_MODEL.stat().st_size <= 3 * 2**20
    classifier, _ = model_files.load_classifier(model_path=DEMO_MODEL)
    assert tuple(classifier.class_names) == constants.STYLES
    assert classifier.model_name == constants.MODEL_NAME_DEMO
    assert classifier.preprocessing == "tf"


def test_the_trained_network_is_right_and_looks_at_the_parts_that_tell_the_style(views):
    images, shares, labels = views
    classifier, _ = model_files.load_classifier(model_path=DEMO_MODEL)
    assert (classifier.predict(images).argmax(axis=1) == labels).mean() >= 0.95
    maps = GradCAM(classifier, None, images, labels).compute_saliency_map()
    energy = (maps * shares).sum(axis=(1, 2)) / np.maximum(maps.sum(axis=(1, 2)), 1e-9)
    ratio = energy / shares.mean(axis=(1, 2))
    assert ratio.mean() >= 2
    for index, style in enumerate(constants.STYLES):
        assert ratio[labels == index].mean() >= 2, style
