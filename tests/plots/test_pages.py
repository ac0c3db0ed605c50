"""Pages and single figures of `figures`, and `utils.grid_layout`: texts in place, shared axes, right values."""

import gc
from dataclasses import replace

import numpy as np
import pytest
from figure_texts import assert_texts_are_whole_and_apart, texts_of, words_of
from matplotlib.figure import Figure

import constants
import utils
from plots import drawing
from plots import pages as figures
from plots.panels import ExplainedImage

LONG = "Prehispanic_Estructura_VIII_de_Edzna_y_otras_$cosas$_muy_largas_Campeche"


@pytest.fixture
def row():
    rng = np.random.default_rng(0)
    fractions = np.linspace(0, 1, 21)
    return ExplainedImage(
        name=f"{LONG}_N_1.png",
        image=rng.integers(0, 256, (60, 120, 3), dtype=np.uint8),
        saliency_map=rng.random((28, 28)),
        label=LONG,
        target=LONG,
        top_classes=[(LONG, 0.7), ("WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW", 0.2), ("Modern", 0.1)],
        density_map=rng.random((60, 120)),
        density_note="simulated gaze",
        pcc=0.63,
        sim=0.5,
        insertion=(0.75, fractions**0.5, fractions),
        deletion=(0.25, 1 - fractions**0.5, fractions),
        note="a long note about this map that needs more than the two lines that it is given on the page",
    )


def axes_of(figure, heading):
    """The axes below a heading on a page of one row."""
    x = next(text for text in figure.texts if text.get_text() == heading).get_position()[0]
    return next(axes for axes in figure.axes if axes.get_position().x0 < x < axes.get_position().x1)


# --- grid_layout -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("n", [1, 3, 5, 10])
def test_titles_of_a_grid_lie_inside_the_figure_and_apart(n):
    images = [np.zeros((40 + 30 * (k % 3), 70, 3), np.uint8) for k in range(n)]
    figure = utils.grid_layout(images, [f"{LONG}\npredicted: {LONG} 0.97"] * n, f"{LONG} " * 3)
    assert_texts_are_whole_and_apart(figure)


@pytest.mark.parametrize(
    ("n", "shape"), [(1, (1, 1)), (4, (1, 4)), (5, (2, 3)), (7, (2, 4)), (9, (3, 3)), (10, (2, 5))]
)
def test_a_grid_is_one_row_up_to_four_and_nearly_square_beyond(n, shape):
    figure = utils.grid_layout([np.zeros((8, 8))] * n, ["title"] * n)
    places = [axes.get_position() for axes in figure.axes]
    n_rows, n_columns = len({round(p.y0, 4) for p in places}), len({round(p.x0, 4) for p in places})
    assert (n_rows, n_columns) == shape


def test_tall_and_wide_images_keep_their_aspect_in_cells_of_one_size():
    figure = utils.grid_layout([np.zeros((10, 40, 3), np.uint8), np.zeros((40, 10, 3), np.uint8)], ["a", "b"])
    figure.canvas.draw()
    wide, tall = (axes.images[0].get_window_extent() for axes in figure.axes)
    assert wide.width / wide.height == pytest.approx(4)
    assert tall.height / tall.width == pytest.approx(4)
    cells = [axes.get_window_extent() for axes in figure.axes]
    assert cells[0].size == pytest.approx(cells[1].size)
    assert (wide.y0 + wide.y1) / 2 == pytest.approx((cells[0].y0 + cells[0].y1) / 2)
    assert (tall.x0 + tall.x1) / 2 == pytest.approx((cells[1].x0 + cells[1].x1) / 2)


def test_a_photograph_of_many_pixels_is_shrunk_before_it_is_drawn_and_a_small_one_left():
    assert drawing.shrink(np.zeros((1, 9000, 3), np.uint8)).shape == (1, 420, 3)
    assert drawing.shrink(np.zeros((1200, 600, 3), np.uint8)).shape == (420, 210, 3)
    assert drawing.shrink(np.zeros((420, 300, 3), np.uint8)).shape == (420, 300, 3)


