"""From targets to files: images that excite them, the curves of the ascent, and what the classifier says of each.

    <folder>/results.csv                     one row per method and target
    <folder>/images/<METHOD>/<target>.png    the image, at the model's input size
    <folder>/curves/<METHOD>/<target>.csv    step, score, objective (the score less its penalties)
    <folder>/state/*.npz                     of a batch that is not finished; removed once it is

The verdict is on the picture as it is written, in whole grey levels. A run that is killed goes on from the last
checkpoint, and ends with the very images of one that was not: a step depends on the seed and its number alone.
"""

import csv
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

import constants
from network.classifier import Classifier
from output import files
from output.progress import Progress
from output.tables import write_table
from units.maximisation import Maximiser, State
from units.visualization_targets import Target

FILES = ("results.csv", "images/*/*.png", "curves/*/*.csv", "state/*.npz", "feature_visualization*.png")
COLUMNS = (
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


class Visualizer:
    """Makes the images of targets and keeps them in a folder.

    settings: method -> settings of `constants.VISUALIZATION_METHODS`. rows: (method, stem) -> row of results.csv.
    """

    def __init__(self, classifier: Classifier, folder: Path, settings: dict[str, dict], seed: int = constants.SEED):
        self.classifier, self.folder, self.settings, self.seed = classifier, folder, settings, seed
        self.rows = {}
        if (folder / "results.csv").is_file():
            with files.open_text(folder / "results.csv") as file:
                self.rows = {(row["method"], row["stem"]): row for row in csv.DictReader(file)}

    def is_done(self, method: str, target: Target) -> bool:
        """Whether the image of a target is there already."""
        return (method, target.stem) in self.rows and self.image_path(method, target.stem).is_file()

    def image_path(self, method: str, stem: str) -> Path:
        """Where the image of a target is kept."""
        return self.folder / "images" / method / f"{stem}.png"

    def curve_path(self, method: str, stem: str) -> Path:
        """Where the curve of a target is kept."""
        return self.folder / "curves" / method / f"{stem}.csv"

    def visualize(self, work: Mapping[str, Sequence[Target]]) -> None:
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
                for first in range(0, len(same), self.classifier.batch_size):
                    self._maximise(method, same[first : first + self.classifier.batch_size], progress)

    def _maximise(self, method: str, targets: list[Target], progress: Progress) -> None:
        name = targets[0].name + (f" and {len(targets) - 1} more" if len(targets) > 1 else "")
        progress.begin(method, name)
        looking = self.classifier if targets[0].kind == "class" else self.classifier.view(targets[0].layer)
        maximiser = Maximiser(
            looking,
            targets[0].kind,
            [target.index for target in targets],
            self.settings[method],
            targets[0].position,
            self.seed,
        )
        n_steps = self.settings[method]["n_steps"]
        stems = "\n".join(target.stem for target in targets)
        checkpoint = self.folder / "state" / f"{method}_{zlib.crc32(stems.encode()):08x}.npz"
        state = read_state(checkpoint) or maximiser.start()
        while state.n_steps < n_steps:
            begin = time.perf_counter()
            todo = min(constants.STEPS_PER_CHECKPOINT, n_steps - state.n_steps)
            state = maximiser.advance(state, todo, lambda step: progress.within(step, n_steps))
            state.seconds += time.perf_counter() - begin
            files.write_whole(checkpoint, lambda path, state=state: write_state(path, state))
        self._keep(method, targets, maximiser.images(state), state)
        checkpoint.unlink(missing_ok=True)
        for target in targets:
            progress.end(method, target.name, state.seconds / len(targets))

    def _keep(self, method: str, targets: list[Target], images: np.ndarray, state: State) -> None:
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
            row = self._judge(method, target, probabilities)
            row.update(
                score_start=f"{state.history[0, 0, number]:.6g}",
                score_end=f"{state.history[-1, 0, number]:.6g}",
                steps=state.n_steps,
                seconds=f"{state.seconds / len(targets):.3f}",
                stem=target.stem,
            )
            self.rows[method, target.stem] = row
        rows = list(self.rows.values())
        write_table(self.folder / "results.csv", rows, COLUMNS)

    def _judge(self, method: str, target: Target, probabilities: np.ndarray) -> dict:
        """The row of a target for the probabilities (C,) of its image; is_sure: 'yes' or 'no' for a class."""
        top, is_class = int(probabilities.argmax()), target.kind == "class"
        sure = is_class and top == target.index and probabilities[top] > constants.SURE_PROBABILITY
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


def write_state(path: Path, state: State) -> None:
    """Writes a state to a .npz file of exactly that name."""
    with path.open("wb") as file:
        np.savez(file, **vars(state))


def read_state(path: Path) -> State | None:
    """The state that was written there; None if there is none."""
    if not path.is_file():
        return None
    with np.load(path) as arrays:
        values = {name: arrays[name] for name in arrays.files}
    return State(**{**values, "seconds": float(values["seconds"])})
