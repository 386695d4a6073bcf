"""Small dense linear algebra as machine code of its own, one function per operation and size.

Matrices are row-major. What fails (a matrix that is not positive definite, a singular system) is NaN, as in the
interpreter. The names of the functions are words: ``"cholesky 11"`` factorises matrices of 11 rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from bayesad.ad.backends.llvm import jit
from bayesad.ad.backends.llvm.product_kernels import PRODUCTS
from bayesad.ad.backends.llvm.rows import Number, Rows, Value, number

__all__ = ["KERNELS", "is_kernel", "kernel", "kernel_text"]

TILE = 32  # columns of right-hand sides that are solved for at once
MIRRORED = 8  # columns of a matrix that are mirrored at once: a cache line of them
ZERO, HALF, ONE, INFINITY, NAN = map(number, (0.0, 0.5, 1.0, math.inf, math.nan))


def is_kernel(name: str) -> bool:
    return name.split()[0] in KERNELS


def kernel(name: str) -> jit.Library:
    """The machine code of a kernel, at the symbol ``kernel``; compiled, or taken from the cache."""
    return jit.build(kernel_text(name), ["kernel"])


def kernel_text(name: str) -> str:
    """The LLVM module of a kernel: an operation of the table below and its whole-number parameters."""
    operation, *parameters = name.split()
    return KERNELS[operation](*map(int, parameters))


def _fill(f: Rows, pointer: str, size: int, value: Value) -> None:
    f.loop(0, size, lambda i: f.store(value, f.place(pointer, 1, i)))


def width(n: int) -> int:
    """How far apart rows of n lie in scratch memory, so that they are whole vectors."""
    return n if n <= 4 else -(-n // 4) * 4


def cholesky(n: int) -> str:
    """The lower Cholesky factor; the lower triangle is read (Golub & Van Loan 2013, 4.2.5, by outer products).

    Worked on in scratch memory is its transpose, whose rows are needed as vectors.
    """
    f, w = Rows(), width(n)

    def transpose_row(i: Number) -> None:
        f.loop(0, n, lambda j: f.store(f.load(f.place("%a", n, j, i)), f.place("%work", w, i, j)))

    f.loop(0, n, transpose_row)

    def eliminate(k: Number, worst: Value) -> list[Value]:
        pivot = f.load(f.place("%work", w, k, k))
        above, below = f.op(f"fcmp ogt {pivot}, {ZERO.text}"), f.op(f"fcmp olt {pivot}, {INFINITY.text}")
        sound = f.op(f"and i1 {above}, {below}")
        pivot = f.select(sound, pivot, ONE)
        inverse = f.divide(ONE, pivot)
        row = f.load(f.place("%work", w, k), w)

        def subtract(i: Number) -> None:
            factor = f.multiply(f.load(f.place("%work", w, k, i)), inverse)
            there = f.place("%work", w, i)
            f.store(f.subtract(f.load(there, w), f.multiply(f.splat(factor, w), row)), there)

        f.loop(f.plus(k, 1), n, subtract)
        scale = f.divide(ONE, f.function("llvm.sqrt", pivot))
        f.store(f.multiply(row, f.splat(scale, w)), f.place("%work", w, k))
        return [f.select(sound, worst, NAN)]

    (worst,) = f.loop(0, n, eliminate, [ZERO])

    def transpose_back(i: Number) -> None:
        end = f.plus(i, 1)
        f.loop(0, end, lambda j: f.store(f.load(f.place("%work", w, j, i)), f.place("%out", n, i, j)))
        f.loop(end, n, lambda j: f.store(ZERO, f.place("%out", n, i, j)))

    f.loop(0, n, transpose_back)
    f.when(f.op(f"fcmp uno {worst}, {worst.text}"), lambda: _fill(f, "%out", n * n, NAN))
    return f.text("a out work")


def cholesky_pullback(n: int) -> str:
    """The cotangent of a symmetric matrix from its factor and the cotangent of that (Murray 2016, section 3.1)."""
    f = Rows()
    rows = _pull_back(f, n, n, "%g")
    _halve_and_mirror(f, n, rows, width(n))
    return f.text("factor g out work")


def pull_back_block(n: int, stride: int) -> str:
    """The same for a block of larger matrices: twice the cotangent, its lower triangle and all of it."""
    f, w = Rows(), width(n)
    rows = _pull_back(f, n, stride, "%g")

    def mirror(i: Number) -> None:
        def one(j: Number) -> None:
            value = f.load(f.place(rows, w, i, j))
            f.store(value, f.place("%out", stride, i, j))
            f.store(value, f.place("%mirrored", n, i, j))
            f.store(value, f.place("%mirrored", n, j, i))

        f.loop(0, f.plus(i, 1), one)

    f.loop(0, n, mirror)
    return f.text("factor g out mirrored work")


def invert_lower(n: int, stride: int) -> str:
    """The inverse of a lower triangle within a larger matrix, and the square of its condition in Frobenius's norm."""
    f = Rows()
    zeros = number(0.0, n)

    def row(i: Number, squares: Value, squares_of_inverse: Value) -> list[Value]:
        def eliminate(k: Number, left: Value) -> list[Value]:
            factor = f.splat(f.load(f.place("%a", stride, i, k)), n)
            return [f.subtract(left, f.multiply(factor, f.load(f.place("%out", n, k), n)))]

        unit = f.select(f.lanes("eq", i, n), f.splat(ONE, n), zeros)
        (left,) = f.loop(0, i, eliminate, [unit])
        left = f.divide(left, f.splat(f.load(f.place("%a", stride, i, i)), n))
        f.store(left, f.place("%out", n, i))
        own = f.select(f.lanes("sle", i, n), f.load(f.place("%a", stride, i), n), zeros)
        return [f.add(squares, f.multiply(own, own)), f.add(squares_of_inverse, f.multiply(left, left))]

    squares, squares_of_inverse = f.loop(0, n, row, [zeros, zeros])
    f.store(f.multiply(f.total(squares), f.total(squares_of_inverse)), "%condition")
    return f.text("a out condition")


