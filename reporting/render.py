"""A report as one HTML file that needs nothing else: pictures inside, system fonts, no script."""

import base64
import io
from collections.abc import Sequence
from html import escape

from reporting.content import Picture, Section, Table

STYLE = """
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


def render_html(title: str, sections: Sequence[Section]) -> str:
    """The whole page."""
    links = "".join(f'<a href="#section-{n}">{escape(section.title)}</a>' for n, section in enumerate(sections))
    body = "".join(_section(number, section) for number, section in enumerate(sections))
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><h1>{_text(title)}</h1><nav>{links}</nav>{body}</body></html>\n"
    )


def _section(number: int, section: Section) -> str:
    blocks = "".join(map(_block, section.blocks))
    return f'<section id="section-{number}"><h2>{escape(section.title)}</h2>{blocks}</section>\n'


def _block(block: str | Table | Picture) -> str:
    if isinstance(block, Table):
        head = "".join(f"<th>{_text(cell)}</th>" for cell in block.head)
        rows = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>\n" for row in block.rows)
        return f"<table><caption>{_text(block.caption)}</caption><tr>{head}</tr>\n{rows}</table>"
    if isinstance(block, Picture):
        file = io.BytesIO()
        block.figure.savefig(file, format="png")
        data = base64.b64encode(file.getvalue()).decode()
        caption = _text(block.caption)
        image = f'<img src="data:image/png;base64,{data}" alt="{caption}">'
        return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"
    return f"<p>{_text(block)}</p>"


def _text(text: str) -> str:
    """Safe in a page, whatever the names of files and classes are."""
    return escape(text.encode(errors="replace").decode())
