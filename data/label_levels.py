"""From `--taxonomy` and a folder of images to samples labelled on one level: what train.py and hierarchy.py share."""

from dataclasses import replace
from pathlib import Path

from data import dataset, inat_loc
from data.dataset import Sample
from data.taxonomy import Taxonomy
from data.taxonomy_files import read_taxonomy


def open_taxonomy(path: str | Path) -> Taxonomy:
    """The taxonomy of a csv file, or of iNatLoc500's metadata where the path is a folder; errors as theirs."""
    return inat_loc.read_taxonomy(path) if Path(path).is_dir() else read_taxonomy(path)


def list_samples(folder: str | Path, taxonomy: Taxonomy, **options) -> list[Sample]:
    """The samples of a folder, whose labels are leaves; those of iNatLoc500 come from its metadata.

    options: of `dataset.load_dataset`.
    """
    labels = inat_loc.read_labels(taxonomy.metadata, folder) if taxonomy.metadata else None
    return dataset.load_dataset(folder, labels=labels, **options)


def list_labelled(folder: str | Path, taxonomy: Taxonomy, level: str) -> list[Sample]:
    """The samples of a folder with their labels on that level; None for a label that is no leaf, or several."""
    position = taxonomy.position(level)
    samples = list_samples(folder, taxonomy, class_names=taxonomy.class_names)
    return [
        replace(sample, label=None if sample.class_index is None else taxonomy.label(sample.class_index, position))
        for sample in samples
    ]
