"""What runs where: nodes are put into fused loops over one iteration space, or run on their own, level by level.

A level is a stretch of straight-line code (scalars, and operations on whole arrays) followed by fused loops. A loop
of level l may use whatever the straight-line code of level l and all earlier levels made, and element by element the
other nodes of the same loop; what it sums up or stores can be used from level l + 1 on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bayesad.ad.backends.llvm.scalars import ON_INTEGERS, SCALARS, SPECIAL
from bayesad.ad.program import CONSTANT, GUARD, Node, Program

__all__ = ["Level", "Loop", "Schedule", "plan"]

REDUCTIONS = {"sum", "prod", "max", "min", "any", "all", "scatter"}
VIEWS = {"reshape", "transpose", "broadcast_to", "take", "flip"}
TINY = 4  # arrays of up to so many elements are kept as scalars, one by one
TINY_IN_LONG_PROGRAMS = 16  # there a loop for each would cost more to compile than it saves
LONG = 300


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
    """Levels in order of execution, the array nodes that need memory of their own, and how each node is computed."""

    levels: list[Level]
    stored: set[Node]
    kinds: dict[Node, str]


def plan(program: Program) -> Schedule:
    """Assign every node of a program to the earliest level it can run at."""
    tiny = TINY_IN_LONG_PROGRAMS if len(program.nodes) > LONG else TINY
    kinds = {node: _kind(node, tiny) for node in program.nodes}
    available: dict[Node, int] = {}  # the first level whose straight-line code may use the node
    loop_level: dict[Node, int] = {}
    levels: list[Level] = []

    def level(i: int) -> Level:
        while len(levels) <= i:
            levels.append(Level())
        return levels[i]

    for node in program.nodes:
        if kinds[node] == "loop":
            shape = _iteration_shape(node)
            at = 0
            for source in node.inputs:
                fused = source in loop_level and not _is_reduction(source) and source.shape == shape
                at = max(at, loop_level[source] if fused else available.get(source, 0))
            loop_level[node] = at
            available[node] = at + 1
            level(at).loops.setdefault(shape, Loop(shape)).nodes.append(node)
        else:
            at = max([available.get(source, 0) for source in node.inputs], default=0)
            available[node] = at
            if kinds[node] != "view":
                level(at).straight.append(node)
    return Schedule(levels, _stored(program, kinds, loop_level), kinds)


def _kind(node: Node, tiny: int) -> str:
    """How a node is computed.

    "scalar": one value; "tiny": a few scalars; "loop": element by element, or a reduction, over an iteration
    space; "view": read through to its source; "whole": an operation on whole arrays.
    """
    name = node.primitive.name
    if node.primitive is GUARD:
        return "scalar"
    small = 0 < node.size <= tiny
    if name in REDUCTIONS and _reducible(node):
        return "tiny" if small and 0 < node.inputs[0].size <= tiny else "loop"
    if name in VIEWS and _constant_indices(node.inputs[1:]):
        return "scalar" if node.shape == () else "view"
    if node.primitive.elementwise and _has_instructions(node):
        return "scalar" if node.shape == () else "tiny" if small else "loop"
    joined = name in ("stack", "concatenate") or (name == "index_set" and _constant_indices(node.inputs[2:]))
    return "tiny" if joined and small else "whole"


def _stored(program: Program, kinds: dict[Node, str], loop_level: dict[Node, int]) -> set[Node]:
    """The nodes that need memory: those read at positions only known at run time, or outside of their own loop."""
    stored: set[Node] = set()
    at_run_time = {node for node in program.outputs if kinds.get(node) != "tiny"}
    at_known_positions: set[Node] = set()
    for node in reversed(program.nodes):
        kind = kinds[node]
        read = node in at_run_time or (node in at_known_positions and kind != "tiny")
        if kind == "whole" or (kind == "loop" and _is_reduction(node)) or (kind in ("loop", "tiny") and read):
            stored.add(node)
        for source in node.inputs:
            if kind == "loop":
                fused = (
                    loop_level.get(source) == loop_level[node]
                    and source.shape == _iteration_shape(node)
                    and not _is_reduction(source)
                )
                if not fused:
                    at_run_time.add(source)
            elif kind == "whole" or (kind == "view" and node in at_run_time):
                at_run_time.add(source)
            else:
                at_known_positions.add(source)
    return {node for node in stored if node.shape != () or kinds[node] == "whole"}


def _is_reduction(node: Node) -> bool:
    return node.primitive.name in REDUCTIONS


def _iteration_shape(node: Node) -> tuple[int, ...]:
    return node.inputs[0].shape if _is_reduction(node) else node.shape


def _constant_indices(arrays: tuple[Node, ...]) -> bool:
    """Index arrays must be constants: they are made non-negative beforehand, and cannot be out of bounds."""
    return all(array.primitive is CONSTANT for array in arrays)


def _reducible(node: Node) -> bool:
    source = node.inputs[0]
    if node.primitive.name == "scatter":
        return _constant_indices(node.inputs[1:]) and source.dtype.kind == "f"
    return source.dtype.kind == ("b" if node.primitive.name in ("any", "all") else "f")


def _has_instructions(node: Node) -> bool:
    name = node.primitive.name
    return name in SPECIAL or name == "cast" or (name in SCALARS and (node.dtype.kind != "i" or name in ON_INTEGERS))
