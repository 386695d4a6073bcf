"""Custom derivatives: functions of plain arrays that become primitives with a rule the user gives.

The function runs on plain arrays, so it may call anything: a solver, a table, C code. Its rule is ordinary NumPy
code that is traced as every rule is; a rule that needs plain arrays calls another custom function. One rule is
enough for both modes: a vector-Jacobian product is linear in its cotangent, so its transpose is the Jacobian-vector
product, and the other way round.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from bayesad.ad.array import TracedArray, bind, is_traced
from bayesad.ad.primitives.table import FLOAT, Primitive
from bayesad.ad.trace import tracing, untraced
from bayesad.errors import DerivativeError

__all__ = ["custom_jvp", "custom_vjp"]

Shape = tuple[int, ...]


def custom_vjp(
    f: Callable[..., Any] | None = None,
    vjp: Callable[..., Any] | None = None,
    *,
    shape: Shape | Callable[..., Shape] | None = None,
) -> Any:
    """Give a function of plain arrays a derivative by its vector-Jacobian product.

    Parameters
    ----------
    f : callable
        ``f(*arrays, **static) -> array``: takes plain NumPy arrays (float64, int64 or bool) and returns one array of
        floats. Keyword arguments are static: hashable, never traced.
    vjp : callable, optional
        ``vjp(g, y, *arrays, **static)`` returns the cotangents of the arrays (a tuple; for one array it may be bare;
        None for an array the result does not vary with smoothly). ``g`` is the cotangent of the result ``y``. Without
        a rule, asking for a derivative is an error. The rule is ordinary NumPy code that is traced; code in it that
        needs plain arrays has to be a `primitive` of its own.
    shape : tuple of int or callable, optional
        The shape of the result, or ``shape(*arrays, **static)`` of objects that have ``.shape`` and ``.dtype``. Needed
        only where f may not be called on arrays of ones: that is how the shape is found where a derivative program
        calls f on shapes that f has not met before.

    Returns
    -------
    callable
        Called like f. With ``f`` left out, a decorator: ``@ad.custom_vjp(vjp=rule)``.

    Examples
    --------
    >>> import numpy as np
    >>> from bayesad import ad
    >>> cube = ad.custom_vjp(lambda x: x**3, vjp=lambda g, y, x: g * 3.0 * x**2)
    >>> float(ad.gradient(lambda x: cube(x), 2.0))
    12.0
    """
    if f is None:
        return functools.partial(custom_vjp, vjp=vjp, shape=shape)
    return _custom(f, shape, None if vjp is None else _rules_of_vjp(_name(f), vjp))


def custom_jvp(
    f: Callable[..., Any] | None = None,
    jvp: Callable[..., Any] | None = None,
    *,
    shape: Shape | Callable[..., Shape] | None = None,
) -> Any:
    """Give a function of plain arrays a derivative by its Jacobian-vector product.

    Parameters
    ----------
    f, shape
        As in `custom_vjp`.
    jvp : callable
        ``jvp(tangents, y, *arrays, **static) -> tangent``, linear in the tuple ``tangents``, which has one array of
        floats for each argument (zeros for those held fixed, and for those that are not floats).

    Returns
    -------
    callable
        Called like f. With ``f`` left out, a decorator: ``@ad.custom_jvp(jvp=rule)``.
    """
    if f is None:
        return functools.partial(custom_jvp, jvp=jvp, shape=shape)
    if jvp is None:
        raise DerivativeError(f"ad.custom_jvp({_name(f)}) needs the rule: ad.custom_jvp({_name(f)}, jvp=rule)")
    return _custom(f, shape, _rules_of_jvp(_name(f), jvp))


def _name(f: Callable[..., Any]) -> str:
    return getattr(f, "__name__", type(f).__name__)


def _custom(f: Callable[..., Any], shape: Any, rules: tuple[Any, Any] | None) -> Callable[..., Any]:
    known: dict[Any, Shape] = {}  # shapes of results, by those of the arguments

    def signature(args: Sequence[Any], static: dict[str, Any]) -> Any:
        return tuple((np.shape(a), a.dtype.kind) for a in args), tuple(static.items())

    def evaluate(*args: Any, **static: Any) -> np.ndarray:
        arrays = [np.asarray(a) for a in args]
        with untraced():
            result = np.asarray(f(*arrays, **static))
        if result.dtype.kind not in "fiub":
            raise DerivativeError(f"{_name(f)} must return an array of floats; it returned dtype {result.dtype}")
        known[signature(arrays, static)] = result.shape
        return result.astype(np.float64)[()]

    def infer(*args: Any, **static: Any) -> tuple[Shape, np.dtype]:
        if shape is not None:
            return tuple(shape(*args, **static) if callable(shape) else shape), FLOAT
        key = signature(args, static)
        if key not in known:
            evaluate(*[np.ones(a.shape, dtype=a.dtype) for a in args], **static)
        return known[key], FLOAT

    vjp, jvp = rules or (None, None)
    primitive = Primitive(f"custom.{_name(f)}", evaluate, infer, vjp=vjp, jvp=jvp)

    @functools.wraps(f)
    def wrapped(*args: Any, **static: Any) -> Any:
        arrays = tuple([a if type(a) is TracedArray else np.asarray(a) for a in args])
        if any(is_traced(a) for a in static.values()):
            raise DerivativeError(f"{_name(f)}: keyword arguments are static; pass traced arrays by position")
        return bind(primitive, arrays, static)

    wrapped.rules = vjp, jvp  # type: ignore[attr-defined]
    return wrapped


@contextlib.contextmanager
def _traced_rule(name: str) -> Iterator[None]:
    """While a rule is traced: says of code that needs plain arrays that it stands in the rule."""
    try:
        with tracing():
            yield
    except (TypeError, AttributeError) as error:
        if "TracedArray" not in str(error) and "traced array" not in str(error):
            raise
        raise DerivativeError(
            f"the rule of {name} is traced, so that it has derivatives itself, but calls code that needs plain arrays "
            f"({error}); make that code an operation of its own: ad.primitive(code)"
        ) from error


def _checked(name: str, given: Any, expected: Any, what: str) -> Any:
    """A cotangent or tangent broadcast to the shape it must have."""
    try:
        return np.broadcast_to(given, np.shape(expected)) if np.shape(given) != np.shape(expected) else given
    except ValueError:
        raise DerivativeError(
            f"the rule of {name} returned {what} of shape {np.shape(given)}, expected {np.shape(expected)}"
        ) from None


def _transpose(linear: Callable[..., Any], like: Sequence[Any], g: Any) -> Sequence[Any]:
    """The transpose of a linear function of arrays like those given, applied to ``g``."""
    from bayesad.ad.operators import vjp

    return vjp(linear, tuple(np.zeros(np.shape(a)) for a in like))[1](g)


def _rules_of_vjp(name: str, rule: Callable[..., Any]) -> tuple[Any, Any]:
    def vjp(g: Any, y: Any, *args: Any, **static: Any) -> tuple[Any, ...]:
        with _traced_rule(name):
            result = rule(g, y, *args, **static)
        cotangents = tuple(result) if isinstance(result, (tuple, list)) else (result,)
        if len(cotangents) != len(args):
            raise DerivativeError(f"the rule of {name} returned {len(cotangents)} cotangents for {len(args)} arguments")
        return tuple(
            None if c is None else _checked(name, c, a, f"a cotangent of argument {i}")
            for i, (c, a) in enumerate(zip(cotangents, args, strict=True))
        )

    def jvp(tangents: Any, y: Any, *args: Any, **static: Any) -> Any:
        moving = [i for i, t in enumerate(tangents) if t is not None]

        def pull_back(seeds: Any) -> Any:
            cotangents = vjp(seeds[0], y, *args, **static)
            return [np.zeros(np.shape(args[i])) if cotangents[i] is None else cotangents[i] for i in moving]

        return _transpose(pull_back, (y,), [tangents[i] for i in moving])[0]

    return vjp, jvp


def _rules_of_jvp(name: str, rule: Callable[..., Any]) -> tuple[Any, Any]:
    def jvp(tangents: Any, y: Any, *args: Any, **static: Any) -> Any:
        filled = tuple(np.zeros(np.shape(a)) if t is None else t for t, a in zip(tangents, args, strict=True))
        with _traced_rule(name):
            tangent = rule(filled, y, *args, **static)
        return _checked(name, tangent, y, "a tangent")

    def vjp(g: Any, y: Any, *args: Any, **static: Any) -> tuple[Any, ...]:
        return tuple(_transpose(lambda tangents: jvp(tangents, y, *args, **static), args, g))

    return vjp, jvp
