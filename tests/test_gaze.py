"""gaze.py: maps, tables and figure of the embedded data, what is counted and said, and what is refused."""

import csv

import numpy as np
import pytest
from PIL import Image

import gaze
from data import dataset


def test_the_embedded_data_gives_its_official_maps_again(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert gaze.main(["--limit=3"]) == 0
    printed = capsys.readouterr().out
    assert "3 images; simulated gaze" in printed and "against 3 official maps" in printed
    with open("gaze_results/gaze.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    for row in rows:
        assert float(row["pcc"]) > 0.9999 and float(row["ssim"]) > 0.99 and float(row["mae"]) < 0.01
        assert (row["observers"], row["outside"], row["status"]) == ("12", "0", "ok")
    samples = dataset.load_dataset("demo_data/images_val", "gaze_results/density_maps")
    samples = [sample for sample in samples if sample.density_map_path is not None]  # more have been drawn
    assert len(samples) == 3
    for sample in samples:  # the folder is one of official maps to every other script
        official = f"demo_data/gazefixationsdensitymaps/{sample.density_map_path.name}"
        ours, theirs = (np.asarray(Image.open(path), dtype=int) for path in (sample.density_map_path, official))
        assert abs(ours - theirs).max() <= 2
    assert sorted(path.name for path in (tmp_path / "gaze_results").iterdir() if path.name[0] != ".") == [
        "density_maps",
        "gaze.csv",
        "gaze.json",
        "gaze_grid.png",
        "gaze_summary.csv",
        "over_images",
    ]


@pytest.fixture
def data(tmp_path):
    """Images a and b, fixations of a and of an image that is not there, and what runs the script on them."""
    for name in ("a", "b"):
        path = tmp_path / "images" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (60, 40), (90, 120, 90)).save(path)
    points = "a.png,1,10,10,200\na.png,1,10,10,0\na.png,2,70,10,150\na.png,2,40,30,\nx.png,1,1,1,1\n"
    points += "a.png,1,,,90\na.png,2,nan,nan,80\n"
    (tmp_path / "fixations.csv").write_text(f"image,observer,x,y,duration\n{points}")

    def run(*flags):
        folders = [f"--test_images_folder_path={tmp_path / 'images'}", f"--output_folder_path={tmp_path / 'out'}"]
        return gaze.main([*folders, f"--test_fixations_path={tmp_path / 'fixations.csv'}", *flags])

    return run


def test_what_is_wrong_with_the_fixations_is_counted_and_said(data, tmp_path, capsys):
    assert data("--sigma_px=5", "--figure_format=pdf,svg") == 0
    assert {path.name for path in (tmp_path / "out").glob("gaze_grid.*")} == {"gaze_grid.pdf", "gaze_grid.svg"}
    printed = capsys.readouterr().out
    assert "2 images; 1 of them without fixations; fixations of 1 other images are left alone" in printed
    assert "4 fixations: 1 outside their image, 1 repeated, without duration: 2; 2 rows without a place" in printed
    assert "b.png: no fixations" in printed
    with open(tmp_path / "out" / "gaze.csv", newline="") as file:
        first, second = csv.DictReader(file)
    counts = {"observers": "2", "fixations": "4", "outside": "1", "repeated": "1", "blinks": "2"}
    assert {key: first[key] for key in counts} == counts and first["without_duration"] == "2"
    assert float(first["sigma_px"]) == 5
    assert (first["pcc"], second["status"], second["density_map"]) == ("", "no fixations", "")
    grey = np.asarray(Image.open(tmp_path / "out" / "density_maps" / "a.png"))
    assert (grey.dtype, grey.shape, grey.max(), grey[10, 10]) == (np.uint8, (40, 60), 255, 255)
    assert grey[30, 40] == pytest.approx(127.5, abs=1)  # one fixation there, two at the maximum
    assert Image.open(tmp_path / "out" / "over_images" / "a.png").mode == "RGB"


def test_sigma_follows_the_screen_that_is_named(data, tmp_path):
    assert (
        data(
            "--screen_width_px=600",
            "--screen_height_px=400",
            "--screen_height_mm=400",
            "--distance_mm=100",
            "--angle_deg=45",
        )
        == 0
    )
    with open(tmp_path / "out" / "gaze.csv", newline="") as file:
        assert float(next(csv.DictReader(file))["sigma_px"]) == pytest.approx(10)  # 100 px of a screen 10 x as large


def test_an_official_map_that_is_of_no_use_fails_its_image_alone(data, tmp_path, capsys):
    (tmp_path / "gdfm").mkdir()
    Image.new("L", (40, 60)).save(tmp_path / "gdfm" / "a.png")
    assert data(f"--test_gdfm_folder_path={tmp_path / 'gdfm'}") == 1
    assert "a.png: failed: official map: density map 'a.png' is 40 x 60" in capsys.readouterr().out
    Image.new("L", (60, 40)).save(tmp_path / "gdfm" / "a.png")
    assert data(f"--test_gdfm_folder_path={tmp_path / 'gdfm'}") == 1
    assert "a.png: failed: official map: ground_truth is constant" in capsys.readouterr().out
    assert (tmp_path / "out" / "density_maps" / "a.png").is_file()


def test_maps_of_other_settings_are_refused_or_removed_and_nothing_else_is(data, tmp_path, capsys):
    out = tmp_path / "out"
    assert data("--sigma_px=5") == data("--sigma_px=5") == 0
    assert data("--sigma_px=6") == 2
    assert "other settings" in capsys.readouterr().err
    (tmp_path / "fixations.csv").write_text("image,observer,x,y\nb.png,1,3,3\n")
    assert data("--sigma_px=5") == 2  # the same file with other fixations
    (out / "density_maps" / "mine.png").write_text("x")
    assert data("--sigma_px=5", "--overwrite") == 0
    assert sorted(path.name for path in (out / "density_maps").iterdir()) == ["b.png", "mine.png"]


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--sigma_px=5", "--angle_deg=1"], "needs no --angle_deg"),
        (["--angle_deg=0"], "positive"),
        (["--distance_mm=nan"], "positive"),
        (["--colormap=rainbows"], "unknown colormap"),
        (["--test_images_folder_path=images"], "--test_fixations_path is wanted"),
        (
            ["--test_images_folder_path=images", "--test_fixations_path=no.csv"],
            "--test_fixations_path: there is no file or folder",
        ),
    ],
)
def test_a_slip_is_told_in_one_line(flags, reason, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    assert gaze.main(flags) == 2
    told = capsys.readouterr().err
    assert "error: " in told and reason in told and told.count("\n") == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "images"]
