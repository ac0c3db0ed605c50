"""Pieces of the page as HTML. Text of others - class names, file names, reasons - is escaped; pictures stand in the
page itself, so that no file is made for them."""

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np


def show_picture(picture: np.ndarray, alt: str, css_class: str = "") -> str:
    """An image of uint8 RGB (H, W, 3)."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=88)
    return show_image(buffer.getvalue(), "jpeg", alt, css_class)


def show_figure(figure, alt: str, css_class: str = "") -> str:
    """An image of a matplotlib figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return show_image(buffer.getvalue(), "png", alt, css_class)


def show_image(content: bytes, kind: str, alt: str, css_class: str = "") -> str:
    """An image of the bytes of a file of that kind, alt being what a reader who cannot see it is told."""
    text = base64.b64encode(content).decode()
    return f'<img class="{css_class}" alt="{escape(alt)}" src="data:image/{kind};base64,{text}">'


def show_status(message: str, share: float | None = None, *, wrong: bool = False) -> str:
    """What goes on, read out by screen readers; share: of the work that is done, 0-1, as a bar."""
    bar = "" if share is None else f'<progress max="1" value="{share:.3f}" aria-label="share done"></progress>'
    role = "alert" if wrong else "status"
    css_class = "status wrong" if wrong else "status"
    return f'<div class="{css_class}" role="{role}" aria-live="polite">{bar}<span>{escape(message)}</span></div>'


def show_table(rows: dict[str, str]) -> str:
    """Names and their values."""
    lines = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in rows.items())
    return f'<dl class="choices">{lines}</dl>'


def show_classes(probabilities: dict[int, float], class_names: Sequence[str], chosen: int | None) -> str:
    """A list of classes (-> probability) to choose one of, a bar behind each."""
    lines = []
    for index, probability in probabilities.items():
        checked = " checked" if index == chosen else ""
        field = f'<input type="radio" name="top-class" value="{index}"{checked}>'
        name, number = f"<span>{escape(class_names[index])}</span>", f"<span>{probability:.2f}</span>"
        lines.append(f'<label style="--share: {100 * probability:.1f}%">{field}{name}{number}</label>')
    return f"<fieldset><legend>Most probable classes</legend>{''.join(lines)}</fieldset>"


def say_time(seconds: float) -> str:
    """'0:07' of 7 seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
