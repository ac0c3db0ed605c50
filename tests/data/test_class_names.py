"""Names of classes: every form of file is read, and what a user writes is never taken for another class."""

import json

import pytest

from data.class_names import describe_labels, find_class_index, read_class_names
from utils import find_class


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


# --- reading ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("names.txt", "red\ngreen\nblue\n"),
        ("labels.txt", "0 red\n1 green\n2 blue\n"),  # Teachable Machine
        ("labels.txt", "\ufeff0 red\r\n1 green\r\n2 blue\r\n\r\n"),
        ("labels.txt", "2: blue\n0: red\n1: green"),
        ("labels.txt", "0,red\n1,green\n2,blue"),
        ("class_indices.json", {"red": 0, "green": 1, "blue": 2}),  # flow_from_directory
        ("class_indices.json", {"blue": 2, "green": 1, "red": 0}),
        ("index.json", {"2": "blue", "1": "green", "0": "red"}),
        ("list.json", ["red", "green", "blue"]),
        ("NAMES.TXT", "red\ngreen\nblue"),
    ],
)
def test_every_form_of_a_file_gives_the_same_names(tmp_path, name, content):
    assert read_class_names(write(tmp_path / name, content)) == (["red", "green", "blue"], None)


def test_a_list_and_names_by_commas():
    assert read_class_names(["red", "green"]) == read_class_names("red, green") == (["red", "green"], None)


def test_keras_class_index_gives_ids_too(tmp_path):
    path = write(tmp_path / "index.json", {"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]})
    assert read_class_names(path) == (["tench", "goldfish"], ["n01440764", "n01443537"])


def test_numbers_that_belong_to_the_names_stay(tmp_path):
    assert read_class_names(write(tmp_path / "a.txt", "1 euro\n2 euro\n"))[0] == ["1 euro", "2 euro"]
    assert read_class_names(write(tmp_path / "b.txt", "0 euro\n1 euro\n"))[0] == ["0 euro", "1 euro"]
    assert read_class_names(write(tmp_path / "c.txt", "0\n1\n2\n"))[0] == ["0", "1", "2"]
    assert read_class_names(write(tmp_path / "d.json", {"1": 0, "0": 1}))[0] == ["1", "0"]  # folders of such names


@pytest.mark.parametrize("content", [{"red": 0, "green": 0}, {"red": 1, "green": 2}, {"red": 0, "green": 2}])
def test_class_indices_with_a_gap_or_one_twice_are_refused(tmp_path, content):
    with pytest.raises(ValueError, match="class_names: .*indices must be 0 to 1, each once; [01] is missing"):
        read_class_names(write(tmp_path / "class_indices.json", content))


def test_a_file_that_is_nested_too_deeply_is_refused(tmp_path):
    with pytest.raises(ValueError, match="class_names: cannot read .*deeply"):
        read_class_names(write(tmp_path / "deep.json", "[" * 100_000))


# --- finding ---------------------------------------------------------------------------------------------
def test_a_class_is_found_by_index_name_or_identifier():
    names, ids = ["red fox", "Red_Wolf", "dog"], ["n1", "n2", "n3"]
    for wanted in (1, "1", "index:1", "Red_Wolf", "red wolf", " RED_WOLF ", "n2"):
        assert find_class_index(wanted, names, ids) == 1


def test_a_name_of_digits_is_a_name_where_it_is_the_index_too():
    assert find_class_index("2", ["0", "1", "2"]) == 2


def test_digits_that_may_mean_two_classes_are_refused():
    names = ["1", "0", "2"]  # a data set of digits whose folders came in another order
    with pytest.raises(ValueError, match=r"'1' may mean several classes: write one of index:0 \(1\), index:1 \(0\)"):
        find_class_index("1", names)
    assert find_class_index("index:0", names) == 0
    assert find_class_index(1, names) == 1
    assert find_class_index("2", names) == 2


def test_digits_are_no_index_where_all_classes_are_called_by_numbers():
    with pytest.raises(ValueError, match="called by numbers, and none is '1': '10', '20', '50'; write index:1"):
        find_class_index("1", ["10", "20", "50"])
    assert find_class_index("20", ["10", "20", "50"]) == 1
    assert find_class_index("1", ["10", "20", "fifty"]) == 1


def test_an_exact_name_goes_before_one_of_another_letter_case():
    assert find_class_index("US", ["us", "US"]) == find_class("US", ["us", "US"]) == 1
    with pytest.raises(ValueError, match="'Us' may mean several classes"):
        find_class_index("Us", ["us", "US"])
    assert find_class("Us", ["us", "US"]) is None


def test_names_that_only_look_alike_are_not_each_other():
    assert find_class("Masse", ["Maße"]) is None
    with pytest.raises(ValueError, match="no class 'Masse'"):
        find_class_index("Masse", ["Maße", "x"])


def test_a_name_that_is_another_class_s_identifier_is_refused():
    with pytest.raises(ValueError, match="'n2' may mean several classes"):
        find_class_index("n2", ["n2", "b"], ["n1", "n2"])


@pytest.mark.parametrize("wanted", ["7", "-1", "index:3", "index:x", 3, "²"])
def test_an_index_that_is_not_there_is_refused(wanted):
    with pytest.raises(ValueError, match="class"):
        find_class_index(wanted, ["a", "b", "c"])


# --- labels ----------------------------------------------------------------------------------------------
def test_labels_are_counted_that_are_classes_of_the_model():
    assert describe_labels(["a", "b", None], [0, 1, None], ["a", "b"]) == ("2 with a label", None)
    assert describe_labels([None], [None], ["a"]) == ("0 with a label", None)
    counted, note = describe_labels(["red", "green", "green"], [None] * 3, ["class_0", "class_1"])
    assert counted == "0 with a label of the model's"
    assert note.startswith("3 images have labels that are no classes of the model: 'green', 'red'; its classes are 'cl")
    assert "--class_names" in note
