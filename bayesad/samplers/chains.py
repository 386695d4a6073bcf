"""Several chains at once, one thread each, each with a random stream of its own; knows a log density, not models.

A chain's draws depend on the seed, its number, the settings and the log density: not on the number of threads or of chains,
nor on whether it ran in one go or in blocks.
"""

from __future__ import annotations

import ctypes
import functools
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayesad.ad.backends.llvm.kernel import LogDensityPointer, compile_kernel, python_log_density
from bayesad.errors import BayesadError, ConfigError, InitialisationError
from bayesad.samplers import chain as places
from bayesad.samplers import control as codes
from bayesad.samplers.adaptation import AUTO, MOST_FOR_AUTO, STEP, windows
from bayesad.samplers.hamiltonian import DENSE, DIAGONAL, inverse_metric
from bayesad.samplers.hmc import HMC, hmc_workspace_size
from bayesad.samplers.nuts import NUTS, nuts_workspace_size
from bayesad.samplers.random import streams
from bayesad.samplers.settings import check_integer

__all__ = ["Chain", "ChainProgress", "ChainState", "Chains", "Divergences", "SamplingError", "is_usable", "run_chains"]

Array = NDArray[np.float64]
Density = Callable[[Array, Array], float] | LogDensityPointer
"""`f(q, gradient) -> float`, which fills `gradient` in place, or the same as machine code."""

POLL_INTERVAL = 0.1
"""Seconds between two looks at the chains."""

_METRICS = {"diagonal": DIAGONAL, "dense": DENSE, "auto": AUTO}
_C_LOG_DENSITY = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)

_STATISTICS: dict[str, tuple[int, type]] = {
    "acceptance_rate": (codes.ACCEPTANCE, float),
    "step_size": (codes.STEP_SIZE, float),
    "diverging": (codes.DIVERGING, bool),
    "energy": (codes.ENERGY, float),
    "n_steps": (codes.N_STEPS, int),
    "lp": (codes.LOG_DENSITY, float),
}
_NUTS_STATISTICS: dict[str, tuple[int, type]] = {
    "tree_depth": (codes.TREE_DEPTH, int),
    "reached_max_treedepth": (codes.REACHED_LIMIT, bool),
    "index_in_trajectory": (codes.INDEX, int),
}


class SamplingError(BayesadError, RuntimeError):
    """A chain could not go on."""


_FAILURES: dict[int, tuple[type[BayesadError], str]] = {
    codes.UNUSABLE_START: (
        InitialisationError,
        "its starting point has no finite log density and gradient; start it elsewhere",
    ),
    codes.STEP_SIZE_TOO_LARGE: (
        SamplingError,
        "its step size grew without limit, as the log density hardly changes; the posterior seems improper: "
        "give every parameter a proper prior",
    ),
    codes.STEP_SIZE_TOO_SMALL: (
        SamplingError,
        "no step size is small enough for a leapfrog step to keep the energy; the gradient does not fit the log "
        "density there, or it jumps: look at the model, or start elsewhere",
    ),
}


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


class Divergences(NamedTuple):
    """The transitions after warmup that diverged, n in all.

    Attributes
    ----------
    chain, draw : int array, shape (n,)
    start, end : float array, shape (n, d)
        Where the leapfrog step that diverged began and where it ended.
    """

    chain: NDArray[np.int64]
    draw: NDArray[np.int64]
    start: Array
    end: Array


@dataclass(frozen=True)
class Chains:
    """What `run_chains` gives.

    Attributes
    ----------
    draws : float array, shape (chains, draws, d)
    stats : dict of str to array, shape (chains, draws)
        Under ArviZ's names: acceptance_rate, step_size, diverging, energy, n_steps, lp and, for NUTS, tree_depth,
        reached_max_treedepth and index_in_trajectory (of the state drawn, the start being 0).
    warmup_draws, warmup_stats : the same of warmup, or None
    divergences : Divergences
    step_size : float array, shape (chains,)
        At the end.
    inverse_metric : tuple of float array, one per chain
        At the end: shape (d,) for a diagonal, (d, d) for a dense one.
    gradient_evaluations : int array, shape (chains,)
        Of the log density and its gradient, warmup included.
    warmup_time, sampling_time : float array, shape (chains,)
        Seconds.
    interrupted : bool
        Whether Ctrl-C ended the run; then draws and stats have as many entries as every chain completed.
    completed : int array, shape (chains,)
        Draws that each chain completed.
    """

    draws: Array
    stats: dict[str, NDArray[Any]]
    warmup_draws: Array | None
    warmup_stats: dict[str, NDArray[Any]] | None
    divergences: Divergences
    step_size: Array
    inverse_metric: tuple[Array, ...]
    gradient_evaluations: NDArray[np.int64]
    warmup_time: Array
    sampling_time: Array
    interrupted: bool
    completed: NDArray[np.int64]


