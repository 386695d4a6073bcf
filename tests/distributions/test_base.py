"""What all laws share: shapes, arguments, errors, immutability, and agreement of the traced with the plain."""

import copy
import importlib
import inspect
import pickle

import numpy as np
import pytest

import bayesad.distributions as laws
from bayesad import ad
from bayesad.distributions.supports import contains
from bayesad.errors import DistributionError


def test_parameters_and_values_broadcast_as_in_numpy() -> None:
    d = laws.Normal(np.zeros((3, 1)), [1.0, 2.0])
    assert d.batch_shape == (3, 2)
    assert d.event_shape == ()
    assert d.log_prob(np.zeros((5, 1, 1))).shape == (5, 3, 2)
    assert d.log_prob(0).shape == (3, 2)
    assert d.cdf(np.zeros(2)).shape == (3, 2)


@pytest.mark.parametrize(
    "d",
    [
        laws.Uniform(0.0, [1.0, 2.0]),
        laws.Flat(lower=[0.0, 1.0]),
        laws.Bernoulli([0.2, 0.5]),
        laws.CategoricalLogit(np.zeros((2, 3))),
        laws.truncated(laws.Normal([0.0, 1.0]), 0.0, 1.0),
    ],
    ids=lambda d: type(d).__name__,
)
def test_log_density_has_the_full_shape_even_if_it_does_not_vary(d: laws.Distribution) -> None:
    x = np.ones((4, 2))
    assert d.log_density(x).shape == (4, 2)
    assert d.log_prob(x).shape == (4, 2)
    assert d.log_prob(1.0).shape == (2,)
    if d.has_cdf:
        assert d.cdf(np.full((4, 2), 0.0)).shape == (4, 2)