def halve_and_mirror(n: int) -> str:
    """Of twice a symmetric matrix, given in its lower triangle, all of it."""
    f = Rows()
    _halve_and_mirror(f, n, "%out", n)
    return f.text("out")


def _halve_and_mirror(f: Rows, n: int, rows: str, stride: int) -> None:
    """By tiles of columns, so that what is written to the rows above goes to few cache lines."""

    def mirror(i: Number, j: Number, lanes: int = 0) -> None:
        half = f.multiply(f.splat(HALF, lanes), f.load(f.place(rows, stride, i, j), lanes))
        f.store(half, f.place("%out", n, i, j))
        for k in range(max(lanes, 1)):
            f.store(f.lane(half, k), f.place("%out", n, f.plus(j, k), i))

    def tile(start: Number, size: int) -> None:
        end = f.plus(start, size)
        f.loop(start, end, lambda i: f.loop(start, f.plus(i, 1), lambda j: mirror(i, j)))
        if size == MIRRORED:
            f.loop(end, n, lambda i: mirror(i, start, size))

    whole, rest = divmod(n, MIRRORED)
    f.loop(0, whole, lambda number: tile(f.times(number, MIRRORED), MIRRORED))
    if rest:
        tile(n - rest, rest)


def _pull_back(f: Rows, n: int, stride: int, g: str) -> str:
    """Rows of twice the cotangent, in scratch memory; what they hold right of the diagonal means nothing."""
    w = width(n)
    rows = f.place("%work", w, n)
    f.loop(0, n, lambda i: f.store(f.load(f.place("%factor", stride, i), n), f.place("%work", w, i)))
    f.loop(0, n, lambda i: f.store(f.load(f.place(g, stride, i), n), f.place(rows, w, i)))

    def undo(k: Number) -> None:
        inverse = f.divide(ONE, f.load(f.place("%work", w, k, k)))
        before = f.lanes("slt", k, w)
        row = f.select(before, f.load(f.place("%work", w, k), w), number(0.0, w))
        own = f.load(f.place(rows, w, k), w)
        diagonal = f.load(f.place(rows, w, k, k))

        def below(i: Number, total: Value, own: Value) -> list[Value]:
            there = f.place(rows, w, i, k)
            old = f.load(there)
            new = f.multiply(old, inverse)
            spread = f.splat(new, w)
            whole = f.place(rows, w, i)
            f.store(f.subtract(f.load(whole, w), f.multiply(spread, row)), whole)
            f.store(new, there)
            total = f.add(total, f.multiply(f.load(f.place("%work", w, i, k)), old))
            return [total, f.subtract(own, f.multiply(spread, f.load(f.place("%work", w, i), w)))]

        total, own = f.loop(f.plus(k, 1), n, below, [ZERO, own])
        diagonal = f.multiply(f.subtract(diagonal, f.multiply(total, inverse)), inverse)
        own = f.subtract(own, f.multiply(f.splat(diagonal, w), row))
        f.store(own, f.place(rows, w, k))
        f.store(diagonal, f.place(rows, w, k, k))

    f.loop(0, n, undo, down=True)
    return rows


