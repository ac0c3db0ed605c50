"""A photograph, and all that a visitor asks about it.

The questions are put to the `Examiner` of main.py, its answers kept in memory; a map, a curve, a likeness to gaze is
computed when it is first asked for. Nothing here knows the page.
"""

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

import constants
from data.class_names import BY_INDEX
from data.dataset import Sample, load_density_map
from data.stems import choose_stems
from explainers.registry import METHODS, Method
from network.classifier import Classifier
from output.files import save_array, write_whole
from pipeline import run_figures as display
from pipeline.explain import Examiner
from pipeline.gaze_truth import GazeTruth
from pipeline.records import Record
from pipeline.score import Judge, Subject
from utils import read_image
from webpage.app_answers import Answers
from webpage.work import Watch, watched


@dataclass(frozen=True)
class Photograph(Sample):
    """A sample that keeps its image: it is looked at again and again, and its file may go."""

    image: np.ndarray | None = field(default=None, compare=False)

    def read(self) -> np.ndarray:
        """The image, uint8 RGB (H, W, 3)."""
        return self.image


@dataclass(frozen=True)
class Question:
    """Which maps are to be made or judged: class -> method -> options; faithfulness: as `judge.Judge` takes it."""

    asked: dict[int, dict[Method, dict]]
    seed: int
    faithfulness: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many maps of each method are asked for."""
        return Counter(method.name for methods in self.asked.values() for method in methods)


class WatchedExaminer(Examiner):
    """An examiner of a photograph that is read already, reporting to the watch of a question that may take several."""

    def __init__(self, *args, photograph: Subject, watch: Watch, **options):
        self.photograph, self.watch = photograph, watch
        super().__init__(*args, **options)

    def read_subjects(self, samples: Sequence[Sample]) -> dict[str, Subject | str]:
        """The photograph, asked about the class of this examiner: a large one is slow to read and to shrink."""
        image, pixels = self.photograph.image, self.photograph.pixels
        row = self.classifier.predict(pixels[None])[0]
        return {sample.stem: self._make_subject(sample, image, pixels, row) for sample in samples}

    @property
    def progress(self) -> Watch:
        """What the examiner reports to."""
        return self.watch

    @progress.setter
    def progress(self, own) -> None:
        """The progress that it makes for its own part is not used."""


@contextlib.contextmanager
def _without_folder(path: Path):
    """Within it, a ValueError names the file alone: the folder of an upload says nothing to a visitor."""
    try:
        yield
    except ValueError as error:
        raise ValueError(str(error).replace(str(path), path.name)) from None


class Case:
    """The photograph of a file; ValueError if it cannot be read or classified.

    folder: of the files to download. density_map_path: where people looked, if that is known; simulated: or drawn.
    """

    def __init__(self, path: Path, classifier: Classifier, folder: Path, density_map_path: Path | None = None):
        with _without_folder(path):
            image = read_image(path)
        sample = Photograph(path.name, choose_stems([path.name])[0], path, image=image)
        examiner = Examiner(classifier, None, None, class_rule="predicted")
        subject = examiner.read_subjects([sample])[sample.stem]
        if not isinstance(subject, Subject):
            raise ValueError(subject)
        probabilities = classifier.predict(subject.pixels[None])[0]
        top = np.argsort(-probabilities, kind="stable")[: constants.TOP_CLASSES]
        self.top_classes = {int(index): float(probabilities[index]) for index in top}  # the most probable first
        self.subject, self.classifier, self.folder = subject, classifier, folder
        self.density_map_path, self.simulated = density_map_path, density_map_path is not None
        self.answers: dict[int, Answers] = {}  # by class
        self.shown: dict[tuple[int, str], dict] = {}  # class and method of the maps on the screen -> its options
        self.seed = constants.SEED

    @property
    def sample(self) -> Sample:
        """The photograph with the density map it has at present."""
        return replace(self.subject.sample, density_map_path=self.density_map_path)

    def records(self) -> list[tuple[int, Record]]:
        """Class and record of what is shown, as far as it is known."""
        found = [(index, self.answers[index].find(method, self.sample)) for index, method in self.shown]
        return [(class_index, record) for class_index, record in found if record is not None]

    # --- what is asked -------------------------------------------------------------------------------------

    def ask(self, class_indices: list[int], chosen: dict[Method, dict], seed: int) -> Question:
        """The question of the maps of these classes and methods (-> their options), which are shown from now on.

        Of a method without classes there is one map, not one per class.
        """
        shown, self.seed = {}, seed
        for method, options in chosen.items():
            for class_index in class_indices if method.load().uses_class else class_indices[:1]:
                shown[class_index, method.name] = options
                answers = self.answers.setdefault(class_index, Answers(self.folder / f"class_{class_index}"))
                answers.settle(method.name, {**options, "seed": seed})
        self.shown = shown
        return self.ask_again()

    def ask_again(self, faithfulness: tuple[str, ...] = ()) -> Question:
        """The question of what is shown: what is missing of it, by the present gaze and these judges."""
        asked = {}
        for (class_index, name), options in self.shown.items():
            record = self.answers[class_index].find(name, self.sample)
            wanted = self._judge(self.classifier, faithfulness).wanted(self.sample)
            if record is None or (not record.failed and record.lacks(wanted)):
                asked.setdefault(class_index, {})[METHODS[name]] = options
        return Question(asked, self.seed, faithfulness)

    def answer(self, question: Question, watch: Watch) -> None:
        """Makes and judges the maps that the question asks for."""
        n_images = 2 * (self.classifier.input_height + 1)  # of two curves: a row's worth of pixels a step
        judge = self._judge(watched(self.classifier, watch, n_images), question.faithfulness)
        for class_index, methods in question.asked.items():
            WatchedExaminer(
                self.classifier,
                self.answers[class_index],
                judge,
                class_rule=f"{BY_INDEX}{class_index}",
                seed=question.seed,
                photograph=self.subject,
                watch=watch,
            ).examine([self.sample], methods)

    def compare_with(self, density_map_path: Path | None) -> None:
        """From now on, this is where people looked; ValueError for a density map that cannot be used."""
        sample = replace(self.sample, density_map_path=density_map_path)
        if density_map_path is not None:
            with _without_folder(density_map_path):
                load_density_map(sample, *self.subject.size)
        self.density_map_path, self.simulated = density_map_path, False
        for answers in self.answers.values():
            answers.forget_gaze()

    def _judge(self, classifier: Classifier, faithfulness: tuple[str, ...]) -> Judge:
        return Judge(classifier, GazeTruth([self.sample]), faithfulness=faithfulness)

    # --- what is downloaded --------------------------------------------------------------------------------

    def write_files(self, style: display.Style) -> list[Path]:
        """The raw maps shown (.npy), each followed by its figure (.png), as main.py writes them."""
        paths = []
        for class_index, record in self.records():
            if record.failed:
                continue
            answers, path = (
                self.answers[class_index],
                self.folder / f"{record.method}_{class_index}_{record.stem}.npy",
            )
            saliency_map = answers.read_map(record)
            paths.append(write_whole(path, lambda partial, array=saliency_map: save_array(partial, array)))
            method, model = METHODS[record.method], self.classifier.describe()
            figure = display.write_figures(answers, [self.sample], [method], "grid", style, model)[0]
            paths.append(figure.replace(path.with_suffix(".png")))
        return paths
