"""COCO's instances: what the published layout says of labels and boxes, and what is wrong in a file."""

import json

import numpy as np
import pytest
from PIL import Image

import train
from data import multi_labels
from data.boxes import Box, match_boxes, read_boxes
from data.coco import read_instances
from data.dataset import load_dataset
from network import model_files


def published(**changes):
    """A file as instances_val2017.json is: ids with gaps, keys that nobody asked for, a crowd, a box over the edge."""
    images = [
        {"license": 4, "file_name": f"00000000000{key}.jpg", "height": 40, "width": 60, "id": key, "date_captured": ""}
        for key in (7, 9, 3)
    ]

    def annotation(key, image, category, bbox, crowd=0):
        outline = {"counts": [1], "size": [40, 60]} if crowd else [[0.0, 1.0, 2.0, 3.0]]
        return {
            "segmentation": outline,
            "area": 1.0,
            "iscrowd": crowd,
            "image_id": image,
            "bbox": bbox,
            "category_id": category,
            "id": key,
        }

    annotations = [
        annotation(42, 9, 90, [10.5, 5.0, 20.25, 30.0]),
        annotation(43, 9, 1, [50.0, 0.0, 10.01, 12.0]),
        annotation(44, 9, 1, [4.6, 4.6, 0.3, 0.0]),
        annotation(900100000045, 7, 1, [0, 0, 60, 40], crowd=1),
    ]
    names = {90: "toothbrush", 1: "person", 89: "hair drier"}
    categories = [{"supercategory": "any", "id": key, "name": name} for key, name in names.items()]
    return {
        "info": {"year": 2017},
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": categories,
        **changes,
    }


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(content, name="instances.json"):
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
        return name

    return write


def test_labels_come_in_the_order_of_the_ids_and_an_image_without_instances_has_none(write):
    table = multi_labels.read_labels(write(published()))
    assert table.class_names == ["person", "hair drier", "toothbrush"]
    labels = {name: row.tolist() for name, row in table.rows.items()}
    assert labels == {"000000000007.jpg": [1, 0, 0], "000000000009.jpg": [1, 0, 1], "000000000003.jpg": [0, 0, 0]}


def test_boxes_are_named_cut_at_the_edge_and_of_no_crowd(write):
    boxes = read_boxes(write(published()))
    assert boxes == {"000000000009.jpg": [Box(10.5, 5, 30.75, 35, 1, "toothbrush"), Box(50, 0, 60, 12, 2, "person")]}


def test_the_boxes_find_the_images_of_the_folder(write, tmp_path):
    (tmp_path / "val2017").mkdir()
    for key in (3, 9):
        Image.new("RGB", (60, 40)).save(tmp_path / "val2017" / f"00000000000{key}.jpg")
    samples = load_dataset(tmp_path / "val2017")
    matched, note = match_boxes(read_boxes(write(published())), samples)
    assert list(matched) == ["000000000009.jpg"] and note == "of 1 image; without any, left out: 1"


def test_two_files_are_joined_if_they_are_of_one_data_set(write):
    other = published(images=[{"id": 7, "file_name": "b.jpg", "width": 60, "height": 40}], annotations=[])
    paths = f"{write(published())},{write(other, 'val.json')}"
    assert set(multi_labels.read_labels(paths).rows) == {*(f"00000000000{key}.jpg" for key in (3, 7, 9)), "b.jpg"}
    write(published(categories=published()["categories"][:2], annotations=[]), "val.json")
    with pytest.raises(ValueError, match="'val.json' has other categories than 'instances.json'"):
        multi_labels.read_labels(paths)
    write(published(annotations=[]), "val.json")
    with pytest.raises(ValueError, match="'val.json' gives '000000000007.jpg' other classes"):
        multi_labels.read_labels(paths)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is no JSON"),
        ("[]", "it has no images"),
        ({"images": [], "categories": []}, "it has no annotations"),
        (published(categories=[{"id": 1}]), "every category an id and a name"),
        (published(categories=[{"id": 1, "name": "a"}, {"id": 2, "name": "a"}], annotations=[]), "of one name or id"),
        (published(annotations=[{"image_id": 8, "category_id": 1, "bbox": [0, 0, 1, 1]}]), "annotation, number 1"),
        (published(annotations=[{"image_id": 9, "category_id": 2, "bbox": [0, 0, 1, 1]}]), "annotation, number 1"),
        (published(annotations=[{"image_id": 9, "category_id": 1, "bbox": [0, 0, 1]}]), "a bbox of four numbers"),
        (published(annotations=[{"image_id": 9, "category_id": 1, "bbox": [0, 0, 1, None]}]), "four numbers"),
    ],
)
def test_what_is_wrong_is_named(write, content, words):
    with pytest.raises(ValueError, match=words) as error:
        read_instances(write(content), "boxes")
    assert str(error.value).startswith("boxes: 'instances.json'")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="multi_label: there is no file"):
        multi_labels.read_labels(tmp_path / "instances.json")


def test_a_network_learns_the_categories_that_its_images_show(write, tmp_path, planted, capsys):
    rng = np.random.default_rng(0)
    for folder in ("train", "val"):
        (tmp_path / folder).mkdir()
        for key in (3, 7, 9):
            Image.fromarray(rng.integers(0, 255, (40, 60, 3), np.uint8)).save(f"{folder}/00000000000{key}.jpg")
    model_files.save_model(planted, "whole.keras", {"preprocessing": "none", "model_name": None})
    write(published())
    images = "--train_images_folder_path=train", "--val_images_folder_path=val", "--multi_label=instances.json"
    stages = "--epochs_head=1", "--epochs_fine_tuning=0", "--weights=whole.keras", "--model_path=new.keras"
    assert train.main([*images, *stages]) == 0
    assert "classes that no training image shows, left out: hair drier" in capsys.readouterr().out
    assert model_files.load_classifier(model_path="new.keras")[0].class_names == ["person", "toothbrush"]
