"""One model read on several levels of labels, each a run of its own: from flags to what is explained on each.

A reading is a view of a classifier whose classes are the nodes of one level (`Classifier.at_level`), with the samples
labelled on that level and a folder of results. The rest - explaining, judging, going on after a stop - is main.py's.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import constants
from data import taxonomy_files
from data.dataset import Sample
from data.names import choose_file_stems
from data.taxonomy import Level, Match, Taxonomy, list_some, taxonomy_of_names
from explainers.registry import Method
from network import node_scores
from network.classifier import Classifier
from pipeline import explain
from pipeline import run as runs
from pipeline.results import Results
from pipeline.run import Images, Run
from pipeline.settings import DataSettings, ModelSettings, RunSettings


class Column(NamedTuple):
    """A level and the model it is read off. is_trained: that model is one of --coarse_models, trained on the level."""

    level: Level
    classifier: Classifier
    source: str
    is_trained: bool

    @property
    def name(self) -> str:
        """Of its column in the tables, and of its folder."""
        return f"{self.level.name}, trained" if self.is_trained else self.level.name


@dataclass(frozen=True)
class Reading:
    """A column with its run. position: of the level in the taxonomy, 0 the leaves."""

    column: Column
    position: int
    run: Run

    @property
    def name(self) -> str:
        """That of its column."""
        return self.column.name

    @property
    def n_classes(self) -> int:
        """How many nodes the level has in this model."""
        return len(self.column.level.class_names)

    def describe(self) -> str:
        """In words: the level, and whose classes are read."""
        return f"level {self.name}: {self.n_classes} classes, {self.column.source}"


def open_readings(settings: RunSettings, coarse_models: Sequence[str], taxonomy: Taxonomy | None) -> list[Reading]:
    """The readings, the finest level first; ValueError for what cannot be run. Says what was chosen, and left out."""
    classifier, source = runs.load_classifier(settings.model)
    images = _load_images(settings.data, taxonomy, classifier)
    samples = images.samples
    if taxonomy is None:
        names = [sample.name for sample in samples] + [f"{name}_N_1" for name in classifier.class_names]
        taxonomy = taxonomy_of_names(names)
    match = taxonomy.match(classifier.class_names)
    coarse = [_open_coarse(path, settings.model, taxonomy) for path in coarse_models]
    columns = _sort_columns(taxonomy, [Column(level, classifier, source, False) for level in match.levels] + coarse)
    views = [column.classifier.at_level(column.level) for column in columns]
    methods = _leave_out_misfits(settings, views)
    rows = _find_rows(settings, taxonomy, match, classifier, samples)
    described = {"source": source, **classifier.describe()}
    runs.print_choices({**described, "taxonomy": taxonomy.source, "class_rule": settings.class_rule}, samples)
    print(f"{'levels':>14}: {'; '.join(column.level.describe() for column in columns)}")
    for note in filter(None, (match.note, _tell_unknown(samples, rows))):
        print(f"{'note':>14}: {note}")
    opened = []
    for column, view in zip(columns, views):
        position = taxonomy.position(column.level.name)
        labelled = [
            _relabel(sample, column.level, *(None if row is None else taxonomy.label(row, position) for row in pair))
            for sample, pair in zip(samples, rows)
        ]
        described = {"source": column.source, **view.describe()}
        about = {"flags": settings.flags, "model": described}
        kept = {**runs.list_settings(settings, view, methods), "read_model": classifier.fingerprint}
        folder = settings.output_folder / "levels" / choose_file_stems([column.name])[0]
        results = Results(folder, kept, about, settings.overwrite)
        run = Run(view, Images(labelled, labelled, images.gaze_note), methods, results, described, "label")
        opened.append(Reading(column, position, run))
    return opened


def _sort_columns(taxonomy: Taxonomy, columns: list[Column]) -> list[Column]:
    """The columns that have a score, the finest level first; ValueError for fewer than two."""
    columns = sorted(filter(_has_score, columns), key=lambda column: taxonomy.position(column.level.name))
    names = [column.name for column in columns]
    if len(set(names)) < len(names):
        raise ValueError(f"coarse_models: one model per level was wanted; their levels are {', '.join(names)}")
    if len(columns) < 2:
        found = names[0] if names else "none"
        raise ValueError(f"two levels or more were wanted; of {taxonomy.source} this model has {found}")
    return columns


def _load_images(settings: DataSettings, taxonomy: Taxonomy | None, namer) -> Images:
    """The images, their class_index among the names of `namer`, a classifier or a taxonomy."""
    if taxonomy is None or taxonomy.metadata is None:
        return runs.load_dataset(settings, namer)
    if settings.is_embedded:
        raise ValueError("--taxonomy is iNatLoc500's: --test_images_folder_path, one of its splits, was wanted too")
    options = {"class_names": namer.class_names, "class_ids": namer.class_ids, "limit": settings.limit}
    samples = taxonomy_files.list_samples(settings.images, taxonomy, **options)
    return Images(samples, samples)


def _open_coarse(path: str, settings: ModelSettings, taxonomy: Taxonomy) -> Column:
    """The column of a model that was trained on one level."""
    own = replace(settings, model_name=None, model_path=path, class_names=None, layer_name=None)
    classifier, source = runs.load_classifier(own)
    try:
        return Column(taxonomy.match(classifier.class_names).levels[0], classifier, source, True)
    except ValueError as error:
        raise ValueError(f"coarse_models: {source}: {error}") from None


def _has_score(column: Column) -> bool:
    """Whether the level has two nodes or more; if not, says why it is left out."""
    try:
        node_scores.check_nodes(column.level.name, column.level.class_names)
    except ValueError as error:
        print(f"left out: {error}", file=sys.stderr)
        return False
    return True


def _leave_out_misfits(settings: RunSettings, views: Sequence[Classifier]) -> dict[Method, dict]:
    """The methods that explain a class of every view; ValueError for another, unless all were asked for."""
    misfits = {}
    for method in settings.methods:
        if not method.load().uses_class:
            misfits[method] = "it explains no class: its map is the same on every level"
    for view in views:
        misfits = {**explain.find_misfits(view, settings.methods), **misfits}
    methods = runs.leave_out_misfits(settings, misfits)
    for view in views:
        explain.check_options(view, methods)
    return methods


def _find_rows(
    settings: RunSettings, taxonomy: Taxonomy, match: Match, classifier: Classifier, samples: Sequence[Sample]
) -> list[tuple[int | None, int | None]]:
    """Of each sample the leaf of its label and the one whose nodes are explained: rows of the taxonomy, or None."""
    leaves = _load_images(settings.data, taxonomy, taxonomy).samples
    labels = [
        match.rows[sample.class_index] if match.own == 0 and sample.class_index is not None else leaf.class_index
        for sample, leaf in zip(samples, leaves)
    ]
    rule = settings.class_rule
    if rule == "label" or (rule == "auto" and None not in labels):
        return list(zip(labels, labels))
    if rule not in ("auto", "predicted"):
        return [(label, match.rows[classifier.class_index_of(rule)]) for label in labels]
    predicted = [None if index is None else match.rows[index] for index in _predict(classifier, samples)]
    if rule == "predicted":
        return list(zip(labels, predicted))
    return [(label, row if label is None else label) for label, row in zip(labels, predicted)]


def _tell_unknown(samples: Sequence[Sample], rows: Sequence[tuple[int | None, int | None]]) -> str:
    """The labels of the samples that no leaf has, in words, or ''."""
    unknown = [sample.label for sample, (leaf, _) in zip(samples, rows) if leaf is None and sample.label is not None]
    names = list_some(list(dict.fromkeys(unknown)))
    return f"{len(unknown)} images not in the accuracy, their label is no leaf, or several: {names}" if unknown else ""


def _predict(classifier: Classifier, samples: Sequence[Sample]) -> list[int | None]:
    """The most probable class of each sample; None for one that cannot be read, which its run reports."""
    predicted = []
    for start in range(0, len(samples), constants.IMAGES_AT_ONCE):
        together = samples[start : start + constants.IMAGES_AT_ONCE]
        prepared = explain.prepare_images(classifier, together, "predicted")
        found = [prepared[sample.stem] for sample in together]
        predicted += [None if isinstance(image, str) else image.class_index for image in found]
    return predicted


def _relabel(sample: Sample, level: Level, label: str | None, target: str | None) -> Sample:
    """The sample as a reading has it: its label on the level, and the class that is to be explained."""
    index = level.class_names.index(target) if target in level.class_names else None
    return replace(sample, label=label, class_index=index)
