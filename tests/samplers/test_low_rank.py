"""Low-rank metrics: against the same estimate in linear algebra, on normal laws, and in whole runs."""

import numpy as np
import pytest
from scipy import linalg

from bayesad.ad.backends.llvm.kernel import compile_kernel
from bayesad.samplers import NUTS, run_chains
from bayesad.samplers.chain import Chain
from bayesad.samplers.hamiltonian import DIAGONAL, LOW_RANK, MOST_DIRECTIONS, low_rank_root
from bayesad.samplers.low_rank import HISTORY
from bayesad.samplers.metric import MOST_FOR_AUTO, factor_size, moment_size, take_draw, update_metric, update_size
from bayesad.samplers.random import streams


def estimate(draws, gradients):
    """The kind and the matrix M⁻¹ that a window of draws gives."""
    n, d = draws.shape
    moment, mean = np.full(moment_size(LOW_RANK, d), 7.0), np.full(2 * d, 7.0)
    take = compile_kernel(take_draw)
    for count, (draw, gradient) in enumerate(zip(draws, gradients, strict=True), start=1):
        take(LOW_RANK, d, count, draw.copy(), gradient.copy(), mean, moment, np.zeros(d))
    factor, workspace = np.zeros(factor_size(LOW_RANK, d)), np.zeros(update_size(LOW_RANK, d))
    kind = compile_kernel(update_metric)(LOW_RANK, DIAGONAL, d, n, n, moment, factor, workspace)
    if kind == DIAGONAL:
        return kind, np.diag(factor[:d] ** 2)
    root = low_rank_root(factor, d)
    return kind, root @ root.T


def with_odd_directions(d, variances, seed=3):
    """A covariance with unequal scales and, between them, some orthonormal directions of these variances."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.normal(size=(d, len(variances))))[0]
    correlation = np.eye(d) + directions @ np.diag(np.array(variances) - 1) @ directions.T
    scales = np.logspace(-1, 1, d)
    return correlation * np.outer(scales, scales)


def normal_draws(n, covariance, seed=0):
    draws = np.random.default_rng(seed).multivariate_normal(np.arange(len(covariance)), covariance, size=n)
    return draws, -np.linalg.solve(covariance, (draws - np.arange(len(covariance))).T).T


def power(matrix, exponent):
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return vectors @ np.diag(values**exponent) @ vectors.T


@pytest.mark.parametrize(("d", "n"), [(5, 30), (70, 20), (70, HISTORY + 15)])
def test_the_estimate_equals_its_formula(d, n):
    draws, gradients = normal_draws(n, with_odd_directions(d, [50.0, 9.0, 0.02]))
    gradients *= np.random.default_rng(d).lognormal(0, 0.3, size=gradients.shape)  # no normal law's any more
    kind, found = estimate(draws, gradients)
    scales = np.sqrt(draws.std(axis=0) / gradients.std(axis=0))
    x, g = draws[-HISTORY:], gradients[-HISTORY:]
    x, g = (x - x.mean(axis=0)) / scales, (g - g.mean(axis=0)) * scales
    basis = linalg.orth(np.concatenate([x, g]).T, rcond=1e-9)
    a, b = (basis.T @ v.T @ v @ basis / len(v) + 1e-5 * np.eye(basis.shape[1]) for v in (x, g))
    root = power(b, 0.5)
    values, vectors = np.linalg.eigh(power(b, -0.5) @ power(root @ a @ root, 0.5) @ power(b, -0.5))
    chosen = [i for i in np.argsort(-np.abs(np.log(values))) if abs(np.log(values[i])) > np.log(2)][:MOST_DIRECTIONS]
    u = basis @ vectors[:, chosen]
    expected = np.eye(d) + u @ np.diag(values[chosen] - 1) @ u.T
    assert kind == LOW_RANK
    np.testing.assert_allclose(found, expected * np.outer(scales, scales), rtol=1e-4, atol=1e-4 * np.abs(found).max())


def test_of_a_normal_law_few_draws_find_the_odd_directions():
    covariance = with_odd_directions(100, [400.0, 100.0, 0.01])
    kind, found = estimate(*normal_draws(40, covariance))
    assert kind == LOW_RANK
    before = linalg.eigvalsh(covariance, np.diag(np.diag(covariance)))
    after = linalg.eigvalsh(covariance, found)
    assert before[-1] / before[0] > 1e3
    assert after[-1] / after[0] < 0.05 * before[-1] / before[0]


def test_without_odd_directions_the_metric_stays_diagonal():
    kind, found = estimate(*normal_draws(40, np.diag(np.logspace(-2, 2, 60))))
    assert kind == DIAGONAL
    np.testing.assert_allclose(np.diag(found), np.logspace(-2, 2, 60), rtol=1e-10)


def test_auto_means_low_rank_beyond_the_dense_dimensions():
    d = MOST_FOR_AUTO + 1

    def chain(metric):
        return Chain(d, NUTS(metric=metric), warmup=50, draws=0, rng=streams(1, 1)[0], initial=np.zeros(d))

    assert len(chain("auto").state.factor) == len(chain("low_rank").state.factor) == factor_size(LOW_RANK, d)


def test_a_low_rank_metric_moves_along_odd_directions_and_draws_right(targets):
    d = 80
    target, covariance = targets.normal([900.0, *[1.0] * (d - 2), 0.01], reflected=True)
    settings = {"chains": 4, "warmup": 300, "draws": 500, "seed": 4, "initial": np.zeros(d)}
    widest = np.linalg.eigh(covariance)[1][:, -1]
    left = {}
    for metric in ("diagonal", "low_rank"):
        result = run_chains(target.pointer, d, NUTS(metric=metric), **settings)
        along = result.draws @ widest
        left[metric] = np.mean([np.corrcoef(x[1:], x[:-1])[0, 1] for x in along])
    assert left["low_rank"] < 0.3 < 0.6 < left["diagonal"]
    # With 2000 draws, about independent, the standard error of a variance is 3 %: five of them.
    np.testing.assert_allclose(result.draws.reshape(-1, d).var(axis=0), np.diag(covariance), rtol=0.16)
    np.testing.assert_allclose(result.inverse_metric[0], np.diag(covariance), rtol=0.5)
