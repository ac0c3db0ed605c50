"""Folders become samples: names, labels, stems, density maps, and the errors of the folders."""

import json
import os

import numpy as np
import pytest
from PIL import Image

import constants
from data.class_names import read_class_names
from data.dataset import (
    Sample,
    count_unmatched,
    describe_left_out,
    describe_reading,
    group_of,
    label_of,
    list_classes,
    load_dataset,
    load_density_map,
)
from data.fixation_files import read_fixations
from data.images import Reading


def make_images(folder, *names, size=(6, 4)):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size, 128).save(path)
    return folder


def names_of(samples):
    return [sample.name for sample in samples]


def labels_of(samples):
    return [(sample.label, sample.class_index) for sample in samples]


# --- folders ---------------------------------------------------------------------------------------------
def test_images_come_in_the_order_of_their_names_and_nothing_else_does(tmp_path):
    make_images(tmp_path, "b.png", "a.JPG", "été 1.Png", ".hidden.png", "sub/other.png")
    (tmp_path / "notes.txt").write_text("x")
    samples = load_dataset(tmp_path)
    assert names_of(samples) == ["a.JPG", "b.png", "été 1.Png"]
    assert samples[0].read().shape == (4, 6, 3)
    assert (samples[0].label, samples[0].class_index, samples[0].density_map_path) == (None, None, None)


def test_class_folders_give_their_names_as_labels(tmp_path):
    make_images(tmp_path, "Dog/1.png", "cat/1.png", "cat/deeper/2.png", ".git/3.png", "unknown/4.png")
    samples = load_dataset(tmp_path, class_names=["cat", "dog"])
    assert names_of(samples) == ["Dog/1.png", "cat/1.png", "unknown/4.png"]
    assert labels_of(samples) == [("Dog", 1), ("cat", 0), ("unknown", None)]
    assert list_classes(samples) == ["Dog", "cat", "unknown"]


def test_a_folder_without_images_says_what_it_is_full_of(tmp_path):
    with pytest.raises(ValueError, match="there is no folder"):
        load_dataset(tmp_path / "missing")
    with pytest.raises(ValueError, match="it is empty"):
        load_dataset(tmp_path)
    for name in ("a.txt", "b.pdf", "c.csv"):
        (tmp_path / name).write_text("x")
    with pytest.raises(ValueError, match=r"3 other files, as 'a.txt'; read are \.jpg, .*\.webp"):
        load_dataset(tmp_path)
    with pytest.raises(ValueError, match="a folder was wanted, .* is a file"):
        load_dataset(tmp_path / "a.txt")
    with pytest.raises(ValueError, match="gdfm_folder: there is no folder"):
        load_dataset(make_images(tmp_path / "images", "a.png"), tmp_path / "missing")


# --- labels ----------------------------------------------------------------------------------------------
MEXCULTURE = ("Colonial_A_Jalisco_N_1.png", "Modern_B_Mexico_N_1.png", "Prehispanic_C_Campeche_N_1.png")


def test_the_style_in_a_mexculture_name_is_the_label(tmp_path):
    samples = load_dataset(make_images(tmp_path, *MEXCULTURE), class_names=constants.STYLES)
    assert labels_of(samples) == [("Colonial", 0), ("Modern", 1), ("Prehispanic", 2)]


def test_the_monument_is_the_label_for_a_model_of_monuments_and_on_demand(tmp_path):
    folder, monuments = make_images(tmp_path, *MEXCULTURE), ["Modern_B_Mexico", "Colonial_A_Jalisco"]
    samples = load_dataset(folder, class_names=monuments)
    assert labels_of(samples[:2]) == [("Colonial_A_Jalisco", 1), ("Modern_B_Mexico", 0)]
    assert load_dataset(folder, label_level="monument")[1].label == "Modern_B_Mexico"
    assert label_of(MEXCULTURE[1], "style") == "Modern"
    with pytest.raises(ValueError, match="style, monument; got 'state'"):
        label_of(MEXCULTURE[1], "state")


