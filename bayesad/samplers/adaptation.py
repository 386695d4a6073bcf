"""How warmup goes: the iterations after which the metric is updated, and what tunes the step size between them.

The step size follows the acceptance statistic by stochastic approximation (Robbins & Monro 1951), its logarithm being
averaged as in Hoffman & Gelman (2014), algorithm 6. Their dual averaging, with Stan's values, moves the logarithm by up
to 2.4 times the error of one iteration, so far that steps which are accepted too rarely and too often alternate; the
mean of such a sequence is a step smaller than meant, accepted at 0.9 where 0.8 is asked for. Here the gain begins at
`_GAIN` / 2 and falls with the square root of the iterations, and acceptance in sampling is the target within 0.03.

Where a posterior is narrower in places, a step of that acceptance is too large for them: chains stick there and
diverge. Two means tell such posteriors from those that are alike everywhere, which lose nothing by it. Acceptances are
averaged geometrically, so that rare ones near 0 count; for a normal posterior, whose energy errors are normal, the
geometric mean is near target^(2 - target) where the mean is the target. Step sizes are averaged by a power mean that
leans to the smaller ones, as they vary most where acceptance hangs together from one iteration to the next.
"""

import math
from typing import NamedTuple

from bayesad.ad.backends.llvm.kernel import Float, Floats, Int, Ints, LogDensity, Words
from bayesad.ad.backends.llvm.kernel_vectors import padded
from bayesad.samplers.control import COMPLETE, LEAPFROGS, STEP_SIZE_TOO_LARGE, STEP_SIZE_TOO_SMALL, STOP, STOPPED
from bayesad.samplers.hamiltonian import begin_trajectory, energy_of, leapfrog, state_size
from bayesad.samplers.random import fill_normals

__all__ = [
    "Windows",
    "find_step_size",
    "finish_step_size",
    "learn_step_size",
    "restart_step_size",
    "windows",
]

_FIRST_WINDOW = 10
_FINAL_SHARE = 0.15
_LEAST_WARMUP = 20
_OFTEN = 10  # iterations between updates
_OFTEN_UNTIL = 150

_GAIN = 2.0
_OFFSET = 4.0
_KAPPA = 0.75
_LEAST_ACCEPTANCE = 0.1  # anything below counts as this
_ORDER = 4.0  # the mean of the step sizes is that of their powers -4

# Places in the floats of the tuning.
STEP = 0  # the step size in use
LOG_STEP = 1
LOG_STEP_MEAN = 2
COUNT = 3
TUNING_SIZE = 4

_LARGEST_STEP = 1e7
_SMALLEST_STEP = 1e-200
_LOG_CROSSING = math.log(0.8)
_LARGEST_LOG = 700.0


class Windows(NamedTuple):
    """The iterations of warmup after which the metric is updated.

    Attributes
    ----------
    updates : tuple of int
        After so many iterations the metric is estimated from the draws of the window under way.
    ends : tuple of bool
        Whether that ends the window: its draws are forgotten.
    """

    updates: tuple[int, ...]
    ends: tuple[bool, ...]


def windows(warmup: int) -> Windows:
    """Windows of 10, 20, 40, ... iterations; the last 15 % of warmup are for the step size alone.

    The last window takes in what would be too short for the next. The metric is updated at the end of every window and,
    at the beginning, when any estimate is better than the one in use, every 10 iterations; and, which depends on the
    draws, as soon as a window has enough of them for a dense metric. A warmup below 20 iterations has no window.
    """
    if warmup < _LEAST_WARMUP:
        return Windows((), ())
    last = warmup - int(_FINAL_SHARE * warmup)
    ends: list[int] = []
    end, window = 0, _FIRST_WINDOW
    while end < last:
        end = last if end + 3 * window > last else end + window
        window *= 2
        ends.append(end)
    updates = sorted({*ends, *range(_OFTEN, min(_OFTEN_UNTIL, last), _OFTEN)})
    return Windows(tuple(updates), tuple(update in ends for update in updates))


def restart_step_size(tuning: Floats) -> None:
    """Begin the approximation at the step size in use."""
    tuning[LOG_STEP] = math.log(tuning[STEP])
    tuning[LOG_STEP_MEAN] = tuning[LOG_STEP]
    tuning[COUNT] = 0.0


def learn_step_size(tuning: Floats, target: Float, acceptance: Float) -> None:
    """One step of the approximation."""
    count = tuning[COUNT] + 1.0
    error = math.log(max(acceptance, _LEAST_ACCEPTANCE)) - (2.0 - target) * math.log(target)
    log_step = tuning[LOG_STEP] + _GAIN / math.sqrt(count + _OFFSET) * target * error
    log_step = max(-_LARGEST_LOG, min(_LARGEST_LOG, log_step))
    memory = math.pow(count, -_KAPPA)
    new = -_ORDER * log_step
    old = -_ORDER * tuning[LOG_STEP_MEAN]
    larger = max(new, old)
    mean = memory * math.exp(new - larger) + (1.0 - memory) * math.exp(old - larger)
    tuning[COUNT] = count
    tuning[LOG_STEP] = log_step
    tuning[LOG_STEP_MEAN] = -(larger + math.log(mean)) / _ORDER
    tuning[STEP] = math.exp(log_step)


def finish_step_size(tuning: Floats) -> None:
    """End the approximation: from now on the step size is its mean, if there were steps."""
    if tuning[COUNT] > 0.0:
        tuning[STEP] = math.exp(tuning[LOG_STEP_MEAN])


def find_step_size(
    log_density: LogDensity,
    kind: Int,
    dimension: Int,
    tuning: Floats,
    factor: Floats,
    position: Floats,
    gradient: Floats,
    start_log_density: Float,
    rng: Words,
    workspace: Floats,
    control: Ints,
) -> Int:
    """Double or halve the step size until the acceptance of one leapfrog step crosses 0.8 (algorithm 4, as in Stan).

    Parameters
    ----------
    workspace : Floats
        Of two states; zeros at first.

    Returns
    -------
    Int
        COMPLETE, or, with the step size unchanged, STOPPED, STEP_SIZE_TOO_LARGE or STEP_SIZE_TOO_SMALL.
    """
    next_state = workspace[state_size(dimension) :]
    step = tuning[STEP]
    grow = 1.0
    trial = 0
    while True:
        if control[STOP] != 0:
            return STOPPED
        fill_normals(rng, dimension, workspace[padded(dimension) :])
        begin_trajectory(kind, dimension, factor, position, gradient, start_log_density, workspace)
        leapfrog(log_density, kind, dimension, step, factor, workspace, next_state)
        control[LEAPFROGS] += 1
        fall = energy_of(dimension, workspace) - energy_of(dimension, next_state)
        accepted = math.isfinite(fall) and fall > _LOG_CROSSING
        if trial == 0:
            grow = 2.0 if accepted else 0.5
        elif accepted != (grow > 1.0):
            tuning[STEP] = step
            return COMPLETE
        trial += 1
        step *= grow
        if step > _LARGEST_STEP:
            return STEP_SIZE_TOO_LARGE
        if step < _SMALLEST_STEP:
            return STEP_SIZE_TOO_SMALL
