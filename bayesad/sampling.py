"""Sampling: a posterior and the settings of a sampler become draws in ArviZ's schema."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import secrets
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bayesad.ad.backends.llvm.kernel import LogDensityPointer
from bayesad.ad.failures import solver_lines
from bayesad.errors import ConfigError, SolverError
from bayesad.initial import Evaluate, find_candidates
from bayesad.samplers import HMC, NUTS, Chains, run_chains
from bayesad.samplers.chain import improve_kernel
from bayesad.samplers.settings import check_integer
from bayesad.samplers.starts import CANDIDATES

if TYPE_CHECKING:
    import xarray as xr

    from bayesad.ad.backends.llvm.log_density import NativeLogDensity
    from bayesad.posterior import Posterior

__all__ = ["Drawn", "chains_of", "draw", "sample"]

MODULES_OF_THE_RESULT = ("pandas", "xarray", "arviz_base")
"""What a DataTree takes, in steps of some tenths of a second."""

LARGE = 2**24
"""Bytes of data from which on memory counts more than a second at the end of a run."""

INITIAL_STREAM = 2**31  # spawn key of the streams for starting points, apart from those of the chains
RECOVERY_STREAM = 2**31 + 1  # of those for unknowns that are summed out


class Drawn(NamedTuple):
    """Draws in memory, as they come from the chains.

    Attributes
    ----------
    values : dict of str to array, shape (chains, draws, *shape)
        Every parameter, unknown that was summed out, deterministic quantity and completed observed variable, in the
        order of the model.
    warmup_values : the same of warmup, or None
    chains : Chains
        The unconstrained draws, their statistics, and what adaptation found.
    seed : int
    preparing_time : float
        Seconds before the chains began: tracing, compiling, finding starting points.
    """

    values: dict[str, np.ndarray]
    warmup_values: dict[str, np.ndarray] | None
    chains: Chains
    seed: int
    preparing_time: float


def sample(
    posterior: Posterior,
    *,
    sampler: NUTS | HMC | None = None,
    meanwhile: Sequence[str] = (),
    **settings: Any,
) -> xr.DataTree:
    """Draw from a posterior; `Posterior.sample` documents the parameters.

    Parameters
    ----------
    meanwhile : sequence of str
        Modules that the caller will need afterwards: they are imported while the chains run, after those that the
        result needs. With large data, of which the chains have a copy of their own, all of them wait for the memory.

    Returns
    -------
    DataTree
        Groups posterior, sample_stats, observed_data, constant_data and, on request, those of warmup.

    Raises
    ------
    ConfigError
        For a number of chains or draws that is not positive.
    InitialisationError
        If a chain finds no starting point.
    """
    sampler = NUTS() if sampler is None else sampler
    imports = import_one_by_one(() if _is_large(posterior) else (*MODULES_OF_THE_RESULT, *meanwhile))
    drawn = draw(posterior, sampler=sampler, meanwhile=imports, **settings)
    return _datatree(posterior, sampler, drawn)


def draw(
    posterior: Posterior,
    *,
    sampler: NUTS | HMC | None = None,
    chains: int = 4,
    warmup: int = 1000,
    draws: int = 1000,
    seed: int | None = None,
    initial: Any = "uniform",
    keep_warmup: bool = False,
    progress: Callable[[Any], None] | None = None,
    meanwhile: Iterator[Any] | None = None,
) -> Drawn:
    """Draw from a posterior as `sample` does, without making a DataTree of it, which takes longer than small models do.

    Parameters
    ----------
    meanwhile : iterator, optional
        See `bayesad.samplers.run_chains`; the others are those of `Posterior.sample`.
    """
    whole = [("chains", chains, 1), ("warmup", warmup, 0), ("draws", draws, 1)]
    for name, value, least in whole if seed is None else [*whole, ("seed", seed, 0)]:
        check_integer("sample", name, value, least)
    if not isinstance(sampler, (NUTS, HMC, type(None))):
        raise ConfigError(f"sampler must be made by ba.NUTS(…) or ba.HMC(…); got {sampler!r}")
    if progress is not None and not callable(progress):
        raise ConfigError(
            f"progress is a function that takes the chains' snapshots, or None for silence; got {progress!r}"
        )
    if not posterior.parameters and not posterior.structure.summed:
        raise ConfigError(
            f"model {posterior.model.name!r} has no unknowns, so there is nothing to sample: all of its variables are "
            f"observed or set ({', '.join(posterior.observed_data) or 'there are none'}). Its density is "
            "posterior.neg_log_posterior({}); posterior.prior() draws data from it"
        )
    seed = secrets.randbits(32) if seed is None else int(seed)
    settings = {"chains": chains, "warmup": warmup, "draws": draws, "seed": seed, "keep_warmup": keep_warmup}
    result, preparing_time = chains_of(
        posterior, NUTS() if sampler is None else sampler, initial, settings, progress, meanwhile
    )
    if _is_large(posterior):
        posterior.unconstrained.compiled.forget_machine_code()
        _give_back_memory()
    warmup_values = None if result.warmup_draws is None else _quantities(posterior, result.warmup_draws, seed, 0)
    values = _quantities(posterior, result.draws, seed, 1)
    if posterior.unconstrained.dimension:
        improve_kernel()  # only now, as one compiler works at a time
    return Drawn(values, warmup_values, result, seed, preparing_time)


def chains_of(
    posterior: Posterior,
    sampler: NUTS | HMC,
    initial: Any,
    settings: Mapping[str, Any],
    progress: Callable[[Any], None] | None = None,
    meanwhile: Iterator[Any] | None = None,
) -> tuple[Chains, float]:
    """The chains of `draw`, whose parameters these are, and the seconds it took to prepare them."""
    started = time.perf_counter()
    if posterior.unconstrained.dimension == 0:
        return _run_still(posterior, sampler, initial, settings, progress), time.perf_counter() - started
    chains = range(settings["chains"])
    densities: list[NativeLogDensity] = []

    def evaluate(q: np.ndarray) -> tuple[float, np.ndarray]:
        if not densities:
            densities.append(posterior.unconstrained.compiled.log_density(q))
        return densities[0].at(q)

    points = np.stack([_starting_points(posterior, settings["seed"], chain, initial, evaluate) for chain in chains])
    (density,) = densities
    density.failures()  # those of places that are not started from
    tables = [density.context() for _ in chains]
    if _is_large(posterior):
        _give_back_memory()
    prepared = time.perf_counter()
    result = run_chains(
        [LogDensityPointer(density.address, table.ctypes.data) for table, _ in tables],
        posterior.unconstrained.dimension,
        sampler,
        initial=points,
        progress=progress,
        meanwhile=meanwhile,
        **settings,
    )
    _warn_of_failures(posterior, density.failures(), int(result.stats["diverging"].sum()))
    return result, prepared - started


def _warn_of_failures(posterior: Posterior, failures: Sequence[BaseException], divergences: int) -> None:
    """Tell what was raised at points of the chains; solvers may fail during warmup, far out, without a word."""
    solvers = [error for error in failures if isinstance(error, SolverError)]
    others = [error for error in failures if not isinstance(error, SolverError)]
    name = posterior.model.name
    if others:
        message = (
            f"model {name!r} raised {others[0]!r} at some points; they were rejected as having density zero. If that "
            "is not meant, look at that line"
        )
    elif solvers and divergences:
        traced = [path.traced for path in posterior.unconstrained.compiled.paths]
        lines = ", ".join(dict.fromkeys(line for program in traced for line in solver_lines(program)))
        message = (
            f"model {name!r} ({lines}): {solvers[0]}. Such points were rejected as having density zero; {divergences} "
            "transitions after warmup diverged, there or where the posterior is steep"
        )
    else:
        return
    warnings.warn(message, RuntimeWarning, stacklevel=6)


def _run_still(
    posterior: Posterior, sampler: NUTS | HMC, initial: Any, settings: Mapping[str, Any], progress: Any
) -> Chains:
    """Chains of a model all of whose unknowns are summed out: their draws come from recovery alone."""
    from bayesad.samplers.still import still_chains  # few models need it

    log_density, _ = posterior.unconstrained.log_density_and_gradient(
        posterior.initial(np.random.default_rng(0), initial)
    )
    own = {name: value for name, value in settings.items() if name != "seed"}
    return still_chains(float(log_density), sampler, progress=progress, **own)


def _quantities(posterior: Posterior, draws: np.ndarray, seed: int, phase: int) -> dict[str, np.ndarray]:
    """All that a run records at its draws; unknowns that were summed out are drawn from a stream for each chain."""
    values = posterior.values(draws)
    if not posterior.structure.summed:
        return values
    streams = [np.random.SeedSequence(seed, spawn_key=(RECOVERY_STREAM, phase, chain)) for chain in range(len(draws))]
    recovered = [posterior.recover(q, np.random.default_rng(s)) for q, s in zip(draws, streams, strict=True)]
    values |= {name: np.stack([chain[name] for chain in recovered]) for name in recovered[0]}
    return {name: values[name] for name in posterior.structure.quantities}


def import_one_by_one(modules: Iterable[str]) -> Iterator[None]:
    """Import modules, one at each step; whoever needs one that is missing will say so."""
    for name in modules:
        with contextlib.suppress(ImportError):
            import_module(name)
        yield


def _starting_points(posterior: Posterior, seed: int, chain: int, initial: Any, evaluate: Evaluate) -> np.ndarray:
    """What a chain's starting point is chosen from, shape (n, d), from a random stream of its own."""
    stream = np.random.SeedSequence(seed, spawn_key=(INITIAL_STREAM, chain))
    if isinstance(initial, (list, tuple)) or (isinstance(initial, np.ndarray) and initial.ndim == 2):
        if chain >= len(initial):
            raise ConfigError(f"{len(initial)} starting points are given; chain {chain} has none")
        initial = initial[chain]
    return find_candidates(posterior, np.random.default_rng(stream), initial, CANDIDATES, evaluate)