def test_a_label_that_the_model_does_not_have_stays_as_text(tmp_path):
    sample = load_dataset(make_images(tmp_path, MEXCULTURE[0]), class_names=["cat"])[0]
    assert (sample.label, sample.class_index) == ("Colonial", None)


@pytest.mark.parametrize("name", ["n02012849_crane.JPEG", "n02012849.png", "n02012849/x.png"])
def test_an_imagenet_id_tells_two_classes_of_one_name_apart(tmp_path, name):
    names, ids = ["crane", "goldfish", "crane"], ["n02012849", "n01443537", "n03126707"]
    sample = load_dataset(make_images(tmp_path, name), class_names=names, class_ids=ids)[0]
    assert (sample.label, sample.class_index) == ("crane", 0)


def test_without_ids_the_name_behind_an_imagenet_id_is_used(tmp_path):
    folder = make_images(tmp_path, "n01443537_goldfish.JPEG", "n09999999_unknown.JPEG")
    samples = load_dataset(folder, class_names=["kite", "Goldfish"])
    assert labels_of(samples) == [("Goldfish", 1), ("n09999999", None)]


def test_ids_must_be_parallel_to_names(tmp_path):
    with pytest.raises(ValueError, match="got 1 and 2"):
        load_dataset(make_images(tmp_path, "a.png"), class_names=["cat", "dog"], class_ids=["n01443537"])


# --- limit -----------------------------------------------------------------------------------------------
def test_a_limit_takes_the_first_images_of_a_plain_folder(tmp_path):
    make_images(tmp_path, "c.png", "a.png", "b.png")
    assert names_of(load_dataset(tmp_path, limit=2)) == ["a.png", "b.png"]


def test_a_limit_still_shows_every_class(tmp_path):
    folder = make_images(tmp_path, *(f"{label}/{k}.png" for label in ("a", "b", "c") for k in range(9)))
    assert names_of(load_dataset(folder, limit=4)) == ["a/0.png", "a/1.png", "b/0.png", "c/0.png"]


def test_a_limit_still_shows_every_style(tmp_path):
    make_images(tmp_path, *(f"{style}_M{k}_S_N_1.png" for style in constants.STYLES for k in range(4)))
    samples = load_dataset(tmp_path, limit=3)
    assert [sample.label for sample in samples] == list(constants.STYLES)


def test_a_limit_below_one_is_refused(tmp_path):
    with pytest.raises(ValueError, match="limit must be 1 or more; got 0"):
        load_dataset(make_images(tmp_path, "a.png"), limit=0)


def test_a_limit_renames_no_output_file(tmp_path):
    folder = make_images(tmp_path, "a.jpg", "a.png", "b.png")
    assert load_dataset(folder, limit=1)[0].stem == load_dataset(folder)[0].stem == "a_jpg"


# --- density maps ----------------------------------------------------------------------------------------
def pair(images_folder, gdfm_folder):
    samples = load_dataset(images_folder, gdfm_folder)
    paths = [sample.density_map_path for sample in samples]
    return [path and path.relative_to(gdfm_folder).as_posix() for path in paths]


def test_a_mexculture_image_has_its_gfdm_map(tmp_path):
    images = make_images(tmp_path / "images", "Colonial_A_N_B_Jalisco_N_2.png", "Modern_B_Mexico_N_1.png")
    gdfm = make_images(tmp_path / "gdfm", "Colonial_A_N_B_Jalisco_GFDM_N_2.PNG", "Modern_X_Y_GFDM_N_1.png")
    assert pair(images, gdfm) == ["Colonial_A_N_B_Jalisco_GFDM_N_2.PNG", None]


