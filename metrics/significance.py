"""What a mean over images is worth: bootstrap intervals, and paired tests of every two methods.

    interval = the (1 - level) / 2 and (1 + level) / 2 quantiles of the means of n images drawn with replacement

the percentile bootstrap (Efron 1979). A draw is the number of times that each image is in it: the sums of all draws and
all columns of values are one product of matrices, counts (draws, n) times values (n, k), so that every metric of every
method sees the same images. NaN is an undefined value: it is neither summed nor counted.

    paired test   Wilcoxon's signed-rank test, two-sided; images without a difference are left out (scipy's
                  zero_method "wilcox")
    normal limit  mean ± z s / sqrt(n), s with n: what the percentile bootstrap tends to as n grows; it takes its place
                  above `BOOTSTRAP_UP_TO` images, where drawing would take minutes
    correction    Holm 1979, over all pairs of methods of one metric
    effect        matched-pairs rank-biserial correlation (Kerby 2014): (W+ - W-) / (W+ + W-), the sums of the ranks
                  of the images where the one and where the other method is larger

The p-value is exact for 50 images or fewer that differ, ties among the differences included; for more it is the normal
approximation with its correction for ties. With ties the approximation is too small for few images: five equal
differences have p = 0.025 by it, and the smallest that is possible is 2 / 2^5 = 0.0625.

Maps are float32, and what its rounding alone sets apart is the same: a difference of two values below 1e-5 of the
largest counts as none, and differences that are equal but for the rounding of float64 as ties. Grad-CAM and HiResCAM,
one method on a network that ends in a mean over positions, differ by such hundred-millionths, often all to one side.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

import constants

N_RESAMPLES = 10_000  # of the bootstrap
CONFIDENCE = 0.95  # of an interval
BOOTSTRAP_UP_TO = 10_000  # images; of more, an interval is the bootstrap's normal limit

COUNTS_HELD = 2**20  # numbers of a block of draws: 8 MB
EXACT_UP_TO = 50  # images that differ, for an exact p-value
NO_DIFFERENCE = 1e-5  # of the largest value; of the same map, computed in two ways, metrics differ by up to 4e-6 of it
TIED = 1e-12  # of the largest value: what rounding to float64 makes of two equal differences


class PairedTest(NamedTuple):
    """Two methods on the images for which both have a value of a metric."""

    a: str
    b: str
    n: int  # images
    mean_difference: float  # of a - b; NaN without an image
    p: float  # 1 if no image differs; NaN without an image
    p_holm: float
    effect: float  # in [-1, 1], positive where a is larger; 0 if no image differs
    stands: bool  # p_holm < 0.05


def bootstrap_interval(
    values: np.ndarray, n_resamples: int = N_RESAMPLES, seed: int = constants.SEED, level: float = CONFIDENCE
) -> tuple[float, float] | None:
    """(low, high) of the mean of values (n,); None if fewer than two of them are defined (not NaN)."""
    low, high = bootstrap_intervals(np.asarray(values, np.float64)[:, None], n_resamples, seed, level)[0]
    return None if np.isnan(low) else (float(low), float(high))


def bootstrap_intervals(
    values: np.ndarray, n_resamples: int = N_RESAMPLES, seed: int = constants.SEED, level: float = CONFIDENCE
) -> np.ndarray:
    """The intervals (k, 2) of the means of the columns of values (n, k), rows being images; NaN is an undefined value.

    A column with fewer than two defined values has no interval: NaN. Draws without a defined value of a column are left
    out of its quantiles. Raises ValueError for values of another shape, n_resamples < 1 or level outside (0, 1).
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or n_resamples < 1 or not 0 < level < 1:
        given = f"{values.shape}, {n_resamples}, {level}"
        raise ValueError(f"values (n, k), n_resamples >= 1 and level in (0, 1) wanted; got {given}")
    intervals = np.full((values.shape[1], 2), np.nan)
    defined = ~np.isnan(values)
    columns = np.flatnonzero(defined.sum(axis=0) > 1)
    if columns.size == 0:
        return intervals
    means = _resample(values[:, columns], defined[:, columns], n_resamples, seed)
    quantiles = (1 - level) / 2, (1 + level) / 2
    missing = np.isnan(means).any(axis=0)
    for chosen, quantile in ((~missing, np.quantile), (missing, np.nanquantile)):  # the second is slow
        if chosen.any():
            intervals[columns[chosen]] = quantile(means[:, chosen], quantiles, axis=0).T
    return intervals


def normal_interval(values: np.ndarray, level: float = CONFIDENCE) -> tuple[float, float]:
    """(low, high) of the mean of values (n,), NaN left out, as the bootstrap has it of many; NaN for fewer than two."""
    from scipy.special import ndtri

    known = values[~np.isnan(values)]
    if len(known) < 2:
        return np.nan, np.nan
    mean, half = float(known.mean()), float(ndtri((1 + level) / 2) * known.std() / np.sqrt(len(known)))
    return mean - half, mean + half


