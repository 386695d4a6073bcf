"""One transition of static Hamiltonian Monte Carlo."""

import math

import numpy as np
import pytest
from scipy import stats

from bayesad.ad.backends.llvm.kernel import Float, Floats, Int, Ints, LogDensity, Words, compile_kernel
from bayesad.errors import ConfigError
from bayesad.samplers import HMC
from bayesad.samplers import control as codes
from bayesad.samplers.hamiltonian import DIAGONAL
from bayesad.samplers.hmc import MOST_STEPS, hmc_transition, hmc_workspace_size, steps_of
from bayesad.samplers.random import fill_normals, streams, uniform

ALARM = 1e-6  # false-alarm rate of each test on a distribution
SCALES = np.array([1.2, 0.7])
FACTOR = np.array([*SCALES, 9.0, 9.0])  # in whole Lanes


def transition(target, q, rng, *, n_steps=0, time=0.0, jitter=0.0, step_size=0.2, control=None):
    """Outcome, position, statistics and divergence of one transition."""
    position, gradient = np.array(q, dtype=float), np.zeros(2)
    with np.errstate(all="ignore"):
        log_density = target(position, gradient)
        statistics, divergence = np.zeros(codes.N_STATISTICS), np.zeros(4)
        outcome = hmc_transition(
            target,
            DIAGONAL,
            2,
            n_steps,
            time,
            jitter,
            step_size,
            FACTOR,
            position,
            gradient,
            log_density,
            rng,
            np.zeros(hmc_workspace_size(2)),
            np.zeros(codes.CONTROL_SIZE, dtype=np.int64) if control is None else control,
            statistics,
            divergence[:2],
            divergence[2:],
        )
    return outcome, position, gradient, statistics, divergence


def expected_end(target, q, rng, n_steps, jitter, step_size):
    """The end of the trajectory with an ordinary mass matrix, its energy error and the uniform that decides."""
    z = np.zeros(2)
    fill_normals(rng, 2, z)
    step = step_size * (1 + jitter * (2 * uniform(rng) - 1))
    gradient, q, p = np.zeros(2), np.array(q), z / SCALES
    start = np.sum((SCALES * p) ** 2) / 2 - target(q, gradient)
    for _ in range(n_steps):
        target(q, gradient)
        p = p + step / 2 * gradient
        q = q + step * SCALES**2 * p
        target(q, gradient)
        p = p + step / 2 * gradient
    return q, np.sum((SCALES * p) ** 2) / 2 - target(q, gradient), start, uniform(rng)


def test_a_transition_accepts_or_rejects_the_end_of_its_trajectory(targets):
    target, decisions = targets.quartic(), set()
    for seed in range(40):
        rng, same = streams(seed, 1)[0], streams(seed, 1)[0]
        q = np.array([0.4, -0.7])
        end, energy, start, u = expected_end(target, q, same, 6, 0.3, 0.48)
        outcome, position, gradient, statistics, _ = transition(target, q, rng, n_steps=6, jitter=0.3, step_size=0.48)
        accepted = u < math.exp(min(0.0, start - energy))
        assert outcome == (codes.COMPLETE if start - energy >= -1000 else codes.DIVERGENT)
        np.testing.assert_allclose(position, end if accepted else q, rtol=1e-10)
        assert statistics[codes.ACCEPTANCE] == pytest.approx(math.exp(min(0.0, start - energy)), rel=1e-9)
        assert statistics[codes.ENERGY] == pytest.approx(energy if accepted else start, rel=1e-9)
        assert statistics[codes.N_STEPS] == 6
        expected_gradient = np.zeros(2)
        assert statistics[codes.LOG_DENSITY] == pytest.approx(target(position, expected_gradient), rel=1e-12)
        np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-12)
        decisions.add(accepted)
    assert decisions == {True, False}


def test_a_trajectory_that_leaves_the_support_is_rejected_as_divergent():
    def half_plane(q, gradient):
        gradient[:2] = 0.0
        return 0.0 if q[0] < 0.5 else -math.inf

    rng = streams(2, 1)[0]
    found = {codes.COMPLETE: 0, codes.DIVERGENT: 0}
    for _ in range(50):
        control = np.zeros(codes.CONTROL_SIZE, dtype=np.int64)
        outcome, position, _, statistics, divergence = transition(half_plane, [0, 0], rng, n_steps=20, control=control)
        found[outcome] += 1
        assert statistics[codes.N_STEPS] == control[codes.LEAPFROGS]
        if outcome == codes.DIVERGENT:
            assert not position.any()
            assert statistics[codes.ACCEPTANCE] == 0.0
            assert statistics[codes.N_STEPS] < 20 or divergence[2] >= 0.5
            assert divergence[0] < 0.5 <= divergence[2]
    assert min(found.values()) > 5


