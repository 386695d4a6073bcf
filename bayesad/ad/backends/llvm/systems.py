"""General square matrices as machine code: systems, inverses, determinants, from one factorisation for all of them.

LAPACK takes columns where programs have rows, so it factorises the transpose: ``a.T = P L U``, or ``a = U.T L.T P.T``.
In our memory ``U.T`` is a lower triangle and ``L.T`` an upper one with a unit diagonal. Our own kernel leaves the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bayesad.ad.backends.llvm import written_out
from bayesad.ad.backends.llvm.callbacks import callback
from bayesad.ad.backends.llvm.factorisations import SMALL, failure, status, triangular
from bayesad.ad.backends.llvm.libraries import call
from bayesad.ad.backends.llvm.memory import (
    constant,
    each_matrix,
    fill_with_nan,
    in_memory,
    kernel,
    matrix_source,
    scratch,
)
from bayesad.ad.backends.llvm.scalars import FLAGS, SCALARS
from bayesad.ad.backends.llvm.vector_math import hexadecimal
from bayesad.ad.program import Node

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = ["cofactors", "det", "inv", "slogdet", "solve"]

ZERO, ONE = hexadecimal(0.0), hexadecimal(1.0)
REGULAR = 1e-6  # a matrix with pivots whose sizes differ by more may be singular
TRIANGLE, UNIT_TRIANGLE = (True, False), (False, True)  # lower, unit diagonal: of the two in the memory of the factors


class _Factors(NamedTuple):
    """Where the triangles of a stack of matrices lie, and for every row the one it was exchanged with (i32, from 1)."""

    triangles: str
    exchanges: str
    shapes: list[tuple[int, ...]]
    transposed: bool  # whether the matrices factorised are the transposes of those meant


def _factorised(lowering: Lowering, a: Node) -> _Factors:
    """The factors of a stack of matrices: those made before for it, or for its transpose, serve again."""
    source, transposed = matrix_source(lowering, a)
    batch, n = a.shape[:-2], a.shape[-1]
    shapes = [a.shape, (*batch, n, 1)]
    if source not in lowering.factors:
        size = math.prod(batch) * n
        lowering.factors[source] = (scratch(lowering, size * n), scratch(lowering, size))
        work = scratch(lowering, n * (n + 3)) if n <= SMALL else ""
        places = [in_memory(lowering, source), *lowering.factors[source]]
        each_matrix(lowering, places, [a.shape, *shapes], lambda a, *p: _factorise(lowering, n, a, p, work))
    return _Factors(*lowering.factors[source], shapes, transposed)


def _factorise(lowering: Lowering, n: int, a: str, result: Sequence[str], work: str) -> None:
    out, exchanges = result
    if work:
        kernel(lowering, f"lu {n}", a, out, exchanges, work)
    else:
        lowering.loop(n * n, lambda i: lowering.store(out, "f", i, lowering.load(a, "f", i)))
        call(lowering, "dgetrf", n, n, out, n, exchanges, status(lowering))


def solve(lowering: Lowering, node: Node) -> bool:
    a, b = node.inputs
    if node.size and not written_out.solve(lowering, node):
        _solve(lowering, node, _factorised(lowering, a), in_memory(lowering, b), b.shape)
    return True


def _solve(lowering: Lowering, node: Node, factors: _Factors, b: str, shape: tuple[int, ...]) -> None:
    n, m = node.shape[-2:]
    half = scratch(lowering, n * m)

    def one(triangles: str, exchanges: str, b: str, out: str) -> None:
        def step(flags: tuple[bool, bool], b: str, out: str) -> None:
            triangular(lowering, (n, m), triangles, b, out, (flags[0], factors.transposed, flags[1]))

        if factors.transposed:
            lowering.loop(n * m, lambda i: lowering.store(out, "f", i, lowering.load(b, "f", i)))
            _exchange_rows(lowering, exchanges, out, (n, m), down=False)
            step(UNIT_TRIANGLE, out, half)
            step(TRIANGLE, half, out)
        else:
            step(TRIANGLE, b, half)
            step(UNIT_TRIANGLE, half, out)
            _exchange_rows(lowering, exchanges, out, (n, m), down=True)

    places = [factors.triangles, factors.exchanges, b, lowering.pointer(node)]
    each_matrix(lowering, places, [*factors.shapes, shape, node.shape], one)


def _exchange_rows(lowering: Lowering, exchanges: str, x: str, shape: tuple[int, int], *, down: bool) -> None:
    """Apply the exchanges, or from the last to the first undo them."""
    n, m = shape

    def exchange(turn: str) -> None:
        i = lowering.op(f"sub i64 {n - 1}, {turn}") if down else turn
        other = _other_row(lowering, exchanges, i)

        def swap(j: str) -> None:
            places = [lowering.plus(lowering.times(row, m), j) for row in (i, other)]
            x0, x1 = (lowering.load(x, "f", place) for place in places)
            lowering.store(x, "f", places[0], x1)
            lowering.store(x, "f", places[1], x0)

        lowering.loop(m, swap)

    lowering.loop(n, exchange)


def _other_row(lowering: Lowering, exchanges: str, i: str) -> str:
    """The row that row i was exchanged with, from 0."""
    place = lowering.op(f"getelementptr i32, ptr {exchanges}, i64 {i}")
    from_1 = lowering.op(f"sext i32 {lowering.op(f'load i32, ptr {place}')} to i64")
    return lowering.op(f"add i64 {from_1}, -1")


def inv(lowering: Lowering, node: Node) -> bool:
    n = node.shape[-1]
    if not node.size or written_out.inv(lowering, node):
        return True
    factors = _factorised(lowering, node.inputs[0])
    if n <= SMALL or factors.transposed:
        _solve(lowering, node, factors, in_memory(lowering, constant(np.eye(n))), (n, n))
        return True
    work = scratch(lowering, n * 64)

    def one(triangles: str, exchanges: str, out: str) -> None:
        lowering.loop(n * n, lambda i: lowering.store(out, "f", i, lowering.load(triangles, "f", i)))
        call(lowering, "dgetri", n, out, n, exchanges, work, n * 64, status(lowering))
        fill_with_nan(lowering, failure(lowering), out, n * n)

    places = [factors.triangles, factors.exchanges, lowering.pointer(node)]
    each_matrix(lowering, places, [*factors.shapes, node.shape], one)
    return True


# --- determinants
def _determinants(lowering: Lowering, a: Node, factors: _Factors, out: str) -> None:
    """The determinants of a stack, one after the other."""

    def one(triangles: str, exchanges: str, out: str) -> None:
        lowering.store(out, "f", "0", (ONE, "f"))

        def pivot(i: str) -> None:
            element = lowering.load(triangles, "f", lowering.times(i, a.shape[-1] + 1))[0]
            _multiply(lowering, out, _signed(lowering, exchanges, i, element))

        lowering.loop(a.shape[-1], pivot)

    _each_factor(lowering, a, factors, out, 1, one)


def _signs_and_logarithms(lowering: Lowering, a: Node, factors: _Factors, out: str) -> None:
    def one(triangles: str, exchanges: str, out: str) -> None:
        lowering.store(out, "f", "0", (ONE, "f"))
        lowering.store(out, "f", "1", (ZERO, "f"))

        def pivot(i: str) -> None:
            element = lowering.load(triangles, "f", lowering.times(i, a.shape[-1] + 1))
            _multiply(lowering, out, _signed(lowering, exchanges, i, SCALARS["sign"](lowering, element)[0]))
            size = SCALARS["log"](lowering, SCALARS["abs"](lowering, element))[0]
            total = lowering.op(f"fadd {FLAGS}double {lowering.load(out, 'f', '1')[0]}, {size}")
            lowering.store(out, "f", "1", (total, "f"))

        lowering.loop(a.shape[-1], pivot)

    _each_factor(lowering, a, factors, out, 2, one)


def _each_factor(
    lowering: Lowering, a: Node, factors: _Factors, out: str, width: int, body: Callable[..., None]
) -> None:
    """``body(triangles, exchanges, result)`` for every matrix of a stack, with results of so many numbers."""
    places = [factors.triangles, factors.exchanges, out]
    each_matrix(lowering, places, [*factors.shapes, (*a.shape[:-2], width, 1)], body)


def _multiply(lowering: Lowering, place: str, factor: str) -> None:
    product = lowering.op(f"fmul double {lowering.load(place, 'f', '0')[0]}, {factor}")
    lowering.store(place, "f", "0", (product, "f"))


def _signed(lowering: Lowering, exchanges: str, i: str, x: str) -> str:
    """x, or -x where row i was exchanged."""
    stayed = lowering.op(f"icmp eq i64 {_other_row(lowering, exchanges, i)}, {i}")
    return lowering.op(f"select i1 {stayed}, double {x}, double {lowering.op(f'fneg double {x}')}")


def det(lowering: Lowering, node: Node) -> bool:
    if node.size and not written_out.det(lowering, node):
        (a,) = node.inputs
        _determinants(lowering, a, _factorised(lowering, a), lowering.pointer(node))
    return True


def slogdet(lowering: Lowering, node: Node) -> bool:
    if node.size and not written_out.slogdet(lowering, node):
        (a,) = node.inputs
        _signs_and_logarithms(lowering, a, _factorised(lowering, a), lowering.pointer(node))
    return True


def cofactors(lowering: Lowering, node: Node) -> bool:
    """``det(a) inv(a).T``; where a matrix is singular or nearly so, all are left to NumPy."""
    if not node.size or written_out.cofactors(lowering, node):
        return True
    (a,) = node.inputs
    n, factors = a.shape[-1], _factorised(lowering, a)
    in_memory(lowering, a)
    regular, singular, done = (lowering.fresh(name) for name in ("regular", "singular", "done"))
    lowering.say(f"br i1 {_nearly_singular(lowering, a, factors)}, label %{singular}, label %{regular}")
    lowering.label(singular)
    callback(lowering, node)
    lowering.say(f"br label %{done}")
    lowering.label(regular)
    inverse_of_transpose = factors._replace(transposed=not factors.transposed)
    _solve(lowering, node, inverse_of_transpose, in_memory(lowering, constant(np.eye(n))), (n, n))
    determinants = scratch(lowering, math.prod(a.shape[:-2]))
    _determinants(lowering, a, factors, determinants)

    def scale(i: str) -> None:
        determinant = lowering.load(determinants, "f", lowering.op(f"udiv i64 {i}, {n * n}"))[0]
        product = lowering.op(f"fmul double {lowering.load(lowering.pointer(node), 'f', i)[0]}, {determinant}")
        lowering.store(lowering.pointer(node), "f", i, (product, "f"))

    lowering.loop(node.size, scale)
    lowering.say(f"br label %{done}")
    lowering.label(done)
    return True


def _nearly_singular(lowering: Lowering, a: Node, factors: _Factors) -> str:
    """Whether for any matrix of a stack the pivots' sizes differ widely, or one is NaN."""
    found, least, most = (f"%{lowering.fresh('pivots')}" for _ in range(3))
    lowering.entry.extend(f"  {place} = alloca double" for place in (found, least, most))
    lowering.store(found, "f", "0", (ZERO, "f"))

    def one(triangles: str, _: str) -> None:
        lowering.store(least, "f", "0", (hexadecimal(math.inf), "f"))
        lowering.store(most, "f", "0", (ZERO, "f"))

        def look(i: str) -> None:
            element = lowering.load(triangles, "f", lowering.times(i, a.shape[-1] + 1))
            size = SCALARS["abs"](lowering, element)
            for name, place in (("minimum", least), ("maximum", most)):
                lowering.store(place, "f", "0", SCALARS[name](lowering, lowering.load(place, "f", "0"), size))

        lowering.loop(a.shape[-1], look)
        limit = lowering.op(f"fmul double {lowering.load(most, 'f', '0')[0]}, {hexadecimal(REGULAR)}")
        wide = lowering.op(f"fcmp ule double {lowering.load(least, 'f', '0')[0]}, {limit}")
        before = lowering.load(found, "f", "0")[0]
        lowering.store(found, "f", "0", (lowering.op(f"select i1 {wide}, double {ONE}, double {before}"), "f"))

    each_matrix(lowering, [factors.triangles, factors.exchanges], factors.shapes, one)
    return lowering.op(f"fcmp one double {lowering.load(found, 'f', '0')[0]}, {ZERO}")
