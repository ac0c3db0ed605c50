"""Figures and tables of activations: what a title says, which region is framed, which rows are listed."""

import numpy as np

from network.tokens import stretched
from units import activation_maps
from units.top_images import TopImages


def test_the_title_of_a_map_gives_its_range_or_says_that_it_is_silent():
    features = np.zeros((4, 4, 3), np.float32)
    features[0, 0, 1] = -2
    texts = [activation_maps._describe_range(features[..., k]) for k in range(2)]
    assert texts == ["silent", "-2 to 0"]


def test_an_image_that_leaves_a_channel_silent_has_no_region(image):
    silent, excited = np.zeros((4, 4), np.float32), np.eye(4, dtype=np.float32)
    whole = stretched(4, 4, 1)
    shown = [activation_maps.Excited("one.png", image, activation, whole) for activation in (silent, excited)]
    figure = activation_maps.figure_top_images([(5, shown)], "title")
    assert [len(axes.patches) for axes in figure.axes] == [0, 0, 1, 0]
    assert [text.get_text() for axes in figure.axes[:2] for text in axes.texts] == ["silent", "one.png", "no region"]


class Named:
    def __init__(self, name):
        self.name = name


def test_the_table_of_top_images_lists_every_channel_by_rank_and_no_empty_place():
    top = TopImages.empty(2, 2)
    top.add([0], np.float32([[1.5, 3.0]]))
    top.add([1], np.float32([[2.5, 0.25]]))
    rows = activation_maps.list_top_images("layer", [Named("a.png"), Named("b.png")], top)
    assert [(row["channel"], row["rank"], row["image"], row["peak"]) for row in rows] == [
        (0, 1, "b.png", "2.5"),
        (0, 2, "a.png", "1.5"),
        (1, 1, "a.png", "3"),
        (1, 2, "b.png", "0.25"),
    ]
    of_one = TopImages.empty(1, 2)
    of_one.add([0], np.float32([[1.0]]))
    assert len(activation_maps.list_top_images("layer", [Named("a.png")], of_one)) == 1
