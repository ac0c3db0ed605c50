"""Scores one map: sets the metrics of its record, or why they have no value.

Gaze is compared at the image's own size, the network asked at its input size. A metric that is settled, by a value or
by a reason, is not measured again: a run that asks for more metrics adds them to maps that are there.
"""

from collections.abc import Callable, Iterable

import numpy as np

import constants
import evaluate
import utils
from data.dataset import Sample
from metrics import catalogue
from metrics.catalogue import DENSITY, NETWORK, POINTS
from metrics.faithfulness import Explain
from network.classifier import Classifier
from pipeline.gaze_truth import GazeTruth
from pipeline.prepare import PreparedImage
from pipeline.records import Record

MEAN_COLOUR_PROTOCOLS = ("rise",)  # the network's mean colour in the place of black, the kernel of RISE's authors

KEPT_PIXELS = 2_000_000  # of a density map that is kept beside its image: eight are prepared together


class Scorer:
    """Scores the maps of one run. faithfulness: of `catalogue.FAITHFULNESS`; protocol: of `FAITHFULNESS_PROTOCOLS`."""

    def __init__(
        self,
        classifier: Classifier,
        gaze: GazeTruth,
        *,
        faithfulness: tuple[str, ...] = (),
        protocol: str = "rise",
        seed: int = constants.SEED,
    ):
        self.classifier, self.gaze = classifier, gaze
        self.faithfulness, self.protocol, self.seed = faithfulness, protocol, seed

    def wanted(self, sample: Sample) -> list[str]:
        """The metrics that a map of this sample is asked for."""
        against = [metric for kind in self.gaze.kinds(sample) for metric in catalogue.names_against(kind)]
        return against + [metric for name in self.faithfulness for metric in catalogue.FAITHFULNESS[name]]

    def score(
        self, prepared: PreparedImage, saliency_map: np.ndarray, record: Record, explain: Explain
    ) -> np.ndarray | None:
        """The curves (n + 1, 3) of insertion and deletion if they were measured; sets what the record lacks.

        saliency_map: (H, W) at the input size. explain: the method that made it, of the same class.
        """
        lacking = record.lacks(self.wanted(prepared.sample))
        self._score_gaze(prepared, saliency_map, record, lacking)
        lacking = [name for name in lacking if name in catalogue.names_against(NETWORK)]
        if lacking and record.status == "constant map":  # its order of pixels is that of their positions
            record.undefined.update(dict.fromkeys(lacking, "saliency_map is constant"))
            return None
        curves = self._measure_curves(prepared, saliency_map, record) if "insertion_auc" in lacking else None
        asked = self.classifier.predict, prepared.pixels, saliency_map, prepared.class_index
        options = {"seed": self.seed, "batch_size": self.classifier.batch_size}
        if "average_drop" in lacking:
            whole = prepared.probability
            _set(record, ("average_drop", "increase"), lambda: evaluate.calculate_drop(*asked, whole=whole))
        if "road" in lacking:
            _set(record, ("road",), lambda: [evaluate.calculate_road(*asked, **options)[0]])
        if "mufidelity" in lacking:
            _set(record, ("mufidelity",), lambda: [evaluate.calculate_mufidelity(*asked, **options)])
        if "sensitivity" in lacking:
            _set(
                record, ("sensitivity",), lambda: [evaluate.calculate_sensitivity(explain, prepared.pixels, **options)]
            )
        return curves

    def _score_gaze(
        self, prepared: PreparedImage, saliency_map: np.ndarray, record: Record, lacking: list[str]
    ) -> None:
        own_size = None
        for kind, measure in ((DENSITY, self._measure_density), (POINTS, self._measure_points)):
            names = [name for name in lacking if name in catalogue.names_against(kind)]
            if not names:
                continue
            own_size = utils.resize_map(saliency_map, *prepared.size) if own_size is None else own_size
            try:
                measure(prepared, own_size, record, names)
            except ValueError as error:  # of another shape, damaged: no use for any metric
                record.undefined[kind.replace(" ", "_")] = str(error)
                record.undefined.update(dict.fromkeys(names, str(error)))

    def _measure_density(
        self, prepared: PreparedImage, saliency_map: np.ndarray, record: Record, names: list[str]
    ) -> None:
        if record.method == "PEOPLE":
            pairs = list(self.gaze.halves(prepared.sample, *prepared.size))
        else:
            pairs = [(self._density_map(prepared), saliency_map)]
        metrics = _each_pair(evaluate.DensityMetrics, pairs)
        for name in names:
            _set(record, [name], lambda name=name: [np.mean([getattr(pair, name)() for pair in metrics()])])

    def _density_map(self, prepared: PreparedImage) -> np.ndarray:
        """The density map of an image, read once for the maps of all methods unless it is large."""
        if prepared.density_map is not None:
            return prepared.density_map
        density_map = self.gaze.density_map(prepared.sample, *prepared.size)
        if density_map.size <= KEPT_PIXELS:
            prepared.density_map = density_map
        return density_map

    def _measure_points(
        self, prepared: PreparedImage, saliency_map: np.ndarray, record: Record, names: list[str]
    ) -> None:
        sample, size = prepared.sample, prepared.size
        if record.method == "PEOPLE":
            pairs = [(points, density) for density, points in self.gaze.leave_one_out(sample, *size)]
        else:
            pairs = [(self.gaze.points(sample, *size), saliency_map)]
        further = {
            "auc_borji": lambda: {"seed": self.seed},
            "sauc": lambda: {"other_fixations": self.gaze.other_points(sample, *size), "seed": self.seed},
            "information_gain": lambda: {"baseline_map": self.gaze.centre_prior(*size)},
        }
        metrics = _each_pair(evaluate.FixationMetrics, pairs)
        for name in names:

            def measure(name=name):
                options = further.get(name, dict)()
                return [np.mean([getattr(pair, name)(**options) for pair in metrics()])]

            _set(record, [name], measure)

    def _measure_curves(self, prepared: PreparedImage, saliency_map: np.ndarray, record: Record) -> np.ndarray | None:
        """The curves (n + 1, 3): fraction, insertion, deletion; sets their areas. None where one has no value."""
        n_pixels, *blur = constants.FAITHFULNESS_PROTOCOLS[self.protocol].items()
        on_mean = self.protocol in MEAN_COLOUR_PROTOCOLS
        mean_colour = self.classifier.mean_colour if on_mean else None
        curves = {}

        def measure(name: str, metric: Callable, options) -> list[float]:
            auc, curves[name], curves["fraction"] = metric(
                self.classifier.predict,
                prepared.pixels,
                saliency_map,
                prepared.class_index,
                whole=prepared.probability,
                mean_colour=mean_colour,
                batch_size=self.classifier.batch_size,
                **dict(options),
            )
            return [auc]

        _set(record, ["insertion_auc"], lambda: measure("insertion", evaluate.insertion, [n_pixels, *blur]))
        _set(record, ["deletion_auc"], lambda: measure("deletion", evaluate.deletion, [n_pixels]))
        if len(curves) < 3:
            return None
        return np.stack([curves["fraction"], curves["insertion"], curves["deletion"]], axis=1)


def _each_pair(kind: type, pairs: list[tuple]) -> Callable[[], Iterable]:
    """What gives the metrics of each pair: of one pair always the same object, which keeps what they share; of several,
    as of people, new ones, because together they would hold too much."""
    if len(pairs) == 1:
        one = [kind(*pairs[0])]
        return lambda: one
    return lambda: (kind(*pair) for pair in pairs)


def _set(record: Record, names, measure: Callable) -> None:
    """Sets metrics of the record to what is measured, or to why they have no value: that is a matter of this map."""
    try:
        for name, value in zip(names, measure()):
            setattr(record, name, float(value))
    except ValueError as reason:
        record.undefined.update(dict.fromkeys(names, str(reason)))
