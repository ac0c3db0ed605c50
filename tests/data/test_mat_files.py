""".mat files: what scipy writes comes back as scipy reads it, and no damage does more than refuse the file."""

import random
import struct
import zlib

import numpy as np
import pytest
from scipy.io import loadmat, savemat
from scipy.sparse import csc_matrix

from data.mat_files import MAX_DEPTH, MAX_UNPACKED, read_mat


def plain(value):
    """A value of scipy's reader as ours words it."""
    if isinstance(value, np.ndarray) and value.dtype.names:
        of_structs = [{name: plain(one[name]) for name in value.dtype.names} for one in value.ravel(order="F")]
        return of_structs[0] if len(of_structs) == 1 else of_structs
    if isinstance(value, np.ndarray) and value.dtype == object:
        return [plain(one) for one in value.ravel(order="F")]
    if isinstance(value, np.ndarray) and value.dtype.kind == "U":
        return "".join(value.ravel())
    return value.toarray() if hasattr(value, "toarray") else value


def assert_same(ours, theirs):
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for name in theirs:
            assert_same(ours[name], theirs[name])
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs):
            assert_same(one, other)
    elif isinstance(theirs, str):
        assert ours == theirs
    else:
        np.testing.assert_array_equal(ours, theirs)


def cell(*items):
    array = np.empty((1, len(items)), dtype=object)
    array[0] = items
    return array


def structs(*rows):
    array = np.empty(len(rows), dtype=[("x", object), ("name", object)])
    for place, row in enumerate(rows):
        array[place] = row
    return array


CONTENT = {
    "matrix": np.arange(12.0).reshape(3, 4),
    "cube": np.arange(24, dtype=np.int16).reshape(2, 3, 4),
    "bytes": np.arange(6, dtype=np.uint8).reshape(2, 3),
    "truth": np.array([[True, False, True]]),
    "scalar": 3.5,
    "large": np.array([[2**40]]),
    "none": np.zeros((0, 3)),
    "text": "Köln 東京",
    "texts": np.array(["one", "two"]),
    "cell": cell("a", 1.0, np.eye(2), cell(2.0, "b")),
    "struct": {"x": np.array([1.0, 2.0]), "inner": {"name": "n", "list": cell(1.0)}},
    "structs": structs((1.0, "a"), (np.zeros(3), "b")),
    "sparse": csc_matrix(np.array([[0.0, 2.0, 0.0], [1.0, 0.0, 3.0]])),
}


@pytest.mark.parametrize("packed", [False, True])
def test_what_scipy_writes_is_read_as_scipy_reads_it(tmp_path, packed):
    savemat(tmp_path / "a.mat", CONTENT, do_compression=packed)
    theirs = {name: plain(value) for name, value in loadmat(tmp_path / "a.mat").items() if not name.startswith("__")}
    ours = read_mat(tmp_path / "a.mat")
    assert list(ours) == list(CONTENT)
    assert_same(ours, theirs)


def swap(content):
    """The bytes of a file of one matrix of float64 with the most significant byte first."""
    words = struct.unpack_from("<IIIIII", content, 128)
    head = content[:124] + b"\x01\x00MI" + struct.pack(">IIIIII", *words)
    shape_kind, shape_size, rows, columns, name_head = struct.unpack_from("<IIIII", content, 152)
    assert name_head >> 16, "a name of up to four letters"
    rest = struct.pack(">IIIII", shape_kind, shape_size, rows, columns, name_head) + content[172:176]
    numbers = np.frombuffer(content[184:], "<f8").astype(">f8").tobytes()
    return head + rest + struct.pack(">II", *struct.unpack_from("<II", content, 176)) + numbers


def test_files_of_machines_with_the_other_order_of_bytes(tmp_path):
    savemat(tmp_path / "a.mat", {"abc": np.array([[1.5, -2.0], [3.0, 1e9]])})
    (tmp_path / "b.mat").write_bytes(swap((tmp_path / "a.mat").read_bytes()))
    np.testing.assert_array_equal(loadmat(tmp_path / "b.mat")["abc"], [[1.5, -2.0], [3.0, 1e9]])
    np.testing.assert_array_equal(read_mat(tmp_path / "b.mat")["abc"], [[1.5, -2.0], [3.0, 1e9]])


