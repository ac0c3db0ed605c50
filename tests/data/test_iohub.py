"""PsychoPy's .hdf5 in small, with the tables and columns that its ioHub writes: sessions, trials, eyes and blinks."""

import h5py
import numpy as np
import pytest

from data.dataset import load_dataset
from data.fixation_files import read_fixations

EVENT = [
    ("experiment_id", "u4"),
    ("session_id", "u4"),
    ("device_id", "u2"),
    ("event_id", "u4"),
    ("type", "u1"),
    ("device_time", "f8"),
    ("logged_time", "f8"),
    ("time", "f8"),
    ("confidence_interval", "f4"),
    ("delay", "f4"),
    ("filter_id", "i2"),
    ("eye", "u1"),
    ("duration", "f4"),
]
FIXATION = [*EVENT, ("start_gaze_x", "f4"), ("average_gaze_x", "f4"), ("average_gaze_y", "f4"), ("status", "u1")]
TRIAL = [("EXPERIMENT_ID", "i4"), ("SESSION_ID", "i4"), ("image", "S30"), ("TRIAL_START", "f8"), ("TRIAL_END", "f8")]
SESSION = [("session_id", "u4"), ("experiment_id", "u4"), ("code", "S24"), ("name", "S48")]
LEFT, RIGHT = 21, 22

FIXATIONS = [  # session, time of the end, eye, seconds, x, y
    (1, 0.5, LEFT, 0.25, 1.0, 1.0),  # before the first trial
    (1, 1.4, LEFT, 0.25, -30.0, 20.5),
    (1, 1.4, RIGHT, 0.25, -28.0, 19.0),
    (1, 1.9, LEFT, 0.5, np.nan, np.nan),
    (1, 3.5, LEFT, 0.125, 10.0, -4.0),
    (2, 1.4, RIGHT, 0.2, 5.0, 6.0),
]
TRIALS = [
    (1, 1, "images\\a.png", 1.0, 2.0),
    (1, 1, "b.png", 3.0, 4.0),
    (1, 2, "images\\a.png", 1.0, 2.0),
    (1, 2, "", 5.0, 6.0),
]


def table(rows, columns):
    found = np.zeros(len(rows), columns)
    for place, row in enumerate(rows):
        for name, value in row.items():
            found[name][place] = value
    return found


def write(path, fixations=FIXATIONS, trials=TRIALS, trial=TRIAL, blinks=((1, 1.6, LEFT), (1, 1.6, RIGHT))):
    names = "session_id", "time", "eye", "duration", "average_gaze_x", "average_gaze_y"
    with h5py.File(path, "w") as file:
        events = file.create_group("data_collection/events/eyetracker")
        events["MonocularEyeSampleEvent"] = table([], FIXATION)
        events["FixationEndEvent"] = table([dict(zip(names, row)) for row in fixations], FIXATION)
        events["BlinkEndEvent"] = table([dict(zip(names, row)) for row in blinks], EVENT)
        file["data_collection/condition_variables/EXP_CV_1"] = np.array(
            [tuple(text.encode() if isinstance(text, str) else text for text in row) for row in trials], trial
        )
        file["data_collection/session_meta_data"] = np.array([(1, 1, b"p01", b""), (2, 1, b"p02", b"")], SESSION)
    return path


def test_each_trial_has_the_fixations_that_ended_in_it_of_one_eye_of_each_session(tmp_path):
    found = read_fixations(write(tmp_path / "gaze.hdf5"), "pixels")
    assert list(found) == ["images/a.png", "b.png"]
    shown = found["images/a.png"]
    assert shown.in_pixels(100, 200).points.tolist() == [[70, 29.5], [105, 44]]  # from the middle, y turned down
    assert shown.durations.tolist() == pytest.approx([250, 200]) and shown.observers.tolist() == [0, 1]
    assert shown.n_blinks == 2  # the fixation without a place, and the blink of the left eye
    assert found["b.png"].points.tolist() == [[10, 4]] and found["b.png"].n_observers == 1


