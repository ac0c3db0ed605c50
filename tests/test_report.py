"""The command report.py: which folders it takes, and what it says of others."""

import json

import pytest

import report


@pytest.mark.parametrize("content", [None, "{}"])
def test_a_folder_without_a_run_is_told_in_one_line(tmp_path, capsys, content):
    if content:
        (tmp_path / "run.json").write_text(content)
    assert report.main([str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_file_in_the_place_of_a_run_is_told_so(tmp_path, capsys):
    (tmp_path / "photo.png").write_bytes(b"")
    assert report.main([str(tmp_path / "photo.png")]) == 2
    assert "is a file; the output folder of a run" in capsys.readouterr().err


def test_a_run_without_a_record_is_told_so(tmp_path, capsys):
    (tmp_path / "run.json").write_text(json.dumps({"settings": {"methods": {}}}))
    assert report.main([str(tmp_path)]) == 2
    assert "no record in" in capsys.readouterr().err


def test_more_records_than_a_report_holds_are_refused():
    from reporting import runs

    runs.check_size(runs.MOST_RECORDS)
    with pytest.raises(ValueError, match="up to 100,000 records; here are 3,000,000: summary.csv"):
        runs.check_size(3_000_000)