def _resample(values: np.ndarray, defined: np.ndarray, n_resamples: int, seed: int) -> np.ndarray:
    """The means (n_resamples, k) of the defined values (n, k) of each draw; NaN for a draw without any."""
    values = np.where(defined, values, 0)
    complete, means = defined.all(), []
    for counts in draw_counts(len(values), n_resamples, seed):
        n = len(values) if complete else counts @ defined.astype(np.float64)
        with np.errstate(invalid="ignore"):
            means.append(counts @ values / n)
    return np.concatenate(means)


def draw_counts(n: int, n_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How many times each of n images is in each draw of n with replacement: n_resamples rows (n,), in blocks."""
    rng, block = np.random.default_rng(seed), max(1, COUNTS_HELD // n)
    for start in range(0, n_resamples, block):
        rows = min(block, n_resamples - start)
        drawn = rng.integers(n, size=(rows, n)) + n * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def paired_tests(
    values: Mapping[str, np.ndarray],
    pairs: Sequence[tuple[str, str]] | None = None,
    significance: float = constants.SIGNIFICANCE,
) -> list[PairedTest]:
    """The test of every two methods: values of one metric (n,) by method, the same images in the same order.

    pairs: those that are tested, one family for the correction; None: every two.
    NaN is an undefined value: a pair has the images where neither is. ValueError for methods of unlike length.
    """
    values = {name: np.asarray(column, np.float64) for name, column in values.items()}
    lengths = {name: len(column) for name, column in values.items()}
    if len({*lengths.values()}) > 1:
        raise ValueError(f"one value per image was wanted of every method; got {lengths}")
    pairs = list(itertools.combinations(values, 2)) if pairs is None else pairs
    tests = [compare_paired(values[a] - values[b], _find_largest(values[a], values[b])) for a, b in pairs]
    corrected = correct_holm(np.array([p for _, _, p, _ in tests]))
    return [
        PairedTest(a, b, n, difference, p, float(p_holm), effect, bool(p_holm < significance))
        for (a, b), (n, difference, p, effect), p_holm in zip(pairs, tests, corrected)
    ]


def _find_largest(one: np.ndarray, other: np.ndarray) -> float:
    """The largest magnitude among the values (n,) of two methods, NaN left out; 0 without any."""
    return float(np.nanmax(np.abs([one, other]), initial=0))


def compare_paired(differences: np.ndarray, largest: float | None = None) -> tuple[int, float, float, float]:
    """(n, mean difference, p, effect) of the differences (n,) of two methods; NaN is left out.

    largest: the largest magnitude of the values that were subtracted, by which rounding is told; None: nothing is.
    """
    from scipy.stats import rankdata, wilcoxon

    differences = differences[~np.isnan(differences)]
    n = len(differences)
    if n == 0:
        return 0, float("nan"), float("nan"), float("nan")
    changed = differences[np.abs(differences) > NO_DIFFERENCE * (largest or 0)]
    if changed.size == 0:
        return n, float(differences.mean()), 1.0, 0.0
    if largest:
        changed = np.rint(changed / (TIED * largest))
    ranks = rankdata(np.abs(changed))
    effect = np.sum(np.sign(changed) * ranks) / ranks.sum()
    if len(changed) <= EXACT_UP_TO:
        p = exact_p(ranks, ranks[changed > 0].sum())
    else:
        p = wilcoxon(changed, method="asymptotic").pvalue
    return n, float(differences.mean()), float(p), float(effect)


def exact_p(ranks: np.ndarray, rank_sum: float) -> float:
    """Wilcoxon's two-sided p of a sum of the ranks (n,) of one sign, if every rank has either sign alike; ties share
    their mean rank.

    Twice the share of the 2^n choices of signs whose sum lies as far out; doubled, mean ranks are whole numbers, and
    the sums of all choices one convolution after the other: n passes over n (n + 1) + 1 counts, each below 2^53.
    """
    doubled = np.rint(2 * ranks).astype(int)
    counts = np.zeros(doubled.sum() + 1)
    counts[0] = 1
    for rank in doubled:
        counts[rank:] += counts[:-rank].copy()
    place = round(2 * rank_sum)
    tail = min(counts[: place + 1].sum(), counts[place:].sum())
    return float(min(1, 2 * tail / counts.sum()))


def correct_holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's corrected p-values (m,), in the order given: the i-th smallest times m - i + 1, never falling, at most 1.

    NaN is no test: it stays NaN and does not count among the m.
    """
    corrected = np.full(len(p_values), np.nan)
    order = np.argsort(p_values, kind="stable")[: np.count_nonzero(~np.isnan(p_values))]  # NaN comes last
    steps = p_values[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1) if len(order) else []
    return corrected
