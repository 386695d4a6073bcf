"""Eigenvalues, singular values and QR as machine code: LAPACK's routines on copies laid out column by column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesad.ad.backends.llvm.factorisations import failure, status
from bayesad.ad.backends.llvm.libraries import call
from bayesad.ad.backends.llvm.memory import displaced, each_result, fill_with_nan, scratch
from bayesad.ad.backends.llvm.scalars import Operand
from bayesad.ad.backends.llvm.vector_math import hexadecimal
from bayesad.ad.program import Node

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = ["eigh", "qr", "svd"]

BLOCK = 64  # columns that LAPACK works on at once, for the size of its workspace


def _transpose(lowering: Lowering, source: str, shape: tuple[int, int], target: str) -> None:
    """The transpose of a row-major matrix of a shape: the matrix itself, column by column, and back."""
    rows, columns = shape

    def element(i: str, j: str) -> None:
        value = lowering.load(source, "f", lowering.plus(lowering.times(i, columns), j))
        lowering.store(target, "f", lowering.plus(lowering.times(j, rows), i), value)

    if rows and columns:
        lowering.loop(rows, lambda i: lowering.loop(columns, lambda j: element(i, j)))


def eigh(lowering: Lowering, node: Node) -> bool:
    n = node.shape[-1]
    if not node.size:
        return True
    length = 1 + 6 * n + 2 * n * n
    vectors, work, numbers = (scratch(lowering, size) for size in (n * n, length, 3 + 5 * n))

    def one(a: str, out: str) -> None:
        _transpose(lowering, a, (n, n), vectors)
        places = [vectors, n, out, work, length, numbers, 3 + 5 * n, status(lowering)]
        call(lowering, "dsyevd", "V", "L", n, *places)
        _transpose(lowering, vectors, (n, n), displaced(lowering, out, n))
        fill_with_nan(lowering, failure(lowering), out, (n + 1) * n)

    each_result(lowering, node, one)
    return True


def qr(lowering: Lowering, node: Node) -> bool:
    m, n = node.inputs[0].shape[-2:]
    if not node.size:
        return True
    columns, tau, work = (scratch(lowering, size) for size in (m * n, n, n * BLOCK))

    def one(a: str, out: str) -> None:
        _transpose(lowering, a, (m, n), columns)
        call(lowering, "dgeqrf", m, n, columns, m, tau, work, n * BLOCK, status(lowering))

        def triangle(i: str, j: str) -> None:
            element = lowering.load(columns, "f", lowering.plus(lowering.times(j, m), i))[0]
            above = lowering.op(f"icmp ule i64 {i}, {j}")
            value: Operand = (lowering.op(f"select i1 {above}, double {element}, double {hexadecimal(0.0)}"), "f")
            lowering.store(out, "f", lowering.plus(lowering.plus(lowering.times(i, n), j), str(m * n)), value)

        lowering.loop(n, lambda i: lowering.loop(n, lambda j: triangle(i, j)))
        call(lowering, "dorgqr", m, n, n, columns, m, tau, work, n * BLOCK, status(lowering))
        _transpose(lowering, columns, (n, m), out)

    each_result(lowering, node, one)
    return True


def svd(lowering: Lowering, node: Node) -> bool:
    m, n = node.inputs[0].shape[-2:]
    k = min(m, n)
    if not node.size:
        return True
    if not k:
        return False
    length = 4 * k * k + 7 * k + (m + n) * BLOCK
    sizes = (m * n, m * k, k * n, length, 8 * k)
    columns, left, right, work, numbers = (scratch(lowering, size) for size in sizes)

    def one(a: str, out: str) -> None:
        _transpose(lowering, a, (m, n), columns)
        places = [columns, m, displaced(lowering, out, m * k), left, m, right, k, work, length, numbers]
        call(lowering, "dgesdd", "S", m, n, *places, status(lowering))
        _transpose(lowering, left, (k, m), out)
        vectors = displaced(lowering, out, (m + 1) * k)
        lowering.loop(k * n, lambda i: lowering.store(vectors, "f", i, lowering.load(right, "f", i)))
        fill_with_nan(lowering, failure(lowering), out, (m + 1 + n) * k)

    each_result(lowering, node, one)
    return True
