"""Indexing primitives: reading, setting and scattering at basic and advanced indices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bayesad.ad.primitives.shaping import fits
from bayesad.ad.primitives.table import define, require_shapes

__all__ = ["Index", "getitem", "index_set", "is_basic", "scatter", "setitem", "take"]


_WHOLE = ("slice", None, None, None)


class Index:
    """A NumPy index split into a static part and the positions where integer arrays go. Hashable.

    ``items`` has ints, None (a new axis), ``("slice", start, stop, step)`` and ``"array"``.
    """

    __slots__ = ("_basic", "items")

    def __init__(self, items: tuple[Any, ...]) -> None:
        self.items = items
        basic = [slice(*item[1:]) if type(item) is tuple else item for item in items]
        self._basic = tuple(basic)

    def resolve(self, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        """The index as NumPy takes it."""
        if not arrays:
            return self._basic
        remaining = iter(arrays)
        return tuple(next(remaining) if type(item) is str else item for item in self._basic)

    def block(self, shape: tuple[int, ...]) -> int | None:
        """Where what is taken of an array begins, if it is consecutive elements in their order; else None."""
        begin, rest, is_open = 0, math.prod(shape), False
        lengths = iter(shape)
        for item in self.items:
            if item is None:
                continue
            if type(item) is str:
                return None
            n = next(lengths)
            rest //= max(n, 1)
            start, stop, step = (item % n, item % n + 1, 1) if type(item) is int else slice(*item[1:]).indices(n)
            if step != 1 or stop <= start or (is_open and stop - start < n):
                return None
            begin += start * rest
            is_open = is_open or stop - start > 1
        return begin

    @property
    def integers(self) -> tuple[int, ...] | None:
        """The items if all are plain integers, else None."""
        return self.items if all(type(item) is int for item in self.items) else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Index) and self.items == other.items

    def __hash__(self) -> int:
        return hash(self.items)

    def __repr__(self) -> str:
        def show(item: Any) -> str:
            if type(item) is tuple:
                start, stop, step = ("" if x is None else str(x) for x in item[1:])
                return f"{start}:{stop}" + (f":{step}" if step else "")
            return "·" if type(item) is str else str(item)

        return f"[{', '.join(map(show, self.items))}]"


def is_basic(index: Any) -> bool:
    """Whether NumPy answers this index with a view."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        p is None or p is Ellipsis or (isinstance(p, (slice, int, np.integer)) and not isinstance(p, (bool, np.bool_)))
        for p in parts
    )


def parse(index: Any, shape: tuple[int, ...]) -> tuple[Index, list[Any]]:
    """Split an index into its static part and its integer arrays (plain or traced)."""
    items = _basic_items(index if type(index) is tuple else (index,), shape)
    if items is not None:
        return _trimmed(items), []
    from bayesad.ad.array import TracedArray, guarded, is_traced, value_of

    parts = list(index) if isinstance(index, tuple) else [index]
    parts = [value_of(p) if isinstance(p, TracedArray) else p for p in parts]
    expanded: list[Any] = []
    for p in parts:
        if is_traced(p):
            p = guarded(p) if p.dtype == np.bool_ else p
        elif isinstance(p, list):
            p = np.asarray(p) if p else np.zeros(0, dtype=np.int64)
        elif hasattr(p, "__array__"):  # of pandas, for one
            p = np.asarray(p)
        if isinstance(p, (bool, np.bool_)) or (isinstance(p, np.ndarray) and p.dtype == np.bool_):
            expanded.extend(_mask_positions(np.asarray(p), shape, expanded))
        else:
            expanded.append(p)
    taken = sum(1 for p in expanded if p is not None and p is not Ellipsis)
    if taken > len(shape):
        raise IndexError(f"too many indices for an array of shape {shape}: {taken} were given")
    if not any(p is Ellipsis for p in expanded):
        expanded.append(Ellipsis)
    items, arrays, axis = [], [], 0
    for p in expanded:
        if p is Ellipsis:
            for _ in range(len(shape) - taken):
                items.append(_WHOLE)
                axis += 1
        elif p is None:
            items.append(None)
        elif isinstance(p, slice):
            items.append(_slice(p))
            axis += 1
        elif isinstance(p, (int, np.integer)) or (isinstance(p, np.ndarray) and p.ndim == 0 and p.dtype.kind in "iu"):
            items.append(_position(int(p), shape, axis))
            axis += 1
        else:
            if p.dtype.kind not in "iu":
                raise IndexError(f"an index array must hold integers or booleans; found dtype {p.dtype}{_instead(p)}")
            items.append("array")
            arrays.append(p)
            axis += 1
    return _trimmed(items), arrays


