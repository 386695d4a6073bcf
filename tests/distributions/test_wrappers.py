"""truncated, restricted and ordered against scipy.stats, 60-digit arithmetic and quadrature."""

from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy.stats as st
from scipy.integrate import quad

import bayesad.distributions as laws
from bayesad import ad
from bayesad.distributions import Support, ordered, restricted, truncated
from bayesad.errors import DistributionError

# Chance that one test of draws fails although the law is right.
FALSE_ALARM = 1e-6


def bounds(support: Support) -> tuple[str, Any, Any]:
    return support.kind, support.lower, support.upper


# --- truncated


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        (-1.0, 2.0),
        (0.5, np.inf),
        (-np.inf, -3.0),
        (8.0, 9.0),
        (-9.0, -8.9),
        (-1e-3, 1e-3),
        (20.0, np.inf),
        (-40.0, 3.0),
    ],
)
def test_truncated_normal_equals_scipy(lower: float, upper: float) -> None:
    mu, sigma = 0.3, 1.7
    d = truncated(laws.Normal(mu, sigma), mu + sigma * lower, mu + sigma * upper)
    twin = st.truncnorm(lower, upper, mu, sigma)
    x = twin.ppf([0.001, 0.2, 0.5, 0.9, 0.999])
    np.testing.assert_allclose(d.log_prob(x), twin.logpdf(x), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(d.cdf(x), twin.cdf(x), rtol=1e-9)
    np.testing.assert_allclose(d.sf(x), twin.sf(x), rtol=1e-9)
    assert st.kstest(d.sample(np.random.default_rng(1), 2000), twin.cdf).pvalue > FALSE_ALARM


def exact_truncated_normal(x: float, lower: float, upper: float) -> float:
    with mp.workdps(60):
        x, lower, upper = mp.mpf(x), mp.mpf(lower), mp.mpf(upper)
        mass = (mp.erfc(lower / mp.sqrt(2)) - mp.erfc(upper / mp.sqrt(2))) / 2
        return float(-x * x / 2 - mp.log(2 * mp.pi) / 2 - mp.log(mass))


@pytest.mark.parametrize(("lower", "width"), [(5.0, 1.0), (40.0, 0.01), (40.0, 10.0), (300.0, 1.0), (1e4, 1e-3)])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_truncated_normal_keeps_its_digits_far_out(lower: float, width: float, side: float) -> None:
    upper = lower + width
    d = truncated(laws.Normal(), *sorted((side * lower, side * upper)))
    for x in (lower, lower + 0.3 * width, upper):
        expected = exact_truncated_normal(x, lower, upper)
        np.testing.assert_allclose(d.log_prob(side * x), expected, rtol=1e-9, atol=1e-15 * lower**2)
    draws = d.sample(np.random.default_rng(0), 500) * side
    assert ((draws >= lower) & (draws <= upper)).all()
    scaled = -np.expm1(-(draws - lower) * lower) / -np.expm1(-width * lower)  # exponential with rate `lower` there
    if lower >= 300:
        assert st.kstest(scaled, "uniform").pvalue > FALSE_ALARM


@pytest.mark.parametrize(
    ("d", "twin", "x"),
    [
        (truncated(laws.Normal(0, 2), 0.0), laws.HalfNormal(2.0), [0.0, 0.3, 9.0]),
        (truncated(laws.StudentT(3, 0, 2), 0.0), laws.HalfStudentT(3.0, 2.0), [0.0, 0.3, 900.0]),
        (truncated(laws.Cauchy(0, 2), lower=0.0), laws.HalfCauchy(2.0), [0.0, 0.3, 1e9]),
        (truncated(laws.Uniform(0, 4), 1.0, 3.0), laws.Uniform(1.0, 3.0), [1.0, 2.0, 3.0]),
        (truncated(laws.Laplace(), 0.0), laws.Exponential(1.0), [0.0, 3.0, 800.0]),
        (truncated(laws.Normal(0, 2)), laws.Normal(0.0, 2.0), [-3.0, 50.0]),
    ],
    ids=lambda d: repr(d)[:40],
)
def test_truncation_that_gives_a_known_law(d: laws.Distribution, twin: laws.Distribution, x: list[float]) -> None:
    np.testing.assert_allclose(d.log_prob(x), twin.log_prob(x), rtol=1e-13, atol=1e-14)
    assert (d.support.lower, d.support.upper) == (twin.support.lower, twin.support.upper)


def test_exponential_has_no_memory() -> None:
    d = truncated(laws.Exponential(2.0), lower=1e5)
    np.testing.assert_allclose(d.log_prob(1e5 + np.array([0.0, 1.0])), np.log(2.0) - [0.0, 2.0], rtol=1e-9)
    draws = d.sample(np.random.default_rng(0), 2000) - 1e5
    assert st.kstest(draws, st.expon(scale=0.5).cdf).pvalue > FALSE_ALARM


CONTINUOUS = [
    laws.StudentT(3, 0.5, 2.0),
    laws.Cauchy(0.5, 2.0),
    laws.Laplace(0.5, 2.0),
    laws.Logistic(0.5, 2.0),
    laws.Uniform(0.0, 4.0),
    laws.HalfNormal(2.0),
    laws.HalfCauchy(2.0),
    laws.HalfStudentT(3.0, 2.0),
    laws.LogNormal(0.5, 1.0),
    laws.Exponential(0.5),
    laws.Gamma(2.0, 1.0),
    laws.InverseGamma(2.0, 1.0),
    laws.Weibull(1.5, 2.0),
]


@pytest.mark.parametrize("d", CONTINUOUS, ids=lambda d: type(d).__name__)
def test_truncated_densities_integrate_to_one_and_to_the_cdf(d: laws.Distribution) -> None:
    for low, high in ((0.7, 2.5), (0.7, None), (None, 2.5)):
        if low is None and d.support.lower is None:
            continue
        t = truncated(d, low, high)
        start = d.support.lower if low is None else low

        def mass(stop: float, t: laws.Distribution = t, start: float = start) -> float:
            return quad(lambda x: np.exp(t.log_prob(x)), start, stop, epsabs=1e-11, epsrel=1e-11)[0]

        np.testing.assert_allclose(mass(1.9), t.cdf(1.9), rtol=1e-9)
        np.testing.assert_allclose(1.0 - mass(1.9), t.sf(1.9), rtol=1e-8)
        assert t.log_prob(0.6) == -np.inf or low is None
        assert t.log_prob(2.6) == -np.inf or high is None
        uniform = t.cdf(t.sample(np.random.default_rng(3), 1000))
        assert st.kstest(uniform, "uniform").pvalue > FALSE_ALARM


@pytest.mark.parametrize(
    "d",
    [
        laws.Poisson(2.5),
        laws.PoissonLog(0.9),
        laws.Binomial(9, 0.3),
        laws.BinomialLogit(9, -0.8),
        laws.NegativeBinomial2(2.5, 1.3),
        laws.NegativeBinomial2Log(0.9, 1.3),
        laws.Categorical(np.full(8, 0.125)),
    ],
    ids=lambda d: type(d).__name__,
)
def test_truncated_counts_are_conditional_probabilities(d: laws.Distribution) -> None:
    k = np.arange(0, 10)
    p = np.exp(d.log_prob(k))
    for low, high in ((1, 4), (2, None), (None, 3), (0, 7), (0.5, 3.9), (3, 3)):
        inside = (k >= (low if low is not None else 0)) & (k <= (high if high is not None else 1e9))
        total = d.sf(np.ceil(low) - 1 if low is not None else -1) - (d.sf(np.floor(high)) if high is not None else 0.0)
        t = truncated(d, low, high)
        np.testing.assert_allclose(np.exp(t.log_prob(k)), np.where(inside, p / total, 0.0), rtol=1e-11)
        x = t.sample(np.random.default_rng(5), 3000)
        assert x.dtype == np.int64
        counts = np.bincount(x[x < 10], minlength=10)
        assert counts[~inside].sum() == 0
        expected = np.append(3000 * np.where(inside, p / total, 0.0), 0.0)
        expected[-1] = 3000 - expected.sum()
        counts = np.append(counts, 3000 - counts.sum())
        kept = expected > 3
        if kept.sum() > 1:
            merged = np.append(counts[kept], counts[~kept].sum() + 1e-6), np.append(expected[kept], 1e-6)
            merged[1][-1] += expected[~kept].sum()
            assert st.chisquare(merged[0], merged[1] * merged[0].sum() / merged[1].sum()).pvalue > FALSE_ALARM


def test_truncated_broadcasts_parameters_bounds_and_values() -> None:
    lower = np.array([[0.0], [50.0]])
    d = truncated(laws.Normal([0.0, 1.0, 2.0], 1.0), lower)
    assert d.batch_shape == (2, 3)
    x = lower + 0.1
    expected = [
        [truncated(laws.Normal(m, 1.0), low).log_prob(low + 0.1) for m in (0.0, 1.0, 2.0)] for low in (0.0, 50.0)
    ]
    np.testing.assert_allclose(d.log_prob(x), expected, rtol=1e-14)
    assert d.sample(np.random.default_rng(0), 5).shape == (5, 2, 3)


def central(f: Any, x: float) -> float:
    h = 1e-4
    return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h)


