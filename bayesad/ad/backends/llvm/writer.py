"""Writes LLVM text: instructions, loops, array elements; knows nothing of programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bayesad.ad.backends.llvm import vector_math
from bayesad.ad.backends.llvm.scalars import Operand, as_kind

__all__ = ["MEMORY", "SIZES", "Position", "Writer", "positions"]

MEMORY = {"f": "double", "i": "i64", "b": "i8"}
SIZES = {"f": 8, "i": 8, "b": 1}
WRITTEN_OUT = 4  # a nest of so few positions is no loop
FEWEST_FOR_VECTORS = 8  # shorter loops would cost more to compile as vector code than it saves
FEWEST_FOR_TWO_VECTORS = 32  # in longer loops with inlined mathematics two vectors at a time hide its latency
Position = list[str]


class Writer:
    """The body of one function being written.

    Attributes
    ----------
    lines, entry : list of str
        The instructions so far, and those that belong at the function's begin.
    parameters : list of (name, origin)
        Pointers that the caller passes; ``origin`` says where from, as ``"constant 3"`` or ``"workspace 128"``.
    declared : dict
        External functions of doubles: name -> number of arguments.
    mathematics : dict
        The functions of `vector_math` that are called, in order of appearance.
    functions : list of str
        Further functions of the module.
    count : int
        Instructions and labels so far.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.entry: list[str] = []
        self.block = "entry"
        self.count = 0
        self.loops_open = 0
        self.inlined = 0  # calls of mathematics within loops
        self.declared: dict[str, int] = {}
        self.mathematics: dict[str, None] = {}
        self.parameters: list[tuple[str, str]] = []
        self.functions: list[str] = []

    def op(self, text: str) -> str:
        self.count += 1
        name = f"%t{self.count}"
        self.lines.append(f"  {name} = {text}")
        return name

    def say(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")
        self.block = name

    def fresh(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def function(self, name: str, arity: int, *, rare: bool = False) -> str:
        """The name to call a function of doubles by: inlined into loops, if it is not rare there, called from
        straight-line code."""
        if name.startswith("bayesad."):
            inline = self.loops_open > 0 and not rare
            name = vector_math.symbol(name.removeprefix("bayesad."), inline=inline)
            self.inlined += inline
            self.mathematics[name] = None
        else:
            self.declared[name] = arity
        return name

    def parameter(self, stem: str, origin: str) -> str:
        name = f"%{stem}{len(self.parameters)}"
        self.parameters.append((name, origin))
        return name

    def origin(self, origin: str) -> str:
        """The pointer of a given origin, one more parameter if it is none yet."""
        known = next((name for name, there in self.parameters if there == origin), None)
        return known or self.parameter("f", origin)

    def local_memory(self, kind: str) -> str:
        """The address of memory of the function's own, for one value of an LLVM type."""
        name = f"%{self.fresh('own')}"
        self.entry.append(f"  {name} = alloca {kind}, align {32 if kind[0] in '<[' else 8}")
        return name

    def block_memory(self, n: int) -> str:
        """The address of memory of the function's own for n doubles."""
        return self.local_memory(f"[{n} x double]")

    def loop(self, n: int, body: Callable[[str], None], *, vectorise: bool = True) -> None:
        """A loop of ``n >= 1`` turns; ``body`` gets the index."""
        head, done, index = self.fresh("loop"), self.fresh("done"), f"%{self.fresh('i')}"
        before = self.block
        self.say(f"br label %{head}")
        place = len(self.lines) + 1
        self.label(head)
        self.lines.append("")
        self.loops_open += 1
        inlined = self.inlined
        body(index)
        inlined = self.inlined - inlined
        self.loops_open -= 1
        following = self.op(f"add nuw nsw i64 {index}, 1")
        self.lines[place] = f"  {index} = phi i64 [ 0, %{before} ], [ {following}, %{self.block} ]"
        again = self.op(f"icmp ult i64 {following}, {n}")
        hints = 0 if vectorise and n >= FEWEST_FOR_VECTORS else 2  # of table.LOOP_HINTS
        if hints == 0 and inlined and n >= FEWEST_FOR_TWO_VECTORS:
            hints = 4
        self.say(f"br i1 {again}, label %{head}, label %{done}, !llvm.loop !{hints}")
        self.label(done)

    def nest(self, shape: Sequence[int], body: Callable[[Position], None], innermost: int = -1) -> None:
        """Loops over all positions of a shape, the last axis innermost unless another is named; a few positions are
        written out."""
        if np.prod(shape, dtype=np.int64) <= WRITTEN_OUT:
            for position in positions(shape):
                body(position)
            return

        axes = list(range(len(shape)))
        axes += [axes.pop(innermost)] if axes else []

        def inner(position: Position, depth: int) -> None:
            if depth == len(shape):
                body(position)
                return
            axis = axes[depth]

            def turn(i: str) -> None:
                inner([*position[:axis], i, *position[axis + 1 :]], depth + 1)

            if shape[axis] == 1:
                turn("0")
            else:
                self.loop(shape[axis], turn)

        inner(["0"] * len(shape), 0)

    # --- positions and memory
    def linear(self, position: Position, shape: Sequence[int]) -> str:
        """The offset of a position in a contiguous array."""
        offset = "0"
        stride = 1
        for i, n in zip(reversed(position), reversed(shape), strict=True):
            if n != 1 and i != "0":
                term = i if stride == 1 else self.times(i, stride)
                offset = term if offset == "0" else self.plus(offset, term)
            stride *= n
        return offset

    def times(self, i: str, factor: int) -> str:
        return str(int(i) * factor) if i.lstrip("-").isdigit() else self.op(f"mul nsw i64 {i}, {factor}")

    def plus(self, a: str, b: str) -> str:
        if a.lstrip("-").isdigit() and b.lstrip("-").isdigit():
            return str(int(a) + int(b))
        if b == "0":
            return a
        return b if a == "0" else self.op(f"add nsw i64 {a}, {b}")

    def unravel(self, offset: str, shape: Sequence[int]) -> Position:
        position: Position = []
        for n in reversed(shape):
            if n == 1:
                position.append("0")
            elif offset.isdigit():
                position.append(str(int(offset) % n))
                offset = str(int(offset) // n)
            elif len(position) == len(shape) - 1:
                position.append(offset)
            else:
                position.append(self.op(f"urem i64 {offset}, {n}"))
                offset = self.op(f"udiv i64 {offset}, {n}")
        return position[::-1]

    def element(self, pointer: str, kind: str, offset: str) -> str:
        """The address of an element of an array of an LLVM type."""
        return pointer if offset == "0" else self.op(f"getelementptr inbounds {kind}, ptr {pointer}, i64 {offset}")

    def load(self, pointer: str, kind: str, offset: str) -> Operand:
        memory = MEMORY[kind]
        place = self.element(pointer, memory, offset)
        value = self.op(f"load {memory}, ptr {place}")
        return (self.op(f"icmp ne i8 {value}, 0") if kind == "b" else value), kind

    def store(self, pointer: str, kind: str, offset: str, value: Operand) -> None:
        text = as_kind(self, value, kind)
        if kind == "b":
            text = self.op(f"zext i1 {text} to i8")
        memory = MEMORY[kind]
        place = self.element(pointer, memory, offset)
        self.say(f"store {memory} {text}, ptr {place}")


def positions(shape: Sequence[int]) -> list[Position]:
    """All positions of a shape, in C order, as text."""
    return [[str(i) for i in position] for position in np.ndindex(*shape)]
