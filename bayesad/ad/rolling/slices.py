"""Simplifications of slices: a slice of arrays put together is a slice of one of them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from bayesad.ad.array import TracedArray
from bayesad.ad.primitives.indexing import Index
from bayesad.ad.program import CONSTANT, Node
from bayesad.ad.simplify import rule
from bayesad.ad.trace import Trace

__all__ = ["cast_back", "read_what_was_written", "set_rows", "slice_of_concatenate", "slice_of_slice"]

MOST_WRITES = 64  # that a read looks back through


def _array(trace: Trace, node: Node) -> Any:
    return node.value if node.primitive is CONSTANT else TracedArray(trace, node)


def _bounds(index: Index, shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Begin and end along the first axis of an index that is one slice without steps, or one integer."""
    if not index.items:
        return None
    item = index.items[0]
    if type(item) is int:
        return item, item + 1
    if type(item) is not tuple:
        return None
    start, stop, step = slice(*item[1:]).indices(shape[0])
    return (start, stop) if step == 1 and start < stop else None


@rule("take")
def slice_of_concatenate(trace: Trace, a: Node, *arrays: Node, index: Index) -> Any:
    """``concatenate([x, y, …])[i:j]`` is taken from those of x, y, … that it meets."""
    if a.primitive.name != "concatenate" or a.attributes["axis"] != 0 or arrays:
        return None
    bounds = _bounds(index, a.shape)
    if bounds is None:
        return None
    begin, end = bounds
    parts = []
    ends = list(itertools.accumulate((part.shape[0] for part in a.inputs), initial=0))
    for part, start, stop in zip(a.inputs, ends, ends[1:], strict=False):
        low, high = max(begin, start), min(end, stop)
        if low < high:
            whole = (low, high) == (start, stop)
            parts.append(_array(trace, part) if whole else _array(trace, part)[low - start : high - start])
    if len(parts) == len(a.inputs) and (begin, end) == (0, a.shape[0]) and type(index.items[0]) is not int:
        return None
    taken = parts[0] if len(parts) == 1 else np.concatenate(parts)
    if type(index.items[0]) is int:
        return taken[(0, *_rest(index))]
    return taken[(slice(None), *_rest(index))] if len(index.items) > 1 else taken


def _rest(index: Index) -> tuple[Any, ...]:
    return index.resolve(())[1:]


@rule("take")
def slice_of_slice(trace: Trace, a: Node, *arrays: Node, index: Index) -> Any:
    """``x[i:j][k:l]`` is one slice of x."""
    if a.primitive.name != "take" or len(a.inputs) > 1 or arrays or len(a.attributes["index"].items) != 1:
        return None
    inner = a.attributes["index"]
    outer_bounds = _bounds(index, a.shape)
    if type(inner.items[0]) is not tuple or outer_bounds is None:
        return None
    inner_bounds = _bounds(inner, a.inputs[0].shape)
    if inner_bounds is None:
        return None
    begin = inner_bounds[0] + outer_bounds[0]
    first = begin if type(index.items[0]) is int else slice(begin, inner_bounds[0] + outer_bounds[1])
    return _array(trace, a.inputs[0])[(first, *_rest(index))]


@rule("take")
def read_what_was_written(trace: Trace, a: Node, *arrays: Node, index: Index) -> Any:
    """``a[i]`` after ``a[i] = v`` is v, and what it was before ``a[j] = v`` for another j."""
    if a.primitive.name != "index_set" or arrays or None in index.items:
        return None
    source = a
    for _ in range(MOST_WRITES):
        if source.primitive.name != "index_set" or len(source.inputs) > 2:
            break
        written: Index = source.attributes["index"]
        if None in written.items:
            break
        if written == index and source.dtype == source.inputs[1].dtype:
            taken = np.broadcast_to(np.False_, source.shape)[index.resolve(())].shape
            return np.broadcast_to(_array(trace, source.inputs[1]), taken)
        apart = [type(x) is int and type(y) is int and x != y for x, y in zip(written.items, index.items, strict=False)]
        if not any(apart):
            break
        source = source.inputs[0]
    return None if source is a else _array(trace, source)[index.resolve(())]


@rule("index_set")
def set_rows(trace: Trace, a: Node, v: Node, *arrays: Node, index: Index) -> Any:
    """``a[i:j] = v``, or the same by consecutive row numbers, is ``a`` cut up and put together with ``v`` inside."""
    if a.dtype != v.dtype or v.shape[1:] != a.shape[1:] or len(index.items) > 1:
        return None
    if not index.items:
        return v if v.shape == a.shape else None
    if index.items[0] == "array":
        rows = arrays[0].value if arrays[0].primitive is CONSTANT else None
        if rows is None or rows.ndim != 1 or not rows.size or rows[0] < 0 or np.any(np.diff(rows) != 1):
            return None
        begin, end = int(rows[0]), int(rows[-1]) + 1
    else:
        bounds = None if type(index.items[0]) is int else _bounds(index, a.shape)
        if bounds is None:
            return None
        begin, end = bounds
    if v.shape != (end - begin, *a.shape[1:]):
        return None
    whole, inside = _array(trace, a), _array(trace, v)
    parts = [whole[:begin]] * (begin > 0) + [inside] + [whole[end:]] * (end < a.shape[0])
    return inside if len(parts) == 1 else np.concatenate(parts)


@rule("cast")
def cast_back(trace: Trace, a: Node, dtype: np.dtype) -> Any:
    """Integers and booleans cast to float64 and back are what they were."""
    narrow = a.primitive.name == "cast" and a.dtype == np.float64 and a.inputs[0].dtype == dtype
    return a.inputs[0] if narrow else None
