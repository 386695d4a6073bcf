"""The no-U-turn sampler: its settings, and one transition as a kernel.

Multinomial NUTS (Betancourt 2017, arXiv:1701.02434, appendix A): the trajectory doubles in a random direction until it
turns back, states have weight exp(-energy), the draw within a new subtree is uniform by weight, and between subtrees it
is biased to the new one. A trajectory turns when the momentum at either end points against the sum of its momenta;
this is also asked of either half with the first state of the other, which finds turns hidden by symmetry.

The tree is built leaf by leaf. Subtrees that wait for their other half stand on a stack, one per level; a binary
counter of the leaves tells which of them are complete. The draw within a subtree is kept by reservoir sampling. Of the
states, at most four are in use at a time, both ends and two draws, so that five places do and none is ever copied.
"""

import math
from dataclasses import dataclass

from bayesad.ad.backends.llvm.kernel import (
    WIDTH,
    Bool,
    Float,
    Floats,
    Int,
    Ints,
    LogDensity,
    Word,
    Words,
    lanes,
    put,
    spread,
    total,
)
from bayesad.ad.backends.llvm.kernel_vectors import copy, padded
from bayesad.samplers.control import (
    ACCEPTANCE,
    COMPLETE,
    DIVERGENT,
    ENERGY,
    INDEX,
    LEAPFROGS,
    LIMITED,
    LOG_DENSITY,
    N_STEPS,
    STOP,
    STOPPED,
    TREE_DEPTH,
)
from bayesad.samplers.hamiltonian import (
    MOST_ENERGY_ERROR,
    begin_trajectory,
    copy_lanes,
    energy_of,
    leapfrog,
    log_density_of,
    state_size,
)
from bayesad.samplers.random import fill_normals, next_word, uniform
from bayesad.samplers.settings import check_common, check_integer

__all__ = ["NUTS", "nuts_trajectory", "nuts_transition", "nuts_workspace_size"]

_MOST_LOG_WEIGHT = 300.0  # weights are kept below its exponential
_STATES = 5
_VECTORS_PER_LEVEL = 3  # of a subtree that waits: the momenta at its begin and end, and the sum of all
_FREE = tuple(next(state for state in range(_STATES) if not used >> state & 1) for used in range(2**_STATES - 1))
"""Bits of the states in use -> one that is not."""


@dataclass(frozen=True)
class NUTS:
    """Settings of the no-U-turn sampler (Hoffman & Gelman 2014; multinomial form of Betancourt 2017).

    Parameters
    ----------
    target_accept : float in (0, 1)
        Mean acceptance statistic that warmup tunes the step size to. Larger means smaller steps.
    max_tree_depth : int, 1 to 20
        Most doublings of a trajectory, which has at most 2^max_tree_depth - 1 leapfrog steps.
    metric : "auto", "diagonal", "dense" or "low_rank"
        Form of the inverse metric that warmup estimates. "auto" takes the dense one where it pays, see
        `bayesad.samplers.metric`; "dense" stays diagonal until a window has half as many draws again as unknowns;
        "low_rank" is diagonal but for up to 24 directions, and what "auto" means above 256 unknowns.
    step_size : float, optional
        A fixed step size in units of the whitened position; by default warmup finds it.

    Raises
    ------
    ConfigError
        For a value outside its range.
    """

    target_accept: float = 0.8
    max_tree_depth: int = 10
    metric: str = "auto"
    step_size: float | None = None

    def __post_init__(self) -> None:
        check_common("NUTS", self.target_accept, self.metric, self.step_size)
        check_integer("NUTS", "max_tree_depth", self.max_tree_depth, 1, 20)


def nuts_workspace_size(dimension: int, max_depth: int) -> int:
    """Floats that `nuts_transition` works in; zeros at first."""
    return _STATES * state_size(dimension) + (2 + _VECTORS_PER_LEVEL * max_depth) * padded(dimension)


