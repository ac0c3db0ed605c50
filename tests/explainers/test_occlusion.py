"""Occlusion against a loop over pixels, at the border, for a score that is known, and boxes by hand."""

import numpy as np
import pytest
from planted import GREEN, RED, SIDE, assert_close, noise, square
from twins import residual_model

from explainers.occlusion import Occlusion
from network.classifier import Classifier


@pytest.fixture(scope="module")
def residual():
    return Classifier(residual_model(), preprocessing="tf")  # on 0-255 its probabilities are 0 and 1


def fall(classifier, image, class_index, rows, columns, fill):
    covered = image.astype(np.float32).copy()
    covered[rows, columns] = fill
    scores = classifier.predict(np.stack([image, covered]).astype(np.float32))[:, class_index]
    return scores[0] - scores[1]


# --- twins -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("patch", "stride", "fill"), [(8, 8, 127), (10, 4, 0), (7, 5, 255), (5, 9, 127), (40, 16, 127)]
)
def test_the_map_is_that_of_a_loop_over_pixels_and_windows(residual, patch, stride, fill):
    image = noise(1)[0]
    falls = {
        (top, left): fall(residual, image, 1, slice(top, top + patch), slice(left, left + patch), fill)
        for top in starts(patch, stride)
        for left in starts(patch, stride)
    }
    naive = np.zeros((32, 32))
    for row in range(32):
        for column in range(32):
            covering = [
                value
                for (top, left), value in falls.items()
                if top <= row < top + patch and left <= column < left + patch
            ]
            naive[row, column] = np.mean(covering) if covering else 0
    options = {"patch": patch, "stride": stride, "fill": fill, "batch_size": 5}
    assert_close(Occlusion(residual, None, image, 1, **options).compute_saliency_map(), naive, relative=1e-4)


# --- windows ---------------------------------------------------------------------------------------------
def starts(patch, stride, side=32):
    """Every start but those whose window lies wholly inside the one before, one by one."""
    found = []
    for start in range(0, side, stride):
        ends = min(start + patch, side)
        if not found or ends > min(found[-1] + patch, side):
            found.append(start)
    return found


@pytest.mark.parametrize("patch", range(1, 34, 4))
@pytest.mark.parametrize("stride", [1, 2, 5, 7, 10, 16, 31, 40])
def test_the_last_partial_window_is_kept_but_none_inside_the_one_before(residual, patch, stride):
    windows = Occlusion(residual, None, noise(1), 0, patch=patch, stride=stride).place_windows()
    tops = sorted({rows.start for rows, _ in windows})
    assert tops == starts(patch, stride)
    assert [rows for rows, _ in windows[:: len(tops)]] == [slice(top, min(top + patch, 32)) for top in tops]
    assert [columns for _, columns in windows[: len(tops)]] == [rows for rows, _ in windows[:: len(tops)]]


def test_windows_by_hand(residual):
    def tops(patch, stride):
        windows = Occlusion(residual, None, noise(1), 0, patch=patch, stride=stride).place_windows()
        return sorted({(rows.start, rows.stop) for rows, _ in windows})

    assert tops(12, 10) == [(0, 12), (10, 22), (20, 32)]  # none of rows 30 and 31 alone
    assert tops(12, 9) == [(0, 12), (9, 21), (18, 30), (27, 32)]
    assert tops(4, 16) == [(0, 4), (16, 20)]


