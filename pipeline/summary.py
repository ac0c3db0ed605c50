"""The tables of a run: per method, class or group the mean of each metric with its interval, and which differ.

The interval is the 95 % bootstrap of the mean over images (Efron 1979); differences between methods are tested on the
images both have, by Wilcoxon's signed-rank test, corrected after Holm over the pairs of a family (significance.py).
Above 10,000 images an interval is what the bootstrap tends to, the normal one (`significance.BOOTSTRAP_UP_TO`).
An undefined value is counted, never averaged. Of what a map costs there is the mean alone: images that are explained at
once share their time, so that a deviation would be one of batches.
"""

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations, product

import numpy as np

import constants
from explainers.registry import BASELINES
from metrics import significance
from metrics.catalogue import METRICS
from output.progress import printable
from output.tables import align, list_means
from pipeline import lab_table
from pipeline.records import Record
from pipeline.run_columns import RunColumns, as_columns

COSTS = ("seconds", "passes")
SUMMARY_COLUMNS = (*METRICS, *COSTS)
SCREEN = 120  # letters a line may have where the screen does not say
GAP = 2  # blanks between two columns


def divisions(records: Iterable[Record] | RunColumns) -> list[str]:
    """'class' and 'group', where there are several of them, and the groups are not the classes."""
    columns = as_columns(records)
    found = {"class": columns.label, "group": columns.group}
    counts = {name: len(texts.names) for name, texts in found.items()}
    both = len(np.unique(columns.label.codes * max(counts["group"], 1) + columns.group.codes))
    is_same = both == counts["class"] == counts["group"]
    return [name for name in found if counts[name] > 1 and not (is_same and name == "group")]


def summarise(records: Iterable[Record] | RunColumns, division: str | None = None) -> list[dict]:
    """One row per method: images, failures, and of each metric mean, sample deviation, ends of the interval, count; of
    each of COSTS mean and count.

    division: of the methods, 'class' or 'group'; it stands in the column 'group'. Where a method has more than
    `significance.BOOTSTRAP_UP_TO` images, all its intervals are the bootstrap's normal limit.
    """
    columns, rows = as_columns(records), []
    sizes = {method: len(places) for method, _, places in columns.parts()}
    measured = [column for column in SUMMARY_COLUMNS if not np.isnan(columns.values(column)).all()]
    drawn = [column for column in measured if column in METRICS]
    for method, group, places in columns.parts(division):
        row = {"method": method, **({"group": group} if division else {}), "images": len(places)}
        row["failed"] = int(columns.failed[places].sum())
        if sizes[method] > significance.BOOTSTRAP_UP_TO:
            intervals = [significance.normal_interval(columns.values(column)[places]) for column in drawn]
        else:
            values = np.full((len(places), len(drawn)), np.nan)
            for place, column in enumerate(drawn):
                values[:, place] = columns.values(column)[places]
            intervals = significance.bootstrap_intervals(values)
        ends = dict(zip(drawn, intervals))
        for column in SUMMARY_COLUMNS:
            means = {f"{column}_mean": np.nan, f"{column}_std": np.nan, f"{column}_n": 0}
            if column in measured:
                values = columns.values(column)[places]
                means = list_means({column: values[~np.isnan(values)]})
            n = means.pop(f"{column}_n")
            if column in COSTS:
                means.pop(f"{column}_std")
            else:
                low, high = map(float, ends.get(column, (np.nan, np.nan)))
                means |= {f"{column}_low": low, f"{column}_high": high}
            row |= {**means, f"{column}_n": n}
        rows.append({key: None if value != value else value for key, value in row.items()})
    return rows


def list_differences(records: Iterable[Record] | RunColumns) -> list[dict]:
    """One row per metric and pair of methods: on how many images, the mean difference, effect size, p, and whether it
    stands at 5 % once corrected for all pairs of its family.

    Every two methods are one family of a metric, every method with every baseline another, so that baselines change
    nothing between methods. Methods of several runs are called '<METHOD> in <run>'.
    """
    columns = as_columns(records)
    known = np.flatnonzero(~columns.failed)
    images = sorted({*np.unique(columns.image.codes[known]).tolist()}, key=lambda code: columns.image.names[code])
    line = np.full(len(columns.image.names), -1)
    line[images] = np.arange(len(images))
    places = {method: of_method[~columns.failed[of_method]] for method, _, of_method in columns.parts()}
    rows = []
    for column in METRICS:
        values = {}
        for method, of_method in places.items():
            table = np.full(len(images), np.nan)
            table[line[columns.image.codes[of_method]]] = columns.values(column)[of_method]
            if not np.isnan(table).all():
                values[method] = table
        methods = [method for method in values if method.split(" in ")[0] not in BASELINES]
        families = combinations(methods, 2), product(methods, [name for name in values if name not in methods])
        for pairs in families:
            rows += [{"metric": column, **pair._asdict()} for pair in significance.paired_tests(values, list(pairs))]
    return rows


def list_tables(columns: RunColumns) -> dict[str, list[dict]]:
    """The rows of each table by its name: means per method, per class and per group of images, tests of differences."""
    tables = {"summary": summarise(columns)}
    tables |= {f"summary_by_{name}": summarise(columns, name) for name in divisions(columns)}
    return {**tables, "differences": list_differences(columns)}


