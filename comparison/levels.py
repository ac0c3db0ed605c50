"""One model read on several levels of labels, each a run of its own: from flags to what is explained on each.

A reading is a view of a classifier whose classes are the nodes of one level (`Classifier.at_level`), with the samples
labelled on that level and a folder of results. The rest - explaining, judging, going on after a stop - is main.py's.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import constants
from data import label_levels, stems
from data.dataset import Sample
from data.taxonomy import Level, Match, Taxonomy, list_some, taxonomy_of_names
from explainers.registry import Method, means_all
from network import model_files, node_scores
from network.classifier import Classifier
from pipeline import explain as explaining
from pipeline import run as runs
from pipeline.results import Results, versions
from pipeline.run import Run


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


def open_readings(args: argparse.Namespace, chosen: dict[Method, dict], taxonomy: Taxonomy | None) -> list[Reading]:
    """The readings, the finest level first; ValueError for what cannot be run. Says what was chosen, and left out."""
    classifier, source = runs.open_classifier(args)
    samples, density_note = _load_samples(args, taxonomy, classifier)
    if taxonomy is None:
        names = [sample.name for sample in samples] + [f"{name}_N_1" for name in classifier.class_names]
        taxonomy = taxonomy_of_names(names)
    match = taxonomy.match(classifier.class_names)
    columns = _list_columns(args, taxonomy, [Column(level, classifier, source, False) for level in match.levels])
    views = [column.classifier.at_level(column.level) for column in columns]
    chosen = _leave_out_misfits(args, views, chosen)
    rows = _find_rows(args, taxonomy, match, classifier, samples)
    described = {"source": source, **classifier.describe()}
    runs.print_choices({**described, "taxonomy": taxonomy.source, "class_rule": args.class_index}, samples)
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
        about = {"flags": vars(args), "model": described, "versions": versions()}
        settings = {**runs.list_settings(args, view, chosen), "read_model": classifier.fingerprint}
        folder = Path(args.output_folder_path) / "levels" / stems.choose_stems([column.name])[0]
        results = Results(folder, settings, about, args.overwrite)
        run = Run(view, labelled, chosen, results, described, "label", density_note)
        opened.append(Reading(column, position, run))
    return opened


def _list_columns(args: argparse.Namespace, taxonomy: Taxonomy, columns: list[Column]) -> list[Column]:
    """The columns of the model and of the coarse ones, the finest level first; ValueError if that is one alone."""
    for path in args.coarse_models.split(",") if args.coarse_models else ():
        columns.append(_open_coarse(path.strip(), args, taxonomy))
    columns = sorted(filter(_has_score, columns), key=lambda column: taxonomy.position(column.level.name))
    names = [column.name for column in columns]
    if len(set(names)) < len(names):
        raise ValueError(f"coarse_models: one model per level was wanted; their levels are {', '.join(names)}")
    if len(columns) < 2:
        found = names[0] if names else "none"
        raise ValueError(f"two levels or more were wanted; of {taxonomy.source} this model has {found}")
    return columns


def _load_samples(args: argparse.Namespace, taxonomy: Taxonomy | None, namer) -> tuple[list[Sample], str]:
    """The samples, their class_index among the names of `namer`, a classifier or a taxonomy; and of their gaze."""
    if taxonomy is None or taxonomy.metadata is None:
        return runs.load_samples(args, namer)
    if args.test_images_folder_path is None:
        raise ValueError("--taxonomy is iNatLoc500's: --test_images_folder_path, one of its splits, was wanted too")
    options = {"class_names": namer.class_names, "class_ids": namer.class_ids, "limit": args.limit}
    return label_levels.list_samples(args.test_images_folder_path, taxonomy, **options), ""


def _open_coarse(path: str, args: argparse.Namespace, taxonomy: Taxonomy) -> Column:
    """The column of a model that was trained on one level."""
    names = ("trust_model", "custom_objects", "precision", "batch_size")
    options = {name: getattr(args, name) for name in names}
    classifier, source = model_files.load_classifier(None, model_path=path, **options)
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


def _leave_out_misfits(args: argparse.Namespace, views: Sequence[Classifier], chosen: dict) -> dict[Method, dict]:
    """The methods that explain a class of every view; ValueError for another, unless all were asked for."""
    misfits = {}
    for method in chosen:
        if not method.load().uses_class:
            misfits[method] = "it explains no class: its map is the same on every level"
    for view in views:
        misfits = {**explaining.find_misfits(view, chosen), **misfits}
    for method, reason in misfits.items():
        if not means_all(args.explanation_method):
            raise ValueError(f"{method.name}: {reason}")
        print(f"{method.name} is left out: {reason}", file=sys.stderr)
    chosen = {method: options for method, options in chosen.items() if method not in misfits}
    for view in views:
        explaining.check_options(view, chosen)
    return chosen


def _find_rows(
    args: argparse.Namespace, taxonomy: Taxonomy, match: Match, classifier: Classifier, samples: Sequence[Sample]
) -> list[tuple[int | None, int | None]]:
    """Of each sample the leaf of its label and the one whose nodes are explained: rows of the taxonomy, or None."""
    leaves, _ = _load_samples(args, taxonomy, taxonomy)
    labels = [
        match.rows[sample.class_index] if match.own == 0 and sample.class_index is not None else leaf.class_index
        for sample, leaf in zip(samples, leaves)
    ]
    rule = args.class_index
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
    examiner = explaining.Examiner(classifier, None, None, class_rule="predicted")
    predicted = []
    for start in range(0, len(samples), constants.IMAGES_AT_ONCE):
        together = samples[start : start + constants.IMAGES_AT_ONCE]
        subjects = examiner.read_subjects(together)
        found = [subjects[sample.stem] for sample in together]
        predicted += [None if isinstance(subject, str) else subject.class_index for subject in found]
    return predicted


def _relabel(sample: Sample, level: Level, label: str | None, target: str | None) -> Sample:
    """The sample as a reading has it: its label on the level, and the class that is to be explained."""
    index = level.class_names.index(target) if target in level.class_names else None
    return replace(sample, label=label, class_index=index)