def join(
    length: Int,
    first_begin: Floats,
    first_end: Floats,
    first_sum: Floats,
    second_begin: Floats,
    second_end: Floats,
    second_sum: Floats,
) -> Bool:
    """Whether two adjacent subtrees make one that does not turn; adds the second's sum of momenta to the first's.

    A subtree is given by the momenta at its begin and end, in the order of integration, and the sum of all its momenta,
    padded vectors. The answer is the same with the subtrees and their ends in reversed order.
    """
    whole_begin = spread(0.0)
    whole_end = spread(0.0)
    left_begin = spread(0.0)
    left_end = spread(0.0)
    right_begin = spread(0.0)
    right_end = spread(0.0)
    for i in range(0, length, WIDTH):
        first = lanes(first_sum, i)
        second = lanes(second_sum, i)
        a = lanes(first_begin, i)
        b = lanes(first_end, i)
        c = lanes(second_begin, i)
        d = lanes(second_end, i)
        whole = first + second
        left = first + c
        right = b + second
        whole_begin = whole_begin + a * whole
        whole_end = whole_end + d * whole
        left_begin = left_begin + a * left
        left_end = left_end + c * left
        right_begin = right_begin + b * right
        right_end = right_end + d * right
        put(first_sum, i, whole)
    return (
        total(whole_begin) > 0.0
        and total(whole_end) > 0.0
        and total(left_begin) > 0.0
        and total(left_end) > 0.0
        and total(right_begin) > 0.0
        and total(right_end) > 0.0
    )


def join_leaves(length: Int, first: Floats, second: Floats, result: Floats) -> Bool:
    """`join` of two single states, given by their momenta; `result` becomes the sum."""
    begin = spread(0.0)
    end = spread(0.0)
    for i in range(0, length, WIDTH):
        a = lanes(first, i)
        b = lanes(second, i)
        whole = a + b
        begin = begin + a * whole
        end = end + b * whole
        put(result, i, whole)
    return total(begin) > 0.0 and total(end) > 0.0


