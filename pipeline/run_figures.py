"""The pictures of a run, drawn from its files: pages of a grid, or each picture by itself.

figures/<METHOD>_grid.png, _grid_2.png, ...   one row per image, `constants.ROWS_PER_PAGE` rows a page
figures/<METHOD>/<stem>_<what>.png            the singles display
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import constants
import representations
from data import dataset
from data.dataset import Sample
from explainers.registry import Method, explains_class
from output.files import figure_saver, picture_saver, write_pages, write_whole
from pipeline.records import Record
from pipeline.results import Results
from plots.pages import figure_grid, figure_panel
from plots.panels import ExplainedImage


@dataclass(frozen=True)
class Style:
    """How the maps of a run are drawn; density_note: what to say of the gaze, as 'simulated gaze'."""

    colormap: str = constants.COLORMAP
    alpha: float = constants.ALPHA
    density_note: str = ""


def write_run_figures(
    results: Results, samples: Sequence[Sample], methods: Sequence[Method], display_type: str, style: Style, model: dict
) -> list[Path]:
    """The paths of the pictures of these samples and methods; samples without a map are left out.

    display_type: 'grid' or 'singles'. model: `Classifier.describe()`, named above every page.
    """
    write = _write_singles if display_type == "singles" else _write_grid
    paths = []
    for method in methods:
        shown = [(sample, results.records.get((method.name, sample.name))) for sample in samples]
        shown = [(sample, record) for sample, record in shown if record is not None and not record.failed]
        explainer = method.load()
        layer = f", layer {model['layer']}" if explainer.uses_layer else ""
        look = {**asdict(style), "signed": explainer.signed}
        paths += write(results, method.name, shown, look, f"{method.name}, {model['model_name']}{layer}")
    return paths


def explained_image(results: Results, sample: Sample, record: Record, look: dict) -> ExplainedImage:
    """What a row of the grid says about one image, read back from the run's files."""
    image = sample.read()
    density_map = None
    if sample.density_map_path is not None and "density_map" not in record.undefined:
        density_map = dataset.load_density_map(sample, *image.shape[:2])
    curves = results.read_curves(record)
    insertion = deletion = None
    if curves is not None:
        fractions, inserted, deleted = curves
        insertion = (record.insertion_auc, inserted, fractions)
        deletion = (record.deletion_auc, deleted, fractions)
    notes = [record.status] if record.status != "ok" else []
    notes += [f"{metric} undefined: {reason}" for metric, reason in record.undefined.items()][:1]
    return ExplainedImage(
        name=Path(record.image).name,
        image=image,
        saliency_map=results.read_map(record),
        label=record.label,
        target=record.class_name if explains_class(record.method) else "",
        top_classes=record.top_classes,
        density_map=density_map,
        pcc=record.pcc,
        sim=record.sim,
        insertion=insertion,
        deletion=deletion,
        note="; ".join(notes),
        **look,
    )


def _write_grid(results: Results, method: str, shown: list, look: dict, title: str) -> Iterator[Path]:
    rows = (explained_image(results, *pair, look) for pair in shown)
    path = results.folder / "figures" / f"{method}_grid.png"
    return write_pages(path, rows, constants.ROWS_PER_PAGE, lambda page: figure_grid(page, title))


def _write_singles(results: Results, method: str, shown: list, look: dict, title: str) -> Iterator[Path]:
    for sample, record in shown:
        explained = explained_image(results, sample, record, look)
        for what, save in _single_pictures(explained).items():
            yield write_whole(results.picture_path(record, what), save)


def _single_pictures(explained: ExplainedImage) -> dict[str, Callable[[Path], None]]:
    """What -> how to save it: the figures of the grid's panels, and lab 3's pictures at the image's own size."""
    saliency_map, image, colormap = explained.saliency_map, explained.image, explained.colormap
    pictures = {
        "overlay": representations.represent_heatmap_overlaid(
            saliency_map, image, colormap, explained.alpha, signed=explained.signed
        ),
        "isolines": representations.represent_isolines(saliency_map, colormap),
        "isolines_superimposed": representations.represent_isolines_superimposed(saliency_map, image, colormap),
        "hard_selection": representations.represent_hard_selection(saliency_map, image),
        "soft_selection": representations.represent_soft_selection(saliency_map, image),
    }
    panels = {"saliency_map": "saliency map", "heatmap": "heat map", "top_classes": "most probable classes"}
    if explained.density_map is not None:
        panels["density_map"] = "gaze density map"
    if explained.insertion is not None:
        panels["curves"] = "insertion and deletion"
    savers = {what: picture_saver(picture) for what, picture in pictures.items()}
    for what, heading in panels.items():
        savers[what] = figure_saver(figure_panel(explained, heading, explained.name))
    return savers
