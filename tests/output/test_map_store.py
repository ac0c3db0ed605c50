"""Maps in their own resolution: enlarged they have every bit, they are small, and np.load opens them."""

import numpy as np
import pytest

import utils
from output.map_store import Group, SmallMap, shrink, write_group

RNG = np.random.default_rng(0)
OWN = RNG.normal(size=(7, 7)).astype(np.float32)
WEIGHTS = tuple(np.repeat(np.eye(7), 32, axis=0) * (np.arange(224) > 20)[:, None] for _ in range(2))


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["whole image", "part of it"])
def test_a_map_comes_back_to_the_bit(tmp_path, weights):
    maps = {}
    for number in range(64):
        own = RNG.normal(size=(7, 7)).astype(np.float32)
        whole = utils.resize_map(own, 224, 224) if weights is None else utils.lay_out_map(own, *weights)
        maps[f"image {number}"] = (whole, shrink(whole, own, weights))
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
    assert shrink(whole, OWN).values is whole
    whole = np.zeros((32, 32), np.float32)
    whole[0] = -0.0
    assert shrink(whole, np.zeros((7, 7), np.float32)).values is whole, "-0 is another bit than 0"
    assert shrink(whole, None).values is whole


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
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises((ValueError, OSError)):
        Group(path)
