"""Operations that are part of wider ones: computed once.

A derivative's rule may need more of an operation than its value, say what a loop computes on its way. It records a
wider operation, whose value begins with that of the other one; here the other one becomes a view of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bayesad.ad.program import Node, Program
from bayesad.ad.simplify import Replacement, replace

__all__ = ["shared"]


class Sharing(NamedTuple):
    """How an operation is part of a wider one.

    Attributes
    ----------
    name, wider : str
        The primitives of the operation and of the wider one.
    contains : callable
        ``contains(wide, node)``: whether the value of ``wide`` begins with that of another node.
    part : callable
        ``part(value, node)``: the node's value, a part of the wider one's.
    """

    name: str
    wider: str
    contains: Callable[[Node, Node], bool]
    part: Callable[[Any, Node], Any]


def shared(program: Program) -> Program:
    """The program without operations that are the first part of wider ones."""
    wider: dict[Node, tuple[Node, Sharing]] = {}
    for sharing in SHARING:
        narrow, wide_ones = (
            [node for node in program.nodes if node.primitive.name == name] for name in (sharing.name, sharing.wider)
        )
        for wide in wide_ones:
            wider |= {node: (wide, sharing) for node in narrow if wide is not node and sharing.contains(wide, node)}
    if not wider:
        return program
    wide_of = {node: wide for node, (wide, _) in wider.items()}
    ordered = Program(program.inputs, program.outputs, _with_wider_first(program, wide_of), program.name)
    return replace(ordered, {node: _part_of(wide, node, sharing) for node, (wide, sharing) in wider.items()})


def _part_of(wide: Node, node: Node, sharing: Sharing) -> Replacement:
    return lambda operand: sharing.part(operand(wide), node)


def _with_wider_first(program: Program, wider: dict[Node, Node]) -> tuple[Node, ...]:
    """The operations in an order in which each wider one, and what it depends on, comes before the narrower one."""
    own = set(program.nodes)
    done: dict[Node, None] = {}
    for node in program.nodes:
        waiting = [node]
        while waiting:
            last = waiting[-1]
            needed = (*last.inputs, wider[last]) if last in wider else last.inputs
            before = [i for i in needed if i in own and i not in done]
            if before and last not in done:
                waiting += before
            else:
                done[waiting.pop()] = None
    return tuple(done)


# --- solves of differential equations
def _solves_more(wide: Node, node: Node) -> bool:
    """Whether the first block of a solve is another one."""
    same = all(wide.attributes[key] == node.attributes[key] for key in ("method", "rtol", "atol", "max_steps"))
    if not same or wide.attributes["of"] is not node.attributes["body"]:
        return False
    start = wide.inputs[0]
    first = start.inputs[0] if start.primitive.name == "concatenate" else start
    known = node.inputs[0].value
    starts_alike = first is node.inputs[0] or (
        known is not None and first.value is not None and np.array_equal(first.value[: known.size], known)
    )
    return starts_alike and wide.inputs[1 : len(node.inputs)] == node.inputs[1:]


def _keeps_steps(wide: Node, node: Node) -> bool:
    """Whether a solve that keeps its steps is another one."""
    same = all(wide.attributes[key] == x for key, x in node.attributes.items() if key in wide.attributes)
    return same and wide.inputs == node.inputs


# --- loops
def _returns_more(wide: Node, node: Node) -> bool:
    """Whether a scan of the same steps over the same arrays returns more of them."""
    same = all(wide.attributes[key] == node.attributes[key] for key in ("carries", "xs", "length", "reverse", "keep"))
    return same and wide.inputs == node.inputs and _begins_with(wide.attributes["body"], node.attributes["body"])


def _begins_with(wide: Program, body: Program) -> bool:
    """Whether the outputs of a body are the first of a wider one's: found by numbering equal values alike."""
    if len(wide.outputs) <= len(body.outputs):
        return False
    known: dict[Any, int] = {}
    wider, narrower = (_values(program, known) for program in (wide, body))
    return [wider[node] for node in wide.outputs[: len(body.outputs)]] == [narrower[node] for node in body.outputs]


def _values(program: Program, known: dict[Any, int]) -> dict[Node, int]:
    """A number for each node, equal where what it is computed from is equal."""
    numbers: dict[Node, int] = {}

    def number(node: Node, key: Any) -> None:
        numbers[node] = known.setdefault(key, len(known))

    for i, node in enumerate(program.inputs):
        number(node, ("input", i))
    for node in program.constants:
        number(node, ("constant", node.shape, node.dtype.char, node.value.tobytes()))
    for node in program.nodes:
        number(node, (node.primitive, *[numbers[i] for i in node.inputs], tuple(node.attributes.items())))
    return numbers


SHARING = (
    Sharing("odeint", "odeint", _solves_more, lambda value, node: value[:, : node.shape[1]]),
    Sharing("odeint", "odeint_steps", _keeps_steps, lambda value, node: np.reshape(value[: node.size], node.shape)),
    Sharing("scan", "scan", _returns_more, lambda value, node: value[0 : node.size]),
)
