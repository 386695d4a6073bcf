"""Oracles that several files of tests use: finite differences, sums and integrals of a law's own density."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.stats as st
from scipy.integrate import quad

import bayesad.distributions as laws
from bayesad import ad

# Chance that one test of draws fails although the law is right; the seeds are fixed.
FALSE_ALARM = 1e-6


def central(f: Callable[[float], Any], x: float) -> Any:
    """The derivative of a smooth function at x; error of the order 1e-11 of its values."""
    h = 1e-3 * max(1.0, abs(x))
    return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h)


def assert_gradient(f: Callable[[dict[str, Any]], Any], point: dict[str, float], rtol: float = 1e-6) -> None:
    """The gradient of a sum over f equals differences of its plain values, one parameter at a time."""
    point = {name: np.float64(value) for name, value in point.items()}
    got = ad.gradient(lambda p: np.sum(f(p)), point)
    for name, value in point.items():
        expected = central(lambda v, name=name: np.sum(f({**point, name: np.float64(v)})), value)
        np.testing.assert_allclose(got[name], expected, rtol=rtol, atol=1e-7, err_msg=name)


def assert_draws(law: laws.Distribution, n: int = 2000, seed: int = 8) -> None:
    """Draws of whole numbers or of a mixed law have the law's own probabilities, found from its cdf."""
    x = law.sample(np.random.default_rng(seed), n)
    values, counts = np.unique(x, return_counts=True)
    if len(values) > 200:
        assert st.kstest(x, law.cdf).pvalue > FALSE_ALARM
        return
    edges = values[:-1]
    expected = n * np.diff(np.concatenate([[0.0], law.cdf(edges), [1.0]]))
    kept = expected > 3
    counts, expected = np.append(counts[kept], counts[~kept].sum()), np.append(expected[kept], expected[~kept].sum())
    used = expected > 0
    assert counts[~used].sum() == 0
    if used.sum() > 1:
        assert st.chisquare(counts[used], expected[used] * n / expected[used].sum()).pvalue > FALSE_ALARM


def assert_counts(law: laws.Distribution, highest: int, rtol: float = 1e-9) -> None:
    """The probabilities of whole numbers add up to one and to the cdf, and give the mean."""
    k = np.arange(0, highest + 1)
    p = np.exp(law.log_prob(k))
    np.testing.assert_allclose(p.sum(), 1.0, rtol=rtol)
    if law.has_cdf:
        np.testing.assert_allclose(law.cdf(k), np.cumsum(p), rtol=rtol)
        np.testing.assert_allclose(law.sf(k[:6]), [p[j + 1 :].sum() for j in k[:6]], rtol=rtol)
        np.testing.assert_allclose(np.exp(law.log_sf(k[:6])), law.sf(k[:6]), rtol=1e-12)
    np.testing.assert_allclose(law.mean, np.sum(k * p), rtol=rtol)


def mass(law: laws.Distribution, low: float, high: float, points: Any = None) -> float:
    """The integral of a density."""
    f = lambda x: float(np.exp(law.log_prob(x)))
    return quad(f, low, high, epsabs=1e-12, epsrel=1e-11, points=points, limit=200)[0]
