"""The page as a command: its flags, and what it says of a page that others can reach."""

import signal
import subprocess
import sys

import pytest
from planted import ROOT

import app
from tools.page_server import Server
from webpage.server import PageSettings, describe_openness


def test_help_and_a_mistyped_flag_answer_before_anything_heavy_is_loaded():
    code = "import sys, app; app.build_parser(); print(sorted({'gradio', 'tensorflow', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_page_is_on_this_machine_unless_told_otherwise():
    args = app.build_parser().parse_args([])
    assert (args.host, args.port) == ("127.0.0.1", 7860)
    args = app.build_parser().parse_args(["--host=0.0.0.0", "--port=8000", "--model_name=MobileNetV2"])
    assert (args.host, args.port, args.model_name) == ("0.0.0.0", 8000, "MobileNetV2")


def test_a_page_for_others_says_what_that_means_and_offers_a_password():
    said = describe_openness(PageSettings(host="0.0.0.0", port=7861))
    assert "port 7861" in said and "not asked for a password" in said and "--password" in said
    assert "asked for the password" in describe_openness(PageSettings(host="0.0.0.0", password="long enough"))


def test_a_password_is_given_or_typed_and_no_shorter_than_eight_letters(monkeypatch, capsys):
    monkeypatch.setattr("getpass.getpass", lambda prompt: "typed unseen")
    parse = app.build_parser().parse_args
    assert app.read_password(parse([]).password) is None
    assert app.read_password(parse(["--password=long enough"]).password) == "long enough"
    assert app.read_password(parse(["--password"]).password) == "typed unseen"
    with pytest.raises(ValueError, match="--password: 8 letters or more are wanted, not 5"):
        app.read_password("short")
    with pytest.raises(ValueError, match="--password: it holds bytes that are no letters"):
        app.read_password("no letter \udcff")
    monkeypatch.setattr("getpass.getpass", lambda prompt: input_that_has_ended())
    with pytest.raises(ValueError, match="--password: nobody is there to type it"):
        app.read_password("")


def input_that_has_ended():
    raise EOFError


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no terminal hangs up on Windows")
def test_the_page_ends_with_its_terminal_and_leaves_no_file_unless_nohup_keeps_it(tmp_path):
    pytest.importorskip("gradio", reason="the page needs gradio: pip install -r requirements-app.txt")
    server = Server(tmp_path)
    assert list(tmp_path.glob("where_it_looks_*"))
    server.process.send_signal(signal.SIGHUP)
    assert server.process.wait(timeout=20) == 0
    assert list(tmp_path.glob("where_it_looks_*")) == []
