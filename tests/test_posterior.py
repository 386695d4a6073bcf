"""Posterior: densities and gradients against scipy.stats and differences, flat vectors, values."""

import math

import numpy as np
import pytest
from scipy import special, stats

import bayesad as ba
from bayesad import ad
from bayesad.errors import ModelError
from bayesad.structure import DEPENDENT

SCHOOLS = {"y": [28, 8, -3, 7, -1, 1, 18, 12], "sigma": [15, 10, 16, 11, 9, 11, 10, 18]}


@ba.model
def eight_schools(y, sigma):
    mu = ba.sample("mu", ba.Normal(0, 5))
    tau = ba.sample("tau", ba.HalfCauchy(5))
    z = ba.sample("z", ba.Normal(0, 1), dims="school")
    theta = ba.deterministic("theta", mu + tau * z, dims="school")
    ba.sample("y", ba.Normal(theta, sigma), obs=y)


@ba.model
def linear_regression(x, y, prior_alpha, prior_beta, prior_sigma):
    alpha = ba.sample("alpha", prior_alpha)
    beta = ba.sample("beta", prior_beta)
    sigma = ba.sample("sigma", prior_sigma)
    ba.sample("y", ba.Normal(alpha + beta * x, sigma), obs=y)


@ba.model
def everything(n, y, w):
    """Each kind of support, bounds that depend on parameters, a factor and missing entries."""
    a = ba.sample("a", ba.Normal(0, 2))
    b = ba.sample("b", ba.Uniform(a, a + 3))
    s = ba.sample("s", ba.Exponential(0.5), shape=2)
    below = ba.sample("below", ba.Flat(upper=1.0))
    p = ba.sample("p", ba.Dirichlet([1.5, 2.0, 3.0]))
    cuts = ba.sample("cuts", ba.ordered(ba.Normal(0, 3)), shape=3)
    rates = ba.sample("rates", ba.ordered(ba.Gamma(2.0, 1.0), positive=True), shape=2)
    chol = ba.sample("chol", ba.LKJCholesky(3, 2.0))
    ba.deterministic("correlation", chol @ chol.T)
    ba.factor("link", -0.5 * (cuts[0] - b) ** 2 - np.exp(below))
    ba.sample("n", ba.Categorical(p), obs=n)
    x = ba.sample("x", ba.MvNormal(np.zeros(3), chol=s[0] * chol), obs=w)
    ba.sample("y", ba.Normal(a + rates[0] * x[1] + s[1] * cuts, s[1] + rates[1]), obs=y)


EVERYTHING = {"n": [0, 2, 1, 1], "y": [0.3, np.nan, -0.7], "w": [0.2, -0.1, np.nan]}


def eight_schools_log_density(p):
    theta = p["mu"] + p["tau"] * np.asarray(p["z"])
    return (
        stats.norm(0, 5).logpdf(p["mu"])
        + stats.halfcauchy(0, 5).logpdf(p["tau"])
        + stats.norm.logpdf(p["z"]).sum()
        + stats.norm(theta, SCHOOLS["sigma"]).logpdf(SCHOOLS["y"]).sum()
    )


def everything_log_density(p):
    s, rates, chol, cuts = p["s"], p["rates"], p["chol"], p["cuts"]
    y = np.array([0.3, p["y_missing"][0], -0.7])
    x = np.array([0.2, -0.1, p["x_missing"][0]])
    k, eta = 3, 2.0
    # Lewandowski, Kurowicka & Joe (2009), eq. 16, for the density of the correlation matrix
    beta = [eta + (k - 1 - j) / 2 for j in range(1, k)]
    volume = sum(
        (2 * eta - 2 + k - j) * (k - j) * math.log(2) + (k - j) * special.betaln(b, b)
        for j, b in zip(range(1, k), beta, strict=True)
    )
    diagonal = np.diagonal(chol)
    lkj = sum((k - i + 2 * eta - 2) * np.log(diagonal[i - 1]) for i in range(2, k + 1)) - volume
    return (
        stats.norm(0, 2).logpdf(p["a"])
        + stats.uniform(p["a"], 3).logpdf(p["b"])
        + stats.expon(scale=2).logpdf(s).sum()
        + stats.dirichlet.logpdf(p["p"], [1.5, 2.0, 3.0])
        + stats.norm(0, 3).logpdf(cuts).sum()
        + stats.gamma(2.0).logpdf(rates).sum()
        + lkj
        - 0.5 * (cuts[0] - p["b"]) ** 2
        - np.exp(p["below"])
        + np.log(np.asarray(p["p"])[EVERYTHING["n"]]).sum()
        + stats.multivariate_normal(np.zeros(3), s[0] ** 2 * chol @ chol.T).logpdf(x)
        + stats.norm(p["a"] + rates[0] * x[1] + s[1] * cuts, s[1] + rates[1]).logpdf(y).sum()
    )


