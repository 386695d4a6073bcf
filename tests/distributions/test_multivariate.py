"""Laws of vectors and matrices against scipy.stats, closed forms and quadrature."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats as st
from scipy.special import betaln

from bayesad import ad
from bayesad.distributions import (
    Dirichlet,
    LKJCholesky,
    MvNormal,
    MvStudentT,
    StickBreaking,
    UnitVector,
    stick_breaking,
)
from bayesad.errors import DistributionError

# Chance that one test of draws fails although the law is right.
FALSE_ALARM = 1e-6

RNG = np.random.default_rng(11)


def covariance(*shape: int) -> np.ndarray:
    """Random covariance matrices of the given shape."""
    root = RNG.normal(size=shape)
    return root @ np.swapaxes(root, -1, -2) + 0.5 * np.eye(shape[-1])


def three_forms(mu: Any, cov: np.ndarray) -> list[MvNormal]:
    return [
        MvNormal(mu, cov=cov),
        MvNormal(mu, chol=np.linalg.cholesky(cov)),
        MvNormal(mu, precision=np.linalg.inv(cov)),
    ]


def numerical_gradient(f: Callable[[np.ndarray], Any], x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Central differences with one step of Richardson extrapolation: error of order step**4."""

    def slope(index: tuple[int, ...], h: float) -> float:
        nudge = np.zeros(x.shape)
        nudge[index] = h
        return float(f(x + nudge) - f(x - nudge)) / (2 * h)

    out = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        out[index] = (4 * slope(index, step) - slope(index, 2 * step)) / 3
    return out


# --- MvNormal


@pytest.mark.parametrize("mu", [0.7, np.array([0.5]), np.array([1.0, -2.0, 0.3])], ids=["number", "length 1", "vector"])
def test_mv_normal_equals_scipy_in_all_forms(mu: Any) -> None:
    cov, x = covariance(3, 3), RNG.normal(size=(2, 5, 3)) * 4
    x[0, 0] = 1e4
    expected = st.multivariate_normal(np.broadcast_to(mu, 3), cov).logpdf(x)
    for d in three_forms(mu, cov):
        assert d.event_shape == (3,)
        assert d.batch_shape == ()
        np.testing.assert_allclose(d.log_prob(x), expected, rtol=1e-11)
        np.testing.assert_allclose(d.log_prob(x[0, 1]), expected[0, 1], rtol=1e-11)


def test_mv_normal_broadcasts_means_matrices_and_values() -> None:
    mu, cov, x = RNG.normal(size=(4, 1, 3)), covariance(2, 3, 3), RNG.normal(size=(4, 2, 3))
    expected = [[st.multivariate_normal(mu[i, 0], cov[j]).logpdf(x[i, j]) for j in range(2)] for i in range(4)]
    for d in three_forms(mu, cov):
        assert d.batch_shape == (4, 2)
        np.testing.assert_allclose(d.log_prob(x), expected, rtol=1e-11)
        assert d.log_prob(x[0, 0]).shape == (4, 2)


def test_mv_normal_keeps_its_digits_for_ill_conditioned_matrices() -> None:
    scales = np.array([1e-8, 1.0, 1e8])
    x = scales * np.array([0.3, -2.0, 1.5])
    expected = st.norm(0, scales).logpdf(x).sum()
    for d in three_forms(0.0, np.diag(scales**2)):
        np.testing.assert_allclose(d.log_prob(x), expected, rtol=1e-13)


@pytest.mark.parametrize("form", ["cov", "chol", "precision"])
def test_mv_normal_gradients_equal_finite_differences(form: str) -> None:
    chol = np.linalg.cholesky(covariance(3, 3))
    matrix = {"cov": lambda c: c @ c.T, "chol": lambda c: c, "precision": lambda c: c @ c.T}[form]
    point = {"x": RNG.normal(size=(4, 3)), "mu": RNG.normal(size=3), "chol": chol}

    def log_density(p: Any) -> Any:
        return np.sum(MvNormal(p["mu"], **{form: matrix(np.tril(p["chol"]))}).log_prob(p["x"]))

    got = ad.gradient(log_density, point)
    for name in point:
        numerical = numerical_gradient(lambda v, name=name: log_density({**point, name: v}), point[name])
        np.testing.assert_allclose(got[name], numerical, rtol=1e-7, atol=1e-7, err_msg=name)


