"""Images with their classes, as training needs them: folders -> `LabelledImages`.

uint8 at the network's input size: 150 KB an image of 224 x 224, 1 GB for 7,000 of them. More than memory holds stay in
their files, and are read in every epoch (image_files.py). Images that cannot be read are left out and named; classes
that cannot be learnt from what is left are refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import utils
from data import dataset, taxonomy_files
from data.dataset import Sample
from data.image_files import ImageFiles
from data.images import UPRIGHT, Reading
from data.taxonomy import Taxonomy
from output import memory


@dataclass(frozen=True)
class LabelledImages:
    """N images of C classes; left_out: why each image that could not be read is not among them.

    note: in words, why the images are read anew in every epoch; '' if they are in memory.
    """

    names: list[str]
    images: np.ndarray | ImageFiles  # uint8 RGB (N, H, W, 3)
    labels: np.ndarray  # class_index int32 (N,); of several classes an image, 0 and 1, float32 (N, C)
    class_names: list[str]  # C
    left_out: list[str]
    note: str = ""

    def __len__(self) -> int:
        return len(self.names)


def list_labelled(
    folder: str | Path, label_level: str, taxonomy: Taxonomy | None = None, reading: Reading = UPRIGHT
) -> list[Sample]:
    """The samples of a folder, by their labels on that level of the taxonomy, or of MexCulture142's names.

    reading: how they are read. ValueError if one has no label, or a class folder holds no image.
    """
    if taxonomy is None:
        samples = dataset.load_dataset(folder, label_level=label_level, reading=reading)
        wanted = "class folders, or names <style>_<monument>_<state>_N_<view>.png,"
    else:
        samples = taxonomy_files.list_labelled(folder, taxonomy, label_level, reading=reading)
        wanted = f"class folders called as one leaf of {taxonomy.source}"
    unlabelled = [sample.name for sample in samples if sample.label is None]
    if unlabelled:
        raise ValueError(
            f"{len(unlabelled)} of {len(samples)} images in '{folder}' have no class, as '{unlabelled[0]}': {wanted} "
            "were wanted"
        )
    if "/" in samples[0].name and not (taxonomy and taxonomy.metadata):
        filled = {sample.path.parent for sample in samples}
        classes = set(dataset.list_folders(Path(folder)))
        if classes - filled:
            empty = ", ".join(sorted(path.name for path in classes - filled))
            raise ValueError(f"no image of class {empty} in '{folder}'")
    return samples


def list_classes(train: Sequence[Sample], val: Sequence[Sample]) -> list[str]:
    """The classes of the training images, sorted; ValueError for a single one, or one that only `val` has."""
    class_names = dataset.list_classes(train)
    if len(class_names) < 2:
        raise ValueError(f"two classes or more were wanted; all training images are of class '{class_names[0]}'")
    unknown = sorted(set(dataset.list_classes(val)) - set(class_names))
    if unknown:
        raise ValueError(
            f"validation images are of {len(unknown)} classes that no training image has: {', '.join(unknown[:10])}; "
            f"training has {', '.join(class_names[:10])}"
        )
    return class_names


def read_labelled(
    samples: Sequence[Sample],
    class_names: Sequence[str],
    height: int,
    width: int,
    rows: Mapping[str, np.ndarray] | None = None,
) -> LabelledImages:
    """The images of the samples at (height, width); ValueError if none, or none of some class, can be read.

    rows: of several classes an image, the labels (C,) of each name; None: the samples' own labels. Only the classes
    that the samples are of are asked for: validation may lack some.
    """
    note = memory.describe_lack(
        len(samples) * height * width * 3, f"{len(samples)} images of {height} x {width} pixels"
    )
    images, kept, left_out = None if note else np.empty((len(samples), height, width, 3), np.uint8), [], []
    for sample in samples:
        try:
            image = utils.resize_image(sample.read(), height, width)
            if images is not None:
                images[len(kept)] = image
            kept.append(sample)
        except ValueError as error:
            left_out.append(str(error))
    if not kept:
        raise ValueError(f"none of {len(samples)} images can be read; {left_out[0]}")
    if rows is None:
        labels = _class_index(samples, kept, class_names, left_out)
    else:
        labels = np.stack([rows[sample.name] for sample in kept])
    images = ImageFiles(kept, height, width) if images is None else images[: len(kept)]
    return LabelledImages([sample.name for sample in kept], images, labels, list(class_names), left_out, note)


def _class_index(
    samples: Sequence[Sample], kept: Sequence[Sample], class_names: Sequence[str], left_out: Sequence[str]
) -> np.ndarray:
    """class_index int32 (N,) of the samples that are kept."""
    lost = sorted({sample.label for sample in samples} - {sample.label for sample in kept})
    if lost:
        raise ValueError(f"no image of class {', '.join(lost)} can be read; {left_out[0]}")
    return np.array([class_names.index(sample.label) for sample in kept], np.int32)
