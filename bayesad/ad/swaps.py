"""NumPy and SciPy functions that ignore the array protocols, swapped while a trace is being recorded.

Such a function (``np.array`` of a list of traced values, ``np.zeros`` that will be filled with them,
``scipy.special.logsumexp``) is replaced in its module, and in every module that imported it by name, from the start of the
outermost trace to its end. The replacements ask whether the calling thread is tracing, so other threads
see the original behaviour.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["install", "uninstall"]

_lock = threading.Lock()
_active = 0
_replaced: list[tuple[dict[str, Any], str, Any]] = []


def install() -> None:
    """Swap the functions in; counts calls, so nested traces and other threads may overlap."""
    global _active
    with _lock:
        _active += 1
        if _active > 1:
            return
        table = _table()
        by_name = {original.__name__: (original, replacement) for original, replacement in table.items()}
        for module in list(sys.modules.values()):
            namespace = getattr(module, "__dict__", None)
            if namespace is None or module.__name__.startswith(("numpy.", "bayesad.ad")):
                continue
            for name, (original, replacement) in by_name.items():
                if namespace.get(name) is original:
                    namespace[name] = replacement
                    _replaced.append((namespace, name, original))


def uninstall() -> None:
    """Put the originals back when the last trace ends."""
    global _active
    with _lock:
        _active -= 1
        if _active == 0:
            for namespace, name, original in _replaced:
                namespace[name] = original
            _replaced.clear()


def _swapped(original: Callable[..., Any], traced: Callable[..., Any], when: Callable[..., bool]) -> Callable[..., Any]:
    from bayesad.ad.trace import current_depth

    @functools.wraps(original)
    def replacement(*args: Any, **kwargs: Any) -> Any:
        if current_depth() and when(*args, **kwargs):
            return traced(*args, **kwargs)
        return original(*args, **kwargs)

    return replacement


def _has_traced(*args: Any, **kwargs: Any) -> bool:
    from bayesad.ad.array import TracedArray

    def inside(x: Any) -> bool:
        if isinstance(x, (list, tuple)):
            return any(inside(e) for e in x)
        return type(x) is TracedArray

    return any(inside(a) for a in args) or any(inside(a) for a in kwargs.values())


def _always(*args: Any, **kwargs: Any) -> bool:
    return True


_cached_table: dict[Callable[..., Any], Callable[..., Any]] = {}


def _table() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Original -> replacement, for NumPy always and for the SciPy modules that have been imported."""
    entries: list[tuple[Any, Callable[..., Any], Callable[..., bool]]] = [
        (np.zeros, _buffer_of(np.zeros), _always),
        (np.ones, _buffer_of(np.ones), _always),
        (np.empty, _buffer_of(np.zeros), _always),
        (np.full, _full, _always),
        (np.array, _array, _has_traced),
        (np.asarray, _array_no_copy, _has_traced),
        (np.asanyarray, _array_no_copy, _has_traced),
        (np.ascontiguousarray, _array_no_copy, _has_traced),
        (np.asarray_chkfinite, _array_no_copy, _has_traced),
    ]
    special = sys.modules.get("scipy.special")
    if special is not None:
        from bayesad.ad.functions import scipy_special

        entries += [
            (getattr(special, name), traced, _has_traced) for name, traced in scipy_special.FUNCTIONS.items()
        ]
    linalg = sys.modules.get("scipy.linalg")
    if linalg is not None:
        from bayesad.ad.functions import scipy_linalg

        entries += [(getattr(linalg, name), traced, _has_traced) for name, traced in scipy_linalg.FUNCTIONS.items()]
    for original, traced, when in entries:
        if original not in _cached_table:
            _cached_table[original] = _swapped(original, traced, when)
    return _cached_table


def _buffer_of(make: Callable[..., Any]) -> Callable[..., Any]:
    def traced(shape: Any, dtype: Any = float, *args: Any, **kwargs: Any) -> Any:
        from bayesad.ad.array import buffer

        values = make(shape, dtype, *args, **kwargs)
        return buffer(values) if values.dtype.kind in "fib" else values

    return traced


def _full(shape: Any, fill_value: Any, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:
    from bayesad.ad.array import asarray, buffer, is_traced, value_of

    filling = asarray(fill_value)
    if is_traced(filling):
        made = buffer(np.broadcast_to(0.0, shape).copy())
        made[...] = filling
        return made
    original = next(o for o in _cached_table if getattr(o, "__name__", "") == "full")
    values = original(shape, value_of(filling), dtype, *args, **kwargs)
    return buffer(values) if values.dtype.kind in "fib" else values


def _array(x: Any, dtype: Any = None, *, copy: Any = True, order: Any = None, subok: bool = False, ndmin: int = 0, **_: Any) -> Any:
    from bayesad.ad.array import TracedArray, asarray

    made = asarray(x)
    if type(made) is TracedArray:
        if copy and made is x:
            made = made.copy()
        if dtype is not None:
            made = made.astype(dtype, copy=False)
    if made.ndim < ndmin:
        made = made.reshape((1,) * (ndmin - made.ndim) + made.shape)
    return made


def _array_no_copy(x: Any, dtype: Any = None, order: Any = None, **_: Any) -> Any:
    return _array(x, dtype, copy=False)
