"""PsychoPy's own files of eye tracking (.hdf5, of its ioHub): the fixations of every trial of every session.

    data_collection/events/eyetracker/FixationEndEvent      session_id, time, eye, duration in seconds, average_gaze_x
                                                            and _y from the middle of the screen, y up
    data_collection/events/eyetracker/BlinkEndEvent         session_id, time, eye; may be missing
    data_collection/condition_variables/EXP_CV_<number>     a row per trial: SESSION_ID, a variable called image or the
                                                            like, and the times of its begin and end (BEGINS, ENDS)
    data_collection/session_meta_data                       session_id, code: the observer

A fixation is of the trial in which it ended, as PsychoPy's saveEventReport has it; of two eyes the one with more
fixations is read. Where the file does not tell when a trial began it is refused, and the export that tells is named;
so is a file of samples alone. Nothing outside the file is read, whatever it links to.

Source: PsychoPy 2023, psychopy/iohub/datastore and devices/eyetracker/eye_events.py.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from data.csv_tables import read_path
from data.fixations import CENTRED, FRACTION, Fixations, gather_fixations
from data.gaze_exports import IMAGE_NAMES, choose_eyes

SUFFIXES = (".hdf5", ".h5")
COLLECTION = "data_collection"
EVENTS = f"{COLLECTION}/events/eyetracker"
BEGINS = ("trialstart", "trialstarttime", "dvtrialstart")  # letters and digits of the names of columns
ENDS = ("trialend", "trialstop", "trialendtime", "trialstoptime", "dvtrialend", "dvtrialstop")
MAX_BYTES = 2**28  # of one table
EXPORT = "export it by PsychoPy's saveEventReport(eventType='FixationEndEvent') with the columns of the trials"


def read_iohub_files(paths: Sequence[Path], unit: str | None = None) -> dict[str, Fixations]:
    """Image -> its fixations; ValueError names the file, and what it lacks.

    unit: see `fixation_files.read_fixations`; 'pixels' says that images were shown at their own size in the middle.
    """
    if unit is None or unit == FRACTION:
        raise ValueError(
            f"fixations: '{paths[0]}' has average_gaze_x and average_gaze_y, pixels of the screen: "
            "--fixations_unit=pixels says that they are the image's, shown at its own size in the middle"
        )
    rows, blinks = {}, Counter()
    for path in paths:
        try:
            of_file, its_blinks = _read_file(path)
        except _IoHubError as error:
            raise ValueError(f"fixations: '{path}' {error}") from None
        except Exception as error:  # h5py raises whatever it stumbles on in a damaged file
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ValueError(f"fixations: cannot read '{path}' as a file of PsychoPy's ioHub ({reason})") from None
        blinks.update(its_blinks)
        for image, of_image in of_file.items():
            rows.setdefault(image, []).extend(of_image)
    return {image: gather_fixations(of_image, n_blinks=blinks[image], unit=CENTRED) for image, of_image in rows.items()}


class _IoHubError(Exception):
    """What a file lacks, in words that follow its name."""


def _read_file(path: Path) -> tuple[dict[str, list[tuple]], Counter]:
    """Image -> rows (observer, x, y, ms) with y down, and image -> number of blinks."""
    import h5py

    with h5py.File(path, "r") as file:
        fixations = _read_events(file, "FixationEndEvent", ("duration", "average_gaze_x", "average_gaze_y"))
        if fixations is None:
            raise _IoHubError("holds no FixationEndEvent: the tracker gave samples alone, and found no fixations")
        blinks = _read_events(file, "BlinkEndEvent", ())
        codes, trials = _read_codes(file, path), _read_trials(file)
    eyes = choose_eyes(zip(fixations["session_id"].tolist(), fixations["eye"].tolist()))
    found, n_blinks = {}, Counter()
    for session, image, begin, end in trials:
        there = _choose(fixations, session, eyes, begin, end)
        columns = (fixations[name][there] for name in ("average_gaze_x", "average_gaze_y", "duration"))
        x, y, seconds = (column.astype(np.float64) for column in columns)
        observer = codes.get(session, f"{path.stem} {session}")
        of_trial = [(observer, *row) for row in zip(x.tolist(), (-y).tolist(), (1000 * seconds).tolist())]
        found.setdefault(read_path(image), []).extend(of_trial)
        if blinks is not None:
            n_blinks[read_path(image)] += int(_choose(blinks, session, eyes, begin, end).sum())
    return found, n_blinks


def _choose(events: Mapping[str, np.ndarray], session: int, eyes: Mapping[int, int], begin: float, end: float):
    """Which events (n,) of a session are of its eye and ended between two times."""
    is_ours = (events["session_id"] == session) & (events["eye"] == eyes.get(session, -1))
    return is_ours & (begin <= events["time"]) & (events["time"] <= end)


def _read_events(file, name: str, further: Iterable[str]) -> dict[str, np.ndarray] | None:
    """The columns of a table of events; None without one, or without a row."""
    table = _open_table(file, f"{EVENTS}/{name}")
    if table is None or not len(table):
        return None
    return _read_columns(table, ("session_id", "time", "eye", *further))


def _read_codes(file, path: Path) -> dict[int, str]:
    """Session -> its code, which tells who looked; two sessions of one code are one observer."""
    table = _open_table(file, f"{COLLECTION}/session_meta_data")
    if table is None:
        return {}
    columns = _read_columns(table, ("session_id",), texts=("code",))
    return {int(n): code for n, code in zip(columns["session_id"], columns["code"]) if code}


def _read_trials(file) -> list[tuple[int, str, float, float]]:
    """(session, image, begin, end in seconds) of every trial that shows an image and has both times."""
    parent = f"{COLLECTION}/condition_variables"
    names = sorted(file[parent]) if _is_inside(file, parent) else []
    tables = [table for name in names if (table := _open_table(file, f"{parent}/{name}")) is not None]
    trials = []
    for table in tables:
        folded = {"".join(filter(str.isalnum, name.casefold())): name for name in table.dtype.names}
        wanted = [tuple(name.replace("_", "") for name in IMAGE_NAMES), BEGINS, ENDS]
        found = [next((folded[name] for name in names if name in folded), None) for names in wanted]
        if None in found:
            lacks = ("no variable called image or the like", "no TRIAL_START", "no TRIAL_END")[found.index(None)]
            raise _IoHubError(f"has {lacks} among the variables of its trials: {EXPORT}")
        image, begin, end = found
        columns = _read_columns(table, ("SESSION_ID", begin, end), texts=(image,))
        rows = zip(columns["SESSION_ID"].tolist(), columns[image], columns[begin].tolist(), columns[end].tolist())
        trials += [row for row in rows if row[1] not in ("", ".", "None")]
    if not trials:
        raise _IoHubError(f"tells of no trial which image it showed: {EXPORT}")
    by_session = sorted(trials, key=lambda trial: (trial[0], trial[2]))
    for before, after in zip(by_session, by_session[1:]):
        if before[0] == after[0] and before[3] > after[2]:
            raise _IoHubError(f"has two trials of session {before[0]} that overlap at {after[2]:g} s")
    return trials


def _is_inside(file, name: str) -> bool:
    """Whether there is a table or group of that name; _IoHubError for one that lies elsewhere."""
    import h5py

    place = ""
    for part in name.split("/"):
        place += f"/{part}"
        if (kind := file.get(place, getclass=True, getlink=True)) is None:
            return False
        if kind is not h5py.HardLink:
            raise _IoHubError(f"has a link in the place of {place}")
    return True


def _open_table(file, name: str):
    """The table of that name; None without one. _IoHubError for one that lies in another file, or is no table."""
    import h5py

    if not _is_inside(file, name):
        return None
    table = file[name]
    if not isinstance(table, h5py.Dataset) or table.dtype.names is None or table.ndim != 1:
        raise _IoHubError(f"has no table {name}")
    if table.is_virtual or table.external:
        raise _IoHubError(f"keeps the table {name} in another file")
    if max(table.nbytes, (table.chunks or (0,))[0] * table.dtype.itemsize) > MAX_BYTES:
        raise _IoHubError(f"has a table {name} of {table.nbytes:,} bytes; at most {MAX_BYTES:,} are read")
    return table


def _read_columns(table, numbers: Iterable[str], texts: Iterable[str] = ()) -> dict[str, np.ndarray]:
    """The columns: numbers as they are, texts as a list of str."""
    wanted = {**dict.fromkeys(numbers, "iuf"), **dict.fromkeys(texts, "S")}
    for name, kinds in wanted.items():
        if name not in table.dtype.names:
            raise _IoHubError(f"has no column {name} in {table.name}")
        dtype = table.dtype[name]
        if dtype.kind not in kinds or dtype.shape:
            raise _IoHubError(f"has a column {name} in {table.name} that holds something else than it should")
    rows = table[:]
    decode = {name: [text.decode("utf-8", "replace").strip() for text in rows[name].tolist()] for name in texts}
    return {name: decode.get(name, rows[name]) for name in wanted}
