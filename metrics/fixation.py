"""Whether a saliency map S is high where people fixated: NSS, AUC-Judd, AUC-Borji, shuffled AUC, information gain.

With F the fixated pixels, n of them, s the map min-max scaled to [0, 1] and p = s / sum s:

    NSS = mean over F of (S - mean S) / std S, the deviation with N - 1
    IG = mean over F of log2(e + p) - log2(e + b), b the baseline as a probability, e = 2^-52, in bits per fixation
    AUC = area under tp against fp, the shares of the fixated and of the other points with S >= threshold

- Judd: the thresholds are the values of S on F, the others all pixels outside F; trapezoids between the thresholds.
- Borji: thresholds 0, 0.1, ... 1 of s, the others n pixels of the whole image, drawn with replacement; mean of 100
  draws.
- shuffled: as Borji, the others at most n of the pixels fixated on other images (10 of them), without replacement.

Bylinskii et al. 2019, "What do different evaluation metrics tell us about saliency models?"; Peters et al. 2005 (NSS),
Judd et al. 2009, Borji et al. 2013, Kummerer et al. 2015 (IG); the conventions are those of the code of the MIT
saliency benchmark (NSS.m, AUC_Judd.m, AUC_Borji.m, AUC_shuffled.m, InfoGain.m): fixations are a binary map, a pixel
that was fixated twice counts once. They are equal but for this:

- Judd's code adds noise of 1e-7 to break ties. We return the mean over all orders of the tied pixels, which needs
  neither noise nor seed and takes no smaller differences for ties. `variant="ranks"` is the plain area, ties counting
  half: the benchmark's trapezoids cut the corners of the curve's steps, which adds up to 1 / (2 n).
- A draw matters only by how many of its points reach each threshold: the counts are drawn at once, by the multinomial
  (Borji) or multivariate hypergeometric (shuffled) distribution that the points of the draw give them.

All take points: float (M, 2) as (x, y) in pixels of the map; a point is on the pixel that holds it (floor), and left
out if none does. A density map is refused, it goes to `density`. Signed maps are scaled as any other: only the
order of the values matters to Judd, their place between minimum and maximum to Borji, shuffled and IG.
"""

from functools import cached_property

import numpy as np

import constants
from metrics.common import EPSILON, ScaledMap, Undefined, sum_pieces

AUC_N_SPLITS = 100  # draws of other points, AUC-Borji and shuffled AUC
N_BINS = 4096  # into which the pixels of a map are sorted
AUC_STEP = 0.1  # between thresholds of a map scaled to 0-1
AUC_JUDD_VARIANTS = ("mit", "ranks")


