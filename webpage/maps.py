"""The maps a visitor has asked for, drawn by `representations` and `figures` as those of main.py, as HTML."""

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

import representations
import utils
from data.dataset import Sample
from explainers.registry import METHODS
from metrics.catalogue import METRICS
from pipeline.records import Record
from pipeline.run_figures import Style, explained_image
from plots.pages import figure_panel
from webpage.html import show_figure, show_picture

if TYPE_CHECKING:
    from webpage.case import Case

PICTURE_SIDE = 560  # pixels of the longer side of a picture on the page
EXAMPLE_SIDE = 200  # of an example to pick
METRICS_SHOWN = ("pcc", "sim", "insertion_auc", "deletion_auc")


def show_maps(case: "Case", style: Style, one_scale: bool = True) -> str:
    """All that is shown, as far as it is computed.

    one_scale: whether the maps of a method share a scale, so that a class nothing speaks for looks like it.
    """
    image = shrink(case.sample.read())
    found = [(index, record) for index, record in case.records() if not record.failed]
    failed = [record for _, record in case.records() if record.failed]
    limits = {}
    for index, record in found:
        saliency_map = case.answers[index].read_map(record)
        low, high = limits.get(record.method, (np.inf, -np.inf))
        limits[record.method] = min(low, float(saliency_map.min())), max(high, float(saliency_map.max()))
    limits = limits if one_scale else {}
    parts = [_show_map(case, *pair, image, style, limits.get(pair[1].method)) for pair in found]
    parts += [f'<p class="wrong" role="alert">{record.method}: {escape(record.status)}</p>' for record in failed]
    compares = len({index for index, _ in found}) == 2
    columns = 2 if compares else max(1, min(len(found), 3))
    css_class = "maps pair" if compares else "maps"
    return f'<div class="{css_class}" style="--columns: {columns}">{"".join(parts)}</div>'


def show_examples(samples: Sequence[Sample]) -> str:
    """A button for each sample, its value being the sample's place in the list."""
    buttons = []
    for place, sample in enumerate(samples):
        picture = shrink(sample.read(), EXAMPLE_SIDE)
        picture = show_picture(picture, f"Example {place + 1}: {sample.label}")
        buttons.append(f'<button type="button" value="{place}">{picture}</button>')
    return f'<p>or an example, drawn:</p><div class="examples">{"".join(buttons)}</div>'


def shrink(image: np.ndarray, side: int = PICTURE_SIDE) -> np.ndarray:
    """The image (H, W, 3) with no more pixels than the page shows."""
    share = min(1.0, side / max(image.shape[:2]))
    return utils.resize_image(image, *(max(1, round(share * side)) for side in image.shape[:2]))


def _show_map(
    case: "Case", class_index: int, record: Record, image: np.ndarray, style: Style, limits: tuple[float, float] | None
) -> str:
    """One map over the photograph, with its colour bar, its numbers and its curves."""
    answers, explainer = case.answers[class_index], METHODS[record.method].load()
    saliency_map = answers.read_map(record)
    options = {"signed": explainer.signed, "limits": limits}
    overlay = representations.represent_heatmap_overlaid(saliency_map, image, style.colormap, style.alpha, **options)
    about = f"for {case.classifier.class_names[class_index]}" if explainer.uses_class else "of any class"
    alt = f"{record.method} {about} over the photograph, strongest {say_place(saliency_map)}"
    parts = [show_picture(overlay, alt, "overlay")]
    scale = representations.colour_scale(saliency_map, style.colormap, **options)
    strip = scale.colour(np.linspace(scale.low, scale.high, 256)[None].repeat(8, axis=0))
    digits = 3 - math.ceil(math.log10(scale.high - scale.low))  # of the range: a millionth of it reads as 0
    low, high = (f"{round(value, digits) + 0.0:.4g}" for value in (scale.low, scale.high))
    bar = show_picture(strip, f"colour bar from {low} to {high}", "strip")
    parts.append(f'<div class="scale"><span>{low}</span>{bar}<span>{high}</span></div>')
    for what, picture in answers.pictures.get(record.method, {}).items():
        picture = utils.resize_image(picture, *image.shape[:2])  # from the network's square to the photograph's shape
        parts.append(show_picture(picture, f"{record.method} {about}: {what}", "overlay"))
    if answers.read_curves(record) is not None:
        look = {"colormap": style.colormap, "alpha": style.alpha, "density_note": style.density_note}
        row = explained_image(answers, case.sample, record, look)
        curves = f"insertion, area {record.insertion_auc:.2f}, and deletion, area {record.deletion_auc:.2f}"
        parts.append(show_figure(figure_panel(row, "insertion and deletion"), curves, "curves"))
    lines = [f"<strong>{record.method}</strong> {escape(about)}", *map(escape, describe(record, case.simulated))]
    return f"<figure><figcaption>{'<br>'.join(lines)}</figcaption>{''.join(parts)}</figure>"


def describe(record: Record, simulated: bool = False) -> list[str]:
    """What there is to say of a map: its numbers, and what the reader must know; simulated: whether the gaze is."""
    values = {METRICS[name].heading: getattr(record, name) for name in METRICS_SHOWN}
    numbers = ", ".join(f"{name} {value:.2f}" for name, value in values.items() if value is not None)
    if simulated and record.pcc is not None:
        numbers += " (gaze simulated)"
    notes = [] if record.status == "ok" else [record.status]
    notes += [f"{key.replace('_', ' ')}: {value}" for key, value in record.remarks.items()]
    reasons = {name: record.undefined[name] for name in METRICS_SHOWN if name in record.undefined}
    notes += [f"{METRICS[name].heading} undefined: {reason}" for name, reason in reasons.items()]
    return [" · ".join(filter(None, (numbers, f"{record.seconds:.2f} s"))), *notes]


def say_place(saliency_map: np.ndarray) -> str:
    """Where the map is highest, in words: 'at the upper left', 'in the middle'; 'nowhere' for a constant map."""
    if utils.is_constant(saliency_map):
        return "nowhere"
    place = np.unravel_index(np.argmax(saliency_map), saliency_map.shape)
    row, column = (min(3 * position // side, 2) for position, side in zip(place, saliency_map.shape))
    words = [word for word in (("upper", "", "lower")[row], ("left", "", "right")[column]) if word]
    if not words:
        return "in the middle"
    return f"at the {' '.join(words)}" if len(words) == 2 else f"at the {words[0]} edge"
