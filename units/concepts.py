"""Where a concept is in an image: masks in folders, or the class of the whole image.

    concepts/<concept>/<image>.png      read as `demo.py` writes its part_masks; of any image ending, in class folders
                                        <concept>/<class>/<image>.png, or flat where no two images share a stem
    class labels                        the concept is the image's class, and its mask the whole image

A pixel belongs to the concept if its value is over half of the mask's largest (0 and 1, 0 and 255, 16 bits alike).
All concepts of a run are one category in the sense of Bau et al. 2017, section 2.2: an image with a mask of any of
them, be it black, is annotated for all of them, so that a unit is charged for what it marks where the concept is not;
an image without any is annotated for none. A mask that cannot be read takes its image from that concept alone.

Labels: Bau et al. too give scenes and textures a mask of the whole image (section 2.1), and compare it with a unit's
pixels. An active share of 0.005 bounds that IoU by 0.005 / (share of the class): 0.05 with ten classes, 0.015 with
three, so that of few classes none could be detected. We depart: what holds for an image is compared with one
activation of the image, the unit's mean over positions, which is what a pooling head reads. T_k, M_k and IoU are
defined as before, on maps and masks of one pixel; the active share is 1 / C, that of a class among C, and a detector's
IoU has to exceed, beside 0.04, what chance alone gives (`chance_iou`). The paper's own way is `pixel_labels`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

import constants
import utils
from data.dataset import Sample, list_classes
from data.images import list_suffixes, read_density_map
from units.quantiles import count_above

LABELS, PIXEL_LABELS = "labels", "pixel_labels"  # in the place of a folder


@dataclass(frozen=True)
class Concepts:
    """C concepts of a data set.

    where: image -> index of each concept in it -> its mask file, None: the whole image. source: in words.
    of_images: whether they are classes, which hold for images as a whole.
    """

    names: list[str]
    where: dict[str, dict[int, Path | None]]
    source: str
    of_images: bool = False

    def read(self, sample: Sample, height: int, width: int) -> tuple[dict[int, np.ndarray], dict[int, str]]:
        """Index of a concept -> its mask in an image, bool (height, width); and -> why its mask cannot be read.

        A mask of another size is averaged over each of the pixels, and what half of it or more covers belongs to it.
        One whose aspect is not the image's counts as not readable. No mask: the image is not annotated.
        """
        whole, masks, unread = np.ones((height, width), dtype=bool), {}, {}
        for concept, path in self.where.get(sample.name, {}).items():
            try:
                masks[concept] = whole if path is None else _read_mask(path, sample, height, width)
            except ValueError as error:
                unread[concept] = f"'{sample.name}' is not compared with '{self.names[concept]}': {error}"
        return masks, unread


def open_concepts(source: str | Path, samples: Sequence[Sample]) -> Concepts:
    """The concepts of a folder of mask folders, or, for 'labels', the samples' classes; ValueError for none.

    'pixel_labels' are classes too, but compared pixel by pixel.
    """
    if str(source) in (LABELS, PIXEL_LABELS):
        return replace(from_labels(samples), of_images=str(source) == LABELS)
    return from_folder(Path(source), samples)


def from_labels(samples: Sequence[Sample]) -> Concepts:
    """The classes of the samples, each the concept of its whole images; ValueError if there are fewer than two."""
    names = list_classes(samples)
    if len(names) < 2:
        found = f"all are of '{names[0]}'" if names else "none has a label"
        raise ValueError(f"concepts: images of two classes or more were wanted, or --concepts=FOLDER; {found}")
    where = {sample.name: {names.index(sample.label): None} for sample in samples if sample.label is not None}
    return Concepts(
        names, where, f"{len(names)} classes, each of {len(where)} labelled images as a whole", of_images=True
    )


def from_folder(folder: Path, samples: Sequence[Sample]) -> Concepts:
    """The concepts of a folder that hold a mask of any of the samples; ValueError if none does."""
    if not folder.is_dir():
        raise ValueError(f"concepts: there is no folder '{folder}'")
    files = {path.name: _list_masks(path) for path in sorted(folder.iterdir()) if path.is_dir()}
    images = _keys(samples)
    found = {
        concept: {images[key]: path for key, path in paths.items() if key in images} for concept, paths in files.items()
    }
    names = [concept for concept, masks in found.items() if masks]
    if not names:
        example = next((path for paths in files.values() for path in paths.values()), "no mask <concept>/<image>.png")
        raise ValueError(f"concepts: no mask in '{folder}' is of an image as '{samples[0].name}'; found: {example}")
    where: dict[str, dict[int, Path | None]] = {}
    for index, concept in enumerate(names):
        for image, path in found[concept].items():
            where.setdefault(image, {})[index] = path
    left_out = len(samples) - len(where)
    note = f", {left_out} images without a mask are left out" if left_out else ""
    return Concepts(names, where, f"{len(names)} in '{folder}', masks of {len(where)} images{note}")


def chance_iou(concepts: Concepts, share: float, level: float = constants.SIGNIFICANCE) -> float:
    """The IoU of whole images that the best of C classes exceeds by chance in no more than `level` of all units.

    A unit active in n of N images without regard to their classes meets X images of a class of m, X hypergeometric;
    its IoU is X / (n + m - X). The chances of the classes are added up (Bonferroni).
    """
    from scipy.stats import hypergeom

    sizes = np.bincount([index for of_image in concepts.where.values() for index in of_image], minlength=1)
    sizes = sizes[sizes > 0][:, None]  # (C, 1)
    n_images = int(sizes.sum())
    n_active = count_above(share, n_images)
    met = np.minimum(np.arange(n_active + 1), sizes)  # (C, n + 1)
    ious = met / np.maximum(n_active + sizes - met, 1)
    more = hypergeom.sf(met, n_images, sizes, n_active)  # P(X > met)
    for iou in np.unique(ious):
        place = (ious <= iou).sum(axis=1) - 1
        if more[np.arange(len(sizes)), place].sum() <= level:
            return float(iou)
    return 1.0


def _list_masks(folder: Path) -> dict[str, Path]:
    """Folded path without its ending -> mask file, of those in a folder and in the folders in it."""
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in list_suffixes()]
    return {
        utils.fold_name(path.relative_to(folder).with_suffix("").as_posix()): path
        for path in paths
        if path.is_file() and not path.name.startswith(".")
    }


def _keys(samples: Sequence[Sample]) -> dict[str, str]:
    """What a mask of an image may be called -> the image's name: its path, and its stem where that is its alone."""
    paths = {utils.fold_name(str(PurePosixPath(sample.name).with_suffix(""))): sample.name for sample in samples}
    stems = Counter(PurePosixPath(key).name for key in paths)
    alone = {PurePosixPath(key).name: name for key, name in paths.items() if stems[PurePosixPath(key).name] == 1}
    return {**alone, **paths}


def _read_mask(path: Path, sample: Sample, height: int, width: int) -> np.ndarray:
    mask = read_density_map(path, "mask")
    mask_height, mask_width = mask.shape
    image_height, image_width = sample.read_size()
    if abs(mask_width * image_height / (mask_height * image_width) - 1) > constants.MAX_ASPECT_DIFFERENCE:
        raise ValueError(
            f"mask '{path}' is {mask_width} x {mask_height} (width x height), its image '{sample.name}' "
            f"{image_width} x {image_height}: not the same shape"
        )
    inside = (mask > mask.max() / 2).astype(np.float32)
    return utils.resize_image(inside, height, width) >= 0.5
