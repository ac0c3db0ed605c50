"""One run over images, from settings to records: what main, compare, sanity and hierarchy do alike.

load_dataset(settings)     -> the samples, and where their gaze comes from
load_classifier(settings)  -> the classifier, and where it came from
label_images(...)          -> the samples with their classes among the classifier's
open_run(...)              -> these with the folder of results; says what was chosen
examine(run, settings)     -> every sample explained by every method, and scored; the tables written
"""

import os
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

import constants
from data import dataset
from data.ahead import read_ahead
from data.class_names import BY_INDEX, describe_labels
from data.dataset import Sample
from data.sample_table import SampleTable, open_samples
from explainers.registry import GAZE_ROWS, Method
from network import batches, model_files
from network.classifier import Classifier
from network.device import describe_device
from output.progress import print_table, printable
from pipeline import lab_table
from pipeline.cluster import run_by_workers
from pipeline.explain import AfterMap, Runner
from pipeline.gaze_truth import GazeTruth
from pipeline.large_results import open_results
from pipeline.model_check import check_options, find_misfits
from pipeline.records import Record
from pipeline.results import Results
from pipeline.samples import ImageSet, choose_samples, describe_files, find_paths
from pipeline.score import Scorer
from pipeline.settings import DataSettings, ModelSettings, RunSettings
from pipeline.summary import list_tables
from scenes import demo_data

PATHS_SHOWN = 12  # figures named on the screen at the end of a run


@dataclass(frozen=True)
class Run:
    """What a run explains, how, and where to; description: of the model, in words, for the screen and run.json.

    methods: each with its options. class_rule: as `prepare.choose_class` takes it. model: that the classifier was
    loaded by, which a run by many processes needs.
    """

    classifier: Classifier
    images: ImageSet
    methods: dict[Method, dict]
    results: Results
    description: dict
    class_rule: str
    model: ModelSettings | None = None

    @property
    def samples(self) -> Sequence[Sample]:
        """The samples it explains."""
        return self.images.samples

    @property
    def names(self) -> list[str]:
        """The methods' names."""
        return [method.name for method in self.methods]

    def record(self, name: str, sample: Sample) -> Record:
        """What is known of a sample under a method, once it is explained."""
        return self.results.records[name, sample.name]

    def read_map(self, name: str, sample: Sample) -> np.ndarray | None:
        """A method's map (H, W) of a sample at the model's input size; None if it failed."""
        record = self.record(name, sample)
        return None if record.failed else self.results.read_map(record)


def load_dataset(settings: DataSettings) -> ImageSet:
    """The samples of these settings, before a model is there."""
    images, density_maps, fixations = find_paths(settings)
    found = open_samples(
        images,
        density_maps,
        fixations=fixations,
        fixations_unit=settings.fixations_unit,
        reading=settings.reading,
        limit=settings.limit,
        frame_step=settings.frame_step,
    )
    if settings.is_embedded:  # whatever else was drawn before lies there too
        drawn = demo_data.demo_names("val")[: max(settings.limit or 0, constants.DEMO_LIMIT)]
        found = [sample for sample in found if sample.name in drawn]
    else:
        for text in describe_files(found, images, density_maps, choose_samples(settings, found)):
            print(printable(text), flush=True)
    note = "simulated gaze" if demo_data.is_demo(images) else ""
    return ImageSet(choose_samples(settings, found), found, note)


def load_classifier(settings: ModelSettings) -> tuple[Classifier, str]:
    """The classifier of these settings, and in words where it came from."""
    is_auto = settings.batch_size == constants.AUTO
    usual = replace(settings, batch_size=constants.BATCH_SIZE) if is_auto else settings
    classifier, source = model_files.load_classifier(**vars(usual))
    if is_auto:
        found = batches.choose_batch_size(classifier)
        spent = ", ".join(f"{n}: {milliseconds:.3g}" for n, milliseconds in found.items())
        print_table({"batch": f"{classifier.batch_size} images (auto; ms an image in a pass of {spent})"})
    return classifier, source


