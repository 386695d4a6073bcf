"""Sums of squares of residuals that are linear in unknowns become short ones, through QR factors of the data.

A normal law's log density with mean X b + a[g] (weights known, standard deviation unknown) holds the sum over rows of
square((y - X b - a[g]) / s). The rows of data [1 X y] that meet the same element of a (a group) are replaced by the
upper trapezoid of their QR factor; below its first row nothing depends on a, so these rows are factored again, all
groups together. Without a[g] there is one group, and what is left is the triangle of [X y] (Gentleman 1974 did the
like for least squares; `factors.py` has the error bound).

An unknown that is infinite makes the sum infinite, or NaN where its column of the data has a zero. To keep that, zeros
of the factors become `TINY`, but for columns with zeros in the data; those of groups get a further term (`_watch`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bayesad.ad.array import bind
from bayesad.ad.primitives.elementwise import stop_gradient
from bayesad.ad.program import Node, Program
from bayesad.ad.rewrites.building import (
    TINY,
    Operand,
    Rows,
    applied,
    at,
    element,
    flat,
    gathered,
    sum_of_products,
)
from bayesad.ad.rewrites.factors import Factors, factor, probed
from bayesad.ad.rewrites.groups import Groups, joint_groups
from bayesad.ad.rewrites.linear import ONE, Factor, Form, Term, linear_form, over, single, times
from bayesad.ad.simplify import Replacement

__all__ = ["linear_gaussian"]

FEWEST_ROWS = 8
MOST_HEADS = 24
GAIN = 0.6  # of the multiplications, fewer than this share must be left


def linear_gaussian(program: Program) -> tuple[dict[Node, Replacement], list[str]]:
    """What to put for the sums of squares of a program, and notes on them."""
    replacements: dict[Node, Replacement] = {}
    notes = []
    for node in program.nodes:
        residuals = _residuals(node)
        short = None if residuals is None else _shortened(residuals)
        if short is not None:
            replacements[node] = short.build
            notes.append(f"{short} ({node.line})" if node.line else str(short))
    return replacements, notes


# --- finding them
@dataclass(frozen=True, eq=False)
class Residuals:
    """A sum of ``outside * square(inside * sum of columns)`` over all places.

    Attributes
    ----------
    shape : tuple of int
    columns : list of Column
        Those that unknowns multiply.
    constants : list of Term
        Those without unknowns.
    weight : float array or None
        A known weight of each place, multiplied into the columns.
    inside, outside : tuple of Factor
        Unknown scales.
    multiplier : float
    """

    shape: tuple[int, ...]
    columns: list[Column]
    constants: list[Term]
    weight: np.ndarray | None
    inside: tuple[Factor, ...]
    outside: tuple[Factor, ...]
    multiplier: float

    @property
    def n(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def width(self) -> int:
        return len(self.columns) + 1

    def fill(self, rows: Rows) -> np.ndarray:
        """The data at some places, shape (rows, width): the columns, and last the constant part."""
        length = rows.stop - rows.start if isinstance(rows, slice) else len(rows)
        out = np.zeros((length, self.width))
        for k, column in enumerate(self.columns):
            out[:, k] = 1.0 if column.array is None else at(column.array, self.shape, rows)
        for term in self.constants:
            out[:, -1] += term.multiplier * (1.0 if term.array is None else at(term.array, self.shape, rows))
        if self.weight is not None:
            out *= at(self.weight, self.shape, rows)[:, None]
        return out


@dataclass(frozen=True, eq=False)
class Column:
    """Known numbers (None: ones) and the unknown that multiplies them: a sum of terms without arrays."""

    array: np.ndarray | None
    terms: list[Term] = field(default_factory=list)

    @property
    def varies(self) -> bool:
        return any(f.varies for term in self.terms for f in term.factors)


def _residuals(node: Node) -> Residuals | None:
    if node.shape or node.dtype != np.float64:
        return None
    weight: Term | None = ONE
    if node.primitive.name == "sum":
        inner, weight = _square_in(node.inputs[0])
    elif node.primitive.name == "matmul" and node.inputs[0] is node.inputs[1]:
        inner = node.inputs[0]
    else:
        return None
    if inner is None or weight is None or inner.size < FEWEST_ROWS:
        return None
    form = linear_form(inner, inner.size // 2)
    root = None if weight.array is None else np.sqrt(np.abs(weight.array))
    if form is None or (weight.array is not None and np.any(weight.array < 0.0)):
        return None
    return _collected(form, root, weight)


def _square_in(node: Node) -> tuple[Node | None, Term | None]:
    """e and w of a product w * square(e) of one shape, w a term; else (None, None)."""
    name, inputs = node.primitive.name, node.inputs
    if name == "square":
        return inputs[0], ONE
    if name == "negative":
        inner, weight = _square_in(inputs[0])
        return inner, weight and times(weight, Term(-1.0))
    if name in ("multiply", "divide"):
        for whole, other in (inputs, inputs[::-1])[: 2 if name == "multiply" else 1]:
            inner, weight = _square_in(whole) if whole.shape == node.shape else (None, None)
            form = None if inner is None else linear_form(other, inner.size // 2)
            known = None if form is None else single(form)
            if weight is not None and known is not None:
                return inner, times(weight, known) if name == "multiply" else over(weight, known)
    return None, None


def _collected(form: Form, root: np.ndarray | None, outer: Term) -> Residuals:
    columns: dict[int, Column] = {}
    constants = []
    for term in form.terms:
        if not term.factors:
            constants.append(term)
            continue
        key = 0 if term.array is None else id(term.array)
        columns.setdefault(key, Column(term.array)).terms.append(Term(term.multiplier, None, term.factors))
    scale = times(form.scale, Term(1.0, root))
    in_order = sorted(columns.values(), key=lambda column: not column.varies)  # those of groups first
    return Residuals(
        form.shape,
        in_order,
        constants,
        scale.array,
        scale.factors,
        outer.factors,
        outer.multiplier * scale.multiplier**2,
    )


# --- shortening them
def _shortened(residuals: Residuals) -> Short | None:
    """The factors, where they pay and are accurate."""
    factors_within = [f for column in residuals.columns for term in column.terms for f in term.factors]
    scales = [*residuals.inside, *residuals.outside]
    everything = slice(0, residuals.n)
    keys = [at(f.index, residuals.shape, everything) for f in [*factors_within, *scales] if f.varies]
    n, width = residuals.n, residuals.width
    by_group = any(f.varies for f in scales)
    heads = width if by_group else sum(column.varies for column in residuals.columns)
    if heads > MOST_HEADS:
        return None
    groups = joint_groups(keys, n)
    work = groups.count * heads * (width - 0.5 * heads + 1.5) + (width - heads) * (width - heads + 1.0)
    if work > GAIN * n * (width + 1.0):
        return None
    with np.errstate(all="ignore"):
        factors = factor(residuals.fill, groups, heads, width)
        return Short(residuals, groups, factors) if probed(residuals.fill, groups, factors, n) else None


@dataclass(frozen=True, eq=False)
class Short:
    """A shortened sum of squares."""

    residuals: Residuals
    groups: Groups
    factors: Factors

    def __str__(self) -> str:
        heads = self.factors.heads
        rows = heads.shape[0] * heads.shape[1] + len(self.factors.tail)
        grouped = f" in {self.groups.count} groups" if self.groups.count > 1 else ""
        return f"the squares of {self.residuals.n} linear residuals{grouped} became those of {rows} rows of QR factors"

    def build(self, operand: Operand) -> Any:
        """The sum of squares, recorded in the trace of the operands."""
        residuals, factors = self.residuals, self.factors
        heads = factors.heads.shape[1]
        own = [self._unknown(column.terms, operand) for column in residuals.columns[:heads]]
        shared = self._blocks(range(heads, residuals.width - 1), operand)
        total: Any = 0.0
        for i in range(heads):
            coefficients = _without_zeros(factors.heads[:, i])
            row = coefficients[:, -1]
            for j in range(i, min(heads, residuals.width - 1)):
                row = row + coefficients[:, j] * own[j]
            total = total + self._squares(_plus(row, coefficients, shared), operand)
        if heads < residuals.width:
            coefficients = _without_zeros(_square(factors.tail, heads), np.any(factors.zeros, axis=0))
            total = total + self._squares(_plus(coefficients[:, -1], coefficients, shared), operand)
        return residuals.multiplier * (total + _watch(factors.zeros, own))

    def _squares(self, rows: Any, operand: Operand) -> Any:
        shape, first = self.residuals.shape, self.groups.first
        for f in self.residuals.inside:
            rows = applied(rows, f, element(f, operand, shape, first))
        squares = np.square(rows)
        for f in self.residuals.outside:
            squares = applied(squares, f, element(f, operand, shape, first))
        return np.sum(squares)

    def _unknown(self, terms: Sequence[Term], operand: Operand) -> Any:
        """The unknown of a column: one number, or one for each group."""
        return sum_of_products(terms, operand, self.residuals.shape, self.groups.first)

    def _blocks(self, columns: Sequence[int], operand: Operand) -> list[Block]:
        """The unknowns of columns that are the same in all groups: those from one array together."""
        by_node: dict[Node, list[tuple[int, float, int]]] = {}
        blocks = []
        for j in columns:
            terms = self.residuals.columns[j].terms
            if len(terms) == 1 and len(terms[0].factors) == 1 and not terms[0].factors[0].inverse:
                (f,) = terms[0].factors
                by_node.setdefault(f.node, []).append((j, terms[0].multiplier, int(f.index)))
            else:
                blocks.append(Block([j], np.ones(1), np.reshape(self._unknown(terms, operand), (1,))))
        for node, found in by_node.items():
            numbers, multipliers, positions = (np.array(part) for part in zip(*found, strict=True))
            blocks.append(Block(numbers.tolist(), multipliers, gathered(flat(node, operand), positions)))
        return blocks


@dataclass(frozen=True, eq=False)
class Block:
    """Some columns with known multipliers, and the vector of their unknowns."""

    columns: list[int]
    multipliers: np.ndarray
    unknowns: Any


def _square(tail: np.ndarray, heads: int) -> np.ndarray:
    """The tail with as many rows as columns that are not of groups: the last row is 0 but for the constant part."""
    return np.pad(tail, ((0, tail.shape[1] - heads - len(tail)), (0, 0)))


def _without_zeros(coefficients: np.ndarray, zeros: np.ndarray | bool = False) -> np.ndarray:
    """Zeros replaced by `TINY`, but for the columns that have zeros among the data too."""
    kept = np.broadcast_to(zeros, coefficients.shape).copy()
    kept[:, -1] = False
    return np.where((coefficients == 0.0) & ~kept, TINY, coefficients)


def _plus(rows: Any, coefficients: np.ndarray, blocks: Sequence[Block]) -> Any:
    for block in blocks:
        matrix = coefficients[:, block.columns] * block.multipliers
        rows = rows + (matrix[:, 0] * block.unknowns if len(block.columns) == 1 else matrix @ block.unknowns)
    return rows


def _watch(zeros: np.ndarray, own: Sequence[Any]) -> Any:
    """0, but NaN where an unknown of a group is not finite that a zero of the data multiplies."""
    total: Any = 0.0
    for j, unknown in enumerate(own):
        if np.any(zeros[:, j]):
            total = total + np.sum(np.square(np.where(zeros[:, j], 0.0, TINY) * unknown))
    return bind(stop_gradient, (total,))