@dataclass(frozen=True)
class ChainState:
    """All that a chain remembers; the kernel changes the arrays in place. Copies of them are a checkpoint.

    Attributes
    ----------
    counters : int array
        See `bayesad.samplers.chain`.
    scalars : float array
        Step size, dual averaging, log density.
    rng : uint64 array
    position, gradient, mean : float array, shape (d,)
    factor, moment : float array, shape (d,), or (d * d,) where the metric may be dense
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
        schedule = windows(warmup)
        metric = _METRICS[sampler.metric]
        if metric == AUTO and not 1 < dimension <= MOST_FOR_AUTO:
            metric = DIAGONAL
        self.dimension, self.warmup, self.total = dimension, warmup, warmup + draws
        self.first_kept = 0 if keep_warmup else warmup
        self._settings = _settings(sampler, dimension, warmup, self.first_kept, metric)
        self._settings[places.WINDOWS_START] = schedule.start
        self._settings[places.N_WINDOWS] = len(schedule.ends)
        self._targets = _targets(sampler)
        self._window_ends = np.array(schedule.ends, dtype=np.int64)
        self.state = _first_state(dimension, sampler, metric, rng, initial) if state is None else state
        self._workspace = np.zeros(_workspace_size(dimension, sampler, metric))
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
        return _kernel(compiled)(
            log_density,
            self._settings,
            self._targets,
            self._window_ends,
            state.counters,
            state.scalars,
            state.rng,
            state.position,
            state.gradient,
            state.factor,
            state.mean,
            state.moment,
            self._workspace,
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
        """Of shape (d,) for a diagonal, (d, d) for a dense metric."""
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
    matrix_size = dimension if metric == DIAGONAL else dimension**2
    counters = np.zeros(places.COUNTERS_SIZE, dtype=np.int64)
    counters[places.KIND] = DIAGONAL
    counters[places.SEARCH_DUE] = sampler.step_size is None
    scalars = np.zeros(places.SCALARS_SIZE)
    scalars[STEP] = 1.0 if sampler.step_size is None else sampler.step_size
    factor = np.zeros(matrix_size)
    factor[:dimension] = 1.0
    return ChainState(
        counters=counters,
        scalars=scalars,
        rng=rng.copy(),
        position=np.array(initial, dtype=np.float64),
        gradient=np.zeros(dimension),
        mean=np.zeros(dimension),
        factor=factor,
        moment=np.zeros(matrix_size),
    )


def _workspace_size(dimension: int, sampler: NUTS | HMC, metric: int) -> int:
    """For the transition, the search for a step size (5 vectors) and the choice of the metric."""
    transition = (
        nuts_workspace_size(dimension, sampler.max_tree_depth)
        if isinstance(sampler, NUTS)
        else hmc_workspace_size(dimension)
    )
    update = dimension**2 + 2 * dimension if metric == AUTO else 0
    return max(codes.N_STATISTICS + 2 * dimension + transition, 5 * dimension, update)


@functools.cache
def _compiled_kernel() -> Any:
    return compile_kernel(places.run_chain)


def _kernel(compiled: bool) -> Callable[..., int]:
    return _compiled_kernel() if compiled else places.run_chain


def run_chains(
    log_density: Density | Sequence[Density],
    dimension: int,
    sampler: NUTS | HMC,
    *,
    chains: int,
    warmup: int,
    draws: int,
    seed: int,
    initial: Any,
    keep_warmup: bool = False,
    progress: Callable[[tuple[ChainProgress, ...]], None] | None = None,
    compiled: bool = True,
    threads: int | None = None,
) -> Chains:
    """Run chains to their end, or until Ctrl-C.

    Parameters
    ----------
    log_density : callable or LogDensityPointer, or a sequence of them, one per chain
        A callable is `f(q, gradient) -> float` with arrays of shape (d,), fills `gradient` in place and is called from
        several threads; the arrays are valid during the call only. A pointer whose context holds workspace must
        not be shared by chains: give one per chain.
    dimension : int
        Number d of unconstrained parameters.
    sampler : NUTS or HMC
    chains, warmup, draws : int
        Number of chains, and of iterations per chain.
    seed : int
        Same seed, same draws.
    initial : float array, shape (d,) or (chains, d)
        Starting points, with finite log density and gradient; see `is_usable`.
    keep_warmup : bool
        Whether to return the draws of warmup too.
    progress : callable, optional
        Called from this thread at the beginning, about ten times a second and at the end.
    compiled : bool
        False runs the kernels as Python, for comparison: the same draws, a thousand times slower.
    threads : int, optional
        Chains that run at once; by default as many as there are processors.

    Returns
    -------
    Chains

    Raises
    ------
    ConfigError
        For an argument outside its range.
    InitialisationError
        If a starting point has no finite density and gradient.
    SamplingError
        If no step size can be found.
    Exception
        What a Python log density raises, after all chains have stopped, with a note that names the chain.
    """
    for name, value, least in (
        ("dimension", dimension, 1),
        ("chains", chains, 1),
        ("warmup", warmup, 0),
        ("draws", draws, 0),
    ):
        check_integer("run_chains", name, value, least)
    if threads is not None:
        check_integer("run_chains", "threads", threads, 1)
    points = _starting_points(initial, chains, dimension)
    all_chains = [
        Chain(dimension, sampler, warmup=warmup, draws=draws, rng=stream, initial=point, keep_warmup=keep_warmup)
        for stream, point in zip(streams(seed, chains), points, strict=True)
    ]
    crew = _Crew(all_chains, _densities(log_density, chains), compiled)
    interrupted = crew.run(progress, min(chains, threads or os.cpu_count() or 1))
    return _collect(all_chains, sampler, crew, interrupted)


def _starting_points(initial: Any, chains: int, dimension: int) -> Array:
    points = np.asarray(initial, dtype=np.float64)
    if points.shape not in ((dimension,), (chains, dimension)):
        raise ConfigError(
            f"run_chains: initial has shape {points.shape}; give {(dimension,)}, or {(chains, dimension)} with a point "
            "for each chain"
        )
    return np.broadcast_to(points, (chains, dimension))


def _densities(log_density: Density | Sequence[Density], chains: int) -> list[Density]:
    if not isinstance(log_density, Sequence):
        return [log_density] * chains
    if len(log_density) != chains:
        raise ConfigError(
            f"run_chains: log_density is a sequence of {len(log_density)} for {chains} chains; give one for each"
        )
    return list(log_density)


class _Crew:
    """The chains of a run, each with its log density, the threads they run in and what goes wrong in them."""

    def __init__(self, chains: Sequence[Chain], densities: Sequence[Density], compiled: bool) -> None:
        self.chains = chains
        self.compiled = compiled
        self.times = np.zeros((len(chains), 2))
        self._errors: dict[int, BaseException] = {}
        self._densities = [self._watched(number, density) for number, density in enumerate(densities)]

    def run(self, progress: Callable[[tuple[ChainProgress, ...]], None] | None, threads: int) -> bool:
        """Run all chains; returns whether Ctrl-C ended that. Raises the first chain's error."""
        _kernel(self.compiled)
        interrupted = False
        with ThreadPoolExecutor(threads, thread_name_prefix="chain") as pool:
            try:
                running = {pool.submit(self._run_chain, number) for number in range(len(self.chains))}
                self._watch(running, progress)
            except KeyboardInterrupt:
                interrupted = True
            finally:
                # Leaving the pool waits for the chains: whatever went wrong here, they must not go on.
                self._stop()
        if self._errors:
            raise self._errors[min(self._errors)]
        return interrupted

    def _watch(self, running: set[Future[None]], progress: Callable[[tuple[ChainProgress, ...]], None] | None) -> None:
        while running:
            if progress is not None:
                progress(tuple(chain.progress(number) for number, chain in enumerate(self.chains)))
            _, running = wait(running, timeout=POLL_INTERVAL)
        if progress is not None:
            progress(tuple(chain.progress(number) for number, chain in enumerate(self.chains)))

    def _run_chain(self, number: int) -> None:
        chain = self.chains[number]
        try:
            # Kernels that run as Python meet infinities that machine code takes in silence.
            with np.errstate(all="ignore"):
                for phase, until in enumerate((chain.warmup, chain.total)):
                    started = time.perf_counter()
                    code = chain.advance(self._densities[number], until, compiled=self.compiled)
                    self.times[number, phase] = time.perf_counter() - started
                    if code in _FAILURES:
                        kind, problem = _FAILURES[code]
                        raise kind(f"chain {number} cannot go on: {problem}")
        except BaseException as error:
            self._fail(number, error)

    def _watched(self, number: int, density: Density) -> Any:
        """A log density as the kernel takes it; an exception in it stops all chains."""
        if isinstance(density, LogDensityPointer):
            return density if self.compiled else _callable(density)
        dimension = self.chains[number].dimension

        def watched(q: Array, gradient: Array) -> float:
            try:
                return float(density(q[:dimension], gradient[:dimension]))
            except BaseException as error:
                error.add_note(f"raised by the log density in chain {number}")
                self._fail(number, error)
                return float("nan")

        return python_log_density(watched, dimension) if self.compiled else watched

    def _fail(self, number: int, error: BaseException) -> None:
        self._errors.setdefault(number, error)
        self._stop()

    def _stop(self) -> None:
        for chain in self.chains:
            chain.stop()


