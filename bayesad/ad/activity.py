"""``autodiff``: derivatives of a function of several arguments, each with an activity that says what becomes of it.

The activities are those of Enzyme (Moses & Churavy 2020; https://enzyme.mit.edu/julia): Const for what is held fixed,
Active for numbers, whose derivatives come back, and Duplicated for arrays and what holds them, beside a shadow of the
same form that the derivatives are added into, or that holds the direction in forward mode.

What the function writes into its arguments (elements of arrays, or attributes, keys and items that it assigns) is
written back when it has run. A place that is written into has a derivative both before and after: the shadow is taken
as that after the function and left as that before it in reverse mode, the other way round in forward mode.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bayesad.ad import trees
from bayesad.ad.array import TracedArray, asarray, is_traced
from bayesad.ad.compiled import Compiled, Path, Wanted, compile_once
from bayesad.ad.operators import Forward, Mode, Reverse, check_mode, stop_gradient
from bayesad.ad.shadows import (
    ACTIVITIES,
    Active,
    BatchDuplicated,
    Call,
    Const,
    Duplicated,
    Place,
    has_activities,
    make_zero,
    set_zero,
    shadows_of,
    taken_apart,
)
from bayesad.errors import DerivativeError

__all__ = [
    "Active",
    "BatchDuplicated",
    "Const",
    "Derivatives",
    "Duplicated",
    "Tangents",
    "autodiff",
    "has_activities",
    "make_zero",
    "path_of",
    "set_zero",
]


class Derivatives(NamedTuple):
    """What `autodiff` returns in reverse mode.

    Attributes
    ----------
    value : float or tree
        What the function returned.
    gradients : tuple
        The derivatives with respect to the Active arguments, in their order, each a tree as the argument.
    """

    value: Any
    gradients: tuple[Any, ...]


class Tangents(NamedTuple):
    """What `autodiff` returns in forward mode.

    Attributes
    ----------
    value : tree
        What the function returned.
    tangent : tree as ``value``, tuple of such trees, or None
        Its derivative in the direction of the shadows; one for each direction of a batch; None for a Const result.
    """

    value: Any
    tangent: Any


def autodiff(mode: Mode, f: Callable[..., Any], return_activity: Any, *args: Any) -> Derivatives | Tangents:
    """Differentiate ``f(*args)`` with an activity for each argument.

    Parameters
    ----------
    mode : Reverse or Forward
    f : callable or Compiled
        Ordinary NumPy code. A compiled function (``ad.compile``) keeps its derivative programs from call to call; those
        allocate no array for what is added into shadows.
    return_activity : Active, Duplicated or Const
        Of the result. Reverse mode: Active for a scalar, Const where the derivatives wanted are those of the state that
        f writes into its Duplicated arguments. Forward mode: Duplicated (or Active) for a tangent, Const for none.
    *args : Const, Active, Duplicated or BatchDuplicated
        Any other object counts as Const. Integers, booleans and strings inside a Duplicated tree are held fixed.

    Returns
    -------
    Derivatives or Tangents
        ``(value, gradients)`` of the Active arguments in reverse mode; ``(value, tangent)`` in forward mode.

    Raises
    ------
    DerivativeError
        For an array passed as Active, a shadow that does not fit its value or shares memory with it, integers asked to
        be differentiated, a result that is not a scalar in reverse mode, or a combination that has no meaning.

    Examples
    --------
    >>> import numpy as np
    >>> from bayesad import ad
    >>> w, x = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    >>> d_w = ad.make_zero(w)
    >>> loss = lambda w, b, x: np.sum((w * x + b) ** 2)
    >>> found = ad.autodiff(ad.Reverse, loss, ad.Active, ad.Duplicated(w, d_w), ad.Active(1.0), ad.Const(x))
    >>> float(found.value), [float(g) for g in found.gradients], d_w.tolist()
    (97.0, [26.0], [24.0, 72.0])
    """
    _check_activities(mode, return_activity, args)
    return (_reverse if mode is Reverse else _forward)(f, return_activity, taken_apart(args))


def path_of(f: Callable[..., Any], args: Sequence[Any]) -> tuple[Path, Wanted, list[Any]]:
    """The path that ``autodiff`` takes in reverse mode for these arguments, what it wants of it, and its inputs."""
    _check_activities(Reverse, Active, args)
    call = taken_apart(tuple(args))
    varying = call.varying
    path = _program(f, call, Reverse, Active).path(varying, call.shadows[0], call.fixed)
    return path, Wanted("reverse", len(varying), seed=True, beside=True), [*varying, *call.shadows[0], *call.fixed]


def _check_activities(mode: Mode, return_activity: Any, args: Sequence[Any]) -> None:
    check_mode(mode)
    allowed = (Active, Const) if mode is Reverse else (Duplicated, Active, Const)
    if return_activity not in allowed:
        names = " or ".join(f"ad.{activity.__name__}" for activity in allowed)
        given = return_activity.__name__ if isinstance(return_activity, type) else repr(return_activity)
        raise DerivativeError(f"the activity of the result in {mode} mode is {names} (the class itself), not {given}")
    for i, arg in enumerate(args):
        if isinstance(arg, type) and arg in ACTIVITIES:
            raise DerivativeError(f"argument {i}: ad.{arg.__name__} needs the value: ad.{arg.__name__}(x)")
        if mode is Forward and isinstance(arg, Active):
            raise DerivativeError(
                f"argument {i}: forward mode needs a direction; ad.Duplicated(x, 1.0), not ad.Active(x)"
            )
        if mode is Reverse and isinstance(arg, BatchDuplicated):
            raise DerivativeError(f"argument {i}: ad.BatchDuplicated is for forward mode; use ad.Duplicated")


# --- the functions that are traced
_programs: weakref.WeakKeyDictionary[Compiled, dict[Any, Compiled]] = weakref.WeakKeyDictionary()


def _program(f: Callable[..., Any], call: Call, mode: Mode, return_activity: Any) -> Compiled:
    """``(varying leaves, shadows, fixed leaves) -> (total, value, changed)`` in reverse mode, where only the total is
    differentiated; ``(varying leaves, fixed leaves) -> (value, changed)`` in forward mode. ``changed`` holds the leaves
    that f wrote into: number -> new value.
    """
    compiled = compile_once(f)
    known = _programs.setdefault(compiled, {})
    key = (mode, return_activity is Const, call.structure, tuple(call.places))
    if key not in known:
        run = _Run(compiled.function, call.rebuild, call.structure, tuple(call.places), return_activity is Const)
        function = run.reverse if mode is Reverse else run.forward
        known[key] = Compiled(function, compiled.__name__, compiled.rewrites)
    return known[key]


class _Run(NamedTuple):
    """A function in the form that is traced."""

    function: Callable[..., Any]
    rebuild: trees.Rebuild
    structure: Any
    places: tuple[Place, ...]
    is_const: bool

    def forward(self, varying: list[Any], fixed: list[Any]) -> tuple[Any, dict[int, Any]]:
        value, changed = self._called(varying, fixed)
        return stop_gradient(value) if self.is_const else value, changed

    def reverse(self, varying: list[Any], shadows: list[Any], fixed: list[Any]) -> tuple[Any, Any, dict[int, Any]]:
        value, changed = self._called(varying, fixed)
        total = 0.0 if self.is_const else self._scalar(value)
        duplicated = [i for i, place in enumerate(self.places) if place.activity == "duplicated"]
        state = [(i, shadow) for i, shadow in zip(duplicated, shadows, strict=True) if i in changed]
        if not state and not self.is_const:
            return total, None, changed
        for i, shadow in state:
            total = total + np.sum(shadow * changed[i])
        return total, value, changed

    def _called(self, varying: list[Any], fixed: list[Any]) -> tuple[Any, dict[int, Any]]:
        """The result, and the leaves that are others than before."""
        from bayesad.ad.swaps import traced_meaning, visit

        own, other = iter(varying), iter(fixed)
        leaves = [next(other if place.activity == "const" else own) for place in self.places]
        nodes = [leaf.node for leaf in leaves]
        args = self.rebuild(iter(leaves))
        function = traced_meaning(self.function)
        visit(function)
        value = function(*args)
        after, _, structure = trees.flatten(args)
        if structure != self.structure:
            raise DerivativeError(
                "the function has changed the structure of its arguments (added or removed keys or items, or put "
                "something else than numbers in their place); what it writes into them must have the structure it got"
            )
        changed = {}
        for i, (before, node, leaf) in enumerate(zip(leaves, nodes, after, strict=True)):
            if leaf is not before or before.node is not node:
                changed[i] = self._fitting(i, leaf, node)
        return value, changed

    def _fitting(self, i: int, leaf: Any, before: Any) -> Any:
        leaf = asarray(leaf)
        if np.shape(leaf) != before.shape or (leaf.dtype.kind == "f" and before.dtype.kind != "f"):
            raise DerivativeError(
                f"argument {self.places[i].argument}: the function writes an array of shape {np.shape(leaf)} and dtype "
                f"{leaf.dtype} where it got shape {before.shape} and dtype {before.dtype}; both have to stay"
            )
        return leaf.astype(before.dtype) if leaf.dtype != before.dtype else leaf

    def _scalar(self, value: Any) -> Any:
        leaves = trees.flatten(value)[0]
        name = getattr(self.function, "__name__", "the function")
        if len(leaves) != 1 or np.size(leaves[0]) != 1:
            shapes = ", ".join(str(np.shape(leaf)) for leaf in leaves) or "nothing"
            raise DerivativeError(
                f"reverse mode with an Active result needs one scalar, but {name} returned {shapes}; sum it, use "
                "ad.jacobian, or let it write into a Duplicated argument whose shadow holds the cotangent"
            )
        leaf = asarray(leaves[0])
        if leaf.dtype.kind != "f":
            raise DerivativeError(f"{name} returned a value of dtype {leaf.dtype}; its result must be float64")
        return np.reshape(leaf, ())


# --- the modes
def _reverse(f: Callable[..., Any], return_activity: Any, call: Call) -> Derivatives:
    varying = call.varying

    def take(path: Path, outputs: list[Any]) -> Derivatives:
        n = len(path.traced.outputs)
        total, value, changed = path.rebuild(iter(outputs[:n]))
        cotangents = dict(zip(_varying_numbers(call), outputs[n:], strict=True))
        gradients = _gradients(call, cotangents)
        found = Derivatives(_kept(total if value is None and return_activity is Active else value), gradients)
        own = {i: cotangents[i] for i in call.duplicated}
        _write_back(call, changed, [own], {i for i in call.duplicated if i not in changed})
        return found

    wanted = Wanted("reverse", len(varying), seed=True, beside=True)
    return _program(f, call, Reverse, return_activity).outputs(
        (varying, call.shadows[0], call.fixed), wanted, (), take
    )[1]


def _forward(f: Callable[..., Any], return_activity: Any, call: Call) -> Tangents:
    varying, batch = call.varying, len(call.shadows)
    is_batch = any(isinstance(arg, BatchDuplicated) for arg in call.args)

    def take(path: Path, outputs: list[Any]) -> Tangents:
        n = len(path.traced.outputs)
        groups = [path.rebuild(iter(outputs[n * k : n * (k + 1)])) for k in range(batch + 1)]
        (value, changed), *pushed = groups
        tangents = tuple([_kept(tangent) for tangent, _ in pushed])
        tangent = None if return_activity is Const else tangents if is_batch else tangents[0]
        found = Tangents(_kept(value), tangent)
        moved = [{i: t for i, t in following.items() if i in call.duplicated} for _, following in pushed]
        _write_back(call, changed, moved, set())
        return found

    directions = [trees.as_float(s) if not is_traced(s) else s for group in call.shadows for s in group]
    wanted = Wanted("forward", len(varying), batch=batch)
    return _program(f, call, Forward, return_activity).outputs((varying, call.fixed), wanted, directions, take)[1]


def _varying_numbers(call: Call) -> list[int]:
    return [i for i, place in enumerate(call.places) if place.activity != "const"]


def _gradients(call: Call, cotangents: Mapping[int, Any]) -> tuple[Any, ...]:
    """The derivatives of the Active arguments, each in the form of its argument."""
    found = []
    for i, arg in enumerate(call.args):
        if isinstance(arg, Active):
            own = [_kept(cotangents[k]) for k, place in enumerate(call.places) if place.argument == i]
            found.append(trees.flatten(arg.value)[1](iter(own)))
    return tuple(found)


def _kept(tree: Any) -> Any:
    """A copy of a result, whose memory is used again."""
    return trees.tree_map(lambda leaf: leaf if is_traced(leaf) else np.array(leaf)[()], tree)


def _write_back(
    call: Call, changed: Mapping[int, Any], derivatives: Sequence[Mapping[int, Any]], added: set[int]
) -> None:
    """Put what f wrote into the arguments, and derivatives into the shadows: to those of ``added`` they are added."""
    if changed:
        changed, derivatives = _apart(call, changed, derivatives)
    number_of = {i: k for k, i in enumerate(call.duplicated)}
    shadows = [leaf for leaves in call.shadows for leaf in leaves]
    if not all(map(_is_array, [*shadows, *[call.leaves[i] for i in changed]])):
        _write_numbers(call, changed, derivatives, added)
    for i, x in changed.items():
        if _is_array(call.leaves[i]):
            call.leaves[i][...] = x
    for leaves, given in zip(call.shadows, derivatives, strict=True):
        for i, x in given.items():
            _put_derivative(leaves[number_of[i]], x, i in added)


def _write_numbers(
    call: Call, changed: Mapping[int, Any], derivatives: Sequence[Mapping[int, Any]], added: set[int]
) -> None:
    """What of it are numbers, which containers hold; before anything else, as a container may refuse."""
    number_of = {i: k for k, i in enumerate(call.duplicated)}
    for argument, arg in enumerate(call.args):
        own = [i for i, place in enumerate(call.places) if place.argument == argument]
        new = {i: type(call.leaves[i])(changed[i]) for i in own if i in changed and not _is_array(call.leaves[i])}
        _put_numbers(call, arg.value if isinstance(arg, ACTIVITIES) else arg, new, f"argument {argument}")
        if isinstance(arg, (Duplicated, BatchDuplicated)):
            for shadow, leaves, given in zip(shadows_of(arg), call.shadows, derivatives, strict=True):
                before = {i: leaves[number_of[i]] for i in own if i in given}
                new = {
                    i: _kept(x + given[i] if i in added else given[i]) for i, x in before.items() if not _is_array(x)
                }
                _put_numbers(call, shadow, new, f"the shadow of argument {argument}")


def _put_numbers(call: Call, tree: Any, new: Mapping[int, Any], where: str) -> None:
    trees.replace_leaves(tree, {call.places[i].number: x for i, x in new.items()}, where)


def _put_derivative(shadow: Any, x: Any, is_added: bool) -> None:
    """Write a derivative into the array of a shadow, without making another array."""
    if not _is_array(shadow):
        return
    if not is_added:
        shadow[...] = x
    elif type(shadow) is TracedArray:
        shadow[...] = shadow + x
    else:
        np.add(shadow, x, out=shadow, casting="same_kind")


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, (np.ndarray, TracedArray))


def _apart(
    call: Call, changed: Mapping[int, Any], derivatives: Sequence[Mapping[int, Any]]
) -> tuple[Mapping[int, Any], Sequence[Mapping[int, Any]]]:
    """What is to be written, as copies where it lies in memory that is written into."""
    arrays = [
        leaf for leaf in (*call.leaves, *[s for group in call.shadows for s in group]) if type(leaf) is np.ndarray
    ]
    for i in changed:
        if sum(leaf is call.leaves[i] for leaf in arrays) > 1:
            raise DerivativeError(
                f"argument {call.places[i].argument}: the function writes into an array that is there twice; its other "
                "place would not see the change. Pass it once"
            )

    def copied(x: Any) -> Any:
        shared = isinstance(x, np.ndarray) and any(np.may_share_memory(x, a) for a in arrays)
        return np.array(x) if shared else x

    return (
        {i: copied(x) for i, x in changed.items()},
        [{i: copied(x) for i, x in given.items()} for given in derivatives],
    )
