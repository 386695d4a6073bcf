"""Distribution functions that are sums or integrals of a fixed number of terms: accuracy, derivatives, machine code."""

from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy.stats as st

import bayesad.distributions as laws
from bayesad import ad
from tests.distributions.checks import assert_gradient


def skellam_below(x: int, mu1: float, mu2: float) -> Any:
    """P(N1 - N2 <= x) to 25 digits, by the sum over N1."""
    a, b = mp.mpf(mu1), mp.mpf(mu2)

    def term(n: int) -> Any:  # P(N1 = n) P(N2 >= n - x)
        upper_tail = mp.gammainc(n - x, 0, b, regularized=True) if n > x else mp.mpf(1)
        return mp.exp(n * mp.log(a) - a - mp.loggamma(n + 1)) * upper_tail

    centre = max(0, int((x + mp.sqrt(mp.mpf(x) ** 2 + 4 * a * b)) / 2))
    total, k = term(centre), 1
    while True:
        more = term(centre + k) + (term(centre - k) if k <= centre else 0)
        total, k = total + more, k + 1
        if more < total * mp.mpf(10) ** -25:
            return total


@pytest.mark.parametrize(
    ("x", "mu1", "mu2"),
    [(0, 1e-4, 1e-3), (-1, 1e-5, 1e-5), (-40, 0.3, 2.0), (3, 9.0, 7.0), (-300, 40.0, 60.0), (2, 60.0, 1e-3)],
)
def test_tails_of_skellam_equal_sums_of_many_digits(x: int, mu1: float, mu2: float) -> None:
    with mp.workdps(40):
        below = skellam_below(x, mu1, mu2)
        expected = [float(mp.log(below)), float(mp.log(1 - below))]
    law, mirrored = laws.Skellam(mu1, mu2), laws.Skellam(mu2, mu1)
    np.testing.assert_allclose([law.log_cdf(x), law.log_sf(x)], expected, rtol=2e-14, atol=2e-15)
    np.testing.assert_allclose([mirrored.log_sf(-x - 1), mirrored.log_cdf(-x - 1)], expected, rtol=2e-14, atol=2e-15)


def test_cdf_of_skellam_at_huge_means_is_that_of_a_normal_law_and_its_steps_are_probabilities() -> None:
    law, z = laws.Skellam(3e9, 2e9), np.array([-9.0, -1.0, 0.0, 1.0, 9.0])
    k = np.round(1e9 + z * np.sqrt(5e9))
    np.testing.assert_allclose(law.cdf(k) - law.cdf(k - 1), np.exp(law.log_prob(k)), rtol=2e-6, atol=1e-15)
    np.testing.assert_allclose(law.cdf(k), st.norm.cdf((k + 0.5 - 1e9) / np.sqrt(5e9)), rtol=1e-3)


