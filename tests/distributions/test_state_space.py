"""Linear Gaussian state-space models against the joint normal law of states and observations."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats as st

import bayesad as ba
from bayesad.distributions import AR, GaussianRandomWalk, LinearGaussianStateSpace, MvNormal, Normal
from bayesad.errors import DistributionError

RNG = np.random.default_rng(16)
T, K, M = 5, 2, 3


def covariance(n: int) -> np.ndarray:
    root = RNG.normal(size=(n, n))
    return root @ root.T + 0.3 * np.eye(n)


ARGUMENTS: dict[str, Any] = {
    "initial_mean": np.array([1.0, -0.5]),
    "initial_cov": covariance(K),
    "transition": np.array([[0.8, 0.3], [-0.2, 0.9]]),
    "transition_cov": covariance(K),
    "observation": RNG.normal(size=(M, K)),
    "observation_cov": covariance(M),
}


def joint(a: dict[str, Any], T: int) -> tuple[np.ndarray, ...]:
    """Means and covariances of all states and of all observations, and the matrix that maps the first to these."""
    H, A = np.asarray(a["observation"]), np.asarray(a["transition"])
    H = H[None, :] if H.ndim == 1 else H
    H = np.broadcast_to(H, (T, *H.shape[-2:]))
    k, m = A.shape[0], H.shape[1]
    noise = np.zeros((T * k, T * k))
    for t in range(T):
        noise[t * k : t * k + k, t * k : t * k + k] = a["initial_cov"] if t == 0 else a["transition_cov"]
    spread = np.linalg.inv(np.eye(T * k) - np.kron(np.eye(T, k=-1), A))
    state_mean = spread @ np.concatenate([np.broadcast_to(a["initial_mean"], k), np.zeros((T - 1) * k)])
    state_cov = spread @ noise @ spread.T
    observe = np.zeros((T * m, T * k))
    for t in range(T):
        observe[t * m : t * m + m, t * k : t * k + k] = H[t]
    R = np.kron(np.eye(T), np.reshape(a["observation_cov"], (m, m)))
    offset = np.broadcast_to(a.get("offset", 0.0), (T, m) if np.ndim(a["observation"]) > 1 else (T,)).ravel()
    return state_mean, state_cov, observe @ state_mean + offset, observe @ state_cov @ observe.T + R, observe


def with_gaps(y: np.ndarray) -> np.ndarray:
    y = y.copy()
    y[1] = np.nan
    y[3, 0] = np.nan
    return y


CASES: dict[str, dict[str, Any]] = {
    "fixed": ARGUMENTS,
    "changing": {
        **ARGUMENTS,
        "observation": RNG.normal(size=(T, M, K)),
        "offset": RNG.normal(size=(T, M)),
        "initial_mean": 0.0,
    },
    "singular": {**ARGUMENTS, "transition_cov": np.diag([0.5, 0.0]), "offset": np.array([1.0, 2.0, 3.0])},
}


@pytest.mark.parametrize("case", CASES)
def test_density_is_that_of_the_joint_normal_law(case: str) -> None:
    d = LinearGaussianStateSpace(**CASES[case])
    assert d.batch_shape == ()
    _, _, mean, cov, _ = joint(CASES[case], T)
    y = RNG.normal(size=(2, T, M)) * 2.0
    expected = st.multivariate_normal(mean, cov).logpdf(y.reshape(2, -1))
    np.testing.assert_allclose(d.log_prob(y), expected, rtol=1e-10)
    gaps = with_gaps(y[0])
    seen = ~np.isnan(gaps.ravel())
    expected = st.multivariate_normal(mean[seen], cov[np.ix_(seen, seen)]).logpdf(gaps.ravel()[seen])
    assert d.log_prob(gaps) == pytest.approx(expected, rel=1e-10)
    assert LinearGaussianStateSpace(**CASES[case]).log_prob(np.full((T, M), np.nan)) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_states_given_observations_are_those_of_the_joint_normal_law(case: str) -> None:
    d = LinearGaussianStateSpace(**CASES[case])
    state_mean, state_cov, mean, cov, observe = joint(CASES[case], T)
    y = with_gaps(RNG.normal(size=(T, M)))

    def given(times: int) -> tuple[np.ndarray, np.ndarray]:
        seen = ~np.isnan(y.ravel()) & (np.arange(T * M) < times * M)
        gain = np.linalg.solve(cov[np.ix_(seen, seen)], observe[seen] @ state_cov).T
        return state_mean + gain @ (y.ravel() - mean)[seen], state_cov - gain @ observe[seen] @ state_cov

    smoothed, filtered = d.smoothed(y), d.filtered(y)
    for t in range(T):
        block = slice(t * K, t * K + K)
        for found, (m, c) in ((smoothed, given(T)), (filtered, given(t + 1))):
            np.testing.assert_allclose(found.mean[t], m[block], rtol=1e-9, atol=1e-10)
            np.testing.assert_allclose(found.cov[t], c[block, block], rtol=1e-9, atol=1e-10)
    paths = d.sample_states(np.random.default_rng(1), np.broadcast_to(y, (3000, T, M))).reshape(3000, -1)
    m, c = given(T)
    for direction in (*np.eye(T * K), np.cos(np.arange(T * K))):
        sd = np.sqrt(max(direction @ c @ direction, 1e-300))
        if sd > 1e-6:
            assert st.kstest(paths @ direction, st.norm(m @ direction, sd).cdf).pvalue > 1e-6


def test_forecasts_go_on_with_the_joint_law() -> None:
    d = LinearGaussianStateSpace(**ARGUMENTS)
    y = with_gaps(RNG.normal(size=(T, M)))
    _, _, mean, cov, _ = joint(ARGUMENTS, T + 3)
    seen = np.append(~np.isnan(y.ravel()), np.zeros(3 * M, dtype=bool))
    later = np.arange((T + 3) * M) >= T * M
    gain = np.linalg.solve(cov[np.ix_(seen, seen)], cov[np.ix_(seen, later)]).T
    expected = mean[later] + gain @ (y.ravel()[seen[: T * M]] - mean[seen])
    spread = cov[np.ix_(later, later)] - gain @ cov[np.ix_(seen, later)]
    found = d.forecast(y, 3)
    np.testing.assert_allclose(found.mean.ravel(), expected, rtol=1e-10)
    for t in range(3):
        block = slice(t * M, t * M + M)
        np.testing.assert_allclose(found.cov[t], spread[block, block], rtol=1e-9)
    with pytest.raises(DistributionError, match="do not change over time"):
        LinearGaussianStateSpace(**CASES["changing"]).forecast(y, 3)


def test_series_are_handled_together_as_one_by_one() -> None:
    d = LinearGaussianStateSpace(**ARGUMENTS)
    y = np.stack([with_gaps(RNG.normal(size=(T, M))), RNG.normal(size=(T, M))])
    for f in (d.log_prob, lambda v: d.filtered(v).mean, lambda v: d.smoothed(v).cov, lambda v: d.forecast(v, 2).cov):
        np.testing.assert_allclose(f(y), [f(y[0]), f(y[1])], rtol=1e-12)


def test_draws_and_mean_are_those_of_the_joint_law() -> None:
    d = LinearGaussianStateSpace(**CASES["changing"])
    _, _, mean, cov, _ = joint(CASES["changing"], T)
    np.testing.assert_allclose(d.mean.ravel(), mean, rtol=1e-12)
    draws = d.sample(np.random.default_rng(2), 3000).reshape(3000, -1)
    for direction in (*np.eye(T * M), np.cos(np.arange(T * M))):
        law = st.norm(mean @ direction, np.sqrt(direction @ cov @ direction))
        assert st.kstest(draws @ direction, law.cdf).pvalue > 1e-6


def test_numbers_need_no_axis_of_their_own() -> None:
    """A noisy random walk; without noise it is the walk itself."""
    y = RNG.normal(size=6)
    d = LinearGaussianStateSpace(3.0, [[4.0]], [[1.0]], [[0.25]], [1.0], 0.09, offset=np.arange(6.0))
    assert d.event_shape == (6,)
    walk = np.minimum.outer(np.arange(6), np.arange(6)) * 0.25 + 4.0
    expected = st.multivariate_normal(3.0 + np.arange(6.0), walk + 0.09 * np.eye(6)).logpdf(y)
    assert d.log_prob(y) == pytest.approx(expected, rel=1e-11)
    assert d.sample(np.random.default_rng(1), 2).shape == (2, 6)
    exact = LinearGaussianStateSpace(3.0, [[4.0]], [[1.0]], [[0.25]], [1.0], 0.0)
    expected = GaussianRandomWalk(0.0, 0.5, Normal(3.0, 2.0)).log_prob(y)
    assert exact.log_prob(y) == pytest.approx(expected, rel=1e-12)


def test_an_autoregression_in_companion_form() -> None:
    phi, sigma = np.array([0.5, -0.3]), 0.7
    start = MvNormal([0.0, 0.0], cov=np.eye(2))
    d = LinearGaussianStateSpace(
        0.0, np.eye(2), [phi, [1.0, 0.0]], [[sigma**2, 0.0], [0.0, 0.0]], np.array([1.0, 0.0]), 0.0, length=6
    )
    y = RNG.normal(size=6)
    later = AR(phi, sigma, initial=start).log_prob(np.concatenate([[0.2], y]))
    # the state at the first time is (y_1, y_0) with a standard normal law; y_0 integrated out
    grid, step = np.linspace(-9, 9, 4001, retstep=True)
    series = np.concatenate([grid[:, None], np.broadcast_to(y, (4001, 6))], axis=1)
    total = np.log(np.sum(np.exp(AR(phi, sigma, initial=start).log_prob(series))) * step)
    assert np.isfinite(later)
    assert d.log_prob(y) == pytest.approx(total, rel=1e-9)


def test_covariances_stay_positive_definite_from_a_vague_start() -> None:
    """A local linear trend, nearly without noise, from variances of 10^10."""
    d = LinearGaussianStateSpace(
        0.0, 1e10 * np.eye(2), [[1.0, 1.0], [0.0, 1.0]], np.diag([1e-8, 1e-10]), [1.0, 0.0], 1e-4, length=300
    )
    y = 0.3 * np.arange(300.0) + 0.01 * RNG.normal(size=300)
    filtered = d.filtered(y)
    assert (np.linalg.eigvalsh(filtered.cov) > 0).all()
    assert np.isfinite(d.log_prob(y))
    np.testing.assert_allclose(filtered.mean[-1], [0.3 * 299, 0.3], atol=0.02)


def test_gradients_reach_every_argument(assert_gradient: Callable[..., None]) -> None:
    y = with_gaps(RNG.normal(size=(T, M)))
    square = {name: a for name, a in ARGUMENTS.items() if name.endswith("cov")}

    def log_density(p: Any) -> Any:
        symmetric = {name: 0.5 * (p[name] + np.transpose(p[name])) for name in square}
        return LinearGaussianStateSpace(**{**p, **symmetric}).log_prob(y)

    assert_gradient(log_density, {**ARGUMENTS, "offset": np.zeros(M)})


def test_matrices_may_be_lists_that_hold_unknowns(assert_gradient: Callable[..., None]) -> None:
    def log_density(p: Any) -> Any:
        a, s = p["a"], p["s"]
        law = LinearGaussianStateSpace(
            [0.0, a], [[1.0, 0.0], [0.0, s]], [[a, 0.1], [0, 1]], np.diag([s, 1.0]), [1.0, a], s
        )
        return law.log_prob([0.3, np.nan, -0.5])

    assert_gradient(log_density, {"a": np.float64(0.6), "s": np.float64(0.8)})


def test_what_does_not_fit_is_an_error() -> None:
    for changes, message in [
        ({"observation": np.ones((M, 3))}, r"for 2 states and 3 observed numbers observation needs the shape \(3, 2\)"),
        ({"initial_mean": np.zeros(3)}, "initial_mean needs the shape"),
        ({"observation_cov": np.eye(2)}, r"observation_cov needs the shape \(3, 3\)"),
        ({"observation": np.ones((4, M, K)), "length": 5}, "different numbers of times: 4, 5"),
    ]:
        with pytest.raises(DistributionError, match=message):
            LinearGaussianStateSpace(**{**ARGUMENTS, **changes})


def test_a_model_leaves_out_what_was_not_observed() -> None:
    @ba.model
    def level(y: Any) -> None:
        walk = ba.sample("walk", ba.HalfNormal(1))
        noise = ba.sample("noise", ba.HalfNormal(1))
        law = ba.LinearGaussianStateSpace(
            initial_mean=0.0,
            initial_cov=[[25.0]],
            transition=[[1.0]],
            transition_cov=[[walk**2]],
            observation=[1.0],
            observation_cov=noise**2,
        )
        ba.sample("y", law, obs=y)

    y = np.cumsum(np.random.default_rng(3).normal(size=20))
    y[5:8] = np.nan
    posterior = level(y=y)
    assert list(posterior.parameters) == ["walk", "noise"]
    seen = ~np.isnan(y)
    cov = 25.0 + np.minimum.outer(np.arange(20), np.arange(20)) * 0.49 + 0.04 * np.eye(20)
    expected = st.halfnorm.logpdf([0.7, 0.2]).sum() + st.multivariate_normal(
        np.zeros(17), cov[np.ix_(seen, seen)]
    ).logpdf(y[seen])
    assert posterior.neg_log_posterior({"walk": 0.7, "noise": 0.2}) == pytest.approx(-expected, rel=1e-10)
    draws = posterior.sample(chains=1, warmup=50, draws=30, seed=1)
    assert posterior.predict(draws, seed=1)["posterior_predictive"]["y"].shape == (1, 30, 20)
