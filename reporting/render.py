"""A report's sections as text: one HTML page, or a LaTeX document with the files that it reads.

The page needs nothing else: pictures inside, system fonts, no script. The document has its tables and pictures beside
it, and a plain TeX Live sets it: pdflatex, bibtex, pdflatex, pdflatex. Names of files and classes come from others: in
both they are text, never markup.
"""

import base64
import io
import re
from collections.abc import Sequence
from html import escape
from itertools import product

from output.files import save_figure
from output.progress import printable
from reporting import references
from reporting.blocks import Best, Cite, Mention, PictureBlock, Section, TableBlock, Text
from reporting.cells import DIGIT_SPACE, MINUS, NOTHING, SIGN_SPACE

HTML_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; border-bottom: 1px solid #ddd; }
.table { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .85rem; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #eee; vertical-align: top; }
th { border-bottom: 1px solid #999; } td { font-variant-numeric: tabular-nums; }
.wide td, .wide th { white-space: nowrap; }
.wide th:first-child, .wide td:first-child { position: sticky; left: 0; background: #fff; }
td strong { font-weight: inherit; -webkit-text-stroke: .5px; }  /* bold, and no wider */
td .sign { display: inline-block; width: .65em; text-align: right; }
figure { margin: 1.5rem 0; } img { max-width: 100%; height: auto; } figcaption { color: #555; font-size: .85rem; }
nav a { margin-right: 1rem; } li { font-size: .9rem; }
@media (min-width: 80rem) { .table.wide { width: max-content; max-width: calc(100vw - 4rem); } }
@media print { h2 { break-after: avoid; } .wide td, .wide th { white-space: normal; } }
"""
SIGN = re.compile(f"({SIGN_SPACE}|{MINUS}|\\+|&lt;)(?={DIGIT_SPACE}*\\d)")  # in front of a number, as HTML
TEX_HEAD = r"""\documentclass[10pt,a4paper]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{lmodern,textcomp}
\usepackage[margin=2cm]{geometry}
\usepackage{array,booktabs,float,graphicx}
\usepackage[section]{placeins}
\pdfsuppresswarningpagegroup=1
\renewcommand{\topfraction}{0.9}
\renewcommand{\bottomfraction}{0.9}
\renewcommand{\textfraction}{0.05}
\renewcommand{\floatpagefraction}{0.7}
\setlength{\emergencystretch}{3em}
\hbadness=2500 %% a line between long names may be a little loose
\setlength{\tabcolsep}{4pt}
\newsavebox{\fitbox}
%% A table, made smaller where it is wider than the text.
\newcommand{\fit}[1]{\sbox{\fitbox}{\footnotesize#1}%%
  \ifdim\wd\fitbox>\linewidth\resizebox{\linewidth}{!}{\usebox{\fitbox}}\else\usebox{\fitbox}\fi}
\title{%s}
\author{}
\date{}
\begin{document}
\maketitle
"""
TEX_END = r"""\bibliographystyle{unsrt}
\bibliography{references}
\end{document}
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
    "<": "$<$",
    ">": "$>$",
    "|": r"\textbar{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "±": r"$\pm$",
    "·": r"$\cdot$",
    "…": r"\dots{}",
    DIGIT_SPACE: r"\phantom{0}",
    SIGN_SPACE: r"\phantom{$-$}",
    MINUS: "$-$",
    NOTHING: "--",
}
TEX_WIDE = 30  # letters: a column with a longer cell is broken into lines
TEX_ROWS = 45  # of a table that fit a page
TEX_BESIDE = 4  # columns of a table, beside its keys, that fit a page


# --- HTML ---
def render_html(title: str, sections: Sequence[Section]) -> str:
    """The whole page."""
    cited = list_cited(sections)
    page = _Page(_number(sections), {key: place for place, key in enumerate(cited, start=1)})
    links = "".join(f'<a href="#section-{n}">{_html_text(section.title)}</a>' for n, section in enumerate(sections))
    body = "".join(page.section(number, section) for number, section in enumerate(sections))
    entries = "".join(
        f'<li id="reference-{n}">{escape(references.describe(key))}</li>' for key, n in page.cited.items()
    )
    if entries:
        body += f'<section id="references"><h2>References</h2><ol>{entries}</ol></section>\n'
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{_html_text(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{HTML_STYLE}</style></head>'
        f"<body><h1>{_html_text(title)}</h1><nav>{links}</nav>{body}</body></html>\n"
    )


class _Page:
    """The parts of a page. numbers: name of a table or picture -> 'Table 3'; cited: key -> number."""

    def __init__(self, numbers: dict[str, str], cited: dict[str, int]):
        self.numbers, self.cited = numbers, cited

    def section(self, number: int, section: Section) -> str:
        blocks = "".join(map(self._block, section.blocks))
        return f'<section id="section-{number}"><h2>{_html_text(section.title)}</h2>{blocks}</section>\n'

    def _block(self, block: Text | TableBlock | PictureBlock) -> str:
        if isinstance(block, TableBlock):
            head = _html_row("th", block.head)
            rows = "\n".join(_html_row("td", row) for row in block.rows)
            kind = "table wide" if block.keys else "table"
            caption = f"<caption>{self._caption(block)}</caption>"
            return f'<div class="{kind}" id="{block.name}"><table>{caption}{head}\n{rows}\n</table></div>'
        if isinstance(block, PictureBlock):
            file = io.BytesIO()
            save_figure(block.figure, file, "png")
            data = base64.b64encode(file.getvalue()).decode()
            caption = self._caption(block)
            image = f'<img src="data:image/png;base64,{data}" alt="{_html_text(block.caption)}">'
            return f'<figure id="{block.name}">{image}<figcaption>{caption}</figcaption></figure>'
        return f"<p>{''.join(map(self._part, _parts(block)))}</p>"

    def _caption(self, block: TableBlock | PictureBlock) -> str:
        return f"{self.numbers[block.name]}: {_html_text(block.caption)}"

    def _part(self, part: str | Cite | Mention) -> str:
        if isinstance(part, Cite):
            links = (f'<a href="#reference-{n}">{n}</a>' for n in (self.cited[key] for key in part.keys))
            return f"[{', '.join(links)}]"
        if isinstance(part, Mention):
            return f'<a href="#{part.name}">{self.numbers[part.name]}</a>'
        return _html_text(part)


def _html_row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{_html_cell(cell)}</{tag}>' for cell in cells)}</tr>"


def _html_cell(cell: str) -> str:
    text = SIGN.sub(r'<span class="sign">\1</span>', _html_text(cell))
    return f"<strong>{text}</strong>" if isinstance(cell, Best) else text


def _html_text(text: str) -> str:
    """Safe in a page, whatever the names of files and classes are."""
    return escape(_printable(text))


# --- LaTeX ---
def render_tex(title: str, sections: Sequence[Section], tables: str, pictures: str) -> dict[str, str]:
    """File -> its text: report.tex, the tables that it reads, and references.bib.

    tables, pictures: the folders of tables and pictures, relative to it.
    """
    parts, files, numbers = [TEX_HEAD % _tex_text(title)], {}, _number(sections)
    for section in sections:
        parts.append(f"\\section{{{_tex_text(section.title)}}}\n")
        for block in section.blocks:
            if isinstance(block, TableBlock):
                for part in split_table(block):
                    name = f"{tables}/{part.name}"
                    files[f"{name}.tex"] = _tex_tabular(part)
                    parts.append(_tex_read(part, name))
            elif isinstance(block, PictureBlock):
                parts.append(_tex_picture(block, pictures))
            else:
                parts.append("".join(_tex_part(part, numbers) for part in _parts(block)) + "\n")
    cited = list_cited(sections)
    end = TEX_END if cited else "\\end{document}\n"
    return {"report.tex": "\n".join([*parts, end]), **files, "references.bib": references.write_bibtex(cited)}


def split_table(table: TableBlock) -> list[TableBlock]:
    """The table in parts that fit a page: each with up to `TEX_ROWS` rows, its keys and up to `TEX_BESIDE` further
    columns."""
    n_columns = len(table.head)
    keys = n_columns if table.keys is None else table.keys
    starts = range(keys, n_columns, TEX_BESIDE) or [n_columns]
    parts = []
    for start, top in product(starts, range(0, len(table.rows), TEX_ROWS)):
        chosen = [*range(keys), *range(start, min(start + TEX_BESIDE, n_columns))]
        head, *rows = ([row[column] for column in chosen] for row in (table.head, *table.rows[top : top + TEX_ROWS]))
        name, more = (f"{table.name}_{len(parts) + 1}", ", continued") if parts else (table.name, "")
        parts.append(TableBlock(name, head, rows, table.caption + more, table.keys))
    return parts


def _tex_rows(table: TableBlock) -> tuple[str, str, list[str]]:
    """The kinds of its columns, its head and its rows."""
    columns = [[str(cell) for cell in column] for column in zip(table.head, *table.rows)]
    is_wide = [max(map(len, column)) > TEX_WIDE and table.keys is None for column in columns]
    share = 0.75 / max(1, sum(is_wide))
    broken = f">{{\\raggedright\\arraybackslash}}p{{{share:.2f}\\textwidth}}"
    kinds = "".join(broken if wide else "l" for wide in is_wide)
    lines = [" & ".join(map(_tex_cell, row)) for row in (table.head, *table.rows)]
    # Behind the end of a row, a bracket would begin an option.
    head, *rows = (("{}" if line.startswith("[") else "") + line + r" \\" for line in lines)
    return kinds, head, rows


def _tex_tabular(table: TableBlock) -> str:
    """The table alone, to be read where a caption and a label stand around it."""
    kinds, head, rows = _tex_rows(table)
    lines = [f"\\begin{{tabular}}{{{kinds}}}", r"\toprule", head, r"\midrule", *rows, r"\bottomrule"]
    return "\n".join([*lines, "\\end{tabular}%\n"])


def _tex_read(table: TableBlock, name: str) -> str:
    caption = f"\\caption{{{_tex_text(table.caption)}}}\\label{{{table.name}}}"
    place = "H" if table.keys is None else "htbp"
    return f"\\begin{{table}}[{place}]\\centering\n{caption}\n\\fit{{\\input{{{name}}}}}\n\\end{{table}}\n"


def _tex_picture(picture: PictureBlock, folder: str) -> str:
    caption = f"\\caption{{{_tex_text(picture.caption)}}}\\label{{{picture.name}}}"
    width, height = picture.figure.get_size_inches()
    size = f"width=\\linewidth,height={0.8 if height > width else 0.6}\\textheight,keepaspectratio"
    graphics = f"\\includegraphics[{size}]{{{folder}/{picture.name}.pdf}}"
    return f"\\begin{{figure}}[htbp]\\centering\n{graphics}\n{caption}\n\\end{{figure}}\n"


def _tex_part(part: str | Cite | Mention, numbers: dict[str, str]) -> str:
    if isinstance(part, Cite):
        return f"\\cite{{{','.join(part.keys)}}}"
    if isinstance(part, Mention):
        return f"{numbers[part.name].split()[0]}~\\ref{{{part.name}}}"
    return _tex_text(part)


def _tex_cell(cell: str) -> str:
    text = _tex_text(cell)
    # The narrow bold, whose digits are as wide as the others.
    return f"{{\\fontseries{{b}}\\selectfont {text}}}" if isinstance(cell, Best) else text


def _tex_text(text: str) -> str:
    """Safe in LaTeX; letters that its fonts do not have become '?'."""
    safe = "".join(TEX_SPECIAL.get(letter, letter) for letter in _printable(text))
    return re.sub(r"[^\x00-\xff]", "?", safe)


# --- both ---
def list_cited(sections: Sequence[Section]) -> list[str]:
    """The keys of what is cited, in the order in which it is."""
    blocks = (
        block for section in sections for block in section.blocks if not isinstance(block, TableBlock | PictureBlock)
    )
    parts = (part for block in blocks for part in _parts(block) if isinstance(part, Cite))
    return list(dict.fromkeys(key for part in parts for key in part.keys))


def _number(sections: Sequence[Section]) -> dict[str, str]:
    """Name of a table or picture -> 'Table 3', 'Figure 1'."""
    numbers, counts = {}, {"Table": 0, "Figure": 0}
    for block in (block for section in sections for block in section.blocks):
        if isinstance(block, TableBlock | PictureBlock):
            kind = "Table" if isinstance(block, TableBlock) else "Figure"
            counts[kind] += 1
            numbers[block.name] = f"{kind} {counts[kind]}"
    return numbers


def _parts(text: Text) -> Sequence[str | Cite | Mention]:
    return (text,) if isinstance(text, str) else text


def _printable(text: str) -> str:
    return printable(text.replace("\n", " "))
