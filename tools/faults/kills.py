"""Every command is killed at moments drawn by a seed, and run again: in the end its files are those of a calm run.

First it meets a full disk: from one of its events on, no byte can be written to any file, as RLIMIT_FSIZE has it
(not on Windows). It has to end with one line that names the file, and code 2. Then it is killed: half of the kills are
by SIGKILL, the others by SIGTERM, SIGHUP, or SIGINT as Ctrl-C sends it; half come at an event, the n-th file that is
opened for writing or put in its place below the output folder: between the writing of a file and its taking the place
of the old one, for example. The others come at a time after the first of these events. A command that is killed is
given again in the same folder, and may be killed again; after as many kills as are wanted it is let go on to its end.
Files are compared as tools/same_results.py does: maps by their bits, pictures by their pixels, tables without
`seconds`; networks by their weights, drawn.json by the figures that it knows, all others by their bytes. A file of one
side alone, as one written in part, is a difference.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools import same_results
from tools.faults.trials import ROOT

COMMANDS = {  # {folder}: where the files of the command go; {runs}: a finished run of main.py; {taxonomy}: a csv file
    "main": "main.py --explanation_method=GRADCAM,FEM --limit=2 --top_k=2 --baselines",
    "train": "train.py --weights={network} --epochs_head=3 --epochs_fine_tuning=2 {images} "
    "--output_model_path={folder}/m.keras",
    "gaze": "gaze.py --limit=6",
    "compare": "compare.py --explanation_method=GRADCAM,FEM --limit=3",
    "sanity": "sanity.py --explanation_method=GRADCAM --limit=2 --n_stages=2",
    "hierarchy": "hierarchy.py --limit=2 --taxonomy={taxonomy}",
    "report": "report.py {runs}",
    "demo": "demo.py --limit=3",
    "activations": "activations.py --limit=4 --layer_name=post_relu",
    "feature_visualization": "feature_visualization.py --class_index=0 --n_steps=6 "
    "--visualization_method=FOURIER,CLASS_MODEL",
    "network_dissection": "network_dissection.py --limit=6 --layer_name=post_relu",
    "attention_mil": "attention_mil.py --weights={network} --epochs_head=2 --epochs_fine_tuning=1 {images} "
    "--output_model_path={folder}/m.keras",
}
TAXONOMY = "leaf,age\nColonial,old\nPrehispanic,old\nModern,new\n"
KILLED = f"""
import os, signal, sys, time
folder, log, number, what, *sys.argv = sys.argv[1:]
folder, log, number = os.path.realpath(folder), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), int(number)
seen = 0
def note(event, args):
    global seen
    if what == "full" and seen >= number:
        return
    if event == "os.rename":
        path = args[1]
    elif event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR):
        path = args[0]
    else:
        return
    if isinstance(path, (str, bytes, os.PathLike)) and os.path.realpath(os.fsdecode(path)).startswith(folder + os.sep):
        seen += 1
        os.write(log, f"{{time.monotonic()}}\\n".encode())
        if seen == number and what == "full":
            import resource
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        elif seen == number:
            os.kill(os.getpid(), int(what))
sys.path.insert(0, {str(ROOT)!r})
import runpy
sys.addaudithook(note)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
SIGNALS = ("SIGKILL", "SIGKILL", "SIGKILL", "SIGTERM", "SIGHUP", "SIGINT") if os.name != "nt" else ("SIGTERM",)
STOPPED = 130  # exit code after SIGINT
LIMIT = 600.0  # seconds for one run of a command
LONGEST_WAIT = 120.0  # seconds until the first file


@dataclass(frozen=True)
class Killed:
    """What came of one command: kills, ends of the command that were compared, files, what differed or went wrong, and
    full disks that it met."""

    command: str
    kills: int
    ends: int
    files: int
    faults: list[str]
    full_disks: int = 0


