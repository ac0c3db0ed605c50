"""The figures of a dissection say what the tables hold."""

from collections import Counter

import numpy as np
import pytest

from plots import drawing
from units import dissection_figures


def bars(axes):
    """Label of each row -> the widths of its bars."""
    names = [label.get_text() for label in axes.get_yticklabels()]
    found = {name: [] for name in names}
    for bar in axes.patches:
        found[names[round(bar.get_y() + bar.get_height() / 2)]].append(bar.get_width())
    return found


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_a_unit_is_bright_where_it_is_active_and_its_concept_is_outlined():
    image = np.full((40, 60, 3), 240, np.uint8)
    marked, concept = np.zeros((2, 40, 60), bool)
    marked[:, :20], concept[10:30, 30:50] = True, True
    shown = dissection_figures.represent_unit(image, marked, concept)
    assert (shown[5, 5] == 240).all() and (shown[5, 25] == 80).all() and (shown[20, 40] == 80).all()
    assert (shown[10, 40] == (240, 228, 66)).all(), "the outline, in the yellow of Okabe and Ito"
    assert (image == 240).all(), "the image is left as it was"
    for without in (None, np.ones((40, 60), bool), np.zeros((40, 60), bool)):
        assert set(np.unique(dissection_figures.represent_unit(image, marked, without))) == {80, 240}


@pytest.mark.parametrize("outlined, note", [(True, "outlined: dome"), (False, "over the threshold")])
def test_the_figure_of_a_unit_names_it_and_shows_every_image(outlined, note):
    row = {"layer": "conv", "unit": 3, "concept": "dome", "iou": 0.1234}
    pictures = [np.zeros((20, 30, 3), np.uint8)] * 5
    figure = dissection_figures.figure_unit(row, pictures, list("abcde"), outlined)
    assert len(figure.axes) == 5
    [heading] = [text.get_text() for text in figure.texts]
    assert heading.startswith("conv, unit 3: dome, IoU 0.123 (bright") and note in heading


def test_the_histogram_has_a_panel_per_layer_with_one_scale():
    counts = {"conv1": Counter(dome=1), "conv2": Counter(dome=2, arch=7), "conv3": Counter()}
    figure = dissection_figures.figure_histogram(counts, "a title")
    one, two, three = figure.axes
    assert bars(one) == {"arch": [0], "dome": [1]}, "the most detected concept first"
    assert [bar.get_width() for bar in two.patches] == [7, 2]
    assert one.get_xlim() == two.get_xlim() == three.get_xlim()
    assert "9 detectors, 2 concepts" in texts(figure) and "0 detectors, 0 concepts" in texts(figure)


def test_a_histogram_of_one_layer_has_room_for_its_title():
    title = "detectors of ResNetDemo: IoU over 0.04, 142 images"
    figure = dissection_figures.figure_histogram({"conv": Counter({"arch": 3})}, title)
    assert [text.get_text() for text in figure.texts] == [title]


def test_a_histogram_of_nothing_says_so():
    assert dissection_figures.NONE_FOUND in texts(dissection_figures.figure_histogram({"conv": Counter()}))


def test_a_histogram_of_many_concepts_shows_the_most_detected(monkeypatch):
    monkeypatch.setattr(dissection_figures, "CONCEPTS_SHOWN", 3)
    counts = {"conv": Counter({f"c{k}": k for k in range(1, 8)})}
    figure = dissection_figures.figure_histogram(counts)
    assert list(bars(figure.axes[0])) == ["c7", "c6", "c5"]
    assert any(text.get_text() == "3 of 7 concepts" for text in figure.texts)


COMPARED = [
    {"concept": "dome", "first": 3, "second": 1, "found_in": "shared"},
    {"concept": "tower", "first": 2, "second": 0, "found_in": "only the first"},
    {"concept": "slab", "first": 1, "second": 0, "found_in": "only the first"},
    {"concept": "arch", "first": 0, "second": 4, "found_in": "only the second"},
]


def test_the_comparison_cuts_one_bar_in_three_and_sets_detectors_against_each_other():
    figure = dissection_figures.figure_comparison(COMPARED, ("one", "other"), "a title")
    venn, detectors = figure.axes
    assert [(bar.get_x(), bar.get_width()) for bar in venn.patches] == [(0, 2), (2, 1), (3, 1)]
    labels = [text.get_text() for text in venn.get_legend().get_texts()]
    assert labels == ["only one: 2", "both: 1", "only other: 1"]
    assert bars(detectors) == {"dome": [-3, 1], "tower": [-2, 0], "slab": [-1, 0], "arch": [0, 4]}
    assert [text.get_text() for text in detectors.texts] == ["3", "2", "1", "1", "4"], "no signs"


def test_a_comparison_of_nothing_says_so():
    assert dissection_figures.NONE_FOUND in texts(dissection_figures.figure_comparison([], ("one", "other")))


def test_text_stays_within_the_figure():
    long = [{**row, "concept": f"a concept of a very long name indeed, number {k}"} for k, row in enumerate(COMPARED)]
    names = ("a model of a long name", "its random twin of a long name")
    histogram = {"a_layer_of_a_very_long_name_indeed/and_more": Counter(row["concept"] for row in long)}
    for figure in (
        dissection_figures.figure_comparison(long, names, "t"),
        dissection_figures.figure_histogram(histogram, "t"),
    ):
        figure.canvas.draw()
        box = figure.get_tightbbox()
        width, height = figure.get_size_inches()
        assert box.x0 > -0.02 and box.y0 > -0.02 and box.x1 < width + drawing.GAP and box.y1 < height + 0.02
