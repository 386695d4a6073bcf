"""The Wiener first passage law against its series in many digits, its known mass, and quadrature."""

import mpmath as mp
import numpy as np
import pytest
import scipy.stats as st
from scipy.integrate import quad

from bayesad.distributions import Wiener
from tests.distributions.checks import assert_gradient

CASES = [(1.2, 0.3, 0.5, 0.8), (2.0, 0.1, 0.25, -0.6), (0.8, 0.0, 0.9, 2.5), (3.0, 0.2, 0.5, 0.0)]


def exact(x: float, alpha: float, tau: float, beta: float, delta: float) -> float:
    """The series in images at any time, with enough terms and digits."""
    with mp.workdps(80):
        a, w, v, t = mp.mpf(alpha), 1 - mp.mpf(beta), -mp.mpf(delta), mp.mpf(x) - mp.mpf(tau)
        s = t / a**2
        total = sum((w + 2 * k) * mp.exp(-((w + 2 * k) ** 2) / (2 * s)) for k in range(-60, 61))
        return float(mp.log(total / mp.sqrt(2 * mp.pi * s**3)) - v * a * w - v * v * t / 2 - 2 * mp.log(a))


@pytest.mark.parametrize("p", CASES, ids=str)
def test_density_has_all_digits(p: tuple[float, ...]) -> None:
    x = p[1] + p[0] ** 2 * np.array([1e-3, 0.02, 0.1, 0.3, 0.499, 0.501, 0.8, 2.0, 9.0])
    np.testing.assert_allclose(Wiener(*p).log_prob(x), [exact(v, *p) for v in x], rtol=1e-10)
    assert Wiener(*p).log_prob(p[1]) == -np.inf


@pytest.mark.parametrize("p", CASES, ids=str)
def test_mass_is_the_probability_of_the_upper_boundary_and_draws_follow(p: tuple[float, ...]) -> None:
    alpha, tau, beta, delta = p
    law = Wiener(*p)
    known = beta if delta == 0 else np.expm1(-2 * delta * alpha * beta) / np.expm1(-2 * delta * alpha)

    def reached(t: float) -> float:
        return quad(lambda s: np.exp(law.log_prob(tau + s)), 0.0, t, epsabs=1e-12, limit=200)[0]

    np.testing.assert_allclose(reached(40 * alpha**2), known, rtol=1e-7)
    for t in (0.1, 0.7, 3.0):
        np.testing.assert_allclose(law._reached(np.array(t * alpha**2)), reached(t * alpha**2), rtol=1e-7, atol=1e-12)
    x = law.sample(np.random.default_rng(1), 500)
    assert (x > tau).all()
    assert st.kstest(law._reached(x - tau) / known, "uniform").pvalue > 1e-6


def test_gradients_reach_all_parameters_on_both_sides_of_the_change_of_series() -> None:
    x = np.array([0.35, 0.6, 1.5, 4.0])
    point = {"alpha": 1.2, "tau": 0.2, "beta": 0.45, "delta": 0.8}
    assert_gradient(lambda p: Wiener(p["alpha"], p["tau"], p["beta"], p["delta"]).log_prob(x), point, rtol=1e-6)
    assert Wiener(np.ones((2, 1)), 0.1, [0.4, 0.5, 0.6], 0.0).sample(np.random.default_rng(0), 4).shape == (4, 2, 3)
