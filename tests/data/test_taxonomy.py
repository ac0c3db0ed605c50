"""Levels of labels read from a file or from names, matched with a model's classes, and every line that can be wrong."""

import numpy as np
import pytest
from planted import ANIMALS, DATA

from data.taxonomy import taxonomy_of_names
from data.taxonomy_files import open_taxonomy


# --- a model's place -----------------------------------------------------------------------------------------
def test_a_model_of_leaves_is_read_on_every_level_in_its_own_order(write_taxonomy):
    match = open_taxonomy(write_taxonomy(ANIMALS)).match(["Orange", "robin", "crane", "goldfish"])
    assert match.own == 0 and match.note == ""
    leaf, group, kingdom = match.levels
    assert leaf.class_names == ["orange", "robin", "crane", "goldfish"] and leaf.node_of.tolist() == [0, 1, 2, 3]
    assert group.class_names == ["fruit", "bird", "fish"] and group.node_of.tolist() == [0, 1, 1, 2]
    assert kingdom.class_names == ["plant", "animal"] and kingdom.node_of.tolist() == [0, 1, 1, 1]


def test_a_model_that_was_trained_on_groups_is_read_from_there_up(write_taxonomy):
    match = open_taxonomy(write_taxonomy(ANIMALS)).match(["bird", "fish", "fruit"])
    assert match.own == 1 and [level.name for level in match.levels] == ["group", "kingdom"]
    assert match.levels[1].class_names == ["animal", "plant"] and match.levels[1].node_of.tolist() == [0, 0, 1]


def test_leaves_without_a_class_are_said_and_no_error(write_taxonomy):
    match = open_taxonomy(write_taxonomy(ANIMALS)).match(["goldfish", "orange"])
    assert match.note == "2 of leaf are no classes of the model: robin, crane"


def test_classes_that_the_file_lacks_and_leaves_they_may_mean_are_told_together(write_taxonomy):
    with pytest.raises(ValueError) as error:
        open_taxonomy(write_taxonomy(ANIMALS.replace("goldfish", "goldfsh"))).match(
            ["goldfish", "robin", "orange", "crane"]
        )
    assert "no label for 1 of the model's 4 classes: goldfish" in str(error.value)
    assert "1 of its leaves are no classes of the model: goldfsh" in str(error.value)


def test_the_index_tells_two_cranes_apart(write_taxonomy):
    taxonomy = open_taxonomy(write_taxonomy("index,leaf,group\n2,crane,tool\n0,crane,bird\n1,robin,bird\n"))
    leaf, group = taxonomy.match(["crane", "robin", "crane"]).levels
    assert leaf.class_names == ["crane (0)", "robin", "crane (2)"]
    assert group.class_names == ["bird", "tool"] and group.node_of.tolist() == [0, 0, 1]


def test_two_cranes_without_an_index_are_refused(write_taxonomy):
    with pytest.raises(ValueError, match="several classes of the model are called 'crane'"):
        open_taxonomy(write_taxonomy(ANIMALS)).match(["crane", "robin", "crane"])


@pytest.mark.parametrize(
    "indices, words",
    [
        ((1, 2, 3), "index 1 is the leaf 'crane', but of the model's 3 classes, 0 the first, it is 'robin'"),
        ((0, 1, 7), "index 7 is the leaf 'crane', but of the model's 3 classes, 0 the first, there is no such"),
        ((0, 1, 3), "index 3 is the leaf 'crane'"),
    ],
)
def test_an_index_of_another_model_is_refused_and_the_first_is_named(write_taxonomy, indices, words):
    rows = zip(indices, ("crane,bird", "robin,bird", "crane,tool"))
    taxonomy = open_taxonomy(
        write_taxonomy("\n".join(["index,leaf,group", *(f"{index},{row}" for index, row in rows)]))
    )
    with pytest.raises(ValueError) as error:
        taxonomy.match(["crane", "robin", "crane"])
    assert words in str(error.value)


def test_a_class_without_an_index_is_lacking_though_another_has_its_name(write_taxonomy):
    taxonomy = open_taxonomy(write_taxonomy("index,leaf,group\n0,crane,bird\n1,robin,bird\n"))
    with pytest.raises(ValueError, match="no label for 1 of the model's 3 classes: crane"):
        taxonomy.match(["crane", "robin", "crane"])


def test_an_index_says_nothing_of_a_model_of_groups(write_taxonomy):
    taxonomy = open_taxonomy(write_taxonomy("index,leaf,group,kind\n7,robin,bird,animal\n8,orange,fruit,plant\n"))
    assert taxonomy.match(["fruit", "bird"]).own == 1


def test_two_levels_with_other_members_are_described_differently(write_taxonomy):
    taxonomy = open_taxonomy(write_taxonomy(ANIMALS))
    models = ["crane", "robin", "orange"], ["crane", "orange", "robin"]
    one, other = (taxonomy.match(names).levels[1] for names in models)
    assert one.class_names == other.class_names and one.describe() != other.describe()


# --- names ---------------------------------------------------------------------------------------------------
def test_mexculture_names_tell_monument_and_style():
    names = ["Modern_A_Frontal_N_1.png", "Modern_A_Frontal_N_2.png", "Colonial_B_Puebla_N_1.png", "Modern_N_1", "x.png"]
    taxonomy = taxonomy_of_names(names)
    assert taxonomy.levels == ("monument", "style") and len(taxonomy.rows) == 2
    monuments = ["Modern_A_Frontal", "Colonial_B_Puebla"]
    match = taxonomy.match(monuments)
    assert [level.class_names for level in match.levels] == [monuments, ["Modern", "Colonial"]]
    assert taxonomy.match(["Colonial", "Modern"]).own == 1


def test_other_names_are_refused():
    with pytest.raises(ValueError, match="--taxonomy, or files named <style>_<monument>_<state>"):
        taxonomy_of_names(["a.png"])


# --- the real file -------------------------------------------------------------------------------------------
@pytest.mark.data
def test_the_classes_of_imagenet_are_all_told_apart():
    from data.class_names import read_class_names

    names, _ = read_class_names(str(DATA / "models" / "imagenet_class_index.json"))
    match = open_taxonomy(DATA / "imagenet_animals.csv").match(names)
    leaf, group, kingdom = match.levels
    assert [len(level.class_names) for level in match.levels] == [1000, 8, 2] and match.note == ""
    assert [group.class_names[group.node_of[index]] for index in (134, 517)] == ["bird", "other"]
    assert {"crane (134)", "crane (517)", "maillot (638)", "maillot (639)"} <= set(leaf.class_names)
    assert np.bincount(kingdom.node_of).tolist() == [398, 602]
