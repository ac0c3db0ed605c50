"""Public data sets of fixations as they are published: MIT1003, CAT2000, OSIE and SALICON.

| data set | what to give | what is in it |
|---|---|---|
| MIT1003 (Judd et al. 2009) | folder DATA, of <observer>/<image>.mat | gaze at 240 Hz, in pixels of the image |
| CAT2000 (Borji & Itti 2015) | folder FIXATIONLOCS, of <category>/<image>.mat | `fixLocs`, 1 where anyone fixated |
| OSIE (Xu et al. 2014) | fixations.mat | x, y and ms of each observer |
| SALICON (Jiang et al. 2015) | fixations_<part>.json, or a folder of <image>.mat | (row, column), or (x, y), from 1 |

CAT2000 does not say whose a fixation is, nor how long; its allFixData.mat, which does, holds a Matlab object that only
Matlab opens. MIT1003's fixations are found as its authors' checkFixations.m does:

    speed v = |p_t - p_{t-1}|, mean of the last 4 samples; acceleration a_t = 240 / 4 (v_{t+5} - v_t) pixels/s
    a saccade begins where a > 204 (6 degrees/s of 34 pixels) for 3 samples or more, and ends with the last sample of
    the first a < -204 within 25 samples; two that are less than 50 ms apart are one

A fixation is the median of the samples between two saccades. The first of an image, at the cross that was shown before
it, is left out; one at negative places, where the eye was lost, is a blink.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.fixations import Fixations, gather_fixations
from data.mat_files import read_mat

MOST_FIXATIONS = 10**6  # of one image: 24 people for five seconds leave some 500
SAMPLES_PER_SECOND = 240
WINDOW = 4  # samples of a mean speed
LEAST_ACCELERATION = 204  # pixels/s: 6 degrees/s on MIT1003's screen of 34 pixels a degree
SHORTEST_FIXATION = 12  # samples: 50 ms
LONGEST_BRAKING = 25  # samples from the end of an acceleration in which the deceleration begins


def read_mat_files(paths: Sequence[Path], root: Path) -> dict[str, Fixations]:
    """Image -> its fixations, of .mat files of one of the data sets; ValueError names a file that is of none of them.

    root: the folder, whose folders are MIT1003's observers and CAT2000's categories.
    """
    found, of_mit = {}, {}
    for path in paths:
        content, image = _load_mat(path), path.relative_to(root).with_suffix("").as_posix()
        samples = next((value for value in content.values() if isinstance(value, dict) and "DATA" in value), None)
        try:
            if "fixLocs" in content:
                rows, columns = np.nonzero(content["fixLocs"])
                if len(rows) > MOST_FIXATIONS:
                    raise ValueError("every pixel is fixated")
                found[image] = gather_fixations(
                    (("", x, y, np.nan) for y, x in zip(rows, columns)), timed=False, known=False
                )
            elif samples is not None:
                name = Path(str(samples.get("imgName", path.name))).stem
                of_mit.setdefault(name, {})[path.parent.name] = _find_mit_fixations(
                    _list(samples["DATA"])[0]["eyeData"]
                )
            elif "gaze" in content:
                found[image] = _gather_salicon([one["fixations"] for one in _list(content["gaze"])])
            else:
                found |= _read_osie(content["fixations"])
        except (KeyError, TypeError, ValueError, IndexError):
            raise ValueError(
                f"fixations: '{path}' is no .mat file of MIT1003, CAT2000 (FIXATIONLOCS), OSIE or SALICON; it holds "
                f"{', '.join(content) or 'nothing that can be read without Matlab'}"
            ) from None
    for image, of_observer in of_mit.items():
        rows = [(observer, *row) for observer, of_rows in of_observer.items() for row in of_rows]
        found[image] = gather_fixations(rows, observers=of_observer)
    return found


def _load_mat(path: Path) -> dict:
    """The variables of a .mat file; ValueError if it cannot be read."""
    try:
        return read_mat(path)
    except OSError as error:
        raise ValueError(f"fixations: cannot read '{path}' ({error.strerror})") from None
    except (ValueError, MemoryError) as error:
        raise ValueError(f"fixations: cannot read '{path}' as a .mat file: {error}") from None


def _list(value: object) -> list:
    """A Matlab cell or struct array as a list: a single struct is read as itself."""
    if not isinstance(value, (dict, list)):
        raise ValueError("a cell or struct array was wanted")
    return [value] if isinstance(value, dict) else value


def _name(value: object) -> str:
    """The name of an image; TypeError for what is no text."""
    if not isinstance(value, str):
        raise TypeError("a name was wanted")
    return value


def _read_osie(images: object) -> dict[str, Fixations]:
    found = {}
    for image in _list(images):
        rows = []
        for number, seen in enumerate(_list(image["subjects"])):
            columns = (np.ravel(seen[name]) for name in ("fix_x", "fix_y", "fix_duration"))
            rows += [(str(number), *row) for row in zip(*columns, strict=True)]
        observers = map(str, range(len(_list(image["subjects"]))))
        found[_name(image["img"])] = gather_fixations(rows, observers=observers)
    return found


# --- SALICON ---------------------------------------------------------------------------------------------------
def read_salicon(paths: Sequence[Path]) -> dict[str, Fixations]:
    """Image -> its fixations, of SALICON's json files; ValueError for any other."""
    found = {}
    for path in paths:
        try:
            content = json.loads(path.read_bytes())
            names = {image["id"]: _name(image["file_name"]) for image in content["images"]}
            of_observers = {}
            for annotation in content["annotations"]:
                points = np.array(annotation["fixations"], dtype=np.float64).reshape(-1, 2)
                of_observers.setdefault(names[annotation["image_id"]], []).append(points[:, ::-1])
        except (KeyError, TypeError, ValueError, RecursionError, OSError):
            raise ValueError(
                f"fixations: '{path}' is no json file of SALICON: images with id and file_name, and annotations with "
                "image_id and fixations, were wanted"
            ) from None
        found |= {name: _gather_salicon(of_image) for name, of_image in of_observers.items()}
    return found


