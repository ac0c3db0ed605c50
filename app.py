"""A page to drop a photograph on: the classes the network sees in it, and where it looks for each of them.

    python app.py
    python app.py --model_name=MobileNetV2 --model_path=mobilenetv2.keras --class_names=imagenet_class_index.json

The page is http://127.0.0.1:7860, on this machine only unless `--host` says otherwise; it needs `requirements-app.txt`
and no network. It is there before its network is: that is loaded behind it. Ctrl-C ends it, and removes all its files.
"""

import argparse
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import constants
from pipeline.flags import add_model_flags, forgive_names, in_range, run_script
from pipeline.settings import read_model_settings

if TYPE_CHECKING:
    from data.dataset import Sample

STYLE_SHEET = Path(__file__).with_name("webpage") / "style.css"


def build_parser() -> argparse.ArgumentParser:
    """The flags of the model, and where the page is."""
    parser = argparse.ArgumentParser(description="Explain photographs on a page in the browser.", allow_abbrev=False)
    add_model_flags(parser)
    page = parser.add_argument_group("page")
    page.add_argument("--port", type=in_range(int, 1, 65535), default=constants.APP_PORT, help="of the page")
    page.add_argument("--host", default=constants.APP_HOST, help="address to answer at; 0.0.0.0 lets other machines in")
    parser.set_defaults(test_images_folder_path=None)
    return parser


def run(args: argparse.Namespace) -> int:
    """Shows the page until it is interrupted; the exit code."""
    with tempfile.TemporaryDirectory(prefix="where_it_looks_") as folder:
        # Read by Gradio when it is imported: nothing is reported to its makers, and its files are ours to remove.
        served = Path(folder, "served")
        os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(served), "HF_HUB_OFFLINE": "1"}
        served.mkdir()
        page = open_page(args, Path(folder))
        try:
            page.model.set_result(load_model(args, page.samples[0]))
            print("The network is loaded.", flush=True)
            while not threading.Event().wait(constants.APP_KEEP_UNCLAIMED / 3):
                page.visitors.sweep()
        except KeyboardInterrupt:
            return 0
        finally:
            page.model.cancel()  # nobody shall wait for it
            page.visitors.close()
            page.blocks.close(verbose=False)


def open_page(args: argparse.Namespace, folder: Path):
    """The page, at its address but without its network yet."""
    try:
        from starlette.middleware import Middleware  # Gradio brings it
    except ImportError:
        raise ValueError("the page needs Gradio: pip install -r requirements-app.txt") from None

    import demo
    from data import dataset
    from webpage.guard import Guard
    from webpage.layout import make_theme
    from webpage.page import Page
    from webpage.visitors import Visitors

    drawn = demo.write_demo(folder / "demo", split="val", limit=constants.APP_EXAMPLES)
    samples = dataset.load_dataset(drawn / "images_val", drawn / "gazefixationsdensitymaps")
    page = Page(Visitors(folder / "served"), samples)
    guard = Middleware(Guard, page.questions, page.visitors, args.host)
    try:
        address = page.blocks.launch(
            server_name=args.host,
            server_port=args.port,
            prevent_thread_lock=True,
            quiet=True,
            inbrowser=False,
            share=False,
            ssr_mode=False,
            mcp_server=False,
            pwa=False,
            run_history=False,
            enable_monitoring=False,
            allowed_paths=[],
            max_file_size=constants.APP_MAX_UPLOAD,
            footer_links=[],
            theme=make_theme(),
            css_paths=[STYLE_SHEET],
            app_kwargs={"middleware": [guard]},
        )[1]
    except OSError:
        raise ValueError(f"cannot answer at port {args.port} of {args.host}: choose another --port") from None
    print(f"The page is at {address}", flush=True)
    return page


def load_model(args: argparse.Namespace, example: "Sample") -> tuple:
    """The classifier, where it came from, and the methods that do not fit it; it has explained an example already."""
    import utils

    utils.silence_tensorflow()

    from explainers.registry import METHODS
    from pipeline import explain
    from pipeline import run as runs

    classifier, source = runs.load_classifier(read_model_settings(args))
    if args.model_path:  # where it lies on this machine is no business of the visitors
        source = source.replace(args.model_path, Path(args.model_path).name)
    misfits = explain.find_misfits(classifier, METHODS.values())
    warm_up(classifier, {METHODS["GRADCAM"]: {}} if METHODS["GRADCAM"] not in misfits else {}, example)
    return classifier, source, misfits


def warm_up(classifier, chosen: dict, example: "Sample") -> None:
    """Goes once the way of a photograph: graphs are traced and libraries loaded before the first visitor needs them."""
    from pipeline.run_figures import Style
    from webpage.case import Case
    from webpage.maps import show_maps
    from webpage.work import Watch

    case = Case(example.path, classifier, Path())
    question = case.ask([next(iter(case.top_classes))], chosen, constants.SEED)
    case.answer(question, Watch(question.counts))
    show_maps(case, Style())


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a run with these arguments."""
    return run_script("app.py", run, build_parser().parse_args(argv))


if __name__ == "__main__":
    forgive_names()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the files go then, too
    sys.exit(main())