def test_a_grid_needs_a_title_for_each_image():
    with pytest.raises(ValueError, match="given 1 for 2 images"):
        utils.grid_layout([np.zeros((2, 2))] * 2, ["only one"])
    with pytest.raises(ValueError, match="given 0 for 0 images"):
        utils.grid_layout([], [])


def test_a_text_too_long_loses_its_middle_and_a_short_one_nothing():
    fitted = drawing.fit_text(LONG, 1.0)
    assert fitted[:4] == "Preh" and fitted[-4:] == "eche" and "…" in fitted
    assert drawing.measure_text(fitted) <= 1.0 < drawing.measure_text(fitted.replace("…", "mmm…"))
    assert drawing.fit_text("two\nlines ", 2.0) == "two lines"


# --- the page --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("n_rows", [1, 6])
def test_texts_of_a_page_are_whole_and_apart_however_long_the_names(row, n_rows):
    assert_texts_are_whole_and_apart(figures.figure_grid([row] * n_rows, f"GRADCAM of {LONG}"))


def test_a_page_of_maps_tall_signed_and_constant_is_whole_too(row):
    tall = replace(row, image=np.zeros((300, 100, 3), np.uint8), saliency_map=row.saliency_map * 1e-7)
    signed = replace(row, saliency_map=-1e5 * row.saliency_map, density_map=None)
    constant = replace(row, saliency_map=np.zeros((28, 28)), pcc=None, insertion=None, deletion=None, top_classes=())
    figure = figures.figure_grid([tall, signed, constant], "three")
    assert_texts_are_whole_and_apart(figure)
    said = {"no density map", "not measured", "no probabilities", "constant: 0", "SIM 0.50"}
    assert said <= set(words_of(figure))
    for place, axes in enumerate(figure.axes):  # cells stand column by column, from left to right
        labels = [label.get_window_extent() for bar in axes.child_axes for label in bar.get_yticklabels()]
        assert all(label.x1 < figure.axes[place + 3].get_window_extent().x0 for label in labels)


def test_a_column_is_left_out_only_if_no_row_can_fill_it(row):
    without = replace(row, density_map=None)
    assert "gaze density map" in words_of(figures.figure_grid([row, without]))
    figure = figures.figure_grid([without, without])
    assert "gaze density map" not in words_of(figure)
    assert "no density map" not in words_of(figure)


def test_a_dollar_in_a_name_is_a_dollar_and_no_formula(row):
    row = replace(row, name="$a$", label="$b$", top_classes=[("$c$", 1.0)], target="$d$", note="$e$")
    texts = [text for text in texts_of(figures.figure_grid([row], "$f$")) if "$" in text.get_text()]
    assert len(texts) == 7
    assert not any(text.get_parse_math() for text in texts)


def test_cells_of_a_page_are_equal_squares_in_lines(row):
    wide, tall = row, replace(row, image=np.zeros((200, 50, 3), np.uint8))
    figure = figures.figure_grid([wide, tall])
    figure.canvas.draw()
    cells = [axes.get_window_extent() for axes in figure.axes]
    side = constants.CELL_SIDE * constants.FIGURE_DPI
    assert all(cell.size == pytest.approx((side, side), abs=0.5) for cell in cells)
    assert len({round(cell.y0) for cell in cells}) == 2
    assert len({round(cell.x0) for cell in cells}) == len(cells) / 2


def test_all_pictures_of_a_row_share_the_aspect_of_the_image(row):
    figure = figures.figure_grid([row])  # a map of 28 x 28 for an image of 60 x 120
    figure.canvas.draw()
    extents = [axes.images[0].get_window_extent() for axes in figure.axes if axes.images]
    assert len(extents) == 5
    assert all(extent.width / extent.height == pytest.approx(2) for extent in extents)


