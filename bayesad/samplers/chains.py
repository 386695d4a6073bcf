"""Several chains at once, one thread each, each with a random stream of its own; knows a log density, not models.

A chain's draws depend on the seed, its number, the settings and the log density: not on the number of threads or of
chains, nor on whether it ran in one go or in blocks.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayesad.ad.backends.llvm.kernel import LogDensityPointer, python_log_density
from bayesad.ad.backends.llvm.libraries import one_thread
from bayesad.errors import BayesadError, ConfigError, InitialisationError
from bayesad.samplers import control as codes
from bayesad.samplers.adaptation import STEP
from bayesad.samplers.chain import Chain, ChainProgress, improve_kernel, kernel
from bayesad.samplers.hmc import HMC
from bayesad.samplers.nuts import NUTS
from bayesad.samplers.random import streams
from bayesad.samplers.settings import check_integer
from bayesad.samplers.starts import begin_at_the_best

__all__ = ["Chains", "Divergences", "SamplingError", "is_usable", "run_chains", "statistics_of"]

Array = NDArray[np.float64]
Density = Callable[[Array, Array], float] | LogDensityPointer
"""`f(q, gradient) -> float`, which fills `gradient` in place, or the same as machine code."""

PROGRESS_INTERVAL = 0.1
"""Seconds between two calls of `progress`."""

POLL_INTERVAL = 0.02
"""Seconds that the waiting thread sleeps at most: where a signal cannot wake it, it answers Ctrl-C that late."""

PATIENCE = 0.25
"""Seconds after which a run deserves a kernel that is optimised, where it began with a provisional one."""

BLOCK = 20
"""Iterations of a provisional kernel before it looks for a better one."""

_NOTHING = object()

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


class Chains(NamedTuple):
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
        Whether Ctrl-C ended the run; then chains with less than a quarter of the longest's draws are left out and the
        others cut to one length.
    completed : int array, shape (chains,)
        Draws that each chain completed, those left out included.
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
    meanwhile: Iterator[Any] | None = None,
    compiled: bool = True,
    threads: int | None = None,
) -> Chains:
    """Run chains to their end, or until Ctrl-C, after which each runs at most one more leapfrog.

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
    initial : float array, shape (d,), (chains, d) or (chains, candidates, d)
        Starting points, with finite log density and gradient; see `is_usable`. Of several candidates one is chosen by
        short runs if there is a warmup; see `bayesad.samplers.starts`.
    keep_warmup : bool
        Whether to return the draws of warmup too.
    progress : callable, optional
        Called from this thread at the beginning, about ten times a second and at the end.
    meanwhile : iterator, optional
        Work of the caller that is done in this thread while the chains run, step by step; what is left of it when they
        end is not begun.
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
        Chain(dimension, sampler, warmup=warmup, draws=draws, rng=stream, initial=point[0], keep_warmup=keep_warmup)
        for stream, point in zip(streams(seed, chains), points, strict=True)
    ]
    crew = _Crew(all_chains, _densities(log_density, chains), points, compiled)
    with one_thread():  # for BLAS: chains that shared its threads would wait for each other
        interrupted = crew.run(progress, meanwhile or iter(()), min(chains, threads or os.cpu_count() or 1))
    return _collect(all_chains, sampler, crew, interrupted)