class FixationMetrics:
    """The metrics of a saliency map (H, W) by points of fixation (M, 2) as (x, y); what they share is computed once.

    Every metric raises ValueError for arguments that do not fit, `Undefined` if the map is constant or no fixation lies
    inside it.
    """

    def __init__(self, fixations: np.ndarray, saliency_map: np.ndarray):
        self._fixations, self._map = fixations, saliency_map

    @cached_property
    def _saliency(self) -> ScaledMap:
        """The map min-max scaled."""
        return ScaledMap(self._map)

    @cached_property
    def _fixated(self) -> np.ndarray:
        """The indices of its fixated pixels."""
        self._saliency  # noqa: B018 what is wrong with the map is told first
        return find_fixated(self._fixations, np.shape(self._map))

    def nss(self) -> float:
        """The normalised scanpath saliency: 0 by chance, higher is better, no bounds."""
        saliency = self._saliency
        fixated, mean = saliency.at(self._fixated).mean(), saliency.total / saliency.size
        squares = sum_pieces(lambda rows: np.square(rows - mean).sum(), saliency)
        return float((fixated - mean) / np.sqrt(squares / (saliency.size - 1)))

    def auc_judd(self, *, variant: str = "mit") -> float:
        """AUC-Judd: in [0, 1], 0.5 by chance, higher is better; `Undefined` too if all pixels are fixated.

        variant: 'mit', the benchmark's trapezoids; 'ranks', P(fixated > other) + P(fixated = other) / 2.
        """
        if variant not in AUC_JUDD_VARIANTS:
            raise ValueError(f"variant must be one of {', '.join(AUC_JUDD_VARIANTS)}; got '{variant}'")
        fixated = self._fixated
        n, n_others = len(fixated), self._saliency.size - len(fixated)
        if n_others == 0:
            raise Undefined("every pixel is fixated")
        values = np.sort(np.ravel(self._map)[fixated])
        above, tied = _count_others(values, self._saliency)
        area = 1 - np.mean(above + tied / 2) / n_others
        if variant == "mit":
            n_lowest = np.searchsorted(values, values[0], side="right")
            # Of the others tied with the n_lowest fixated pixels, this many come before the last of those, on average.
            before_last = above[0] + tied[0] * n_lowest / (n_lowest + 1)
            area += before_last / n_others / (2 * n)
        return float(area)

    def auc_borji(self, *, n_splits: int = AUC_N_SPLITS, step: float = AUC_STEP, seed: int = constants.SEED) -> float:
        """AUC-Borji: in [0, 1], 0.5 by chance, higher is better.

        n_splits: draws of other pixels. step: between thresholds, in (0, 1].
        """
        saliency, fixated = self._saliency, self._fixated
        _check_draws(n_splits, step)
        levels = sum_pieces(lambda rows: _count_levels(rows.ravel(), step), saliency)
        others = np.random.default_rng(seed).multinomial(len(fixated), levels / saliency.size, size=n_splits)
        return _mean_area(_count_levels(saliency.at(fixated), step), others)

    def sauc(
        self,
        other_fixations: np.ndarray,
        *,
        n_splits: int = AUC_N_SPLITS,
        step: float = AUC_STEP,
        seed: int = constants.SEED,
    ) -> float:
        """Shuffled AUC: in [0, 1], 0.5 for a map that knows only where people look on any image.

        other_fixations: (K, 2), those of other images (the benchmark: ten drawn by lot), in pixels of this map. All
        else as in `auc_borji`; `Undefined` too if none of them lies inside the map.
        """
        saliency, fixated = self._saliency, self._fixated
        elsewhere = find_fixated(other_fixations, np.shape(self._map), "other_fixations")
        _check_draws(n_splits, step)
        levels = _count_levels(saliency.at(elsewhere), step)
        n_drawn = min(len(fixated), len(elsewhere))
        others = np.random.default_rng(seed).multivariate_hypergeometric(levels, n_drawn, size=n_splits)
        return _mean_area(_count_levels(saliency.at(fixated), step), others)

    def information_gain(self, baseline_map: np.ndarray) -> float:
        """The information gain over a baseline (H, W), in bits per fixation: higher is better, 0 is equal.

        baseline_map: what is known without the image, as a centre prior or the density map of the other images. Where a
        map is at its minimum its probability is e: one fixation there weighs tens of bits. `Undefined` if either is
        constant.
        """
        saliency, fixated = self._saliency, self._fixated
        if np.shape(baseline_map) != np.shape(self._map):
            raise ValueError(f"baseline_map must fit {np.shape(self._map)}; got {np.shape(baseline_map)}")
        baseline = ScaledMap(baseline_map, "baseline_map")
        gains = [np.log2(EPSILON + scaled.at(fixated) / scaled.total) for scaled in (saliency, baseline)]
        return float(np.mean(gains[0] - gains[1]))


def calculate_nss(fixations: np.ndarray, saliency_map: np.ndarray) -> float:
    """`FixationMetrics.nss` of points (M, 2) as (x, y) and a map (H, W)."""
    return FixationMetrics(fixations, saliency_map).nss()


def calculate_auc_judd(fixations: np.ndarray, saliency_map: np.ndarray, *, variant: str = "mit") -> float:
    """`FixationMetrics.auc_judd` of points (M, 2) as (x, y) and a map (H, W)."""
    return FixationMetrics(fixations, saliency_map).auc_judd(variant=variant)


def calculate_auc_borji(fixations: np.ndarray, saliency_map: np.ndarray, **options) -> float:
    """`FixationMetrics.auc_borji` of points (M, 2) as (x, y) and a map (H, W), and its options."""
    return FixationMetrics(fixations, saliency_map).auc_borji(**options)


def calculate_sauc(fixations: np.ndarray, saliency_map: np.ndarray, other_fixations: np.ndarray, **options) -> float:
    """`FixationMetrics.sauc` of points (M, 2) as (x, y) and a map (H, W), and its options."""
    return FixationMetrics(fixations, saliency_map).sauc(other_fixations, **options)


