"""Heat maps, isolines and selections of `representations`: where the colours lie and what they stand for."""

import matplotlib
import numpy as np
import pytest

import representations
import utils


def colour_of(colormap, share):
    return tuple(int(value) for value in matplotlib.colormaps[colormap](share, bytes=True)[:3])


def disc(height, width, row, column, radius):
    """1 at the centre, 0.5 on the circle, falling evenly with the distance."""
    rows, columns = np.mgrid[:height, :width]
    return 1 - np.hypot(rows - row, columns - column) / (2 * radius)


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


@pytest.fixture
def saliency_map():
    return np.random.default_rng(1).random((40, 60))


def test_heatmap_runs_from_the_minimum_to_the_maximum_of_an_unsigned_map():
    heatmap = representations.represent_heatmap(np.array([[2.0, 6.0]]), "viridis")
    assert heatmap.dtype == np.uint8
    assert tuple(heatmap[0, 0]) == colour_of("viridis", 0.0)
    assert tuple(heatmap[0, 1]) == colour_of("viridis", 1.0)


def test_limits_are_shared_by_maps_and_clip_what_lies_outside():
    heatmap = representations.represent_heatmap(np.array([[0.5, 9.0]]), "viridis", limits=(0.0, 1.0))
    assert tuple(heatmap[0, 0]) == colour_of("viridis", 0.5)
    assert tuple(heatmap[0, 1]) == colour_of("viridis", 1.0)


def test_signed_map_has_zero_in_the_middle_whatever_its_extremes():
    heatmap = representations.represent_heatmap(np.array([[-1.0, 0.0, 4.0, -4.0]]))
    assert tuple(heatmap[0, 1]) == colour_of("RdBu_r", 0.5)
    assert tuple(heatmap[0, 2]) == colour_of("RdBu_r", 1.0)
    assert tuple(heatmap[0, 3]) == colour_of("RdBu_r", 0.0)
    weak = representations.represent_heatmap(np.array([[-1.0, 0.0, 4.0]]))
    assert tuple(weak[0, 1]) == colour_of("RdBu_r", 0.5)


def test_positive_larger_than_negative_is_red_and_the_other_way_blue():
    red, _, blue = representations.represent_heatmap(np.array([[3.0, 0.0, -3.0]]))[0].astype(int)
    assert red[0] > red[2]
    assert blue[2] > blue[0]


def test_a_diverging_colormap_is_kept_and_another_is_replaced_for_a_signed_map():
    signed_map = np.array([[-1.0, 1.0]])
    assert representations.colour_scale(signed_map, "coolwarm").colormap == "coolwarm"
    assert representations.colour_scale(signed_map, "viridis").colormap == "RdBu_r"
    assert representations.colour_scale(signed_map, "viridis", signed=False).colormap == "viridis"


@pytest.mark.parametrize("value", [0.0, 7.5, -2.0, 1e30, 1e-30])
def test_constant_map_has_the_colour_of_zero(value):
    constant = np.full((3, 4), value)
    unsigned = representations.represent_heatmap(constant, signed=False)
    signed = representations.represent_heatmap(constant, signed=True)
    assert {tuple(pixel) for pixel in unsigned.reshape(-1, 3)} == {colour_of("jet", 0.0)}
    assert {tuple(pixel) for pixel in signed.reshape(-1, 3)} == {colour_of("RdBu_r", 0.5)}


@pytest.mark.parametrize(
    ("saliency_map", "complaint"),
    [
        (np.array([[0.0, np.nan]]), r"finite; 1 of 2"),
        (np.array([[0.0, np.inf]]), r"finite; 1 of 2"),
        (np.zeros((2, 3, 1)), r"\(2, 3, 1\)"),
        (np.zeros((0, 3)), r"\(0, 3\)"),
    ],
)
def test_a_map_that_is_none_is_refused_with_what_was_given(saliency_map, complaint):
    with pytest.raises(ValueError, match=complaint):
        representations.represent_heatmap(saliency_map)


@pytest.mark.parametrize("name, words", [("jett", "did you mean jet"), ("heat map", "choose from: jet, .*viridis")])
def test_unknown_colormap_is_refused_and_others_are_offered(name, words):
    with pytest.raises(ValueError, match=f"unknown colormap '{name}'; {words}"):
        representations.represent_heatmap(np.eye(2), name)


