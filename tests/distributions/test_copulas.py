"""Copulas against mixed derivatives of their distribution functions, elliptical laws, high precision, and draws."""

from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy.stats as st

import bayesad as ba
from bayesad import ad
from bayesad.distributions import (
    ClaytonCopula,
    Exponential,
    FrankCopula,
    Gamma,
    GaussianCopula,
    GumbelCopula,
    LogNormal,
    MvNormal,
    Normal,
    Poisson,
    StudentT,
    StudentTCopula,
    Uniform,
)
from bayesad.errors import DistributionError

# Chance that one test of draws fails although the law is right.
FALSE_ALARM = 1e-6

RNG = np.random.default_rng(17)
UNIT = [Uniform(0, 1), Uniform(0, 1)]
R2 = np.array([[1.0, 0.6], [0.6, 1.0]])
R3 = np.array([[1.0, 0.5, -0.3], [0.5, 1.0, 0.2], [-0.3, 0.2, 1.0]])


# --- elliptical copulas
def test_normal_marginals_with_a_gaussian_copula_are_multivariate_normal() -> None:
    mu, sd = np.array([1.0, -2.0, 0.5]), np.array([0.5, 2.0, 1.0])
    x = mu + sd * RNG.normal(size=(4, 3)) * 3.0
    expected = st.multivariate_normal(mu, R3 * np.outer(sd, sd)).logpdf(x)
    marginals = [Normal(m, s) for m, s in zip(mu, sd, strict=True)]
    for d in (GaussianCopula(marginals, R3), GaussianCopula(marginals, chol=np.linalg.cholesky(R3))):
        assert (d.batch_shape, d.event_shape) == ((), (3,))
        np.testing.assert_allclose(d.log_prob(x), expected, rtol=1e-12)
    by_scores = GaussianCopula([st.norm(m, s) for m, s in zip(mu, sd, strict=True)], R3)
    np.testing.assert_allclose(by_scores.log_prob(x), expected, rtol=1e-9)
    np.testing.assert_allclose(by_scores.mean, mu)


def test_gaussian_copula_keeps_its_digits_far_in_both_tails() -> None:
    """Log-normal entries: the logarithms are multivariate normal."""
    d = GaussianCopula([LogNormal(0.0, 1.0), LogNormal(1.0, 2.0)], R2)
    z = np.array([[-30.0, -25.0], [30.0, 25.0], [-12.0, 14.0], [0.1, 0.2]])
    x = np.exp(z * [1.0, 2.0] + [0.0, 1.0])
    expected = st.multivariate_normal(np.zeros(2), R2).logpdf(z) - np.log(x).sum(axis=-1) - np.log(2.0)
    np.testing.assert_allclose(d.log_prob(x), expected, rtol=1e-10)


def test_values_outside_a_marginal_support_have_no_density() -> None:
    d = GaussianCopula([Gamma(2.0, 1.0), Normal(0, 1)], R2)
    assert d.log_prob([-1.0, 0.0]) == -np.inf
    assert np.isfinite(d.log_prob([1.0, -5.0]))
    assert d.support.upper is None
    np.testing.assert_array_equal(d.support.lower, [0.0, -np.inf])


@pytest.mark.parametrize("nu", [1.5, 6.0])
def test_t_marginals_with_a_t_copula_are_multivariate_t(nu: float) -> None:
    x = RNG.standard_t(2.0, size=(5, 3)) * 3.0
    x[0] = [1e8, -1e9, 3.0]
    d = StudentTCopula([StudentT(nu)] * 3, nu, R3)
    expected = st.multivariate_t(np.zeros(3), R3, nu).logpdf(x)
    np.testing.assert_allclose(d.log_prob(x), expected, rtol=1e-8)


def test_t_copula_approaches_the_gaussian_one() -> None:
    u = RNG.uniform(0.01, 0.99, (5, 2))
    near = StudentTCopula(UNIT, 1e6, R2).log_prob(u)
    np.testing.assert_allclose(near, GaussianCopula(UNIT, R2).log_prob(u), rtol=1e-4, atol=1e-5)


# --- Archimedean copulas
def clayton(theta: Any) -> Callable[..., Any]:
    return lambda *u: (mp.fsum(v**-theta for v in u) - len(u) + 1) ** (-1 / theta)


def frank(theta: Any) -> Callable[..., Any]:
    return lambda u, v: -mp.log(1 + mp.expm1(-theta * u) * mp.expm1(-theta * v) / mp.expm1(-theta)) / theta


