"""Images, labels and density maps: folders -> `Sample`s, which read their files only when asked.

Two layouts of a folder of images are read, in the plain order of names:

    images/*.png            one folder; the label comes from the file's name, if it is as in MexCulture142
                            (`<style>_<monument>_<state>_N_<view>.png`, Montoya Obeso et al. 2018) or as in
                            ImageNet (`n01443537_goldfish.JPEG`)
    images/<class>/*.png    class folders, one level; the label is the folder's name

Density maps lie in a folder of the same layout, or in one flat folder: `..._GFDM_N_<view>` for an image of
MexCulture142, else a file of the image's stem and any image ending. Fixations (`fixation_files.read_fixations`) find
their images by name in the same way. An image without either is no error.
"""

import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np

import constants
from data.fixation_files import read_fixations
from data.fixations import PIXELS, Fixations
from data.images import (
    HEIC_SUFFIXES,
    UPRIGHT,
    Reading,
    list_suffixes,
    note_reading,
    read_density_map,
    read_image,
    read_size,
)
from data.names import choose_file_stems, pair_by_name
from data.stored import Stored
from utils import find_class, get_image_index, parse_mexculture_name, resize_map

UNREAD_SUFFIXES = (  # of other images
    *(".eps", ".svg", ".psd", ".jp2", ".jxl", ".tga", ".ico", ".pdf", ".dcm", ".exr", ".hdr", ".npy"),
    *(".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf"),
)


@dataclass(frozen=True)
class Sample:
    """One image of a data set and what is known about it."""

    name: str  # file name; in class folders '<class>/<file name>'
    stem: str  # of its output files: unique in its data set, fit for any file system
    path: Path | Stored
    label: str | None = None  # name of its class in the data, whether or not the model has that class
    class_index: int | None = None  # of that class in the model
    density_map_path: Path | None = None
    fixations: Fixations | None = field(default=None, compare=False)
    reading: Reading = UPRIGHT

    @cached_property
    def checksum(self) -> str:
        """A short text that tells the image file's content from another; '' if it cannot be read."""
        try:
            return f"{zlib.crc32(self.path.read_bytes()):08x}"
        except OSError:
            return ""

    def read(self, side: int | None = None) -> np.ndarray:
        """The image, uint8 RGB (H, W, 3); side: of a JPEG only as many pixels; errors: as `images.read_image`."""
        return read_image(self.path, self.reading, side)

    def read_size(self) -> tuple[int, int]:
        """(height, width) of the image, from its header; errors as `images.read_size`."""
        return read_size(self.path, self.reading)


def load_dataset(
    images_folder: str | Path,
    gdfm_folder: str | Path | None = None,
    *,
    fixations: str | Path | Mapping[str, Fixations] | None = None,
    fixations_unit: str | None = None,
    class_names: Sequence[str] | None = None,
    class_ids: Sequence[str] | None = None,
    label_level: str = "style",
    labels: Mapping[str, str] | None = None,
    limit: int | None = None,
    reading: Reading = UPRIGHT,
) -> list[Sample]:
    """The samples of a folder of images, or of class folders, in the order of their names; of one image, that sample.

    fixations: a file or folder of them, or what `read_fixations` made of it; fixations_unit: as there.
    class_names: the model's, in its order; class_ids: their ImageNet ids, parallel. label_level: the label of
    a MexCulture142 name is its 'style' or 'monument', if class_names do not settle it. labels: of images that lie
    in folders of any depth, by their paths in the folder; no other image is then read. limit: at most so many
    samples, taken in turn from each class folder or style, so that a few still show every class. reading: how the
    images are read.
    Raises ValueError for a folder that is missing, is none, or holds no image, and for fixations of no image in it.
    """
    one_image = Path(images_folder) if _is_photograph(Path(images_folder)) else None
    images_folder = one_image.parent if one_image else _check_folder("images_folder", images_folder)
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be 1 or more; got {limit}")
    if class_ids is not None and len(class_ids) != len(class_names or ()):
        raise ValueError(f"one class id per name wanted; got {len(class_ids)} and {len(class_names or ())}")
    if gdfm_folder is not None:
        gdfm_folder = _check_folder("gdfm_folder", gdfm_folder)
    if one_image:
        names = [one_image.name]
    else:
        names = list_images(images_folder, gdfm_folder) if labels is None else sorted(labels)
    stems = choose_file_stems(names)  # of all names, so that a limit renames no output file
    if labels is None:
        found = find_labels(names, class_names or (), class_ids or (), label_level)
    else:
        indices = {label: find_class(label, class_names or ()) for label in set(labels.values())}
        found = [(labels[name], indices[labels[name]]) for name in names]
    density_maps = pair_density_maps(images_folder, names, gdfm_folder) if gdfm_folder else {}
    looked_at = pair_fixations(names, fixations, fixations_unit) if fixations is not None else {}
    samples = {
        name: Sample(name, stem, images_folder / name, *label, density_maps.get(name), reading=reading)
        for name, stem, label in zip(names, stems, found)
    }
    for name, fixations in looked_at.items():
        samples[name] = replace(samples[name], fixations=fixations and in_pixels(samples[name], fixations))
    return take_in_turn([samples[name] for name in names], limit)


