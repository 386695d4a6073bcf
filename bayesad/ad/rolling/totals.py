"""Long chains of additions in a traced program, each to become one sum over its terms."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from bayesad.ad.program import Node, Program
from bayesad.ad.rolling.groups import FEWEST

__all__ = ["Terms", "find_totals"]

Terms = list[tuple[float, Node]]
MOST_OF_ONE_LENGTH = 3  # more sums of as many terms belong to the steps of a loop


def find_totals(program: Program, users: dict[Node, list[Node]]) -> tuple[dict[Node, Terms], set[Node]]:
    """The signed terms of every long chain of additions, and the partial sums inside, which are used nowhere else."""
    absorbed: set[Node] = set()
    totals: dict[Node, Terms] = {}
    outputs = set(program.outputs)
    for node in reversed(program.nodes):
        if node not in absorbed and _is_addition(node):
            terms, inner = _terms(node, users, outputs)
            absorbed.update(inner)
            if len(terms) >= FEWEST:
                totals[node] = terms
    lengths = [len(terms) for terms in totals.values()]
    totals = {node: terms for node, terms in totals.items() if lengths.count(len(terms)) <= MOST_OF_ONE_LENGTH}
    return totals, {inner for node in totals for inner in _terms(node, users, outputs)[1]}


def _is_addition(node: Node) -> bool:
    return (
        node.primitive.name in ("add", "subtract")
        and node.dtype == np.float64
        and node.inputs[0].shape == node.inputs[1].shape == node.shape
    )


def _terms(node: Node, users: dict[Node, list[Node]], outputs: Collection[Node]) -> tuple[Terms, list[Node]]:
    """The terms of a sum in order, and the partial sums."""
    terms: Terms = []
    inner: list[Node] = []
    waiting = [(1.0, node)]
    while waiting:
        sign, part = waiting.pop()
        if part is node or (_is_addition(part) and len(users[part]) == 1 and part not in outputs):
            if part is not node:
                inner.append(part)
            a, b = part.inputs
            waiting.append((-sign if part.primitive.name == "subtract" else sign, b))
            waiting.append((sign, a))
        else:
            terms.append((sign, part))
    return terms, inner
