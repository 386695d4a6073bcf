"""Operations left to NumPy: a program's machine code calls back into Python for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesad.ad.backends.llvm.writer import SIZES
from bayesad.ad.program import Node

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = ["callback", "noted"]


def callback(lowering: Lowering, node: Node) -> None:
    """Leave a node to NumPy: its operands are put into the workspace, Python is called, the result is there."""
    offsets = []
    for source in node.inputs:
        offset = lowering.reserve(max(source.size, 1) * SIZES[source.dtype.kind])
        place = lowering.parameter("a", f"workspace {offset}")
        lowering.copy(source, place, source.dtype.kind)
        offsets.append(offset)
    offset = lowering.reserve(max(node.size, 1) * SIZES[node.dtype.kind])
    place = lowering.parameter("a", f"workspace {offset}")
    noted(lowering, node, offsets, offset)
    kind = node.dtype.kind
    if node.shape == ():
        lowering.scalars[node] = lowering.load(place, kind, "0")
    elif node.size:
        target = lowering.pointer(node)
        lowering.loop(node.size, lambda i: lowering.store(target, kind, i, lowering.load(place, kind, i)))


def noted(lowering: Lowering, node: Node, offsets: list[int], target: int) -> None:
    """Call Python for a node whose operands are in the workspace; what it raises is kept for the caller."""
    number = len(lowering.layout.callbacks)
    lowering.layout.callbacks.append((node, offsets, target))
    function = lowering.special_names.setdefault("callback", "") or lowering.parameter("callback", "callback")
    lowering.special_names["callback"] = function
    lowering.say(f"call void {function}(i64 {number}, ptr %workspace)")
