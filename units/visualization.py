"""What is to be visualized, and its files: images that excite it, curves of the ascent, what the classifier says of it.

    <folder>/results.csv                     one row per method and target
    <folder>/images/<METHOD>/<target>.png    the image, at the model's input size
    <folder>/curves/<METHOD>/<target>.csv    step, score, objective (the score less its penalties)
    <folder>/state/*.npz                     of a batch that is not finished; removed once it is

The verdict is on the picture as it is written, in whole grey levels. A run that is killed goes on from the last
checkpoint, and ends with the very images of one that was not: a step depends on the seed and its number alone.
"""

import re
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

import constants
import utils
from network.classifier import Classifier
from output import files
from output.progress import Progress
from output.tables import align, read_rows, write_table
from units.maximisation import Maximiser, State

FILES = (
    *("results.csv", "images/*/*.png", "curves/*/*.csv", "state/*.npz", "feature_visualization*.png"),
    "animations/*/*.gif",  # of ascents.py
)
IMPRESSION_COLUMNS = (
    "method",
    "target",
    "kind",
    "layer",
    "index",
    "verdict",
    "probability",
    "target_probability",
    "is_sure",
    "score_start",
    "score_end",
    "steps",
    "seconds",
    "stem",
)
MOST_CLASSES = 12  # that are all visualized where none is named
STEPS_PER_CHECKPOINT = 32  # what a run killed half-way does again
SURE_PROBABILITY = 0.9  # a class impression is one if the classifier gives its class more


@dataclass(frozen=True)
class VisualizationTarget:
    """What is to be excited. kind: of maximisation.KINDS. index: of the class or channel, 0 for a layer.

    layer: its path, '' for a class. position: (row, column) of a neuron; None: the middle.
    """

    kind: str
    index: int
    name: str
    layer: str = ""
    position: tuple[int, int] | None = None

    @property
    def stem(self) -> str:
        """Of its files: any file system takes it, and no other target of the model has it."""
        numbers = [] if self.kind == "layer" else [self.index, *(self.position or ())]
        name = (self.layer or self.name)[-80:]  # the end of a nested layer's path tells it from its neighbours
        return re.sub(r"[^\w.-]+", "_", "_".join(map(str, [self.kind, *numbers, name])))


def choose_targets(
    classifier: Classifier,
    class_index: str | None = None,
    layer_name: str | None = None,
    channels: Sequence[int] | None = None,
    position: tuple[int, int] | None = None,
) -> list[VisualizationTarget]:
    """The targets of the flags: classes and layers by commas; neither: every class, if they are few.

    channels: of every layer; None: the layers as a whole. position: of a neuron; None: whole channels.
    ValueError for a class, layer, channel or position that the model does not have.
    """
    classes = []
    if class_index:
        classes = [classifier.class_index_of(name.strip()) for name in class_index.split(",")]
    elif not layer_name:
        if classifier.n_classes > MOST_CLASSES:
            raise ValueError(f"the model has {classifier.n_classes} classes: choose with --class_index or --layer_name")
        classes = range(classifier.n_classes)
    targets = [VisualizationTarget("class", index, classifier.class_names[index]) for index in dict.fromkeys(classes)]
    for name in layer_name.split(",") if layer_name else ():
        looking = classifier.at_layer(name.strip(), of_pieces=True)
        layer = looking.layer_name
        _check_place(looking, channels or (), position)
        if channels is None:
            targets.append(VisualizationTarget("layer", 0, layer, layer))
        kind, where = ("neuron", f" at {position[0]}, {position[1]}") if position else ("channel", "")
        for index in channels or ():
            targets.append(VisualizationTarget(kind, index, f"{layer}, channel {index}{where}", layer, position))
    return targets


