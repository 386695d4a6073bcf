"""Sums over discrete unknowns one after the other (variable elimination), and draws of them in the opposite order.

Koller and Friedman 2009, Probabilistic Graphical Models, 9.3 and 12.3.2; along a chain this is the forward algorithm
and backward sampling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bayesad.distributions.lazy import special
from bayesad.distributions.paths import draw_label, draw_paths, filtered
from bayesad.structure import Summed

__all__ = ["LARGEST", "Elimination", "Factor", "draw_back", "eliminations", "sum_out"]

LARGEST = 10**8  # numbers in the table of one unknown


class Factor(NamedTuple):
    """What a table of log densities depends on.

    Attributes
    ----------
    names : tuple of str
        The unknowns; the table has an axis for each, and a last one for its entries.
    rows : tuple of int arrays
        For each unknown the element that every entry belongs to; -1 where the table is the same for all its values.
    """

    names: tuple[str, ...]
    rows: tuple[np.ndarray, ...]


class Elimination(NamedTuple):
    """One unknown summed out.

    Attributes
    ----------
    name : str
    factors : tuple of int
        Those that contain it; numbered as given, results of earlier eliminations after them.
    rows : tuple of int arrays
        For each of these the element of the unknown that every entry belongs to.
    names : tuple of tuples
        For each of these its unknowns.
    others : tuple of str
        The unknowns that the result depends on.
    links : tuple of int arrays
        For each of these the element that every entry of the result belongs to. The entries are the elements of the
        unknown, or the chains it consists of.
    """

    name: str
    factors: tuple[int, ...]
    rows: tuple[np.ndarray, ...]
    names: tuple[tuple[str, ...], ...]
    others: tuple[str, ...]
    links: tuple[np.ndarray, ...]


def eliminations(
    unknowns: Mapping[str, Summed], factors: Sequence[Factor], largest: int = LARGEST
) -> tuple[Elimination, ...] | str:
    """An order in which every unknown can be summed out, fewest neighbours first; or what stands against it.

    ``largest`` limits the numbers in the table of one unknown.
    """
    active = dict(enumerate(factors))
    holding: dict[str, set[int]] = {name: set() for name in unknowns}
    for number, factor in active.items():
        for name in factor.names:
            holding[name].add(number)
    found: list[Elimination] = []
    order = {name: i for i, name in enumerate(unknowns)}
    beside = {name: _neighbours(name, holding, active) for name in unknowns}
    while holding:
        problem = ""
        for name in sorted(holding, key=lambda n: (len(beside[n]), order[n])):
            others = sorted(beside[name], key=order.__getitem__)
            step = _elimination(unknowns, name, sorted(holding[name]), active, others, largest)
            if isinstance(step, Elimination):
                break
            problem = problem or step
        else:
            return problem
        found.append(step)
        for number in step.factors:
            for other in active.pop(number).names:
                holding[other].discard(number)
        del holding[name], beside[name]
        if step.others:
            number = len(factors) + len(found) - 1
            active[number] = Factor(step.others, step.links)
            for other in step.others:
                holding[other].add(number)
        for other in step.others:
            beside[other] = _neighbours(other, holding, active)
    return tuple(found)


def _neighbours(name: str, holding: Mapping[str, set[int]], active: Mapping[int, Factor]) -> set[str]:
    return {other for number in holding[name] for other in active[number].names} - {name}


def _elimination(
    unknowns: Mapping[str, Summed],
    name: str,
    numbers: Sequence[int],
    active: Mapping[int, Factor],
    others: Sequence[str],
    largest: int,
) -> Elimination | str:
    unknown = unknowns[name]
    size = float(np.prod([unknowns[n].size for n in (name, *others)], dtype=float)) * unknown.elements
    if size > largest:
        return f"summing {name!r} out takes a table of {size:.2g} numbers"
    own = tuple(active[i].rows[active[i].names.index(name)] for i in numbers)
    links = []
    for other in others:
        link = np.full(unknown.elements, -1)
        for i, rows in zip(numbers, own, strict=True):
            if other not in active[i].names:
                continue
            there = active[i].rows[active[i].names.index(other)]
            rows, there = rows[there >= 0], there[there >= 0]
            fresh = link[rows] < 0
            link[rows[fresh]] = there[fresh]
            if np.any(link[rows] != there):
                return f"an element of {name!r} is tied to several elements of {other!r}"
        if unknown.chain:
            each = link.reshape(-1, unknown.shape[-1])
            if np.any((each != each.max(axis=1, keepdims=True)) & (each >= 0)):
                return f"a chain of {name!r} is tied to several elements of {other!r}"
            link = each.max(axis=1)
        links.append(np.maximum(link, 0))
    names = tuple(active[i].names for i in numbers)
    return Elimination(name, tuple(numbers), own, names, tuple(others), tuple(links))


# --- sums


def sum_out(
    order: Sequence[Elimination],
    unknowns: Mapping[str, Summed],
    tables: Sequence[Any],
    chains: Mapping[str, tuple[Any, Any]],
) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    """The log of the sum over all values of all unknowns, of the product of all factors.

    Parameters
    ----------
    order : sequence of Elimination
    unknowns : dict of Summed
    tables : list of arrays
        The factors: an axis for each unknown, and one for the entries.
    chains : dict
        Name -> log initial and transition probabilities.

    Returns
    -------
    totals : dict
        Name of the last unknown of every group that is tied together -> log density of the group.
    kept : list
        What `draw_back` needs, for each step of the order.
    """
    factors = list(tables)
    totals: dict[str, Any] = {}
    kept: list[tuple[Any, ...]] = []
    for step in order:
        unknown = unknowns[step.name]
        table = _product(step, unknown, factors)
        if unknown.chain:
            initial, transition = chains[step.name]
            each = np.reshape(np.moveaxis(table, 0, -1), (*table.shape[1:-1], *unknown.shape, unknown.size))
            last, ahead = filtered(initial, transition, each)
            message = np.reshape(special.logsumexp(last, axis=-1), (*table.shape[1:-1], -1))
            kept.append((ahead, transition))
        else:
            message = special.logsumexp(table, axis=0)
            kept.append((table,))
        if step.others:
            factors.append(message)
        else:
            totals[step.name] = np.sum(message)
            factors.append(None)
    return totals, kept


def _product(step: Elimination, unknown: Summed, factors: Sequence[Any]) -> Any:
    """All factors of an unknown multiplied: axes for its values, those of the others, and its elements."""
    product: Any = None
    for number, rows, names in zip(step.factors, step.rows, step.names, strict=True):
        axes = [names.index(name) for name in (step.name, *step.others) if name in names]
        table = np.transpose(factors[number], (*axes, len(names)))
        table = table[tuple(slice(None) if name in names else None for name in (step.name, *step.others))]
        table = _by_element(table, rows, unknown.elements)
        product = table if product is None else product + table
    return np.zeros((unknown.size, *[1] * len(step.others), unknown.elements)) if product is None else product


def _by_element(table: Any, rows: np.ndarray, elements: int) -> Any:
    """The entries of the last axis added up by the element that they belong to."""
    n = len(rows)
    every = np.arange(elements)
    if elements == 1:
        return table.sum(axis=-1, keepdims=True)
    if np.array_equal(rows, every):
        return table
    if n % elements == 0 and np.array_equal(rows, np.repeat(every, n // elements)):
        return np.reshape(table, (*table.shape[:-1], elements, n // elements)).sum(axis=-1)
    if n % elements == 0 and np.array_equal(rows, np.tile(every, n // elements)):
        return np.reshape(table, (*table.shape[:-1], n // elements, elements)).sum(axis=-2)
    added = np.zeros((*table.shape[:-1], elements))
    np.add.at(added, (..., rows), table)  # type: ignore[arg-type]
    return added


# --- draws


def draw_back(
    rng: np.random.Generator,
    order: Sequence[Elimination],
    unknowns: Mapping[str, Summed],
    kept: Sequence[tuple[np.ndarray, ...]],
) -> dict[str, np.ndarray]:
    """Draws of all unknowns from their joint distribution given everything else.

    Parameters
    ----------
    rng : numpy.random.Generator
    order, unknowns
        As for `sum_out`.
    kept : list of tuples of arrays
        What `sum_out` kept, each with a leading axis of draws.

    Returns
    -------
    dict
        Name -> index of the value, int64 of shape (draws, *shape).
    """
    found: dict[str, np.ndarray] = {}
    for step, parts in reversed(list(zip(order, kept, strict=True))):
        unknown = unknowns[step.name]
        n = len(parts[0])
        if unknown.chain:
            each = parts[0].reshape(*parts[0].shape[: 1 + len(step.others)], -1, unknown.shape[-1] * unknown.size)
        else:
            each = np.moveaxis(parts[0], 1, -1)
        for i, (other, link) in enumerate(zip(step.others, step.links, strict=True)):
            index = np.minimum(found[other].reshape(n, -1)[:, link], each.shape[1] - 1)
            spread = [1] * (len(step.others) - i - 1)
            each = np.take_along_axis(each, index.reshape(n, 1, *spread, -1, 1), axis=1)[:, 0]
        if unknown.chain:
            logits = each.reshape(n, *unknown.shape, unknown.size)
            matrix = parts[1]
            missing = len(unknown.shape) + 3 - matrix.ndim
            matrix = matrix.reshape(n, *[1] * missing, *matrix.shape[1:])
            found[step.name] = draw_paths(rng, logits, matrix)
        else:
            found[step.name] = draw_label(rng, each).reshape(n, *unknown.shape)
    return found
