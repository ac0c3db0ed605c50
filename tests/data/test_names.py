"""Which thing belongs to which image, by names alone; file stems that are all different."""

import pytest

from data.names import choose_file_stems, pair_by_name
from utils import fold_name


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


# --- file stems -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("names", "stems"),
    [
        (["a.jpg", "b.png"], ["a", "b"]),
        (["a.jpg", "a.png", "b.png"], ["a_jpg", "a_png", "b"]),
        (["cats/1.png", "dogs/1.png", "dogs/2.png"], ["cats_1", "dogs_1", "2"]),
        (["cats/1.jpg", "cats/1.png", "dogs/1.png"], ["cats_1_jpg", "cats_1_png", "dogs_1"]),
        (["a:b?.png", "c. .png"], ["a_b_", "c"]),
        (["a\x9b31m\u202eb.png", "\x1b]0;x\x07.png"], ["a_31m_b", "_]0;x_"]),
        (["CON.png", "nul.x.jpg", "com1 .png", "console.png"], ["_CON", "_nul.x", "_com1", "console"]),
    ],
)
def test_a_stem_is_the_shortest_that_no_other_image_has(names, stems):
    assert choose_file_stems(names) == stems
    assert choose_file_stems(names[::-1]) == stems[::-1]


def test_stems_differ_even_where_case_and_accents_do_not_count():
    names = ["A.png", "a.png", "a.jpg", "a_jpg.png", "\u00e9.png", "e\u0301.png"]
    names += ["x" * 200 + "1.png", "x" * 200 + "2.png"]
    stems = choose_file_stems(names)
    assert len({fold_name(stem) for stem in stems}) == len(names)
    assert len({fold_name(stem) for stem in choose_file_stems(["A.png", "a.png"])}) == 2
    assert max(len(stem.encode()) for stem in stems) < 140
