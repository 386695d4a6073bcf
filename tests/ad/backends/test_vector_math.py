"""The inlined mathematics against mpmath, in units in the last place, over whole domains and at special values."""

import mpmath
import numpy as np
import pytest

from bayesad import ad
from bayesad.ad.backends.llvm.native import executor

RNG = np.random.default_rng(20251123)


def native(f, *arrays):
    program, _, _ = ad.trace(f, *arrays)
    return executor(program)(arrays)[0]


def ulps(found, exact):
    """Error in units in the last place of the exact value (subnormal results: in units of the smallest number)."""
    with mpmath.workdps(40):
        return max(
            float(abs(mpmath.mpf(float(y)) - t) / mpmath.mpf(np.spacing(max(abs(float(t)), 2.3e-308))))
            for y, t in zip(found, exact, strict=True)
        )


DOMAINS = {
    "exp": (
        np.exp,
        mpmath.exp,
        [RNG.uniform(-700, 700, 1500), RNG.uniform(-745, -705, 300), RNG.normal(size=700) * 1e-3],
    ),
    "log": (
        np.log,
        mpmath.log,
        [10.0 ** RNG.uniform(-300, 300, 1000), RNG.uniform(0.5, 2.0, 1500), 5e-324 * RNG.integers(1, 10**9, 200)],
    ),
    "log1p": (
        np.log1p,
        mpmath.log1p,
        [10.0 ** RNG.uniform(-20, 300, 700), -(10.0 ** RNG.uniform(-20, -1e-4, 700)), RNG.uniform(-0.5, 1.0, 700)],
    ),
}


@pytest.mark.parametrize("name", DOMAINS)
def test_function_is_within_two_ulps_over_its_domain(name):
    ufunc, exact, parts = DOMAINS[name]
    x = np.concatenate(parts)
    with mpmath.workdps(40):
        assert ulps(native(ufunc, x), [exact(mpmath.mpf(float(v))) for v in x]) <= 2.0


@pytest.mark.parametrize("ufunc", [np.exp, np.log, np.log1p, np.sqrt, np.tanh, np.expm1, np.abs, np.sign, np.floor])
def test_special_values_are_those_of_numpy(ufunc):
    x = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 710.0, -746.0, 1e308, -1e308, 5e-324, -2.0])
    with np.errstate(all="ignore"):
        expected = ufunc(x)
    np.testing.assert_allclose(native(ufunc, x), expected, rtol=1e-15, atol=0.0)


def test_expit_and_its_logarithm_keep_relative_accuracy_in_both_tails():
    from scipy.special import expit, log_expit

    x = np.concatenate([RNG.uniform(-700, 700, 500), RNG.normal(size=300), [0.0, np.inf, -np.inf, np.nan]])
    np.testing.assert_allclose(native(expit, x), expit(x), rtol=1e-15)
    with mpmath.workdps(40):
        exact = [-mpmath.log1p(mpmath.exp(-mpmath.mpf(float(v)))) for v in x[:800]]
    assert ulps(native(log_expit, x)[:800], exact) <= 3.0
    np.testing.assert_allclose(native(log_expit, x), log_expit(x), rtol=1e-14)


def test_logaddexp_agrees_with_numpy_at_infinities_and_elsewhere():
    values = np.array([-np.inf, np.inf, np.nan, 0.0, 1.0, -1.0, 800.0, -800.0, 1e-3])
    a, b = (part.ravel() for part in np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        expected = np.logaddexp(a, b)
    np.testing.assert_allclose(native(np.logaddexp, a, b), expected, rtol=1e-14)
