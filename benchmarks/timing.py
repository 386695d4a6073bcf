"""Timing contestants side by side, in processor time: they take turns, so that what disturbs one disturbs all."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Effort", "Timings", "take_turns"]


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes
    ----------
    rounds : int
        Turns of each contestant.
    seconds : float
        About how long a turn lasts.
    """

    rounds: int = 41
    seconds: float = 0.02


@dataclass(frozen=True)
class Timings:
    """Seconds per evaluation: contestant -> float array, shape (rounds,)."""

    seconds: Mapping[str, NDArray[np.float64]]

    def median(self, name: str) -> float:
        return float(np.median(self.seconds[name]))

    def ratio(self, name: str, other: str) -> float:
        """The median over the rounds of the ratio of two contestants."""
        return float(np.median(self.seconds[name] / self.seconds[other]))


def take_turns(contestants: Mapping[str, Callable[[int], object]], effort: Effort) -> Timings:
    """Time functions that evaluate something n times.

    Parameters
    ----------
    contestants : mapping
        Name -> function of n.
    effort : Effort

    Returns
    -------
    Timings
    """
    repeats = {name: _repeats(run, effort.seconds) for name, run in contestants.items()}
    seconds = {name: np.zeros(effort.rounds) for name in contestants}
    for turn in range(effort.rounds):
        order = list(contestants) if turn % 2 else list(contestants)[::-1]
        for name in order:
            seconds[name][turn] = _time(contestants[name], repeats[name]) / repeats[name]
    return Timings(seconds)


def _repeats(run: Callable[[int], object], seconds: float) -> int:
    """How often to evaluate so that it takes about so long."""
    run(1)
    n, taken = 1, _time(run, 1)
    while taken < seconds / 4:
        n *= 4
        taken = _time(run, n)
    return max(1, math.ceil(n * seconds / taken))


def _time(run: Callable[[int], object], n: int) -> float:
    """Processor seconds of the whole process, which other processes do not add to."""
    start = time.process_time()
    run(n)
    return time.process_time() - start
