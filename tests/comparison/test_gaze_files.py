"""The names of density maps, whose folder it is, and the table of all images."""

import json

import pytest
from PIL import Image

from comparison import gaze_files
from data.dataset import load_dataset


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Colonial_A_N_B_Jalisco_N_2.png", "Colonial_A_N_B_Jalisco_GFDM_N_2.png"),
        ("cat_N_2.jpg", "cat_N_2.png"),  # no name of MexCulture142
        ("cats/1.v2.jpg", "cats/1.v2.png"),
    ],
)
def test_a_density_map_is_called_as_its_image_asks_for(name, file):
    assert gaze_files.name_density_maps([name]) == {name: f"density_maps/{file}"}


def test_every_image_finds_its_own_density_map_under_its_name(tmp_path):
    names = ["Modern_B_Mexico_N_1.png", "a.jpg", "a.png", "B.png", "b.JPG", "c.d.png"]
    for name, file in gaze_files.name_density_maps(names).items():
        for path in (tmp_path / "images" / name, tmp_path / file):
            path.parent.mkdir(exist_ok=True)
            Image.new("L", (6, 4)).save(path)
    found = {
        sample.name: f"density_maps/{sample.density_map_path.name}"
        for sample in load_dataset(tmp_path / "images", tmp_path / "density_maps")
    }
    assert found == gaze_files.name_density_maps(names)
    assert len(set(found.values())) == len(names)


@pytest.mark.parametrize("content", ["{", "[]", '{"settings": {}}', '{"settings": {}, "files": ["../a.png"]}'])
def test_a_folder_whose_gaze_json_is_not_ours_is_left_alone(tmp_path, content):
    (tmp_path / "gaze.json").write_text(content)
    for overwrite in (False, True):
        with pytest.raises(ValueError, match="not of a run of gaze.py"):
            gaze_files.open_folder(tmp_path, {}, [], overwrite)
    assert (tmp_path / "gaze.json").read_text() == content


def test_a_folder_remembers_the_maps_of_all_runs_with_its_settings(tmp_path):
    for files in (["b.png"], ["a.png", "b.png"]):
        gaze_files.open_folder(tmp_path, {"sigma_px": 5}, files, False).close()
    assert json.loads((tmp_path / "gaze.json").read_text())["files"] == ["a.png", "b.png"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is a file"):
        gaze_files.open_folder(tmp_path / "file", {}, [], False)


def make_row(**values):
    return dict.fromkeys(gaze_files.COLUMNS, "") | {"status": "ok", "density_map": "x.png", "sigma_px": 5.0} | values


def test_the_summary_adds_counts_and_averages_what_there_is():
    rows = [
        make_row(fixations=3, outside=1, repeated=0, pcc=0.5),
        make_row(fixations=4, outside=0, repeated=2, pcc=1.0, sigma_px=7.0),
        make_row(fixations=2, outside=2, repeated=0, density_map="", status="failed: no fixation", image="b"),
    ]
    summary = gaze_files.summarise(rows)
    assert [summary[key] for key in ("images", "density_maps", "fixations", "outside", "repeated")] == [3, 2, 9, 3, 2]
    assert (summary["pcc_mean"], summary["pcc_std"], summary["pcc_n"]) == (0.75, 0.25, 2)
    assert (summary["without_duration"], summary["mae_mean"], summary["mae_n"]) == ("", "", 0)


def test_the_text_tells_failures_and_what_is_unknown():
    rows = [make_row(fixations=3, outside=0, repeated=0), make_row(image="b", density_map="", status="no fixations")]
    text = gaze_files.format_summary(rows, gaze_files.summarise(rows))
    assert "without duration: unknown" in text and "observers of an image: unknown" in text
    assert "b: no fixations" in text and "official" not in text and "pixels of the screen" not in text


def test_fixations_in_pixels_of_the_screen_are_suspected():
    rows = [make_row(fixations=3, outside=2, repeated=0)]
    assert "are they in pixels of the screen" in gaze_files.format_summary(rows, gaze_files.summarise(rows))