def _instead(index: Any) -> str:
    if index.dtype.kind in "UO":
        return ", such as np.unique(labels, return_inverse=True)[1] makes of labels"
    return ": use index.astype(int)" if index.dtype.kind == "f" else ""


def _basic_items(parts: tuple[Any, ...], shape: tuple[int, ...]) -> list[Any] | None:
    """The items of an index of ints, slices and new axes, the most frequent ones; None for others."""
    items: list[Any] = []
    axis = 0
    for p in parts:
        if p is None:
            items.append(None)
            continue
        if axis == len(shape):
            return None
        if type(p) is int:
            items.append(_position(p, shape, axis))
        elif type(p) is slice:
            items.append(_slice(p))
        else:
            return None
        axis += 1
    return items


def _trimmed(items: list[Any]) -> Index:
    """The index without whole axes at its end."""
    while items and items[-1] == _WHOLE:
        items.pop()
    return Index(tuple(items))


def _slice(p: slice) -> tuple[str, int | None, int | None, int | None]:
    start, stop, step = p.start, p.stop, p.step
    return (
        "slice",
        None if start is None else int(start),
        None if stop is None else int(stop),
        None if step is None else int(step),
    )


def _position(p: int, shape: tuple[int, ...], axis: int) -> int:
    """A position on an axis, counted from its front."""
    n = shape[axis]
    if not -n <= p < n:
        raise IndexError(f"index {p} is out of bounds for axis {axis} of length {n}")
    return p % n


def _mask_positions(mask: np.ndarray, shape: tuple[int, ...], before: list[Any]) -> list[Any]:
    """The positions where a mask of data holds, as one index array per axis of the mask."""
    if mask.ndim == 0:
        raise IndexError("a single True or False is no index of a traced array; use x[None], or an if")
    start = sum(1 for p in before if p is not None)
    if not any(p is Ellipsis for p in before) and mask.shape != shape[start : start + mask.ndim]:
        raise IndexError(f"a mask of shape {mask.shape} does not fit an array of shape {shape} at axis {start}")
    return list(np.nonzero(mask))


def getitem(a: Any, index: Any) -> Any:
    """``a[index]`` for traced arrays or traced indices."""
    from bayesad.ad.array import bind

    parsed, arrays = parse(index, a.shape)
    if not parsed.items:
        return a
    return bind(take, (a, *arrays), {"index": parsed})


def setitem(a: Any, index: Any, new: Any) -> Any:
    """``a`` with ``a[index] = new``, as a new array."""
    from bayesad.ad.array import bind, is_traced

    if is_traced(index) and index.dtype == np.bool_ and _is_same_everywhere(new, a, index):
        return np.where(np.reshape(index, index.shape + (1,) * (a.ndim - index.ndim)), new, a)
    parsed, arrays = parse(index, a.shape)
    return bind(index_set, (a, new, *arrays), {"index": parsed})


def _is_same_everywhere(new: Any, a: Any, mask: Any) -> bool:
    """Whether every position that a mask chooses is given the same value or row, however many they are."""
    rest = a.shape[mask.ndim :]
    return mask.shape == a.shape[: mask.ndim] and np.ndim(new) <= len(rest) and fits(np.shape(new), rest)


def _taken_shape(shape: tuple[int, ...], index: Index, arrays: tuple[Any, ...]) -> tuple[int, ...]:
    if not arrays:
        return _sliced_shape(shape, index)
    stand_in = np.broadcast_to(np.False_, shape)  # costs no memory
    return stand_in[index.resolve(tuple(np.zeros(a.shape, dtype=np.int64) for a in arrays))].shape


def _sliced_shape(shape: tuple[int, ...], index: Index) -> tuple[int, ...]:
    """The shape of what an index of ints, slices and new axes takes."""
    taken: list[int] = []
    axis = 0
    for item in index.items:
        if item is None:
            taken.append(1)
            continue
        if axis == len(shape):
            raise IndexError(f"too many indices for an array of shape {shape}: {index}")
        if type(item) is int:
            _position(item, shape, axis)
        else:
            taken.append(len(range(*slice(*item[1:]).indices(shape[axis]))))
        axis += 1
    return (*taken, *shape[axis:])


def _scattered(v: Any, *arrays: Any, index: Index, shape: tuple[int, ...]) -> tuple[tuple[int, ...], np.dtype]:
    require_shapes(fits(v.shape, _taken_shape(shape, index, arrays)), f"a scatter to {index} of {shape}", v, *arrays)
    return shape, np.dtype(np.float64)