def _check_place(looking: Classifier, channels: Sequence[int], position: tuple[int, int] | None) -> None:
    """ValueError for channels or a position that the layer looked at does not have."""
    layer, layout = looking.layer_name, looking.layout
    held = [step.output.shape[1:] for step in looking.steps if step.path == layer][-1]
    *positions, n = layout.shape if layout else held
    wrong = [k for k in channels if k >= n]
    if wrong:
        given = ", ".join(map(str, wrong))
        raise ValueError(f"layer {layer!r} has {n} channels, 0 to {n - 1}; given: {given}")
    rows, columns = positions or (1, 1)
    if position and (position[0] >= rows or position[1] >= columns):
        raise ValueError(f"layer {layer!r} has {rows} x {columns} positions, counted from 0; {position} is none")


def choose_work(
    targets: Sequence[VisualizationTarget], methods: Sequence[str] | None
) -> dict[str, list[VisualizationTarget]]:
    """Method -> its targets: all of them, or, where no method was asked for, those whose default it is."""
    work = {}
    for target in targets:
        for method in methods or ["CLASS_IMPRESSION" if target.kind == "class" else "FOURIER"]:
            work.setdefault(method, []).append(target)
    return work


def choose_method_settings(methods: Iterable[str], n_steps: int | None) -> dict[str, dict]:
    """Method -> its settings; n_steps: of all of them, None: each one's own."""
    steps = {"n_steps": n_steps} if n_steps else {}
    return {name: {**constants.VISUALIZATION_METHODS[name], **steps} for name in methods}


# --- images and files ------------------------------------------------------------------------------------
class Visualizer:
    """Makes the images of targets and keeps them in a folder.

    settings: method -> settings of `constants.VISUALIZATION_METHODS`. rows: (method, stem) -> row of results.csv.
    """

    def __init__(self, classifier: Classifier, folder: Path, settings: dict[str, dict], seed: int = constants.SEED):
        self.classifier, self.folder, self.settings, self.seed = classifier, folder, settings, seed
        self.rows = {}
        if (folder / "results.csv").is_file():
            rows = read_rows(folder / "results.csv", IMPRESSION_COLUMNS)
            with files.refuse_damaged(folder / "results.csv"):
                for row in rows:
                    float(row["probability"])  # which the figures show
            self.rows = {(row["method"], row["stem"]): row for row in rows}

    def is_done(self, method: str, target: VisualizationTarget) -> bool:
        """Whether the image of a target is there already, and its curve."""
        paths = self.image_path(method, target.stem), self.curve_path(method, target.stem)
        return (method, target.stem) in self.rows and all(path.is_file() for path in paths)

    def image_path(self, method: str, stem: str) -> Path:
        """The path of the image of a target."""
        return self.folder / "images" / method / f"{stem}.png"

    def curve_path(self, method: str, stem: str) -> Path:
        """The path of the curve of a target."""
        return self.folder / "curves" / method / f"{stem}.csv"

    def visualize(self, work: Mapping[str, Sequence[VisualizationTarget]]) -> None:
        """Makes every image of a method's targets that is not there yet, as many at a time as the classifier takes."""
        left = {
            method: [target for target in targets if not self.is_done(method, target)]
            for method, targets in work.items()
        }
        progress = Progress({method: len(group) for method, group in left.items()})
        for method, group in left.items():
            alike = {}
            for target in group:
                alike.setdefault((target.kind, target.layer, target.position), []).append(target)
            for same in alike.values():
                for together in utils.in_batches(same, self.classifier.batch_size):
                    self._maximise(method, together, progress)

    def open_maximiser(self, method: str, targets: Sequence[VisualizationTarget]) -> Maximiser:
        """What ascends for targets of one kind in one layer."""
        looking = self.classifier
        if targets[0].kind != "class":
            looking = looking.at_layer(targets[0].layer, of_pieces=True)
        indices = [target.index for target in targets]
        return Maximiser(looking, targets[0].kind, indices, self.settings[method], targets[0].position, self.seed)

    def _maximise(self, method: str, targets: list[VisualizationTarget], progress: Progress) -> None:
        name = targets[0].name + (f" and {len(targets) - 1} more" if len(targets) > 1 else "")
        progress.begin(method, name)
        maximiser = self.open_maximiser(method, targets)
        n_steps = self.settings[method]["n_steps"]
        stems = "\n".join(target.stem for target in targets)
        checkpoint = self.folder / "state" / f"{method}_{zlib.crc32(stems.encode()):08x}.npz"
        state = read_state(checkpoint) or maximiser.start()
        while state.n_steps < n_steps:
            begin = time.perf_counter()
            todo = min(STEPS_PER_CHECKPOINT, n_steps - state.n_steps)
            state = maximiser.advance(state, todo, lambda step: progress.within(step, n_steps))
            state.seconds += time.perf_counter() - begin
            files.write_whole(checkpoint, lambda path, state=state: write_state(path, state))
        self._keep(method, targets, maximiser.images(state), state)
        checkpoint.unlink(missing_ok=True)
        for target in targets:
            progress.end(method, target.name, state.seconds / len(targets))

    def _keep(self, method: str, targets: list[VisualizationTarget], images: np.ndarray, state: State) -> None:
        verdicts = self.classifier.predict(images.astype(np.float32))
        for number, (target, image, probabilities) in enumerate(zip(targets, images, verdicts)):
            files.write_whole(self.image_path(method, target.stem), files.picture_saver(image))
            curve = np.column_stack([np.arange(state.n_steps), state.history[:, :, number]])
            files.write_whole(
                self.curve_path(method, target.stem),
                lambda path, curve=curve: np.savetxt(
                    path, curve, fmt="%.6g", delimiter=",", header="step,score,objective", comments=""
                ),
            )
            row = self._say_verdict(method, target, probabilities)
            row.update(
                score_start=f"{state.history[0, 0, number]:.6g}",
                score_end=f"{state.history[-1, 0, number]:.6g}",
                steps=state.n_steps,
                seconds=f"{state.seconds / len(targets):.3f}",
                stem=target.stem,
            )
            self.rows[method, target.stem] = row
        rows = list(self.rows.values())
        write_table(self.folder / "results.csv", rows, IMPRESSION_COLUMNS)

    def _say_verdict(self, method: str, target: VisualizationTarget, probabilities: np.ndarray) -> dict:
        """The row of a target for the probabilities (C,) of its image; is_sure: 'yes' or 'no' for a class."""
        top, is_class = int(probabilities.argmax()), target.kind == "class"
        sure = is_class and top == target.index and probabilities[top] > SURE_PROBABILITY
        return {
            "method": method,
            "target": target.name,
            "kind": target.kind,
            "layer": target.layer,
            "index": target.index,
            "verdict": self.classifier.class_names[top],
            "probability": f"{probabilities[top]:.6f}",
            "target_probability": f"{probabilities[target.index]:.6f}" if is_class else "",
            "is_sure": ("yes" if sure else "no") if is_class else "",
        }