def element(kind, body):
    return struct.pack("<II", kind, len(body)) + body + bytes(-len(body) % 8)


def matrix(matrix_class, shape, *parts):
    flags = element(6, struct.pack("<II", matrix_class, 0))
    sides = element(5, struct.pack(f"<{len(shape)}i", *shape))
    return element(14, flags + sides + element(1, b"abc") + b"".join(parts))


HEAD = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"


def deep(n):
    inner = matrix(6, (1, 1), element(9, struct.pack("<d", 1)))
    for _ in range(n):
        inner = matrix(1, (1, 1), inner)
    return inner


@pytest.mark.parametrize(
    "body, words",
    [
        (matrix(6, (40_000, 40_000), element(9, bytes(8))), "40000 x 40000 is larger than the file"),
        (matrix(6, (3, 1), element(9, bytes(8))), "3 numbers were wanted, it has 1"),
        (matrix(1, (2**30, 1)), "larger than the file"),
        (matrix(2, (2**30, 1), element(5, struct.pack("<i", 2)), element(1, b"a\0")), "larger than the file"),
        (matrix(5, (2**30, 2**30)), "larger than the file"),
        (matrix(4, (1, 4), element(99, b"text")), "text was wanted"),
        (deep(MAX_DEPTH + 1), "nested too deeply"),
        (deep(2)[:-8], "ends in the middle"),
        (element(15, zlib.compress(bytes(MAX_UNPACKED + 10))), "has more than"),
        (element(15, b"nothing packed"), "cannot be unpacked"),
    ],
)
def test_sizes_are_held_against_the_bytes_there_are(tmp_path, body, words):
    (tmp_path / "a.mat").write_bytes(HEAD + body)
    with pytest.raises(ValueError, match=words):
        read_mat(tmp_path / "a.mat")


def test_what_only_matlab_understands_is_left_out(tmp_path):
    number = matrix(6, (1, 1), element(9, struct.pack("<d", 7)))
    (tmp_path / "a.mat").write_bytes(HEAD + matrix(17, (1, 1)) + number)
    assert read_mat(tmp_path / "a.mat") == {"abc": [[7.0]]}


def test_hdf5_files_of_matlab_and_others_are_told(tmp_path):
    (tmp_path / "a.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    with pytest.raises(ValueError, match="save it again by save"):
        read_mat(tmp_path / "a.mat")
    for content in (b"", b"\x89PNG", bytes(500)):
        (tmp_path / "a.mat").write_bytes(content)
        with pytest.raises(ValueError, match="does not begin as a .mat file"):
            read_mat(tmp_path / "a.mat")


def damage(content, rng):
    """The bytes with some changed, cut or put in; most behind the head."""
    content = bytearray(content)
    for _ in range(rng.randint(1, 5)):
        place, kind = rng.randrange(100 if rng.random() < 0.1 else 128, len(content)), rng.random()
        if kind < 0.5:
            content[place] = rng.randrange(256)
        elif kind < 0.75:
            word = rng.choice([0, 1, 5, 6, 14, 15, 255, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
            content[place : place + 4] = word.to_bytes(4, "little")
        elif kind < 0.85:
            del content[max(place, 130) :]
        else:
            content[place:place] = rng.randbytes(8)
    return bytes(content)


def test_no_damage_does_more_than_refuse_the_file(tmp_path):
    """scipy's reader dies of some of these (SIGSEGV, SIGBUS), or asks for all memory."""
    whole = []
    for packed in (False, True):
        savemat(tmp_path / "a.mat", CONTENT, do_compression=packed)
        whole.append((tmp_path / "a.mat").read_bytes())
    refused = 0
    for seed in range(1000):
        (tmp_path / "a.mat").write_bytes(damage(whole[seed % 2], random.Random(seed)))
        try:
            read_mat(tmp_path / "a.mat")
        except ValueError:
            refused += 1
    assert 200 < refused < 1000