@pytest.mark.parametrize(
    ("lower", "upper"), [(-0.5, 1.5), (2.0, 2.5), (-4.0, -3.0), (8.0, 9.0)], ids=["bulk", "right", "left", "far"]
)
@pytest.mark.parametrize(
    "law",
    [laws.Normal, laws.Logistic, laws.Laplace, laws.Cauchy, lambda mu, sigma: laws.StudentT(3.0, mu, sigma)],
    ids=["Normal", "Logistic", "Laplace", "Cauchy", "StudentT"],
)
def test_gradients_of_truncated_reach_parameters_and_bounds(law: Any, lower: float, upper: float) -> None:
    for used in (("lower", "upper"), ("lower",), ("upper",)):
        point = {"mu": 0.2, "sigma": 1.3, "lower": lower, "upper": upper, "x": 0.4 * lower + 0.6 * upper}
        point = {name: np.float64(v) for name, v in point.items() if name in ("mu", "sigma", "x", *used)}

        def log_density(p: Any, used: tuple[str, ...] = used) -> Any:
            return np.sum(truncated(law(p["mu"], p["sigma"]), **{name: p[name] for name in used}).log_prob(p["x"]))

        got = ad.gradient(log_density, point)
        for name, value in point.items():
            expected = central(lambda v, name=name, at=point: log_density({**at, name: v}), value)
            np.testing.assert_allclose(got[name], expected, rtol=1e-6, atol=1e-7, err_msg=f"{name} of {used}")