def calculate_information_gain(fixations: np.ndarray, saliency_map: np.ndarray, baseline_map: np.ndarray) -> float:
    """`FixationMetrics.information_gain` of points (M, 2) as (x, y) and a map (H, W)."""
    return FixationMetrics(fixations, saliency_map).information_gain(baseline_map)


def _count_others(values: np.ndarray, saliency: ScaledMap) -> tuple[np.ndarray, np.ndarray]:
    """For each fixated value, how many pixels that are not fixated are larger, and how many are equal.

    values: (n,) of the fixated pixels, unscaled, increasing. Pixels are thrown into bins, and only those that share one
    with a value are sorted and compared.
    """

    def find_bins(part: np.ndarray) -> np.ndarray:  # rounding keeps their order
        shares = np.subtract(part, saliency.low, dtype=np.float64) / (saliency.high - saliency.low)
        return (shares * (N_BINS - 1)).astype(np.intp)

    own_bins = find_bins(values)
    shared = np.isin(np.arange(N_BINS), own_bins)

    def count(rows: np.ndarray) -> np.ndarray:
        bins = find_bins(rows.ravel())
        near = np.sort(rows.ravel()[shared[bins]])
        return np.concatenate([np.bincount(bins, minlength=N_BINS), *_count_from(values, near)])

    in_bins, larger, as_large = np.split(sum_pieces(count, saliency.raw), [N_BINS, N_BINS + len(values)])
    in_bins[shared] = 0
    beyond = in_bins.sum() - np.cumsum(in_bins)[own_bins]
    larger, as_large = (
        near + beyond - fixated for near, fixated in zip((larger, as_large), _count_from(values, values))
    )
    return larger, as_large - larger


def _count_from(values: np.ndarray, ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each value (n,), how many of the ordered (m,) are larger, and how many at least as large."""
    return tuple(ordered.size - np.searchsorted(ordered, values, side=side) for side in ("right", "left"))


def _check_draws(n_splits: int, step: float) -> None:
    if n_splits < 1 or not 0 < step <= 1:
        raise ValueError(f"n_splits should be 1 or more and step in (0, 1]; got {n_splits} and {step}")


def _count_levels(values: np.ndarray, step: float) -> np.ndarray:
    """How many of the values (n,) in [0, 1] lie from each threshold 0, step, 2 step ... up to the next one, or 1."""
    last = int(1 / step + 1e-9)
    return np.bincount(np.minimum(values / step, last).astype(np.intp), minlength=last + 1)


def _mean_area(levels: np.ndarray, others: np.ndarray) -> float:
    """The mean area under the curves of the fixated points' levels (T,) against each draw's (n_splits, T)."""
    tp, fp = (_shares_above(counts) for counts in (levels[None], others))
    return float(np.mean(np.sum(np.diff(fp) * (tp[:, 1:] + tp[:, :-1]) / 2, axis=1)))


def _shares_above(counts: np.ndarray) -> np.ndarray:
    """The shares of points at or above each threshold, the highest first: from (n, T) to (n, T + 1), 0 to 1."""
    shares = np.cumsum(counts[:, ::-1], axis=1) / counts.sum(axis=1, keepdims=True)
    return np.pad(shares, ((0, 0), (1, 0)))


def find_fixated(fixations: np.ndarray, shape: tuple[int, int], name: str = "fixations") -> np.ndarray:
    """The flat indices of the pixels of a map of this shape that hold a fixation (x, y), each once, increasing.

    Raises ValueError for anything but finite points (M, 2), `Undefined` if none lies inside.
    """
    points = np.asarray(fixations, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        hint = "; a density map goes to the metrics of density" if points.ndim == 2 and points.size else ""
        raise ValueError(f"{name} must be points (M, 2) as (x, y); got {points.shape}{hint}")
    if not np.isfinite(points).all():
        raise ValueError(f"{name} must hold finite coordinates")
    (height, width), (x, y) = shape, points.T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    if not inside.any():
        raise Undefined(f"{name}: none of {len(points)} lies inside the map of {width} x {height} pixels")
    return np.unique(y[inside].astype(int) * width + x[inside].astype(int))
