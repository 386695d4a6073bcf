"""Stretches of a program in which one step is repeated, found by the distance at which a node is like another.

The nodes that are left when groups are taken out stand in the order in which they were traced. Each is described by its
operation and, for every operand, by how far back it stands, or that it stands outside of the repetition. If from some
node on every node has the same description as the one p places later, the stretch is a loop whose step has p nodes.
Candidates for p are the most frequent distances between equal runs of descriptions, so the search is linear in the
number of nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from bayesad.ad.program import CONSTANT, Node
from bayesad.ad.rolling.groups import FEWEST, Element

__all__ = ["Repetition", "find_repetition"]

REACHES = (
    32,
    128,
    512,
    2048,
)  # how far from its last use a value may stand that steps hand to each other, tried in turn
WINDOWS = (4, 16, 64, 256)  # lengths of the runs compared
MOST_FREQUENT = 4
OUTSIDE = -1
MULTIPLIER = 0x9E3779B97F4A7C15


class Repetition(NamedTuple):
    """A stretch of ``steps`` steps of ``period`` nodes from ``start`` on.

    ``distances[o][j]`` says of the nodes at offset o how far back their operand j stands, if a step hands it on to the
    same or a later one, else OUTSIDE.
    """

    start: int
    period: int
    steps: int
    distances: list[list[int]]


def find_repetition(nodes: Sequence[Node], replaced: dict[Node, Element]) -> Repetition | None:
    """The repetition that covers most nodes, or None."""
    if len(nodes) < 2 * FEWEST:
        return None
    described = _Described(nodes, replaced)
    for strict in (True, False):
        best, found = 0, None
        for reach in REACHES:
            distances = described.handed_on(reach)
            run = _longest_run(described.hashes(distances, strict))
            repetition = None if run is None else described.repetition(*run, distances)
            if repetition is not None and repetition.period * repetition.steps > best:
                best, found = repetition.period * repetition.steps, repetition
        if found is not None:
            return found
    return None


class _Described:
    """The nodes of a sequence as numbers: a base per node, and per operand its distance and the span of its use."""

    def __init__(self, nodes: Sequence[Node], replaced: dict[Node, Element]) -> None:
        place = {node: i for i, node in enumerate(nodes)}
        numbers: dict[Any, int] = {}
        uses: dict[Node, int] = {}
        for node in nodes:
            for source in node.inputs:
                uses[source] = uses.get(source, 0) + 1
        base, distances, owners, identities = [], [], [], []
        for i, node in enumerate(nodes):
            key: list[Any] = [node.primitive, node.shape, node.dtype.char, *node.attributes.items()]
            for source in node.inputs:
                key.append((source.shape, source.dtype.char))
                at = place.get(source)
                distances.append(OUTSIDE if at is None else i - at)
                owners.append(i)
                if source.primitive is CONSTANT:
                    identities.append(id(source) if uses[source] >= FEWEST else 0)
                elif source in replaced:
                    identities.append(id(replaced[source].source))
                else:
                    identities.append(id(source))
            base.append(numbers.setdefault(tuple(key), len(numbers)))
        self.n = len(nodes)
        self.base = np.array(base, dtype=np.int64)
        self.sizes = np.array([node.size for node in nodes], dtype=np.int64)
        self.distances = np.array(distances, dtype=np.int64)
        self.owners = np.array(owners, dtype=np.int64)
        self.identities = np.array(identities, dtype=np.int64)
        self.first_edge = np.searchsorted(self.owners, np.arange(self.n + 1))
        inside = self.distances != OUTSIDE
        sources = np.where(inside, self.owners - self.distances, 0)
        last_use = np.zeros(self.n, dtype=np.int64)
        np.maximum.at(last_use, sources[inside], self.owners[inside])
        self.spans = np.where(inside, last_use[sources] - sources, 0)
        self.often_used = np.where(inside, np.bincount(sources[inside], minlength=self.n)[sources] >= FEWEST, False)

    def handed_on(self, reach: int) -> np.ndarray:
        """The distances of operands that are near and not the same for many steps; OUTSIDE for others."""
        invariant = self.often_used & (self.spans > reach)
        return np.where((self.distances <= reach) & ~invariant, self.distances, OUTSIDE)

    def hashes(self, distances: np.ndarray, strict: bool) -> np.ndarray:
        """One number per node, equal for equal descriptions; ``strict``: with the identity of what is outside."""
        code = np.where(distances == OUTSIDE, self.identities if strict else OUTSIDE, distances).astype(np.uint64)
        slot = (np.arange(len(self.owners)) - self.first_edge[self.owners]).astype(np.uint64)
        mixed = _mixed(code + _mixed(slot + np.uint64(1)))
        total = np.zeros(self.n, dtype=np.uint64)
        np.add.at(total, self.owners, mixed)
        return _mixed(self.base.astype(np.uint64) + total)

    def repetition(self, start: int, length: int, period: int, distances: np.ndarray) -> Repetition | None:
        """A run of ``length`` nodes that are like those a period later as a stretch, if it is one indeed."""
        edge = self.first_edge
        end = start + length + period
        one, other = slice(edge[start], edge[end - period]), slice(edge[start + period], edge[end])
        same_base = np.array_equal(self.base[start : end - period], self.base[start + period : end])
        if not same_base or not np.array_equal(distances[one], distances[other]):
            return None
        within = slice(edge[start], edge[end])
        outer = (distances[within] == OUTSIDE) & (self.distances[within] != OUTSIDE)
        sources = self.owners[within] - self.distances[within]
        late = sources[outer & (sources >= start)]
        start = int(late.max()) + 1 if late.size else start
        start += self._narrowest_cut(start, period, end, distances)
        steps = (end - start) // period
        if steps < FEWEST or (late.size and np.any(sources[outer & (self.owners[within] >= start)] >= start)):
            return None
        at = [distances[edge[k] : edge[k + 1]].tolist() for k in range(start, start + period)]
        return Repetition(start, period, steps, at)

    def _narrowest_cut(self, start: int, period: int, end: int, distances: np.ndarray) -> int:
        """Where in the step to cut so that the fewest numbers are handed on; 0 if it makes no difference."""
        if end - start < 4 * period:
            return 0
        edges = np.flatnonzero(distances != OUTSIDE)
        sources = self.owners[edges] - distances[edges]
        last_use = np.zeros(self.n, dtype=np.int64)
        np.maximum.at(last_use, sources, self.owners[edges])
        used = np.flatnonzero(last_use)
        change = np.zeros(self.n + 2, dtype=np.int64)
        np.add.at(change, used + 1, self.sizes[used])
        np.add.at(change, last_use[used] + 1, -self.sizes[used])
        middle = start + (end - start) // (2 * period) * period
        return int(np.argmin(np.cumsum(change)[middle : middle + period]))


def _mixed(x: np.ndarray) -> np.ndarray:
    """Well mixed 64-bit numbers (the finaliser of SplitMix64; Steele, Lea and Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _longest_run(hashes: np.ndarray) -> tuple[int, int, int] | None:
    """(start, length, p) of the longest run of nodes that are like those p later, or None if it is too short."""
    best, found = 0, None
    for period in sorted(_frequent_distances(hashes)):
        alike = np.flatnonzero(hashes[:-period] != hashes[period:])
        ends = np.concatenate([[-1], alike, [len(hashes) - period]])
        lengths = np.diff(ends) - 1
        longest = int(np.argmax(lengths))
        steps = (int(lengths[longest]) + period) // period
        if steps >= FEWEST and steps * period > 1.05 * best:
            best, found = steps * period, (int(ends[longest]) + 1, int(lengths[longest]), period)
    return found


def _frequent_distances(hashes: np.ndarray) -> set[int]:
    """The most frequent distances between equal windows that follow each other."""
    distances: set[int] = set()
    windows, width = hashes, 1
    power = MULTIPLIER
    for wanted in WINDOWS:
        while width < wanted:
            if len(windows) <= 2 * width:
                return distances
            windows = windows[:-width] * np.uint64(power) + windows[width:]
            power = power * power % 2**64
            width *= 2
        order = np.argsort(windows, kind="stable")
        equal = windows[order[1:]] == windows[order[:-1]]
        gaps, counts = np.unique((order[1:] - order[:-1])[equal], return_counts=True)
        distances.update(gaps[np.argsort(-counts, kind="stable")[:MOST_FREQUENT]].tolist())
    return distances
