"""Loops that scatter, in blocks and row by row, against the same sums by NumPy."""

import numpy as np
import pytest

from bayesad import ad
from bayesad.ad.backends.llvm.inspection import show
from bayesad.ad.backends.llvm.native import executor

RNG = np.random.default_rng(17)
STEPS = {"row by row": lambda r: r, "in blocks of 128 rows": np.exp}


@pytest.mark.parametrize("how", STEPS)
@pytest.mark.parametrize(("n", "groups"), [(256, 3), (387, 90), (514, 300)])
def test_sums_over_groups_and_rows(how, n, groups):
    x, y, group = RNG.normal(size=n), RNG.normal(size=n), RNG.integers(0, groups, n)

    def f(q):
        r = STEPS[how](y - q[:groups][group] - q[-1] * x)
        return np.sum(r * r)

    q = RNG.normal(size=groups + 1)
    program, _, _ = ad.trace(lambda q: ad.value_and_gradient(f, q), q)
    assert how in show(program, "fused")
    value, gradient = executor(program)((q,))
    r = STEPS[how](y - q[group] - q[-1] * x)
    slope = -2.0 * r * (r if how.startswith("in") else 1.0)
    np.testing.assert_allclose(value, np.sum(r * r), rtol=1e-13)
    expected = np.append(np.bincount(group, slope, groups), np.sum(slope * x))
    np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-12 * np.max(abs(expected)))
