"""A page to drop a photograph on: the classes the network sees in it, and where it looks for each of them.

    python app.py
    python app.py --model_name=MobileNetV2 --model_path=mobilenetv2.keras --class_names=imagenet_class_index.json

The page is http://127.0.0.1:7860, on this machine only unless `--host` says otherwise; it needs `requirements-app.txt`
and no network. It is there before its network is: that is loaded behind it. Ctrl-C ends it, and removes all its files.
"""

import argparse
import getpass
import os
import signal
import sys
from collections.abc import Sequence

import constants
from pipeline.command_line import CommandParser, in_range, run_command
from pipeline.flags import add_engine_flag, add_model_flags
from pipeline.settings import read_model_settings
from webpage.server import PageSettings, serve

SHORTEST_PASSWORD = 8  # letters


def build_parser() -> argparse.ArgumentParser:
    """The flags of the model, and where the page is."""
    parser = CommandParser("app.py", "Explain photographs on a page in the browser.")
    add_engine_flag(add_model_flags(parser))
    page = parser.add_argument_group("page")
    page.add_argument(
        "--port", type=in_range(int, 1, 65535), default=constants.PAGE_PORT, help="of the page (default: %(default)s)"
    )
    page.add_argument(
        "--host",
        default=constants.PAGE_HOST,
        help="address to answer at; 0.0.0.0 lets everyone in who can reach this machine (default: %(default)s)",
    )
    page.add_argument(
        "--password",
        nargs="?",
        const="",
        help=f"asked of every visitor, {SHORTEST_PASSWORD} letters or more; without a value: asked for (default: none)",
    )
    return parser


def read_settings(args: argparse.Namespace) -> PageSettings:
    """The settings of these flags; ValueError for a password that is too short, or cannot be typed."""
    return PageSettings(read_model_settings(args), args.host, args.port, read_password(args.password))


def run(settings: PageSettings) -> int:
    """Shows the page until it is interrupted; the exit code."""
    serve(settings)
    return 0


def read_password(given: str | None) -> str | None:
    """The password of `--password`, asked for if the flag has no value; None without the flag."""
    try:
        password = getpass.getpass("password of the page: ") if given == "" else given
    except EOFError:
        raise ValueError("--password: nobody is there to type it; give it as --password=...") from None
    if password is not None and len(password) < SHORTEST_PASSWORD:
        raise ValueError(f"--password: {SHORTEST_PASSWORD} letters or more are wanted, not {len(password)}")
    if password is not None and any("\ud800" <= letter <= "\udfff" for letter in password):  # no browser can send it
        raise ValueError("--password: it holds bytes that are no letters of UTF-8")
    return password


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a run with these arguments."""
    return run_command(build_parser(), read_settings, run, argv)


if __name__ == "__main__":
    for name in ("SIGTERM", "SIGHUP"):  # as Ctrl-C, when its terminal is closed too: the files go then
        if signal.getsignal(number := getattr(signal, name, signal.SIGTERM)) == signal.SIG_DFL:  # nohup ignores one
            signal.signal(number, signal.default_int_handler)
    exit_code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)  # sys.exit would wait for the explanations under way, which nobody will see