def _set_shape(a: Any, v: Any, *arrays: Any, index: Index) -> tuple[tuple[int, ...], np.dtype]:
    taken = _taken_shape(a.shape, index, arrays)
    extra = max(0, len(v.shape) - len(taken))  # axes in front, of length 1, as NumPy's assignments have it
    holds = set(v.shape[:extra]) <= {1} and fits(v.shape[extra:], taken)
    require_shapes(holds, f"writing to {index}", a, v, *arrays)
    return a.shape, np.result_type(a.dtype, v.dtype)


def _evaluate_scatter(v: Any, *arrays: Any, index: Index, shape: tuple[int, ...]) -> Any:
    out = np.zeros(shape)
    if len(arrays) == 1 and len(index.items) == 1 and len(shape) == 1 and np.shape(v) == arrays[0].shape:
        positions = arrays[0] % shape[0]
        return np.bincount(np.ravel(positions), weights=np.ravel(v), minlength=shape[0])
    where = index.resolve(arrays)
    if arrays:
        np.add.at(out, where, v)
    else:
        out[where] += v
    return out


def _evaluate_set(a: Any, v: Any, *arrays: Any, index: Index) -> Any:
    out = np.array(a, dtype=np.result_type(np.asarray(a).dtype, np.asarray(v).dtype))
    out[index.resolve(arrays)] = v
    return out


def _winners(shape: tuple[int, ...], taken: tuple[int, ...], arrays: tuple[Any, ...], index: Index) -> Any:
    """1 where a written element stays, 0 where a later one at the same position replaces it; 1.0 if all stay."""
    from bayesad.ad.array import bind

    if not arrays:
        return 1.0
    order = np.arange(int(np.prod(taken, dtype=np.int64))).reshape(taken)
    last = bind(index_set, (np.full(shape, -1), order, *arrays), {"index": index})
    stays = bind(take, (last, *arrays), {"index": index}) == order
    if isinstance(stays, np.ndarray) and stays.all():
        return 1.0
    return np.where(stays, 1.0, 0.0)


def _sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    from bayesad.ad.primitives.shaping import sum_to

    return sum_to(g, shape)


def _scatter_vjp(g: Any, y: Any, v: Any, *arrays: Any, index: Index, shape: tuple[int, ...]) -> Any:
    from bayesad.ad.array import bind

    return (bind(take, (g, *arrays), {"index": index}), *[None] * len(arrays))


def _take_vjp(g: Any, y: Any, a: Any, *arrays: Any, index: Index) -> Any:
    from bayesad.ad.array import bind

    return (bind(scatter, (g, *arrays), {"index": index, "shape": a.shape}), *[None] * len(arrays))


def _set_vjp(g: Any, y: Any, a: Any, v: Any, *arrays: Any, index: Index) -> Any:
    from bayesad.ad.array import bind

    kept = bind(index_set, (g, 0.0, *arrays), {"index": index})
    written = bind(take, (g, *arrays), {"index": index})
    written = written * _winners(a.shape, written.shape, arrays, index)
    return (kept, _sum_to(written, np.shape(v)), *[None] * len(arrays))


def _take_jvp(tangents: Any, y: Any, a: Any, *arrays: Any, index: Index) -> Any:
    from bayesad.ad.array import bind

    return bind(take, (tangents[0], *arrays), {"index": index})


def _scatter_jvp(tangents: Any, y: Any, v: Any, *arrays: Any, index: Index, shape: tuple[int, ...]) -> Any:
    from bayesad.ad.array import bind

    return bind(scatter, (tangents[0], *arrays), {"index": index, "shape": shape})


def _set_jvp(tangents: Any, y: Any, a: Any, v: Any, *arrays: Any, index: Index) -> Any:
    from bayesad.ad.array import bind

    a_dot = np.zeros(a.shape) if tangents[0] is None else tangents[0]
    v_dot = 0.0 if tangents[1] is None else tangents[1]
    return bind(index_set, (a_dot, v_dot, *arrays), {"index": index})


take = define(
    "take",
    lambda a, *arrays, index: a[index.resolve(arrays)],
    lambda a, *arrays, index: (_taken_shape(a.shape, index, arrays), a.dtype),
    vjp=_take_vjp,
    jvp=_take_jvp,
    variadic=True,
)
scatter = define(
    "scatter",
    _evaluate_scatter,
    _scattered,
    vjp=_scatter_vjp,
    jvp=_scatter_jvp,
    variadic=True,
)
index_set = define(
    "index_set",
    _evaluate_set,
    _set_shape,
    vjp=_set_vjp,
    jvp=_set_jvp,
    variadic=True,
)
