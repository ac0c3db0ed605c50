"""Where the objects are in the images of a run: boxes of a csv file, those of iNatLoc500, or masks in a folder.

A mask is an image, white where the object is, of any size: it is brought to the size of its photograph. It is called
as its photograph, in the folder of masks or in several folders inside it, one per part: then the object is their union,
and its box the one around all of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.boxes import Box, match_boxes, read_boxes, read_mask, turn_upright
from data.dataset import Sample
from data.images import open_image
from data.names import pair_by_name
from data.taxonomy import Taxonomy
from data.taxonomy_files import read_inat_boxes


class Objects(NamedTuple):
    """The objects of one upright image: where they are, bool (h, w), and their boxes x0, y0, x1, y1."""

    mask: np.ndarray
    boxes: list[tuple[int, int, int, int]]


@dataclass(frozen=True)
class Truth:
    """What is known of objects, by the names of images; note: in words, of how many."""

    boxes: Mapping[str, Sequence[Box]]
    masks: Mapping[str, Sequence[Path]]
    note: str

    def read(self, sample: Sample) -> Objects | None:
        """The objects of a sample; None if nothing is known of it, or nothing is there."""
        if sample.name in self.boxes:
            boxes = self.boxes[sample.name]
            corners = [turn_upright(sample.path, box, sample.reading) for box in boxes]
            return Objects(read_mask(sample.path, boxes, sample.reading), corners)
        if sample.name not in self.masks:
            return None
        size = sample.read_size()
        parts = [_read_mask(path, *size) for path in self.masks[sample.name]]
        mask = np.any(parts, axis=0)
        return Objects(mask, [_box_around(mask)]) if mask.any() else None


def open_truth(
    boxes_path: str | None,
    masks: str | Path | None,
    taxonomy: Taxonomy | None,
    images_folder: str | None,
    samples: Sequence[Sample],
) -> Truth:
    """What a file of boxes, a folder of masks or iNatLoc500 tell of the samples; errors as `match_boxes`."""
    if masks is not None:
        found = find_masks(masks, samples)
        return Truth({}, found, f"masks of {len(found)} of {len(samples)} images in '{masks}'")
    boxes = read_boxes(boxes_path) if boxes_path else {}
    if not boxes and taxonomy is not None and taxonomy.metadata:
        boxes = read_inat_boxes(taxonomy.metadata, images_folder)
    if not boxes:
        return Truth({}, {}, "none known, so that nothing says whether a map lies on them; --boxes or --masks tell")
    boxes, note = match_boxes(boxes, samples)
    return Truth(boxes, {}, f"boxes {note}")


def find_masks(folder: str | Path, samples: Sequence[Sample]) -> dict[str, list[Path]]:
    """Image -> its masks, for those that have any; ValueError if none has."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"masks: there is no folder '{folder}'")
    names, found = [sample.name for sample in samples], {}
    for root in [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]:
        paths = [path for path in sorted([*root.glob("*.*"), *root.glob("*/*.*")]) if path.is_file()]
        pairs = pair_by_name(names, {path.relative_to(root).as_posix(): path for path in paths})
        for name, path in pairs.items():
            if path is not None and path not in found.setdefault(name, []):
                found[name].append(path)
    found = {name: paths for name, paths in found.items() if paths}
    if not found:
        raise ValueError(f"masks: none in '{folder}' is called as an image; an image is called '{names[0]}'")
    return found


def _read_mask(path: Path, height: int, width: int) -> np.ndarray:
    """Where a mask is white, bool (height, width)."""
    grey = open_image(path).convert("L").resize((width, height))
    return np.asarray(grey) > 127


def _box_around(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = mask.nonzero()
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
