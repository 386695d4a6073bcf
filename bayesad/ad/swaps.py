"""NumPy and SciPy functions that ignore the array protocols, swapped while a trace is being recorded.

Such a function (``np.array`` of traced values, ``np.zeros`` that will be filled with them, ``np.max([x, y])``,
``scipy.special.logsumexp``, ``scipy.linalg.cholesky``) is replaced in its module, and in every module that imported it
under whatever name, from the start of the outermost trace to its end. The replacements ask whether the calling thread
is tracing, so other threads see the original behaviour.

SciPy's functions join when SciPy is imported, which may be in the middle of a trace; it is not imported from here.

Arrays that the user's code makes of plain values are *buffers* inside a trace: unknowns can be written into them.
Compiled libraries get plain arrays: what they make is handed to code that reads memory.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from bayesad.ad.array import FUNCTIONS, TracedArray, asarray, buffer, is_traced, may_hold_traced, value_of
from bayesad.ad.functions import (
    as_buffers,
    scipy_fft,
    scipy_linalg,
    scipy_sparse,
    scipy_special,
    tables,
    without_buffers,
)
from bayesad.ad.functions.scipy_stats import CHOICES, CONTINUOUS, DISCRETE
from bayesad.ad.imports import when_imported
from bayesad.ad.trace import current_depth
from bayesad.errors import TracingError

__all__ = ["install", "traced_meaning", "uninstall", "visit"]

Function = Callable[..., Any]

_LIBRARIES = """numpy scipy pandas xarray matplotlib sklearn numba llvmlite numexpr h5py netCDF4 statsmodels
    arviz arviz_base"""
COMPILED_LIBRARIES = frozenset(_LIBRARIES.split())
STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep
UNCHANGING = -1  # in place of a number of names: nothing is ever swapped there
PUBLIC_NUMPY = ("numpy", "numpy.linalg")  # other modules of NumPy keep the originals, for their own use


class _Known(NamedTuple):
    """What is known of a module: the number of its names when it was looked through, and what there is to swap."""

    module: Any  # kept, as its id is the key
    n_names: int
    found: list[tuple[str, int]]


_lock = threading.RLock()
_active = 0
_replaced: list[tuple[dict[str, Any], str, Any]] = []
_methods: list[tuple[type, str, Function, Function]] = []  # class, name, original, replacement
_known: dict[int, _Known] = {}


def install() -> None:
    """Swap the functions in; counts calls, so nested traces and other threads may overlap."""
    global _active
    with _lock:
        _active += 1
        if _active == 1:
            _swap_everywhere()
            _in_a_trace.fill(_MAKERS_BY_NAME)


def uninstall() -> None:
    """Put the originals back when the last trace ends."""
    global _active
    with _lock:
        _active -= 1
        if _active == 0:
            for namespace, name, original in _replaced:
                namespace[name] = original
            _replaced.clear()
            for owner, name, original, _ in _methods:
                setattr(owner, name, original)


def visit(function: Any) -> None:
    """Swap in the namespace of a function about to be traced, for one that belongs to no module, as from ``exec``."""
    namespace = getattr(function, "__globals__", None)
    if namespace is not None and current_depth():
        with _lock:
            _swap(namespace, _slots_of(namespace))


def _swap_everywhere() -> None:
    for module in list(sys.modules.values()):
        known = _known.get(id(module))
        if known is None or known.n_names not in (UNCHANGING, len(module.__dict__)):
            known = _look_through(module)
        if known.found:
            _swap(module.__dict__, known.found)
    for namespace in _running_namespaces():
        _swap(namespace, _slots_of(namespace))
    for owner, name, _, replacement in _methods:
        setattr(owner, name, replacement)


def _keeps_originals(module: ModuleType) -> bool:
    """Whether a module is of this library, of NumPy's inside, or of Python's own library, which holds nothing of it."""
    name = getattr(module, "__name__", "")
    if name.startswith("bayesad.ad") or (name.startswith("numpy.") and name not in PUBLIC_NUMPY):
        return True
    file = getattr(module, "__file__", None) or ""
    return name in sys.builtin_module_names or (file.startswith(STANDARD_LIBRARY) and not _is_installed(file))


def _is_installed(file: str) -> bool:
    return "site-packages" in file or "dist-packages" in file


def _slots_of(namespace: dict[str, Any]) -> list[tuple[str, int]]:
    return [(name, id(value)) for name, value in list(namespace.items()) if id(value) in TABLE]


def _swap(namespace: dict[str, Any], found: list[tuple[str, int]]) -> None:
    for name, key in found:
        original, replacement = TABLE[key]
        if namespace.get(name) is original:
            namespace[name] = replacement
            _replaced.append((namespace, name, original))


def _running_namespaces() -> list[dict[str, Any]]:
    """Of code on the stack that belongs to no module, such as what ``exec`` runs."""
    found: dict[int, dict[str, Any]] = {}
    frame = sys._getframe(1)
    while frame is not None:
        namespace = frame.f_globals
        module = sys.modules.get(namespace.get("__name__", ""))
        if getattr(module, "__dict__", None) is not namespace:
            found[id(namespace)] = namespace
        frame = frame.f_back  # type: ignore[assignment]
    return list(found.values())


def _look_through(module: ModuleType) -> _Known:
    """Where a module holds something to swap. Remembered for installed packages and our own, which seldom change.

    NumPy itself and compiled modules keep the makers of arrays: they hand what those make to code that reads memory.
    """
    namespace = getattr(module, "__dict__", None)
    if namespace is None or _keeps_originals(module):
        known = _Known(module, UNCHANGING, [])
    else:
        found = _slots_of(namespace)
        if module is np or _is_compiled(module):
            found = [(name, key) for name, key in found if key not in MAKERS and key != id(np)]
        known = _Known(module, len(namespace), found)
    file = getattr(module, "__file__", None) or ""
    if known.n_names == UNCHANGING or _is_installed(file) or file.startswith(PACKAGE):
        _known[id(module)] = known
    return known


def _is_compiled(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and not file.endswith((".py", ".pyc"))


class _NumPyInATrace(ModuleType):
    """NumPy as the user's modules see it inside a trace: what makes arrays makes buffers."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def fill(self, makers: dict[str, Function]) -> None:
        """Take over all names that NumPy has now, which are found sooner so, and put in what differs."""
        self.__dict__.update(np.__dict__)
        self.__dict__.update(makers)