def test_gradients_of_truncated_counts_reach_parameters() -> None:
    k = np.array([1.0, 3.0, 2.0])
    for make, at in (
        (laws.Poisson, 2.5),
        (lambda p: laws.Binomial([5, 3, 9], p), 0.3),
        (lambda p: laws.NegativeBinomial2(p, 1.3), 2.5),
    ):

        def log_density(p: Any, make: Any = make) -> Any:
            return np.sum(truncated(make(p), lower=1).log_prob(k))

        np.testing.assert_allclose(ad.gradient(log_density, np.float64(at)), central(log_density, at), rtol=1e-7)


def test_gradients_of_truncated_are_finite_at_the_symmetric_bound() -> None:
    def log_density(p: Any) -> Any:
        return np.sum(truncated(laws.StudentT(p["nu"], 0.0, p["sigma"]), lower=0.0).log_prob(1.0))

    def half(p: Any) -> Any:
        return np.sum(laws.HalfStudentT(p["nu"], p["sigma"]).log_prob(1.0))

    point = {"nu": np.float64(3.0), "sigma": np.float64(2.0)}
    got, expected = ad.gradient(log_density, point), ad.gradient(half, point)
    np.testing.assert_allclose([got["nu"], got["sigma"]], [expected["nu"], expected["sigma"]], rtol=1e-9)


def test_probability_that_vanishes_is_an_error_or_minus_infinity() -> None:
    with pytest.raises(DistributionError, match=r"Gamma.*lower=900\.0.*probability between the bounds is 0"):
        truncated(laws.Gamma(2.0, 1.0), lower=900.0)
    value = ad.compile(lambda low: truncated(laws.Gamma(2.0, 1.0), lower=low).log_prob(901.0))(np.float64(900.0))
    assert value == -np.inf


def test_truncation_says_what_is_wrong() -> None:
    for make, message in [
        (
            lambda: truncated(laws.Normal(), 2.0, 1.0),
            r"truncated: lower must be below upper; got lower 2\.0 and upper 1\.0",
        ),
        (lambda: truncated(laws.HalfNormal(), upper=-1.0), r"truncated: lower must be below upper; got lower 0\.0"),
        (lambda: truncated(laws.Poisson(1.0), 2.2, 2.8), r"truncated: lower must be at most upper; got lower 3\.0"),
        (lambda: truncated(laws.Flat()), r"truncated: Flat\(\) has no cumulative distribution function"),
        (lambda: truncated(laws.MvNormal(0.0, cov=np.eye(2))), r"truncated: MvNormal.*has no cumulative"),
        (lambda: truncated(laws.Dirichlet(np.ones(2))), "Dirichlet.*is a law of simplex values"),
        (lambda: truncated(3.0, 0.0), r"truncated: the first argument must be a distribution; got 3\.0"),
        (
            lambda: truncated(laws.Normal(), [0.0, np.nan]),
            r"truncated: lower must be finite; got nan \(at index \[1\]\)",
        ),
        (
            lambda: truncated(laws.Normal(np.zeros(3)), np.zeros(2)),
            r"truncated: the parameters do not broadcast: d has shape \(3,\), lower has shape \(2,\)",
        ),
    ]:
        with pytest.raises(DistributionError, match=message):
            make()


