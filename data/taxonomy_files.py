"""Files of labels on several levels, and the samples of a folder labelled by them: a csv file, or iNatLoc500.

    leaf,group,kingdom              index,leaf,group,kingdom
    goldfish,fish,animal            134,crane,bird,animal
    robin,bird,animal               517,crane,other,not an animal

One row per leaf, then one column per level up; the head names the levels. Where leaves share a name, `index` - that of
the class in the model - tells them apart, and stands behind their names. A model whose class
of an index is called otherwise is refused.

iNatLoc500 (Cole et al. 2022) as it is published: images of 500 species under seven ranks, with boxes.

    <folder>/train/<species folder>/<image>                      of iNaturalist 2021
    <folder>/val/<class>/<species>/<image>, <folder>/test/...    of iNaturalist 2017
    <metadata>/class_names.txt, class_names_genus.txt, ...       Aix sponsa,123
    <metadata>/<split>/class_labels.txt, class_labels_genus.txt  test/Aves/Aix sponsa/05.jpg,123
    <metadata>/<split>/localization.txt (val, test)              test/Aves/Aix sponsa/05.jpg,35,208,800,437

The ranks are species (no ending), genus, family, order, class, phylum and kingdom. The four numbers of a box are x0,
y0, x1, y1: the published rows, whose README calls them x_min, x_max, y_min, y_max, fit their images only so.
`image_sizes.txt` is not read, since many of its sizes have width and height exchanged; those of the files are taken.
All 500 species are animals, so that the rank of kingdom has one node and is left out of a hierarchy.

The folder of images is one of the three splits, and its name says which.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from data import dataset
from data.boxes import Box
from data.csv_tables import read_lines, read_table, show
from data.dataset import Sample
from data.taxonomy import Taxonomy
from utils import fold_name

INAT_RANKS = ("species", "genus", "family", "order", "class", "phylum", "kingdom")  # of iNatLoc500
INAT_SPLITS = ("train", "val", "test")


def open_taxonomy(path: str | Path) -> Taxonomy:
    """The taxonomy of a csv file, or of iNatLoc500's metadata where the path is a folder; errors as theirs."""
    return read_inat_taxonomy(path) if Path(path).is_dir() else read_csv_taxonomy(path)


def list_samples(folder: str | Path, taxonomy: Taxonomy, **options) -> list[Sample]:
    """The samples of a folder, whose labels are leaves; those of iNatLoc500 come from its metadata.

    options: of `dataset.load_dataset`.
    """
    labels = read_inat_labels(taxonomy.metadata, folder) if taxonomy.metadata else None
    return dataset.load_dataset(folder, labels=labels, **options)


def list_labelled(folder: str | Path, taxonomy: Taxonomy, level: str, **options) -> list[Sample]:
    """The samples of a folder with their labels on that level; None for a label that is no leaf, or several.

    options: of `dataset.load_dataset`.
    """
    position = taxonomy.position(level)
    samples = list_samples(folder, taxonomy, class_names=taxonomy.class_names, **options)
    return [
        replace(sample, label=None if sample.class_index is None else taxonomy.label(sample.class_index, position))
        for sample in samples
    ]


# --- csv files -----------------------------------------------------------------------------------------------
def read_csv_taxonomy(path: str | Path) -> Taxonomy:
    """The taxonomy of a csv file; ValueError names the line of what is missing, repeated or contradicts."""
    table = read_table(path, "taxonomy")
    head, lines = table.head, list(table.rows())
    has_index = head[:1] == ["index"]
    levels = tuple(head[has_index:])
    if levels[:1] != ("leaf",) or len(levels) < 2 or not all(levels) or len(set(levels)) < len(levels):
        raise ValueError(
            f"taxonomy: '{path}' should begin with the columns leaf, or index and leaf, then one of its own per level "
            f"up; it has {show(head) or 'none'}"
        )
    for line, row in lines:
        if not all(row):
            raise table.refuse(line, f"should hold {', '.join(head)}; got {show(row)}")
    rows = [tuple(row[has_index:]) for _, row in lines]
    if not rows:
        raise ValueError(f"taxonomy: '{path}' has no leaf")
    indices = _read_indices(path, lines) if has_index else None
    _check_leaves(path, lines, has_index)
    return Taxonomy(f"taxonomy '{path}'", levels, rows, indices)


def _read_indices(path: Path, lines: Sequence[tuple[int, list[str]]]) -> list[int]:
    seen = {}
    for line, (index, *_) in lines:
        if not index.isdecimal():
            raise ValueError(
                f"taxonomy: line {line} of '{path}': the index of a class was wanted; got '{show([index])}'"
            )
        if int(index) in seen:
            raise ValueError(f"taxonomy: index {index} is in lines {seen[int(index)]} and {line} of '{path}'")
        seen[int(index)] = line
    return list(seen)


