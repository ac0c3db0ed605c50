"""One model's dissection, from its classifier to its files, and two of them compared, for `network_dissection.py`."""

import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import constants
from data.dataset import Sample
from network.classifier import Classifier
from network.worker_pool import ClusterSettings, WorkerPool, connect, make_recipe
from output.files import figure_saver, write_whole
from output.folder import open_folder
from output.progress import printable
from output.tables import align, write_table
from plots import drawing
from units import dissection_figures, dissection_tables
from units.concepts import Concepts, chance_iou
from units.dissection import Dissection, dissect
from units.dissection_workers import DissectionJob, DissectionWorker
from units.feature_store import FeatureStore
from units.unit_tally import mark

FILES = (
    "descriptions.csv",
    "layers.csv",
    "detectors.csv",
    "histogram.png",
    "units/*.png",
    "comparison.*",
    "features/*/*.npy",
    "clip/*.csv",
    "clip/similarities.npy",
    "clip/images.txt",
    "clip/units/*.png",
)


@dataclass(frozen=True)
class Described:
    """What is known of a dissected model: its name, rows of descriptions.csv, run.json, and what could not be read."""

    name: str
    rows: list[dict]
    about: dict
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DissectionSettings:
    """What a dissection asks, and what it writes.

    activation_share: of all positions, at which a unit is active. min_iou: above which it detects its concept.
    n_figures: units with a figure, None: all. images: their folder, None: the embedded data; limit: of their number.
    flags: as given, for run.json. overwrite: whether an earlier run in the folder is removed. cluster: the processes
    that dissect, None: this one; loading: options of `load_classifier` that give them the network.
    """

    activation_share: float
    min_iou: float
    n_figures: int | None
    images: str | None
    limit: int | None
    flags: dict
    overwrite: bool = False
    cluster: ClusterSettings | None = None
    loading: dict | None = None


def choose_levels(
    concepts: Concepts, activation_share: float | None = None, min_iou: float | None = None
) -> tuple[float, float]:
    """The share of activations and the IoU of a detector as asked for; None: what suits these concepts."""
    if activation_share is None:
        activation_share = 1 / len(concepts.names) if concepts.of_images else constants.DISSECTION_SHARE
    if min_iou is None:
        by_chance = chance_iou(concepts, activation_share) if concepts.of_images else 0.0
        min_iou = max(constants.DISSECTION_MIN_IOU, by_chance)
    return activation_share, min_iou


def _warn(text: str) -> None:
    print(printable(text), file=sys.stderr)


def open_pool(settings: DissectionSettings, classifier: Classifier, store: FeatureStore, concepts: Concepts):
    """The processes that dissect a model, to be left; None of them: this one does."""
    if settings.cluster is None:
        return contextlib.nullcontext()
    connect(settings.cluster)
    job = DissectionJob(store.folder.parent.resolve(), tuple(store.layer_names), concepts)
    return WorkerPool(settings.cluster, make_recipe(classifier, settings.loading), DissectionWorker, job, _warn)


def dissect_model(
    settings: DissectionSettings,
    folder: Path,
    classifier: Classifier,
    name: str,
    samples: Sequence[Sample],
    concepts: Concepts,
) -> Described:
    """What was found in a model, once it stands in a folder, which may hold features of an earlier run of it.

    Raises ValueError if the folder holds the features of another model, or of other images.
    """
    levels = {key: getattr(settings, key) for key in ("activation_share", "min_iou", "limit")}
    about = {"name": name, "levels": levels, "concepts": concepts.names}
    _held, about = open_features(settings, folder, classifier, about)  # as long as this runs
    for stale in [*folder.glob("units/*.png"), *folder.glob("comparison.*")]:
        stale.unlink()
    store = FeatureStore(folder, [view.layer_name for view in classifier.by_layer])
    with open_pool(settings, classifier, store, concepts) as pool:
        dissected = dissect(classifier, samples, concepts, store, share=settings.activation_share, pool=pool)
    rows = dissection_tables.describe_units(dissected, concepts.names)
    _write_tables(folder, rows, settings.min_iou)
    tally = next(iter(dissected.tallies.values()))
    for note in dissection_tables.find_ceilings(tally, concepts.names, settings.activation_share, settings.min_iou):
        print(f"too large for a detector at --activation_share={settings.activation_share:.3g}: {printable(note)}")
    for reason in dissected.failed.values():
        print(printable(reason))
    _write_figures(folder, settings, name, rows, dissected, concepts, store)
    return Described(name, rows, about, dissected.failed)


def open_features(settings: DissectionSettings, folder: Path, classifier: Classifier, about: dict) -> tuple:
    """The folder of a model's features, opened and locked, and what its run.json tells: `about` and what all tell.

    Raises ValueError if it holds the features of another model, or of other images.
    """
    model = classifier.describe()
    of_features = {  # all that changes them; whatever else is asked, they stay as they are
        "images": settings.images,
        "weights": classifier.fingerprint,
        **{key: model[key] for key in ("preprocessing", "input_size", "precision")},
    }
    about = {**about, "flags": settings.flags, "model": model}
    return open_folder(folder, of_features, about, FILES, settings.overwrite), {**about, "settings": of_features}


