"""A report as files: report.html, report.tex with report_figures/, and report_differences.csv."""

from collections.abc import Sequence
from pathlib import Path

import constants
from output.files import figure_saver, write_whole
from output.tables import write_table
from reporting.content import Picture, compose
from reporting.render import render_html, render_tex
from reporting.runs import Report

FIGURES = "report_figures"  # folder of the document's pictures, beside it


def write_report(folders: Sequence[str | Path], output: str | Path, title: str = constants.TITLE) -> list[Path]:
    """The paths of report.html and report.tex, written into `output`.

    folders: those of the runs, which main.py wrote. ValueError for a folder that holds no run.
    """
    output, report = Path(output), Report(folders)
    sections = compose(report)
    if report.differences:
        write_table(output / "report_differences.csv", report.differences)
    for section in sections:
        for block in section.blocks:
            if isinstance(block, Picture):
                write_whole(output / FIGURES / f"{block.name}.png", figure_saver(block.figure))
    texts = {"report.html": render_html(title, sections), "report.tex": render_tex(title, sections, FIGURES)}
    return [
        write_whole(output / name, lambda path, text=text: path.write_text(text, encoding="utf-8"))
        for name, text in texts.items()
    ]
