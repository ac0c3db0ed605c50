"""The pages of a comparison, drawn from its run's files: the matrix, maps side by side, the ranking of each pair."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

import constants
from comparison import compare_figures
from comparison.compare_figures import Pair
from comparison.methods_tables import Comparison
from data.dataset import Sample
from explainers.registry import METHODS
from metrics import agreement
from output.files import figure_saver, write_whole
from pipeline import run_figures as display
from plots.panels import ExplainedImage


def write_figures(compared: Comparison, colormap: str, alpha: float) -> Iterator[Path]:
    """The paths of the matrix, the pages side by side and the ranking of each pair, as they are written."""
    folder, names, model = compared.run.results.folder, compared.run.names, compared.run.description["model_name"]
    means = {metric: agreement.summarise(values)[:2] for metric, values in compared.scores.items()}
    title = f"agreement of methods, {model}: mean ± deviation over {len(compared.run.samples)} images"
    title += ", undefined ones left out" if compared.reasons else ""
    yield write_whole(folder / "agreement_matrix.png", figure_saver(compare_figures.figure_matrix(names, means, title)))
    style = {"colormap": colormap, "alpha": alpha, "density_note": ""}
    explained = [
        sample for sample in compared.run.samples if any(not compared.run.record(name, sample).failed for name in names)
    ]
    rows = ([_explained(compared, name, sample, style) for name in names] for sample in explained)
    title = f"explanations side by side, {model}"
    pages = (compare_figures.figure_side_by_side(page, names, title) for page in _pages(rows))
    yield from _write_pages(folder / "side_by_side.png", pages)
    for one, other in compared.pairs:
        yield from _write_ranking(compared, one, other, style)


def _write_ranking(compared: Comparison, one: int, other: int, style: dict) -> Iterator[Path]:
    names = compared.run.names[one], compared.run.names[other]

    def pair(index: int, rank: int) -> Pair:
        sample = compared.run.samples[index]
        kept = [agreement.keep_largest(compared.run.read_map(name, sample), compared.fraction) for name in names]
        scores = {metric: values[index, one, other] for metric, values in compared.scores.items()}
        return Pair(rank, *(_explained(compared, name, sample, style) for name in names), *kept, scores)

    title = f"{names[0]} and {names[1]}, {compared.run.description['model_name']}, from most to least agreement"
    defined = ~np.isnan(compared.scores["iou"][:, one, other])
    pairs = (pair(index, rank) for rank, index in enumerate(compared.rank(one, other), start=1) if defined[index])
    pages = (compare_figures.figure_ranking(page, names, compared.fraction, title) for page in _pages(pairs))
    yield from _write_pages(compared.run.results.folder / "agreement" / "_".join(names) / "ranking.png", pages)


def _explained(compared: Comparison, name: str, sample: Sample, style: dict) -> ExplainedImage | None:
    """One image under one method, as the panels draw it; None if it failed."""
    record = compared.run.record(name, sample)
    if record.failed:
        return None
    explainer = METHODS[name].load()
    explained = display.explained_image(compared.run.results, sample, record, {**style, "signed": explainer.signed})
    target = record.class_name if explainer.uses_class else ""
    note = "" if record.status == "ok" else record.status  # no word of what was not asked for
    return replace(explained, target=target, note=note)


def _pages(rows: Iterator) -> Iterator[list]:
    """The rows, so many at a time as fill a page."""
    while page := list(islice(rows, constants.ROWS_PER_PAGE)):
        yield page


def _write_pages(path: Path, figures: Iterable) -> Iterator[Path]:
    """Writes the figures as path, path_2, ...; and removes what an earlier comparison of more images left."""
    number = 0
    for number, figure in enumerate(figures, start=1):
        yield write_whole(_page_path(path, number), figure_saver(figure))
    while (stale := _page_path(path, number + 1)).is_file():
        stale.unlink()
        number += 1


def _page_path(path: Path, number: int) -> Path:
    return path if number == 1 else path.with_name(f"{path.stem}_{number}{path.suffix}")