def gumbel(theta: Any) -> Callable[..., Any]:
    return lambda u, v: mp.exp(-(((-mp.log(u)) ** theta + (-mp.log(v)) ** theta) ** (1 / theta)))


FAMILIES: list[tuple[Any, Callable[..., Any], list[float]]] = [
    (ClaytonCopula, clayton, [1e-6, 0.5, 3.0, 20.0]),
    (FrankCopula, frank, [-25.0, -2.0, 1e-4, 5.0, 60.0]),
    (GumbelCopula, gumbel, [1.0, 1.3, 4.0]),
]
CASES = [pytest.param(law, c, theta, id=f"{law.__name__}{theta}") for law, c, all_ in FAMILIES for theta in all_]


@pytest.mark.parametrize(("law", "distribution_function", "theta"), CASES)
def test_density_is_the_mixed_derivative_of_the_distribution_function(
    law: Any, distribution_function: Any, theta: float
) -> None:
    u = [(0.3, 0.6), (0.02, 0.97), (0.5, 0.5), (1e-6, 2e-6), (1 - 1e-6, 1 - 3e-6)]
    with mp.workdps(60):
        C = distribution_function(mp.mpf(theta))
        exact = [float(mp.log(mp.diff(C, (mp.mpf(a), mp.mpf(b)), (1, 1), h=mp.mpf(10) ** -18))) for a, b in u]
    np.testing.assert_allclose(law(UNIT, theta).log_prob(u), exact, rtol=1e-9, atol=1e-9)


def test_clayton_of_more_entries() -> None:
    u, theta = (0.3, 0.6, 0.15), 1.7
    with mp.workdps(60):
        C = clayton(mp.mpf(theta))
        exact = mp.log(mp.diff(C, tuple(map(mp.mpf, u)), (1, 1, 1), h=mp.mpf(10) ** -10))
    assert ClaytonCopula([Uniform(0, 1)] * 3, theta).log_prob(u) == pytest.approx(float(exact), rel=1e-9)


def test_independence_is_among_them() -> None:
    x = np.array([0.7, 2.0])
    marginals = [Exponential(1.0), Gamma(2.0, 1.5)]
    alone = marginals[0].log_prob(0.7) + marginals[1].log_prob(2.0)
    for d in (GumbelCopula(marginals, 1.0), FrankCopula(marginals, 0.0), GaussianCopula(marginals, np.eye(2))):
        assert d.log_prob(x) == pytest.approx(alone, rel=1e-12)


@pytest.mark.parametrize(
    ("law", "theta", "where"), [(ClaytonCopula, 2.0, -1), (GumbelCopula, 2.0, 1), (GumbelCopula, 2.0, -1)]
)
def test_archimedean_copulas_keep_their_digits_far_in_the_tails(law: Any, theta: float, where: int) -> None:
    x = where * np.array([25.0, 28.0])
    with mp.workdps(500):
        u = [mp.ncdf(mp.mpf(v)) for v in x.tolist()]
        if law is ClaytonCopula:
            s = mp.fsum(v**-theta for v in u) - 1
            log_c = mp.log(1 + theta) - (theta + 1) * sum(map(mp.log, u)) - (2 + 1 / mp.mpf(theta)) * mp.log(s)
        else:
            a, b = (-mp.log(v) for v in u)
            A = (a**theta + b**theta) ** (1 / mp.mpf(theta))
            log_c = a + b - A + (theta - 1) * mp.log(a * b) + (1 - 2 * theta) * mp.log(A) + mp.log(A + theta - 1)
        expected = float(log_c + mp.fsum(mp.log(mp.npdf(mp.mpf(v))) for v in x.tolist()))
    assert law([Normal(0, 1), Normal(0, 1)], theta).log_prob(x) == pytest.approx(expected, rel=1e-11)


FAR = [(GaussianCopula, (R2,)), (ClaytonCopula, (2.0,)), (FrankCopula, (2.0,)), (GumbelCopula, (2.0,))]


@pytest.mark.parametrize(("law", "extra"), [*FAR, *[(StudentTCopula, (nu, R2)) for nu in (0.2, 1.0, 4.0, 1e3)]])
def test_densities_and_derivatives_are_finite_where_tails_underflow(law: Any, extra: Any) -> None:
    """A gamma law at 1e4, where its tail is exp(−1e4): a chain that starts there finds its way back."""
    x = np.array([[1e4, 2.0], [1e-200, 1e3], [1e-200, 1e-250]])
    point = (
        {"rate": np.float64(1.0), "first": np.float64(extra[0])} if law is StudentTCopula else {"rate": np.float64(1.0)}
    )

    def log_density(p: Any) -> Any:
        dependence = (p.get("first", extra[0]), *extra[1:])
        return np.sum(law([Gamma(2.0, p["rate"]), Gamma(3.0, p["rate"])], *dependence).log_prob(x))

    value, slope = ad.value_and_gradient(log_density, point)
    assert np.isfinite([value, *slope.values()]).all()
    assert slope["rate"] < -5e3


