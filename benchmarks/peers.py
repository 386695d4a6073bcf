"""Contestants that need not be installed: JAX in a loop of its own, HIPS autograd and PyTensor called from Python."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.contestants import Contestant

__all__ = ["PEERS", "TOLERANCE", "Library", "installed"]

TOLERANCE = 1e-8  # of differential equations, relative and absolute

Array = NDArray[np.float64]
Density = Callable[..., Any]


@dataclass(frozen=True)
class Library:
    """What a log density is written in.

    Attributes
    ----------
    namespace : module
        Like NumPy.
    recursion : callable
        ``recursion(step, start, inputs)``: the states after each input, ``step(state, input) -> state``.
    solve_lower : callable, optional
        ``solve_lower(L, b)``: x with ``L x = b`` for a lower triangle.
    odeint : callable, optional
        ``odeint(slopes, y0, ts, theta)``: the states at all times, from ``slopes(t, y, theta)``.
    """

    namespace: Any
    recursion: Callable[..., Any]
    solve_lower: Callable[..., Any] | None = None
    odeint: Callable[..., Any] | None = None


def _state_first(slopes: Callable[..., Any]) -> Callable[..., Any]:
    return lambda y, t, theta: slopes(t, y, theta)


class Jax:
    """JAX, jitted, in its own compiled loop; the gradient is fed back minutely, so that every evaluation is needed."""

    def __init__(self, density: Density, data: Mapping[str, Any], q: Array) -> None:
        import jax
        import jax.experimental.ode
        import jax.scipy.linalg

        jax.config.update("jax_enable_x64", True)

        def recursion(step: Callable[..., Any], start: Any, inputs: Any) -> Any:
            def both(state: Any, x: Any) -> Any:
                state = step(state, x)
                return state, state

            return jax.lax.scan(both, jax.numpy.asarray(start), inputs)[1]

        solve_lower = functools.partial(jax.scipy.linalg.solve_triangular, lower=True)

        def odeint(slopes: Callable[..., Any], y0: Any, ts: Any, theta: Any) -> Any:
            return jax.experimental.ode.odeint(_state_first(slopes), y0, ts, theta, rtol=TOLERANCE, atol=TOLERANCE)

        library = Library(jax.numpy, recursion, solve_lower, odeint)
        value_and_gradient = jax.value_and_grad(lambda q, data: density(library, q, **data))

        def loop(q: Any, n: Any, data: Any) -> Any:
            def body(_: Any, carry: Any) -> Any:
                q, total = carry
                value, gradient = value_and_gradient(q, data)
                return q + 1e-30 * gradient, total + value

            return jax.lax.fori_loop(0, n, body, (q, 0.0))

        self._once, self._loop = jax.jit(value_and_gradient), jax.jit(loop)
        self._q, self._data = jax.numpy.asarray(q), jax.tree.map(jax.numpy.asarray, dict(data))

    def evaluate(self, q: Array) -> tuple[float, Array]:
        value, gradient = self._once(q, self._data)
        return float(value), np.asarray(gradient)

    def run(self, n: int) -> float:
        return float(self._loop(self._q, n, self._data)[1])


class Autograd:
    """HIPS autograd."""

    def __init__(self, density: Density, data: Mapping[str, Any], q: Array) -> None:
        import autograd
        import autograd.builtins
        import autograd.numpy
        import autograd.scipy.integrate
        import autograd.scipy.linalg

        def recursion(step: Callable[..., Any], start: Any, inputs: Any) -> Any:
            states = [start]
            for x in inputs:
                states.append(step(states[-1], x))
            return autograd.numpy.array(states[1:])

        solve_lower = functools.partial(autograd.scipy.linalg.solve_triangular, lower=True)

        def odeint(slopes: Callable[..., Any], y0: Any, ts: Any, theta: Any) -> Any:
            given = autograd.builtins.tuple((theta,))
            return autograd.scipy.integrate.odeint(_state_first(slopes), y0, ts, given, rtol=TOLERANCE, atol=TOLERANCE)

        library = Library(autograd.numpy, recursion, solve_lower, odeint)
        self._function = autograd.value_and_grad(lambda q: density(library, q, **data))
        self._q = q

    def evaluate(self, q: Array) -> tuple[float, Array]:
        return self._function(q)

    def run(self, n: int) -> None:
        for _ in range(n):
            self._function(self._q)


class PyTensor:
    """PyTensor, through Numba where that is installed."""

    def __init__(self, density: Density, data: Mapping[str, Any], q: Array) -> None:
        import pytensor
        import pytensor.tensor as pt

        def recursion(step: Callable[..., Any], start: Any, inputs: Any) -> Any:
            first = pt.cast(start, "float64")
            return pytensor.scan(lambda x, state: step(state, x), inputs, [first], return_updates=False)

        place = pt.vector("q", shape=q.shape)
        arrays = {name: pytensor.shared(np.asarray(x)) for name, x in data.items()}
        value = density(Library(pt, recursion), place, **arrays)
        mode = "NUMBA" if importlib.util.find_spec("numba") else None
        self._function = pytensor.function([place], [value, pytensor.grad(value, place)], mode=mode, trust_input=True)
        self._q = q

    def evaluate(self, q: Array) -> tuple[float, Array]:
        value, gradient = self._function(q)
        return float(value), gradient

    def run(self, n: int) -> None:
        for _ in range(n):
            self._function(self._q)


PEERS: dict[str, Callable[[Density, Mapping[str, Any], Array], Contestant]] = {
    "jax": Jax,
    "autograd": Autograd,
    "pytensor": PyTensor,
}
"""Name of the package -> its contestant."""


def installed() -> list[str]:
    """The peers that can be imported."""
    return [name for name in PEERS if importlib.util.find_spec(name)]
