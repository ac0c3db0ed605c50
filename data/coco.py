"""COCO's instances JSON, as published: which objects an image shows, and their boxes.

    images        [{"id": 9, "file_name": "000000000009.jpg", "width": 640, "height": 480, ...}, ...]
    annotations   [{"image_id": 9, "category_id": 51, "bbox": [x, y, width, height], "iscrowd": 0, ...}, ...]
    categories    [{"id": 51, "name": "bowl", ...}, ...]

Lin et al. 2014, "Microsoft COCO: Common Objects in Context"; LVIS, Objects365 and what tools export as "COCO" look the
same. Classes come in the order of their ids; an image without an annotation shows none of them. A crowd (iscrowd = 1)
shows its class, but its box is no object's: it is no box here. Boxes are cut at the edge of their image, which
published ones pass by rounding, and one that then holds the centre of no pixel is left out.

Outlines are forgotten while the file is read: of the 450 MB of instances_train2017.json little stays in memory.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

SUFFIX = ".json"
PARTS = ("images", "annotations", "categories")
FORGOTTEN = ("segmentation", "keypoints", "caption")  # of an annotation


class Instance(NamedTuple):
    """One annotation: its place in the file, from 1, its class and its box x0, y0, x1, y1 in pixels, None for a crowd
    or a box without a pixel."""

    number: int
    class_name: str
    box: tuple[float, float, float, float] | None


@dataclass(frozen=True)
class Instances:
    """What a file says: its classes in the order of their ids, and the instances of every image it names."""

    path: Path
    class_names: list[str]
    by_file: dict[str, list[Instance]]


def is_instances(path: str | Path) -> bool:
    """Whether the file is read as instances, by its ending."""
    return Path(path).suffix.lower() == SUFFIX


def read_instances(path: str | Path, what: str) -> Instances:
    """The instances of a file; ValueError, beginning with `what`, for what is missing or contradicts itself."""
    path = Path(path)

    def refuse(reason: str) -> ValueError:
        return ValueError(f"{what}: '{path}' {reason}")

    content = _read(path, what)
    missing = [name for name in PARTS if not isinstance(content, dict) or not isinstance(content.get(name), list)]
    if missing:
        raise refuse(f"should be COCO's instances, with the lists {', '.join(PARTS)}; it has no {missing[0]}")
    try:
        categories = sorted((entry["id"], entry["name"]) for entry in content["categories"])
        images = {entry["id"]: entry for entry in content["images"]}
        by_file = {entry["file_name"]: [] for entry in images.values()}
        sizes = {key: (float(entry["width"]), float(entry["height"])) for key, entry in images.items()}
    except (KeyError, TypeError, ValueError) as error:
        raise refuse(
            "should give every category an id and a name, and every image an id, a file_name, a width and a height; "
            f"one has none or another kind ({error})"
        ) from None
    names = dict(categories)
    if len(set(names.values())) < len(categories) or len(by_file) < len(content["images"]):
        raise refuse("has two categories, or two images, of one name or id")
    for number, entry in enumerate(content["annotations"], start=1):
        try:
            image, class_name, size = images[entry["image_id"]], names[entry["category_id"]], sizes[entry["image_id"]]
            box = None if entry.get("iscrowd") else _cut(entry["bbox"], *size)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise refuse(
                f"has an annotation, number {number}, without an image_id of an image, a category_id of a category or "
                f"a bbox of four numbers ({error})"
            ) from None
        by_file[image["file_name"]].append(Instance(number, class_name, box))
    return Instances(path, list(names.values()), by_file)


def list_boxes(instances: Instances) -> Iterator[tuple[str, Instance]]:
    """(file, instance) of every instance that has a box."""
    for file_name, found in instances.by_file.items():
        yield from ((file_name, instance) for instance in found if instance.box is not None)


def _read(path: Path, what: str):
    def forget(entry: dict) -> dict:
        for name in FORGOTTEN:
            entry.pop(name, None)
        return entry

    if not path.is_file():
        raise ValueError(f"{what}: there is no file '{path}'")
    try:
        return json.loads(path.read_bytes(), object_hook=forget)
    except OSError as error:
        raise ValueError(f"{what}: cannot read '{path}' ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what}: '{path}' is no JSON ({error})") from None


def _cut(bbox, width: float, height: float) -> tuple[float, float, float, float] | None:
    """x0, y0, x1, y1 of x, y, width, height, cut at the edge of the image; None if no pixel's centre lies in it."""
    x, y, w, h = map(float, bbox)
    if not all(map(math.isfinite, (x, y, w, h))):
        raise ValueError(f"got {bbox}")
    x0, y0, x1, y1 = max(x, 0.0), max(y, 0.0), min(x + w, width), min(y + h, height)
    has_pixel = math.ceil(x0 - 0.5) + 0.5 < x1 and math.ceil(y0 - 0.5) + 0.5 < y1
    return (x0, y0, x1, y1) if has_pixel else None
