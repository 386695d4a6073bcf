"""Trees: nested dicts, lists, tuples, NamedTuples and dataclasses of arrays, taken apart and put together again."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from bayesad.errors import DerivativeError

__all__ = ["as_float", "flatten", "leaves_with_paths", "replace_leaves", "tree_map"]

Rebuild = Callable[[Iterator[Any]], Any]
LEAVES = frozenset({np.ndarray, np.float64, float, int, bool})  # the most frequent types


def _children(tree: Any) -> list[tuple[str, Any]] | None:
    """(path step, child) pairs of a container, or None for a leaf."""
    if isinstance(tree, dict):
        return [(f"[{key!r}]", child) for key, child in tree.items()]
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return [(f".{name}", child) for name, child in zip(tree._fields, tree, strict=True)]
    if isinstance(tree, (list, tuple)):
        return [(f"[{i}]", child) for i, child in enumerate(tree)]
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return [(f".{f.name}", getattr(tree, f.name)) for f in dataclasses.fields(tree)]
    return None


def _is_structure(tree: Any) -> bool:
    """Whether something that is no container is part of the structure instead of a leaf."""
    return tree is None or isinstance(tree, str) or callable(tree)


def _reassemble(tree: Any, children: list[Any]) -> Any:
    """A container of the kind of ``tree`` with other children."""
    if isinstance(tree, dict):
        return type(tree)(zip(tree, children, strict=True)) if type(tree) is dict else _like_dict(tree, children)
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*children)
    if isinstance(tree, (list, tuple)):
        return type(tree)(children)
    fields = {f.name: child for f, child in zip(dataclasses.fields(tree), children, strict=True)}
    made = object.__new__(type(tree))  # no __init__: it may compute or check what a traced value cannot satisfy
    for name, child in fields.items():
        object.__setattr__(made, name, child)
    return made


def _like_dict(tree: Any, children: list[Any]) -> Any:
    made = tree.copy()
    for key, child in zip(tree, children, strict=True):
        made[key] = child
    return made


def flatten(tree: Any) -> tuple[list[Any], Rebuild, Any]:
    """Take a tree apart.

    Returns
    -------
    leaves : list
        In order of definition; None, strings and functions count as structure, not as leaves.
    rebuild : callable
        ``rebuild(iter(leaves)) -> tree``.
    structure : hashable
        Equal for trees that have the same containers, keys and non-array content.
    """
    kind = type(tree)
    if kind in LEAVES:
        return [tree], next, "*"
    if kind is tuple or kind is list:
        if LEAVES.issuperset(map(type, tree)):
            n = len(tree)
            return list(tree), lambda given: kind(itertools.islice(given, n)), (kind, None, *("*",) * n)
        parts = [flatten(child) for child in tree]
        steps: Any = None
    else:
        children = _children(tree)
        if children is None:
            if _is_structure(tree):
                return [], lambda leaves: tree, tree
            return [tree], next, "*"
        parts = [flatten(child) for _, child in children]
        steps = tuple([step for step, _ in children])
    leaves = [leaf for part in parts for leaf in part[0]]
    structure = (kind, steps, *[part[2] for part in parts])
    return leaves, lambda given: _reassemble(tree, [part[1](given) for part in parts]), structure


def leaves_with_paths(tree: Any, path: str = "x") -> list[tuple[str, Any]]:
    """(path, leaf) pairs such as ``("x['w'][0]", array)``, in the order of ``flatten``."""
    children = _children(tree)
    if children is None:
        return [] if _is_structure(tree) else [(path, tree)]
    return [pair for step, child in children for pair in leaves_with_paths(child, path + step)]


def tree_map(f: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """Apply ``f`` to the leaves of one or several trees of the same structure."""
    leaves, rebuild, _ = flatten(tree)
    columns = [flatten(other)[0] for other in others]
    return rebuild(iter([f(*row) for row in zip(leaves, *columns, strict=True)]))


def replace_leaves(tree: Any, new: Mapping[int, Any], what: str) -> None:
    """Put new leaves into a tree in place: into its dicts, lists and dataclasses; ``new``: number of a leaf -> leaf.

    Raises
    ------
    DerivativeError
        If what holds the leaf cannot be changed. Nothing has been changed then.
    """
    holders = {number: _holder(tree, number) for number in new}
    for number, (holder, _) in holders.items():
        if holder is None or isinstance(holder, tuple) or _is_frozen(holder):
            inside = "by itself" if holder is None else f"in a {type(holder).__name__}, which cannot be changed"
            raise DerivativeError(
                f"{leaves_with_paths(tree, what)[number][0]} is a number {inside}; hold it as an array of shape (), as "
                "ad.make_zero does"
            )
    for number, (holder, key) in holders.items():
        if isinstance(holder, (dict, list)):
            holder[key] = new[number]
        else:
            setattr(holder, key, new[number])


def _is_frozen(tree: Any) -> bool:
    return bool(getattr(getattr(tree, "__dataclass_params__", None), "frozen", False))


def _holder(tree: Any, number: int) -> tuple[Any, Any]:
    """The container that holds a leaf, and its key, index or attribute there; (None, None) for a tree of one leaf."""
    keys: list[Any]
    if isinstance(tree, dict):
        keys = list(tree)
    elif isinstance(tree, (list, tuple)):
        keys = list(range(len(tree)))
    elif _children(tree) is None:
        return None, None
    else:
        keys = [field.name for field in dataclasses.fields(tree)]
    for key, (_, child) in zip(keys, _children(tree) or (), strict=True):
        n = len(flatten(child)[0])
        if number < n:
            return (tree, key) if _children(child) is None else _holder(child, number)
        number -= n
    raise IndexError(number)


def as_float(leaf: Any) -> np.ndarray:
    """A leaf as an array of float64 (Python ints too)."""
    return np.asarray(leaf, dtype=np.float64)
