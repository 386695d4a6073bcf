"""``scan``: a loop over rows whose step is traced once, however many rows there are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from bayesad.ad import trees
from bayesad.ad.array import TracedArray, node_of, plain_or_traced
from bayesad.ad.backends.numpy import executor
from bayesad.ad.primitives import loops
from bayesad.ad.program import GUARD, Node, Program
from bayesad.ad.trace import Trace, as_data, tracing
from bayesad.errors import ScanError

__all__ = [
    "Rows",
    "Step",
    "leaf_of",
    "promoted",
    "rows_of_step",
    "scan",
    "scan_length",
    "step_being_traced",
    "steps_being_traced",
]

_local = threading.local()


def steps_being_traced() -> int:
    """How many steps of loops and functions of ``ad.cond``, one within the other, are being traced in this thread."""
    return len(getattr(_local, "steps", ()))


def rows_of_step() -> Rows:
    """The rows of the innermost step of a scan that is being traced in this thread."""
    return _local.steps[-1]


@contextmanager
def step_being_traced(rows: Rows | None = None) -> Iterator[None]:
    _local.steps = [*getattr(_local, "steps", ()), rows]
    try:
        yield
    finally:
        _local.steps = _local.steps[:-1]


class Rows:
    """Arrays of which one row goes to each step of a scan: the xs, and those that the step asks for while it is traced.

    Attributes
    ----------
    arrays : list
        In the order of the step's inputs after the carries.
    """

    def __init__(self, recording: Trace, arrays: Sequence[Any], first: int) -> None:
        self.arrays: list[Any] = []
        self._recording = recording
        self._first = first
        self._inputs: list[Node] = []
        self.given = [self.of(x) for x in arrays]

    def of(self, x: Any) -> Any:
        """The row of an array that goes to the step, traced."""
        value = x.value if isinstance(x, TracedArray) else x
        known = self._recording.concrete and value is not None
        row = self._recording.input(x.shape[1:], x.dtype, value[self._first] if known else None)
        self.arrays.append(x)
        self._inputs.append(row.node)
        return row

    def everywhere(self, x: Any) -> np.ndarray | None:
        """What the step computes, at all steps: an array with a row for each; None if it is not of plain rows alone."""
        if not isinstance(x, TracedArray) or x.recording is not self._recording:
            return None
        program = self._recording.program([x.node], "rows")
        needed = {node for n in program.nodes for node in n.inputs} | {x.node}
        plain = [not isinstance(array, TracedArray) for array in self.arrays]
        chosen = [i for i, node in enumerate(self._inputs) if node in needed]
        known = {self._inputs[i] for i in chosen if plain[i]}
        if any(node in needed and node not in known for node in program.inputs):
            return None
        arrays = [self.arrays[i] for i in chosen]
        if x.node in known:
            return np.asarray(arrays[0])
        run = executor(Program(tuple(self._inputs[i] for i in chosen), program.outputs, program.nodes, program.name))
        return np.stack([run([np.asarray(row)[()] for row in rows])[0] for rows in zip(*arrays, strict=True)])


def scan(
    step: Callable[[Any, Any], tuple[Any, Any]],
    carry: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Run ``step`` over the rows of ``xs``, its first result handed from each step to the next.

    Parameters
    ----------
    step : callable
        ``step(carry, x) -> (carry, y)``. It is traced once, for one row, and may use arrays from outside, traced ones
        too: derivatives reach them. A branch on a value has to go the same way at every step; use np.where where it
        does not.
    carry : array or tree of arrays
        What the first step gets: floats, integers or booleans in tuples, dicts, NamedTuples or dataclasses. Every
        step has to return the same structure and shapes. Integers become floats where the step makes floats of them.
    xs : array or tree of arrays, optional
        Row t along the first axes goes to step t. Without it the steps get None.
    length : int, optional
        The number of steps; needed where there are no xs.
    reverse : bool
        Run from the last row to the first. Row t of the results belongs to row t of xs all the same.

    Returns
    -------
    carry : tree as ``carry``
        What the last step returned.
    ys : tree as the ``y`` of a step, or None
        The ys of all steps, along a new first axis.

    Raises
    ------
    ScanError
        If the lengths do not agree, the carry changes its structure or a shape, or a branch does not always go
        the same way.

    Examples
    --------
    >>> import numpy as np
    >>> from bayesad import ad
    >>> last, all_of_them = ad.scan(lambda total, x: (total + x, total + x), 0.0, np.array([1.0, 2.0, 3.0]))
    >>> float(last), all_of_them
    (6.0, array([1., 3., 6.]))
    """
    leaves, rebuild, structure = trees.flatten(carry)
    rows, rebuild_rows, _ = trees.flatten(xs)
    first = [leaf_of(x, path) for path, x in trees.leaves_with_paths(carry, "carry")]
    rows = [leaf_of(x, path) for path, x in trees.leaves_with_paths(xs, "xs")]
    n = scan_length(xs, length)
    step_once = Step(step, rebuild, structure, [p for p, _ in trees.leaves_with_paths(carry, "carry")], rebuild_rows)
    while True:
        body = step_once.traced(first, rows, n, reverse)
        wider = [promoted(x, node) for x, node in zip(first, body.program.outputs, strict=False)]
        if all(before is after for before, after in zip(first, wider, strict=True)):
            break
        first = wider
    found = loops.scan(body.program, first, body.rows, body.captures, length=n, reverse=reverse)
    body.check_branches(found)
    last = [found.final(i) for i in range(len(leaves))]
    ys = [found.y(j) for j in range(body.n_ys)]
    return rebuild(iter(last)), body.rebuild_ys(iter(ys))


