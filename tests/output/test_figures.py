"""Figures as files: pages whose number follows that of their items, several formats, none drawn twice."""

import pytest

from output import figures
from output.figures import FigureFiles, write_pages


def names_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def pages(tmp_path, monkeypatch):
    """`pages(items)`: writes them in threes, as text; the paths by their names."""
    monkeypatch.setattr(figures, "save_figure", lambda text, path: path.write_text(text))
    path = tmp_path / "pages" / "all[1]"
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


# --- what is drawn -------------------------------------------------------------------------------------------
@pytest.fixture
def draw(tmp_path, monkeypatch):
    """`draw(state, formats)`: has one figure written by a new `FigureFiles`; whether it was drawn."""
    monkeypatch.setattr(figures, "save_figure", lambda text, path: path.write_text(text))

    def draw(state, formats=("png",)):
        drawn = []
        with FigureFiles(formats, tmp_path / "drawn.json") as files:
            path = files.write(tmp_path / "in" / "page", lambda: drawn.append(1) or "page", state)
        assert path == tmp_path / "in" / f"page.{formats[0]}" and path.is_file()
        return bool(drawn)

    return draw


def test_a_figure_of_the_same_is_not_drawn_again(draw, tmp_path):
    assert draw(["a", 1]) and not draw(["a", 1])
    assert draw(["a", 2]) and not draw(["a", 2])
    (tmp_path / "in" / "page.png").unlink()
    assert draw(["a", 2])


def test_a_figure_without_a_state_is_always_drawn(draw):
    assert draw(None) and draw(None)


def test_another_format_is_drawn_and_the_first_stays_known(draw, tmp_path):
    assert draw(["a"]) and draw(["a"], ("pdf", "svg")) and not draw(["a"])
    assert names_in(tmp_path / "in") == ["page.pdf", "page.png", "page.svg"]


def test_what_is_known_and_damaged_is_drawn_anew(draw, tmp_path):
    assert draw(["a"])
    (tmp_path / "drawn.json").write_text("{")
    assert draw(["a"]) and not draw(["a"])


def test_a_run_that_is_stopped_keeps_what_it_has_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "save_figure", lambda text, path: path.write_text(text))

    def stop():
        raise KeyboardInterrupt

    (tmp_path / "second.png").write_text("an old one")
    with pytest.raises(KeyboardInterrupt), FigureFiles(known=tmp_path / "drawn.json") as files:
        files.write(tmp_path / "first", lambda: "page", "state")
        files.write(tmp_path / "second", stop, "state")
    with FigureFiles(known=tmp_path / "drawn.json") as files:
        files.write(tmp_path / "first", stop, "state")
        with pytest.raises(KeyboardInterrupt):
            files.write(tmp_path / "second", stop, "state")
