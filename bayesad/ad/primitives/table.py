"""The one table of primitives: what each computes, its shape, and its derivatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "NO_RULE",
    "PRIMITIVES",
    "UFUNCS",
    "Primitive",
    "broadcast_shapes",
    "define",
    "elementwise",
    "float_type",
    "require_shapes",
]

FLOAT = np.dtype(np.float64)
INTEGER = np.dtype(np.int64)
BOOLEAN = np.dtype(np.bool_)

NO_RULE = "no rule"  # in place of a rule: the derivative exists but is not known here; asking for it is an error

Rule = Callable[..., Any] | str


@dataclass(frozen=True, eq=False, repr=False)
class Primitive:
    """One operation of a program.

    Every rule is written in ordinary NumPy, because the derivatives of a program are traced like any
    other code. In the rules ``g`` is a cotangent (or tangent), ``y`` the primitive's own value, ``args``
    its inputs and ``attributes`` its static parameters.

    Attributes
    ----------
    name : str
        As printed in programs.
    evaluate : callable
        ``evaluate(*arrays, **attributes) -> array`` with plain NumPy arrays: the reference meaning.
    infer : callable
        ``infer(*args, **attributes) -> (shape, dtype)``; args have ``.shape``, ``.ndim`` and ``.dtype``. Memory is laid
        out by it, so it raises for whatever ``evaluate`` would refuse because of shapes.
    vjp : tuple of callables, callable or None
        Per input ``rule(g, y, *args, **attributes) -> cotangent`` (None: the output does not vary smoothly with that
        input; NO_RULE: it does, but asking for this derivative is an error), or one callable that returns the tuple
        of all cotangents.
        For an elementwise primitive the cotangent may have any shape that broadcasts to the output's.
    jvp : tuple of callables, callable, "multilinear" or None
        Per input ``rule(t, y, *args, **attributes) -> tangent``, summed over the inputs, or one callable
        ``jvp(tangents, y, *args, **attributes)`` where absent tangents are None. "multilinear": the
        primitive itself with that input replaced by its tangent.
    elementwise : bool
        Inputs broadcast as in NumPy and every output element depends on its own input elements alone;
        then vjp and jvp share their rules.
    singular : bool
        A derivative can be infinite or NaN where the value is not used (behind a ``where``); the
        reverse pass then keeps exact zeros zero.
    variadic : bool
        Takes any number of inputs.
    widen : dtype or None
        What inputs are cast to where all are bool; NumPy itself would answer in half precision or int8.
    address : int
        Of a C function that machine code calls: ``double f(double, …)`` for every element of an elementwise primitive,
        else ``void f(const double *, …, double *result)``. 0: there is none.
    """

    name: str
    evaluate: Callable[..., Any]
    infer: Callable[..., tuple[tuple[int, ...], np.dtype]]
    vjp: tuple[Rule | None, ...] | Rule | None = None
    jvp: tuple[Rule | None, ...] | Rule | str | None = None
    elementwise: bool = False
    singular: bool = False
    variadic: bool = False
    widen: np.dtype | None = None
    address: int = 0

    def __repr__(self) -> str:
        return self.name


PRIMITIVES: dict[str, Primitive] = {}
UFUNCS: dict[np.ufunc, Primitive] = {}


def define(name: str, evaluate: Callable[..., Any], infer: Callable[..., Any], **fields: Any) -> Primitive:
    """Add a primitive to the table and return it."""
    if name in PRIMITIVES:
        raise ValueError(f"the primitive {name!r} is defined twice")
    primitive = Primitive(name, evaluate, infer, **fields)
    PRIMITIVES[name] = primitive
    return primitive


def elementwise(
    name: str,
    ufunc: Callable[..., Any],
    *rules: Rule | None,
    result: Callable[..., np.dtype] | None = None,
    singular: bool = False,
    evaluate: Callable[..., Any] | None = None,
    widen: np.dtype | None = None,
) -> Primitive:
    """Add an elementwise primitive; a NumPy or SciPy ufunc given as its meaning is traced to it.

    ``rules`` has one entry per input: ``rule(g, y, *args)``. ``result`` gives the output's dtype from the
    inputs' (default: float64). ``evaluate`` replaces the ufunc where a faster equivalent exists. ``widen``: see
    Primitive; float64 where the result is float64.
    """
    dtype_of = result or float_type
    wrapped = getattr(ufunc, "__wrapped__", None)
    if isinstance(wrapped, np.ufunc):  # scipy.special's, where SCIPY_ARRAY_API is set
        ufunc = wrapped

    def infer(*args: Any) -> tuple[tuple[int, ...], np.dtype]:
        return broadcast_shapes(*[a.shape for a in args]), dtype_of(*[a.dtype for a in args])

    primitive = define(
        name,
        evaluate or ufunc,
        infer,
        vjp=rules,
        jvp=rules,
        elementwise=True,
        singular=singular,
        widen=FLOAT if widen is None and result is None else widen,
    )
    if isinstance(ufunc, np.ufunc):
        UFUNCS[ufunc] = primitive
    return primitive


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The common shape of arrays under NumPy's broadcasting, faster than np.broadcast_shapes for equal ones."""
    first = shapes[0]
    for shape in shapes:
        if shape != first:
            return tuple(int(n) for n in np.broadcast_shapes(*shapes))
    return first


def require_shapes(holds: bool, name: str, *arrays: Any) -> None:
    """ValueError unless an operation takes arrays of these shapes; for shape rules."""
    if not holds:
        shapes = " and ".join(str(tuple(a.shape)) for a in arrays)
        raise ValueError(f"{name} cannot be applied to arrays of the shapes {shapes}")


def float_type(*dtypes: np.dtype) -> np.dtype:
    return FLOAT


def boolean_type(*dtypes: np.dtype) -> np.dtype:
    return BOOLEAN


def promoted_type(*dtypes: np.dtype) -> np.dtype:
    return FLOAT if FLOAT in dtypes else np.result_type(*dtypes)


def integer_type(*dtypes: np.dtype) -> np.dtype:
    return np.result_type(INTEGER, *dtypes)
