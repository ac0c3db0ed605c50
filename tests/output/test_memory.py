"""What does not fit into memory is told before it is made."""

import pytest

from output import memory


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """`machine(meminfo, limit, used)`: what the system says; None: nothing."""

    def say(meminfo=None, limit=None, used=None):
        for name, text in (("meminfo", meminfo), ("memory.max", limit), ("memory.current", used)):
            if text is not None:
                (tmp_path / name).write_text(text)

    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    return say


MEMINFO = "MemTotal:       32000000 kB\nMemFree:          100000 kB\nMemAvailable:    8000000 kB\n"


@pytest.mark.parametrize(
    "said, free",
    [
        ((MEMINFO,), 8_192_000_000),
        ((MEMINFO, "max\n", "1000\n"), 8_192_000_000),
        ((MEMINFO, "4000000000\n", "1000000000\n"), 3_000_000_000),
        ((MEMINFO, "1000\n", "2000\n"), 0),
    ],
)
def test_a_containers_limit_counts_where_it_is_the_smaller(machine, said, free):
    machine(*said)
    assert memory.free_memory() == free


def test_where_nothing_is_known_nothing_is_refused(machine, monkeypatch):
    monkeypatch.delattr(memory.os, "sysconf")
    assert memory.free_memory() is None
    memory.check_room(1e30, "all images of the world", "ask for fewer")


def test_what_does_not_fit_is_told_with_what_to_do(machine):
    machine(MEMINFO)
    memory.check_room(8e9, "images", "")
    with pytest.raises(ValueError, match="90000 images take 13.5 GB of memory, 8.2 are free: take fewer"):
        memory.check_room(13.5e9, "90000 images", "take fewer")