def test_a_map_that_varies_by_rounding_alone_has_one_colour_on_limits_of_its_own_too():
    saliency_map = np.ones((4, 4), np.float32)
    saliency_map[0, 0] += 1.2e-7
    limits = float(saliency_map.min()), float(saliency_map.max())
    for drawn in (None, limits):
        assert len(np.unique(representations.represent_heatmap(saliency_map, limits=drawn).reshape(-1, 3), axis=0)) == 1


def test_overlay_with_alpha_0_is_the_image_and_with_alpha_1_the_heatmap(image, saliency_map):
    transparent = representations.represent_heatmap_overlaid(saliency_map, image, alpha=0)
    opaque = representations.represent_heatmap_overlaid(saliency_map, image, alpha=1)
    np.testing.assert_array_equal(transparent, image)
    np.testing.assert_array_equal(opaque, representations.represent_heatmap(saliency_map))


def test_overlay_is_the_weighted_mean_of_both(image, saliency_map):
    overlay = representations.represent_heatmap_overlaid(saliency_map, image, "turbo", 0.25)
    heatmap = representations.represent_heatmap(saliency_map, "turbo")
    assert np.abs(overlay - (0.25 * heatmap + 0.75 * image)).max() <= 0.5


def test_overlay_brings_a_small_map_to_the_image_without_turning_it():
    peak = np.zeros((4, 6))
    peak[0, 5] = 1.0  # top right
    overlay = representations.represent_heatmap_overlaid(peak, np.zeros((40, 60, 3), np.uint8), "gray", 1.0)
    assert overlay.shape == (40, 60, 3)
    row, column = np.unravel_index(overlay[..., 0].argmax(), (40, 60))
    assert row < 10
    assert column >= 50


def test_overlay_uses_the_scale_of_the_raw_map_and_not_of_the_resized_one(image):
    fine = np.zeros((80, 120))
    fine[41, 61] = 1.0  # lost in part when the map shrinks to 40 x 60
    overlay = representations.represent_heatmap_overlaid(fine, image, "gray", 1.0)
    expected = 255 * utils.resize_map(fine, 40, 60).max()
    assert abs(int(overlay.max()) - expected) <= 1
    assert expected < 128


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_alpha_outside_0_to_1_is_refused(image, saliency_map, alpha):
    with pytest.raises(ValueError, match="alpha must lie between 0 and 1"):
        representations.represent_heatmap_overlaid(saliency_map, image, alpha=alpha)


def test_an_image_on_0_to_1_or_without_colours_is_refused(image, saliency_map):
    with pytest.raises(ValueError, match="RGB on 0-255, not 0"):
        representations.represent_soft_selection(saliency_map, image / 255.0)
    with pytest.raises(ValueError, match=r"\(H, W, 3\), not \(40, 60\)"):
        representations.represent_soft_selection(saliency_map, image[..., 0])


def test_float_image_on_0_to_255_gives_the_picture_of_the_uint8_one(image, saliency_map):
    as_float = representations.represent_heatmap_overlaid(saliency_map, image.astype(np.float32))
    np.testing.assert_array_equal(as_float, representations.represent_heatmap_overlaid(saliency_map, image))


def test_isoline_of_a_disc_encloses_its_area_around_its_centre():
    isolines = representations.compute_isolines(np.clip(disc(100, 160, 30, 110, 20), 0, 1), 1)
    assert len(isolines) == 1
    level, points = isolines[0]
    x, y = points.T
    area = 0.5 * abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))  # shoelace
    assert level == pytest.approx(0.5)
    assert area == pytest.approx(np.pi * 20**2, rel=0.01)
    assert x.mean() == pytest.approx(110, abs=0.5)
    assert y.mean() == pytest.approx(30, abs=0.5)


