"""One chain as a kernel: any block of its iterations, with all that it has to remember in arrays of the caller."""

import math

from bayesad.ad.backends.llvm.kernel import Floats, Int, Ints, LogDensity, Words
from bayesad.ad.backends.llvm.kernel_vectors import copy
from bayesad.samplers.adaptation import (
    STEP,
    TUNING_SIZE,
    find_step_size,
    finish_step_size,
    learn_step_size,
    restart_step_size,
)
from bayesad.samplers.control import (
    ACCEPTANCE,
    COMPLETE,
    DEPTH,
    DIVERGENCES,
    DIVERGENT,
    DIVERGING,
    INDEX,
    ITERATION,
    LEAPFROGS,
    LIMITED,
    LOG_DENSITY,
    N_STATISTICS,
    PHASE,
    REACHED_LIMIT,
    SAMPLING,
    STEP_SIZE,
    STOP,
    STOPPED,
    TREE_DEPTH,
    UNUSABLE_START,
    WARMUP,
)
from bayesad.samplers.hmc import hmc_transition
from bayesad.samplers.metric import draws_for_dense, may_be_dense, take_draw, update_metric
from bayesad.samplers.nuts import nuts_transition
from bayesad.samplers.random import restore, save

__all__ = ["run_chain"]

# Places in `settings`.
ALGORITHM = 0
DIMENSION = 1
N_WARMUP = 2
FIRST_KEPT = 3  # iteration
METRIC = 4  # DIAGONAL, DENSE, LOW_RANK or AUTO
ADAPTS_STEP = 5
N_UPDATES = 6  # of the metric
MAX_DEPTH = 7  # NUTS
STEPS = 8  # HMC; 0 where the integration time counts
SETTINGS_SIZE = 9

ALGORITHM_NUTS = 0
ALGORITHM_HMC = 1

# Places in `targets`.
TARGET_ACCEPT = 0
INTEGRATION_TIME = 1
JITTER = 2
TARGETS_SIZE = 3

# Places in `counters`.
COMPLETED = 0  # iterations
KIND = 1  # of the metric in use
SEARCH_DUE = 2  # whether the next iteration begins by finding a step size
UPDATES = 3  # of the metric so far
OBSERVED = 4  # draws in the current window
MOVED = 5  # those that differ from the draw before
STARTED = 6  # whether density and gradient of the position are known
COUNTERS_SIZE = 7

# Places in `scalars`: those of the step size, then
HERE = TUNING_SIZE  # the log density of the position
BEFORE = TUNING_SIZE + 1  # the log density where the current window, or what is left of it, began
SCALARS_SIZE = TUNING_SIZE + 2

_RISE = 5.0
"""A window of draws begins anew where the log density has risen by more than this times (d + 10) since its begin: the
chain was on its way to where it is to draw, and the spread along the way would be taken for that of the posterior."""

_FEWEST = 5  # different draws that the metric is estimated from


def run_chain(
    log_density: LogDensity,
    settings: Ints,
    targets: Floats,
    updates: Ints,
    counters: Ints,
    scalars: Floats,
    rng: Words,
    position: Floats,
    gradient: Floats,
    factor: Floats,
    mean: Floats,
    moment: Floats,
    workspace: Floats,
    record: Floats,
    control: Ints,
    draws: Floats,
    statistics: Floats,
    divergence_starts: Floats,
    divergence_ends: Floats,
    last: Int,
) -> Int:
    """Run a chain until `last` iterations are complete.

    `counters` to `moment` are the chain's state: with copies of them it goes on later with the very same draws.

    Parameters
    ----------
    settings, targets, updates : Ints, Floats, Ints
        What never changes; see this module and `bayesad.samplers.adaptation.windows`.
    workspace : Floats
        Of the transition and of the search for a step size; zeros at first.
    record : Floats
        Of the transition under way: N_STATISTICS entries, then 2 d of where it diverged, in whose place the metric is
        worked out afterwards; see `update_metric`.
    control : Ints
        A row of CONTROL_SIZE that another thread may watch.
    draws, divergence_starts, divergence_ends : Floats (kept, d)
        Results, from iteration FIRST_KEPT on.
    statistics : Floats (kept, N_STATISTICS)
        Results.

    Returns
    -------
    Int
        COMPLETE; STOPPED, as if the iteration under way had not begun; or UNUSABLE_START, STEP_SIZE_TOO_LARGE,
        STEP_SIZE_TOO_SMALL.
    """
    if counters[STARTED] == 0:
        if control[STOP] != 0:
            return STOPPED
        control[LEAPFROGS] += 1
        scalars[HERE] = log_density(position, gradient)
        size = math.fabs(scalars[HERE])
        for i in range(settings[DIMENSION]):
            size += math.fabs(gradient[i])
        if not math.isfinite(size):
            return UNUSABLE_START
        counters[STARTED] = 1
    while counters[COMPLETED] < last:
        save(rng)
        if counters[SEARCH_DUE] != 0:
            outcome = find_step_size(
                log_density,
                counters[KIND],
                settings[DIMENSION],
                scalars,
                factor,
                position,
                gradient,
                scalars[HERE],
                rng,
                workspace,
                control,
            )
            if outcome != COMPLETE:
                restore(rng)
                return outcome
            restart_step_size(scalars)
            counters[SEARCH_DUE] = 0
            save(rng)
        control[PHASE] = WARMUP if counters[COMPLETED] < settings[N_WARMUP] else SAMPLING
        if counters[COMPLETED] == settings[N_WARMUP]:
            control[DIVERGENCES] = 0
        outcome = _transition(
            log_density,
            settings,
            targets,
            counters,
            scalars,
            rng,
            position,
            gradient,
            factor,
            workspace,
            record,
            control,
        )
        if outcome == STOPPED:
            restore(rng)
            return outcome
        _note(scalars, record, control, outcome)
        if counters[COMPLETED] >= settings[FIRST_KEPT]:
            row = counters[COMPLETED] - settings[FIRST_KEPT]
            place = row * settings[DIMENSION]
            copy(settings[DIMENSION], position, draws[place:])
            copy(N_STATISTICS, record, statistics[row * N_STATISTICS :])
            if outcome == DIVERGENT:
                copy(settings[DIMENSION], record[N_STATISTICS:], divergence_starts[place:])
                copy(settings[DIMENSION], record[N_STATISTICS + settings[DIMENSION] :], divergence_ends[place:])
        if counters[COMPLETED] < settings[N_WARMUP]:
            _adapt(settings, targets, updates, counters, scalars, position, gradient, factor, mean, moment, record)
        counters[COMPLETED] += 1
        control[ITERATION] = counters[COMPLETED]
    return COMPLETE


