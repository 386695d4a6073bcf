"""ufuncs on traced arrays: calls, reduce, accumulate, outer and at, with ``out`` and ``where``."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad.ad.array import FUNCTIONS, TracedArray, asarray, bind, is_traced
from bayesad.ad.functions.mutation import write_out
from bayesad.ad.functions.reductions import logsumexp
from bayesad.ad.functions.sequences import running_extreme
from bayesad.ad.primitives import UFUNCS
from bayesad.errors import TracingError

__all__ = ["apply", "implementation"]

REDUCTIONS: dict[Any, Any] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
    np.logical_and: np.all,
    np.logical_or: np.any,
    np.logaddexp: logsumexp,
}
ACCUMULATIONS: dict[Any, Any] = {
    np.add: np.cumsum,
    np.multiply: np.cumprod,
    np.maximum: lambda a, axis: running_extreme(np.maximum, a, axis),
    np.minimum: lambda a, axis: running_extreme(np.minimum, a, axis),
}


def implementation(ufunc: np.ufunc) -> Any:
    """The traced meaning of a ufunc: a primitive, or a function for those that are compositions."""
    primitive = UFUNCS.get(ufunc)
    if primitive is None and ufunc not in FUNCTIONS:
        from bayesad.ad.primitives import special  # noqa: F401  (importing scipy.special costs time: only when needed)

        primitive = UFUNCS.get(ufunc)
    if primitive is not None:
        return lambda *inputs: bind(primitive, inputs)
    return FUNCTIONS.get(ufunc)


def apply(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], out: Any, options: dict[str, Any]) -> Any:
    """The answer of ``TracedArray.__array_ufunc__``."""
    options.pop("casting", None)
    options.pop("order", None)
    options.pop("subok", None)
    dtype = options.pop("dtype", None)
    if method == "at":
        return _at(ufunc, *inputs)
    if method == "reduce" and ufunc in REDUCTIONS:
        options = {k: v for k, v in options.items() if v is not None or k == "axis"}
        result = REDUCTIONS[ufunc](inputs[0], **{"axis": 0, **options})
    elif method == "accumulate" and ufunc in ACCUMULATIONS:
        result = ACCUMULATIONS[ufunc](inputs[0], axis=options.get("axis", 0))
    elif method == "outer":
        a, b = asarray(inputs[0]), asarray(inputs[1])
        result = ufunc(np.reshape(a, a.shape + (1,) * b.ndim), b)
    elif method == "__call__":
        result = _call(ufunc, inputs, out, options)
    else:
        raise TracingError(
            f"np.{ufunc.__name__}.{method} has no traced meaning; use np.sum, np.cumsum or a plain loop instead"
        )
    if dtype is not None and isinstance(result, TracedArray):
        result = result.astype(dtype)
    if out is None:
        return result
    return write_out(out[0], result, f"np.{ufunc.__name__} (or an operator such as a += b)")


def _call(ufunc: np.ufunc, inputs: tuple[Any, ...], out: Any, options: dict[str, Any]) -> Any:
    f = implementation(ufunc)
    if f is None:
        if not any(is_traced(x) for x in inputs):
            from bayesad.ad.functions import without_buffers

            return ufunc(*without_buffers(inputs), **options)
        raise TracingError(
            f"the function {ufunc.__name__!r} has no traced meaning, so its derivative is unknown; add it to the table "
            "in bayesad/ad/primitives (elementwise(name, ufunc, rule, …)), or give it a derivative with ad.custom_vjp"
        )
    where = options.pop("where", True)
    if ufunc in FUNCTIONS and ufunc not in UFUNCS:
        return f(*inputs, **options)
    result = f(*[asarray(x) if isinstance(x, (list, tuple)) else x for x in inputs])
    if where is not True:
        result = np.where(where, result, out[0] if out is not None else 0.0)
    return result


def _at(ufunc: np.ufunc, a: Any, index: Any, b: Any = None) -> None:
    """``ufunc.at(a, index, b)`` for addition and subtraction: repeated positions add up."""
    from bayesad.ad.primitives.indexing import parse, scatter

    if not isinstance(a, TracedArray) or ufunc not in (np.add, np.subtract):
        raise TracingError(
            f"np.{ufunc.__name__}.at works on arrays made inside the traced function, "
            "and for np.add and np.subtract only"
        )
    parsed, arrays = parse(index, a.shape)
    taken = a[index]
    spread = np.broadcast_to(b, np.shape(taken))
    a[...] = ufunc(a, bind(scatter, (spread, *arrays), {"index": parsed, "shape": a.shape}))
