"""Programs inside of programs (bodies of loops, branches): lowered in place, with inputs that the outer one has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bayesad.ad.backends.llvm.memory import block
from bayesad.ad.backends.llvm.scalars import Operand
from bayesad.ad.backends.llvm.schedule import plan
from bayesad.ad.backends.llvm.storage import LINE, allocate
from bayesad.ad.backends.llvm.writer import MEMORY, SIZES, Position, positions
from bayesad.ad.program import INPUT, Node, Program

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = ["MOST_IN_REGISTERS", "Inner", "Inputs"]

MOST_IN_REGISTERS = 16  # numbers of one input
STATE = ("program", "schedule", "storage", "slots", "bases", "pointers", "scalars", "elements", "local", "factors")


class Inputs:
    """How the inputs of a program are reached: as single values, element by element, or in memory."""

    def __init__(self) -> None:
        self.scalars: dict[Node, Operand] = {}
        self.elements: dict[Node, list[Operand]] = {}
        self.pointers: dict[Node, str] = {}

    def copy(self) -> Inputs:
        made = Inputs()
        made.scalars, made.elements, made.pointers = dict(self.scalars), dict(self.elements), dict(self.pointers)
        return made


class Inner:
    """A program that is lowered inside of another one.

    Attributes
    ----------
    scratch : dict
        Memory for inputs that lie nowhere as they are needed, and for outputs that have no place of their own.
    """

    def __init__(self, lowering: Lowering, program: Program) -> None:
        self.lowering = lowering
        self.program = program
        self.schedule = plan(program)
        self.storage = allocate(program, self.schedule)
        self.slots = [lowering.reserve(nbytes) for nbytes in self.storage.slots]
        self.scratch: dict[Node, str] = {}

    def workspace(self, nbytes: int) -> str:
        return self.lowering.parameter("p", f"workspace {self.lowering.reserve(nbytes)}")

    def memory_for(self, node: Node, own: str | None = None) -> str:
        """Memory for a node: the function's own of an LLVM type, or workspace."""
        if node not in self.scratch:
            nbytes = node.size * SIZES[node.dtype.kind]
            self.scratch[node] = self.lowering.local_memory(own) if own else self.workspace(nbytes)
        return self.scratch[node]

    def give(self, given: Inputs, inner: Node, outer: Node, at: Position) -> None:
        """Let an input of the program be what ``outer`` is at a position along its first axes.

        What is the same for all steps is copied to the begin of a cache line, if it does not lie at one.
        """
        lowering, kind = self.lowering, inner.dtype.kind
        if inner.size <= MOST_IN_REGISTERS:
            values = [lowering.value(outer, [*at, *p]) for p in positions(inner.shape)]
            if inner.shape == ():
                given.scalars[inner] = values[0]
                return
            given.elements[inner] = values
            place = self.memory_for(inner, f"[{max(inner.size, 1)} x {MEMORY[kind]}]")
            for i, value in enumerate(values):
                lowering.store(place, kind, str(i), value)
            given.pointers[inner] = place
            return
        found = block(lowering, outer)
        if found is not None and (at or found[0] is outer or _is_aligned(*found)):
            source, begin = found
            offset = lowering.plus(lowering.times(at[0], inner.size), str(begin)) if at else str(begin)
            given.pointers[inner] = lowering.element(lowering.pointer(source), MEMORY[kind], offset)
            return
        copy = given.pointers[inner] = self.memory_for(inner)
        shape = inner.shape
        lowering.nest(
            shape,
            lambda p: lowering.store(copy, kind, lowering.linear(p, shape), lowering.value(outer, [*at, *p])),
        )

    @contextmanager
    def inside(self, given: Inputs, bases: dict[str, str]) -> Iterator[None]:
        """While entered, the lowering is that of the program; ``bases``: how homes call its outputs -> address."""
        lowering = self.lowering
        saved = {name: getattr(lowering, name) for name in STATE}
        state: dict[str, Any] = {
            "program": self.program, "schedule": self.schedule, "storage": self.storage, "slots": self.slots,
            "bases": bases, "pointers": given.pointers, "scalars": given.scalars, "elements": given.elements,
            "local": {}, "factors": dict(lowering.factors),
        }  # fmt: skip
        for name in STATE:
            setattr(lowering, name, state[name])
        try:
            for place in self.storage.homes:
                lowering.pointer(place)
            yield
        finally:
            for name, value in saved.items():
                setattr(lowering, name, value)


def _is_aligned(source: Node, offset: int) -> bool:
    """Whether the element of a node's memory at an offset is the first of a cache line; callers may pass any memory."""
    return source.primitive is not INPUT and offset * SIZES[source.dtype.kind] % LINE == 0