def test_a_peak_at_the_top_right_is_drawn_at_the_top_right(row):
    saliency_map = np.zeros((28, 28))
    saliency_map[2, 25] = 1.0
    figure = figures.figure_grid([replace(row, saliency_map=saliency_map, colormap="gray")])
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., 0].astype(int)
    for heading in ("saliency map", "heat map"):
        box = axes_of(figure, heading).images[0].get_window_extent()
        top = round(figure.bbox.height - box.y1)
        panel = pixels[top + 2 : top + round(box.height) - 2, round(box.x0) + 2 : round(box.x1) - 2]
        rows, columns = np.nonzero(panel > 128)
        assert rows.mean() < 0.25 * panel.shape[0]
        assert columns.mean() > 0.75 * panel.shape[1]


def test_curves_of_all_rows_run_from_0_to_1_with_their_areas_in_the_legend(row):
    other = replace(row, insertion=(0.9, np.full(21, 0.9), np.linspace(0, 1, 21)))
    figure = figures.figure_grid([row, other])
    axes = [axes for axes in figure.axes if axes.get_legend()]
    assert [[text.get_text() for text in a.get_legend().get_texts()] for a in axes] == [
        ["insertion, area 0.75", "deletion, area 0.25"],
        ["insertion, area 0.90", "deletion, area 0.25"],
    ]
    assert axes[0].get_xlim() == axes[1].get_xlim() == (0, 1)
    assert axes[0].get_ylim() == axes[1].get_ylim()
    _, scores, fractions = row.insertion
    np.testing.assert_allclose(axes[0].lines[0].get_xydata(), np.transpose([fractions, scores]))


def test_colour_bar_shows_the_raw_values_and_is_symmetric_for_a_signed_map(row):
    def labels(saliency_map):
        figure = figures.figure_panel(replace(row, saliency_map=saliency_map), "heat map")
        (bar,) = figure.axes[0].child_axes
        return [label.get_text() for label in bar.get_yticklabels()]

    assert labels(np.array([[2.0, 6.0]])) == ["2", "4", "6"]
    assert labels(np.array([[-0.5, 3.0]])) == ["-3", "0", "3"]
    assert labels(np.array([[1e-9, 1.0]])) == ["0", "0.5", "1"]


def test_bars_are_as_long_as_the_probabilities_and_the_explained_class_is_bold(row):
    row = replace(row, top_classes=[("Colonial", 0.7), ("Modern", 0.2)], target="Modern")
    axes = figures.figure_panel(row, "most probable classes").axes[0]
    assert [bar.get_width() for bar in axes.patches][1::2] == [0.7, 0.2]
    weights = {text.get_text(): text.get_weight() for text in axes.texts}
    assert (weights["Modern"], weights["Colonial"]) == ("bold", "normal")


@pytest.mark.parametrize("heading", ["heat map", "insertion and deletion", "most probable classes"])
def test_single_figures_are_whole_and_twice_as_fine(row, heading):
    figure = figures.figure_panel(row, heading, "GRADCAM")
    assert figure.dpi == 2 * constants.FIGURE_DPI
    assert_texts_are_whole_and_apart(figure)


def test_an_unknown_panel_is_refused_and_the_known_are_listed(row):
    with pytest.raises(ValueError, match="'saliency map'.*got 'map'"):
        figures.figure_panel(row, "map")


def test_an_empty_page_is_refused():
    with pytest.raises(ValueError, match="at least one explained image"):
        figures.figure_grid([])


def test_figures_need_no_window_and_are_freed(row):
    figures.figure_grid([row])
    gc.collect()
    before = sum(isinstance(thing, Figure) for thing in gc.get_objects())
    for _ in range(3):
        figures.figure_grid([row])
    gc.collect()
    assert sum(isinstance(thing, Figure) for thing in gc.get_objects()) <= before
