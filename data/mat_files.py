"""Matlab's .mat files of version 5 to 7.2 -> the variables in them, as plain values: `read_mat(path)`.

    numbers, logical   an array of Matlab's shape, as (1, 1) of a scalar; of complex ones the real part
    text               str, its rows one after the other
    cell array         a list, in Matlab's order (down the columns)
    struct array       a dict of one struct, else a list of dicts in that order
    anything else      left out: objects, tables, functions

The format is "MAT-File Format", The MathWorks 2019. It is read here, and not by scipy, whose reader believes what a
damaged file says of its own sizes and dies of it, or takes all memory. Here every size is held against the bytes there
are, and what is packed may grow to MAX_UNPACKED bytes.
"""

import struct
import zlib
from pathlib import Path

import numpy as np

MAX_UNPACKED = 2**26  # bytes of one variable
MAX_DEPTH = 30  # of structs and cells in each other
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
LETTERS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
MATRIX, PACKED = 14, 15  # kinds of elements, as the numbers above
CELL, STRUCT, TEXT, SPARSE = 1, 2, 4, 5  # classes of matrices, as those of numbers
OF_NUMBERS = range(6, 16)


class _UnknownClassError(Exception):
    """A variable that only Matlab understands."""


def read_mat(path: Path) -> dict[str, object]:
    """Name -> value of the variables of a file; ValueError if it is none, or damaged."""
    content = path.read_bytes()
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if b"MATLAB 7.3" in content[:20]:
        raise ValueError("it is of Matlab 7.3; save it again by save(..., '-v7')")
    if order is None or content[124:126] not in (b"\x00\x01", b"\x01\x00"):
        raise ValueError("it does not begin as a .mat file of Matlab 5 to 7.2 does")
    variables, elements = {}, _Elements(content[128:], order)
    while elements.left:
        kind, body = elements.take()
        if kind == PACKED:
            kind, body = _Elements(_unpack(body), order).take()
        if kind == MATRIX:
            try:
                name, value = _read_matrix(_Elements(body, order))
            except _UnknownClassError:
                continue
            variables[name] = value
    return variables


