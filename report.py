"""A run of main.py, or several, as a report to hand in: one HTML page, and a LaTeX document with its figures.

    python report.py results/
    python report.py results_resnet/ results_vgg/ --output_folder_path=report

Written are report.html, which holds its pictures, report.tex with report_tables/, report_figures/ and references.bib,
and report_differences.csv, into the folder of the (first) run unless --output_folder_path says otherwise. The report
says what run.json and records.csv say, with the intervals and tests of pipeline/summary.py, and shows the images from
where the run found them.
Exit code: 0; 2 for a folder that holds no run.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import constants
from output.progress import printable
from pipeline.command_line import CommandParser, output_folder, path, run_command


@dataclass(frozen=True)
class ReportSettings:
    """Of which runs, where to, and its title."""

    folders: Sequence[str]
    output_folder: str
    title: str


def build_parser() -> argparse.ArgumentParser:
    """The folders, and where to."""
    parser = CommandParser("report.py", "Turn runs of main.py into a report.")
    parser.add_argument("results", nargs="*", type=path, help="output folders of main.py")
    parser.add_argument(
        "--output_folder_path", type=output_folder, help="where the report is written (default: the first of them)"
    )
    parser.add_argument("--title", default=constants.TITLE, help="of the report (default: %(default)s)")
    return parser


def read_settings(args: argparse.Namespace) -> ReportSettings:
    """The settings of these flags; ValueError without a run."""
    if not args.results:  # said here, not by the parser: a mistyped flag beside it is named first
        raise ValueError("the output folder of a run of main.py was wanted, or several; got none")
    for folder in args.results:
        if os.path.isfile(folder):
            raise ValueError(f"'{folder}' is a file; the output folder of a run of main.py was wanted")
    return ReportSettings(args.results, args.output_folder_path or args.results[0], args.title)


def run(settings: ReportSettings) -> int:
    """One report; the exit code."""
    import utils

    utils.load_tensorflow()
    from reporting.document import write_report

    for written in write_report(settings.folders, settings.output_folder, settings.title):
        print(printable(str(written)))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a report with these arguments."""
    return run_command(build_parser(), read_settings, run, argv)


if __name__ == "__main__":
    sys.exit(main())