# --- restricted


def test_restricted_keeps_the_density_on_a_smaller_support() -> None:
    d = restricted(laws.Normal(1.0, 2.0), lower=0.0)
    x = np.array([-0.1, 0.0, 0.5, 7.0])
    np.testing.assert_array_equal(d.log_prob(x), np.where(x < 0, -np.inf, st.norm(1, 2).logpdf(x)))
    assert bounds(d.support) == ("real", 0.0, None)
    assert not d.has_cdf
    draws = d.sample(np.random.default_rng(2), 2000)
    assert st.kstest(draws, st.truncnorm(-0.5, np.inf, 1, 2).cdf).pvalue > FALSE_ALARM


def test_restricted_supports_are_intersections() -> None:
    assert bounds(restricted(laws.HalfNormal(), upper=3.0).support) == ("real", 0.0, 3.0)
    assert bounds(restricted(laws.HalfNormal(), -5.0, 3.0).support) == ("real", 0.0, 3.0)
    assert bounds(restricted(laws.Beta(2, 2), 0.1, 7.0).support) == ("real", 0.1, 1.0)
    assert bounds(restricted(laws.Poisson(2.0), 0.5).support) == ("integer", 1.0, None)
    assert bounds(restricted(laws.Normal(), -np.inf, np.inf).support) == ("real", None, None)
    assert restricted(laws.LogNormal(), upper=3.0).log_prob(0.0) == -np.inf
    assert restricted(laws.LogNormal(), lower=1.0).log_prob(1.0) == laws.LogNormal().log_prob(1.0)


def test_restricted_vectors_are_bounded_entry_by_entry() -> None:
    cov = np.array([[1.0, 0.5], [0.5, 1.0]])
    d = restricted(laws.MvNormal(0.0, cov=cov), lower=0.0)
    assert d.event_shape == (2,)
    x = np.array([[0.3, 0.4], [0.3, -0.4]])
    np.testing.assert_array_equal(d.log_prob(x), [laws.MvNormal(0.0, cov=cov).log_prob(x[0]), -np.inf])
    draws = d.sample(np.random.default_rng(0), 2000)
    assert (draws >= 0).all()
    # both are positive with probability 1/4 + arcsin(1/2)/(2 pi) = 1/3; E x1 over that is (1 + 1/2)/(2 sqrt(2 pi))
    mean = 1.5 / (2.0 * np.sqrt(2.0 * np.pi)) * 3.0
    assert abs(draws.mean() - mean) < 5.0 * draws.mean(axis=1).std() / np.sqrt(2000)


def test_restricted_flat_laws_have_bounds_but_no_draws() -> None:
    d = restricted(laws.Flat(), 0.0, 2.0)
    np.testing.assert_array_equal(d.log_prob([-1.0, 1.0]), [-np.inf, 0.0])
    with pytest.raises(DistributionError, match="Flat is improper"):
        d.sample(np.random.default_rng(0))


def test_draws_that_rejection_cannot_find_are_an_error() -> None:
    with pytest.raises(DistributionError, match="rounds of rejection sampling gave no draw"):
        restricted(laws.MvNormal(0.0, cov=np.eye(2)), lower=30.0).sample(np.random.default_rng(0))


# --- ordered


def test_ordered_sums_the_density_over_increasing_vectors() -> None:
    d = ordered(laws.Normal(0.0, 2.0))
    assert (d.batch_shape, d.event_shape, d.support.kind) == ((), (None,), "ordered")
    x = np.array([[-1.0, 0.5, 3.0], [0.5, -1.0, 3.0]])
    np.testing.assert_allclose(d.log_prob(x), [st.norm(0, 2).logpdf(x[0]).sum(), -np.inf])
    assert d.log_prob(np.sort(np.random.default_rng(0).normal(size=(4, 5)))).shape == (4,)


