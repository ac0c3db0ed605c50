"""main.py and activations.py on a film: the maps are those of its frames, the film has one scale."""

import csv

import cv2
import numpy as np
import pytest
from PIL import Image
from planted import COLOURS, GREEN, RED, picture, planted_model

import activations
import main
from gradcam import GradCAM
from network import model_files
from network.classifier import Classifier
from pipeline import film_maps


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A working folder with the planted model and a film: red, red and green, and at last green, ever fainter."""
    monkeypatch.chdir(tmp_path)
    frames = [picture(RED), picture(RED, GREEN), picture(GREEN), (0.6 * picture(GREEN)).astype(np.uint8)]
    first, *others = [Image.fromarray(frame).quantize(200) for frame in frames]
    first.save("film.gif", save_all=True, append_images=others, duration=250, loop=0)
    model_files.save_model(planted_model(), "planted.keras", {"class_names": list(COLOURS)})
    return tmp_path


def frames_of(path):
    film, frames = cv2.VideoCapture(str(path)), []
    while (read := film.read())[0]:
        frames.append(read[1][..., ::-1])
    return frames, film.get(cv2.CAP_PROP_FPS)


def run(command, *flags):
    return command.main(["--model_path=planted.keras", "--test_images_folder_path=film.gif", *flags])


def test_every_frame_has_its_record_and_map_and_the_film_shows_them(work, capsys):
    assert run(main, "--faithfulness=none", "--explanation_method=GRADCAM,FEM", "--class_index=green") == 0
    assert "4 frames of 'film.gif', up to number 3, of 4 a second" in capsys.readouterr().out
    with open("results/records.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["method"] == "GRADCAM"]
    assert [(row["image"], row["class_name"]) for row in rows] == [(f"frame_00000{n}", "green") for n in range(4)]
    reader = cv2.VideoCapture("film.gif")
    for number in range(4):
        image = reader.read()[1][..., ::-1]
        alone = GradCAM(Classifier(planted_model()), None, image, GREEN).compute_saliency_map()
        np.testing.assert_allclose(
            np.load(f"results/maps/GRADCAM/frame_00000{number}.npy"), alone, rtol=1e-4, atol=1e-6
        )
    for method in ("GRADCAM", "FEM"):
        frames, rate = frames_of(f"results/films/{method}.mp4")
        assert len(frames) == 4 and rate == pytest.approx(4)
        assert Image.open(f"results/films/{method}.gif").n_frames == 4
    assert min(np.asarray(frame).std() for frame in frames) > 5
    first = work / "results" / "maps" / "GRADCAM" / "frame_000000.npy"
    before = first.stat().st_mtime_ns
    assert run(main, "--faithfulness=none", "--explanation_method=GRADCAM,FEM", "--class_index=green") == 0
    assert first.stat().st_mtime_ns == before, "a run goes on: the frames are the same"
    assert main.main(["--overwrite", "--limit=1", "--faithfulness=none"]) == 0
    assert not list((work / "results").glob("films/*"))


def test_one_scale_holds_for_the_whole_film(work, monkeypatch):
    scales = []
    monkeypatch.setattr(
        film_maps, "compose", lambda pictures, lines, scale: scales.append(scale) or np.zeros((8, 8, 3), np.uint8)
    )
    assert run(main, "--faithfulness=none", "--explanation_method=GRADCAM", "--class_index=green") == 0
    maps = [np.load(path) for path in (work / "results" / "maps" / "GRADCAM").glob("*.npy")]
    assert len(scales) == 4 and len(set(scales)) == 1
    assert (scales[0].low, scales[0].high) == (min(map(np.min, maps)), max(map(np.max, maps)))


def test_fewer_frames_are_asked_for(work):
    assert run(main, "--faithfulness=none", "--frame_step=2", "--limit=2", "--figures=none") == 0
    assert sorted(path.stem for path in (work / "results" / "maps" / "GRADCAM").iterdir()) == [
        "frame_000000",
        "frame_000002",
    ]
    assert not (work / "results" / "films").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--frame_step=2"], "--frame_step is of films: give one"),
        (["--test_images_folder_path=.", "--frame_step=2"], "--frame_step: '.' is no film"),
        (["--test_images_folder_path=3"], "--limit: camera 3 never ends"),
        (["--test_images_folder_path=none.mp4"], "--test_images_folder_path: there is no file"),
    ],
)
def test_what_has_no_film_is_refused(work, capsys, flags, words):
    assert main.main(flags) == 2
    assert words in capsys.readouterr().err


def test_a_layer_is_seen_beside_the_film(work):
    assert run(activations, "--layer_name=colours", "--n_maps=1", "--n_top_images=2") == 0
    frames, rate = frames_of("activations/films/colours.mp4")
    assert len(frames) == 4 and rate == pytest.approx(4)
    assert Image.open("activations/films/colours.gif").n_frames == 4
    with open("activations/top_images.csv", newline="", encoding="utf-8") as file:
        best = {int(row["channel"]): row["image"] for row in csv.DictReader(file) if row["rank"] == "1"}
    assert best[RED] in ("frame_000000", "frame_000001") and best[GREEN] in ("frame_000001", "frame_000002")