def test_any_other_image_has_the_map_of_its_stem(tmp_path):
    images = make_images(tmp_path / "images", "A.jpg", "b.png", "c.png")
    assert pair(images, make_images(tmp_path / "gdfm", "a.PNG", "b.tif", "d.png")) == ["a.PNG", "b.tif", None]


def test_two_images_of_one_stem_have_each_the_map_of_their_ending(tmp_path):
    images = make_images(tmp_path / "images", "a.jpg", "a.png")
    assert pair(images, make_images(tmp_path / "gdfm", "a.jpg", "a.png")) == ["a.jpg", "a.png"]


def test_class_folders_pair_folder_by_folder_or_by_names_that_are_there_once(tmp_path):
    images = make_images(tmp_path / "images", "cats/1.png", "cats/2.png", "dogs/1.png")
    alike = make_images(tmp_path / "alike", "cats/1.png", "dogs/1.png")
    flat = make_images(tmp_path / "flat", "1.png", "2.png")
    assert pair(images, alike) == ["cats/1.png", None, "dogs/1.png"]
    assert pair(images, flat) == [None, "2.png", None]


def test_images_and_maps_may_lie_in_one_folder(tmp_path):
    make_images(tmp_path, "Modern_B_Mexico_N_1.png", "Modern_B_Mexico_GFDM_N_1.png", "cat.png")
    assert names_of(load_dataset(tmp_path)) == ["Modern_B_Mexico_N_1.png", "cat.png"]
    assert pair(tmp_path, tmp_path) == ["Modern_B_Mexico_GFDM_N_1.png", None]


def test_the_folder_of_maps_is_not_a_class(tmp_path):
    make_images(tmp_path, "cats/1.png", "gdfm/1.png")
    assert names_of(load_dataset(tmp_path, tmp_path / "gdfm")) == ["cats/1.png"]


def make_sample(tmp_path, width, height):
    path = make_images(tmp_path, "map.png", size=(width, height)) / "map.png"
    return Sample("image.png", "image", tmp_path / "image.png", density_map_path=path)


def test_a_density_map_comes_at_the_size_of_its_image(tmp_path):
    for width, height in [(60, 40), (30, 20), (301, 200)]:  # the same, smaller, off by a rounded pixel
        density_map = load_density_map(make_sample(tmp_path, width, height), 40, 60)
        assert density_map.shape == (40, 60)
        assert density_map.dtype == np.float32
        np.testing.assert_allclose(density_map, 128 / 255, rtol=1e-6)


def test_a_density_map_of_exchanged_axes_is_refused_and_both_sizes_named(tmp_path):
    with pytest.raises(ValueError, match="map.png' is 40 x 60 .*'image.png' 60 x 40"):
        load_density_map(make_sample(tmp_path, 40, 60), 40, 60)


def test_asking_for_a_map_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="'a.png' has no density map"):
        load_density_map(Sample("a.png", "a", tmp_path / "a.png"), 4, 6)


# --- fixations -------------------------------------------------------------------------------------------
def looked_at(samples):
    return {sample.name: None if sample.fixations is None else len(sample.fixations) for sample in samples}


def test_fixations_of_a_csv_find_their_images_by_name_or_stem(tmp_path):
    images, path = make_images(tmp_path / "images", "a.jpg", "B.png", "c.d.png", "e.png"), tmp_path / "fixations.csv"
    path.write_text("image,observer,x,y\na.jpg,1,1,1\na.jpg,2,2,2\nb,1,3,3\nc.d,1,1,1\nz.jpg,1,1,1\n")
    samples = load_dataset(images, fixations=path)
    assert looked_at(samples) == {"B.png": 1, "a.jpg": 2, "c.d.png": 1, "e.png": None}
    read = read_fixations(path)
    assert count_unmatched(read, load_dataset(images, fixations=read)) == 1
    assert count_unmatched(read, load_dataset(images, fixations=read, limit=1)) == 3