@pytest.mark.parametrize("alpha", [0.07, 0.4, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("beta", [0.2, 7.0, 3e3])
def test_upper_tail_of_beta_negative_binomial_equals_its_closed_form_for_one_success(alpha: float, beta: float) -> None:
    x = np.array([0.0, 1.0, 20.0, 45.0, 200.0, 1e4, 1e9])
    with mp.workdps(320):
        exact = [mp.beta(alpha, mp.mpf(beta) + v + 1) / mp.beta(alpha, beta) for v in x.tolist()]
        above, below = [float(mp.log(p)) for p in exact], [float(mp.log(1 - p)) for p in exact]
    law = laws.BetaNegativeBinomial(1.0, alpha, beta)
    np.testing.assert_allclose(law.log_sf(x), above, rtol=1e-11)
    np.testing.assert_allclose(law.log_cdf(x), below, rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(laws.BetaNegativeBinomial(beta, alpha, 1.0).log_sf(x), above, rtol=1e-11)  # symmetric


@pytest.mark.parametrize(
    ("x", "r", "alpha", "beta"),
    [(30, 20.0, 3.0, 90.0), (130, 52.0, 0.8, 51.0), (600, 77.0, 2.0, 251.0), (1000, 4e3, 5e3, 2e3), (0, 0.9, 2.0, 1e6)],
)
def test_lower_tail_of_beta_negative_binomial_equals_a_sum(x: int, r: float, alpha: float, beta: float) -> None:
    with mp.workdps(30):
        r_, a, b = map(mp.mpf, (r, alpha, beta))
        term = mp.exp(mp.loggamma(a + r_) + mp.loggamma(a + b) - mp.loggamma(a) - mp.loggamma(a + b + r_))
        total = term
        for k in range(x):
            term *= (r_ + k) * (b + k) / ((k + 1) * (a + b + r_ + k))
            total += term
        expected = float(mp.log(total))
    np.testing.assert_allclose(laws.BetaNegativeBinomial(r, alpha, beta).log_cdf(x), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("mu", "kappa", "x"),
    [(2.5, 3.0, -3.0), (2.5, 3.0, -0.5), (2.5, 3.0, 3.1), (-3.1, 0.2, 2.0), (7.0, 40.0, -1.0), (0.5, 0.0, 1.0)],
)
def test_distribution_function_of_von_mises_equals_an_integral_on_the_circle(mu: float, kappa: float, x: float) -> None:
    with mp.workdps(25):
        density = lambda t: mp.exp(kappa * (mp.cos(t - mu) - 1))
        valley = mp.mpf(mu) - mp.pi * (1 if mu > 0 else -1)
        mode, size = mp.mpf(mu) - 2 * mp.pi * round(mu / (2 * np.pi)), 1 / mp.sqrt(kappa + 1)
        inner = [valley, mode, *[mode + s * size for s in (-8, -3, 3, 8)]]
        inner += [x + s for s in (-1.0, -0.4, -0.15, -0.05, 0.05, 0.2, 0.5)]
        parts = [mp.quad(density, [a, *sorted(p for p in inner if a < p < b), b]) for a, b in ((-mp.pi, x), (x, mp.pi))]
        expected = [float(mp.log(part / sum(parts))) for part in parts]
    law = laws.VonMises(mu, kappa)
    np.testing.assert_allclose([law.log_cdf(x), law.log_sf(x)], expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("mu", [0.0, 0.3, -1.0])
def test_distribution_function_of_von_mises_moves_by_the_density_where_its_parts_change(
    mu: float,
) -> None:
    ends = [mu - np.pi, mu + np.pi]
    x = np.array([mu, *[end for end in ends if -np.pi < end < np.pi], 0.0, -0.2])
    for kappa in (1.5, 30.0):
        density = st.vonmises(kappa, loc=mu).pdf
        found = ad.jacobian(lambda m, kappa=kappa: laws.VonMises(m, kappa).cdf(x), mu)
        np.testing.assert_allclose(found, density(-np.pi) - density(x), rtol=1e-10, atol=1e-12)


def test_com_poisson_has_the_tails_of_the_poisson_law_for_nu_of_one_and_of_its_own_probabilities() -> None:
    rate, x = np.array([[0.02], [4.0], [700.0]]), np.array([0.0, 1.0, 6.0, 60.0, 690.0, 900.0])
    law, twin = laws.COMPoisson(rate, 1.0), st.poisson(rate)
    np.testing.assert_allclose(law.log_cdf(x), twin.logcdf(x), rtol=1e-11, atol=1e-15)
    finite = np.isfinite(twin.logsf(x))
    np.testing.assert_allclose(law.log_sf(x)[finite], twin.logsf(x)[finite], rtol=1e-11, atol=1e-15)
    law, k = laws.COMPoisson(3.0, 0.3), np.arange(4000.0)
    p = np.exp(law.log_prob(k))
    np.testing.assert_allclose(law.cdf(k[:200]), np.cumsum(p)[:200], rtol=1e-12)
    np.testing.assert_allclose(law.sf(k[:200]), np.cumsum(p[::-1])[::-1][1:201], rtol=1e-11)


def test_second_derivatives_of_com_poisson_are_covariances_of_its_sufficient_statistics() -> None:
    at = {"log_rate": np.float64(1.4), "nu": np.float64(0.8)}
    law, k = laws.COMPoisson(np.exp(at["log_rate"]), at["nu"]), np.arange(200.0)
    statistics = np.array([k, -np.array([float(mp.loggamma(v + 1)) for v in k])])

    def covariance(some: Any) -> Any:
        weights = np.exp(law.log_prob(k)) * some
        return np.cov(statistics, aweights=weights, ddof=0)

    def hessian(f: Any) -> Any:
        found = ad.hessian(lambda p: f(laws.COMPoisson(np.exp(p["log_rate"]), p["nu"])), at)
        return [[float(found[a][b]) for b in at] for a in at]

    np.testing.assert_allclose(hessian(lambda d: d.log_prob(3.0)), -covariance(k >= 0), rtol=1e-11)
    np.testing.assert_allclose(
        hessian(lambda d: d.log_cdf(3.0) - d.log_prob(1.0)), covariance(k <= 3), rtol=1e-10, atol=1e-12
    )
    np.testing.assert_allclose(hessian(lambda d: d.log_sf(6.0) - d.log_prob(1.0)), covariance(k > 6), rtol=1e-9)


SAMPLES = {  # law -> parameters, and values in its bulk and its tails
    laws.VonMises: ({"mu": 2.0, "kappa": 1.7}, [-3.0, -1.5, 0.3, 2.2, 3.0]),
    laws.Skellam: ({"mu1": 2.0, "mu2": 3.5}, [-30.0, -3.0, -1.0, 4.0, 25.0]),
    laws.COMPoisson: ({"lambda_": 3.5, "nu": 1.3}, [0.0, 1.0, 3.0, 9.0, 25.0]),
    laws.BetaNegativeBinomial: ({"r": 2.5, "alpha": 3.0, "beta": 4.0}, [0.0, 3.0, 20.0, 900.0]),
}


@pytest.mark.parametrize("law", list(SAMPLES), ids=lambda law: law.__name__)
def test_gradients_of_tails_equal_differences(law: Any) -> None:
    parameters, values = SAMPLES[law]
    for value in values:
        assert_gradient(lambda p, value=value: law(**p).log_cdf(value), parameters)
        assert_gradient(lambda p, value=value: law(**p).log_sf(value), parameters)
    if law is laws.VonMises:
        assert_gradient(lambda p: law(**parameters).log_cdf(p["x"]), {"x": 0.4})


def test_machine_code_of_the_tails_equals_the_interpreter() -> None:
    given = np.array([v for parameters, _ in SAMPLES.values() for v in parameters.values()])

    def log_density(q: Any) -> Any:
        total, start = 0.0, 0
        for law, (parameters, values) in SAMPLES.items():
            d = law(*[q[start + i] for i in range(len(parameters))])
            start += len(parameters)
            total = total + np.sum(d.log_cdf(values)) + np.sum(d.log_sf(values))
        return total

    value, gradient = ad.value_and_gradient(log_density, given)
    native_value, native_gradient = ad.compile(log_density).log_density(given).at(given)
    np.testing.assert_allclose(native_value, value, rtol=1e-13)
    np.testing.assert_allclose(native_gradient, gradient, rtol=1e-10)


def test_second_derivatives_of_tails_equal_differences_of_first() -> None:
    at = {"mu1": np.float64(2.0), "mu2": np.float64(3.5)}

    def slopes(p: Any) -> Any:
        return ad.gradient(lambda p: laws.Skellam(**p).log_cdf(-3.0) + laws.Skellam(**p).log_sf(1.0), p)

    for name in at:
        assert_gradient(lambda p, name=name: slopes(p)[name], at)