def _is_large(posterior: Posterior) -> bool:
    return sum(x.nbytes for x in posterior.data.values() if isinstance(x, np.ndarray)) > LARGE


def _give_back_memory() -> None:
    """Return to the system what is no longer used: objects that refer to themselves, and what glibc keeps for later."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError, TypeError):  # no glibc
        ctypes.CDLL(None).malloc_trim(0)


def _datatree(posterior: Posterior, sampler: NUTS | HMC, drawn: Drawn) -> xr.DataTree:
    from bayesad.results import to_datatree

    result = drawn.chains
    groups: dict[str, Any] = {"posterior": drawn.values, "sample_stats": result.stats}
    if drawn.warmup_values is not None:
        groups["warmup_posterior"] = drawn.warmup_values
        groups["warmup_sample_stats"] = result.warmup_stats
    if posterior.observed_data:
        groups["observed_data"] = posterior.observed_data
    if posterior.constant_data:
        groups["constant_data"] = posterior.constant_data
    attributes = {
        "model": posterior.model.name,
        "seed": drawn.seed,
        "sampler": repr(sampler),
        "preparing_time": drawn.preparing_time,
        "warmup_time": result.warmup_time.tolist(),
        "sampling_time": result.sampling_time.tolist(),
        "gradient_evaluations": result.gradient_evaluations.tolist(),
        "step_size": result.step_size.tolist(),
        "inverse_metric": [metric.tolist() for metric in result.inverse_metric],
        "interrupted": result.interrupted,
    }
    tree = to_datatree(groups, dims=posterior.dims, coords=posterior.coords, attributes=attributes)
    if len(result.divergences.chain):
        tree["divergences"] = _divergences(posterior, result)
    return tree


def _divergences(posterior: Posterior, result: Chains) -> xr.DataTree:
    """Where divergent transitions broke off: the parameters at the begin of the leapfrog step that diverged."""
    import xarray as xr

    found = result.divergences
    variables: dict[str, Any] = {
        "chain_index": ("divergence", found.chain),
        "draw_index": ("divergence", found.draw),
    }
    for name, value in posterior.values(found.start).items():
        axes = [f"{name}_dim_{i}" for i in range(value.ndim - 1)]
        variables[name.replace("/", "_")] = (["divergence", *axes], value)
    return xr.DataTree(xr.Dataset(variables))
