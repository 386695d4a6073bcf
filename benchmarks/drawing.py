"""Drawing as `Posterior.sample` does, without the DataTree around the draws."""

from __future__ import annotations

import numpy as np

from bayesad import NUTS, Posterior
from bayesad.ad.backends.llvm.kernel import LogDensityPointer
from bayesad.samplers import Chains, run_chains

__all__ = ["draw"]


def draw(posterior: Posterior, seed: int, *, chains: int = 4, warmup: int = 1000, draws: int = 1000) -> Chains:
    """Starting points, machine code and chains."""
    points = np.stack([posterior.initial(np.random.default_rng([seed, chain])) for chain in range(chains)])
    density = posterior.unconstrained.compiled.log_density(points[0])
    tables = [density.context() for _ in range(chains)]
    pointers = [LogDensityPointer(density.address, table.ctypes.data, keep) for table, keep in tables]
    dimension = posterior.unconstrained.dimension
    return run_chains(pointers, dimension, NUTS(), chains=chains, warmup=warmup, draws=draws, seed=seed, initial=points)