def label_images(images: ImageSet, names) -> ImageSet:
    """The images with their classes among the `class_names` and `class_ids` of a classifier or a taxonomy."""
    own = names.class_names, names.class_ids
    samples, all_samples = (
        part.labelled(*own) if isinstance(part, SampleTable) else dataset.label_samples(part, *own)
        for part in (images.samples, images.all_samples)
    )
    return replace(images, samples=samples, all_samples=all_samples)


def open_run(settings: RunSettings, classifier: Classifier, source: str, images: ImageSet, **further) -> Run:
    """The run of these settings, its folder opened; says what was chosen. ValueError for what cannot be run.

    further: settings beside those of `list_settings` that change a map or a number.
    """
    class_rule = settings.class_rule
    if class_rule not in ("auto", "label", "predicted"):
        class_rule = f"{BY_INDEX}{classifier.class_index_of(class_rule)}"
    methods = leave_out_misfits(settings, find_misfits(classifier, settings.methods))
    check_options(classifier, methods)
    description = {**describe_model(classifier, source), "class_rule": settings.class_rule}
    print_choices(description, images.samples, classifier.class_names)
    print_doubts(classifier, images.samples)
    about = {"gaze": images.gaze_note or "as given", "flags": settings.flags, "model": description}
    kept = {**list_settings(settings, classifier, methods), **further}
    results = open_results(settings.output_folder, kept, about, settings.overwrite, is_large(settings, images.samples))
    # Of 'auto', what was chosen: workers choose alike.
    model = replace(settings.model, engine=classifier.engine.name, batch_size=classifier.batch_size)
    return Run(classifier, images, methods, results, description, class_rule, model)


def leave_out_misfits(settings: RunSettings, misfits: dict[Method, str]) -> dict[Method, dict]:
    """The methods without those that cannot explain the model; ValueError for one unless ALL were asked for, and for
    a layer that none of the rest looks at."""
    for method, reason in misfits.items():
        if not settings.leaves_out:
            raise ValueError(f"{method.name}: {reason}")
        print(f"{method.name} is left out: {printable(reason)}", file=sys.stderr)
    methods = {method: options for method, options in settings.methods.items() if method not in misfits}
    if settings.model.layer_name and not any(method.load().uses_layer for method in methods):
        names = ", ".join(method.name for method in methods)
        raise ValueError(f"--layer_name: no method that is chosen looks at a layer ({names}): leave it out")
    return methods


def describe_model(classifier: Classifier, source: str) -> dict:
    """In words, where a classifier came from, how it is understood, and what it runs on."""
    engine = {"engine": classifier.engine.describe()} if classifier.engine.note else {}
    return {"source": source, **classifier.describe(), **engine, "device": describe_device(classifier.precision)}


def list_settings(settings: RunSettings, classifier: Classifier, methods: dict[Method, dict]) -> dict:
    """What changes a map or a number, as plain values; runs that differ in it are never mixed."""
    return {
        "class_index": settings.class_rule,
        "faithfulness_protocol": settings.faithfulness_protocol,
        "seed": settings.seed,
        "sigma_px": settings.data.sigma_px,
        **settings.data.paths,
        **({} if settings.data.exif == "turn" else {"exif": settings.data.exif}),
        **({} if settings.data.fixations_unit is None else {"fixations_unit": settings.data.fixations_unit}),
        "class_names": tell_apart(classifier.class_names),
        "model": classifier.describe(),
        "weights": classifier.fingerprint,
        "methods": {method.name: options for method, options in methods.items()},
    }


def tell_apart(names: Sequence[str]) -> str:
    """A short text that differs for other names or another order: '1000 from tench to toilet tissue (8a0c32f1)'."""
    return f"{len(names)} from {names[0]} to {names[-1]} ({zlib.crc32(repr(names).encode()):08x})"


