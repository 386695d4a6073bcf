"""Functions that cannot be traced as operations of programs: compiled C functions, routines of other libraries."""

from __future__ import annotations

import ctypes
import functools
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from bayesad.ad.array import bind, is_traced, plain_or_traced
from bayesad.ad.custom import custom_jvp, custom_vjp
from bayesad.ad.operators import stop_gradient
from bayesad.ad.primitives.shaping import sum_to
from bayesad.ad.primitives.table import NO_RULE, Primitive, broadcast_shapes
from bayesad.errors import DerivativeError

__all__ = ["primitive"]

FLOAT = np.dtype(np.float64)
C_FUNCTION: Any = ctypes._CFuncPtr  # type: ignore[attr-defined]
STEP = np.finfo(float).eps ** (1 / 3)  # of central differences, relative to the argument

_kept: dict[int, Any] = {}  # functions whose addresses machine code may hold


class CFunction(NamedTuple):
    """A C function and what it takes.

    Attributes
    ----------
    call : ctypes function
    address : int
    n_arguments : int
    of_arrays : bool
        ``void f(const double *, …, double *result)`` rather than ``double f(double, …)``.
    """

    call: Any
    address: int
    n_arguments: int
    of_arrays: bool


def primitive(
    f: Any,
    *,
    vjp: Callable[..., Any] | None = None,
    jvp: Callable[..., Any] | None = None,
    derivatives: Sequence[Callable[..., Any] | None] | None = None,
    differences: bool = False,
    shape: Any = None,
    signature: str | None = None,
) -> Callable[..., Any]:
    """Make a function that cannot be traced an operation of programs.

    Parameters
    ----------
    f : callable, ctypes function or int
        Python code on plain arrays (a routine of SciPy, an interpolation, a simulator), which machine code calls back
        for; or a C function, which machine code calls directly, without Python and in several threads at once. A ctypes
        function needs ``argtypes`` and ``restype``: those of ``double f(double, …)``, applied to every element, or of
        ``void f(const double *, …, double *result)``, which takes whole arrays in C order. For an address give the
        ``signature``.
    vjp, jvp : callable, optional
        Derivative rules of arrays, as in `custom_vjp` and `custom_jvp`; one is enough.
    derivatives : sequence, optional
        Of a function that is applied to every element: for each argument ``d(*arguments)``, the partial derivative in
        ordinary NumPy code or by another primitive, or None where it is 0.
    differences : bool
        Use central differences, with an error of about 1e-10 of the function's magnitude and two calls for every number
        of the arguments. Without it, or a rule, asking for a derivative is an error.
    shape : tuple of int or callable, optional
        Of the result, or ``shape(*arguments)``; needed for C functions of arrays, see `custom_vjp` for others.
    signature : str, optional
        Of a function given by its address: ``"double(double, double)"`` or ``"void(double*, double*)"``.

    Returns
    -------
    callable
        Of as many arrays as f takes; plain or traced.

    Raises
    ------
    DerivativeError
        If the kinds of rule do not fit the function, or a C function has another signature.

    Examples
    --------
    >>> import ctypes, ctypes.util
    >>> import numpy as np
    >>> from bayesad import ad
    >>> cbrt = ctypes.CDLL(ctypes.util.find_library("m")).cbrt
    >>> cbrt.argtypes, cbrt.restype = [ctypes.c_double], ctypes.c_double
    >>> root = ad.primitive(cbrt, derivatives=[lambda x: 1 / (3 * root(x) ** 2)])
    >>> float(ad.gradient(lambda x: np.sum(root(x)), np.array([8.0]))[0]) * 12
    1.0
    """
    given = [name for name, rule in (("vjp", vjp), ("jvp", jvp), ("derivatives", derivatives)) if rule is not None]
    if len(given) + differences > 1:
        named = " and ".join([*given, *["differences"] * differences])
        raise DerivativeError(f"ad.primitive({_name(f)}) got {named}; one kind of rule is enough")
    function = _c_function(f, signature)
    if function is None:
        if not callable(f):
            raise DerivativeError(f"ad.primitive takes a function or the address of one, not {f!r}")
        if derivatives is not None:
            vjp = _by_derivatives(derivatives)
        if jvp is not None:
            return custom_jvp(f, jvp, shape=shape)
        made = custom_vjp(f, vjp, shape=shape)
        return custom_vjp(f, _by_differences(made), shape=shape) if differences else made
    if function.of_arrays:
        return _of_arrays(function, _name(f), vjp, jvp, differences, shape)
    if vjp is not None or jvp is not None:
        raise DerivativeError(f"ad.primitive({_name(f)}): a function of numbers takes derivatives=, not vjp or jvp")
    return _elementwise(function, _name(f), derivatives, differences)


