"""What all commands have in common: the shared words, and that asking for help costs nothing."""

import json
import subprocess
import sys

import pytest
from planted import ROOT
from test_layout import COMMANDS

HEAVY = {"tensorflow", "keras", "matplotlib", "PIL", "cv2", "lime", "skimage", "sklearn", "scipy", "gradio", "ray"}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_version_and_a_mistyped_flag_load_no_library(command):
    code = (
        f"import json, sys, {command}\n"
        "codes = []\n"
        "for flag in ('--help', '--version', '--versoin'):\n"
        f"    try: {command}.main([flag])\n"
        "    except SystemExit as stop: codes.append(stop.code)\n"
        "print(json.dumps([codes, sorted({name.split('.')[0] for name in sys.modules})]), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    *said, last = done.stderr.splitlines()
    codes, loaded = json.loads(last)
    assert codes == [0, 0, 2] and not HEAVY & {*loaded}
    assert len(said) == 2 and "unrecognized arguments: --versoin" in said[0] and "did you mean --version?" in said[1]
