"""A report as files: report.html; report.tex with report_tables/, report_figures/ and references.bib; and
report_differences.csv."""

from collections.abc import Sequence
from pathlib import Path

import constants
from output.files import figure_saver, write_whole
from output.tables import write_table
from reporting.blocks import PictureBlock
from reporting.content import compose
from reporting.render import render_html, render_tex
from reporting.runs import Report

FIGURES, TABLES = "report_figures", "report_tables"  # folders of the document's pictures and tables, beside it


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
            if isinstance(block, PictureBlock):
                write_whole(output / FIGURES / f"{block.name}.pdf", figure_saver(block.figure))
    texts = {"report.html": render_html(title, sections), **render_tex(title, sections, TABLES, FIGURES)}
    for name, text in texts.items():
        write_whole(output / name, lambda path, text=text: path.write_text(text, encoding="utf-8"))
    return [output / "report.html", output / "report.tex"]
