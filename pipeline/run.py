"""One run as far as its records: what `main.py` and `compare.py` do alike, from flags to maps.

open_run(args, chosen)   -> the classifier, the samples and the folder of results; says what was chosen
examine(run)             -> every sample explained by every method, the summary written
"""

import argparse
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import constants
import demo
from data import dataset
from data.dataset import Sample
from explainers.registry import GAZE_ROWS, Method, means_all
from network import model_files
from network.classifier import Classifier
from pipeline import explain as explaining
from pipeline.flags import read_reading
from pipeline.gaze_truth import GazeTruth
from pipeline.records import Record
from pipeline.results import Results, versions
from pipeline.score import Judge
from pipeline.summary import divisions, list_differences, summarise


@dataclass(frozen=True)
class Run:
    """What a run explains, how, and where to; description: of the model, in words, for the screen and run.json.

    class_rule: as `explaining.choose_class` takes it. density_note: where the gaze comes from. data_set: all samples
    there are, whose gaze is what an image's is compared with; none: the samples.
    """

    classifier: Classifier
    samples: Sequence[Sample]
    chosen: dict[Method, dict]
    results: Results
    description: dict
    class_rule: str
    density_note: str
    data_set: Sequence[Sample] = ()

    @property
    def names(self) -> list[str]:
        """The methods' names."""
        return [method.name for method in self.chosen]

    def record(self, name: str, sample: Sample) -> Record:
        """What is known of a sample under a method, once it is examined."""
        return self.results.records[name, sample.name]

    def read_map(self, name: str, sample: Sample) -> np.ndarray | None:
        """A method's map (H, W) of a sample at the model's input size; None if it failed."""
        record = self.record(name, sample)
        return None if record.failed else self.results.read_map(record)


def open_run(args: argparse.Namespace, chosen: dict[Method, dict]) -> Run:
    """The run of these flags and methods (-> their options); ValueError for what cannot be run.

    With `--explanation_method=ALL`, a method that cannot explain the model is left out and named.
    """
    classifier, source = open_classifier(args)
    class_rule = args.class_index
    if class_rule not in ("auto", "label", "predicted"):
        class_rule = str(classifier.class_index_of(class_rule))
    misfits = explaining.find_misfits(classifier, chosen)
    for method, reason in misfits.items():
        if not means_all(args.explanation_method):
            raise ValueError(f"{method.name}: {reason}")
        print(f"{method.name} is left out: {reason}", file=sys.stderr)
    chosen = {method: options for method, options in chosen.items() if method not in misfits}
    explaining.check_options(classifier, chosen)
    data_set, density_note = list_samples(args, classifier)
    samples = choose_samples(args, data_set)
    description = {"source": source, **classifier.describe(), "class_rule": args.class_index}
    print_choices(description, samples)
    about = {"gaze": density_note or "as given", "flags": vars(args), "model": description, "versions": versions()}
    results = Results(args.output_folder_path, list_settings(args, classifier, chosen), about, args.overwrite)
    return Run(classifier, samples, chosen, results, description, class_rule, density_note, data_set)


def open_classifier(args: argparse.Namespace) -> tuple[Classifier, str]:
    """The classifier that the flags of `flags.add_model_flags` name, and in words where it came from."""
    embedded = args.test_images_folder_path is None and args.model_path is None
    model_name = args.model_name or (None if embedded or args.model_path else "ResNet")
    return model_files.load_classifier(
        model_name,
        model_path=args.model_path,
        class_names=args.class_names,
        trust_model=args.trust_model,
        layer_name=args.layer_name,
        precision=args.precision,
        batch_size=args.batch_size,
    )


def examine(run: Run, args: argparse.Namespace, faithfulness: Sequence[str]) -> list[Record]:
    """The records that have no map, or no use for their gaze, once every sample is explained and judged.

    faithfulness: keys of `metrics.FAITHFULNESS`.
    """
    gaze = GazeTruth(run.data_set or run.samples, sigma_px=args.sigma_px, seed=args.seed)
    run.results.accept_gaze(gaze.fingerprint)
    for method in run.chosen:
        if method.name in GAZE_ROWS and not any(gaze.covers(method.name, sample) for sample in run.samples):
            print(f"{method.name} is left out: {gaze.wants(method.name)}", file=sys.stderr)
    judge = Judge(run.classifier, gaze, faithfulness=faithfulness, protocol=args.fidelity_protocol, seed=args.seed)
    examiner = explaining.Examiner(run.classifier, run.results, judge, class_rule=run.class_rule, seed=args.seed)
    examiner.examine(run.samples, run.chosen)
    run.results.rewrite_records()
    write_tables(run.results)
    return list(explaining.failures(run.results.records.values()))


