"""Gaussian processes against scikit-learn's and Stan's formulas written out, dense algebra, and Fourier integrals."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats as st

import bayesad as ba
from bayesad import ad, gp
from bayesad.errors import DistributionError

RNG = np.random.default_rng(15)
X = np.sort(RNG.uniform(0, 4, 6))
XY = RNG.normal(size=(5, 2))

# kernel, its covariance of two points written out
KERNELS: list[tuple[Any, Callable[[np.ndarray, np.ndarray], float]]] = [
    (gp.ExpQuad(0.7), lambda x, y: math.exp(-np.sum((x - y) ** 2) / (2 * 0.7**2))),
    (gp.ExpQuad([0.7, 2.0]), lambda x, y: math.exp(-((x[0] - y[0]) ** 2) / 0.98 - (x[1] - y[1]) ** 2 / 8)),
    (gp.ExpQuad(0.7, active_dims=1), lambda x, y: math.exp(-((x[1] - y[1]) ** 2) / 0.98)),
    (gp.Matern12(0.7), lambda x, y: math.exp(-math.dist(x, y) / 0.7)),
    (
        gp.Matern32(0.7),
        lambda x, y: (1 + math.sqrt(3) * math.dist(x, y) / 0.7) * math.exp(-math.sqrt(3) * math.dist(x, y) / 0.7),
    ),
    (
        gp.Matern52([0.7, 0.7]),
        lambda x, y: (
            (1 + math.sqrt(5) * math.dist(x, y) / 0.7 + 5 * math.dist(x, y) ** 2 / (3 * 0.49))
            * math.exp(-math.sqrt(5) * math.dist(x, y) / 0.7)
        ),
    ),
    (gp.RationalQuadratic(0.7, alpha=1.5), lambda x, y: (1 + math.dist(x, y) ** 2 / (3 * 0.49)) ** -1.5),
    (gp.Periodic(1.3, 0.6), lambda x, y: math.exp(-2 * np.sum(np.sin(np.pi * (x - y) / 1.3) ** 2) / 0.36)),
    (gp.Linear(0.5), lambda x, y: float(np.sum((x - 0.5) * (y - 0.5)))),
    (gp.Linear(0.5, active_dims=[0]), lambda x, y: (x[0] - 0.5) * (y[0] - 0.5)),
    (gp.Constant(2.5), lambda x, y: 2.5),
    (2.0 * gp.ExpQuad(0.7) + 0.5, lambda x, y: 2 * math.exp(-np.sum((x - y) ** 2) / 0.98) + 0.5),
    (
        np.float64(3.0) * gp.Matern12(0.7) * gp.Linear() + gp.Periodic(1.3),
        lambda x, y: (
            3 * math.exp(-math.dist(x, y) / 0.7) * float(x @ y)
            + math.exp(-2 * np.sum(np.sin(np.pi * (x - y) / 1.3) ** 2))
        ),
    ),
]


@pytest.mark.parametrize(("kernel", "written_out"), KERNELS, ids=lambda k: type(k).__name__)
def test_covariances_are_those_of_the_formulas(kernel: Any, written_out: Any) -> None:
    others = RNG.normal(size=(3, 2))
    np.testing.assert_allclose(kernel(XY, others), [[written_out(x, y) for y in others] for x in XY], rtol=1e-12)
    own = kernel(XY)
    np.testing.assert_allclose(own, [[written_out(x, y) for y in XY] for x in XY], rtol=1e-12)
    np.testing.assert_allclose(kernel.diagonal(XY), np.diagonal(own), rtol=1e-12)


def test_white_noise_is_of_each_point_its_own() -> None:
    kernel = gp.WhiteNoise(0.3)
    np.testing.assert_allclose(kernel(X), 0.09 * np.eye(6))
    np.testing.assert_array_equal(kernel(X, X), np.zeros((6, 6)))
    np.testing.assert_allclose(kernel.diagonal(X), np.full(6, 0.09))


@pytest.mark.parametrize(
    "make",
    [
        lambda p: p["a"] * gp.ExpQuad(p["b"]) + gp.WhiteNoise(p["c"]),
        lambda p: p["a"] * gp.Matern12(np.stack([p["b"], p["c"]])),
        lambda p: gp.Constant(p["a"]) + gp.Matern32(p["b"]) * p["c"],
        lambda p: gp.Matern52(p["b"]) * gp.RationalQuadratic(p["a"], alpha=p["c"]),
        lambda p: gp.Periodic(p["a"], p["b"]) * gp.Linear(p["c"]),
    ],
)
def test_derivatives_reach_all_hyperparameters(make: Any) -> None:
    weights = RNG.normal(size=(5, 5))
    point = {"a": np.float64(0.8), "b": np.float64(1.2), "c": np.float64(0.4)}
    assert ad.check(lambda p: np.sum(weights * make(p)(XY)), point)


@pytest.mark.parametrize("kernel", [gp.ExpQuad(0.8), gp.Matern12(0.8), gp.Matern32(0.8), gp.Matern52(0.8)], ids=repr)
def test_spectral_densities_are_fourier_transforms(kernel: Any) -> None:
    t = np.linspace(-60, 60, 240_001)
    for omega in (0.0, 0.7, 3.0):
        transform = np.trapezoid(np.cos(omega * t) * kernel(np.zeros(1), t)[0], t)
        assert float(kernel.spectral_density(np.array([omega]))[0]) == pytest.approx(transform, rel=1e-6)
    both = 3.0 * kernel + gp.ExpQuad(2.0)
    expected = 3.0 * kernel.spectral_density(X) + gp.ExpQuad(2.0).spectral_density(X)
    np.testing.assert_allclose(both.spectral_density(X), expected, rtol=1e-14)


def test_spectral_density_in_two_dimensions() -> None:
    """Of a product over columns the product of the columns'; of Matérn, back to the variance by integration."""
    omega = RNG.normal(size=(4, 2))
    apart = gp.ExpQuad(0.7).spectral_density(omega[:, 0]) * gp.ExpQuad(2.0).spectral_density(omega[:, 1])
    np.testing.assert_allclose(gp.ExpQuad([0.7, 2.0]).spectral_density(omega), apart, rtol=1e-13)
    r = np.linspace(0, 400, 400_001)
    density = gp.Matern52(0.5).spectral_density(np.stack([r, 0 * r], axis=1))
    assert np.trapezoid(density * r, r) / (2 * np.pi) == pytest.approx(1.0, rel=1e-6)


