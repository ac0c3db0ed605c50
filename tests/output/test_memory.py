"""What does not fit into memory is told before it is made."""

import subprocess
import sys

import pytest
from planted import ROOT

from output import memory


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """`machine(meminfo, limit, used)`: what the system says; None: nothing."""

    def say(meminfo=None, limit=None, used=None):
        for name, text in (("meminfo", meminfo), ("memory.max", limit), ("memory.current", used)):
            if text is not None:
                (tmp_path / name).write_text(text)
        (tmp_path / "memory.stat").write_text("anon 7\nactive_file 100\ninactive_file 400\n")

    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    return say


MEMINFO = "MemTotal:       32000000 kB\nMemFree:          100000 kB\nMemAvailable:    8000000 kB\n"


@pytest.mark.parametrize(
    "said, free",
    [
        ((MEMINFO,), 8_192_000_000),
        ((MEMINFO, "max\n", "1000\n"), 8_192_000_000),
        ((MEMINFO, "4000000000\n", "1000000000\n"), 3_000_000_500),
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


def test_batches_that_do_not_fit_into_a_network_are_told_by_their_flag(machine, planted, tmp_path):
    from network import model_files
    from pipeline.run import load_classifier
    from pipeline.settings import ModelSettings

    path = model_files.save_model(planted, tmp_path / "planted.keras", {})
    machine("MemAvailable: 4000000 kB\n")
    assert load_classifier(ModelSettings(model_path=str(path), batch_size=64))
    with pytest.raises(ValueError, match="1000000 images inside the network .*--batch_size says how many"):
        load_classifier(ModelSettings(model_path=str(path), batch_size=1_000_000))
    machine("MemAvailable: 1 kB\n")
    with pytest.raises(ValueError, match="the model '.*planted.keras' and its file take .*a smaller model"):
        load_classifier(ModelSettings(model_path=str(path)))


@pytest.mark.parametrize(
    ("library", "variables", "kept"), [("musl", {}, False), ("glibc", {"MALLOC_TOP_PAD_": "1"}, False)]
)
def test_pages_are_kept_by_glibc_alone_and_where_the_user_has_not_said_otherwise(library, variables, kept, monkeypatch):
    monkeypatch.setattr(memory.platform, "libc_ver", lambda: (library, "2"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert memory.keep_pages() is kept


@pytest.mark.skipif(memory.platform.libc_ver()[0] != "glibc", reason="another C library")
def test_kept_pages_are_there_for_the_next_piece_of_memory():
    code = (
        "import sys, numpy as np\n"
        "from output import memory\n"
        "if sys.argv[1] == 'keep': assert memory.keep_pages()\n"
        "def resident(): return int(open('/proc/self/statm').read().split()[1]) * 4096\n"
        "piece = np.ones(2**24)\n"  # 128 MB
        "full = resident()\n"
        "del piece\n"
        "print(full - resident())"
    )
    freed = {
        word: int(subprocess.run([sys.executable, "-c", code, word], cwd=ROOT, capture_output=True, text=True).stdout)
        for word in ("keep", "let go")
    }
    assert freed["let go"] > 100e6
    assert freed["keep"] < 30e6
