"""Static Hamiltonian Monte Carlo: its settings, and one transition as a kernel.

The end of a trajectory is accepted or rejected as a whole (Duane et al. 1987; Neal 2011, section 5.3.2). The
alternative, a draw among all its states by weight, accepts more often but moves less far: states near the start are
drawn as often as the far end, which a trajectory of chosen length is meant to reach. Whoever wants weights has NUTS.
"""

import math
from dataclasses import dataclass

from bayesad.ad.backends.llvm.kernel import Float, Floats, Int, Ints, LogDensity, Words
from bayesad.ad.backends.llvm.kernel_vectors import copy, padded
from bayesad.errors import ConfigError
from bayesad.samplers.control import (
    ACCEPTANCE,
    COMPLETE,
    DIVERGENT,
    ENERGY,
    INDEX,
    LEAPFROGS,
    LOG_DENSITY,
    N_STEPS,
    STOP,
    STOPPED,
    TREE_DEPTH,
)
from bayesad.samplers.hamiltonian import (
    MOST_ENERGY_ERROR,
    begin_trajectory,
    energy_of,
    leapfrog,
    log_density_of,
    state_size,
)
from bayesad.samplers.random import fill_normals, uniform
from bayesad.samplers.settings import check_common, check_integer, check_number

__all__ = ["HMC", "MOST_STEPS", "hmc_transition", "hmc_workspace_size"]

MOST_STEPS = 1023
"""Most leapfrog steps that an integration time can ask for: as many as NUTS makes with its default tree depth."""


@dataclass(frozen=True)
class HMC:
    """Settings of static Hamiltonian Monte Carlo.

    Parameters
    ----------
    n_steps : int, optional
        Leapfrog steps of every trajectory.
    integration_time : float, optional
        Length of a trajectory in units of the whitened position, instead of `n_steps`: as many steps as fit, at least 1
        and at most 1023. By default pi/2, a quarter of the period of a standard normal, after which its position
        does not depend on where it began.
    jitter : float in [0, 1)
        The step size of every trajectory is uniform within this share of the tuned one, which breaks resonance.
    target_accept : float in (0, 1)
        Mean acceptance probability that warmup tunes the step size to.
    metric : "auto", "diagonal", "dense" or "low_rank"
        Form of the inverse metric that warmup estimates. "auto" takes the dense one where it pays, see
        `bayesad.samplers.metric`; "dense" stays diagonal until a window has half as many draws again as unknowns;
        "low_rank" is diagonal but for up to 24 directions, and what "auto" means above 256 unknowns.
    step_size : float, optional
        A fixed step size in units of the whitened position; by default warmup finds it.

    Raises
    ------
    ConfigError
        For a value outside its range, or when both `n_steps` and `integration_time` are given.
    """

    n_steps: int | None = None
    integration_time: float | None = None
    jitter: float = 0.2
    target_accept: float = 0.8
    metric: str = "auto"
    step_size: float | None = None

    def __post_init__(self) -> None:
        check_common("HMC", self.target_accept, self.metric, self.step_size)
        check_number("HMC", "jitter", self.jitter, 0.0, 1.0, closed=True)
        if self.n_steps is not None and self.integration_time is not None:
            raise ConfigError(
                f"HMC: n_steps={self.n_steps!r} and integration_time={self.integration_time!r} both set the length "
                "of a trajectory; give one of them"
            )
        if self.n_steps is not None:
            check_integer("HMC", "n_steps", self.n_steps, 1)
        if self.integration_time is not None:
            check_number("HMC", "integration_time", self.integration_time, 0.0, math.inf)


def hmc_workspace_size(dimension: int) -> int:
    """Floats that `hmc_transition` works in; zeros at first."""
    return 2 * state_size(dimension)


def steps_of(n_steps: Int, integration_time: Float, step_size: Float) -> Int:
    """Leapfrog steps of a trajectory: `n_steps`, or where that is 0 as many as fit into the integration time."""
    if n_steps > 0:
        return n_steps
    return int(max(1.0, min(integration_time / step_size, float(MOST_STEPS))))


def hmc_transition(
    log_density: LogDensity,
    kind: Int,
    dimension: Int,
    n_steps: Int,
    integration_time: Float,
    jitter: Float,
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
    """One transition.

    Only a point without a finite density ends a trajectory early: the way back meets the same point, so rejecting keeps
    detailed balance. A limit on the energy along the way would not.

    Parameters
    ----------
    kind, factor : Int, Floats
        The metric; see `bayesad.samplers.hamiltonian`.
    n_steps, integration_time : Int, Float
        The length of the trajectory; see `steps_of`.
    position, gradient : Floats (d,)
        The state of the chain; replaced by the next one.
    start_log_density : Float
        The log density at `position`.
    workspace : Floats
        Of `hmc_workspace_size`.
    control : Ints
        The chain's row, whose STOP ends the transition.
    statistics : Floats
        Results, at the places that `bayesad.samplers.control` lists.
    divergence_start, divergence_end : Floats (d,)
        Where the last leapfrog step began and ended; set if the trajectory diverged.

    Returns
    -------
    Int
        COMPLETE, DIVERGENT or STOPPED. When stopped, `position` and `gradient` are as they were.
    """
    here = workspace
    spare = workspace[state_size(dimension) :]
    fill_normals(rng, dimension, here[padded(dimension) :])
    step = step_size * (1.0 + jitter * (2.0 * uniform(rng) - 1.0))
    begin_trajectory(kind, dimension, factor, position, gradient, start_log_density, here)
    start_energy = energy_of(dimension, here)
    planned = steps_of(n_steps, integration_time, step_size)
    taken = 0
    while taken < planned and math.isfinite(log_density_of(dimension, here)):
        if control[STOP] != 0:
            return STOPPED
        leapfrog(log_density, kind, dimension, step, factor, here, spare)
        previous = here
        here = spare
        spare = previous
        taken += 1
        control[LEAPFROGS] += 1
    energy = energy_of(dimension, here)
    fall = start_energy - energy
    outcome = COMPLETE
    acceptance = 0.0
    if math.isfinite(energy) and fall >= -MOST_ENERGY_ERROR:
        acceptance = math.exp(min(0.0, fall))
    else:
        outcome = DIVERGENT
        copy(dimension, spare, divergence_start)
        copy(dimension, here, divergence_end)
    statistics[LOG_DENSITY] = start_log_density
    statistics[ACCEPTANCE] = acceptance
    statistics[ENERGY] = start_energy
    statistics[N_STEPS] = float(taken)
    statistics[TREE_DEPTH] = 0.0
    statistics[INDEX] = 0.0
    if uniform(rng) < acceptance:
        copy(dimension, here, position)
        copy(dimension, here[3 * padded(dimension) :], gradient)
        statistics[LOG_DENSITY] = log_density_of(dimension, here)
        statistics[ENERGY] = energy
        statistics[INDEX] = float(taken)
    return outcome
