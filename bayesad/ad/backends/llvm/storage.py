"""Where each array of a program lies: in an output, in a part of a larger array, or in workspace used again and again.

A slot of the workspace serves nodes one after the other: the next node may have it when the last step that reads the
one before is over. A node that becomes part of a concatenation or stack is computed where that has it, and what is an
output is computed in the caller's memory.
"""

from __future__ import annotations

import bisect
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bayesad.ad.backends.llvm.schedule import Loop, Schedule, Step
from bayesad.ad.backends.llvm.writer import SIZES
from bayesad.ad.program import Node, Program

__all__ = ["LINE", "Home", "Storage", "allocate"]

JOINING = ("concatenate", "stack")
LINE = 64  # bytes of a cache line: workspace begins on one


class Home(NamedTuple):
    """Memory of a node: ``base`` is "output 1" or "slot 3"; ``offset`` counts bytes."""

    base: str
    offset: int


@dataclass
class Storage:
    """The home of every stored node, and the bytes of each slot."""

    homes: dict[Node, Home]
    slots: list[int]

    def in_place(self, part: Node, whole: Node, offset: int) -> bool:
        """Whether a part of a concatenation or stack is computed right where the whole has it."""
        home = self.homes[whole]
        return self.homes.get(_behind_reshapes(part, self.homes)) == Home(home.base, home.offset + offset)


class _Life(NamedTuple):
    """The first and the last step at which memory is in use."""

    first: int
    last: int


def allocate(program: Program, schedule: Schedule) -> Storage:
    """Give every stored node a home."""
    containers = _containers(program, schedule)
    lives = _lives(program, schedule)
    homes = _in_outputs(program, schedule)
    roots = [node for node in schedule.stored if node not in containers and node not in homes]
    for part, (whole, _) in containers.items():
        root = whole
        while root in containers:
            root = containers[root][0]
        if root in lives:
            lives[root] = _Life(min(lives[root].first, lives[part].first), max(lives[root].last, lives[part].last))
    slots = _share(sorted(roots, key=lambda node: (lives[node].first, -node.size)), lives, homes)
    for part in containers:
        homes[part] = _inside(part, containers, homes)
    return Storage(homes, slots)


def _in_outputs(program: Program, schedule: Schedule) -> dict[Node, Home]:
    homes: dict[Node, Home] = {}
    for number, node in enumerate(program.outputs):
        if node in schedule.stored:
            homes.setdefault(node, Home(f"output {number}", 0))
    return homes


def _containers(program: Program, schedule: Schedule) -> dict[Node, tuple[Node, int]]:
    """Part -> (the concatenation or stack that it is computed in, its offset there in bytes)."""
    containers: dict[Node, tuple[Node, int]] = {}
    outputs = set(program.outputs)
    for node in reversed(program.nodes):
        if node.primitive.name not in JOINING or node not in schedule.stored or node.dtype.kind != "f":
            continue
        if int(np.prod(node.shape[: node.attributes.get("axis", 0)], dtype=np.int64)) != 1:
            continue
        parts = [_behind_reshapes(part, schedule.stored) for part in node.inputs]
        offset = 0
        for part in parts:
            alone = part not in containers and part not in outputs and parts.count(part) == 1
            if alone and part in schedule.stored and schedule.kinds[part] != "tiny" and part.dtype == node.dtype:
                containers[part] = (node, offset)
            offset += part.size * SIZES["f"]
    return containers


def _behind_reshapes(node: Node, stored: Container[Node]) -> Node:
    """The stored node whose elements a reshape of it shows; the node itself if it is something else."""
    source = node
    while source not in stored and source.primitive.name == "reshape":
        source = source.inputs[0]
    return source


def _inside(part: Node, containers: dict[Node, tuple[Node, int]], homes: dict[Node, Home]) -> Home:
    if part not in containers:
        return homes[part]
    whole, offset = containers[part]
    home = _inside(whole, containers, homes)
    return Home(home.base, home.offset + offset)


def _lives(program: Program, schedule: Schedule) -> dict[Node, _Life]:
    lives: dict[Node, _Life] = {}
    for number, step in enumerate(schedule.steps):
        for node in _nodes(step):
            if node in schedule.stored:
                lives[node] = _Life(number, number)
    for number, step in enumerate(schedule.steps):
        for node in _nodes(step):
            _extend(lives, node.inputs, number, schedule)
    _extend(lives, program.outputs, len(schedule.steps), schedule)
    return lives


def _nodes(step: Step) -> Sequence[Node]:
    return step.nodes if isinstance(step, Loop) else (step,)


def _extend(lives: dict[Node, _Life], read: Iterable[Node], number: int, schedule: Schedule) -> None:
    """Note that the memory behind these nodes is read at a step."""
    for node in read:
        if node in lives:
            lives[node] = _Life(lives[node].first, max(lives[node].last, number))
        elif schedule.kinds.get(node) == "view":
            _extend(lives, node.inputs, number, schedule)


def _share(nodes: Sequence[Node], lives: dict[Node, _Life], homes: dict[Node, Home]) -> list[int]:
    """Assign slots to nodes, which come in the order of their first steps; adds to ``homes``."""
    sizes: list[int] = []
    busy_until: list[int] = []
    for node in nodes:
        nbytes = -(-max(node.size, 1) * SIZES[node.dtype.kind] // LINE) * LINE
        free = sorted((sizes[i], i) for i in range(len(sizes)) if busy_until[i] < lives[node].first)
        place = bisect.bisect_left(free, (nbytes, 0))
        if place < len(free):
            slot = free[place][1]
        elif free:
            slot = free[-1][1]  # the largest grows
            sizes[slot] = nbytes
        else:
            slot = len(sizes)
            sizes.append(nbytes)
            busy_until.append(0)
        busy_until[slot] = lives[node].last
        homes[node] = Home(f"slot {slot}", 0)
    return sizes