def nuts_trajectory(
    log_density: LogDensity,
    kind: Int,
    dimension: Int,
    max_depth: Int,
    step_size: Float,
    factor: Floats,
    position: Floats,
    gradient: Floats,
    start_log_density: Float,
    directions: Word,
    rng: Words,
    workspace: Floats,
    control: Ints,
    statistics: Floats,
    divergence_start: Floats,
    divergence_end: Floats,
) -> Int:
    """Grow a trajectory through `position` and draw one of its states.

    Parameters
    ----------
    kind, factor : Int, Floats
        The metric; see `bayesad.samplers.hamiltonian`.
    position, gradient : Floats (d,)
        The state of the chain; replaced by the state drawn.
    start_log_density : Float
        The log density at `position`.
    directions : Word
        Bit k is 1 where doubling k goes forward in time.
    workspace : Floats
        Of `nuts_workspace_size`. It begins with the state to start from, of which the momentum is given.
    control : Ints
        The chain's row, whose STOP ends the transition.
    statistics : Floats
        Results, at the places that `bayesad.samplers.control` lists.
    divergence_start, divergence_end : Floats (d,)
        Where the leapfrog step that diverged began and ended; set if one did.

    Returns
    -------
    Int
        COMPLETE, DIVERGENT, LIMITED or STOPPED. When stopped, `position` and `gradient` are as they were.
    """
    length = padded(dimension)
    size = state_size(dimension)
    tree_sum = workspace[_STATES * size :]
    tree_near = tree_sum[length:]
    stack = tree_near[length:]
    level_size = _VECTORS_PER_LEVEL * length
    begin_trajectory(kind, dimension, factor, position, gradient, start_log_density, workspace)
    copy_lanes(length, workspace[length:], tree_sum)
    start_energy = energy_of(dimension, workspace)

    # Weights are exp(-energy) relative to the start, divided by exp(log_scale) so that they never overflow.
    log_scale = 0.0
    tree_weight = 1.0
    acceptance = 0.0
    n_steps = 0
    forward_end = 0  # numbers of states
    backward_end = 0
    sample = 0
    forward_index = 0
    backward_index = 0
    sample_index = 0
    depth = 0
    outcome = LIMITED
    while depth < max_depth and outcome == LIMITED:
        forward = (directions >> depth) & 1 == 1
        here = forward_end if forward else backward_end
        other_end = backward_end if forward else forward_end
        index = forward_index if forward else backward_index
        direction = 1 if forward else -1
        step = step_size if forward else -step_size
        near = workspace[here * size + length :]
        tree_far = workspace[other_end * size + length :]
        copy_lanes(length, near, tree_near)
        subtree_weight = 0.0
        candidate = sample
        candidate_index = sample_index
        leaves = 1 << depth
        leaf = 0
        height = 0  # of the stack
        begin = near
        momentum = near
        total_momentum = near
        while leaf < leaves:
            if control[STOP] != 0:
                return STOPPED
            free = _FREE[(1 << here) | (1 << other_end) | (1 << candidate) | (1 << sample)]
            previous = workspace[here * size :]
            state = workspace[free * size :]
            leapfrog(log_density, kind, dimension, step, factor, previous, state)
            here = free
            index += direction
            n_steps += 1
            control[LEAPFROGS] += 1
            energy = energy_of(dimension, state)
            fall = start_energy - energy
            if not (math.isfinite(energy) and fall >= -MOST_ENERGY_ERROR):
                copy(dimension, previous, divergence_start)
                copy(dimension, state, divergence_end)
                outcome = DIVERGENT
                break
            if fall - log_scale > _MOST_LOG_WEIGHT:
                shrink = math.exp(log_scale - fall)
                tree_weight *= shrink
                subtree_weight *= shrink
                log_scale = fall
            weight = math.exp(fall - log_scale)
            acceptance += min(1.0, weight) if log_scale == 0.0 else math.exp(min(0.0, fall))
            subtree_weight += weight
            if uniform(rng) * subtree_weight < weight:
                candidate = here
                candidate_index = index

            # Every trailing 1 of the leaf's number is a level whose first half is on the top of the stack.
            momentum = state[length:]
            begin = momentum
            total_momentum = momentum
            level = 0
            while (leaf >> level) & 1 == 1:
                height -= 1
                waiting = stack[height * level_size :]
                waiting_end = waiting[length:]
                waiting_sum = waiting[2 * length :]
                goes_on = (
                    join_leaves(length, waiting, momentum, waiting_sum)
                    if level == 0
                    else join(length, waiting, waiting_end, waiting_sum, begin, momentum, total_momentum)
                )
                if not goes_on:
                    outcome = COMPLETE
                    break
                begin = waiting
                total_momentum = waiting_sum
                level += 1
            if outcome != LIMITED:
                break
            leaf += 1
            if leaf < leaves:
                # What was joined is in its place already; a single state has one vector.
                place = stack[height * level_size :]
                copy_lanes(length, momentum, place if level == 0 else place[length:])
                height += 1
        if outcome != LIMITED:
            break

        # The subtree is whole: keep where it ends, draw between it and the tree, and join them.
        depth += 1
        if forward:
            forward_end = here
            forward_index = index
        else:
            backward_end = here
            backward_index = index
        if uniform(rng) * tree_weight < subtree_weight:
            sample = candidate
            sample_index = candidate_index
        tree_weight += subtree_weight
        if not join(length, tree_far, tree_near, tree_sum, begin, momentum, total_momentum):
            outcome = COMPLETE

    drawn = workspace[sample * size :]
    if sample_index != 0:
        copy(dimension, drawn, position)
        copy(dimension, drawn[3 * length :], gradient)
    statistics[LOG_DENSITY] = log_density_of(dimension, drawn)
    statistics[ACCEPTANCE] = acceptance / float(n_steps)
    statistics[ENERGY] = energy_of(dimension, drawn)
    statistics[N_STEPS] = float(n_steps)
    statistics[TREE_DEPTH] = float(depth)
    statistics[INDEX] = float(sample_index)
    return outcome


def nuts_transition(
    log_density: LogDensity,
    kind: Int,
    dimension: Int,
    max_depth: Int,
    step_size: Float,
    factor: Floats,
    position: Floats,
    gradient: Floats,
    start_log_density: Float,
    rng: Words,
    workspace: Floats,
    control: Ints,
    statistics: Floats,
    divergence_start: Floats,
    divergence_end: Floats,
) -> Int:
    """One transition: a new momentum and new directions, then `nuts_trajectory`, which tells of the parameters."""
    fill_normals(rng, dimension, workspace[padded(dimension) :])
    directions = next_word(rng)
    return nuts_trajectory(
        log_density,
        kind,
        dimension,
        max_depth,
        step_size,
        factor,
        position,
        gradient,
        start_log_density,
        directions,
        rng,
        workspace,
        control,
        statistics,
        divergence_start,
        divergence_end,
    )