def test_a_mexculture_image_has_its_scan_paths_and_a_class_folder_its_own_files(tmp_path):
    images = make_images(tmp_path / "mexculture", *MEXCULTURE[:2])
    (tmp_path / "scanpaths").mkdir()
    for participant in (1, 2):
        path = tmp_path / "scanpaths" / f"Colonial_A_Jalisco_ScanPath_N_1_P_{participant}.txt"
        path.write_text("1 2 0.3\n")
    assert list(looked_at(load_dataset(images, fixations=tmp_path / "scanpaths")).values()) == [2, None]
    images = make_images(tmp_path / "classes", "cats/1.png", "dogs/1.png")
    (tmp_path / "texts" / "cats").mkdir(parents=True)
    (tmp_path / "texts" / "cats" / "1.txt").write_text("1 2\n")
    assert looked_at(load_dataset(images, fixations=tmp_path / "texts")) == {"cats/1.png": 1, "dogs/1.png": None}


def test_fixations_of_no_image_that_is_there_are_an_error(tmp_path):
    path = tmp_path / "fixations.csv"
    path.write_text("image,observer,x,y\nz.jpg,1,1,1\n")
    with pytest.raises(ValueError, match="names 1 images, as 'z.jpg'; none .* among the 1 images, as 'a.png'"):
        load_dataset(make_images(tmp_path / "images", "a.png"), fixations=path)


# --- class names -----------------------------------------------------------------------------------------
def test_class_names_come_from_a_list_a_text_file_or_keras_index(tmp_path):
    assert read_class_names("cat, dog") == (["cat", "dog"], None)
    text, index, plain = (tmp_path / name for name in ("names.txt", "index.json", "plain.json"))
    text.write_text("\ufeffcat\r\n dog\n\n", encoding="utf-8")
    assert read_class_names(str(text)) == (["cat", "dog"], None)
    index.write_text(json.dumps({"1": ["n2", "crane"], "0": ["n1", "crane"]}))
    assert read_class_names(str(index)) == (["crane", "crane"], ["n1", "n2"])
    plain.write_text(json.dumps({"0": "cat", "1": "dog"}))
    assert read_class_names(str(plain)) == (["cat", "dog"], None)


@pytest.mark.parametrize(
    ("argument", "reason"),
    [("cat,Cat", "twice"), ("", "empty"), ("cat,,dog", "name 1 .* empty"), ("missing.txt", "No such file")],
)
def test_class_names_that_are_no_names_are_refused(argument, reason):
    with pytest.raises(ValueError, match=f"class_names: .*{reason}"):
        read_class_names(argument)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", '{"0": "cat", "2": "dog"}', "1 is missing"),
        ("a.json", "{", "cannot read"),
        ("a.json", "3", "list or an object"),
        ("a.json", "[]", "there is none"),
        ("a.json", '[["n1", "cat"], "dog"]', "name 0"),
        ("a.txt", "", "there is none"),
        ("a.txt", "cat\n\ndog", "name 1"),  # a gap would shift every class behind it
    ],
)
def test_files_of_class_names_with_gaps_are_refused(tmp_path, name, content, reason):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=f"class_names: .*{reason}"):
        read_class_names(str(tmp_path / name))


# --- what is left out ------------------------------------------------------------------------------------------
def left_out(folder, **options):
    return describe_left_out(folder, load_dataset(folder, **options), options.get("gdfm_folder"))


def test_what_is_left_out_is_counted_and_named(tmp_path):
    make_images(tmp_path, "b.png", "cats/1.png", "dogs/2.png", "X_Y_Z_GFDM_N_1.png")
    for name in ("a.heic", "b.nef", "c.NEF", "notes.txt", ".hidden.heic"):
        (tmp_path / name).write_bytes(b"x")
    assert sorted(left_out(tmp_path)) == [
        "1 .heic, which pip install pillow-heif makes readable: a.heic",
        "2 .nef, which is not read: b.nef, c.NEF",
        "2 in class folders, beside loose images: cats/1.png, dogs/2.png",
    ]