def solve_triangular(n: int, m: int, lower: int, trans: int, unit: int) -> str:
    """x with a x = b, or a.T x = b if trans, for m columns (Golub & Van Loan 2013, 3.1)."""
    f = Rows()
    if m == 1:
        singular = _solve_vector(f, n, bool(lower), bool(trans), bool(unit))
    else:
        singular = ZERO

        def tile(number: Number, before: Value) -> list[Value]:
            return [_solve_columns(f, n, m, TILE, f.times(number, TILE), (lower, trans, unit), before)]

        if m >= TILE:
            (singular,) = f.loop(0, m // TILE, tile, [singular])
        if m % TILE:
            start = m // TILE * TILE
            singular = _solve_columns(f, n, m, m % TILE, start, (lower, trans, unit), singular)
    f.when(f.op(f"fcmp uno {singular}, {singular.text}"), lambda: _fill(f, "%out", n * m, NAN))
    return f.text("a b out")


def _solve_columns(
    f: Rows, n: int, m: int, lanes: int, start: Number, flags: tuple[int, int, int], singular: Value
) -> Value:
    """Solve for some columns, whose rows are the vectors."""
    lower, trans, unit = map(bool, flags)
    forward = lower != trans

    def row(i: Number, singular: Value) -> list[Value]:
        def eliminate(k: Number, left: Value) -> list[Value]:
            factor = f.load(f.place("%a", n, k, i) if trans else f.place("%a", n, i, k))
            known = f.load(f.place("%out", m, k, start), lanes)
            return [f.subtract(left, f.multiply(f.splat(factor, lanes), known))]

        left = f.load(f.place("%b", m, i, start), lanes)
        (left,) = f.loop(0, i, eliminate, [left]) if forward else f.loop(f.plus(i, 1), n, eliminate, [left])
        if not unit:
            pivot = f.load(f.place("%a", n, i, i))
            singular = f.select(f.op(f"fcmp oeq {pivot}, {ZERO.text}"), NAN, singular)
            left = f.divide(left, f.splat(pivot, lanes))
        f.store(left, f.place("%out", m, i, start))
        return [singular]

    return f.loop(0, n, row, [singular], down=not forward)[0]


def _solve_vector(f: Rows, n: int, lower: bool, trans: bool, unit: bool) -> Value:
    """Solve for one column, with the matrix's rows as vectors: products with them, or multiples of them."""
    forward = lower != trans
    read = "slt" if lower else "sgt"  # the lanes of row i beside the diagonal
    f.store(number(0.0, n) if not trans else f.load("%b", n), "%out")

    def row(i: Number, singular: Value) -> list[Value]:
        beside = f.select(f.lanes(read, i, n), f.load(f.place("%a", n, i), n), number(0.0, n))
        there = f.place("%out", 1, i)
        left = f.load(there)
        if not trans:
            left = f.subtract(f.load(f.place("%b", 1, i)), f.total(f.multiply(beside, f.load("%out", n))))
        if not unit:
            pivot = f.load(f.place("%a", n, i, i))
            singular = f.select(f.op(f"fcmp oeq {pivot}, {ZERO.text}"), NAN, singular)
            left = f.divide(left, pivot)
        if trans:
            f.store(f.subtract(f.load("%out", n), f.multiply(f.splat(left, n), beside)), "%out")
        f.store(left, there)
        return [singular]

    return f.loop(0, n, row, [ZERO], down=not forward)[0]


def lu(n: int) -> str:
    """Elimination with exchanges of columns, as LAPACK does it with the transpose (Golub & Van Loan 2013, 3.4).

    The result has a lower triangle and, beside its unit diagonal, an upper one; ``exchanges`` counts columns from 1.
    """
    f, w = Rows(), width(n)
    f.loop(0, n, lambda i: f.store(f.load(f.place("%a", n, i), n), f.place("%work", w, i)))

    def size(i: Number, j: Number) -> Value:
        return f.function("llvm.fabs", f.load(f.place("%work", w, i, j)))

    def eliminate(k: Number) -> None:
        def larger(j: Number, best: Value, at: Value) -> list[Value]:
            new = size(k, j)
            better = f.op(f"fcmp ogt {new}, {best.text}")
            return [f.select(better, new, best), f.select(better, at._replace(text=str(j)), at)]

        _, at = f.loop(f.plus(k, 1), n, larger, [size(k, k), Value(str(k), element="i64")])

        def exchange(i: Number) -> None:
            here, there = f.place("%work", w, i, k), f.place("%work", w, i, at.text)
            x, y = f.load(here), f.load(there)
            f.store(y, here)
            f.store(x, there)

        f.loop(0, n, exchange)
        number_from_1 = f.op(f"trunc i64 {f.plus(at.text, 1)} to i32")
        f.lines.append(f"  store i32 {number_from_1}, ptr {f.op(f'getelementptr i32, ptr %exchanges, i64 {k}')}")
        pivot = f.load(f.place("%work", w, k, k))
        pivot = f.select(f.op(f"fcmp oeq {pivot}, {ZERO.text}"), ONE, pivot)
        beyond = f.lanes("sgt", k, w)
        row = f.load(f.place("%work", w, k), w)
        scaled = f.multiply(row, f.splat(f.divide(ONE, pivot), w))
        f.store(f.select(beyond, scaled, row), f.place("%work", w, k))
        scaled = f.select(beyond, scaled, number(0.0, w))

        def subtract(i: Number) -> None:
            factor = f.splat(f.load(f.place("%work", w, i, k)), w)
            there = f.place("%work", w, i)
            f.store(f.subtract(f.load(there, w), f.multiply(factor, scaled)), there)

        f.loop(f.plus(k, 1), n, subtract)

    f.loop(0, n, eliminate)
    f.loop(0, n, lambda i: f.store(f.load(f.place("%work", w, i), n), f.place("%out", n, i)))
    return f.text("a out exchanges work")


KERNELS: dict[str, Callable[..., str]] = {
    "lu": lu,
    "cholesky": cholesky,
    "cholesky_pullback": cholesky_pullback,
    "pull_back_block": pull_back_block,
    "invert_lower": invert_lower,
    "halve_and_mirror": halve_and_mirror,
    "solve_triangular": solve_triangular,
    **PRODUCTS,
}
