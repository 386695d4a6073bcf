"""Memory of whole arrays while a program is lowered: addresses of nodes, scratch memory, the matrices of stacks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesad.ad.backends.llvm.vector_math import hexadecimal
from bayesad.ad.backends.llvm.writer import Position
from bayesad.ad.program import CONSTANT, INPUT, Node

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = [
    "block",
    "constant",
    "displaced",
    "each_matrix",
    "each_result",
    "fill_with_nan",
    "in_memory",
    "is_used_up",
    "kernel",
    "matrix_in_memory",
    "matrix_source",
    "minus",
    "scratch",
]

NAN = hexadecimal(math.nan)


# --- addresses
def in_memory(lowering: Lowering, node: Node) -> str:
    """The address of a node's elements, as float64 in C order; copied there if need be."""
    if node.primitive is CONSTANT and node.dtype.kind != "f":
        node = constant(np.asarray(node.value, dtype=np.float64))
    place = block(lowering, node) if node.dtype.kind == "f" else None
    if place is not None:
        return displaced(lowering, lowering.pointer(place[0]), place[1])
    copy = scratch(lowering, node.size)
    lowering.copy(node, copy, "f")
    return copy


def block(lowering: Lowering, node: Node) -> tuple[Node, int] | None:
    """The node whose memory holds a node's elements one after the other, and how many are before them; None if none."""
    offset = 0
    while node.primitive not in (INPUT, CONSTANT) and node not in lowering.schedule.stored:
        if node.primitive.name == "take":
            begin = node.attributes["index"].block(node.inputs[0].shape)
            if begin is None:
                return None
            offset += begin
        elif node.primitive.name != "reshape":
            return None
        node = node.inputs[0]
    return node, offset


def matrix_in_memory(lowering: Lowering, node: Node) -> tuple[str, bool]:
    """The address of a stack of matrices, and whether they are the transposes of those that lie there."""
    source, transposed = matrix_source(lowering, node)
    return in_memory(lowering, source), transposed


def matrix_source(lowering: Lowering, node: Node) -> tuple[Node, bool]:
    """The stack of matrices to be read from memory for one, and whether it holds their transposes."""
    if node.primitive is CONSTANT and node.ndim == 2 and node.value.flags.f_contiguous:
        return constant(node.value.T), True
    if node.primitive.name == "transpose" and node not in lowering.schedule.stored:
        swapped = (*range(node.ndim - 2), node.ndim - 1, node.ndim - 2)
        source = node.inputs[0]
        if node.attributes["axes"] == swapped and source.dtype.kind == "f" and block(lowering, source) is not None:
            return source, True
    return node, False


def constant(value: np.ndarray) -> Node:
    """A node for numbers that the program does not have yet."""
    return Node(CONSTANT, (), {}, value.shape, value.dtype, value=value)


def is_used_up(lowering: Lowering, node: Node, by: Node) -> bool:
    """Whether an operation alone needs what lies in the memory of an operand, and may leave something else there."""
    home = lowering.storage.homes.get(node)
    if home is None or not home.base.startswith("slot") or node.shape != by.shape or by.inputs.count(node) > 1:
        return False
    program = lowering.program
    return node not in program.outputs and not any(node in other.inputs for other in program.nodes if other is not by)


def scratch(lowering: Lowering, size: int) -> str:
    """Memory for float64s."""
    return lowering.parameter("p", f"workspace {lowering.reserve(8 * size)}")


def displaced(lowering: Lowering, pointer: str, offset: str | int) -> str:
    """The address ``offset`` float64s further."""
    if str(offset) == "0":
        return pointer
    return lowering.op(f"getelementptr inbounds double, ptr {pointer}, i64 {offset}")


def minus(lowering: Lowering, a: int, b: str) -> str:
    return str(a - int(b)) if b.isdigit() else lowering.op(f"sub nsw i64 {a}, {b}")


# --- stacks of matrices
def each_matrix(
    lowering: Lowering, places: Sequence[str], shapes: Sequence[tuple[int, ...]], body: Callable[..., None]
) -> None:
    """``body(addresses)`` for every matrix of the last of some stacks; the others broadcast to its leading axes."""
    batches = [shape[:-2] for shape in shapes]
    sizes = [int(np.prod(shape[-2:], dtype=np.int64)) for shape in shapes]
    if all(batch == batches[-1] for batch in batches):
        batches = [(int(np.prod(batch, dtype=np.int64)),) for batch in batches]

    def one(position: Position) -> None:
        addresses = []
        for place, batch, size in zip(places, batches, sizes, strict=True):
            own = position[len(position) - len(batch) :]
            there = ["0" if n == 1 else i for i, n in zip(own, batch, strict=True)]
            addresses.append(displaced(lowering, place, lowering.times(lowering.linear(there, batch), size)))
        body(*addresses)

    if int(np.prod(batches[-1], dtype=np.int64)):
        lowering.nest(batches[-1], one)


def each_result(lowering: Lowering, node: Node, body: Callable[..., None]) -> None:
    """``body(addresses of the operands' matrices, address of the result's)`` for every matrix of a stack."""
    places = [*(in_memory(lowering, i) for i in node.inputs), lowering.pointer(node)]
    each_matrix(lowering, places, [i.shape for i in (*node.inputs, node)], body)


def kernel(lowering: Lowering, name: str, *pointers: str) -> None:
    """A call of a kernel of ``matrices.py``."""
    lowering.say(f"call void {lowering.special(name)}({', '.join(f'ptr {pointer}' for pointer in pointers)})")


def fill_with_nan(lowering: Lowering, wrong: str, pointer: str, size: int) -> None:
    """Make a result NaN where ``wrong``, an i1, holds."""
    fill, go_on = lowering.fresh("fill"), lowering.fresh("go")
    lowering.say(f"br i1 {wrong}, label %{fill}, label %{go_on}")
    lowering.label(fill)
    lowering.loop(size, lambda i: lowering.store(pointer, "f", i, (NAN, "f")))
    lowering.say(f"br label %{go_on}")
    lowering.label(go_on)
