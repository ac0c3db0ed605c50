"""What the page asks of the pipeline about one photograph, and the answers, kept in memory.

    prepare   the photograph at the model's input size, with what all its records have in common
    explain   its maps for one class, made and scored while a `Watch` looks on
    Answers   what was found: to the pipeline and to the figures it is what `Results`, the folder of a run, is

No other module of the page knows how the pipeline goes about it.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from data.dataset import Sample
from explainers.registry import Method
from network.classifier import Classifier
from pipeline.explain import Runner
from pipeline.gaze_truth import GazeTruth
from pipeline.prepare import PreparedImage, prepare_images
from pipeline.records import Record
from pipeline.score import Scorer
from webpage.work import Watch, WatchedPredictions


class Answers:
    """Records, maps, curves and further pictures about one photograph and one class, by method.

    folder: of the figures, once they are asked for. What is asked again with the same options is there already.
    figures_path: None, for figures are drawn anew whenever they are asked for.
    """

    keeps_small_maps = False
    figures_path = None

    def __init__(self, folder: Path):
        self.folder = folder
        self.records: dict[tuple[str, str], Record] = {}
        self.maps: dict[str, np.ndarray] = {}
        self.curves: dict[str, np.ndarray] = {}
        self.pictures: dict[str, dict[str, np.ndarray]] = {}
        self.options: dict[str, dict] = {}

    def find(self, method: str, sample: Sample) -> Record | None:
        """The record of the photograph under that method; None before its map is there."""
        return self.records.get((method, sample.name))

    def add(self, record: Record, saliency_map=None, curves=None, pictures=None, small=None) -> None:
        """Keeps what was found; a record that failed has no map. What is None was there before, or is not known."""
        for kept, found in ((self.maps, saliency_map), (self.curves, curves), (self.pictures, pictures)):
            if found is not None:
                kept[record.method] = found
        self.records[record.method, record.image] = record  # last: who finds the record finds all of it

    def sync(self) -> None:
        """Nothing: answers lie in memory."""

    def read_map(self, record: Record) -> np.ndarray:
        """The raw map (H, W) of a record."""
        return self.maps[record.method]

    def read_curves(self, record: Record) -> tuple[np.ndarray, ...] | None:
        """(fractions, insertion scores, deletion scores) of a record; None where they were not measured."""
        curves = self.curves.get(record.method)
        return None if curves is None else tuple(curves.T)

    def use_options(self, method: str, options: dict) -> None:
        """Forgets what the method answered with other options, and its failure."""
        keys = [key for key in self.records if key[0] == method]
        if self.options.get(method) != options or any(self.records[key].failed for key in keys):
            for key in keys:
                del self.records[key]
            for kept in (self.maps, self.curves, self.pictures):
                kept.pop(method, None)
        self.options[method] = options

    def forget_gaze(self) -> None:
        """Forgets what was measured against another density map."""
        for record in self.records.values():
            record.forget_gaze()

    def lacks(self, method: str, sample: Sample, faithfulness: tuple[str, ...], classifier: Classifier) -> bool:
        """Whether the method's map is still to be made, or to be scored by the sample's gaze or by these metrics."""
        record = self.find(method, sample)
        return record is None or bool(
            not record.failed and record.lacks(_scorer(classifier, sample, faithfulness).wanted(sample))
        )


def prepare(sample: Sample, classifier: Classifier) -> PreparedImage:
    """The sample with its image, its pixels at the input size, and its record; ValueError if it has no prediction."""
    image = prepare_images(classifier, [sample], "predicted")[sample.stem]
    if isinstance(image, str):
        raise ValueError(image)
    return image


def explain(
    image: PreparedImage,
    class_index: int,
    methods: dict[Method, dict],
    answers: Answers,
    classifier: Classifier,
    *,
    faithfulness: tuple[str, ...],
    seed: int,
    watch: Watch,
) -> None:
    """Adds to the answers what they lack: the maps of one class by these methods (-> their options), and their scores.

    faithfulness: keys of `metrics.catalogue.FAITHFULNESS`. Raises `Stopped` at the watch's next report once it is
    stopped; what was finished before is kept.
    """
    name = classifier.class_names[class_index]
    image = replace(
        image, class_index=class_index, record=replace(image.record, class_index=class_index, class_name=name)
    )
    n_images = 2 * (classifier.input_height + 1)  # of two curves: a row's worth of pixels a step
    scorer = _scorer(WatchedPredictions(classifier, watch, n_images), image.sample, faithfulness)
    runner = Runner(classifier, answers, scorer, seed=seed, open_progress=lambda counts: watch)
    for method, options in methods.items():
        if not runner.is_done(method, image.sample):
            runner.run_method(method, options, [image.sample], {image.sample.stem: image})


def _scorer(classifier: Classifier | WatchedPredictions, sample: Sample, faithfulness: tuple[str, ...] = ()) -> Scorer:
    return Scorer(classifier, GazeTruth([sample]), faithfulness=faithfulness)
