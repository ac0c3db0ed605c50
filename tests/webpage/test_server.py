"""The page as a command."""

import subprocess
import sys

from planted import ROOT


def test_help_and_a_mistyped_flag_answer_before_anything_heavy_is_loaded():
    code = "import sys, app; app.build_parser(); print(sorted({'gradio', 'tensorflow', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_page_is_on_this_machine_unless_told_otherwise():
    import app

    args = app.build_parser().parse_args([])
    assert (args.host, args.port) == ("127.0.0.1", 7860)
    args = app.build_parser().parse_args(["--host=0.0.0.0", "--port=8000", "--model_name=MobileNetV2"])
    assert (args.host, args.port, args.model_name) == ("0.0.0.0", 8000, "MobileNetV2")