class _Elements:
    """The elements that stand one after the other in some bytes; order: '<' or '>', of bytes in a number."""

    def __init__(self, content: bytes, order: str, depth: int = 0):
        self.content, self.order, self.depth, self.place = content, order, depth, 0

    @property
    def left(self) -> int:
        return len(self.content) - self.place

    def take(self) -> tuple[int, bytes]:
        """Kind and bytes of the next element."""
        if self.left < 8:
            raise ValueError("it ends in the middle of a variable")
        kind, size = struct.unpack_from(f"{self.order}II", self.content, self.place)
        begin, padding = self.place + 8, -size % 8
        if kind >> 16:  # up to four bytes, beside their kind
            kind, size, begin, padding = kind & 0xFFFF, kind >> 16, self.place + 4, 0
            end = self.place + 8
            if size > 4:
                raise ValueError("a size in it is wrong")
        else:
            end = begin + size
        if end > len(self.content):
            raise ValueError("it ends in the middle of a variable")
        # What is packed stands without padding, and so may the last one of all.
        self.place = min(end + (0 if kind == PACKED else padding), len(self.content))
        return kind, self.content[begin : begin + size]

    def numbers(self) -> np.ndarray:
        """The numbers of the next element (n,)."""
        kind, body = self.take()
        if kind not in NUMBERS:
            raise ValueError("numbers were wanted where there are none")
        dtype = np.dtype(self.order + NUMBERS[kind])
        return np.frombuffer(body[: len(body) // dtype.itemsize * dtype.itemsize], dtype)

    def matrix(self) -> object:
        """The value of the next element, a matrix inside another."""
        kind, body = self.take()
        if kind != MATRIX or self.depth >= MAX_DEPTH:
            raise ValueError("its cells or structs are broken" if kind != MATRIX else "it is nested too deeply")
        if not body:
            return np.empty((0, 0))
        return _read_matrix(_Elements(body, self.order, self.depth + 1))[1]


def _unpack(body: bytes) -> bytes:
    reader = zlib.decompressobj()
    try:
        content = reader.decompress(body, MAX_UNPACKED)
    except zlib.error as error:
        raise ValueError(f"a variable cannot be unpacked: {error}") from None
    if reader.unconsumed_tail:
        raise ValueError(f"a variable has more than {MAX_UNPACKED:,} bytes")
    return content


def _read_matrix(elements: _Elements) -> tuple[str, object]:
    """Name and value of a matrix; _UnknownClassError for a class that is none of the above."""
    flags = elements.numbers()
    if not len(flags):
        raise ValueError("a variable has no class")
    matrix_class = int(flags[0]) & 0xFF
    if matrix_class not in (CELL, STRUCT, TEXT, SPARSE, *OF_NUMBERS):
        raise _UnknownClassError
    shape = tuple(int(side) for side in elements.numbers())
    if len(shape) < 2 or min(shape) < 0:
        raise ValueError("a variable has no shape")
    name = elements.take()[1].decode("latin-1")
    read = {CELL: _read_cell, STRUCT: _read_struct, TEXT: _read_text, SPARSE: _read_sparse}
    return name, read.get(matrix_class, _read_numbers)(elements, shape)


def _count(shape: tuple[int, ...], most: float) -> int:
    """How many entries; ValueError if that is more than there can be in the bytes that are left."""
    n = int(np.prod(shape, dtype=object))
    if n > most:
        raise ValueError(f"a variable of {' x '.join(map(str, shape))} is larger than the file")
    return n


def _read_numbers(elements: _Elements, shape: tuple[int, ...]) -> np.ndarray:
    n, values = _count(shape, elements.left), elements.numbers()
    if len(values) != n:
        raise ValueError(f"{n} numbers were wanted, it has {len(values)}")
    return values.reshape(shape, order="F")


def _read_sparse(elements: _Elements, shape: tuple[int, ...]) -> np.ndarray:
    _count(shape, MAX_UNPACKED / 8)
    rows, starts = elements.numbers().astype(np.int64), elements.numbers().astype(np.int64)
    values = elements.numbers().astype(np.float64)
    counts = np.diff(starts)
    n = int(starts[-1]) if len(starts) else 0
    if len(starts) != shape[1] + 1 or (counts < 0).any() or starts[0] != 0 or not n <= min(len(rows), len(values)):
        raise ValueError("a sparse matrix is broken")
    if n and not (rows[:n].min() >= 0 and rows[:n].max() < shape[0]):
        raise ValueError("a sparse matrix is broken")
    matrix = np.zeros(shape)
    matrix[rows[:n], np.repeat(np.arange(shape[1]), counts)] = values[:n]
    return matrix


def _read_text(elements: _Elements, shape: tuple[int, ...]) -> str:
    kind, body = elements.take()
    if kind not in LETTERS:
        raise ValueError("text was wanted where there is none")
    order = {"<": "-le", ">": "-be"}[elements.order] if LETTERS[kind] in ("utf-16", "utf-32") else ""
    letters = body.decode(LETTERS[kind] + order, errors="replace")
    n_rows = shape[0]
    return "".join(letters[row::n_rows] for row in range(n_rows)) if 1 < n_rows <= len(letters) else letters


def _read_cell(elements: _Elements, shape: tuple[int, ...]) -> list:
    return [elements.matrix() for _ in range(_count(shape, elements.left / 8))]


def _read_struct(elements: _Elements, shape: tuple[int, ...]) -> dict | list[dict]:
    lengths, (_, texts) = elements.numbers(), elements.take()
    length = int(lengths[0]) if len(lengths) else 0
    if not 0 < length <= max(len(texts), 64):
        raise ValueError("the fields of a struct have no names")
    names = [texts[i : i + length].split(b"\0")[0].decode("latin-1") for i in range(0, len(texts), length)]
    n = _count(shape, elements.left / (8 * len(names)) if names else 1)
    structs = [{name: elements.matrix() for name in names} for _ in range(n)]
    return structs[0] if n == 1 else structs