@pytest.mark.skipif(os.name == "nt", reason="links need rights of their own there")
def test_links_that_lead_nowhere_are_left_out_and_named(tmp_path):
    make_images(tmp_path, "b.png")
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    (tmp_path / "ring.jpg").symlink_to("ring.jpg")
    (tmp_path / "notes.txt").symlink_to("nowhere.txt")
    os.mkfifo(tmp_path / "pipe.png")
    [text] = left_out(tmp_path)
    assert text == "3 whose link leads nowhere, or which are no files: gone.png, pipe.png, ring.jpg"


def test_images_two_levels_down_are_named_with_the_folder_to_give(tmp_path):
    make_images(tmp_path, "train/cats/1.png", "train/dogs/1.png")
    with pytest.raises(ValueError, match=r"two levels down, as 'train/cats/1.png': give '.*train'"):
        load_dataset(tmp_path)
    make_images(tmp_path, "cats/1.png")
    assert left_out(tmp_path) == ["2 in folders two levels down: train/cats/1.png, train/dogs/1.png"]
    assert left_out(tmp_path / "train") == []


def test_what_macos_puts_into_an_archive_is_no_class(tmp_path):
    make_images(tmp_path, "cats/1.png", "__MACOSX/1.png")
    assert [sample.name for sample in load_dataset(tmp_path)] == ["cats/1.png"] and left_out(tmp_path) == []


def test_only_an_empty_folder_is_called_empty(tmp_path):
    (tmp_path / "cats").mkdir()
    with pytest.raises(ValueError, match="its 1 folders are empty"):
        load_dataset(tmp_path)
    (tmp_path / "cats" / "deep").mkdir()
    with pytest.raises(ValueError, match="1 other files or folders, as 'cats/deep'"):
        load_dataset(tmp_path)


def test_how_images_are_read_is_said_by_kind(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    for name in ("a", "b", "c", "d"):
        Image.new("RGB", (6, 4)).save(tmp_path / f"{name}.png", exif=exif)
    Image.fromarray(np.full((4, 6), 99, np.int32)).save(tmp_path / "e.tif")
    assert describe_reading(load_dataset(tmp_path)) == [
        "4 turned by their EXIF orientation (--exif=keep does not): a.png, b.png, c.png, ...",
        "1 of 8-bit values in deeper files, scaled by 255: e.tif",
    ]
    kept = load_dataset(tmp_path, reading=Reading(turn=False))
    assert "kept as they are stored" in describe_reading(kept)[0]


def test_fractions_and_turned_photographs_fit_together(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "images").mkdir()
    Image.new("RGB", (60, 40)).save(tmp_path / "images" / "a.png", exif=exif)
    (tmp_path / "f.csv").write_text("image,observer,x,y\na.png,1,0.5,0.25\n")
    for turn, place in ((True, [20, 15]), (False, [30, 10])):
        options = {"fixations_unit": "fraction", "reading": Reading(turn=turn)}
        [sample] = load_dataset(tmp_path / "images", fixations=tmp_path / "f.csv", **options)
        assert sample.fixations.points.tolist() == [place] and sample.read_size() == sample.read().shape[:2]


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("cats/1.jpg", "cats"),
        ("animals/cats/1.jpg", "cats"),
        ("cats//1.jpg", "cats"),
        ("cats/./1.jpg", "cats"),
        ("./1.jpg", ""),
        ("1.jpg", ""),
        ("/1.jpg", ""),
        ("../1.jpg", ".."),
        ("https://host/cats/1.jpg", "cats"),
        ("Colonial_Catedral_Puebla_N_3.png", "Colonial"),
        ("cats/Colonial_Catedral_Puebla_N_3.png", "cats"),
    ],
)
def test_the_group_of_an_image_is_its_folder_or_else_the_style_in_its_name(name, group):
    assert group_of(name) == group
