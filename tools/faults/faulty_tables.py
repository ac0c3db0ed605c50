"""Malformed tables: gaze in every form that is read, boxes, labels, taxonomies, names of classes."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from tools.faults.faulty_images import ask_command
from tools.faults.faulty_models import spoil_weights, write_secret_weights
from tools.faults.mangle import spoil_bytes, spoil_json, spoil_text
from tools.faults.trials import FaultyInput, Kind, Place

IMAGES = ("a.png", "b.png")
SHAPE = (48, 64)  # height and width of them, pixels
GAZE = {  # name of the file -> a sound one
    "fixations.csv": "image,observer,x,y,duration\na.png,1,10,12.5,200\na.png,2,30,40,150\nb.png,1,5,6,90\n",
    "a.txt": "10 12 0.2\n30 40 0.15\n5.5 6 0.1\n",
    "tobii.tsv": "Participant name\tPresented Stimulus name\tEye movement type\tEye movement type index\t"
    "Gaze event duration\tFixation point X (MCSnorm)\tFixation point Y (MCSnorm)\n"
    "P1\ta\tFixation\t1\t200\t0.5\t0.25\nP1\ta\tSaccade\t1\t20\t\t\nP2\tb\tFixation\t2\t90\t0.1\t0.9\n",
    "viewer.csv": "RECORDING_SESSION_LABEL,image,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION\n"
    "s1,a.png,10,12,200\n",
    "fixations_on_surface_a.csv": "fixation_id,start_timestamp,duration,norm_pos_x,norm_pos_y,on_surf\n"
    "1,10,200,0.5,0.4,True\n2,11,90,0.2,0.9,False\n",
    "s1.asc": "MSG 1000 DISPLAY_COORDS 0 0 1919 1079\nMSG 2000 TRIALID 1\n"
    "MSG 2100 !V IMGLOAD CENTER a.png 960 540\nEFIX R 2110 2330 221 950.0 545.3 1045\n"
    "EBLINK R 2400 2500 100\nEFIX R 2510 2730 221 970.0 530.0 1045\n",
    "salicon.json": json.dumps(
        {
            "images": [{"id": 1, "file_name": "a.png"}],
            "annotations": [{"image_id": 1, "fixations": [[3, 4], [10, 20]]}, {"image_id": 1, "fixations": [[7, 9]]}],
        }
    ),
    "studio.csv": "ParticipantName;RecordingName;MediaName;GazeEventType;GazeEventDuration;FixationIndex;"
    "FixationPointX (MCSpx);FixationPointY (MCSpx)\n"
    "P1;r1;a.png;Fixation;250;1;12,5;7\nP2;r1;b.png;Fixation;90;1;1,5;2\n",
    "p1.FixationEndEvent.txt": "participant\timage\teye\tduration\taverage_gaze_x\taverage_gaze_y\n"
    "p01\ta.png\t21\t0.25\t-30.0\t20.5\np01\ta.png\t22\t0.25\t-3.0\t2.5\np02\tb.png\t22\t0.125\tnan\tnan\n",
    "osie.mat": "",  # written by scipy
    "session.hdf5": "",  # written by h5py
}
BOXES = "file,x0,y0,x1,y1,name\na.png,1,2,20,30,dog\na.png,5.5,6,40,41,cat\nb.png,0,0,64,48,\n"
LABELS = "file,dome,arch,glass\na.png,1,1,0\nb.png,0,1,1\n"
TAXONOMY = "leaf,group,kingdom\nterrier,dog,animal\ncollie,dog,animal\noak,tree,plant\n"
NAMES = {
    "names.txt": "0 red\n1 green\n2 blue\n",
    "index.json": json.dumps({"0": ["n01", "tench"], "1": ["n02", "goldfish"]}),
    "indices.json": json.dumps({"tench": 0, "goldfish": 1}),
    "list.json": json.dumps(["red", "green", "blue"]),
}
FURTHER_FILES = {  # that lie about in folders
    "nothing": b"",
    "NULs": bytes(3000),
    "a long line": b"x," * 200_000,
    "a long field": b"image,x,y\n" + b"a" * 10**6 + b",1,2\n",
    "many lines": b"image,x,y\n" + b"a.png,1,2\n" * 20_000,
    "a workbook": b"PK\x03\x04" + bytes(range(256)) * 8,
    "a web page": b"<!DOCTYPE html><html>",
    "Matlab 7.3": b"MATLAB 7.3 MAT-file".ljust(512, b" ") + b"\x89HDF\r\n\x1a\n" + bytes(100),
    "quotes": b'"' * 10_001,
    "many columns": b"image,x,y" + b",c" * 10**6 + b"\na.png,1,2" + b",1" * 10**6 + b"\n",
}


def spoil(rng: np.random.Generator, name: str, content: str | bytes) -> tuple[str, bytes]:
    """(in words, bytes) of a spoiled file of that name."""
    if rng.random() < 0.06:
        what = str(rng.choice(list(FURTHER_FILES)))
        return what, FURTHER_FILES[what]
    if isinstance(content, bytes):
        return spoil_bytes(rng, content)
    if name.endswith(".json") and rng.random() < 0.6:
        words, text = spoil_json(rng, json.loads(content))
        return words, text.encode("utf-8", errors="surrogatepass")
    return spoil_text(rng, content)


def write_session(path: Path) -> Path:
    """The path of a sound file of PsychoPy's ioHub, once it is written."""
    import h5py

    numbers = [("session_id", "u4"), ("time", "f8"), ("eye", "u1"), ("duration", "f4")]
    places = [("average_gaze_x", "f4"), ("average_gaze_y", "f4")]
    trials = [("SESSION_ID", "i4"), ("image", "S9"), ("TRIAL_START", "f8"), ("TRIAL_END", "f8")]
    with h5py.File(path, "w") as file:
        found = np.array([(1, 1.5, 21, 0.25, -3.0, 2.5), (2, 1.5, 22, 0.25, 3.0, 2.5)], numbers + places)
        file["data_collection/events/eyetracker/FixationEndEvent"] = found
        file["data_collection/events/eyetracker/BlinkEndEvent"] = np.array([(1, 1.7, 21, 0.1)], numbers)
        shown = np.array([(1, b"a.png", 1.0, 2.0), (2, b"b.png", 1.0, 2.0)], trials)
        file["data_collection/condition_variables/EXP_CV_1"] = shown
        codes = np.array([(1, b"p01"), (2, b"p02")], [("session_id", "u4"), ("code", "S9")])
        file["data_collection/session_meta_data"] = codes
    return path


