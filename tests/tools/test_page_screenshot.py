"""The picture of the page: its flags. That the page can be shown at all is a matter of webpage/test_browser.py."""

import pytest

from tools import page_screenshot


def test_the_window_has_the_size_of_readmes_picture_unless_told_otherwise():
    read = page_screenshot.build_parser().parse_args
    settings = page_screenshot.read_settings(read(["page.png"]))
    assert (settings.picture, settings.width, settings.height) == ("page.png", 1400, 980)
    settings = page_screenshot.read_settings(read(["page.png", "--width=390", "--height=844", "--port=8000"]))
    assert (settings.width, settings.height, settings.port) == (390, 844, 8000)


def test_without_a_browser_it_says_which_one_is_wanted(monkeypatch, capsys):
    pytest.importorskip("playwright")
    monkeypatch.setattr(page_screenshot, "find_chromium", lambda: None)
    assert page_screenshot.main(["page.png"]) == 2
    assert "no Chromium is installed: one of chromium" in capsys.readouterr().err
