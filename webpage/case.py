"""A photograph, and all that a visitor asks about it.

What is asked of the same photograph again - another class, another method, its curves, its likeness to gaze - is added
to what is known; nothing is computed twice. Nothing here knows the page.
"""

import contextlib
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

import constants
from data.dataset import Sample, load_density_map
from data.images import read_image
from data.names import choose_file_stems
from explainers.registry import METHODS, Method
from network.classifier import Classifier
from output.files import save_array, write_whole
from pipeline.records import Record
from pipeline.run_figures import Drawing, Style, write_run_figures
from webpage.answers import Answers, explain, prepare
from webpage.work import Watch


@dataclass(frozen=True)
class Photograph(Sample):
    """A sample that keeps its image: it is looked at again and again, and its file may go."""

    image: np.ndarray | None = field(default=None, compare=False)

    def read(self, side: int | None = None) -> np.ndarray:
        """The image, uint8 RGB (H, W, 3), whole."""
        return self.image


@dataclass(frozen=True)
class MapRequest:
    """Which maps are to be made or scored: class -> method -> options.

    faithfulness: keys of `metrics.catalogue.FAITHFULNESS`, the metrics that ask the network.
    """

    asked: dict[int, dict[Method, dict]]
    seed: int
    faithfulness: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many maps of each method are asked for."""
        return Counter(method.name for methods in self.asked.values() for method in methods)


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
        prepared = prepare(Photograph(path.name, choose_file_stems([path.name])[0], path, image=image), classifier)
        probabilities = classifier.predict(prepared.pixels[None])[0]
        top = np.argsort(-probabilities, kind="stable")[: constants.TOP_CLASSES]
        self.top_classes = {int(index): float(probabilities[index]) for index in top}  # the most probable first
        self.prepared, self.classifier, self.folder = prepared, classifier, folder
        self.density_map_path, self.simulated = density_map_path, density_map_path is not None
        self.answers: dict[int, Answers] = {}  # by class
        self.shown: dict[tuple[int, str], dict] = {}  # class and method of the maps on the screen -> its options
        self.seed = constants.SEED

    @property
    def sample(self) -> Sample:
        """The photograph with the density map it has at present."""
        return replace(self.prepared.sample, density_map_path=self.density_map_path)

    def records(self) -> list[tuple[int, Record]]:
        """Class and record of what is shown, as far as it is known."""
        found = [(index, self.answers[index].find(method, self.sample)) for index, method in self.shown]
        return [(class_index, record) for class_index, record in found if record is not None]

    # --- what is asked -------------------------------------------------------------------------------------

    def ask(self, class_indices: list[int], chosen: dict[Method, dict], seed: int) -> MapRequest:
        """The question of the maps of these classes and methods (-> their options), which are shown from now on.

        Of a method without classes there is one map, not one per class.
        """
        shown, self.seed = {}, seed
        for method, options in chosen.items():
            for class_index in class_indices if method.load().uses_class else class_indices[:1]:
                shown[class_index, method.name] = options
                answers = self.answers.setdefault(class_index, Answers(self.folder / f"class_{class_index}"))
                answers.use_options(method.name, {**options, "seed": seed})
        self.shown = shown
        return self.ask_again()

    def ask_again(self, faithfulness: tuple[str, ...] = ()) -> MapRequest:
        """The question of what is shown: what is missing of it, by the present gaze and these metrics."""
        asked = {}
        for (class_index, name), options in self.shown.items():
            if self.answers[class_index].lacks(name, self.sample, faithfulness, self.classifier):
                asked.setdefault(class_index, {})[METHODS[name]] = options
        return MapRequest(asked, self.seed, faithfulness)

    def answer(self, question: MapRequest, watch: Watch) -> None:
        """Makes and scores the maps that the question asks for; raises `Stopped` once the watch is stopped."""
        prepared = replace(self.prepared, sample=self.sample)
        for class_index, chosen in question.asked.items():
            asked = prepared, class_index, chosen, self.answers[class_index], self.classifier
            explain(*asked, faithfulness=question.faithfulness, seed=question.seed, watch=watch)

    def compare_with(self, density_map_path: Path | None) -> None:
        """From now on, this is where people looked; ValueError for a density map that cannot be used."""
        sample = replace(self.sample, density_map_path=density_map_path)
        if density_map_path is not None:
            with _without_folder(density_map_path):
                load_density_map(sample, *self.prepared.size)
        self.density_map_path, self.simulated = density_map_path, False
        for answers in self.answers.values():
            answers.forget_gaze()

    # --- what is downloaded --------------------------------------------------------------------------------

    def write_files(self, style: Style) -> list[Path]:
        """The raw maps shown (.npy), each followed by its figure (.png), as main.py writes them."""
        paths = []
        for class_index, record in self.records():
            if record.failed:
                continue
            answers = self.answers[class_index]
            path = self.folder / f"{record.method}_{class_index}_{record.stem}.npy"
            saliency_map = answers.read_map(record)
            paths.append(write_whole(path, lambda partial, array=saliency_map: save_array(partial, array)))
            method, model = METHODS[record.method], self.classifier.describe()
            figure = write_run_figures(Drawing(answers, [self.sample], [method], "grid", style, model))[0]
            paths.append(figure.replace(path.with_suffix(".png")))
        return paths
