"""Tables of fixations: our own, and those that eye trackers export, known by the names of their columns.

    ours                    a row per fixation: image, observer, x, y in pixels of the image, duration in ms
    Tobii Pro Lab, Studio   a row per sample, the fixation by its index: Participant name, Recording name where one has
                            several, Presented Stimulus name or (Presented) Media name, Fixation point X and Y, best
                            those (MCSnorm): fractions of the image
    SR Data Viewer          a fixation report: RECORDING_SESSION_LABEL, a trial variable called image, picture or the
                            like, CURRENT_FIX_X and _Y in pixels of the screen
    Pupil Core, surfaces    a row per frame, the fixation by its id, its place their mean: norm_pos_x and _y, fractions,
                            y up; the image is the surface in the name of the file, its folder the observer
    Pupil Cloud             a row per fixation on the reference image, called reference_image: recording id, fixation
                            x [px] and y [px] in its pixels
    PsychoPy, ioHub         a row per fixation, of saveEventReport(eventType='FixationEndEvent') with the columns of the
                            trials: participant, a variable called image or the like, average_gaze_x and _y in pixels
                            from the middle of the screen, y up, and duration in seconds

Letter case, blanks and brackets in the name of a column do not count. Pixels of a screen are refused unless `unit` says
that they are the image's: where the image stood on the screen, and how large, no column tells. Of PsychoPy it then
stood in the middle, at its own size. Of two eyes (a column eye) the one with more fixations is read, for each observer.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from data.csv_tables import CsvTable, read_path, read_table, show
from data.fixations import CENTRED, FRACTION, PIXELS, SCREEN, Fixations, gather_fixations

MISSING = ("", ".", "-", "nan", "na", "n/a", "null", "none")
SURFACE = "fixations_on_surface_"
IMAGE_NAMES = ("image", "image_name", "image_file", "imagefile", "img", "picture", "pic", "stimulus", "scene", "photo")


@dataclass(frozen=True)
class Export:
    """The columns of a program's table, each by all its names.

    places: (x, y, unit), the first that is there and of the unit that is wanted. index: what tells the fixation of a
    row from others. kept: a column, and the value of the rows that count. needs_kept: whether places are of another
    picture, as that of a camera, where that column is missing. y_up: whether y counts from the bottom. ms: of a unit of
    duration. eye: which of two a fixation is of. loose: whether rows without an image are no fault, but passed over.
    """

    program: str
    places: Sequence[tuple[Sequence[str], Sequence[str], str]]
    image: Sequence[str] = ()
    observer: Sequence[str] = ()
    duration: Sequence[str] = ()
    index: Sequence[str] = ()
    recording: Sequence[str] = ()
    eye: Sequence[str] = ("eye",)
    kept: tuple[Sequence[str], str] = field(default=((), ""))
    needs_kept: bool = False
    y_up: bool = False
    ms: float = 1.0
    loose: bool = True


OURS = Export(
    "ours",
    [(("x", "x_px"), ("y", "y_px"), PIXELS)],
    ("image",),
    ("observer",),
    ("duration", "duration_ms"),
    loose=False,
)
EXPORTS = (
    OURS,
    Export(
        "Tobii",
        [
            (("fixation point x (mcsnorm)",), ("fixation point y (mcsnorm)",), FRACTION),
            (("fixation point x (mcspx)",), ("fixation point y (mcspx)",), PIXELS),
            (
                ("fixation point x", "fixation point x (dacspx)"),
                ("fixation point y", "fixation point y (dacspx)"),
                SCREEN,
            ),
        ],
        image=("presented stimulus name", "presented media name", "media name"),
        observer=("participant name",),
        duration=("gaze event duration", "gaze event duration (ms)"),
        index=("eye movement type index", "fixation index"),
        recording=("recording name",),
        kept=(("eye movement type", "gaze event type"), "fixation"),
    ),
    Export(
        "Data Viewer",
        [(("current_fix_x",), ("current_fix_y",), SCREEN)],
        image=IMAGE_NAMES,
        observer=("recording_session_label",),
        eye=("eye_used",),
        duration=("current_fix_duration",),
    ),
    Export(
        "Pupil Core",
        [(("norm_pos_x",), ("norm_pos_y",), FRACTION)],
        duration=("duration",),
        index=("fixation_id",),
        kept=(("on_surf",), "true"),
        needs_kept=True,
        y_up=True,
    ),
    Export(
        "Pupil Cloud",
        [(("fixation x [px]",), ("fixation y [px]",), PIXELS)],
        observer=("recording id",),
        duration=("duration [ms]",),
        kept=(("fixation detected in reference image",), "true"),
        needs_kept=True,
    ),
    Export(
        "PsychoPy",
        [(("average_gaze_x",), ("average_gaze_y",), CENTRED)],
        image=IMAGE_NAMES,
        observer=("participant", "participant_id", "subject", "session_code"),
        duration=("duration",),
        y_up=True,
        ms=1000.0,
    ),
)


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is nothing."""
    return cell.casefold() in MISSING


def read_tables(paths: Sequence[Path], root: Path, unit: str | None = None) -> dict[str, Fixations]:
    """Image -> its fixations, of one table or of Pupil Core's several; ValueError names the file and line.

    unit: see `fixation_files.read_fixations`. root: the folder, whose folders tell Pupil Core's observers apart.
    """
    rows, units, timed = {}, {}, False
    for path in paths:
        table = read_table(path, "fixations")
        export = _find_export(table)
        observer = path.parent.relative_to(root).as_posix()
        image = path.stem.removeprefix(SURFACE) if export.program == "Pupil Core" else "reference_image"
        of_file, its_unit, its_timed = _read_rows(table, export, unit, image, observer)
        timed |= its_timed
        for name, of_image in of_file.items():
            if units.get(name, its_unit) != its_unit:
                raise ValueError(f"fixations: '{path}' has '{name}' in {its_unit}, a table before it in {units[name]}")
            rows.setdefault(name, []).extend(of_image)
            units[name] = its_unit
    return {image: gather_fixations(of_image, timed=timed, unit=units[image]) for image, of_image in rows.items()}