# --- the process
@pytest.mark.parametrize(
    "mean", [0.7, np.linspace(0, 1, 6), lambda x: 1.0 + 2.0 * x], ids=["number", "array", "function"]
)
def test_process_is_a_multivariate_normal_law(mean: Any) -> None:
    kernel = 1.5 * gp.Matern52(0.8)
    y = RNG.normal(size=(2, 6))
    d = ba.GaussianProcess(kernel, X, mean, noise=0.3)
    assert (d.batch_shape, d.event_shape) == ((), (6,))
    at = mean(X) if callable(mean) else np.broadcast_to(mean, 6)
    law = st.multivariate_normal(at, kernel(X) + 0.09 * np.eye(6))
    np.testing.assert_allclose(d.log_prob(y), law.logpdf(y), rtol=1e-11)
    whiten = np.linalg.inv(np.linalg.cholesky(law.cov))
    z = (d.sample(np.random.default_rng(1), 3000) - at) @ whiten.T
    assert min(st.kstest(column, "norm").pvalue for column in z.T) > 1e-6


def test_noise_may_differ_between_points() -> None:
    noise = np.linspace(0.1, 0.6, 6)
    law = st.multivariate_normal(np.zeros(6), gp.ExpQuad(0.8)(X) + np.diag(noise**2))
    y = RNG.normal(size=6)
    assert ba.GaussianProcess(gp.ExpQuad(0.8), X, noise=noise).log_prob(y) == pytest.approx(law.logpdf(y), rel=1e-11)


def test_close_points_need_no_noise() -> None:
    close = np.linspace(0, 1, 60)
    d = ba.GaussianProcess(gp.ExpQuad(2.0), close)
    f = d.sample(np.random.default_rng(2))
    assert np.isfinite(d.log_prob(f))
    assert np.abs(np.diff(f)).max() < 0.1  # smooth


def test_gradients_reach_hyperparameters_mean_and_values() -> None:
    point = {"s": np.float64(1.2), "l": np.float64(0.7), "n": np.float64(0.4), "m": np.float64(0.1), "y": np.sin(X)}

    def log_density(p: Any) -> Any:
        return ba.GaussianProcess(p["s"] ** 2 * gp.ExpQuad(p["l"]), X, p["m"], p["n"]).log_prob(p["y"])

    assert ad.check(log_density, point)