@pytest.fixture(scope="module")
def schools():
    return eight_schools.with_coords(school=8)(**SCHOOLS)


@pytest.fixture(scope="module")
def rich():
    return everything(**EVERYTHING)


def points(posterior, count=4, seed=1):
    rng = np.random.default_rng(seed)
    return [posterior.unconstrained.unpack(rng.normal(size=posterior.unconstrained.dimension)) for _ in range(count)]


def difference(f, x, step=1e-6):
    """Central differences of a scalar function of an array."""
    x = np.asarray(x, dtype=float)
    found = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        shift = np.zeros(x.shape)
        shift[i] = step
        found[i] = (f(x + shift) - f(x - shift)) / (2 * step)
    return found


# --- densities
def test_neg_log_posterior_is_the_sum_of_scipys_densities(schools):
    for p in points(schools):
        assert schools.neg_log_posterior(p) == pytest.approx(-eight_schools_log_density(p), rel=1e-13)


def test_every_constant_is_in_the_density_of_every_kind_of_parameter(rich):
    for p in points(rich):
        assert rich.neg_log_posterior(p) == pytest.approx(-everything_log_density(p), rel=1e-11)


def test_gradient_agrees_with_differences_of_an_independent_density(schools):
    for p in points(schools, 2):
        found = schools.gradient(p)
        assert list(found) == ["mu", "tau", "z"]
        for name in p:
            expected = difference(lambda x, p=p, name=name: -eight_schools_log_density({**p, name: x}), p[name])
            np.testing.assert_allclose(found[name], expected, rtol=1e-6, atol=1e-7)
            assert isinstance(found[name], np.ndarray)
            assert found[name].shape == np.shape(p[name])


def test_gradient_of_unconstrained_numbers_beside_constrained_vectors(rich):
    p = points(rich, 1)[0]
    found = rich.gradient(p)
    for name in ("a", "b", "s", "below", "cuts", "rates", "y_missing", "x_missing"):
        expected = difference(lambda x, name=name: -everything_log_density({**p, name: x}), p[name])
        np.testing.assert_allclose(found[name], expected, rtol=1e-6, atol=1e-6)


def test_entries_of_a_simplex_count_as_free_in_the_gradient(rich):
    p = points(rich, 1)[0]
    counts = np.bincount(EVERYTHING["n"], minlength=3)
    expected = -(np.array([0.5, 1.0, 2.0]) + counts) / p["p"]
    np.testing.assert_allclose(rich.gradient(p)["p"], expected, rtol=1e-12)


def test_upper_triangle_of_a_cholesky_factor_has_derivative_zero(rich):
    """Also where the model uses the whole matrix; the lower triangle agrees with differences along it."""
    p = points(rich, 1)[0]
    found = rich.gradient(p)["chol"]
    assert np.all(found[np.triu_indices(3, 1)] == 0.0)

    @ba.model
    def m():
        chol = ba.sample("chol", ba.LKJCholesky(2, 1.0))
        ba.factor("all", np.sum(chol * np.array([[1.0, 10.0], [2.0, 3.0]])))

    chol = np.array([[1.0, 0.0], [0.6, 0.8]])
    np.testing.assert_allclose(m().gradient({"chol": chol})["chol"], -np.array([[1.0, 0.0], [2.0, 3.0]]), rtol=1e-12)


