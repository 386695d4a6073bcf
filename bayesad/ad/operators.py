"""What users call: gradient, jvp and vjp, made of the forward and reverse programs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bayesad.ad import trees
from bayesad.ad.array import is_traced
from bayesad.ad.compiled import VALUE, Compiled, Wanted, compile_once, scalar_output
from bayesad.ad.passes import AT_ONCE, pushed, split, units
from bayesad.ad.primitives import elementwise as ew
from bayesad.errors import DerivativeError

__all__ = [
    "Forward",
    "Mode",
    "Reverse",
    "active",
    "check_mode",
    "gradient",
    "jvp",
    "stop_gradient",
    "value_and_gradient",
    "vjp",
]


class Mode:
    """The direction in which derivatives are carried through a program."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


Reverse = Mode("Reverse")
Forward = Mode("Forward")


def active(x: Any) -> Any:
    """The argument with its leaves as float64; integer arrays are refused."""
    if type(x) is np.ndarray and x.dtype == np.float64:
        return x
    for path, leaf in trees.leaves_with_paths(x):
        if is_traced(leaf):
            if leaf.dtype.kind != "f":
                raise DerivativeError(f"{path} is a traced array of dtype {leaf.dtype}; derivatives need float64")
            continue
        array = np.asarray(leaf)
        if array.dtype.kind not in "fiu" or (array.dtype.kind in "iu" and array.ndim > 0):
            raise DerivativeError(
                f"{path} has dtype {array.dtype}, which cannot vary smoothly; pass it as float64 (x.astype(float)), "
                "or close over it if it is data"
            )
    return trees.tree_map(lambda leaf: leaf if is_traced(leaf) else np.asarray(leaf, dtype=np.float64), x)


def check_mode(mode: Any) -> None:
    """DerivativeError unless it is one of the two modes."""
    if mode is not Forward and mode is not Reverse:
        raise DerivativeError(f"the mode is ad.Reverse or ad.Forward, not {mode!r}")


def value_and_gradient(f: Callable[..., Any], x: Any, *, mode: Mode = Reverse) -> tuple[Any, Any]:
    """The value of a scalar function and its derivative with respect to every leaf of its argument.

    Parameters
    ----------
    f : callable or Compiled
        ``f(x) -> scalar``; ordinary NumPy code. A compiled function (``ad.compile``) keeps its gradient program.
    x : tree of arrays or floats
        dict, list, tuple, NamedTuple or dataclass, nested.
    mode : Reverse or Forward
        Forward costs one pass per scalar input.

    Returns
    -------
    value : float
    gradient : tree as ``x``

    Raises
    ------
    DerivativeError
        If the result is not a scalar, an input is not of float type, or an operation has no derivative rule.
    """
    check_mode(mode)
    compiled = compile_once(f)
    x = active(x)
    leaves, rebuild, _ = trees.flatten(x)
    if mode is Forward:
        path, values = compiled.outputs((x,), VALUE)
        scalar_output(path.traced)
        shapes = [np.shape(leaf) for leaf in leaves]
        at_once = min(AT_ONCE, sum(map(math.prod, shapes))) if isinstance(f, Compiled) else 1
        slopes = [np.reshape(column[0], ()) for column in pushed(compiled, x, units(shapes), at_once)]
        return np.reshape(values[0], ()), rebuild(
            iter([a[()] for a in split(np.stack(slopes), shapes)] if slopes else map(np.zeros, shapes))
        )

    _, outputs = compiled.outputs((x,), Wanted("reverse", len(leaves), seed=True))
    value, *cotangents = outputs
    if np.ndim(value):
        value = np.reshape(value, ())[()]
    return value, rebuild(iter(cotangents))


def gradient(f: Callable[..., Any], x: Any, *, mode: Mode = Reverse) -> Any:
    """The derivative of a scalar function with respect to every leaf of its argument: a tree as ``x``.

    See Also
    --------
    value_and_gradient : parameters and errors.
    """
    return value_and_gradient(f, x, mode=mode)[1]


def jvp(f: Callable[..., Any], x: Any, v: Any) -> tuple[Any, Any]:
    """Value and directional derivative (Jacobian-vector product), by forward mode.

    Parameters
    ----------
    f : callable
        From a tree of arrays to a tree of arrays.
    x, v : trees of the same structure and shapes
        The point and the direction.

    Returns
    -------
    value, tangent : trees as the result of ``f``

    Raises
    ------
    DerivativeError
        If ``v`` does not have the structure and shapes of ``x``.
    """
    compiled = compile_once(f)
    x = active(x)
    leaves, _, structure = trees.flatten(x)
    direction = _like(v, x, structure, "the direction v", "the point x")
    path, outputs = compiled.outputs((x,), Wanted("forward", len(leaves)), direction)
    n = len(path.traced.outputs)
    return path.rebuild(iter(outputs[:n])), path.rebuild(iter(outputs[n:]))


def vjp(f: Callable[..., Any], x: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Value and the function from cotangents of the result to cotangents of ``x``, by reverse mode.

    Returns
    -------
    value : tree as the result of ``f``
    pull_back : callable
        ``pull_back(w)`` takes a tree as ``value`` and returns a tree as ``x``.
    """
    compiled = compile_once(f)
    x = active(x)
    leaves, rebuild, _ = trees.flatten(x)
    path, outputs = compiled.outputs((x,), VALUE)
    value = path.rebuild(iter(outputs))
    structure = trees.flatten(value)[2]

    def pull_back(w: Any) -> Any:
        seeds = _like(w, value, structure, "the cotangent w", "the value")
        results = path.run(Wanted("reverse", len(leaves)), [*leaves, *seeds])
        return rebuild(iter(results[len(path.traced.outputs) :]))

    return value, pull_back


def _like(given: Any, model: Any, structure: Any, what: str, of: str) -> list[Any]:
    leaves, _, found = trees.flatten(given)
    if found != structure:
        raise DerivativeError(
            f"{what} must have the structure of {of}; found {type(given).__name__} of {len(leaves)} leaves"
        )
    for (path, expected), leaf in zip(trees.leaves_with_paths(model), leaves, strict=True):
        if np.shape(leaf) != np.shape(expected):
            raise DerivativeError(f"{what}: {path} has shape {np.shape(leaf)} where {of} has {np.shape(expected)}")
    return [leaf if is_traced(leaf) else np.asarray(leaf, dtype=np.float64) for leaf in leaves]


def stop_gradient(x: Any) -> Any:
    """``x`` as a constant for derivatives (leaf by leaf)."""
    from bayesad.ad.array import bind

    return trees.tree_map(lambda leaf: bind(ew.stop_gradient, (leaf,)) if is_traced(leaf) else leaf, x)
