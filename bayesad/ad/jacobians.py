"""Jacobians and Hessians: dense ones by a pass for each direction, sparse ones by a pass for each colour."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from bayesad.ad import trees
from bayesad.ad.array import is_traced
from bayesad.ad.compiled import VALUE, Compiled, Path, compile_once
from bayesad.ad.operators import Forward, Mode, Reverse, active, gradient, jvp
from bayesad.ad.passes import AT_ONCE, blocks, joined, pulled, pushed, split, units
from bayesad.errors import DerivativeError

if TYPE_CHECKING:
    from bayesad.ad.sparsity import Sparsity

__all__ = ["hessian", "hvp", "jacobian"]


def jacobian(f: Callable[..., Any], x: Any, *, mode: Mode | None = None, sparsity: Any = None) -> Any:
    """All first derivatives of a function between trees of arrays.

    Parameters
    ----------
    f : callable
    x : tree of arrays
    mode : Forward, Reverse or None
        None chooses the one that needs fewer passes.
    sparsity : array, scipy.sparse array or ad.Sparsity, optional
        Where the derivatives of the results (rows) by the inputs (columns) can be other than zero. Rows or columns
        that do not meet share a pass. An `ad.Sparsity` keeps what it finds out about the pattern for the next call.

    Returns
    -------
    tree as the result of ``f`` with, at each leaf, a tree as ``x``
        Leaves have the shape of the output leaf followed by that of the input leaf.
    scipy.sparse.csr_array, shape (n_out, n_in)
        Where the sparsity is given.

    Raises
    ------
    DerivativeError
        If the pattern has another shape, or misses entries (found out by one more pass, in a random direction).
    """
    compiled = compile_once(f)
    x = active(x)
    leaves, rebuild, _ = trees.flatten(x)
    path, _ = compiled.outputs((x,), VALUE)
    inputs, outputs = [np.shape(leaf) for leaf in leaves], [node.shape for node in path.traced.outputs]
    n_in, n_out = sum(map(math.prod, inputs)), sum(map(math.prod, outputs))
    at_once = AT_ONCE if isinstance(f, Compiled) else 1
    if sparsity is not None:
        return _sparse_jacobian(compiled, x, path, mode, sparsity, at_once)
    if mode is None:
        mode = Forward if n_in < n_out else Reverse
    if mode is Forward:
        found = blocks(pushed(compiled, x, units(inputs), min(at_once, n_in)), 1, outputs, inputs)
    else:
        found = blocks(pulled(path, leaves, units(outputs)), 0, outputs, inputs)
    return path.rebuild(iter([rebuild(iter(row)) for row in found]))


def _sparse_jacobian(compiled: Compiled, x: Any, path: Path, mode: Mode | None, pattern: Any, at_once: int) -> Any:
    from bayesad.ad import sparsity as sp

    leaves = trees.flatten(x)[0]
    inputs, outputs = [np.shape(leaf) for leaf in leaves], [node.shape for node in path.traced.outputs]
    sparsity = _fitting(pattern, sum(map(math.prod, outputs)), sum(map(math.prod, inputs)))
    if any(map(is_traced, leaves)):
        raise DerivativeError("a sparse Jacobian is an array of SciPy's and cannot be differentiated further")

    def push(directions: Sequence[np.ndarray]) -> list[Any]:
        apart = [split(direction, inputs) for direction in directions]
        return [joined(t) for t in pushed(compiled, x, apart, min(at_once, len(apart)))]

    def pull(seeds: Sequence[np.ndarray]) -> list[Any]:
        return [joined(t) for t in pulled(path, leaves, [split(seed, outputs) for seed in seeds])]

    if mode is None:
        fewer_rows = sparsity.row_colours.max(initial=0) < sparsity.column_colours.max(initial=0)
        mode = Reverse if fewer_rows else Forward
    if mode is Forward:
        values = sp.compressed(sparsity, sparsity.column_colours, push, by_rows=False)
    else:
        values = sp.compressed(sparsity, sparsity.row_colours, pull, by_rows=True)
    sp.check_entries(sparsity, values, lambda v: push([v])[0])
    return sparsity.matrix(values)


def _fitting(pattern: Any, n_out: int, n_in: int) -> Sparsity:
    from bayesad.ad.sparsity import Sparsity

    sparsity = Sparsity.of(pattern)
    if sparsity.shape != (n_out, n_in):
        raise DerivativeError(
            f"the sparsity pattern has shape {sparsity.shape}, but the function has {n_out} results and {n_in} inputs"
        )
    return sparsity


_gradients: WeakKeyDictionary[Compiled, Compiled] = WeakKeyDictionary()


def _gradient_function(f: Callable[..., Any]) -> Callable[..., Any]:
    """The gradient as a function; that of a compiled function is compiled, too, and kept."""
    if not isinstance(f, Compiled):
        return lambda p: gradient(f, p)
    if f not in _gradients:
        function = f.function
        _gradients[f] = Compiled(lambda p: gradient(function, p), f"{f.__name__}.gradient", f.rewrites)
    return _gradients[f]


def hvp(f: Callable[..., Any], x: Any, v: Any) -> Any:
    """Hessian-vector product of a scalar function: forward over reverse. A tree as ``x``."""
    return jvp(_gradient_function(f), x, v)[1]


def hessian(f: Callable[..., Any], x: Any, *, sparsity: Any = None) -> Any:
    """All second derivatives of a scalar function: a tree as ``x`` of trees as ``x``; forward over reverse.

    Parameters
    ----------
    f : callable
    x : tree of arrays
    sparsity : array, scipy.sparse array or ad.Sparsity, optional
        Where second derivatives can be other than zero: symmetric, with a row and column for each number in ``x``.

    Returns
    -------
    tree of trees, or scipy.sparse.csr_array where the sparsity is given
    """
    slope = _gradient_function(f)
    if sparsity is None:
        return jacobian(slope, x, mode=Forward)
    from bayesad.ad import sparsity as sp

    x = active(x)
    shapes = [np.shape(leaf) for leaf in trees.flatten(x)[0]]
    n = sum(map(math.prod, shapes))
    pattern = _fitting(sparsity, n, n)
    compiled = compile_once(slope)
    at_once = AT_ONCE if isinstance(f, Compiled) else 1

    def push(directions: Sequence[np.ndarray]) -> list[Any]:
        apart = [split(direction, shapes) for direction in directions]
        return [joined(t) for t in pushed(compiled, x, apart, min(at_once, len(apart)))]

    values = sp.symmetric(pattern, push)
    sp.check_entries(pattern, values, lambda v: push([v])[0])
    return pattern.matrix(values)
