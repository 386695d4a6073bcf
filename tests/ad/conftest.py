"""Oracles shared by the tests of ad."""

import itertools

import numpy as np
import pytest


def _difference_gradient(f, x, step=1e-2, levels=4):
    x = np.asarray(x, dtype=float)
    slopes = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        row = []
        for k in range(levels):
            h = np.zeros(x.shape)
            h[i] = step * 0.5**k
            row.append((f((x + h)[()]) - f((x - h)[()])) / (2.0 * h[i]))
        for k in range(1, levels):
            row = [b + (b - a) / (4.0**k - 1.0) for a, b in itertools.pairwise(row)]
        slopes[i] = row[0]
    return slopes[()]


@pytest.fixture(scope="session")
def difference_gradient():
    """``difference_gradient(f, x)``: of a scalar function of one array, extrapolated to step 0 (error about 1e-10)."""
    return _difference_gradient


def _difference_jacobian(f, x, step=1e-3):
    columns = []
    for i in range(x.size):
        e = np.zeros(x.size)
        e[i] = step
        e = e.reshape(x.shape)
        slope = [np.asarray(f(x + k * e) - f(x - k * e), dtype=float) / (2 * k * step) for k in (1, 2)]
        columns.append((4 * slope[0] - slope[1]) / 3)
    return np.stack(columns, axis=-1) if columns else np.zeros((*np.shape(f(x)), 0))


@pytest.fixture(scope="session")
def difference_jacobian():
    """``difference_jacobian(f, x)``: of a function of one array, by central differences of fourth order in the step."""
    return _difference_jacobian
