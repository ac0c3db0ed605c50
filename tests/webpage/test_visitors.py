"""Who is on the page, and the files that were sent: each sees and removes their own alone."""

import os
import threading
import time

import pytest
from planted import ROOT

from output.progress import Stopped
from webpage.visitors import KEEP_UNCLAIMED, KEEP_WORK


def upload(visitors, name, age=0.0):
    """A file as Gradio puts and notes it: its path."""
    path = visitors.uploads.folder / f"hash_of_{name}" / name
    path.parent.mkdir()
    path.write_bytes(b"x")
    os.utime(path, (time.time() - age,) * 2)
    visitors.uploads.sent.add(str(path))
    return path


def test_only_a_file_that_was_sent_can_be_named(visitors, tmp_path, photograph):
    sent = upload(visitors, "sent.png")
    assert visitors.claim("a", str(sent)) == (visitors.of("a"), sent)
    cached = visitors.uploads.folder / "an example.png"
    cached.write_bytes(b"x")
    link, within = upload(visitors, "link.png"), sent.parent / ".." / sent.parent.name / sent.name
    link.unlink()
    link.symlink_to(ROOT / "docs/images/gradcam.jpg")
    beyond = visitors.uploads.folder / "beyond"
    beyond.symlink_to(ROOT)
    visitors.uploads.sent |= {str(beyond / "app.py"), str(tmp_path), str(tmp_path / "gone.png")}
    for name in (ROOT / "app.py", cached, link, within, beyond / "app.py", tmp_path, tmp_path / "gone.png", "", "."):
        with pytest.raises(ValueError, match="drop it again"):
            visitors.claim("a", str(name))
    for name in (None, 3, [str(sent)], {"path": str(sent)}):
        with pytest.raises(ValueError, match="drop it again"):
            visitors.claim("a", name)
    visitors.of("a").uploads |= {photograph, cached, link, beyond / "app.py", tmp_path}
    visitors.leave("a")
    assert not sent.parent.exists()
    assert photograph.exists() and cached.exists() and (ROOT / "app.py").exists()
    assert (ROOT / "docs/images/gradcam.jpg").exists()


def test_what_nobody_claims_goes_after_a_while_and_so_does_a_visitor_whose_page_is_closed(visitors):
    age = KEEP_UNCLAIMED + 10
    old, new, kept, lost = (
        upload(visitors, f"{name}.png", age * (name != "new")) for name in ("old", "new", "kept", "lost")
    )
    half = visitors.uploads.folder / "half"
    half.write_bytes(b"x")
    os.utime(half, (0, 0))
    visitors.claim("shown", str(kept))
    visitors.claim("closed", str(lost))
    for session in ("shown", "closed"):
        visitors.of(session).seen -= age
    with visitors.connected("shown"):
        visitors.sweep()
        assert new.exists() and kept.exists() and not any(path.exists() for path in (old, lost, half))
    visitors.of("shown").seen -= age
    visitors.sweep()
    assert not kept.exists()


def test_work_that_no_open_page_waits_for_is_stopped_after_some_seconds(visitors):
    ends = threading.Event()

    def compute(watch):
        while not ends.wait(0.01):
            watch.check()

    try:
        works = {session: visitors.of(session).begin(compute, {}) for session in ("shown", "gone", "just left")}
        for session in works:
            visitors.of(session).seen -= KEEP_WORK + 1
        with visitors.connected("shown"):
            with visitors.connected("just left"):
                visitors.sweep()
                assert not works["just left"].wait(0.1)
            visitors.sweep()
            assert works["gone"].wait(10) and isinstance(works["gone"].future.exception(), Stopped)
            assert not works["shown"].wait(0.1) and not works["just left"].wait(0.1)
    finally:
        ends.set()


def test_who_comes_when_all_places_are_taken_has_the_place_of_the_idle(visitors, monkeypatch):
    monkeypatch.setattr("webpage.visitors.MAX_VISITORS", 3)
    first, second, third = (visitors.of(session) for session in "abc")
    visitors.of("a")
    with visitors.connected("b"):
        visitors.of("d")
    assert visitors.of("a") is first and visitors.of("b") is second
    assert not third.folder.exists()


def test_a_visitor_who_leaves_takes_their_files_along_but_not_those_of_another(visitors):
    own, shared = upload(visitors, "own.png"), upload(visitors, "shared.png")
    first, second = visitors.of("a"), visitors.of("b")
    for session, path in (("a", own), ("a", shared), ("b", shared)):
        visitors.claim(session, str(path))
    (first.folder / "map.npy").write_bytes(b"x")
    visitors.leave("a")
    assert not first.folder.exists() and not own.exists()
    assert second.folder.exists() and shared.exists()
    assert visitors.of("b") is second and visitors.of("a") is not first
    visitors.leave("b")
    assert not shared.exists()


def test_a_new_question_stops_the_one_before(visitors):
    visitor, begun, goes_on = visitors.of("a"), threading.Event(), threading.Event()

    def compute(watch):
        begun.set()
        goes_on.wait(10)
        watch.check()

    old = visitor.begin(compute, {})
    assert begun.wait(10)
    new = visitor.begin(lambda watch: "answer", {})
    goes_on.set()
    assert new.future.result(10) == "answer" and isinstance(old.future.exception(10), Stopped)
