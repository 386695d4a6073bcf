"""From a Program to LLVM text: loops over iteration spaces, straight-line scalars, and calls for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesad.ad.backends.llvm import vector_math
from bayesad.ad.backends.llvm.scalars import FLAGS, SCALARS, Operand, as_kind, emit_scalar
from bayesad.ad.backends.llvm.schedule import Loop, Schedule, plan
from bayesad.ad.backends.llvm.table import Layout, module_text
from bayesad.ad.backends.llvm.whole import WHOLE, callback, taken_shape
from bayesad.ad.backends.llvm.writer import MEMORY, SIZES, Position, Writer, positions
from bayesad.ad.primitives.indexing import Index
from bayesad.ad.program import CONSTANT, GUARD, INPUT, Node, Program

__all__ = ["Lowered", "lower"]

IDENTITIES = {"sum": 0.0, "scatter": 0.0, "prod": 1.0, "max": -np.inf, "min": np.inf, "any": 0.0, "all": 1.0}


@dataclass
class Lowered:
    text: str
    layout: Layout
    n_instructions: int
    mathematics: tuple[str, ...]


def lower(program: Program, *, log_density: bool = False) -> Lowered:
    """LLVM text for a program, and what its table must hold."""
    return Lowering(program, plan(program)).result(log_density)


class Lowering(Writer):
    """Writes the body of one program: its nodes level by level."""

    def __init__(self, program: Program, schedule: Schedule) -> None:
        super().__init__()
        self.program = program
        self.schedule = schedule
        self.layout = Layout(program.inputs, program.outputs)
        self.pointers: dict[Node, str] = {}
        self.scalars: dict[Node, Operand] = {}
        self.elements: dict[Node, list[Operand]] = {}  # of arrays kept as scalars, in C order
        self.local: dict[Node, Operand] = {}  # values at the present position of the loop being written
        self.special_names: dict[str, str] = {}

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
                origin = f"input {self.program.inputs.index(node)}"
            elif node.primitive is CONSTANT:
                origin = f"constant {len(self.layout.constants)}"
                self.layout.constants.append(node)
            else:
                origin = f"workspace {self.reserve(node.size * SIZES[node.dtype.kind])}"
            self.pointers[node] = self.parameter("p", origin)
        return self.pointers[node]

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
            return self.load(self.pointer(node), node.dtype.kind, self.linear(position, node.shape))
        source, there = self.through(node, position)
        return self.value(source, there)

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
        """An element of a constant index array, counted from the front."""
        there = self.aligned(array, position)
        if all(i.isdigit() for i in there):
            return str(int(array.value[tuple(int(i) for i in there)]) % n)
        value = np.where(array.value < 0, array.value + n, array.value)
        if (array.value < 0).any():
            array = self._constant_twin(array, value)
        return self.load(self.pointer(array), "i", self.linear(there, array.shape))[0]

    def _constant_twin(self, array: Node, value: np.ndarray) -> Node:
        twins = self.__dict__.setdefault("_twins", {})
        key = (array, value.tobytes())
        if key not in twins:
            twins[key] = Node(CONSTANT, (), {}, array.shape, array.dtype, value=value)
        return twins[key]

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
        if _is_reduction(node):
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
        totals = [_identity(node)] * node.size
        for p in positions(node.inputs[0].shape):
            at = int(self._total_offset(node, p))
            totals[at] = _combine(self, node.primitive.name, totals[at], self.value(node.inputs[0], p))
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

    def run_loop(self, loop: Loop) -> None:
        """One fused pass over an iteration space."""
        totals: dict[Node, str] = {}
        for node in loop.nodes:
            if node.primitive.name in IDENTITIES and node.inputs and node not in totals and _is_reduction(node):
                totals[node] = self._start_total(node)
        flat = self._flattened(loop)
        shape = (int(np.prod(loop.shape, dtype=np.int64)),) if flat else loop.shape

        def body(position: Position) -> None:
            self.local = {}
            for node in loop.nodes:
                if _is_reduction(node):
                    self._add_to_total(node, totals[node], position, flat)
                else:
                    operands = [self._operand(i, position, loop.shape, flat) for i in node.inputs]
                    result = emit_scalar(self, node, operands)
                    assert result is not None, node
                    self.local[node] = result
                    if node in self.schedule.stored:
                        offset = position[0] if flat else self.linear(position, node.shape)
                        self.store(self.pointer(node), node.dtype.kind, offset, result)
            self.local = {}

        self.nest(shape, body)
        for node, place in totals.items():
            if node.shape == ():
                self.scalars[node] = self.load(place, node.dtype.kind, "0")

    def _operand(self, node: Node, position: Position, shape: tuple[int, ...], flat: bool) -> Operand:
        if node in self.local or not flat or node.size == 1:
            return self.value(node, position if node in self.local else self._place(node, position, flat))
        return self.load(self.pointer(node), node.dtype.kind, position[0])

    def _place(self, node: Node, position: Position, flat: bool) -> Position:
        return ["0"] * len(node.shape) if flat else self.aligned(node, position)

    def _flattened(self, loop: Loop) -> bool:
        """Whether one index serves: all operands are scalars or lie in memory exactly as the loop runs."""
        if len(loop.shape) < 2:
            return False
        inside = set(loop.nodes)
        for node in loop.nodes:
            if _is_reduction(node) and (node.shape != () or node.primitive.name == "scatter"):
                return False
            for i in node.inputs:
                direct = i.primitive in (INPUT, CONSTANT) or i in self.schedule.stored
                if i.size != 1 and not (i.shape == loop.shape and (i in inside or direct)):
                    return False
        return True

    def _start_total(self, node: Node) -> str:
        kind, identity = node.dtype.kind, _identity(node)
        if node.shape == ():
            place = f"%{self.fresh('sum')}"
            self.entry.append(f"  {place} = alloca {MEMORY[kind]}")
            self.store(place, kind, "0", identity)
            return place
        place = self.pointer(node)
        self.loop(node.size, lambda i: self.store(place, kind, i, identity)) if node.size else None
        return place

    def _add_to_total(self, node: Node, place: str, position: Position, flat: bool) -> None:
        source = node.inputs[0]
        element = self._operand(source, position, source.shape, flat)
        offset = self._total_offset(node, position) if node.shape else "0"
        kind = node.dtype.kind
        total = self.load(place, kind, offset)
        self.store(place, kind, offset, _combine(self, node.primitive.name, total, element))

    def _total_offset(self, node: Node, position: Position) -> str:
        """Where in its result a reduction adds the element at a position of its source."""
        if node.primitive.name == "scatter":
            there = self.indexed(node.attributes["index"], node.inputs[1:], node.shape, position)
            return self.linear(there, node.shape)
        axes = node.attributes["axes"]
        return self.linear([i for axis, i in enumerate(position) if axis not in axes], node.shape)

    def whole(self, node: Node) -> None:
        """An operation on whole arrays: written as loops of its own, or left to the callback."""
        emit = WHOLE.get(node.primitive.name)
        if emit is None or not emit(self, node):
            callback(self, node)

    # --- the whole text
    def result(self, log_density: bool) -> Lowered:
        for level in self.schedule.levels:
            for node in level.straight:
                {"whole": self.whole, "tiny": self.tiny, "scalar": self.scalar}[self.schedule.kinds[node]](node)
            for loop in level.loops.values():
                self.run_loop(loop)
        self._write_outputs()
        text = module_text(self, self.layout, log_density=log_density)
        return Lowered(text, self.layout, self.count, tuple(self.mathematics))

    def _write_outputs(self) -> None:
        for number, node in enumerate(self.program.outputs):
            target = self.parameter("out", f"output {number}")
            kind = node.dtype.kind
            if node in self.elements:
                for i, value in enumerate(self.elements[node]):
                    self.store(target, kind, str(i), value)
                continue
            self.copy(node, target, kind)
        self.say("ret i64 0")


def _identity(node: Node) -> Operand:
    """What a reduction starts from."""
    start = IDENTITIES[node.primitive.name]
    if node.dtype.kind == "f":
        return vector_math.hexadecimal(start), "f"
    return "true" if start else "false", "b"


def _is_reduction(node: Node) -> bool:
    return node.primitive.name in IDENTITIES


def _adjacent(items: list[Any]) -> bool:
    """Whether the arrays (and the integers that take part with them) of an index stand side by side."""
    taking = [i for i, item in enumerate(items) if item == "array" or type(item) is int]
    return taking == list(range(taking[0], taking[-1] + 1))


def _combine(writer: Lowering, name: str, total: Operand, element: Operand) -> Operand:
    if name in ("any", "all"):
        word = "or" if name == "any" else "and"
        return writer.op(f"{word} i1 {total[0]}, {as_kind(writer, element, 'b')}"), "b"
    x, y = total[0], as_kind(writer, element, "f")
    if name in ("sum", "scatter", "prod"):
        return writer.op(f"{'fmul' if name == 'prod' else 'fadd'} {FLAGS}double {x}, {y}"), "f"
    return SCALARS["maximum" if name == "max" else "minimum"](writer, total, (y, "f"))