def test_arguments_may_be_lists_that_hold_unknowns() -> None:
    def log_density(p: Any) -> Any:
        process = ba.GaussianProcess(p * gp.ExpQuad([p, 1.0]), [[0.0, 1.0], [1.0, 2.0]], [p, 0.0], noise=[p, 1.0])
        return process.log_prob([0.1, 0.2])

    assert ad.check(log_density, np.float64(0.5))


def test_conditional_law_is_that_of_the_joint_normal() -> None:
    kernel, noise, new = 1.5 * gp.Matern32(0.8) + gp.Linear(), 0.3, np.array([0.1, 2.2, 6.0])
    y = RNG.normal(size=6)
    d = ba.GaussianProcess(kernel, X, lambda x: 0.5 * x, noise)
    together = kernel(np.concatenate([X, new]))
    A, B, C = together[:6, :6] + noise**2 * np.eye(6), together[6:, :6], together[6:, 6:]
    mean = 0.5 * new + B @ np.linalg.solve(A, y - 0.5 * X)
    cov = C - B @ np.linalg.solve(A, B.T)
    found = d.conditional(y, new)
    np.testing.assert_allclose(found.mu, mean, rtol=1e-10)
    np.testing.assert_allclose(found.cov, cov, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(d.conditional(y, new, noise=0.3).cov, cov + 0.09 * np.eye(3), rtol=1e-6, atol=1e-7)
    exact = ba.GaussianProcess(gp.ExpQuad(1.0), X).conditional(y, X)
    np.testing.assert_allclose(exact.mu, y, atol=1e-4)  # the jitter's share: the points nearly determine each other
    with pytest.raises(DistributionError, match="the mean is given at the points X only"):
        ba.GaussianProcess(kernel, X, np.zeros(6), noise).conditional(y, new)


def test_non_centred_values_have_the_law_of_the_process() -> None:
    d = ba.GaussianProcess(gp.Matern52(0.8), X, 2.0)
    z = RNG.normal(size=6)
    L = np.linalg.cholesky(gp.Matern52(0.8)(X) + 1e-9 * np.eye(6))
    np.testing.assert_allclose(d.non_centred(z), 2.0 + L @ z, rtol=1e-10)
    np.testing.assert_allclose(d.non_centred(np.stack([z, -z]))[1], 2.0 - L @ z, rtol=1e-10)


def test_what_does_not_fit_is_an_error() -> None:
    for make, message in [
        (lambda: ba.GaussianProcess(gp.ExpQuad(), X, np.zeros(5)), "mean must be a number or have shape"),
        (lambda: ba.GaussianProcess(gp.ExpQuad(), X, noise=np.ones(3)), "noise must be a number or have shape"),
        (lambda: ba.GaussianProcess(gp.ExpQuad(), X, noise=-1.0), "noise must be non-negative"),
        (lambda: gp.ExpQuad([1.0, 2.0, 3.0])(XY), "one for each of the 2 columns"),
        (lambda: (np.ones(5) * gp.ExpQuad())(XY), r"value of Constant is one number; got shape \(5,\)"),
        (lambda: gp.WhiteNoise([1.0, 2.0])(X), "sigma of WhiteNoise is one number"),
        (lambda: gp.Periodic([1.0, 2.0])(XY), "period of Periodic is one number"),
        (lambda: gp.ExpQuad()(XY, X), "the points have 2 and 1 columns"),
        (lambda: gp.ExpQuad()(np.zeros((2, 2, 2))), "points have shape"),
        (lambda: gp.Periodic(1.0).spectral_density(X), "Periodic has no spectral density"),
        (lambda: (gp.ExpQuad() * gp.ExpQuad()).spectral_density(X), "has no spectral density"),
        (lambda: gp.HilbertBasis(np.zeros(3), 5), "a range with some width"),
        (lambda: gp.HilbertBasis(X, 0), "m of at least 1"),
    ]:
        with pytest.raises(DistributionError, match=message):
            make()


# --- approximations
@pytest.mark.parametrize(
    "kernel", [2.0 * gp.ExpQuad(0.8), gp.Matern52(0.8), gp.Matern32(1.0) + gp.ExpQuad(0.5)], ids=repr
)
def test_hilbert_basis_has_nearly_the_covariance_of_the_kernel(kernel: Any) -> None:
    x = np.linspace(-1, 3, 30)
    basis = gp.HilbertBasis(x, m=100, factor=3.0)
    loadings = basis.values * basis.weights(kernel)
    np.testing.assert_allclose(loadings @ loadings.T, kernel(x), atol=2e-3)
    new = np.array([0.3, 2.9])
    np.testing.assert_allclose((basis.at(new) * basis.weights(kernel)) @ loadings.T, kernel(new, x), atol=2e-3)
    beta = RNG.normal(size=100)
    np.testing.assert_allclose(basis.function(kernel, beta), loadings @ beta, rtol=1e-12)
    np.testing.assert_allclose(basis.function(kernel, beta, x[:3]), (loadings @ beta)[:3], rtol=1e-12)


def test_hilbert_basis_of_two_columns() -> None:
    x = RNG.uniform(-1, 1, (8, 2)) * [1.0, 3.0]
    kernel = gp.ExpQuad([0.8, 2.0])
    basis = gp.HilbertBasis(x, m=[30, 25], factor=[3.5, 3.0])
    assert basis.values.shape == (8, 750)
    loadings = basis.values * basis.weights(kernel)
    np.testing.assert_allclose(loadings @ loadings.T, kernel(x), atol=1e-3)


def test_periodic_basis_has_the_covariance_of_the_kernel() -> None:
    x = np.linspace(0, 3, 20)
    basis = gp.PeriodicBasis(x, m=15, period=1.3)
    loadings = basis.values * basis.weights(0.7)
    np.testing.assert_allclose(loadings @ loadings.T, gp.Periodic(1.3, 0.7)(x), atol=1e-10)
    beta = RNG.normal(size=31)
    assert ad.check(lambda s: np.sum(basis.function(s, beta) ** 2), np.float64(0.9))


@pytest.mark.parametrize("length", [1e-3, 300.0])
def test_derivatives_are_finite_where_variances_underflow(length: float) -> None:
    basis, periodic = gp.HilbertBasis(X, m=30), gp.PeriodicBasis(X, m=30, period=1.0)
    beta = RNG.normal(size=30)
    for f in (
        lambda s: np.sum(basis.function(gp.ExpQuad(s), beta)),
        lambda s: np.sum(periodic.function(s, np.append(beta, np.append(beta, 1.0)))),
    ):
        value, slope = ad.value_and_gradient(f, np.float64(length))
        assert np.isfinite([value, slope]).all()


# --- in models
def test_models_of_processes_draw_and_predict() -> None:
    @ba.model
    def curve(x: Any, y: Any, x_new: Any) -> None:
        length = ba.sample("length", ba.InverseGamma(5, 5))
        sigma = ba.sample("sigma", ba.HalfNormal(0.5))
        process = ba.GaussianProcess(2.0 * gp.ExpQuad(length), x, noise=sigma)
        ba.sample("y", process, obs=y)
        ba.deterministic("f_new", process.conditional(y, x_new).mu)

    x = np.linspace(0, 6, 25)
    y = np.sin(x) + 0.1 * np.random.default_rng(3).normal(size=25)
    posterior = curve(x=x, y=y, x_new=np.array([1.5, 3.3]))
    expected = (
        st.invgamma(5, scale=5).logpdf(0.8)
        + st.halfnorm(0, 0.5).logpdf(0.2)
        + st.multivariate_normal(np.zeros(25), 2.0 * gp.ExpQuad(0.8)(x) + 0.04 * np.eye(25)).logpdf(y)
    )
    assert posterior.neg_log_posterior({"length": 0.8, "sigma": 0.2}) == pytest.approx(-expected, rel=1e-10)
    draws = posterior.sample(chains=1, warmup=150, draws=100, seed=1)
    f_new = draws["posterior"]["f_new"].values.reshape(-1, 2).mean(axis=0)
    np.testing.assert_allclose(f_new, np.sin([1.5, 3.3]), atol=0.2)
    assert posterior.predict(draws, seed=1)["posterior_predictive"]["y"].shape == (1, 100, 25)


def test_a_model_with_a_hilbert_basis() -> None:
    x = np.linspace(0, 6, 40)
    basis = gp.HilbertBasis(x, m=15)

    @ba.model
    def counts(y: Any) -> None:
        length = ba.sample("length", ba.InverseGamma(5, 5))
        beta = ba.sample("beta", ba.Normal(0, 1), shape=15)
        f = ba.deterministic("f", basis.function(gp.Matern52(length), beta))
        ba.sample("y", ba.PoissonLog(f), obs=y)

    posterior = counts(y=np.random.default_rng(4).poisson(np.exp(np.sin(x))))
    draws = posterior.sample(chains=1, warmup=100, draws=50, seed=1)
    assert np.isfinite(draws["posterior"]["f"].values).all()
