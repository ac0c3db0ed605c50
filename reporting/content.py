"""What a report says, in sections of text, tables and pictures: the results first, how they were made last."""

from collections import Counter
from collections.abc import Iterator, Sequence

from metrics.catalogue import DENSITY, METRICS, NETWORK, POINTS, Metric
from pipeline.summary import describe_differences, name_better, order_better
from reporting import cells, report_figures
from reporting.blocks import Mention, PictureBlock, Section, TableBlock, Text
from reporting.methods_text import describe_runs, hide_paths
from reporting.runs import Report

SETTINGS_SHOWN = (
    "class_index",
    "faithfulness_protocol",
    "seed",
    "sigma_px",
    "test_images_folder_path",
    "test_gdfm_folder_path",
    "test_fixations_path",
    "class_names",
    "weights",
)
GROUNDS = {  # what maps are measured against -> stem of the table's file, caption
    DENSITY: ("density_maps", "Likeness to gaze: density maps"),
    POINTS: ("fixations", "Likeness to gaze: fixations"),
    NETWORK: ("faithfulness", "Faithfulness to the network"),
}
COSTS = {"seconds": ("seconds per image", 3), "passes": ("forward passes per image", 1)}  # heading, decimals
TOLD = 24  # lines of differences that are told in words; of more, the table tells
LISTED = 40  # differences that stand are listed one by one: a page; of more, each row's are counted
ROWS_EXPLAINED = """Below the methods stand the baselines, through the same code. RANDOM is noise, CENTRE a Gaussian
in the middle, EDGES the image's edges (Sobel), OTHERS the mean density map of the other images. PEOPLE is the ceiling:
for fixations, each observer predicted by all others; for density maps, one half of the observers by the other half."""

BOXES_EXPLAINED = """Box: quartiles; line: median; dot: mean; whiskers: 1.5 times the box. ↑ higher, ↓ lower is
better."""
CURVES_EXPLAINED = """Probability of the class while pixels are inserted or deleted, most salient first: mean over the
images and one sample deviation (n - 1), cut at 0 and 1."""
SCATTER_EXPLAINED = "Does a map that looks like gaze also tell what the network uses? A dot is an image."
EXTREMES_EXPLAINED = "Each method's best and worst images; every map on its own scale."
DIFFERENT_EXPLAINED = "The images on which network and people differ most, averaged over the methods."


def compose(report: Report) -> list[Section]:
    """The sections of the report; those with nothing to say are left out."""
    sections = [
        Section("Results", list(_tabulate_results(report))),
        Section("Which differences stand", list(_tabulate_differences(report))),
        Section("Distributions", list(_show_distributions(report))),
        Section("Images", list(_show_images(report))),
        Section("By class and group", list(_tabulate_divisions(report))),
        Section("What is missing", list(_list_missing(report))),
        Section("Methods", list(describe_runs(report))),
        Section("Set-up", list(_list_settings(report))),
    ]
    return [section for section in sections if section.blocks]


# --- results -------------------------------------------------------------------------------------------------
def _tabulate_results(report: Report) -> Iterator[Text | TableBlock]:
    images = len({record.image for record in report.records})
    tables = [
        _tabulate(report, report.summary, ground, name, title, bold=True)
        for ground, (name, title) in GROUNDS.items()
        if any(metric.against == ground for metric in report.measured)
    ]
    mentions = [part for table in tables for part in (Mention(table.name), ", ")]
    yield (
        f"{images} images. ",
        *mentions,
        Mention("costs"),
        ": in each cell the mean over the images with its 95 % interval, and the count n where a metric is undefined "
        "for some images, which then enter no mean. ↑: higher is better, ↓: lower. Bold: the best of the methods, "
        "where its difference to every other method stands.",
    )
    lines = name_better([test for test in report.differences if {test["a"], test["b"]} <= {*report.methods}])
    if 0 < len(lines) <= TOLD:
        yield f"Between methods these differences stand: {'; '.join(lines)}."
    if len(report.methods) < len(report.rows):
        yield ROWS_EXPLAINED
    yield from tables
    yield _tabulate_costs(report)


def _tabulate(
    report: Report, summary: Sequence[dict], ground: str, name: str, title: str, bold: bool = False
) -> TableBlock:
    """Methods by the metrics against one ground truth; bold: whether the best is."""
    keys = ("method", "group") if "group" in summary[0] else ("method",)
    measured = [metric for metric in report.measured if metric.against == ground]
    columns = [[row[key] for row in summary] for key in keys]
    columns += [_format_metric(report, summary, metric, bold) for metric in measured]
    head = [*keys, *(f"{metric.heading} {metric.arrow}" for metric in measured)]
    return TableBlock(name, head, list(zip(*columns)), title, len(keys))


def _format_metric(report: Report, summary: Sequence[dict], metric: Metric, bold: bool) -> list[str]:
    column = cells.format_column(summary, metric.name)
    best = cells.find_best(summary, metric, report.methods, report.differences) if bold else None
    return cells.embolden(column, [row["method"] for row in summary], best)


def _tabulate_costs(report: Report) -> TableBlock:
    counts = [cells.line_up([str(row[key]) for row in report.summary]) for key in ("images", "failed")]
    costs = [cells.format_column(report.summary, name, decimals) for name, (_, decimals) in COSTS.items()]
    head = ("method", "images", "failed", *(heading for heading, _ in COSTS.values()))
    rows = list(zip([row["method"] for row in report.summary], *counts, *costs))
    return TableBlock("costs", head, rows, "Cost of the maps", 1)


