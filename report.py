"""A run of main.py, or several, as a report to hand in: one HTML page, and a LaTeX document with its figures.

    python report.py results/
    python report.py results_resnet/ results_vgg/ --output_folder_path=report

Written are report.html, which holds its pictures, report.tex with report_figures/, and report_differences.csv, into
the folder of the (first) run unless --output_folder_path says otherwise. The report says what run.json and records.csv
say, with the intervals and tests of summary.py, and shows the images from where the run found them.
Exit code: 0; 2 for a folder that holds no run.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.flags import forgive_names, run_script

TITLE = "Where does the network look?"


def build_parser() -> argparse.ArgumentParser:
    """The folders, and where to."""
    parser = argparse.ArgumentParser(description="Turn runs of main.py into a report.", allow_abbrev=False)
    parser.add_argument("results", nargs="+", help="output folders of main.py")
    parser.add_argument("--output_folder_path", help="where the report is written (default: the first of them)")
    parser.add_argument("--title", default=TITLE, help="of the report (default: %(default)s)")
    return parser


def write_report(folders: Sequence[str | Path], output: str | Path, title: str) -> list[Path]:
    """The paths of report.html and report.tex; ValueError for a folder that holds no run."""
    from output.files import figure_saver, write_whole
    from output.tables import write_table
    from reporting import content as report_content
    from reporting import render as report_html
    from reporting import report_tex
    from reporting.runs import Report

    output = Path(output)
    found = Report(folders)
    sections = report_content.compose(found)
    if found.differences:
        write_table(output / "report_differences.csv", found.differences)
    for section in sections:
        for block in section.blocks:
            if isinstance(block, report_content.Picture):
                write_whole(output / "report_figures" / f"{block.name}.png", figure_saver(block.figure))
    texts = {
        "report.html": report_html.render_html(title, sections),
        "report.tex": report_tex.render_tex(title, sections, "report_figures"),
    }
    return [
        write_whole(output / name, lambda path, text=text: path.write_text(text, encoding="utf-8"))
        for name, text in texts.items()
    ]


def run(args: argparse.Namespace) -> int:
    """One report; the exit code."""
    output = args.output_folder_path or args.results[0]
    print(*write_report(args.results, output, args.title), sep="\n")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a report with these arguments."""
    return run_script("report.py", run, build_parser().parse_args(argv))


if __name__ == "__main__":
    forgive_names()
    sys.exit(main())
