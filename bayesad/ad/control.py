"""``while_loop`` and ``cond``: loops and branches that stay what they are in the traced program.

Python's own ``while`` and ``if`` are traced, too: a loop is unrolled for the values met, a branch becomes a guard, and
other values may need another trace. These two functions serve all values by one program.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayesad.ad import trees
from bayesad.ad.array import TracedArray, asarray, is_traced, node_of, plain_or_traced
from bayesad.ad.backends.numpy import executor
from bayesad.ad.primitives import loops
from bayesad.ad.primitives.branches import branch
from bayesad.ad.program import GUARD, INPUT, Node, Program
from bayesad.ad.scan import Step, leaf_of, promoted, step_being_traced, steps_being_traced
from bayesad.ad.trace import Trace, current_depth, tracing
from bayesad.errors import ScanError

__all__ = ["cond", "while_loop"]


def _truth(x: Any) -> Any:
    x = np.reshape(x, ())
    return x if x.dtype == np.bool_ else x != 0


# --- loops
def while_loop(
    cond: Callable[[Any], Any], body: Callable[[Any], Any], state: Any, *, max_steps: int | None = None
) -> Any:
    """Apply ``body`` to a state as long as ``cond`` holds, as ``while cond(state): state = body(state)``.

    In a traced function both are traced once. The program makes at least one more step than were needed when it was
    traced, a power of two of them; steps after the last one leave the state as it is. So it serves all values that
    need fewer steps, and the function is traced again, for twice as many, only where they do not suffice. Its
    derivatives are those of the steps made.

    Parameters
    ----------
    cond : callable
        ``cond(state)`` is a boolean.
    body : callable
        ``body(state)`` returns a state of the same structure and shapes. Both may use arrays from outside, traced ones
        too; for branches on values in them use ``ad.cond`` or ``np.where``.
    state : tree of arrays
        Integers become floats where the body makes floats of them.
    max_steps : int, optional
        The loop ends after so many steps in any case. Needed where the loop is in a step of another one, or in a
        function of ``ad.cond``, as nothing is known there of the steps that other values need.

    Returns
    -------
    tree as ``state``

    Raises
    ------
    ScanError
        If the body changes the structure or a shape of the state, or the loop would never end.

    Examples
    --------
    >>> from bayesad import ad
    >>> def root(a):  # Newton's method
    ...     close = lambda x: abs(x * x - a) > 1e-12
    ...     return ad.while_loop(close, lambda x: 0.5 * (x + a / x), 1.0)
    >>> float(ad.gradient(root, 4.0))
    0.25
    """
    if max_steps is not None and (isinstance(max_steps, bool) or not isinstance(max_steps, int) or max_steps < 0):
        raise ScanError(f"while_loop: max_steps is a number of steps, not {max_steps!r}")
    if not current_depth():
        steps = 0
        while (max_steps is None or steps < max_steps) and cond(state):
            state = body(state)
            steps += 1
        return state
    return _traced_loop(cond, body, state, max_steps)


def _traced_loop(cond: Callable[[Any], Any], body: Callable[[Any], Any], state: Any, max_steps: int | None) -> Any:
    _, rebuild, structure = trees.flatten(state)
    paths = [path for path, _ in trees.leaves_with_paths(state, "state")]
    first = [leaf_of(x, path) for path, x in trees.leaves_with_paths(state, "state")]
    step = Step(_guarded_step(cond, body, structure, paths), rebuild, structure, paths, lambda leaves: None)
    while True:
        traced = step.traced(first, [], 1, False)
        wider = [promoted(x, node) for x, node in zip(first, traced.program.outputs, strict=False)]
        if all(before is after for before, after in zip(first, wider, strict=True)):
            break
        first = wider
    if max_steps is None and traced.program.outputs[len(first)] not in traced.program.nodes:
        raise ScanError("while_loop: the condition does not depend on the state, so that it would never end")
    inputs = [*first, *traced.captures]
    length = max_steps if steps_being_traced() else _enough_steps(traced.program, inputs, len(first), max_steps)
    if length is None:
        raise ScanError(
            "while_loop: in a step of another loop, or where only shapes are known, the number of steps has to be "
            "bounded: max_steps=…"
        )
    found = loops.scan(traced.program, first, [], traced.captures, length=length)
    traced.check_branches(found, "while_loop")
    if length != max_steps:
        bool(found.y(0)[-1])  # a guard: the last step was one too many
    return rebuild(iter([found.final(i) for i in range(len(first))]))


def _guarded_step(
    cond: Callable[[Any], Any], body: Callable[[Any], Any], structure: Any, paths: Sequence[str]
) -> Callable[[Any, Any], tuple[Any, Any]]:
    """A step that leaves the state as it is once the condition does not hold; it also returns whether it does."""

    def step(state: Any, _: Any) -> tuple[Any, Any]:
        leaves, rebuild, _ = trees.flatten(state)
        going = asarray(cond(rebuild(iter(map(np.copy, leaves)))))  # copies: they may be written into
        if np.size(going) != 1:
            raise ScanError(f"while_loop: the condition has to be one boolean, not an array of shape {np.shape(going)}")
        going = _truth(going)
        following, _, found = trees.flatten(body(rebuild(iter(map(np.copy, leaves)))))
        if found != structure:
            raise ScanError(
                f"while_loop: the body changes the structure of the state: it gets {', '.join(paths)} and returns "
                f"{len(following)} leaves of another structure"
            )
        for path, before, after in zip(paths, leaves, following, strict=True):
            if np.shape(after) != np.shape(before):
                raise ScanError(
                    f"while_loop: {path} has shape {np.shape(before)}, but the body returns shape {np.shape(after)}; "
                    "the shape has to stay"
                )
        return rebuild(iter([np.where(going, new, old) for old, new in zip(leaves, following, strict=True)])), going

    return step


def _enough_steps(step: Program, inputs: Sequence[Any], n_state: int, max_steps: int | None) -> int | None:
    """A power of two that is more than the number of steps made at the present values; at most ``max_steps``."""
    values = [x.value if isinstance(x, TracedArray) else x for x in inputs]
    if any(value is None for value in values):
        if max_steps is None:
            raise ScanError(
                "while_loop: where only shapes are known the number of steps has to be bounded: max_steps=…"
            )
        return max_steps
    run = executor(step)
    values = [np.asarray(value)[()] for value in values]
    count, earlier = 0, values[:n_state]
    while max_steps is None or count < max_steps:
        outputs = run(values)
        if not outputs[n_state]:
            break
        values[:n_state] = outputs[:n_state]
        count += 1
        if max_steps is None and all(map(np.array_equal, values, earlier)):
            raise ScanError(
                "while_loop: the state comes back to what it was and the condition still holds, so it would never end; "
                "compare with a tolerance that rounding allows, or give max_steps"
            )
        if count & (count - 1) == 0:  # a power of two: cycles of any length are found (Brent 1980)
            earlier = values[:n_state]
    length = 1 << count.bit_length()
    return length if max_steps is None else min(length, max_steps)


# --- branches
def cond(which: Any, true: Callable[..., Any], false: Callable[..., Any], *args: Any) -> Any:
    """``true(*args)`` where ``which`` holds, else ``false(*args)``.

    Where ``which`` depends on unknowns, both functions are traced and become part of the program, which evaluates the
    one that is chosen then. Unlike ``np.where`` it never meets what the other one would compute; unlike a Python
    ``if`` it does not need another trace for other values.

    Parameters
    ----------
    which : boolean scalar
    true, false : callables
        Their results have the same structure and shapes. They may use arrays from outside, traced ones too, and may
        not write into them; branches on values in them have to be ``ad.cond`` or ``np.where`` themselves.
    *args : trees of arrays

    Returns
    -------
    tree as the results

    Raises
    ------
    ScanError
        If the results differ in structure or shape, or a function branches on a value.

    Examples
    --------
    >>> import numpy as np
    >>> from bayesad import ad
    >>> f = lambda x: ad.cond(x > 0, np.log, lambda x: -x, x)
    >>> float(ad.gradient(f, 2.0)), float(ad.gradient(f, -2.0))
    (0.5, -1.0)
    """
    which = plain_or_traced(which)
    if np.size(which) != 1:
        raise ScanError(f"cond: the condition has to be one boolean, not an array of shape {np.shape(which)}")
    if not is_traced(which):
        return (true if bool(which) else false)(*args)
    leaves, rebuild, _ = trees.flatten(args)
    given = [leaf_of(x, path) for path, x in trees.leaves_with_paths(args, "args")]
    one, other = _Traced(true, given, rebuild), _Traced(false, given, rebuild)
    _check_alike(one, other)
    n = len(leaves)
    programs = []
    for mine, before, after in ((one, [], other.captures), (other, one.captures, [])):
        own = mine.program.inputs
        inputs = (*own[:n], *map(_unused, before), *own[n:], *map(_unused, after))
        programs.append(Program(inputs, mine.program.outputs, mine.program.nodes, mine.program.name))
    which = _truth(which)
    found = branch(which, programs[0], programs[1], [*given, *one.captures, *other.captures])
    return one.rebuild(iter(found))


def _unused(captured: Any) -> Node:
    return Node(INPUT, (), {}, captured.shape, captured.dtype)


class _Traced:
    """One of the functions as a program of the leaves of its arguments and what it captures."""

    def __init__(self, function: Callable[..., Any], given: Sequence[Any], rebuild_args: trees.Rebuild) -> None:
        from bayesad.ad.swaps import traced_meaning, visit

        values = [x.value if isinstance(x, TracedArray) else x for x in given]
        concrete = all(value is not None for value in values)
        with tracing() as depth:
            recording = Trace(concrete, depth)
            arguments = [
                recording.input(np.shape(x), x.dtype, np.asarray(value)[()] if concrete else None)
                for x, value in zip(given, values, strict=True)
            ]
            meaning = traced_meaning(function)
            visit(meaning)
            with step_being_traced():
                result = meaning(*rebuild_args(iter(arguments)))
            _, self.rebuild, self.structure = trees.flatten(result)
            outputs = [leaf_of(x, path) for path, x in trees.leaves_with_paths(result, "result")]
            self.paths = [path for path, _ in trees.leaves_with_paths(result, "result")]
            nodes = [node_of(recording, x) for x in outputs]
            for node in recording.nodes:
                if node.primitive is GUARD:
                    raise ScanError(
                        f"cond: a function branches on a value at {node.line}; use ad.cond or np.where there, and give "
                        "an ad.while_loop its max_steps"
                    )
            self.program = recording.program(nodes, str(getattr(function, "__name__", "branch")))
            self.captures = [outer for _, outer in recording.captures]


def _check_alike(one: _Traced, other: _Traced) -> None:
    if one.structure != other.structure:
        found = [", ".join(branch.paths) or "nothing" for branch in (one, other)]
        raise ScanError(f"cond: the results differ in structure: {found[0]} where it holds, {found[1]} where not")
    for path, a, b in zip(one.paths, one.program.outputs, other.program.outputs, strict=True):
        if a.shape != b.shape:
            raise ScanError(f"cond: {path} has shape {a.shape} where it holds and {b.shape} where not")
