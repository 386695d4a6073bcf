"""The no-U-turn sampler: its settings, and one transition as a kernel.

Multinomial NUTS (Betancourt 2017, arXiv:1701.02434, appendix A): the trajectory doubles in a random direction until it
turns back, states have weight exp(-energy), the draw within a new subtree is uniform by weight, and between subtrees it
is biased to the new one. A trajectory turns when the momentum at either end points against the sum of its momenta;
this is also asked of either half with the first state of the other, which finds turns hidden by symmetry.

The tree is built leaf by leaf. Subtrees that wait for their other half stand on a stack, one per level; a binary
counter of the leaves tells which of them are complete. The draw within a subtree is kept by reservoir sampling.
"""

import math
from dataclasses import dataclass

from bayesad.ad.backends.llvm.kernel import Bool, Float, Floats, Int, Ints, LogDensity, Word, Words
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
from bayesad.samplers.hamiltonian import MOST_ENERGY_ERROR, copy, force, kinetic_energy, leapfrog
from bayesad.samplers.random import fill_normals, next_word, uniform
from bayesad.samplers.settings import check_common, check_integer

__all__ = ["NUTS", "nuts_trajectory", "nuts_transition", "nuts_workspace_size"]

_MOST_LOG_WEIGHT = 300.0  # weights are kept below its exponential
_VECTORS = 14  # in the workspace, before the stack
_VECTORS_PER_LEVEL = 3


