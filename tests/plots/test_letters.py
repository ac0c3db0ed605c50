"""Text on figures: measured as it is drawn, drawn where matplotlib would, by a font that has its letters."""

import warnings

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from plots import drawing, letters


def ink(figure):
    """Where a figure is not white: (top, bottom, left, right) in pixels, and how dark it is in all."""
    figure.canvas.draw()
    dark = 255 - np.asarray(figure.canvas.buffer_rgba())[..., :3].mean(axis=2)
    rows, columns = np.nonzero(dark > 40)
    return np.array([rows.min(), rows.max(), columns.min(), columns.max()]), dark.sum()


@pytest.mark.parametrize("rotation", [0, 90])
@pytest.mark.parametrize("text", ["probability", "Ágora, 0.97", "i"])
def test_a_text_lies_where_matplotlib_puts_it(text, rotation):
    found = []
    for canvas in (letters.TextCanvas, FigureCanvasAgg):
        figure = drawing.new_figure(3, 3)
        figure.text(0.5, 0.4, text, size=20, rotation=rotation, color="#333333", va="baseline")
        canvas(figure)
        found.append(ink(figure))
    (box, darkness), (expected, expected_darkness) = found
    assert np.abs(box - expected).max() <= 2
    assert darkness == pytest.approx(expected_darkness, rel=0.1)


def test_a_text_is_no_wider_than_it_is_measured():
    for text in ("a short one", "WWWWWiiiii", "Edzná 0.97"):
        figure = drawing.new_figure(4, 1)
        figure.text(0.1, 0.5, text, size=10)
        box, _ = ink(figure)
        assert 0.9 * letters.measure_text(text, 10) <= (box[3] - box[2]) / figure.dpi <= letters.measure_text(text, 10)


def test_a_text_is_written_by_a_font_that_has_its_letters(monkeypatch):
    # Stands in for a font of Chinese: matplotlib brings one whose letters the usual font has not.
    monkeypatch.setattr(letters, "FAMILIES_CJK", ("no such font", "STIXGeneral"))
    letters.find_family.cache_clear()
    only_there = next(
        chr(code) for code in sorted(letters._letters_of("STIXGeneral") - letters._letters_of("DejaVu Sans"))
    )
    assert letters.find_family("plain") == letters.find_family("Edzná") == "DejaVu Sans"
    assert letters.find_family(f"a {only_there}") == "STIXGeneral"
    assert drawing.write(drawing.new_figure(1, 1), 0, 0.5, only_there, 1).get_family() == ["STIXGeneral"]
    letters.find_family.cache_clear()


def test_letters_that_no_font_has_are_drawn_as_boxes_without_a_warning(tmp_path):
    from output.files import figure_saver

    figure = drawing.new_figure(2, 1)
    drawing.write(figure, 0.2, 0.5, "\U000f0000 \u5de5\u4f5c", 1.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for ending in ("png", "pdf", "svg"):
            figure_saver(figure)(tmp_path / f"figure.{ending}")