def leaf_of(x: Any, path: str) -> Any:
    x = plain_or_traced(x)
    if isinstance(x, TracedArray):
        return x
    if x.dtype.kind not in "fiub":
        raise ScanError(f"scan: {path} is {type(x).__name__} of dtype {x.dtype}, not numbers; close over it instead")
    return as_data(x)


def scan_length(xs: Any, length: int | None = None) -> int:
    """The number of steps of a scan over xs; ScanError where it is not known, or the xs do not agree."""
    rows = dict(trees.leaves_with_paths(xs, "xs"))
    for path, x in rows.items():
        if np.ndim(x) == 0:
            raise ScanError(
                f"scan: {path} is a scalar, without rows to run over; close over it, or pass an array (a list counts "
                "as several arrays: np.array(list))"
            )
    lengths = {path: np.shape(x)[0] for path, x in rows.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{path} has {n}" for path, n in lengths.items())
        raise ScanError(f"scan: the xs differ in their number of rows: {shown}")
    if length is None:
        if not lengths:
            raise ScanError("scan: without xs the number of steps has to be given: length=…")
        return next(iter(lengths.values()))
    if isinstance(length, bool) or not isinstance(length, (int, np.integer)) or length < 0:
        raise ScanError(f"scan: length is a number of steps, not {length!r}")
    for path, n in lengths.items():
        if n != length:
            raise ScanError(f"scan: length={length}, but {path} has {n} rows")
    return int(length)


def promoted(x: Any, node: Node) -> Any:
    """A first carry in the dtype that the step makes of it: integers may become floats."""
    if np.result_type(x.dtype, node.dtype) == x.dtype:
        return x
    return x.astype(np.result_type(x.dtype, node.dtype))


class _Body:
    """A traced step.

    Attributes
    ----------
    program : Program
        Of carries, one row of each x and the captured arrays; to the carries, the ys and the conditions of branches.
    rows : list
        The xs, and what else the step has a row of.
    captures : list
    """

    def __init__(
        self,
        program: Program,
        rows: list[Any],
        captures: list[Any],
        n_ys: int,
        rebuild_ys: trees.Rebuild,
        guards: list[Node],
    ) -> None:
        self.program = program
        self.rows = rows
        self.captures = captures
        self.n_ys = n_ys
        self.rebuild_ys = rebuild_ys
        self._guards = guards

    def check_branches(self, found: loops.Scanned, loop: str = "scan") -> None:
        """The branches of the step went the same way at every step: an error or, where unknowns decide, a guard."""
        for i, guard in enumerate(self._guards):
            condition, expected = found.y(self.n_ys + i), guard.attributes["expected"]
            value = condition.value if isinstance(condition, TracedArray) else condition
            other = np.flatnonzero(value != expected)
            if other.size:
                raise ScanError(
                    f"{loop}: the branch at {guard.line} does not go the same way at every step (at step {other[0]} "
                    "another way than at the first); write it with np.where, so that one traced step serves all"
                )
            bool(np.all(condition) if expected else np.any(condition))


class Step:
    """The user's step, and what is known of its carry."""

    def __init__(
        self,
        function: Callable[..., Any],
        rebuild: trees.Rebuild,
        structure: Any,
        paths: Sequence[str],
        rebuild_rows: trees.Rebuild,
    ) -> None:
        self.function = function
        self.rebuild = rebuild
        self.structure = structure
        self.paths = paths
        self.rebuild_rows = rebuild_rows

    def traced(self, carry: Sequence[Any], rows: Sequence[Any], n: int, reverse: bool) -> _Body:
        """The step recorded at its first values, or by shapes alone where they are not known."""
        from bayesad.ad.swaps import traced_meaning, visit

        values = [x.value if isinstance(x, TracedArray) else x for x in (*carry, *rows)]
        concrete = n > 0 and all(value is not None for value in values)
        with tracing() as depth:
            recording = Trace(concrete, depth)
            arguments = [
                recording.input(x.shape, x.dtype, value[()] if concrete else None)
                for x, value in zip(carry, values, strict=False)
            ]
            taken = Rows(recording, rows, n - 1 if reverse else 0)
            own = iter([*arguments, *taken.given])
            function = traced_meaning(self.function)
            visit(function)
            with step_being_traced(taken):
                result = function(self.rebuild(own), self.rebuild_rows(own))
            following, ys, rebuild_ys = self._taken_apart(result)
            outputs = [self._carried(*pair) for pair in zip(self.paths, carry, following, strict=True)] + ys
            guards = [node for node in recording.nodes if node.primitive is GUARD]
            nodes = [node_of(recording, x) for x in outputs] + [guard.inputs[0] for guard in guards]
            recording.nodes = [node for node in recording.nodes if node.primitive is not GUARD]
            name = str(getattr(self.function, "__name__", "step"))
            program = recording.program(nodes, name)
        captures = [outer for _, outer in recording.captures]
        return _Body(program, taken.arrays, captures, len(ys), rebuild_ys, guards)

    def _taken_apart(self, result: Any) -> tuple[list[Any], list[Any], trees.Rebuild]:
        if not isinstance(result, tuple) or len(result) != 2:
            found = f"a tuple of {len(result)}" if isinstance(result, tuple) else type(result).__name__
            raise ScanError(
                f"scan: the step has to return a pair (carry, y); it returned {found}. Without anything to collect "
                "return (carry, None)"
            )
        following, _, structure = trees.flatten(result[0])
        if structure != self.structure:
            found = ", ".join(path for path, _ in trees.leaves_with_paths(result[0], "carry")) or "nothing"
            raise ScanError(
                f"scan: the step changes the structure of the carry: it gets {', '.join(self.paths) or 'nothing'} "
                f"and returns {found}"
            )
        ys, rebuild_ys, _ = trees.flatten(result[1])
        return (
            following,
            [leaf_of(y, path) for y, (path, _) in zip(ys, trees.leaves_with_paths(result[1], "y"), strict=False)],
            rebuild_ys,
        )

    @staticmethod
    def _carried(path: str, before: Any, after: Any) -> Any:
        """A new carry, as a float where the old one is."""
        after = leaf_of(after, path)
        if np.shape(after) != np.shape(before):
            raise ScanError(
                f"scan: {path} has shape {np.shape(before)}, and the step returns shape {np.shape(after)} for it; the "
                f"shape has to stay (a first carry of shape {np.shape(after)} may be meant)"
            )
        wider = np.result_type(before.dtype, after.dtype)
        return after if after.dtype == wider else after.astype(wider)
