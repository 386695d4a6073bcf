"""Conds as branches: each program is lowered into a block of its own and leaves its outputs in the packed vector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesad.ad.backends.llvm.inner import Inner, Inputs
from bayesad.ad.backends.llvm.scalars import as_kind
from bayesad.ad.backends.llvm.storage import Home
from bayesad.ad.primitives.branches import packing
from bayesad.ad.program import Node, Program

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = ["cond"]


def cond(lowering: Lowering, node: Node) -> bool:
    """Write a cond as a branch to one of two blocks."""
    truth = as_kind(lowering, lowering.value(node.inputs[0], []), "b")
    target = lowering.pointer(node)
    yes, no, done = lowering.fresh("true"), lowering.fresh("false"), lowering.fresh("chosen")
    lowering.say(f"br i1 {truth}, label %{yes}, label %{no}")
    for label, name in ((yes, "true"), (no, "false")):
        lowering.label(label)
        _block(lowering, node, node.attributes[name], target)
        lowering.say(f"br label %{done}")
    lowering.label(done)
    return True


def _block(lowering: Lowering, node: Node, program: Program, target: str) -> None:
    inner, given = Inner(lowering, program), Inputs()
    for own, outer in zip(program.inputs, node.inputs[1:], strict=True):
        inner.give(given, own, outer, [])
    parts = packing(node.attributes["true"], node.attributes["false"])
    places = [lowering.element(target, "double", str(part.start)) for part in parts]
    bases = {
        f"output {i}": place if output.dtype.kind == "f" else inner.memory_for(output)
        for i, (place, output) in enumerate(zip(places, program.outputs, strict=True))
        if output in inner.storage.homes
    }
    with inner.inside(given, bases):
        lowering.run_steps(inner.schedule.steps)
        for i, (place, output) in enumerate(zip(places, program.outputs, strict=True)):
            if output.size and not (
                inner.storage.homes.get(output) == Home(f"output {i}", 0) and output.dtype.kind == "f"
            ):
                lowering.copy(output, place, "f")