def _read_about(folder: Path) -> dict:
    try:
        about = json.loads((folder / "run.json").read_text(encoding="utf-8", errors="surrogateescape"))
        return dict(about)
    except (OSError, ValueError, TypeError, RecursionError):
        raise ValueError(f"'{folder}' holds no run.json of a dissection") from None


def read_other(folder: str | Path) -> Described:
    """A finished run of another model; ValueError for a folder that holds none."""
    rows, about = dissection_tables.read_descriptions(folder), _read_about(Path(folder))
    return Described(about.get("name", Path(folder).name), rows, about)


# --- files ---------------------------------------------------------------------------------------------------
def _write_tables(folder: Path, rows: list[dict], min_iou: float) -> None:
    dissection_tables.write_descriptions(folder, rows)
    layers = dissection_tables.tabulate_layers(rows, min_iou)
    write_table(folder / "layers.csv", layers, list(layers[0]))
    by_concept = dissection_tables.tabulate_concepts(rows, min_iou)
    columns = ["concept", *(row["layer"] for row in layers)]
    write_table(folder / "detectors.csv", by_concept, columns)
    print(f"\n{dissection_tables.format_rows(layers)}\n")
    if by_concept:
        print(f"{dissection_tables.format_rows(by_concept)}\n")


def _write_figures(
    folder: Path,
    settings: DissectionSettings,
    name: str,
    rows: list[dict],
    dissected: Dissection,
    concepts: Concepts,
    store: FeatureStore,
) -> None:
    counts = dissection_tables.count_detectors(rows, settings.min_iou)
    title = f"detectors of {name}: IoU over {settings.min_iou:.3g}, {len(dissected.samples)} images"
    figure = dissection_figures.figure_histogram(counts, title)
    print(printable(str(write_whole(folder / "histogram.png", figure_saver(figure)))))
    best = dissection_tables.find_detectors(rows, settings.min_iou)[: settings.n_figures]
    for rank, row in enumerate(best, start=1):
        layer = row["layer"].replace("/", ".")
        path = folder / "units" / f"{rank:02d}_{layer}_{row['unit']}.png"
        write_whole(path, figure_saver(draw_unit(row, dissected, concepts, store)))
    if best:
        print(printable(f"{len(best)} units in {folder / 'units'}"), flush=True)


def draw_unit(row: dict, dissected: Dissection, concepts: Concepts, store: FeatureStore):
    """The figure of a unit: the images it is most active in, as `dissection_figures.figure_unit` shows them."""
    layer, unit, concept = row["layer"], row["unit"], concepts.names.index(row["concept"])
    tally, pictures, titles = dissected.tallies[layer], [], []
    for number in tally.top_images[unit]:
        if number < 0:  # fewer images than places
            continue
        sample = dissected.samples[number]
        image = drawing.shrink(sample.read())
        maps = store.read(layer, sample)[None, ..., unit]
        marked = mark(maps, tally.thresholds[[unit]], *image.shape[:2], tally.layout)[0]
        masks, _ = concepts.read(sample, *image.shape[:2])
        pictures.append(dissection_figures.represent_unit(image, marked, masks.get(concept)))
        titles.append(sample.name if sample.label is None else f"{sample.name}\n{sample.label}")
    return dissection_figures.figure_unit(row, pictures, titles, not concepts.of_images)


def write_comparison(folder: Path, first: Described, other: Described, min_iou: float) -> str:
    """Two models side by side in words, once comparison.csv and comparison.png are written."""
    rows = dissection_tables.compare(first.rows, other.rows, min_iou)
    names = (first.name, other.name if other.name != first.name else f"{other.name} (2)")
    write_table(folder / "comparison.csv", rows, ["concept", "first", "second", "found_in"])
    title = f"concepts with a detector, IoU over {min_iou:.3g}"
    figure = dissection_figures.figure_comparison(rows, names, title)
    path = write_whole(folder / "comparison.png", figure_saver(figure))
    lines = [["model", "units", "detectors", "concepts", "mean IoU"]]
    for name, each in zip(names, (first, other)):
        detectors = dissection_tables.find_detectors(each.rows, min_iou)
        found = {row["concept"] for row in detectors}
        mean = np.mean([row["iou"] for row in each.rows])
        lines.append([name, str(len(each.rows)), str(len(detectors)), str(len(found)), f"{mean:.4f}"])
    notes = [
        f"the second run had another {what}: the two are not quite comparable" for what in _differences(first, other)
    ]
    runs = dict(zip(names, (first.rows, other.rows)))
    units = write_table(folder / "units_by_model.csv", dissection_tables.tabulate_models(runs))
    by_layer = dissection_tables.format_rows(dissection_tables.tabulate_models_by_layer(runs, min_iou))
    return "\n".join([align(lines), "", by_layer, *notes, str(path), str(units)])


def _differences(first: Described, other: Described) -> list[str]:
    """What two runs should have in common and have not."""
    asked = {
        "set of concepts": [each.about.get("concepts") for each in (first, other)],
        "folder of images": [each.about.get("settings", {}).get("images") for each in (first, other)],
        **{key: [_read_level(each, key) for each in (first, other)] for key in ("activation_share", "limit")},
    }
    return [what for what, (one, two) in asked.items() if one != two]


def _read_level(run: Described, key: str) -> float | None:
    """The level of a run; older runs kept it among the flags."""
    return run.about.get("levels", run.about.get("flags", {})).get(key)
