"""Value and gradient of a log density, evaluated many times without Python in between: by bayesad and by C."""

from __future__ import annotations

import ctypes
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bayesad import Posterior
from bayesad.ad.backends.llvm.kernel import Float, Floats, Int, LogDensity, LogDensityPointer, compile_kernel
from bayesad.errors import BayesadError

__all__ = [
    "COMPILER",
    "Contestant",
    "Native",
    "bayesad_density",
    "bayesad_value",
    "c_density",
    "c_library",
    "disagreement",
]

Array = NDArray[np.float64]

COMPILER = shutil.which("gcc") or shutil.which("cc")
OPTIONS = ["-Ofast", "-march=native", "-std=gnu11", "-fPIC", "-Wall"]
CACHE_LINE = 64
SOURCES = Path(__file__).parent / "c"


class Contestant(Protocol):
    """A log density and its gradient."""

    def evaluate(self, q: Array) -> tuple[float, Array]:
        """Once, for comparison."""

    def run(self, n: int) -> object:
        """n times, at its starting point."""


def repeat(log_density: LogDensity, q: Floats, gradient: Floats, n: Int) -> Float:
    """Evaluate a log density n times."""
    total = 0.0
    for _ in range(n):
        total += log_density(q, gradient)
    return total


class Native:
    """A contestant that is a C function ``double f(void *context, const double *q, double *gradient)``.

    Parameters
    ----------
    address, context : int
    q : float array, shape (d,)
        Where `run` evaluates it.
    keep : object
        What has to stay alive.
    """

    def __init__(self, address: int, context: int, q: Array, keep: Any) -> None:
        self.pointer = LogDensityPointer(address, context, keep)
        self._q, self._gradient = _side_by_side([q, q])
        self._repeat = compile_kernel(repeat)

    def evaluate(self, q: Array) -> tuple[float, Array]:
        gradient = np.empty_like(q)
        return self._repeat(self.pointer, np.array(q), gradient, 1), gradient

    def run(self, n: int) -> float:
        return self._repeat(self.pointer, self._q, self._gradient, n)


def bayesad_density(posterior: Posterior, q: Array) -> Native:
    """The compiled log density of a posterior, as samplers call it."""
    density = posterior.unconstrained.compiled.log_density(q)
    table, keep = density.context()
    return Native(density.address, table.ctypes.data, q, (table, keep))


def bayesad_value(posterior: Posterior, q: Array) -> Native:
    """The log density of a posterior without its gradient, compiled in the same way."""
    density = posterior.unconstrained.compiled.log_density(q, gradient=False)
    table, keep = density.context()
    return Native(density.address, table.ctypes.data, q, (table, keep))


def c_density(source: str, defines: Mapping[str, int], arrays: Sequence[NDArray[Any]], q: Array) -> Native:
    """A log density written in C: ``c/SOURCE.c``, compiled for the shapes of its data.

    Parameters
    ----------
    source : str
    defines : mapping
        Macros, by which the compiler knows the shapes as bayesad does.
    arrays : sequence of array
        The data; the function gets a table of their addresses.
    q : float array, shape (d,)
    """
    library = c_library(source, tuple(defines.items()))
    address = ctypes.cast(library.log_density, ctypes.c_void_p).value
    assert address is not None
    placed = _side_by_side(arrays)
    table = np.array([array.ctypes.data for array in placed], dtype=np.uint64)
    return Native(address, table.ctypes.data, q, (table, placed, library))


def _side_by_side(arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Copies in one piece of memory, each beginning with a cache line, so that no load of a vector straddles two."""
    starts = np.cumsum([0] + [-(-array.nbytes // CACHE_LINE) * CACHE_LINE for array in arrays])
    memory = np.empty(starts[-1] + CACHE_LINE, dtype=np.uint8)
    memory = memory[-memory.ctypes.data % CACHE_LINE :]
    copies = []
    for array, start in zip(arrays, starts, strict=False):
        copies.append(memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape))
        copies[-1][...] = array
    return copies


@functools.cache
def c_library(source: str, defines: tuple[tuple[str, int], ...] = ()) -> ctypes.CDLL:
    """``c/SOURCE.c`` as a shared library.

    Raises
    ------
    BayesadError
        If there is no compiler or it refuses.
    """
    if COMPILER is None:
        raise BayesadError("there is neither gcc nor cc on the path; the rows of hand-written C need one")
    with tempfile.TemporaryDirectory() as folder:
        objects, library = Path(folder, f"{source}.o"), Path(folder, f"{source}.so")
        macros = [f"-D{name}={value}" for name, value in defines]
        _cc([*OPTIONS, *macros, "-c", str(SOURCES / f"{source}.c"), "-o", str(objects)])
        # Linked without -Ofast, which would make the whole process flush subnormal numbers to zero.
        _cc(["-shared", str(objects), "-o", str(library), "-lm"])
        return ctypes.CDLL(str(library))


def _cc(arguments: Sequence[str]) -> None:
    run = subprocess.run([str(COMPILER), *arguments], capture_output=True, text=True, check=False)
    if run.returncode:
        raise BayesadError(f"{COMPILER} {' '.join(arguments)} failed:\n{run.stderr}")


def disagreement(one: Contestant, other: Contestant, points: Sequence[Array]) -> float:
    """How far two contestants differ, relatively: in differences of log densities, and in gradients."""
    values, gradients = zip(*[one.evaluate(q) for q in points], strict=True)
    others, other_gradients = zip(*[other.evaluate(q) for q in points], strict=True)
    gap = np.subtract(values, others)
    errors = [np.max(np.abs(gap - gap[0]) / (1 + np.abs(values)))]
    for g, h in zip(gradients, other_gradients, strict=True):
        errors.append(np.max(np.abs(g - h)) / (1 + np.max(np.abs(g))))
    return float(np.max(errors))
