"""Thresholds of many units at once, exact, in memory that does not grow with the data: radix selection.

    T_k = the smallest activation of unit k that at most a share of its activations exceed, P(a_k > T_k) <= share

(Bau et al. 2017, section 2.2, with share 0.005). A float32 is read as a whole number of 32 bits in the order of its
value, and T_k is found digit by digit: each pass over the data counts, unit by unit, the values that begin with the
digits found so far, by their next digit. The counts say which digit the wanted rank falls on.

Cost: three passes over the values, of 11, 11 and 10 bits; K x 2048 counters (33 MB for 2,048 units), whatever the
number of values. Error: none. T_k is one of the values, the one that `np.quantile(values, 1 - share,
method="inverted_cdf")` picks. We depart from the authors' code, which keeps a random sample and is off by its luck.
"""

from collections.abc import Callable, Iterable

import numpy as np

DIGITS = (11, 11, 10)  # bits each, 32 in all


def upper_quantiles(stream: Callable[[], Iterable[np.ndarray]], share: float) -> np.ndarray:
    """The thresholds (K,), float32, of a stream that can be read again: P(value > threshold) <= share.

    stream: called once per pass, gives finite arrays (n, K), n of any size, the same in every pass. share: from 0 to
    below 1; what it leaves of a position is rounded down. Raises ValueError for another share, or an empty stream.
    """
    return find_quantiles(lambda *digit: count_digits(stream(), *digit), share)


def find_quantiles(count: Callable[[np.ndarray | None, int, int], np.ndarray], share: float) -> np.ndarray:
    """As `upper_quantiles`, of what is counted anywhere: counts of several parts of the values are added.

    count: digits found (K,) or None, bits of the next, bits behind it -> `count_digits` of all values.
    """
    if not 0 <= share < 1:
        raise ValueError(f"a share from 0 to below 1 was wanted; got {share}")
    found, above, left = None, None, 32
    for n_bits in DIGITS:
        left -= n_bits
        counts = count(found, n_bits, left)
        if found is None:
            n_values = int(counts[0].sum())
            found = np.zeros(len(counts), dtype=np.uint32)
            above = np.full(len(counts), count_above(share, n_values))
        digits, above = _find_digits(counts, above)
        found = found << np.uint32(n_bits) | digits.astype(np.uint32)
    return from_ordered_bits(found)


def count_above(share: float, n_values: int) -> int:
    """How many of so many values are a share of them, rounded down."""
    return int(share * n_values * (1 + 1e-12))  # 0.29 x 100 is 28.999...


def ordered_bits(values: np.ndarray) -> np.ndarray:
    """float32 values as uint32 in the same order; both zeros are one."""
    bits = (np.asarray(values, dtype=np.float32) + np.float32(0)).view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))


def from_ordered_bits(keys: np.ndarray) -> np.ndarray:
    """The float32 values that `ordered_bits` made these of."""
    return np.where(keys >> 31, keys & np.uint32((1 << 31) - 1), ~keys).astype(np.uint32).view(np.float32)


def count_digits(blocks: Iterable[np.ndarray], found: np.ndarray | None, n_bits: int, shift: int) -> np.ndarray:
    """How often each digit comes next, (K, 2^n_bits), among the values that begin with the digits found."""
    counts, n_digits = None, 1 << n_bits
    for values in blocks:
        n_units = values.shape[1]
        keys = ordered_bits(values)
        places = (keys >> np.uint32(shift) & np.uint32(n_digits - 1)) + np.arange(n_units) * n_digits  # int64 (n, K)
        places = places.ravel() if found is None else places[keys >> np.uint32(shift + n_bits) == found]
        counted = np.bincount(places, minlength=n_units * n_digits)
        counts = counted if counts is None else np.add(counts, counted, out=counts)
    if counts is None:
        raise ValueError("a stream of one value per unit or more was wanted; it is empty")
    return counts.reshape(-1, n_digits)


def _find_digits(counts: np.ndarray, above: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per unit, the digit of the value that `above` others exceed, and how many of them share that digit."""
    units, last = np.arange(len(counts)), counts.shape[1] - 1
    so_far = np.cumsum(counts[:, ::-1], axis=1)  # of this digit and all larger ones, the largest first
    place = (so_far > above[:, None]).argmax(axis=1)
    digits = last - place
    return digits, above - (so_far[units, place] - counts[units, digits])
