"""Files of levels: every line that can be wrong, iNatLoc500 in small, and coarser labels for training."""

import pytest
from inat_loc_files import SPECIES, write_rows
from planted import ANIMALS, read_table
from test_train import run

from data.taxonomy_files import (
    INAT_RANKS,
    list_labelled,
    list_samples,
    open_taxonomy,
    read_inat_boxes,
    read_inat_labels,
    read_inat_taxonomy,
)
from network import model_files


# --- what a file says ----------------------------------------------------------------------------------------
def test_a_file_tells_the_levels_and_the_nodes_of_every_leaf(write_taxonomy):
    taxonomy = open_taxonomy(write_taxonomy(ANIMALS))
    assert taxonomy.levels == ("leaf", "group", "kingdom")
    assert [taxonomy.label(2, position) for position in range(3)] == ["orange", "fruit", "plant"]


def test_a_byte_order_mark_and_blank_lines_do_not_matter(write_taxonomy):
    assert open_taxonomy(write_taxonomy("\ufeff" + ANIMALS.replace("\n", "\n\n"))).levels[0] == "leaf"


@pytest.mark.parametrize(
    "text, words",
    [
        ("name,group\na,b\n", "should begin with the columns leaf, or index and leaf"),
        ("", "it has none"),
        ("leaf\na\n", "then one of its own per level up"),
        ("leaf,group,group\na,b,b\n", "one of its own"),
        ("leaf,group\n", "has no leaf"),
        ("leaf,group\na\n", "line 2"),
        ("leaf,group\na,b\nc,\n", "line 3"),
        ("leaf,group\na,b\nA,b\n", "leaf 'A' is in lines 2 and 3"),
        ("index,leaf,group\n0,a,b\n0,c,b\n", "index 0 is in lines 2 and 3"),
        ("index,leaf,group\nx,a,b\n", "line 2 of"),
        ("index,leaf,group\n-1,a,b\n", "the index of a class was wanted"),
        ("leaf,group,kingdom\na,b,c\nd,b,e\n", "group 'b' is under two of the level 'kingdom': 'c' and 'e'"),
    ],
)
def test_a_bad_file_is_told_in_one_line(write_taxonomy, text, words):
    with pytest.raises(ValueError) as error:
        open_taxonomy(write_taxonomy(text))
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_missing_file_is_named():
    with pytest.raises(ValueError, match=r"no file 'nowhere\.csv'"):
        open_taxonomy("nowhere.csv")


# --- iNatLoc500 --------------------------------------------------------------------------------------------


def test_the_ranks_are_the_levels_from_species_to_kingdom(inat_loc):
    taxonomy = open_taxonomy(inat_loc / "metadata")
    assert taxonomy.levels == INAT_RANKS and taxonomy.metadata == inat_loc / "metadata"
    match = taxonomy.match(list(SPECIES))
    assert [len(level.class_names) for level in match.levels] == [3, 3, 2, 2, 2, 1, 1]
    assert match.levels[3].class_names == ["Cypriniformes", "Anseriformes"]


def test_images_of_any_depth_are_labelled_with_their_species(inat_loc):
    taxonomy = open_taxonomy(inat_loc / "metadata")
    samples = list_samples(inat_loc / "test", taxonomy, class_names=list(SPECIES))
    assert len(samples) == 6 and samples[0].name == "Actinopterygii/Cyprinus carpio/1.jpg"
    assert [sample.class_index for sample in samples] == [0, 0, 1, 1, 2, 2]
    assert samples[0].read().shape == (30, 40, 3) and len({sample.stem for sample in samples}) == 6
    few = list_samples(inat_loc / "test", taxonomy, limit=3)
    assert {sample.label for sample in few} == set(SPECIES)


def test_training_takes_any_rank(inat_loc):
    taxonomy = open_taxonomy(inat_loc / "metadata")
    labels = [sample.label for sample in list_labelled(inat_loc / "train", taxonomy, "family")]
    assert labels == ["Cyprinidae"] * 2 + ["Anatidae"] * 4


def test_the_four_numbers_of_a_box_are_its_corners(inat_loc):
    boxes = read_inat_boxes(inat_loc / "metadata", inat_loc / "test")
    assert boxes["Aves/Aix sponsa/2.jpg"][0][:4] == (5, 10, 35, 20)
    assert read_inat_boxes(inat_loc / "metadata", inat_loc / "train") == {}


def test_a_box_in_the_order_that_the_readme_names_would_be_refused(inat_loc):
    write_rows(inat_loc / "metadata" / "test" / "localization.txt", ["test/Aves/Aix sponsa/1.jpg,35,208,10,100"])
    with pytest.raises(ValueError, match=r"line 1 of .*localization\.txt' is an empty box"):
        read_inat_boxes(inat_loc / "metadata", inat_loc / "test")


@pytest.mark.parametrize(
    "name, rows, words",
    [
        ("class_names_genus.txt", None, "there is no file"),
        ("class_names.txt", ["Cyprinus carpio"], "line 1 of"),
        ("train/class_labels_family.txt", ["train/x.jpg,0"], "no label or name of"),
        ("train/class_labels.txt", None, None),
        ("class_names.txt", ["Cyprinus carpio,0"], "no label or name of '1'"),
    ],
)
def test_what_is_missing_is_named(inat_loc, name, rows, words):
    path = inat_loc / "metadata" / name
    path.unlink()
    if rows:
        write_rows(path, rows)
    if words is None:  # another split has the labels too
        assert len(read_inat_taxonomy(inat_loc / "metadata").rows) == 3
        return
    with pytest.raises(ValueError, match=words):
        read_inat_taxonomy(inat_loc / "metadata")


def test_a_folder_that_is_no_metadata_and_one_that_is_no_split_are_refused(inat_loc):
    with pytest.raises(ValueError, match="a csv file, or iNatLoc500's folder"):
        open_taxonomy(inat_loc)
    with pytest.raises(ValueError, match="called one of train, val, test"):
        read_inat_labels(inat_loc / "metadata", inat_loc)


def test_images_that_are_elsewhere_are_told(inat_loc, tmp_path):
    with pytest.raises(ValueError, match="none of the 6 images"):
        read_inat_labels(inat_loc / "metadata", tmp_path / "elsewhere" / "test")


# --- coarser labels for training ---------------------------------------------------------------------------
TREE = "leaf,warmth\nred,warm\nyellow,warm\ngreen,cold\n"


@pytest.fixture
def tree(class_folders):
    (class_folders / "tree.csv").write_text(TREE)
    return class_folders


def test_a_folder_is_labelled_by_the_nodes_over_its_classes(tree):
    taxonomy = open_taxonomy("tree.csv")
    samples = list_labelled("val", taxonomy, "warmth")
    assert [sample.label for sample in samples] == ["cold"] * 4 + ["warm"] * 4
    leaves = list_labelled("val", taxonomy, "leaf")
    assert [sample.label for sample in leaves] == ["green"] * 4 + ["red"] * 4


def test_a_network_is_trained_on_the_coarser_labels(tree, five_class_model):
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
def test_a_slip_is_told_in_one_line(tree, five_class_model, capsys, flags, words):
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
def test_labels_that_cannot_be_learnt_are_refused(tree, five_class_model, capsys, text, words):
    (tree / "tree.csv").write_text(text)
    assert run("--taxonomy=tree.csv", "--label_level=warmth") == 2
    assert words in capsys.readouterr().err