def test_mv_normal_gradients_of_batched_factors_equal_finite_differences() -> None:
    point = {"x": RNG.normal(size=(2, 3)), "chol": np.linalg.cholesky(covariance(2, 3, 3))}

    def log_density(p: Any) -> Any:
        return np.sum(MvNormal(0.0, chol=np.tril(p["chol"])).log_prob(p["x"]))

    got = ad.gradient(log_density, point)
    for name in point:
        numerical = numerical_gradient(lambda v, name=name: log_density({**point, name: v}), point[name])
        np.testing.assert_allclose(got[name], numerical, rtol=1e-7, atol=1e-7)


def test_mv_normal_draws_have_mean_and_covariance() -> None:
    cov, mu = covariance(3, 3), np.array([1.0, -5.0, 2.0])
    whiten = np.linalg.inv(np.linalg.cholesky(cov))
    for d in three_forms(mu, cov):
        z = (d.sample(np.random.default_rng(4), 4000) - mu) @ whiten.T
        for direction in (*np.eye(3), np.ones(3) / 3**0.5, np.array([1.0, -1.0, 0.0]) / 2**0.5):
            assert st.kstest(z @ direction, "norm").pvalue > FALSE_ALARM


def test_mv_normal_says_what_is_wrong_with_its_arguments() -> None:
    for arguments in ({}, {"cov": np.eye(2), "chol": np.eye(2)}):
        with pytest.raises(
            DistributionError, match=r"exactly one of cov, chol and precision; got (none of them|cov, chol)"
        ):
            MvNormal(0.0, **arguments)
    for arguments, message in [
        ({"cov": np.array([[1.0, 0.5], [0.4, 1.0]])}, "cov must be symmetric"),
        ({"precision": np.array([[1.0, 2.0], [2.0, 1.0]])}, "precision must be positive definite"),
        ({"cov": np.stack([np.eye(2), -np.eye(2)])}, r"cov must be positive definite; .* \(at index \[1\]\)"),
        ({"chol": np.array([[1.0, 0.5], [0.4, 1.0]])}, "chol must be lower triangular"),
        ({"chol": np.diag([1.0, -1.0])}, "chol must be positive on its diagonal"),
        ({"cov": np.ones((2, 3))}, r"cov must be a square matrix.*; got shape \(2, 3\)"),
        ({"cov": 2.0}, r"cov must be a square matrix.*; got shape \(\)"),
    ]:
        with pytest.raises(DistributionError, match=f"MvNormal: {message}"):
            MvNormal(0.0, **arguments)
    with pytest.raises(DistributionError, match=r"mu has shape \(3,\), but the matrix has shape \(2, 2\)"):
        MvNormal(np.zeros(3), cov=np.eye(2))
    with pytest.raises(DistributionError, match=r"value of shape \(4, 3\).*event shape \(2,\)"):
        MvNormal(0.0, cov=np.eye(2)).log_prob(np.zeros((4, 3)))


# --- Dirichlet


def test_dirichlet_equals_scipy_over_batches() -> None:
    alpha = np.array([[1.0, 1.0, 1.0], [0.3, 5.0, 100.0]])
    x = RNG.dirichlet(np.ones(3), size=(6, 2))
    expected = [[st.dirichlet(a).logpdf(v) for v, a in zip(row, alpha, strict=True)] for row in x]
    d = Dirichlet(alpha)
    assert (d.batch_shape, d.event_shape) == ((2,), (3,))
    np.testing.assert_allclose(d.log_prob(x), expected, rtol=1e-12)
    assert Dirichlet(np.ones((4, 3))).log_prob(x[0, 0]).shape == (4,)


def test_dirichlet_at_and_beyond_the_edge() -> None:
    edge = np.array([0.0, 0.25, 0.75])
    assert Dirichlet(np.ones(3)).log_prob(edge) == np.log(2.0)
    assert Dirichlet([2.0, 1.0, 1.0]).log_prob(edge) == -np.inf
    assert Dirichlet([0.5, 1.0, 1.0]).log_prob(edge) == np.inf
    outside = [[0.5, 0.5, 0.1], [-0.1, 0.6, 0.5], [0.2, 0.2, 0.2]]
    np.testing.assert_array_equal(Dirichlet(np.ones(3)).log_prob(outside), np.full(3, -np.inf))
    assert np.isfinite(Dirichlet(np.ones(3)).log_prob([0.5 + 4e-9, 0.25, 0.25]))