def describe_doubt(row: dict) -> str:
    """Why an image is no impression of its class."""
    if (row["verdict"], row["probability"]) == (row["target"], row["target_probability"]):
        found = f"classified as it, but with {float(row['probability']):.3f} only"
    else:
        found = f"classified as {row['verdict']!r} with {row['probability']}, it has {row['target_probability']}"
    wanted = f"over {SURE_PROBABILITY} is wanted, more --n_steps may help"
    return f"not an impression of {row['target']!r}: {found}; {wanted}"


def format_rows(rows: Sequence[dict]) -> str:
    """The rows of results.csv as a table, the numbers of a column with as many decimals."""
    head = ["target", "method", "classified as", "probability", "score from", "to", "steps", "seconds"]
    decimals = {"probability": 3, "score_start": 2, "score_end": 2, "steps": 0, "seconds": 1}
    lines = [head]
    for row in rows:
        numbers = [f"{float(row[name]):.{places}f}" for name, places in decimals.items()]
        lines.append([row["target"], row["method"], row["verdict"], *numbers])
    return align(lines)


def write_state(path: Path, state: State) -> None:
    """Writes a state to a .npz file of exactly that name."""
    with path.open("wb") as file:
        np.savez(file, **vars(state))


def read_state(path: Path) -> State | None:
    """The state that was written there; None if there is none, ValueError if it is damaged."""
    if not path.is_file():
        return None
    values = files.read_arrays(path, [entry.name for entry in fields(State)])
    return State(**{**values, "seconds": float(values["seconds"])})
