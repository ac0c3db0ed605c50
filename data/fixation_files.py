"""Files of fixations -> `Fixations` of each image: `read_fixations(path)` takes a file or a folder of them.

    fixations.csv                           image, observer, x or x_px, y or y_px, and, if known, duration or
                                            duration_ms in milliseconds; other columns are passed over
    *.csv, *.tsv of an eye tracker          by the names of its columns: gaze_exports.py
    *.asc                                   of EyeLink, one file per observer: eyelink.py
    *.hdf5                                  of PsychoPy's ioHub: iohub.py
    *.mat, *.json                           of MIT1003, CAT2000, OSIE and SALICON as published: gaze_data_sets.py
    ..._ScanPath_N_<view>_P_<number>.txt    of one participant of MexCulture142: x y seconds
    ..._GazeFix_N_<view>.txt                of all its participants together: x y
    <stem of the image>.txt                 x y, or x y seconds; only in a folder without names of MexCulture142

x to the right and y down, in pixels of the image's file - not of the screen that it was shown on, larger or smaller -
unless the file says otherwise, or `unit` does. A row without a place (empty, nan, '.') is a blink: dropped and counted.

Numbers in text files stand apart by blanks. Where an image has scan paths, its GazeFix file is not read: it holds
the same points without saying whose they are. A folder may hold class folders, one level of them.

Source of the names, units and columns: the read-me of MexCulture142 (Montoya Obeso et al. 2018). It does not say how
the columns stand apart; public solutions of lab 2 read whole pixels between blanks.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from data import eyelink, gaze_data_sets, gaze_exports, iohub
from data.csv_tables import read_lines, read_number, show
from data.fixations import CENTRED, FRACTION, PIXELS, UNITS, Fixations, gather_fixations

SCAN_PATH = re.compile(r"(.+)_ScanPath_N_(\d+)_P_(\d+)", re.IGNORECASE)
GAZE_FIX = re.compile(r"(.+)_GazeFix_N_(\d+)", re.IGNORECASE)
FOLDER_PATTERNS = (  # the first that a folder has any of; a tracker may export a table per recording
    "*.FixationEndEvent.txt", "*.txt", "*.mat", "*.asc", "*.json", "*.hdf5", f"**/{gaze_exports.SURFACE}*.csv", "*.tsv",
)  # fmt: skip
LARGEST_FRACTION = 2  # of an image's side: eye trackers measure somewhat beyond its borders


def read_fixations(path: str | Path, unit: str | None = None) -> dict[str, Fixations]:
    """Image -> its fixations; the image is named as the file names it, or by its stem (`<class>/<stem>`).

    unit: 'pixels' or 'fraction' of the image, whatever the file says; None: as the file says, or pixels.
    Raises ValueError naming the file and line for what is missing, of another layout, or no number, and for fractions
    of the image where pixels were meant or the other way round.
    """
    path = Path(path)
    if unit is not None and unit not in UNITS:
        raise ValueError(f"fixations_unit must be one of {', '.join(UNITS)}; got '{unit}'")
    if not path.exists():
        raise ValueError(f"fixations: there is no file or folder '{path}'")
    fixations = _read_folder(path, unit) if path.is_dir() else _read_files([path], path.parent, unit)
    if not fixations:
        raise ValueError(f"fixations: '{path}' names no image")
    return _check_unit(path, fixations, unit)


def _check_unit(path: Path, fixations: dict[str, Fixations], unit: str | None) -> dict[str, Fixations]:
    """The fixations, once their numbers are seen to be of their unit; ValueError names the flag."""
    for kind in (PIXELS, FRACTION, CENTRED):
        found = [of_image.points for of_image in fixations.values() if of_image.unit == kind and len(of_image)]
        points = np.concatenate([np.empty((0, 2)), *found])
        small = np.abs(points - 0.5) <= LARGEST_FRACTION - 0.5
        if kind == PIXELS and unit is None and len(points) and small.all() and (points % 1 != 0).any():
            raise ValueError(
                f"fixations: all coordinates of '{path}' lie about 0-1, and pixels of the image were wanted: "
                "--fixations_unit=fraction takes them as fractions of its sides, --fixations_unit=pixels as pixels"
            )
        if kind == CENTRED and len(points) and small.all():
            raise ValueError(
                f"fixations: all coordinates of '{path}' lie about 0-1: PsychoPy's units height or norm, and pix were "
                "wanted"
            )
        if kind == FRACTION and not small.all():
            wrong = points[~small.all(axis=1)][0]
            raise ValueError(
                f"fixations: '{path}' holds x = {wrong[0]:g}, y = {wrong[1]:g}, which is no fraction of an image's "
                "sides: --fixations_unit=pixels takes its numbers as pixels"
            )
    return fixations


def _read_files(paths: Sequence[Path], root: Path, unit: str | None) -> dict[str, Fixations]:
    """The fixations of files of one kind, which the ending of the first tells."""
    kind = paths[0].suffix.lower()
    if kind == ".mat":
        found = gaze_data_sets.read_mat_files(paths, root)
    elif kind == ".json":
        found = gaze_data_sets.read_salicon(paths)
    elif kind == ".asc":
        return eyelink.read_asc_files(paths, unit)
    elif kind in iohub.SUFFIXES:
        return iohub.read_iohub_files(paths, unit)
    else:
        return gaze_exports.read_tables(paths, root, unit)
    return {image: replace(of_image, unit=unit or of_image.unit) for image, of_image in found.items()}


def _read_folder(folder: Path, unit: str | None) -> dict[str, Fixations]:
    """The fixations of all files in a folder and its class folders: of text files, else of the first kind there is."""
    for pattern in FOLDER_PATTERNS:
        paths = {*folder.glob(pattern), *folder.glob(f"*/{pattern}")}
        paths = sorted(path for path in paths if path.is_file() and not path.name.startswith("."))
        if paths:
            return _read_texts(folder, paths, unit) if pattern == "*.txt" else _read_files(paths, folder, unit)
    raise ValueError(
        f"fixations: no .txt, .mat, .asc, .json or .hdf5 file in '{folder}', nor a table of an eye tracker; a csv file "
        "of several images is given by its own path"
    )


# --- text files ------------------------------------------------------------------------------------------------
def _read_texts(folder: Path, paths: Sequence[Path], unit: str | None) -> dict[str, Fixations]:
    scan_paths, files = {}, {}  # image -> {participant: file}, image -> file
    for path in paths:
        if match := SCAN_PATH.fullmatch(path.stem):
            of_image = scan_paths.setdefault(f"{match[1]}_N_{match[2]}", {})
            _keep(of_image, int(match[3]), path)
        elif match := GAZE_FIX.fullmatch(path.stem):
            _keep(files, f"{match[1]}_N_{match[2]}", path)
    if not scan_paths and not files:
        files = {path.relative_to(folder).with_suffix("").as_posix(): path for path in paths}
    files = {image: {1: path} for image, path in files.items() if image not in scan_paths}
    fixations = {}
    for of_images, known in ((files, False), (scan_paths, True)):
        for image, of_image in of_images.items():
            rows = [(str(number), *row) for number, path in sorted(of_image.items()) for row in _read_text(path)]
            timed = any(np.isfinite(row[3]) for row in rows)
            observers = map(str, sorted(of_image))
            fixations[image] = gather_fixations(
                rows, timed=timed, observers=observers, known=known, unit=unit or PIXELS
            )
    return dict(sorted(fixations.items()))


def _keep(files: dict, key: object, path: Path) -> None:
    if key in files:
        raise ValueError(f"fixations: '{files[key]}' and '{path}' are of the same image and observers")
    files[key] = path


def _read_text(path: Path) -> list[tuple[float, float, float]]:
    """x, y and ms of the fixations of a text file; NaN ms where it has two columns, NaN x and y for a blink."""
    lines = {number: line.split() for number, line in enumerate(read_lines(path, "fixations"), start=1) if line.strip()}
    lengths = Counter(map(len, lines.values()))
    if lengths and (len(lengths) > 1 or not lengths.keys() <= {2, 3}):
        found = " or ".join(map(str, sorted(lengths)))
        raise ValueError(f"fixations: '{path}' should hold x y or x y seconds on every line; it has {found} columns")
    rows = []
    for number, cells in lines.items():
        try:
            x, y, seconds = (
                np.nan if gaze_exports.is_missing(cell) else read_number(cell) for cell in [*cells, "nan"][:3]
            )
        except ValueError:
            raise ValueError(f"fixations: line {number} of '{path}' should hold numbers; got {show(cells)}") from None
        rows.append((x, y, 1000 * seconds))
    return rows
