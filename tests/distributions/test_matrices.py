"""Laws of matrices against scipy.stats, closed forms, changes of variables and moments of draws."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats as st

from bayesad import ad
from bayesad.distributions import (
    LKJ,
    Distribution,
    Gamma,
    HalfNormal,
    InverseWishart,
    LKJCholesky,
    LKJCholeskyCovariance,
    LKJCovariance,
    MatrixNormal,
    MvNormal,
    Normal,
    Wishart,
)
from bayesad.errors import DistributionError

# Chance that one test of draws fails although the law is right.
FALSE_ALARM = 1e-6

RNG = np.random.default_rng(12)


def covariance(*shape: int) -> np.ndarray:
    root = RNG.normal(size=shape)
    return root @ np.swapaxes(root, -1, -2) + 0.5 * np.eye(shape[-1])


def log_volume(f: Callable[[np.ndarray], Any], u: np.ndarray) -> float:
    """log |det| of the derivative of a vector of a vector."""
    return float(np.linalg.slogdet(ad.jacobian(f, u))[1])


def below(x: Any, diagonal: int = 0) -> Any:
    rows, columns = np.tril_indices(x.shape[-1], diagonal)
    return x[..., rows, columns]


# --- Wishart laws
@pytest.mark.parametrize(("law", "twin"), [(Wishart, st.wishart), (InverseWishart, st.invwishart)])
@pytest.mark.parametrize("nu", [2.1, 3.0, 40.0])
def test_wishart_laws_equal_scipy(law: Any, twin: Any, nu: float) -> None:
    S = covariance(3, 3)
    x = np.stack([covariance(3, 3) for _ in range(4)]) * 3.0
    expected = [twin(nu, S).logpdf(one) for one in x]
    for d in (law(nu, S), law(nu, chol=np.linalg.cholesky(S))):
        assert (d.batch_shape, d.event_shape) == ((), (3, 3))
        np.testing.assert_allclose(d.log_prob(x), expected, rtol=1e-11)
    if nu > 4.0:
        np.testing.assert_allclose(law(nu, S).mean, twin(nu, S).mean(), rtol=1e-12)


@pytest.mark.parametrize("law", [Wishart, InverseWishart])
def test_wishart_laws_broadcast_and_have_the_right_gradients(law: Any, assert_gradient: Callable[..., None]) -> None:
    point = {"nu": np.array([4.5, 7.0]), "chol": np.linalg.cholesky(covariance(2, 2, 2)), "x": covariance(2, 2, 2)}

    def log_density(p: Any) -> Any:
        x = p["x"]
        x = 0.5 * (x + np.swapaxes(x, -1, -2))
        return np.sum(law(p["nu"], chol=np.tril(p["chol"])).log_density(x))

    d = law(point["nu"], chol=point["chol"])
    assert d.batch_shape == (2,)
    separate = sum(law(point["nu"][i], chol=point["chol"][i]).log_prob(point["x"][i]) for i in range(2))
    assert log_density(point) == pytest.approx(separate, rel=1e-13)
    assert_gradient(log_density, point)


def test_wishart_draws_are_those_of_sums_of_squares() -> None:
    S, nu = covariance(3, 3), 4.7
    rng = np.random.default_rng(5)
    x = Wishart(nu, S).sample(rng, 3000)
    y = InverseWishart(nu, S).sample(rng, 3000)
    for a in (*np.eye(3), np.array([1.0, -2.0, 0.5])):
        # aᵀ W a / aᵀ S a is chi² with nu degrees of freedom (Muirhead 1982, 3.2.8); Y⁻¹ is Wishart with scale S⁻¹
        for square, scale in ((x, S), (np.linalg.inv(y), np.linalg.inv(S))):
            ratio = np.einsum("i,nij,j->n", a, square, a) / (a @ scale @ a)
            assert st.kstest(ratio, st.chi2(nu).cdf).pvalue > FALSE_ALARM


def test_wishart_says_what_is_wrong() -> None:
    with pytest.raises(DistributionError, match=r"Wishart: nu must be greater than K - 1 = 2"):
        Wishart(2.0, np.eye(3))
    with pytest.raises(DistributionError, match="InverseWishart: give exactly one of S and chol; got none of them"):
        InverseWishart(5.0)
    assert Wishart(5.0, np.eye(2)).log_prob([[1.0, 2.0], [2.0, 1.0]]) == -np.inf


# --- correlation and covariance matrices
@pytest.mark.parametrize(("K", "eta"), [(1, 2.0), (2, 0.7), (4, 1.0), (5, 3.5)])
def test_lkj_of_matrices_and_of_factors_are_one_law(K: int, eta: float) -> None:
    factor = LKJCholesky(K, eta).sample(np.random.default_rng(K), 3)
    C = factor @ np.swapaxes(factor, -1, -2)
    diagonal = np.diagonal(factor, axis1=-2, axis2=-1)
    log_jacobian = (np.arange(K - 1, -1, -1) * np.log(diagonal)).sum(axis=-1)
    np.testing.assert_allclose(LKJ(K, eta).log_prob(C), LKJCholesky(K, eta).log_prob(factor) - log_jacobian, atol=1e-12)
    draws = LKJ(K, eta).sample(np.random.default_rng(1), 200)
    assert np.isfinite(LKJ(K, eta).log_prob(draws)).all()
    np.testing.assert_array_equal(LKJ(K, eta).mean, np.eye(K))


@pytest.mark.parametrize("eta", [0.5, 1.0, 4.0])
def test_lkj_of_two_dimensions_is_a_beta_law(eta: float) -> None:
    rho = np.linspace(-0.999, 0.999, 7)
    C = np.stack([[[1.0, r], [r, 1.0]] for r in rho])
    expected = st.beta(eta, eta, loc=-1, scale=2).logpdf(rho)
    np.testing.assert_allclose(LKJ(2, eta).log_prob(C), expected, rtol=1e-11, atol=1e-12)


def test_mean_of_a_factor_is_that_of_its_draws() -> None:
    d = LKJCholesky(4, 1.5)
    x = d.sample(np.random.default_rng(2), 20_000)
    error = x.std(axis=0) / np.sqrt(len(x))
    assert (np.abs(x.mean(axis=0) - d.mean) <= 6.0 * error).all()  # 10 entries, 6 standard errors: 2e-8


@pytest.mark.parametrize("scale", [HalfNormal(2.0), Gamma(2.0, np.array([1.0, 2.0, 0.5]))], ids=["one", "each"])
def test_covariance_laws_are_changes_of_variables_of_scales_and_correlations(scale: Distribution) -> None:
    K, eta = 3, 1.7
    factor = LKJCholesky(K, eta).sample(np.random.default_rng(3))
    sigma = np.array([0.5, 1.5, 3.0])
    point = np.concatenate([np.log(sigma), below(factor, -1)])

    def factor_of(u: Any) -> Any:
        root = np.zeros((K, K))
        root[np.tril_indices(K, -1)] = u[K:]
        root[np.arange(K), np.arange(K)] = np.sqrt(1.0 - np.sum(root**2, axis=-1))
        return np.exp(u[:K])[:, None] * root

    def matrix_of(u: Any) -> Any:
        return factor_of(u) @ factor_of(u).T

    base = LKJCholesky(K, eta).log_prob(factor) + np.sum(scale.log_prob(sigma) + np.log(sigma))
    for law, make in ((LKJCholeskyCovariance(K, eta, scale), factor_of), (LKJCovariance(K, eta, scale), matrix_of)):
        expected = base - log_volume(lambda u, make=make: below(make(u)), point)
        np.testing.assert_allclose(law.log_prob(make(point)), expected, rtol=1e-11)
        assert (law.batch_shape, law.event_shape) == ((), (K, K))
        x = law.sample(np.random.default_rng(4), 4)
        assert x.shape == (4, K, K)
        assert np.isfinite(law.log_prob(x)).all()


def test_covariance_law_has_the_given_standard_deviations_and_correlations() -> None:
    x = LKJCovariance(3, 2.0, HalfNormal(1.5)).sample(np.random.default_rng(6), 3000)
    sigma = np.sqrt(np.diagonal(x, axis1=-2, axis2=-1))
    assert st.kstest(sigma[:, 1], st.halfnorm(0, 1.5).cdf).pvalue > FALSE_ALARM
    assert st.kstest(x[:, 2, 0] / sigma[:, 2] / sigma[:, 0], st.beta(2.5, 2.5, -1, 2).cdf).pvalue > FALSE_ALARM


def test_covariance_laws_say_what_is_wrong() -> None:
    with pytest.raises(DistributionError, match="LKJCovariance: scale must be a law of positive numbers"):
        LKJCovariance(2, 1.0, 3.0)
    with pytest.raises(DistributionError, match=r"scale's batch shape \(3,\) must be 2"):
        LKJCholeskyCovariance(2, 1.0, HalfNormal(np.ones(3)))
    with pytest.raises(DistributionError, match="LKJ: K must be a positive int; got 0"):
        LKJ(0, 1.0)


# --- MatrixNormal
def test_matrix_normal_equals_scipy_and_the_kronecker_product() -> None:
    mu, rows, columns = RNG.normal(size=(2, 3)), covariance(2, 2), covariance(3, 3)
    x = RNG.normal(size=(5, 2, 3)) * 3.0
    forms = [
        MatrixNormal(mu, rows, columns),
        MatrixNormal(mu, row_chol=np.linalg.cholesky(rows), column_chol=np.linalg.cholesky(columns)),
    ]
    for d in forms:
        assert (d.batch_shape, d.event_shape) == ((), (2, 3))
        np.testing.assert_allclose(d.log_prob(x), st.matrix_normal(mu, rows, columns).logpdf(x), rtol=1e-12)
        np.testing.assert_array_equal(d.mean, mu)
    flat = MvNormal(mu.ravel(), cov=np.kron(rows, columns)).log_prob(x.reshape(5, 6))
    np.testing.assert_allclose(forms[0].log_prob(x), flat, rtol=1e-12)


def test_matrix_normal_batches_draws_and_gradients(assert_gradient: Callable[..., None]) -> None:
    mu, x = RNG.normal(size=(2, 2, 2, 3))
    point = {"mu": np.float64(0.3), "rows": covariance(2, 2), "columns": covariance(2, 3, 3)}

    def log_density(p: Any) -> Any:
        rows, columns = (0.5 * (m + np.swapaxes(m, -1, -2)) for m in (p["rows"], p["columns"]))
        return np.sum(MatrixNormal(p["mu"] + mu, rows, columns).log_prob(x))

    d = MatrixNormal(mu, point["rows"], point["columns"])
    assert d.batch_shape == (2,)
    expected = [st.matrix_normal(mu[i], point["rows"], point["columns"][i]).logpdf(x[i]) for i in range(2)]
    np.testing.assert_allclose(d.log_prob(x), expected, rtol=1e-12)
    assert_gradient(log_density, point)
    z = (d.sample(np.random.default_rng(7), 3000) - mu)[:, 1]
    a, b = np.array([1.0, -1.0]), np.array([0.5, 2.0, 1.0])
    sd = np.sqrt((a @ point["rows"] @ a) * (b @ point["columns"][1] @ b))
    assert st.kstest(np.einsum("i,nij,j->n", a, z, b), st.norm(0, sd).cdf).pvalue > FALSE_ALARM


def test_matrix_normal_says_what_is_wrong() -> None:
    with pytest.raises(DistributionError, match=r"mu has shape \(3, 2\), but by the covariances .* \(2, 3\)"):
        MatrixNormal(np.zeros((3, 2)), np.eye(2), np.eye(3))
    with pytest.raises(DistributionError, match="exactly one of row_cov and row_chol; got none of them"):
        MatrixNormal(0.0, column_cov=np.eye(2))
    assert MatrixNormal(0.0, np.eye(2), np.eye(3)).log_prob(np.zeros((2, 3))) == pytest.approx(6 * Normal().log_prob(0))
