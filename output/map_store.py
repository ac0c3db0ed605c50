"""Maps of a large run: those of a group of images in one compressed file, in their own resolution.

    <folder>/3f/3fa85c1200ab41d7.npz    np.load(path)["maps"]: float32 (n, h, w); ["stems"]: of the images, (n,)
        size            (H, W) that they are enlarged to
        rows, columns   weights of their cells for its pixels, (H, h), (W, w); missing: they lie all over it
        curves          float32 (n, m, 3): fraction, insertion, deletion; missing: not measured

A map of 7 x 7 numbers takes some 300 bytes, where the map that it is enlarged to takes 200 KB. What is kept is tried
before: where enlarging does not give every bit of the map, the map is kept as it is. A file is called by the images in
it: the same group, explained again, is the same file.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import utils
from output.files import refuse_damaged, write_whole

AGAIN = "remove it, and the run makes its maps again"
MOST_SIDE = 2**15  # pixels of a map; OpenCV enlarges to no more


class SmallMap(NamedTuple):
    """A map in its own resolution, (h, w), and how it is enlarged; weights: rows and columns of `utils.lay_out_map`."""

    values: np.ndarray
    size: tuple[int, int]
    weights: tuple[np.ndarray, np.ndarray] | None = None

    def enlarge(self) -> np.ndarray:
        """The map, float32 (H, W)."""
        if self.weights is None:
            return utils.resize_map(self.values, *self.size)
        return utils.lay_out_map(self.values, *self.weights)


def shrink_map(saliency_map: np.ndarray, own: np.ndarray | None, weights=None) -> SmallMap:
    """A map (H, W) as it is kept: own, what it was enlarged from, if that gives all its bits back.

    weights: of the cells of `own` (h, w), see `SmallMap`; None: it lies all over the image.
    """
    if own is not None and own.shape != saliency_map.shape:
        small = SmallMap(np.asarray(own, np.float32), saliency_map.shape, weights)
        if np.array_equal(small.enlarge().view(np.uint32), saliency_map.view(np.uint32)):  # -0 is not 0
            return small
    return SmallMap(saliency_map, saliency_map.shape)


def write_group(folder: Path, maps: Mapping[str, SmallMap], curves: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Stem -> the file in the folder that its map is in, once all are written: one file for maps of a kind.

    curves: stem -> float (m, 3) of those that have any.
    """
    kinds, found = {}, {}
    for stem, one in maps.items():
        weights = None if one.weights is None else tuple(part.tobytes() for part in one.weights)
        length = len(curves[stem]) if stem in curves else 0
        kinds.setdefault((one.values.shape, one.size, weights, length), []).append(stem)
    for stems in kinds.values():
        arrays = _gather([maps[stem] for stem in stems], [curves.get(stem) for stem in stems])
        name = hashlib.sha1("\0".join(stems).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        path = folder / name[:2] / f"{name}.npz"
        write_whole(path, lambda partial, stems=stems, arrays=arrays: _save(partial, stems, arrays))
        found |= dict.fromkeys(stems, f"{name[:2]}/{name}.npz")
    return found


def _gather(maps: Sequence[SmallMap], curves: Sequence[np.ndarray | None]) -> dict[str, np.ndarray]:
    arrays = {"maps": np.stack([one.values for one in maps]), "size": np.array(maps[0].size)}
    if maps[0].weights is not None:
        arrays["rows"], arrays["columns"] = maps[0].weights
    if curves[0] is not None:
        arrays["curves"] = np.stack(curves).astype(np.float32)
    return arrays


def _save(path: Path, stems: Sequence[str], arrays: Mapping[str, np.ndarray]) -> None:
    with path.open("wb") as file:  # np.savez would add an ending of its own
        np.savez_compressed(file, stems=np.array(stems), **arrays)


class Group:
    """The maps of one file; ValueError for one that is missing or damaged."""

    def __init__(self, path: Path):
        self._path = path
        with refuse_damaged(path, AGAIN), np.load(path) as arrays:
            self._arrays = {name: arrays[name] for name in arrays.files}
            _check(self._arrays)
        self._places = {stem: place for place, stem in enumerate(self._arrays["stems"].tolist())}
        self.size = tuple(self._arrays["size"].tolist())

    def read_map(self, stem: str) -> np.ndarray:
        """The map (H, W) of an image; ValueError if it is not among them."""
        return self.read_small(stem).enlarge()

    def read_small(self, stem: str) -> SmallMap:
        """The map of an image in its own resolution; ValueError if it is not among them."""
        weights = (self._arrays["rows"], self._arrays["columns"]) if "rows" in self._arrays else None
        return SmallMap(self._arrays["maps"][self._find(stem)], self.size, weights)

    def read_curves(self, stem: str) -> np.ndarray | None:
        """The curves (m, 3) of an image; None where they were not measured."""
        return self._arrays["curves"][self._find(stem)] if "curves" in self._arrays else None

    def _find(self, stem: str) -> int:
        with refuse_damaged(self._path, AGAIN):
            if stem not in self._places:
                raise ValueError(f"no map of '{stem}' in it")
            return self._places[stem]


def _check(arrays: Mapping[str, np.ndarray]) -> None:
    """Raises ValueError for arrays that are not those of a group, KeyError where one is missing."""
    maps, stems, size = (arrays[name] for name in ("maps", "stems", "size"))
    is_size = size.shape == (2,) and size.dtype.kind == "i" and size.min() > 0 and size.max() <= MOST_SIDE
    if maps.ndim != 3 or stems.shape != maps.shape[:1] or stems.dtype.kind != "U" or not is_size:
        raise ValueError("maps, their stems and their size do not go together")
    shapes = {"maps": maps.shape}
    if "curves" in arrays:
        shapes["curves"] = (len(maps), *arrays["curves"].shape[1:2], 3)
    if "rows" in arrays:
        shapes |= {"rows": (size[0], maps.shape[1]), "columns": (size[1], maps.shape[2])}
    for name, shape in shapes.items():
        if arrays[name].shape != shape or arrays[name].dtype.kind != "f" or not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name}: finite numbers {shape} were wanted")