def label_samples(
    samples: Sequence[Sample], class_names: Sequence[str], class_ids: Sequence[str] | None = None
) -> list[Sample]:
    """The samples of `load_dataset` with the classes that their names have in a model of these classes."""
    found = find_labels([sample.name for sample in samples], class_names, class_ids or (), "style")
    return [replace(sample, label=name, class_index=index) for sample, (name, index) in zip(samples, found)]


def load_density_map(sample: Sample, height: int, width: int) -> np.ndarray:
    """The density map of a sample, float32 (height, width) in [0, 1]; height, width: the size of its image.

    A map of another size is resized. Raises ValueError if there is none, if it cannot be read, or if its
    aspect ratio is not the image's, within 2 %: it belongs to another image, or its axes are exchanged.
    """
    if sample.density_map_path is None:
        raise ValueError(f"'{sample.name}' has no density map")
    density_map = read_density_map(sample.density_map_path)
    map_height, map_width = density_map.shape
    if abs(map_width * height / (map_height * width) - 1) > constants.MAX_ASPECT_DIFFERENCE:
        raise ValueError(
            f"density map '{sample.density_map_path.name}' is {map_width} x {map_height} (width x height), "
            f"its image '{sample.name}' {width} x {height}: not the same shape"
        )
    return resize_map(density_map, height, width)


def count_unmatched(fixations: Mapping[str, Fixations], samples: Sequence[Sample]) -> int:
    """How many of the images that have fixations are not among the samples."""
    # Their observers are the same array, whatever unit the points have been brought to.
    return len(fixations) - len({id(sample.fixations.observers) for sample in samples if sample.fixations is not None})


def list_classes(samples: Sequence[Sample]) -> list[str]:
    """The labels of the samples, each once, sorted: the class order of Keras for a folder of classes."""
    return sorted({sample.label for sample in samples if sample.label is not None})


def label_of(file_name: str, level: str) -> str | None:
    """The label in a MexCulture142 name: its style, or `<style>_<monument>_<state>`; None in other names."""
    if level not in constants.LABEL_LEVELS:
        raise ValueError(f"label_level must be one of {', '.join(constants.LABEL_LEVELS)}; got '{level}'")
    parts = parse_mexculture_name(file_name)
    if parts is None:
        return None
    return parts.style if level == "style" else "_".join(parts[:3])


def _check_folder(flag: str, folder: str | Path) -> Path:
    folder = Path(folder)
    if not folder.exists():
        raise ValueError(f"{flag}: there is no folder '{folder}'")
    if not folder.is_dir():
        raise ValueError(f"{flag}: a folder was wanted, '{folder}' is a file")
    return folder


