"""The picture of the page that stands in README.md.

    python -m tools.page_screenshot docs/images/app.jpg

Opens the page of the embedded network in a Chromium without a window, picks two methods and an example, and saves what
is seen. Needs `playwright` (requirements-dev.txt) and a Chromium: `apt-get install chromium`.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import constants
from pipeline.command_line import CommandParser, in_range, path, run_command

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class PictureSettings:
    """The file to write, the size of the window in pixels, and the port of the page."""

    picture: str
    width: int
    height: int
    port: int


def find_chromium() -> str | None:
    """The path of an installed Chromium, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def build_parser() -> argparse.ArgumentParser:
    """The flags: the file to write, and the window."""
    parser = CommandParser("python -m tools.page_screenshot", "Take a picture of the page of app.py.")
    parser.add_argument("picture", type=path, help="file to write: .jpg or .png")
    parser.add_argument(
        "--width", type=in_range(int, 300), default=1400, help="of the window, in pixels (default: %(default)s)"
    )
    parser.add_argument(
        "--height", type=in_range(int, 300), default=980, help="of the window, in pixels (default: %(default)s)"
    )
    parser.add_argument(
        "--port",
        type=in_range(int, 1, 65535),
        default=constants.PAGE_PORT + 1,
        help="of the page (default: %(default)s)",
    )
    return parser


def read_settings(args: argparse.Namespace) -> PictureSettings:
    """The settings of these flags."""
    return PictureSettings(args.picture, args.width, args.height, args.port)


def run(settings: PictureSettings) -> int:
    """Starts the page, takes the picture, ends the page; the exit code."""
    from playwright.sync_api import sync_playwright

    browser_path = find_chromium()
    if browser_path is None:
        raise ValueError(f"no Chromium is installed: one of {', '.join(BROWSERS)} is wanted")
    command = [sys.executable, Path(__file__).parents[1] / "app.py", f"--port={settings.port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, sync_playwright() as playwright:
        try:
            address = server.stdout.readline().split()[-1]
            browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": settings.width, "height": settings.height})
            page.goto(address)
            page.get_by_text("Drop, paste or take").wait_for(timeout=120_000)
            for text, name in (("rise", "RISE"), ("lime", "LIME")):
                page.get_by_role("combobox", name="Methods").fill(text)
                page.get_by_role("option", name=name, exact=True).click()
            page.keyboard.press("Escape")
            page.get_by_role("button", name="Example 2").click()
            page.get_by_text("Done.").wait_for(timeout=120_000)
            page.mouse.move(0, 0)
            page.wait_for_timeout(1000)  # what fades has faded
            options = {"type": "jpeg", "quality": 55} if settings.picture.endswith((".jpg", ".jpeg")) else {}
            page.screenshot(path=settings.picture, **options)
        finally:
            server.terminate()
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a run with these arguments."""
    return run_command(build_parser(), read_settings, run, argv)


if __name__ == "__main__":
    sys.exit(main())
