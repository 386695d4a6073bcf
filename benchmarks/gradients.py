"""Value and gradient per evaluation: bayesad against hand-written C, and against peers where they are installed."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np

from bayesad.errors import BayesadError
from benchmarks.cases import CASES, Case, linear
from benchmarks.contestants import COMPILER, Contestant, bayesad_density, c_density, c_library, disagreement
from benchmarks.options import Options
from benchmarks.peers import PEERS, installed
from benchmarks.report import Cell, Figure, Table
from benchmarks.timing import Timings, take_turns

__all__ = ["contestants", "table"]

AGREEMENT = 1e-9
COLUMNS = {"bayesad": "bayesad µs", "C": "C µs", "jax": "JAX µs", "autograd": "autograd µs", "pytensor": "PyTensor µs"}
TO_C, TO_JAX = "bayesad / C", "JAX / bayesad"

MOST_OF_C = 1.2
LEAST_OF_JAX, MEAN_OF_JAX = 1.0, 2.0
MOST_FOR_ROWS = 1.2
"""How much longer a million rows of a linear regression may take than a thousand, where the likelihood is rewritten."""
BOUND_BY_MEMORY, READING = "logistic_1000000x10", "reading"
LEAST_OF_BANDWIDTH = 0.65

NOTE = (
    "Medians of interleaved turns; ratios are medians of the ratios of each turn. bayesad and C are called by the same "
    "compiled loop, JAX by a fori_loop of its own, autograd and PyTensor from Python. C: gcc -Ofast -march=native, "
    "shapes known to the compiler. One thread; processor time."
)


def table(options: Options) -> Table:
    """Measure the cases that the options select."""
    result = Table("gradients", "Value and gradient", ["model", *COLUMNS.values(), TO_C, TO_JAX], note=NOTE)
    of_jax = []
    for case in CASES:
        if options.selects(case.name):
            timings = _measure(case, options)
            result.rows.append(_row(case, timings))
            result.figures += _figures(case, timings)
            of_jax += [timings.ratio("jax", "bayesad")] if "jax" in timings.seconds and not case.rewrites else []
    if len(of_jax) > 1:
        mean = float(np.exp(np.mean(np.log(of_jax))))
        result.figures.append(Figure("JAX / bayesad, geometric mean", mean, MEAN_OF_JAX, at_most=False))
    if options.selects("linear_rows"):
        result.figures.append(_rows_for_nothing(options))
    return result


def contestants(case: Case, peers: list[str]) -> dict[str, Contestant]:
    """The contestants of a case by name: bayesad, C if there is a compiler, and peers.

    Raises
    ------
    BayesadError
        If one of them computes something else than bayesad.
    """
    points = case.points(3)
    found: dict[str, Contestant] = {"bayesad": bayesad_density(case.posterior, points[0])}
    if COMPILER:
        defines, arrays = case.for_c(**case.data)
        found["C"] = c_density(case.source, defines, arrays, points[0])
    for peer in peers:
        found[peer] = PEERS[peer](case.density, case.data, points[0])
    for name, contestant in found.items():
        error = disagreement(found["bayesad"], contestant, points)
        if not error <= AGREEMENT:
            raise BayesadError(f"{case.name}: bayesad and {name} differ by {error:.1e}; nothing to compare")
    return found


def _measure(case: Case, options: Options) -> Timings:
    options.say(case.title)
    runs: dict[str, Callable[[int], object]] = {
        name: contestant.run for name, contestant in contestants(case, installed()).items()
    }
    if case.name == BOUND_BY_MEMORY:
        runs[READING] = _reading(_bytes(case))
    return take_turns(runs, options.effort)


def _row(case: Case, timings: Timings) -> dict[str, Cell]:
    row: dict[str, Cell] = {"model": case.title}
    row |= {COLUMNS[name]: 1e6 * timings.median(name) for name in timings.seconds if name in COLUMNS}
    row |= {TO_C: timings.ratio("bayesad", "C")} if "C" in timings.seconds else {}
    return row | ({TO_JAX: timings.ratio("jax", "bayesad")} if "jax" in timings.seconds else {})


def _figures(case: Case, timings: Timings) -> list[Figure]:
    figures = []
    if READING in timings.seconds:
        what = (
            f"{case.title}: share of the {_bytes(case) / timings.median(READING) / 1e9:.1f} GB/s that one thread reads"
        )
        figures.append(Figure(what, timings.ratio(READING, "bayesad"), LEAST_OF_BANDWIDTH, "", at_most=False))
    elif "C" in timings.seconds:
        figures.append(Figure(f"{case.title}: bayesad / C", timings.ratio("bayesad", "C"), MOST_OF_C))
    if "jax" in timings.seconds and not case.rewrites:
        ratio = timings.ratio("jax", "bayesad")
        figures.append(Figure(f"{case.title}: JAX / bayesad", ratio, LEAST_OF_JAX, at_most=False))
    return figures


def _bytes(case: Case) -> int:
    return sum(array.nbytes for array in case.data.values())


def _reading(n_bytes: int) -> Callable[[int], object]:
    """Reads an array of this size n times, summing it up: in C where there is a compiler, else by NumPy."""
    x = np.ones(n_bytes // 8)

    def read(n: int) -> None:
        for _ in range(n):
            if COMPILER:
                c_library("read").read_all(ctypes.c_void_p(x.ctypes.data), ctypes.c_long(len(x)))
            else:
                x.sum()

    return read


def _rows_for_nothing(options: Options) -> Figure:
    """A million rows against a thousand, where bayesad may rewrite the likelihood."""
    few, many = linear(1_000, 10, rewrites=True), linear(1_000_000, 10, rewrites=True)
    options.say(f"{many.title} against {few.title}")
    runs = {case.name: bayesad_density(case.posterior, case.points(1)[0]).run for case in (few, many)}
    ratio = take_turns(runs, options.effort).ratio(many.name, few.name)
    return Figure("linear regression, 10 columns: 10⁶ rows / 10³ rows, rewritten", ratio, MOST_FOR_ROWS)
