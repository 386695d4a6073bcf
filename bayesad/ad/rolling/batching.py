"""Operations along a new first axis: a primitive applied to many operands of one kind at once, by one rule for each.

A rule gets the operands as (value, batched) pairs: a batched value has a first axis of length n more than the
primitive expects; others are the same for all n. It returns the batched result, or None where this cannot be said with
the primitives there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayesad.ad.array import bind
from bayesad.ad.primitives.indexing import Index, index_set, scatter, take
from bayesad.ad.primitives.shaping import broadcast_to, concatenate, reshape, transpose
from bayesad.ad.primitives.table import Primitive

__all__ = ["Operand", "batched"]

Operand = tuple[Any, bool]
Rule = Callable[..., Any]
RULES: dict[str, Rule] = {}


def batched(primitive: Primitive, operands: Sequence[Operand], attributes: dict[str, Any], n: int) -> Any:
    """The results of a primitive for n operands along a first axis, or None."""
    if primitive.elementwise:
        return _elementwise(primitive, operands, attributes)
    found = RULES.get(primitive.name)
    return None if found is None else found(primitive, operands, n, **attributes)


def can_batch(primitive: Primitive) -> bool:
    """Whether there is a rule (which may still decline)."""
    return primitive.elementwise or primitive.name in RULES


def _rule(*names: str) -> Callable[[Rule], Rule]:
    def register(f: Rule) -> Rule:
        for name in names:
            RULES[name] = f
        return f

    return register


def _own_shape(operand: Operand) -> tuple[int, ...]:
    """The shape of one of the operands."""
    value, is_batched = operand
    return np.shape(value)[1:] if is_batched else np.shape(value)


def _aligned(operand: Operand, ndim: int) -> Any:
    """An operand that broadcasts against others of up to ``ndim`` axes behind the batch's."""
    value, is_batched = operand
    shape = _own_shape(operand)
    if not is_batched or len(shape) == ndim:
        return value
    return reshape(value, (np.shape(value)[0], *(1,) * (ndim - len(shape)), *shape))


def _elementwise(primitive: Primitive, operands: Sequence[Operand], attributes: dict[str, Any]) -> Any:
    ndim = max(len(_own_shape(o)) for o in operands)
    return bind(primitive, tuple([_aligned(o, ndim) for o in operands]), attributes)


def _whole(operand: Operand, n: int) -> Any:
    """An operand with the batch's axis, repeated if it has none."""
    value, is_batched = operand
    return value if is_batched else broadcast_to(reshape(value, (1, *np.shape(value))), (n, *np.shape(value)))


@_rule("sum", "prod", "max", "min", "logsumexp", "any", "all")
def _reduction(primitive: Primitive, operands: Sequence[Operand], n: int, axes: tuple[int, ...]) -> Any:
    return bind(primitive, (operands[0][0],), {"axes": tuple(axis + 1 for axis in axes)})


@_rule("cumsum", "cumprod", "argmax", "argmin", "argsort")
def _along(primitive: Primitive, operands: Sequence[Operand], n: int, axis: int) -> Any:
    return bind(primitive, (operands[0][0],), {"axis": axis + 1})


@_rule("flip")
def _flip(primitive: Primitive, operands: Sequence[Operand], n: int, axes: tuple[int, ...]) -> Any:
    return bind(primitive, (operands[0][0],), {"axes": tuple(axis + 1 for axis in axes)})


@_rule("reshape")
def _reshape(primitive: Primitive, operands: Sequence[Operand], n: int, shape: tuple[int, ...]) -> Any:
    return reshape(operands[0][0], (n, *shape))


@_rule("broadcast_to")
def _broadcast(primitive: Primitive, operands: Sequence[Operand], n: int, shape: tuple[int, ...]) -> Any:
    return broadcast_to(_aligned(operands[0], len(shape)), (n, *shape))


@_rule("transpose")
def _transpose(primitive: Primitive, operands: Sequence[Operand], n: int, axes: tuple[int, ...]) -> Any:
    return transpose(operands[0][0], (0, *[axis + 1 for axis in axes]))


@_rule("stack")
def _stack(primitive: Primitive, operands: Sequence[Operand], n: int) -> Any:
    rows = [_whole(o, n) for o in operands]
    return concatenate([reshape(row, (n, 1, *np.shape(row)[1:])) for row in rows], 1)


@_rule("concatenate")
def _concatenate(primitive: Primitive, operands: Sequence[Operand], n: int, axis: int) -> Any:
    return concatenate([_whole(o, n) for o in operands], axis + 1)


@_rule("take")
def _take(primitive: Primitive, operands: Sequence[Operand], n: int, index: Index) -> Any:
    (source, is_batched), *arrays = operands
    if is_batched and not any(b for _, b in arrays) and _stays_in_place(index):
        return bind(take, (source, *[a for a, _ in arrays]), {"index": _behind_a_slice(index)})
    if not is_batched and all(item == "array" for item in index.items):
        ndim = max(len(_own_shape(a)) for a in arrays)
        return bind(take, (source, *[_aligned(a, ndim) for a in arrays]), {"index": index})
    return None


@_rule("scatter")
def _scatter(primitive: Primitive, operands: Sequence[Operand], n: int, index: Index, shape: tuple[int, ...]) -> Any:
    (value, is_batched), *arrays = operands
    if not is_batched or any(b for _, b in arrays) or not _stays_in_place(index):
        return None
    return bind(scatter, (value, *[a for a, _ in arrays]), {"index": _behind_a_slice(index), "shape": (n, *shape)})


@_rule("index_set")
def _index_set(primitive: Primitive, operands: Sequence[Operand], n: int, index: Index) -> Any:
    target, new, *arrays = operands
    if any(b for _, b in arrays) or not _stays_in_place(index):
        return None
    taken = index.resolve(tuple([np.zeros(np.shape(a), dtype=np.int64) for a, _ in arrays]))
    ndim = np.broadcast_to(np.False_, _own_shape(target))[taken].ndim
    value = _aligned(new, ndim)
    return bind(index_set, (_whole(target, n), value, *[a for a, _ in arrays]), {"index": _behind_a_slice(index)})


def _behind_a_slice(index: Index) -> Index:
    return Index((("slice", None, None, None), *index.items))


def _stays_in_place(index: Index) -> bool:
    """Whether the axes that arrays give stay where the arrays stand: they do unless something stands between them."""
    taking = [i for i, item in enumerate(index.items) if item == "array" or type(item) is int]
    return "array" not in index.items or taking == list(range(taking[0], taking[-1] + 1))


@_rule("matmul")
def _matmul(primitive: Primitive, operands: Sequence[Operand], n: int) -> Any:
    a, b = operands
    rows, columns = len(_own_shape(a)) == 2, len(_own_shape(b)) == 2
    if len(_own_shape(a)) > 2 or len(_own_shape(b)) > 2:
        return None
    if rows and columns:
        return np.matmul(a[0], b[0])
    if not rows and not columns:
        return np.sum(_whole(a, n) * _whole(b, n), axis=-1)
    if columns:  # vector @ matrix
        return np.matmul(a[0], b[0]) if not b[1] else np.sum(np.swapaxes(b[0], -1, -2) * _row_wise(a, n), axis=-1)
    if not a[1]:  # matrix @ vectors
        return np.matmul(b[0], np.transpose(a[0]))
    return np.sum(a[0] * _row_wise(b, n), axis=-1)


def _row_wise(vector: Operand, n: int) -> Any:
    """Vectors that broadcast against the rows of matrices."""
    value, is_batched = vector
    return reshape(value, (n, 1, np.shape(value)[1])) if is_batched else value
