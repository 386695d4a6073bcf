"""Operations of one kind that do not depend on each other, found in a traced program to become one array operation.

Nodes are of one kind if they are made by the same operations from the same values, where constants and the integers of
an index may differ: ``(y[t] - mu) ** 2`` is of one kind for all t. What depends on a carry is of a kind of its own at
every step. A kind of at least FEWEST members is a group; its members are the rows of the group's array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from bayesad.ad.primitives.indexing import take
from bayesad.ad.program import CONSTANT, GUARD, Node, Program
from bayesad.ad.rolling.batching import can_batch

__all__ = ["FEWEST", "Element", "Group", "Value", "find_groups"]

FEWEST = 16  # members of a group, and steps of a loop
FEW_VALUES = 4  # a constant of so few different values makes groups of its own for each


class Element(NamedTuple):
    """A row of an array still to be made; ``source`` is a Group or an Output of a Stretch."""

    source: Any
    row: int


Value = Node | Element


class Group:
    """Nodes that become one array operation.

    Attributes
    ----------
    members : list of Node
    operands : list of list of Value
        For each input of the primitive the members' values.
    """

    def __init__(self, members: list[Node], operands: list[list[Value]]) -> None:
        self.members = members
        self.operands = operands

    @property
    def like(self) -> Node:
        return self.members[0]


def find_groups(program: Program, left_alone: set[Node], replaced: dict[Node, Element]) -> None:
    """Note in ``replaced`` which nodes are rows of which group."""
    kinds = _kinds(program, left_alone)
    for nodes in kinds:
        parts = _split_by(nodes, lambda node: _sources(node, replaced))
        for part in parts:
            for members in _split_by_constants(part):
                operands = [
                    [replaced.get(value, value) for value in column]
                    for column in zip(*[node.inputs for node in members], strict=True)
                ]
                group = Group(members, operands)
                replaced.update({node: Element(group, i) for i, node in enumerate(members)})


def _kinds(program: Program, left_alone: set[Node]) -> list[list[Node]]:
    """The kinds of at least FEWEST nodes, kinds that others are made of first."""
    numbers: dict[Any, int] = {}
    kind_of: dict[Node, int] = {node: -1 - i for i, node in enumerate(program.inputs)}
    constants: dict[Any, int] = {}
    members: list[list[Node]] = []
    for node in program.nodes:
        if node.primitive is GUARD:
            continue
        inputs = []
        for source in node.inputs:
            kind = kind_of.get(source)
            if kind is None:  # a constant: of one kind with all others of its shape and dtype
                shape = (source.shape, source.dtype.char)
                kind = kind_of[source] = constants.setdefault(shape, -1_000_000 - len(constants))
            inputs.append(kind)
        key = (node.primitive, _index_kind(node) if node.attributes else (), *inputs)
        if node in left_alone or not can_batch(node.primitive):
            key = node  # type: ignore[assignment]
        kind = numbers.get(key)
        if kind is None:
            kind = numbers[key] = len(members)
            members.append([])
        kind_of[node] = kind
        members[kind].append(node)
    return [nodes for nodes in members if len(nodes) >= FEWEST]


def _index_kind(node: Node) -> Any:
    """The attributes, without the integers of an index."""
    if node.primitive is take and len(node.inputs) == 1:
        index = node.attributes["index"]
        return tuple([0 if type(item) is int else item for item in index.items])
    return tuple(node.attributes.items())


def _split_by(nodes: Iterable[Node], key: Callable[[Node], Any]) -> list[list[Node]]:
    """Nodes of equal keys; those with fewer than FEWEST others are left out."""
    parts: dict[Any, list[Node]] = {}
    for node in nodes:
        parts.setdefault(key(node), []).append(node)
    return [part for part in parts.values() if len(part) >= FEWEST]


def _sources(node: Node, replaced: dict[Node, Element]) -> tuple[Any, ...]:
    """What members of one group share: the arrays that their operands are rows of, or the very operands."""
    key: list[Any] = []
    for value in node.inputs:
        if value.primitive is CONSTANT:
            key.append(None)
        elif value in replaced:
            key.append(id(replaced[value].source))
        else:
            key.append(value)
    if node.primitive is take and len(node.inputs) == 1:
        items = node.attributes["index"].items
        if node.inputs[0] in replaced:
            key.append(items)
        elif any(type(item) is not int for item in items):
            key.append([item for item in items if type(item) is int][1:])
    return tuple([tuple(part) if type(part) is list else part for part in key])


def _split_by_constants(nodes: list[Node]) -> list[list[Node]]:
    """Groups of their own for each of a few values of a constant, so that it stays one for the whole group."""
    for slot, source in enumerate(nodes[0].inputs):
        if source.primitive is not CONSTANT:
            continue
        parts: dict[Node, list[Node]] = {}
        for node in nodes:
            parts.setdefault(node.inputs[slot], []).append(node)
        if 1 < len(parts) <= FEW_VALUES and all(len(part) >= FEWEST for part in parts.values()):
            return [smaller for part in parts.values() for smaller in _split_by_constants(part)]
    return [nodes]
