"""What a report says, in sections of text, tables and pictures; render.py only sets it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metrics.catalogue import DENSITY, NETWORK, POINTS, Metric
from pipeline.summary import describe_differences, format_cell
from reporting import report_figures
from reporting.runs import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SETTINGS_SHOWN = (
    "class_index",
    "fidelity_protocol",
    "seed",
    "sigma_px",
    "test_images_folder_path",
    "test_gdfm_folder_path",
    "test_fixations_path",
    "class_names",
    "weights",
)
GROUNDS = {
    DENSITY: "Likeness to gaze: density maps",
    POINTS: "Likeness to gaze: fixations",
    NETWORK: "Faithfulness to the network",
}
METRICS_BESIDE = 4  # of one table: more columns do not fit a page
ROWS_EXPLAINED = """Below the methods stand the baselines, through the same code. RANDOM is noise, CENTRE a Gaussian
in the middle, EDGES the image's edges (Sobel), OTHERS the mean density map of the other images. PEOPLE is the ceiling:
for fixations, each observer predicted by all others; for density maps, one half of the observers by the other half."""

BOXES_EXPLAINED = """Box: quartiles; line: median; dot: mean; whiskers: 1.5 times the box. ↑ higher, ↓ lower is
better."""
CURVES_EXPLAINED = """Probability of the class while pixels are inserted or deleted, most salient first: mean over the
images and one sample deviation (n - 1)."""
SCATTER_EXPLAINED = "Does a map that looks like gaze also tell what the network uses? A dot is an image."


@dataclass(frozen=True)
class Table:
    """A table: its head, its rows of text, and what stands above it."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A figure, the stem of its file, and what it shows."""

    name: str
    figure: "Figure"
    caption: str


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: Sequence[str | Table | Picture]


def compose(report: Report) -> list[Section]:
    """The sections of the report; those with nothing to say are left out."""
    sections = [
        Section("Set-up", list(_describe_runs(report))),
        Section("Results", list(_tabulate_results(report))),
        Section("Which differences stand", list(_tabulate_differences(report))),
        Section(
            "Distributions",
            _pictures(
                ("boxes", report_figures.figure_boxes(report), BOXES_EXPLAINED),
                ("curves", report_figures.figure_curves(report), CURVES_EXPLAINED),
                ("scatter", report_figures.figure_scatter(report), SCATTER_EXPLAINED),
            ),
        ),
        Section("By class and group", list(_tabulate_divisions(report))),
        Section(
            "Images",
            _pictures(
                ("extremes", report_figures.figure_extremes(report), "Each method's best and worst images."),
                (
                    "most_different",
                    report_figures.figure_most_different(report),
                    "The images on which network and people differ most, averaged over the methods.",
                ),
            ),
        ),
        Section("What is missing", list(_list_missing(report))),
    ]
    return [section for section in sections if section.blocks]


def _pictures(*found) -> list[Picture]:
    return [Picture(name, figure, caption) for name, figure, caption in found if figure is not None]


def _describe_runs(report: Report) -> Iterator[str | Table]:
    for name, description in zip(report.names, report.descriptions):
        settings = description["settings"]
        known = {**description.get("model", {}), **{key: settings.get(key) for key in SETTINGS_SHOWN}}
        options = {
            name: ", ".join(f"{key} {value}" for key, value in own.items()) for name, own in settings["methods"].items()
        }
        versions = ", ".join(f"{name} {version}" for name, version in description.get("versions", {}).items())
        rows = [(key.replace("_", " "), str(value)) for key, value in known.items() if value is not None]
        rows += [(f"options of {name}", text) for name, text in options.items() if text]
        rows += [(key, str(description.get(key, ""))) for key in ("gaze", "host")]
        rows += [("versions", versions)]
        yield Table(("setting", "value"), rows, f"The run in {name}, as it recorded itself")


def _tabulate_results(report: Report) -> Iterator[str | Table]:
    images = len({record.image for record in report.records})
    yield f"""{images} images. In each cell: the mean over the images, its 95 % bootstrap interval, and the count where
a metric is undefined for some images, which then enter no mean. ↑: higher is better, ↓: lower."""
    if len(report.methods) < len(report.rows):
        yield ROWS_EXPLAINED
    for ground, title in GROUNDS.items():
        yield from _tables(report.summary, [m for m in report.measured if m.against == ground], title)
    rows = [
        [row["method"], *_count(row), *(format_cell(row, column) for column in ("seconds", "passes"))]
        for row in report.summary
    ]
    head = ("method", "images", "failed", "seconds per image", "forward passes per image")
    yield Table(head, rows, "Cost of the maps")


def _count(row: dict) -> list[str]:
    return [str(row["images"]), str(row["failed"])]


def _tables(summary: Sequence[dict], measured: Sequence[Metric], title: str) -> Iterator[Table]:
    """Methods by metrics, `METRICS_BESIDE` in a table."""
    keys = ("method", "group") if "group" in summary[0] else ("method",)
    for start in range(0, len(measured), METRICS_BESIDE):
        beside = measured[start : start + METRICS_BESIDE]
        head = [*keys, *(f"{metric.heading} {metric.arrow}" for metric in beside)]
        rows = [[*(row[key] for key in keys), *(format_cell(row, metric.name) for metric in beside)] for row in summary]
        yield Table(head, rows, title + (", continued" if start else ""))


def _tabulate_differences(report: Report) -> Iterator[str | Table]:
    """Which pairs of rows differ, metric by metric."""
    tests = report.differences
    if not tests:
        return
    headings = {metric.name: metric.heading for metric in report.measured}
    standing = [test for test in tests if test["stands"]]
    yield f"""{len(standing)} of {len(tests)} differences between two rows stand at 5 % (Wilcoxon's signed-rank test
over the images both have, corrected after Holm for all pairs of a metric; effect: matched-pairs rank-biserial
correlation). Every two methods are one family for the correction, methods with baselines another. All of them, also
those that do not stand, are in report_differences.csv. That a pair is not listed is no proof that two methods are
alike: a few images cannot show a small difference."""
    if not standing:
        yield describe_differences(tests)
    rows = [
        [
            headings[test["metric"]],
            test["a"],
            test["b"],
            str(test["n"]),
            f"{test['mean_difference']:+.3f}",
            f"{test['effect']:+.2f}",
            f"{test['p_holm']:.2g}",
        ]
        for test in standing
    ]
    if rows:
        head = ("metric", "a", "b", "images", "a - b", "effect", "p (Holm)")
        yield Table(head, rows, "Differences that stand")


def _tabulate_divisions(report: Report) -> Iterator[Table]:
    for name, summary in report.divided.items():
        for ground, title in GROUNDS.items():
            measured = [metric for metric in report.measured if metric.against == ground]
            yield from _tables(summary, measured, f"{title}, by {name}")


def _list_missing(report: Report) -> Iterator[Table]:
    """Why images have no map, and metrics no value, with how often."""
    counts = {}
    for record in report.records:
        reasons = [("map", record.status)] if record.status != "ok" else []
        reasons += record.undefined.items()
        for what, reason in reasons:
            counts[record.method, what, reason] = counts.get((record.method, what, reason), 0) + 1
    rows = [[*key, str(count)] for key, count in counts.items()]
    if rows:
        yield Table(("method", "of", "reason", "images"), rows, "Maps and values that are not there")
