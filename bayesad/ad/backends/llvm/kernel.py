"""Compiles restricted Python (scalars, arrays, loops, calls) to machine code; the same source runs uncompiled.

A kernel is a module-level function whose parameters and result are annotated with the types exported here. It uses
local variables, `if`, `while`, `for i in range(...)`, arithmetic, `math` functions, indexing `a[i]`, views `a[k:]`,
numbers and tables at the module's level, vectors of a few Floats (`lanes`, `put`, `spread`, `total`), and calls of
other kernels. A variable keeps the type of its first
assignment and an int never becomes a float silently. Arrays come from the caller and are never allocated.

Uncompiled and compiled kernels give the same bits: both call the same C library, and float arithmetic keeps its order
unless `fast_math` is given. Differences remain where Python raises (a division by zero, the exponential of 1000, a
negative index) or leaves 64 bits with an Int.
"""

from __future__ import annotations

import ctypes
import functools
import operator
import threading
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayesad.ad.backends.llvm import jit
from bayesad.ad.backends.llvm.kernel_log_density import LogDensityPointer, python_log_density
from bayesad.ad.backends.llvm.kernel_source import Signature, fingerprint, signature
from bayesad.ad.backends.llvm.kernel_types import (
    ARRAYS,
    BOOL,
    FLOAT,
    INT,
    LOG_DENSITY,
    WIDTH,
    WORD,
    Bool,
    Float,
    Floats,
    Int,
    Ints,
    KernelError,
    Kind,
    LogDensity,
    Word,
    Words,
    lanes,
    put,
    spread,
    total,
    word,
)

__all__ = [
    "FAST_MATH",
    "WIDTH",
    "Bool",
    "CompiledKernel",
    "Float",
    "Floats",
    "Int",
    "Ints",
    "KernelError",
    "LogDensity",
    "LogDensityPointer",
    "Word",
    "Words",
    "compile_kernel",
    "lanes",
    "put",
    "python_log_density",
    "spread",
    "total",
    "word",
]

FAST_MATH = ("reassoc", "contract", "nsz", "arcp")
"""The flags that let sums be reordered and vectorised, and products fused into them; NaN checks stay valid."""

_lock = threading.Lock()
_libraries: dict[str, jit.Library] = {}


def _text(function: types.FunctionType, fast_math: tuple[str, ...]) -> str:
    from bayesad.ad.backends.llvm.kernel_statements import kernel_text  # the compiler: not for what the cache holds

    return kernel_text(function, fast_math)


class CompiledKernel:
    """A kernel as machine code; call it as the Python function, or pass `address` to other compiled code.

    Attributes
    ----------
    function : function
        The Python source.
    address : int
        Of a C function with the kernel's parameters: double, int64_t, bool and uint64_t for scalars, pointers for
        arrays, and for a LogDensity a pointer to two int64 (address, context). Valid as long as this object lives.
    """

    def __init__(
        self,
        function: types.FunctionType,
        fast_math: tuple[str, ...],
        library: jit.Library,
        optimised: Callable[[], jit.Library] | None = None,
    ) -> None:
        self.function = function
        self._fast_math = fast_math
        self._signature: Signature = signature(function)
        self._libraries: list[jit.Library] = []  # a call of the former may be under way
        self._use(library)
        self._optimised = optimised
        self._thread: threading.Thread | None = None

    def _use(self, library: jit.Library) -> None:
        self._libraries.append(library)
        self.address = library["kernel"]
        argument_types = [kind.ctype for kind in self._signature.parameters.values()]
        self._call = ctypes.CFUNCTYPE(self._signature.result.ctype, *argument_types)(self.address)

    @property
    def provisional(self) -> bool:
        """Whether this is code that was not optimised, so as to be there sooner; see `improve`."""
        return self._optimised is not None

    def improve(self) -> None:
        """Have provisional code optimised in a thread of its own; later calls use the result and give the same bits."""
        if self._thread is None and self.provisional:
            self._thread = threading.Thread(target=self._improve, name=f"optimising {self.function.__name__}")
            self._thread.start()

    def _improve(self) -> None:
        if self._optimised is not None:
            self._use(self._optimised())
            self._optimised = None

    def __repr__(self) -> str:
        parameters = ", ".join(f"{name}: {kind}" for name, kind in self._signature.parameters.items())
        return f"<compiled kernel {self.function.__name__}({parameters}) -> {self._signature.result}>"

    @functools.cached_property
    def ir(self) -> str:
        """The LLVM text before optimisation."""
        return _text(self.function, self._fast_math)

    def __call__(self, *arguments: Any) -> Any:
        """Run the kernel; other Python threads go on meanwhile.

        Raises
        ------
        KernelError
            If the arguments are too many or too few, or one has another type, is out of range, is not contiguous
            or is read-only.
        """
        parameters = self._signature.parameters
        if len(arguments) != len(parameters):
            raise KernelError(
                f"kernel '{self.function.__name__}' takes {len(parameters)} arguments "
                f"({', '.join(parameters)}); got {len(arguments)}"
            )
        converted = [
            _converted(self.function, name, kind, argument)
            for (name, kind), argument in zip(parameters.items(), arguments, strict=True)
        ]
        return self._call(*converted)


