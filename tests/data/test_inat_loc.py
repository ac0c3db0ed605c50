"""iNatLoc500 in small: the published files, what is read from them, and what is missing or contradicts."""

import numpy as np
import pytest
from PIL import Image

import constants
from data import inat_loc, label_levels

SPECIES = {  # as published: species -> genus ... kingdom
    "Cyprinus carpio": ("Cyprinus", "Cyprinidae", "Cypriniformes", "Actinopterygii", "Chordata", "Animalia"),
    "Aix sponsa": ("Aix", "Anatidae", "Anseriformes", "Aves", "Chordata", "Animalia"),
    "Anas acuta": ("Anas", "Anatidae", "Anseriformes", "Aves", "Chordata", "Animalia"),
}


@pytest.fixture
def data(tmp_path):
    """A folder with images of all splits and the metadata beside them."""
    images = {
        "train": [f"train/0{place}_{name}/{number}.jpg" for place, name in enumerate(SPECIES) for number in (1, 2)],
        "test": [f"test/{SPECIES[name][3]}/{name}/{number}.jpg" for name in SPECIES for number in (1, 2)],
    }
    metadata = tmp_path / "metadata"
    for rank, level in enumerate(constants.INAT_RANKS):
        ending = f"_{level}" if rank else ""
        of = {name: (name, *above)[rank] for name, above in SPECIES.items()}
        nodes = list(dict.fromkeys(of.values()))
        write(metadata / f"class_names{ending}.txt", [f"{node},{index}" for index, node in enumerate(nodes)])
        for split, names in images.items():
            species = [name for name in SPECIES for _ in (1, 2)]
            rows = [f"{image},{nodes.index(of[name])}" for image, name in zip(names, species)]
            write(metadata / split / f"class_labels{ending}.txt", rows)
    write(metadata / "test" / "localization.txt", [f"{image},5,10,35,20" for image in images["test"]])
    for image in sum(images.values(), []):
        (tmp_path / image).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((30, 40, 3), 99, np.uint8)).save(tmp_path / image)
    return tmp_path


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def test_the_ranks_are_the_levels_from_species_to_kingdom(data):
    taxonomy = label_levels.open_taxonomy(data / "metadata")
    assert taxonomy.levels == constants.INAT_RANKS and taxonomy.metadata == data / "metadata"
    match = taxonomy.match(list(SPECIES))
    assert [len(level.class_names) for level in match.levels] == [3, 3, 2, 2, 2, 1, 1]
    assert match.levels[3].class_names == ["Cypriniformes", "Anseriformes"]


def test_images_of_any_depth_are_labelled_with_their_species(data):
    taxonomy = label_levels.open_taxonomy(data / "metadata")
    samples = label_levels.list_samples(data / "test", taxonomy, class_names=list(SPECIES))
    assert len(samples) == 6 and samples[0].name == "Actinopterygii/Cyprinus carpio/1.jpg"
    assert [sample.class_index for sample in samples] == [0, 0, 1, 1, 2, 2]
    assert samples[0].read().shape == (30, 40, 3) and len({sample.stem for sample in samples}) == 6
    few = label_levels.list_samples(data / "test", taxonomy, limit=3)
    assert {sample.label for sample in few} == set(SPECIES)


def test_training_takes_any_rank(data):
    taxonomy = label_levels.open_taxonomy(data / "metadata")
    labels = [sample.label for sample in label_levels.list_labelled(data / "train", taxonomy, "family")]
    assert labels == ["Cyprinidae"] * 2 + ["Anatidae"] * 4


def test_the_four_numbers_of_a_box_are_its_corners(data):
    boxes = inat_loc.read_boxes(data / "metadata", data / "test")
    assert boxes["Aves/Aix sponsa/2.jpg"][0][:4] == (5, 10, 35, 20)
    assert inat_loc.read_boxes(data / "metadata", data / "train") == {}


def test_a_box_in_the_order_that_the_readme_names_would_be_refused(data):
    write(data / "metadata" / "test" / "localization.txt", ["test/Aves/Aix sponsa/1.jpg,35,208,10,100"])
    with pytest.raises(ValueError, match=r"line 1 of .*localization\.txt' is an empty box"):
        inat_loc.read_boxes(data / "metadata", data / "test")


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
def test_what_is_missing_is_named(data, name, rows, words):
    path = data / "metadata" / name
    path.unlink()
    if rows:
        write(path, rows)
    if words is None:  # another split has the labels too
        assert len(inat_loc.read_taxonomy(data / "metadata").rows) == 3
        return
    with pytest.raises(ValueError, match=words):
        inat_loc.read_taxonomy(data / "metadata")


def test_a_folder_that_is_no_metadata_and_one_that_is_no_split_are_refused(data):
    with pytest.raises(ValueError, match="a csv file, or iNatLoc500's folder"):
        label_levels.open_taxonomy(data)
    with pytest.raises(ValueError, match="called one of train, val, test"):
        inat_loc.read_labels(data / "metadata", data)


def test_images_that_are_elsewhere_are_told(data, tmp_path):
    with pytest.raises(ValueError, match="none of the 6 images"):
        inat_loc.read_labels(data / "metadata", tmp_path / "elsewhere" / "test")
