"""CLIP-Dissect: the authors' formula written out, what names a unit, and what is brought in files."""

import math

import numpy as np
import pytest

from units import clip_dissection


def naive_soft_wpmi(similarities, activations, top_k, a=10, lam=1):
    """Number by number, as the paper and its program have it: p_start 0.998, p_end 0.97, min_prob 1e-7."""
    n_images, n_words = similarities.shape
    n_units = activations.shape[1]
    p = [[math.exp(a * s) / sum(math.exp(a * other) for other in row) for s in row] for row in similarities]
    log_p = [[0.0] * n_words for _ in range(n_units)]
    for unit in range(n_units):
        order = sorted(range(n_images), key=lambda image: -activations[image, unit])[:top_k]
        for word in range(n_words):
            for rank, image in enumerate(order):
                sure = 0.998 - rank / top_k * (0.998 - 0.97)
                log_p[unit][word] += math.log(1 + sure * (p[image][word] - 1) + 1e-7)
    of_all = [math.log(sum(math.exp(row[word]) for row in log_p) / n_units) for word in range(n_words)]
    return np.array([[row[word] - lam * of_all[word] for word in range(n_words)] for row in log_p])


@pytest.mark.parametrize("top_k", [1, 4, 12])
def test_the_score_is_that_of_the_authors_formula(top_k):
    rng = np.random.default_rng(top_k)
    similarities, activations = rng.uniform(0.1, 0.4, (12, 5)), rng.normal(size=(12, 3))
    found = clip_dissection.soft_wpmi(similarities, activations, top_k)
    np.testing.assert_allclose(found, naive_soft_wpmi(similarities, activations, top_k), rtol=1e-9)


def test_a_word_of_very_many_images_does_not_underflow():
    similarities = np.stack([np.linspace(0, 20, 600), np.zeros(600)], axis=1)
    activations = np.random.default_rng(0).normal(size=(600, 4))
    assert np.isfinite(clip_dissection.soft_wpmi(similarities, activations, 500)).all()


def test_a_unit_bears_the_word_of_the_images_that_excite_it_and_a_silent_one_none():
    similarities = np.repeat(np.eye(3), 4, axis=0)  # images 0-3 are of word 0, 4-7 of word 1, ...
    activations = np.stack([similarities[:, 2], similarities[:, 0], np.zeros(12)], axis=1)
    rows = clip_dissection.name_units("layer", similarities, activations, ["sky", "sea", "sand"], top_k=4)
    assert [(row["unit"], row["description"]) for row in rows] == [(0, "sand"), (1, "sky"), (2, "")]
    assert list(rows[0]) == ["layer", "unit", "description", "similarity"]


def test_a_word_that_is_everywhere_names_no_unit_by_that():
    """What all units share is taken away: the word of all images loses against one that a unit has of its own."""
    similarities = np.tile([[1.0, 0.0, 0.0]], (8, 1))
    similarities[:2, 1] = similarities[2:4, 2] = 0.8
    activations = np.zeros((8, 2))
    activations[:2, 0] = activations[2:4, 1] = 1
    rows = clip_dissection.name_units("layer", similarities, activations, ["picture", "cat", "dog"], top_k=2)
    assert [row["description"] for row in rows] == ["cat", "dog"]


def test_few_images_lend_a_tenth_of_them_and_many_a_hundred():
    chosen = [clip_dissection.choose_top_k(n) for n in (3, 142, 999, 60_000)]
    assert chosen == [1, 14, 100, 100] and clip_dissection.choose_top_k(142, 30) == 30
    with pytest.raises(ValueError, match="clip_top_k: 9 images of each unit were asked for, of 8"):
        clip_dissection.choose_top_k(8, 9)


@pytest.mark.parametrize("top_k", [0, 5])
def test_a_wrong_number_of_images_is_refused(top_k):
    with pytest.raises(ValueError, match="top_k"):
        clip_dissection.soft_wpmi(np.zeros((4, 2)), np.zeros((4, 1)), top_k)
    with pytest.raises(ValueError, match="3 and 4 images"):
        clip_dissection.soft_wpmi(np.zeros((3, 2)), np.zeros((4, 1)), 2)


def test_detectors_are_told_apart_by_whether_words_and_masks_agree():
    words = [{"layer": "a", "unit": unit, "description": word} for unit, word in enumerate(("cat", "dog", "dog"))]
    masks = [{"layer": "a", "unit": unit, "concept": name, "iou": iou} for unit, name, iou in
             ((0, "cat", 0.2), (1, "cat", 0.2), (2, "dog", 0.01))]  # fmt: skip
    found = clip_dissection.compare_with_masks(words, masks, min_iou=0.04)
    assert [(each.by_words["unit"], each.agrees) for each in found] == [(0, True), (1, False)]


# --- files -------------------------------------------------------------------------------------------------------
def test_words_are_lines_without_the_empty_ones(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("red ball\n\n  sea \n", encoding="utf-8")
    assert clip_dissection.read_words(path) == ["red ball", "sea"]


@pytest.mark.parametrize(("text", "said"), [("one", "two words or more"), ("a\nb\na", "a word twice: a")])
def test_words_that_cannot_name_are_refused(tmp_path, text, said):
    path = tmp_path / "words.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        clip_dissection.read_words(path)
    with pytest.raises(ValueError, match="cannot read"):
        clip_dissection.read_words(tmp_path / "nowhere.txt")


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((2, 3)), r"3 images \(rows, in the order of their names\) x 2 words is wanted; .* holds \(2, 3\)"),
        (np.full((3, 2), np.nan), "finite numbers"),
        (np.array([["a", "b"]] * 3), "finite numbers"),
        (np.array([[{}]]), "cannot read"),
    ],
)
def test_a_matrix_of_another_kind_is_refused(tmp_path, array, said):
    np.save(tmp_path / "matrix.npy", array)
    with pytest.raises(ValueError, match=said):
        clip_dissection.read_similarities(tmp_path / "matrix.npy", 3, 2)