class CommandBench:
    """A folder in which the commands run, with what some of them need."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.taxonomy = folder / "taxonomy.csv"
        self.taxonomy.write_text(TAXONOMY)
        self.runs = folder / "a_run"

    def prepare(self, commands: Sequence[str]) -> None:
        """Draws the embedded data, and makes a run for report.py, where these commands need them."""
        if set(commands) - {"demo"}:
            self._call(["demo.py"])
        if "report" in commands:
            self._call(["main.py", "--limit=3", f"--output_folder_path={self.runs}"])

    def _call(self, words: list[str]) -> None:
        done = subprocess.run([sys.executable, str(ROOT / words[0]), *words[1:]], cwd=self.folder, capture_output=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr.decode()[-500:]}")

    def words(self, command: str, folder: Path) -> list[str]:
        """The command and its flags, its files going to the folder."""
        drawn = self.folder / "demo_data" / "images_val"
        text = COMMANDS[command].format(
            folder=folder,
            runs=self.runs,
            taxonomy=self.taxonomy,
            network=ROOT / "network" / "demo_resnet.keras",
            images=f"--train_images_folder_path={drawn} --val_images_folder_path={drawn}",
        )
        script, *flags = text.split()
        output = [] if "{folder}" in COMMANDS[command] else [f"--output_folder_path={folder}"]
        return [str(ROOT / script), *flags, *output]

    def start(self, command: str, number: int = 0, what: str | int = 0) -> tuple[subprocess.Popen, Path]:
        """The running command and the file of its events' times.

        At event `number` (0: never) it sends itself the signal `what`, or finds the disk 'full'.
        """
        log, folder = self.folder / f"{command}.events", self.folder / command
        log.unlink(missing_ok=True)
        words = [sys.executable, "-c", KILLED, str(folder), str(log), str(number), str(what)]
        words += self.words(command, folder)
        screen = subprocess.PIPE if what == "full" else (self.folder / f"{command}.txt").open("w")
        return subprocess.Popen(words, cwd=self.folder, stdout=screen, stderr=screen, text=True), log

    def try_command(self, command: str, n: int, seed: int) -> Killed:
        """n kills of a command, and the comparison of its files whenever it came to an end."""
        rng = np.random.default_rng([seed, zlib.crc32(command.encode())])
        folder, calm = self.folder / command, self.folder / f"{command}_calm"
        process, log = self.start(command)
        code, times = process.wait(LIMIT), self._times(log)
        if code not in (0, 1):
            return Killed(command, 0, 0, 0, [f"the calm run ended with {code}: {self._screen(command)}"])
        folder.rename(calm)
        n_files = sum(path.is_file() for path in calm.rglob("*"))
        faults, ends = self._fill_disk(command, folder, calm, code, int(rng.integers(1, len(times) + 1)))
        kills = 0
        for _ in range(3 * n):
            if kills == n:
                break
            if self._kill(command, times, rng):
                kills += 1
            else:  # it had come to its end before
                ends += 1
                faults += self._end(command, folder, calm, code)
        process, _ = self.start(command)
        faults += self._end(command, folder, calm, code, process.wait(LIMIT))
        for path in (folder, calm):
            shutil.rmtree(path, ignore_errors=True)
        return Killed(command, kills, ends + 1, n_files, faults, full_disks=int(os.name != "nt"))

    def _fill_disk(self, command, folder, calm, wanted, number):
        """Faults, and ends that were compared, of a run on a disk that is full from an event on."""
        if os.name == "nt":
            return [], 0
        process, _ = self.start(command, number, "full")
        told = process.communicate(timeout=LIMIT)[1].strip()
        if process.returncode == wanted:  # nothing was left to write
            return self._end(command, folder, calm, wanted, wanted), 1
        last = told.splitlines()[-1] if told else ""
        names = any(place in last for place in (str(folder), tempfile.gettempdir()))
        if process.returncode != 2 or ": error: " not in last or not names or "Traceback" in told:
            return [f"a full disk at event {number} ended with {process.returncode}: {told[-500:]}"], 0
        return [], 0

    def _kill(self, command, times, rng):
        """Whether the command was killed before its end."""
        at_event, sent = rng.random() < 0.5, getattr(signal, SIGNALS[rng.integers(len(SIGNALS))])
        process, log = self.start(command, int(rng.integers(1, len(times) + 1)) if at_event else 0, int(sent))
        delay = rng.uniform(0, times[-1] - times[0] + 0.5)
        if not at_event:
            begun = time.monotonic()
            while process.poll() is None and not self._times(log) and time.monotonic() < begun + LONGEST_WAIT:
                time.sleep(0.01)
            try:
                process.wait(delay)
            except subprocess.TimeoutExpired:
                process.send_signal(sent)
        self.last_code = process.wait(LIMIT)
        return self.last_code in (-sent, STOPPED if sent == signal.SIGINT else -sent, 1 if os.name == "nt" else -sent)

    def _end(self, command, folder, calm, wanted, code=None):
        code = self.last_code if code is None else code
        if code != wanted:
            return [f"ended with {code} in the place of {wanted}: {self._screen(command)}"]
        faults = compare(calm, folder)
        shutil.rmtree(folder)
        return faults

    def _times(self, log: Path) -> list[float]:
        return [float(line) for line in log.read_text().split()] if log.exists() else []

    def _screen(self, command: str) -> str:
        return (self.folder / f"{command}.txt").read_text(errors="replace")[-300:]


def try_kills(bench: CommandBench, commands: Sequence[str], n: int, seed: int, n_at_once: int = 2) -> Iterator[Killed]:
    """What came of n kills of each command, as they end; several run at once."""
    bench.prepare(commands)
    with ThreadPoolExecutor(n_at_once) as executor:
        for done in as_completed([executor.submit(bench.try_command, command, n, seed) for command in commands]):
            yield done.result()


def compare(calm: Path, other: Path) -> list[str]:
    """A line for every file that one folder lacks or that differs."""
    before, after = (
        {path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}
        for folder in (calm, other)
    )
    lines = [f"{path}: {'gone' if path in before else 'new'}" for path in sorted(before ^ after)]
    return lines + [f"{path}: {text}" for path in sorted(before & after) if (text := differ(calm / path, other / path))]


def differ(old: Path, new: Path) -> str:
    """In words, how two files differ; '' if they hold the same."""
    if old.suffix in same_results.SUFFIXES:
        return same_results.differ(old, new)
    if old.suffix == ".keras":
        return differ_in_weights(old, new)
    if old.name == "drawn.json":  # of each figure a hash of all that it was drawn from, seconds and times of files too
        return "" if json.loads(old.read_bytes()).keys() == json.loads(new.read_bytes()).keys() else "figures"
    return "" if old.read_bytes() == new.read_bytes() else "bytes"


def differ_in_weights(old: Path, new: Path) -> str:
    """In words, how two .keras files differ; their times aside."""
    with zipfile.ZipFile(old) as one, zipfile.ZipFile(new) as other:
        if set(one.namelist()) != set(other.namelist()):
            return "entries"
        for name in one.namelist():
            if name.endswith(".h5"):
                before, after = (read_weights(archive, name) for archive in (one, other))
                if before.keys() != after.keys():
                    return "names of weights"
                if not all(np.array_equal(before[key], after[key]) for key in before):
                    return "weights"
            # metadata.json tells the time, shared_object_id a place in memory.
            elif name != "metadata.json" and _without_ids(one.read(name)) != _without_ids(other.read(name)):
                return name
    return ""


def _without_ids(text: bytes) -> bytes:
    return re.sub(rb'"shared_object_id": \d+', b"", text)


def read_weights(archive: zipfile.ZipFile, name: str) -> dict[str, np.ndarray]:
    """The arrays of a HDF5 file in an archive, by their names."""
    import h5py

    found = {}

    def note(key: str, item) -> None:
        if isinstance(item, h5py.Dataset):
            found[key] = item[()]

    with archive.open(name) as entry, h5py.File(entry) as file:
        file.visititems(note)
    return found
