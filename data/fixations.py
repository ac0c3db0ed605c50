"""Where people looked: files of fixations -> `Fixations` of each image.

`read_fixations(path)` takes a csv file or a folder of text files, with x to the right and y down in pixels of the
image's file - not of the screen that it was shown on, larger or smaller:

    fixations.csv                           image, observer, x or x_px, y or y_px, and, if known, duration or
                                            duration_ms in milliseconds; other columns are passed over
    ..._ScanPath_N_<view>_P_<number>.txt    of one participant of MexCulture142: x y seconds
    ..._GazeFix_N_<view>.txt                of all its participants together: x y
    <stem of the image>.txt                 x y, or x y seconds; only in a folder without names of MexCulture142

Numbers in text files stand apart by blanks. Where an image has scan paths, its GazeFix file is not read: it holds
the same points without saying whose they are. A folder may hold class folders, one level of them.

Source of the names, units and columns: the read-me of MexCulture142 (Montoya Obeso et al. 2018). It does not say how
the columns stand apart; public solutions of lab 2 read whole pixels between blanks.
"""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from output.files import open_text

COLUMNS = {  # what a column holds -> the names it may have
    "image": ("image",),
    "observer": ("observer",),
    "x": ("x", "x_px"),
    "y": ("y", "y_px"),
    "duration": ("duration", "duration_ms"),
}
SCAN_PATH = re.compile(r"(.+)_ScanPath_N_(\d+)_P_(\d+)", re.IGNORECASE)
GAZE_FIX = re.compile(r"(.+)_GazeFix_N_(\d+)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Fixations:
    """The M fixations of one image, each observer's in the order of time.

    points: float64 (M, 2) as (x, y) in image pixels; pixel i is the one around x = i. observers: int (M,), from 0.
    durations: float64 (M,) in ms, NaN where one is missing; None if the file has none. n_observers: how many looked
    at the image, those without a fixation too where the files tell (an empty scan path). observers_known: if not,
    all count as one observer's. n_outside: how many `inside` has dropped.
    """

    points: np.ndarray
    observers: np.ndarray
    durations: np.ndarray | None
    n_observers: int
    observers_known: bool = True
    n_outside: int = 0

    def __len__(self) -> int:
        return len(self.points)

    def inside(self, height: int, width: int) -> "Fixations":
        """The fixations with 0 <= x < width and 0 <= y < height; an observer who has none left still counts."""
        kept = ((self.points >= 0) & (self.points < (width, height))).all(axis=1)
        return replace(
            self,
            points=self.points[kept],
            observers=self.observers[kept],
            durations=None if self.durations is None else self.durations[kept],
            n_outside=self.n_outside + int((~kept).sum()),
        )

    def by_observer(self) -> list[np.ndarray]:
        """The points (m, 2) of every observer, those without a fixation among them."""
        return [self.points[self.observers == observer] for observer in range(self.n_observers)]

    @property
    def n_blank(self) -> int:
        """How many observers have no fixation."""
        return self.n_observers - len(np.unique(self.observers))

    @property
    def n_repeated(self) -> int:
        """How many fixations are at the very place of an earlier one of the same observer."""
        return sum(len(points) - len(np.unique(points, axis=0)) for points in self.by_observer())

    @property
    def n_without_duration(self) -> int | None:
        """How many have a duration that is missing or not above 0; None if the file has no durations at all."""
        return None if self.durations is None else int((~(self.durations > 0)).sum())


def read_fixations(path: str | Path) -> dict[str, Fixations]:
    """Image -> its fixations; the image is named as the csv names it, or by its stem (`<class>/<stem>`).

    Raises ValueError naming the file and line for what is missing, of another layout, or no number.
    """
    path = Path(path)
    if not path.exists():
        raise ValueError(f"fixations: there is no file or folder '{path}'")
    fixations = _read_folder(path) if path.is_dir() else _read_csv(path)
    points = np.concatenate([of_image.points for of_image in fixations.values()])
    if len(points) and points.min() >= 0 and points.max() <= 1 and (points % 1 != 0).any():
        raise ValueError(f"fixations: all coordinates of '{path}' lie in 0-1; pixels of the image were wanted")
    return fixations


# --- csv -----------------------------------------------------------------------------------------------------
def _read_csv(path: Path) -> dict[str, Fixations]:
    with open_text(path) as file:
        reader = csv.reader(file)
        places = _find_columns(path, next(reader, []))
        rows = {}  # image -> (observer, x, y, duration) of each fixation
        for row in reader:
            if row:
                image, *fixation = _read_row(path, reader.line_num, places, row)
                rows.setdefault(image, []).append(fixation)
    if not rows:
        raise ValueError(f"fixations: '{path}' has no row under its head")
    fixations = {}
    for image, of_image in rows.items():
        names, *columns = zip(*of_image)
        x, y, durations = np.array(columns, dtype=np.float64)
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        fixations[image] = Fixations(
            np.stack([x, y], axis=1),
            np.array([numbers[name] for name in names]),
            durations if "duration" in places else None,
            len(numbers),
        )
    return fixations


def _find_columns(path: Path, head: Sequence[str]) -> dict[str, int]:
    """What a column holds -> its place; ValueError unless each that is needed is there once."""
    head = [name.lstrip("\ufeff").strip().casefold() for name in head]
    places = {}
    for what, names in COLUMNS.items():
        found = [place for place, name in enumerate(head) if name in names]
        if len(head) == 1 and (separator := next((sign for sign in ";\t" if sign in head[0]), None)):
            raise ValueError(f"fixations: the columns of '{path}' are separated by {separator!r}; commas were wanted")
        if len(found) > 1 or not found and what != "duration":
            wanted = ", ".join(" or ".join(names) for names in COLUMNS.values())
            raise ValueError(
                f"fixations: '{path}' has {'two columns' if found else 'no column'} {' or '.join(names)}; wanted are "
                f"{wanted} (the last may be missing), it has {', '.join(head) or 'none'}"
            )
        if found:
            places[what] = found[0]
    return places


def _read_row(path: Path, line: int, places: dict[str, int], row: Sequence[str]) -> tuple:
    """(image, observer, x, y, duration), NaN for a duration that is missing."""
    try:
        cells = {what: row[place].strip() for what, place in places.items()}
    except IndexError:
        raise ValueError(f"fixations: line {line} of '{path}' has {len(row)} columns only") from None
    if not cells["image"] or not cells["observer"]:
        raise ValueError(f"fixations: line {line} of '{path}' names no {'observer' if cells['image'] else 'image'}")
    x, y, duration = _read_numbers(path, line, [cells["x"], cells["y"], cells.get("duration", "")])
    return PurePosixPath(cells["image"]).as_posix(), cells["observer"], x, y, duration


# --- text files ------------------------------------------------------------------------------------------------
def _read_folder(folder: Path) -> dict[str, Fixations]:
    paths = [*folder.glob("*.txt"), *folder.glob("*/*.txt")]
    paths = sorted(path for path in paths if path.is_file() and not path.name.startswith("."))
    scan_paths, files = {}, {}  # image -> {participant: file}, image -> file
    for path in paths:
        if match := SCAN_PATH.fullmatch(path.stem):
            of_image = scan_paths.setdefault(f"{match[1]}_N_{match[2]}", {})
            _keep(of_image, int(match[3]), path)
        elif match := GAZE_FIX.fullmatch(path.stem):
            _keep(files, f"{match[1]}_N_{match[2]}", path)
    if not scan_paths and not files:
        files = {path.relative_to(folder).with_suffix("").as_posix(): path for path in paths}
    if not scan_paths and not files:
        raise ValueError(f"fixations: no .txt file in '{folder}'; a csv file is given by its own path")
    files = {image: path for image, path in files.items() if image not in scan_paths}
    fixations = {image: _join([_read_text(path)], known=False) for image, path in files.items()}
    for image, of_image in scan_paths.items():
        fixations[image] = _join([_read_text(path) for _, path in sorted(of_image.items())], known=True)
    return dict(sorted(fixations.items()))


def _keep(files: dict, key: object, path: Path) -> None:
    if key in files:
        raise ValueError(f"fixations: '{files[key]}' and '{path}' are of the same image and observers")
    files[key] = path


def _join(scan_paths: Sequence[np.ndarray], known: bool) -> Fixations:
    """One observer's fixations, (m, 3) of x, y, ms, after the other's; a column of NaN alone is no durations."""
    rows = np.concatenate(scan_paths)
    observers = np.repeat(np.arange(len(scan_paths)), [len(path) for path in scan_paths])
    durations = None if np.isnan(rows[:, 2]).all() else rows[:, 2]
    return Fixations(rows[:, :2], observers, durations, len(scan_paths), known)


def _read_text(path: Path) -> np.ndarray:
    """The fixations of a text file: float64 (m, 3) of x, y and ms, NaN where the file has two columns."""
    with open_text(path) as file:
        lines = {number: line.split() for number, line in enumerate(file, start=1) if line.strip()}
    lengths = Counter(map(len, lines.values()))
    if lengths and (len(lengths) > 1 or not lengths.keys() <= {2, 3}):
        found = " or ".join(map(str, sorted(lengths)))
        raise ValueError(f"fixations: '{path}' should hold x y or x y seconds on every line; it has {found} columns")
    rows = [_read_numbers(path, number, cells) for number, cells in lines.items()]
    return np.array(rows, dtype=np.float64).reshape(-1, 3) * (1, 1, 1000)


def _read_numbers(path: Path, line: int, cells: Sequence[str]) -> list[float]:
    """x, y and the duration of a line, NaN if that is empty or not there; ValueError for what is no number."""
    try:
        x, y, duration = (float(cell) for cell in [*cells[:2], *(cell or "nan" for cell in cells[2:]), "nan"][:3])
    except ValueError:
        x = y = duration = np.nan
    if not np.isfinite([x, y]).all():
        raise ValueError(f"fixations: line {line} of '{path}' should hold numbers; got {', '.join(cells)}")
    return [x, y, duration]