def test_the_last_axis_of_the_parameters_runs_along_the_vector() -> None:
    mu = np.array([[-1.0, 0.0, 1.0], [0.0, 2.0, 4.0]])
    d = ordered(laws.Normal(mu, 1.0))
    assert (d.batch_shape, d.event_shape) == ((2,), (3,))
    x = np.array([-0.5, 0.1, 2.0])
    np.testing.assert_allclose(d.log_prob(x), st.norm(mu, 1).logpdf(x).sum(axis=-1))
    with pytest.raises(DistributionError, match=r"ordered: .*shape \(2,\).*event shape \(3,\)"):
        d.log_prob(np.zeros(2))


@pytest.mark.parametrize(
    ("d", "kind"),
    [
        (ordered(laws.Normal()), "ordered"),
        (ordered(laws.Normal(), positive=True), "positive_ordered"),
        (ordered(laws.HalfNormal()), "positive_ordered"),
        (ordered(restricted(laws.Normal(), lower=0.0)), "positive_ordered"),
        (ordered(laws.Flat()), "ordered"),
    ],
    ids=repr,
)
def test_ordered_support_follows_that_of_the_entries(d: laws.Distribution, kind: str) -> None:
    assert d.support.kind == kind
    np.testing.assert_array_equal(
        np.isfinite(d.log_prob([[0.1, 2.0], [-0.1, 2.0], [2.0, 0.1]])), [True, kind == "ordered", False]
    )


@pytest.mark.parametrize("positive", [False, True])
def test_ordered_draws_are_order_statistics(positive: bool) -> None:
    law = st.halfnorm(0, 2) if positive else st.norm(0, 2)
    equal = ordered(laws.Normal(np.zeros(3), 2.0), positive).sample(np.random.default_rng(6), 2000)
    free = ordered(laws.Normal(0.0, 2.0), positive).draw(np.random.default_rng(7), (2000, 3))
    for x in (equal, free):
        assert (np.diff(x) > 0).all()
        for j, column in enumerate(x.T):
            assert st.kstest(law.cdf(column), st.beta(j + 1, 3 - j).cdf).pvalue > FALSE_ALARM


def test_ordered_draws_of_unequal_entries_have_the_conditional_law() -> None:
    x = ordered(laws.Normal([1.0, 0.0], 1.0)).sample(np.random.default_rng(6), 4000)
    difference = x[:, 1] - x[:, 0]  # normal with mean -1 and variance 2, given that it is positive
    assert st.kstest(difference, st.truncnorm(1 / 2**0.5, np.inf, -1, 2**0.5).cdf).pvalue > FALSE_ALARM
    assert st.kstest(x.sum(axis=1), st.norm(1, 2**0.5).cdf).pvalue > FALSE_ALARM  # independent of the difference


def test_ordered_needs_real_numbers_and_a_length_to_draw() -> None:
    for d in (laws.Beta(1, 1), laws.Poisson(2.0), laws.MvNormal(0.0, cov=np.eye(2)), laws.Flat(lower=1.0)):
        with pytest.raises(
            DistributionError, match="ordered: needs a law of real numbers, unbounded or bounded below by 0"
        ):
            ordered(d)
    with pytest.raises(DistributionError, match="ordered: the first argument must be a distribution; got 'normal'"):
        ordered("normal")
    with pytest.raises(DistributionError, match="does not know how long"):
        ordered(laws.Normal()).sample(np.random.default_rng(0))


def test_gradients_pass_through_wrappers() -> None:
    x = np.array([-0.5, 0.1, 2.0])
    point = {"mu": np.float64(0.3), "x": x}
    got = ad.gradient(lambda p: np.sum(ordered(laws.Normal(p["mu"], 1.0)).log_prob(p["x"])), point)
    np.testing.assert_allclose(got["mu"], np.sum(x - 0.3))
    np.testing.assert_allclose(got["x"], 0.3 - x)
    got = ad.gradient(lambda p: np.sum(restricted(laws.Normal(p["mu"], 1.0), lower=0.0).log_density(p["x"])), point)
    np.testing.assert_allclose(got["x"], 0.3 - x)
    value, got = ad.value_and_gradient(lambda p: np.sum(restricted(laws.Normal(p["mu"]), 0.0).log_prob(p["x"])), point)
    assert value == -np.inf
    np.testing.assert_allclose(got["x"], np.where(x < 0, 0.0, 0.3 - x))


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_draws_of_scalar_wrappers_have_the_sample_shape(shape):
    for law in (truncated(laws.Normal(0, 1), lower=0.5), restricted(laws.Normal(0, 1), lower=0.5)):
        assert np.shape(law.sample(np.random.default_rng(1), shape)) == shape
