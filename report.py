"""A run of main.py, or several, as a report to hand in: one HTML page, and a LaTeX document with its figures.

    python report.py results/
    python report.py results_resnet/ results_vgg/ --output_folder_path=report

Written are report.html, which holds its pictures, report.tex with report_figures/, and report_differences.csv, into
the folder of the (first) run unless --output_folder_path says otherwise. The report says what run.json and records.csv
say, with the intervals and tests of pipeline/summary.py, and shows the images from where the run found them.
Exit code: 0; 2 for a folder that holds no run.
"""

import argparse
import sys
from collections.abc import Sequence

import constants
from output.progress import printable
from pipeline.flags import forgive_names, run_script


def build_parser() -> argparse.ArgumentParser:
    """The folders, and where to."""
    parser = argparse.ArgumentParser(description="Turn runs of main.py into a report.", allow_abbrev=False)
    parser.add_argument("results", nargs="+", help="output folders of main.py")
    parser.add_argument("--output_folder_path", help="where the report is written (default: the first of them)")
    parser.add_argument("--title", default=constants.TITLE, help="of the report (default: %(default)s)")
    return parser


def run(args: argparse.Namespace) -> int:
    """One report; the exit code."""
    from reporting.report import write_report

    paths = write_report(args.results, args.output_folder_path or args.results[0], args.title)
    print(*(printable(str(path)) for path in paths), sep="\n")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a report with these arguments."""
    return run_script("report.py", run, build_parser().parse_args(argv))


if __name__ == "__main__":
    forgive_names()
    sys.exit(main())