def _check_leaves(path: Path, lines: Sequence[tuple[int, list[str]]], has_index: bool) -> None:
    """ValueError for a leaf that is there twice without an index."""
    seen = {}
    for line, row in lines if not has_index else ():
        if (key := fold_name(row[0])) in seen:
            raise ValueError(
                f"taxonomy: leaf '{row[0]}' is in lines {seen[key]} and {line} of '{path}': a first column 'index' "
                "tells leaves of one name apart"
            )
        seen[key] = line


# --- iNatLoc500 ----------------------------------------------------------------------------------------------
def read_inat_taxonomy(metadata: str | Path) -> Taxonomy:
    """The ranks of all species, read off the labels of the first split there is; ValueError for what is missing."""
    metadata = Path(metadata)
    split = next((split for split in INAT_SPLITS if (metadata / split / "class_labels.txt").is_file()), None)
    if split is None:
        raise ValueError(f"taxonomy: '{metadata}' should be a csv file, or iNatLoc500's folder with {_labels_file(0)}")
    names = [_read_names(metadata, rank) for rank in range(len(INAT_RANKS))]
    labels = [_read_pairs(metadata / split / _labels_file(rank)) for rank in range(len(names))]
    rows = {}
    for image in labels[0]:
        try:
            row = tuple(of_index[of_image[image]] for of_index, of_image in zip(names, labels))
        except KeyError as missing:
            raise ValueError(f"taxonomy: '{metadata}' has no label or name of {missing} for '{image}'") from None
        if rows.setdefault(row[0], row) != row:
            raise ValueError(f"taxonomy: '{metadata}' has species '{row[0]}' under {rows[row[0]][1:]} and {row[1:]}")
    return Taxonomy(f"iNatLoc500 in '{metadata}'", INAT_RANKS, sorted(rows.values()), metadata=metadata)


def read_inat_labels(metadata: str | Path, images_folder: str | Path) -> dict[str, str]:
    """Image, by its path in the folder of its split -> its species; ValueError if none of them is there."""
    metadata, folder = Path(metadata), Path(images_folder)
    species = _read_names(metadata, 0)
    pairs = _read_pairs(metadata / _split_of(folder) / _labels_file(0))
    prefix = f"{_split_of(folder)}/"
    labels = {image.removeprefix(prefix): species[index] for image, index in pairs.items()}
    if not any((folder / name).is_file() for name in labels):
        raise ValueError(f"none of the {len(labels)} images that '{metadata}' names is in '{folder}'")
    return labels


def read_inat_boxes(metadata: str | Path, images_folder: str | Path) -> dict[str, list[Box]]:
    """Image, by its path in the folder of its split -> its boxes; {} for the split without any."""
    folder = Path(images_folder)
    path = Path(metadata) / _split_of(folder) / "localization.txt"
    if not path.is_file():
        return {}
    boxes, prefix = {}, f"{_split_of(folder)}/"
    for line, (image, *corners) in enumerate(_read_rows(path, 5), start=1):
        try:
            box = Box(*map(float, corners), line)
        except ValueError:
            raise ValueError(f"line {line} of '{path}' should hold four numbers; got {', '.join(corners)}") from None
        if not (box.x0 < box.x1 and box.y0 < box.y1):
            raise ValueError(f"line {line} of '{path}' is an empty box: x0 < x1 and y0 < y1 were wanted")
        boxes.setdefault(image.removeprefix(prefix), []).append(box)
    return boxes


def _labels_file(rank: int) -> str:
    return "class_labels.txt" if rank == 0 else f"class_labels_{INAT_RANKS[rank]}.txt"


def _read_names(metadata: Path, rank: int) -> dict[str, str]:
    """Index -> name of a rank's nodes."""
    path = metadata / _labels_file(rank).replace("labels", "names")
    return {index: name for name, index in _read_rows(path, 2)}


def _read_pairs(path: Path) -> dict[str, str]:
    return dict(_read_rows(path, 2))


def _read_rows(path: Path, n_columns: int) -> Sequence[list[str]]:
    """The rows of a file without a head, cut at their last commas; ValueError for a row of fewer."""
    lines = read_lines(path, "iNatLoc500")
    rows = [line.strip().rsplit(",", n_columns - 1) for line in lines if line.strip()]
    for line, row in enumerate(rows, start=1):
        if len(row) != n_columns:
            raise ValueError(f"line {line} of '{path}' should hold {n_columns} values; got {show(row)}")
    return rows


def _split_of(folder: Path) -> str:
    name = folder.resolve().name
    if name not in INAT_SPLITS:
        wanted = ", ".join(INAT_SPLITS)
        raise ValueError(f"a folder of iNatLoc500's images is called one of {wanted}; got '{folder}'")
    return name
