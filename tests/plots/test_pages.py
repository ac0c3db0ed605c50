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


def pictures_of(figure):
    """The pictures on the sheet of a figure, column by column: (left, right, top, bottom) in inches, and its pixels."""
    boxes = [(image.get_extent(), np.asarray(image.get_array())) for image in figure.axes[0].images]
    return [((left, right, top, bottom), pixels) for (left, right, bottom, top), pixels in boxes]


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


def test_rows_of_wide_images_leave_no_blank_between_them():
    wide, square = np.zeros((10, 40, 3), np.uint8), np.zeros((40, 40, 3), np.uint8)
    high, low = (utils.grid_layout([one] * 10, ["title"] * 10).get_figheight() for one in (square, wide))
    saved = 2 * (constants.CELL_SIDE - constants.CELL_SIDE / 4)  # inches, of the two rows
    assert high - low == pytest.approx(saved, abs=1 / constants.FIGURE_DPI)


def test_a_map_has_a_bar_of_its_values_and_a_photograph_or_a_constant_map_has_none():
    figure = utils.grid_layout([np.zeros((8, 8, 3), np.uint8), np.eye(8) - 0.25, np.zeros((8, 8))], ["a", "b", "c"])
    photograph, of_values, constant = figure.axes
    [bar] = of_values.child_axes
    assert [label.get_text() for label in bar.get_yticklabels()] == ["-0.25", "0.25", "0.75"]
    assert not photograph.child_axes and not constant.child_axes


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


def test_rows_are_as_high_as_what_they_show(row):
    wide, tall = (replace(row, image=np.zeros((*size, 3), np.uint8)) for size in ((30, 600), (99, 50)))
    pictures = {"insertion": None, "deletion": None, "top_classes": ()}
    heights = [figures.figure_grid([one]).get_size_inches()[1] for one in (wide, tall)]
    assert heights[1] - heights[0] == pytest.approx(constants.CELL_SIDE - figures.CHART, abs=0.01)
    heights = [figures.figure_grid([replace(one, **pictures)]).get_size_inches()[1] for one in (wide, tall)]
    assert heights[1] - heights[0] == pytest.approx(constants.CELL_SIDE - drawing.LEAST, abs=0.01), (
        "no blank above and below"
    )


def test_all_pictures_of_a_row_share_the_aspect_of_the_image(row):
    boxes = [box for box, _ in pictures_of(figures.figure_grid([row]))]  # a map of 28 x 28 for an image of 60 x 120
    assert len(boxes) == 6, "five pictures and a colour bar"
    assert sum((x1 - x0) / (y1 - y0) == pytest.approx(2, rel=0.02) for x0, x1, y0, y1 in boxes) == 5


def test_pictures_lie_on_whole_pixels_of_the_figure(row):
    for (x0, x1, y0, y1), pixels in pictures_of(figures.figure_grid([row], dpi=110)):
        if x1 - x0 > 0.1:  # no colour bar
            edges = 110 * np.array([x0, x1, y0, y1])
            np.testing.assert_allclose(edges, np.rint(edges), atol=1e-6)
            assert pixels.shape[:2] == (round(edges[3] - edges[2]), round(edges[1] - edges[0]))


def test_a_peak_at_the_top_right_is_drawn_at_the_top_right(row):
    saliency_map = np.zeros((28, 28))
    saliency_map[2, 25] = 1.0
    figure = figures.figure_grid([replace(row, saliency_map=saliency_map, colormap="gray")])
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., 0].astype(int)
    for (x0, x1, y0, y1), drawn in pictures_of(figure)[2:4]:
        left, right, top, bottom = (round(figure.dpi * edge) for edge in (x0, x1, y0, y1))
        panel = pixels[top:bottom, left:right]
        np.testing.assert_array_equal(panel, drawn[..., 0])
        rows, columns = np.nonzero(panel > 128)
        assert rows.mean() < 0.25 * panel.shape[0]
        assert columns.mean() > 0.75 * panel.shape[1]


def test_a_white_picture_on_the_white_page_has_a_grey_hairline_round_it(row):
    white = replace(row, image=np.full((60, 120, 3), 255, np.uint8))
    figure = figures.figure_grid([white])
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., 0].astype(int)
    left, right, top, bottom = (round(figure.dpi * edge) for edge in pictures_of(figure)[0][0])
    assert (pixels[top:bottom, left:right] == 255).all(), "it covers no pixel of the picture"
    for side in (pixels[top:bottom, [left - 1, right]], pixels[[top - 1, bottom], left:right]):
        assert (side > 128).all() and (side < 250).all()


def test_a_white_map_of_a_grid_has_a_grey_hairline_round_it_and_a_bar_as_high_as_it_is():
    figure = utils.grid_layout([np.full((30, 60, 3), 255, np.uint8), np.tri(30, 60), np.zeros((60, 30))], ["a"] * 3)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., 0].astype(int)[::-1]  # the first row is the lowest
    box = figure.axes[0].images[0].get_window_extent()
    middle = round((box.y0 + box.y1) / 2)
    for edge in (box.x0, box.x1):
        assert 128 < pixels[middle, round(edge) - 2 : round(edge) + 2].min() < 250
    [bar] = figure.axes[1].child_axes
    of_map, of_bar = figure.axes[1].images[0].get_window_extent(), bar.images[0].get_window_extent()
    np.testing.assert_allclose((of_bar.y0, of_bar.y1), (of_map.y0, of_map.y1), atol=0.5)


def test_the_bar_of_a_wide_picture_is_as_high_as_the_picture(row):
    pictures = pictures_of(figures.figure_grid([row]))  # the charts make the row higher than the image
    (_, _, top, bottom), (_, _, bar_top, bar_bottom) = pictures[3][0], pictures[4][0]
    assert (bar_top, bar_bottom) == pytest.approx((top, bottom), abs=0.01)


