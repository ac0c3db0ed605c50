"""The page's server: the page is there before its network, which is loaded behind it, and leaves no file behind."""

import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import constants
from pipeline.settings import ModelSettings
from webpage.guard import LOOPBACK

if TYPE_CHECKING:
    from data.dataset import Sample
    from network.classifier import Classifier
    from webpage.page import Page

STYLE_SHEET = Path(__file__).with_name("style.css")
N_EXAMPLES = 6  # scenes of the embedded data to pick from
TICK = 1.0  # seconds between two looks at who is there
OPEN_TO_OTHERS = """Everyone who can reach this machine at port {port} can use the page and its processors, and send it
files. Nothing they send is encrypted. {password}"""
NO_PASSWORD = "They are not asked for a password: add --password to ask for one."
PASSWORD = "They are asked for the password; any user name will do."


@dataclass(frozen=True)
class PageSettings:
    """What the page shows, where it answers, and the password it asks of every visitor; None: of nobody."""

    model: ModelSettings = ModelSettings()
    host: str = constants.PAGE_HOST
    port: int = constants.PAGE_PORT
    password: str | None = None


def serve(settings: PageSettings) -> None:
    """Shows the page until it is interrupted; its files are gone then, and what it still computes is not waited for.

    ValueError for an address that cannot be had, or a model that cannot be explained.
    """
    with tempfile.TemporaryDirectory(prefix="where_it_looks_", ignore_cleanup_errors=True) as folder:
        page = None
        try:
            page, address = open_page(settings, Path(folder))
            print(f"The page is at {address}", flush=True)
            if settings.host not in LOOPBACK:
                print(describe_openness(settings), flush=True)
            # Not in this thread: it sleeps, so that Ctrl-C is heard at once on every system.
            loading = ThreadPoolExecutor(1).submit(_load, settings.model, page.samples[0])
            while True:
                time.sleep(TICK)
                if loading is not None and loading.done():
                    page.model.set_result(loading.result())
                    loading = None
                    print("The network is loaded.", flush=True)
                page.visitors.sweep()
        except KeyboardInterrupt:
            return
        finally:
            if page is not None:
                page.model.cancel()  # nobody shall wait for it
                page.visitors.close()


def describe_openness(settings: PageSettings) -> str:
    """What it means that the page answers to other machines."""
    password = NO_PASSWORD if settings.password is None else PASSWORD
    return OPEN_TO_OTHERS.format(port=settings.port, password=password)


def open_page(settings: PageSettings, folder: Path) -> tuple["Page", str]:
    """The page, without its network yet, and its address; ValueError if the address cannot be had.

    folder: of all its files.
    """
    # Read by Gradio when it is imported: nothing is reported to its makers, and its files are ours to remove.
    served = folder / "served"
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(served), "HF_HUB_OFFLINE": "1"}
    served.mkdir()
    try:
        from starlette.middleware import Middleware  # Gradio brings it
    except ImportError:
        raise ValueError("the page needs Gradio: pip install -r requirements-app.txt") from None

    from data import dataset
    from scenes import demo_data
    from webpage.connections import limit_connections
    from webpage.guard import Guard
    from webpage.layout import make_theme
    from webpage.page import Page
    from webpage.visitors import Visitors

    drawn = demo_data.write_demo(folder / "demo", split="val", limit=N_EXAMPLES)
    samples = dataset.load_dataset(drawn / "images_val", drawn / "gazefixationsdensitymaps")
    page = Page(Visitors(served), samples)
    guard = Middleware(Guard, page.requests, page.visitors, settings.host, settings.password)
    try:
        address = page.blocks.launch(
            server_name=settings.host,
            server_port=settings.port,
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
            max_file_size=constants.PAGE_MAX_UPLOAD,
            footer_links=[],
            theme=make_theme(),
            css_paths=[STYLE_SHEET],
            app_kwargs={"middleware": [guard]},
        )[1]
    except OSError:
        raise ValueError(f"cannot answer at port {settings.port} of {settings.host}: choose another --port") from None
    limit_connections(page.blocks.server.config)
    return page, address


def _load(settings: ModelSettings, example: "Sample") -> tuple["Classifier", str, dict]:
    """The classifier, where it came from, and the methods that do not fit it; it has explained an example already."""
    import utils

    utils.load_tensorflow()

    from explainers.registry import METHODS
    from pipeline.model_check import find_misfits
    from pipeline.run import load_classifier

    classifier, source = load_classifier(settings)
    if settings.model_path:  # where it lies on this machine is no business of the visitors
        source = source.replace(settings.model_path, Path(settings.model_path).name)
    misfits = find_misfits(classifier, METHODS.values())
    _warm_up(classifier, {METHODS["GRADCAM"]: {}} if METHODS["GRADCAM"] not in misfits else {}, example)
    return classifier, source, misfits


def _warm_up(classifier: "Classifier", chosen: dict, example: "Sample") -> None:
    """Goes once the way of a photograph: graphs are traced and libraries loaded before the first visitor needs them."""
    from pipeline.run_figures import Style
    from webpage.case import Case
    from webpage.maps import show_maps
    from webpage.work import Watch

    case = Case(example.path, classifier, Path())
    question = case.ask([next(iter(case.top_classes))], chosen, constants.SEED)
    case.answer(question, Watch(question.counts))
    show_maps(case, Style())
