"""One model read on several levels of labels, each a run of its own: from flags to what is explained on each.

The run of a level is that of a classifier whose classes are the nodes of the level (`Classifier.at_level`), the samples
labelled on that level and a folder of results. The rest - explaining, measuring, going on after a stop - is main.py's.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import constants
from data import taxonomy_files
from data.ahead import read_ahead
from data.dataset import Sample
from data.names import choose_file_stems
from data.taxonomy import Level, Match, Taxonomy, list_some, taxonomy_of_names
from explainers.registry import Method
from network import node_scores
from network.classifier import Classifier
from output.progress import print_table, printable
from pipeline import model_check, prepare
from pipeline import run as runs
from pipeline.large_results import open_results
from pipeline.run import Run
from pipeline.samples import ImageSet
from pipeline.settings import DataSettings, ModelSettings, RunSettings
from utils import find_class, in_batches


class LevelModel(NamedTuple):
    """A level and the model it is read off. is_trained: that model is one of --coarse_models, trained on the level.

    settings: that the model was loaded by.
    """

    level: Level
    classifier: Classifier
    source: str
    is_trained: bool
    settings: ModelSettings

    @property
    def name(self) -> str:
        """The name of its column in the tables, and of its folder."""
        return f"{self.level.name}, trained" if self.is_trained else self.level.name


@dataclass(frozen=True)
class LevelRun:
    """A level and its model with the run on it. position: of the level in the taxonomy, 0 the leaves."""

    model: LevelModel
    position: int
    run: Run

    @property
    def name(self) -> str:
        """The name of its column in the tables."""
        return self.model.name

    @property
    def n_classes(self) -> int:
        """How many nodes the level has in this model."""
        return len(self.model.level.class_names)

    def describe(self) -> str:
        """In words: the level, and whose classes are read."""
        return f"level {self.name}: {self.n_classes} classes, {self.model.source}"


def open_levels(settings: RunSettings, coarse_models: Sequence[str], taxonomy: Taxonomy | None) -> list[LevelRun]:
    """The runs of all levels, the finest first. Says what was chosen. ValueError for what cannot be run."""
    listed = _list_images(settings.data, taxonomy)
    classifier, source = runs.load_classifier(settings.model)
    images = _label_images(listed, taxonomy, classifier)
    samples = images.samples
    if taxonomy is None:
        names = [sample.name for sample in images.all_samples] + [f"{name}_N_1" for name in classifier.class_names]
        taxonomy = taxonomy_of_names(names)
    match = taxonomy.match(classifier.class_names)
    coarse = [_open_coarse(path, settings.model, taxonomy) for path in coarse_models]
    models = _sort_models(
        taxonomy, [LevelModel(level, classifier, source, False, settings.model) for level in match.levels] + coarse
    )
    views = [model.classifier.at_level(model.level) for model in models]
    methods = _leave_out_misfits(settings, views)
    leaves = _label_images(listed, taxonomy, taxonomy).samples
    rows = _find_rows(settings.class_rule, match, classifier, samples, leaves)
    described = {"source": source, **classifier.describe()}
    runs.print_choices({**described, "taxonomy": taxonomy.source, "class_rule": settings.class_rule}, samples)
    print_table({"levels": "; ".join(model.level.describe() for model in models)})
    for note in filter(None, (match.note, _tell_unknown(samples, rows))):
        print_table({"note": note})
    opened = []
    for model, view in zip(models, views):
        position = taxonomy.position(model.level.name)
        labelled = [
            _relabel(sample, model.level, *(None if row is None else taxonomy.label(row, position) for row in pair))
            for sample, pair in zip(samples, rows)
        ]
        of_level = ImageSet(labelled, labelled, images.gaze_note)
        run = _open_run(settings, model, view, of_level, methods, {"read_model": classifier.fingerprint})
        opened.append(LevelRun(model, position, run))
    return opened


def _open_run(
    settings: RunSettings,
    model: LevelModel,
    view: Classifier,
    images: ImageSet,
    methods: dict[Method, dict],
    further: dict,
) -> Run:
    """The run of a level, whose classes `view` has, its folder opened; further: what else changes a number."""
    described = {"source": model.source, **view.describe()}
    about = {"flags": settings.flags, "model": described}
    kept = {**runs.list_settings(settings, view, methods), **further}
    folder = settings.output_folder / "levels" / choose_file_stems([model.name])[0]
    results = open_results(folder, kept, about, settings.overwrite, runs.is_large(settings, images.samples))
    return Run(view, images, methods, results, described, "label", model.settings)


def _sort_models(taxonomy: Taxonomy, models: list[LevelModel]) -> list[LevelModel]:
    """The models whose level has a score, the finest level first; ValueError for fewer than two."""
    models = sorted(filter(_has_score, models), key=lambda model: taxonomy.position(model.level.name))
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        raise ValueError(f"coarse_models: one model per level was wanted; their levels are {', '.join(names)}")
    if len(models) < 2:
        found = names[0] if names else "none"
        raise ValueError(
            f"two levels or more were wanted; of {taxonomy.source} this model has {found}; --taxonomy tells others"
        )
    return models


def _list_images(settings: DataSettings, taxonomy: Taxonomy | None) -> ImageSet:
    """The images, before a model is there."""
    if taxonomy is None or taxonomy.metadata is None:
        return runs.load_dataset(settings)
    if settings.is_embedded:
        raise ValueError("--taxonomy is iNatLoc500's: --test_images_folder_path, one of its splits, was wanted too")
    samples = taxonomy_files.list_samples(settings.images, taxonomy, limit=settings.limit, reading=settings.reading)
    return ImageSet(samples, samples)


def _label_images(images: ImageSet, taxonomy: Taxonomy | None, names) -> ImageSet:
    """The images with their classes among those of `names`, a classifier or a taxonomy."""
    if taxonomy is None or taxonomy.metadata is None:
        return runs.label_images(images, names)
    samples = [replace(s, class_index=find_class(s.label, names.class_names)) for s in images.samples]
    return ImageSet(samples, samples)


def _open_coarse(path: str, settings: ModelSettings, taxonomy: Taxonomy) -> LevelModel:
    """The model of that file, which was trained on one level."""
    own = replace(settings, model_name=None, model_path=path, class_names=None, layer_name=None)
    classifier, source = runs.load_classifier(own)
    try:
        return LevelModel(taxonomy.match(classifier.class_names).levels[0], classifier, source, True, own)
    except ValueError as error:
        raise ValueError(f"coarse_models: {source}: {error}") from None


def _has_score(model: LevelModel) -> bool:
    """Whether the level has two nodes or more; if not, says why it is left out."""
    try:
        node_scores.check_nodes(model.level.name, model.level.class_names)
    except ValueError as error:
        print(f"left out: {printable(str(error))}", file=sys.stderr)
        return False
    return True


def _leave_out_misfits(settings: RunSettings, views: Sequence[Classifier]) -> dict[Method, dict]:
    """The methods that explain a class of every view; ValueError for another, unless all were asked for."""
    misfits = {}
    for method in settings.methods:
        if not method.load().uses_class:
            misfits[method] = "it explains no class: its map is the same on every level"
    for view in views:
        misfits = {**model_check.find_misfits(view, settings.methods), **misfits}
    methods = runs.leave_out_misfits(settings, misfits)
    for view in views:
        model_check.check_options(view, methods)
    return methods


def _find_rows(
    rule: str, match: Match, classifier: Classifier, samples: Sequence[Sample], leaves: Sequence[Sample]
) -> list[tuple[int | None, int | None]]:
    """Of each sample the leaf of its label and the one whose nodes are explained: rows of the taxonomy, or None.

    rule: as `prepare.choose_class` takes it. leaves: the samples with their classes among the leaves of the taxonomy.
    """
    labels = [
        match.rows[sample.class_index] if match.own == 0 and sample.class_index is not None else leaf.class_index
        for sample, leaf in zip(samples, leaves)
    ]
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
    groups = in_batches(samples, constants.IMAGES_AT_ONCE)
    size = classifier.input_height, classifier.input_width
    for together, pictures in read_ahead(((group, group) for group in groups), *size):
        prepared = prepare.prepare_images(classifier, together, "predicted", pictures)
        found = [prepared[sample.stem] for sample in together]
        predicted += [None if isinstance(image, str) else image.class_index for image in found]
    return predicted


def _relabel(sample: Sample, level: Level, label: str | None, target: str | None) -> Sample:
    """The sample as the run of a level has it: its label on the level, and the class that is to be explained."""
    index = level.class_names.index(target) if target in level.class_names else None
    return replace(sample, label=label, class_index=index)
