"""A program written again with its repetitions as array operations, scans and sums."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bayesad.ad.array import TracedArray, bind, index_set, node_of
from bayesad.ad.primitives import loops
from bayesad.ad.primitives.indexing import Index, take
from bayesad.ad.primitives.shaping import stack_rows
from bayesad.ad.program import CONSTANT, GUARD, INPUT, Node, Program
from bayesad.ad.rolling.analysis import Findings, Output, Stretch
from bayesad.ad.rolling.assemblies import Assembly
from bayesad.ad.rolling.batching import batched
from bayesad.ad.rolling.groups import Element, Group, Value
from bayesad.ad.simplify import rewrite
from bayesad.ad.trace import Trace

__all__ = ["written"]

MOST_PIECES = 8  # runs of rows that are put together one by one; of more, the rows are gathered from all


def written(findings: Findings) -> Program:
    """The program that does the same."""
    return _Writer(findings).program()


class _Writer:
    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.old = findings.program
        self.trace = Trace(False, 0, rewrite)
        self.trace.inputs = list(self.old.inputs)
        self.made: dict[Any, Any] = {node: TracedArray(self.trace, node) for node in self.old.inputs}
        self.rows_made: dict[Element, Any] = {}

    def program(self) -> Program:
        findings = self.findings
        with np.errstate(all="ignore"):
            for node in self.old.nodes:
                if node in findings.gone or node in findings.replaced:
                    continue
                if node.primitive is GUARD:
                    self._require(node.inputs[0])
                    self._guard(self.value(node.inputs[0]), node.attributes["expected"], node)
                else:
                    self._require(node)
            for (source, expected), indices in findings.checks.items():
                self._require(Element(source, 0))
                found = self.rows([Element(source, i) for i in indices])
                self._guard(np.all(found) if expected else np.any(found), expected, None)
            for node in self.old.outputs:
                self._require(node)
            outputs = [node_of(self.trace, self.value(node)) for node in self.old.outputs]
        return self.trace.program(outputs, self.old.name)

    def _guard(self, truth: Any, expected: bool, node: Node | None) -> None:
        if isinstance(truth, TracedArray):
            self.trace.source = None if node is None else node.source
            self.trace.guard(node_of(self.trace, truth), expected)

    # --- in an order in which each can be computed
    def _unit(self, value: Value) -> Any:
        """What has to be written for a value: a node, a group or a stretch."""
        if isinstance(value, Node):
            element = self.findings.replaced.get(value)
            if element is None:
                return value
            value = element
        return value.source.stretch if isinstance(value.source, Output) else value.source

    def _uses(self, unit: Any) -> Iterator[Value]:
        if isinstance(unit, Stretch):
            return itertools.chain(unit.first, unit.invariants, *unit.xs)
        if isinstance(unit, Group):
            return itertools.chain(*unit.operands)
        return iter(self.findings.parts(unit))

    def _require(self, value: Value) -> None:
        """Write a value after all that it is made of."""
        unit = self._unit(value)
        if unit in self.made:
            return
        waiting = [(unit, self._uses(unit))]
        while waiting:
            unit, uses = waiting[-1]
            for used in uses:
                if isinstance(used, Node) and used.primitive in (CONSTANT, INPUT):
                    continue
                other = self._unit(used)
                if other not in self.made:
                    waiting.append((other, self._uses(other)))
                    break
            else:
                waiting.pop()
                if unit not in self.made:
                    self._write(unit)

    def _write(self, unit: Any) -> None:
        if isinstance(unit, Stretch):
            self._write_stretch(unit)
        elif isinstance(unit, Group):
            self.trace.source = unit.like.source
            self.made[unit] = self._group(unit)
        elif unit.primitive not in (INPUT, CONSTANT):
            self.trace.source = unit.source
            self.made[unit] = self._node(unit)

    # --- values
    def value(self, value: Value) -> Any:
        """A value that has been written, as an array."""
        if isinstance(value, Node):
            if value.primitive is CONSTANT:
                return value.value
            element = self.findings.replaced.get(value)
            if element is None:
                return self.made[value]
            value = element
        if value not in self.rows_made:
            self.rows_made[value] = self.made[value.source][value.row]
        return self.rows_made[value]

    def rows(self, values: Sequence[Value]) -> Any:
        """Values stacked along a first axis, by slices of the arrays they are rows of."""
        values = [self.findings.replaced.get(v, v) if isinstance(v, Node) else v for v in values]
        if all(value == values[0] for value in values):
            one = self.value(values[0])
            return np.broadcast_to(one, (len(values), *np.shape(one)))
        runs = _runs(values)
        if len(runs) <= MOST_PIECES:
            pieces = [self._run(values[begin:end]) for begin, end in runs]
            return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        return self._gathered(values)

    def _run(self, values: Sequence[Value]) -> Any:
        """Rows of one array at equal distances, or values on their own."""
        if not isinstance(values[0], Element):
            arrays = [self.value(value) for value in values]
            if any(isinstance(a, TracedArray) for a in arrays):
                return stack_rows(arrays)
            return np.stack(arrays)
        array = self.made[values[0].source]
        begin = values[0].row
        following = values[1] if len(values) > 1 else None
        step = following.row - begin if isinstance(following, Element) else 1
        if (begin, step, len(values)) == (0, 1, len(array)):
            return array
        last = begin + step * (len(values) - 1)
        if step > 0:
            return array[begin : last + 1 : step]
        return np.flip(array[last : begin + 1 : -step], 0)

    def _gathered(self, values: Sequence[Value]) -> Any:
        """Rows in any order, from all arrays they are of put together."""
        sources = list(dict.fromkeys(value.source for value in values if isinstance(value, Element)))
        single = list(dict.fromkeys(value for value in values if not isinstance(value, Element)))
        arrays = [self.made[source] for source in sources] + ([self._run(single)] if single else [])
        starts = dict(zip(sources, itertools.accumulate((len(a) for a in arrays), initial=0), strict=False))
        begin = sum(len(self.made[source]) for source in sources)
        own = {value: begin + i for i, value in enumerate(single)}
        at = [starts[v.source] + v.row if isinstance(v, Element) else own[v] for v in values]
        array = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
        if not isinstance(array, TracedArray):
            return array[np.array(at)]
        return bind(take, (array, np.array(at)), {"index": Index(("array",))})

    # --- nodes
    def _node(self, node: Node) -> Any:
        if node in self.findings.totals:
            return self._total(self.findings.totals[node])
        if node in self.findings.collected:
            return self.rows(node.inputs)
        if node in self.findings.assemblies:
            return self._assembled(node, self.findings.assemblies[node])
        return bind(node.primitive, tuple([self.value(i) for i in node.inputs]), node.attributes)

    def _total(self, terms: Sequence[tuple[float, Node]]) -> Any:
        """A sum: of rows of arrays at once, of other terms one by one."""
        counts: dict[Node, float] = {}
        for sign, node in terms:
            counts[node] = counts.get(node, 0.0) + sign
        total: Any = None
        rows: dict[tuple[Any, float], list[Element]] = {}
        for node, count in counts.items():
            element = self.findings.replaced.get(node)
            if element is not None:
                rows.setdefault((element.source, count), []).append(element)
            else:
                total = _plus(total, count, self.value(node))
        for (_, count), elements in rows.items():
            ordered = sorted(elements, key=lambda element: element.row)
            total = _plus(total, count, np.sum(self.rows(ordered), axis=0))
        return total

    def _assembled(self, node: Node, assembly: Assembly) -> Any:
        """An array filled at many positions along one axis."""
        order = np.argsort(assembly.positions)
        positions = np.array(assembly.positions)[order]
        rows = self.rows([assembly.values[i] for i in order])
        items = list(node.attributes["index"].resolve(()))
        taken = np.broadcast_to(np.False_, node.shape)[tuple(items)].shape
        value = assembly.values[0]
        rows = np.reshape(rows, (len(positions), *(1,) * (len(taken) - value.ndim), *value.shape))
        axis = sum(1 for item in items[: assembly.slot] if type(item) is not int)
        steps = set(np.diff(positions).tolist())
        regular = len(steps) == 1
        items[assembly.slot] = slice(int(positions[0]), int(positions[-1]) + 1, steps.pop()) if regular else positions
        rows = np.broadcast_to(rows, (len(positions), *taken))
        return index_set(self.value(assembly.base), tuple(items), np.moveaxis(rows, 0, axis))

    def _group(self, group: Group) -> Any:
        node, n = group.like, len(group.members)
        if node.primitive is take and len(node.inputs) == 1 and isinstance(group.operands[0][0], Node):
            taken = self._taken(group)
            if taken is not None:
                return taken
        operands = []
        for column in group.operands:
            same = all(value == column[0] for value in column)
            operands.append((self.value(column[0]) if same else self.rows(column), not same))
        result = batched(node.primitive, operands, node.attributes, n)
        if result is None:
            rows = zip(*group.operands, strict=True)
            result = stack_rows(
                [
                    bind(member.primitive, tuple([self.value(v) for v in row]), member.attributes)
                    for member, row in zip(group.members, rows, strict=True)
                ]
            )
        return result

    def _taken(self, group: Group) -> Any:
        """Elements or rows of one array at positions that differ along one axis, or of all axes at once."""
        source = self.value(group.operands[0][0])
        items = [member.attributes["index"].items for member in group.members]
        varying = [k for k, column in enumerate(zip(*items, strict=True)) if len(set(column)) > 1]
        if len(varying) == 1:
            k = varying[0]
            whole = [
                slice(None) if i == k else item for i, item in enumerate(group.like.attributes["index"].resolve(()))
            ]
            axis = sum(1 for item in whole[:k] if type(item) is not int)
            array = np.moveaxis(source[tuple(whole)], axis, 0)
            return _at(array, [row[k] for row in items])
        if all(type(item) is int for item in items[0]):
            depth = len(items[0])
            flat = np.reshape(source, (-1, *source.shape[depth:]))
            return _at(flat, np.ravel_multi_index(np.array(items).T, source.shape[:depth]).tolist())
        return None

    # --- stretches
    def _write_stretch(self, stretch: Stretch) -> None:
        first = [self.value(node) for node in stretch.first]
        xs = [self.rows(column) for column in stretch.xs]
        invariants = [self.value(value) for value in stretch.invariants]

        def step(*arguments: Any) -> list[Any]:
            remaining = iter(arguments)
            given: dict[str, Any] = {
                "carry": [next(remaining) for _ in first],
                "x": [next(remaining) for _ in xs],
                "invariant": [next(remaining) for _ in invariants],
                "step": [],
            }
            for node, operands in zip(stretch.nodes[: stretch.period], stretch.operands, strict=True):
                if node.primitive is GUARD:
                    given["step"].append(None)
                    continue
                values = tuple([o.what.value if o.kind == "constant" else given[o.kind][o.what] for o in operands])
                given["step"].append(bind(node.primitive, values, node.attributes))
            number = {key: k for k, key in enumerate(stretch.carries)}
            following = [
                given["step"][offset] if lag == 1 else given["carry"][number[offset, lag - 1]]
                for offset, lag in stretch.carries
            ]
            return [*following, *[given["step"][offset] for offset in stretch.outputs]]

        like = [*stretch.first, *[_row_like(column[0]) for column in stretch.xs], *map(_row_like, stretch.invariants)]
        self.trace.source = stretch.nodes[0].source
        found = loops.scan(loops.build(step, like, self.old.name), first, xs, invariants, length=stretch.steps)
        self.made[stretch] = found
        for j in range(len(stretch.outputs)):
            self.made[Output(stretch, j)] = found.y(j)


def _row_like(value: Value) -> Node:
    """A node with the shape and dtype of a value."""
    if isinstance(value, Node):
        return value
    source = value.source
    return source.stretch.nodes[source.stretch.outputs[source.number]] if isinstance(source, Output) else source.like


def _plus(total: Any, count: float, term: Any) -> Any:
    """A sum with ``count`` times a term added."""
    term = term if abs(count) == 1.0 else abs(count) * term
    if total is None:
        return term if count > 0 else -term
    return total + term if count > 0 else total - term


def _runs(values: Sequence[Value]) -> list[tuple[int, int]]:
    """Begin and end of runs of rows of one array at equal distances, and of values that are rows of none."""
    runs: list[tuple[int, int]] = []
    begin = 0
    for i in range(1, len(values) + 1):
        if i == len(values) or not _continues(values, begin, i):
            runs.append((begin, i))
            begin = i
    return runs


def _continues(values: Sequence[Value], begin: int, i: int) -> bool:
    """Whether the value at i continues the run that begins at ``begin``."""
    here, last = values[i], values[i - 1]
    if not isinstance(here, Element) or not isinstance(last, Element):
        return isinstance(here, Element) == isinstance(last, Element)
    if here.source is not last.source or here.row == last.row:
        return False
    second_last = values[i - 2]
    return i - begin < 2 or (isinstance(second_last, Element) and here.row - last.row == last.row - second_last.row)


def _at(array: Any, positions: list[int]) -> Any:
    """Rows of an array: a slice where the positions are at equal distances."""
    steps = set(np.diff(positions).tolist())
    if len(steps) == 1 and (step := steps.pop()) > 0:
        begin, end = positions[0], positions[-1] + 1
        return array if (begin, step, end) == (0, 1, len(array)) else array[begin:end:step]
    return bind(take, (array, np.array(positions)), {"index": Index(("array",))})
