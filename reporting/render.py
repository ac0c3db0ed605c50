"""A report's sections as text: one HTML page, or a LaTeX document.

The page needs nothing else: pictures inside, system fonts, no script. The document has its pictures beside it, and
pdflatex sets it with the packages of any installation. Names of files and classes come from others: in both they are
text, never markup.
"""

import base64
import io
import re
from collections.abc import Sequence
from html import escape

from output.progress import printable
from reporting.content import Picture, Section, Table

HTML_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; font-size: .85rem; margin: 1rem 0; display: block; overflow-x: auto; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { text-align: left; padding: .25rem .7rem .25rem 0; border-bottom: 1px solid #eee; vertical-align: top; }
th { border-bottom: 1px solid #999; } td { font-variant-numeric: tabular-nums; }
figure { margin: 1.5rem 0; } img { max-width: 100%; height: auto; } figcaption { color: #555; font-size: .85rem; }
nav a { margin-right: 1rem; }
@media print { table { display: table; } h2 { break-after: avoid; } }
"""
TEX_HEAD = r"""\documentclass[10pt,a4paper]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage[margin=2cm]{geometry}
\usepackage{booktabs,graphicx,longtable,textcomp}
\setlength{\tabcolsep}{4pt}
\title{%s}
\date{}
\begin{document}
\maketitle
"""
TEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "±": r"$\pm$",
    "·": r"$\cdot$",
    "…": r"\dots{}",
}
TEX_WIDE = 30  # letters: a column with a longer cell is broken into lines


# --- HTML ---
def render_html(title: str, sections: Sequence[Section]) -> str:
    """The whole page."""
    links = "".join(f'<a href="#section-{n}">{_html_text(section.title)}</a>' for n, section in enumerate(sections))
    body = "".join(_html_section(number, section) for number, section in enumerate(sections))
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{_html_text(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{HTML_STYLE}</style></head>'
        f"<body><h1>{_html_text(title)}</h1><nav>{links}</nav>{body}</body></html>\n"
    )


def _html_section(number: int, section: Section) -> str:
    blocks = "".join(map(_html_block, section.blocks))
    return f'<section id="section-{number}"><h2>{_html_text(section.title)}</h2>{blocks}</section>\n'


def _html_block(block: str | Table | Picture) -> str:
    if isinstance(block, Table):
        head = _html_row("th", block.head)
        rows = "\n".join(_html_row("td", row) for row in block.rows)
        return f"<table><caption>{_html_text(block.caption)}</caption>{head}\n{rows}\n</table>"
    if isinstance(block, Picture):
        file = io.BytesIO()
        block.figure.savefig(file, format="png")
        data = base64.b64encode(file.getvalue()).decode()
        caption = _html_text(block.caption)
        image = f'<img src="data:image/png;base64,{data}" alt="{caption}">'
        return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"
    return f"<p>{_html_text(block)}</p>"


def _html_row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{_html_text(cell)}</{tag}>' for cell in cells)}</tr>"


def _html_text(text: str) -> str:
    """Safe in a page, whatever the names of files and classes are."""
    return escape(printable(text.replace("\n", " ")))


# --- LaTeX ---
def render_tex(title: str, sections: Sequence[Section], folder: str) -> str:
    """The whole document; folder: where its pictures lie, relative to it."""
    parts = [TEX_HEAD % _tex_text(title)]
    for section in sections:
        parts.append(f"\\section{{{_tex_text(section.title)}}}\n")
        parts += [_tex_block(block, folder) for block in section.blocks]
    return "\n".join([*parts, "\\end{document}\n"])


def _tex_block(block: str | Table | Picture, folder: str) -> str:
    if isinstance(block, Table):
        return _tex_table(block)
    if isinstance(block, Picture):
        return (
            f"\\begin{{figure}}[htbp]\\centering\n\\includegraphics[width=\\linewidth,height=0.85\\textheight,"
            f"keepaspectratio]{{{folder}/{block.name}.png}}\n\\caption{{{_tex_text(block.caption)}}}\n\\end{{figure}}\n"
        )
    return _tex_text(block) + "\n"


def _tex_table(table: Table) -> str:
    """A longtable: it may run over pages."""
    columns = [[str(cell) for cell in column] for column in zip(table.head, *table.rows)]
    is_wide = [max(map(len, column)) > TEX_WIDE for column in columns]
    share = 0.75 / max(1, sum(is_wide))
    kinds = "".join(f"p{{{share:.2f}\\linewidth}}" if wide else "l" for wide in is_wide)
    lines = [" & ".join(map(_tex_text, row)) + r" \\" for row in (table.head, *table.rows)]
    caption = f"\\caption{{{_tex_text(table.caption)}}}\\\\\n"
    head = f"\\toprule\n{lines[0]}\n\\midrule\n\\endhead\n"
    body = "\n".join([*lines[1:], "\\bottomrule"])
    return f"{{\\footnotesize\n\\begin{{longtable}}{{{kinds}}}\n{caption}{head}{body}\n\\end{{longtable}}}}\n"


def _tex_text(text: str) -> str:
    """Safe in LaTeX; letters that its fonts do not have become '?'."""
    safe = "".join(TEX_SPECIAL.get(letter, letter) for letter in printable(text.replace("\n", " ")))
    return re.sub(r"[^\x00-\xff]", "?", safe)
