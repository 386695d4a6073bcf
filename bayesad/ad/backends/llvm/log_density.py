"""Log densities as machine code: value and gradient as a C function that follows branches on values.

Each path through the branches is a program. A context, one for each thread, holds the tables of all of them, each with
the address of the next one: machine code goes along this chain without Python, and where no guards hold calls back.
The callback gets the program of the path that applies and puts its table at the end of the chain. Other contexts
do the same when they come to such a point, so that none is changed while its thread is in machine code.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayesad.ad.backends.llvm.native import Chain, NativeProgram, address_of, memory, weakly
from bayesad.ad.backends.llvm.table import HEADER, LOG_DENSITY

__all__ = ["NativeLogDensity"]

FUNCTION = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)


class NativeLogDensity:
    """Value and gradient of a log density as ``double f(void* context, const double* q, double* gradient)``.

    Parameters
    ----------
    programs : sequence of NativeProgram
        At least one; each takes a vector and computes a number and, if it is to compute the gradient, a vector.
    another : callable
        ``another(q)`` gives the program for a point where none of these applies, or None where there is none.
    otherwise : callable
        ``otherwise(q) -> outputs`` evaluates at such a point without a program.
    lock : context manager
        Entered while a program is asked for.

    Attributes
    ----------
    address : int
        Of the function.
    dimension : int
    recompilations : int
        How many programs were asked for.
    error : BaseException or None
        The first exception raised in a callback; the value at that point was NaN.
    """

    def __init__(
        self,
        programs: Sequence[NativeProgram],
        another: Callable[[np.ndarray], NativeProgram | None],
        otherwise: Callable[[np.ndarray], Sequence[Any]],
        lock: Any,
    ) -> None:
        self.address = programs[0].library["log_density"]
        self.dimension = programs[0].layout.inputs[0].size
        self.recompilations = 0
        self.error: BaseException | None = None
        self._programs = list(programs)
        self._another = another
        self._otherwise = otherwise
        self._lock = lock

    def context(self) -> tuple[np.ndarray, Any]:
        """A table for one thread, whose address is the context; and what must be kept alive with it."""
        context = _Context(self)
        return context.chain.tables[0], context

    def at(self, q: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient at a point, called from Python; what is raised in a callback is raised here."""
        context = _Context(self)
        point = np.array(q, dtype=np.float64)
        gradient = np.zeros_like(point)
        value = FUNCTION(self.address)(context.chain.tables[0].ctypes.data, point.ctypes.data, gradient.ctypes.data)
        error, self.error = self.error, None
        if error is not None:
            raise error
        return value, gradient

    def failures(self) -> list[BaseException]:
        """What was raised since this was last asked: the first exception in a callback, and those that gave NaN."""
        found = [] if self.error is None else [self.error]
        self.error = None
        for program in self._programs:
            found += program.errors.values()
            program.errors.clear()
        return found

    def _evaluate(self, chain: Chain, q: int, gradient: int) -> float:
        """The value at a point to which no program in a chain applies."""
        vector = self._programs[0].layout.inputs[0]
        point = memory(q, vector).copy()
        table = self._further(chain, point)
        if table is None:
            value, *slopes = self._otherwise(point)
            for slope in slopes:
                memory(gradient, vector)[...] = slope
            return float(value)
        return FUNCTION(int(table[LOG_DENSITY]))(table.ctypes.data, q, gradient)

    def _further(self, chain: Chain, point: np.ndarray) -> np.ndarray | None:
        """Add to a chain what is new; gives the first table of it, or None where nothing is."""
        with self._lock:
            if len(chain) == len(self._programs):
                program = self._another(point)
                if program is None or program in self._programs:  # as guards may differ in the last bit
                    return None
                self._programs.append(program)
                self.recompilations += 1
            return chain.extend(self._programs[len(chain) :])


class _Context:
    """A chain of tables with a callback at its end."""

    def __init__(self, density: NativeLogDensity) -> None:
        self._density = density
        self._callback = FUNCTION(weakly(self._beyond))
        self._end = np.zeros(HEADER, dtype=np.uint64)
        self._end[LOG_DENSITY] = address_of(self._callback)
        self.chain = Chain(self._end.ctypes.data)
        self.chain.extend(density._programs)

    def _beyond(self, end: int, q: int, gradient: int) -> float:
        try:
            return self._density._evaluate(self.chain, q, gradient)
        except BaseException as error:  # must not leave a callback
            self._density.error = self._density.error or error
            return float("nan")
