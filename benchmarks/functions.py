"""Derivatives of functions without a model: value and gradient against the value alone, JAX and HIPS autograd."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg

from bayesad import ad
from bayesad.errors import BayesadError
from benchmarks import array_functions, densities
from benchmarks.cases import logistic_data
from benchmarks.contestants import Native, disagreement
from benchmarks.options import Options
from benchmarks.peers import PEERS, TOLERANCE, Library
from benchmarks.report import Cell, Figure, Table
from benchmarks.timing import Timings, take_turns

__all__ = ["FUNCTIONS", "Function", "table"]

COLUMNS = {"value": "value µs", "bayesad": "with gradient µs", "jax": "JAX µs", "autograd": "autograd µs"}
FIRST = {"bayesad": "first call ms", "jax": "JAX first call ms"}
OF_VALUE, OF_BEST, OF_FIRST = "gradient / value", "best peer / bayesad", "first call, JAX / bayesad"
EACH = {OF_VALUE: 3.0, OF_BEST: 1.0, OF_FIRST: 2.0}
MEAN = {OF_VALUE: 2.0, OF_BEST: 1.5}
NOTE = (
    "Medians of interleaved turns; ratios are medians of those of each turn. bayesad is called by a compiled loop, "
    "JAX by a fori_loop of its own, autograd from Python. One thread; processor time. The Jacobian of the bundle "
    "adjustment is called from Python by all: its residuals and two reverse passes, as observations do not share "
    "inputs, in one compiled function where there are such. The first call traces, differentiates and compiles, with "
    "nothing on disk. Differential equations are solved to the same tolerance, with the method of each library (ours: "
    "dopri8)."
)


def _recursion(step: Callable[..., Any], start: Any, inputs: Any) -> Any:
    def both(state: Any, x: Any) -> Any:
        state = step(state, x)
        return state, state

    return ad.scan(both, start, inputs)[1]


def _solve_lower(a: Any, b: Any) -> Any:
    return scipy.linalg.solve_triangular(a, b, lower=True)


def _odeint(slopes: Callable[..., Any], y0: Any, ts: Any, theta: Any) -> Any:
    return ad.odeint(slopes, y0, ts, theta, method="dopri8", rtol=TOLERANCE, atol=TOLERANCE)


OURS = Library(np, _recursion, _solve_lower, _odeint)


@dataclass(frozen=True)
class Function:
    """A function of a vector, its data, and where it is evaluated.

    Attributes
    ----------
    name, title : str
    function : callable
        ``function(library, q, **data)``.
    make : callable
        The data and the point.
    agreement : float
        How far contestants may differ, relatively.
    """

    name: str
    title: str
    function: Callable[..., Any]
    make: Callable[[], tuple[dict[str, Any], np.ndarray]]
    agreement: float = 1e-8


def network(rows: int, sizes: tuple[int, int, int]) -> tuple[dict[str, Any], np.ndarray]:
    rng = np.random.default_rng(1)
    n, m, k = sizes
    target = np.eye(k)[rng.integers(0, k, rows)]
    weights = [rng.normal(size=n * m) / np.sqrt(n), np.zeros(m), rng.normal(size=m * k) / np.sqrt(m), np.zeros(k)]
    return {"x": rng.uniform(size=(rows, n)), "target": target, "hidden": np.zeros(m)}, np.concatenate(weights)


def regression(rows: int, columns: int) -> tuple[dict[str, Any], np.ndarray]:
    return logistic_data(rows, columns), 0.1 * np.random.default_rng(7).normal(size=columns + 1)


def gaussian_process(n: int) -> tuple[dict[str, Any], np.ndarray]:
    rng = np.random.default_rng(2)
    x = np.sort(rng.uniform(0, 10, n))
    y = np.sin(x) + 0.3 * rng.normal(size=n)
    return {"squares": np.subtract.outer(x, x) ** 2, "y": y, "unit": np.eye(n), "every": np.arange(n)}, np.array(
        [0.1, 0.2, -1.0]
    )


def lstm(steps: int, n: int, m: int) -> tuple[dict[str, Any], np.ndarray]:
    rng = np.random.default_rng(3)
    data = {"x": rng.normal(size=(steps, n)), "y": rng.normal(size=steps), "hidden": np.zeros(m)}
    return data, rng.normal(size=4 * m * (n + m + 1)) / np.sqrt(m)


def mixture(n: int, d: int, k: int) -> tuple[dict[str, Any], np.ndarray]:
    rng = np.random.default_rng(4)
    place = np.zeros((d, d), dtype=np.int64)
    place[np.tril_indices(d, -1)] = d + np.arange(d * (d - 1) // 2)
    data = {
        "x": rng.normal(size=(n, d)), "components": np.zeros(k), "place": place,
        "lower": np.tril(np.ones((d, d)), -1), "diagonal": np.eye(d),
    }  # fmt: skip
    return data, 0.3 * rng.normal(size=k * (1 + d + d + d * (d - 1) // 2))


def bundle(n: int) -> tuple[dict[str, Any], np.ndarray]:
    rng = np.random.default_rng(5)
    camera = [0.1, 0.2, -0.1, 0.0, 0.0, -5.0, 500.0, 320.0, 240.0, 0.01, 0.001]
    q = np.array([*camera, 0.5, 0.5, 3.0, 1.0])[:, None] * (1 + 0.1 * rng.normal(size=(15, n)))
    return {"seen": 300 + 50 * rng.normal(size=(2, n))}, q


def bundle_vector(n: int) -> tuple[dict[str, Any], np.ndarray]:
    data, q = bundle(n)
    return data, q.reshape(-1)


def predators(n: int) -> tuple[dict[str, Any], np.ndarray]:
    rng = np.random.default_rng(6)
    return {"ts": np.linspace(0.0, 20.0, n), "y": rng.normal(2.5, 0.7, size=(n, 2))}, np.log(
        [0.55, 0.028, 0.024, 0.8, 34.0, 5.9]
    )


FUNCTIONS = [
    Function(name, title, function, functools.partial(make, *sizes))
    for name, title, function, make, sizes in (
        ("network", "MLP loss 784-128-10, batch 256", array_functions.network, network, (256, (784, 128, 10))),
        ("logistic", "logistic regression, 10 000 × 100", densities.logistic, regression, (10_000, 100)),
        ("gp", "Gaussian-process log likelihood, n = 300", array_functions.gaussian_process, gaussian_process, (300,)),
        ("lstm", "LSTM cell of 32, 100 steps", array_functions.lstm, lstm, (100, 16, 32)),
        ("gmm", "GMM log likelihood, d = 10, K = 25, N = 1000", array_functions.mixture, mixture, (1000, 10, 25)),
        ("bundle", "bundle adjustment, loss of 1000 observations", array_functions.bundle_loss, bundle_vector, (1000,)),
        ("jacobian", "bundle adjustment, Jacobian", array_functions.bundle_residuals, bundle, (1000,)),
    )
]
FUNCTIONS.append(  # every solver has its own steps
    Function("ode", "Lotka-Volterra loss, 21 times", array_functions.predators, functools.partial(predators, 21), 1e-4)
)


def native(function: Function, data: dict[str, Any], q: np.ndarray, *, gradient: bool = True) -> Native:
    """The value, with or without the gradient, as machine code in a compiled loop."""
    compiled = ad.compile(lambda q: function.function(OURS, q, **data), rewrites=())
    density = compiled.log_density(q, gradient=gradient)
    table, keep = density.context()
    return Native(density.address, table.ctypes.data, q, (table, keep))


class Residuals:
    """Residuals of all observations and both rows of each one's Jacobian, called from Python.

    Parameters
    ----------
    function : callable
        ``function(q)``: the residuals, shape (2, n), and the rows, each of the shape of q.
    """

    def __init__(self, function: Callable[[Any], tuple[Any, ...]], q: np.ndarray) -> None:
        self._function, self._q = function, q

    def evaluate(self, q: np.ndarray) -> tuple[float, np.ndarray]:
        residuals, *rows = self._function(q)
        return float(np.sum(residuals)), np.array(rows)

    def run(self, n: int) -> None:
        for _ in range(n):
            for result in self._function(self._q):
                np.asarray(result)


def _rows(function: Function, data: dict[str, Any], q: np.ndarray, name: str) -> Residuals:
    first, second = (np.repeat([[a], [1.0 - a]], q.shape[1], axis=1) for a in (1.0, 0.0))

    def ours(q: Any) -> tuple[Any, ...]:
        residuals, pull = ad.vjp(lambda q: function.function(OURS, q, **data), q)
        return residuals, pull(first), pull(second)

    def by_jax(q: Any) -> tuple[Any, ...]:
        library = Library(jax.numpy, _recursion)
        residuals, pull = jax.vjp(lambda q: function.function(library, q, **data), q)
        return residuals, *pull(first), *pull(second)

    def by_autograd(q: Any) -> tuple[Any, ...]:
        library = Library(autograd.numpy, _recursion)
        pull, residuals = autograd.make_vjp(lambda q: function.function(library, q, **data))(q)
        return residuals, pull(first), pull(second)

    if name == "bayesad":
        return Residuals(ad.compile(ours, rewrites=()), q)
    if name == "jax":
        import jax

        jax.config.update("jax_enable_x64", True)
        return Residuals(jax.jit(by_jax), q)
    import autograd
    import autograd.numpy

    return Residuals(by_autograd, q)


def contestants(function: Function, peers: list[str]) -> dict[str, Any]:
    """The contestants by name; "value" is bayesad's without the gradient, of functions with a single result.

    Raises
    ------
    BayesadError
        If one of them computes something else.
    """
    data, q = function.make()
    if q.ndim > 1:
        found: dict[str, Any] = {name: _rows(function, data, q, name) for name in ("bayesad", *peers)}
    else:
        found = {"bayesad": native(function, data, q)}
        found |= {name: PEERS[name](function.function, data, q) for name in peers}
    for name, contestant in found.items():
        error = disagreement(found["bayesad"], contestant, [q, q * 1.01])
        if not error <= function.agreement:
            raise BayesadError(f"{function.name}: bayesad and {name} differ by {error:.1e}; nothing to compare")
    return found if q.ndim > 1 else {"value": native(function, data, q, gradient=False), **found}


def first_calls(function: Function, names: list[str]) -> dict[str, float]:
    """Seconds of processor time from a function to its first value and gradient, with nothing on disk."""
    data, q = function.make()
    makers: dict[str, Callable[[], Any]] = {"bayesad": lambda: native(function, data, q)}
    makers |= {name: functools.partial(PEERS[name], function.function, data, q) for name in names if name in PEERS}
    if q.ndim > 1:
        makers = {name: functools.partial(_rows, function, data, q, name) for name in names}
    seconds = {}
    with tempfile.TemporaryDirectory() as folder, _environment("BAYESAD_CACHE_DIR", folder):
        for name in names:
            begin = time.process_time()
            makers[name]().evaluate(q)
            seconds[name] = time.process_time() - begin
    return seconds


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


def table(options: Options) -> Table:
    """Measure the functions that the options select."""
    columns = ["function", *COLUMNS.values(), OF_VALUE, OF_BEST, *FIRST.values()]
    result = Table("functions", "Functions without a model", columns, note=NOTE)
    peers = [name for name in ("jax", "autograd") if importlib.util.find_spec(name)]
    timed = [name for name in FIRST if name == "bayesad" or name in peers]
    first_calls(FUNCTIONS[0], timed)  # imports, and what is made once
    ratios: dict[str, list[float]] = {OF_VALUE: [], OF_BEST: [], OF_FIRST: []}
    for function in FUNCTIONS:
        if options.selects(function.name):
            row, found = _row(function, peers, timed, options)
            result.rows.append(row)
            result.figures += [
                Figure(f"{function.title}: {what}", ratio, EACH[what], at_most=what == OF_VALUE)
                for what, ratio in found.items()
            ]
            for what, ratio in found.items():
                ratios[what].append(ratio)
    for what, limit in MEAN.items():
        if len(ratios[what]) > 1:
            mean = float(np.exp(np.mean(np.log(ratios[what]))))
            result.figures.append(Figure(f"{what}, geometric mean", mean, limit, at_most=what == OF_VALUE))
    return result


def _row(
    function: Function, peers: list[str], timed: list[str], options: Options
) -> tuple[dict[str, Cell], dict[str, float]]:
    """A row of the table, and the ratios in it that are judged."""
    options.say(function.title)
    timings = take_turns({name: one.run for name, one in contestants(function, peers).items()}, options.effort)
    first = first_calls(function, timed)
    ratios = {}
    if "value" in timings.seconds:
        ratios[OF_VALUE] = timings.ratio("bayesad", "value")
    if peers:
        ratios[OF_BEST] = _of_best(timings, peers)
    if "jax" in first:
        ratios[OF_FIRST] = first["jax"] / first["bayesad"]
    row: dict[str, Cell] = {"function": function.title}
    row |= {COLUMNS[name]: 1e6 * timings.median(name) for name in timings.seconds}
    row |= {what: ratio for what, ratio in ratios.items() if what != OF_FIRST}
    return row | {FIRST[name]: 1e3 * seconds for name, seconds in first.items()}, ratios


def _of_best(timings: Timings, peers: list[str]) -> float:
    best = min(peers, key=timings.median)
    return timings.ratio(best, "bayesad")