def test_a_folder_of_sessions_is_read_as_one(tmp_path):
    for name in ("one", "two"):
        write(tmp_path / f"{name}.hdf5")
    assert len(read_fixations(tmp_path, "pixels")["b.png"]) == 2


def test_images_find_their_fixations(tmp_path):
    from PIL import Image

    (tmp_path / "photographs").mkdir()
    Image.new("RGB", (200, 100)).save(tmp_path / "photographs" / "b.png")
    path = write(tmp_path / "gaze.hdf5")
    [sample] = load_dataset(tmp_path / "photographs", fixations=path, fixations_unit="pixels")
    assert sample.fixations.points.tolist() == [[110, 54]]


@pytest.mark.parametrize("unit", [None, "fraction"])
def test_where_the_image_stood_is_asked_for(tmp_path, unit):
    with pytest.raises(ValueError, match="gaze.hdf5.*--fixations_unit=pixels says .* at its own size in the middle"):
        read_fixations(write(tmp_path / "gaze.hdf5"), unit)


def without(name):
    return [column for column in TRIAL if column[0] != name]


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"fixations": []}, "holds no FixationEndEvent: the tracker gave samples alone"),
        ({"trials": []}, "tells of no trial which image it showed: export it by PsychoPy's saveEventReport"),
        ({"trial": without("image"), "trials": [(1, 1, 1.0, 2.0)]}, "has no variable called image .* saveEventReport"),
        ({"trial": without("TRIAL_END"), "trials": [(1, 1, "a.png", 1.0)]}, "has no TRIAL_END .* saveEventReport"),
        ({"trials": [(1, 1, "a.png", 1, 3), (1, 1, "b.png", 2, 4)]}, "two trials of session 1 that overlap at 2 s"),
        ({"fixations": [(1, 1.5, LEFT, 0.2, 0.1, -0.2)]}, "units height or norm, and pix were wanted"),
    ],
)
def test_what_is_missing_is_named_with_the_export_that_has_it(tmp_path, changed, words):
    with pytest.raises(ValueError, match=f"gaze.hdf5' {words}|gaze.hdf5.*{words}"):
        read_fixations(write(tmp_path / "gaze.hdf5", **changed), "pixels")


def test_nothing_outside_the_file_is_read(tmp_path):
    other = write(tmp_path / "other.h5")
    for link in (h5py.ExternalLink(str(other), "/data_collection"), h5py.SoftLink("/elsewhere")):
        with h5py.File(tmp_path / "gaze.hdf5", "w") as file:
            file["data_collection"] = link
        with pytest.raises(ValueError, match="gaze.hdf5' has a link in the place of /data_collection"):
            read_fixations(tmp_path / "gaze.hdf5", "pixels")
    path = write(tmp_path / "virtual.hdf5")
    with h5py.File(path, "r+") as file:
        name = "data_collection/events/eyetracker/FixationEndEvent"
        source = h5py.VirtualSource(str(other), name, shape=(6,), dtype=file[name].dtype)
        layout = h5py.VirtualLayout((6,), file[name].dtype)
        layout[:] = source
        del file[name]
        file.create_virtual_dataset(name, layout)
    with pytest.raises(ValueError, match="virtual.hdf5' keeps the table .* in another file"):
        read_fixations(path, "pixels")


def test_damaged_and_foreign_files_are_refused_by_name(tmp_path):
    path = write(tmp_path / "gaze.hdf5")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="cannot read .*gaze.hdf5' as a file of PsychoPy's ioHub"):
        read_fixations(path, "pixels")
    with h5py.File(path, "w") as file:
        file["model_weights/kernel"] = np.zeros(3)
    with pytest.raises(ValueError, match="gaze.hdf5' holds no FixationEndEvent"):
        read_fixations(path, "pixels")
    with h5py.File(path, "w") as file:
        file.create_dataset("data_collection/events/eyetracker/FixationEndEvent", (2**40,), np.dtype(FIXATION))
    with pytest.raises(ValueError, match="gaze.hdf5' has a table .* bytes; at most"):
        read_fixations(path, "pixels")