@pytest.mark.parametrize("alpha", [[2.0, 3.0, 0.5], [1e-3, 2e-3, 1e-3], [500.0, 20.0, 80.0]])
def test_dirichlet_draws_have_beta_marginals(alpha: list[float]) -> None:
    x = Dirichlet(alpha).sample(np.random.default_rng(8), 4000)
    assert (x >= 0).all()
    np.testing.assert_allclose(x.sum(axis=-1), 1.0, rtol=1e-12)
    for column, a in zip(x.T, alpha, strict=True):
        # small concentrations put most mass within rounding of 0 and 1, so both are compared away from there
        law = st.beta(a, sum(alpha) - a)
        for point in (1e-12, 0.01, 0.3, 0.9, 1 - 1e-6):
            p = law.cdf(point)
            assert st.binomtest(int((column <= point).sum()), column.size, min(max(p, 0.0), 1.0)).pvalue > FALSE_ALARM


def test_dirichlet_gradients_equal_finite_differences() -> None:
    point = {"alpha": RNG.uniform(0.5, 4.0, (2, 3)), "x": RNG.dirichlet(np.ones(3), size=(5, 2))}

    def log_density(p: Any) -> Any:
        return np.sum(Dirichlet(p["alpha"]).log_density(p["x"]))

    got = ad.gradient(log_density, point)
    for name in point:
        numerical = numerical_gradient(lambda v, name=name: log_density({**point, name: v}), point[name])
        np.testing.assert_allclose(got[name], numerical, rtol=1e-6, atol=1e-6)


# --- LKJ


def lkj_log_constant(K: int, eta: float) -> float:
    """log of the integral of det(R)^(eta - 1) over correlation matrices (Lewandowski et al. 2009, eq. 16)."""
    k = np.arange(1, K)
    power = np.sum((2.0 * eta - 2.0 + K - k) * (K - k)) * np.log(2.0)
    return float(power + np.sum((K - k) * betaln(eta + 0.5 * (K - k - 1), eta + 0.5 * (K - k - 1))))


