"""Chains of a density that has no continuous unknowns: there is nothing to move, and every draw is exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesad.samplers.chain import ChainProgress
from bayesad.samplers.chains import Chains, Divergences, statistics_of
from bayesad.samplers.hmc import HMC
from bayesad.samplers.nuts import NUTS

__all__ = ["still_chains"]


def still_chains(
    log_density: float,
    sampler: NUTS | HMC,
    *,
    chains: int,
    warmup: int,
    draws: int,
    keep_warmup: bool = False,
    progress: Callable[[tuple[ChainProgress, ...]], None] | None = None,
) -> Chains:
    """Chains in no dimensions, as `run_chains` gives them in some: no step is made, and none diverges.

    Parameters
    ----------
    log_density : float
        The same at every draw.
    sampler : NUTS or HMC
        Decides which statistics there are.
    chains, warmup, draws, keep_warmup, progress
        See `run_chains`.
    """
    known = {"acceptance_rate": 1.0, "step_size": np.nan, "energy": -log_density, "lp": log_density}

    def statistics(length: int) -> dict[str, Any]:
        return {
            name: np.full((chains, length), known.get(name, 0), dtype=kind)
            for name, (_, kind) in statistics_of(sampler).items()
        }

    if progress is not None:
        total = warmup + draws
        progress(tuple(ChainProgress(i, "sampling", total, total, 0, np.nan, 0, 0) for i in range(chains)))
    nothing = np.zeros(0, dtype=np.int64)
    return Chains(
        draws=np.zeros((chains, draws, 0)),
        stats=statistics(draws),
        warmup_draws=np.zeros((chains, warmup, 0)) if keep_warmup and warmup else None,
        warmup_stats=statistics(warmup) if keep_warmup and warmup else None,
        divergences=Divergences(nothing, nothing, np.zeros((0, 0)), np.zeros((0, 0))),
        step_size=np.full(chains, np.nan),
        inverse_metric=tuple(np.zeros(0) for _ in range(chains)),
        gradient_evaluations=np.zeros(chains, dtype=np.int64),
        warmup_time=np.zeros(chains),
        sampling_time=np.zeros(chains),
        interrupted=False,
        completed=np.full(chains, draws),
    )
