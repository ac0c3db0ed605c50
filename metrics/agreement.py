"""How far the saliency maps of one image agree, for every pair of methods at once.

    IoU = |A and B| / |A or B|           A, B: the pixels that a threshold keeps of the two maps S, T
    rank correlation = PCC of the ranks  (Spearman 1904), equal values sharing the mean of their ranks
    PCC = cov(S, T) / (std S std T)

None depends on the scale or offset of a map. A threshold keeps exactly round(fraction H W) pixels of every map,
those of the largest values - of a signed map what speaks for the class - and cuts equal values by position, row by
row: no method gains by keeping more. A mask, a map of 0 and 1 alone, is kept as it is. Two maps that have nothing to do
with each other reach an IoU of about fraction / (2 - fraction). With a constant map nothing is defined: NaN, never 0.
"""

from collections.abc import Sequence

import numpy as np

import utils
from metrics.common import Undefined, is_mask, rank_pixels

AGREEMENTS = ("iou", "spearman", "pcc")


def keep_largest(saliency_map: np.ndarray, fraction: float) -> np.ndarray:
    """Where a map (H, W) is largest, bool (H, W): round(fraction H W) pixels, fraction in (0, 1], ties by position.

    A mask is kept as it is, whatever the fraction.
    ValueError for a fraction that keeps no pixel or more than all.
    """
    saliency_map = np.asarray(saliency_map)
    n_kept = round(fraction * saliency_map.size)
    if not 0 < n_kept <= saliency_map.size:
        raise ValueError(f"fraction should keep 1 to all of {saliency_map.size} pixels; {fraction} keeps {n_kept}")
    if is_mask(saliency_map):
        return saliency_map == 1
    kept = np.zeros(saliency_map.size, dtype=bool)
    kept[rank_pixels(saliency_map)[:n_kept]] = True
    return kept.reshape(saliency_map.shape)


def calculate_iou(mask: np.ndarray, other: np.ndarray) -> float:
    """The intersection over the union of two masks, bool (H, W), in [0, 1]; `Undefined` if both are empty."""
    if mask.shape != other.shape:
        raise ValueError(f"two masks of one size were wanted; got {mask.shape} and {other.shape}")
    union = np.count_nonzero(mask | other)
    if union == 0:
        raise Undefined("both masks are empty")
    return np.count_nonzero(mask & other) / union


def rank_values(values: np.ndarray) -> np.ndarray:
    """The ranks of values (n,), float64 from 1 to n, the smallest first; equal values share their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def compare_maps(maps: Sequence[np.ndarray | None], fraction: float) -> dict[str, np.ndarray]:
    """The agreement of each pair of M maps (H, W) of one image: a name of `AGREEMENTS` -> float64 (M, M), symmetric.

    NaN for a pair with a constant map or without a map (None). IoU is in [0, 1], the correlations in [-1, 1].
    ValueError for maps of several sizes, or that are not finite.
    """
    shapes = {saliency_map.shape for saliency_map in maps if saliency_map is not None}
    if len(shapes) > 1 or any(len(shape) != 2 for shape in shapes):
        raise ValueError(f"maps (H, W) of one size were wanted; got {sorted(shapes)}")
    n_pixels = int(np.prod(shapes.pop())) if shapes else 0
    values, ranks, kept = (np.full((len(maps), n_pixels), np.nan) for _ in AGREEMENTS)
    for row, saliency_map in enumerate(maps):
        if saliency_map is None or utils.is_constant(saliency_map):
            continue
        if not np.isfinite(saliency_map).all():
            raise ValueError(f"maps must hold finite numbers; map {row} (from 0) does not")
        values[row] = saliency_map.ravel()
        ranks[row] = rank_values(values[row])
        kept[row] = keep_largest(saliency_map, fraction).ravel()
    both = kept @ kept.T
    sizes = kept.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):  # NaN where there is no map, 0 / 0 where there is none at all
        iou = both / (sizes[:, None] + sizes - both)
        return {"iou": iou, "spearman": _correlate(ranks), "pcc": _correlate(values)}


def _correlate(rows: np.ndarray) -> np.ndarray:
    """The Pearson correlations (M, M) of the rows (M, n)."""
    rows = rows - rows.sum(axis=1, keepdims=True) / rows.shape[1] if rows.size else rows + np.nan
    lengths = np.sqrt(np.square(rows).sum(axis=1))
    return np.clip(rows @ rows.T / np.outer(lengths, lengths), -1, 1)


def rank_images(values: np.ndarray) -> np.ndarray:
    """The indices of values (N,) from the largest to the smallest, ties by position, NaN last."""
    return np.argsort(-np.asarray(values, dtype=np.float64), kind="stable")
