"""What runs where: nodes are put into fused loops over one iteration space, or run on their own, step by step.

Planning goes level by level. A level is a stretch of straight-line code (scalars, and operations on whole arrays)
followed by fused loops. A loop of level l may use whatever the straight-line code of level l and all earlier levels
made, and element by element the other nodes of the same loop; what it sums up or stores can be used from level l + 1
on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bayesad.ad.backends.llvm.scalars import ON_INTEGERS, SCALARS, SPECIAL
from bayesad.ad.backends.llvm.writer import FEWEST_FOR_VECTORS
from bayesad.ad.program import CONSTANT, GUARD, INPUT, Node, Program

__all__ = ["Loop", "Schedule", "Step", "flattened", "innermost", "is_reduction", "iteration_shape", "plan", "product"]

REDUCTIONS = {"sum", "prod", "max", "min", "any", "all", "scatter"}
VIEWS = {"reshape", "transpose", "broadcast_to", "take", "flip"}
MOVING = {"stack", "concatenate", "take", "index_set", "scatter"}  # operations on whole arrays that only move elements
TINY = 4  # arrays of up to so many elements are kept as scalars, one by one
TINY_IN_LONG_PROGRAMS = 16  # there a loop for each would cost more to compile than it saves
LONG = 300
FEWEST_ROWS = 64  # of a matrix of data whose product with a vector joins a loop over its rows


@dataclass
class Loop:
    """Nodes computed together over one iteration space."""

    shape: tuple[int, ...]
    nodes: list[Node] = field(default_factory=list)


Step = Node | Loop


@dataclass
class Schedule:
    """Steps in order of execution, the array nodes that need memory of their own, and how each node is computed.

    Those that are ``turned`` lie in memory as the loops run over them that make and use them, their longest axis last.
    """

    steps: list[Step]
    stored: set[Node]
    kinds: dict[Node, str]
    turned: set[Node]


@dataclass
class _Level:
    straight: list[Node] = field(default_factory=list)
    loops: dict[tuple[int, ...], Loop] = field(default_factory=dict)


def plan(program: Program) -> Schedule:
    """Assign every node of a program to a level: the earliest it can run at, or where it need not be stored."""
    tiny = TINY_IN_LONG_PROGRAMS if len(program.nodes) > LONG else TINY
    kinds = {node: _kind(node, tiny) for node in program.nodes}
    level = _earliest(program, kinds)
    _move_to_consumers(program, kinds, level)
    levels = [_Level() for _ in range(max(level.values(), default=-1) + 1)]
    for node in program.nodes:
        if kinds[node] == "loop":
            shape = iteration_shape(node)
            levels[level[node]].loops.setdefault(shape, Loop(shape)).nodes.append(node)
        elif kinds[node] != "view":
            levels[level[node]].straight.append(node)
    steps: list[Step] = []
    for one in levels:
        steps += [*one.straight, *one.loops.values()]
    stored = _stored(program, kinds, level)
    return Schedule(steps, stored, kinds, _turned(program, steps, stored))


def _earliest(program: Program, kinds: dict[Node, str]) -> dict[Node, int]:
    """The earliest level of every node; work on whole arrays waits for the guards before it, which may spare it."""
    level: dict[Node, int] = {}
    guarded = 0
    for node in program.nodes:
        at = guarded if kinds[node] == "whole" and node.primitive.name not in MOVING else 0
        for source in node.inputs:
            if source in level:
                in_loop = kinds[source] == "loop" and not _can_fuse(node, source, kinds)
                at = max(at, level[source] + in_loop)
        level[node] = at
        if node.primitive is GUARD:
            guarded = max(guarded, at)
    return level


def _move_to_consumers(program: Program, kinds: dict[Node, str], level: dict[Node, int]) -> None:
    """Move elementwise nodes to the later loop that alone uses them, unless an input would then have to be stored."""
    consumers: dict[Node, list[Node]] = {node: [] for node in program.nodes}
    for node in program.nodes:
        for source in node.inputs:
            if source in consumers:
                consumers[source].append(node)

    def stays(source: Node, node: Node) -> bool:
        """Whether an input that is fused with the node now is also used by others of the same loop."""
        if level.get(source) != level[node] or not _can_fuse(node, source, kinds):
            return False
        return any(level[user] == level[node] for user in consumers[source] if user is not node)

    outputs = set(program.outputs)
    for node in reversed(program.nodes):
        users = consumers[node]
        if kinds[node] != "loop" or is_reduction(node) or product(node) or not users or node in outputs:
            continue
        later = min(level[user] for user in users)
        fusing = all(_can_fuse(user, node, kinds) for user in users)
        if later > level[node] and fusing and not any(stays(source, node) for source in node.inputs):
            level[node] = later


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
    if product(node):
        return "loop"
    joined = name in ("stack", "concatenate") or (name == "index_set" and _constant_indices(node.inputs[2:]))
    return "tiny" if joined and small else "whole"


def product(node: Node) -> str:
    """How the product of a vector with a tall matrix of data joins a loop over the matrix's rows; "" if it does not.

    "rows": X @ b gives each row an element. "columns": X.T @ r is a sum over the rows.
    """
    if node.primitive.name != "matmul" or node.inputs[0].primitive is not CONSTANT:
        return ""
    matrix, vector = node.inputs
    if matrix.ndim != 2 or vector.ndim != 1 or matrix.dtype.kind != "f" or node.dtype.kind != "f":
        return ""
    n, k = max(matrix.shape), min(matrix.shape)
    if n < max(FEWEST_ROWS, k + 1) or k == 0:
        return ""
    return "rows" if matrix.shape[0] == n else "columns"


def is_reduction(node: Node) -> bool:
    """Whether a node of a loop collects elements of the whole loop, so that it is there only after it."""
    return node.primitive.name in REDUCTIONS or product(node) == "columns"


def iteration_shape(node: Node) -> tuple[int, ...]:
    """The space that a node of a loop runs over."""
    if node.primitive.name in REDUCTIONS:
        return node.inputs[0].shape
    return node.inputs[1].shape if product(node) == "columns" else node.shape


def _can_fuse(node: Node, source: Node, kinds: dict[Node, str]) -> bool:
    """Whether a node may use an input element by element within one loop."""
    return (
        kinds.get(node) == kinds.get(source) == "loop"
        and not is_reduction(source)
        and source.shape == iteration_shape(node)
        and product(node) != "rows"
    )


def _stored(program: Program, kinds: dict[Node, str], level: dict[Node, int]) -> set[Node]:
    """The nodes that need memory: those read at positions only known at run time, or outside of their own loop."""
    stored: set[Node] = set()
    at_run_time = {node for node in program.outputs if kinds.get(node) != "tiny"}
    at_known_positions: set[Node] = set()
    for node in reversed(program.nodes):
        kind = kinds[node]
        read = node in at_run_time or (node in at_known_positions and kind != "tiny")
        if kind == "whole" or (kind == "loop" and is_reduction(node)) or (kind in ("loop", "tiny") and read):
            stored.add(node)
        for source in node.inputs:
            if kind == "loop":
                fused = _can_fuse(node, source, kinds) and level[source] == level[node]
                if not fused:
                    at_run_time.add(source)
            elif kind == "whole" or (kind == "view" and node in at_run_time):
                at_run_time.add(source)
            else:
                at_known_positions.add(source)
    return {node for node in stored if node.shape != () or kinds[node] == "whole"}


def innermost(shape: tuple[int, ...]) -> int:
    """The axis to run over innermost: the last one, or the longest if the last is too short for vector code."""
    last = len(shape) - 1
    longest = max(range(len(shape)), key=shape.__getitem__, default=last)
    return longest if shape and shape[-1] < FEWEST_FOR_VECTORS <= shape[longest] else last


def flattened(loop: Loop, stored: set[Node]) -> bool:
    """Whether one index serves: all operands are scalars or lie in memory exactly as the loop runs."""
    if len(loop.shape) < 2:
        return False
    inside = set(loop.nodes)
    for node in loop.nodes:
        if is_reduction(node) and (node.shape != () or node.primitive.name == "scatter"):
            return False
        for i in node.inputs:
            direct = i.primitive in (INPUT, CONSTANT) or i in stored
            if i.size != 1 and not (i.shape == loop.shape and (i in inside or direct)):
                return False
    return True


def _turned(program: Program, steps: list[Step], stored: set[Node]) -> set[Node]:
    """The nodes whose last axis is not the innermost one of the loops that make and use them."""
    loops = [step for step in steps if isinstance(step, Loop) and innermost(step.shape) != len(step.shape) - 1]
    loop_of = {node: loop for loop in loops if not flattened(loop, stored) for node in loop.nodes}
    turned = {node for node in loop_of if node in stored and not is_reduction(node)}.difference(program.outputs)
    for node in program.nodes:
        alike = node in loop_of
        turned.difference_update([i for i in node.inputs if not (alike and i.shape == loop_of[node].shape)])
    return turned


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
    if node.primitive.address:
        return True
    return name in SPECIAL or name == "cast" or (name in SCALARS and (node.dtype.kind != "i" or name in ON_INTEGERS))