# --- draws
DRAWN = [
    (GaussianCopula, {"correlation": R2}, 2 / np.pi * np.arcsin(0.6)),
    (StudentTCopula, {"nu": 3.0, "correlation": R2}, 2 / np.pi * np.arcsin(0.6)),
    (ClaytonCopula, {"theta": 2.0}, 0.5),
    (GumbelCopula, {"theta": 2.0}, 0.5),
    (GumbelCopula, {"theta": 1.0}, 0.0),
    (FrankCopula, {"theta": 5.0}, 0.4567009),  # 1 + 4 (D_1(5) − 1)/5, D_1 of Debye
    (FrankCopula, {"theta": -5.0}, -0.4567009),
    (FrankCopula, {"theta": 0.0}, 0.0),
]


@pytest.mark.parametrize(("law", "parameters", "tau"), DRAWN, ids=lambda p: getattr(p, "__name__", None))
def test_draws_have_their_marginals_and_kendalls_tau(law: Any, parameters: Any, tau: float) -> None:
    marginals = [Gamma(2.0, 1.5), Normal(1.0, 2.0)]
    x = law(marginals, **parameters).sample(np.random.default_rng(3), 3000)
    assert st.kstest(x[:, 0], st.gamma(2.0, scale=1 / 1.5).cdf).pvalue > FALSE_ALARM
    assert st.kstest(x[:, 1], st.norm(1.0, 2.0).cdf).pvalue > FALSE_ALARM
    found = st.kendalltau(x[:, 0], x[:, 1]).statistic
    assert abs(found - tau) < 5.0 * np.sqrt(2.0 * (1 - tau**2) / 3000) + 0.01  # above the bound on its standard error


@pytest.mark.parametrize(
    ("law", "parameters"),
    [(ClaytonCopula, {"theta": 2.0}), (GumbelCopula, {"theta": 2.0}), (FrankCopula, {"theta": -4.0})],
)
def test_draws_follow_the_density(law: Any, parameters: Any) -> None:
    """Counts in the cells of a grid against the integral of the density over them."""
    d = law(UNIT, **parameters)
    u = d.sample(np.random.default_rng(4), 5000)
    counts = np.histogram2d(u[:, 0], u[:, 1], bins=4, range=[[0, 1], [0, 1]])[0]
    nodes, weights = np.polynomial.legendre.leggauss(40)
    points, w = (nodes + 1) / 8, weights / 8
    expected = np.zeros((4, 4))
    for i in range(4):
        for j in range(4):
            grid = np.stack(np.meshgrid(points + i / 4, points + j / 4, indexing="ij"), axis=-1)
            expected[i, j] = np.sum(np.exp(d.log_prob(grid)) * np.outer(w, w))
    assert expected.sum() == pytest.approx(1.0, abs=2e-3)
    assert st.chisquare(counts.ravel(), 5000 * (expected / expected.sum()).ravel()).pvalue > FALSE_ALARM


def test_draws_of_three_entries() -> None:
    x = ClaytonCopula([Uniform(0, 1)] * 3, 2.0).sample(np.random.default_rng(5), 2000)
    assert abs(st.kendalltau(x[:, 0], x[:, 2]).statistic - 0.5) < 0.08


# --- batches and gradients
@pytest.mark.parametrize(
    ("law", "names"),
    [
        (GaussianCopula, []),
        (StudentTCopula, ["nu"]),
        (ClaytonCopula, ["theta"]),
        (FrankCopula, ["theta"]),
        (GumbelCopula, ["theta"]),
    ],
)
def test_gradients_reach_marginals_dependence_and_values(
    law: Any, names: list[str], assert_gradient: Callable[..., None]
) -> None:
    elliptical = law in (GaussianCopula, StudentTCopula)
    point = {"mu": np.array([0.3, -0.2, 0.5]), "beta": np.float64(1.5), "x": RNG.gamma(2.0, 1.0, (3, 2))}
    point |= dict.fromkeys(names, np.float64(2.5)) | ({"rho": np.float64(0.4)} if elliptical else {})

    def copula(p: Any) -> Any:
        extra = {name: p[name] for name in names}
        if elliptical:
            extra["chol"] = np.array([[1.0, 0.0], [p["rho"], np.sqrt(1 - p["rho"] ** 2)]])
        return law([Normal(p["mu"], 1.2), Gamma(2.0, p["beta"])], **extra)

    d = copula(point)
    assert (d.batch_shape, d.event_shape) == ((3,), (2,))
    one_by_one = [copula({**point, "mu": m}).log_prob(x) for m, x in zip(point["mu"], point["x"], strict=True)]
    np.testing.assert_allclose(d.log_prob(point["x"]), one_by_one, rtol=1e-12)
    assert_gradient(lambda p: np.sum(copula(p).log_prob(p["x"])), point, 1e-7)


