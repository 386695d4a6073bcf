"""Factorisations and systems of very small matrices, written out in scalars that stay in registers.

Stacks of them are loops over their leading axes. Elements are read where they are, through views too.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from bayesad.ad.backends.llvm.scalars import FLAGS, SCALARS, as_kind
from bayesad.ad.backends.llvm.vector_math import hexadecimal
from bayesad.ad.backends.llvm.writer import Position
from bayesad.ad.program import Node

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = ["FEW", "cholesky", "cholesky_pullback", "cofactors", "det", "inv", "slogdet", "solve", "solve_triangular"]

FEW = 4  # rows up to which triangular factors are written out
FEW_TO_PIVOT = 3  # the same where rows are exchanged
ZERO, HALF, ONE, INFINITY, NAN = map(hexadecimal, (0.0, 0.5, 1.0, math.inf, math.nan))
Rows = list[list[str]]
Entry = Callable[["Lowering", Node], bool]


class _Scalars:
    """Arithmetic on doubles by name."""

    def __init__(self, lowering: Lowering) -> None:
        self.lowering = lowering

    def _binary(self, word: str, a: str, b: str) -> str:
        return self.lowering.op(f"{word} {FLAGS}double {a}, {b}")

    def add(self, a: str, b: str) -> str:
        return self._binary("fadd", a, b)

    def minus(self, a: str, b: str) -> str:
        return self._binary("fsub", a, b)

    def times(self, a: str, b: str) -> str:
        return self._binary("fmul", a, b)

    def over(self, a: str, b: str) -> str:
        return self._binary("fdiv", a, b)

    def test(self, name: str, a: str, b: str) -> str:
        return self.lowering.op(f"fcmp {name} double {a}, {b}")

    def both(self, a: str, b: str) -> str:
        return self.lowering.op(f"and i1 {a}, {b}")

    def choose(self, condition: str, a: str, b: str) -> str:
        return self.lowering.op(f"select i1 {condition}, double {a}, double {b}")

    def function(self, name: str, x: str) -> str:
        """A primitive of one argument."""
        return SCALARS[name](self.lowering, (x, "f"))[0]

    def element(self, node: Node, batch: Position, *at: int | str) -> str:
        """An element of a matrix of a stack, whose leading axes broadcast to those of the position."""
        lead = node.shape[: node.ndim - len(at)]
        own = batch[len(batch) - len(lead) :]
        there = ["0" if n == 1 else i for i, n in zip(own, lead, strict=True)]
        return as_kind(self.lowering, self.lowering.value(node, [*there, *map(str, at)]), "f")

    def matrix(self, node: Node, batch: Position) -> Rows:
        n = node.shape[-1]
        return [[self.element(node, batch, i, j) for j in range(n)] for i in range(n)]

    def store(self, node: Node, batch: Position, value: str, *at: int | str) -> None:
        offset = self.lowering.linear([*batch, *map(str, at)], node.shape)
        self.lowering.store(self.lowering.pointer(node), "f", offset, (value, "f"))


def _up_to(most: int, axes: int = 2) -> Callable[[Callable[[_Scalars, Node, Position], None]], Entry]:
    """Make an entry of what writes the result for one matrix of a stack, which takes the last axes of the result.

    The entry refuses matrices of more rows.
    """

    def entry(one: Callable[[_Scalars, Node, Position], None]) -> Entry:
        def write(lowering: Lowering, node: Node) -> bool:
            if node.inputs[0].shape[-1] > most:
                return False
            if node.size:
                scalars = _Scalars(lowering)
                lowering.nest(node.shape[: node.ndim - axes], lambda batch: one(scalars, node, batch))
            return True

        write.__name__, write.__doc__ = one.__name__, one.__doc__
        return write

    return entry


# --- Cholesky
@_up_to(FEW)
def cholesky(f: _Scalars, node: Node, batch: Position) -> None:
    n = node.shape[-1]
    factor: Rows = [[ZERO] * n for _ in range(n)]
    sound = "true"
    for i, j in _below(n, diagonal=True):
        left = f.element(node.inputs[0], batch, i, j)
        for k in range(j):
            left = f.minus(left, f.times(factor[i][k], factor[j][k]))
        if i == j:
            sound = f.both(sound, f.both(f.test("ogt", left, ZERO), f.test("olt", left, INFINITY)))
            factor[i][i] = f.function("sqrt", left)
        else:
            factor[i][j] = f.over(left, factor[j][j])
    for i, j in itertools.product(range(n), repeat=2):
        f.store(node, batch, f.choose(sound, factor[i][j], NAN), i, j)


def _below(n: int, *, diagonal: bool) -> list[tuple[int, int]]:
    """The places of a lower triangle, row by row."""
    return [(i, j) for i in range(n) for j in range(i + diagonal)]


@_up_to(FEW)
def cholesky_pullback(f: _Scalars, node: Node, batch: Position) -> None:
    """Murray 2016, section 3.1."""
    n = node.shape[-1]
    factor, g = (
        {(i, j): f.element(source, batch, i, j) for i, j in _below(n, diagonal=True)} for source in node.inputs
    )
    for k in reversed(range(n)):
        inverse = f.over(ONE, factor[k, k])
        for i in range(k + 1, n):
            g[i, k] = f.times(g[i, k], inverse)
            g[k, k] = f.minus(g[k, k], f.times(factor[i, k], g[i, k]))
        g[k, k] = f.times(g[k, k], inverse)
        for j in range(k):
            for i in range(k, n):
                g[k, j] = f.minus(g[k, j], f.times(g[i, k], factor[i, j]))
            for i in range(k + 1, n):
                g[i, j] = f.minus(g[i, j], f.times(g[i, k], factor[k, j]))
    for i, j in itertools.product(range(n), repeat=2):
        f.store(node, batch, f.times(HALF, g[max(i, j), min(i, j)]), i, j)


# --- triangular systems
@_up_to(FEW)
def solve_triangular(f: _Scalars, node: Node, batch: Position) -> None:
    a, b = node.inputs
    n = node.shape[-2]
    lower, trans, unit = (node.attributes[flag] for flag in ("lower", "trans", "unit"))
    order = range(n) if lower != trans else range(n - 1, -1, -1)

    def entry(i: int, k: int) -> str:
        return f.element(a, batch, *((k, i) if trans else (i, k)))

    matrix = {(i, k): entry(i, k) for step, i in enumerate(order) for k in order[: step + (not unit)]}
    singular = "false"
    for i in () if unit else order:
        singular = f.lowering.op(f"or i1 {singular}, {f.test('oeq', matrix[i, i], ZERO)}")

    def column(place: Position) -> None:
        x: dict[int, str] = {}
        for step, i in enumerate(order):
            left = f.element(b, batch, i, *place)
            for k in order[:step]:
                left = f.minus(left, f.times(matrix[i, k], x[k]))
            x[i] = left if unit else f.over(left, matrix[i, i])
        for i, value in x.items():
            f.store(node, batch, f.choose(singular, NAN, value), i, *place)

    f.lowering.nest([node.shape[-1]], column)


# --- general matrices, by elimination with row exchanges
class _Eliminated(NamedTuple):
    """What elimination did to a matrix, step by step, and what it left: an upper triangle."""

    exchanges: list[tuple[int, int, str]]  # rows k and i, and whether they were exchanged
    multipliers: list[list[tuple[int, str]]]  # for each column: row, and the multiple of the pivot's row taken off
    upper: Rows


def _eliminate(f: _Scalars, rows: Rows) -> _Eliminated:
    n = len(rows)
    rows = [list(row) for row in rows]
    exchanges, multipliers = [], []
    for k in range(n):
        for i in range(k + 1, n):
            larger = f.test("ogt", f.function("abs", rows[i][k]), f.function("abs", rows[k][k]))
            exchanges.append((k, i, larger))
            rows[k], rows[i] = _exchanged(f, larger, rows[k], rows[i])
        multipliers.append([(i, f.over(rows[i][k], rows[k][k])) for i in range(k + 1, n)])
        for i, factor in multipliers[k]:
            rows[i] = [f.minus(x, f.times(factor, y)) for x, y in zip(rows[i], rows[k], strict=True)]
    return _Eliminated(exchanges, multipliers, rows)


def _exchanged(f: _Scalars, condition: str, a: Sequence[str], b: Sequence[str]) -> tuple[list[str], list[str]]:
    pairs = [(f.choose(condition, y, x), f.choose(condition, x, y)) for x, y in zip(a, b, strict=True)]
    return [x for x, _ in pairs], [y for _, y in pairs]


def _solve(f: _Scalars, done: _Eliminated, b: list[str]) -> list[str]:
    """The solution for one column."""
    n, b = len(b), list(b)
    for k in range(n):
        for _, i, condition in (e for e in done.exchanges if e[0] == k):
            (b[k],), (b[i],) = _exchanged(f, condition, [b[k]], [b[i]])
        for i, factor in done.multipliers[k]:
            b[i] = f.minus(b[i], f.times(factor, b[k]))
    for i in reversed(range(n)):
        for k in range(i + 1, n):
            b[i] = f.minus(b[i], f.times(done.upper[i][k], b[k]))
        b[i] = f.over(b[i], done.upper[i][i])
    return b


def _singular(f: _Scalars, done: _Eliminated) -> str:
    result = "false"
    for k, row in enumerate(done.upper):
        result = f.lowering.op(f"or i1 {result}, {f.test('oeq', row[k], ZERO)}")
    return result


@_up_to(FEW_TO_PIVOT)
def solve(f: _Scalars, node: Node, batch: Position) -> None:
    a, b = node.inputs
    n = node.shape[-2]
    done = _eliminate(f, f.matrix(a, batch))
    singular = _singular(f, done)

    def column(place: Position) -> None:
        x = _solve(f, done, [f.element(b, batch, i, *place) for i in range(n)])
        for i, value in enumerate(x):
            f.store(node, batch, f.choose(singular, NAN, value), i, *place)

    f.lowering.nest([node.shape[-1]], column)


@_up_to(FEW_TO_PIVOT)
def inv(f: _Scalars, node: Node, batch: Position) -> None:
    n = node.shape[-1]
    done = _eliminate(f, f.matrix(node.inputs[0], batch))
    singular = _singular(f, done)
    for j in range(n):
        for i, value in enumerate(_solve(f, done, [ONE if i == j else ZERO for i in range(n)])):
            f.store(node, batch, f.choose(singular, NAN, value), i, j)


def _sign(f: _Scalars, done: _Eliminated) -> str:
    """-1.0 for an odd number of exchanges, else 1.0."""
    odd = "false"
    for _, _, condition in done.exchanges:
        odd = f.lowering.op(f"xor i1 {odd}, {condition}")
    return f.choose(odd, hexadecimal(-1.0), ONE)


@_up_to(FEW_TO_PIVOT, axes=0)
def det(f: _Scalars, node: Node, batch: Position) -> None:
    (a,) = node.inputs
    done = _eliminate(f, f.matrix(a, batch))
    product = _sign(f, done)
    zero = _singular(f, done)
    for k, row in enumerate(done.upper):
        product = f.times(product, row[k])
    f.store(node, batch, f.choose(zero, ZERO, product))


@_up_to(FEW_TO_PIVOT, axes=1)
def slogdet(f: _Scalars, node: Node, batch: Position) -> None:
    (a,) = node.inputs
    done = _eliminate(f, f.matrix(a, batch))
    zero = _singular(f, done)
    sign, logarithm = _sign(f, done), ZERO
    for k, row in enumerate(done.upper):
        sign = f.times(sign, f.function("sign", row[k]))
        logarithm = f.add(logarithm, f.function("log", f.function("abs", row[k])))
    f.store(node, batch, f.choose(zero, ZERO, sign), 0)
    f.store(node, batch, f.choose(zero, hexadecimal(-math.inf), logarithm), 1)


@_up_to(FEW_TO_PIVOT)
def cofactors(f: _Scalars, node: Node, batch: Position) -> None:
    """Determinants of what is left without a row and a column: exact for singular matrices too."""
    n = node.shape[-1]
    a = f.matrix(node.inputs[0], batch)
    for i, j in itertools.product(range(n), repeat=2):
        rest = [[x for k, x in enumerate(row) if k != j] for r, row in enumerate(a) if r != i]
        value = ONE if n == 1 else rest[0][0]
        if n == 3:
            value = f.minus(f.times(rest[0][0], rest[1][1]), f.times(rest[0][1], rest[1][0]))
        f.store(node, batch, value if (i + j) % 2 == 0 else f.minus(ZERO, value), i, j)
