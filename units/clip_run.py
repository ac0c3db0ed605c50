"""CLIP-Dissect of one model, from its classifier to its files, for `network_dissection.py`.

<folder>/clip/descriptions.csv     layer, unit, description, similarity, as the authors' program writes it
<folder>/clip/words.csv            word, and the units that it names, by layer
<folder>/clip/similarities.npy     with --clip: images x words, in the order of their names and of the words
<folder>/clip/images.txt           the names of the images, in the order of the rows
<folder>/clip/against_masks.csv    where the folder holds a dissection by masks: the detectors, named by both
<folder>/clip/units/*.png          the best described units: the images of their largest mean activation
<folder>/features/                 of every image, which a dissection by masks in the same folder shares
"""

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import utils
from data.dataset import Sample
from network import clip
from network.classifier import Classifier
from output import files
from output.progress import Progress, printable
from output.tables import align, write_table
from plots import drawing
from units import clip_dissection, dissection_run, dissection_tables
from units.dissection import TOP_IMAGES
from units.dissection_run import DissectionSettings
from units.feature_store import FeatureStore


@dataclass(frozen=True)
class ClipSettings:
    """Where the similarities come from: a .npy file, or a preset folder of a CLIP; of which words; top_k: see there."""

    words: str
    similarities: str | None = None
    clip: str | None = None
    top_k: int | None = None


def name_model_units(
    settings: DissectionSettings,
    asked: ClipSettings,
    folder: Path,
    classifier: Classifier,
    name: str,
    samples: Sequence[Sample],
    all_samples: Sequence[Sample],
) -> dict[str, str]:
    """Names the units of a model by words and writes the files; image -> why it could not be read.

    all_samples: those that the rows of a matrix are of; samples: of them those that are looked at.
    """
    words = clip_dissection.read_words(asked.words)
    rows = [all_samples.index(sample) for sample in samples]
    matrix = None
    if asked.similarities:
        matrix = clip_dissection.read_similarities(asked.similarities, len(all_samples), len(words))[rows]
    _held = dissection_run.open_features(settings, folder, classifier, {"name": name, "words": words})
    store = FeatureStore(folder, [view.layer_name for view in classifier.by_layer])
    progress = Progress({"features": -(-sum(not store.has(sample) for sample in samples) // classifier.batch_size)})
    failed = store.compute(classifier, samples, progress)
    kept = [number for number, sample in enumerate(samples) if sample.name not in failed]
    if len(kept) < 2:
        raise ValueError(
            f"two images or more that can be read are wanted; {next(iter(failed.values()), 'there is one')}"
        )
    read = [samples[number] for number in kept]
    top_k = clip_dissection.choose_top_k(len(kept), asked.top_k)
    own = folder / "clip"
    shutil.rmtree(own / "units", ignore_errors=True)
    if matrix is None:
        print("embedding images and words", flush=True)
        model = clip.Clip(asked.clip)
        matrix = clip.compute_similarities(
            model, len(read), lambda number: read[number].read(), words, classifier.batch_size
        )
        files.write_whole(own / "similarities.npy", lambda path: files.save_array(path, matrix))
        names = "".join(f"{sample.name}\n" for sample in read).encode("utf-8", "surrogateescape")
        files.write_whole(own / "images.txt", lambda path: path.write_bytes(names))
    else:
        matrix = matrix[kept]
    print(f"{len(words)} words, the {top_k} images of largest mean activation of {len(read)}", flush=True)
    described = []
    for layer in store.layer_names:
        activations = np.concatenate(list(store.blocks(layer, read, pooled=True)))
        found = clip_dissection.name_units(layer, matrix, activations, words, top_k)
        _write_figures(own, found, read, activations, settings.n_figures)
        described += found
    texts = [{**row, "similarity": f"{row['similarity']:.6f}"} for row in described]
    print(write_table(own / "descriptions.csv", texts, clip_dissection.WORD_COLUMNS))
    by_word = _count_words(described, store.layer_names)
    write_table(own / "words.csv", by_word)
    print(f"\n{dissection_tables.format_rows(by_word)}\n")
    _compare(folder, own, described, settings.min_iou)
    for reason in failed.values():
        print(printable(reason))
    return failed


def _count_words(rows: Sequence[dict], layers: Sequence[str]) -> list[dict]:
    """A row per word that names a unit: how many of each layer, those of most units first."""
    counts = Counter(row["description"] for row in rows)
    by_layer = {layer: Counter(row["description"] for row in rows if row["layer"] == layer) for layer in layers}
    return [{"word": word, **{layer: by_layer[layer][word] for layer in layers}} for word, _ in counts.most_common()]


def _compare(folder: Path, own: Path, described: Sequence[dict], min_iou: float) -> None:
    """Says how many detectors of a dissection by masks in the same folder bear the same name by words."""
    if not (folder / "descriptions.csv").is_file():
        (own / "against_masks.csv").unlink(missing_ok=True)
        return
    found = clip_dissection.compare_with_masks(described, dissection_tables.read_descriptions(folder), min_iou)
    lines = [["layer", "detectors by masks", "the same name by words"]]
    for layer in dict.fromkeys(each.by_words["layer"] for each in found):
        of_layer = [each for each in found if each.by_words["layer"] == layer]
        lines.append([layer, str(len(of_layer)), str(sum(each.agrees for each in of_layer))])
    if len(lines) > 1:
        print(f"{align(lines)}\n\n{clip_dissection.write_against(own, found)}")


def _write_figures(
    own: Path, rows: Sequence[dict], samples: Sequence[Sample], activations: np.ndarray, n_figures: int | None
) -> None:
    """The units of a layer that are described best, each with the images of its largest mean activation."""
    best = sorted((row for row in rows if row["description"]), key=lambda row: -row["similarity"])[:n_figures]
    for rank, row in enumerate(best, start=1):
        means = activations[:, row["unit"]]
        top = np.argsort(-means, kind="stable")[:TOP_IMAGES]
        pictures = [drawing.shrink(samples[number].read()) for number in top]
        titles = [f"{samples[number].name}\n{means[number]:#.3g}" for number in top]
        heading = f"{row['layer']}, unit {row['unit']}: {row['description']}, soft-WPMI {row['similarity']:.2f}"
        figure = utils.grid_layout(pictures, titles, heading)
        name = f"{row['layer'].replace('/', '.')}_{rank:02d}_{row['unit']}.png"
        files.write_whole(own / "units" / name, files.figure_saver(figure))
