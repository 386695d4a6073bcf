"""The types of kernels: their annotations, and what the compiler and ctypes know of each."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from bayesad.errors import BayesadError

__all__ = [
    "ARRAYS",
    "BOOL",
    "FLOAT",
    "FLOATS",
    "INT",
    "INTS",
    "KINDS",
    "LANES",
    "LOG_DENSITY",
    "NOTHING",
    "WIDE",
    "WIDTH",
    "WORD",
    "WORDS",
    "WORD_MASK",
    "Bool",
    "Float",
    "Floats",
    "Int",
    "Ints",
    "KernelError",
    "Kind",
    "LogDensity",
    "Word",
    "Words",
    "lanes",
    "put",
    "spread",
    "total",
    "word",
]

Float = Annotated[float, "float64"]
"""A kernel's float64."""

Int = Annotated[int, "int64"]
"""A kernel's int64; it must not overflow, which Python's integers never do."""

Bool = Annotated[bool, "bool"]
"""A kernel's truth value."""

Word = Annotated[int, "uint64"]
"""A kernel's uint64, the bits of a random number generator; `word` keeps it modulo 2^64."""

Floats = Annotated[NDArray[np.float64], "float64s"]
"""A C-contiguous 1-d array of float64, without its length."""

Ints = Annotated[NDArray[np.int64], "int64s"]
"""A C-contiguous 1-d array of int64, without its length."""

Words = Annotated[NDArray[np.uint64], "uint64s"]
"""A C-contiguous 1-d array of uint64, without its length."""

LogDensity = Annotated[Callable[[Any, Any], float], "log density"]
"""`log_density(q: Floats, gradient: Floats) -> Float`, which fills `gradient` in place."""

WORD_MASK = 2**64 - 1


class KernelError(BayesadError):
    """A kernel uses Python that cannot be compiled, or was called with arguments it does not take."""


def word(x: int) -> int:
    """`x` modulo 2^64, as a Word; a kernel writes it around arithmetic on Words and reads of Words."""
    return int(x) & WORD_MASK


WIDTH = 4
"""Floats in a Lanes, a value of kernels that is a vector: `+ - * /` of two of them, or of one and a Float, are lane by
lane. A sum in lanes has one order of additions, compiled and uncompiled, and takes a fraction of the time."""


def lanes(array: NDArray[np.float64], i: int) -> NDArray[np.float64]:
    """The Lanes of entries `i` to `i + WIDTH - 1`."""
    return array[i : i + WIDTH].copy()


def put(array: NDArray[np.float64], i: int, values: NDArray[np.float64]) -> None:
    """Store Lanes as the entries from `i` on."""
    array[i : i + WIDTH] = values


def spread(x: float) -> NDArray[np.float64]:
    """The Lanes that are all `x`."""
    return np.full(WIDTH, x)


def total(values: NDArray[np.float64]) -> float:
    """The sum of Lanes, by halves: that of the first half's sums with the second half's."""
    while len(values) > 1:
        half = len(values) // 2
        values = values[:half] + values[half:]
    return float(values[0])


@dataclass(frozen=True, eq=False)
class Kind:
    """What the compiler knows of one type of values."""

    name: str
    """As users write it."""
    llvm: str
    """Its LLVM type."""
    ctype: Any
    """Its type at the C interface."""
    zero: str = "0"
    """The LLVM constant that variables hold before their first assignment."""
    element: Kind | None = None
    """The kind of an array's elements."""
    dtype: Any = None
    """The NumPy dtype of an array."""

    def __repr__(self) -> str:
        return self.name


FLOAT = Kind("Float", "double", ctypes.c_double, zero="0.0")
INT = Kind("Int", "i64", ctypes.c_int64)
BOOL = Kind("Bool", "i1", ctypes.c_bool, zero="false")
WORD = Kind("Word", "i64", ctypes.c_uint64)
# Uncompiled, arithmetic on Words makes Python integers of any size: word() has to follow.
WIDE = Kind("Word without word(...)", "i64", None)
FLOATS = Kind("Floats", "ptr", ctypes.c_void_p, zero="null", element=FLOAT, dtype=np.dtype(np.float64))
INTS = Kind("Ints", "ptr", ctypes.c_void_p, zero="null", element=INT, dtype=np.dtype(np.int64))
WORDS = Kind("Words", "ptr", ctypes.c_void_p, zero="null", element=WORD, dtype=np.dtype(np.uint64))
LANES = Kind("Lanes", f"<{WIDTH} x double>", None, zero="zeroinitializer")
LOG_DENSITY = Kind("LogDensity", "ptr", ctypes.c_void_p, zero="null")
NOTHING = Kind("None", "void", None)

ARRAYS = (FLOATS, INTS, WORDS)

KINDS: dict[Any, Kind] = {
    Float: FLOAT,
    Int: INT,
    Bool: BOOL,
    Word: WORD,
    Floats: FLOATS,
    Ints: INTS,
    Words: WORDS,
    LogDensity: LOG_DENSITY,
    None: NOTHING,
}
"""Annotation -> kind."""
