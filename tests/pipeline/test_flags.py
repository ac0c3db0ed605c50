"""What all commands share about their flags: a path that begins with '~'."""

import argparse

from pipeline.flags import expand_home, run_script


def test_a_tilde_is_the_home_folder_in_every_flag(monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna")
    monkeypatch.setenv("USERPROFILE", "/home/anna")
    given = {"output": "~/out", "models": "~/a.keras,~/b.keras", "results": ["~/one", "two"], "home": "~"}
    kept = {"seed": 3, "title": "a ~ b", "names": "red,~green", "here": "./~out", "none": None}
    found = vars(expand_home(argparse.Namespace(**given, **kept)))
    assert {name: found[name] for name in given} == {
        "output": "/home/anna/out",
        "models": "/home/anna/a.keras,/home/anna/b.keras",
        "results": ["/home/anna/one", "two"],
        "home": "/home/anna",
    }
    assert {name: found[name] for name in kept} == kept


def test_a_script_sees_the_whole_path(monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna")
    monkeypatch.setenv("USERPROFILE", "/home/anna")
    seen = []
    assert run_script("x.py", lambda args: seen.append(args.folder) or 0, argparse.Namespace(folder="~/x")) == 0
    assert seen == ["/home/anna/x"]
