"""What runs where: nodes are put into fused loops over one iteration space, or run on their own, level by level.

A level is a stretch of straight-line code (scalars, and operations on whole arrays) followed by fused loops. A loop of level l may use
whatever the straight-line code of level l and all earlier levels made, and element by element the other nodes of the same
loop; what it sums up or stores can be used from level l + 1 on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bayesad.ad.backends.llvm.scalars import SCALARS, SPECIAL
from bayesad.ad.program import CONSTANT, GUARD, INPUT, Node, Program

__all__ = ["REDUCTIONS", "VIEWS", "Level", "Loop", "Schedule", "plan"]

REDUCTIONS = {"sum", "prod", "max", "min", "any", "all", "scatter"}
VIEWS = {"reshape", "transpose", "broadcast_to", "take", "flip"}


@dataclass
class Loop:
    """Nodes computed together over one iteration space."""

    shape: tuple[int, ...]
    nodes: list[Node] = field(default_factory=list)


@dataclass
class Level:
    straight: list[Node] = field(default_factory=list)
    loops: dict[tuple[int, ...], Loop] = field(default_factory=dict)


@dataclass
class Schedule:
    """Levels in order of execution, and the array nodes that need memory of their own."""

    levels: list[Level]
    stored: set[Node]


def kind_of(node: Node) -> str:
    """ "leaf", "scalar", "loop" (elementwise or reduction over an iteration space), "view", or "whole"."""
    name = node.primitive.name
    if node.primitive in (INPUT, CONSTANT):
        return "leaf"
    if node.primitive is GUARD:
        return "scalar"
    if name in REDUCTIONS and _reducible(node):
        return "loop"
    if name in VIEWS and _viewable(node):
        return "scalar" if node.shape == () else "view"
    if node.primitive.elementwise and (name in SCALARS or name in SPECIAL or name == "cast"):
        return "scalar" if node.shape == () else "loop"
    return "whole"


def iteration_shape(node: Node) -> tuple[int, ...]:
    return node.inputs[0].shape if node.primitive.name in REDUCTIONS else node.shape


def _viewable(node: Node) -> bool:
    """Index arrays must be constants: they are made non-negative beforehand, and cannot be out of bounds."""
    return all(array.primitive is CONSTANT for array in node.inputs[1:])


def _reducible(node: Node) -> bool:
    source = node.inputs[0]
    if node.primitive.name == "scatter":
        return _viewable(node) and source.dtype.kind == "f"
    if node.primitive.name in ("any", "all"):
        return source.dtype.kind == "b"
    return source.dtype.kind == "f"


def plan(program: Program) -> Schedule:
    """Assign every node of a program to the earliest level it can run at."""
    available: dict[Node, int] = {}  # the first level whose straight-line code may use the node
    loop_level: dict[Node, int] = {}
    kinds: dict[Node, str] = {}
    levels: list[Level] = []
    stored: set[Node] = set()

    def level(i: int) -> Level:
        while len(levels) <= i:
            levels.append(Level())
        return levels[i]

    def ready(node: Node) -> int:
        return available.get(node, 0)

    for node in program.nodes:
        kind = kinds[node] = kind_of(node)
        if kind == "loop":
            shape = iteration_shape(node)
            at = 0
            for source in node.inputs:
                fused = (
                    kinds.get(source) == "loop" and source.primitive.name not in REDUCTIONS and source.shape == shape
                )
                at = max(at, loop_level[source] if fused else ready(source))
            loop_level[node] = at
            available[node] = at + 1
            level(at).loops.setdefault(shape, Loop(shape)).nodes.append(node)
            if node.primitive.name in REDUCTIONS:
                stored.add(node)
            for source in node.inputs:
                if kinds.get(source) == "loop" and not (source.shape == shape and loop_level[source] == at):
                    stored.add(source)
        else:
            at = max([ready(source) for source in node.inputs], default=0)
            available[node] = at
            if kind != "view":
                level(at).straight.append(node)
            if kind == "whole":
                stored.add(node)
            stored.update(s for s in node.inputs if kinds.get(s) == "loop")
    for node in program.outputs:
        if kinds.get(node) == "loop":
            stored.add(node)
    return Schedule(levels, {n for n in stored if n.shape != () or kinds[n] == "whole"})