def _name(f: Any) -> str:
    return str(getattr(f, "__name__", f"at {f:#x}" if isinstance(f, int) else type(f).__name__))


# --- C functions
def _c_function(f: Any, signature: str | None) -> CFunction | None:
    """What is known of a C function; None for Python code."""
    if isinstance(f, int):
        f = _at_address(f, signature)
    if not isinstance(f, C_FUNCTION):
        return None
    name = _name(f)
    if f._flags_ & ctypes._FUNCFLAG_PYTHONAPI:  # type: ignore[attr-defined]
        raise DerivativeError(f"ad.primitive({name}): it is a function that needs Python's lock; use ctypes.CDLL")
    arguments = list(f.argtypes or ())
    address = ctypes.cast(f, ctypes.c_void_p).value or 0
    _kept[address] = f
    if arguments and all(kind is ctypes.c_double for kind in (*arguments, f.restype)):
        return CFunction(f, address, len(arguments), False)
    if len(arguments) > 1 and f.restype is None and all(_is_pointer(kind) for kind in arguments):
        return CFunction(f, address, len(arguments) - 1, True)
    shown = ", ".join(getattr(kind, "__name__", repr(kind)) for kind in arguments)
    result = getattr(f.restype, "__name__", f.restype)
    raise DerivativeError(
        f"ad.primitive({name}): a C function has the form double(double, …), or void(double*, …, double*) with the "
        f"result last; this one has argtypes [{shown}] and restype {result} (set them)"
    )


def _is_pointer(kind: Any) -> bool:
    return kind is ctypes.c_void_p or (getattr(kind, "_type_", None) is ctypes.c_double and kind is not ctypes.c_double)


def _at_address(address: int, signature: str | None) -> Any:
    """A ctypes function for an address."""
    matched = re.fullmatch(r"\s*(double|void)\s*\(([^()]*)\)\s*", signature or "")
    kinds = [part.replace("const", "").replace(" ", "") for part in matched[2].split(",")] if matched else []
    if matched is None or not set(kinds) <= {"double", "double*"}:
        raise DerivativeError(
            f"ad.primitive({address:#x}): a function given by its address needs a signature such as 'double(double)' "
            f"or 'void(double*, double*)', not {signature!r}"
        )
    types: dict[str, Any] = {"double": ctypes.c_double, "double*": ctypes.c_void_p, "void": None}
    return ctypes.CFUNCTYPE(types[matched[1]], *[types[kind] for kind in kinds])(address)


def _elementwise(
    function: CFunction, name: str, derivatives: Sequence[Any] | None, differences: bool
) -> Callable[..., Any]:
    n = function.n_arguments
    if derivatives is not None and len(derivatives) != n:
        raise DerivativeError(f"ad.primitive({name}): {len(derivatives)} derivatives for {n} arguments")

    def evaluate(*args: Any) -> Any:
        broadcast = np.broadcast_arrays(*args)
        numbers = zip(*[b.flat for b in broadcast], strict=True)
        result = np.array([function.call(*[float(x) for x in these]) for these in numbers], dtype=FLOAT)
        return result.reshape(broadcast[0].shape)[()]

    def rule(i: int) -> Any:
        if derivatives is not None:
            derivative = derivatives[i]
            return None if derivative is None else lambda g, y, *args: g * derivative(*args)
        return (lambda g, y, *args: g * _difference(apply, args, i)) if differences else NO_RULE

    rules = tuple([rule(i) for i in range(n)])
    made = Primitive(
        f"c.{name}", evaluate, lambda *args: (broadcast_shapes(*[a.shape for a in args]), FLOAT), vjp=rules, jvp=rules,
        elementwise=True, address=function.address,
    )  # fmt: skip

    def apply(*args: Any) -> Any:
        return bind(made, _arguments(name, n, args))

    return apply


