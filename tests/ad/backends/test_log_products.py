"""Sums of log(1 + e) as logarithms of products: against mpmath, whatever the size of e, and where they are used."""

import mpmath
import numpy as np
import pytest
from mpmath import mpf
from scipy.special import log_expit

from bayesad import ad
from bayesad.ad.backends.llvm.inspection import show
from bayesad.ad.backends.llvm.log_products import FEWEST_ROWS
from bayesad.ad.backends.llvm.native import executor

RNG = np.random.default_rng(11)
SIZES = {
    "ordinary": lambda n: RNG.normal(size=n),
    "large": lambda n: RNG.uniform(10.0, 700.0, n),
    "of few tiny e": lambda n: RNG.uniform(36.0, 38.0, n),
    "all zero": np.zeros,
    "of every size": lambda n: 10.0 ** RNG.uniform(-8, 3, n) * RNG.choice([-1.0, 1.0], n),
}


def exact(x):
    with mpmath.workdps(50):
        return mpmath.fsum(-mpmath.log1p(mpmath.exp(-mpf(float(v)))) for v in x)


def run(f, *arrays):
    program, _, _ = ad.trace(f, *arrays)
    return executor(program)(arrays)[0]


def ulps(found, exact):
    return float(abs(mpf(float(found)) - exact)) / float(np.spacing(abs(float(exact))))


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("n", [FEWEST_ROWS, 1000, 1667, 2160])
def test_sums_are_accurate_to_some_units_in_the_last_place(name, n):
    x = SIZES[name](n)
    assert ulps(run(lambda v: np.sum(log_expit(v)), x), exact(x)) <= 4


def test_products_of_tall_matrices_end_in_them():
    a, b = RNG.normal(size=(1216, 11)), RNG.normal(size=11)
    program, _, _ = ad.trace(lambda v: np.sum(log_expit(a @ v)), b)
    assert "blocks of 32 rows" in show(program, "fused")
    assert ulps(executor(program)((b,))[0], exact(a @ b)) <= 40  # a @ b has errors of its own


def test_logaddexp_of_equal_and_infinite_values():
    a, b = RNG.normal(size=(2, 400))
    b[::7] = a[::7]
    f = lambda x, y: np.sum(np.logaddexp(x, y))
    with mpmath.workdps(50):
        terms = [mpmath.log(mpmath.exp(mpf(float(x))) + mpmath.exp(mpf(float(y)))) for x, y in zip(a, b, strict=True)]
        assert ulps(run(f, a, b), mpmath.fsum(terms)) <= 4
    a[3] = -np.inf
    np.testing.assert_allclose(run(f, a, b), f(a, b), rtol=1e-14)
    b[3] = -np.inf
    assert run(f, a, b) == -np.inf
    a[5] = b[5] = np.inf
    assert np.isnan(run(f, a, b))
    a[3] = b[3] = 0.0
    assert run(f, a, b) == np.inf
    a[8] = np.nan
    assert np.isnan(run(f, a, b))


def test_terms_that_are_needed_themselves_are_still_there():
    x = RNG.normal(size=300)
    found, terms = executor(ad.trace(lambda v: (np.sum(log_expit(v)), log_expit(v)), x)[0])((x,))
    np.testing.assert_allclose(terms, log_expit(x), rtol=1e-15)
    np.testing.assert_allclose(found, np.sum(terms), rtol=1e-14)