def write_tables(results: Results) -> None:
    """Writes the means per method, per class and per group of images, and the tests of their differences."""
    records = list(results.records.values())
    results.write_table("summary.csv", summarise(records))
    for name, key in divisions(records).items():
        results.write_table(f"summary_by_{name}.csv", summarise(records, key))
    results.write_table("differences.csv", list_differences(records))


def print_failures(failed: Sequence[Record]) -> None:
    """Says why records have no map, or no use for their density map."""
    for record in failed:
        reason = record.undefined.get("density_map") or record.undefined.get("fixations") or record.status
        print(f"{record.method} {record.image}: {reason}")


def list_settings(args: argparse.Namespace, classifier: Classifier, chosen: dict[Method, dict]) -> dict:
    """What changes a map or a number, as plain values; runs that differ in it are never mixed."""
    return {
        **{key: getattr(args, key) for key in ("class_index", "fidelity_protocol", "seed", "sigma_px")},
        **{key: find_folder(args, key) for key in demo.FOLDERS},
        **({"exif": args.exif} if args.exif != "turn" else {}),
        **({"fixations_unit": args.fixations_unit} if args.fixations_unit is not None else {}),
        "class_names": tell_apart(classifier.class_names),
        "model": classifier.describe(),
        "weights": classifier.fingerprint,
        **({"n_stages": args.n_stages} if hasattr(args, "n_stages") else {}),
        "methods": {method.name: options for method, options in chosen.items()},
    }


def load_samples(args: argparse.Namespace, classifier: Classifier) -> tuple[list[Sample], str]:
    """The samples to explain, and a note on where their gaze comes from."""
    samples, note = list_samples(args, classifier)
    return choose_samples(args, samples), note


def list_samples(args: argparse.Namespace, classifier: Classifier) -> tuple[list[Sample], str]:
    """All samples there are, whatever the limit, and a note on where their gaze comes from; of the embedded data at
    least those that a run without flags explains."""
    folders, wanted = {flag: getattr(args, flag) for flag in demo.FOLDERS}, None
    if args.test_images_folder_path is None:
        embedded, wanted = demo.open_demo(args.limit)
        folders = {flag: folders[flag] or embedded[flag] for flag in folders}
    images, density_maps, fixations = folders.values()
    samples = dataset.load_dataset(
        images,
        density_maps,
        fixations=fixations,
        fixations_unit=args.fixations_unit,
        class_names=classifier.class_names,
        class_ids=classifier.class_ids,
        reading=read_reading(args),
    )
    if args.test_images_folder_path is not None:
        for note in dataset.describe_left_out(images, samples, density_maps):
            print(f"{'left out':>14}: {note}")
        for note in dataset.describe_reading(choose_samples(args, samples)):
            print(f"{'read':>14}: {note}")
    samples = [sample for sample in samples if wanted is None or sample.name in wanted]
    return samples, "simulated gaze" if demo.is_demo(images) else ""


def choose_samples(args: argparse.Namespace, samples: Sequence[Sample]) -> list[Sample]:
    """Those of all samples that the limit lets through."""
    if args.test_images_folder_path is None:
        wanted = demo.demo_names("val")[: args.limit or constants.DEMO_LIMIT]
        return [sample for sample in samples if sample.name in wanted]
    return dataset.take_in_turn(samples, args.limit)


def find_folder(args: argparse.Namespace, flag: str) -> str | None:
    """The whole path of the folder of that flag: two working directories may have one of the same name."""
    folder = getattr(args, flag)
    return None if folder is None else str(Path(folder).resolve())


def tell_apart(names: Sequence[str]) -> str:
    """A short text that differs for other names or another order: '1000 from tench to toilet tissue (8a0c32f1)'."""
    return f"{len(names)} from {names[0]} to {names[-1]} ({zlib.crc32(repr(names).encode()):08x})"


def print_choices(description: dict, samples: Sequence[Sample]) -> None:
    """Says what was chosen: model, layer, score, preprocessing, and how many images."""
    for name, value in description.items():
        print(f"{name.replace('_', ' '):>14}: {value}")
    labelled = sum(sample.label is not None for sample in samples)
    with_map = sum(sample.density_map_path is not None for sample in samples)
    with_points = sum(sample.fixations is not None for sample in samples)
    print(
        f"{'images':>14}: {len(samples)}, {labelled} with a label, {with_map} with a density map, "
        f"{with_points} with fixations",
        flush=True,
    )