def compile_kernel(
    function: Callable[..., Any], *, fast_math: Sequence[str] = (), provisional: bool = False
) -> CompiledKernel:
    """Compile a kernel and every kernel it calls, or take its machine code from the cache.

    Parameters
    ----------
    function : function
        Annotated with Float, Int, Bool, Word, Floats, Ints, Words and LogDensity.
    fast_math : sequence of str
        LLVM's flags for float arithmetic. `FAST_MATH` makes reductions vectorise; results then differ from the
        uncompiled kernel's by rounding.
    provisional : bool
        Where the cache has no optimised code, give code that is not optimised, which takes a tenth of the time;
        `CompiledKernel.improve` makes up for it.

    Returns
    -------
    CompiledKernel
        Kernels that are compiled again in one process share their machine code.

    Raises
    ------
    KernelError
        Naming file, line and construct, if something in it cannot be compiled.
    """
    if not isinstance(function, types.FunctionType):
        raise KernelError(f"{function!r} is a {type(function).__name__}; a kernel is a function made by 'def'")
    flags = tuple(fast_math)
    if not set(flags) <= {*FAST_MATH, "afn"}:
        raise KernelError(f"fast_math={flags} has flags other than {', '.join(FAST_MATH)} and afn")
    identity = f"kernel {fingerprint(function)} {flags}"
    text = functools.cache(lambda: _text(function, flags))
    if provisional and identity not in _libraries and jit.found_object(identity) is None:
        quick = jit.load(jit.cached_object(identity, text, optimise=False), ["kernel"])
        return CompiledKernel(function, flags, quick, lambda: _library(identity, text))
    return CompiledKernel(function, flags, _library(identity, text))


def _library(identity: str, text: Callable[[], str]) -> jit.Library:
    """The optimised code of a kernel; shared by all who ask for it."""
    with _lock:
        if identity not in _libraries:
            _libraries[identity] = jit.load(jit.cached_object(identity, text), ["kernel"])
        return _libraries[identity]


def _converted(function: types.FunctionType, name: str, kind: Kind, argument: Any) -> Any:
    """An argument as ctypes takes it."""
    try:
        return _CONVERTERS[kind](kind, argument)
    except (TypeError, ValueError, OverflowError) as error:
        raise KernelError(f"kernel '{function.__name__}': argument '{name}' is {kind}, but {error}") from None


def _bool(kind: Kind, argument: Any) -> bool:
    if not isinstance(argument, bool | np.bool_):
        raise TypeError(f"got a value of type {type(argument).__name__}")
    return bool(argument)


def _float(kind: Kind, argument: Any) -> float:
    if isinstance(argument, bool | np.bool_ | str):
        raise TypeError(f"got a value of type {type(argument).__name__}")
    return float(argument)


def _integer(low: int, high: int, kind: Kind, argument: Any) -> int:
    number = operator.index(argument)
    if not low <= number < high:
        raise ValueError(f"{number} lies outside {low} ... {high - 1}")
    return number


def _array_address(kind: Kind, argument: Any) -> int:
    if not isinstance(argument, np.ndarray):
        raise TypeError(f"got a value of type {type(argument).__name__}; pass a NumPy array")
    if argument.dtype != kind.dtype or argument.ndim != 1:
        raise TypeError(f"got {argument.dtype} of shape {argument.shape}; pass a 1-d array of {kind.dtype}")
    if not argument.flags.carray:
        raise ValueError("the array is read-only, not contiguous or not aligned; pass a copy of it")
    return argument.ctypes.data


def _log_density_pointer(kind: Kind, argument: Any) -> int:
    pointer = getattr(argument, "pointer", argument)
    if not isinstance(pointer, int):
        raise TypeError(
            f"got a value of type {type(argument).__name__}; pass a LogDensityPointer, see python_log_density"
        )
    return pointer


_CONVERTERS: dict[Kind, Callable[[Kind, Any], Any]] = {
    FLOAT: _float,
    INT: functools.partial(_integer, -(2**63), 2**63),
    BOOL: _bool,
    WORD: functools.partial(_integer, 0, 2**64),
    LOG_DENSITY: _log_density_pointer,
    **dict.fromkeys(ARRAYS, _array_address),
}
