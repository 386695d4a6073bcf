"""What is repeated in a traced program: totals, groups, stretches, and what is left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from bayesad.ad.program import CONSTANT, GUARD, INPUT, Node, Program
from bayesad.ad.rolling.assemblies import find_assemblies
from bayesad.ad.rolling.groups import FEWEST, Element, Value, find_groups
from bayesad.ad.rolling.stretches import OUTSIDE, Repetition, find_repetition
from bayesad.ad.rolling.totals import find_totals

__all__ = ["Findings", "Operand", "Output", "Stretch"]

MOST_CARRIES = 64  # that the steps of a stretch may hand on
MOST_STRETCHES = 32


class Operand(NamedTuple):
    """Where a step finds an operand: "step" (a node at an offset), "carry", "x", "invariant"; or a "constant"."""

    kind: str
    what: Any


class Output(NamedTuple):
    """The values of the nodes at one offset of a stretch, one row per step."""

    stretch: Stretch
    number: int


class Stretch:
    """A loop: nodes that repeat one step.

    Attributes
    ----------
    nodes : list of Node
        All nodes, step after step.
    operands : list of list of Operand
        By offset in the step and number of the operand.
    carries : list of (offset, lag)
        What is handed on: the value made at that offset ``lag`` steps before; ``first`` are the values at the begin.
    xs : list of list of Value
        One value per step each.
    invariants : list of Value
    outputs : list of int
        Offsets of the nodes that are used outside of the stretch.
    """

    def __init__(self, nodes: list[Node], before: list[Node], found: Repetition, replaced: dict[Node, Element]) -> None:
        self.nodes = nodes
        self.period, self.steps = found.period, found.steps
        self.carries: list[tuple[int, int]] = []
        self.xs: list[list[Value]] = []
        self.invariants: list[Value] = []
        self.outputs: list[int] = []
        self._numbers: dict[Any, int] = {}
        lags: dict[int, int] = {}
        for offset, row in enumerate(found.distances):
            for distance in row:
                if distance > offset:
                    source = (offset - distance) % self.period
                    lags[source] = max(lags.get(source, 0), (source - offset + distance) // self.period)
        self.carries = [(offset, lag) for offset, longest in lags.items() for lag in range(1, longest + 1)]
        self.first = [before[len(before) + offset - lag * self.period] for offset, lag in self.carries]
        self.operands = [
            [self._operand(offset, j, distance, replaced) for j, distance in enumerate(row)]
            for offset, row in enumerate(found.distances)
        ]

    def step(self, offset: int) -> list[Node]:
        """The nodes at an offset, one per step."""
        return self.nodes[offset :: self.period]

    def _operand(self, offset: int, j: int, distance: int, replaced: dict[Node, Element]) -> Operand:
        if distance != OUTSIDE:
            source = (offset - distance) % self.period
            lag = (source - offset + distance) // self.period
            return Operand("carry", self.carries.index((source, lag))) if lag else Operand("step", source)
        sources = [node.inputs[j] for node in self.step(offset)]
        values = [replaced.get(source, source) for source in sources]
        if all(value == values[0] for value in values):
            value = values[0]
            if isinstance(value, Node) and value.primitive is CONSTANT:
                return Operand("constant", value)
            return Operand("invariant", self._number("invariant", value, self.invariants, value))
        return Operand("x", self._number("x", tuple(values), self.xs, values))

    def _number(self, kind: str, key: Any, known: list[Any], value: Any) -> int:
        if (kind, key) not in self._numbers:
            self._numbers[kind, key] = len(known)
            known.append(value)
        return self._numbers[kind, key]


class Findings:
    """The repetitions of a program.

    Attributes
    ----------
    totals : dict
        Sums -> their signed terms.
    replaced : dict
        Nodes that are rows of an array -> which.
    assemblies : dict
        Arrays filled position after position -> with what.
    collected : set of Node
        Arrays put together of many values.
    gone : set of Node
        Nodes that are not written themselves: partial sums, arrays in the making and the insides of stretches.
    checks : dict
        (source, expected) -> rows whose guards are checked together.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.users: dict[Node, list[Node]] = {node: [] for node in (*program.inputs, *program.nodes)}
        for node in program.nodes:
            for source in node.inputs:
                if source.primitive is not CONSTANT:
                    self.users[source].append(node)
        self.totals, self.gone = find_totals(program, self.users)
        self.assemblies = find_assemblies(program, self.users)
        self.gone.update(node for assembly in self.assemblies.values() for node in assembly.inner)
        self.collected = _long_stacks(program.nodes)
        self.together = {*self.totals, *self.assemblies, *self.collected}
        self.replaced: dict[Node, Element] = {}
        self.checks: dict[tuple[Any, bool], list[int]] = {}
        self._place = {node: i for i, node in enumerate(program.nodes)}
        self._reach: dict[Any, int] = {}
        find_groups(program, {*self.together, *self.gone}, self.replaced)
        self.groups = list(dict.fromkeys(element.source for element in self.replaced.values()))
        for group in self.groups:
            self._reach[group] = max([self.reach(value) for column in group.operands for value in column], default=-1)
        self.stretches: list[Stretch] = []
        self._find_stretches()
        for node in program.nodes:
            if node.primitive is GUARD and node not in self.gone and node.inputs[0] in self.replaced:
                self._check(node)

    def _find_stretches(self) -> None:
        rest = [node for node in self.program.nodes if self._is_left(node)]
        while len(self.stretches) < MOST_STRETCHES:
            found = find_repetition(rest, self.replaced)
            if found is None:
                return
            end = found.start + found.period * found.steps
            nodes = rest[found.start : end]
            stretch = Stretch(nodes, rest[: found.start], found, self.replaced)
            if not self._is_sound(stretch):
                return
            self._adopt(stretch)
            rest = rest[: found.start] + rest[end:]

    def _is_left(self, node: Node) -> bool:
        """Whether a node stands on its own after groups are taken out."""
        if node.primitive is GUARD:
            return node.inputs[0] not in self.replaced
        return not (node in self.replaced or node in self.gone or node in self.together)

    def _is_sound(self, stretch: Stretch) -> bool:
        """Whether all that the stretch uses can be computed before it."""
        used: Iterable[Value] = (*stretch.first, *stretch.invariants, *(value for row in stretch.xs for value in row))
        start = self._place[stretch.nodes[0]]
        return len(stretch.carries) <= MOST_CARRIES and all(self.reach(value) < start for value in used)

    def _adopt(self, stretch: Stretch) -> None:
        inside = set(stretch.nodes)
        outputs = set(self.program.outputs)
        for offset in range(stretch.period):
            row = stretch.step(offset)
            if row[0].primitive is GUARD:
                continue
            if any(
                node in outputs or any(user not in inside or user.primitive is GUARD for user in self.users[node])
                for node in row
            ):
                output = Output(stretch, len(stretch.outputs))
                stretch.outputs.append(offset)
                self._reach[output] = self._place[stretch.nodes[0]]
                self.replaced.update({node: Element(output, t) for t, node in enumerate(row)})
        for node in stretch.nodes:
            if node.primitive is GUARD:
                self._check(node)
        self.gone |= inside
        self.stretches.append(stretch)

    def _check(self, guard: Node) -> None:
        element = self.replaced.get(guard.inputs[0])
        if element is not None:
            key = (element.source, guard.attributes["expected"])
            self.checks.setdefault(key, []).append(element.row)
            self.gone.add(guard)

    def reach(self, value: Value) -> int:
        """The last place of a node standing on its own that a value is computed from."""
        if isinstance(value, Element):
            return self._reach[value.source]
        if value.primitive in (INPUT, CONSTANT):
            return -1
        if value in self.replaced:
            return self._reach[self.replaced[value].source]
        if value not in self.together:
            return self._place[value]
        if value not in self._reach:
            self._reach[value] = max(self.reach(source) for source in self.parts(value))
        return self._reach[value]

    def parts(self, node: Node) -> Sequence[Node]:
        """What a node is computed from: the terms of a total, what an array is filled with, or its operands."""
        if node in self.totals:
            return [term for _, term in self.totals[node]]
        if node in self.assemblies:
            return [self.assemblies[node].base, *self.assemblies[node].values]
        return node.inputs

    @property
    def is_nothing(self) -> bool:
        """Whether nothing is repeated."""
        return not (self.groups or self.stretches or self.totals)


def _long_stacks(nodes: Iterable[Node]) -> set[Node]:
    """Arrays put together of many values; those of which there are many stay what they are, parts of a step."""
    stacks = [node for node in nodes if node.primitive.name == "stack" and len(node.inputs) >= FEWEST]
    lengths = [len(node.inputs) for node in stacks]
    return {node for node in stacks if lengths.count(len(node.inputs)) <= 3}
