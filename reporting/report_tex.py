"""A report as a LaTeX document with its pictures beside it; pdflatex sets it with the packages of any installation."""

import re
from collections.abc import Sequence

from reporting.content import Picture, Section, Table

HEAD = r"""\documentclass[10pt,a4paper]{article}
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
SPECIAL = {
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
WIDE = 30  # letters: a column with a longer cell is broken into lines


def render_tex(title: str, sections: Sequence[Section], folder: str) -> str:
    """The whole document; folder: where its pictures lie, relative to it."""
    parts = [HEAD % _text(title)]
    for section in sections:
        parts.append(f"\\section{{{_text(section.title)}}}\n")
        parts += [_block(block, folder) for block in section.blocks]
    return "\n".join([*parts, "\\end{document}\n"])


def _block(block: str | Table | Picture, folder: str) -> str:
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Picture):
        return (
            f"\\begin{{figure}}[htbp]\\centering\n\\includegraphics[width=\\linewidth,height=0.85\\textheight,"
            f"keepaspectratio]{{{folder}/{block.name}.png}}\n\\caption{{{_text(block.caption)}}}\n\\end{{figure}}\n"
        )
    return _text(block) + "\n"


def _table(table: Table) -> str:
    """A longtable: it may run over pages."""
    columns = [[str(cell) for cell in column] for column in zip(table.head, *table.rows)]
    is_wide = [max(map(len, column)) > WIDE for column in columns]
    share = 0.75 / max(1, sum(is_wide))
    kinds = "".join(f"p{{{share:.2f}\\linewidth}}" if wide else "l" for wide in is_wide)
    lines = [" & ".join(map(_text, row)) + r" \\" for row in (table.head, *table.rows)]
    caption = f"\\caption{{{_text(table.caption)}}}\\\\\n"
    head = f"\\toprule\n{lines[0]}\n\\midrule\n\\endhead\n"
    body = "\n".join([*lines[1:], "\\bottomrule"])
    return f"{{\\footnotesize\n\\begin{{longtable}}{{{kinds}}}\n{caption}{head}{body}\n\\end{{longtable}}}}\n"


def _text(text: str) -> str:
    """Safe in LaTeX; letters that its fonts do not have become '?'."""
    safe = "".join(SPECIAL.get(letter, letter) for letter in text)
    return re.sub(r"[^\x00-\xff]", "?", safe)
