"""What NUTS costs beyond the gradients it asks for."""

from __future__ import annotations

import time

import numpy as np

from bayesad.ad.backends.llvm.kernel import compile_kernel
from bayesad.samplers import NUTS
from bayesad.samplers.chain import Chain
from bayesad.samplers.chain_kernel import run_chain
from bayesad.samplers.control import LEAPFROGS
from bayesad.samplers.random import streams
from benchmarks.contestants import bayesad_density
from benchmarks.models import standard_normal
from benchmarks.options import Options
from benchmarks.report import Cell, Figure, Table

__all__ = ["overheads", "table"]

DIMENSIONS = (10, 100, 1000)
MOST_AT_10, MOST_PER_DIMENSION = 150.0, 3.5
WARMUP = 300
COLUMNS = ["dimension", "leapfrog ns", "of it gradient ns", "overhead ns", "per dimension ns"]
NOTE = "NUTS, diagonal metric, standard normal; all that a transition does is counted, divided by its leapfrog steps."


def table(options: Options) -> Table:
    """Measure the dimensions that the options select."""
    compile_kernel(run_chain)  # so that the chains below do not begin with a provisional one
    result = Table("sampler", "Overhead of the sampler per leapfrog step", COLUMNS, note=NOTE)
    measured = {}
    for dimension in DIMENSIONS:
        if options.selects(f"D={dimension}"):
            options.say(f"standard normal in {dimension} dimensions")
            whole, gradient = 1e9 * overheads(dimension, rounds=options.effort.rounds)
            measured[dimension] = whole - gradient
            cells: list[Cell] = [dimension, whole, gradient, measured[dimension], measured[dimension] / dimension]
            result.rows.append(dict(zip(COLUMNS, cells, strict=True)))
    if 10 in measured:
        result.figures.append(Figure("sampler per leapfrog, 10 dimensions", measured[10], MOST_AT_10, "ns"))
    if 100 in measured and 1000 in measured:
        slope = (measured[1000] - measured[100]) / 900
        what = "sampler per leapfrog and dimension, from 100 to 1000 dimensions"
        result.figures.append(Figure(what, slope, MOST_PER_DIMENSION, "ns"))
    return result


def overheads(dimension: int, rounds: int, leapfrogs: int = 20_000) -> np.ndarray:
    """Processor seconds per leapfrog step, and per evaluation of the gradient alone: medians over the rounds.

    Parameters
    ----------
    dimension : int
    rounds : int
        The chain and the gradient alone take turns.
    leapfrogs : int
        About how many in each turn.
    """
    start = np.zeros(dimension)
    density = bayesad_density(standard_normal(dimension=dimension), start)
    draws = max(1, leapfrogs // 8)
    (stream,) = streams(1, 1)
    chain = Chain(
        dimension,
        NUTS(metric="diagonal"),
        warmup=WARMUP,
        draws=draws * rounds,
        rng=stream,
        initial=start,
    )
    chain.advance(density.pointer, WARMUP)
    seconds = []
    for turn in range(rounds):
        before = chain.control[LEAPFROGS]
        begin = time.process_time()
        chain.advance(density.pointer, WARMUP + draws * (turn + 1))
        middle = time.process_time()
        steps = int(chain.control[LEAPFROGS] - before)
        density.run(steps)
        seconds.append(((middle - begin) / steps, (time.process_time() - middle) / steps))
    return np.median(seconds, axis=0)