def _of_arrays(function: CFunction, name: str, vjp: Any, jvp: Any, differences: bool, shape: Any) -> Callable[..., Any]:
    if shape is None:
        raise DerivativeError(f"ad.primitive({name}): a C function of arrays needs the shape of its result: shape=")

    def infer(*args: Any) -> Any:
        return tuple(shape(*args) if callable(shape) else shape), FLOAT

    def evaluate(*args: Any) -> Any:
        arrays = [np.ascontiguousarray(a, dtype=FLOAT) for a in args]
        result = np.empty(infer(*arrays)[0])
        pointers = [a.ctypes.data for a in (*arrays, result)]
        function.call(*[ctypes.cast(p, kind) for p, kind in zip(pointers, function.call.argtypes, strict=True)])
        return result[()]

    bare = Primitive(f"c.{name}", evaluate, infer, address=function.address)

    def apply_bare(*args: Any) -> Any:
        return bind(bare, _arguments(name, function.n_arguments, args))

    if vjp is None and jvp is None and not differences:
        return apply_bare
    rules = (custom_jvp if jvp is not None else custom_vjp)(
        evaluate, jvp or vjp or _by_differences(apply_bare), shape=shape
    ).rules
    ruled = Primitive(f"c.{name}", evaluate, infer, vjp=rules[0], jvp=rules[1], address=function.address)

    def apply(*args: Any) -> Any:
        return bind(ruled, _arguments(name, function.n_arguments, args))

    return apply


def _arguments(name: str, n: int, args: Sequence[Any]) -> tuple[Any, ...]:
    """As many arrays of floats as a C function takes."""
    if len(args) != n:
        raise TypeError(f"{name} takes {n} arguments, not {len(args)}")
    arrays = [plain_or_traced(a) for a in args]
    return tuple([a if a.dtype == FLOAT else a.astype(FLOAT) for a in arrays])


# --- rules of functions in Python
def _by_derivatives(derivatives: Sequence[Callable[..., Any] | None]) -> Callable[..., Any]:
    """The vector-Jacobian product of a function that is applied to every element, by its partial derivatives."""

    def vjp(g: Any, y: Any, *args: Any, **static: Any) -> tuple[Any, ...]:
        if len(derivatives) != len(args):
            raise DerivativeError(f"{len(derivatives)} derivatives for {len(args)} arguments")
        return tuple(
            None if derivative is None else sum_to(g * derivative(*args, **static), np.shape(x))
            for derivative, x in zip(derivatives, args, strict=True)
        )

    return vjp


# --- central differences
def _step(x: Any) -> Any:
    """A step for every number, as a constant for derivatives."""
    x = stop_gradient(x)
    step = STEP * np.where(np.abs(x) > 1.0, np.abs(x), 1.0)
    return (x + step) - x  # what the floating-point sum really adds


def _difference(f: Callable[..., Any], args: Sequence[Any], i: int) -> Any:
    """The partial derivatives of a function of single numbers."""
    step = _step(args[i])
    above, below = ([*args[:i], args[i] + s, *args[i + 1 :]] for s in (step, -step))
    return (f(*above) - f(*below)) / (2.0 * step)


def _by_differences(f: Callable[..., Any]) -> Callable[..., Any]:
    """A vector-Jacobian product of a function of arrays."""

    def vjp(g: Any, y: Any, *args: Any, **static: Any) -> tuple[Any, ...]:
        call = functools.partial(f, **static)
        return tuple([_cotangent(call, g, args, i) if _varies(a) else None for i, a in enumerate(args)])

    return vjp


def _varies(a: Any) -> bool:
    return is_traced(a) and a.dtype.kind == "f"


def _cotangent(f: Callable[..., Any], g: Any, args: Sequence[Any], i: int) -> Any:
    x = args[i]
    step = np.reshape(_step(x), (-1,))
    flat = np.reshape(x, (-1,))
    slopes = []
    for j, direction in enumerate(np.eye(x.size)):
        above, below = (
            [*args[:i], np.reshape(flat + sign * step[j] * direction, x.shape), *args[i + 1 :]] for sign in (1.0, -1.0)
        )
        slopes.append(np.sum(g * (f(*above) - f(*below))) / (2.0 * step[j]))
    return np.reshape(np.stack(slopes), x.shape)