def _find_export(table: CsvTable) -> Export:
    for export in EXPORTS:
        if any(None not in (_find(table, export, x), _find(table, export, y)) for x, y, _ in export.places):
            wanted = [export.image, export.observer, export.kept[0] if export.needs_kept else ()]
            missing = [names for names in wanted if names and _find(table, export, names) is None]
            if not missing:
                return export
            if export is not OURS:
                raise ValueError(
                    f"fixations: '{table.path}' looks like an export of {export.program} and has no column "
                    f"{' or '.join(missing[0])}: export it too"
                )
    wanted = [OURS.image, OURS.observer, *OURS.places[0][:2], OURS.duration]
    missing = next((names for names in wanted if table.find(*names) is None), wanted[0])
    raise ValueError(
        f"fixations: '{table.path}' has no column {' or '.join(missing)}; wanted are "
        f"{', '.join(' or '.join(names) for names in wanted)} (the last may be missing), or an export of "
        f"{', '.join(export.program for export in EXPORTS[1:])}; it has {show(table.head) or 'none'}"
    )


def _find(table: CsvTable, export: Export, names: Sequence[str]) -> int | None:
    """The place of the first of these columns that is there; ours must be there once."""
    if export is OURS:
        return table.find(*names)
    return next((place for name in names if (place := table.find(name)) is not None), None)


def _choose_place(table: CsvTable, export: Export, unit: str | None) -> tuple[int, int, str]:
    """The places of x and y, and their unit; ValueError for pixels of a screen that nobody says are the image's."""
    there = [(_find(table, export, x), _find(table, export, y), kind) for x, y, kind in export.places]
    there = [place for place in there if None not in place[:2]]
    x, y, kind = next((place for place in there if place[2] == unit), there[0])
    if kind in (SCREEN, CENTRED) and unit is None or (kind == CENTRED and unit == FRACTION):
        where = "in the middle" if kind == CENTRED else "from the upper left corner"
        raise ValueError(
            f"fixations: '{table.path}' has {table.head[x]} and {table.head[y]}, pixels of the screen: "
            f"--fixations_unit=pixels says that they are the image's, shown at its own size {where}"
            + ("; or export Fixation point X and Y (MCSnorm)" if export.program == "Tobii" else "")
        )
    return x, y, CENTRED if kind == CENTRED else unit or kind


def _read_rows(
    table: CsvTable, export: Export, unit: str | None, image: str, observer: str
) -> tuple[dict[str, list[tuple]], str, bool]:
    """Image -> rows (observer, x, y, ms) of its fixations, their unit, and whether durations are known.

    image, observer: of a table without such a column.
    """
    x_place, y_place, unit = _choose_place(table, export, unit)
    places = {
        name: _find(table, export, names)
        for name, names in (
            ("image", export.image),
            ("observer", export.observer),
            ("duration", export.duration),
            ("index", export.index),
            ("recording", export.recording),
            ("eye", export.eye),
            ("kept", export.kept[0]),
        )
    }
    found, n_rows = {}, 0  # image -> {(observer, eye, fixation): its rows}
    for line, cells in table.rows():
        n_rows += 1
        row = {name: cells[place] for name, place in places.items() if place is not None}
        if "kept" in row and row["kept"].casefold() != export.kept[1]:
            continue
        name, who = row.get("image", image), row.get("observer", observer)
        if is_missing(name) and export.loose:
            continue
        if not name or not who:
            raise table.refuse(line, f"names no {'observer' if name else 'image'}")
        numbers = [cells[x_place], cells[y_place], row.get("duration", "")]
        try:
            x, y, duration = (np.nan if is_missing(cell) else table.number(cell) for cell in numbers)
        except ValueError:
            raise table.refuse(line, f"should hold numbers; got {show(numbers)}") from None
        fixation = (row.get("recording"), row["index"]) if row.get("index") else line
        key = who, row.get("eye", ""), fixation
        if export.y_up:
            y = -y if unit == CENTRED else 1 - y
        found.setdefault(read_path(name), {}).setdefault(key, []).append((x, y, export.ms * duration))
    if not n_rows:
        raise ValueError(f"fixations: '{table.path}' has no row under its head")
    if not found:
        raise ValueError(f"fixations: no row of '{table.path}' is a fixation on an image")
    eyes = choose_eyes((who, eye) for of_image in found.values() for who, eye, _ in of_image)
    rows = {
        name: [(who, *_mean_place(of_one)) for (who, eye, _), of_one in of_image.items() if eye == eyes[who]]
        for name, of_image in found.items()
    }
    return rows, unit, places["duration"] is not None


def choose_eyes(fixations: Iterable[tuple[str, object]]) -> dict[str, object]:
    """Observer -> the eye with more fixations, the first of two with as many, of (observer, eye) of each fixation."""
    counts = {}
    for observer, eye in fixations:
        counts.setdefault(observer, Counter())[eye] += 1
    return {observer: max(sorted(of_one), key=of_one.get) for observer, of_one in counts.items()}


def _mean_place(of_fixation: Sequence[tuple[float, float, float]]) -> np.ndarray:
    """The mean x, y and ms of the rows of one fixation that have a place; of a blink any row."""
    rows = np.array(of_fixation)
    seen = np.isfinite(rows[:, :2]).all(axis=1)
    return rows[seen].mean(axis=0) if seen.any() else rows[0]