@pytest.mark.parametrize("shape", [(), 3, (2, 3)])
def test_samples_have_sample_batch_and_event_shape(shape: int | tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    leading = (3,) if shape == 3 else shape
    assert laws.Normal(np.zeros(4)).sample(rng, shape).shape == (*leading, 4)
    assert laws.Dirichlet(np.ones((2, 5))).sample(rng, shape).shape == (*leading, 2, 5)
    assert laws.MvNormal(0.0, cov=np.eye(3)).sample(rng, shape).shape == (*leading, 3)
    assert laws.LKJCholesky(3, [1.0, 2.0]).sample(rng, shape).shape == (*leading, 2, 3, 3)


def test_draw_fills_a_shape_with_independent_values() -> None:
    x = laws.Normal(np.zeros((1, 2))).draw(np.random.default_rng(0), (500, 2))
    assert x.shape == (500, 2)
    assert np.unique(x).size == 1000
    with pytest.raises(DistributionError, match=r"Normal: cannot draw a value of shape \(3,\).*batch shape \(1, 2\)"):
        laws.Normal(np.zeros((1, 2))).draw(np.random.default_rng(0), (3,))


@pytest.mark.parametrize(
    "d",
    [
        laws.Gamma(1e-3, 1.0),
        laws.InverseGamma(1e-3, 1.0),
        laws.Beta(1e-3, 1e-3),
        laws.LogNormal(0.0, 1e3),
        laws.Weibull(1e-3, 1.0),
        laws.HalfStudentT(1e-3),
        laws.StudentT(1e-3),
        laws.Dirichlet([1e-3, 1e-3]),
        laws.truncated(laws.Beta(1e-3, 1e-3), lower=0.5),
    ],
    ids=lambda d: type(d).__name__,
)
def test_draws_of_extreme_laws_stay_strictly_inside_the_support(d: laws.Distribution) -> None:
    x = d.sample(np.random.default_rng(3), 1000)
    assert contains(d.support, x).all()
    assert np.isfinite(x).all()
    assert (x > (d.support.lower or (0.0 if d.support.kind == "simplex" else -np.inf))).all()
    assert d.support.upper is None or (x < d.support.upper).all()


def test_the_same_generator_state_gives_the_same_sample() -> None:
    d = laws.NegativeBinomial2(3.0, 2.0)
    np.testing.assert_array_equal(d.sample(np.random.default_rng(7), 50), d.sample(np.random.default_rng(7), 50))


def test_log_density_equals_log_prob_inside_the_support() -> None:
    x = np.array([0.5, 3.0])
    d = laws.Gamma(2.0, 1.0)
    np.testing.assert_array_equal(d.log_density(x), d.log_prob(x))


def test_not_a_number_stays_not_a_number() -> None:
    for d in (laws.Normal(), laws.Gamma(2.0, 1.0), laws.Beta(2.0, 1.0), laws.Uniform(0.0, 1.0)):
        x = d.log_prob([np.nan, 0.5])
        assert np.isnan(x[0]) == (not isinstance(d, laws.Uniform))
        assert np.isfinite(x[1])


def test_whole_numbers_are_taken_in_every_form() -> None:
    d = laws.Poisson(3.0)
    expected = d.log_prob(4.0)
    for x in (4, np.int8(4), np.uint8(4), np.array(4), np.float64(4.0), np.array([4]), [4], True + 3):
        np.testing.assert_array_equal(d.log_prob(x), np.broadcast_to(expected, np.shape(x)))
    assert laws.Poisson(300.0).log_prob(np.uint8(255)) == laws.Poisson(300.0).log_prob(255.0)
    assert laws.Bernoulli(0.25).log_prob(True) == np.log(0.25)


def test_integer_parameters_are_numbers_like_any_other() -> None:
    assert laws.Normal(0, 5).log_prob(1) == laws.Normal(0.0, 5.0).log_prob(1.0)
    assert laws.StudentT(3, 10**12, 2).log_prob(0) == laws.StudentT(3.0, 1e12, 2.0).log_prob(0.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: laws.Normal(0.0, -1.0), r"Normal: sigma must be positive; got -1\.0\."),
        (lambda: laws.Normal(0.0, [1, 2, 3, -1.0]), r"Normal: sigma must be positive; got -1\.0 \(at index \[3\]\)\."),
        (lambda: laws.Normal(np.nan, 1.0), r"Normal: mu must be finite; got nan\."),
        (lambda: laws.Gamma([[1.0], [0.0]], 1.0), r"Gamma: alpha must be positive; got 0\.0 \(at index \[1, 0\]\)\."),
        (lambda: laws.Exponential(np.inf), r"Exponential: beta must be finite; got inf\."),
        (lambda: laws.Poisson(-0.5), r"Poisson: lambda_ must be non-negative; got -0\.5\."),
        (lambda: laws.Bernoulli(1.5), r"Bernoulli: theta must be between 0 and 1; got 1\.5\."),
        (lambda: laws.Binomial(2.5, 0.5), r"Binomial: n must be a whole number; got 2\.5\."),
        (lambda: laws.Binomial([-1, 2], 0.5), r"Binomial: n must be non-negative; got -1\.0 \(at index \[0\]\)\."),
        (
            lambda: laws.Uniform([0, 3], [1, 2]),
            r"Uniform: lower must be below upper; got lower 3\.0 and upper 2\.0 \(at",
        ),
        (lambda: laws.Flat(2.0, 1.0), r"Flat: lower must be below upper"),
        (lambda: laws.Flat(np.inf), r"Flat: lower must be finite; got inf"),
        (lambda: laws.Categorical([0.3, 0.3]), r"Categorical: theta must be a simplex .*; got \[0\.3, 0\.3\]\."),
        (lambda: laws.Categorical([[0.5, 0.5], [0.3, 0.3]]), r"got \[0\.3, 0\.3\] \(at index \[1\]\)\."),
        (lambda: laws.Categorical(0.5), r"Categorical: theta must be a vector.*; got shape \(\)"),
        (lambda: laws.Dirichlet([1.0, -1.0]), r"Dirichlet: alpha must be positive; got -1\.0 \(at index \[1\]\)"),
        (lambda: laws.Normal("zero"), r"Normal: mu must be a number or an array of numbers; got 'zero'"),
        (lambda: laws.Normal(1j), r"Normal: mu must be a number"),
        (lambda: laws.Normal(None), r"Normal: mu must be a number or an array of numbers; got None"),
        (
            lambda: laws.Normal(np.zeros(3), np.ones((2, 4))),
            r"Normal: the parameters do not broadcast: mu has shape \(3,\), sigma has shape \(2, 4\)\.",
        ),
        (
            lambda: laws.Normal(np.zeros(3)).log_prob(np.zeros(2)),
            r"Normal: cannot evaluate a value of shape \(2,\); the parameters have batch shape \(3,\)\.",
        ),
        (
            lambda: laws.Dirichlet(np.ones((2, 3))).log_prob(np.ones(4) / 4),
            r"Dirichlet: .* shape \(4,\); .* batch shape \(2,\) and event shape \(3,\)\.",
        ),
        (lambda: laws.Flat().sample(np.random.default_rng(0)), "Flat is improper"),
        (lambda: laws.Normal().sample(3), r"Normal: draws need a random generator, such as .*; got 3\."),
        (lambda: laws.Flat().cdf(0.0), "Flat has no cumulative distribution function"),
    ],
)
def test_errors_name_law_parameter_value_and_place(make: object, message: str) -> None:
    with pytest.raises(DistributionError, match=message):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: laws.Gamma(1.0), r"Gamma\(alpha, beta\): missing a required argument: 'beta'"),
        (lambda: laws.Normal(scale=2.0), r"Normal\(mu=0.0, sigma=1.0\): got an unexpected keyword argument 'scale'"),
        (lambda: laws.Exponential(1, 2), r"Exponential\(beta\): too many positional arguments"),
        (lambda: laws.Normal(0.0, mu=1.0), r"Normal\(.*\): multiple values for argument 'mu'"),
    ],
)
def test_wrong_arguments_are_type_errors_that_show_the_signature(make: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make()  # type: ignore[operator]


def test_traced_parameters_outside_their_domain_are_not_errors() -> None:
    value, gradient = ad.value_and_gradient(
        lambda p: np.sum(laws.Normal(0.0, p["sigma"]).log_prob(1.0)), {"sigma": np.float64(-1.0)}
    )
    assert np.isnan(value)
    assert gradient["sigma"].shape == ()


def test_laws_are_immutable_and_show_their_parameters() -> None:
    d = laws.Normal(0, [1.0, 2.0])
    with pytest.raises(AttributeError):
        d.mu = 3.0  # type: ignore[misc]
    assert repr(d) == "Normal(mu=0.0, sigma=[1., 2.])"
    assert repr(laws.Flat(lower=0)) == "Flat(lower=0.0)"
    assert list(d.parameters) == ["mu", "sigma"]
    assert d.parameters["mu"] == 0.0
    assert len(repr(laws.Normal(np.arange(1000.0)))) < 120
    shown = []
    ad.gradient(lambda x: (shown.append(repr(laws.Normal(x))), x.sum())[1], np.zeros(3))
    assert shown == ["Normal(mu=<traced array of shape (3,)>, sigma=1.0)"]


@pytest.mark.parametrize(
    "d", [laws.Gamma(2.0, 3.0), laws.truncated(laws.Normal(), 1.0), laws.MvNormal(0, cov=np.eye(2))]
)
def test_laws_survive_copying_and_pickling(d: laws.Distribution) -> None:
    for twin in (copy.deepcopy(d), pickle.loads(pickle.dumps(d))):
        assert repr(twin) == repr(d)
        x = d.sample(np.random.default_rng(0))
        np.testing.assert_array_equal(twin.log_prob(x), d.log_prob(x))


def test_writing_into_an_argument_afterwards_does_not_change_the_law() -> None:
    mu = np.zeros(3)
    d = laws.Normal(mu)
    before = d.log_prob(0.0)
    mu += 1.0
    np.testing.assert_array_equal(d.log_prob(0.0), before)


def test_signatures_have_the_names_and_order_of_the_stan_reference() -> None:
    expected = {
        "Normal": "(mu=0.0, sigma=1.0)",
        "HalfNormal": "(sigma=1.0)",
        "LogNormal": "(mu=0.0, sigma=1.0)",
        "StudentT": "(nu, mu=0.0, sigma=1.0)",
        "HalfStudentT": "(nu, sigma=1.0)",
        "Cauchy": "(mu=0.0, sigma=1.0)",
        "HalfCauchy": "(sigma=1.0)",
        "Uniform": "(lower, upper)",
        "Flat": "(lower=None, upper=None)",
        "Exponential": "(beta)",
        "Gamma": "(alpha, beta)",
        "InverseGamma": "(alpha, beta)",
        "Beta": "(alpha, beta)",
        "Laplace": "(mu=0.0, sigma=1.0)",
        "Logistic": "(mu=0.0, sigma=1.0)",
        "Weibull": "(alpha, sigma)",
        "Bernoulli": "(theta)",
        "BernoulliLogit": "(alpha)",
        "Binomial": "(n, theta)",
        "BinomialLogit": "(n, alpha)",
        "Poisson": "(lambda_)",
        "PoissonLog": "(alpha)",
        "NegativeBinomial2": "(mu, phi)",
        "NegativeBinomial2Log": "(eta, phi)",
        "Categorical": "(theta)",
        "CategoricalLogit": "(beta)",
        "MvNormal": "(mu, cov=None, chol=None, precision=None)",
        "Dirichlet": "(alpha)",
        "LKJCholesky": "(K, eta)",
        "DiscreteMarkovChain": "(initial, transition)",
        "HiddenMarkov": "(initial, transition, log_emission)",
        "truncated": "(d, lower=None, upper=None)",
        "restricted": "(d, lower=None, upper=None)",
        "ordered": "(d, positive=False)",
        "censored": "(d, lower=None, upper=None)",
        "interval_censored": "(d)",
        "Mixture": "(weights, components)",
        "zero_inflated": "(d, p)",
        "hurdle": "(d: bayesad.distributions.base.Distribution, p: Any) -> bayesad.distributions.base.Distribution",
        "transformed": "(d, bijection)",
        "OrderedLogistic": "(eta, cutpoints)",
        "OrderedProbit": "(eta, cutpoints)",
    }
    assert {name: str(inspect.signature(getattr(laws, name))) for name in expected} == expected


def test_every_name_is_found_where_the_table_says_and_every_law_of_a_module_is_in_the_table() -> None:
    for module, names in laws._NAMES.items():
        source = importlib.import_module(f"bayesad.distributions.{module}")
        assert set(names) <= set(source.__all__)
        public = {n for n in source.__all__ if getattr(getattr(source, n), "__module__", "") == source.__name__}
        if module not in ("base", "supports"):
            assert public == set(names)
    with pytest.raises(AttributeError, match="has no attribute 'Nomal'"):
        laws.Nomal


def test_means_have_batch_and_event_shape() -> None:
    assert laws.Normal(1.0, np.ones(3)).mean.tolist() == [1.0, 1.0, 1.0]
    assert laws.MvNormal(1.0, cov=np.eye(2)).mean.tolist() == [1.0, 1.0]
    np.testing.assert_allclose(laws.Dirichlet([1.0, 3.0]).mean, [0.25, 0.75])
    np.testing.assert_allclose(laws.Categorical([0.5, 0.2, 0.3]).mean, 0.8)
    np.testing.assert_allclose(laws.CategoricalLogit(np.log([0.5, 0.2, 0.3])).mean, 0.8)
    with pytest.raises(DistributionError, match="LKJCovariance has no closed form of its mean"):
        laws.LKJCovariance(3, 1.0, laws.HalfNormal(1.0)).mean


def test_quantiles_without_closed_form_are_for_plain_numbers() -> None:
    with pytest.raises(DistributionError, match="Poisson: the quantile has no closed form"):
        ad.gradient(lambda rate: laws.Poisson(rate).icdf(0.5), np.float64(3.0))
    with pytest.raises(DistributionError, match="MvNormal has no cumulative distribution function"):
        laws.MvNormal(0.0, cov=np.eye(2)).icdf(0.5)
