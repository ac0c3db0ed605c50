"""The locked folder: other processes kept out, other settings refused, what is overwritten and what is left."""

import errno
import json
import signal
import subprocess
import sys
from importlib import metadata

import pytest
from planted import ROOT

from output.folder import OutputFolder, open_folder, read_description, versions

HOLD = (
    "import sys; from output.folder import OutputFolder\n"
    "held = OutputFolder(sys.argv[1]); print('in', flush=True); input()"
)


def settings_of(folder):
    return json.loads((folder / "run.json").read_text())["settings"]


def names_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# --- one process at a time -----------------------------------------------------------------------------------
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, None])
def test_another_process_is_kept_out_until_the_first_ends_however_it_ends(tmp_path, end):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "in\n"
        with pytest.raises(ValueError, match="another run is writing into .*wait, or choose another"):
            OutputFolder(tmp_path)
        other.communicate("\n") if end is None else other.send_signal(end)
    OutputFolder(tmp_path).close()


def test_a_folder_that_is_closed_or_forgotten_lets_other_processes_in(tmp_path):
    held = OutputFolder(tmp_path)
    assert "another run" in enter(tmp_path)
    held.close()
    assert enter(tmp_path) == "in\n"
    held = OutputFolder(tmp_path)
    assert "another run" in enter(tmp_path)
    del held
    assert enter(tmp_path) == "in\n"


def enter(folder):
    """What another process that opens the folder says."""
    done = subprocess.run(
        [sys.executable, "-c", HOLD, str(folder)], cwd=ROOT, input="\n", capture_output=True, text=True
    )
    return done.stdout + done.stderr


def test_a_process_never_waits_for_itself(tmp_path):
    first, second = OutputFolder(tmp_path), OutputFolder(tmp_path)
    first.close()
    assert "another run" in enter(tmp_path)
    second.close()


@pytest.mark.parametrize("reason", [OSError(errno.ENOLCK, "No locks available"), NotImplementedError("no flock")])
def test_on_a_drive_without_locks_nothing_is_kept_out(tmp_path, monkeypatch, reason):
    def refuse(lock):
        raise reason

    monkeypatch.setattr("output.folder.FileLock.acquire", refuse)
    OutputFolder(tmp_path).describe({"seed": 0}, {})
    assert settings_of(tmp_path) == {"seed": 0}


def test_a_folder_that_may_not_be_written_to_is_told(tmp_path, monkeypatch):
    def refuse(lock):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / ".lock"))

    monkeypatch.setattr("output.folder.FileLock.acquire", refuse)
    with pytest.raises(PermissionError, match=rf"cannot write \(Permission denied\).*{tmp_path.name}"):
        OutputFolder(tmp_path)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="output_folder_path: .*is a file; a folder is wanted"):
        OutputFolder(tmp_path / "file")


# --- settings that must agree --------------------------------------------------------------------------------
def test_a_later_run_may_add_settings_of_its_own_where_the_command_says_so(tmp_path):
    open_folder(tmp_path, {"seed": 0, "FOURIER": {"n_steps": 6}}, {}, ())
    open_folder(tmp_path, {"seed": 0, "CLASS_MODEL": {"n_steps": 9}}, {}, ())
    assert settings_of(tmp_path) == {"seed": 0, "FOURIER": {"n_steps": 6}, "CLASS_MODEL": {"n_steps": 9}}
    with pytest.raises(ValueError, match="seed: 0, now 1.*choose another --output_folder_path, or --overwrite"):
        open_folder(tmp_path, {"seed": 1}, {}, ())
    with pytest.raises(ValueError, match="of another command"):
        open_folder(tmp_path, {"layers": []}, {}, ())


def test_elsewhere_every_setting_must_be_that_of_the_earlier_run(tmp_path):
    OutputFolder(tmp_path).describe({"sigma": (1, 2)}, {})
    OutputFolder(tmp_path).describe({"sigma": (1, 2)}, {})  # a tuple is the list that it is read back as
    before = (tmp_path / "run.json").read_bytes()
    for settings, words in (({"sigma": [1]}, r"sigma: \[1, 2\], now \[1\]"), ({"new": "x"}, "new: None, now 'x'")):
        with pytest.raises(ValueError, match=words):
            OutputFolder(tmp_path, flag="model_path").describe(settings, {})
    assert (tmp_path / "run.json").read_bytes() == before


def test_entries_of_one_setting_are_joined(tmp_path):
    OutputFolder(tmp_path).describe({"seed": 0, "methods": {"A": {"k": 1}}}, {}, grows="methods")
    OutputFolder(tmp_path).describe({"seed": 0, "methods": {"B": {}}}, {}, grows="methods")
    assert settings_of(tmp_path) == {"seed": 0, "methods": {"A": {"k": 1}, "B": {}}}
    with pytest.raises(ValueError, match="A: {'k': 1}, now {'k': 2}"):
        OutputFolder(tmp_path).describe({"seed": 0, "methods": {"A": {"k": 2}}}, {}, grows="methods")


def test_what_was_told_before_stays_until_it_is_told_anew(tmp_path):
    folder = OutputFolder(tmp_path)
    folder.describe({}, {"flags": {"limit": 1}})
    folder.update(val_accuracy=0.5)
    OutputFolder(tmp_path).describe({}, {"flags": {"limit": 2}})
    description = read_description(tmp_path / "run.json")
    assert (description["flags"], description["val_accuracy"]) == ({"limit": 2}, 0.5)
    assert {"versions", "host", "platform"} <= description.keys()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"settings": 3}', "[" * 100_000, "\0" * 100])
def test_a_run_json_that_is_damaged_or_of_somebody_else_is_named_and_left_alone(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(ValueError, match="run.json' is damaged, or of something else: choose another --output_folder"):
        open_folder(tmp_path, {}, {}, ("*.csv",), overwrite=True)
    assert (tmp_path / "run.json").read_text() == content


# --- overwriting ---------------------------------------------------------------------------------------------
def test_overwriting_removes_the_files_of_the_command_and_no_other(tmp_path):
    files = ("results.csv", "images/*/*.png")
    open_folder(tmp_path, {"seed": 0}, {}, files)
    for name in ("results.csv", "notes.csv", "images/A/1.png", "images/A/.partial_2.png", "images/B/3.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "images" / "B" / "mine.txt").write_text("mine")
    open_folder(tmp_path, {"seed": 1}, {}, files, overwrite=True)
    assert names_in(tmp_path) == [".lock", "images/B/mine.txt", "notes.csv", "run.json"]
    assert not (tmp_path / "images" / "A").exists() and settings_of(tmp_path) == {"seed": 1}


def test_overwriting_a_folder_without_a_run_removes_nothing(tmp_path):
    (tmp_path / "results.csv").write_text("mine")
    open_folder(tmp_path, {}, {}, ("results.csv",), overwrite=True)
    assert (tmp_path / "results.csv").read_text() == "mine"


def test_a_library_installed_under_another_name_does_not_stop_a_run(monkeypatch):
    def version(name):
        if name == "opencv-python-headless":
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(metadata, "version", version)
    found = versions()
    assert found["opencv-python-headless"] == "not installed under this name" and found["numpy"] == "1.0"