@pytest.mark.parametrize("eta", [0.4, 1.0, 3.5])
def test_lkj_of_two_dimensions_is_a_beta_law_of_the_correlation(eta: float) -> None:
    rho = np.linspace(-0.99, 0.99, 9)
    factors = np.array([[[1.0, 0.0], [r, np.sqrt(1.0 - r * r)]] for r in rho])
    expected = st.beta(eta, eta, loc=-1, scale=2).logpdf(rho)
    np.testing.assert_allclose(LKJCholesky(2, eta).log_prob(factors), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("K", [1, 2, 3, 6])
@pytest.mark.parametrize("eta", [0.7, 1.0, 4.0])
def test_lkj_density_is_that_of_the_correlation_matrix_times_the_jacobian(K: int, eta: float) -> None:
    factor = LKJCholesky(K, 1.0).sample(np.random.default_rng(K), 4)
    log_det = 2.0 * np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(axis=-1)
    rows = np.arange(1, K + 1)
    log_jacobian = ((K - rows) * np.log(np.diagonal(factor, axis1=-2, axis2=-1))).sum(axis=-1)
    expected = (eta - 1.0) * log_det - lkj_log_constant(K, eta) + log_jacobian
    np.testing.assert_allclose(LKJCholesky(K, eta).log_prob(factor), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("eta", [1.0, 2.5])
def test_lkj_of_three_dimensions_integrates_to_one(eta: float) -> None:
    # l21 = sin(a); the last row on the sphere with radius sin(b): all integrands are smooth in the angles
    nodes, weights = np.polynomial.legendre.leggauss(40)
    a, wa = 0.5 * np.pi * nodes, 0.5 * np.pi * weights
    b, wb = 0.25 * np.pi * (nodes + 1.0), 0.25 * np.pi * weights
    grid_a, grid_b = np.meshgrid(a, b, indexing="ij")
    zero = np.zeros(grid_a.shape)
    factor = np.stack(
        [
            np.stack([zero + 1.0, zero, zero], axis=-1),
            np.stack([np.sin(grid_a), np.cos(grid_a), zero], axis=-1),
            np.stack([np.sin(grid_b), zero, np.cos(grid_b)], axis=-1),  # the density does not depend on the direction
        ],
        axis=-2,
    )
    jacobian = np.cos(grid_a) * 2.0 * np.pi * np.sin(grid_b) * np.cos(grid_b)
    total = np.sum(np.exp(LKJCholesky(3, eta).log_prob(factor)) * jacobian * wa[:, None] * wb)
    np.testing.assert_allclose(total, 1.0, rtol=1e-10)


@pytest.mark.parametrize(("K", "eta"), [(2, 0.5), (3, 1.0), (5, 2.0)])
def test_lkj_draws_are_factors_whose_correlations_have_beta_marginals(K: int, eta: float) -> None:
    factor = LKJCholesky(K, eta).sample(np.random.default_rng(9), 4000)
    assert np.isfinite(LKJCholesky(K, eta).log_prob(factor)).all()
    correlation = factor @ np.swapaxes(factor, -1, -2)
    np.testing.assert_allclose(np.diagonal(correlation, axis1=-2, axis2=-1), 1.0, rtol=1e-12)
    b = eta + 0.5 * K - 1.0
    for i in range(K):
        for j in range(i):
            assert st.kstest(correlation[:, i, j], st.beta(b, b, loc=-1, scale=2).cdf).pvalue > FALSE_ALARM
    log_det = np.linalg.slogdet(correlation)[1]
    steps = [np.log1p(-st.beta(0.5 * k, eta + 0.5 * (K - 1 - k)).rvs(40000, random_state=k)) for k in range(1, K)]
    assert st.ks_2samp(log_det, np.sum(steps, axis=0)).pvalue > FALSE_ALARM


def test_lkj_batches_and_gradients() -> None:
    point = {"eta": np.array([0.8, 2.0]), "factor": LKJCholesky(3, 1.0).sample(np.random.default_rng(1), 2)}
    d = LKJCholesky(3, point["eta"])
    assert (d.batch_shape, d.event_shape) == ((2,), (3, 3))
    assert d.log_prob(point["factor"][0]).shape == (2,)

    def log_density(p: Any) -> Any:
        return np.sum(LKJCholesky(3, p["eta"]).log_density(p["factor"]))

    got = ad.gradient(log_density, point)
    for name in point:
        numerical = numerical_gradient(lambda v, name=name: log_density({**point, name: v}), point[name])
        np.testing.assert_allclose(got[name], numerical, rtol=1e-7, atol=1e-7)


def test_lkj_rejects_what_is_no_cholesky_factor() -> None:
    d = LKJCholesky(2, 1.0)
    for x in (np.array([[1.0, 0.6], [0.6, 0.8]]), np.array([[1.0, 0.0], [0.6, 0.7]]), np.diag([1.0, -1.0])):
        assert d.log_prob(x) == -np.inf
    for K in (0, 2.5, "2"):
        with pytest.raises(DistributionError, match="LKJCholesky: K must be a positive int; got"):
            LKJCholesky(K, 1.0)
    with pytest.raises(DistributionError, match=r"LKJCholesky: eta must be positive; got 0\.0"):
        LKJCholesky(2, 0.0)


# --- MvStudentT


@pytest.mark.parametrize("nu", [0.7, 4.0, 1e6])
def test_mv_student_t_equals_scipy_in_all_forms(nu: float) -> None:
    mu, scale, x = np.array([1.0, -2.0, 0.3]), covariance(3, 3), RNG.normal(size=(5, 3)) * 4
    x[0] = 1e5
    expected = st.multivariate_t(mu, scale, nu).logpdf(x)
    for d in (
        MvStudentT(nu, mu, scale),
        MvStudentT(nu, mu, chol=np.linalg.cholesky(scale)),
        MvStudentT(nu, mu, precision=np.linalg.inv(scale)),
    ):
        assert (d.batch_shape, d.event_shape) == ((), (3,))
        np.testing.assert_allclose(d.log_prob(x), expected, rtol=1e-9)
        np.testing.assert_array_equal(d.mean, mu if nu > 1 else np.full(3, np.nan))


def test_mv_student_t_approaches_the_normal_law() -> None:
    mu, scale, x = np.array([1.0, -2.0, 0.3]), covariance(3, 3), RNG.normal(size=(5, 3))
    np.testing.assert_allclose(MvStudentT(1e13, mu, scale).log_prob(x), MvNormal(mu, scale).log_prob(x), rtol=1e-10)


def test_mv_student_t_batches_gradients_and_draws(assert_gradient: Callable[..., None]) -> None:
    point = {"nu": np.array([3.0, 8.0]), "mu": np.array([1.0, -1.0]), "chol": np.linalg.cholesky(covariance(2, 2))}
    x = RNG.normal(size=(2, 2))

    def log_density(p: Any) -> Any:
        return np.sum(MvStudentT(p["nu"], p["mu"], chol=np.tril(p["chol"])).log_prob(x))

    assert_gradient(log_density, point)
    d = MvStudentT(point["nu"], point["mu"], chol=point["chol"])
    assert d.batch_shape == (2,)
    draws = d.sample(np.random.default_rng(2), 4000)
    for i, nu in enumerate(point["nu"]):
        direction = np.array([1.0, -2.0])
        sd = np.linalg.norm(direction @ point["chol"])
        law = st.t(nu, direction @ point["mu"], sd)
        assert st.kstest(draws[:, i] @ direction, law.cdf).pvalue > FALSE_ALARM


# --- stick breaking


@pytest.mark.parametrize("alpha", [0.3, 1.0, 5.0])
def test_stick_breaking_density_is_that_of_the_fractions_times_the_jacobian(alpha: float) -> None:
    v = np.array([0.3, 0.8, 0.05])
    weights = stick_breaking(v)
    np.testing.assert_allclose(weights, [0.3, 0.7 * 0.8, 0.7 * 0.2 * 0.05, 0.7 * 0.2 * 0.95], rtol=1e-14)
    jacobian = ad.jacobian(lambda v: stick_breaking(v)[:-1], v)
    expected = st.beta(1, alpha).logpdf(v).sum() - np.linalg.slogdet(jacobian)[1]
    np.testing.assert_allclose(StickBreaking(alpha, 4).log_prob(weights), expected, rtol=1e-12)


def test_two_sticks_are_a_dirichlet() -> None:
    w = np.array([[0.1, 0.9], [0.7, 0.3]])
    np.testing.assert_allclose(StickBreaking(2.5, 2).log_prob(w), Dirichlet([1.0, 2.5]).log_prob(w), rtol=1e-13)


def test_stick_breaking_draws_batches_and_gradients(assert_gradient: Callable[..., None]) -> None:
    d = StickBreaking(np.array([0.01, 2.0]), 5)
    assert (d.batch_shape, d.event_shape) == ((2,), (5,))
    w = d.sample(np.random.default_rng(3), 4000)
    np.testing.assert_allclose(w.sum(axis=-1), 1.0, rtol=1e-12)
    assert (w > 0).all()
    left = np.cumsum(w[:, 1, ::-1], axis=-1)[:, ::-1]
    for k in range(4):
        assert st.kstest(w[:, 1, k] / left[:, k], st.beta(1, 2).cdf).pvalue > FALSE_ALARM
    error = w.std(axis=0) / np.sqrt(len(w))
    assert (np.abs(w.mean(axis=0) - d.mean)[1] <= 6 * error[1]).all()
    np.testing.assert_allclose(d.mean.sum(axis=-1), 1.0, rtol=1e-14)
    point = {"alpha": np.array([0.4, 2.0]), "w": w[:2, 1] * 1.0}
    assert_gradient(lambda p: np.sum(StickBreaking(p["alpha"], 5).log_density(p["w"])), point)


# --- directions


@pytest.mark.parametrize(("K", "area"), [(1, 2.0), (2, 2 * np.pi), (3, 4 * np.pi), (4, 2 * np.pi**2)])
def test_directions_are_uniform_on_the_sphere(K: int, area: float) -> None:
    d = UnitVector(K)
    x = d.sample(np.random.default_rng(K), (3, 2))
    np.testing.assert_allclose((x**2).sum(axis=-1), 1.0, rtol=1e-14)
    np.testing.assert_allclose(d.log_prob(x), np.full((3, 2), -np.log(area)), rtol=1e-12)
    assert d.log_prob(2 * x[0, 0]) == -np.inf


def test_directions_have_symmetric_entries() -> None:
    x = UnitVector(3).sample(np.random.default_rng(1), 4000)
    assert st.kstest(x @ np.array([0.6, 0.0, 0.8]), st.uniform(-1, 2).cdf).pvalue > FALSE_ALARM  # Archimedes
