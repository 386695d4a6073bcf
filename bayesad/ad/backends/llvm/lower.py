"""From a Program to LLVM text: loops over iteration spaces, straight-line scalars, and calls for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesad.ad.backends.llvm import constants, vector_math
from bayesad.ad.backends.llvm.callbacks import callback
from bayesad.ad.backends.llvm.constants import Constant, as_they_are
from bayesad.ad.backends.llvm.fused import combine, identity, run_loop, total_offset
from bayesad.ad.backends.llvm.gathers import taken_shape
from bayesad.ad.backends.llvm.scalars import Operand, as_kind, emit_scalar
from bayesad.ad.backends.llvm.schedule import Loop, Schedule, Step, innermost, is_reduction, plan
from bayesad.ad.backends.llvm.storage import Home, Storage, allocate
from bayesad.ad.backends.llvm.subroutines import call_by_address
from bayesad.ad.backends.llvm.table import Layout, module_text
from bayesad.ad.backends.llvm.whole import WHOLE
from bayesad.ad.backends.llvm.writer import Position, Writer, positions
from bayesad.ad.primitives.indexing import Index
from bayesad.ad.program import CONSTANT, GUARD, INPUT, Node, Program

__all__ = ["Lowered", "lower"]


@dataclass
class Lowered:
    text: str
    layout: Layout
    n_instructions: int
    mathematics: tuple[str, ...]


def lower(program: Program, *, log_density: bool = False) -> Lowered:
    """LLVM text for a program, and what its table must hold."""
    schedule = plan(program)
    return Lowering(program, schedule, allocate(program, schedule)).result(log_density)


class Lowering(Writer):
    """Writes the body of one program: its nodes step by step.

    With ``outer`` it is one more function of that one's module, which shares its workspace, data and declarations.
    """

    def __init__(self, program: Program, schedule: Schedule, storage: Storage, outer: Lowering | None = None) -> None:
        super().__init__()
        self.program = program
        self.schedule = schedule
        self.storage = storage
        self.layout: Layout = Layout(program.inputs, program.outputs) if outer is None else outer.layout
        if outer is not None:
            self.declared, self.mathematics, self.functions = outer.declared, outer.mathematics, outer.functions
        self.slots = [self.reserve(nbytes) for nbytes in storage.slots]
        self.bases: dict[str, str] = {}  # of homes: as they are called -> parameter
        self.constant_pointers: dict[Any, str] = {}
        self.pointers: dict[Node, str] = {}
        self.scalars: dict[Node, Operand] = {}
        self.elements: dict[Node, list[Operand]] = {}  # of arrays kept as scalars, in C order
        self.local: dict[Node, Operand] = {}  # values at the present position of the loop being written
        self.special_names: dict[str, str] = {}
        self.factors: dict[Node, tuple[str, str]] = {}  # of matrices factorised so far: where these lie
        self.outside: list[str] = []  # whether index arrays that depend on unknowns point outside, noted meanwhile

    # --- addresses
    def special(self, name: str) -> str:
        if name not in self.special_names:
            self.special_names[name] = self.parameter("f", f"special {len(self.layout.special)}")
            self.layout.special.append(name)
        return self.special_names[name]

    def reserve(self, nbytes: int) -> int:
        offset = self.layout.workspace_size
        self.layout.workspace_size += -(-nbytes // 64) * 64
        return offset

    def pointer(self, node: Node) -> str:
        """The address of a leaf's or a stored node's memory."""
        if node not in self.pointers:
            if node.primitive is INPUT:
                self.pointers[node] = self.parameter("p", f"input {self.program.inputs.index(node)}")
            elif node.primitive is CONSTANT:
                self.pointers[node] = self.constant(as_they_are(node))
            else:
                home = self.storage.homes[node]
                self.pointers[node] = self._displaced(self.base(home.base), home.offset)
        return self.pointers[node]

    def base(self, name: str) -> str:
        """The address of "output 1" or "slot 3"."""
        if name not in self.bases:
            what, _, number = name.partition(" ")
            origin = name if what == "output" else f"workspace {self.slots[int(number)]}"
            self.bases[name] = self.parameter("p", origin)
        return self.bases[name]

    def constant(self, constant: Constant) -> str:
        """The address of a constant's memory."""
        if constant.key not in self.constant_pointers:
            self.constant_pointers[constant.key] = self.parameter("p", f"constant {len(self.layout.constants)}")
            self.layout.constants.append(constant)
        return self.constant_pointers[constant.key]

    def _displaced(self, base: str, offset: int) -> str:
        if offset == 0:
            return base
        if base.startswith("%t"):  # an address made in a loop
            return self.op(f"getelementptr inbounds i8, ptr {base}, i64 {offset}")
        name = f"%{self.fresh('part')}"
        self.entry.append(f"  {name} = getelementptr inbounds i8, ptr {base}, i64 {offset}")
        return name

    # --- values
    def literal(self, node: Node, position: tuple[int, ...]) -> Operand:
        value = node.value[position].item()
        kind = node.dtype.kind
        if kind == "f":
            return vector_math.hexadecimal(value), "f"
        return (str(int(value)), "i") if kind == "i" else ("true" if value else "false", "b")

    def value(self, node: Node, position: Position) -> Operand:
        """The element of a node at a position of its own shape (scalars: the empty position)."""
        if node.primitive is CONSTANT and node.size == 1:
            return self.literal(node, (0,) * node.ndim)
        if node in self.local:
            return self.local[node]
        if node in self.scalars:
            return self.scalars[node]
        known = all(i.isdigit() for i in position)
        if node in self.elements and known:
            return self.elements[node][int(self.linear(position, node.shape))]
        if node.primitive is CONSTANT and known:
            return self.literal(node, tuple(int(i) for i in position))
        if node.primitive in (INPUT, CONSTANT) or node in self.schedule.stored:
            return self.load(self.pointer(node), node.dtype.kind, self.place(node, position))
        source, there = self.through(node, position)
        return self.value(source, there)

    def place(self, node: Node, position: Position) -> str:
        """Which of the elements in a node's memory is the one at a position."""
        if node not in self.schedule.turned:
            return self.linear(position, node.shape)
        axes = list(range(node.ndim))
        axes.append(axes.pop(innermost(node.shape)))
        return self.linear([position[axis] for axis in axes], [node.shape[axis] for axis in axes])

    def copy(self, node: Node, target: str, kind: str) -> None:
        """Write all elements of a node to memory, in C order."""
        self.nest(node.shape, lambda p: self.store(target, kind, self.linear(p, node.shape), self.value(node, p)))

    def aligned(self, node: Node, position: Position) -> Position:
        """A position of a broadcast result as one of the operand."""
        own = position[len(position) - len(node.shape) :] if node.shape else []
        return ["0" if n == 1 else i for i, n in zip(own, node.shape, strict=True)]

    def through(self, node: Node, position: Position) -> tuple[Node, Position]:
        """Where a view finds its element: the source and the position there."""
        source = node.inputs[0]
        name = node.primitive.name
        if name == "reshape":
            return source, self.unravel(self.linear(position, node.shape), source.shape)
        if name == "broadcast_to":
            return source, self.aligned(source, position)
        if name == "transpose":
            there = [""] * len(position)
            for i, axis in zip(position, node.attributes["axes"], strict=True):
                there[axis] = i
            return source, there
        if name == "flip":
            axes = node.attributes["axes"]
            return source, [
                self._mirror(i, n) if axis in axes else i
                for axis, (i, n) in enumerate(zip(position, source.shape, strict=True))
            ]
        return source, self.indexed(node.attributes["index"], node.inputs[1:], source.shape, position)

    def _mirror(self, i: str, n: int) -> str:
        return str(n - 1 - int(i)) if i.isdigit() else self.op(f"sub nsw i64 {n - 1}, {i}")

    def indexed(self, index: Index, arrays: Sequence[Node], shape: tuple[int, ...], position: Position) -> Position:
        """The position in an array of ``shape`` that ``array[index]`` has at ``position``."""
        items = list(index.items) + [("slice", None, None, None)] * (
            len(shape) - sum(1 for item in index.items if item is not None)
        )
        remaining = list(position)
        advanced = len(np.broadcast_shapes(*[a.shape for a in arrays])) if arrays else 0
        front = arrays and not _adjacent(items)
        shared = remaining[:advanced] if front else None
        if front:
            remaining = remaining[advanced:]
        there: Position = []
        axis = 0
        queue = list(arrays)
        for item in items:
            if item is None:
                remaining.pop(0)
                continue
            n = shape[axis]
            axis += 1
            takes_part = item == "array" or (arrays and type(item) is int and front is False)
            if takes_part and shared is None:
                shared, remaining = remaining[:advanced], remaining[advanced:]
            if type(item) is int:
                there.append(str(item))
            elif item == "array":
                array = queue.pop(0)
                assert shared is not None
                there.append(self._index_element(array, shared, n))
            else:
                start, _, step = slice(*item[1:]).indices(n)
                there.append(self.plus(self.times(remaining.pop(0), step), str(start)))
        return there

    def _index_element(self, array: Node, position: Position, n: int) -> str:
        """An element of an index array, counted from the front."""
        there = self.aligned(array, position)
        if array.primitive is not CONSTANT:
            return self._index_inside(self.value(array, there)[0], n)
        if all(i.isdigit() for i in there):
            return str(int(array.value[tuple(int(i) for i in there)]) % n)
        constant = constants.positions(array, n)
        place = self.element(
            self.constant(constant), "i32" if constant.is_short else "i64", self.linear(there, array.shape)
        )
        if constant.is_short:
            return self.op(f"zext nneg i32 {self.op(f'load i32, ptr {place}')} to i64")
        return self.op(f"load i64, ptr {place}")

    def _index_inside(self, i: str, n: int) -> str:
        """An index into an axis of length n; one that is outside is noted, and becomes 0."""
        negative = self.op(f"icmp slt i64 {i}, 0")
        i = self.op(f"select i1 {negative}, i64 {self.op(f'add i64 {i}, {n}')}, i64 {i}")
        self.outside.append(self.op(f"icmp uge i64 {i}, {n}"))
        return self.op(f"select i1 {self.outside[-1]}, i64 0, i64 {i}")

    # --- nodes
    def scalar(self, node: Node) -> None:
        if node.primitive is GUARD:
            truth = as_kind(self, self.value(node.inputs[0], []), "b")
            go, stop = self.fresh("holds"), self.fresh("fails")
            yes, no = (go, stop) if node.attributes["expected"] else (stop, go)
            self.say(f"br i1 {truth}, label %{yes}, label %{no}")
            self.label(stop)
            self.say("ret i64 1")
            self.label(go)
        elif not node.primitive.elementwise:
            source, there = self.through(node, [])
            self.scalars[node] = self.value(source, there)
        else:
            result = emit_scalar(self, node, [self.value(i, ["0"] * len(i.shape)) for i in node.inputs])
            if result is None:
                callback(self, node)
            else:
                self.scalars[node] = result

    def tiny(self, node: Node) -> None:
        """An array kept as scalars: its elements one after the other."""
        name = node.primitive.name
        if is_reduction(node):
            values = self._tiny_totals(node)
        elif name == "index_set":
            values = [self.value(node.inputs[0], p) for p in positions(node.shape)]
            new = node.inputs[1]
            for there, p in self._set_positions(node):
                values[int(self.linear(there, node.shape))] = self.value(new, self.aligned(new, p))
        elif name in ("stack", "concatenate"):
            values = [self._joined(node, p) for p in positions(node.shape)]
        else:
            values = []
            for p in positions(node.shape):
                result = emit_scalar(self, node, [self.value(i, self.aligned(i, p)) for i in node.inputs])
                assert result is not None, node
                values.append(result)
        kind = node.dtype.kind
        self.elements[node] = values = [(as_kind(self, value, kind), kind) for value in values]
        if node in self.schedule.stored:
            target = self.pointer(node)
            for i, value in enumerate(values):
                self.store(target, kind, str(i), value)

    def _tiny_totals(self, node: Node) -> list[Operand]:
        totals = [identity(node)] * node.size
        for p in positions(node.inputs[0].shape):
            at = int(total_offset(self, node, p))
            totals[at] = combine(self, node.primitive.name, totals[at], self.value(node.inputs[0], p))
        return totals

    def _joined(self, node: Node, position: Position) -> Operand:
        """The element of a stack or concatenation at a known position."""
        if node.primitive.name == "stack":
            return self.value(node.inputs[int(position[0])], position[1:])
        axis = node.attributes["axis"]
        along = int(position[axis])
        for part in node.inputs:
            if along < part.shape[axis]:
                return self.value(part, [*position[:axis], str(along), *position[axis + 1 :]])
            along -= part.shape[axis]
        raise AssertionError("position outside of the concatenation")

    def _set_positions(self, node: Node) -> list[tuple[Position, Position]]:
        """(position in the array, position in the new values) for every element that an index_set writes."""
        index, arrays = node.attributes["index"], node.inputs[2:]
        taken = taken_shape(node)
        return [(self.indexed(index, arrays, node.shape, p), p) for p in positions(taken)]

    def whole(self, node: Node) -> None:
        """An operation on whole arrays: written as loops of its own, or left to the callback."""
        if node.primitive.address:
            call_by_address(self, node)
            return
        emit = WHOLE.get(node.primitive.name)
        if emit is None or not emit(self, node):
            callback(self, node)

    def run_steps(self, steps: Sequence[Step]) -> None:
        """Write the steps of a schedule."""
        for step in steps:
            if isinstance(step, Loop):
                run_loop(self, step)
            else:
                {"whole": self.whole, "tiny": self.tiny, "scalar": self.scalar}[self.schedule.kinds[step]](step)

    # --- the whole text
    def result(self, log_density: bool) -> Lowered:
        self.write_body()
        text = module_text(self, self.layout, log_density=log_density)
        return Lowered(text, self.layout, self.count, tuple(self.mathematics))

    def write_body(self) -> None:
        """Write all of the program."""
        self.run_steps(self.schedule.steps)
        self._write_outputs()

    def _write_outputs(self) -> None:
        for number, node in enumerate(self.program.outputs):
            base = f"output {number}"
            if self.storage.homes.get(node) == Home(base, 0):
                continue
            target = self.base(base)
            for i, value in enumerate(self.elements.get(node, ())):
                self.store(target, node.dtype.kind, str(i), value)
            if node not in self.elements:
                self.copy(node, target, node.dtype.kind)
        self.say("ret i64 0")


def _adjacent(items: list[Any]) -> bool:
    """Whether the arrays (and the integers that take part with them) of an index stand side by side."""
    taking = [i for i, item in enumerate(items) if item == "array" or type(item) is int]
    return taking == list(range(taking[0], taking[-1] + 1))
