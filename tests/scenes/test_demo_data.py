"""The embedded data set: names and files of MexCulture142, scenes told apart by their parts alone, honest gaze."""

import re

import cv2
import numpy as np
import pytest

import constants
from scenes import demo_data, scene

PARTS = {  # that tell a style, and nothing else in a picture does
    "Colonial": ("dome", "arch", "tower"),
    "Modern": ("glass", "slab"),
    "Prehispanic": ("platform", "stair"),
}
FIRST_TWELVE = demo_data.demo_names("train")[:12]


@pytest.fixture(scope="module")
def scenes():
    """{name: (image, part masks)} of the first 36 images."""
    return {name: demo_data.draw_scene(name) for name in demo_data.demo_names("train")[:36]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return demo_data.write_demo(tmp_path_factory.mktemp("demo"), split="val", limit=3)


def style_of(name):
    return name.split("_")[0]


def test_there_are_142_monuments_with_one_view_in_each_split():
    train, val = demo_data.demo_names("train"), demo_data.demo_names("val")
    assert len(set(train)) == len(set(val)) == 142
    assert [name.replace("_N_1.png", "_N_2.png") for name in train] == val


def test_names_are_those_of_mexculture142():
    for name in demo_data.demo_names("val"):
        assert re.fullmatch(r"(Colonial|Modern|Prehispanic)_Demo[A-Za-z]+\d{3}_[A-Za-z]+_N_2\.png", name)


def test_styles_take_turns_so_that_any_twelve_hold_four_of_each():
    assert [sum(style_of(name) == style for name in FIRST_TWELVE) for style in constants.STYLES] == [4, 4, 4]
    counts = [sum(style_of(name) == style for name in demo_data.demo_names("train")) for style in constants.STYLES]
    assert sorted(counts) == [47, 47, 48]


def test_an_unknown_split_or_style_is_refused():
    with pytest.raises(ValueError, match="split"):
        demo_data.demo_names("test")
    with pytest.raises(ValueError, match="Gothic"):
        demo_data.draw_scene("Gothic_DemoTemplo001_Puebla_N_1.png")


def test_a_scene_depends_on_its_name_and_seed_alone(scenes):
    name = FIRST_TWELVE[4]
    image, part_masks = demo_data.draw_scene(name)
    np.testing.assert_array_equal(image, scenes[name][0])
    assert all(np.array_equal(mask, scenes[name][1][part]) for part, mask in part_masks.items())
    assert not np.array_equal(cv2.resize(demo_data.draw_scene(name, seed=1)[0], (64, 64)), cv2.resize(image, (64, 64)))


def test_images_are_rgb_photographs_of_several_sizes(scenes):
    assert all(image.dtype == np.uint8 and image.shape[2] == 3 for image, _ in scenes.values())
    sizes = {image.shape[1::-1] for image, _ in scenes.values()}
    assert len(sizes) > 2 and sizes <= set(scene.SIZES)


def test_every_scene_shows_two_parts_of_its_own_style_and_none_of_another(scenes):
    for name, (image, part_masks) in scenes.items():
        assert set(part_masks) <= set(PARTS[style_of(name)])
        assert sum(mask.mean() > 0.01 for mask in part_masks.values()) >= 2, name
        assert all(mask.shape == image.shape[:2] and mask.dtype == bool for mask in part_masks.values())


def test_parts_never_overlap_and_fill_between_a_twentieth_and_a_quarter_of_the_picture(scenes):
    for name, (_, part_masks) in scenes.items():
        layers = np.sum(list(part_masks.values()), axis=0)
        assert layers.max() == 1
        assert 0.05 < layers.mean() < 0.25, name


def test_monuments_stand_left_right_near_and_far(scenes):
    unions = [np.any(list(part_masks.values()), axis=0) for _, part_masks in scenes.values()]
    columns = [np.nonzero(union)[1].mean() / union.shape[1] for union in unions]
    assert min(columns) < 0.35 and max(columns) > 0.65
    shares = [union.mean() for union in unions]
    assert max(shares) > 1.8 * min(shares)


def test_colour_and_contrast_do_not_give_the_style_away(scenes):
    """Leave one out, nearest style mean of (mean RGB, deviation RGB): hardly better than a guess among three."""
    styles = np.array([constants.STYLES.index(style_of(name)) for name in scenes])
    features = np.array([[*image.mean((0, 1)), *image.std((0, 1))] for image, _ in scenes.values()])
    features = (features - features.mean(0)) / features.std(0)
    hits = 0
    for left_out, feature in enumerate(features):
        others = np.arange(len(features)) != left_out
        means = np.array([features[others & (styles == style)].mean(0) for style in range(3)])
        hits += np.linalg.norm(means - feature, axis=1).argmin() == styles[left_out]
    assert hits / len(features) < 0.6


def test_simulated_gaze_falls_on_the_parts_and_stays_in_the_picture():
    mask = np.zeros((200, 300), bool)
    mask[20:60, 220:280] = True  # up on the right, away from the centre: 4 % of the picture
    scan_paths = demo_data.simulate_gaze({"dome": mask}, 200, 300, seed=3)
    assert len(scan_paths) == demo_data.N_OBSERVERS
    x, y, seconds = np.concatenate(scan_paths).T
    assert x.min() >= 0 and x.max() < 300 and y.min() >= 0 and y.max() < 200
    assert 0.1 < np.median(seconds) < 0.6
    near = (x > 205) & (x < 295) & (y > 5) & (y < 75)
    assert 0.4 < near.mean() < 0.85  # drawn to it, yet not chained to it


def test_gaze_repeats_with_its_seed_and_observers_differ():
    mask = np.ones((40, 60), bool)
    first, again, other = (demo_data.simulate_gaze({"slab": mask}, 40, 60, seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0]) and not np.array_equal(first[0], first[1])


def test_the_layout_is_that_of_mexculture142(folder):
    for name in demo_data.demo_names("val")[:3]:
        monument = name.removesuffix("_N_2.png")
        image = cv2.imread(str(folder / "images_val" / name))
        density_map = cv2.imread(str(folder / "gazefixationsdensitymaps" / f"{monument}_GFDM_N_2.png"), -1)
        assert density_map.shape == image.shape[:2] and density_map.dtype == np.uint8 and density_map.max() == 255
        fixations = np.loadtxt(folder / "fixations" / f"{monument}_GazeFix_N_2.txt")
        paths = [np.loadtxt(folder / "scanpaths" / f"{monument}_ScanPath_N_2_P_{p}.txt") for p in range(1, 13)]
        np.testing.assert_allclose(np.concatenate(paths)[:, :2], fixations)
        assert paths[0].shape[1] == 3


def test_written_images_and_masks_are_the_drawn_ones(folder):
    name = demo_data.demo_names("val")[1]
    image, part_masks = demo_data.draw_scene(name)
    np.testing.assert_array_equal(cv2.imread(str(folder / "images_val" / name))[..., ::-1], image)
    for part, mask in part_masks.items():
        written = cv2.imread(str(folder / "part_masks" / part / name), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(written, np.where(mask, 255, 0))


def test_the_folder_says_that_gaze_is_simulated_and_holds_no_half_written_file(folder):
    assert "SIMULATED" in (folder / "README.txt").read_text()
    assert not list(folder.rglob(".partial*"))


def test_what_is_there_is_not_drawn_again(folder, monkeypatch):
    def refuse(*_):
        raise AssertionError("drawn again")

    monkeypatch.setattr(demo_data, "draw_scene", refuse)
    assert demo_data.write_demo(folder, split="val", limit=3) == folder
    with pytest.raises(AssertionError, match="drawn again"):
        demo_data.write_demo(folder, split="val", limit=4)


def test_two_seeds_do_not_mix_in_one_folder(folder):
    with pytest.raises(ValueError, match="another folder"):
        demo_data.write_demo(folder, split="val", limit=3, seed=7)
