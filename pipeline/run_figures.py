"""The pictures of a run, drawn from its files: pages of a grid, or each picture by itself.

figures/<METHOD>_grid.png, _grid_2.png, ...   one row per image, `constants.ROWS_PER_PAGE` rows a page
figures/<METHOD>_extremes.png                 of a longer run: the best and the worst of all images
figures/<METHOD>/<stem>_<what>.png            the singles display
figures/drawn.json                            what they were drawn from: none is drawn twice

Drawn are the first images of each method (`--figures`), and where there are more, those that are best and worst by the
first of `JUDGED_BY` that the run has measured.
"""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

import constants
import representations
import utils
from data import dataset
from data.dataset import Sample
from explainers.registry import Method, explains_class
from metrics.catalogue import METRICS
from output.figures import FigureFiles, write_pages
from output.files import picture_saver, save_figure
from pipeline.records import Record, to_row
from pipeline.results import Results
from pipeline.settings import FigureSettings
from plots import drawing
from plots.pages import figure_grid, figure_panel
from plots.panels import ExplainedImage

JUDGED_BY = ("pcc", "nss", "insertion_auc", "deletion_auc", "probability")
Shown = list[tuple[Sample, Record]]


@dataclass(frozen=True)
class Style:
    """How the maps of a run are drawn; density_note: what to say of the gaze, as 'simulated gaze'."""

    colormap: str = constants.COLORMAP
    alpha: float = constants.ALPHA
    density_note: str = ""


@dataclass(frozen=True)
class Drawing:
    """Which pictures of a run are drawn, and how.

    display_type: 'grid' or 'singles'. model: `Classifier.describe()`, named above every page. wanted: which are drawn,
    and as what files.
    """

    results: Results
    samples: Sequence[Sample]
    methods: Sequence[Method]
    display_type: str
    style: Style
    model: dict
    wanted: FigureSettings = FigureSettings()  # noqa: RUF009 it cannot be changed

    def of_method(self, method: Method, files: FigureFiles) -> tuple[str, "_MethodPlan"]:
        """The title of a method's pages, and how they are drawn."""
        explainer = method.load()
        layer = f", layer {self.model['layer']}" if explainer.uses_layer else ""
        look = {**asdict(self.style), "signed": explainer.signed}
        drawn = _MethodPlan(self.results, look, self.wanted.dpi, files)
        return f"{method.name}, {self.model['model_name']}{layer}", drawn


def write_run_figures(plan: Drawing) -> list[Path]:
    """The paths of the pictures of a run; samples without a map are left out, and a picture that is there already, of
    the same, is not drawn again."""
    write = _write_singles if plan.display_type == "singles" else _write_grid
    results, n_images = plan.results, plan.wanted.n_images
    paths = []
    with FigureFiles(plan.wanted.formats, results.figures_path) as files:
        for method in plan.methods if n_images != 0 else ():
            title, drawn = plan.of_method(method, files)
            first, extremes, which = choose_shown(results, plan.samples, method.name, n_images)
            paths += write(drawn, method.name, first, extremes, title, f"{title}: {which}")
    return paths


class FirstPages:
    """Draws the first page of each method as soon as its images are done, while the run goes on.

    `write_run_figures` of the same plan finds these pages drawn. To be called after each map, with its method and
    with what tells whether a sample is done by a method. Of the singles display nothing is drawn early, nor of a
    large run, whose maps are written in groups, nor where an image of the page failed, whose place another will take.
    """

    def __init__(self, plan: Drawing):
        self._plan = plan
        self._shown = plan.samples[: constants.ROWS_PER_PAGE][: plan.wanted.n_images]
        draws = plan.display_type == "grid" and len(self._shown) and not plan.results.keeps_small_maps
        self._left = set(plan.methods) if draws else set()

    def __call__(self, method: Method, is_done: Callable[[Method, Sample], bool]) -> None:
        """Draws the page if it is not drawn and all its images are done."""
        if method not in self._left or not all(is_done(method, sample) for sample in self._shown):
            return
        self._left.remove(method)
        results = self._plan.results
        page = [(sample, results.find(method.name, sample)) for sample in self._shown]
        if any(record is None or record.failed for _, record in page):
            return
        with FigureFiles(self._plan.wanted.formats, results.figures_path) as files:
            title, drawn = self._plan.of_method(method, files)
            path = results.folder / "figures" / f"{method.name}_grid"
            files.write(path, lambda: _draw_page(drawn, page, title), drawn.state(page, title))