def _tabulate_differences(report: Report) -> Iterator[Text | TableBlock]:
    """Which pairs of rows differ, metric by metric."""
    tests = report.differences
    if not tests:
        return
    standing = [order_better(test) for test in tests if test["stands"]]
    yield (
        f"{len(standing)} of {len(tests)} differences between two rows stand at 5 %",
        *([" (", Mention("differences"), ")"] if standing else []),
        ". Every two methods are one family of tests, methods with baselines another. All of them, also those that do "
        "not stand, are in report_differences.csv. That a pair is not listed is no proof that two methods are alike: a "
        "few images cannot show a small difference.",
    )
    if not standing:
        yield describe_differences(tests)
        return
    if len(standing) > LISTED:
        yield (
            "A cell of ",
            Mention("differences"),
            " counts: better than so many other rows, worse than so many, by a difference that stands.",
        )
        yield _count_differences(report, standing)
        return
    columns = [
        [METRICS[test["metric"]].heading for test in standing],
        [test["better"] for test in standing],
        [test["worse"] for test in standing],
        cells.line_up([str(test["n"]) for test in standing]),
        cells.line_up([f"{test['mean_difference']:+.3f}" for test in standing]),
        cells.line_up([f"{test['effect']:+.2f}" for test in standing]),
        cells.line_up([cells.format_p(test["p_holm"]) for test in standing]),
    ]
    head = ("metric", "better", "than", "images", "difference", "effect", "p (Holm)")
    yield TableBlock("differences", head, list(zip(*columns)), "Differences that stand: the better minus the other")


def _count_differences(report: Report, standing: Sequence[dict]) -> TableBlock:
    """Rows by metrics: than how many other rows each is better, and than how many worse."""
    counts = Counter((test["metric"], test[side], side) for test in standing for side in ("better", "worse"))
    metrics = [metric for metric in report.measured if any(test["metric"] == metric.name for test in standing)]
    columns = [
        cells.line_up(
            [f"{counts[metric.name, row, 'better']} / {counts[metric.name, row, 'worse']}" for row in report.rows]
        )
        for metric in metrics
    ]
    head = ("method", *(metric.heading for metric in metrics))
    return TableBlock("differences", head, list(zip(report.rows, *columns)), "Better than / worse than so many rows", 1)


def _tabulate_divisions(report: Report) -> Iterator[Text | TableBlock]:
    for division, summary in report.divided.items():
        for ground, (name, title) in GROUNDS.items():
            if any(metric.against == ground for metric in report.measured):
                yield _tabulate(report, summary, ground, f"{name}_by_{division}", f"{title}, by {division}")


# --- pictures ------------------------------------------------------------------------------------------------
def _show_distributions(report: Report) -> Iterator[Text | PictureBlock]:
    yield from _show(
        PictureBlock("boxes", report_figures.figure_boxes(report), BOXES_EXPLAINED),
        PictureBlock("curves", report_figures.figure_curves(report), CURVES_EXPLAINED),
        PictureBlock("scatter", report_figures.figure_scatter(report), SCATTER_EXPLAINED),
    )


def _show_images(report: Report) -> Iterator[Text | PictureBlock]:
    yield from _show(
        PictureBlock("extremes", report_figures.figure_extremes(report), EXTREMES_EXPLAINED),
        PictureBlock("most_different", report_figures.figure_most_different(report), DIFFERENT_EXPLAINED),
    )


SAID_BEFORE = {  # picture -> what the text says of it
    "boxes": "shows how the values of the images are spread",
    "curves": "the curves whose areas are insertion and deletion",
    "scatter": "likeness to gaze against faithfulness, image by image",
    "extremes": "shows maps that are near to gaze, or to the network, and far from it",
    "most_different": "the images that people and network see most differently",
}


def _show(*pictures: PictureBlock) -> Iterator[Text | PictureBlock]:
    """A sentence that mentions the pictures that could be drawn, and the pictures."""
    drawn = [picture for picture in pictures if picture.figure is not None]
    if drawn:
        parts = [part for one in drawn for part in (Mention(one.name), f" {SAID_BEFORE[one.name]}", ", ")]
        yield [*parts[:-1], "."]
    yield from drawn


# --- what is missing, and how it was made --------------------------------------------------------------------
def _list_missing(report: Report) -> Iterator[TableBlock]:
    """Why images have no map, and metrics no value, with how often."""
    counts = {}
    for record in report.records:
        reasons = [("map", record.status)] if record.status != "ok" else []
        reasons += record.undefined.items()
        for what, reason in reasons:
            key = record.method, what, hide_paths(reason)
            counts[key] = counts.get(key, 0) + 1
    rows = [[*key, count] for key, count in zip(counts, cells.line_up([str(count) for count in counts.values()]))]
    if rows:
        yield TableBlock("missing", ("method", "of", "reason", "images"), rows, "Maps and values that are not there")


def _list_settings(report: Report) -> Iterator[TableBlock]:
    for number, (name, description) in enumerate(zip(report.names, report.descriptions), start=1):
        settings = description["settings"]
        known = {**description.get("model", {}), **{key: settings.get(key) for key in SETTINGS_SHOWN}}
        options = {
            name: ", ".join(f"{key} {value}" for key, value in own.items()) for name, own in settings["methods"].items()
        }
        versions = ", ".join(f"{name} {version}" for name, version in description.get("versions", {}).items())
        rows = [(key.replace("_", " "), hide_paths(str(value))) for key, value in known.items() if value is not None]
        rows += [(f"options of {name}", hide_paths(text)) for name, text in options.items() if text]
        rows += [("gaze", hide_paths(str(description.get("gaze", "")))), ("versions", versions)]
        caption = f"The run in {name}, as it recorded itself"
        yield TableBlock("settings" if number == 1 else f"settings_{number}", ("setting", "value"), rows, caption)
