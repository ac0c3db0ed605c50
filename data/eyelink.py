"""EyeLink's text files (.asc, of edf2asc): fixations of the trials of one observer, on the images they were shown.

    MSG 1000 DISPLAY_COORDS 0 0 1919 1079             the screen
    MSG 2000 TRIALID 1                                a trial begins
    MSG 2100 !V IMGLOAD CENTER images/a.png 960 540   its image, where Data Viewer is to draw it
    EFIX R 2110 2330 221 812.0 455.3 1045             eye, first and last ms, duration, x, y on the screen, pupil

IMGLOAD tells how places on the screen become places in the image: FILL, drawn over the whole screen; TOP_LEFT x y and
CENTER x y, drawn there at its own size, or at the width and height that follow. Without IMGLOAD the image is the one
that a trial variable or another message of the trial names, and has to be as large as the screen. Of two eyes the one
with more fixations is read. EBLINK is a blink: counted, as is a fixation without a place.

Source: EyeLink 1000 user manual, "ASC file format"; Data Viewer user manual, "Protocol for EyeLink data to Viewer
integration".
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import constants
from data.csv_tables import read_lines, read_number, read_path
from data.fixations import CENTRED, FRACTION, PIXELS, SCREEN, Fixations, gather_fixations

COORDS = re.compile(r"MSG\s+\S+\s+(?:DISPLAY_COORDS|GAZE_COORDS)\s*=?\s*(\S+)\s+(\S+)\s+(\S+)\s+(\S+)")
IMGLOAD = re.compile(r"MSG\s+\S+\s+(?:-?\d+\s+)?!V\s+IMGLOAD\s+(FILL|TOP_LEFT|CENTER)\s+(.+)")
SUFFIXES = "|".join(re.escape(suffix) for suffix in constants.IMAGE_SUFFIXES)
IMAGE = re.compile(rf"(\S+(?:{SUFFIXES}))(?:\s|$)", re.IGNORECASE)


@dataclass
class Trial:
    """line: where it begins. loads: IMGLOAD's (how, name, numbers). names: images that other messages name.
    fixations: (eye, x, y, ms); blinks: eyes."""

    line: int
    loads: list[tuple[str, str, list[float]]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    fixations: list[tuple[str, float, float, float]] = field(default_factory=list)
    blinks: list[str] = field(default_factory=list)


def read_asc_files(paths: Sequence[Path], unit: str | None = None) -> dict[str, Fixations]:
    """Image -> its fixations, each file being one observer's; ValueError names the file, and the line.

    unit: see `fixation_files.read_fixations`: 'pixels' takes places on the screen for places in the image.
    """
    if unit == FRACTION:
        raise ValueError(
            f"fixations: '{paths[0]}' holds pixels of the screen, as all .asc files do: leave out "
            "--fixations_unit=fraction"
        )
    rows, blinks, frames = {}, Counter(), {}
    for path in paths:
        for image, frame, of_trial, n_blinks in _read_file(path, unit):
            if frames.setdefault(image, frame) != frame:
                raise ValueError(f"fixations: '{path}' shows '{image}' in another way than before: on another screen?")
            rows.setdefault(image, []).extend((path.stem, *row) for row in of_trial)
            blinks[image] += n_blinks
    return {
        image: gather_fixations(of_image, n_blinks=blinks[image], unit=frames[image][0], screen=frames[image][1])
        for image, of_image in rows.items()
    }


def _read_file(path: Path, unit: str | None) -> Iterator[tuple[str, tuple, list[tuple[float, float, float]], int]]:
    """Of each trial with an image: its name, (unit, screen), rows of x, y and ms, and the number of blinks."""
    screen, trials = _read_trials(path)
    eyes = Counter(eye for trial in trials for eye, *_ in trial.fixations)
    eye = max(sorted(eyes), key=eyes.get, default="")
    n_images = 0
    for trial in trials:
        images = dict.fromkeys(name for _, name, _ in trial.loads) or dict.fromkeys(trial.names)
        if len(images) > 1:
            raise ValueError(
                f"fixations: the trial of line {trial.line} of '{path}' shows {', '.join(images)}: which of them a "
                "fixation is on, nothing says"
            )
        places = np.array([row[1:] for row in trial.fixations if row[0] == eye]).reshape(-1, 3)
        for image in images:
            n_images += 1
            frame = PIXELS, None
            if unit is None:
                frame, places[:, :2] = _place(path, trial, screen, places[:, :2])
            yield image, frame, [tuple(row) for row in places], trial.blinks.count(eye)
    if not n_images:
        raise ValueError(
            f"fixations: no trial of '{path}' names an image, by a message '!V IMGLOAD ...' or a trial variable"
        )


def _place(path: Path, trial: Trial, screen: list[float] | None, places: np.ndarray) -> tuple[tuple, np.ndarray]:
    """(unit, screen) and the places in it of places (m, 2) on the screen."""
    how, _, numbers = trial.loads[-1] if trial.loads else ("", "", [])
    if how in ("TOP_LEFT", "CENTER") and len(numbers) in (2, 4):
        corner, size = np.array(numbers[:2]), np.array(numbers[2:])
        if len(size):
            return (FRACTION, None), (places - corner) / size + (0.5 if how == "CENTER" else 0)
        return (CENTRED if how == "CENTER" else PIXELS, None), places - corner
    if screen is None:
        raise ValueError(
            f"fixations: '{path}' has no message DISPLAY_COORDS, and nothing else says where the image of line "
            f"{trial.line} stood on the screen: --fixations_unit=pixels takes places on the screen as the image's"
        )
    left, top, right, bottom = screen
    width, height = right - left + 1, bottom - top + 1
    if how == "FILL":
        return (FRACTION, None), (places - (left, top)) / (width, height)
    return (SCREEN, (round(height), round(width))), places - (left, top)


def _read_trials(path: Path) -> tuple[list[float] | None, list[Trial]]:
    """The corners of the screen, and the trials; what comes before the first TRIALID is a trial too."""
    screen, trials = None, [Trial(1)]
    for line, text in enumerate(read_lines(path, "fixations"), start=1):
        begin = text.split(None, 1)[0] if text.strip() else ""
        try:
            if begin == "MSG":
                if re.match(r"MSG\s+\S+\s+TRIALID\b", text):
                    trials.append(Trial(line))
                elif match := COORDS.match(text):
                    screen = [read_number(number) for number in match.groups()]
                elif match := IMGLOAD.match(text):
                    trials[-1].loads.append((match[1], *_split_load(match[2])))
                elif match := IMAGE.search(text):
                    trials[-1].names.append(read_path(match[1]))
            elif begin == "EFIX":
                _, eye, _, _, duration, x, y, *_ = text.split()
                x, y = (np.nan if number == "." else read_number(number) for number in (x, y))
                trials[-1].fixations.append((eye, x, y, read_number(duration)))
            elif begin == "EBLINK":
                trials[-1].blinks.append(text.split()[1])
        except (ValueError, IndexError):
            raise ValueError(f"fixations: line {line} of '{path}' is no {begin} of EyeLink's") from None
    return screen, trials


def _split_load(text: str) -> tuple[str, list[float]]:
    """The image of IMGLOAD, whose name may have blanks, and the numbers behind it."""
    match = re.fullmatch(rf"(.+?(?:{SUFFIXES}))((?:\s+\S+)*)\s*", text.strip(), re.IGNORECASE)
    name, numbers = match.groups() if match else (text.split()[0], " ".join(text.split()[1:]))
    return read_path(name), [read_number(number) for number in numbers.split()]
