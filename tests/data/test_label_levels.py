"""Coarser labels for training: what `train.py --taxonomy --label_level` learns, and what of it is refused."""

import pytest
from test_train import folders, read_table, run, saved_model  # noqa: F401 red and green squares, a saved model

from data import label_levels
from data import taxonomy_files as taxonomy_csv
from network import model_files

TREE = "leaf,warmth\nred,warm\nyellow,warm\ngreen,cold\n"


@pytest.fixture
def tree(folders):  # noqa: F811
    (folders / "tree.csv").write_text(TREE)
    return folders


def test_a_folder_is_labelled_by_the_nodes_over_its_classes(tree):
    taxonomy = taxonomy_csv.read_taxonomy("tree.csv")
    samples = label_levels.list_labelled("val", taxonomy, "warmth")
    assert [sample.label for sample in samples] == ["cold"] * 4 + ["warm"] * 4
    leaves = label_levels.list_labelled("val", taxonomy, "leaf")
    assert [sample.label for sample in leaves] == ["green"] * 4 + ["red"] * 4


def test_a_network_is_trained_on_the_coarser_labels(tree, saved_model):  # noqa: F811
    assert run("--taxonomy=tree.csv", "--label_level=warmth", "--epochs_head=2", "--epochs_fine_tuning=0") == 0
    assert model_files.read_settings("new.keras")["class_names"] == ["cold", "warm"]
    assert {row["true"] for row in read_table("new_training/validation.csv")} == {"cold", "warm"}


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--taxonomy=none.csv"], "there is no file 'none.csv'"),
        (["--taxonomy=tree.csv", "--label_level=style"], "--label_level should be one of leaf, warmth; got 'style'"),
        (["--label_level=warmth"], "--label_level should be one of style, monument; got 'warmth'"),
        (["--taxonomy=tree.csv", "--multi_label=labels.csv"], "give one of them"),
    ],
)
def test_a_slip_is_told_in_one_line(tree, saved_model, capsys, flags, words):  # noqa: F811
    assert run(*flags) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and words in lines[0]


@pytest.mark.parametrize(
    "text, words",
    [
        ("leaf,warmth\nred,warm\nblue,cold\n", "6 of 12 images in 'train' have no class, as 'green/0.png'"),
        ("leaf,warmth\nred,warm\ngreen,warm\n", "two classes or more were wanted"),
    ],
)
def test_labels_that_cannot_be_learnt_are_refused(tree, saved_model, capsys, text, words):  # noqa: F811
    (tree / "tree.csv").write_text(text)
    assert run("--taxonomy=tree.csv", "--label_level=warmth") == 2
    assert words in capsys.readouterr().err
