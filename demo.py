"""Draws the embedded data set: invented monuments, simulated gaze (scenes/demo_data.py).

    python demo.py [--output_folder_path=demo_data] [--seed=0] [--limit=12]

What is there already is not drawn again. Exit code: 0; 2 for a flag or a folder that stops it; 130 when interrupted.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import constants
from output.progress import printable, show_count
from pipeline import flags
from pipeline.command_line import CommandParser, in_range, output_folder, run_command


@dataclass(frozen=True)
class DemoSettings:
    """What demo.py was asked for. limit: images of each split; None: all."""

    output_folder: Path
    limit: int | None
    seed: int


def build_parser() -> argparse.ArgumentParser:
    """The flags."""
    parser = CommandParser("demo.py", "Draw the embedded data set.")
    parser.add_argument(
        "--output_folder_path",
        type=output_folder,
        default=constants.DEMO_FOLDER,
        metavar="PATH",
        help="where it is drawn (default: %(default)s)",
    )
    flags.add_seed_flag(parser)
    parser.add_argument(
        "--limit",
        type=in_range(int, 1),
        metavar="N",
        help=f"images of each split (default: all {constants.DEMO_MONUMENTS})",
    )
    return parser


def read_settings(args: argparse.Namespace) -> DemoSettings:
    """The settings of these flags."""
    return DemoSettings(Path(args.output_folder_path), args.limit, args.seed)


def run(settings: DemoSettings) -> int:
    """Draws what is missing; the exit code."""
    from scenes import demo_data

    show = partial(show_count, "drawing images")
    folder = demo_data.write_demo(settings.output_folder, limit=settings.limit, seed=settings.seed, progress=show)
    print(f"{printable(str(folder))}: simulated images and simulated gaze, see README.txt")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a run with these arguments."""
    return run_command(build_parser(), read_settings, run, argv)


if __name__ == "__main__":
    sys.exit(main())
