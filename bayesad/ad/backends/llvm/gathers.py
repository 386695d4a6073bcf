"""Reading and writing at positions that depend on unknowns: what lies outside of the array is read as NaN (or 0)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from bayesad.ad.backends.llvm.scalars import FLAGS, as_kind
from bayesad.ad.backends.llvm.vector_math import hexadecimal
from bayesad.ad.backends.llvm.writer import Position
from bayesad.ad.program import CONSTANT, Node

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = ["GATHERS", "taken_shape"]

TYPES = {"f": "double", "i": "i64", "b": "i1"}
MISSING = {"f": hexadecimal(math.nan), "i": "0", "b": "false"}


def taken_shape(node: Node) -> tuple[int, ...]:
    """The shape of what an index_set replaces."""
    arrays = [a.value if a.primitive is CONSTANT else np.zeros(a.shape, dtype=np.int64) for a in node.inputs[2:]]
    return np.broadcast_to(np.False_, node.shape)[node.attributes["index"].resolve(tuple(arrays))].shape


def _each(lowering: Lowering, shape: tuple[int, ...], body: Callable[[Position], None]) -> None:
    if np.prod(shape, dtype=np.int64):
        lowering.nest(shape, body)


def _place(
    lowering: Lowering, node: Node, arrays: tuple[Node, ...], shape: tuple[int, ...], position: Position
) -> tuple[Position, str]:
    """The position that an index means, and whether (an i1) an array of it pointed outside."""
    lowering.outside = []
    there = lowering.indexed(node.attributes["index"], arrays, shape, position)
    outside = "false"
    for test in lowering.outside:
        outside = test if outside == "false" else lowering.op(f"or i1 {outside}, {test}")
    return there, outside


def take(lowering: Lowering, node: Node) -> bool:
    source, *arrays = node.inputs
    target, kind = lowering.pointer(node), node.dtype.kind

    def read(position: Position) -> None:
        there, outside = _place(lowering, node, tuple(arrays), source.shape, position)
        element = as_kind(lowering, lowering.value(source, there), kind)
        typed = TYPES[kind]
        element = lowering.op(f"select i1 {outside}, {typed} {MISSING[kind]}, {typed} {element}")
        lowering.store(target, kind, lowering.linear(position, node.shape), (element, kind))

    if source.size:
        _each(lowering, node.shape, read)
    return True


def scatter(lowering: Lowering, node: Node) -> bool:
    source, *arrays = node.inputs
    target = lowering.pointer(node)
    _each(lowering, (node.size,), lambda p: lowering.store(target, "f", p[0], (hexadecimal(0.0), "f")))

    def add(position: Position) -> None:
        there, outside = _place(lowering, node, tuple(arrays), node.shape, position)
        offset = lowering.linear(there, node.shape)
        old = lowering.load(target, "f", offset)[0]
        more = lowering.op(f"fadd {FLAGS}double {old}, {as_kind(lowering, lowering.value(source, position), 'f')}")
        total = lowering.op(f"select i1 {outside}, double {old}, double {more}")
        lowering.store(target, "f", offset, (total, "f"))

    if node.size:
        _each(lowering, source.shape, add)
    return True


def index_set(lowering: Lowering, node: Node) -> bool:
    source, new, *arrays = node.inputs
    target, kind = lowering.pointer(node), node.dtype.kind
    lowering.copy(source, target, kind)

    def write(position: Position) -> None:
        there, outside = _place(lowering, node, tuple(arrays), node.shape, position)
        offset = lowering.linear(there, node.shape)
        element = as_kind(lowering, lowering.value(new, lowering.aligned(new, position)), kind)
        if outside != "false":
            old = lowering.load(target, kind, offset)[0]
            element = lowering.op(f"select i1 {outside}, {TYPES[kind]} {old}, {TYPES[kind]} {element}")
        lowering.store(target, kind, offset, (element, kind))

    if node.size:
        _each(lowering, taken_shape(node), write)
    return True


GATHERS: dict[str, Callable[[Lowering, Node], bool]] = {"take": take, "scatter": scatter, "index_set": index_set}