# --- marginals of other libraries
def test_marginals_of_other_libraries_are_laws_like_others() -> None:
    ours = [Gamma(2.0, 1.5), StudentT(4.0, 1.0, 2.0)]
    theirs = [st.gamma(2.0, scale=1 / 1.5), st.t(4.0, 1.0, 2.0)]
    x = np.array([[0.5, -3.0], [2.0, 9.0]])
    for law, extra in ((GaussianCopula, (R2,)), (GumbelCopula, (1.5,)), (StudentTCopula, (4.0, R2))):
        np.testing.assert_allclose(law(theirs, *extra).log_prob(x), law(ours, *extra).log_prob(x), rtol=1e-8)
    drawn = GaussianCopula(theirs, R2).sample(np.random.default_rng(6), 1000)
    assert st.kstest(drawn[:, 1], theirs[1].cdf).pvalue > FALSE_ALARM


def test_unknown_dependence_between_marginals_of_other_libraries() -> None:
    @ba.model
    def tied(y: Any) -> None:
        chol = ba.sample("chol", ba.LKJCholesky(2, 2.0))
        b = ba.sample("b", ba.LogNormal(0, 1))
        ba.sample("y", ba.GaussianCopula([st.gumbel_r(1.0, 2.0), ba.Gamma(2.0, b)], chol=chol), obs=y)

    y = GaussianCopula([st.gumbel_r(1.0, 2.0), Gamma(2.0, 1.0)], R2).sample(np.random.default_rng(7), 60)
    posterior = tied(y=y)
    scores = np.stack([st.norm.ppf(st.gumbel_r(1.0, 2.0).cdf(y[:, 0])), st.norm.ppf(st.gamma(2).cdf(y[:, 1]))], axis=-1)
    expected = (
        st.multivariate_normal(np.zeros(2), R2).logpdf(scores).sum()
        - st.norm.logpdf(scores).sum()
        + st.gumbel_r(1.0, 2.0).logpdf(y[:, 0]).sum()
        + st.gamma(2.0).logpdf(y[:, 1]).sum()
        + st.beta(2.0, 2.0, -1, 2).logpdf(0.6)
        + st.lognorm(1.0).logpdf(1.0)
    )
    found = posterior.neg_log_posterior({"chol": np.linalg.cholesky(R2), "b": 1.0})
    assert found == pytest.approx(-expected, rel=1e-9)
    draws = posterior.sample(chains=1, warmup=150, draws=100, seed=1)
    assert 0.2 < float(draws["posterior"]["chol"].values[..., 1, 0].mean()) < 0.9
    assert posterior.predict(draws, seed=1)["posterior_predictive"]["y"].shape == (1, 100, 60, 2)


# --- errors
def test_what_makes_no_copula_is_an_error() -> None:
    two = [Normal(0, 1), Normal(0, 1)]
    for make, message in [
        (lambda: GaussianCopula([Normal(0, 1)], np.eye(1)), "marginals must be a list of two laws or more"),
        (lambda: GaussianCopula([Normal(0, 1), Poisson(2.0)], R2), "continuous laws of real numbers"),
        (lambda: GaussianCopula([Normal(0, 1), MvNormal(0.0, cov=np.eye(2))], R2), "continuous laws of real numbers"),
        (lambda: GaussianCopula([Normal(0, 1), 3.0], R2), "has no density"),
        (lambda: GaussianCopula(two, R3), r"there are 2 marginals, but the correlation has shape \(3, 3\)"),
        (lambda: GaussianCopula(two, 2.0 * R2), "ones on its diagonal"),
        (lambda: GaussianCopula(two), "give exactly one of correlation and chol"),
        (lambda: FrankCopula([Normal(0, 1)] * 3, 1.0), "of two entries; got 3 marginals"),
        (lambda: GumbelCopula(two, 0.5), r"theta must be at least 1; got 0\.5"),
        (lambda: ClaytonCopula(two, 0.0), "theta must be positive"),
    ]:
        with pytest.raises(DistributionError, match=message):
            make()