def _gather_salicon(of_observers: Sequence[np.ndarray]) -> Fixations:
    """The fixations of an image from the points (m, 2) of each observer, whose first pixel is 1."""
    points = [np.asarray(points, dtype=np.float64).reshape(-1, 2) - 1 for points in of_observers]
    rows = [(str(number), x, y, np.nan) for number, of_one in enumerate(points) for x, y in of_one]
    return gather_fixations(rows, timed=False, observers=map(str, range(len(points))))


# --- MIT1003 ---------------------------------------------------------------------------------------------------
def _find_mit_fixations(samples: np.ndarray) -> list[tuple[float, float, float]]:
    """x, y and ms of the fixations in gaze samples (n, 2 or more), all but the first; NaN places for a blink."""
    samples = np.asarray(samples, dtype=np.float64)[:, :2]
    rows = []
    for begin, end in find_fixations(samples)[1:]:
        x, y = np.nanmedian(samples[begin:end], axis=0)
        lost = x < 0 or y < 0
        rows.append((np.nan if lost else x, np.nan if lost else y, 1000 * (end - begin) / SAMPLES_PER_SECOND))
    return rows


def find_fixations(samples: np.ndarray) -> list[tuple[int, int]]:
    """The first sample of each fixation and the one behind its last, of gaze samples (n, 2) at 240 Hz."""
    n = len(samples)
    speed = np.append(0, np.hypot(*np.diff(samples, axis=0).T))
    speed = np.convolve(speed, np.full(WINDOW, 1 / WINDOW))[:n]
    acceleration = np.zeros(n)
    inner = np.arange(1, n - WINDOW - 1)
    acceleration[inner] = (speed[inner + WINDOW + 1] - speed[inner]) * SAMPLES_PER_SECOND / WINDOW
    braking = _list_runs(acceleration < -LEAST_ACCELERATION)
    saccades = []
    for begin, end in _list_runs(acceleration > LEAST_ACCELERATION):
        if end - begin < 3:
            continue
        ends = [stop for start, stop in braking if stop > end and stop <= end + LONGEST_BRAKING]
        if not ends and end < np.flatnonzero(acceleration)[-1]:
            continue
        end = ends[0] if ends else n
        if saccades and begin - saccades[-1][1] < SHORTEST_FIXATION:
            saccades[-1] = saccades[-1][0], end
        else:
            saccades.append((begin, end))
    if saccades and n - saccades[-1][1] < SHORTEST_FIXATION:
        saccades[-1] = saccades[-1][0], n
    borders = [0, *(border for saccade in saccades for border in saccade), n]
    return [(begin, end) for begin, end in zip(borders[::2], borders[1::2]) if begin < end]


def _list_runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """The first place of each run of True and the one behind its last."""
    changes = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    return list(zip(changes[::2].tolist(), changes[1::2].tolist()))
