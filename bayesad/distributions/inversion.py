"""Quantiles of any distribution function, by bisection over the floats."""

from collections.abc import Callable

import numpy as np

__all__ = ["least"]


def least(reached: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The least floats in [low, high] at which a monotone condition holds: bisection over the 2^64 doubles."""
    first, last = _rank(low), _rank(high)
    for _ in range(64):
        middle = (first & last) + ((first ^ last) >> 1)  # the mean, without overflow
        hit = reached(_double(middle))
        first, last = np.where(hit, first, middle + 1), np.where(hit, middle, last)
    return _double(last)


def _rank(x: np.ndarray) -> np.ndarray:
    """The position of doubles in their order, as int64."""
    bits = np.array(x, dtype=np.float64, order="C").view(np.int64)
    return np.where(bits < 0, bits ^ np.iinfo(np.int64).max, bits)


def _double(rank: np.ndarray) -> np.ndarray:
    return np.where(rank < 0, rank ^ np.iinfo(np.int64).max, rank).view(np.float64)