@dataclass(frozen=True)
class NUTS:
    """Settings of the no-U-turn sampler (Hoffman & Gelman 2014; multinomial form of Betancourt 2017).

    Parameters
    ----------
    target_accept : float in (0, 1)
        Mean acceptance statistic that warmup tunes the step size to. Larger means smaller steps.
    max_tree_depth : int, 1 to 20
        Most doublings of a trajectory, which has at most 2^max_tree_depth - 1 leapfrog steps.
    metric : "auto", "diagonal" or "dense"
        Form of the inverse metric that warmup estimates. "auto" takes the dense one where it pays, see
        `bayesad.samplers.metric`; "dense" stays diagonal until a window has half as many draws again as unknowns.
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
    """Floats that `nuts_transition` works in."""
    return (_VECTORS + _VECTORS_PER_LEVEL * max_depth) * dimension


def join(
    dimension: Int,
    first_begin: Floats,
    first_end: Floats,
    first_sum: Floats,
    second_begin: Floats,
    second_end: Floats,
    second_sum: Floats,
) -> Bool:
    """Whether two adjacent subtrees make one that does not turn; adds the second's sum of momenta to the first's.

    A subtree is given by the momenta at its begin and end, in the order of integration, and the sum of all its momenta.
    The answer is the same with the subtrees and their ends in reversed order.
    """
    whole_begin = 0.0
    whole_end = 0.0
    left_begin = 0.0
    left_end = 0.0
    right_begin = 0.0
    right_end = 0.0
    for i in range(dimension):
        first = first_sum[i]
        second = second_sum[i]
        a = first_begin[i]
        b = first_end[i]
        c = second_begin[i]
        d = second_end[i]
        whole = first + second
        left = first + c
        right = b + second
        whole_begin += a * whole
        whole_end += d * whole
        left_begin += a * left
        left_end += c * left
        right_begin += b * right
        right_end += d * right
        first_sum[i] = whole
    return (
        whole_begin > 0.0
        and whole_end > 0.0
        and left_begin > 0.0
        and left_end > 0.0
        and right_begin > 0.0
        and right_end > 0.0
    )


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
        Of `nuts_workspace_size`; its first d entries are the momentum to start with.
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
    forward_momentum = workspace
    forward_position = workspace[dimension:]
    forward_force = workspace[2 * dimension :]
    backward_momentum = workspace[3 * dimension :]
    backward_position = workspace[4 * dimension :]
    backward_force = workspace[5 * dimension :]
    spare_position = workspace[6 * dimension :]
    new_gradient = workspace[7 * dimension :]
    candidate_position = workspace[8 * dimension :]
    candidate_gradient = workspace[9 * dimension :]
    sample_position = workspace[10 * dimension :]
    sample_gradient = workspace[11 * dimension :]
    tree_sum = workspace[12 * dimension :]
    tree_near = workspace[13 * dimension :]
    stack = workspace[_VECTORS * dimension :]

    force(kind, dimension, factor, gradient, forward_force)
    copy(dimension, position, forward_position)
    copy(dimension, position, backward_position)
    copy(dimension, forward_momentum, backward_momentum)
    copy(dimension, forward_force, backward_force)
    copy(dimension, forward_momentum, tree_sum)
    start_energy = kinetic_energy(dimension, forward_momentum) - start_log_density

    # Weights are exp(-energy) relative to the start, divided by exp(log_scale) so that they never overflow.
    log_scale = 0.0
    tree_weight = 1.0
    acceptance = 0.0
    n_steps = 0
    forward_index = 0
    backward_index = 0
    moved = False
    sample_log_density = start_log_density
    sample_energy = start_energy
    sample_index = 0
    depth = 0
    outcome = LIMITED
    while depth < max_depth and outcome == LIMITED:
        forward = (directions >> depth) & 1 == 1
        momentum = forward_momentum if forward else backward_momentum
        here = forward_position if forward else backward_position
        pull = forward_force if forward else backward_force
        tree_far = backward_momentum if forward else forward_momentum
        index = forward_index if forward else backward_index
        direction = 1 if forward else -1
        step = step_size if forward else -step_size
        copy(dimension, momentum, tree_near)
        subtree_weight = 0.0
        candidate_log_density = 0.0
        candidate_energy = 0.0
        candidate_index = 0
        leaves = 1 << depth
        leaf = 0
        while leaf < leaves:
            if control[STOP] != 0:
                return STOPPED
            new_log_density = leapfrog(
                log_density, kind, dimension, step, factor, here, momentum, pull, spare_position, new_gradient
            )
            previous = here
            here = spare_position
            spare_position = previous
            index += direction
            n_steps += 1
            control[LEAPFROGS] += 1
            energy = kinetic_energy(dimension, momentum) - new_log_density
            fall = start_energy - energy
            if not (math.isfinite(energy) and fall >= -MOST_ENERGY_ERROR):
                copy(dimension, previous, divergence_start)
                copy(dimension, here, divergence_end)
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
                copy(dimension, here, candidate_position)
                copy(dimension, new_gradient, candidate_gradient)
                candidate_log_density = new_log_density
                candidate_energy = energy
                candidate_index = index

            # Every trailing 1 of the leaf's number is a level whose first half waits on the stack.
            begin = momentum
            total = momentum
            level = 0
            while (leaf >> level) & 1 == 1:
                waiting = stack[_VECTORS_PER_LEVEL * level * dimension :]
                waiting_end = waiting[dimension:]
                waiting_total = waiting[2 * dimension :]
                if not join(dimension, waiting, waiting_end, waiting_total, begin, momentum, total):
                    outcome = COMPLETE
                    break
                begin = waiting
                total = waiting_total
                level += 1
            if outcome != LIMITED:
                break
            leaf += 1
            if leaf < leaves:
                place = stack[_VECTORS_PER_LEVEL * level * dimension :]
                copy(dimension, begin, place)
                copy(dimension, momentum, place[dimension:])
                copy(dimension, total, place[2 * dimension :])
        if outcome != LIMITED:
            break

        # The subtree is whole: keep where it ends, draw between it and the tree, and join them.
        depth += 1
        if forward:
            forward_position = here
            forward_index = index
        else:
            backward_position = here
            backward_index = index
        if uniform(rng) * tree_weight < subtree_weight:
            moved = True
            sample_log_density = candidate_log_density
            sample_energy = candidate_energy
            sample_index = candidate_index
            other_position = sample_position
            other_gradient = sample_gradient
            sample_position = candidate_position
            sample_gradient = candidate_gradient
            candidate_position = other_position
            candidate_gradient = other_gradient
        tree_weight += subtree_weight
        if not join(dimension, tree_far, tree_near, tree_sum, begin, momentum, total):
            outcome = COMPLETE

    if moved:
        copy(dimension, sample_position, position)
        copy(dimension, sample_gradient, gradient)
    statistics[LOG_DENSITY] = sample_log_density
    statistics[ACCEPTANCE] = acceptance / float(n_steps)
    statistics[ENERGY] = sample_energy
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
    fill_normals(rng, dimension, workspace)
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