def _transition(
    log_density: LogDensity,
    settings: Ints,
    targets: Floats,
    counters: Ints,
    scalars: Floats,
    rng: Words,
    position: Floats,
    gradient: Floats,
    factor: Floats,
    workspace: Floats,
    record: Floats,
    control: Ints,
) -> Int:
    """One transition of the chain's algorithm; `record` begins with its statistics and where it diverged."""
    dimension = settings[DIMENSION]
    divergence_start = record[N_STATISTICS:]
    divergence_end = record[N_STATISTICS + dimension :]
    if settings[ALGORITHM] == ALGORITHM_NUTS:
        return nuts_transition(
            log_density,
            counters[KIND],
            dimension,
            settings[MAX_DEPTH],
            scalars[STEP],
            factor,
            position,
            gradient,
            scalars[HERE],
            rng,
            workspace,
            control,
            record,
            divergence_start,
            divergence_end,
        )
    return hmc_transition(
        log_density,
        counters[KIND],
        dimension,
        settings[STEPS],
        targets[INTEGRATION_TIME],
        targets[JITTER],
        scalars[STEP],
        factor,
        position,
        gradient,
        scalars[HERE],
        rng,
        workspace,
        control,
        record,
        divergence_start,
        divergence_end,
    )


def _note(scalars: Floats, statistics: Floats, control: Ints, outcome: Int) -> None:
    """Complete the statistics of a transition and the row that is watched."""
    scalars[HERE] = statistics[LOG_DENSITY]
    statistics[STEP_SIZE] = scalars[STEP]
    statistics[DIVERGING] = 1.0 if outcome == DIVERGENT else 0.0
    statistics[REACHED_LIMIT] = 1.0 if outcome == LIMITED else 0.0
    control[DEPTH] = int(statistics[TREE_DEPTH])
    if outcome == DIVERGENT:
        control[DIVERGENCES] += 1


def _adapt(
    settings: Ints,
    targets: Floats,
    updates: Ints,
    counters: Ints,
    scalars: Floats,
    position: Floats,
    gradient: Floats,
    factor: Floats,
    mean: Floats,
    moment: Floats,
    record: Floats,
) -> None:
    """What warmup learns from the iteration just made; `record` begins with its statistics."""
    dimension = settings[DIMENSION]
    scratch = record[N_STATISTICS:]
    iteration = counters[COMPLETED]
    if settings[ADAPTS_STEP] != 0:
        learn_step_size(scalars, targets[TARGET_ACCEPT], record[ACCEPTANCE])
    update = counters[UPDATES]
    if update < settings[N_UPDATES]:
        if scalars[HERE] - scalars[BEFORE] > _RISE * float(dimension + 10):
            counters[OBSERVED] = 0
            counters[MOVED] = 0
        moved = record[INDEX] != 0.0
        counters[OBSERVED] += 1
        if moved:
            counters[MOVED] += 1
        take_draw(settings[METRIC], dimension, counters[OBSERVED], position, gradient, mean, moment, scratch)
        if counters[OBSERVED] == 1:
            scalars[BEFORE] = scalars[HERE]
        due = iteration + 1 == updates[update]
        timely = due or (may_be_dense(settings[METRIC]) and moved and counters[MOVED] == draws_for_dense(dimension))
        if timely and counters[MOVED] >= _FEWEST:
            counters[KIND] = update_metric(
                settings[METRIC],
                counters[KIND],
                dimension,
                counters[OBSERVED],
                counters[MOVED],
                moment,
                factor,
                scratch,
            )
            counters[SEARCH_DUE] = settings[ADAPTS_STEP]
        if due:
            counters[UPDATES] += 1
            if updates[settings[N_UPDATES] + update] != 0:
                counters[OBSERVED] = 0
                counters[MOVED] = 0
    if settings[ADAPTS_STEP] != 0 and iteration + 1 == settings[N_WARMUP]:
        finish_step_size(scalars)