def is_large(settings: RunSettings, samples: Sequence[Sample]) -> bool:
    """Whether records are kept as columns and maps in groups: as asked for, else of more than
    `constants.LARGE_RUN` images."""
    return len(samples) > constants.LARGE_RUN if settings.storage is None else settings.storage == "columns"


def print_choices(description: dict, samples: Sequence[Sample], class_names: Sequence[str] | None = None) -> None:
    """Says what was chosen: model, layer, score, preprocessing, how many images; with class_names, the model's, also
    which labels are none of them."""
    labels, indices = [sample.label for sample in samples], [sample.class_index for sample in samples]
    labelled, others = describe_labels(labels, labels if class_names is None else indices, class_names or ())
    with_map = sum(sample.density_map_path is not None for sample in samples)
    with_points = sum(sample.fixations is not None for sample in samples)
    images = f"{len(samples)}, {labelled}, {with_map} with a density map, {with_points} with fixations"
    print_table({**description, "images": images, **({} if others is None else {"labels": others})})


def print_doubts(classifier: Classifier, samples: Sequence[Sample]) -> None:
    """Warns of what the first images say against how the model is read; those that cannot be read say nothing."""
    first, size = samples[: constants.IMAGES_AT_ONCE], (classifier.input_height, classifier.input_width)
    found = [picture for _, pictures in read_ahead([(None, first)], *size) for picture in pictures.values()]
    images = [picture.pixels for picture in found if not isinstance(picture, str)]
    for doubt in classifier.doubts(np.stack(images)) if images else ():
        print(f"warning: {printable(doubt)}", file=sys.stderr)


def examine(run: Run, settings: RunSettings, after_map: AfterMap | None = None) -> list[Record]:
    """The records that need attention once every sample is explained and scored: no map, or no use for its gaze.

    after_map: as `Runner` takes it; of a run by many processes it is not called.
    """
    looked_at = [s for s in run.images.all_samples if s.density_map_path is not None or s.fixations is not None]
    gaze = GazeTruth(looked_at, sigma_px=settings.data.sigma_px, seed=settings.seed)
    run.results.accept_gaze(gaze.fingerprint)
    for method in run.methods:
        if method.name in GAZE_ROWS and not any(gaze.covers(method.name, sample) for sample in run.samples):
            print(f"{method.name} is left out: {printable(gaze.wants(method.name))}", file=sys.stderr)
    scorer = Scorer(
        run.classifier,
        gaze,
        faithfulness=settings.faithfulness,
        protocol=settings.faithfulness_protocol,
        seed=settings.seed,
    )
    asked = {"class_rule": run.class_rule, "seed": settings.seed, "after_map": after_map}
    runner = Runner(run.classifier, run.results, scorer, **asked)
    if settings.cluster is None:
        runner.run(run.samples, run.methods)
    else:
        run_by_workers(runner, run.samples, run.methods, settings.cluster, vars(run.model))
    run.results.rewrite_records()
    tables = list_tables(run.results.columns())
    for name, rows in tables.items():
        run.results.write_table(f"{name}.csv", rows)
    lab_table.write(run.results.folder, tables["summary"])
    return run.results.list_troubled()


def print_failures(failed: Sequence[Record]) -> None:
    """Says why records have no map, or no use for their gaze."""
    for record in failed:
        reason = record.undefined.get("density_map") or record.undefined.get("fixations") or record.status
        print(printable(f"{record.method} {record.image}: {reason}"))


def print_paths(paths: Sequence, show: bool) -> None:
    """Says where the figures are, and opens them if asked to."""
    for path in paths[:PATHS_SHOWN]:
        print(printable(str(path)))
    if len(paths) > PATHS_SHOWN:
        folder = os.path.commonpath([path.parent for path in paths])
        print(f"... {len(paths)} figures in {printable(folder)}")
    if show:
        from PIL import Image

        for path in paths:
            Image.open(path, formats=["PNG"]).show()