def test_the_essays_linear_regression():
    """y = 1/2 − x/2 + 2·noise, priors as arguments, initial values from the priors, a gradient by name."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=20)
    y = 0.5 - 0.5 * x + 2.0 * rng.normal(size=20)
    posterior = linear_regression(x, y, ba.Normal(0, 1), ba.Normal(0, 1), ba.HalfNormal(2.0))

    def log_density(p):
        prior = (
            stats.norm.logpdf(p["alpha"]) + stats.norm.logpdf(p["beta"]) + stats.halfnorm(scale=2).logpdf(p["sigma"])
        )
        return prior + stats.norm(p["alpha"] + p["beta"] * x, p["sigma"]).logpdf(y).sum()

    start = posterior.unconstrained.unpack(posterior.initial(rng, "prior"))
    assert list(start) == ["alpha", "beta", "sigma"]
    assert posterior.neg_log_posterior(start) == pytest.approx(-log_density(start), rel=1e-13)
    gradient = posterior.gradient(start)
    for name in start:
        expected = difference(lambda v, name=name: -log_density({**start, name: v}), start[name])
        assert gradient[name] == pytest.approx(float(expected), rel=1e-6)


def test_points_may_be_numbers_lists_or_arrays(schools):
    as_lists = {"z": [0.1] * 8, "tau": 2, "mu": np.float64(1.0)}
    as_arrays = {"mu": np.array(1.0), "tau": np.array(2.0), "z": np.full(8, 0.1)}
    assert schools.neg_log_posterior(as_lists) == schools.neg_log_posterior(as_arrays)
    assert isinstance(schools.neg_log_posterior(as_lists), float)
    np.testing.assert_array_equal(schools.gradient(as_lists)["z"], schools.gradient(as_arrays)["z"])


def test_terms_add_up_to_the_density(rich):
    p = points(rich, 1)[0]
    terms = rich.log_density_terms(p)
    assert list(terms) == ["a", "b", "s", "below", "p", "cuts", "rates", "chol", "link", "n", "x", "y"]
    assert sum(terms.values()) == pytest.approx(-rich.neg_log_posterior(p), rel=1e-13)
    assert terms["link"] == pytest.approx(-0.5 * (p["cuts"][0] - p["b"]) ** 2 - math.exp(p["below"]), rel=1e-13)


# --- outside the support
OUTSIDE = [
    ("s", [1.0, -1.0]),
    ("b", 100.0),  # its upper bound depends on a
    ("below", 2.0),
    ("p", [0.5, 0.5, 0.1]),
    ("p", [1.2, -0.3, 0.1]),
    ("cuts", [2.0, 1.0, 3.0]),
    ("rates", [-1.0, 1.0]),
    ("chol", np.eye(3) * 1.1),
    ("chol", [[1.0, 0.0, 0.5], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    ("a", np.nan),
]


@pytest.mark.parametrize(("name", "value"), OUTSIDE)
def test_outside_the_support_the_density_is_inf_and_flat(rich, name, value):
    p = {**points(rich, 1)[0], name: value}
    assert rich.neg_log_posterior(p) == math.inf
    for g in rich.gradient(p).values():
        np.testing.assert_array_equal(g, 0.0)


def test_constraints_hold_within_1e_8(rich):
    p = points(rich, 1)[0]
    for scale, inside in ((1e-9, True), (1e-6, False)):
        moved = {**p, "p": p["p"] + np.array([scale, 0.0, 0.0])}
        assert np.isfinite(rich.neg_log_posterior(moved)) == inside
        moved = {**p, "chol": p["chol"] + scale * np.eye(3)}
        assert np.isfinite(rich.neg_log_posterior(moved)) == inside


def test_missing_additional_and_misshapen_values_are_errors(schools):
    good = {"mu": 1.0, "tau": 1.0, "z": np.zeros(8)}
    cases = [
        ({"mu": 1.0, "tau": 1.0}, ["'eight_schools'", "lacks 'z'"]),
        ({**good, "theta": 1.0}, ["'eight_schools'", "unknown 'theta'"]),
        ({"mu": 1.0, "tua": 1.0, "z": np.zeros(8)}, ["lacks 'tau'", "'tua'", "did you mean 'tau'?"]),
        ({**good, "z": np.zeros(7)}, ["'z'", "(7,)", "(8,)"]),
        ({**good, "mu": [1.0]}, ["'mu'", "(1,)", "()"]),
        ({**good, "mu": "one"}, ["'mu'", "no array of numbers"]),
    ]
    for params, words in cases:
        for method in (schools.neg_log_posterior, schools.gradient, schools.unconstrained.pack):
            with pytest.raises(ModelError) as caught:
                method(params)
            for word in words:
                assert word in str(caught.value)


# --- what it tells of itself
def test_parameters_tell_names_shapes_dims_and_supports(schools, rich):
    assert list(schools.parameters) == ["mu", "tau", "z"]
    assert schools.parameters["z"].dims == ("school",)
    assert schools.parameters["tau"].support.lower == 0.0
    assert rich.parameters["b"].support.lower is DEPENDENT
    shown = repr(rich.parameters)
    assert shown.splitlines()[0].split() == ["name", "shape", "dims", "support"]
    for words in (
        "simplex",
        "positive_ordered",
        "cholesky_corr",
        "[depends on parameters, depends on parameters]",
        "[0, inf)",
    ):
        assert words in shown
    assert "school" in repr(schools)


def test_data_and_coordinates_are_at_hand(schools, rich):
    assert schools.coords["school"].tolist() == list(range(8))
    assert schools.dims["theta"] == ("school",)
    assert list(schools.observed_data) == ["y"]
    assert list(schools.constant_data) == ["sigma"]
    assert list(rich.observed_data) == ["n", "x", "y"]
    posterior = linear_regression([0.0], [1.0], *[ba.Normal(0, 1)] * 2, ba.HalfNormal(1.0))
    assert set(posterior.constant_data) == {"x", "prior_alpha", "prior_beta", "prior_sigma"}


def test_observed_data_may_be_computed_from_the_arguments():
    @ba.model
    def m(y):
        ba.sample("log_y", ba.Normal(ba.sample("mu", ba.Normal(0, 1)), 1.0), obs=np.log(y))

    posterior = m(y=[1.0, math.e])
    np.testing.assert_allclose(posterior.observed_data["log_y"], [0.0, 1.0])
    assert list(posterior.constant_data) == ["y"]


# --- the unconstrained vector
def test_dimension_counts_degrees_of_freedom(schools, rich):
    assert schools.unconstrained.dimension == 10
    # a, b, s, below, p (3 entries, 2 free), cuts, rates, chol (3 below the diagonal), two missing entries
    assert rich.unconstrained.dimension == 1 + 1 + 2 + 1 + 2 + 3 + 2 + 3 + 1 + 1


def test_pack_and_unpack_are_inverse(schools, rich):
    rng = np.random.default_rng(2)
    for posterior in (schools, rich):
        q = rng.normal(size=posterior.unconstrained.dimension)
        params = posterior.unconstrained.unpack(q)
        np.testing.assert_allclose(posterior.unconstrained.pack(params), q, rtol=1e-10, atol=1e-12)
        assert {name: np.shape(value) for name, value in params.items()} == {
            name: parameter.shape for name, parameter in posterior.parameters.items()
        }


def test_pack_is_stans_scale(schools):
    params = {"mu": -1.0, "tau": 2.5, "z": np.arange(8.0)}
    np.testing.assert_allclose(schools.unconstrained.pack(params), [-1.0, math.log(2.5), *range(8)], rtol=1e-15)


@pytest.mark.parametrize(("name", "value"), [*OUTSIDE, ("s", [1.0, 0.0])])
def test_values_outside_cannot_be_packed(rich, name, value):
    p = {**points(rich, 1)[0], name: value}
    with pytest.raises(ModelError, match=f"'{name}'"):
        rich.unconstrained.pack(p)


def test_log_density_adds_the_log_jacobian_of_the_transform(rich):
    """log_density(q) = −neg_log_posterior(x(q)) + log |det dx/dq|, the Jacobian by differences of unpack."""
    unconstrained = rich.unconstrained
    q = np.random.default_rng(3).normal(size=unconstrained.dimension)

    def free_entries(q):
        x = unconstrained.unpack(q)
        x["p"] = x["p"][:-1]
        x["chol"] = x["chol"][np.tril_indices(3, -1)]
        return np.concatenate([np.ravel(value) for value in x.values()])

    jacobian = np.stack([(free_entries(q + h) - free_entries(q - h)) / 2e-6 for h in 1e-6 * np.eye(q.size)], axis=-1)
    expected = -rich.neg_log_posterior(unconstrained.unpack(q)) + np.linalg.slogdet(jacobian)[1]
    assert unconstrained.log_density(q) == pytest.approx(expected, abs=1e-6)


def test_gradient_of_the_log_density_agrees_with_differences(schools, rich):
    rng = np.random.default_rng(4)
    for posterior in (schools, rich):
        q = rng.normal(size=posterior.unconstrained.dimension)
        value, gradient = posterior.unconstrained.log_density_and_gradient(q)
        assert value == posterior.unconstrained.log_density(q)
        np.testing.assert_allclose(gradient, difference(posterior.unconstrained.log_density, q), rtol=1e-5, atol=1e-6)
        assert gradient.shape == q.shape


def test_a_vector_of_another_length_is_an_error(schools):
    for q in (np.zeros(9), np.zeros((1, 10)), 0.0):
        with pytest.raises(ModelError, match=r"\(10,\)"):
            schools.unconstrained.log_density(q)


def test_the_density_may_be_differentiated_again(schools):
    """The Hessian by automatic differentiation equals differences of the gradient."""
    params = {"mu": 1.0, "tau": 2.0, "z": np.linspace(-1, 1, 8)}
    q = schools.unconstrained.pack(params)
    hessian = ad.hessian(schools.unconstrained.log_density, q)
    expected = [
        (
            schools.unconstrained.log_density_and_gradient(q + h)[1]
            - schools.unconstrained.log_density_and_gradient(q - h)[1]
        )
        / 2e-6
        for h in 1e-6 * np.eye(10)
    ]
    np.testing.assert_allclose(hessian, expected, rtol=1e-6, atol=1e-6)


# --- values
def test_values_give_parameters_and_deterministics_in_order(schools, rich):
    q = np.random.default_rng(5).normal(size=10)
    values = schools.values(q)
    assert list(values) == ["mu", "tau", "z", "theta"]
    np.testing.assert_allclose(values["theta"], q[0] + np.exp(q[1]) * q[2:], rtol=1e-14)
    assert list(rich.values(np.zeros(rich.unconstrained.dimension))) == [
        "a", "b", "s", "below", "p", "cuts", "rates", "chol", "correlation", "x_missing", "x", "y_missing", "y"
    ]  # fmt: skip


def test_values_of_many_points_keep_chains_and_draws(schools):
    q = np.random.default_rng(6).normal(size=(2, 3, 10))
    values = schools.values(q)
    assert values["mu"].shape == (2, 3)
    assert values["theta"].shape == (2, 3, 8)
    np.testing.assert_allclose(values["theta"][1, 2], schools.values(q[1, 2])["theta"], rtol=1e-14)


def test_quantities_of_data_alone_may_be_recorded():
    @ba.model
    def m(y):
        ba.deterministic("total", y.sum())
        ba.sample("y", ba.Poisson(ba.sample("rate", ba.Gamma(1.0, 1.0))), obs=y)

    assert m(y=[1, 2]).values(np.zeros((4, 1)))["total"].tolist() == [3, 3, 3, 3]
