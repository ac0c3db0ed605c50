"""From samples to records: read, predict, choose the class, explain, judge, keep.

A problem of one image - a file that cannot be read, a label the model does not have - is its own: it is
recorded with its reason, and the run goes on.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

import constants
import dataset
import evaluate
import utils
from classifier import Classifier
from dataset import Sample
from methods import Method
from progress import Progress
from records import Record
from results import Results


@dataclass
class Subject:
    """One image on its way through a run: as it is, at the model's input size, and what is asked about it."""

    sample: Sample
    image: np.ndarray  # uint8 (h, w, 3)
    pixels: np.ndarray  # float32 (H, W, 3) at the input size
    class_index: int
    record: Record  # what the records of all methods have in common


class Examiner:
    """Explains and judges images with one classifier; what it finds goes to `results`.

    class_rule: see `choose_class`. protocol: a name of `constants.FIDELITY_PROTOCOLS`.
    fidelity: whether insertion and deletion are measured; a later run that asks for them does it then.
    """

    def __init__(self, classifier: Classifier, results: Results, progress: Progress, *,
                 class_rule: str = "auto", protocol: str = "rise", seed: int = constants.SEED,
                 fidelity: bool = True):  # fmt: skip
        self.classifier, self.results, self.progress = classifier, results, progress
        self.class_rule, self.protocol, self.seed, self.fidelity = class_rule, protocol, seed, fidelity

    def examine(self, samples: Sequence[Sample], chosen: dict[Method, dict]) -> None:
        """Every sample with every method (-> its options), but for those that `results` holds already."""
        for start in range(0, len(samples), constants.IMAGES_AT_ONCE):
            together = samples[start : start + constants.IMAGES_AT_ONCE]
            missing = {
                method: [sample for sample in together if not self.results.is_done(method.name, sample, self.fidelity)]
                for method in chosen
            }
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
        # A method of many passes goes image by image: progress is seen, and a run that is killed loses little.
        size = 1 if method.load().perturbs else constants.IMAGES_AT_ONCE
        for first in range(0, len(ready), size):
            self._explain_group(method, options, ready[first : first + size])

    def _explain_group(self, method: Method, options: dict, group: list[Subject]) -> None:
        """Maps of a few images at once; should that fail, one by one, so that a failure costs its image alone."""
        begin = time.perf_counter()
        self.progress.begin(method.name, group[0].sample.name)
        try:
            pixels = np.stack([subject.pixels for subject in group])
            classes = [subject.class_index for subject in group]
            explainer = method.load()(
                self.classifier, None, pixels, classes, seed=self.seed, progress=self.progress.within, **options
            )
            maps, pictures = explainer.compute_saliency_map(), explainer.compute_pictures()
            remarks = explainer.describe_maps(maps)
        except ValueError as error:
            if len(group) == 1:
                self._fail(method, group[0].sample, str(error))
            for subject in group if len(group) > 1 else ():
                self._explain_group(method, options, [subject])
            return
        seconds = (time.perf_counter() - begin) / len(group)
        for subject, saliency_map, further, remark in zip(group, maps, pictures, remarks):
            begin = time.perf_counter()
            record = replace(subject.record, method=method.name, seconds=seconds, undefined={}, remarks=remark)
            if saliency_map.min() == saliency_map.max():
                record.status = "constant map"
            curves = self.judge_fidelity(subject, saliency_map, record)
            judge_likeness(subject, saliency_map, record)
            self.results.add(record, saliency_map, curves, further)
            self.progress.end(method.name, subject.sample.name, seconds + time.perf_counter() - begin)

    def judge_fidelity(self, subject: Subject, saliency_map: np.ndarray, record: Record) -> np.ndarray | None:
        """Insertion and deletion at the model's input size: sets their areas, returns their curves (n + 1, 3)."""
        if not self.fidelity:
            record.undefined.update(dict.fromkeys(("insertion_auc", "deletion_auc"), constants.NOT_ASKED))
            return None
        if record.status == "constant map":  # its order of pixels is that of their positions, and says nothing
            record.undefined.update(dict.fromkeys(("insertion_auc", "deletion_auc"), "saliency_map is constant"))
            return None
        n_pixels, *blur = constants.FIDELITY_PROTOCOLS[self.protocol].items()
        curves = {}

        def measure(name: str, metric: Callable, options) -> float:
            auc, curves[name], curves["fraction"] = metric(
                self.classifier.predict, subject.pixels, saliency_map, subject.class_index,
                batch_size=self.classifier.batch_size, **dict(options),
            )  # fmt: skip
            return auc

        _set_metric(record, "insertion_auc", lambda: measure("insertion", evaluate.insertion, [n_pixels, *blur]))
        _set_metric(record, "deletion_auc", lambda: measure("deletion", evaluate.deletion, [n_pixels]))
        if len(curves) < 3:
            return None
        return np.stack([curves["fraction"], curves["insertion"], curves["deletion"]], axis=1)

    def _fail(self, method: Method, sample: Sample, reason: str) -> None:
        self.progress.say(f"{method.name} {sample.name}: {reason}")
        record = Record(method.name, sample.name, sample.stem, sample.label or "", status=f"failed: {reason}")
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


def judge_likeness(subject: Subject, saliency_map: np.ndarray, record: Record) -> None:
    """Sets PCC, SIM, MAE, MSE and SSIM against the density map, both at the image's own size."""
    if subject.sample.density_map_path is None:
        return
    size = subject.image.shape[:2]
    try:
        density_map = dataset.load_density_map(subject.sample, *size)
    except ValueError as error:
        record.undefined["density_map"] = str(error)
        return
    own_size = utils.resize_map(saliency_map, *size)
    for metric in ("pcc", "sim", "mae", "mse", "ssim"):
        calculate = getattr(evaluate, f"calculate_{metric}")
        _set_metric(record, metric, lambda calculate=calculate: calculate(density_map, own_size))


def _set_metric(record: Record, metric: str, calculate: Callable[[], float]) -> None:
    """Sets a metric of the record, or why it has no value."""
    try:
        setattr(record, metric, calculate())
    except evaluate.Undefined as reason:
        record.undefined[metric] = str(reason)


def failures(records: Sequence[Record]) -> Iterator[Record]:
    """The records without a map, and those whose density map could not be used."""
    return (record for record in records if record.failed or "density_map" in record.undefined)
