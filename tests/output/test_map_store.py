"""Maps in their own resolution: enlarged they have every bit, they are small, and np.load opens them."""

import numpy as np
import pytest

import utils
from output.map_store import Group, SmallMap, shrink_map, write_group

RNG = np.random.default_rng(0)
OWN = RNG.normal(size=(7, 7)).astype(np.float32)
WEIGHTS = tuple(np.repeat(np.eye(7), 32, axis=0) * (np.arange(224) > 20)[:, None] for _ in range(2))


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["whole image", "part of it"])
def test_a_map_comes_back_to_the_bit(tmp_path, weights):
    maps = {}
    for number in range(64):
        own = RNG.normal(size=(7, 7)).astype(np.float32)
        whole = utils.resize_map(own, 224, 224) if weights is None else utils.lay_out_map(own, *weights)
        maps[f"image {number}"] = (whole, shrink_map(whole, own, weights))
    files = write_group(tmp_path, {stem: small for stem, (_, small) in maps.items()}, {})
    [file] = set(files.values())
    group = Group(tmp_path / file)
    assert all(group.read_map(stem).tobytes() == whole.tobytes() for stem, (whole, _) in maps.items())
    assert np.load(tmp_path / file)["maps"].shape == (64, 7, 7)
    a_map = 224 * 224 * 4
    assert (tmp_path / file).stat().st_size / 64 < a_map / 20, "a twentieth was wanted"
    assert (tmp_path / file).stat().st_size / 64 < 500


def test_what_enlarging_does_not_give_back_is_kept_as_it_is():
    whole = utils.resize_map(OWN, 32, 32)
    whole[3, 4] = np.nextafter(whole[3, 4], np.float32(9))
    assert shrink_map(whole, OWN).values is whole
    whole = np.zeros((32, 32), np.float32)
    whole[0] = -0.0
    assert shrink_map(whole, np.zeros((7, 7), np.float32)).values is whole, "-0 is another bit than 0"
    assert shrink_map(whole, None).values is whole


def test_maps_of_two_kinds_stand_in_two_files_and_each_finds_its_own(tmp_path):
    maps = {"a": SmallMap(OWN, (32, 32)), "b": SmallMap(OWN[:3], (32, 32)), "c": SmallMap(2 * OWN, (32, 32))}
    curves = {"a": np.array([[0, 0.5, 1], [1, 0.25, 0.125]])}
    files = write_group(tmp_path, maps, curves)
    assert len(set(files.values())) == 3
    for stem, one in maps.items():
        group = Group(tmp_path / files[stem])
        np.testing.assert_array_equal(group.read_map(stem), one.enlarge())
        assert (group.read_curves(stem) is None) == (stem != "a")
    np.testing.assert_array_equal(Group(tmp_path / files["a"]).read_curves("a"), curves["a"])
    assert write_group(tmp_path, maps, curves) == files, "the same group is the same file"


def test_a_damaged_file_or_a_map_of_another_is_told(tmp_path):
    files = write_group(tmp_path, {"a": SmallMap(OWN, (32, 32))}, {})
    path = tmp_path / files["a"]
    with pytest.raises(ValueError, match="no map of 'b'"):
        Group(path).read_map("b")


@pytest.mark.parametrize(
    "change",
    [
        {"maps": None},
        {"size": None},
        {"stems": None},
        {"size": np.array([10**6, 10**6])},
        {"size": np.array([-32, 32])},
        {"size": np.array(["a", "b"])},
        {"size": np.array([32.0, 32.0])},
        {"maps": np.full((1, 4, 4), np.nan, np.float32)},
        {"maps": np.ones((0, 4, 4), np.float32)},
        {"maps": np.ones((1, 16), np.float32)},
        {"maps": np.array([[["a"]]])},
        {"curves": np.ones((0, 5, 3), np.float32)},
        {"curves": np.ones((1, 5, 2), np.float32)},
        {"curves": np.full((1, 5, 3), np.inf, np.float32)},
        {"stems": np.arange(1)},
        {"rows": np.ones((31, 4)), "columns": np.ones((32, 4))},
        {"rows": np.ones((32, 4))},
        {"maps": np.array([{}], object)},
    ],
)
def test_arrays_that_do_not_go_together_are_refused_by_the_file(tmp_path, change):
    curves = {"a": np.zeros((5, 3))}
    files = write_group(tmp_path, {"a": SmallMap(np.ones((4, 4), np.float32), (32, 32))}, curves)
    path = tmp_path / files["a"]
    with np.load(path) as arrays:
        changed = {name: array for name, array in {**arrays, **change}.items() if array is not None}
    assert Group(path).read_map("a").shape == (32, 32)
    np.savez(path, **changed)
    with pytest.raises(ValueError, match=f"cannot read '{path}' .*; remove it, and the run makes its maps again"):
        Group(path)


@pytest.mark.parametrize("content", [b"", b"no archive", bytes(1000), None, "array"])
def test_a_file_that_is_no_group_is_refused_by_its_name(tmp_path, content):
    files = write_group(tmp_path, {"a": SmallMap(OWN, (32, 32))}, {})
    path = tmp_path / files["a"]
    if content == "array":
        np.save(path.open("wb"), np.ones(3))
    else:
        path.write_bytes(path.read_bytes()[:200] if content is None else content)
    with pytest.raises(ValueError, match=f"cannot read '{path}'"):
        Group(path)
    path.unlink()
    with pytest.raises(ValueError, match=f"cannot read '{path}'"):
        Group(path)
