"""Draws the embedded data set: invented monuments, simulated gaze (scenes/demo_data.py).

    python demo.py [--output_folder_path=demo_data] [--seed=0] [--limit=12]

What is there already is not drawn again. Exit code: 0; 2 for a flag or a folder that stops it; 130 when interrupted.
"""

import argparse
import sys
from collections.abc import Sequence

import constants
from pipeline import flags


def build_parser() -> argparse.ArgumentParser:
    """The flags."""
    parser = flags.CommandParser("demo.py", "Draw the embedded data set.")
    parser.add_argument(
        "--output_folder_path",
        type=flags.path,
        default=constants.DEMO_FOLDER,
        metavar="PATH",
        help="where it is drawn (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=flags.SEED,
        default=constants.SEED,
        metavar="N",
        help="of all that is random (default: %(default)s)",
    )
    parser.add_argument(
        "--limit",
        type=flags.in_range(int, 1),
        metavar="N",
        help=f"images of each split (default: all {constants.DEMO_MONUMENTS})",
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Draws what is missing; the exit code."""
    from scenes import demo_data

    def progress(done: int, total: int) -> None:
        print(f"\r{done} of {total} images", end="\n" * (done == total), file=sys.stderr, flush=True)

    folder = demo_data.write_demo(args.output_folder_path, limit=args.limit, seed=args.seed, progress=progress)
    print(f"{folder}: simulated images and simulated gaze, see README.txt")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a run with these arguments."""
    parser = build_parser()
    return flags.run_script(parser.prog, run, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
