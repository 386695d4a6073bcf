"""Whole runs on densities whose means, variances and quantiles are known.

Every run has independent chains, so the spread of the chains' averages tells the Monte Carlo error without any estimate
of autocorrelation. Each comparison raises a false alarm with probability 1e-5, and seeds are fixed.
"""

import numpy as np
import pytest
from scipy import stats

from bayesad.samplers import HMC, NUTS, run_chains

CHAINS = 16
PROBABILITIES = np.array([0.05, 0.25, 0.5, 0.75, 0.95])


def draw(target, sampler, starts, *, warmup=500, draws=500, seed=11, **more):
    return run_chains(
        target.pointer,
        target.dimension,
        sampler,
        chains=len(starts),
        warmup=warmup,
        draws=draws,
        seed=seed,
        initial=np.ascontiguousarray(starts),
        **more,
    )


def uniform_starts(d, chains=CHAINS):
    return np.random.default_rng(0).uniform(-2, 2, size=(chains, d))


def check_marginals(check, draws, laws):
    """Probabilities of intervals, and the first two moments where they exist, of every coordinate."""
    for values, law in zip(np.moveaxis(draws, -1, 0), laws, strict=True):
        below = values[:, :, None] < law.ppf(PROBABILITIES)
        check(below.mean(axis=1), PROBABILITIES)
        if np.isfinite(law.var()):
            check(values.mean(axis=1), law.mean())
            if np.isfinite(law.stats("k")):
                check(((values - law.mean()) ** 2).mean(axis=1), law.var())


@pytest.mark.parametrize("sampler", [NUTS(metric="diagonal"), NUTS(metric="dense"), HMC(), HMC(n_steps=4)], ids=repr)
def test_independent_normals_of_different_scale(targets, within_monte_carlo_error, sampler):
    scales = np.array([0.01, 1.0, 300.0])
    target, _ = targets.normal(scales**2)
    result = draw(target, sampler, uniform_starts(3))
    check_marginals(within_monte_carlo_error, result.draws, [stats.norm(scale=s) for s in scales])
    assert not result.stats["diverging"].any()


@pytest.mark.parametrize(
    ("d", "metric", "chains", "draws"),
    [(2, "auto", 16, 1000), (20, "diagonal", 12, 1000), (50, "dense", 16, 500), (200, "auto", 8, 500)],
)
def test_correlated_normals_of_condition_number_1e4(targets, within_monte_carlo_error, d, metric, chains, draws):
    target, covariance = targets.normal(np.logspace(0, 4, d), reflected=True)
    starts = np.random.default_rng(1).multivariate_normal(np.zeros(d), covariance, size=chains)
    result = draw(target, NUTS(metric=metric), starts, warmup=1000, draws=draws)
    within_monte_carlo_error(result.draws.mean(axis=1), 0.0)
    within_monte_carlo_error((result.draws**2).mean(axis=1), np.diag(covariance))
    # The directions of least and greatest variance, which no single coordinate shows.
    eigenvalues, directions = np.linalg.eigh(covariance)
    along = result.draws @ directions[:, [0, -1]] / np.sqrt(eigenvalues[[0, -1]])
    check_marginals(within_monte_carlo_error, along, [stats.norm(), stats.norm()])
    assert not result.stats["diverging"].any()
    assert {metric.ndim for metric in result.inverse_metric} == {1 if metric == "diagonal" else 2}


def test_the_energy_is_the_sum_of_two_independent_chi_squares(targets, within_monte_carlo_error):
    # Of a d-dimensional normal, energy - (log density at the mode) = chi-square with 2 d degrees of freedom, halved.
    target, _ = targets.normal(np.ones(10))
    energy = 2 * draw(target, NUTS(), uniform_starts(10)).stats["energy"]
    check_marginals(within_monte_carlo_error, energy[:, :, None], [stats.chi2(20)])


