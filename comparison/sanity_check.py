"""A sanity check: every image explained again under other conditions, how alike the maps are, as tables.

The conditions are the stages of a network that forgets, a twin that takes shifted pixels (sanity_shift.py), attacked
images (sanity_attack.py) or networks that have learnt other labels (sanity.py).
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np

import evaluate
import utils
from data.dataset import Sample
from explainers.registry import Method
from metrics import agreement, significance
from network.classifier import Classifier
from output.tables import align
from pipeline.run import Run

SCORES = {  # column -> heading; both maps brought to magnitudes in the second
    "spearman": "rank correlation",
    "spearman_magnitudes": "rank correlation of magnitudes",
    "ssim": "SSIM",
}


@dataclass(frozen=True)
class Condition:
    """Under which every image is explained again. key: behind a method's name in files, '' for what all is compared
    with. label: in words. columns: what the tables say of it."""

    key: str
    label: str
    columns: dict

    def method(self, method: Method) -> Method:
        """The method under the name it has here."""
        return replace(method, name=f"{method.name}_{self.key}") if self.key else method


# --- conditions ----------------------------------------------------------------------------------------------
def list_stages(layers: Sequence[str]) -> list[Condition]:
    """The conditions of a network that forgets: 'trained', then down to each of the layers."""
    labels = ["trained", *layers]
    return [
        Condition(f"stage_{stage}" if stage else "", label, {"stage": stage, "randomised_down_to": label})
        for stage, label in enumerate(labels)
    ]


def name_condition(key: str, label: str) -> Condition:
    """A condition that the tables know by its label."""
    return Condition(key, label, {"condition": label})


def name_all(methods: dict[Method, dict], conditions: Sequence[Condition]) -> dict[Method, dict]:
    """The methods, with their options, under all their names."""
    return {condition.method(method): options for condition in conditions for method, options in methods.items()}


@dataclass(frozen=True)
class ChangedSample(Sample):
    """A sample whose image is changed before it is explained. change: of the image, uint8 (H, W, 3)."""

    change: Callable[[np.ndarray], np.ndarray] = field(default=np.asarray, compare=False)

    def read(self) -> np.ndarray:
        """The changed image; errors as `Sample.read`."""
        return self.change(super().read())


def run_of_condition(
    run: Run,
    methods: dict[Method, dict],
    condition: Condition,
    classifier: Classifier,
    change: Callable[[Sample], Callable[[np.ndarray], np.ndarray]] | None = None,
) -> Run | None:
    """The run of a condition: every image explained by this classifier, for the class that was explained first, with no
    gaze to be compared with. None if all of it is explained already.

    change: of a sample, what its image becomes.
    """
    samples = []
    for sample in run.samples:
        found = [run.results.find(method.name, sample) for method in methods]
        classes = [record.class_index for record in found if record is not None]
        if classes:
            samples.append(replace(sample, class_index=classes[0], density_map_path=None, fixations=None))
    here = {condition.method(method): options for method, options in methods.items()}
    if all(run.results.find(method.name, sample) is not None for sample in samples for method in here):
        return None
    if change is not None:
        samples = [ChangedSample(**vars_of(sample), change=change(sample)) for sample in samples]
    images = replace(run.images, samples=samples)
    return replace(run, classifier=classifier, images=images, methods=here, class_rule="label")


def vars_of(sample: Sample) -> dict:
    """The fields of a sample by name."""
    return {entry.name: getattr(sample, entry.name) for entry in fields(Sample)}


def resize(image: np.ndarray, classifier: Classifier) -> np.ndarray:
    """An image at the model's input size, float32, 0-255."""
    size = classifier.input_height, classifier.input_width
    return utils.fit_image(image, *size)


def read_images(samples: Sequence[Sample], classifier: Classifier) -> dict[str, np.ndarray]:
    """Name -> image (H, W, 3) at the model's input size, of those that can be read."""
    images = {}
    for sample in samples:
        with contextlib.suppress(ValueError):
            images[sample.name] = resize(sample.read(), classifier)
    return images


def add_noise(
    classifier: Classifier, size: float, samples: Sequence[Sample], seed: int
) -> Callable[[Sample], Callable[[np.ndarray], np.ndarray]]:
    """Of a sample, what adds `size` or -`size` at random to each value of its image, at the model's input size, uint8:
    in whole grey levels, never further away than `size`."""
    names = [sample.name for sample in samples]

    def change(sample: Sample) -> Callable[[np.ndarray], np.ndarray]:
        def noisy(image: np.ndarray) -> np.ndarray:
            small = resize(image, classifier)
            low, high = np.ceil(np.maximum(small - size, 0)), np.floor(np.minimum(small + size, 255))
            signs = np.random.default_rng([seed, names.index(sample.name)]).choice((-1, 1), small.shape)
            return np.clip(np.round(small + size * signs), low, high).astype(np.uint8)

        return noisy

    return change


