"""BLAS and LAPACK for machine code: the addresses that SciPy exports, calls of them in LLVM text, their threads.

SciPy's modules ``cython_blas`` and ``cython_lapack`` hold a C function for every routine; they are loaded without the
rest of ``scipy.linalg``, which takes ten times as long. The routines take columns where programs hold rows: a matrix
in C order is its transpose to them.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.machinery
import importlib.util
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from bayesad.errors import BayesadError

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = ["ROUTINES", "LibraryError", "Matrix", "address", "call", "multiply", "one_thread", "solve"]

# routine: its module, and its parameters: c letter, n whole number, x number, p address
ROUTINES: dict[str, tuple[str, str]] = {
    "dgemm": ("cython_blas", "ccnnnxpnpnxpn"),
    "dtrsm": ("cython_blas", "ccccnnxpnpn"),
    "dtrsv": ("cython_blas", "cccnpnpn"),
    "dpotrf": ("cython_lapack", "cnpnp"),
    "dgetrf": ("cython_lapack", "nnpnpp"),
    "dgetri": ("cython_lapack", "npnppnp"),
    "dsyevd": ("cython_lapack", "ccnpnppnpnp"),
    "dgeqrf": ("cython_lapack", "nnpnppnp"),
    "dorgqr": ("cython_lapack", "nnnpnppnp"),
    "dgesdd": ("cython_lapack", "cnnpnppnpnpnpp"),
}
# Setters of the number of threads, as the libraries name them that SciPy is built with.
SETTERS = {
    "scipy_openblas_set_num_threads": "scipy_openblas_get_num_threads",
    "scipy_openblas_set_num_threads64_": "scipy_openblas_get_num_threads64_",
    "openblas_set_num_threads": "openblas_get_num_threads",
    "MKL_Set_Num_Threads": "MKL_Get_Max_Threads",
    "bli_thread_set_num_threads": "bli_thread_get_num_threads",
}

_lock = threading.Lock()
_limits: list[int] = []  # the number of threads outside of `one_thread`, once for every use of it under way


class LibraryError(BayesadError, ImportError):
    """SciPy's BLAS or LAPACK is not as it is expected to be."""


@functools.cache
def _module(name: str) -> ModuleType:
    """``scipy.linalg.cython_blas`` or ``cython_lapack``, without importing ``scipy.linalg`` if that can be avoided."""
    import scipy

    full_name = f"scipy.linalg.{name}"
    if full_name in sys.modules:
        return sys.modules[full_name]
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        file = Path(scipy.__file__).parent / "linalg" / f"{name}{suffix}"
        if file.exists():
            loader = importlib.machinery.ExtensionFileLoader(full_name, str(file))
            spec = importlib.util.spec_from_file_location(full_name, file, loader=loader)
            assert spec is not None
            module = importlib.util.module_from_spec(spec)
            loader.exec_module(module)
            return module
    return importlib.import_module(full_name)


@functools.cache
def address(routine: str) -> int:
    """Where a routine of the table is.

    Raises
    ------
    LibraryError
        If SciPy does not export it with 32-bit integers.
    """
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    module, parameters = ROUTINES[routine]
    capsule = _module(module).__pyx_capi__.get(routine)
    signature = get_name(capsule) if capsule is not None else b"nothing"
    if signature.count(b"int *") < parameters.count("n"):
        raise LibraryError(
            f"scipy.linalg.{module} exports {signature.decode()!r} for {routine}; a function with 'int *' parameters "
            "is needed: install a build of SciPy whose LAPACK has 32-bit integers"
        )
    return int(get_pointer(capsule, signature))


# --- calls in LLVM text
def call(lowering: Lowering, routine: str, *arguments: Any) -> None:
    """A call of a routine, which takes every argument by address.

    Letters are given as str, numbers as int, float or the name of an i64, addresses by their names.
    """
    passed = [
        value if kind == "p" else _in_memory(lowering, kind, value)
        for kind, value in zip(ROUTINES[routine][1], arguments, strict=True)
    ]
    lowering.say(f"call void {lowering.special(routine)}({', '.join(f'ptr {place}' for place in passed)})")


def _in_memory(lowering: Lowering, kind: str, value: Any) -> str:
    """The address of an argument; those that are known are written once, at the function's begin."""
    from bayesad.ad.backends.llvm.vector_math import hexadecimal

    if kind == "n" and isinstance(value, str):
        place = f"%{lowering.fresh('argument')}"
        lowering.entry.append(f"  {place} = alloca i32")
        lowering.say(f"store i32 {lowering.op(f'trunc i64 {value} to i32')}, ptr {place}")
        return place
    key = f"argument {kind} {value}"
    if key not in lowering.special_names:
        place = f"%{lowering.fresh('argument')}"
        typed = {"c": "i8 {}", "n": "i32 {}", "x": "double {}"}[kind]
        text = {"c": lambda: ord(value), "n": lambda: value, "x": lambda: hexadecimal(value)}[kind]()
        lowering.entry.append(f"  {place} = alloca {typed.split()[0]}")
        lowering.entry.append(f"  store {typed.format(text)}, ptr {place}")
        lowering.special_names[key] = place
    return lowering.special_names[key]


class Matrix(NamedTuple):
    """A matrix in memory: where, how many float64s its rows are apart, and whether its transpose is meant."""

    address: str
    stride: int
    transposed: bool = False


def multiply(
    lowering: Lowering, lengths: tuple[Any, Any, Any], alpha: float, a: Matrix, b: Matrix, beta: float, c: Matrix
) -> None:
    """``c = alpha a b + beta c``; ``lengths``: rows of the result, the inner one, columns of the result."""
    rows, inner, columns = lengths
    flags = ["T" if x.transposed else "N" for x in (b, a)]
    places = [*b[:2], *a[:2], beta, *c[:2]]
    call(lowering, "dgemm", *flags, columns, rows, inner, alpha, *places)


def solve(lowering: Lowering, triangle: Matrix, kind: str, rows: Any, columns: Any, x: Matrix) -> None:
    """``x = inv(triangle) x``.

    ``kind`` is two letters: L (lower) or U, and N or U (unit diagonal), of the matrix in memory.
    """
    uplo = "U" if kind[0] == "L" else "L"
    trans = "T" if triangle.transposed else "N"
    places = [*triangle[:2], *x[:2]]
    call(lowering, "dtrsm", "R", uplo, trans, kind[1], columns, rows, 1.0, *places)


# --- threads
@functools.cache
def _thread_functions() -> tuple[Any, Any] | None:
    """Functions that set and get the number of threads of the library behind SciPy's routines."""
    file = _module("cython_blas").__file__
    assert file is not None
    beside = Path(file).parents[2] / "scipy.libs"  # where wheels for Windows have it
    for path in [file, *map(str, beside.glob("*openblas*"))]:
        library = ctypes.CDLL(path)
        for setter, getter in SETTERS.items():
            if hasattr(library, setter) and hasattr(library, getter):
                return getattr(library, setter), getattr(library, getter)
    return None


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let the routines use one thread each while several threads call them; nothing is loaded for it."""
    functions = _thread_functions() if address.cache_info().currsize else None
    if functions is None:
        yield
        return
    set_threads, get_threads = functions
    with _lock:
        _limits.append(_limits[0] if _limits else get_threads())
        set_threads(1)
    try:
        yield
    finally:
        with _lock:
            before = _limits.pop()
            if not _limits:
                set_threads(before)
