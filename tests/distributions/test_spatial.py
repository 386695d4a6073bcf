"""Laws of areas on a graph against dense normal laws, enumeration of trees, and draws."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sparse
import scipy.stats as st

import bayesad as ba
from bayesad.distributions import BYM2, CAR, ICAR, Graph, bym2_scaling_factor
from bayesad.errors import DistributionError

# Chance that one test of draws fails although the law is right.
FALSE_ALARM = 1e-6

RNG = np.random.default_rng(14)
PAIRS = [(0, 1), (1, 2), (2, 3), (3, 0), (1, 3), (3, 4), (4, 5)]
W = np.zeros((6, 6))
for i, j in PAIRS:
    W[i, j] = W[j, i] = 1.0
WEIGHTED = W * (1.0 + np.add.outer(np.arange(6), np.arange(6)))
FORMS = {"array": W, "sparse": sparse.csr_matrix(W), "coo": sparse.coo_array(W), "graph": Graph.from_pairs(PAIRS)}


def plane(n: int) -> np.ndarray:
    """An orthonormal basis of the vectors that sum to zero."""
    return np.linalg.svd(np.eye(n) - 1.0 / n)[0][:, : n - 1]


# --- graphs
@pytest.mark.parametrize("form", FORMS)
def test_graphs_are_read_from_every_form(form: str) -> None:
    graph = Graph.of(FORMS[form])
    assert graph.n == 6
    assert sorted(zip(graph.first.tolist(), graph.second.tolist(), strict=True)) == sorted(
        map(tuple, map(sorted, PAIRS))
    )
    np.testing.assert_array_equal(graph.adjacency.toarray(), W)
    np.testing.assert_array_equal(graph.degrees, W.sum(axis=0))
    np.testing.assert_array_equal(graph.laplacian, np.diag(W.sum(axis=0)) - W)


def test_pairs_may_come_both_ways_with_weights() -> None:
    graph = Graph.from_pairs([[0, 1], [1, 0], [2, 1]], n=4, weights=[2.0, 2.0, 5.0])
    np.testing.assert_array_equal(graph.adjacency.toarray()[1], [2.0, 0.0, 5.0, 0.0])
    np.testing.assert_array_equal(graph.components, [0, 0, 0, 1])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Graph.of(np.triu(W)),
        lambda: Graph.of(W + np.eye(6)),
        lambda: Graph.of(W[:5]),
        lambda: Graph.of(np.ones(3)),
        lambda: Graph.of(-W),
        lambda: Graph.from_pairs([[0, 0]]),
        lambda: Graph.from_pairs([[0, 7]], n=3),
        lambda: Graph.from_pairs([0, 1]),
        lambda: Graph.from_pairs([[0.0, 1.0]]),
    ],
)
def test_what_is_no_graph_is_an_error(make: Callable[[], Graph]) -> None:
    with pytest.raises(DistributionError, match="Graph: "):
        make()


def test_parts_of_a_weight_are_added_up() -> None:
    twice = sparse.coo_array((np.ones(4), ([0, 1, 0, 1], [1, 0, 1, 0])), shape=(2, 2))
    np.testing.assert_array_equal(Graph.of(twice).weights, [2.0])


def test_a_graph_is_known_again() -> None:
    assert Graph.of(W) is Graph.of(W.copy()) is Graph.from_pairs(PAIRS)


# --- ICAR
@pytest.mark.parametrize("weights", [W, WEIGHTED], ids=["plain", "weighted"])
def test_icar_is_a_normal_law_in_the_plane_of_zero_sums(weights: np.ndarray) -> None:
    sigma, basis = 0.7, plane(6)
    precision = basis.T @ (np.diag(weights.sum(axis=0)) - weights) @ basis / sigma**2
    u = RNG.normal(size=(3, 5))
    expected = st.multivariate_normal(np.zeros(5), np.linalg.inv(precision)).logpdf(u)
    d = ICAR(weights, sigma)
    assert (d.batch_shape, d.event_shape) == ((), (6,))
    np.testing.assert_allclose(d.log_prob(u @ basis.T), expected, rtol=1e-11)
    assert d.log_prob(np.ones(6)) == -np.inf
    draws = d.sample(np.random.default_rng(1), 3000) @ basis
    whitened = draws @ np.linalg.cholesky(precision)
    for direction in (*np.eye(5), np.full(5, 5**-0.5)):
        assert st.kstest(whitened @ direction, "norm").pvalue > FALSE_ALARM


def test_icar_constant_counts_spanning_trees() -> None:
    """Cayley: the complete graph of n areas has n^(n − 2) of them."""
    n = 7
    d = ICAR(np.ones((n, n)) - np.eye(n))
    trees = n ** (n - 2.0)
    assert d.log_prob(np.zeros(n)) == pytest.approx(0.5 * np.log(n * trees) - 0.5 * (n - 1) * np.log(2 * np.pi))


def test_icar_batches_and_gradients(assert_gradient: Callable[..., None]) -> None:
    x = ICAR(W).sample(np.random.default_rng(2), 2)
    point = {"sigma": np.array([0.5, 2.0]), "x": x}
    assert ICAR(W, point["sigma"]).batch_shape == (2,)
    np.testing.assert_allclose(
        ICAR(W, point["sigma"]).log_prob(x), [ICAR(W, s).log_prob(v) for s, v in zip([0.5, 2.0], x, strict=True)]
    )
    assert_gradient(lambda p: np.sum(ICAR(W, p["sigma"]).log_density(p["x"])), point)


IN_PARTS = [[5, 1], [1, 3], [5, 3], [3, 7], [0, 6]]  # areas 2 and 4 have no neighbours


def basis_in_parts(n: int, parts: list[list[int]]) -> np.ndarray:
    """An orthonormal basis of the vectors of which each part sums to zero."""
    sums = np.array([np.isin(np.arange(n), areas) for areas in parts], dtype=float)
    return np.linalg.svd(sums)[2][len(parts) :].T


def test_icar_on_several_parts_is_a_normal_law_where_each_of_them_sums_to_zero() -> None:
    graph, sigma = Graph.from_pairs(IN_PARTS, n=8, weights=[1.0, 2.0, 1.0, 0.5, 3.0]), 0.7
    basis = basis_in_parts(8, [[1, 3, 5, 7], [0, 6]])
    precision = graph.laplacian.copy()
    precision[[2, 4], [2, 4]] = 1.0
    precision = basis.T @ precision @ basis / sigma**2
    u = RNG.normal(size=(3, 6))
    d = ICAR(graph, sigma)
    expected = st.multivariate_normal(np.zeros(6), np.linalg.inv(precision)).logpdf(u)
    np.testing.assert_allclose(d.log_prob(u @ basis.T), expected, rtol=1e-11)
    assert d.log_prob([1.0, 0, 0, 0, 0, 0, -1.0, 0]) > -np.inf
    assert d.log_prob([1.0, -1.0, 0, 0, 0, 0, 0, 0]) == -np.inf  # the whole sums to zero, its parts do not
    x = d.sample(np.random.default_rng(1), 3000)
    np.testing.assert_allclose(x - x @ basis @ basis.T, 0.0, atol=1e-12)
    whitened = x @ basis @ np.linalg.cholesky(precision)
    for direction in (*np.eye(6), np.full(6, 6**-0.5)):
        assert st.kstest(whitened @ direction, "norm").pvalue > FALSE_ALARM


def test_parts_are_sampled_in_as_many_dimensions_as_they_are_free() -> None:
    graph = Graph.from_pairs(IN_PARTS, n=8)

    @ba.model
    def field():
        ba.sample("x", ba.ICAR(graph, 0.7))

    posterior = field()
    basis = basis_in_parts(8, [[1, 3, 5, 7], [0, 6]])
    x = basis @ RNG.normal(size=6)
    q = posterior.unconstrained.pack({"x": x})
    assert q.shape == (6,)
    np.testing.assert_allclose(posterior.unconstrained.unpack(q)["x"], x, rtol=1e-13)
    np.testing.assert_allclose(np.sum(q**2), np.sum(x**2), rtol=1e-13)  # volumes are those within the plane
    assert posterior.unconstrained.log_density(q) == pytest.approx(float(ICAR(graph, 0.7).log_prob(x)), rel=1e-13)


def test_each_part_has_a_scaling_factor() -> None:
    factors = bym2_scaling_factor(Graph.from_pairs(IN_PARTS, n=8))
    for areas, pairs in (([1, 3, 5, 7], [[2, 0], [0, 1], [2, 1], [1, 3]]), ([0, 6], [[0, 1]])):
        np.testing.assert_allclose(factors[areas], bym2_scaling_factor(Graph.from_pairs(pairs)), rtol=1e-13)
    np.testing.assert_array_equal(factors[[2, 4]], 1.0)


# --- CAR
@pytest.mark.parametrize("weights", [W, WEIGHTED], ids=["plain", "weighted"])
@pytest.mark.parametrize("alpha", [0.0, 0.9, -0.5, 0.9999])
def test_car_is_a_normal_law(weights: np.ndarray, alpha: float) -> None:
    mu, sigma = np.linspace(-1, 1, 6), 1.3
    precision = (np.diag(weights.sum(axis=0)) - alpha * weights) / sigma**2
    x = RNG.normal(size=(3, 6))
    expected = st.multivariate_normal(mu, np.linalg.inv(precision)).logpdf(x)
    d = CAR(weights, alpha, sigma, mu)
    np.testing.assert_allclose(d.log_prob(x), expected, rtol=1e-9)
    np.testing.assert_array_equal(d.mean, mu)


def test_car_draws_batches_and_gradients(assert_gradient: Callable[..., None]) -> None:
    point = {"alpha": np.array([0.3, 0.8]), "sigma": np.float64(0.6), "mu": np.float64(0.2)}
    x = RNG.normal(size=(2, 6))
    d = CAR(W, **point)
    assert d.batch_shape == (2,)
    assert_gradient(lambda p: np.sum(CAR(W, **p).log_prob(x)), point)
    draws = d.sample(np.random.default_rng(3), 3000)[:, 1] - 0.2
    whitened = draws @ np.linalg.cholesky(np.diag(W.sum(axis=0)) - 0.8 * W) / 0.6
    for direction in (*np.eye(6), np.full(6, 6**-0.5)):
        assert st.kstest(whitened @ direction, "norm").pvalue > FALSE_ALARM


def test_car_has_no_density_where_the_precision_is_not_positive_definite() -> None:
    np.testing.assert_array_equal(CAR(W, np.array([1.0, 1.5, -3.0])).log_prob(np.zeros(6)), np.full(3, -np.inf))
    with pytest.raises(DistributionError, match="not positive definite for this alpha"):
        CAR(W, 1.5).sample(np.random.default_rng(1))
    with pytest.raises(DistributionError, match="area 2 has no neighbours"):
        CAR(Graph.from_pairs([[0, 1]], n=3), 0.5)


# --- BYM2
def covariance_of_bym2(sigma: float, rho: float) -> np.ndarray:
    inverse = np.linalg.pinv(np.diag(W.sum(axis=0)) - W)
    scale = np.exp(np.mean(np.log(np.diagonal(inverse))))
    return sigma**2 * ((1 - rho) * np.eye(6) + rho / scale * inverse)


def test_scaling_factor_is_the_geometric_mean_of_variances() -> None:
    inverse = np.linalg.pinv(np.diag(WEIGHTED.sum(axis=0)) - WEIGHTED)
    expected = np.prod(np.diagonal(inverse)) ** (1 / 6)
    assert bym2_scaling_factor(WEIGHTED) == pytest.approx(expected, rel=1e-12)
    assert bym2_scaling_factor(1e9 * WEIGHTED) == pytest.approx(1e-9 * expected, rel=1e-12)


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.999])
def test_bym2_is_a_normal_law(rho: float) -> None:
    x = RNG.normal(size=(3, 6))
    cov, mu = covariance_of_bym2(0.8, rho), np.linspace(-1, 1, 6)
    d = BYM2(W, 0.8, rho, mu)
    np.testing.assert_allclose(d.log_prob(x), st.multivariate_normal(mu, cov).logpdf(x), rtol=1e-9)
    np.testing.assert_array_equal(d.mean, mu)
    whiten = np.linalg.inv(np.linalg.cholesky(cov))
    z = (d.sample(np.random.default_rng(4), 3000) - mu) @ whiten.T
    for direction in (*np.eye(6), np.full(6, 6**-0.5)):
        assert st.kstest(z @ direction, "norm").pvalue > FALSE_ALARM


def test_bym2_scales_each_part_of_a_graph_by_itself() -> None:
    """A triangle, a pair and an area alone."""
    graph = Graph.from_pairs([[0, 1], [1, 2], [0, 2], [3, 4]], n=6)
    cov = np.eye(6)
    for areas in ([0, 1, 2], [3, 4]):
        k = len(areas)
        inverse = np.linalg.pinv(k * np.eye(k) - 1.0)  # complete graphs
        cov[np.ix_(areas, areas)] = inverse / np.exp(np.mean(np.log(np.diagonal(inverse))))
    x = RNG.normal(size=6)
    expected = st.multivariate_normal(np.zeros(6), 0.49 * (0.4 * np.eye(6) + 0.6 * cov)).logpdf(x)
    assert BYM2(graph, 0.7, 0.6).log_prob(x) == pytest.approx(expected, rel=1e-11)


def test_bym2_batches_and_gradients(assert_gradient: Callable[..., None]) -> None:
    point = {"sigma": np.array([0.5, 2.0]), "rho": np.float64(0.4), "mu": np.float64(0.3), "x": RNG.normal(size=(2, 6))}
    assert_gradient(lambda p: np.sum(BYM2(W, p["sigma"], p["rho"], p["mu"]).log_prob(p["x"])), point)
    for make in (lambda: BYM2(W, 1.0, 0.5, np.zeros(5)), lambda: CAR(W, 0.5, 1.0, np.zeros(5))):
        with pytest.raises(DistributionError, match=r"mu has shape \(5,\), but there are 6 areas"):
            make()
    with pytest.raises(DistributionError, match="rho must be below 1"):
        BYM2(W, 1.0, 1.0)


# --- in a model
def test_a_spatial_model_has_the_density_of_its_parts() -> None:
    @ba.model
    def disease(y: Any, graph: Any) -> None:
        sigma = ba.sample("sigma", ba.HalfNormal(1))
        b = ba.sample("b", ba.ICAR(graph, sigma))
        ba.sample("y", ba.PoissonLog(b), obs=y)

    y = [0, 2, 1, 4, 1, 0]
    posterior = disease(y=y, graph=Graph.from_pairs(PAIRS))
    assert posterior.unconstrained.dimension == 6
    b = ICAR(W).sample(np.random.default_rng(5))
    expected = st.halfnorm.logpdf(0.5) + ICAR(W, 0.5).log_prob(b) + st.poisson(np.exp(b)).logpmf(y).sum()
    assert posterior.neg_log_posterior({"sigma": 0.5, "b": b}) == pytest.approx(-expected, rel=1e-12)
    assert disease(y=y, graph=sparse.csr_array(W)).unconstrained.log_density(np.zeros(6)) == pytest.approx(
        disease(y=y, graph=W).unconstrained.log_density(np.zeros(6)), rel=1e-14
    )
    draws = posterior.sample(chains=1, warmup=100, draws=50, seed=1)
    np.testing.assert_allclose(draws["posterior"]["b"].values.sum(axis=-1), 0.0, atol=1e-10)
