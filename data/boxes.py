"""Bounding boxes of objects: a csv file, or COCO's instances (data/coco.py) -> the boxes of each image, and where they
lie in it.

boxes.csv: a head with the columns file, x0, y0, x1, y1, and name where boxes have one (others are passed over), one row
per box, several rows for a file with several boxes. `file` is the path in the folder of images, as
'African_elephant/1.JPEG'. x to the right, y down, from the top left corner, in pixels of the image as its file stores
it: a photograph that its EXIF orientation turns is explained as it is turned, and its boxes are turned with it, for
those of ImageNet were drawn without - even where the tag is wrong. A box covers the pixels x0 <= x < x1, y0 <= y < y1.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.coco import is_instances, list_boxes, read_instances
from data.csv_tables import CsvTable, read_path, read_table, show
from data.dataset import Sample
from data.images import UPRIGHT, Reading, read_head, turn_image

BOX_COLUMNS = ("file", "x0", "y0", "x1", "y1")


class Box(NamedTuple):
    """A bounding box in image pixels, the line of the file that it stands in, and its name, "" if it has none.

    line: of COCO's instances, the number of the annotation.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    line: int = 0
    name: str = ""


def read_boxes(path: str | Path) -> dict[str, list[Box]]:
    """Image -> its boxes, of a boxes.csv; ValueError names the line of what is missing, empty or no number.

    Of a file that ends in .json: those of COCO's instances, named as their categories.
    """
    if is_instances(path):
        found = {}
        for name, instance in list_boxes(read_instances(path, "boxes")):
            found.setdefault(read_path(name), []).append(Box(*instance.box, instance.number, instance.class_name))
        return found
    table, boxes = read_table(path, "boxes"), {}
    places = {name: table.find(name) for name in (*BOX_COLUMNS, "name")}
    missing = [name for name in BOX_COLUMNS if places[name] is None]
    if missing:
        raise ValueError(f"boxes: '{path}' should have the columns {', '.join(BOX_COLUMNS)}; it has no {missing[0]}")
    for line, cells in table.rows():
        row = {name: cells[place] for name, place in places.items() if place is not None}
        if not row["file"]:
            raise table.refuse(line, "names no file")
        boxes.setdefault(read_path(row["file"]), []).append(_read_box(table, line, row))
    if not boxes:
        raise ValueError(f"boxes: '{path}' has no row under its head")
    return boxes


def _read_box(table: CsvTable, line: int, row: dict[str, str]) -> Box:
    try:
        box = Box(*(table.number(row[name]) for name in BOX_COLUMNS[1:]), line, row.get("name", ""))
    except ValueError:
        given = show([row[name] or "nothing" for name in BOX_COLUMNS[1:]])
        raise table.refuse(line, f"should hold four numbers; got {given}") from None
    if not (box.x0 < box.x1 and box.y0 < box.y1):
        raise table.refuse(line, "is an empty box: x0 < x1 and y0 < y1 were wanted")
    return box


def match_boxes(boxes: Mapping[str, Sequence[Box]], samples: Sequence[Sample]) -> tuple[dict[str, Sequence[Box]], str]:
    """The boxes of the samples that have any and are image files, and in words how many have none.

    ValueError as `check_inside`, and if no sample has a box.
    """
    with_boxes = [sample for sample in samples if sample.name in boxes]
    if not with_boxes:
        raise ValueError(
            f"boxes: none of the {len(boxes)} files it names is among the images; it names {next(iter(boxes), '')!r}, "
            f"an image is called {samples[0].name!r}"
        )
    matched = {}
    for sample in with_boxes:
        try:
            size, _ = read_head(sample.path, sample.reading)
        except ValueError:  # told where the image is explained
            continue
        check_inside(boxes[sample.name], *size)
        matched[sample.name] = boxes[sample.name]
    if not matched:
        raise ValueError(f"boxes: none of the {len(with_boxes)} images that have boxes can be read")
    n, without, others = len(matched), len(samples) - len(matched), len(boxes) - len(with_boxes)
    note = f"of {n} image{'s' * (n > 1)}"
    note += f"; without any, left out: {without}" if without else ""
    note += f"; named, but not among the images: {others}" if others else ""
    return matched, note


def check_inside(boxes: Sequence[Box], height: int, width: int) -> None:
    """ValueError naming the line of a box that reaches beyond its image, or holds the centre of no pixel."""
    for box in boxes:
        if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height:
            corners = ", ".join(f"{value:g}" for value in box[:4])
            raise ValueError(
                f"boxes: the box of line {box.line} ({corners}) reaches beyond its image of {width} x {height} pixels"
            )
        if not box_mask([box], height, width).any():
            raise ValueError(f"boxes: the box of line {box.line} is empty: it holds no pixel")


def box_mask(boxes: Sequence[Box], height: int, width: int) -> np.ndarray:
    """Where any of the boxes is, bool (H, W): the pixels whose centres lie in one."""
    x, y = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    mask = np.zeros((height, width), dtype=bool)
    for box in boxes:
        mask |= (box.x0 <= x) & (x < box.x1) & (box.y0 <= y) & (y < box.y1)
    return mask


def read_mask(path: Path, boxes: Sequence[Box], reading: Reading = UPRIGHT) -> np.ndarray:
    """Where the boxes are in an image file, bool (H, W), at the size and in the orientation in which it is read."""
    from PIL import Image

    size, orientation = read_head(path, reading)
    mask = Image.fromarray(box_mask(boxes, *size).astype(np.uint8))
    return np.asarray(turn_image(mask, orientation)).astype(bool)


def turn_upright(path: Path, box: Box, reading: Reading = UPRIGHT) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of a box in an image file as it is read: the pixels whose centres lie in the box."""
    rows, columns = read_mask(path, [box], reading).nonzero()
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
