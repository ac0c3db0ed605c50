"""From samples to records: each sample is read, prepared, explained by each method, scored, and kept.

    Runner.run -> read_ahead -> prepare_images (pipeline/prepare.py) -> explain_group
               -> score_and_keep, by Scorer.score (pipeline/score.py) -> Results.add

Where a method begins with a pass over the whole images (`find_first`), `prepare_images` asks for f(x) by that pass: its
features and gradients are shared, and `explain_group` finds them there. So an image is sent forward once.

A problem of one image is its own: it is recorded with its reason, and the run goes on.

The seconds of a record are those of its map alone: before a method's first map is timed, one is begun and thrown away
(`Runner.warm_up`), as the first call of a compiled graph traces it. Images that are explained at once share their time.
What methods share of an image (`Classifier.share`) is computed once, and counted for each: seconds and passes are those
of the method alone.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

import constants
import utils
from data.ahead import Picture, read_ahead
from data.dataset import Sample
from explainers.base import Explainer
from explainers.registry import GAZE_ROWS, Method
from network import engines
from network.classifier import Classifier
from output import map_store
from output.map_store import SmallMap
from output.progress import Progress, Stopped
from pipeline.prepare import FirstPass, PreparedImage, prepare_images
from pipeline.records import Record
from pipeline.results import Results
from pipeline.score import Scorer

AfterMap = Callable[[Method, Callable[[Method, Sample], bool]], None]  # the method; what tells which maps are there


class Runner:
    """Explains images by one classifier and scores their maps; what it finds goes to `results`.

    class_rule: as `prepare.choose_class` takes it. open_progress: of the number of maps per method, what is told how
    far the run is. after_map: what is to be done once a map is kept. A map that is there is not computed again, only
    scored if it lacks a metric.
    """

    def __init__(
        self,
        classifier: Classifier,
        results: Results,
        scorer: Scorer,
        *,
        class_rule: str = "auto",
        seed: int = constants.SEED,
        open_progress: Callable[[dict[str, int]], Progress] = Progress,
        after_map: AfterMap | None = None,
    ):
        self.classifier, self.results, self.scorer = classifier, results, scorer
        self.class_rule, self.seed = class_rule, seed
        self.open_progress, self.progress = open_progress, open_progress({})
        self.after_map = after_map
        self._warm = set()  # methods that were warmed up, by name, and explainers whose first pass was

    def run(self, samples: Sequence[Sample], methods: dict[Method, dict]) -> None:
        """Explains every sample by every method (-> its options), but for those that `results` holds already."""
        self.progress = self.open_progress(self.count_left(samples, methods))
        try:
            self.run_groups(samples, methods)
        finally:
            self.results.flush()

    def count_left(self, samples: Sequence[Sample], methods: dict[Method, dict]) -> dict[str, int]:
        """How many images each method has to explain; of a large run as far as the number of its records tells."""
        if self.results.keeps_small_maps:  # asking for each would read every image once
            known = self.results.columns().count()
            return {method.name: max(0, len(samples) - known.get(method.name, 0)) for method in methods}
        return {method.name: sum(not self.is_done(method, sample) for sample in samples) for method in methods}

    def run_groups(self, samples: Sequence[Sample], methods: dict[Method, dict]) -> None:
        """As `run`, without telling how much is left: a few samples at a time, the next being read meanwhile."""
        size = self.classifier.input_height, self.classifier.input_width
        groups = (self.find_left(some, methods) for some in utils.in_batches(samples, constants.IMAGES_AT_ONCE))
        for (left, together), pictures in read_ahead(((group, group[1]) for group in groups), *size):
            self.run_together(together, left, methods, pictures)

    def find_left(
        self, together: Sequence[Sample], methods: dict[Method, dict]
    ) -> tuple[dict[Method, list[Sample]], list[Sample]]:
        """Of a few samples, those that each method has still something to do with; and all of them, if any is left."""
        left = {method: [sample for sample in together if not self.is_done(method, sample)] for method in methods}
        return left, [*together] if any(left.values()) else []

    def is_done(self, method: Method, sample: Sample) -> bool:
        """Whether nothing is left to do: the map is there with every metric the run asks for, or there is none."""
        if method.name in GAZE_ROWS and not self.scorer.gaze.covers(method.name, sample):
            return True
        record = self.results.find(method.name, sample)
        return record is not None and not record.lacks(self.scorer.wanted(sample))

    def run_together(
        self,
        together: Sequence[Sample],
        left: dict[Method, list[Sample]],
        methods: dict[Method, dict],
        pictures: dict[str, Picture | str],
    ) -> None:
        """Explains a few samples, sent forward at once, by each method that has not done with them.

        pictures: by the samples' stems. Where one is left all are sent forward, as in a run that was never stopped:
        rounding depends on the batch.
        """
        with self.classifier.shared.open():  # what several methods ask of an image is computed once
            first_pass = self.choose_first_pass(methods)
            prepared = prepare_images(self.classifier, together, self.class_rule, pictures, first_pass)
            for method, missing in left.items():
                self.run_method(method, methods[method], missing, prepared)
                self.results.sync()

    def choose_first_pass(self, methods: Iterable[Method]) -> FirstPass | None:
        """What gives f(x) by the pass that a method begins with; None where none does, see `find_first`."""
        first = find_first(self.classifier, methods)
        if first is None:
            return None
        view = self.classifier.by_layer[0]

        def predict(pixels: np.ndarray, classes: np.ndarray) -> np.ndarray:
            images = np.clip(pixels, view.shift, 255 + view.shift)  # as explainers take them
            if first not in self._warm:
                self._warm.add(first)
                with self.classifier.shared.open(False):
                    first.begin(view, images[:1], classes[:1])
            starts = range(0, len(images), view.batch_size)
            batches = [slice(start, start + view.batch_size) for start in starts]
            return np.concatenate([first.begin(view, images[batch], classes[batch]) for batch in batches])

        return predict

    def run_method(
        self, method: Method, options: dict, samples: Sequence[Sample], prepared: dict[str, PreparedImage | str]
    ) -> None:
        """Explains these samples by one method: maps that are there are scored, others are made."""
        new = []
        for sample in samples:
            image, record = prepared[sample.stem], self.results.find(method.name, sample)
            if isinstance(image, str):
                self.keep_failure(method, sample, image)
            elif record is None:
                new.append(image)
            else:
                self.progress.begin(method.name, record.image)
                self.score_and_keep(method, options, image, self.results.read_map(record), replace(record))
        if not new:
            return
        # A method of many passes goes image by image: progress is seen, and a run that is killed loses little. Another
        # takes those it has explained along once more, see `run_together`.
        wanted = {image.sample.stem for image in new}
        whole = [image for image in prepared.values() if self._goes_along(method, image, wanted)]
        for group in [[image] for image in new] if method.load().perturbs else [whole]:
            self.explain_group(method, options, group, wanted)
            self.results.sync()

    def _goes_along(self, method: Method, image: PreparedImage | str, wanted: set[str]) -> bool:
        """Whether a method's group holds an image: one that is wanted, by its stem, or has been explained by it."""
        if isinstance(image, str):
            return False
        record = self.results.find(method.name, image.sample)
        return image.sample.stem in wanted or record is not None and not record.failed

    def explain_group(self, method: Method, options: dict, group: list[PreparedImage], wanted: set[str]) -> None:
        """Explains a few images at once and keeps the maps of the wanted file stems; should that fail, one by one, so
        that a failure costs its image alone."""
        if method.name not in self._warm:
            self._warm.add(method.name)
            self.warm_up(method, options, group[0])
        self.progress.begin(method.name, group[0].sample.name)
        try:
            with self._count_cost(len(group)) as cost:
                pixels = np.stack([image.pixels for image in group])
                explainer = self.open_explainer(method, options, group, pixels)
                if self.results.keeps_small_maps:
                    maps, own = explainer.compute_both_maps()
                else:
                    maps, own = explainer.compute_saliency_map(), None
            pictures, remarks = explainer.compute_pictures(), explainer.describe_maps(maps)
        except ValueError as error:
            if len(group) == 1:
                self.keep_failure(method, group[0].sample, str(error))
                return
            for image in group:
                if image.sample.stem in wanted:
                    self.explain_group(method, options, [image], wanted)
            return
        small = self.shrink_maps(explainer, maps, own)
        for image, saliency_map, further, remark, kept in zip(group, maps, pictures, remarks, small):
            if image.sample.stem not in wanted:
                continue
            status = "constant map" if utils.is_constant(saliency_map) else "ok"
            record = replace(image.record, method=method.name, status=status, **cost, undefined={}, remarks=remark)
            self.score_and_keep(method, options, image, saliency_map, record, further, record.seconds, kept)

    @contextlib.contextmanager
    def _count_cost(self, n_images: int) -> Iterator[dict[str, float]]:
        """A dict that holds, once it is left, the seconds and passes of each of n images; what methods share counts for
        each of them."""
        begin, passes = time.perf_counter(), self.classifier.counts["passes"]
        saved, cost = self.classifier.shared.saved.copy(), {}
        yield cost
        shared = {name: self.classifier.shared.saved[name] - saved[name] for name in ("seconds", "passes")}
        cost["seconds"] = (time.perf_counter() - begin + shared["seconds"]) / n_images
        cost["passes"] = (self.classifier.counts["passes"] - passes + shared["passes"]) / n_images

    def warm_up(self, method: Method, options: dict, image: PreparedImage) -> None:
        """Has a method imported, traced and compiled, by a map that is left as soon as it reports its first passes."""

        def leave(done: int, total: int) -> None:
            raise Stopped

        for view in self.classifier.by_layer:
            explainer = self.open_explainer(method, options, [image], image.pixels[None])
            explainer.classifier, explainer.progress = view, leave
            # What is wrong with the image is told when it is timed; what is shared is timed there too.
            with contextlib.suppress(Stopped, ValueError), self.classifier.shared.open(False):
                explainer.compute_saliency_map()

    def open_explainer(self, method: Method, options: dict, group: Sequence[PreparedImage], pixels: np.ndarray):
        """The explainer of these images (n, H, W, 3); a row that comes from gaze is given what people looked at."""
        if method.name in GAZE_ROWS:
            density = getattr(self.scorer.gaze, GAZE_ROWS[method.name])
            options = {"density_maps": [density(image.sample, *image.size) for image in group]}
        classes = [image.class_index for image in group]
        return method.load()(
            self.classifier, None, pixels, classes, seed=self.seed, progress=self.progress.within, **options
        )

    def shrink_maps(self, explainer, maps: np.ndarray, own: Sequence[np.ndarray] | None) -> list[SmallMap | None]:
        """The maps (n, H, W) as a large run keeps them: own, the same in their own resolution, where there is one."""
        if own is None:
            return [map_store.shrink_map(one, None) if self.results.keeps_small_maps else None for one in maps]
        layout = self.classifier.layout if explainer.uses_layer else None
        weights = None if layout is None or layout.is_whole else layout.weigh(*maps.shape[1:])
        return [map_store.shrink_map(one, small, weights) for one, small in zip(maps, own)]

    def score_and_keep(
        self,
        method: Method,
        options: dict,
        image: PreparedImage,
        saliency_map: np.ndarray,
        record: Record,
        pictures: dict[str, np.ndarray] | None = None,
        spent: float = 0.0,
        small: SmallMap | None = None,
    ) -> None:
        """Has a map scored and keeps it with its record; spent: the seconds this run took for the map; small: the map
        as a large run keeps it, None: it is there."""
        begin = time.perf_counter()

        def explain(images: np.ndarray) -> np.ndarray:
            return self.open_explainer(method, options, [image] * len(images), images).compute_saliency_map()

        curves = self.scorer.score(image, saliency_map, record, explain)
        self.results.add(record, saliency_map, curves, pictures, small)
        self.progress.end(method.name, record.image, spent + time.perf_counter() - begin)
        if self.after_map is not None:
            self.after_map(method, self.is_done)

    def keep_failure(self, method: Method, sample: Sample, reason: str) -> None:
        """Keeps and says why an image has no map."""
        self.progress.say(f"{method.name} {sample.name}: {reason}")
        record = Record(method.name, sample.name, sample.stem, label=sample.label or "", status=f"failed: {reason}")
        self.results.add(record)
        self.progress.end(method.name, sample.name)


def find_first(classifier: Classifier, methods: Iterable[Method]) -> type[Explainer] | None:
    """Of the methods the one whose first pass gives the f(x) of a run: of gradients rather than of features alone.

    None: f(x) is asked for by itself, because no method begins with the whole images or another engine answers.
    """
    if classifier.engine.name != engines.TENSORFLOW or classifier.precision != "float32":
        return None
    explainers = [method.load() for method in methods]
    kinds = ("gradients", "features")
    return next((one for kind in kinds for one in explainers if one.begins_with == kind), None)
