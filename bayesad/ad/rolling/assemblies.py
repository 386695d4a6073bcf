"""Arrays filled position after position in a traced program, each to be filled at once."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from bayesad.ad.program import Node, Program
from bayesad.ad.rolling.groups import FEWEST

__all__ = ["Assembly", "find_assemblies"]


class Assembly(NamedTuple):
    """``base`` with ``values`` written along one axis of its index; no position is written twice."""

    base: Node
    slot: int  # of the index's items, where the positions stand
    positions: list[int]
    values: list[Node]
    inner: list[Node]  # arrays in the making


def find_assemblies(program: Program, users: dict[Node, list[Node]]) -> dict[Node, Assembly]:
    """The last arrays of long chains in which each writes one more position than the one before."""
    outputs = set(program.outputs)
    found: dict[Node, Assembly] = {}
    seen: set[Node] = set()
    for node in reversed(program.nodes):
        if node.primitive.name == "index_set" and len(node.inputs) == 2 and node not in seen:
            assembly = _chain(node, users, outputs)
            seen.update(assembly.inner)
            if len(assembly.positions) >= FEWEST:
                found[node] = assembly
    return found


def _chain(node: Node, users: dict[Node, list[Node]], outputs: Collection[Node]) -> Assembly:
    """The chain that ends with a node, as far back as the positions differ along one axis only."""
    inner: list[Node] = []
    values, items = [node.inputs[1]], [node.attributes["index"].items]
    slot: int | None = None
    written = set(items)
    base = node.inputs[0]
    while (
        base.primitive.name == "index_set" and len(base.inputs) == 2 and len(users[base]) == 1 and base not in outputs
    ):
        found = base.attributes["index"].items
        differing = [k for k, (a, b) in enumerate(zip(found, items[0], strict=False)) if a != b]
        if len(found) != len(items[0]) or len(differing) != 1 or slot not in (None, differing[0]) or found in written:
            break
        if type(found[differing[0]]) is not int or base.inputs[1].shape != values[0].shape:
            break
        (slot,) = differing
        inner.append(base)
        values.append(base.inputs[1])
        items.append(found)
        written.add(found)
        base = base.inputs[0]
    positions = [row[slot] for row in items] if slot is not None else []
    return Assembly(base, slot or 0, positions[::-1], values[::-1], inner)
