"""Arguments with activities: Const, Active, Duplicated and their shadows, checked and taken apart into leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from bayesad.ad import trees
from bayesad.ad.array import TracedArray, buffer, is_traced
from bayesad.ad.primitives.table import FLOAT
from bayesad.errors import DerivativeError

__all__ = [
    "ACTIVITIES",
    "Active",
    "BatchDuplicated",
    "Call",
    "Const",
    "Duplicated",
    "Place",
    "has_activities",
    "make_zero",
    "set_zero",
    "shadows_of",
    "taken_apart",
]


@dataclass(frozen=True, eq=False)
class Const:
    """An argument that is held fixed; nothing that depends on such arguments alone is differentiated."""

    value: Any


@dataclass(frozen=True, eq=False)
class Active:
    """A number, or an immutable tree of numbers (tuple, NamedTuple, frozen dataclass): its derivative comes back."""

    value: Any


@dataclass(frozen=True, eq=False)
class Duplicated:
    """An array or a tree of arrays, and a shadow of the same structure (`make_zero`).

    In reverse mode derivatives are added into the arrays of the shadow; in forward mode it is the direction.
    """

    value: Any
    shadow: Any


@dataclass(frozen=True, eq=False)
class BatchDuplicated:
    """An argument of forward mode with several shadows: directions that share one evaluation of the function."""

    value: Any
    shadows: Sequence[Any]


ACTIVITIES = (Const, Active, Duplicated, BatchDuplicated)


def make_zero(tree: Any) -> Any:
    """A shadow of a tree: zeros for its arrays and numbers; those of numbers are arrays of shape (), to be added to.

    Integers, booleans and strings have no derivative and stay as they are. An array that the tree holds twice has one
    shadow, which collects both derivatives.
    """
    made: dict[int, Any] = {}

    def zero(leaf: Any) -> Any:
        if not _is_smooth(leaf):
            return leaf
        if id(leaf) not in made:
            zeros = np.zeros(np.shape(leaf), dtype=leaf.dtype if isinstance(leaf, np.ndarray) else np.float64)
            made[id(leaf)] = buffer(zeros) if type(leaf) is TracedArray else zeros
        return made[id(leaf)]

    return trees.tree_map(zero, tree)


def set_zero(tree: Any) -> None:
    """Set the arrays of a shadow to zero in place, for the next gradient."""
    numbers = {}
    for i, leaf in enumerate(trees.flatten(tree)[0]):
        if isinstance(leaf, (np.ndarray, TracedArray)):
            if _is_smooth(leaf):
                leaf[...] = 0.0
        elif _is_smooth(leaf):
            numbers[i] = 0.0
    trees.replace_leaves(tree, numbers, "the shadow")


def has_activities(x: Any) -> bool:
    """Whether an object is a tuple of arguments some of which have an activity."""
    return isinstance(x, tuple) and any(isinstance(arg, ACTIVITIES) for arg in x)


def _is_smooth(leaf: Any) -> bool:
    """Whether a leaf is a floating-point number or array."""
    if isinstance(leaf, (np.ndarray, np.generic, TracedArray)):
        return bool(leaf.dtype.kind == "f")
    return isinstance(leaf, float)


def _check_active(value: Any, where: str) -> None:
    """DerivativeError unless a value is a number or an immutable tree of numbers."""
    for path, leaf in trees.leaves_with_paths(value, where):
        if np.ndim(leaf):
            dtype = "" if _is_smooth(leaf) else f" of dtype {leaf.dtype}"
            raise DerivativeError(
                f"{path} is an array{dtype} of shape {np.shape(leaf)}, passed as ad.Active; derivatives of arrays are "
                "added into a shadow: ad.Duplicated(x, ad.make_zero(x))" + (" with x of float64" if dtype else "")
            )
        if np.asarray(0 if is_traced(leaf) else leaf).dtype.kind not in "fiu":
            raise DerivativeError(f"{path} is {type(leaf).__name__}, not a number that could be active; pass ad.Const")
    if not trees.flatten(value)[0]:
        raise DerivativeError(f"{where} is Active, but {_without_floats(value, [])}")
    if _holds_mutable(value):
        raise DerivativeError(
            f"{where} is a {type(value).__name__}, which can be written into, passed as ad.Active; use "
            "ad.Duplicated(x, ad.make_zero(x))"
        )


def _holds_mutable(value: Any) -> bool:
    if isinstance(value, tuple):
        return any(_holds_mutable(child) for child in value)
    if isinstance(value, (dict, list)):
        return True
    parameters = getattr(value, "__dataclass_params__", None)
    if parameters is None:
        return False
    return not parameters.frozen or any(_holds_mutable(getattr(value, name)) for name in value.__dataclass_fields__)


def _shadow_leaves(value: Any, leaves: Sequence[Any], structure: Any, shadow: Any, where: str) -> list[Any]:
    """The leaves of a shadow that belong to floats, each checked against that of the value."""
    shadows, _, found = trees.flatten(shadow)
    if found != structure:
        raise DerivativeError(
            f"the shadow of {where} is a {type(shadow).__name__} of {len(shadows)} leaves, of another structure than "
            f"the value, a {type(value).__name__} of {len(leaves)}; use ad.make_zero"
        )
    for number, (x, s) in enumerate(zip(leaves, shadows, strict=True)):
        problem = _problem(x, s)
        if problem:
            raise DerivativeError(f"{trees.leaves_with_paths(value, where)[number][0]} {problem}")
    return [s for x, s in zip(leaves, shadows, strict=True) if _is_smooth(x)]


def _problem(x: Any, s: Any) -> str:
    """What is wrong with a shadow ``s`` of ``x``, or nothing."""
    if not _is_smooth(x):
        if not _is_smooth(s):
            return ""
        return (
            f"is of type {_kind(x)}, which cannot vary smoothly, but its shadow is of type {_kind(s)}; make it a float "
            "(x.astype(float)), or let its shadow be what ad.make_zero makes of it"
        )
    if np.shape(x) != np.shape(s):
        return f"has shape {np.shape(x)}, its shadow {np.shape(s)}; use ad.make_zero"
    if type(s) is int:  # a number written without its point
        return ""
    if not _is_smooth(s) or getattr(x, "dtype", FLOAT) != getattr(s, "dtype", FLOAT):
        return f"is of type {_kind(x)}, its shadow of type {_kind(s)}; give floats, as ad.make_zero does"
    if isinstance(x, np.ndarray) and isinstance(s, np.ndarray):
        if x is s or np.may_share_memory(x, s):
            return "shares memory with its shadow; the shadow must be an array of its own (ad.make_zero)"
        if not s.flags.writeable:
            return "has a shadow that is read-only; give one that can be added into (ad.make_zero)"
    return ""


def _kind(leaf: Any) -> str:
    """The dtype of a leaf, as it is called in messages."""
    if hasattr(leaf, "dtype"):
        return str(leaf.dtype)
    name = type(leaf).__name__
    return {"float": "float64", "int": "int64"}.get(name, name)


class Place(NamedTuple):
    """Where a leaf is: the number of the argument, its own number there, and "active", "duplicated" or "const"."""

    argument: int
    number: int
    activity: str


class Call(NamedTuple):
    """The arguments of one call, taken apart.

    Attributes
    ----------
    args : tuple
        With their activities.
    leaves, rebuild, structure
        Of all values, as of ``trees.flatten``.
    places : list of Place
        For each leaf.
    shadows : list of lists
        For each direction (one in reverse mode) the shadows of the duplicated leaves.
    """

    args: tuple[Any, ...]
    leaves: list[Any]
    rebuild: trees.Rebuild
    structure: Any
    places: list[Place]
    shadows: list[list[Any]]

    @property
    def duplicated(self) -> list[int]:
        """The numbers of the leaves that have shadows."""
        return [i for i, place in enumerate(self.places) if place.activity == "duplicated"]

    @property
    def varying(self) -> list[Any]:
        """The leaves that derivatives are taken of."""
        return [
            trees.as_float(leaf) if place.activity == "active" and not is_traced(leaf) else leaf
            for leaf, place in zip(self.leaves, self.places, strict=True)
            if place.activity != "const"
        ]

    @property
    def fixed(self) -> list[Any]:
        return [leaf for leaf, place in zip(self.leaves, self.places, strict=True) if place.activity == "const"]


def taken_apart(args: tuple[Any, ...]) -> Call:
    values = tuple([arg.value if isinstance(arg, ACTIVITIES) else arg for arg in args])
    places: list[Place] = []
    shadows: list[list[Any]] = [[] for _ in range(_n_directions(args))]
    for i, (arg, value) in enumerate(zip(args, values, strict=True)):
        leaves, _, structure = trees.flatten(value)
        where = f"argument {i}"
        activities = ["const"] * len(leaves)
        if isinstance(arg, Active):
            _check_active(value, where)
            activities = ["active"] * len(leaves)
        elif isinstance(arg, (Duplicated, BatchDuplicated)):
            smooth = [_is_smooth(leaf) for leaf in leaves]
            activities = ["duplicated" if s else "const" for s in smooth]
            if not any(smooth):
                raise DerivativeError(f"{where} is Duplicated, but {_without_floats(value, leaves)}")
            for collected, shadow in zip(shadows, shadows_of(arg), strict=True):
                collected += _shadow_leaves(value, leaves, structure, shadow, where)
        places += [Place(i, k, activity) for k, activity in enumerate(activities)]
    return Call(args, *trees.flatten(values), places, shadows)


def shadows_of(arg: Duplicated | BatchDuplicated) -> Sequence[Any]:
    return arg.shadows if isinstance(arg, BatchDuplicated) else [arg.shadow]


def _n_directions(args: Sequence[Any]) -> int:
    batches = {len(arg.shadows) for arg in args if isinstance(arg, BatchDuplicated)}
    if len(batches) > 1 or (batches and any(isinstance(arg, Duplicated) for arg in args)):
        raise DerivativeError(
            "all arguments that have directions must have as many: ad.BatchDuplicated for each of them"
        )
    return batches.pop() if batches else 1


def _without_floats(value: Any, leaves: Sequence[Any]) -> str:
    if hasattr(value, "__array__") and not isinstance(value, (np.ndarray, np.generic)):
        return f"a {type(value).__name__} is no array that could be updated; pass np.asarray(x)"
    kinds = ", ".join(sorted({_kind(leaf) for leaf in leaves}))
    found = f"only {kinds}" if kinds else "no numbers at all"
    return f"holds {found}: nothing that can vary smoothly (floats can); pass ad.Const"