def _is_image(path: Path) -> bool:
    is_named_so = path.suffix.lower() in list_suffixes() and not path.name.startswith(".")
    return is_named_so and path.is_file()


def _is_photograph(path: Path) -> bool:
    """Whether it is an image to explain: a MexCulture142 density map beside its image is not."""
    return _is_image(path) and "_GFDM_N_" not in path.name


def list_folders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted, but for hidden ones and what macOS puts into its archives."""
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".") and path.name != "__MACOSX"
    )


def list_images(folder: str | Path, gdfm_folder: str | Path | None) -> list[str]:
    """The relative paths of the images in a folder, or else in its class folders, sorted."""
    folder, gdfm_folder = Path(folder), gdfm_folder and Path(gdfm_folder)
    classes = _list_class_folders(folder, gdfm_folder)
    for folders in ([folder], classes):
        names = [
            path.relative_to(folder).as_posix()
            for parent in folders
            for path in parent.iterdir()
            if _is_photograph(path)
        ]
        if names:
            return sorted(names)
    deeper = [path for parent in classes for path in list_folders(parent)]
    deep = next((path for parent in deeper for path in sorted(parent.iterdir()) if _is_photograph(path)), None)
    entries = [path for parent in [folder, *classes] for path in parent.iterdir() if path not in classes]
    if deep is not None:
        found = f"they are two levels down, as '{deep.relative_to(folder).as_posix()}': give '{deep.parent.parent}'"
    elif entries:
        kinds = "files" if all(map(Path.is_file, entries)) else "files or folders"
        found = f"{len(entries)} other {kinds}, as '{min(entries).relative_to(folder).as_posix()}'"
    else:
        found = "it is empty" if not classes else f"its {len(classes)} folders are empty"
    raise ValueError(f"no image in '{folder}': {found}; read are {', '.join(list_suffixes())}")


def _list_class_folders(folder: Path, gdfm_folder: Path | None) -> list[Path]:
    gdfm_folder = gdfm_folder and gdfm_folder.resolve()  # may lie among the class folders, and is none
    return [path for path in list_folders(folder) if path.resolve() != gdfm_folder]


def describe_left_out(
    images_folder: str | Path, samples: Sequence[Sample], gdfm_folder: str | Path | None = None
) -> list[str]:
    """In words, by reason, how many files that are or look like images `load_dataset` passes over, naming some.

    samples: all of the folder.
    """
    folder, known = Path(images_folder), {sample.path for sample in samples}
    if folder.is_file():  # the one image that was asked for
        return []
    classes = _list_class_folders(folder, Path(gdfm_folder) if gdfm_folder else None)
    reasons = {}
    for parent in [folder, *classes]:
        for path in sorted(parent.iterdir()):
            ending = path.suffix.lower()
            if path.name.startswith(".") or path in known or path.is_dir():
                continue
            if ending in list_suffixes() and not path.is_file():
                reason = "whose link leads nowhere, or which are no files"
            elif _is_photograph(path):
                reason = "in class folders, beside loose images"
            elif ending in HEIC_SUFFIXES:
                reason = f"{ending}, which pip install pillow-heif makes readable"
            elif ending in UNREAD_SUFFIXES:
                reason = f"{ending}, which is not read"
            else:
                continue
            reasons.setdefault(reason, []).append(path)
    deeper = [path for parent in classes for path in list_folders(parent)]
    if deep := [path for parent in deeper for path in sorted(parent.iterdir()) if _is_photograph(path)]:
        reasons["in folders two levels down"] = [path for path in deep if path not in known]
    return [
        f"{len(paths)} {reason}: {_name_some([path.relative_to(folder).as_posix() for path in paths])}"
        for reason, paths in reasons.items()
        if paths
    ]


def describe_reading(samples: Sequence[Sample]) -> list[str]:
    """In words, how many images are turned, of several frames, or of few bits in a deep file, naming some."""
    notes = {}
    for sample in samples:
        if note := note_reading(sample.path, sample.reading):
            notes.setdefault(note, []).append(sample.name)
    return [f"{len(names)} {note}: {_name_some(names)}" for note, names in notes.items()]


def _name_some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def find_labels(
    names: Sequence[str], class_names: Sequence[str], class_ids: Sequence[str], label_level: str = "style"
) -> list[tuple[str | None, int | None]]:
    """(label, class_index) of each name; a class folder is looked up once, not once per image."""
    keys = [PurePosixPath(name).parent.name or name for name in names]
    one_of_each = dict(zip(keys, names))
    found = {key: _find_label(name, class_names, class_ids, label_level) for key, name in one_of_each.items()}
    return [found[key] for key in keys]


def _find_label(
    name: str, class_names: Sequence[str], class_ids: Sequence[str], label_level: str
) -> tuple[str | None, int | None]:
    """(label, class_index) that a relative path carries in its class folder, or else in its file name."""
    path = PurePosixPath(name)
    folder = path.parent.name
    if match := re.fullmatch(r"(n\d{8})(?:_(.+))?", folder or path.stem):
        wnid, rest = match.groups("")
        index = class_ids.index(wnid) if wnid in class_ids else find_class(rest, class_names)
        return wnid if index is None else class_names[index], index
    if folder:
        return folder, find_class(folder, class_names)
    index = get_image_index(path.name, class_names)
    return label_of(path.name, label_level) if index is None else class_names[index], index


def pair_density_maps(images_folder: Path | None, names: Sequence[str], gdfm_folder: Path) -> dict[str, Path | None]:
    """Image name -> path of its density map, the one of the same ending where there are several; or None.

    images_folder: of the images, which are no density maps where both kinds lie in one folder; None: they do not.
    """
    images = set() if images_folder is None else {(images_folder / name).resolve() for name in names}
    paths = sorted([*gdfm_folder.iterdir(), *gdfm_folder.glob("*/*")])
    paths = [path for path in paths if _is_image(path) and path.resolve() not in images]
    return pair_by_name(names, {path.relative_to(gdfm_folder).as_posix(): path for path in paths})


def pair_fixations(
    names: Sequence[str], fixations: str | Path | Mapping[str, Fixations], unit: str | None
) -> dict[str, Fixations | None]:
    """Image name -> its fixations or None; ValueError if no image has any."""
    source = "their table" if isinstance(fixations, Mapping) else f"'{fixations}'"
    if not isinstance(fixations, Mapping):
        fixations = read_fixations(fixations, unit)
    pairs = pair_by_name(names, fixations)
    if not any(found is not None for found in pairs.values()):
        example = next(iter(fixations), "")
        raise ValueError(
            f"fixations: {source} names {len(fixations)} images, as '{example}'; none of them is among the "
            f"{len(names)} images, as '{names[0]}'"
        )
    return pairs


def in_pixels(sample: Sample, fixations: Fixations) -> Fixations | None:
    """The fixations in pixels of the image; None if its size is needed and cannot be read."""
    if fixations.unit == PIXELS:
        return fixations
    try:
        size = sample.read_size()
    except ValueError:  # told where the image is explained
        return None
    return fixations.in_pixels(*size, sample.name)


def group_of(name: str) -> str:
    """The class folder of an image, or the style in its MexCulture142 name, or ''."""
    folder = name.rpartition("/")[0].rpartition("/")[2]
    if folder not in ("", "."):  # most names: of a million images, a path object for each takes half a minute
        return folder
    parts = parse_mexculture_name(name)
    return PurePosixPath(name).parent.name or (parts.style if parts else "")


def take_in_turn(samples: Sequence[Sample], limit: int | None) -> list[Sample]:
    """The first `limit` samples if each class folder or MexCulture142 style gives one in turn; in their order."""
    if limit is None:
        return list(samples)
    seen = Counter()
    rounds = []
    for sample in samples:
        group = group_of(sample.name)
        rounds.append((seen[group], sample.name))
        seen[group] += 1
    taken = {name for _, name in sorted(rounds)[:limit]}
    return [sample for sample in samples if sample.name in taken]
