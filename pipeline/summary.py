"""The tables of a run: per method, class or group the mean of each metric with its interval, and which differ.

The interval is the 95 % bootstrap of the mean over images (Efron 1979); differences between methods are tested on the
images both have, by Wilcoxon's signed-rank test, corrected after Holm over the pairs of a family (significance.py).
An undefined value is counted, never averaged. Of what a map costs there is the mean alone: images that are explained at
once share their time, so that a deviation would be one of batches.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations, product

import numpy as np

import constants
from data.dataset import group_of
from explainers.registry import BASELINES
from metrics import significance
from metrics.catalogue import METRICS
from output.progress import printable
from output.tables import align, list_means
from pipeline import lab_table
from pipeline.records import Record

COSTS = ("seconds", "passes")
SUMMARY_COLUMNS = (*METRICS, *COSTS)
SCREEN = 120  # letters a line may have where the screen does not say
GAP = 2  # blanks between two columns


def group_records(records: Iterable[Record], key: Callable[[Record], str] = lambda record: record.method) -> dict:
    """The records by method, or another key, in the order in which they come."""
    groups = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return groups


def divisions(records: Sequence[Record]) -> dict[str, Callable[[Record], str]]:
    """'class' and 'group' -> what of a record tells it, where there are several, and the groups are not the classes."""
    found = {"class": lambda record: record.label, "group": lambda record: group_of(record.image)}
    counts = {name: len({key(record) for record in records}) for name, key in found.items()}
    both = len({tuple(key(record) for key in found.values()) for record in records})
    is_same = both == counts["class"] == counts["group"]
    return {name: key for name, key in found.items() if counts[name] > 1 and not (is_same and name == "group")}


def read_values(records: Sequence[Record]) -> np.ndarray:
    """The values (n, len(SUMMARY_COLUMNS)) of the records, float64; NaN where there is none."""
    rows = [[getattr(record, column) for column in SUMMARY_COLUMNS] for record in records]
    return np.array(rows, dtype=np.float64).reshape(-1, len(SUMMARY_COLUMNS))  # None becomes NaN


def summarise(records: Iterable[Record], key: Callable[[Record], str] | None = None) -> list[dict]:
    """One row per method: images, failures, and of each metric mean, sample deviation, ends of the interval, count; of
    each of COSTS mean and count.

    key: of a record, a further division of the methods, as by class; it stands in the column 'group'.
    """
    rows = []
    for method, records_of_method in group_records(records).items():
        for group, members in group_records(records_of_method, key or (lambda record: "")).items():
            row = {"method": method, **({"group": group} if key else {}), "images": len(members)}
            row["failed"] = sum(record.failed for record in members)
            values = read_values(members)
            low, high = significance.bootstrap_intervals(values).T
            for place, column in enumerate(SUMMARY_COLUMNS):
                means = list_means({column: values[~np.isnan(values[:, place]), place]})
                n = means.pop(f"{column}_n")
                if column in COSTS:
                    means.pop(f"{column}_std")
                else:
                    means |= {f"{column}_low": float(low[place]), f"{column}_high": float(high[place])}
                row |= {**means, f"{column}_n": n}
            rows.append({key: None if value != value else value for key, value in row.items()})
    return rows


def list_differences(records: Iterable[Record]) -> list[dict]:
    """One row per metric and pair of methods: on how many images, the mean difference, effect size, p, and whether it
    stands at 5 % once corrected for all pairs of its family.

    Every two methods are one family of a metric, every method with every baseline another, so that baselines change
    nothing between methods. Methods of several runs are called '<METHOD> in <run>'.
    """
    of_method = {}
    for method, group in group_records(records).items():
        known = [record for record in group if not record.failed]
        of_method[method] = dict(zip([record.image for record in known], read_values(known)))
    images = sorted(set().union(*of_method.values()))
    absent = np.full(len(SUMMARY_COLUMNS), np.nan)
    tables = {method: np.array([own.get(image, absent) for image in images]) for method, own in of_method.items()}
    tables = {method: table.reshape(-1, len(SUMMARY_COLUMNS)) for method, table in tables.items()}  # without images too
    rows = []
    for place, column in enumerate(METRICS):
        values = {method: table[:, place] for method, table in tables.items() if not np.isnan(table[:, place]).all()}
        methods = [method for method in values if method.split(" in ")[0] not in BASELINES]
        families = combinations(methods, 2), product(methods, [name for name in values if name not in methods])
        for pairs in families:
            rows += [{"metric": column, **pair._asdict()} for pair in significance.paired_tests(values, list(pairs))]
    return rows


def describe_records(
    records: Sequence[Record], n_images: int, rows: Sequence[dict], differences: Sequence[dict]
) -> str:
    """The summary of the records as text, with what is undefined and which differences stand; n_images: of this run.

    rows, differences: what `summarise` and `list_differences` made of the records.
    """
    parts = [format_table(rows), lab_table.describe(rows)]
    if (n_known := len({record.image for record in records})) > n_images:
        parts.append(f"(of all {n_known} images in the output folder, {n_images} of them in this run)")
    parts += [describe_undefined(records), describe_differences(differences)]
    return "\n\n".join(filter(None, parts))


def describe_differences(rows: Sequence[dict]) -> str:
    """How many of the tested differences stand, and between which methods, metric by metric; '' without a test."""
    if not rows:
        return ""
    standing = {}
    for row in rows:
        if row["stands"]:
            sign = ">" if row["mean_difference"] > 0 else "<"
            standing.setdefault(METRICS[row["metric"]].heading, []).append(f"{row['a']} {sign} {row['b']}")
    lines = [f"{heading}: {', '.join(pairs)}" for heading, pairs in standing.items()]
    head = f"{sum(row['stands'] for row in rows)} of {len(rows)} differences stand at 5 % (Wilcoxon, Holm)"
    if not lines and (least := _least_p(rows)) >= constants.SIGNIFICANCE:
        return f"{head}: of so few images none can, whatever they show: the smallest p would be {least:.2g}"
    return "\n".join([head + (":" if lines else ""), *lines])


def _least_p(rows: Sequence[dict]) -> float:
    """The smallest p that any of these tests could have had: all of its images different, and to the same side."""
    families = Counter((row["metric"], row["b"].split(" in ")[0] in BASELINES) for row in rows)
    return min(
        min(1.0, 2.0 ** (1 - row["n"]) * families[row["metric"], row["b"].split(" in ")[0] in BASELINES])
        for row in rows
    )


def describe_undefined(records: Iterable[Record]) -> str:
    """Which metrics have no value, why and for how many maps, a line for each reason; '' where all have."""
    reasons = {}
    for record in records:
        for metric, reason in record.undefined.items():
            if metric in METRICS:
                reasons.setdefault((record.method, reason), Counter())[METRICS[metric].heading] += 1
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
    if column in COSTS or row[f"{column}_low"] is None:
        return f"{row[f'{column}_mean']:.3g}{few}"
    return f"{row[f'{column}_mean']:.3f} [{row[f'{column}_low']:.3f}, {row[f'{column}_high']:.3f}]{few}"