# --- tables --------------------------------------------------------------------------------------------------
def compare_conditions(
    run: Run, methods: Sequence[Method], conditions: Sequence[Condition], measure: Callable
) -> dict[str, np.ndarray]:
    """A name of what `measure` gives -> float64 (methods, images, conditions); NaN where there is no map, or a constant
    one. measure: of the first condition's map (H, W) and another, None where it is missing."""
    shape = len(methods), len(run.samples), len(conditions)
    scores: dict[str, np.ndarray] = {}
    for row, method in enumerate(methods):
        for column, sample in enumerate(run.samples):
            maps = [_read_map(run, condition.method(method).name, sample) for condition in conditions]
            if maps[0] is None:
                continue
            for place, saliency_map in enumerate(maps):
                for name, value in measure(maps[0], saliency_map).items():
                    scores.setdefault(name, np.full(shape, np.nan))[row, column, place] = value
    return scores


def compare_with_trained(trained: np.ndarray, saliency_map: np.ndarray | None) -> dict[str, float]:
    """The scores of a map (H, W) against that of the trained network; NaN where they are undefined."""
    if saliency_map is None:
        return dict.fromkeys(SCORES, np.nan)
    try:
        ssim = evaluate.calculate_ssim(trained, saliency_map)
    except evaluate.Undefined:
        ssim = np.nan
    pairs = [trained, saliency_map], [np.abs(trained), np.abs(saliency_map)]
    plain, magnitudes = (agreement.compare_maps(pair, fraction=1)["spearman"][0, 1] for pair in pairs)
    return {"spearman": plain, "spearman_magnitudes": magnitudes, "ssim": ssim}


@dataclass(frozen=True)
class Check:
    """A check with conditions of its own, all compared with the first.

    measure_change: of the first condition's map (H, W) and another, None where it is missing, scores by name; headings:
    of those that are drawn.
    """

    conditions: Sequence[Condition]
    headings: dict[str, str] = field(default_factory=lambda: SCORES)
    measure_change: Callable[[np.ndarray, np.ndarray | None], dict[str, float]] = compare_with_trained


def write_tables(
    run: Run,
    methods: Sequence[Method],
    conditions: Sequence[Condition],
    scores: dict[str, np.ndarray],
    heading: str = "rank correlation with the trained network, down to",
    further: Callable[[Method, Condition, Sample], dict] = lambda method, condition, sample: {},
) -> str:
    """Writes sanity.csv and sanity_summary.csv; the rank correlation of each method and condition as text.

    further: columns of sanity.csv beside the scores.
    """
    rows, summary, lines = [], [], [[heading, *(condition.label for condition in conditions)]]
    for row, method in enumerate(methods):
        cells = []
        for place, condition in enumerate(conditions):
            head = {"method": method.name, **condition.columns}
            for column, sample in enumerate(run.samples):
                values = {name: float(table[row, column, place]) for name, table in scores.items()}
                rows.append({**head, "image": sample.name, **values, **further(method, condition, sample)})
            means = {}
            for name, table in scores.items():
                mean, low, high, n = summarise_stage(table[row, :, place])
                means |= {f"{name}_mean": mean, f"{name}_low": low, f"{name}_high": high, f"{name}_n": n}
            summary.append({**head, **means})
            mean, *_, n = summarise_stage(scores["spearman"][row, :, place])
            cells.append(f"{mean:z.2f}" + (f" (n={n})" if n < len(run.samples) else "") if n else "-")
        lines.append([method.name, *cells])
    run.results.write_table("sanity.csv", rows)
    run.results.write_table("sanity_summary.csv", summary)
    return align(lines)


def summarise_stage(values: np.ndarray) -> tuple[float, float, float, int]:
    """Mean, the ends of its 95 % bootstrap interval and count of values (n,), NaN left out."""
    known = values[~np.isnan(values)]
    interval = significance.bootstrap_interval(known) if len(known) > 1 else None
    return (float(known.mean()) if len(known) else np.nan, *(interval or (np.nan, np.nan)), len(known))


def _read_map(run: Run, name: str, sample: Sample) -> np.ndarray | None:
    record = run.results.find(name, sample)
    return None if record is None else run.results.read_map(record)
