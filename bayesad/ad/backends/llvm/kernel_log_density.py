"""Log densities as kernels call them: a C function and its context behind one pointer."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LogDensityPointer", "python_log_density"]

_Array = NDArray[np.float64]
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
_VIEWS_KEPT = 256


class LogDensityPointer:
    """A log density for kernels: a pair (address, context) in memory, and all that has to stay alive with it.

    Parameters
    ----------
    address : int
        Of a C function `double f(void *context, const double *q, double *gradient)`.
    context : int
        What `f` gets as its first argument, usually the address of something; 0 if it needs nothing.
    keep : object
        Whatever `address` and `context` point into; kept alive by this object.

    Attributes
    ----------
    pointer : int
        The address of the pair; valid as long as this object lives.
    error : BaseException or None
        The first exception that a Python log density raised. Set it to None to go on afterwards.
    """

    def __init__(self, address: int, context: int = 0, keep: Any = None) -> None:
        self._pair = (ctypes.c_int64 * 2)(address, context)
        self._keep = keep
        self.address = address
        self.context = context
        self.pointer: int = ctypes.addressof(self._pair)
        self.error: BaseException | None = None


def python_log_density(
    f: Callable[[_Array, _Array], float], dimension: int, results: int | None = None
) -> LogDensityPointer:
    """Make a Python log density callable by compiled kernels, from any thread.

    Parameters
    ----------
    f : callable
        `f(q, gradient) -> float` fills `gradient` in place; both have shape (dimension,). `q` is read-only, and both
        are only valid during the call: copy what is to be kept.
    dimension : int
        Number of unknowns.
    results : int, optional
        The length of what is filled in, where it is not the gradient of these.

    Returns
    -------
    LogDensityPointer
        An exception in `f` never reaches the kernel: it is kept as `error`, and this and every later call
        give NaN without calling `f`.
    """
    positions, gradients = _Views(dimension, writeable=False), _Views(results or dimension, writeable=True)
    created: list[LogDensityPointer] = []

    def callback(context: int | None, q: int, gradient: int) -> float:
        (pointer,) = created
        if pointer.error is not None:
            return math.nan
        try:
            return float(f(positions[q], gradients[gradient]))
        except BaseException as error:
            pointer.error = error
            return math.nan

    function = _CALLBACK(callback)
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    created.append(LogDensityPointer(address, keep=function))
    return created[0]


class _Views(dict[int, _Array]):
    """Address -> array over the memory there; kept, as kernels pass the same few addresses again and again."""

    def __init__(self, dimension: int, writeable: bool) -> None:
        self._memory_type = ctypes.c_double * dimension
        self._writeable = writeable

    def __missing__(self, address: int) -> _Array:
        if len(self) >= _VIEWS_KEPT:
            self.clear()
        array = np.ctypeslib.as_array(self._memory_type.from_address(address))
        array.flags.writeable = self._writeable
        self[address] = array
        return array
