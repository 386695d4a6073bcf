"""Scans as loops: the body is lowered in place, its small carries stay in registers from step to step.

A carry of few numbers is handed on in registers (memory of the function's own, which LLVM turns into them); its rows
are only stored. A larger one is read where the step before left it: in its rows, or where rows are not kept in one of
two buffers that take turns. Linear recurrences of a number go in blocks of steps (`recurrences`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bayesad.ad.backends.llvm import recurrences
from bayesad.ad.backends.llvm.inner import MOST_IN_REGISTERS, Inner, Inputs
from bayesad.ad.backends.llvm.scalars import Operand, as_kind
from bayesad.ad.backends.llvm.storage import Home
from bayesad.ad.backends.llvm.writer import MEMORY, SIZES, positions
from bayesad.ad.primitives.loops import parts_of
from bayesad.ad.program import Node

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = ["scan"]


def scan(lowering: Lowering, node: Node) -> bool:
    """Write a scan as a loop over its steps."""
    _Scan(lowering, node).write()
    return True


class _Scan(Inner):
    """One scan being written; the program is its body.

    Attributes
    ----------
    registers : dict
        Small carries -> the memory that LLVM keeps in registers.
    buffers : dict
        Large carries whose rows are not kept as they are -> the addresses of two variables: that of the buffer to
        read, and that of the one to write.
    """

    def __init__(self, lowering: Lowering, node: Node) -> None:
        given = node.attributes
        super().__init__(lowering, given["body"])
        self.body = self.program
        self.length, self.reverse, self.keep = given["length"], given["reverse"], given["keep"]
        n_carries, n_xs = given["carries"], given["xs"]
        self.carries = self.body.inputs[:n_carries]
        self.first = node.inputs[:n_carries]
        self.xs = list(zip(self.body.inputs, node.inputs, strict=True))[n_carries : n_carries + n_xs]
        self.invariants = list(zip(self.body.inputs, node.inputs, strict=True))[n_carries + n_xs :]
        self.parts = parts_of(self.body, n_carries, self.length, self.keep)
        self.target = lowering.pointer(node)
        self.registers: dict[Node, str] = {}
        self.buffers: dict[Node, tuple[str, str]] = {}

    def write(self) -> None:
        for carry, first in zip(self.carries, self.first, strict=True):
            self._begin(carry, first)
        fixed = Inputs()
        for inner, outer in self.invariants:
            self.give(fixed, inner, outer, [])
        recurrence = recurrences.linear(self.body) if self.length >= recurrences.FEWEST_STEPS else None
        if recurrence:
            self._in_blocks(recurrence, fixed)
        elif self.length:
            self.lowering.loop(self.length, lambda i: self._step(i, fixed), vectorise=False)
        if not self.keep:
            for number, carry in enumerate(self.carries):
                self._finish(number, carry)

    # --- carries
    def _begin(self, carry: Node, first: Node) -> None:
        """Put the first value where the first step reads it, and into the first row."""
        lowering, kind, number = self.lowering, carry.dtype.kind, self.carries.index(carry)
        if self.keep:
            lowering.copy(first, self._row(number, str(self.length) if self.reverse else "0"), "f")
        if carry.size <= MOST_IN_REGISTERS:
            self.registers[carry] = place = lowering.local_memory(f"[{max(carry.size, 1)} x {MEMORY[kind]}]")
            lowering.copy(first, place, kind)
        elif not self._reads_rows(carry):
            here, there = (self.workspace(carry.size * SIZES[kind]) for _ in range(2))
            self.buffers[carry] = lowering.local_memory("ptr"), lowering.local_memory("ptr")
            lowering.copy(first, here, kind)
            for variable, place in zip(self.buffers[carry], (here, there), strict=True):
                lowering.say(f"store ptr {place}, ptr {variable}")

    def _reads_rows(self, carry: Node) -> bool:
        """Whether the step reads a large carry in its rows."""
        return self.keep and carry.dtype.kind == "f"

    def _finish(self, number: int, carry: Node) -> None:
        """Store the last value of a carry whose rows are not kept."""
        lowering, kind = self.lowering, carry.dtype.kind
        if carry in self.buffers:
            source = lowering.op(f"load ptr, ptr {self.buffers[carry][0]}")
        else:
            source = self.registers[carry]
        self._convert(source, kind, carry.shape, self._row(number, "0"))

    def _convert(self, source: str, kind: str, shape: tuple[int, ...], target: str) -> None:
        """Copy an array in memory to one of float64."""
        lowering = self.lowering
        size = math.prod(shape)
        if size:
            lowering.nest((size,), lambda p: lowering.store(target, "f", p[0], lowering.load(source, kind, p[0])))

    def _row(self, number: int, row: str) -> str:
        """The address of a row of an output of the body in the packed vector."""
        part = self.parts[number]
        lowering = self.lowering
        offset = lowering.plus(lowering.times(row, math.prod(part.shape[1:])), str(part.start))
        return lowering.element(self.target, "double", offset)

    # --- blocks of steps of a linear recurrence
    def _in_blocks(self, recurrence: recurrences.Linear, fixed: Inputs) -> None:
        lowering, (carry,) = self.lowering, self.carries
        blocks, rest = divmod(self.length, recurrences.STEPS)

        def turn(number: str) -> None:
            first = lowering.times(number, recurrences.STEPS)
            places = [self._places(lowering.plus(first, str(j))) for j in range(recurrences.STEPS)]
            register = self.registers[carry]
            steps = [self._coefficients(recurrence, fixed, t) for t, _, _ in places]
            before = lowering.load(register, "f", "0")[0]
            for (_, _, after), value in zip(places, recurrences.block(lowering, before, steps), strict=True):
                if self.keep:
                    lowering.store(self._row(0, after), "f", "0", (value, "f"))
            lowering.store(register, "f", "0", (value, "f"))

        lowering.loop(blocks, turn, vectorise=False)
        for i in range(self.length - rest, self.length):
            self._step(str(i), fixed)

    def _coefficients(self, recurrence: recurrences.Linear, fixed: Inputs, t: str) -> tuple[str, str]:
        """The coefficient and the other term of a step, with their signs."""
        rows = dict(self.xs)

        def read(node: Node, negative: bool) -> str:
            if node in rows:
                value = self.lowering.value(rows[node], [t])
            else:
                value = fixed.scalars[node] if node in fixed.scalars else self.lowering.value(node, [])
            number = as_kind(self.lowering, value, "f")
            return self.lowering.op(f"fneg double {number}") if negative else number

        return (
            read(recurrence.coefficient, recurrence.coefficient_negative),
            read(recurrence.term, recurrence.term_negative),
        )

    # --- a step
    def _places(self, i: str) -> tuple[str, str, str]:
        """Of step i: the row of the xs and ys, that of the carry before it and that of the carry after it."""
        lowering = self.lowering
        t = lowering.op(f"sub nuw nsw i64 {self.length - 1}, {i}") if self.reverse else i
        following = lowering.plus(t, "1")
        return (t, following, t) if self.reverse else (t, t, following)

    def _step(self, i: str, fixed: Inputs) -> None:
        lowering = self.lowering
        t, before, after = self._places(i)
        given = fixed.copy()
        for inner, outer in self.xs:
            self.give(given, inner, outer, [t])
        for number, carry in enumerate(self.carries):
            self._give_carry(given, number, carry, before)
        n_carries = len(self.carries)
        rows = [
            None if number < n_carries and not self.keep else self._row(number, after if number < n_carries else t)
            for number in range(len(self.parts))
        ]
        with self.inside(given, self._bases(rows)):
            lowering.run_steps(self.schedule.steps)
            self._end(rows)

    def _end(self, rows: list[str | None]) -> None:
        """Store the rows and hand the new carries on, when nothing reads the old ones any more."""
        lowering = self.lowering
        handed: list[tuple[str, str, list[Operand]]] = []
        swapped: list[Node] = []
        for number, node in enumerate(self.body.outputs):
            carry = self.carries[number] if number < len(self.carries) else None
            row = rows[number]
            if node.size <= MOST_IN_REGISTERS:
                values = [lowering.value(node, p) for p in positions(node.shape)]
                if carry is not None:
                    handed.append((self.registers[carry], carry.dtype.kind, values))
                if row is not None and not (self._is_there(node, number) and node.dtype.kind == "f"):
                    for i, value in enumerate(values):
                        lowering.store(row, "f", str(i), value)
                continue
            if carry in self.buffers:
                assert carry is not None
                swapped.append(carry)
                if not self._is_there(node, number):
                    lowering.copy(node, self._written(carry), carry.dtype.kind)
            if row is not None and not (self._is_there(node, number) and node.dtype.kind == "f"):
                lowering.copy(node, row, "f")
        for place, kind, values in handed:
            for i, value in enumerate(values):
                lowering.store(place, kind, str(i), value)
        for carry in swapped:
            here, there = (lowering.op(f"load ptr, ptr {variable}") for variable in self.buffers[carry])
            lowering.say(f"store ptr {there}, ptr {self.buffers[carry][0]}")
            lowering.say(f"store ptr {here}, ptr {self.buffers[carry][1]}")

    def _is_there(self, node: Node, number: int) -> bool:
        """Whether an output was computed in the memory that it is to be in."""
        return self.storage.homes.get(node) == Home(f"output {number}", 0)

    def _written(self, carry: Node) -> str:
        return self.lowering.op(f"load ptr, ptr {self.buffers[carry][1]}")

    # --- what the body reads, and where its outputs lie
    def _give_carry(self, given: Inputs, number: int, carry: Node, row: str) -> None:
        lowering, kind = self.lowering, carry.dtype.kind
        if carry in self.registers:
            values = [lowering.load(self.registers[carry], kind, str(i)) for i in range(carry.size)]
            if carry.shape == ():
                given.scalars[carry] = values[0]
                return
            given.elements[carry] = values
            given.pointers[carry] = self.registers[carry]
        elif carry in self.buffers:
            given.pointers[carry] = lowering.op(f"load ptr, ptr {self.buffers[carry][0]}")
        else:
            given.pointers[carry] = self._row(number, row)

    def _bases(self, rows: list[str | None]) -> dict[str, str]:
        """Where the outputs that are computed in memory of their own lie."""
        bases: dict[str, str] = {}
        for node, home in self.storage.homes.items():
            what, _, number = home.base.partition(" ")
            if what != "output" or home.base in bases:
                continue
            output = self.body.outputs[int(number)]
            carry = self.carries[int(number)] if int(number) < len(self.carries) else None
            row = rows[int(number)]
            if carry in self.buffers:
                assert carry is not None
                bases[home.base] = self._written(carry)
            elif row is not None and output.dtype.kind == "f":
                bases[home.base] = row
            else:
                bases[home.base] = self.memory_for(node)
        return bases
