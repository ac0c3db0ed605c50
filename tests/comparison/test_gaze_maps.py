"""gaze.py: what is counted, compared and drawn of an image, the names of its maps, their folder, the table of all."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from planted import ROOT

from comparison import gaze_maps
from data.dataset import Sample, load_dataset
from data.fixations import Fixations


def make_fixations(points, known=True, durations=None):
    points = np.array(points, dtype=float).reshape(-1, 2)
    return Fixations(points, np.zeros(len(points), dtype=int), durations, 1, known)


def make_sample(tmp_path, name="a.png", size=(60, 40), **known):
    Image.new("RGB", size, (20, 20, 20)).save(tmp_path / name)
    return Sample(name, name[:-4], tmp_path / name, **known)


def test_no_network_is_loaded_for_density_maps():
    code = "import sys, gaze, comparison.gaze_maps; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_what_the_files_do_not_tell_is_left_empty():
    counts = gaze_maps.count(make_fixations([[1, 2], [9, 9]], known=False), 5, 5)
    assert counts == {"observers": "", "fixations": 2, "outside": 1, "repeated": 0, "blinks": 0, "without_duration": ""}


def test_the_metrics_of_a_map_with_itself_and_with_its_mirror_image(tmp_path):
    density_map = np.tile(np.linspace(0, 1, 60, dtype=np.float32), (40, 1))
    Image.fromarray(np.rint(255 * density_map).astype(np.uint8)).save(tmp_path / "gdfm.png")
    sample = make_sample(tmp_path, density_map_path=tmp_path / "gdfm.png")
    same, mirrored = gaze_maps.compare(sample, density_map), gaze_maps.compare(sample, density_map[:, ::-1])
    assert same == pytest.approx({"mae": 0, "mse": 0, "pcc": 1, "ssim": 1}, abs=2e-3)
    # |2 t - 1| and its square, on average over t = 0, 1/59, ... 1
    expected = {"mae": 60 / 118, "mse": 61 / 177, "pcc": -1}
    assert {metric: mirrored[metric] for metric in expected} == pytest.approx(expected, abs=2e-3)


def test_dots_stand_where_people_looked_and_nowhere_else():
    image, density_map = np.zeros((300, 400, 3), np.uint8), np.zeros((300, 400), np.float32)
    picture = gaze_maps.draw_over(density_map, image, make_fixations([[350.0, 20.5], [401, 3]]), "gray")
    rows, columns = np.nonzero(picture.min(axis=2) > 200)
    assert (rows.mean(), columns.mean()) == pytest.approx((20.5, 350), abs=0.6)
    assert 5 < len(rows) < 40


def test_an_image_that_cannot_be_read_or_was_looked_past_has_a_reason_in_place_of_a_map(tmp_path):
    def status(sample):
        row = gaze_maps.make_map(sample, tmp_path / "out", "density_maps/a.png", "jet", 5, {})
        assert row["density_map"] == "" and not (tmp_path / "out").exists()
        return row["status"]

    assert status(make_sample(tmp_path)) == "no fixations"
    beside = make_fixations([[80, 10]])
    assert "failed: no fixation inside the image of 60 x 40" in status(make_sample(tmp_path, fixations=beside))
    sample = make_sample(tmp_path, fixations=beside)
    sample.path.write_bytes(b"")
    assert "the file is empty" in status(sample)


def test_the_figure_has_a_row_per_image_the_worst_first(tmp_path):
    samples, rows = [], []
    for k, pcc in enumerate((0.9, 0.2, "", 0.5, 0.7)):
        known = {"fixations": make_fixations([[9, 9]]), "density_map_path": tmp_path / "0.png"}
        sample = make_sample(tmp_path, f"{k}.png", **known)
        samples.append(sample)
        rows.append(gaze_maps.make_map(sample, tmp_path, f"density_maps/{k}.png", "jet", 5, {}) | {"pcc": pcc})
    figure = gaze_maps.draw_grid(samples, rows, tmp_path, ["5 images", "simulated gaze"])
    assert figure.texts[0].get_text() == "Density maps of simulated gaze"
    titles = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert [title for title in titles if title.endswith(".png")] == ["1.png", "3.png", "4.png", "0.png"]
    assert len(figure.axes) == 16
    assert [bool(axes.child_axes) for axes in figure.axes[:3]] == [False, True, False], "the map has its colour bar"
    assert gaze_maps.draw_grid(samples, [row | {"density_map": ""} for row in rows], tmp_path, []) is None
    figure = gaze_maps.draw_grid(samples, [row | {"pcc": ""} for row in rows], tmp_path, [])
    assert len(figure.axes) == 9  # three images, no official maps


# --- the folder and the tables -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Colonial_A_N_B_Jalisco_N_2.png", "Colonial_A_N_B_Jalisco_GFDM_N_2.png"),
        ("cat_N_2.jpg", "cat_N_2.png"),  # no name of MexCulture142
        ("cats/1.v2.jpg", "cats/1.v2.png"),
    ],
)
def test_a_density_map_is_called_as_its_image_asks_for(name, file):
    assert gaze_maps.name_density_maps([name]) == {name: f"density_maps/{file}"}


def test_every_image_finds_its_own_density_map_under_its_name(tmp_path):
    names = ["Modern_B_Mexico_N_1.png", "a.jpg", "a.png", "B.png", "b.JPG", "c.d.png"]
    for name, file in gaze_maps.name_density_maps(names).items():
        for path in (tmp_path / "images" / name, tmp_path / file):
            path.parent.mkdir(exist_ok=True)
            Image.new("L", (6, 4)).save(path)
    found = {
        sample.name: f"density_maps/{sample.density_map_path.name}"
        for sample in load_dataset(tmp_path / "images", tmp_path / "density_maps")
    }
    assert found == gaze_maps.name_density_maps(names)
    assert len(set(found.values())) == len(names)


@pytest.mark.parametrize("content", ["{", "[]", '{"settings": {}}', '{"settings": {}, "files": ["../a.png"]}'])
def test_a_folder_whose_gaze_json_is_not_ours_is_left_alone(tmp_path, content):
    (tmp_path / "gaze.json").write_text(content)
    for overwrite in (False, True):
        with pytest.raises(ValueError, match="gaze.json.*choose another --output_folder_path"):
            gaze_maps.open_gaze_folder(tmp_path, {}, [], overwrite)
    assert (tmp_path / "gaze.json").read_text() == content


def test_a_folder_remembers_the_maps_of_all_runs_with_its_settings(tmp_path):
    for files in (["b.png"], ["a.png", "b.png"]):
        gaze_maps.open_gaze_folder(tmp_path, {"sigma_px": 5}, files, False).close()
    assert json.loads((tmp_path / "gaze.json").read_text())["files"] == ["a.png", "b.png"]


def make_row(**values):
    return dict.fromkeys(gaze_maps.MAP_COLUMNS, "") | {"status": "ok", "density_map": "x.png", "sigma_px": 5.0} | values


def test_the_summary_adds_counts_and_averages_what_there_is():
    rows = [
        make_row(fixations=3, outside=1, repeated=0, pcc=0.5),
        make_row(fixations=4, outside=0, repeated=2, pcc=1.0, sigma_px=7.0),
        make_row(fixations=2, outside=2, repeated=0, density_map="", status="failed: no fixation", image="b"),
    ]
    summary = gaze_maps.summarise_maps(rows)
    assert [summary[key] for key in ("images", "density_maps", "fixations", "outside", "repeated")] == [3, 2, 9, 3, 2]
    assert (summary["pcc_mean"], summary["pcc_std"], summary["pcc_n"]) == (0.75, pytest.approx(np.sqrt(1 / 8)), 2)
    assert (summary["without_duration"], summary["mae_n"]) == ("", 0) and np.isnan(summary["mae_mean"])


def test_the_text_tells_failures_and_what_is_unknown():
    rows = [make_row(fixations=3, outside=0, repeated=0), make_row(image="b", density_map="", status="no fixations")]
    text = gaze_maps.format_summary(rows, gaze_maps.summarise_maps(rows))
    assert "without duration: unknown" in text and "observers of an image: unknown" in text
    assert "b: no fixations" in text and "official" not in text and "pixels of the screen" not in text


def test_fixations_in_pixels_of_the_screen_are_suspected():
    rows = [make_row(fixations=3, outside=2, repeated=0)]
    assert "are they in pixels of the screen" in gaze_maps.format_summary(rows, gaze_maps.summarise_maps(rows))


def test_overwriting_removes_the_maps_that_are_known_and_no_other(tmp_path):
    gaze_maps.open_gaze_folder(tmp_path, {"sigma_px": 5}, ["density_maps/a[1].png"], False).close()
    (tmp_path / "density_maps").mkdir()
    for name in ("a[1].png", "a1.png"):
        (tmp_path / "density_maps" / name).write_text("a map")
    gaze_maps.open_gaze_folder(tmp_path, {"sigma_px": 6}, ["density_maps/b.png"], True).close()
    assert [path.name for path in (tmp_path / "density_maps").iterdir()] == ["a1.png"]
    assert json.loads((tmp_path / "gaze.json").read_text())["files"] == ["density_maps/b.png"]
