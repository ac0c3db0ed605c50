"""Masks are found by their image's name, read at any size and depth; labels are concepts of whole images."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.dataset import Sample
from units import concepts


def sample(name, label=None, folder="images"):
    return Sample(name, Path(name).stem, Path(folder, name), label)


def write(path, array):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Images a.png and b.jpg, 8 x 4 pixels (width x height), the mask of a dome in a."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.jpg"):
        write(f"images/{name}", np.zeros((4, 8, 3), np.uint8))
    mask = np.zeros((4, 8), np.uint8)
    mask[1:3, 2:5] = 255
    write("concepts/dome/a.png", mask)
    return [sample("a.png"), sample("b.jpg")]


def test_a_mask_is_read_where_it_is_and_other_images_are_not_annotated(work):
    found = concepts.open_concepts("concepts", work)
    assert found.names == ["dome"] and not found.of_images
    [mask] = found.read(work[0], 4, 8)[0].values()
    rows, columns = np.nonzero(mask)
    assert mask.dtype == bool and mask.shape == (4, 8)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (1, 2, 2, 4)
    assert found.read(work[1], 4, 8) == ({}, {})
    assert "1 images without a mask are left out" in found.source


def test_a_black_mask_says_that_the_image_is_annotated(work):
    write("concepts/arch/b.png", np.zeros((4, 8), np.uint8))
    found = concepts.open_concepts("concepts", work)
    assert found.names == ["arch", "dome"]
    [(index, mask)] = found.read(work[1], 4, 8)[0].items()
    assert index == 0 and not mask.any()


@pytest.mark.parametrize("high, kind", [(1, np.uint8), (255, np.uint8), (7, np.uint8), (65535, np.uint16)])
def test_masks_of_any_depth_are_read(work, high, kind):
    mask = np.zeros((4, 8), kind)
    mask[:2] = high
    write("concepts/dome/a.png", mask)
    [found] = concepts.open_concepts("concepts", work).read(work[0], 4, 8)[0].values()
    np.testing.assert_array_equal(found, mask > 0)


def test_a_smaller_mask_keeps_what_half_of_a_pixel_covers(work):
    mask = np.zeros((4, 8), np.uint8)
    mask[:2, 0:2], mask[2:, 3], mask[0, 6] = 255, 255, 255  # a whole block, half of one, a quarter of one
    write("concepts/dome/a.png", mask)
    [found] = concepts.open_concepts("concepts", work).read(work[0], 2, 4)[0].values()
    np.testing.assert_array_equal(found, [[1, 0, 0, 0], [0, 1, 0, 0]])


def test_masks_lie_in_class_folders_or_flat_where_a_stem_is_one_images_alone(tmp_path):
    samples = [sample("cats/1.jpg"), sample("dogs/1.jpg"), sample("dogs/Rex.jpg")]
    for name in ("cats/1.png", "1.png", "rex.png"):
        write(tmp_path / "eye" / name, np.ones((2, 2), np.uint8))
    found = concepts.open_concepts(tmp_path, samples)
    assert set(found.where) == {"cats/1.jpg", "dogs/Rex.jpg"}, "1.png could be of the cat or of the dog"


@pytest.mark.parametrize(
    "pixels, words",
    [
        (np.ones((8, 4), np.uint8), "a.png' is 4 x 8 (width x height), its image 'a.png' 8 x 4: not the same shape"),
        (np.full((4, 8, 3), (255, 0, 0), np.uint8), "a mask is gray, this is a coloured picture"),
        (None, "cannot read 'concepts/dome/a.png'"),
    ],
)
def test_a_mask_that_cannot_be_read_takes_its_image_from_its_concept_alone(work, pixels, words):
    write("concepts/arch/a.png", np.ones((4, 8), np.uint8))
    if pixels is None:
        Path("concepts/dome/a.png").write_bytes(b"no picture")
    else:
        write("concepts/dome/a.png", pixels)
    masks, unread = concepts.open_concepts("concepts", work).read(work[0], 4, 8)
    assert list(masks) == [0] and masks[0].all() and list(unread) == [1]
    assert unread[1].startswith("'a.png' is not compared with 'dome': ") and words in unread[1]


def test_a_folder_without_a_mask_of_these_images_is_refused(work, tmp_path):
    with pytest.raises(ValueError, match="no mask in 'concepts' is of an image as 'z.png'; found: concepts/dome/a.png"):
        concepts.open_concepts("concepts", [sample("z.png")])
    with pytest.raises(ValueError, match="there is no folder 'nowhere'"):
        concepts.open_concepts("nowhere", work)


def test_labels_are_concepts_of_whole_images():
    samples = [sample("b/1.png", "b"), sample("a/1.png", "a"), sample("a/2.png", "a"), sample("odd.png")]
    found = concepts.open_concepts("labels", samples)
    assert found.names == ["a", "b"] and found.of_images
    assert [list(found.read(each, 1, 1)[0]) for each in samples] == [[1], [0], [0], []]
    assert found.read(samples[0], 2, 3)[0][1].all()


def test_labels_may_be_compared_pixel_by_pixel_as_in_the_paper():
    found = concepts.open_concepts("pixel_labels", [sample("b/1.png", "b"), sample("a/1.png", "a")])
    assert found.names == ["a", "b"] and not found.of_images


@pytest.mark.parametrize("labels", [("a", "a"), (None, None)])
def test_fewer_than_two_classes_are_refused(labels):
    with pytest.raises(ValueError, match="images of two classes or more were wanted"):
        concepts.open_concepts("labels", [sample(f"{i}.png", label) for i, label in enumerate(labels)])


def labelled(*sizes):
    names = [chr(97 + k) for k in range(len(sizes))]
    samples = [sample(f"{name}/{i}.png", name) for name, size in zip(names, sizes) for i in range(size)]
    return concepts.from_labels(samples)


def test_the_iou_of_chance_worked_by_hand():
    # 12 images, 3 classes of 4, 4 active: meets 4 of a class with 1 / 495, 3 or more with 33 / 495; times 3.
    assert concepts.chance_iou(labelled(4, 4, 4), 1 / 3, level=0.05) == 3 / 5
    assert concepts.chance_iou(labelled(4, 4, 4), 1 / 3, level=0.21) == 2 / 6
    assert concepts.chance_iou(labelled(4, 4, 4), 1 / 3, level=0.001) == 1, "not even all four would do"


def test_the_iou_of_chance_is_exceeded_as_often_as_said():
    found, level = labelled(10, 20, 30), 0.05
    bar = concepts.chance_iou(found, 0.25, level)
    sizes = np.array([10, 20, 30])
    classes = np.repeat([0, 1, 2], sizes)
    rng, exceeds = np.random.default_rng(0), []
    for _ in range(4000):
        active = rng.permutation(60) < 15
        both = np.bincount(classes, active, 3)
        exceeds.append((both / (15 + sizes - both)).max() > bar)
    assert 0.2 * level < np.mean(exceeds) <= 1.2 * level
