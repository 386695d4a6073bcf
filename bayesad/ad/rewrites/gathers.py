"""Elementwise work on gathered values is done before they are gathered: ``exp(a[g])`` is ``exp(a)[g]``."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad.ad.array import bind
from bayesad.ad.primitives.indexing import take
from bayesad.ad.program import CONSTANT, Node, Program
from bayesad.ad.rewrites.building import Operand
from bayesad.ad.simplify import Replacement

__all__ = ["early_work"]

GAIN = 0.5  # the source must have fewer than this share of the elements


def early_work(program: Program) -> tuple[dict[Node, Replacement], list[str]]:
    """What to put for operations on elements of small arrays, all gathered by the same positions, and notes.

    Each element of the source has to be among those gathered, so that no value arises that was not there before.
    """
    gathers: dict[Node, Node] = {}  # node -> a gather whose source and positions it has
    replacements: dict[Node, Replacement] = {}
    for node in program.nodes:
        if _is_gather(node):
            gathers[node] = node
        elif node.primitive.elementwise:
            found = _common([i for i in node.inputs if i.shape], gathers)
            if found is not None:
                gathers[node] = found
                replacements[node] = _Early(node, gathers).build
    used = {i for node in program.nodes if node not in replacements for i in node.inputs} | set(program.outputs)
    notes = [_note(node, gathers[node]) for node in replacements if node in used]
    return replacements, notes


def _note(node: Node, gather: Node) -> str:
    lengths = f"{gather.inputs[0].shape[0]} instead of {gather.inputs[1].size} elements"
    return f"{node.primitive.name} is computed for {lengths}{f' ({node.line})' if node.line else ''}"


def _is_gather(node: Node) -> bool:
    if node.primitive is not take or len(node.inputs) != 2 or node.attributes["index"].items != ("array",):
        return False
    source, positions = node.inputs
    if source.primitive is CONSTANT or positions.primitive is not CONSTANT:
        return False
    n = source.shape[0]
    if not 0 < n < GAIN * positions.size:
        return False
    return bool(np.all(np.bincount(np.ravel(positions.value) % n, minlength=n)))


def _common(nodes: list[Node], gathers: dict[Node, Node]) -> Node | None:
    """The gather that stands for all of the nodes, if they have one source shape and the same positions."""
    found = [gathers.get(node) for node in nodes]
    first = found[0] if found else None
    if first is None:
        return None
    alike = all(
        g is not None and g.inputs[1] is first.inputs[1] and g.inputs[0].shape == first.inputs[0].shape for g in found
    )
    return first if alike and all(node.shape == first.shape for node in nodes) else None


class _Early:
    """One operation that moves in front of the gather."""

    def __init__(self, node: Node, gathers: dict[Node, Node]) -> None:
        self.node = node
        self.gathers = gathers

    def build(self, operand: Operand) -> Any:
        gather = self.gathers[self.node]
        source = _source(self.node, self.gathers, operand)
        return bind(take, (source, gather.inputs[1].value), gather.attributes)


def _source(node: Node, gathers: dict[Node, Node], operand: Operand) -> Any:
    """A node as it is before the gather; scalars as they are."""
    if node not in gathers:
        return operand(node)
    if node.primitive is take:
        return operand(node.inputs[0])
    return bind(node.primitive, tuple(_source(i, gathers, operand) for i in node.inputs), node.attributes)