# --- when a replacement acts
def _holds_array(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return may_hold_traced(x) and any([_holds_array(e) for e in x])
    return type(x) is TracedArray


def _holds_unknown(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return may_hold_traced(x) and any([_holds_unknown(e) for e in x])
    return is_traced(x)


def _wants_plain_arrays(module: str) -> bool:
    return module.partition(".")[0] in COMPILED_LIBRARIES or module.startswith("bayesad.ad.")


def _creating(original: Function, traced: Function) -> Function:
    """A function that makes arrays: its traced meaning in the user's code, and everywhere for unknowns."""

    @functools.wraps(original)
    def replacement(*args: Any, **kwargs: Any) -> Any:
        if not current_depth():
            return original(*args, **kwargs)
        unknown = any([_holds_unknown(x) for x in (*args, *kwargs.values())])
        if not unknown and _wants_plain_arrays(sys._getframe(1).f_globals.get("__name__", "")):
            return original(*without_buffers(args), **kwargs)
        return traced(*args, **kwargs)

    return replacement


def _computing(original: Function, traced: Function) -> Function:
    """A function of arrays: its traced meaning where an argument is unknown."""

    @functools.wraps(original)
    def replacement(*args: Any, **kwargs: Any) -> Any:
        if current_depth() and any([_holds_array(x) for x in (*args, *kwargs.values())]):
            if any([_holds_unknown(x) for x in (*args, *kwargs.values())]):
                return traced(*args, **kwargs)
            args, kwargs = without_buffers(args), {k: without_buffers(v) for k, v in kwargs.items()}
            return as_buffers(original(*args, **kwargs), args)
        return original(*args, **kwargs)

    return replacement


def _on_lists(original: Function) -> Function:
    """A NumPy function whose dispatch does not look into lists: a list that holds traced scalars becomes an array."""

    def opened(x: Any) -> Any:
        return asarray(x) if type(x) in (list, tuple) and _holds_array(x) else x

    @functools.wraps(original)
    def replacement(*args: Any, **kwargs: Any) -> Any:
        if current_depth():
            return original(*[opened(x) for x in args], **{k: opened(v) for k, v in kwargs.items()})
        return original(*args, **kwargs)

    return replacement


# --- arrays made inside a trace
def _as_buffer(values: Any) -> Any:
    return buffer(values) if isinstance(values, np.ndarray) and values.dtype.kind in "fib" else values


def _buffer_of(make: Function) -> Function:
    """A function that makes plain arrays, as one that makes buffers."""

    def traced(*args: Any, **kwargs: Any) -> Any:
        return _as_buffer(make(*without_buffers(args), **{k: without_buffers(v) for k, v in kwargs.items()}))

    return traced


def _empty(shape: Any, dtype: Any = float, *args: Any, **kwargs: Any) -> Any:
    """Zeros, so that what is never written is the same in every run."""
    return _as_buffer(_ZEROS(without_buffers(shape), dtype))


def _like(make: Function) -> Function:
    def traced(a: Any, *args: Any, **kwargs: Any) -> Any:
        a = asarray(a)
        if is_traced(a) or any([_holds_unknown(x) for x in args]):
            return FUNCTIONS[make](a, *args, **kwargs)
        return _as_buffer(make(value_of(a), *without_buffers(args), **kwargs))

    return traced


def _full(shape: Any, fill_value: Any, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:
    filling = asarray(fill_value)
    if is_traced(filling):
        made = buffer(_ZEROS(shape))
        made[...] = filling
        return made
    return _as_buffer(_FULL(without_buffers(shape), value_of(filling), dtype, *args, **kwargs))


def _array(
    object: Any,
    dtype: Any = None,
    *,
    copy: Any = True,
    order: Any = None,
    subok: bool = False,
    ndmin: int = 0,
    **_: Any,
) -> Any:
    if not _holds_unknown(object):
        return _as_buffer(_ARRAY(without_buffers(object), dtype, copy=copy, order=order, ndmin=ndmin))
    made = asarray(object)
    if copy is True and made is object:
        made = made.copy()
    if dtype is not None:
        made = made.astype(dtype, copy=False)
    if made.ndim < ndmin:
        made = made.reshape((1,) * (ndmin - made.ndim) + made.shape)
    return made


def _asarray(a: Any, dtype: Any = None, order: Any = None, **_: Any) -> Any:
    """An array or buffer of that dtype is itself; what is made of a sequence is a buffer."""
    if type(a) is TracedArray and not is_traced(a):
        return a if dtype is None or np.dtype(dtype) == a.dtype else _array(a, dtype)
    if type(a) is TracedArray or not isinstance(a, (list, tuple)):
        return _array(a, dtype, copy=False) if type(a) is TracedArray else _ASARRAY(a, dtype, order)
    return _array(a, dtype)


class _Joined:
    """``np.r_`` and ``np.c_``, of one-dimensional parts and matrices."""

    def __init__(self, original: Any, join: Function) -> None:
        self._original, self._join = original, join

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        if not current_depth() or not any([_holds_unknown(part) for part in parts]):
            return self._original[without_buffers(key)]
        if any([isinstance(part, str) for part in parts]):
            raise TracingError("np.r_ and np.c_ of traced arrays take no directives; use np.concatenate or np.stack")
        return self._join([np.r_[part] if isinstance(part, slice) else np.atleast_1d(asarray(part)) for part in parts])


_ZEROS, _FULL, _ARRAY, _ASARRAY = np.zeros, np.full, np.array, np.asarray

# NumPy functions that are often called with a list of scalars. (Those that take a sequence of arrays, such as
# np.concatenate, dispatch on its elements.)
ON_LISTS = """
    sum prod mean average std var ptp max min amax amin any all argmax argmin argsort sort median quantile
    percentile cumsum cumprod diff dot vdot inner outer kron cross tensordot clip round around where diag
    diagflat trace tril triu flip roll repeat tile pad reshape ravel transpose squeeze expand_dims
    broadcast_to interp polyval vander convolve trapezoid nansum nanmean nanmax nanmin nan_to_num allclose
    isclose array_equal copy append
"""
MATRICES = """cholesky eigh eigvalsh solve inv pinv det slogdet qr svd lstsq norm matrix_power cond"""


def _makers() -> dict[Any, Function]:
    """Functions that make arrays -> what they are inside a trace."""
    from_shape: tuple[Any, ...] = (np.zeros, np.ones, np.eye, np.identity, np.tri, np.arange)
    like_another: tuple[Any, ...] = (np.zeros_like, np.ones_like, np.empty_like, np.full_like)
    converting: tuple[Any, ...] = (np.asarray, np.asanyarray, np.ascontiguousarray, np.asarray_chkfinite)
    return {
        **{make: _buffer_of(make) for make in from_shape},
        **{make: _like(make) for make in like_another},
        **dict.fromkeys(converting, _asarray),
        np.empty: _empty,
        np.full: _full,
        np.array: _array,
    }


def _table() -> dict[int, tuple[Any, Any]]:
    """id of the original -> (original, replacement), for NumPy."""
    makers = {original: _creating(original, traced) for original, traced in _makers().items()}
    entries: list[tuple[Any, Any]] = [(np, _in_a_trace), *makers.items()]
    for namespace, names in ((np, ON_LISTS.split()), (np.linalg, MATRICES.split())):
        entries += [(getattr(namespace, name), _on_lists(getattr(namespace, name))) for name in names]
    entries += [(np.take, _computing(np.take, FUNCTIONS[np.take]))]  # NumPy does not look at the indices
    entries += [(np.r_, _Joined(np.r_, np.concatenate)), (np.c_, _Joined(np.c_, np.column_stack))]
    return {id(original): (original, replacement) for original, replacement in entries}


MAKERS = frozenset(id(make) for make in _makers())
_in_a_trace = _NumPyInATrace("numpy")
TABLE = _table()
_MAKERS_BY_NAME = {TABLE[key][0].__name__: TABLE[key][1] for key in MAKERS}


def _forget() -> None:
    """Forget what was found in modules, but not in which there is nothing."""
    for key in [key for key, known in _known.items() if known.n_names != UNCHANGING]:
        del _known[key]


def _add(functions: dict[str, Function], library: ModuleType) -> None:
    """Add a library's functions to the table, and where a trace is being recorded swap them at once."""
    with _lock:
        for name, traced in functions.items():
            original = getattr(library, name, None)  # not every version of SciPy has them all
            if original is not None:
                TABLE.setdefault(id(original), (original, _computing(original, traced)))
        _forget()
        if _active:
            _swap_everywhere()
            _forget()  # where something is swapped in already, nothing more was found


def _add_methods(of: Callable[[ModuleType], dict[type, dict[str, Function]]], module: ModuleType) -> None:
    """Add methods of a module's classes, which are swapped in the classes."""
    with _lock:
        for owner, methods in of(module).items():
            for name, traced in methods.items():
                original = getattr(owner, name)
                _methods.append((owner, name, original, _computing(original, traced)))
                if _active:
                    setattr(owner, name, _methods[-1][-1])


def _laws(infrastructure: Any) -> dict[type, dict[str, Function]]:
    return {infrastructure.rv_continuous: CONTINUOUS, infrastructure.rv_discrete: DISCRETE}


def _sparse(sparse: Any) -> dict[type, dict[str, Function]]:
    """The base of all formats, and that of matrices, whose ``*`` is a product."""
    base = next(owner for owner in sparse.csr_array.__mro__ if "__matmul__" in vars(owner))
    return {base: scipy_sparse.METHODS, sparse.spmatrix: {"__mul__": scipy_sparse.METHODS["__matmul__"]}}


def _labelled(name: str) -> Callable[[ModuleType], dict[type, dict[str, Function]]]:
    return lambda module: {getattr(module, name): tables.METHODS}


when_imported("scipy.special", functools.partial(_add, scipy_special.FUNCTIONS))
when_imported("scipy.linalg", functools.partial(_add, scipy_linalg.FUNCTIONS))
when_imported("scipy.fft", functools.partial(_add, scipy_fft.FUNCTIONS))
when_imported("scipy.stats._distn_infrastructure", functools.partial(_add_methods, _laws))
when_imported("scipy.sparse", functools.partial(_add_methods, _sparse))
for _module, _class in (
    ("pandas.core.frame", "DataFrame"),
    ("pandas.core.series", "Series"),
    ("xarray.core.dataarray", "DataArray"),
):
    when_imported(_module, functools.partial(_add_methods, _labelled(_class)))
for _module, _choices in CHOICES.items():
    when_imported(_module, functools.partial(_add, _choices))


def traced_meaning(f: Any) -> Any:
    """What stands for ``f`` while a trace is recorded: for functions that are handed over instead of called by name."""
    return TABLE[id(f)][1] if id(f) in TABLE else f
