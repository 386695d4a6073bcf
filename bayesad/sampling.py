"""Sampling: a posterior and the settings of a sampler become draws in ArviZ's schema."""

from __future__ import annotations

import secrets
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesad.ad.backends.llvm.kernel import LogDensityPointer
from bayesad.errors import ConfigError
from bayesad.samplers import NUTS, Chains, run_chains

if TYPE_CHECKING:
    from bayesad.posterior import Posterior

__all__ = ["sample"]

INITIAL_STREAM = 2**31  # spawn key of the streams for starting points, apart from those of the chains


def sample(
    posterior: Posterior,
    *,
    sampler: Any = None,
    chains: int = 4,
    warmup: int = 1000,
    draws: int = 1000,
    seed: int | None = None,
    initial: Any = "uniform",
    keep_warmup: bool = False,
    progress: Callable[[Any], None] | None = None,
) -> Any:
    """Draw from a posterior; `Posterior.sample` documents the parameters.

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
    for name, value, least in (("chains", chains, 1), ("warmup", warmup, 0), ("draws", draws, 1)):
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
            raise ConfigError(f"{name} must be a whole number of at least {least}; got {value!r}")
    if posterior.unconstrained.dimension == 0:
        raise ConfigError(f"model {posterior.model.name!r} has no free parameter: there is nothing to sample")
    seed = secrets.randbits(32) if seed is None else int(seed)
    sampler = NUTS() if sampler is None else sampler
    started = time.perf_counter()
    points = np.stack([_starting_point(posterior, seed, chain, initial) for chain in range(chains)])
    density = posterior.unconstrained.compiled.log_density(points[0])
    tables = [density.context() for _ in range(chains)]
    pointers = [LogDensityPointer(density.address, table.ctypes.data) for table, _ in tables]
    prepared = time.perf_counter()
    result = run_chains(
        pointers,
        posterior.unconstrained.dimension,
        sampler,
        chains=chains,
        warmup=warmup,
        draws=draws,
        seed=seed,
        initial=points,
        keep_warmup=keep_warmup,
        progress=progress,
    )
    if density.error is not None:
        warnings.warn(
            f"model {posterior.model.name!r} raised {density.error!r} at some points; they were rejected as having "
            "density zero. If that is not meant, look at that line",
            RuntimeWarning,
            stacklevel=3,
        )
    return _datatree(posterior, sampler, result, seed, prepared - started)


def _starting_point(posterior: Posterior, seed: int, chain: int, initial: Any) -> np.ndarray:
    """A chain's starting point, from a random stream of its own."""
    stream = np.random.SeedSequence(seed, spawn_key=(INITIAL_STREAM, chain))
    if isinstance(initial, (list, tuple)) or (isinstance(initial, np.ndarray) and initial.ndim == 2):
        if chain >= len(initial):
            raise ConfigError(f"{len(initial)} starting points are given; chain {chain} has none")
        initial = initial[chain]
    return posterior.initial(np.random.default_rng(stream), initial)


def _datatree(posterior: Posterior, sampler: Any, result: Chains, seed: int, preparing: float) -> Any:
    from bayesad.results import to_datatree

    groups: dict[str, Any] = {"posterior": posterior.values(result.draws), "sample_stats": result.stats}
    if result.warmup_draws is not None:
        groups["warmup_posterior"] = posterior.values(result.warmup_draws)
        groups["warmup_sample_stats"] = result.warmup_stats
    if posterior.observed_data:
        groups["observed_data"] = posterior.observed_data
    if posterior.constant_data:
        groups["constant_data"] = posterior.constant_data
    attributes = {
        "model": posterior.model.name,
        "seed": seed,
        "sampler": repr(sampler),
        "preparing_time": preparing,
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


def _divergences(posterior: Posterior, result: Chains) -> Any:
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