def test_by_default_a_window_is_a_seventh_of_the_side_and_moves_by_half_of_that(residual, planted_classifier, image):
    # 32 / 7 and 96 / 7, rounded up
    for classifier, pixels, patch in ((residual, noise(1), 5), (planted_classifier, image, 14)):
        first, second = Occlusion(classifier, None, pixels, 0).place_windows()[:2]
        assert first == (slice(0, patch), slice(0, patch))
        assert second == (slice(0, patch), slice(patch // 2, patch // 2 + patch))
    assert Occlusion(residual, None, noise(1), 0, patch=1).place_windows()[1] == (slice(0, 1), slice(1, 2))


def test_between_windows_that_leave_gaps_the_map_is_0(residual):
    saliency_map = Occlusion(residual, None, noise(1)[0], 0, patch=4, stride=16).compute_saliency_map()
    covered = np.zeros((32, 32), dtype=bool)
    for top in (0, 16):
        for left in (0, 16):
            covered[top : top + 4, left : left + 4] = True
    assert not saliency_map[~covered].any()
    assert saliency_map[covered].all()


def test_a_window_as_large_as_the_image_has_one_value(residual):
    saliency_map = Occlusion(residual, None, noise(1)[0], 2, patch=32, stride=32, fill=0).compute_saliency_map()
    np.testing.assert_allclose(saliency_map, fall(residual, noise(1)[0], 2, slice(None), slice(None), 0), rtol=1e-4)


# --- a score that is known -------------------------------------------------------------------------------
def test_for_the_mean_brightness_of_a_cell_the_fall_is_what_the_window_takes_of_it(planted_classifier, calls):
    def predict(images):
        score = images[:, 24:36, 60:72].mean(axis=(1, 2, 3)) / 255
        return np.stack([1 - score, score, score], axis=1)

    sizes = calls(planted_classifier, predict)
    white = np.full((SIDE, SIDE, 3), 255, dtype=np.uint8)
    options = {"patch": 12, "stride": 12, "fill": 51, "batch_size": 20}
    for class_index, sign in ((1, 1), (0, -1)):
        explainer = Occlusion(planted_classifier, None, white, class_index, **options)
        expected = np.zeros((SIDE, SIDE))
        expected[24:36, 60:72] = sign * (1 - 51 / 255)
        np.testing.assert_allclose(explainer.compute_saliency_map(), expected, atol=1e-6)
    assert sizes == [1, 20, 20, 20, 4] * 2


# --- boxes -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("down", "across"), [(1, 1), (2, 3)])
def test_a_muted_box_is_given_in_pixels_of_the_image(planted_classifier, image, down, across):
    larger = np.kron(image, np.ones((down, across, 1), dtype=np.uint8))
    # the red square lies in rows 12 to 36 and columns 48 to 72, the green one in rows 60 to 84, columns 12 to 36
    boxes = {
        "red": (48 * across, 12 * down, 72 * across, 36 * down),
        "green": (12 * across, 60 * down, 36 * across, 84 * down),
        "both, and all": (0, 0, SIDE * across, SIDE * down),
    }
    explainer = Occlusion(planted_classifier, None, np.stack([larger, larger]), [RED, GREEN], fill=100)
    falls = explainer.mute_boxes(boxes)
    for index, other in ((RED, GREEN), (GREEN, RED)):
        own, theirs = (
            fall(planted_classifier, image, index, *np.ix_(mask.any(axis=1), mask.any(axis=0)), 100)
            for mask in (square(index), square(other))
        )
        everything = fall(planted_classifier, image, index, slice(None), slice(None), 100)
        expected = {"red": own, "green": theirs} if index == RED else {"red": theirs, "green": own}
        assert falls[index] == pytest.approx({**expected, "both, and all": everything}, abs=1e-5)
        assert own > 0 > theirs


def test_one_image_has_one_answer_too(planted_classifier, image):
    falls = Occlusion(planted_classifier, None, image, RED).mute_boxes({"corner": (0.4, 0, 12.4, 11.6)})
    assert falls == [{"corner": pytest.approx(fall(planted_classifier, image, RED, slice(0, 12), slice(0, 12), 127))}]


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((10, 10, 10, 20), "x0 < x1 within 0..96"),
        ((10, 20, 20, 10), "y0 < y1 within 0..96"),
        ((90, 0, 97, 10), "x0 < x1 within 0..96"),
        ((-1, 0, 5, 10), "x0 < x1 within 0..96"),
        ((0, 0, float("nan"), 10), "x0 < x1 within 0..96"),
        ((10.1, 10, 10.3, 20), "covers no pixel"),
    ],
    ids=str,
)
def test_a_box_outside_or_empty_is_refused_by_its_name(planted_classifier, image, box, words):
    with pytest.raises(ValueError, match=f"box 'trunk' .*{words}"):
        Occlusion(planted_classifier, None, image, RED).mute_boxes({"head": (0, 0, 9, 9), "trunk": box})
    with pytest.raises(ValueError, match="one box or more"):
        Occlusion(planted_classifier, None, image, RED).mute_boxes({})


@pytest.mark.parametrize(
    "options",
    [{"patch": 0}, {"patch": -3}, {"stride": 0}, {"fill": -1}, {"fill": 256}, {"fill": float("nan")}],
    ids=str,
)
def test_options_out_of_range_are_refused(residual, options):
    with pytest.raises(ValueError, match="patch and stride should be 1 or more, fill 0-255; given"):
        Occlusion(residual, None, noise(1), 0, **options)
