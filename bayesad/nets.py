"""Unknowns that are tied crosswise, such as classes of items and types of raters: summed out element by element.

`bayesad.elimination` sums all elements of an unknown at once, each with one element of every other unknown. Where an
element is tied to several of another unknown, that one is taken apart: its elements are unknowns of their own, and an
elimination carries a table of all of their values.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from bayesad.elimination import LARGEST, Elimination, Factor, draw_back, eliminations, sum_out
from bayesad.structure import Summed

__all__ = ["Net", "net_of"]

LARGEST_APART = 2**20  # numbers in the table of one unknown, where others were taken apart
MOST_ELEMENTS = 64  # of an unknown that is taken apart
MOST_TRIES = 32  # choices of unknowns to take apart


class Net(NamedTuple):
    """How the unknowns of a model are summed out.

    Attributes
    ----------
    unknowns : dict
        Name -> `Summed`: the unknowns, or their elements in their place.
    pieces : tuple of (int, tuple)
        For each factor the number of the table it is a part of, and the index of that part.
    order : tuple of Elimination
    elements : dict
        Name of an unknown that was taken apart -> the names of its elements.
    """

    unknowns: dict[str, Summed]
    pieces: tuple[tuple[int, tuple[Any, ...]], ...]
    order: tuple[Elimination, ...]
    elements: dict[str, tuple[str, ...]]

    def sum_out(
        self, tables: Sequence[Any], chains: Mapping[str, tuple[Any, Any]]
    ) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
        """As `bayesad.elimination.sum_out`; the totals have the names of whole unknowns."""
        parts = [tables[number][index] for number, index in self.pieces]
        totals, kept = sum_out(self.order, self.unknowns, parts, chains)
        owner = {element: name for name, elements in self.elements.items() for element in elements}
        found: dict[str, Any] = {}
        for name, total in totals.items():
            whole = owner.get(name, name)
            found[whole] = found[whole] + total if whole in found else total
        return found, kept

    def draw_back(self, rng: np.random.Generator, kept: Sequence[tuple[np.ndarray, ...]]) -> dict[str, np.ndarray]:
        """As `bayesad.elimination.draw_back`; vectors for the unknowns that were taken apart."""
        found = draw_back(rng, self.order, self.unknowns, kept)
        for name, elements in self.elements.items():
            found[name] = np.stack([found.pop(element) for element in elements], axis=-1)
        return found

    @property
    def cost(self) -> int:
        """Numbers in all tables."""
        return sum(
            self.unknowns[step.name].elements * math.prod(self.unknowns[n].size for n in (step.name, *step.others))
            for step in self.order
        )


def net_of(unknowns: Mapping[str, Summed], factors: Sequence[Factor]) -> Net | str:
    """The cheapest way found to sum all unknowns out, taking apart as few as possible; or what stands against it."""
    whole = _with_elements(unknowns, factors, (), LARGEST)
    if isinstance(whole, Net):
        return whole
    several = [n for n, u in unknowns.items() if 1 < u.elements <= MOST_ELEMENTS and not u.chain]
    choices = itertools.chain.from_iterable(itertools.combinations(several, k + 1) for k in range(len(several)))
    found: list[Net] = []
    for apart in itertools.islice(choices, MOST_TRIES):
        if found and len(apart) > len(found[0].elements):
            break
        net = _with_elements(unknowns, factors, apart, LARGEST_APART)
        found += [net] if isinstance(net, Net) else []
    if not found:
        return (
            f"{whole}, and summing over all values of these together takes tables of more than {LARGEST_APART} numbers"
        )
    return min(found, key=lambda net: net.cost)


def _with_elements(
    unknowns: Mapping[str, Summed], factors: Sequence[Factor], apart: Sequence[str], largest: int
) -> Net | str:
    """Sum out with some unknowns taken apart into their elements."""
    elements = {name: tuple(f"{name}\0{i}" for i in range(unknowns[name].elements)) for name in apart}
    own: dict[str, Summed] = {}
    for name, unknown in unknowns.items():
        bounds = zip(unknown.lower.reshape(-1), unknown.upper.reshape(-1), strict=True)
        if name in elements:
            for element, (lower, upper) in zip(elements[name], bounds, strict=True):
                own[element] = replace(unknown, name=element, shape=(), lower=np.array(lower), upper=np.array(upper))
        else:
            own[name] = unknown
    pieces: list[tuple[int, tuple[Any, ...]]] = []
    parts: list[Factor] = []
    for number, factor in enumerate(factors):
        for index, part in _pieces(factor, elements):
            pieces.append((number, index))
            parts.append(part)
    order = eliminations(own, parts, largest)
    return order if isinstance(order, str) else Net(own, tuple(pieces), order, elements)


def _pieces(factor: Factor, elements: Mapping[str, tuple[str, ...]]) -> list[tuple[tuple[Any, ...], Factor]]:
    """A factor by the elements that its entries belong to: the index of each part in its table, and its factor."""
    axes = [axis for axis, name in enumerate(factor.names) if name in elements]
    if not axes:
        return [((...,), factor)]
    rows = np.stack([factor.rows[axis] for axis in axes])
    found = []
    for pattern in np.unique(rows, axis=1).T:
        entries = np.flatnonzero((rows == pattern[:, None]).all(axis=0))
        chosen = dict(zip(axes, map(int, pattern), strict=True))
        index = tuple(0 if chosen.get(axis) == -1 else slice(None) for axis in range(len(factor.names)))
        kept = [axis for axis in range(len(factor.names)) if chosen.get(axis) != -1]
        names = [elements[factor.names[a]][chosen[a]] if a in chosen else factor.names[a] for a in kept]
        own = [np.zeros(entries.size, dtype=np.int64) if a in chosen else factor.rows[a][entries] for a in kept]
        found.append(((*index, entries), Factor(tuple(names), tuple(own))))
    return found