def write_images(folder: Path) -> None:
    """Two sound photographs."""
    folder.mkdir()
    for number, name in enumerate(IMAGES):
        pixels = np.random.default_rng(number).integers(0, 256, (*SHAPE, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / name)


class Gaze(Kind):
    """A file or folder of fixations, given to gaze.py."""

    def prepare(self, place: Place) -> None:
        """Writes a sound .mat file."""
        from scipy.io import savemat

        path = place.outside.parent / "osie.mat"
        seen = [{"fix_x": [3.0, 4.0], "fix_y": [5.0, 6.0], "fix_duration": [100.0, 200.0]} for _ in range(2)]
        savemat(path, {"fixations": [{"img": "a.png", "subjects": seen}]}, do_compression=False)
        self.mat = path.read_bytes()
        self.hdf5 = write_session(place.outside.parent / "session.hdf5").read_bytes()
        write_secret_weights(place)

    def make(self, rng: np.random.Generator, place: Place) -> FaultyInput:
        """One form, spoiled."""
        write_images(place.inside / "images")
        name = str(rng.choice(list(GAZE)))
        gaze = place.inside / "gaze"
        gaze.mkdir()
        sound = {"osie.mat": self.mat, "session.hdf5": self.hdf5}.get(name, GAZE[name])
        if name == "session.hdf5" and rng.random() < 0.5:
            (gaze / name).write_bytes(sound)
            words = spoil_weights(rng, gaze / name, place)
        else:
            words, content = spoil(rng, name, sound)
            (gaze / name).write_bytes(content)
        is_folder = name.endswith(".txt") or name.startswith("fixations_on") or rng.random() < 0.2
        path = gaze if is_folder else gaze / name
        argv = [
            f"--test_images_folder_path={place.inside / 'images'}",
            f"--test_fixations_path={path}",
            f"--output_folder_path={place.inside / 'gaze_maps'}",
        ]
        if name.endswith(("Event.txt", ".hdf5")):
            argv.append("--fixations_unit=pixels")
        elif rng.random() < 0.3:
            argv.append(f"--fixations_unit={rng.choice(['pixels', 'fraction'])}")
        return FaultyInput(f"{name}: {words}", lambda: ask_command("gaze", argv), [path.name, name, *IMAGES])


class Tables(Kind):
    """Boxes, labels, taxonomies and names of classes, read and matched with images and classes as the commands do."""

    def make(self, rng: np.random.Generator, place: Place) -> FaultyInput:
        """One of them, spoiled."""
        write_images(place.inside / "images")
        what = str(rng.choice(["boxes", "labels", "taxonomy", "names"]))
        name = str(rng.choice(list(NAMES))) if what == "names" else f"{what}.csv"
        sound = NAMES[name] if what == "names" else {"boxes": BOXES, "labels": LABELS, "taxonomy": TAXONOMY}[what]
        words, content = spoil(rng, name, sound)
        path = place.inside / name
        path.write_bytes(content)
        return FaultyInput(
            f"{name}: {words}", lambda: getattr(self, f"_use_{what}")(path, place.inside / "images"), [name]
        )

    def _use_boxes(self, path: Path, images: Path) -> int:
        from data import boxes
        from data.dataset import load_dataset

        samples = load_dataset(images)
        found, words = boxes.match_boxes(boxes.read_boxes(path), samples)
        for sample in samples:
            if sample.name in found:
                boxes.read_mask(sample.path, found[sample.name])
        say(words)
        return 0

    def _use_labels(self, path: Path, images: Path) -> int:
        from data import labelled_images, multi_labels
        from data.dataset import load_dataset

        table, samples = multi_labels.read_labels(path), load_dataset(images)
        say(multi_labels.match_labels(table, samples))
        read = labelled_images.read_labelled(samples, table.class_names, *SHAPE, table.rows)
        multi_labels.check_learnable(read, table.path)
        return 0

    def _use_taxonomy(self, path: Path, images: Path) -> int:
        from data.taxonomy_files import open_taxonomy

        taxonomy = open_taxonomy(path)
        match = taxonomy.match(["terrier", "collie", "oak"])
        say(str(match)[:500])
        return 0

    def _use_names(self, path: Path, images: Path) -> int:
        from data.class_names import describe_labels, read_class_names
        from data.dataset import load_dataset

        names, ids = read_class_names(str(path))
        samples = load_dataset(images, class_names=names, class_ids=ids)
        found = [sample.label for sample in samples], [sample.class_index for sample in samples]
        for text in (", ".join(names), *describe_labels(*found, names)):
            say(text or "")
        return 0


def say(text: str) -> None:
    """As the commands put names on the screen."""
    from output.progress import printable

    print(printable(text))
