"""The command that draws the embedded data: its flags, what it refuses, where it writes."""

import pytest

import demo


def run(*flags):
    try:
        return demo.main(list(flags))
    except SystemExit as stop:
        return stop.code


def test_the_first_images_of_each_split_are_drawn_into_the_folder(tmp_path, capsys):
    assert run(f"--output_folder_path={tmp_path}", "--limit=1") == 0
    for split in ("train", "val"):
        assert len(list((tmp_path / f"images_{split}").iterdir())) == 1
    said = capsys.readouterr()
    assert (
        said.err == "\rdrawing images: 1 of 2\rdrawing images: 2 of 2\n"
        and f"{tmp_path}: simulated images and simulated gaze" in said.out
    )
    assert run(f"--output_folder_path={tmp_path}", "--limit=1") == 0
    assert capsys.readouterr().err == "", "nothing is drawn twice"


@pytest.mark.parametrize(
    "flag, words",
    [
        ("--seed=-1", "0 or more, up to 4294967295 was wanted; got -1"),
        ("--limit=-141", "1 or more was wanted; got -141"),
        ("--limit=0", "1 or more was wanted; got 0"),
        ("--lim=3", "--lim=3"),
    ],
)
def test_a_wrong_flag_is_refused_in_one_line(flag, words, tmp_path, capsys):
    assert run(flag, f"--output_folder_path={tmp_path / 'out'}") == 2
    said = capsys.readouterr().err
    assert words in said.splitlines()[0] and "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_seed_or_a_file_in_its_place_is_refused(tmp_path, capsys):
    assert run(f"--output_folder_path={tmp_path / 'one'}", "--limit=1") == 0
    assert run(f"--output_folder_path={tmp_path / 'one'}", "--limit=1", "--seed=1") == 2
    assert "choose another folder" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert run(f"--output_folder_path={tmp_path / 'file'}", "--limit=1") == 2
    assert "is a file; a folder is wanted" in capsys.readouterr().err
