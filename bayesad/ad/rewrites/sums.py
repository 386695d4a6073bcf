"""Sums are taken term by term: what repeats along a summed axis is counted, data are summed once.

A sum over the rows of ``y * (X b) - exp(X b)`` is ``(X' y) . b - sum(exp(X b))``: the statistics X' y are sums of data.
Likewise ``sum(log s[g])`` is the number of rows in each group times ``log s``, and ``sum(a_ij + b_j)`` over i and j is
``sum(a_ij) + n sum(b_j)``.

An infinite unknown makes such a term infinite, or NaN where data of both signs or a zero multiply it. To keep that, the
unknowns concerned enter once more with the factor 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesad.ad.program import CONSTANT, Node, Program
from bayesad.ad.rewrites.building import TINY, Operand, at, flat, gathered, product
from bayesad.ad.rewrites.groups import Groups, joint_groups
from bayesad.ad.rewrites.linear import Form, Term, linear_form, times
from bayesad.ad.simplify import Replacement

__all__ = ["term_by_term"]

FEWEST_ELEMENTS = 8
GAIN = 0.4  # a linear term leaves the sum if its unknowns are fewer than this share of its elements


def term_by_term(program: Program) -> tuple[dict[Node, Replacement], list[str]]:
    """What to put for the sums of a program, and notes on them."""
    uses = Counter(i for node in program.nodes for i in node.inputs)
    uses.update(program.outputs)
    replacements: dict[Node, Replacement] = {}
    notes = []
    for node in program.nodes:
        split = _split(node, uses)
        if split is not None:
            replacements[node] = split.build
            notes.append(f"{split}{f' ({node.line})' if node.line else ''}")
    return replacements, notes


def _split(node: Node, uses: Mapping[Node, int]) -> Split | None:
    name = node.primitive.name
    if name not in ("sum", "matmul") or node.dtype != np.float64 or node.inputs[0].size < FEWEST_ELEMENTS:
        return None
    if name == "matmul" and node.shape == () and node.inputs[0].primitive is CONSTANT:
        weights, vector = node.inputs
        linear = _linear(vector, Term(1.0, weights.value))
        return None if linear is None else Split(vector.size, [], [linear])
    if name == "matmul":
        return None
    whole, axes = node.inputs[0], node.attributes["axes"]
    left: list[tuple[float, Node]] = []
    taken: list[Part] = []
    for sign, term in _terms(whole, uses):
        part = _taken_out(sign, term, whole.shape, axes)
        if part is None:
            left.append((sign, term))
        else:
            taken.append(part)
    return Split(whole.size, left, taken, axes, whole.shape) if taken else None


def _terms(whole: Node, uses: Mapping[Node, int]) -> Iterator[tuple[float, Node]]:
    """The terms that an array is a sum of, with their signs; what is used elsewhere too stays one term."""
    stack = [(1.0, whole)]
    while stack:
        sign, node = stack.pop()
        name = node.primitive.name
        if name in ("add", "subtract", "negative") and uses[node] == 1 and node.dtype == np.float64:
            if name != "negative":
                stack.append((-sign if name == "subtract" else sign, node.inputs[1]))
            stack.append((-sign if name == "negative" else sign, node.inputs[0]))
        else:
            yield sign, node


@dataclass(frozen=True, eq=False)
class Split:
    """A sum of ``size`` elements in two: terms that stay under it, and parts taken out."""

    size: int
    left: list[tuple[float, Node]]
    taken: list[Part]
    axes: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()

    def __str__(self) -> str:
        counts = Counter(part.what for part in self.taken)
        return f"out of a sum of {self.size} elements: " + ", ".join(
            what if n == 1 else f"{n} × {what}" for what, n in counts.items()
        )

    def build(self, operand: Operand) -> Any:
        total: Any = 0.0
        if self.left:
            inner: Any = 0.0
            for sign, node in self.left:
                inner = inner + operand(node) if sign > 0.0 else inner - operand(node)
            total = np.sum(np.broadcast_to(inner, self.shape), axis=self.axes)
        for part in self.taken:
            total = total + part.build(operand)
        rest = tuple(n for i, n in enumerate(self.shape) if i not in self.axes)
        return np.broadcast_to(total, rest) if rest else total


# --- parts
class Part:
    """A term of a sum that is had for less."""

    what: str

    def build(self, operand: Operand) -> Any:
        raise NotImplementedError


def _taken_out(sign: float, term: Node, shape: tuple[int, ...], axes: tuple[int, ...]) -> Part | None:
    if term.primitive is CONSTANT:
        with np.errstate(all="ignore"):
            return Known(sign * np.sum(np.broadcast_to(term.value, shape), axis=axes))
    padded = (1,) * (len(shape) - term.ndim) + term.shape
    repeated = tuple(i for i in axes if padded[i] == 1 and shape[i] != 1)
    if repeated:
        return Repeated(sign * float(np.prod([shape[i] for i in repeated])), None, term, padded, axes)
    if len(axes) == len(shape):
        linear = _linear(term, Term(sign))
        if linear is not None:
            return linear
    return _collapsed(sign, term, shape, axes)


@dataclass(frozen=True, eq=False)
class Known(Part):
    """Data alone."""

    value: Any
    what = "data"

    def build(self, operand: Operand) -> Any:
        return self.value


@dataclass(frozen=True, eq=False)
class Repeated(Part):
    """``factor * sum(data * node)``, where the node, of shape ``padded``, has length 1 along some of the axes."""

    factor: float
    data: np.ndarray | None
    node: Node
    padded: tuple[int, ...]
    axes: tuple[int, ...]
    what = "a term that repeats"

    def build(self, operand: Operand) -> Any:
        x = np.reshape(operand(self.node), self.padded)
        if self.data is not None:
            x = self.data * x
        short = tuple(n for i, n in enumerate(x.shape) if not (i in self.axes and n == 1))
        kept = [i for i, n in enumerate(x.shape) if not (i in self.axes and n == 1)]
        own = tuple(k for k, i in enumerate(kept) if i in self.axes)
        x = np.reshape(x, short)
        return self.factor * (np.sum(x, axis=own) if own else x)


def _collapsed(sign: float, term: Node, shape: tuple[int, ...], axes: tuple[int, ...]) -> Part | None:
    """``data * x`` where x repeats along a summed axis: the data are summed along it."""
    if term.primitive.name != "multiply" or term.inputs[0].primitive is not CONSTANT:
        return None
    known, unknown = term.inputs
    padded = (1,) * (len(shape) - unknown.ndim) + unknown.shape
    repeated = tuple(i for i in axes if padded[i] == 1 and shape[i] != 1)
    if not repeated or unknown.dtype != np.float64 or unknown.size == 1:
        return None
    data = np.asarray(np.sum(np.broadcast_to(known.value, shape), axis=repeated, keepdims=True, dtype=np.float64))
    return Repeated(sign, data, unknown, padded, axes) if np.all(np.isfinite(data)) else None


@dataclass(frozen=True, eq=False)
class Statistic:
    """Sums of the data that multiply an unknown, for each group of places that use the same elements of it.

    Attributes
    ----------
    term : Term
        The unknown: its factors.
    groups : Groups
    totals : float array, shape (groups,)
    mixed : bool array, shape (groups,)
        Whether zeros or both signs are among the data of the group.
    """

    term: Term
    groups: Groups
    totals: np.ndarray
    mixed: np.ndarray

    @property
    def single(self) -> bool:
        """Whether the unknown is one element of an array."""
        factors = self.term.factors
        return len(factors) == 1 and not factors[0].inverse and not factors[0].varies


@dataclass(frozen=True, eq=False)
class Linear(Part):
    """A term that is linear in few unknowns: ``scale * (known + statistics times unknowns)``."""

    shape: tuple[int, ...]
    scale: Term
    known: float
    statistics: list[Statistic]

    @property
    def size(self) -> int:
        return sum(len(s.totals) for s in self.statistics)

    @property
    def what(self) -> str:  # type: ignore[override]
        return f"a term linear in {self.size} unknowns"

    def build(self, operand: Operand) -> Any:
        total: Any = self.known
        by_node: dict[Node, list[Statistic]] = {}
        for s in self.statistics:
            if s.single:
                by_node.setdefault(s.term.factors[0].node, []).append(s)
            else:
                total = total + _weighted(
                    s.totals, s.mixed, product(s.term.factors, operand, self.shape, s.groups.first)
                )
        for node, found in by_node.items():
            positions = np.array([int(s.term.factors[0].index) for s in found])
            totals, mixed = (np.concatenate(parts) for parts in zip(*[(s.totals, s.mixed) for s in found], strict=True))
            total = total + _weighted(totals, mixed, gathered(flat(node, operand), positions))
        return total * product(self.scale.factors, operand, self.shape, np.zeros(1, dtype=np.int64))


def _weighted(totals: np.ndarray, mixed: np.ndarray, unknowns: Any) -> Any:
    """The sum of totals times unknowns; NaN where an unknown is infinite whose data are mixed."""
    total = np.sum(totals * unknowns)
    if np.any(mixed):
        total = total + np.sum(np.where(mixed, 0.0, np.copysign(TINY, totals)) * unknowns)
    return total


def _linear(node: Node, weights: Term) -> Linear | None:
    """The sum over all places of weights times a node, if it is linear in few unknowns."""
    form = linear_form(node, int(GAIN * node.size))
    if form is None or not any(term.factors for term in form.terms):
        return None
    scale = times(form.scale, weights)
    outer = tuple(f for f in scale.factors if not f.varies)
    inner = Term(scale.multiplier, scale.array, tuple(f for f in scale.factors if f.varies))
    most, known, statistics = GAIN * node.size, 0.0, []
    partitions: dict[tuple[int, ...], Groups] = {}
    with np.errstate(all="ignore"):
        for term in form.terms:
            statistic = _statistic(times(term, inner), form, partitions)
            if statistic.term.factors:
                statistics.append(statistic)
                most -= len(statistic.totals)
            else:
                known += float(statistic.totals[0])
            if most < 0.0 or not np.all(np.isfinite(statistic.totals)):
                return None
    return Linear(form.shape, Term(factors=outer), known, statistics)


def _statistic(term: Term, form: Form, partitions: dict[tuple[int, ...], Groups]) -> Statistic:
    n = int(np.prod(form.shape, dtype=np.int64))
    everything = slice(0, n)
    varying = [f for f in term.factors if f.varies]
    key = tuple(id(f.index) for f in varying)
    if key not in partitions:
        partitions[key] = joint_groups([at(f.index, form.shape, everything) for f in varying], n)
    groups = partitions[key]
    array = np.broadcast_to(1.0 if term.array is None else term.array, form.shape)
    data = term.multiplier * at(array, form.shape, everything).astype(np.float64, copy=False)
    ordered = data if groups.order is None else data[groups.order]
    starts = groups.starts[:-1]
    lowest, highest = np.minimum.reduceat(ordered, starts), np.maximum.reduceat(ordered, starts)
    return Statistic(
        replace(term, multiplier=1.0, array=None),
        groups,
        np.add.reduceat(ordered, starts),
        (lowest <= 0.0) & (highest >= 0.0),
    )
