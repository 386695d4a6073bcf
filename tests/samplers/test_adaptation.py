"""Windows, the approximation of the step size and the search for a first one."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bayesad.ad.backends.llvm.kernel_vectors import padded
from bayesad.samplers import control as codes
from bayesad.samplers.adaptation import (
    STEP,
    TUNING_SIZE,
    find_step_size,
    finish_step_size,
    learn_step_size,
    restart_step_size,
    windows,
)
from bayesad.samplers.hamiltonian import DIAGONAL, state_size
from bayesad.samplers.random import streams


def test_windows_double_and_leave_the_last_iterations_to_the_step_size():
    updates, ends = windows(1000)
    assert [update for update, end in zip(updates, ends, strict=True) if end] == [10, 30, 70, 150, 310, 850]
    assert set(updates) == {*range(10, 160, 10), 310, 850}
    assert windows(19) == windows(0) == ((), ())


@given(st.integers(20, 5000))
def test_windows_of_every_warmup(warmup):
    updates, ends = windows(warmup)
    assert list(updates) == sorted(set(updates))
    assert ends[-1]
    assert updates[-1] == warmup - int(0.15 * warmup)
    last = [0] + [update for update, end in zip(updates, ends, strict=True) if end]
    lengths = np.diff(last)
    assert np.all(lengths[:-2] * 2 == lengths[1:-1])
    assert len(lengths) == 1 or lengths[-1] >= 2 * lengths[-2]
    assert 1 <= lengths[-1] / (10 * 2 ** (len(lengths) - 1)) < 3


def approximation(first_step, target, acceptances):
    """Robbins & Monro's recursion and the weighted power mean, written out in NumPy."""
    t = np.arange(1, len(acceptances) + 1)
    errors = np.log(np.maximum(acceptances, 0.1)) - (2.0 - target) * math.log(target)
    log_steps = math.log(first_step) + np.cumsum(2.0 / np.sqrt(t + 4.0) * target * errors)
    weights = t**-0.75
    kept = np.append(np.cumprod((1 - weights)[::-1])[::-1][1:], 1.0)
    return np.exp(log_steps), np.sum(weights * kept * np.exp(-4.0 * log_steps)) ** -0.25


@pytest.mark.parametrize("first_step", [1e-3, 0.4, 20.0])
def test_the_step_size_equals_a_transcription(first_step):
    acceptances = np.random.default_rng(1).beta(4, 1, size=200)
    tuning = np.zeros(TUNING_SIZE)
    for _ in range(2):  # the second time after a restart
        tuning[STEP] = first_step
        restart_step_size(tuning)
        steps, mean = approximation(first_step, 0.8, acceptances)
        for acceptance, step in zip(acceptances, steps, strict=True):
            learn_step_size(tuning, 0.8, acceptance)
            assert tuning[STEP] == pytest.approx(step, rel=1e-10)
        finish_step_size(tuning)
        assert tuning[STEP] == pytest.approx(mean, rel=1e-10)


def tuned(first_step, target, acceptance, seed):
    """The step sizes of 200 warmups of 150 iterations; `acceptance(rng, step)` gives that of an iteration."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(200):
        tuning = np.zeros(TUNING_SIZE)
        tuning[STEP] = first_step
        restart_step_size(tuning)
        for _ in range(150):
            learn_step_size(tuning, target, acceptance(rng, tuning[STEP]))
        finish_step_size(tuning)
        found.append(tuning[STEP])
    return np.array(found)


def of_normal_errors(rng, step):
    """Acceptance of a step whose energy error is normal with variance 2 mu for mean mu; its mean is 2 Phi(-step)."""
    mu = min(2.0 * step**2, 1e9)
    return math.exp(min(0.0, rng.normal(-mu, math.sqrt(2.0 * mu))))


@pytest.mark.parametrize("target", [0.65, 0.8, 0.95])
@pytest.mark.parametrize("first_step", [0.1, 0.8])
def test_150_iterations_find_the_step_size_of_the_target_where_energy_errors_are_normal(first_step, target):
    accepted = 2 * stats.norm.sf(tuned(first_step, target, of_normal_errors, 2))
    assert np.mean(accepted) == pytest.approx(target, abs=0.03)
    assert np.std(accepted) < 0.05


def test_the_step_size_is_smaller_where_one_place_in_ten_accepts_almost_nothing():
    def acceptance(rng, step):
        return of_normal_errors(rng, step * (10.0 if rng.random() < 0.1 else 1.0))

    steps = tuned(0.2, 0.8, acceptance, 3)
    mean = 0.9 * 2 * stats.norm.sf(steps) + 0.1 * 2 * stats.norm.sf(10 * steps)
    assert 0.83 < np.mean(mean) < 0.95


def test_without_updates_the_step_size_stays():
    tuning = np.zeros(TUNING_SIZE)
    tuning[STEP] = 0.3
    restart_step_size(tuning)
    finish_step_size(tuning)
    assert tuning[STEP] == 0.3


def search(log_density, q, *, first=1.0, factor=None, seed=1, stop=False):
    position, gradient = np.array(q, dtype=float), np.zeros(len(q))
    start = log_density(position, gradient)
    tuning = np.zeros(TUNING_SIZE)
    tuning[STEP] = first
    control = np.zeros(codes.CONTROL_SIZE, dtype=np.int64)
    control[codes.STOP] = stop
    d = len(q)
    with np.errstate(all="ignore"):
        outcome = find_step_size(
            log_density,
            DIAGONAL,
            d,
            tuning,
            np.ones(padded(d)) if factor is None else factor,
            position,
            gradient,
            start,
            streams(seed, 1)[0],
            np.zeros(2 * state_size(d)),
            control,
        )
    return outcome, tuning[STEP], int(control[codes.LEAPFROGS])


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize("first", [1e-3, 1.0, 50.0])
def test_the_first_step_size_fits_the_scale_of_the_density(scale, first):
    d = 50

    def log_density(q, gradient):
        gradient[:d] = -q[:d] / scale**2
        return -0.5 * float(q[:d] @ q[:d]) / scale**2

    q = scale * np.random.default_rng(1).normal(size=d)
    outcome, step, trials = search(log_density, q, first=first)
    assert outcome == codes.COMPLETE
    assert 0.1 < step / scale < 3.0
    assert math.log2(step / first) == round(math.log2(step / first))
    assert trials == abs(round(math.log2(step / first))) + 1
    whitened = search(log_density, q, first=first, factor=np.full(padded(d), scale))[1]
    assert 0.1 < whitened < 3.0


def test_a_flat_density_and_a_wrong_gradient_are_told_apart():
    def flat(q, gradient):
        gradient[:2] = 0.0
        return 0.0

    def nowhere_but_here(q, gradient):
        gradient[:2] = 0.0
        return 0.0 if q[0] == 0.0 else -math.inf

    assert search(flat, [0.0, 0.0])[:2] == (codes.STEP_SIZE_TOO_LARGE, 1.0)
    assert search(nowhere_but_here, [0.0, 0.0])[:2] == (codes.STEP_SIZE_TOO_SMALL, 1.0)
    assert search(flat, [0.0, 0.0], stop=True) == (codes.STOPPED, 1.0, 0)
