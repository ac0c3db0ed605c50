"""From samples to records: read, predict, choose the class, explain, have it judged, keep.

A problem of one image - a file that cannot be read, a label the model does not have - is its own: it is
recorded with its reason, and the run goes on.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TextIO

import numpy as np

import constants
import utils
from data.dataset import Sample
from explainers.registry import GAZE_ROWS, Method
from metrics.common import is_constant
from network.classifier import Classifier
from output.progress import Progress
from pipeline.records import Record
from pipeline.results import Results
from pipeline.score import Judge, Subject


class Examiner:
    """Explains and judges images with one classifier; what it finds goes to `results`.

    class_rule: see `choose_class`. stream: where the progress is shown; None: stderr.
    A map that is there is not computed again, only judged if it lacks a metric.
    """

    def __init__(
        self,
        classifier: Classifier,
        results: Results,
        judge: Judge,
        *,
        class_rule: str = "auto",
        seed: int = constants.SEED,
        stream: TextIO | None = None,
    ):
        self.classifier, self.results, self.judge = classifier, results, judge
        self.class_rule, self.seed, self.stream = class_rule, seed, stream

    def is_done(self, method: Method, sample: Sample) -> bool:
        """Whether nothing is left to do: the map is there and judged by all that the run asks for, or there is none."""
        if method.name in GAZE_ROWS and not self.judge.gaze.covers(method.name, sample):
            return True
        record = self.results.find(method.name, sample)
        return record is not None and not record.lacks(self.judge.wanted(sample))

    def examine(self, samples: Sequence[Sample], chosen: dict[Method, dict]) -> None:
        """Every sample with every method (-> its options), but for those that `results` holds already."""
        counts = {method.name: sum(not self.is_done(method, sample) for sample in samples) for method in chosen}
        self.progress = Progress(counts, self.stream)
        for start in range(0, len(samples), constants.IMAGES_AT_ONCE):
            together = samples[start : start + constants.IMAGES_AT_ONCE]
            missing = {method: [sample for sample in together if not self.is_done(method, sample)] for method in chosen}
            subjects = self.read_subjects([s for s in together if any(s in left for left in missing.values())])
            for method, left in missing.items():
                self._run_method(method, chosen[method], [subjects[sample.stem] for sample in left], left)

    def read_subjects(self, samples: Sequence[Sample]) -> dict[str, Subject | str]:
        """Stem -> subject, or why there is none."""
        subjects, images = {}, {}
        for sample in samples:
            try:
                images[sample.stem] = sample.read()
            except ValueError as error:
                subjects[sample.stem] = str(error)
        if not images:
            return subjects
        size = self.classifier.input_height, self.classifier.input_width
        pixels = [utils.resize_image(image.astype(np.float32), *size) for image in images.values()]
        found = dict(zip(images, zip(pixels, self.classifier.predict(np.stack(pixels)))))
        for sample in samples:
            if sample.stem in images:
                try:
                    subjects[sample.stem] = self._make_subject(sample, images[sample.stem], *found[sample.stem])
                except ValueError as error:
                    subjects[sample.stem] = str(error)
        return subjects

    def _make_subject(self, sample: Sample, image: np.ndarray, pixels: np.ndarray, row: np.ndarray) -> Subject:
        names = self.classifier.class_names
        if not np.isfinite(row).all():
            raise ValueError(f"the model gives NaN or infinite probabilities for '{sample.name}'")
        top = np.argsort(-row, kind="stable")[: constants.TOP_CLASSES]
        class_index = choose_class(self.class_rule, sample, int(top[0]), self.classifier)
        record = Record(
            method="",
            image=sample.name,
            stem=sample.stem,
            checksum=sample.checksum,
            label=sample.label or "",
            predicted=names[top[0]],
            probability=float(row[top[0]]),
            class_index=class_index,
            class_name=names[class_index],
            top_classes=[(names[index], round(float(row[index]), 6)) for index in top],
        )
        return Subject(sample, image, pixels, class_index, record)

    def _run_method(self, method: Method, options: dict, subjects: list, samples: Sequence[Sample]) -> None:
        for subject, sample in zip(subjects, samples):
            if not isinstance(subject, Subject):
                self._fail(method, sample, subject)
        ready = [subject for subject in subjects if isinstance(subject, Subject)]
        known = [self.results.find(method.name, subject.sample) for subject in ready]
        for subject, record in zip(ready, known):
            if record is not None:
                self.progress.begin(method.name, record.image)
                self._judge(method, options, subject, self.results.read_map(record), replace(record))
        new = [subject for subject, record in zip(ready, known) if record is None]
        # A method of many passes goes image by image: progress is seen, and a run that is killed loses little.
        size = 1 if method.load().perturbs else constants.IMAGES_AT_ONCE
        for first in range(0, len(new), size):
            self._explain_group(method, options, new[first : first + size])

    def _explain_group(self, method: Method, options: dict, group: list[Subject]) -> None:
        """Maps of a few images at once; should that fail, one by one, so that a failure costs its image alone."""
        begin, passes = time.perf_counter(), self.classifier.counts["passes"]
        self.progress.begin(method.name, group[0].sample.name)
        try:
            pixels = np.stack([subject.pixels for subject in group])
            classes = [subject.class_index for subject in group]
            explainer = self._ask(method, options, group, pixels, classes)
            maps = explainer.compute_saliency_map()
            cost = {
                "seconds": (time.perf_counter() - begin) / len(group),
                "passes": (self.classifier.counts["passes"] - passes) / len(group),
            }
            pictures, remarks = explainer.compute_pictures(), explainer.describe_maps(maps)
        except ValueError as error:
            if len(group) == 1:
                self._fail(method, group[0].sample, str(error))
            for subject in group if len(group) > 1 else ():
                self._explain_group(method, options, [subject])
            return
        for subject, saliency_map, further, remark in zip(group, maps, pictures, remarks):
            record = replace(subject.record, method=method.name, **cost, undefined={}, remarks=remark)
            if is_constant(saliency_map):
                record.status = "constant map"
            self._judge(method, options, subject, saliency_map, record, further, record.seconds)

    def _ask(self, method: Method, options: dict, group: list[Subject], pixels: np.ndarray, classes: list[int]):
        """The explainer of these images; a row that comes from gaze is given what people looked at."""
        if method.name in GAZE_ROWS:
            density = getattr(self.judge.gaze, GAZE_ROWS[method.name])
            options = {"density_maps": [density(subject.sample, *subject.size) for subject in group]}
        asked = self.classifier, None, pixels, classes
        return method.load()(*asked, seed=self.seed, progress=self.progress.within, **options)

    def _judge(
        self,
        method: Method,
        options: dict,
        subject: Subject,
        saliency_map: np.ndarray,
        record: Record,
        pictures: dict[str, np.ndarray] | None = None,
        spent: float = 0.0,
    ) -> None:
        """Has a map judged and keeps it with its record; spent: the seconds this run took for the map."""
        begin = time.perf_counter()

        def explain(images: np.ndarray) -> np.ndarray:
            group = [subject] * len(images)
            return self._ask(method, options, group, images, [subject.class_index] * len(images)).compute_saliency_map()

        curves = self.judge.judge(subject, saliency_map, record, explain)
        self.results.add(record, saliency_map, curves, pictures)
        self.progress.end(method.name, record.image, spent + time.perf_counter() - begin)

    def _fail(self, method: Method, sample: Sample, reason: str) -> None:
        self.progress.say(f"{method.name} {sample.name}: {reason}")
        record = Record(method.name, sample.name, sample.stem, label=sample.label or "", status=f"failed: {reason}")
        self.results.add(record)
        self.progress.end(method.name, sample.name)


def find_misfits(classifier: Classifier, methods: Iterable[Method]) -> dict[Method, str]:
    """The methods that cannot explain this model, whatever the image; and why."""
    misfits = {}
    for method in methods:
        try:
            for view in classifier.views:
                method.load().check_classifier(view)
        except ValueError as error:
            misfits[method] = str(error)
    return misfits


def check_options(classifier: Classifier, chosen: dict[Method, dict]) -> None:
    """Raises ValueError for options that no image can be explained with."""
    grey = np.full((classifier.input_height, classifier.input_width, 3), 127, dtype=np.uint8)
    for method, options in chosen.items():
        try:
            method.load()(classifier, None, grey, 0, **options)
        except ValueError as error:
            raise ValueError(f"{method.name}: {error}") from error


def choose_class(class_rule: str, sample: Sample, predicted: int, classifier: Classifier) -> int:
    """The class to explain: 'auto' (the label where the model has it, else the prediction), 'label',
    'predicted', or a class by index or name. ValueError where the rule cannot be kept."""
    if class_rule == "predicted" or (class_rule == "auto" and sample.class_index is None):
        return predicted
    if class_rule in ("auto", "label"):
        if sample.class_index is None:
            label = f"the model has no class {sample.label!r}" if sample.label else "the data has no label"
            raise ValueError(f"{label} for '{sample.name}'; --class_index=predicted explains the prediction")
        return sample.class_index
    return classifier.class_index_of(class_rule)


def failures(records: Sequence[Record]) -> Iterator[Record]:
    """The records without a map, and those whose gaze could not be used."""
    return (record for record in records if record.failed or {"density_map", "fixations"} & record.undefined.keys())