def describe_records(
    records: Iterable[Record] | RunColumns, n_images: int, rows: Sequence[dict], differences: Sequence[dict]
) -> str:
    """The summary of the records as text, with what is undefined and which differences stand; n_images: of this run.

    rows, differences: what `summarise` and `list_differences` made of the records.
    """
    columns = as_columns(records)
    parts = [format_table(rows), lab_table.describe(rows)]
    if (n_known := len(columns.image.names)) > n_images:
        parts.append(f"(of all {n_known} images in the output folder, {n_images} of them in this run)")
    if max(columns.count().values(), default=0) > significance.BOOTSTRAP_UP_TO:
        parts.append(f"intervals above {significance.BOOTSTRAP_UP_TO:,} images: the bootstrap's normal limit")
    parts += [describe_undefined(columns), describe_differences(differences)]
    return "\n\n".join(filter(None, parts))


def describe_differences(rows: Sequence[dict]) -> str:
    """How many of the tested differences stand, and between which methods, metric by metric; '' without a test."""
    if not rows:
        return ""
    lines = name_better(rows)
    head = f"{sum(row['stands'] for row in rows)} of {len(rows)} differences stand at 5 % (Wilcoxon, Holm)"
    if not lines and (least := _least_p(rows)) >= constants.SIGNIFICANCE:
        return f"{head}: of so few images none can, whatever they show: the smallest p would be {least:.2g}"
    return "\n".join([head + (":" if lines else ""), *lines])


def name_better(rows: Sequence[dict]) -> list[str]:
    """'FEM better than GRADCAM, RISE on KL' for each metric and row that is better than others by a difference that
    stands; better is smaller where the metric says so."""
    others = {}
    for row in rows:
        if row["stands"]:
            ordered = order_better(row)
            others.setdefault((row["metric"], ordered["better"]), []).append(ordered["worse"])
    return [
        f"{better} better than {', '.join(worse)} on {METRICS[metric].heading}"
        for (metric, better), worse in others.items()
    ]


def order_better(row: dict) -> dict:
    """A row of `list_differences` as 'better' and 'worse', with difference and effect of the better minus the worse."""
    is_ordered = (row["mean_difference"] > 0) == (METRICS[row["metric"]].better == "higher")
    better, worse = (row["a"], row["b"]) if is_ordered else (row["b"], row["a"])
    signs = {name: row[name] if is_ordered else -row[name] for name in ("mean_difference", "effect")}
    return {**row, **signs, "better": better, "worse": worse}


def _least_p(rows: Sequence[dict]) -> float:
    """The smallest p that any of these tests could have had: all of its images different, and to the same side."""
    families = Counter((row["metric"], row["b"].split(" in ")[0] in BASELINES) for row in rows)
    return min(
        min(1.0, 2.0 ** (1 - row["n"]) * families[row["metric"], row["b"].split(" in ")[0] in BASELINES])
        for row in rows
    )


def describe_undefined(records: Iterable[Record] | RunColumns) -> str:
    """Which metrics have no value, why and for how many maps, a line for each reason; '' where all have."""
    reasons = {}
    for method, undefined, n in as_columns(records).undefined:
        for metric, reason in undefined.items():
            if metric in METRICS:
                reasons.setdefault((method, reason), Counter())[METRICS[metric].heading] += n
    return "\n".join(
        f"undefined, {method}: {', '.join(f'{heading} ({n})' for heading, n in counts.items())}: {printable(reason)}"
        for (method, reason), counts in reasons.items()
    )


def format_table(rows: Sequence[dict], width: int | None = None) -> str:
    """The summary as text, method by metric: mean [interval] (n). A metric nobody has is left out; what does not fit
    beside each other in `width` letters (None: the screen's) stands below."""
    width = width or max(SCREEN, shutil.get_terminal_size((SCREEN, 24)).columns)
    first = [["method", "images", "failed"], *([row["method"], str(row["images"]), str(row["failed"])] for row in rows)]
    columns = []
    for column in SUMMARY_COLUMNS:
        if any(row[f"{column}_n"] for row in rows):
            heading = f"{METRICS[column].heading} {METRICS[column].arrow}" if column in METRICS else column
            columns.append([heading, *(format_cell(row, column) for row in rows)])
    room = width - sum(GAP + max(map(len, cells)) for cells in zip(*first))
    blocks, left = [[]], room
    for column in columns:
        needed = GAP + max(map(len, column))
        if needed > left and blocks[-1]:
            blocks.append([])
            left = room
        blocks[-1].append(column)
        left -= needed
    return "\n\n".join(align([[*head, *cells] for head, *cells in zip(first, *block)]) for block in blocks)


def format_cell(row: dict, column: str) -> str:
    """'mean [low, high]' of one metric, with the count where some images have none; '-' without one."""
    if not row[f"{column}_n"]:
        return "-"
    few = f" (n={row[f'{column}_n']})" if row[f"{column}_n"] < row["images"] - row["failed"] else ""
    mean = row[f"{column}_mean"]
    if column in COSTS:
        return f"{mean:.3g}{few}" if mean < 1000 else f"{mean:.0f}{few}"  # 4000 passes, not 4e+03
    if row[f"{column}_low"] is None:
        return f"{mean:z.3f}{few}"
    return f"{mean:z.3f} [{row[f'{column}_low']:z.3f}, {row[f'{column}_high']:z.3f}]{few}"