def _callable(pointer: LogDensityPointer) -> Callable[[Array, Array], float]:
    """Machine code as a Python callable."""
    function = _C_LOG_DENSITY(pointer.address)
    return lambda q, gradient: function(pointer.context, q.ctypes.data, gradient.ctypes.data)


def is_usable(log_density: Density, q: Any) -> bool:
    """Whether log density and gradient are finite at a point, so that a chain can start there.

    Parameters
    ----------
    log_density : callable or LogDensityPointer
        As for `run_chains`.
    q : float array, shape (d,)
    """
    evaluate = _callable(log_density) if isinstance(log_density, LogDensityPointer) else log_density
    position = np.array(q, dtype=np.float64)
    gradient = np.zeros_like(position)
    return bool(np.isfinite(evaluate(position, gradient)) and np.isfinite(gradient).all())


def _collect(chains: Sequence[Chain], sampler: NUTS | HMC, crew: _Crew, interrupted: bool) -> Chains:
    first = chains[0]
    completed = np.array([max(0, chain.completed - first.warmup) for chain in chains])
    n_warmup = first.warmup - first.first_kept  # rows of warmup
    kept = slice(n_warmup, n_warmup + completed.min())
    warmed_up = min(chain.completed for chain in chains)
    of_warmup = slice(0, min(n_warmup, warmed_up))
    return Chains(
        draws=np.stack([chain.draws[kept] for chain in chains]),
        stats=_statistics(chains, sampler, kept),
        warmup_draws=np.stack([chain.draws[of_warmup] for chain in chains]) if n_warmup else None,
        warmup_stats=_statistics(chains, sampler, of_warmup) if n_warmup else None,
        divergences=_divergences(chains, kept),
        step_size=np.array([chain.state.scalars[STEP] for chain in chains]),
        inverse_metric=tuple(chain.inverse_metric for chain in chains),
        gradient_evaluations=np.array([chain.control[codes.LEAPFROGS] for chain in chains]),
        warmup_time=crew.times[:, 0],
        sampling_time=crew.times[:, 1],
        interrupted=interrupted,
        completed=completed,
    )


def _statistics(chains: Sequence[Chain], sampler: NUTS | HMC, rows: slice) -> dict[str, NDArray[Any]]:
    table = np.stack([chain.statistics[rows] for chain in chains])
    columns = _STATISTICS | (_NUTS_STATISTICS if isinstance(sampler, NUTS) else {})
    return {name: table[:, :, place].astype(kind) for name, (place, kind) in columns.items()}


def _divergences(chains: Sequence[Chain], rows: slice) -> Divergences:
    diverging = np.stack([chain.statistics[rows, codes.DIVERGING] for chain in chains]) != 0
    number, draw = np.nonzero(diverging)
    start = [chain.divergence_starts[rows][mask] for chain, mask in zip(chains, diverging, strict=True)]
    end = [chain.divergence_ends[rows][mask] for chain, mask in zip(chains, diverging, strict=True)]
    return Divergences(number, draw, np.concatenate(start), np.concatenate(end))
