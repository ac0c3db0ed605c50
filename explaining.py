"""From samples to records: read, predict, choose the class, explain, judge, keep.

A problem of one image - a file that cannot be read, a label the model does not have - is its own: it is
recorded with its reason, and the run goes on.
"""

import time
from collections.abc import Callable, Iterator, Sequence
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
from results import Record, Results


@dataclass
class Subject:
    """One image on its way through a run: as it is, at the model's input size, and what is asked about it."""

    sample: Sample
    image: np.ndarray  # uint8 (h, w, 3)
    pixels: np.ndarray  # float32 (H, W, 3) at the input size
    class_index: int
    record: Record  # what all methods' records have in common


def explain_samples(
    classifier: Classifier,
    samples: Sequence[Sample],
    chosen: dict[Method, dict],
    results: Results,
    *,
    class_rule: str,
    protocol: str,
    seed: int,
    progress: Progress,
) -> None:
    """Explains and judges every sample with every method (-> its options) that `results` does not hold yet."""
    explainers = {method: method.load() for method in chosen}
    for start in range(0, len(samples), constants.IMAGES_AT_ONCE):
        together = samples[start : start + constants.IMAGES_AT_ONCE]
        missing = {m: [s for s in together if not results.is_done(m.name, s.stem)] for m in chosen}
        wanted = [s for s in together if any(s in left for left in missing.values())]
        subjects = _read_subjects(classifier, wanted, class_rule)
        for method, left in missing.items():
            explainer = explainers[method]
            options = {**chosen[method], "seed": seed, "progress": progress.within}
            ready = [subjects[s.stem] for s in left if isinstance(subjects[s.stem], Subject)]
            for sample in left:
                if not isinstance(subjects[sample.stem], Subject):
                    _fail(method, sample, subjects[sample.stem], results, progress)
            size = 1 if explainer.perturbs else constants.IMAGES_AT_ONCE
            for first in range(0, len(ready), size):
                group = ready[first : first + size]
                progress.begin(method.name, group[0].sample.name)
                _explain_group(classifier, explainer, method, options, group, protocol, results, progress)


def _read_subjects(
    classifier: Classifier, samples: Sequence[Sample], class_rule: str
) -> dict[str, Subject | str]:
    """Stem -> subject, or why there is none."""
    images, subjects = {}, {}
    for sample in samples:
        try:
            images[sample.stem] = sample.read()
        except ValueError as error:
            subjects[sample.stem] = str(error)
    if not images:
        return subjects
    size = classifier.input_height, classifier.input_width
    pixels = [utils.resize_image(image.astype(np.float32), *size) for image in images.values()]
    probabilities = dict(zip(images, classifier.predict(np.stack(pixels))))
    pixels = dict(zip(images, pixels))
    for sample in (s for s in samples if s.stem in images):
        row = probabilities[sample.stem]
        top = np.argsort(-row, kind="stable")[: constants.TOP_CLASSES]
        try:
            class_index = choose_class(class_rule, sample, int(top[0]), classifier)
        except ValueError as error:
            subjects[sample.stem] = str(error)
            continue
        record = Record(
            method="",
            image=sample.name,
            stem=sample.stem,
            label=sample.label or "",
            predicted=classifier.class_names[top[0]],
            probability=float(row[top[0]]),
            class_index=class_index,
            class_name=classifier.class_names[class_index],
            top_classes=[(classifier.class_names[i], round(float(row[i]), 6)) for i in top],
        )
        subjects[sample.stem] = Subject(sample, images[sample.stem], pixels[sample.stem], class_index, record)
    return subjects


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


def _explain_group(classifier, explainer, method, options, group, protocol, results, progress) -> None:
    """Maps of a few images at once; should that fail, one by one, so that a failure costs its image alone."""
    begin = time.monotonic()
    try:
        pixels = np.stack([subject.pixels for subject in group])
        classes = [subject.class_index for subject in group]
        explanation = explainer(classifier, None, pixels, classes, **options)
        maps, pictures = explanation.compute_saliency_map(), explanation.compute_pictures()
    except ValueError as error:
        if len(group) == 1:
            _fail(method, group[0].sample, str(error), results, progress)
            return
        for subject in group:
            _explain_group(classifier, explainer, method, options, [subject], protocol, results, progress)
        return
    seconds = (time.monotonic() - begin) / len(group)
    for subject, saliency_map, further in zip(group, maps, pictures):
        begin = time.monotonic()
        record = replace(subject.record, method=method.name, seconds=seconds, undefined={})
        if saliency_map.min() == saliency_map.max():
            record.status = "constant map"
        curves = judge_fidelity(
            classifier.predict, subject, saliency_map, record, protocol, classifier.batch_size
        )
        judge_likeness(subject, saliency_map, record)
        results.add(record, saliency_map, curves, further)
        progress.end(method.name, subject.sample.name, seconds + time.monotonic() - begin)


def _fail(method: Method, sample: Sample, reason: str, results: Results, progress: Progress) -> None:
    progress.say(f"{method.name} {sample.name}: {reason}")
    label = sample.label or ""
    results.add(Record(method.name, sample.name, sample.stem, label=label, status=f"failed: {reason}"))
    progress.end(method.name, sample.name, 0)


def _measure(record: Record, metric: str, calculate: Callable[[], float]) -> None:
    """Sets a metric of the record, or why it has no value."""
    try:
        setattr(record, metric, calculate())
    except evaluate.Undefined as reason:
        record.undefined[metric] = str(reason)


def judge_fidelity(
    predict: Callable,
    subject: Subject,
    saliency_map: np.ndarray,
    record: Record,
    protocol: str,
    batch_size: int,
) -> np.ndarray | None:
    """Insertion and deletion at the model's input size; sets their areas, returns their curves (n + 1, 3)."""
    settings = constants.FIDELITY_PROTOCOLS[protocol]
    curves = {}

    def run(metric: Callable, **options) -> float:
        auc, scores, fractions = metric(
            predict, subject.pixels, saliency_map, subject.class_index, batch_size=batch_size, **options
        )
        curves[metric] = scores
        curves["fractions"] = fractions
        return auc

    blur = {key: settings[key] for key in ("kernel_size", "sigma")}
    n_pixels = settings["n_pixels"]
    _measure(record, "insertion_auc", lambda: run(evaluate.insertion, n_pixels=n_pixels, **blur))
    _measure(record, "deletion_auc", lambda: run(evaluate.deletion, n_pixels=n_pixels))
    if len(curves) < 3:
        return None
    return np.stack([curves["fractions"], curves[evaluate.insertion], curves[evaluate.deletion]], axis=1)


def judge_likeness(subject: Subject, saliency_map: np.ndarray, record: Record) -> None:
    """PCC, SIM, MAE, MSE and SSIM against the density map, both at the image's own size."""
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
        _measure(record, metric, lambda calculate=calculate: calculate(density_map, own_size))


def failures(records: Sequence[Record]) -> Iterator[Record]:
    """The records without a map, and those whose density map could not be used."""
    return (record for record in records if record.failed or "density_map" in record.undefined)
