"""Where a chain begins: of several random places the first that, after a short run from each, is as good as the best.

From one random place in a hundred, or in three, a chain comes to a mode of no account and stays there. Short runs tell
such modes by their log densities. Places that end within `tolerance` of the best are equally good, and the first of
them is taken, not the best, so that chains begin far from each other and from where they end, as R-hat supposes.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from bayesad.samplers.chain import Array, Chain
from bayesad.samplers.chain_kernel import HERE
from bayesad.samplers.control import COMPLETE, STOPPED
from bayesad.samplers.nuts import NUTS

__all__ = ["CANDIDATES", "begin_at_the_best", "tolerance"]

CANDIDATES = 8
"""Random places for each chain."""

_ITERATIONS = 15
_SETTINGS = NUTS(metric="diagonal", max_tree_depth=5)
_WARMUP = 20  # of which the iterations are the beginning


def tolerance(dimension: int) -> float:
    """By how much log densities of one mode differ: their standard deviation is sqrt(d / 2) where it is normal."""
    return 5.0 + 0.5 * dimension


def begin_at_the_best(chain: Chain, log_density: Any, candidates: Array, *, compiled: bool = True) -> None:
    """Set the position of a chain that has not begun to where a short run from one of the candidates ended.

    The runs use the chain's random stream, stop and count their gradients as it does. Where none of them comes to an
    end, the chain begins at the first candidate.

    Parameters
    ----------
    candidates : float array, shape (n, d)
    """
    ends, heights = [], []
    for candidate in candidates:
        pilot = Chain(chain.dimension, _SETTINGS, warmup=_WARMUP, draws=0, rng=chain.state.rng, initial=candidate)
        pilot.state = dataclasses.replace(pilot.state, rng=chain.state.rng)
        pilot.control = chain.control
        outcome = pilot.advance(log_density, _ITERATIONS, compiled=compiled)
        if outcome == STOPPED:
            return
        if outcome == COMPLETE:
            ends.append(pilot.state.position)
            heights.append(float(pilot.state.scalars[HERE]))
    if ends:
        good = np.array(heights) >= max(heights) - tolerance(chain.dimension)
        chain.state.position[:] = ends[int(np.argmax(good))]
