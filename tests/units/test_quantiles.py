"""The streamed thresholds are those of np.quantile, to the last bit, whatever the values and the blocks."""

import tracemalloc

import numpy as np
import pytest

from units import quantiles


def blocks(values, size):
    return lambda: (values[i : i + size] for i in range(0, len(values), size))


def draws(n=3000, seed=0):
    """A unit per column: plain, rectified, mostly 0, below 0, constant, few values, tiny, huge, zeros, neighbours."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 10))
    x[:, 1] = np.maximum(x[:, 1], 0)
    x[:, 2] = np.maximum(x[:, 2] - 3, 0)
    x[:, 3] = -np.exp(x[:, 3])
    x[:, 4] = 6
    x[:, 5] = np.round(x[:, 5])
    x[:, 6] *= 1e-42  # below the smallest normal number
    x[:, 7] *= 1e37
    x[:, 8] = np.where(x[:, 8] > 0, 0.0, -0.0)
    x[:, 9] = 1 + x[:, 9] * 1e-7  # neighbouring numbers
    return x.astype(np.float32)


@pytest.mark.parametrize("share", [0.005, 0.0, 0.01, 0.2, 0.5, 0.75])
@pytest.mark.parametrize("size", [1, 977, 5000])
def test_thresholds_are_those_of_numpy_to_the_last_bit(share, size):
    values = draws(300 if size == 1 else 3000)
    found = quantiles.upper_quantiles(blocks(values, size), share)
    exact = np.quantile(values, 1 - share, axis=0, method="inverted_cdf")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, exact)


@pytest.mark.parametrize("share", [0.005, 0.03, 0.29])
def test_no_more_than_the_share_exceeds_and_the_next_lower_value_would_let_more(share):
    values = draws()
    found = quantiles.upper_quantiles(blocks(values, 1000), share)
    for column, threshold in zip(values.T, found):
        assert np.mean(column > threshold) <= share
        lower = column[column < threshold]
        assert not len(lower) or np.mean(column > lower.max()) > share


def test_of_two_hundred_different_values_one_exceeds_the_threshold():
    values = np.random.default_rng(0).permutation(200).astype(np.float32)[:, None]
    assert quantiles.upper_quantiles(blocks(values, 64), 0.005) == [198]
    assert quantiles.upper_quantiles(blocks(values, 64), 0.0049) == [199]
    assert quantiles.count_above(0.29, 100) == 29, "29 and not 28.999"


def test_bits_are_in_the_order_of_their_values_and_come_back():
    values = np.array([-np.inf, -3e38, -1, -1e-45, -0.0, 0.0, 1e-45, 1, 1 + 2**-23, 3e38, np.inf], dtype=np.float32)
    keys = quantiles.ordered_bits(values)
    assert (np.diff(keys.astype(np.int64)) > 0).sum() == len(values) - 2 and keys[4] == keys[5]
    np.testing.assert_array_equal(quantiles.from_ordered_bits(keys), values)


def test_memory_does_not_grow_with_the_stream():
    def peak(n_blocks):
        def stream():
            rng = np.random.default_rng(0)
            return (rng.normal(size=(500, 16)).astype(np.float32) for _ in range(n_blocks))

        tracemalloc.start()
        quantiles.upper_quantiles(stream, 0.005)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak(2)
    assert peak(40) < 1.2 * peak(4)


@pytest.mark.parametrize("share", [1, -0.1, float("nan")])
def test_another_share_is_refused(share):
    with pytest.raises(ValueError, match="a share from 0 to below 1 was wanted"):
        quantiles.upper_quantiles(blocks(draws(), 1000), share)


def test_an_empty_stream_is_refused():
    with pytest.raises(ValueError, match="it is empty"):
        quantiles.upper_quantiles(lambda: iter(()), 0.005)
