"""Which thing belongs to which image, by names alone."""

import pytest

from data.names import pair_by_name


@pytest.mark.parametrize(
    ("names", "things", "found"),
    [
        (["a.png"], ["a.png", "a.jpg"], ["a.png"]),
        (["a.png"], ["a.jpg"], ["a.jpg"]),
        (["A b.png"], ["a_B"], ["a_B"]),  # letter case and blanks do not count
        (["a.b.png", "a.png"], ["a.b"], ["a.b", None]),  # a dot that begins no image ending is part of the stem
        (["X_Y_Z_N_1.png"], ["X_Y_Z_N_1.png", "X_Y_Z_GFDM_N_1.png"], ["X_Y_Z_GFDM_N_1.png"]),
        (["X_Y_Z_N_1.png", "X_Y_Z_N_2.png"], ["X_Y_Z_N_2"], [None, "X_Y_Z_N_2"]),
        (["cats/1.png", "dogs/1.png"], ["1.png", "dogs/1"], [None, "dogs/1"]),
        (["cats/1.png", "dogs/2.png"], ["2", "1.txt"], [None, "2"]),
        (["a.png"], [], [None]),
    ],
)
def test_an_image_is_paired_with_what_is_called_as_it_is(names, things, found):
    assert pair_by_name(names, {thing: thing for thing in things}) == dict(zip(names, found))


def test_what_is_empty_is_still_found():
    assert pair_by_name(["a.png"], {"a": []}) == {"a.png": []}
