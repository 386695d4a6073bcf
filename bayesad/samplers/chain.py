"""One chain: its settings, its state, which is all that a checkpoint needs, and its results."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayesad.ad.backends.llvm.kernel import compile_kernel
from bayesad.samplers import chain_kernel as places
from bayesad.samplers import control as codes
from bayesad.samplers.adaptation import STEP, windows
from bayesad.samplers.hamiltonian import DENSE, DIAGONAL, LOW_RANK, inverse_metric
from bayesad.samplers.hmc import HMC, hmc_workspace_size
from bayesad.samplers.metric import AUTO, MOST_FOR_AUTO, factor_size, moment_size, update_size
from bayesad.samplers.nuts import NUTS, nuts_workspace_size

__all__ = ["Chain", "ChainProgress", "ChainState", "improve_kernel", "kernel"]

Array = NDArray[np.float64]

_METRICS = {"diagonal": DIAGONAL, "dense": DENSE, "low_rank": LOW_RANK, "auto": AUTO}


class ChainProgress(NamedTuple):
    """How far a chain is.

    Attributes
    ----------
    chain : int
    phase : str
        "warmup" or "sampling".
    iteration, total : int
        Iterations completed and to do, warmup included.
    divergences : int
        In the current phase.
    step_size : float
    tree_depth : int
        Of the last trajectory; 0 for HMC.
    leapfrogs : int
        Evaluations of the log density and its gradient so far.
    """

    chain: int
    phase: str
    iteration: int
    total: int
    divergences: int
    step_size: float
    tree_depth: int
    leapfrogs: int


@dataclass(frozen=True)
class ChainState:
    """All that a chain remembers; the kernel changes the arrays in place. Copies of them are a checkpoint.

    Attributes
    ----------
    counters : int array
        See `bayesad.samplers.chain_kernel`.
    scalars : float array
        Step size and its adaptation, log density.
    rng : uint64 array
    position, gradient, mean : float array, shape (d,)
    factor, moment : float array
        See `bayesad.samplers.metric.factor_size` and `moment_size`.
    """

    counters: NDArray[np.int64]
    scalars: Array
    rng: NDArray[np.uint64]
    position: Array
    gradient: Array
    mean: Array
    factor: Array
    moment: Array


class Chain:
    """One chain: its settings, state and results, and `advance`, which runs the kernel.

    Parameters
    ----------
    dimension : int
    sampler : NUTS or HMC
    warmup, draws : int
    rng : uint64 array
        The chain's random stream; not changed.
    initial : float array, shape (d,)
        Starting point; not changed.
    keep_warmup : bool
    state : ChainState, optional
        A checkpoint to go on from.
    """

    def __init__(
        self,
        dimension: int,
        sampler: NUTS | HMC,
        *,
        warmup: int,
        draws: int,
        rng: NDArray[np.uint64],
        initial: Array,
        keep_warmup: bool = False,
        state: ChainState | None = None,
    ) -> None:
        metric = _METRICS[sampler.metric]
        if metric == AUTO and not 1 < dimension <= MOST_FOR_AUTO:
            metric = LOW_RANK
        if metric == LOW_RANK and dimension == 1:
            metric = DIAGONAL
        schedule = windows(warmup)
        self.dimension, self.warmup, self.total = dimension, warmup, warmup + draws
        self.first_kept = 0 if keep_warmup else warmup
        self._settings = _settings(sampler, dimension, warmup, self.first_kept, metric)
        self._settings[places.N_UPDATES] = len(schedule.updates)
        self._targets = _targets(sampler)
        self._updates = np.array([*schedule.updates, *schedule.ends], dtype=np.int64)
        self.state = _first_state(dimension, sampler, metric, rng, initial) if state is None else state
        self._workspace = np.zeros(_workspace_size(dimension, sampler))
        self._record = np.zeros(codes.N_STATISTICS + max(2 * dimension, update_size(metric, dimension)))
        self.control = np.zeros(codes.CONTROL_SIZE, dtype=np.int64)
        kept = self.total - self.first_kept
        self.draws = np.empty((kept, dimension))
        self.statistics = np.empty((kept, codes.N_STATISTICS))
        # Written where a transition diverges only; memory that is never touched costs nothing.
        self.divergence_starts = np.empty((kept, dimension))
        self.divergence_ends = np.empty((kept, dimension))

    def advance(self, log_density: Any, until: int, *, compiled: bool = True) -> int:
        """Run until `until` iterations are complete; returns the code of `run_chain`."""
        state = self.state
        return kernel(compiled)(
            log_density,
            self._settings,
            self._targets,
            self._updates,
            state.counters,
            state.scalars,
            state.rng,
            state.position,
            state.gradient,
            state.factor,
            state.mean,
            state.moment,
            self._workspace,
            self._record,
            self.control,
            self.draws.reshape(-1),
            self.statistics.reshape(-1),
            self.divergence_starts.reshape(-1),
            self.divergence_ends.reshape(-1),
            until,
        )

    def stop(self) -> None:
        """Make `advance` return soon, from any thread."""
        self.control[codes.STOP] = 1

    @property
    def completed(self) -> int:
        """Iterations completed, warmup included."""
        return int(self.state.counters[places.COMPLETED])

    @property
    def inverse_metric(self) -> Array:
        """Of shape (d, d) for a dense metric, else its diagonal, of shape (d,)."""
        return inverse_metric(int(self.state.counters[places.KIND]), self.state.factor, self.dimension)

    def progress(self, number: int) -> ChainProgress:
        """How far it is; may be asked from any thread."""
        row = self.control
        return ChainProgress(
            number,
            "sampling" if row[codes.PHASE] == codes.SAMPLING else "warmup",
            int(row[codes.ITERATION]),
            self.total,
            int(row[codes.DIVERGENCES]),
            float(self.state.scalars[STEP]),
            int(row[codes.DEPTH]),
            int(row[codes.LEAPFROGS]),
        )


def _settings(sampler: NUTS | HMC, dimension: int, warmup: int, first_kept: int, metric: int) -> NDArray[np.int64]:
    settings = np.zeros(places.SETTINGS_SIZE, dtype=np.int64)
    settings[places.DIMENSION] = dimension
    settings[places.N_WARMUP] = warmup
    settings[places.FIRST_KEPT] = first_kept
    settings[places.METRIC] = metric
    settings[places.ADAPTS_STEP] = sampler.step_size is None
    if isinstance(sampler, NUTS):
        settings[places.ALGORITHM] = places.ALGORITHM_NUTS
        settings[places.MAX_DEPTH] = sampler.max_tree_depth
    else:
        settings[places.ALGORITHM] = places.ALGORITHM_HMC
        settings[places.STEPS] = sampler.n_steps or 0
    return settings


def _targets(sampler: NUTS | HMC) -> Array:
    targets = np.zeros(places.TARGETS_SIZE)
    targets[places.TARGET_ACCEPT] = sampler.target_accept
    if isinstance(sampler, HMC):
        targets[places.INTEGRATION_TIME] = np.pi / 2 if sampler.integration_time is None else sampler.integration_time
        targets[places.JITTER] = sampler.jitter
    return targets


def _first_state(
    dimension: int, sampler: NUTS | HMC, metric: int, rng: NDArray[np.uint64], initial: Array
) -> ChainState:
    factor = np.zeros(factor_size(metric, dimension))
    counters = np.zeros(places.COUNTERS_SIZE, dtype=np.int64)
    counters[places.KIND] = DIAGONAL
    counters[places.SEARCH_DUE] = sampler.step_size is None
    scalars = np.zeros(places.SCALARS_SIZE)
    scalars[STEP] = 1.0 if sampler.step_size is None else sampler.step_size
    factor[:dimension] = 1.0
    return ChainState(
        counters=counters,
        scalars=scalars,
        rng=rng.copy(),
        position=np.array(initial, dtype=np.float64),
        gradient=np.zeros(dimension),
        mean=np.zeros(2 * dimension),
        factor=factor,
        moment=np.zeros(moment_size(metric, dimension)),
    )


def _workspace_size(dimension: int, sampler: NUTS | HMC) -> int:
    """For the transition; the search for a step size needs two states, as HMC does."""
    if isinstance(sampler, NUTS):
        return nuts_workspace_size(dimension, sampler.max_tree_depth)
    return hmc_workspace_size(dimension)


@functools.cache
def kernel(compiled: bool) -> Any:
    """The kernel `run_chain` as machine code (provisional where the cache has none) or as the function that it is."""
    return compile_kernel(places.run_chain, provisional=True) if compiled else places.run_chain


def improve_kernel() -> None:
    """Have the machine code of `run_chain` optimised if it is provisional, for what comes after a short first run."""
    kernel(True).improve()
