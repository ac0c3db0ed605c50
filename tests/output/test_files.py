"""Files that are written whole or not at all, and pages, whose number follows that of their items."""

import errno
from pathlib import Path

import pytest

from output import files
from output.files import write_pages, write_whole


def names_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one(tmp_path):
    path = tmp_path / "new" / "file.txt"
    assert write_whole(path, lambda partial: partial.write_text("old")) == path

    def fail(partial):
        partial.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_whole(path, fail)
    assert names_in(tmp_path) == ["new/file.txt"] and path.read_text() == "old"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_full_disk_is_told_with_the_file_that_was_to_be_written(tmp_path):
    def fill(partial):
        with open("/dev/full", "wb") as file:
            file.write(b"some")

    with pytest.raises(OSError) as caught:
        write_whole(tmp_path / "a.csv", fill)
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(tmp_path / "a.csv")
    assert "cannot write (No space left on device)" in str(caught.value)


@pytest.mark.parametrize("error", [OSError("encoder error -2"), OSError(), PermissionError(13, "Permission denied")])
def test_every_reason_not_to_write_names_the_file(tmp_path, error):
    def fail(partial):
        raise error

    with pytest.raises(OSError) as caught:
        write_whole(tmp_path / "a.png", fail)
    assert caught.value.filename == str(tmp_path / "a.png") and caught.value.strerror.startswith("cannot write (")


def test_a_folder_that_cannot_be_made_is_told_with_the_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError) as caught:
        write_whole(tmp_path / "file" / "a.png", lambda partial: partial.write_text(""))
    assert caught.value.filename == str(tmp_path / "file" / "a.png")


@pytest.fixture
def pages(tmp_path, monkeypatch):
    """`pages(items)`: writes them in threes, as text; the paths by their names."""
    monkeypatch.setattr(files, "figure_saver", lambda text: lambda path: path.write_text(text))
    path = tmp_path / "pages" / "all[1].png"
    return lambda items: [page.name for page in write_pages(path, iter(items), 3, lambda page: " ".join(page))]


def test_items_are_shared_out_on_pages_in_their_order(pages, tmp_path):
    assert pages("abcdefg") == ["all[1].png", "all[1]_2.png", "all[1]_3.png"]
    assert [(tmp_path / "pages" / name).read_text() for name in names_in(tmp_path / "pages")] == ["a b c", "d e f", "g"]


def test_pages_that_an_earlier_run_of_more_items_left_are_removed_and_no_other_file(pages, tmp_path):
    folder = tmp_path / "pages"
    pages("abcdefghijklm")
    (folder / "all[1]_3.png").unlink()  # a gap, as one who was stopped while removing leaves
    others = ["all1_9.png", "all[1]_best.png", "all[1]_7.txt"]
    for name in others:
        (folder / name).write_text("theirs")
    assert pages("abcd") == ["all[1].png", "all[1]_2.png"]
    assert names_in(folder) == sorted(["all[1].png", "all[1]_2.png", *others])
    assert pages("") == []
    assert names_in(folder) == sorted(others)
