"""Rows that a loop computes from others rather than read: what is cheap is done again where fewer rows are read then.

An LSTM's derivative needs ``t``, ``0.5 + 0.5 * t`` and ``1 - t**2`` of each gate t. Computed before the loop they are
three arrays to be written and read; in it, where its vectors are long enough, they cost next to nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from bayesad.ad.primitives.loops import CHEAP
from bayesad.ad.program import Node
from bayesad.ad.rolling.batching import Operand

__all__ = ["computed_inside"]

FEWEST_NUMBERS = 8  # of a row: the elements of one vector


def computed_inside(inside: Sequence[Node], outside: Mapping[Node, Operand]) -> set[Node]:
    """The nodes known outside of a loop, one value for each step, that its steps should compute themselves.

    Parameters
    ----------
    inside : sequence of Node
        What the steps compute anyway.
    outside : mapping
        Body node -> (value, batched) of what is known without the loop.
    """
    read = {i for node in inside for i in node.inputs if _is_row(i, outside)}
    sources = {node: rows for node, rows in _sources(outside).items() if node in read}
    uses = Counter([row for rows in sources.values() for row in rows if row not in read])

    def reads_as_much(node: Node) -> bool:
        return sum(row.size for row in sources[node] if uses[row] == 1) >= node.size

    while (node := next(filter(reads_as_much, sources), None)) is not None:
        uses.subtract(row for row in sources.pop(node) if row not in read)
    found: set[Node] = set()
    waiting = list(sources)
    while waiting:
        node = waiting.pop()
        found.add(node)
        waiting += [i for i in node.inputs if i not in found and _can_be_inside(i, outside)]
    return found


def _is_row(node: Node, outside: Mapping[Node, Operand]) -> bool:
    return node in outside and outside[node][1]


def _can_be_inside(node: Node, outside: Mapping[Node, Operand]) -> bool:
    simple = node.primitive.elementwise and node.primitive.name in CHEAP
    return simple and node.size >= FEWEST_NUMBERS and _is_row(node, outside)


def _sources(outside: Mapping[Node, Operand]) -> dict[Node, set[Node]]:
    """For all that can be inside, the rows that it is computed from there."""
    found: dict[Node, set[Node]] = {}
    for node in outside:
        if _can_be_inside(node, outside):
            rows = [found.get(i, {i}) for i in node.inputs if _is_row(i, outside)]
            found[node] = set().union(*rows)
    return found