def choose_shown(
    results: Results, samples: Sequence[Sample], method: str, n_images: int | None
) -> tuple[Shown, Shown, str]:
    """The first n_images of a method, None: all; the best and the worst of all where there are more, and what they are.

    Of a large run, no more than these are read.
    """
    known = ((sample, results.records.get((method, sample.name))) for sample in samples)
    known = ((sample, record) for sample, record in known if record is not None and not record.failed)
    if not results.keeps_small_maps or n_images is None:
        known = list(known)
        first = known[:n_images]
        return first, *(choose_extremes(known) if len(known) > len(first) else ([], ""))
    first = list(itertools.islice(known, n_images))
    columns = results.columns()
    places = next((places for name, _, places in columns.parts() if name == method), np.zeros(0, int))
    places = places[~columns.failed[places]]
    chosen, which = find_extremes(lambda name: columns.values(name)[places], len(places))
    names = [columns.image.names[columns.image.codes[places[place]]] for place in chosen]
    found = {sample.name: sample for sample in samples if sample.name in names}
    return first, [(found[name], results.records[method, name]) for name in names if name in found], which


def describe_wanted(wanted: FigureSettings, n_images: int) -> str:
    """In words, which figures of a run of so many images are not drawn; '' if all are."""
    if wanted.n_images is None or wanted.n_images >= n_images:
        return ""
    if wanted.n_images == 0:
        return "no figure is drawn (--figures=none)"
    drawn = f"the first {wanted.n_images} of {n_images} images, the {constants.N_EXTREMES} best and worst of all"
    return f"drawn of each method: {drawn}; --figures=all draws every one"


def choose_extremes(known: Shown, n: int = constants.N_EXTREMES) -> tuple[Shown, str]:
    """The n best of them, the best first, and the n worst, the worst last; and in words what they are.

    Judged by the first of `JUDGED_BY` that 2 n of them have; of fewer, none. Of equal ones, the first is better.
    """
    chosen, which = find_extremes(lambda name: [getattr(record, name) for _, record in known], len(known), n)
    return [known[place] for place in chosen], which


def find_extremes(values_of: Callable, n_known: int, n: int = constants.N_EXTREMES) -> tuple[list[int], str]:
    """As `choose_extremes`, the places of the images among n_known; values_of: name -> their values, None or NaN."""
    for name in JUDGED_BY:
        values = np.array(values_of(name), np.float64)  # None becomes NaN
        measured = np.flatnonzero(~np.isnan(values))
        if len(measured) >= 2 * n:
            falls = name in METRICS and METRICS[name].better == "lower"
            order = measured[np.argsort(values[measured] if falls else -values[measured], kind="stable")]
            heading = METRICS[name].heading if name in METRICS else "probability of the predicted class"
            return [*order[:n].tolist(), *order[-n:].tolist()], (
                f"the {n} best and the {n} worst of {n_known} images by {heading}"
            )
    return [], ""


def explained_image(
    results: Results, sample: Sample, record: Record, look: dict, dpi: float | None = None
) -> ExplainedImage:
    """What a row of the grid says about one image, read back from the run's files.

    dpi: of the figure, where a photograph and its density map are read only as large as a cell shows; None: whole.
    """
    image = sample.read(None if dpi is None else round(2 * constants.CELL_SIDE * dpi))
    density_map = None
    if sample.density_map_path is not None and "density_map" not in record.undefined:
        density_map = dataset.load_density_map(sample, *sample.read_size())
    if dpi is not None:
        image = drawing.shrink(image, dpi)
        density_map = None if density_map is None else drawing.shrink(density_map, dpi)
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