def test_a_great_energy_error_is_a_divergence(targets):
    outcome, position, _, statistics, _ = transition(
        targets.quartic(), [1.5, -2.0], streams(1, 1)[0], n_steps=4, step_size=3.0
    )
    assert outcome == codes.DIVERGENT
    assert list(position) == [1.5, -2.0]
    assert statistics[codes.ACCEPTANCE] == 0.0


def test_stop_leaves_the_state_alone(targets):
    control = np.zeros(codes.CONTROL_SIZE, dtype=np.int64)
    control[codes.STOP] = 1
    outcome, position, _, _, _ = transition(
        targets.quartic(), [0.4, -0.7], streams(1, 1)[0], n_steps=4, control=control
    )
    assert outcome == codes.STOPPED
    assert list(position) == [0.4, -0.7]
    assert control[codes.LEAPFROGS] == 0


@pytest.mark.parametrize(
    ("n_steps", "time", "step_size", "expected"),
    [(7, 0.0, 0.1, 7), (0, 1.0, 0.3, 3), (0, 1.0, 4.0, 1), (0, 1.0, 1e-9, MOST_STEPS), (0, 1e300, 1e-9, MOST_STEPS)],
)
def test_number_of_steps(n_steps, time, step_size, expected):
    assert steps_of(n_steps, time, step_size) == expected


def transitions(
    count: Int,
    log_density: LogDensity,
    dimension: Int,
    n_steps: Int,
    jitter: Float,
    step_size: Float,
    factor: Floats,
    rng: Words,
    workspace: Floats,
    control: Ints,
    gradient: Floats,
    statistics: Floats,
    points: Floats,
) -> None:
    """One transition from each of many points, in place."""
    for i in range(count):
        position = points[i * dimension :]
        start_log_density = log_density(position, gradient)
        hmc_transition(
            log_density,
            0,
            dimension,
            n_steps,
            0.0,
            jitter,
            step_size,
            factor,
            position,
            gradient,
            start_log_density,
            rng,
            workspace,
            control,
            statistics,
            statistics[codes.N_STATISTICS :],
            statistics[codes.N_STATISTICS + dimension :],
        )


def test_a_transition_leaves_the_density_invariant(targets):
    shapes, count = [0.8, 3.0], 50_000
    points = np.log(np.random.default_rng(1).gamma(shapes, size=(count, 2)))
    before = points.copy()
    compile_kernel(transitions)(
        count,
        targets.log_gamma(shapes).pointer,
        2,
        3,
        0.4,
        0.9,
        FACTOR,
        streams(8, 1)[0],
        np.zeros(hmc_workspace_size(2)),
        np.zeros(codes.CONTROL_SIZE, dtype=np.int64),
        np.zeros(2),
        np.zeros(codes.N_STATISTICS + 4),
        points.reshape(-1),
    )
    moved = np.mean(np.any(points != before, axis=1))
    assert 0.3 < moved < 0.97
    for values, shape in zip(points.T, shapes, strict=True):
        assert stats.kstest(np.exp(values), stats.gamma(shape).cdf).pvalue > ALARM
    assert stats.spearmanr(points[:, 0], points[:, 1]).pvalue > ALARM


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_steps": 0}, ["HMC", "n_steps", "at least 1", "0"]),
        ({"n_steps": 2.5}, ["n_steps", "whole number", "2.5"]),
        ({"integration_time": -1.0}, ["integration_time", "above 0", "-1.0"]),
        ({"integration_time": math.inf}, ["integration_time", "finite", "inf"]),
        ({"n_steps": 3, "integration_time": 1.0}, ["n_steps=3", "integration_time=1.0", "one of them"]),
        ({"jitter": 1.0}, ["jitter", "at least 0", "below 1", "1.0"]),
        ({"jitter": "much"}, ["jitter", "'much'"]),
        ({"target_accept": 1.0}, ["target_accept", "below 1", "1.0"]),
        ({"metric": "low-rank"}, ["metric", "auto, diagonal, dense, low_rank", "'low-rank'"]),
        ({"step_size": 0}, ["step_size", "above 0", "got 0"]),
    ],
)
def test_impossible_settings_are_named(settings, words):
    with pytest.raises(ConfigError) as error:
        HMC(**settings)
    for word in words:
        assert word in str(error.value)
