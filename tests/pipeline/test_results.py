"""The files of a run: records that round-trip, whole files or none, torn rows, summaries, other runs, other files."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from planted import ROOT

from output.files import write_whole
from pipeline.records import Record
from pipeline.results import Results, RunFolder

SETTINGS = {"seed": 0, "methods": {"GRADCAM": {"variant": "paper"}}}
PLAIN = Record("GRADCAM", "a.png", "a", predicted="red", probability=0.5, class_index=0, pcc=0.25, seconds=0.1)
NASTY = Record(
    method="RISE",
    image='cats/a, "b"\nc\r\u00e9\U0001f408.png',
    stem="cats_a",
    label="chat, \u00e9l\u00e9gant",
    predicted="\u795e;'x'",
    probability=1 / 3,
    class_index=0,
    class_name="\u795e",
    status="constant map",
    sim=1e-17,
    mae=-0.0,
    insertion_auc=0.1 + 0.2,
    deletion_auc=5e-324,
    seconds=1e22 / 3,
    undefined={"pcc": 'saliency_map is "constant", all\n0'},
    top_classes=[["\u795e,\n", 0.1], ['"', 2 / 3]],
)


def open_run(folder, settings=SETTINGS, **options):
    return Results(folder, settings, {"flags": {}}, **options)


def sample_of(record):
    return SimpleNamespace(name=record.image, stem=record.stem, checksum=record.checksum)


def add(run, record, value=1.0):
    run.add(record, np.full((2, 3), value, np.float32), np.array([[0, 0.5, 0.25], [1, 0.75, 0.125]]))


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- one record, one row -----------------------------------------------------------------------------------
@pytest.mark.parametrize("record", [PLAIN, NASTY, Record("FEM", "x", "x")], ids=["plain", "nasty", "empty"])
def test_a_record_comes_back_exactly(tmp_path, record):
    add(open_run(tmp_path), record)
    assert list(open_run(tmp_path).records.values()) == [record]


def test_any_csv_reader_reads_the_records(tmp_path):
    run = open_run(tmp_path)
    add(run, NASTY)
    add(run, PLAIN)
    with (tmp_path / "records.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == [NASTY.image, PLAIN.image]
    assert float(rows[0]["insertion_auc"]) == NASTY.insertion_auc
    assert rows[0]["pcc"] == "" and json.loads(rows[0]["undefined"]) == NASTY.undefined


def test_a_file_name_that_is_no_utf8_is_kept(tmp_path):
    record = replace(PLAIN, image=b"caf\xe9.png".decode("utf-8", "surrogateescape"))
    settings = {**SETTINGS, "test_images_folder_path": record.image}
    add(open_run(tmp_path, settings), record)
    assert list(open_run(tmp_path, settings).records.values()) == [record]


def test_maps_and_curves_come_back(tmp_path):
    run = open_run(tmp_path)
    add(run, PLAIN, 0.1)
    saliency_map = run.read_map(PLAIN)
    assert saliency_map.dtype == np.float32
    np.testing.assert_array_equal(saliency_map, np.full((2, 3), 0.1, np.float32))
    np.testing.assert_array_equal(run.read_curves(PLAIN), [[0, 1], [0.5, 0.75], [0.25, 0.125]])
    assert run.read_curves(NASTY) is None


# --- whole or not at all -----------------------------------------------------------------------------------
def test_a_row_torn_at_any_byte_is_dropped_and_the_others_stay(tmp_path):
    run = open_run(tmp_path)
    add(run, PLAIN)
    path = tmp_path / "records.csv"
    whole = len(path.read_bytes())
    add(run, NASTY)
    content = path.read_bytes()
    del run
    for length in range(whole, len(content)):
        path.write_bytes(content[:length])
        found = list(open_run(tmp_path).records.values())
        # Only the quote or the line's end is missing: the row has been written, and says what it should.
        assert found == [PLAIN] or (found == [PLAIN, NASTY] and length >= len(content) - 3), length
    add(open_run(tmp_path), NASTY)
    assert list(open_run(tmp_path).records.values()) == [PLAIN, NASTY]


def test_an_image_is_found_when_its_record_and_its_map_are_there(tmp_path):
    run = open_run(tmp_path)
    assert run.find("GRADCAM", sample_of(PLAIN)) is None
    add(run, PLAIN)
    assert run.find("GRADCAM", sample_of(PLAIN)) == PLAIN
    assert run.find("RISE", sample_of(PLAIN)) is None
    for reason, now in {
        "its files have another name now": sample_of(replace(PLAIN, stem="a_png")),
        "another image has that stem now": sample_of(replace(PLAIN, image="a.jpg")),
        "another picture lies under that name now": sample_of(replace(PLAIN, checksum="0a1b2c3d")),
    }.items():
        assert run.find("GRADCAM", now) is None, reason
    run.map_path("GRADCAM", "a").unlink()
    assert run.find("GRADCAM", sample_of(PLAIN)) is None


def test_an_image_done_again_has_one_record(tmp_path):
    run = open_run(tmp_path)
    add(run, PLAIN)
    add(run, replace(PLAIN, pcc=0.75))
    assert [record.pcc for record in open_run(tmp_path).records.values()] == [0.75]


def test_a_failed_image_is_recorded_and_tried_again_by_the_next_run(tmp_path):
    run = open_run(tmp_path)
    run.add(Record("GRADCAM", "bad.png", "bad", status="failed: damaged"))
    assert "failed: damaged" in (tmp_path / "records.csv").read_text()
    assert open_run(tmp_path).records == {}


# --- reading -------------------------------------------------------------------------------------------------
def write_map(path, array):
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=True)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-3]),
        lambda path: path.write_bytes(b"\x93NUMPY\x01\x00\xff\xff{"),
        lambda path: path.write_bytes(path.read_bytes().replace(b"(2, 3)", b"(9999999999999, 3)")[:128]),
        lambda path: np.savez(path.open("wb"), a=np.zeros((2, 3))),
        lambda path: write_map(path, np.zeros(3)),
        lambda path: write_map(path, np.zeros((0, 3))),
        lambda path: write_map(path, np.array([["a", "b"]])),
        lambda path: write_map(path, np.array([[1.0, np.nan]])),
        lambda path: write_map(path, np.array([[{}]])),
        lambda path: (path.unlink(), path.mkdir()),
    ],
)
def test_a_damaged_map_is_told_in_one_line(tmp_path, spoil):
    run = open_run(tmp_path)
    add(run, PLAIN)
    spoil(run.map_path("GRADCAM", "a"))
    with pytest.raises(ValueError, match="cannot read .*a.npy.*; remove it, and the same command") as caught:
        run.read_map(PLAIN)
    assert "\n" not in str(caught.value)


def test_a_map_of_another_size_than_the_runs_is_told(tmp_path):
    run = Results(tmp_path, SETTINGS, {"model": {"input_size": "2 x 3"}})
    add(run, PLAIN)
    assert run.read_map(PLAIN).shape == (2, 3)
    write_map(run.map_path("GRADCAM", "a"), np.zeros((3, 2), np.float32))
    for reader in (run, RunFolder(tmp_path)):
        with pytest.raises(
            ValueError, match=r"a.npy' \(it is \(3, 2\), and the maps of this run are \(2, 3\)\); remove"
        ):
            reader.read_map(PLAIN)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes among files on Windows")
def test_a_pipe_in_the_place_of_a_map_is_not_waited_for(tmp_path):
    run = open_run(tmp_path)
    add(run, PLAIN)
    run.map_path("GRADCAM", "a").unlink()
    os.mkfifo(run.map_path("GRADCAM", "a"))
    with pytest.raises(ValueError, match="a.npy' .there is no such file"):
        run.read_map(PLAIN)


@pytest.mark.parametrize(
    "content", [b"", b"fraction,insertion,deletion\n1,2\n", b"\x00\xff\n\xfe", b"f,i,d\n0,a,1\n", b"f,i,d\n0,nan,1\n"]
)
def test_a_damaged_curve_is_told_in_one_line(tmp_path, content):
    run = open_run(tmp_path)
    add(run, PLAIN)
    run.curves_path(PLAIN).write_bytes(content)
    with pytest.raises(ValueError, match="cannot read .*a.csv.*--overwrite"):
        run.read_curves(PLAIN)


@pytest.mark.parametrize(
    "change",
    [
        {"settings": {"methods": []}},
        {"settings": {"methods": {"FEM": 1}}},
        {"settings": {"methods": {}, "test_images_folder_path": 7}},
        {"settings": {"methods": {}, "sigma_px": "wide"}},
        {"model": []},
        {"versions": 1},
    ],
    ids=str,
)
def test_a_description_of_another_kind_is_refused_by_name(tmp_path, change):
    open_run(tmp_path)
    path = tmp_path / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ValueError, match="run.json' is not of a run of main.py: choose another"):
        RunFolder(tmp_path).read_description()


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "change",
    [
        {"undefined": DEEP},
        {"undefined": "[]"},
        {"undefined": '{"pcc": 1}'},
        {"top_classes": "[1]"},
        {"remarks": "5"},
        {"stem": "../../a"},
        {"method": ".."},
        {"stem": ""},
        {"class_index": "one"},
        {"probability": "high"},
    ],
    ids=str,
)
def test_a_row_that_is_not_ours_is_dropped_and_the_others_stay(tmp_path, change):
    """A stem with folders in it would have --overwrite remove files elsewhere."""
    add(open_run(tmp_path), PLAIN)
    path = tmp_path / "records.csv"
    with path.open(newline="") as file:
        [row] = csv.DictReader(file)
    with path.open("a", newline="") as file:
        csv.DictWriter(file, row).writerow({**row, "image": "b.png", "stem": "b", **change})
    assert list(RunFolder(tmp_path).read_records()) == [("GRADCAM", "a.png")]


@pytest.mark.parametrize("value", ["0,25", "inf", "-inf", "1_0", "0x1", "#NAME?"])
def test_a_damaged_row_is_refused_by_its_line_where_nobody_makes_it_again(tmp_path, value):
    run = open_run(tmp_path)
    for name in "abc":
        add(run, replace(PLAIN, image=f"{name}.png", stem=name))
    path = tmp_path / "records.csv"
    with path.open(newline="") as file:
        head, *rows = csv.reader(file)
    rows[1][head.index("pcc")] = value
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    assert [image for _, image in RunFolder(tmp_path).read_records()] == ["a.png", "c.png"]
    with pytest.raises(ValueError, match="line 3 of '.*records.csv' is none that a run has written"):
        RunFolder(tmp_path).read_records(strict=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([head, rows[0], rows[2][:-1]])
    assert [image for _, image in RunFolder(tmp_path).read_records(strict=True)] == ["a.png"], "the last may be torn"


@pytest.mark.parametrize("content", ['"' + "x" * 200_000, "a,b\n", "\0" * 1000])
def test_records_that_are_not_ours_are_refused_by_name(tmp_path, content):
    add(open_run(tmp_path), PLAIN)
    (tmp_path / "records.csv").write_text(content)
    with pytest.raises(ValueError, match="records.csv.*choose another --output_folder_path"):
        RunFolder(tmp_path).read_records()


def test_of_another_gaze_all_that_is_known_of_gaze_is_forgotten_and_the_maps_stay(tmp_path):
    run = open_run(tmp_path)
    run.accept_gaze("first")
    record = replace(PLAIN, nss=1.5, insertion_auc=0.5, undefined={"kl": "a reason", "increase": "another"})
    add(run, record)
    add(run, replace(PLAIN, method="OTHERS"))
    open_run(tmp_path).accept_gaze("first")
    assert open_run(tmp_path).records["GRADCAM", "a.png"] == record
    again = open_run(tmp_path)
    again.accept_gaze("second")
    kept = open_run(tmp_path).records
    assert list(kept) == [("GRADCAM", "a.png")]
    assert kept["GRADCAM", "a.png"] == replace(record, pcc=None, nss=None, undefined={"increase": "another"})
    assert open_run(tmp_path).find("GRADCAM", sample_of(PLAIN)) is not None


# --- other settings, other runs ------------------------------------------------------------------------------
def test_a_method_that_is_added_keeps_the_settings_and_records_of_the_first(tmp_path):
    add(open_run(tmp_path), PLAIN)
    run = open_run(tmp_path, {"seed": 0, "methods": {"FEM": {"k": 2.0}}})
    add(run, replace(PLAIN, method="FEM"))
    assert [record.method for record in run.records.values()] == ["GRADCAM", "FEM"]
    settings = json.loads((tmp_path / "run.json").read_text())["settings"]
    assert settings["methods"] == {"GRADCAM": {"variant": "paper"}, "FEM": {"k": 2.0}}
    assert open_run(tmp_path, {**SETTINGS, "methods": {}}).find("GRADCAM", sample_of(PLAIN)) == PLAIN


@pytest.mark.parametrize(
    "settings, words",
    [
        ({**SETTINGS, "seed": 1}, "seed: 0, now 1"),
        ({**SETTINGS, "methods": {"GRADCAM": {"variant": "lab"}}}, "GRADCAM: .*paper.*, now .*lab"),
        ({**SETTINGS, "new": "x"}, "new: None, now 'x'"),
    ],
)
def test_other_settings_are_refused_and_named(tmp_path, settings, words):
    add(open_run(tmp_path), PLAIN)
    before = files_of(tmp_path)
    with pytest.raises(ValueError, match=f"other settings .*{words}.*--overwrite"):
        open_run(tmp_path, settings)
    assert files_of(tmp_path) == before


def test_a_tuple_among_the_options_is_the_same_setting_when_read_back(tmp_path):
    settings = {"methods": {"LIME": {"hide_color": (0.0, 0.0, 0.0)}}}
    open_run(tmp_path, settings)
    open_run(tmp_path, settings)


def test_overwriting_removes_the_files_of_the_run_and_no_other(tmp_path):
    run = open_run(tmp_path)
    add(run, PLAIN)
    run.write_table("summary.csv", [{"method": "GRADCAM"}])
    for name in ("GRADCAM_grid.png", "GRADCAM_grid_12.png", "GRADCAM/a_overlay.png", "GRADCAM/.partial_a_curves.png"):
        write_whole(tmp_path / "figures" / name, lambda path: path.write_text("ours"))
    theirs = {
        "notes.txt",
        "figures/GRADCAM_grid_best.png",
        "figures/GRADCAM/b_overlay.png",
        "figures/mine.png",
        "maps/GRADCAM/b.npy",
        "maps/RISE/a.npy",
        "curves/mine.csv",
    }
    for name in theirs:
        write_whole(tmp_path / name, lambda path: path.write_text("theirs"))
    open_run(tmp_path, {**SETTINGS, "seed": 1}, overwrite=True)
    assert {Path(name).as_posix() for name in files_of(tmp_path)} == {*theirs, "run.json", "records.csv", ".lock"}
    assert open_run(tmp_path, {**SETTINGS, "seed": 1}).records == {}


def test_overwriting_a_folder_without_a_run_removes_nothing(tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "mine.npy").write_text("mine")
    open_run(tmp_path, overwrite=True)
    assert (tmp_path / "maps" / "mine.npy").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "name, content",
    [
        ("run.json", "{}"),
        ("run.json", "[1]"),
        ("run.json", "not JSON"),
        ("run.json", '{"settings": {"methods": 3}}'),
        ("run.json", '{"settings": {"layers": []}}'),
        ("run.json", "[" * 100_000),
        ("records.csv", "their,own\n1,2\n"),
    ],
)
def test_a_file_of_somebody_else_under_our_name_is_left_alone(tmp_path, name, content, overwrite):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=f"{name}.*choose another --output_folder_path"):
        open_run(tmp_path, overwrite=overwrite)
    assert (tmp_path / name).read_text() == content


def test_records_of_another_version_are_refused(tmp_path):
    open_run(tmp_path)
    (tmp_path / "records.csv").write_text("method,image\nGRADCAM,a.png\n")
    with pytest.raises(ValueError, match="other columns"):
        open_run(tmp_path)


def test_a_run_of_another_method_in_between_changes_nothing_for_the_first(tmp_path):
    """As sanity.py and then main.py and sanity.py again: settings that only one of them has stay."""
    for settings in ({**SETTINGS, "n_stages": 2}, SETTINGS, {**SETTINGS, "n_stages": 2}):
        open_run(tmp_path, settings)
    with pytest.raises(ValueError, match="n_stages: 2, now 3"):
        open_run(tmp_path, {**SETTINGS, "n_stages": 3})


def test_the_folder_of_a_run_is_read_while_another_process_writes_into_it(tmp_path):
    add(open_run(tmp_path), PLAIN)
    code = (
        "import sys; from pipeline import results\n"
        f"run = results.Results(sys.argv[1], {SETTINGS}, {{}}); print('in', flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "in\n"
        with pytest.raises(ValueError, match="another run is writing into"):
            open_run(tmp_path)
        reader = RunFolder(tmp_path)
        assert list(reader.read_records().values()) == [PLAIN] and reader.read_description()["settings"] == SETTINGS
        other.kill()
    open_run(tmp_path)  # what is killed lets go


def test_records_reach_the_disk_a_group_at_a_time(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append((tmp_path / "records.csv").read_text().count("\n")))
    results = open_run(tmp_path)
    for number in range(3):
        results.add(Record("GRADCAM", f"{number}.png", str(number)))
    assert synced == []
    results.sync()
    results.sync()
    assert synced == [4], "the head and three rows"