def lines_of(figure):
    """The curves of a figure by their names: points (n, 2) in inches."""
    return {one.get_label(): one.get_segments()[0] for one in figure.axes[0].collections if one.get_label()[0] != "_"}


def test_curves_run_from_0_to_1_with_their_areas_in_the_legend_and_stay_in_their_cell(row):
    _, scores, fractions = row.insertion
    figure = figures.figure_grid([replace(row, insertion=(0.75, scores + 0.2, fractions))])
    assert {"insertion, area 0.75", "deletion, area 0.25"} <= set(words_of(figure))
    insertion, deletion = lines_of(figure)["insertion"], lines_of(figure)["deletion"]
    left, top = insertion[:, 0].min(), insertion[:, 1].min()
    np.testing.assert_allclose(insertion[:, 0] - left, constants.CELL_SIDE * fractions, atol=1e-6)
    bottom = top + figures.CHART
    np.testing.assert_allclose(bottom - insertion[:, 1], figures.CHART * np.minimum(scores + 0.2, 1), atol=1e-6)
    np.testing.assert_allclose(bottom - deletion[:, 1], figures.CHART * row.deletion[1], atol=1e-6)


def test_colour_bar_shows_the_raw_values_and_is_symmetric_for_a_signed_map(row):
    def labels(saliency_map):
        figure = figures.figure_panel(replace(row, saliency_map=saliency_map, target="", note=""), "heat map")
        return [text.get_text() for text in sorted(texts_of(figure), key=lambda text: -text.get_position()[1])]

    assert labels(np.array([[2.0, 6.0]])) == ["2", "4", "6"]
    assert labels(np.array([[-0.5, 3.0]])) == ["-3", "0", "3"]
    assert labels(np.array([[1e-9, 1.0]])) == ["0", "0.5", "1"]


def test_the_colour_bar_runs_from_the_lowest_colour_below_to_the_highest_above(row):
    figure = figures.figure_panel(replace(row, saliency_map=np.array([[2.0, 6.0]]), colormap="gray"), "heat map")
    _, bar = pictures_of(figure)[1]
    assert bar[-1, 0].max() == 0 and bar[0, 0].min() == 255


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 0.00051, ["0", "2.6e-4", "5.1e-4"]),  # 0.00051 would reach the next picture
        (-0.00025, 0.00025, ["-2.5e-4", "0", "2.5e-4"]),
        (0, 0.0034, ["0", "0.0017", "0.0034"]),
        (0, 86000, ["0", "4.3e4", "8.6e4"]),
    ],
)
def test_the_values_of_a_colour_bar_are_short(low, high, expected):
    assert drawing.label_ends(low, high) == expected
    assert max(map(len, expected)) <= 7


def test_every_map_of_a_page_side_by_side_has_its_colour_bar(row):
    constant = replace(row, saliency_map=np.zeros((28, 28)))
    figure = figures.figure_side_by_side([[row, row], [row, None], [row, constant]], ["A", "B"])
    assert sum(x1 - x0 < 0.1 for (x0, x1, _, _), _ in pictures_of(figure)) == 4
    assert_texts_are_whole_and_apart(figure)


def test_bars_are_as_long_as_the_probabilities_and_the_explained_class_is_bold(row):
    row = replace(row, top_classes=[("Colonial", 0.7), ("Modern", 0.2)], target="Modern")
    sheet = figures.figure_panel(row, "most probable classes").axes[0]
    lengths = [[end[0] - start[0] for start, end in one.get_segments()] for one in sheet.collections]
    np.testing.assert_allclose(lengths, constants.CELL_SIDE * np.array([[1, 0.7], [1, 0.2]]), atol=1e-6)
    weights = {text.get_text(): text.get_weight() for text in sheet.texts}
    assert (weights["Modern"], weights["Colonial"]) == ("bold", "normal")


@pytest.mark.parametrize("heading", ["heat map", "insertion and deletion", "most probable classes"])
def test_single_figures_are_whole_and_twice_as_fine(row, heading):
    figure = figures.figure_panel(row, heading)
    assert figure.dpi == 2 * constants.FIGURE_DPI
    assert_texts_are_whole_and_apart(figure)


@pytest.mark.parametrize("heading", ["heat map", "insertion and deletion", "most probable classes"])
def test_single_figures_have_no_margin_but_half_a_gap(row, heading):
    figure = figures.figure_panel(replace(row, target="", note=""), heading)
    figure.canvas.draw()
    is_drawn = np.asarray(figure.canvas.buffer_rgba())[..., :3].min(axis=2) < 255
    for side in (is_drawn, is_drawn[::-1], is_drawn.T, is_drawn.T[::-1]):
        blank = int(np.flatnonzero(side.any(axis=1))[0]) / figure.dpi
        assert 0 < blank < drawing.GAP / 2 + 0.03, "inches up to the first pixel that is not white"


@pytest.mark.parametrize(
    ("names", "width", "expected"),
    [
        (["Modern_DemoTorre027_N_2.png", "Modern_DemoCasa021_N_2.png"], 0.9, ["…Torre027…", "…Casa021…"]),
        (["Modern_DemoTorre027_N_2.png", "Modern_DemoCasa021_N_2.png"], 9, None),
        (["val_00121.JPEG", "val_00129.JPEG"], 0.2, ["…00121…", "…00129…"]),
        (["a_long_name.png"], 0.2, None),
        (["n01_fish.png", "n12_bird.gif"], 0.2, ["…01_fish.png", "…12_bird.gif"]),
    ],
)
def test_names_that_do_not_fit_are_shown_by_what_tells_them_apart(names, width, expected):
    assert drawing.tell_apart(names, width) == (expected or names)


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