@dataclass(frozen=True)
class _MethodPlan:
    """How the figures of one method are drawn: from which results, in which look, into which files."""

    results: Results
    look: dict
    dpi: int
    files: FigureFiles

    def state(self, shown: Shown, *more) -> list | None:
        """All that a figure of these images depends on; no image and no map is read. None where nobody remembers it."""
        if self.results.figures_path is None:
            return None
        paths = [
            path
            for sample, record in shown
            for path in (self.results.find_map(record), self.results.curves_path(record), sample.density_map_path)
        ]
        states = [(path.stat().st_mtime_ns, path.stat().st_size) if path and path.is_file() else None for path in paths]
        rows = [(sample.checksum, to_row(record)) for sample, record in shown]
        return [constants.VERSION, self.look, self.dpi, more, rows, states]


def _write_grid(
    drawn: _MethodPlan, method: str, first: Shown, extremes: Shown, title: str, title_extremes: str
) -> Iterator[Path]:
    folder = drawn.results.folder / "figures"
    for name, shown, heading in (("grid", first, title), ("extremes", extremes, title_extremes)):
        yield from write_pages(
            folder / f"{method}_{name}",
            shown,
            constants.ROWS_PER_PAGE,
            lambda page, heading=heading: _draw_page(drawn, page, heading),
            drawn.files,
            lambda page, heading=heading: drawn.state(page, heading),
        )


def _draw_page(drawn: _MethodPlan, page: Shown, title: str):
    rows = [explained_image(drawn.results, *pair, drawn.look, drawn.dpi) for pair in page]
    return figure_grid(rows, title, drawn.dpi)


def _write_singles(drawn: _MethodPlan, method: str, first: Shown, extremes: Shown, *titles: str) -> Iterator[Path]:
    chosen = {sample.name: (sample, record) for sample, record in [*first, *extremes]}
    for sample, record in chosen.values():
        state = drawn.state([(sample, record)], "singles")
        for path, save in _singles(drawn, sample, record).items():
            yield drawn.files.write_by(path, save, state)


def _singles(drawn: _MethodPlan, sample: Sample, record: Record) -> dict[Path, Callable[[Path], None]]:
    """Path -> what writes it: every picture at the image's own size, and the charts; nothing is read before."""
    read = functools.cache(lambda: explained_image(drawn.results, sample, record, drawn.look))
    charts = {"top_classes": "most probable classes"}
    if drawn.results.read_curves(record) is not None:
        charts["curves"] = "insertion and deletion"
    pictures = dict(PICTURES)
    if sample.density_map_path is None or "density_map" in record.undefined:
        del pictures["density_map"]
    savers = {what: lambda path, draw=draw: picture_saver(draw(read()))(path) for what, draw in pictures.items()}
    for what, heading in charts.items():
        savers[what] = lambda path, heading=heading: save_figure(figure_panel(read(), heading, 2 * drawn.dpi), path)
    folder = drawn.results.folder / "figures" / record.method
    return {
        folder / f"{record.stem}_{what}.{one}": save for what, save in savers.items() for one in drawn.files.formats
    }


def _heat_map(explained: ExplainedImage, colormap: str | None = None) -> np.ndarray:
    """The map in colours at the image's size, on the scale of the raw map; colormap: in place of its own."""
    scale = representations.colour_scale(explained.saliency_map, explained.colormap, signed=explained.signed)
    scale = replace(scale, colormap=colormap or scale.colormap)
    return scale.colour(utils.resize_map(explained.saliency_map, *explained.size))


PICTURES = {  # what -> how a single picture, uint8 RGB at the image's size, is made of an explained image
    "saliency_map": lambda one: _heat_map(one, "gray"),
    "heatmap": _heat_map,
    "overlay": lambda one: representations.represent_heatmap_overlaid(
        one.saliency_map, one.image, one.colormap, one.alpha, signed=one.signed
    ),
    "density_map": lambda one: representations.represent_heatmap(one.density_map, "gray", signed=False),
    "isolines": lambda one: representations.represent_isolines(
        utils.resize_map(one.saliency_map, *one.size), one.colormap
    ),
    "isolines_superimposed": lambda one: representations.represent_isolines_superimposed(
        one.saliency_map, one.image, one.colormap
    ),
    "hard_selection": lambda one: representations.represent_hard_selection(one.saliency_map, one.image),
    "soft_selection": lambda one: representations.represent_soft_selection(one.saliency_map, one.image),
}