def _starting_points(initial: Any, chains: int, dimension: int) -> Array:
    points = np.asarray(initial, dtype=np.float64)
    if points.ndim == 3 and points.shape[::2] == (chains, dimension) and points.size:
        return points
    if points.shape not in ((dimension,), (chains, dimension)):
        raise ConfigError(
            f"run_chains: initial has shape {points.shape}; give {(dimension,)}, or {(chains, dimension)} with a point "
            "for each chain, or several candidates for each"
        )
    return np.broadcast_to(points, (chains, dimension))[:, None]


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

    def __init__(
        self, chains: Sequence[Chain], densities: Sequence[Density], candidates: Array, compiled: bool
    ) -> None:
        self.chains = chains
        self._candidates = candidates
        self.compiled = compiled
        self.times = np.zeros((len(chains), 2))
        self._interrupted = False
        self._errors: dict[int, BaseException] = {}
        self._densities = [self._watched(number, density) for number, density in enumerate(densities)]

    def run(
        self,
        progress: Callable[[tuple[ChainProgress, ...]], None] | None,
        meanwhile: Iterator[Any],
        threads: int,
    ) -> bool:
        """Run all chains; returns whether Ctrl-C ended that. Raises the first chain's error."""
        kernel(self.compiled)
        waiting = deque(range(len(self.chains)))
        workers = [threading.Thread(target=self._work, args=(waiting,)) for _ in range(threads)]
        started = []
        try:
            with _ctrl_c(self._interrupt):
                for worker in workers:
                    worker.start()
                    started.append(worker)
                self._watch(started, progress, meanwhile)
        except KeyboardInterrupt:
            self._interrupt()
        finally:
            self._stop()  # whatever went wrong here, the chains must not go on
            for worker in started:
                worker.join()
        if self._errors:
            raise self._errors[min(self._errors)]
        return self._interrupted

    def _watch(
        self,
        workers: Sequence[threading.Thread],
        progress: Callable[[tuple[ChainProgress, ...]], None] | None,
        meanwhile: Iterator[Any],
    ) -> None:
        """Wait for the chains, show their progress and do what there is to do meanwhile."""

        def show() -> None:
            if progress is not None:
                progress(tuple(chain.progress(number) for number, chain in enumerate(self.chains)))

        show()
        due = time.monotonic() + PROGRESS_INTERVAL
        impatient = time.monotonic() + PATIENCE if self.compiled else math.inf
        busy = True
        while any(worker.is_alive() for worker in workers):
            if time.monotonic() >= due:
                show()
                due = time.monotonic() + PROGRESS_INTERVAL
            if time.monotonic() >= impatient:
                improve_kernel()
                impatient = math.inf
            busy = busy and not self._interrupted and next(meanwhile, _NOTHING) is not _NOTHING
            if not busy:
                next((worker for worker in workers if worker.is_alive()), workers[0]).join(POLL_INTERVAL)
        show()

    def _work(self, waiting: deque[int]) -> None:
        """What a thread does: one chain after the other, as long as there are any."""
        while True:
            try:
                number = waiting.popleft()
            except IndexError:
                return
            self._run_chain(number)

    def _run_chain(self, number: int) -> None:
        chain, candidates = self.chains[number], self._candidates[number]
        try:
            # Kernels that run as Python meet infinities that machine code takes in silence.
            with np.errstate(all="ignore"):
                started = time.perf_counter()
                if len(candidates) > 1 and chain.warmup:
                    begin_at_the_best(chain, self._densities[number], candidates, compiled=self.compiled)
                for phase, until in enumerate((chain.warmup, chain.total)):
                    code = self._advance(number, until)
                    self.times[number, phase], started = time.perf_counter() - started, time.perf_counter()
                    if code in _FAILURES:
                        kind, problem = _FAILURES[code]
                        raise kind(f"chain {number} cannot go on: {problem}")
        except BaseException as error:
            self._fail(number, error)

    def _advance(self, number: int, until: int) -> int:
        """Run a chain on; by blocks while the kernel is provisional, so that the next one can be a better one."""
        chain = self.chains[number]
        while True:
            provisional = self.compiled and kernel(True).provisional
            last = min(until, chain.completed + BLOCK) if provisional else until
            code = chain.advance(self._densities[number], last, compiled=self.compiled)
            if code != codes.COMPLETE or last == until:
                return code

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

    def _interrupt(self) -> None:
        self._interrupted = True
        self._stop()

    def _stop(self) -> None:
        for chain in self.chains:
            chain.stop()


@contextlib.contextmanager
def _ctrl_c(interrupt: Callable[[], None]) -> Iterator[None]:
    """While entered, the first Ctrl-C calls `interrupt` and raises nothing: what this thread is at, such as an import
    or drawing, is not broken off halfway. The next one raises KeyboardInterrupt as usual.

    Handlers of the caller's own, and threads to which no signals come, are left as they are.
    """
    usual = signal.default_int_handler
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not usual:
        yield
        return

    def handle(*_: Any) -> None:
        signal.signal(signal.SIGINT, usual)
        interrupt()

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


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
    chosen = _worth_keeping(completed)
    chains = [chains[i] for i in chosen]
    n_warmup = first.warmup - first.first_kept  # rows of warmup
    kept = slice(n_warmup, n_warmup + completed[chosen].min())
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
        warmup_time=crew.times[chosen, 0],
        sampling_time=crew.times[chosen, 1],
        interrupted=interrupted,
        completed=completed,
    )


def _worth_keeping(completed: NDArray[np.int64]) -> NDArray[np.intp]:
    """The chains with at least a quarter of the draws of the longest; all of them after a whole run.

    Of an interrupted run the others had hardly begun, and to cut all chains to their length would lose the rest.
    """
    return np.flatnonzero(4 * completed >= completed.max())


def _statistics(chains: Sequence[Chain], sampler: NUTS | HMC, rows: slice) -> dict[str, NDArray[Any]]:
    table = np.stack([chain.statistics[rows] for chain in chains])
    return {name: table[:, :, place].astype(kind) for name, (place, kind) in statistics_of(sampler).items()}


def statistics_of(sampler: NUTS | HMC) -> dict[str, tuple[int, type]]:
    """Name -> place in a row of the kernel's statistics, and type, of what a sampler tells of its draws."""
    return _STATISTICS | (_NUTS_STATISTICS if isinstance(sampler, NUTS) else {})


def _divergences(chains: Sequence[Chain], rows: slice) -> Divergences:
    diverging = np.stack([chain.statistics[rows, codes.DIVERGING] for chain in chains]) != 0
    number, draw = np.nonzero(diverging)
    start = [chain.divergence_starts[rows][mask] for chain, mask in zip(chains, diverging, strict=True)]
    end = [chain.divergence_ends[rows][mask] for chain, mask in zip(chains, diverging, strict=True)]
    return Divergences(number, draw, np.concatenate(start), np.concatenate(end))
