"""Finished runs whose folder was damaged: the same command, or report.py, is given it again."""

import io
import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from tools.faults import kills
from tools.faults.faulty_images import ask_command, draw, share_classifier
from tools.faults.mangle import spoil_bytes, spoil_json, spoil_text
from tools.faults.trials import FaultyInput, Kind, Place

METHODS = "GRADCAM,FEM"
STORAGES = ("files", "columns")
MAPS_AND_RECORDS = (".npy", ".npz", ".parquet")
OTHERS = ("feature_visualization", "network_dissection")


def array_file(array: np.ndarray) -> bytes:
    """The bytes of a .npy file, objects pickled."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


class WritingPickle:
    """What writes the canary file when it is unpickled."""

    def __init__(self, path: str):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


class States(Kind):
    """run.json, records.csv, the other tables, curves, maps and figures: one to three of them spoiled."""

    def prepare(self, place: Place) -> None:
        """Makes the run that is spoiled."""
        import utils

        utils.load_tensorflow()
        share_classifier()
        self.calm, self.images = place.outside.parent / "calm", place.outside.parent / "photographs"
        if not self.images.is_dir():
            self.images.mkdir()
            for number in range(6):  # so many that methods may have unlike many
                (self.images / f"{number}.png").write_bytes(draw(np.random.default_rng(number), "PNG")[1])
        self.folder = place.inside / "results"
        self.calm.mkdir(exist_ok=True)
        for storage in STORAGES:
            if not (self.calm / storage).is_dir():
                ask_command("main", self._flags(storage))
                self.folder.rename(self.calm / storage)

    def _flags(self, storage):
        return [
            f"--explanation_method={METHODS}",
            f"--test_images_folder_path={self.images}",
            "--model_name=ResNetDemo",
            f"--storage={storage}",
            f"--output_folder_path={self.folder}",
        ]

    def make(self, rng: np.random.Generator, place: Place) -> FaultyInput:
        """A copy of the run, spoiled."""
        storage = str(rng.choice(STORAGES))
        shutil.copytree(self.calm / storage, self.folder)
        files = sorted(path for path in self.folder.rglob("*") if path.is_file() and path.name != ".lock")
        often = [
            path
            for path in files
            if path.name in ("run.json", "records.csv") or path.suffix in (".npy", ".npz", ".parquet")
        ]
        curves = [path for path in files if path.parent.parent.name == "curves"]
        words, names = [], []
        for _ in range(rng.integers(1, 4)):
            group = [files, often, often, curves or often][rng.integers(4)]
            path = group[rng.integers(len(group))]
            if (name := path.relative_to(self.folder).as_posix()) in names:
                continue  # spoiled already
            names.append(name)
            words.append(f"{names[-1]}: {spoil_file(rng, path, place)}")
        reports = rng.random() < 0.3
        return FaultyInput(
            f"{'report.py, ' if reports else ''}{storage}, {'; '.join(words)}",
            lambda: ask_command("report", [str(self.folder)]) if reports else ask_command("main", self._flags(storage)),
            names,
        )


def spoil_file(rng: np.random.Generator, path: Path, place: Place) -> str:
    """Spoils a file of a run; in words, how."""
    if not path.is_file() or path.is_symlink():
        return "gone already"
    choice, content = rng.random(), path.read_bytes()
    if choice < 0.08:
        path.unlink()
        return "missing"
    if choice < 0.14:
        path.unlink()
        path.mkdir()
        return "a folder"
    if choice < 0.18:
        path.unlink()
        path.symlink_to(path.name)
        return "a link to itself"
    if choice < 0.24:
        path.write_bytes(b"")
        return "empty"
    if path.suffix == ".npy" and choice < 0.6:
        ways = {
            "objects": np.array([WritingPickle(str(place.canary))], object),
            "three axes": np.zeros((3, 4, 5), np.float32),
            "another size": np.zeros((5, 7), np.float32),
            "texts": np.array([["a", "b"]]),
            "NaN": np.full((64, 64), np.nan, np.float32),
            "complex": np.zeros((64, 64), np.complex64),
            "empty": np.zeros((0, 0), np.float32),
            "a number": np.float32(3),
            "fields": np.zeros((64, 64), [("a", "f4")]),
        }
        way = str(rng.choice(list(ways)))
        path.write_bytes(array_file(ways[way]))
        return way
    if path.suffix == ".json" and choice < 0.8:
        words, text = spoil_json(rng, json.loads(content))
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        return words
    if path.suffix in (".csv", ".json", ".tex") and choice < 0.9:
        words, content = spoil_text(rng, content.decode("utf-8", "replace"))
    else:
        words, content = spoil_bytes(rng, content)
    path.write_bytes(content)
    return words


class Folders(Kind):
    """As `States`, of two commands that keep tables and curves of their own, and go on where they were stopped."""

    def prepare(self, place: Place) -> None:
        """Makes the runs that are spoiled; what they read stands in the folder in which they are made."""
        import utils

        utils.load_tensorflow()
        share_classifier()
        bench = Path(tempfile.gettempdir()) / "bench"  # where the commands may draw the embedded data again
        is_new, self.folder = not bench.is_dir(), place.inside / "results"
        bench.mkdir(exist_ok=True)
        self.bench, self.calm = kills.CommandBench(bench), bench / "calm"
        if is_new:
            self.bench.prepare([OTHERS[0]])
        os.chdir(bench)
        for command in OTHERS:
            if not (self.calm / command).is_dir():
                ask_command(command, self._flags(command))
                shutil.copytree(self.folder, self.calm / command)
                shutil.rmtree(self.folder)

    def _flags(self, command):
        return self.bench.words(command, self.folder)[1:]

    def make(self, rng: np.random.Generator, place: Place) -> FaultyInput:
        """A copy of a run, one or two of its files spoiled: of each ending as often as of any other."""
        command = str(rng.choice(OTHERS))
        shutil.copytree(self.calm / command, self.folder)
        files = sorted(path for path in self.folder.rglob("*") if path.is_file() and path.name != ".lock")
        words, names = [], []
        for _ in range(rng.integers(1, 3)):
            ending = str(rng.choice(sorted({path.suffix for path in files})))
            group = [path for path in files if path.suffix == ending]
            path = group[rng.integers(len(group))]
            if (name := path.relative_to(self.folder).as_posix()) in names:
                continue  # spoiled already
            names.append(name)
            words.append(f"{names[-1]}: {spoil_file(rng, path, place)}")
        return FaultyInput(
            f"{command}.py, {'; '.join(words)}", lambda: ask_command(command, self._flags(command)), names
        )