@pytest.mark.parametrize("nu", [5.0, 2.0])
@pytest.mark.parametrize("sampler", [NUTS(), HMC(integration_time=3.0)], ids=["nuts", "hmc"])
def test_heavy_tails(targets, within_monte_carlo_error, nu, sampler):
    result = draw(targets.student_t(2, nu), sampler, uniform_starts(2), draws=2000)
    check_marginals(within_monte_carlo_error, result.draws, [stats.t(nu)] * 2)


def test_cauchy_tails(targets, within_monte_carlo_error):
    # Excursions are long: many draws, and chains that begin as exact draws.
    starts = stats.cauchy.rvs(size=(32, 1), random_state=np.random.default_rng(1))
    result = draw(targets.student_t(1, 1.0), NUTS(), starts, draws=10_000)
    check_marginals(within_monte_carlo_error, result.draws, [stats.cauchy()])


@pytest.mark.parametrize("sampler", [NUTS(), HMC()], ids=["nuts", "hmc"])
def test_a_density_on_the_positive_numbers_through_its_logarithm(targets, within_monte_carlo_error, sampler):
    shapes = [0.5, 1.0, 3.0, 40.0]
    result = draw(targets.log_gamma(shapes), sampler, uniform_starts(4), draws=1000)
    check_marginals(within_monte_carlo_error, np.exp(result.draws), [stats.gamma(a) for a in shapes])


def test_the_funnel_is_reported_as_divergent_in_its_neck(targets):
    result = draw(targets.funnel(10), NUTS(target_accept=0.85), uniform_starts(10), warmup=1000, draws=1000)
    assert result.stats["diverging"].sum() > 10
    assert np.sum(result.stats["diverging"].any(axis=1)) > CHAINS / 3
    neck = result.divergences.start[:, 0]
    assert np.median(neck) < -1.0  # the law of this coordinate is N(0, 3)
    assert neck.mean() < result.draws[:, :, 0].mean() - 2.0


def test_the_wide_part_of_the_funnel_is_right_with_small_steps(targets, within_monte_carlo_error):
    result = draw(targets.funnel(3), NUTS(target_accept=0.99), uniform_starts(3), warmup=1000, draws=3000)
    above = result.draws[:, :, 0, None] > 3.0 * np.array([0.0, 1.0])
    within_monte_carlo_error(above.mean(axis=1), stats.norm.sf([0.0, 1.0]))


@pytest.mark.parametrize("algorithm", [NUTS, HMC])
def test_acceptance_is_tuned_to_its_target(targets, algorithm):
    target, _ = targets.normal(np.linspace(1, 10, 20))
    sampled = []
    for target_accept in (0.6, 0.8, 0.95):
        result = draw(target, algorithm(target_accept=target_accept), uniform_starts(20), warmup=1000, keep_warmup=True)
        # Dual averaging holds the mean of its last stretch, 50 iterations of 16 chains, at the target. The averaged
        # step size, which is used afterwards, accepts somewhat more: acceptance is not linear in its logarithm.
        tuned = result.warmup_stats["acceptance_rate"][:, -50:].mean()
        assert tuned == pytest.approx(target_accept, abs=0.04)
        sampled.append(result.stats["acceptance_rate"].mean())
        assert target_accept - 0.04 < sampled[-1] < 0.6 + 0.4 * target_accept
    assert sampled == sorted(sampled)


def test_the_metric_is_learnt(targets):
    variances = np.array([1e-6, 1.0, 1e6])
    target, _ = targets.normal(variances)
    result = draw(target, NUTS(metric="diagonal"), uniform_starts(3), warmup=1000, draws=10)
    for inverse in result.inverse_metric:
        np.testing.assert_allclose(inverse, variances, rtol=0.4)  # 500 draws: 6 % standard error
    target, covariance = targets.normal([1.0, 100.0], reflected=True)
    result = draw(target, NUTS(metric="dense"), uniform_starts(2), warmup=1000, draws=10)
    for inverse in result.inverse_metric:
        assert np.linalg.norm(inverse - covariance) < 0.5 * np.linalg.norm(covariance)
        correlation = inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1])
        assert correlation == pytest.approx(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]), abs=0.05)
