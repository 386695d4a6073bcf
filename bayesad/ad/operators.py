"""What users call: gradient, jvp, vjp, jacobian, hessian, hvp, made of the forward and reverse programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesad.ad import trees
from bayesad.ad.array import is_traced
from bayesad.ad.compiled import VALUE, Compiled, Path, Wanted, compile_once, scalar_output
from bayesad.ad.compiled import compile as compile_function
from bayesad.ad.primitives import elementwise as ew
from bayesad.errors import DerivativeError

__all__ = [
    "Forward",
    "Mode",
    "Reverse",
    "gradient",
    "hessian",
    "hvp",
    "inspect",
    "jacobian",
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


def _active(x: Any) -> Any:
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
    compiled = compile_once(f)
    x = _active(x)
    leaves, rebuild, _ = trees.flatten(x)
    if mode is Forward:
        path, values = compiled.outputs((x,), VALUE)
        scalar_output(path.traced)
        columns = _tangent_columns(compiled, x, leaves)
        parts = [
            np.reshape(np.stack([column[0] for column in group]), np.shape(leaf)) if group else np.zeros(np.shape(leaf))
            for leaf, group in zip(leaves, columns, strict=True)
        ]
        return np.reshape(values[0], ()), rebuild(iter(parts))

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
    x = _active(x)
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
    x = _active(x)
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


def _tangent_columns(compiled: Compiled, x: Any, leaves: list[Any]) -> list[list[list[Any]]]:
    """For each leaf and each of its elements: the tangents of all outputs."""
    zeros = [np.zeros(np.shape(leaf)) for leaf in leaves]
    columns: list[list[list[Any]]] = []
    for i, leaf in enumerate(leaves):
        group = []
        for k in range(int(np.size(leaf))):
            seed = np.zeros(np.size(leaf))
            seed[k] = 1.0
            direction = [*zeros[:i], seed.reshape(np.shape(leaf)), *zeros[i + 1 :]]
            path, outputs = compiled.outputs((x,), Wanted("forward", len(leaves)), direction)
            group.append(outputs[len(path.traced.outputs) :])
        columns.append(group)
    return columns


def _cotangent_rows(path: Path, leaves: list[Any]) -> list[list[list[Any]]]:
    """For each output and each of its elements: the cotangents of all leaves."""
    outputs = path.traced.outputs
    zeros = [np.zeros(node.shape) for node in outputs]
    rows: list[list[list[Any]]] = []
    for i, node in enumerate(outputs):
        group = []
        for k in range(node.size):
            seed = np.zeros(node.size)
            seed[k] = 1.0
            seeds = [*zeros[:i], seed.reshape(node.shape), *zeros[i + 1 :]]
            results = path.run(Wanted("reverse", len(leaves)), [*leaves, *seeds])
            group.append(results[len(outputs) :])
        rows.append(group)
    return rows


def jacobian(f: Callable[..., Any], x: Any, *, mode: Mode | None = None) -> Any:
    """All first derivatives of a function between trees of arrays.

    Parameters
    ----------
    f : callable
    x : tree of arrays
    mode : Forward, Reverse or None
        None chooses the one that needs fewer passes.

    Returns
    -------
    tree as the result of ``f`` with, at each leaf, a tree as ``x``
        Leaves have the shape of the output leaf followed by that of the input leaf.
    """
    compiled = compile_once(f)
    x = _active(x)
    leaves, rebuild, _ = trees.flatten(x)
    path, _ = compiled.outputs((x,), VALUE)
    outputs = path.traced.outputs
    n_in, n_out = sum(int(np.size(leaf)) for leaf in leaves), sum(node.size for node in outputs)
    if mode is None:
        mode = Forward if n_in < n_out else Reverse
    blocks: list[list[Any]] = []
    if mode is Forward:
        columns = _tangent_columns(compiled, x, leaves)
        for j, node in enumerate(outputs):
            blocks.append(
                [
                    _from_columns([c[j] for c in group], node.shape, np.shape(leaf))
                    for leaf, group in zip(leaves, columns, strict=True)
                ]
            )
    else:
        rows = _cotangent_rows(path, leaves)
        for node, group in zip(outputs, rows, strict=True):
            blocks.append(
                [
                    np.reshape(np.stack([row[i] for row in group]), node.shape + np.shape(leaf))
                    if group
                    else np.zeros(node.shape + np.shape(leaf))
                    for i, leaf in enumerate(leaves)
                ]
            )
    return path.rebuild(iter([rebuild(iter(block)) for block in blocks]))


def _from_columns(columns: list[Any], out: tuple[int, ...], into: tuple[int, ...]) -> Any:
    if not columns:
        return np.zeros(out + into)
    return np.reshape(np.stack(columns, axis=-1), out + into)


def hvp(f: Callable[..., Any], x: Any, v: Any) -> Any:
    """Hessian-vector product of a scalar function: forward over reverse. A tree as ``x``."""
    return jvp(lambda p: gradient(f, p), x, v)[1]


def hessian(f: Callable[..., Any], x: Any) -> Any:
    """All second derivatives of a scalar function: a tree as ``x`` of trees as ``x``; forward over reverse."""
    return jacobian(lambda p: gradient(f, p), x, mode=Forward)


def stop_gradient(x: Any) -> Any:
    """``x`` as a constant for derivatives (leaf by leaf)."""
    from bayesad.ad.array import bind

    return trees.tree_map(lambda leaf: bind(ew.stop_gradient, (leaf,)) if is_traced(leaf) else leaf, x)


def inspect(f: Callable[..., Any], x: Any, stage: str = "trace") -> str:
    """A stage of compilation as text.

    Parameters
    ----------
    f : callable
    x : tree, or tuple of activities
        The argument of f; or all its arguments, among them ``ad.Duplicated``, ``ad.Active`` and ``ad.Const`` as for
        ``ad.autodiff``: then the gradient is that of reverse mode with these.
    stage : "trace", "gradient", "fused", "llvm" or "asm"
        The simplified program of ``f`` at ``x``; that of its value and gradient; the loops that these are fused into,
        with what is left to NumPy; the LLVM text, before LLVM optimises it; or the assembly for this machine.
        What rewrites did comes first.
    """
    from bayesad.ad.activity import has_activities, path_of
    from bayesad.ad.backends.llvm import inspection

    compiled = compile_function(f)
    if has_activities(x):
        path, wanted = path_of(compiled, x)
    else:
        x = _active(x)
        path, wanted = compiled.path(x), Wanted("reverse", len(trees.flatten(x)[0]), seed=True)
    comment = ";" if stage == "llvm" else "#"
    notes = "".join(f"{comment} {note}\n" for note in path.notes)
    if stage == "trace":
        return notes + str(path.program)
    if stage == "gradient" or stage in inspection.STAGES:
        program = path.derived(wanted)
        return notes + (str(program) if stage == "gradient" else inspection.show(program, stage))
    known = ", ".join(map(repr, ("trace", "gradient", *inspection.STAGES)))
    raise DerivativeError(f"unknown stage {stage!r}; choose one of {known}")