def test_drawn_isoline_lies_on_the_circle_in_the_colour_of_its_level():
    # The range 0-1 and one level: the line is that of 0.5, a circle of radius 20.
    picture = representations.represent_isolines(np.clip(disc(100, 160, 30, 110, 20), 0, 1), "jet", 1)
    rows, columns = np.nonzero(picture.any(axis=2))
    distances = np.hypot(rows - 30, columns - 110)
    assert picture.shape == (100, 160, 3)
    assert np.abs(distances - 20).max() < 2
    # Anti-aliased on black, the line is a darker shade of its colour.
    brightest = picture.reshape(-1, 3)[picture.sum(axis=2).argmax()]
    expected = np.array(colour_of("jet", 0.5))
    np.testing.assert_allclose(brightest / brightest.max(), expected / expected.max(), atol=0.02)
    assert brightest.max() > 0.8 * expected.max()


def test_isoline_levels_are_even_and_leave_out_both_ends():
    ramp = np.tile(np.linspace(10, 20, 50), (5, 1))
    levels = [level for level, _ in representations.compute_isolines(ramp, 4)]
    assert levels == pytest.approx([12, 14, 16, 18])


def test_constant_map_has_no_isoline_even_after_resizing(image):
    constant = np.full((7, 7), 0.1)
    assert representations.compute_isolines(constant) == []
    assert not representations.represent_isolines(constant).any()
    np.testing.assert_array_equal(representations.represent_isolines_superimposed(constant, image), image)


def test_superimposed_isolines_change_the_image_only_on_the_lines(image):
    saliency_map = np.clip(disc(40, 60, 20, 30, 10), 0, 1)
    lines = representations.represent_isolines(saliency_map).any(axis=2)
    before = image.copy()
    picture = representations.represent_isolines_superimposed(saliency_map, image)
    np.testing.assert_array_equal(picture[~lines], image[~lines])
    assert (picture[lines] != image[lines]).any()
    np.testing.assert_array_equal(image, before)


def test_zero_levels_are_refused():
    with pytest.raises(ValueError, match="n_levels must be at least 1, not 0"):
        representations.represent_isolines(np.eye(4), n_levels=0)


def test_hard_selection_keeps_exactly_the_pixels_from_the_threshold_on():
    image = np.full((2, 3, 3), 200, np.uint8)
    saliency_map = np.array([[-2.0, 0.0, 2.0], [1.9, 2.0, -1.0]])  # scaled: 0, 0.5, 1; 0.975, 1, 0.25
    selection = representations.represent_hard_selection(saliency_map, image, 0.5)
    np.testing.assert_array_equal(selection[..., 0] == 200, [[False, True, True], [True, True, False]])
    assert set(np.unique(selection)) == {0, 200}


def test_hard_selection_of_a_constant_map_is_black_even_after_resizing(image):
    constant = np.full((7, 7), 0.1)
    assert not representations.represent_hard_selection(constant, image, 0.5).any()
    np.testing.assert_array_equal(representations.represent_hard_selection(constant, image, 0), image)


def test_threshold_outside_0_to_1_is_refused(image, saliency_map):
    with pytest.raises(ValueError, match="threshold must lie between 0 and 1, not 50"):
        representations.represent_hard_selection(saliency_map, image, 50)


def test_soft_selection_is_the_image_times_the_scaled_map():
    image = np.full((1, 3, 3), 200, np.uint8)
    selection = representations.represent_soft_selection(np.array([[-1.0, 0.0, 3.0]]), image)
    np.testing.assert_array_equal(selection[0, :, 0], [0, 50, 200])


# --- a map that varies by rounding alone -----------------------------------------------------------------------
@pytest.mark.parametrize("value", [0.7, -0.3, 3e-4, 40.0])
@pytest.mark.parametrize("signed", [False, True])
def test_a_map_that_is_constant_but_for_rounding_is_drawn_as_constant(image, value, signed):
    rounded = np.full((7, 7), np.float32(value))
    rounded[2, 3] = np.nextafter(rounded[2, 3], np.float32(np.inf))
    constant = np.full((7, 7), np.float32(value))
    one_colour = representations.represent_heatmap(constant, signed=signed)
    np.testing.assert_array_equal(representations.represent_heatmap(rounded, signed=signed), one_colour)
    assert len(np.unique(one_colour.reshape(-1, 3), axis=0)) == 1
    overlays = [representations.represent_heatmap_overlaid(m, image, signed=signed) for m in (rounded, constant)]
    np.testing.assert_array_equal(*overlays)
    assert not representations.represent_hard_selection(rounded, image, 0.5).any()
    assert representations.compute_isolines(rounded) == []
